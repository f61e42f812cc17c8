//! `nashguard fetch` against a server of its own on the loopback: what arrives, what is reused, and what is
//! said when it does not arrive.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// What the server calls large: it sends the reader on to `/cdn/`.
const LARGE: usize = 10_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
struct Behaviour {
    files: BTreeMap<String, Vec<u8>>,
    /// Status of every answer, where not what it should be.
    status: Option<u16>,
    /// Bytes after which each of so many downloads breaks off.
    cut: Option<(usize, usize)>,
    /// Sends the whole file, whatever range was asked for.
    no_ranges: bool,
    /// Sends the part after the one that was asked for.
    wrong_range: bool,
    /// Where large files are, where not here.
    cdn: Option<SocketAddr>,
    /// Announces this etag.
    etag: Option<String>,
    /// Method, path, range and token of every request.
    seen: Vec<[String; 4]>,
}

/// A hub in a thread.
struct Server {
    port: u16,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Server {
    fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        let behaviour = Arc::new(Mutex::new(Behaviour { files, ..Behaviour::default() }));
        let shared = behaviour.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(stream.unwrap(), &shared);
            }
        });
        Self { port, behaviour }
    }

    fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    /// The requests since the last call.
    fn seen(&self) -> Vec<[String; 4]> {
        std::mem::take(&mut self.behaviour.lock().unwrap().seen)
    }

    /// Downloads so far, by path and range.
    fn downloads(&self) -> Vec<(String, String)> {
        let gets = self.seen().into_iter().filter(|[method, ..]| method == "GET");
        gets.filter(|[_, path, ..]| !path.contains("/moved/"))
            .map(|[_, path, range, _]| (path.rsplit('/').next().unwrap().to_owned(), range))
            .collect()
    }
}

/// One request, one answer, and the connection ends.
fn answer(mut stream: TcpStream, behaviour: &Mutex<Behaviour>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap()?;
    let (method, path) = first.split_once(' ').unwrap();
    let path = path.split(' ').next().unwrap();
    let (mut range, mut token) = (String::new(), String::new());
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => value.clone_into(&mut range),
            "authorization" => value.clone_into(&mut token),
            _ => {}
        }
    }
    let mut b = behaviour.lock().unwrap();
    let cdn = b.cdn.unwrap_or(stream.local_addr()?);
    b.seen.push([method.into(), path.into(), range.clone(), token]);
    let mut say = |head: String, body: &[u8]| {
        write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n")?;
        if method == "GET" { stream.write_all(body) } else { Ok(()) }
    };
    if let Some(status) = b.status {
        return say(format!("{status} Whatever\r\nContent-Length: 0"), b"");
    }
    if let Some(file) = path.strip_prefix("/old/") {
        let to = format!("/own/{file}");
        return say(format!("307 Moved\r\nLocation: {to}\r\nContent-Length: 0"), b"");
    }
    let (large, name) = match path.strip_prefix("/cdn/") {
        Some(name) => (true, name),
        None => {
            let known = ["main", COMMIT].map(|revision| format!("/own/tiny/resolve/{revision}/"));
            (false, known.iter().find_map(|known| path.strip_prefix(known)).unwrap_or(""))
        }
    };
    let Some(bytes) = b.files.get(&name.replace("%20", " ")).cloned() else {
        return say("404 Not Found\r\nContent-Length: 0".into(), b"");
    };
    let (linked, etag) = match bytes.len() >= LARGE {
        true => ("X-Linked-", hex(digest(&SHA256, &bytes).as_ref())),
        false => {
            let blob = [format!("blob {}\0", bytes.len()).as_bytes(), &bytes].concat();
            ("", hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &blob).as_ref()))
        }
    };
    let etag = b.etag.clone().unwrap_or(etag);
    if bytes.len() >= LARGE && !large {
        return say(
            format!(
                "302 Found\r\nLocation: http://{cdn}/cdn/{name}\r\nX-Repo-Commit: {COMMIT}\r\n\
                 {linked}ETag: \"{etag}\"\r\nX-Linked-Size: {}\r\nContent-Length: 0",
                bytes.len()
            ),
            b"",
        );
    }
    let about = format!("X-Repo-Commit: {COMMIT}\r\nETag: W/\"{etag}\"");
    let from: usize = range
        .strip_prefix("bytes=")
        .and_then(|range| range.strip_suffix('-')?.parse().ok())
        .filter(|_| !b.no_ranges)
        .unwrap_or(0);
    let from = if b.wrong_range && from > 0 { from + 1 } else { from };
    let rest = &bytes[from..];
    let sent = match &mut b.cut {
        Some((after, times)) if *times > 0 && method == "GET" && rest.len() > *after => {
            *times -= 1;
            &rest[..*after]
        }
        _ => rest,
    };
    let status = match from {
        0 => "200 OK".to_owned(),
        from => format!(
            "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
            bytes.len() - 1,
            bytes.len()
        ),
    };
    say(format!("{status}\r\n{about}\r\nContent-Length: {}", rest.len()), sent)
}

