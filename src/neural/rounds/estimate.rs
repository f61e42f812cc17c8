//! What a game would need and take, before it is played: data, models, memory, disk, hours.
//!
//! Nothing is written. Models are looked at by their tables of contents, and loaded, once each, only to measure for
//! a few seconds how fast they are. Where a model is not there, its sizes come from its config.json alone, or from
//! `experiments/architectures.toml`.
//!
//! With s bytes a number, P weights of which T are trained, V tokens known, training holds at its peak
//!
//! s P + s T · accumulate (the gradients of a step's batches) + 8 T (AdamW's moments, f32) + 4 T (weights in f32,
//! where s < 4) + workers · (activations + scores),
//!
//! activations = s · layers trained · n (8 hidden + 5 q + 6 kv + 4 intermediate + 2 heads · longest) of a batch of n
//! slots whose sequences have `longest` tokens, q and kv being heads times their width: what one layer keeps for its
//! gradient; scores = 12 V bytes (logits, shares, gradient, f32) a token of a text, for a generator only. Drawing
//! holds the weights, `sampling.batch` sequences' keys and values
//! ([`cache_bytes`](crate::neural::decoder::Config::cache_bytes)) at the longest length, and 8 V bytes each.

mod machine;
mod speeds;

pub use machine::{Machine, Need, gib};

use super::config::RoundsConfig;
use super::records::Verdict;
use super::run::{Material, Stage, check};
use super::stages::{Game, Task};
use crate::data::{Row, Seeds};
use crate::neural::decoder::{Config, Decoder, Numbers, Tokenizer};
use crate::neural::finetune::{Trial, by_length};
use crate::neural::generator::{Prompt, Writer, rating};
use crate::neural::preference::TuneConfig;
use crate::neural::{Guardrail, device};
use crate::{Error, Result};
use machine::{Batch, free_disk, free_memory, kept};
use speeds::{Speeds, a_step, speed, with_steps};
use std::path::{Path, PathBuf};

/// Texts whose tokens are counted.
const SAMPLE: usize = 2000;
/// Slots by which a cache grows.
const ROOM: usize = 64;
const ARCHITECTURES: &str = include_str!("../../../experiments/architectures.toml");

/// What a game would need and take.
#[derive(Debug)]
pub struct Estimate {
    /// How much is done.
    pub plan: Plan,
    /// What there is of each model.
    pub models: Vec<Model>,
    /// Peaks of memory, stage by stage; of models whose sizes are not known, none.
    pub memory: Vec<Need>,
    /// What the whole game leaves on disk.
    pub disk: Vec<Need>,
    /// What there is of both.
    pub machine: Machine,
    /// What takes how long.
    pub costs: Vec<Cost>,
    /// What stands in the way, the first thing first.
    pub problems: Vec<Error>,
}

/// A game in counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Rounds played.
    pub rounds: usize,
    /// Rows of S(0), and rows to choose by.
    pub rows: [usize; 2],
    /// Rows that there are to be rewritten.
    pub prompts: usize,
    /// Seeds of a round times languages.
    pub tasks: usize,
    /// Texts drawn a round: tasks times candidates.
    pub texts: usize,
    /// Texts of benchmarks.
    pub benchmarks: usize,
}

/// A model on disk.
#[derive(Clone, Debug)]
pub struct Model {
    /// What it does.
    pub role: &'static str,
    /// Where it is looked for.
    pub path: PathBuf,
    /// Number of its weights, where its sizes are known.
    pub parameters: Option<usize>,
    /// Whether all of its files are there.
    pub whole: bool,
}

/// A piece of work.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Which stage's.
    pub stage: Stage,
    /// What is done.
    pub what: &'static str,
    /// How much of it a time, in units of `unit`.
    pub amount: f64,
    /// `tokens`, `rows` or `texts`.
    pub unit: &'static str,
    /// How often in the game.
    pub times: usize,
    /// Units a second, measured here; `None` where the model was not there or does not fit.
    pub rate: Option<f64>,
    /// What is assumed.
    pub assumption: String,
}

