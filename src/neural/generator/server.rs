//! A generator behind an OpenAI-compatible server.
//!
//! Each text is a request of its own: some servers ignore `n`, and what one request asks for and one answer
//! brings can be neither lost nor doubled. Texts are numbered, each number is given to one thread once, and
//! only an answer that holds a text ends it.

use super::{Draft, Job, Prompt, Sampling, Take, Writer};
use crate::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fmt, io::Read, thread};
use ureq::http::{HeaderMap, StatusCode, Uri};
use ureq::{Agent, Body};

/// Bytes read of an answer that refuses.
const REFUSAL: u64 = 4096;
/// Characters of it that are shown.
const SHOWN: usize = 200;

/// Where a server is and how it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// Its address, with or without `/v1` at the end: `http://127.0.0.1:8000`.
    pub url: String,
    /// Name of the model; the server is asked where there is none here.
    pub model: Option<String>,
    /// Environment variable that holds the access key, for a server that wants one.
    pub key: Option<String>,
    /// Requests at a time.
    pub requests: usize,
    /// Seconds that an answer may take, and that the server may ask to wait.
    pub patience: f64,
    /// Requests for the same text before giving up.
    pub attempts: u32,
    /// Seconds between the first and the second of them. Each further pause is twice as long, up to
    /// `patience`, and shortened by up to a half at random, so that requests that failed together do not
    /// come back together.
    pub pause: f64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8000".into(),
            model: None,
            key: None,
            requests: 32,
            patience: 300.0,
            attempts: 8,
            pause: 1.0,
        }
    }
}

/// A model behind an OpenAI-compatible server: vLLM, llama.cpp, text-generation-inference.
///
/// It draws texts and offers no log-probabilities: it is no [`Law`](crate::guard::Law), and what needs one
/// (preference updates, the exact gap) needs a model in this process.
///
/// The seed of each text is settled by the call's seed, its job's number and its own index, so the same call
/// asks for the same things; whether the texts are the same too is the server's affair.
/// [`Sampling::batch`] is not read: what runs together, the server decides.
///
/// Requests name `top_k`, `min_p` and `repetition_penalty`, so that servers do not add them to the law; a
/// service that takes only OpenAI's own fields refuses them. text-generation-inference ignores them, and
/// refuses a `top_p` of 1: choose 0.9999 there.
pub struct Server {
    agent: Agent,
    config: ServerConfig,
    /// Address up to `/v1`, excluded.
    base: String,
    key: Option<String>,
    model: String,
    patience: Duration,
    pause: Duration,
}

/// Without the key, which is a secret.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Server");
        f.field("config", &self.config).field("model", &self.model).finish_non_exhaustive()
    }
}