/// A folder with a cache and a folder of models.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, server: &Server, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nashguard"));
        command.current_dir(self.dir.path()).arg("fetch").args(arguments);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("HF_ENDPOINT", format!("http://127.0.0.1:{}/", server.port));
        command.env("HF_HOME", self.at("home"));
        command
    }

    fn fetch(&self, server: &Server, arguments: &[&str]) -> Output {
        self.command(server, arguments).output().unwrap()
    }

    fn good(&self, server: &Server, arguments: &[&str]) {
        let out = self.fetch(server, arguments);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    /// The one sentence of a failure.
    fn bad(&self, server: &Server, arguments: &[&str]) -> String {
        let out = self.fetch(server, arguments);
        assert_eq!(out.status.code(), Some(1));
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(said.starts_with("error: ") && said.trim().lines().count() == 1, "{said}");
        said
    }

    fn blobs(&self) -> Vec<PathBuf> {
        let folder = self.at("home/hub/models--own--tiny/blobs");
        let Ok(all) = fs::read_dir(folder) else { return vec![] };
        all.map(|entry| entry.unwrap().path()).collect()
    }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len)
        .scan(7_u32, |x, _| {
            *x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*x >> 24) as u8)
        })
        .collect()
}

fn small() -> Vec<(&'static str, Vec<u8>)> {
    let about = vec![("config.json", b"{}".to_vec()), ("tokenizer.json", b"{\"a\":1}".to_vec())];
    [about, vec![("model.safetensors", noise(300_000))]].concat()
}

fn same(a: &Path, b: &[u8]) -> bool {
    fs::read(a).unwrap() == b
}

#[test]
fn a_model_arrives_and_is_not_downloaded_twice() {
    let server = Server::start(&small());
    let place = Place::new();
    place.good(&server, &["own/tiny"]);
    for (name, bytes) in small() {
        assert!(same(&place.at("models/tiny").join(name), &bytes), "{name}");
    }
    // What the model does not have is not made up.
    assert!(!place.at("models/tiny/tokenizer_config.json").exists());
    let cache = place.at("home/hub/models--own--tiny");
    assert!(same(&cache.join("refs/main"), COMMIT.as_bytes()));
    assert!(same(&cache.join(format!("snapshots/{COMMIT}/config.json")), b"{}"));
    assert_eq!(place.blobs().len(), 3);
    // The download of the large file: first the hub, then where it sends the reader.
    assert!(server.downloads().contains(&("model.safetensors".into(), String::new())));

    place.good(&server, &["own/tiny", "--models", "elsewhere/again"]);
    assert!(same(&place.at("elsewhere/again/tiny/config.json"), b"{}"));
    assert_eq!(server.downloads(), []);

    // A changed file is fetched anew, and the others are not.
    server.set(|b| b.files.insert("config.json".into(), b"{\"new\":1}".to_vec()).map_or((), drop));
    place.good(&server, &["own/tiny"]);
    assert!(same(&place.at("models/tiny/config.json"), b"{\"new\":1}"));
    assert_eq!(server.downloads(), [("config.json".into(), String::new())]);
    // A file that is there already leaves nothing beside it.
    assert_eq!(fs::read_dir(place.at("models/tiny")).unwrap().count(), 3);

    // Without a server, what the cache has serves.
    let gone = Server { port: 1, behaviour: Arc::default() };
    place.good(&gone, &["own/tiny", "--models", "offline", "--file", "model.safetensors"]);
    assert!(same(&place.at("offline/tiny/model.safetensors"), &small()[2].1));
    let said = place.bad(&gone, &["own/tiny", "--file", "other.gguf"]);
    assert!(said.contains("other.gguf: the server cannot be reached"), "{said}");
}