impl Cost {
    /// Hours a time.
    pub fn hours(&self) -> Option<f64> {
        self.rate.map(|rate| self.amount / rate / 3600.0)
    }
}

/// Estimates a game. `server` is what writes in place of a model here, or why it does not; `out` is where the game
/// would be kept.
///
/// # Errors
/// [`Error::Invalid`] for settings that no model and no machine could play; what is missing is told in
/// [`Estimate::problems`].
pub fn estimate(
    config: &RoundsConfig,
    material: &Material,
    models: &Path,
    server: Option<Result<&dyn Writer>>,
    out: &Path,
) -> Result<Estimate> {
    check(config, material, server.is_some())?;
    let game = Game { config, material, models, server: None, out };
    let tasks = game.tasks(1);
    let machine = Machine { memory: free_memory()?, disk: free_disk(out) };
    let mut this = Estimate {
        plan: Plan {
            rounds: config.rounds,
            rows: [material.seeds.train.len(), material.seeds.validation.len()],
            prompts: material.prompts.len(),
            tasks: tasks.len(),
            texts: tasks.len() * config.candidates,
            benchmarks: material.benchmarks.iter().map(|b| b.texts.len()).sum(),
        },
        models: Vec::new(),
        memory: Vec::new(),
        disk: Vec::new(),
        machine,
        costs: Vec::new(),
        problems: Vec::new(),
    };
    this.generator(&game, &tasks, server)?;
    this.classifier(&game)?;
    this.texts_on_disk(&tasks);
    this.compare();
    Ok(this)
}

/// What is known of a model on disk.
#[derive(Default)]
struct Found {
    config: Option<Config>,
    tokenizer: Option<Tokenizer>,
    whole: bool,
}

/// Tokens of some texts.
#[derive(Clone, Copy)]
struct Lengths {
    mean: f64,
    longest: usize,
}

impl Lengths {
    /// Of texts that are cut off after `most` tokens.
    fn of(texts: &[String], tokenizer: Option<&Tokenizer>, most: usize) -> Result<Self> {
        let of = |text: &String| Ok(tokens(text, tokenizer)?.min(most));
        let all = texts.iter().map(of).collect::<Result<Vec<usize>>>()?;
        let sum: usize = all.iter().sum();
        let longest = all.iter().copied().max().unwrap_or(1);
        Ok(Self { mean: (sum as f64 / all.len().max(1) as f64).max(1.0), longest })
    }
}

/// Tokens of a text; where there is no tokenizer, one for every four characters.
fn tokens(text: &str, tokenizer: Option<&Tokenizer>) -> Result<usize> {
    match tokenizer {
        Some(tokenizer) => Ok(tokenizer.encode_piece(text)?.len()),
        None => Ok(text.chars().count().div_ceil(4)),
    }
}

/// Some of many, from all over.
fn spread<T>(all: &[T]) -> impl Iterator<Item = &T> {
    // Odd, so that no language is passed over.
    all.iter().step_by(all.len().div_ceil(SAMPLE) | 1)
}

fn words(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Line(text) => text.clone(),
        Prompt::Chat(messages) => messages.iter().map(|m| m.content.as_str()).collect(),
    }
}

impl Estimate {
    fn fits(&self, bytes: usize) -> bool {
        self.machine.memory.is_none_or(|free| bytes as u64 <= free)
    }

    /// Looks at a model's files.
    fn find(&mut self, role: &'static str, path: PathBuf, models: &Path) -> Found {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let known = published(&name);
        let owner = known.as_ref().map_or("OWNER/NAME", |(owner, _)| owner.as_str());
        let file = if name.ends_with(".gguf") { format!(" --file {name}") } else { String::new() };
        let remedy = format!(
            "put the model's files there, by hand or by `nashguard fetch {owner}{file} --models {}`",
            models.display()
        );
        let missing = |e| match e {
            Error::Invalid { place, problem, .. } => Error::invalid(place, problem, &remedy),
            e => e,
        };
        let before = self.problems.len();
        let mut found = Found::default();
        if path.exists() {
            match Config::load(&path) {
                Ok(config) => {
                    self.problems.extend(config.check_files(&path).err().map(missing));
                    found.config = Some(config);
                }
                Err(e) => self.problems.push(missing(e)),
            }
            match Tokenizer::load(&path) {
                Ok(tokenizer) => found.tokenizer = Some(tokenizer),
                Err(e) => self.problems.push(missing(e)),
            }
        } else {
            let place = path.display().to_string();
            self.problems.push(Error::invalid(place, "there is no such model", &remedy));
        }
        found.whole = self.problems.len() == before;
        found.config = found.config.or(known.map(|(_, config)| config));
        let parameters = found.config.as_ref().map(Config::parameters);
        self.models.push(Model { role, path, parameters, whole: found.whole });
        found
    }