impl Server {
    /// A writer over this server, which is asked for its model where the settings name none.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings out of range, an address that is none or needs an encryption that
    /// this build is without, a key that is not set, a server that does not answer or holds several models.
    pub fn new(config: ServerConfig) -> Result<Self> {
        // Each is a thread.
        if !(1..=1024).contains(&config.requests) {
            return Err(Error::invalid("requests", "it is out of range", "choose 1 to 1024"));
        }
        if config.attempts == 0 {
            return Err(Error::invalid("attempts", "it is out of range", "choose at least 1"));
        }
        let patience = seconds("patience", config.patience)?;
        let pause = seconds("pause", config.pause)?;
        let (base, local) = base(&config.url)?;
        let key = config.key.as_deref().map(key).transpose()?;
        let mut settings = Agent::config_builder()
            .http_status_as_error(false)
            // The key goes to the address that was named, and nowhere else.
            .max_redirects(0)
            .user_agent(concat!("nashguard/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(patience))
            .max_idle_connections(config.requests)
            .max_idle_connections_per_host(config.requests);
        if local {
            // No proxy leads back to this machine.
            settings = settings.proxy(None);
        }
        let agent = settings.build().into();
        let model = config.model.clone().unwrap_or_default();
        let mut server = Self { agent, config, base, key, model, patience, pause };
        if server.config.model.is_none() {
            server.model = server.only_model()?;
        }
        Ok(server)
    }

    fn only_model(&self) -> Result<String> {
        let names = |answer: &Value| -> Option<Vec<String>> {
            let name = |model: &Value| model.get("id")?.as_str().map(str::to_owned);
            answer.get("data")?.as_array()?.iter().map(name).collect()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let found = self.ask("models", None, &mut rng, &Stop::default(), names)?;
        match found.unwrap_or_default().as_slice() {
            [one] => Ok(one.clone()),
            names => {
                let problem = match names {
                    [] => "it names no model".to_owned(),
                    names => format!("it holds several models ({})", self.shown(&names.join(", "))),
                };
                Err(Error::invalid(
                    self.address("models"),
                    problem,
                    "name the one to ask (--generator-model)",
                ))
            }
        }
    }

    fn address(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.base)
    }

    /// One text, or `None` when the work was stopped.
    fn text(
        &self,
        job: &Job,
        candidate: usize,
        sampling: &Sampling,
        seed: u64,
        stop: &Stop,
    ) -> Result<Option<Draft>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((u64::from(job.number) << 32) | candidate as u64);
        let mut body = json!({
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            // As many bits as every server takes; in some, all 32 set mean none.
            "seed": rng.random::<u32>() >> 1,
            // Unsaid, these are the server's own (llama.cpp) or the model's (vLLM): another law.
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        });
        let (path, read): (_, fn(&Value) -> Option<Draft>) = match &job.prompt {
            Prompt::Chat(messages) => {
                body["messages"] = json!(messages);
                ("chat/completions", |answer| {
                    said(answer, |choice| choice.get("message")?.get("content"))
                })
            }
            Prompt::Line(text) => {
                body["prompt"] = json!(text);
                body["stop"] = json!(["\n"]);
                // A server may end the text with what stopped it, or not know how to stop.
                ("completions", |answer| {
                    let said = said(answer, |choice| choice.get("text"))?;
                    Some(match said.text.split_once('\n') {
                        Some((line, _)) => Draft { text: line.to_owned(), whole: true },
                        None => said,
                    })
                })
            }
        };
        let text = self.ask(path, Some(&body.to_string()), &mut rng, stop, read);
        let text = text.map_err(|e| e.within(&format!("job {}", job.number)))?;
        Ok(text.map(|Draft { text, whole }| Draft { text: text.trim().to_owned(), whole }))
    }

    /// Asks until `read` finds in an answer what was asked for; `None` when the work was stopped before.
    fn ask<T>(
        &self,
        path: &str,
        body: Option<&str>,
        rng: &mut ChaCha8Rng,
        stop: &Stop,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let address = self.address(path);
        let mut pause = self.pause.min(self.patience);
        let mut attempt = 1;
        loop {
            if stop.wait(Duration::ZERO) {
                return Ok(None);
            }
            let (problem, least) = match self.once(&address, body) {
                Ok(answer) => match serde_json::from_slice(&answer).ok().as_ref().and_then(&read) {
                    Some(found) => return Ok(Some(found)),
                    None => {
                        let start = self.shown(&String::from_utf8_lossy(&answer));
                        (format!("its answer is not what the interface says (\"{start}\")"), None)
                    }
                },
                Err(Trouble::Passing(problem, least)) => (problem, least),
                Err(Trouble::Lasting(problem, remedy)) => {
                    return Err(Error::invalid(address, problem, remedy));
                }
            };
            if attempt == self.config.attempts {
                let problem = format!("no text after {attempt} attempts: {problem}");
                let remedy = "see that the server runs, and run again";
                return Err(Error::invalid(address, problem, remedy));
            }
            let least = least.unwrap_or_default();
            if least > self.patience {
                let problem = format!("{problem} and asks to wait for {} s", least.as_secs());
                return Err(Error::invalid(
                    address,
                    problem,
                    "run again then, or raise the patience",
                ));
            }
            if stop.wait(least.max(pause.mul_f64(1.0 - 0.5 * rng.random::<f64>()))) {
                return Ok(None);
            }
            pause = pause.saturating_mul(2).min(self.patience);
            attempt += 1;
        }
    }

    /// One request: the body of an answer that brings one.
    fn once(&self, address: &str, body: Option<&str>) -> Result<Vec<u8>, Trouble> {
        let key = self.key.as_ref().map(|key| format!("Bearer {key}"));
        let result = match body {
            None => {
                let request = self.agent.get(address);
                match key {
                    Some(key) => request.header("authorization", key).call(),
                    None => request.call(),
                }
            }
            Some(body) => {
                let request = self.agent.post(address).content_type("application/json");
                match key {
                    Some(key) => request.header("authorization", key).send(body),
                    None => request.send(body),
                }
            }
        };
        let cut = |e| match e {
            ureq::Error::Timeout(_) => {
                let problem = format!("no answer within {} s", self.config.patience);
                Trouble::Passing(problem, None)
            }
            e => Trouble::Passing(format!("the connection failed ({e})"), None),
        };
        let response = result.map_err(cut)?;
        let status = response.status();
        if status.is_success() {
            return response.into_body().read_to_vec().map_err(cut);
        }
        let least = retry_after(response.headers());
        let said = self.refusal(response.into_body());
        let reason = status.canonical_reason().unwrap_or("no reason");
        let problem = format!("the server answers {} ({reason}){said}", status.as_u16());
        let remedy = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                return Err(Trouble::Passing(problem, least));
            }
            status if status.is_server_error() => return Err(Trouble::Passing(problem, least)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "name an environment variable that holds a key of this server"
            }
            StatusCode::NOT_FOUND => "check the address and the model's name",
            status if status.is_redirection() => "give the address that it leads to",
            _ => "change the prompt or the settings as it says",
        };
        Err(Trouble::Lasting(problem, remedy))
    }

    /// What a refusal says, to go on with.
    fn refusal(&self, body: Body) -> String {
        let mut bytes = Vec::new();
        // What arrives before it is cut is what there is to show.
        let _ = body.into_reader().take(REFUSAL).read_to_end(&mut bytes);
        let answer: Option<Value> = serde_json::from_slice(&bytes).ok();
        let message = answer.as_ref().and_then(|answer| {
            let error = answer.get("error");
            let places = [error.and_then(|e| e.get("message")), answer.get("message"), error];
            places.into_iter().flatten().find_map(Value::as_str)
        });
        let said =
            message.map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), str::to_owned);
        match self.shown(&said) {
            said if said.is_empty() => said,
            said => format!(": \"{said}\""),
        }
    }

    /// The start of a text from the server, in one line and without the key.
    fn shown(&self, text: &str) -> String {
        let text = match &self.key {
            Some(key) => text.replace(key, "***"),
            None => text.to_owned(),
        };
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|w| !w.is_empty())
            .collect();
        words.join(" ").chars().take(SHOWN).collect()
    }

    /// Writes one text after the other until all are taken up.
    fn work(&self, work: &Work<'_>, tell: &SyncSender<(usize, Result<Draft>)>) {
        loop {
            let at = work.next.fetch_add(1, Ordering::Relaxed);
            if at >= work.jobs.len() * work.candidates {
                return;
            }
            let (job, candidate) = (&work.jobs[at / work.candidates], at % work.candidates);
            let text = self.text(job, candidate, work.sampling, work.seed, &work.stop);
            let Some(text) = text.transpose() else { return };
            if text.is_err() {
                work.stop.set();
            }
            if tell.send((at, text)).is_err() {
                return;
            }
        }
    }
}

