//! A generator behind a server, against servers of our own on the loopback that do what servers do: every
//! text that was asked for arrives once, whatever goes wrong on the way, or one sentence says what did.

mod common;

use common::config;
use nashguard::neural::generator::{
    Draft, Job, Message, Prompt, Sampling, Server, ServerConfig, Writer as _,
};
use nashguard::{Error, Result};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Value,
    /// Requests for the same text before it.
    before: usize,
    at: Instant,
}

impl Request {
    /// What it asks to write after.
    fn prompt(&self) -> &str {
        let chat = &self.body["messages"];
        let last = chat.as_array().and_then(|messages| messages.last());
        last.map_or(&self.body["prompt"], |message| &message["content"]).as_str().unwrap_or("")
    }

    fn seed(&self) -> Option<u64> {
        self.body["seed"].as_u64()
    }

    /// What the server writes, different for each text.
    fn text(&self) -> String {
        format!("{} after {}", self.seed().unwrap_or(0), self.prompt())
    }

    /// A number that settles what becomes of the text.
    fn lot(&self) -> usize {
        let more = self.prompt().bytes().map(u64::from).sum::<u64>();
        self.seed().unwrap_or(0).wrapping_add(more).wrapping_mul(0x9E37_79B9) as usize >> 8
    }
}

enum Reply {
    /// Status, further headers, body.
    Whole(u16, &'static str, String),
    /// Half of a body, and the connection ends.
    Half(String),
    /// What is no HTTP.
    Noise,
    /// The connection ends.
    Nothing,
    /// The same later.
    Late(u64, Box<Reply>),
}

fn answer_with(text: &Value, chat: bool) -> String {
    let text = match chat {
        true => json!({ "message": { "role": "assistant", "content": text } }),
        false => json!({ "text": text }),
    };
    let mut choice = text;
    choice["finish_reason"] = json!("stop");
    choice["index"] = json!(0);
    json!({ "object": "anything", "choices": [choice] }).to_string()
}

fn good(request: &Request) -> Reply {
    let chat = request.path.ends_with("/chat/completions");
    Reply::Whole(200, "Content-Type: application/json", answer_with(&json!(request.text()), chat))
}

/// A server in threads.
struct Loopback {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Loopback {
    fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (shared, reply) = (seen.clone(), Arc::new(reply));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, reply) = (shared.clone(), reply.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &shared, &*reply));
            }
        });
        Self { port, seen }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// As a user would name it, in no hurry.
    fn config(&self) -> ServerConfig {
        let model = Some("tiny".into());
        let url = self.url();
        ServerConfig { url, model, requests: 4, patience: 60.0, pause: 0.001, ..Default::default() }
    }

    fn server(&self) -> Server {
        Server::new(self.config()).unwrap()
    }
}

/// Requests of one connection until either side has enough.
fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    reply: &dyn Fn(&Request) -> Reply,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
            Some(line.trim_end().to_owned())
        };
        let first = line()?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut headers = BTreeMap::new();
        while let Some((name, value)) = line()?.split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let at = Instant::now();
        let mut request = Request { method, path, headers, body, before: 0, at };
        {
            let mut seen = seen.lock().unwrap();
            let same = |r: &&Request| (r.prompt(), r.seed()) == (request.prompt(), request.seed());
            request.before = seen.iter().filter(same).count();
            seen.push(request.clone());
        }
        let mut reply = reply(&request);
        while let Reply::Late(milliseconds, then) = reply {
            std::thread::sleep(Duration::from_millis(milliseconds));
            reply = *then;
        }
        let head = |status: u16, more: &str, length: usize| {
            let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
            format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\n{more}\r\n")
        };
        match reply {
            Reply::Whole(status, more, body) => {
                let head = head(status, more, body.len());
                stream.write_all((head + &body).as_bytes()).ok()?;
            }
            Reply::Half(body) => {
                let half = head(200, "", body.len()) + &body[..body.len() / 2];
                stream.write_all(half.as_bytes()).ok()?;
                return stream.shutdown(std::net::Shutdown::Both).ok();
            }
            Reply::Noise => {
                stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").ok()?;
                return stream.shutdown(std::net::Shutdown::Both).ok();
            }
            Reply::Nothing | Reply::Late(..) => {
                return stream.shutdown(std::net::Shutdown::Both).ok();
            }
        }
    }
}

