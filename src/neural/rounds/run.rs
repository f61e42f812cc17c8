//! The rounds, through [`play`].

use super::config::{GeneratorConfig, RoundsConfig};
use super::records::GAME;
use super::stages::{Game, hash};
use super::summary::{Summary, summarise};
use crate::data::{BenchmarkRows, Origin, Row, Seeds};
use crate::dynamics::{Order, play};
use crate::neural::decoder::{Config, Tokenizer, present};
use crate::neural::generator::{Chat, Style, Writer};
use crate::report::write_atomically;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fs::{File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a game is played with.
#[derive(Clone, Debug)]
pub struct Material {
    /// S(0), and the rows that are kept apart to choose by.
    pub seeds: Seeds,
    /// The rows that are rewritten.
    pub prompts: Vec<(Row, Origin)>,
    /// All rows that a generator may be taught with.
    pub all: Vec<(Row, Origin)>,
    /// Benchmarks, for scores and so that no generated text is one of theirs; may be none.
    pub benchmarks: Vec<BenchmarkRows>,
}

impl Material {
    pub(super) fn benchmark_texts(&self) -> impl Iterator<Item = &str> {
        self.benchmarks.iter().flat_map(|b| &b.texts).map(String::as_str)
    }
}

/// A player's strategy: a checkpoint on disk, which nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strategy {
    /// The round that made it.
    pub round: usize,
    pub path: PathBuf,
}

/// A part of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The base learns the task.
    Teaching,
    /// The generator draws texts.
    Sampling,
    /// The untrained base rates them.
    Rating,
    /// The classifier judges them.
    Scoring,
    /// The classifier is trained.
    Classifier,
    /// The generator learns from preferences.
    Generator,
    /// Payoff, gap, benchmark scores.
    Evaluation,
}

/// Where a game stands.
#[derive(Clone, Debug)]
pub enum Event {
    /// So much of so much of a stage is done.
    Progress(Stage, usize, usize),
    /// A round is over.
    Round(Box<Summary>),
}