impl Writer for Server {
    fn name(&self) -> String {
        self.model.clone()
    }

    /// As the trait says. When a text cannot be had, the jobs whose texts all arrive with the requests under
    /// way are still taken, and then the error comes; a later call with the other jobs asks for those alone.
    /// A text that the server's filter withheld is empty. A request under way is not cut short: the end waits
    /// for it, up to the patience.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings out of range, and naming the address for what the server refuses or
    /// does not bring in so many attempts; those of `take`.
    fn write(
        &self,
        jobs: &[Job],
        candidates: usize,
        sampling: &Sampling,
        seed: u64,
        take: &mut Take<'_>,
    ) -> Result<()> {
        sampling.check()?;
        let (next, stop) = (AtomicUsize::new(0), Stop::default());
        let work = Work { jobs, candidates, sampling, seed, next, stop };
        let threads = self.config.requests.min(jobs.len() * candidates);
        thread::scope(|scope| {
            let (tell, told) = sync_channel(self.config.requests);
            for _ in 0..threads {
                let (work, tell) = (&work, tell.clone());
                scope.spawn(move || self.work(work, &tell));
            }
            drop(tell);
            let outcome = collect(told, &work, take);
            // Also after an error of `take`; nobody waits for a text any more.
            work.stop.set();
            outcome
        })
    }
}