fn chat(number: u32, text: &str) -> Job {
    let content = text.to_owned();
    Job { prompt: Prompt::Chat(vec![Message { role: "user", content }]), number }
}

fn line(number: u32, text: &str) -> Job {
    Job { prompt: Prompt::Line(text.into()), number }
}

/// Jobs of both kinds; some prompts are the same, and no numbers.
fn jobs(count: u32) -> Vec<Job> {
    let job = |i: u32| match i % 2 {
        0 => chat(100 + i, &format!("chat {}", i % 3)),
        _ => line(100 + i, &format!("line {}", i % 3)),
    };
    (0..count).map(job).collect()
}

type Taken = BTreeMap<usize, Vec<String>>;

/// What is taken before `write` ends, and how it ends. Nothing may be taken twice.
fn take(server: &Server, jobs: &[Job], candidates: usize) -> (Taken, Result<()>) {
    let mut taken = Taken::new();
    let end = server.write(jobs, candidates, &Sampling::default(), 7, &mut |i, drafts| {
        assert_eq!(drafts.len(), candidates);
        assert!(drafts.iter().all(|draft| draft.whole));
        let texts = drafts.into_iter().map(|draft| draft.text).collect();
        assert!(taken.insert(i, texts).is_none(), "job {i} is taken twice");
        Ok(ControlFlow::Continue(()))
    });
    (taken, end)
}

fn all(server: &Server, jobs: &[Job], candidates: usize) -> Taken {
    let (taken, end) = take(server, jobs, candidates);
    end.unwrap();
    assert!(taken.keys().copied().eq(0..jobs.len()), "{taken:?}");
    taken
}

/// The one sentence of a failure.
fn sentence(end: Result<()>) -> String {
    let said = end.unwrap_err().to_string();
    assert!(said.lines().count() == 1 && said.chars().count() < 600, "{said}");
    said
}

#[test]
fn requests_say_what_was_asked_for() {
    let loopback = Loopback::start(good);
    // Of the environment, what every test run has.
    let key = "CARGO_PKG_VERSION".to_owned();
    let sampling = Sampling { temperature: 0.5, top_p: 0.9, max_tokens: 77, batch: 1 };
    for url in ["", "/", "/v1", "/v1/"].map(|end| loopback.url() + end) {
        let config = ServerConfig { url, key: Some(key.clone()), ..loopback.config() };
        let server = Server::new(config).unwrap();
        assert!(!format!("{server:?}").contains(env!("CARGO_PKG_VERSION")));
        let jobs = [chat(3, "hello"), line(4, "one\ntwo")];
        let mut go_on = |_, _| Ok(ControlFlow::Continue(()));
        server.write(&jobs, 2, &sampling, 1, &mut go_on).unwrap();
    }
    let seen = loopback.seen();
    assert_eq!(seen.len(), 4 * 2 * 2);
    for request in &seen {
        assert_eq!(request.method, "POST");
        let bearer = format!("Bearer {}", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.headers["authorization"], bearer);
        assert_eq!(request.headers["content-type"], "application/json");
        let body = &request.body;
        assert_eq!(body["model"], "tiny");
        assert_eq!(body["temperature"], 0.5);
        assert_eq!(body["top_p"], 0.9);
        assert_eq!(body["max_tokens"], 77);
        // The law is what was asked for, whatever the server does when not told.
        assert_eq!((&body["top_k"], &body["min_p"]), (&json!(-1), &json!(0.0)));
        assert_eq!(body["repetition_penalty"], 1.0);
        assert!(request.seed().unwrap() <= i32::MAX as u64);
        match request.path.as_str() {
            "/v1/chat/completions" => {
                assert_eq!(body["messages"], json!([{ "role": "user", "content": "hello" }]));
                assert_eq!((&body["prompt"], &body["stop"]), (&Value::Null, &Value::Null));
            }
            "/v1/completions" => {
                assert_eq!((&body["prompt"], &body["stop"]), (&json!("one\ntwo"), &json!(["\n"])));
                assert_eq!(body["messages"], Value::Null);
            }
            path => panic!("{path}"),
        }
    }
    // Four times the same call: four times the same four texts.
    let texts: BTreeSet<_> = seen.iter().map(|r| (&r.path, r.seed())).collect();
    assert_eq!(texts.len(), 4);

    let without = Loopback::start(good);
    all(&without.server(), &jobs(1), 1);
    assert!(without.seen().iter().all(|request| !request.headers.contains_key("authorization")));
}

