//! What the server says of a file, and the download of its bytes.

use super::Model;
use crate::{Error, Result};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;
use ureq::http::{Response, StatusCode, Uri};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

/// Silence after which a connection counts as cut.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests for the rest of a file before giving up.
const ATTEMPTS: usize = 3;
/// Redirections followed on the way to a file.
const HOPS: usize = 8;

pub(super) struct Http {
    agent: Agent,
    endpoint: String,
    token: Option<String>,
}

/// Without the token, which is a secret.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// What the server says of a file.
pub(super) struct About {
    /// Its content's name: a hash of it on the hub itself.
    pub(super) etag: String,
    pub(super) size: u64,
    /// The commit that the revision stands for.
    pub(super) commit: Option<String>,
}

pub(super) enum Look {
    Found(About),
    Missing,
    /// No answer from the server.
    Unreachable(Error),
}

impl Http {
    pub(super) fn new(endpoint: String, token: Option<String>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // They are followed here, where it is decided who sees the token.
            .max_redirects(0)
            .accept_encoding("identity")
            .user_agent(concat!("nashguard/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build();
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { agent: config.into(), endpoint, token }
    }

    /// Address of a file at a revision of the model.
    pub(super) fn address(&self, model: &Model, revision: &str, file: &str) -> String {
        let Model { owner, name, .. } = model;
        let revision = revision.replace('/', "%2F");
        let file: String = file.bytes().map(escaped).collect();
        format!("{}/{owner}/{name}/resolve/{revision}/{file}", self.endpoint)
    }

    /// One request. The token goes to the hub's own origin alone, wherever the hub sends the reader.
    fn ask(
        &self,
        at: &str,
        mut request: RequestBuilder<WithoutBody>,
    ) -> Result<Response<Body>, ureq::Error> {
        if let Some(token) = self.token.as_ref().filter(|_| same_origin(at, &self.endpoint)) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.call()
    }

    /// Asks what a file is. The hub says so before it sends the reader on to where the bytes are.
    pub(super) fn look(&self, address: &str) -> Result<Look> {
        let mut at = address.to_owned();
        let (mut etag, mut size, mut commit) = (None, None, None);
        for _ in 0..HOPS {
            let response = match self.ask(&at, self.agent.head(&at)) {
                Ok(response) => response,
                Err(e) => return Ok(Look::Unreachable(unreachable(&at, &e))),
            };
            let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
            commit = commit.or_else(|| header("x-repo-commit"));
            etag = etag.or_else(|| header("x-linked-etag"));
            size = size.or_else(|| header("x-linked-size"));
            let on = onward(&at, &response)?;
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(Look::Missing);
            }
            if on.is_none() {
                check(&at, &response)?;
            }
            match on {
                Some(next) if etag.is_none() || size.is_none() => at = next,
                _ => {
                    let etag = etag.or_else(|| header("etag")).as_deref().and_then(name);
                    let size = size.or_else(|| header("content-length"));
                    let size = size.and_then(|size| size.parse().ok());
                    let (Some(etag), Some(size)) = (etag, size) else { break };
                    let commit = commit.as_deref().and_then(name);
                    return Ok(Look::Found(About { etag, size, commit }));
                }
            }
        }
        let problem = "the server does not say which file this is, or how large";
        Err(Error::invalid(address, problem, "set HF_ENDPOINT to the hub or a mirror of it"))
    }

    /// Downloads what is at `address` to `blob`, by way of `ETAG.incomplete` beside it, from where an
    /// earlier download of it ended.
    pub(super) fn download(
        &self,
        address: &str,
        blob: &Path,
        etag: &str,
        size: u64,
        tell: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let path = blob.with_file_name(format!("{etag}.incomplete"));
        let io = |e| Error::io("write", &path, e);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        // A file system without locks is no obstacle.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            let problem = "another process downloads it";
            return Err(Error::invalid(path.display().to_string(), problem, "let it finish"));
        }
        let mut done = file.metadata().map_err(io)?.len();
        for _ in 0..ATTEMPTS {
            // Longer than the file: not a beginning of it.
            if done > size {
                done = 0;
            }
            if done < size {
                done = self.rest(address, &mut file, &path, done, size, tell)?;
            }
            if done == size {
                break;
            }
        }
        if done != size {
            let problem = format!("the connection was cut after {done} of {size} bytes");
            return Err(Error::invalid(address, problem, "run again: the download goes on there"));
        }
        tell(done);
        if !intact(&mut file, etag, size).map_err(io)? {
            fs::remove_file(&path).map_err(io)?;
            let problem = "what arrived is not the file that the server announced";
            return Err(Error::invalid(address, problem, "run again to download it anew"));
        }
        file.sync_all().and_then(|()| fs::rename(&path, blob)).map_err(io)
    }