    fn need(&mut self, what: &'static str, parts: Vec<(&'static str, usize)>) -> bool {
        let need = Need { what, parts };
        let fits = self.fits(need.total());
        self.memory.push(need);
        fits
    }

    fn generator(
        &mut self,
        game: &Game<'_>,
        tasks: &[Task<'_>],
        server: Option<Result<&dyn Writer>>,
    ) -> Result<()> {
        let RoundsConfig { generator, sampling, candidates, .. } = game.config;
        let served = server.is_some();
        let found = match server {
            None if generator.base.as_os_str().is_empty() => {
                let remedy = "name one, or a server by --generator-url";
                self.problems.push(Error::invalid("generator.base", "no model is named", remedy));
                Found::default()
            }
            None => self.find("generator", game.base(), game.models),
            Some(_) => Found::default(),
        };
        if let Some(model) = &found.config {
            self.problems.extend(generator.check(model).err());
        }
        let teaching = generator.teaching.as_ref();
        let tokenizer = found.tokenizer.as_ref();
        let some: Vec<&Task<'_>> = spread(tasks).collect();
        let asked: Vec<String> = some.iter().map(|task| words(&game.prompt(task))).collect();
        let prompt = Lengths::of(&asked, tokenizer, usize::MAX)?;
        let texts: Vec<String> = some.iter().map(|task| task.row.text.clone()).collect();
        let text = Lengths::of(&texts, tokenizer, sampling.max_tokens)?;
        let rates: Vec<String> = some
            .iter()
            .map(|task| words(&rating(generator.style, &task.row.text, task.language)))
            .collect();
        let rated = Lengths::of(&rates, tokenizer, usize::MAX)?;

        let speeds = match server {
            Some(Ok(writer)) => self.asked(game, writer, &some, text),
            Some(Err(e)) => {
                self.problems.push(e);
                Speeds::default()
            }
            None if found.whole => self.measured(game, &found, &some, text),
            None => Speeds::default(),
        };
        let player = speeds.trimmed.as_ref().or(found.config.as_ref());
        if let Some(player) = player {
            let drawn = game.numbers(true)?;
            let rater = found.config.as_ref().filter(|_| game.config.rating).unwrap_or(player);
            let asked =
                if game.config.rating { rated.longest + game.rater().max_tokens } else { 0 };
            let longest = asked.max(prompt.longest + sampling.max_tokens) + ROOM;
            self.need(
                "generator draws",
                vec![
                    ("weights", rater.bytes(drawn)),
                    (
                        "keys and values",
                        sampling.batch * longest * rater.cache_bytes(drawn.computed()),
                    ),
                    ("scores", sampling.batch * rater.vocabulary * 8),
                ],
            );
        }
        let dense = game.numbers(false)?;
        let share = text.mean / (prompt.mean + text.mean);
        let length = prompt.longest + text.longest;
        let tuned = |c: &Config, base: usize, tune: &TuneConfig, length| {
            let batch = Batch { tune, longest: length, text: share };
            batch.parts(c, base, dense)
        };
        let (rounds, all) = (game.config.rounds, self.plan.texts as f64);
        let how = match (served, tokenizer) {
            (_, Some(_)) => "texts as long as their seeds",
            (true, None) => {
                "texts as long as their seeds, a token being 4 characters; texts are asked for side by side"
            }
            (false, None) => "texts as long as their seeds, a token being 4 characters",
        };
        if let (Some(teaching), Some(c)) = (teaching, player) {
            self.need("generator is taught", tuned(c, 0, &teaching.tune, length));
            self.disk.push(kept("first generator", c, &teaching.tune.trained, dense));
        }
        if let Some(teaching) = teaching {
            let amount = (teaching.pairs * teaching.tune.epochs) as f64 * (prompt.mean + text.mean);
            self.cost(
                Stage::Teaching,
                "steps",
                amount,
                "tokens",
                1,
                speeds.teaching,
                format!("{} pairs", teaching.pairs),
            );
        }
        self.cost(
            Stage::Sampling,
            "texts drawn",
            all * text.mean,
            "tokens",
            rounds,
            speeds.drawing,
            how.into(),
        );
        if game.config.rating {
            let amount = all * (rated.mean + game.rater().max_tokens as f64);
            let how = "no text is dropped before; tokens of questions and answers";
            self.cost(
                Stage::Rating,
                "texts rated",
                amount,
                "tokens",
                rounds,
                speeds.rating,
                how.into(),
            );
        }
        if let Some(dpo) = generator.dpo {
            if let Some(c) = player {
                // Weighed by the first one too.
                self.need(
                    "generator learns",
                    tuned(c, c.bytes(dense), &generator.tune, 2 * length),
                );
                let mut files = kept("generators", c, &generator.tune.trained, dense);
                files.parts.iter_mut().for_each(|(_, bytes)| *bytes *= rounds);
                self.disk.push(files);
            }
            let amount = self.plan.tasks as f64 * 2.0 * (prompt.mean + text.mean);
            let times = 2 + usize::from(dpo.tau > 0.0) + usize::from(dpo.beta > 0.0);
            self.cost(
                Stage::Generator,
                "pairs weighed",
                amount * times as f64,
                "tokens",
                rounds,
                speeds.weighing,
                format!(
                    "a pair a task (at most {}), weighed {times} times",
                    candidates.saturating_sub(1).max(1)
                ),
            );
            let amount = amount * generator.tune.epochs as f64;
            self.cost(
                Stage::Generator,
                "steps",
                amount,
                "tokens",
                rounds,
                speeds.tuning,
                "a pair a task".into(),
            );
        }
        if !served && game.config.evaluation > 0 {
            let amount = game.config.evaluation.min(tasks.len()) as f64 * text.mean;
            let how = "drawn by this generator and the last, by the first alone; weighing them is not counted";
            self.cost(
                Stage::Evaluation,
                "texts drawn",
                amount,
                "tokens",
                2 * rounds + 1,
                speeds.drawing,
                how.into(),
            );
        }
        Ok(())
    }

    fn classifier(&mut self, game: &Game<'_>) -> Result<()> {
        let (config, seeds) = (&game.config.classifier, &game.material.seeds);
        let rounds = game.config.rounds;
        let some: Vec<Row> = spread(&seeds.train).cloned().collect();
        let texts: Vec<String> = some.iter().map(|row| row.text.clone()).collect();
        let Some(base) = &config.base else {
            let guardrail = &config.guardrail;
            guardrail.check().map_err(|e| e.within("classifier.guardrail"))?;
            let characters =
                texts.iter().map(|t| t.chars().count()).sum::<usize>() / some.len().max(1);
            let f = &guardrail.features;
            let table = f.buckets * 12 * 4;
            let grams =
                seeds.train.len() * characters * (f.char_max + 1).saturating_sub(f.char_min) * 8;
            let fits = self.need(
                "classifier is trained",
                vec![("weights", table), ("optimiser", table), ("n-grams", grams)],
            );
            self.disk
                .push(Need { what: "classifiers", parts: vec![("weights", table * (rounds + 1))] });
            let rows = &seeds.train[..seeds.train.len().min(1 << 16)];
            let (mut steps, mut score) = (None, None);
            if fits {
                let mut trained = None;
                steps = speed(256, rows.len(), |n| {
                    let some = Seeds { train: rows[..n].to_vec(), validation: Vec::new() };
                    trained = Some(Guardrail::train(*guardrail, &some, 1, &mut |_| {})?);
                    Ok(n * guardrail.epochs)
                })?;
                let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
                if let Some(trained) = trained {
                    score = speed(256, texts.len(), |n| Ok(trained.scores(&texts[..n])?.len()))?;
                }
            }
            let rows = seeds.train.len();
            let amount = (rows * guardrail.epochs) as f64;
            let how = growth(guardrail.epochs, self.plan.texts as f64 / rows.max(1) as f64);
            self.cost(Stage::Classifier, "steps", amount, "rows", rounds + 1, steps, how);
            self.scored(1.0, "texts", score, String::new());
            return Ok(());
        };
        let found = self.find("classifier", game.models.join(base), game.models);
        let finetune = &config.finetune;
        let around =
            |text: &String| format!("{}{text}{}", finetune.reading.before, finetune.reading.after);
        let read: Vec<String> = texts.iter().map(around).collect();
        let most = finetune.reading.max_tokens;
        let lengths = read
            .iter()
            .map(|text| Ok(tokens(text, found.tokenizer.as_ref())?.clamp(1, most)))
            .collect::<Result<Vec<usize>>>()?;
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64;
        let (device, dtype) = device()?;
        let dense = Numbers::Dense(dtype);
        let mut fits = false;
        if let Some(c) = &found.config {
            if let Err(e) = finetune.check(c) {
                self.problems.push(e.within("classifier.finetune"));
            }
            let layers = finetune.depth.unwrap_or(c.layers).min(c.layers);
            // No scores of the vocabulary.
            let c = Config {
                layers,
                windows: c.windows.iter().take(layers).copied().collect(),
                tied: true,
                ..c.clone()
            };
            let tune = TuneConfig {
                trained: finetune.trained.clone(),
                batch_tokens: finetune.batch_tokens,
                accumulate: finetune.accumulate,
                workers: finetune.workers,
                ..TuneConfig::default()
            };
            let parts = Batch { tune: &tune, longest: most, text: 0.0 }.parts(&c, 0, dense);
            fits = self.need("classifier is trained", parts);
            let mut files = kept("classifiers", &c, &finetune.trained, dense);
            if let Some(cache) = finetune.cache {
                let numbers =
                    (seeds.train.len() + seeds.validation.len()) as f64 * mean * c.hidden as f64;
                files.parts.push(("activations", numbers as usize * cache.dtype().size_in_bytes()));
            }
            files.parts.iter_mut().for_each(|(_, bytes)| *bytes *= rounds + 1);
            self.disk.push(files);
        }
        let (mut steps, mut score) = (None, None);
        if fits
            && found.whole
            && let Some(tokenizer) = found.tokenizer
        {
            let measure = || -> Result<()> {
                let decoder = Decoder::load(game.models.join(base), dense, &device)?;
                let rows = Seeds { train: some.clone(), validation: Vec::new() };
                let mut trial = Trial::new(decoder, tokenizer, finetune, &rows)?;
                let rate = speed(4, some.len(), |n| trial.gradients(n))?;
                let step = a_step(&lengths, finetune.batch_tokens, finetune.accumulate);
                steps = with_steps(rate, step, || trial.step())?;
                let classifier = trial.classifier();
                drop(trial);
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                score = speed(8, texts.len(), |n| {
                    classifier.probabilities(&texts[..n])?;
                    Ok(lengths[..n].iter().sum())
                })?;
                Ok(())
            };
            let measured = measure();
            self.problems.extend(measured.err());
        }
        let rows = seeds.train.len();
        let amount = (rows * finetune.epochs) as f64 * mean;
        let batches = by_length(&lengths, finetune.batch_tokens).len().max(1);
        let sequences = (lengths.len() * finetune.accumulate) as f64 / batches as f64;
        let how = growth(finetune.epochs, self.plan.texts as f64 / rows.max(1) as f64);
        let how = format!("{how}; a step holds {sequences:.0} sequences in the mean");
        self.cost(Stage::Classifier, "steps", amount, "tokens", rounds + 1, steps, how);
        let chosen = (seeds.validation.len() * finetune.epochs) as f64 * mean;
        let how = "rows to choose the epoch by";
        self.cost(
            Stage::Classifier,
            "texts scored",
            chosen,
            "tokens",
            rounds + 1,
            score,
            how.into(),
        );
        self.scored(mean, "tokens", score, "as long as rows of S(0)".into());
        Ok(())
    }

    /// Candidates are scored in every round, benchmarks, where there are any, at the start too.
    fn scored(&mut self, a_text: f64, unit: &'static str, rate: Option<f64>, how: String) {
        let Plan { rounds, texts, benchmarks, .. } = self.plan;
        let texts = texts as f64 * a_text;
        self.cost(Stage::Scoring, "candidates", texts, unit, rounds, rate, how.clone());
        if benchmarks > 0 {
            let texts = benchmarks as f64 * a_text;
            self.cost(Stage::Evaluation, "benchmarks", texts, unit, rounds + 1, rate, how);
        }
    }

    /// Candidates, verdicts and added rows: each text up to three times, and what is said of it.
    fn texts_on_disk(&mut self, tasks: &[Task<'_>]) {
        let some: Vec<&Task<'_>> = spread(tasks).collect();
        let bytes = |task: &&Task<'_>| {
            let verdict = Verdict {
                seed: task.origin.id.clone(),
                model: "0123456789abcdef".into(),
                job: self.plan.tasks as u32,
                candidate: 0,
                language: task.language,
                label: task.row.label,
                categories: task.row.categories.clone(),
                text: task.row.text.clone(),
                dropped: None,
                rating: Some(1),
                score: Some(0.123_456_78),
                wrong: Some(true),
                level: Some(1),
            };
            serde_json::json!(verdict).to_string().len() + 2 * task.row.text.len()
        };
        let mean = some.iter().map(bytes).sum::<usize>() / some.len().max(1);
        let parts = vec![("candidates, verdicts, rows", mean * self.plan.texts * self.plan.rounds)];
        self.disk.push(Need { what: "texts", parts });
    }

    /// Says what does not fit.
    fn compare(&mut self) {
        let most = self.memory.iter().max_by_key(|need| need.total());
        if let (Some(need), Some(free)) = (most, self.machine.memory)
            && need.total() as u64 > free
        {
            let problem = format!(
                "\"{}\" needs {}, and {} are free",
                need.what,
                gib(need.total()),
                gib(free as usize)
            );
            let remedy = "use a larger machine, smaller batches or fewer trained weights";
            self.problems.push(Error::invalid("memory", problem, remedy));
        }
        let all: usize = self.disk.iter().map(Need::total).sum();
        if let Some(free) = self.machine.disk.filter(|&free| all as u64 > free) {
            let problem =
                format!("the game leaves {}, and {} are free", gib(all), gib(free as usize));
            self.problems.push(Error::invalid("disk", problem, "name another folder by --out"));
        }
    }

    #[allow(clippy::too_many_arguments)] // a row of a table
    fn cost(
        &mut self,
        stage: Stage,
        what: &'static str,
        amount: f64,
        unit: &'static str,
        times: usize,
        rate: Option<f64>,
        assumption: String,
    ) {
        self.costs.push(Cost { stage, what, amount, unit, times, rate, assumption });
    }
}

fn growth(epochs: usize, share: f64) -> String {
    format!("S(0) {epochs} times; each round adds at most {share:.2} of S(0)")
}

/// A published architecture: its owner and name on the hub, and its sizes.
fn published(name: &str) -> Option<(String, Config)> {
    let all: toml::Table = toml::from_str(ARCHITECTURES).ok()?;
    let all = all.get("architecture")?.as_array()?;
    let one = all.iter().find(|a| a.get("name").and_then(|n| n.as_str()) == Some(name))?;
    let owner = one.get("source")?.as_str()?.split(',').next()?.to_owned();
    let config = serde_json::to_string(one.get("config")?).ok()?;
    Some((owner, Config::from_json(&config).ok()?))
}