#[test]
fn the_server_names_its_model() {
    let hold = |models: &[&str]| {
        let data: Vec<Value> = models.iter().map(|id| json!({ "id": id })).collect();
        let body = json!({ "data": data }).to_string();
        Loopback::start(move |request| match request.path.as_str() {
            "/v1/models" if request.before == 0 => Reply::Whole(503, "", "loading".into()),
            "/v1/models" => Reply::Whole(200, "", body.clone()),
            _ => good(request),
        })
    };
    let one = hold(&["some/model"]);
    let server = Server::new(ServerConfig { model: None, ..one.config() }).unwrap();
    assert_eq!(server.name(), "some/model");
    all(&server, &jobs(2), 1);
    let asked: Vec<_> = one.seen().into_iter().filter(|r| r.method == "GET").collect();
    assert_eq!(asked.len(), 2);
    assert!(one.seen().iter().all(|r| r.method == "GET" || r.body["model"] == "some/model"));
    for (models, part) in [(&["a", "b"][..], "several models (a, b)"), (&[], "names no model")] {
        let several = hold(models);
        let end = Server::new(ServerConfig { model: None, ..several.config() });
        let said = sentence(end.map(drop));
        assert!(said.contains(part) && said.contains("/v1/models"), "{said}");
    }
}

#[test]
fn texts_are_cut_and_withheld_as_they_should_be() {
    let said = [json!("  a text \n"), json!("a line\nanother"), json!(null)];
    let loopback = Loopback::start(move |request| {
        let chat = request.path.ends_with("/chat/completions");
        let kind: usize = request.prompt().parse().unwrap();
        Reply::Whole(
            200,
            "",
            match said.get(kind) {
                Some(text) => answer_with(text, chat),
                None => {
                    answer_with(&json!("half a"), chat).replace("\"stop\"", "\"content_filter\"")
                }
            },
        )
    });
    let kinds = ["0", "1", "2", "3"];
    let chats: Vec<_> = kinds.iter().map(|kind| chat(1, kind)).collect();
    let expected = ["a text", "a line\nanother", "", ""];
    assert!(all(&loopback.server(), &chats, 1).into_values().flatten().eq(expected));
    let lines: Vec<_> = kinds.iter().map(|kind| line(1, kind)).collect();
    let expected = ["a text", "a line", "", ""];
    assert!(all(&loopback.server(), &lines, 1).into_values().flatten().eq(expected));
}

#[test]
fn the_wait_that_a_server_asks_for_is_kept() {
    let loopback = Loopback::start(|request| match request.before {
        0 => Reply::Whole(429, "Retry-After: 1", String::new()),
        _ => good(request),
    });
    all(&loopback.server(), &jobs(3), 1);
    let seen = loopback.seen();
    assert_eq!(seen.len(), 6);
    for second in seen.iter().filter(|request| request.before == 1) {
        let same = |r: &&Request| r.before == 0 && r.body == second.body;
        let first = seen.iter().find(same).unwrap();
        assert!(second.at - first.at >= Duration::from_secs(1));
    }
    // A wait beyond the patience is the user's to decide.
    let busy = Loopback::start(|_| Reply::Whole(429, "Retry-After: 3600", "later".into()));
    let said = sentence(take(&busy.server(), &jobs(1), 1).1);
    assert!(said.contains("429") && said.contains("3600 s"), "{said}");
    assert_eq!(busy.seen().len(), 1);
}