    /// One request for the bytes from `done` on; returns how many there are when it ends.
    fn rest(
        &self,
        address: &str,
        file: &mut File,
        path: &Path,
        done: u64,
        size: u64,
        tell: &mut dyn FnMut(u64),
    ) -> Result<u64> {
        let mut from = address.to_owned();
        let mut hops = 0;
        let response = loop {
            let mut request = self.agent.get(&from);
            if done > 0 {
                request = request.header("range", format!("bytes={done}-"));
            }
            let response = self.ask(&from, request).map_err(|e| unreachable(address, &e))?;
            match onward(&from, &response)? {
                Some(next) if hops < HOPS => from = next,
                _ => break response,
            }
            hops += 1;
        };
        let range = response.headers().get("content-range").and_then(|range| range.to_str().ok());
        let goes_on = response.status() == StatusCode::PARTIAL_CONTENT;
        if goes_on && !range.is_some_and(|range| range.starts_with(&format!("bytes {done}-"))) {
            let problem = format!("the server sends another part than that from byte {done} on");
            let remedy = "try again later, or set HF_ENDPOINT to a mirror";
            return Err(Error::invalid(address, problem, remedy));
        }
        // A server that knows no ranges sends the whole; one that cannot serve this range, nothing.
        let mut at = if goes_on { done } else { 0 };
        if response.status() != StatusCode::RANGE_NOT_SATISFIABLE {
            check(address, &response)?;
        }
        let write = |e: io::Error| match e.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::invalid(
                path.display().to_string(),
                format!("no space is left for the {} bytes to come", size - done),
                "free some, or set HF_HOME to a folder on a larger disk",
            ),
            _ => Error::io("write", path, e),
        };
        if file.metadata().map_err(write)?.len() != at {
            file.set_len(at).map_err(write)?;
        }
        file.seek(SeekFrom::Start(at)).map_err(write)?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(0);
        }
        let mut body = response.into_body().into_reader().take(size - at + 1);
        let mut chunk = vec![0; 1 << 16];
        loop {
            tell(at);
            // Whatever ends the stream early, the rest can be asked for.
            let Ok(read @ 1..) = body.read(&mut chunk) else { return Ok(at) };
            file.write_all(&chunk[..read]).map_err(write)?;
            at += read as u64;
        }
    }
}

/// Whether the status says that a file comes.
fn check(address: &str, response: &Response<Body>) -> Result<()> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let said = match status.canonical_reason() {
        Some(reason) => format!("the server answers {} ({reason})", status.as_u16()),
        None => format!("the server answers {}", status.as_u16()),
    };
    let remedy = match status.as_u16() {
        401 | 403 => {
            "check the model's name; if it is gated or private, accept its terms on its page and set \
             HF_TOKEN to an access token"
        }
        404 => "check the model's name, revision and files on its page",
        _ => "try again later, or set HF_ENDPOINT to a mirror",
    };
    Err(Error::invalid(address, said, remedy))
}

fn unreachable(address: &str, error: &ureq::Error) -> Error {
    let remedy = "check the connection, the proxy and HF_ENDPOINT, and run again";
    Error::invalid(address, format!("the server cannot be reached ({error})"), remedy)
}

/// An etag or commit as the name of a file.
fn name(header: &str) -> Option<String> {
    let name = header.trim_start_matches("W/").trim_matches('"');
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!name.is_empty() && name.len() <= 128 && name.chars().all(plain)).then(|| name.to_owned())
}

/// Where the answer sends the reader on to, if it does.
fn onward(from: &str, response: &Response<Body>) -> Result<Option<String>> {
    let location = response.headers().get("location").and_then(|location| location.to_str().ok());
    let location = location.filter(|_| response.status().is_redirection());
    location.map(|location| joined(from, location)).transpose()
}

/// Where a redirection from `from` leads.
fn joined(from: &str, location: &str) -> Result<String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Ok(location.to_owned());
    }
    let parts = from.parse::<Uri>().ok().map(Uri::into_parts);
    match parts.as_ref().map(|parts| (&parts.scheme, &parts.authority)) {
        Some((Some(scheme), Some(authority))) if location.starts_with('/') => {
            Ok(format!("{scheme}://{authority}{location}"))
        }
        _ => {
            let problem = format!("it leads to \"{location}\", which is no address");
            Err(Error::invalid(from, problem, "set HF_ENDPOINT to the hub or a mirror of it"))
        }
    }
}

/// Whether scheme, host and port are the same.
fn same_origin(a: &str, b: &str) -> bool {
    let origin = |address: &str| {
        let parts = address.parse::<Uri>().ok()?.into_parts();
        parts.scheme.zip(parts.authority)
    };
    origin(a).is_some_and(|a| Some(a) == origin(b))
}

/// A byte of a path as it stands in an address.
fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// Whether the file has the content that its etag names, where that is a hash: SHA-256 of large files, git's
/// SHA-1 of others.
fn intact(file: &mut File, etag: &str, size: u64) -> io::Result<bool> {
    let hexadecimal = etag.bytes().all(|b| b.is_ascii_hexdigit());
    let mut hash = match etag.len() {
        64 if hexadecimal => Context::new(&SHA256),
        40 if hexadecimal => {
            let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
            hash.update(format!("blob {size}\0").as_bytes());
            hash
        }
        _ => return Ok(true),
    };
    file.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => hash.update(&chunk[..read]),
        }
    }
    let found: String = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(found.eq_ignore_ascii_case(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stays_at_home_and_unseen() {
        let hub = "https://hub.example";
        assert!(same_origin("https://HUB.example/a/b", hub));
        for other in
            ["http://hub.example", "https://hub.example:8443", "https://hub.example.org", "/a"]
        {
            assert!(!same_origin(other, hub), "{other}");
        }
        assert!(!same_origin("", ""));
        let shown = format!("{:?}", Http::new(hub.into(), Some("secret".into())));
        assert!(shown.contains(hub) && !shown.contains("secret"), "{shown}");
    }
}