/// Plays the game and returns what each round came to, the start as round 0; `None` when `watch` stopped it.
///
/// Both players answer each other's strategies of the round before (Algorithm 1: the classifier learns from texts
/// that fooled it, the generator from which of its texts did), that is
/// [`Order::Simultaneous`]. `out` keeps every stage's output; the same call goes on where the last one was stopped
/// and ends with the same files.
///
/// # Errors
/// [`Error::Invalid`] for settings out of range, an `out` of another game, damaged files, and whatever a stage
/// cannot do; [`Error::Io`] for files that cannot be read or written.
pub fn run(
    config: &RoundsConfig,
    material: &Material,
    models: &Path,
    server: Option<&dyn Writer>,
    out: &Path,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Option<Vec<Summary>>> {
    check(config, material, server.is_some())?;
    let about = about(config, material, models, server)?;
    let _lock = alone(out)?;
    same_game(&about, out)?;
    let game = Game { config, material, models, server, out };
    let stopped = Cell::new(false);
    let watch = RefCell::new(watch);
    let tell = |stage, done, all| {
        let flow = watch.borrow_mut()(Event::Progress(stage, done, all));
        stopped.set(stopped.get() || flow.is_break());
        flow
    };
    let halted = || {
        stopped.set(true);
        Error::invalid("game", "it was stopped", "run again to go on")
    };
    let rounds = || -> Result<Vec<Summary>> {
        let first = going(&halted, game.first_generator(&mut { tell })?)?;
        let start = going(&halted, game.classifier(0, None, &mut { tell })?)?;
        let origin = first.clone();
        let rounds = play(
            first,
            start,
            Order::Simultaneous,
            |x: &Strategy, y: &Strategy| {
                let verdicts = going(&halted, game.verdicts(x, y, &mut { tell })?)?;
                going(&halted, game.next_generator(x, &origin, &verdicts, &mut { tell })?)
            },
            |y: &Strategy, x: &Strategy| {
                let verdicts = going(&halted, game.verdicts(x, y, &mut { tell })?)?;
                going(&halted, game.next_classifier(y, &verdicts, &mut { tell })?)
            },
        );
        let mut before = None;
        let mut summaries = Vec::new();
        for round in rounds.take(config.rounds + 1) {
            let round = round?;
            let summary = summarise(&game, &origin, before.as_ref(), &round, &mut { tell })?;
            let summary = going(&halted, summary)?;
            if watch.borrow_mut()(Event::Round(Box::new(summary.clone()))).is_break() {
                return Err(halted());
            }
            summaries.push(summary);
            before = Some(round);
        }
        Ok(summaries)
    };
    match rounds() {
        Err(_) if stopped.get() => Ok(None),
        done => done.map(Some),
    }
}

/// Refuses what cannot be played, whatever models there are.
pub(super) fn check(config: &RoundsConfig, material: &Material, server: bool) -> Result<()> {
    config.check()?;
    if material.prompts.is_empty() {
        let remedy = "choose other rows, languages or licences";
        return Err(Error::invalid("prompts", "no row is left to be rewritten", remedy));
    }
    let lacks = |problem, remedy| Err(Error::invalid("selection", problem, remedy));
    if material.seeds.train.is_empty() {
        return lacks(
            "no row is left to classify by",
            "choose other sources, languages or licences",
        );
    }
    if config.classifier.base.is_some() && material.seeds.validation.is_empty() {
        return lacks("no row is left to choose a threshold by", "raise selection.validation");
    }
    if server && config.generator.dpo.is_some() {
        let problem = "a server gives no log-probabilities and takes no gradient";
        let remedy = "leave generator.dpo out, or play with a model here";
        return Err(Error::invalid("generator.dpo", problem, remedy));
    }
    if server && config.generator.teaching.is_some() {
        let remedy = "leave generator.teaching out, or play with a model here";
        return Err(Error::invalid("generator.teaching", "a server cannot be taught", remedy));
    }
    Ok(())
}

/// What a stage returned, or that it was stopped.
fn going<T>(halted: &dyn Fn() -> Error, flow: ControlFlow<(), T>) -> Result<T> {
    match flow {
        ControlFlow::Continue(value) => Ok(value),
        ControlFlow::Break(()) => Err(halted()),
    }
}

/// What a game is: its settings, models and texts. Refuses settings that these models cannot follow.
fn about(
    config: &RoundsConfig,
    material: &Material,
    models: &Path,
    server: Option<&dyn Writer>,
) -> Result<Value> {
    let mut hasher = DefaultHasher::new();
    let rows = material.seeds.train.iter().chain(&material.seeds.validation);
    let seeds = material.prompts.iter().chain(&material.all).map(|(row, _)| row);
    for row in rows.chain(seeds) {
        let Row { text, language, label, categories, .. } = row;
        (text, language, label, categories).hash(&mut hasher);
    }
    for rows in &material.benchmarks {
        (rows.benchmark, rows.language, &rows.texts, &rows.labels).hash(&mut hasher);
    }
    let model = |name: &Path| {
        let path = models.join(name);
        present(&path)?;
        let known = Config::load(&path)?;
        known.check_files(&path)?;
        Ok::<_, Error>((known, path))
    };
    let GeneratorConfig { base, .. } = &config.generator;
    let writer = match server {
        Some(server) => server.name(),
        None if base.as_os_str().is_empty() => {
            let remedy = "name one, or a server by --generator-url";
            return Err(Error::invalid("generator.base", "no model is named", remedy));
        }
        None => {
            let (known, path) = model(base)?;
            config.generator.check(&known)?;
            let tokenizer = Tokenizer::load(&path)?;
            if config.generator.style == Style::Chat && Chat::of(&tokenizer)?.is_none() {
                let place = path.display().to_string();
                let remedy = "choose the style \"examples\", or teach it: style \"taught\"";
                return Err(Error::invalid(place, "the model has no chat template", remedy));
            }
            if config.sampling.max_tokens >= known.context {
                let problem = format!("the model reads {} tokens in all", known.context);
                return Err(Error::invalid("sampling.max_tokens", problem, "choose fewer"));
            }
            hash(&path)?
        }
    };
    let classifier = match &config.classifier.base {
        Some(base) => {
            let (known, path) = model(base)?;
            config.classifier.check(Some(&known))?;
            Some(hash(&path)?)
        }
        None => {
            config.classifier.check(None)?;
            None
        }
    };
    Ok(json!({
        "writer": writer,
        "classifier": classifier,
        "config": config.lasting(),
        "rows": format!("{:016x}", hasher.finish()),
    }))
}

/// Keeps other processes from playing in this folder until it is dropped.
fn alone(out: &Path) -> Result<File> {
    let path = out.join("lock");
    let io = |e| Error::io("write", &path, e);
    std::fs::create_dir_all(out).map_err(io)?;
    let lock = File::create(&path).map_err(io)?;
    // A file system without locks is no obstacle.
    if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        let place = out.display().to_string();
        return Err(Error::invalid(place, "another process plays there", "let it finish"));
    }
    Ok(lock)
}

/// Refuses a folder that holds another game.
fn same_game(about: &Value, out: &Path) -> Result<()> {
    let path = out.join(GAME);
    match std::fs::read(&path) {
        Ok(text) => match serde_json::from_slice::<Value>(&text) {
            Ok(found) if found == *about => Ok(()),
            _ => {
                let problem = "it describes a game of other settings, rows or models";
                let place = path.display().to_string();
                Err(Error::invalid(place, problem, "name another folder by --out"))
            }
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            write_atomically(&path, format!("{about:#}\n").as_bytes())
        }
        Err(e) => Err(Error::io("read", path, e)),
    }
}