#[test]
fn one_sentence_says_that_a_server_does_not_recover() {
    let key = Some("CARGO_PKG_VERSION".to_owned());
    let secret = env!("CARGO_PKG_VERSION");
    type Answer = fn() -> Reply;
    let cases: [(Answer, &str); 7] = [
        (|| Reply::Whole(503, "", "<p>\n".repeat(9_999)), "503 (Service Unavailable): \"<p> <p>"),
        (|| Reply::Whole(200, "Content-Type: text/html", "<html>\nHi".into()), "<html> Hi"),
        (|| Reply::Whole(200, "", format!("{{\"k\": \"{}\"}}", env!("CARGO_PKG_VERSION"))), "***"),
        (|| Reply::Half(answer_with(&json!("a text"), true)), "connection failed"),
        (|| Reply::Nothing, "connection failed"),
        (|| Reply::Noise, "connection failed"),
        (|| Reply::Late(2_000, Box::new(Reply::Nothing)), "no answer within 0.3 s"),
    ];
    for (answer, part) in cases {
        let loopback = Loopback::start(move |request| match request.prompt() {
            "chat 0" => good(request),
            _ => answer(),
        });
        let patience = if part.contains("within") { 0.3 } else { 60.0 };
        let key = key.clone();
        let config = ServerConfig { attempts: 3, requests: 1, patience, key, ..loopback.config() };
        let server = Server::new(config).unwrap();
        let (taken, end) = take(&server, &jobs(9), 2);
        let said = sentence(end);
        assert!(said.contains(&loopback.url()) && said.contains("job 101"), "{said}");
        assert!(said.contains("3 attempts") && said.contains(part), "{said}");
        assert!(!said.contains(secret), "{said}");
        // What came before stays, and what comes after is not asked for.
        assert_eq!(taken.len(), 1, "{part}");
        assert_eq!(loopback.seen().len(), 2 + 3, "{part}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let model = Some("tiny".into());
    let config = ServerConfig { url, model, attempts: 2, pause: 0.001, ..Default::default() };
    let said = sentence(take(&Server::new(config).unwrap(), &jobs(1), 1).1);
    assert!(said.contains("2 attempts: the connection failed"), "{said}");
}

#[test]
fn a_refusal_ends_the_work_at_once() {
    let key = Some("CARGO_PKG_VERSION".to_owned());
    let long = "a ".repeat(3_000);
    for (status, said, part) in [
        (
            400,
            json!({ "error": { "message": "the prompt\nis too long" } }),
            "the prompt is too long",
        ),
        (
            401,
            json!({ "error": { "message": format!("not {}", env!("CARGO_PKG_VERSION")) } }),
            "not ***",
        ),
        (404, json!({ "message": "no such model" }), "no such model"),
        (422, json!({ "error": "`top_p` is odd" }), "`top_p` is odd"),
        (413, json!(long), "a a a"),
        (302, json!(""), "302"),
    ] {
        let said = said.to_string();
        let loopback = Loopback::start(move |_| {
            Reply::Whole(status, "Location: http://127.0.0.1:1/", said.clone())
        });
        let config = ServerConfig { requests: 1, key: key.clone(), ..loopback.config() };
        let (taken, end) = take(&Server::new(config).unwrap(), &jobs(5), 2);
        let said = sentence(end);
        assert!(said.contains(&status.to_string()) && said.contains(part), "{said}");
        assert!(said.contains(&loopback.url()), "{said}");
        assert!(!said.contains(env!("CARGO_PKG_VERSION")), "{said}");
        assert!(taken.is_empty() && loopback.seen().len() == 1);
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let base = ServerConfig { model: Some("tiny".into()), ..Default::default() };
    type Change = fn(&mut ServerConfig);
    let with = |change: Change| {
        let mut config = base.clone();
        change(&mut config);
        sentence(Server::new(config).map(drop))
    };
    let cases: [(Change, &str); 9] = [
        (|c| c.url = "127.0.0.1:8000".into(), "url: it is no address"),
        (|c| c.url = "ftp://host/".into(), "url: it is no address"),
        (|c| c.url = String::new(), "url: it is no address"),
        (|c| c.url = "http://me:hidden@host/v1".into(), "url: it holds more"),
        (|c| c.key = Some("NASHGUARD_NO_SUCH_KEY".into()), "NASHGUARD_NO_SUCH_KEY: it holds no"),
        (|c| c.requests = 0, "requests"),
        (|c| c.attempts = 0, "attempts"),
        (|c| c.patience = f64::NAN, "patience"),
        (|c| c.pause = -1.0, "pause"),
    ];
    for (change, part) in cases {
        let said = with(change);
        assert!(said.contains(part) && !said.contains("hidden"), "{said}");
    }
    let https = Server::new(ServerConfig { url: "https://host".into(), ..base.clone() });
    match cfg!(feature = "hub") {
        true => drop(https.unwrap()),
        false => assert!(sentence(https.map(drop)).contains("--features hub")),
    }
    let loopback = Loopback::start(good);
    let sampling = Sampling { top_p: 0.0, ..Sampling::default() };
    let mut never = |_, _| panic!();
    let end = loopback.server().write(&jobs(1), 1, &sampling, 0, &mut never);
    assert!(sentence(end).contains("top_p"));
    // Nothing to write.
    assert!(all(&loopback.server(), &[], 3).is_empty());
    assert!(take(&loopback.server(), &jobs(3), 0).0.is_empty());
    assert!(loopback.seen().is_empty());
}

/// Job 0 is answered at once, 1 must wait for longer than a test lasts, the others take a while.
#[test]
fn a_break_ends_the_work_without_further_requests() {
    for fails in [false, true] {
        let loopback = Loopback::start(|request| match request.prompt() {
            "0" => good(request),
            "1" => Reply::Whole(503, "Retry-After: 300", String::new()),
            _ => Reply::Late(1_000, Box::new(good(request))),
        });
        let config = ServerConfig { requests: 3, patience: 400.0, ..loopback.config() };
        let server = Server::new(config).unwrap();
        let jobs: Vec<_> = (0..50).map(|i| chat(i, &i.to_string())).collect();
        let (start, mut taken) = (Instant::now(), 0);
        let end = server.write(&jobs, 1, &Sampling::default(), 7, &mut |i, _| {
            assert_eq!(i, 0);
            taken += 1;
            match fails {
                true => Err(Error::invalid("disk", "it is full", "free some")),
                false => Ok(ControlFlow::Break(())),
            }
        });
        assert_eq!((end.is_err(), taken), (fails, 1));
        assert!(start.elapsed() < Duration::from_secs(150));
        // 0, 1 and 2, and 3 in the place of 0.
        let seen = loopback.seen().len();
        assert!(seen <= 4, "{seen}");
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(loopback.seen().len(), seen);
    }
}

/// A text that ends with the longest length is not whole, unless its line had ended before.
#[test]
fn texts_that_were_cut_off_are_told_apart() {
    let loopback = Loopback::start(|request| {
        let chat = request.path.ends_with("/chat/completions");
        let text = if request.prompt() == "two lines" { "one\ntwo" } else { "one" };
        let answer = answer_with(&json!(text), chat).replace("\"stop\"", "\"length\"");
        Reply::Whole(200, "Content-Type: application/json", answer)
    });
    let jobs = [chat(1, "a chat"), line(2, "a line"), line(3, "two lines")];
    let mut whole = BTreeMap::new();
    let mut take = |i: usize, drafts: Vec<Draft>| {
        assert_eq!(drafts[0].text, "one");
        whole.insert(i, drafts[0].whole);
        Ok(ControlFlow::Continue(()))
    };
    loopback.server().write(&jobs, 1, &Sampling::default(), 7, &mut take).unwrap();
    assert_eq!(whole.into_values().collect::<Vec<_>>(), [false, false, true]);
}

/// What was taken before an error is not asked for again, and what comes is what would have come.
#[test]
fn a_second_call_asks_for_what_is_missing() {
    let whole = all(&Loopback::start(good).server(), &jobs(20), 2);
    let broken = Loopback::start(|request| match request.prompt() {
        "line 2" => Reply::Whole(400, "", "no".into()),
        _ => Reply::Late(request.lot() as u64 % 20, Box::new(good(request))),
    });
    let (first, end) = take(&broken.server(), &jobs(20), 2);
    sentence(end);
    assert!(!first.is_empty() && first.len() < 20);
    let missing: Vec<usize> = (0..20).filter(|i| !first.contains_key(i)).collect();
    let rest: Vec<Job> = missing.iter().map(|&i| jobs(20)[i].clone()).collect();
    let healed = Loopback::start(good);
    let second = all(&healed.server(), &rest, 2);
    assert_eq!(healed.seen().len(), 2 * missing.len());
    let second = second.into_iter().map(|(i, texts)| (missing[i], texts));
    assert_eq!(first.into_iter().chain(second).collect::<Taken>(), whole);
}

/// What can come between a request and its text.
fn fault(kind: u8, request: &Request) -> Reply {
    let chat = request.path.ends_with("/chat/completions");
    let body = answer_with(&json!("a text of nobody"), chat);
    let whole = |body: &str| Reply::Whole(200, "Content-Type: application/json", body.to_owned());
    match kind {
        0 => Reply::Whole(429, "Retry-After: 0", String::new()),
        1 => Reply::Whole(500, "", json!({ "error": { "message": "out of memory" } }).to_string()),
        2 => Reply::Whole(503, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", "<html>".into()),
        3 => Reply::Whole(408, "", body),
        4 => Reply::Half(body),
        5 => Reply::Nothing,
        6 => Reply::Noise,
        7 => Reply::Whole(200, "Content-Type: text/html", "<html>please wait</html>".into()),
        8 => whole(&body[..body.len() - 9]),
        9 => whole(&body.replace("choices", "chances")),
        10 => whole("{\"choices\": []}"),
        11 => whole(&answer_with(&json!(5), chat)),
        12 => Reply::Whole(529, "", body),
        // What was written before the server gave up.
        13 => whole(&body.replace("\"stop\"", "\"abort\"")),
        _ => Reply::Late(700, Box::new(whole(&body))),
    }
}

proptest! {
    #![proptest_config(config(32))]

    /// Whatever goes wrong and in whatever order answers come, each job is taken once, with the texts that
    /// come from a server without faults.
    #[test]
    fn no_text_is_lost_or_doubled(
        count in 1..10_u32,
        candidates in 1..4_usize,
        requests in 1..8_usize,
        faults in proptest::collection::vec(proptest::collection::vec(0..15_u8, 0..4), 1..12),
        delays in proptest::collection::vec(0..30_u64, 1..8),
    ) {
        let jobs = jobs(count);
        let calm = Loopback::start(good);
        let whole = all(&calm.server(), &jobs, candidates);
        for (job, texts) in jobs.iter().zip(whole.values()) {
            let prompt = match &job.prompt {
                Prompt::Chat(messages) => &messages[0].content,
                Prompt::Line(text) => text,
            };
            let end = format!("after {prompt}");
            prop_assert!(texts.iter().all(|text| text.ends_with(&end)));
            prop_assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), candidates);
        }
        let loopback = Loopback::start(move |request| {
            let lot = request.lot();
            let reply = match faults[lot % faults.len()].get(request.before) {
                Some(&kind) => fault(kind, request),
                None => good(request),
            };
            Reply::Late(delays[lot % delays.len()], Box::new(reply))
        });
        let config = ServerConfig { requests, patience: 0.5, attempts: 16, ..loopback.config() };
        prop_assert_eq!(all(&Server::new(config).unwrap(), &jobs, candidates), whole);
        // The same texts were asked for, some more often, none besides.
        let texts = |of: &Loopback| -> BTreeSet<_> {
            of.seen().iter().map(|r| (r.prompt().to_owned(), r.seed())).collect()
        };
        prop_assert_eq!(texts(&loopback), texts(&calm));
        prop_assert_eq!(calm.seen().len(), jobs.len() * candidates);
    }
}