#[test]
fn what_ends_texts_and_the_template_come_along() {
    let more = ["generation_config.json", "chat_template.jinja", "tokenizer_config.json"];
    let more = more.map(|name| (name, name.as_bytes().to_vec()));
    let server = Server::start(&[small(), more.to_vec()].concat());
    let place = Place::new();
    place.good(&server, &["own/tiny"]);
    for (name, bytes) in more {
        assert!(same(&place.at("models/tiny").join(name), &bytes), "{name}");
    }
}

#[test]
fn all_files_are_of_the_commit_that_the_first_answer_names() {
    let server = Server::start(&small());
    Place::new().good(&server, &["own/tiny"]);
    for [method, path, ..] in server.seen() {
        let revision = if path.ends_with("/config.json") { "main" } else { COMMIT };
        let expected = path.starts_with("/cdn/") || path.contains(&format!("/{revision}/"));
        assert!(expected, "{method} {path}");
    }
}

/// Links into the cache are replaced, and what they lead to is not.
#[cfg(unix)]
#[test]
fn the_cache_is_not_written_through_a_link() {
    let server = Server::start(&small());
    let place = Place::new();
    place.good(&server, &["own/tiny", "--models", "first"]);
    let blob = place.blobs().into_iter().find(|blob| same(blob, b"{}")).unwrap();
    let config = place.at("models/tiny/config.json");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&blob, &config).unwrap();
    place.good(&server, &["own/tiny"]);
    assert!(config.is_symlink() && same(&config, b"{}"));
    server.set(|b| b.files.insert("config.json".into(), b"{\"new\":1}".to_vec()).map_or((), drop));
    place.good(&server, &["own/tiny"]);
    assert!(same(&config, b"{\"new\":1}") && same(&blob, b"{}"));
}

#[test]
fn a_guardrail_is_not_overwritten() {
    let server = Server::start(&small());
    let place = Place::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/guardrail/model.safetensors");
    fs::create_dir_all(place.at("models/tiny")).unwrap();
    fs::copy(&shipped, place.at("models/tiny/model.safetensors")).unwrap();
    let said = place.bad(&server, &["own/tiny"]);
    assert!(said.contains("it holds a guardrail") && said.contains("--models"), "{said}");
    assert_eq!(fs::read_dir(place.at("models/tiny")).unwrap().count(), 1);
    // Nor one that began as a decoder.
    fs::write(place.at("models/tiny/model.safetensors"), b"fine-tuned").unwrap();
    fs::write(place.at("models/tiny/guardrail.json"), b"{}").unwrap();
    assert!(place.bad(&server, &["own/tiny"]).contains("it holds a guardrail"));
    assert!(same(&place.at("models/tiny/model.safetensors"), b"fine-tuned"));
    assert_eq!(server.downloads(), []);
}