/// What the threads share.
struct Work<'a> {
    jobs: &'a [Job],
    candidates: usize,
    sampling: &'a Sampling,
    seed: u64,
    /// Texts taken up, counted job by job.
    next: AtomicUsize,
    stop: Stop,
}

/// Hands each job on when its last text arrives.
fn collect(
    told: Receiver<(usize, Result<Draft>)>,
    work: &Work<'_>,
    take: &mut Take<'_>,
) -> Result<()> {
    let mut done: Vec<Vec<Option<Draft>>> = vec![vec![None; work.candidates]; work.jobs.len()];
    let mut outcome = Ok(());
    for (at, text) in told {
        let job = at / work.candidates;
        match text {
            Ok(text) => done[job][at % work.candidates] = Some(text),
            Err(e) => {
                outcome = outcome.and(Err(e));
                continue;
            }
        }
        if done[job].iter().all(Option::is_some) {
            let texts = std::mem::take(&mut done[job]).into_iter().flatten().collect();
            if let ControlFlow::Break(()) = take(job, texts)? {
                break;
            }
        }
    }
    outcome
}

/// Why a request brought nothing.
enum Trouble {
    /// It may next time, after the least wait that the server asks for.
    Passing(String, Option<Duration>),
    /// It will not, and what to do about it.
    Lasting(String, &'static str),
}

/// Tells all threads to end, the waiting ones at once.
#[derive(Default)]
struct Stop {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn set(&self) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits so long, or until told to end; whether it is time to end.
    fn wait(&self, time: Duration) -> bool {
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(set, time, |set| !*set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn seconds(field: &str, value: f64) -> Result<Duration> {
    match Duration::try_from_secs_f64(value) {
        Ok(time) if (0.0..=1e6).contains(&value) && !time.is_zero() => Ok(time),
        _ => Err(Error::invalid(field, format!("{value} s is no time"), "choose up to 1000000 s")),
    }
}

/// The address up to `/v1`, and whether it is on this machine.
fn base(url: &str) -> Result<(String, bool)> {
    let example = "give one such as http://127.0.0.1:8000";
    let uri: Option<Uri> = url.parse().ok();
    let scheme = uri.as_ref().and_then(Uri::scheme_str);
    let authority = uri.as_ref().and_then(Uri::authority);
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (scheme, authority) else {
        return Err(Error::invalid("url", "it is no address of a server", example));
    };
    // A password there would be shown with the address.
    if authority.as_str().contains('@') || url.contains(['?', '#']) {
        let problem = "it holds more than a host and a path";
        return Err(Error::invalid("url", problem, "give the key by an environment variable"));
    }
    if scheme == "https" && !cfg!(feature = "hub") {
        let remedy = "build with --features hub, or give an address that starts with http://";
        return Err(Error::invalid(url, "this build knows no encryption (https)", remedy));
    }
    let host = authority.host();
    let local = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    let base = url.trim_end_matches('/');
    let base = base.strip_suffix("/v1").unwrap_or(base).trim_end_matches('/');
    Ok((base.to_owned(), local))
}

/// The key that an environment variable holds.
fn key(variable: &str) -> Result<String> {
    let key = env::var(variable).unwrap_or_default().trim().to_owned();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let problem = "it holds no access key";
        return Err(Error::invalid(variable, problem, "set it, or name no variable of a key"));
    }
    Ok(key)
}

/// The text of an answer's first choice, found there by `place`; empty when it was withheld, none when it was given up.
fn said(answer: &Value, place: impl Fn(&Value) -> Option<&Value>) -> Option<Draft> {
    let choice = answer.get("choices")?.get(0)?;
    let reason = choice.get("finish_reason").and_then(Value::as_str);
    // vLLM's words for an answer that it gave up.
    if matches!(reason, Some("abort" | "error")) {
        return None;
    }
    let text = match place(choice)? {
        _ if reason == Some("content_filter") => String::new(),
        Value::String(text) => text.clone(),
        // Nothing but thoughts or a refusal in a field of its own.
        Value::Null => String::new(),
        _ => return None,
    };
    Some(Draft { text, whole: reason != Some("length") })
}

/// The wait that the server asks for, where it says so in seconds and not by a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?;
    Duration::try_from_secs_f64(value.trim().parse().ok()?).ok()
}