/// Another model of that name, or another revision, may have had more files.
#[test]
fn what_the_model_does_not_have_leaves_its_folder() {
    let more = ["generation_config.json", "chat_template.jinja", "tokenizer_config.json"];
    let more = more.map(|name| (name, b"{}".to_vec()));
    let server = Server::start(&[small(), more.to_vec()].concat());
    let place = Place::new();
    place.good(&server, &["own/tiny"]);
    fs::write(place.at("models/tiny/notes.txt"), b"mine").unwrap();
    let index = br#"{"weight_map": {"a": "model-1.safetensors"}}"#.to_vec();
    server.set(|b| {
        b.files.retain(|name, _| ["config.json", "tokenizer.json"].contains(&&**name));
        b.files.insert("model.safetensors.index.json".into(), index);
        b.files.insert("model-1.safetensors".into(), noise(100));
    });
    place.good(&server, &["own/tiny"]);
    let mut left: Vec<_> = fs::read_dir(place.at("models/tiny"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let expected = [
        "config.json",
        "model-1.safetensors",
        "model.safetensors.index.json",
        "notes.txt",
        "tokenizer.json",
    ];
    assert_eq!(left, expected);
}

#[test]
fn named_files_and_moved_models() {
    let mut files = small();
    files.push(("sub dir/model-q8.gguf", noise(20_000)));
    let server = Server::start(&files);
    let place = Place::new();
    place.good(&server, &["old/tiny", "--file", "sub dir/model-q8.gguf", "--file", "config.json"]);
    assert!(same(&place.at("models/tiny/sub dir/model-q8.gguf"), &files[3].1));
    assert!(same(&place.at("models/tiny/config.json"), b"{}"));
    assert!(!place.at("models/tiny/model.safetensors").exists());
    for wrong in ["../evil", "/etc/passwd", "a/../../b", ""] {
        let said = place.bad(&server, &["own/tiny", "--file", wrong]);
        assert!(said.contains("no path inside the model"), "{said}");
    }
    for wrong in ["tiny", "own/tiny/more", "../tiny", "own/ti ny", "own/"] {
        assert!(place.bad(&server, &[wrong]).contains("names no model of the hub"));
    }
    let said = place.bad(&server, &["own/tiny", "--revision", "a/../b"]);
    assert!(said.contains("it is no revision"), "{said}");
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let server = Server::start(&small());
    let place = Place::new();
    let go = |command: &mut Command| assert!(command.output().unwrap().status.success());
    go(place.command(&server, &["own/tiny"]).env("HF_TOKEN", "secret"));
    let seen = server.seen();
    assert!(
        seen.iter()
            .any(|[_, path, _, token]| { path.starts_with("/own/") && token == "Bearer secret" })
    );
    fs::write(place.at("home/token"), "stored\n").unwrap();
    go(&mut place.command(&server, &["own/tiny"]));
    assert!(server.seen().iter().all(|[.., token]| token == "Bearer stored"));
    // Another port is another server.
    let cdn = Server::start(&small());
    server.set(|b| b.cdn = Some(([127, 0, 0, 1], cdn.port).into()));
    go(Place::new().command(&server, &["own/tiny"]).env("HF_TOKEN", "secret"));
    assert!(server.seen().iter().all(|[.., token]| token == "Bearer secret"));
    let there = cdn.seen();
    assert!(!there.is_empty() && there.iter().all(|[.., token]| token.is_empty()), "{there:?}");
}

#[test]
fn refusals_say_what_to_do() {
    let server = Server::start(&small());
    let place = Place::new();
    let said = place.bad(&server, &["own/other"]);
    assert!(said.contains("own/other/resolve/main/config.json") && said.contains("404"), "{said}");
    server.set(|b| drop(b.files.remove("model.safetensors")));
    let said = place.bad(&server, &["own/tiny"]);
    assert!(said.contains("model.safetensors.index.json") && said.contains("--file"), "{said}");
    for (status, part) in [(401, "HF_TOKEN"), (403, "accept its terms"), (500, "try again later")] {
        server.set(|b| b.status = Some(status));
        let said = place.bad(&server, &["own/tiny", "--models", "none"]);
        assert!(said.contains(part) && said.contains(&status.to_string()), "{said}");
    }
    assert!(!place.at("none").exists());
}

#[test]
fn a_cut_download_goes_on() {
    let server = Server::start(&small());
    let place = Place::new();
    let model = &small()[2].1;
    // Twice cut, it goes on by itself; more often, it stops and goes on when run again.
    server.set(|b| b.cut = Some((80_000, 3)));
    let said = place.bad(&server, &["own/tiny"]);
    assert!(
        said.contains("cut after 240000 of 300000 bytes") && said.contains("run again"),
        "{said}"
    );
    assert!(!place.at("models/tiny/model.safetensors").exists());
    let partial = place.blobs().into_iter().find(|p| p.extension().is_some()).unwrap();
    assert!(same(&partial, &model[..240_000]));
    server.seen();
    place.good(&server, &["own/tiny"]);
    assert!(same(&place.at("models/tiny/model.safetensors"), model));
    let range = ("model.safetensors".to_owned(), "bytes=240000-".to_owned());
    assert!(server.downloads().contains(&range));
    assert!(!partial.exists());

    // Another part than the one asked for is not taken for it.
    let place = Place::new();
    server.set(|b| (b.cut, b.wrong_range) = (Some((80_000, 1)), true));
    let said = place.bad(&server, &["own/tiny"]);
    assert!(said.contains("another part than that from byte 80000 on"), "{said}");
    server.set(|b| b.wrong_range = false);
    place.good(&server, &["own/tiny"]);

    // A server without ranges: from the start.
    let place = Place::new();
    server.set(|b| (b.cut, b.no_ranges) = (Some((80_000, 3)), true));
    assert!(place.bad(&server, &["own/tiny"]).contains("cut after 80000 of 300000"));
    place.good(&server, &["own/tiny"]);
    assert!(same(&place.at("models/tiny/model.safetensors"), model));
}

#[test]
fn damage_is_noticed() {
    let server = Server::start(&small());
    let place = Place::new();
    // The beginning on disk is not the file's.
    let etag = hex(digest(&SHA256, &small()[2].1).as_ref());
    let blobs = place.at("home/hub/models--own--tiny/blobs");
    fs::create_dir_all(&blobs).unwrap();
    let partial = blobs.join(format!("{etag}.incomplete"));
    fs::write(&partial, [0; 1000]).unwrap();
    let said = place.bad(&server, &["own/tiny"]);
    assert!(said.contains("not the file that the server announced"), "{said}");
    assert!(!partial.exists() && !place.at("models/tiny/model.safetensors").exists());
    place.good(&server, &["own/tiny"]);

    // Longer than the file: it is begun again.
    let place = Place::new();
    let partial = place.at("home/hub/models--own--tiny/blobs").join(format!("{etag}.incomplete"));
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    fs::write(&partial, [0; 400_000]).unwrap();
    place.good(&server, &["own/tiny"]);
    assert!(same(&place.at("models/tiny/model.safetensors"), &small()[2].1));

    // An etag that is a path.
    server.set(|b| b.etag = Some("../../evil".into()));
    let said = place.bad(&server, &["own/tiny", "--file", "config.json"]);
    assert!(said.contains("does not say which file this is"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let server = Server::start(&small());
    let place = Place::new();
    let etag = hex(digest(&SHA256, &small()[2].1).as_ref());
    let blobs = place.at("home/hub/models--own--tiny/blobs");
    fs::create_dir_all(&blobs).unwrap();
    std::os::unix::fs::symlink("/dev/full", blobs.join(format!("{etag}.incomplete"))).unwrap();
    let said = place.bad(&server, &["own/tiny", "--file", "model.safetensors"]);
    assert!(said.contains("no space is left for the 300000 bytes"), "{said}");
    assert!(!place.at("models/tiny/model.safetensors").exists());
}

/// A model in shards arrives as the model it is.
#[test]
fn shards_arrive_and_load() {
    use candle_core::{DType, Device};
    use nashguard::neural::decoder::{Decoder, Numbers};
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/llama");
    let load = |path: &Path| Decoder::load(path, Numbers::Dense(DType::F32), &Device::Cpu).unwrap();
    let whole = load(&golden);
    let mut shards = [BTreeMap::new(), BTreeMap::new()];
    let mut map = BTreeMap::new();
    for (i, (name, weight)) in whole.weights().iter().enumerate() {
        shards[i % 2].insert(name.clone(), weight.dense().unwrap());
        map.insert(name.clone(), format!("model-0000{}-of-00002.safetensors", i % 2 + 1));
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": map }).to_string();
    let bytes = shards.map(|shard| safetensors::serialize(&shard, None).unwrap());
    let [one, two] = bytes;
    let server = Server::start(&[
        ("config.json", fs::read(golden.join("config.json")).unwrap()),
        ("tokenizer.json", b"{}".to_vec()),
        ("model.safetensors.index.json", index.into_bytes()),
        ("model-00001-of-00002.safetensors", one),
        ("model-00002-of-00002.safetensors", two),
    ]);
    let place = Place::new();
    place.good(&server, &["own/tiny"]);
    // Without a server, all of it is in the cache.
    let gone = Server { port: 1, behaviour: Arc::default() };
    place.good(&gone, &["own/tiny", "--models", "offline"]);
    load(&place.at("offline/tiny"));
    let fetched = load(&place.at("models/tiny"));
    for (name, weight) in whole.weights() {
        let bits = |w: &nashguard::neural::decoder::Weight| {
            w.dense().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(bits(weight), bits(&fetched.weights()[name]), "{name}");
    }
}
