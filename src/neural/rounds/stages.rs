//! What a round does, each part from files to files.

use super::config::RoundsConfig;
use super::guard::{Guard, present};
use super::lines::{self, Lines};
use super::run::{Material, Stage, Strategy};
use crate::data::filters::{Filters, Reason, check_rating};
use crate::data::{Category, Label, Language, Origin, Row, Seeds};
use crate::neural::Guardrail;
use crate::neural::decoder::{
    CONFIG, Decoder, GENERATION, Numbers, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG, Tokenizer, trimmed,
};
use crate::neural::device;
use crate::neural::generator::{
    Draft, Generator, Job, Local, Prompt, Sampling, Writer, parse_rating, rating, rewrite,
    teaching_pairs,
};
use crate::neural::preference::{Level, Likelihood, Pair, Passage, Report, optimise, pairs, tune};
use crate::report::{remove, write_atomically};
use crate::{Error, Result};
use candle_core::Device;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Everything the stages need.
pub(super) struct Game<'a> {
    pub config: &'a RoundsConfig,
    pub material: &'a Material,
    pub models: &'a Path,
    /// What writes in place of a model here.
    pub server: Option<&'a dyn Writer>,
    pub out: &'a Path,
}

/// Told the stage, what is done and what there is to do; breaks to stop.
pub(super) type Tell<'a> = dyn FnMut(Stage, usize, usize) -> ControlFlow<()> + 'a;

/// What was written for one seed in one language.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Candidates {
    /// The seed row's name.
    seed: String,
    language: Language,
    /// The generator's hash.
    model: String,
    texts: Vec<Draft>,
}

/// What the rater said of a text.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rated {
    said: String,
}

/// The classifier's largest probability of a text.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Scored {
    score: f32,
}

/// Texts scored between two marks on disk.
const SCORED: usize = 1024;

/// All that is known of a text that was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Name of the seed row.
    pub seed: String,
    /// Hash of the model that wrote it, or the server's name for it.
    #[serde(default)]
    pub model: String,
    /// Index of the seed and language in the round.
    pub job: u32,
    /// Index of the text among those of its job.
    pub candidate: u32,
    /// The language asked for.
    pub language: Language,
    /// That of the seed, which the text should have.
    pub label: Label,
    /// Those of the seed.
    #[serde(default)]
    pub categories: Vec<Category>,
    /// What was drawn.
    pub text: String,
    /// Why it was dropped. A text whose rating does not match is dropped too, but may still lose a preference.
    pub dropped: Option<Reason>,
    /// The harm that the untrained base saw in it, 1 to 5.
    pub rating: Option<u8>,
    /// The largest probability of the classifier, of texts that were not dropped for another reason than rating.
    pub score: Option<f32>,
    /// Whether the classifier errs on it; `None` where it was not asked.
    pub wrong: Option<bool>,
    /// Its preference level, 1 to 4.
    pub level: Option<u8>,
}

impl Verdict {
    /// The text as a row, with its seed's label and categories.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a blank text.
    pub fn row(&self) -> Result<Row> {
        Row::new(self.text.clone(), self.language, self.label, self.categories.clone())
    }

    fn known_level(&self) -> Option<Level> {
        Some(Level::of(self.wrong?, self.dropped.is_none()))
    }
}

/// One seed to be rewritten into one language.
#[derive(Clone, Debug)]
pub(super) struct Task<'a> {
    pub row: &'a Row,
    pub origin: &'a Origin,
    pub language: Language,
}

/// A number from the game's seed, the round and a purpose.
pub(super) fn sub_seed(seed: u64, round: usize, purpose: u64) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((round as u64) << 8) | purpose);
    rng.next_u64()
}

impl Game<'_> {
    pub fn folder(&self, round: usize) -> PathBuf {
        self.out.join(format!("round-{round}"))
    }

    /// The seeds of a round and the languages they are rewritten into.
    pub fn tasks(&self, round: usize) -> Vec<Task<'_>> {
        let mut rng = ChaCha8Rng::seed_from_u64(sub_seed(self.config.seed, round, 1));
        let (mut safe, mut harmful): (Vec<&(Row, Origin)>, Vec<_>) =
            self.material.prompts.iter().partition(|(row, _)| row.label == Label::Safe);
        safe.shuffle(&mut rng);
        harmful.shuffle(&mut rng);
        let count = self.config.seeds_per_round.unwrap_or(usize::MAX);
        let (mut safe, mut harmful) = (safe.into_iter(), harmful.into_iter());
        let in_turn = std::iter::from_fn(|| {
            let two = [safe.next(), harmful.next()];
            two.iter().any(Option::is_some).then_some(two)
        });
        let chosen = in_turn.flatten().flatten().take(count);
        let languages = &self.config.languages;
        let mut tasks = Vec::new();
        for (row, origin) in chosen {
            tasks.extend(languages.iter().map(|&language| Task { row, origin, language }));
        }
        tasks
    }

    /// A generator's weights as numbers to draw with, or to learn with.
    pub fn load(&self, path: &Path, to_draw: bool) -> Result<Generator> {
        present(path)?;
        let (numbers, (device, _)) = (self.numbers(to_draw)?, device()?);
        Ok(Generator::new(Decoder::load(path, numbers, &device)?, Tokenizer::load(path)?))
    }

    /// As what a generator's weights are held.
    pub fn numbers(&self, to_draw: bool) -> Result<Numbers> {
        let (device, dtype) = device()?;
        let quantised = to_draw && self.config.generator.quantised && matches!(device, Device::Cpu);
        Ok(if quantised { Numbers::Quantised } else { Numbers::Dense(dtype) })
    }

    pub fn base(&self) -> PathBuf {
        self.models.join(&self.config.generator.base)
    }

    /// What draws: the generator of a strategy, or the server.
    pub fn writer(&self, x: &Strategy) -> Result<Local> {
        Local::new(self.load(&x.path, true)?)
    }

    pub fn prompt(&self, task: &Task<'_>) -> Prompt {
        rewrite(self.config.generator.style, task.row, task.language)
    }

    /// The first generator: the base, taught the task where that is wanted.
    pub fn first_generator(&self, tell: &mut Tell<'_>) -> Result<ControlFlow<(), Strategy>> {
        let path = self.base();
        let Some(teaching) = &self.config.generator.teaching else {
            if self.server.is_none() {
                present(&path)?;
            }
            return Ok(ControlFlow::Continue(Strategy { round: 0, path }));
        };
        let folder = self.folder(0).join("generator");
        let taught = Strategy { round: 0, path: folder.clone() };
        if folder.join("config.json").exists() {
            return Ok(ControlFlow::Continue(taught));
        }
        self.timed(0, Stage::Teaching, || {
            let encoder = Guardrail::shipped()?.encoder().ok_or_else(|| {
                let remedy = "train it with a head (experiments/guardrail.toml)";
                Error::invalid("the shipped guardrail", "it has no encoder", remedy)
            })?;
            let seed = sub_seed(self.config.seed, 0, 2);
            let parallel: Vec<&str> = teaching.parallel.iter().map(String::as_str).collect();
            let mut examples =
                teaching_pairs(&self.material.all, &encoder, &parallel, teaching.same, seed)?;
            examples.retain(|pair| self.config.languages.contains(&pair.language));
            examples.truncate(teaching.pairs);
            if examples.is_empty() {
                let problem = "no rows that say the same in two languages were found";
                let remedy = "give real seeds by --data, or leave generator.teaching out";
                return Err(Error::invalid("generator.teaching", problem, remedy));
            }
            let mut base = self.load(&path, false)?;
            let style = self.config.generator.style;
            if teaching.trim_vocabulary {
                let local = Local::new(base.clone())?;
                let mut used = BTreeSet::new();
                for e in &examples {
                    let prompt = rewrite(style, &e.seed, e.language);
                    used.extend(local.encode(&prompt)?);
                    used.extend(local.ended(&prompt, &one_line(&e.text))?);
                }
                base = self.trimmed(&base, used)?;
            }
            let local = Local::new(base)?;
            let passages = examples
                .iter()
                .map(|e| {
                    let prompt = rewrite(style, &e.seed, e.language);
                    let text = local.ended(&prompt, &one_line(&e.text))?;
                    Ok(Passage { prompt: local.encode(&prompt)?, text })
                })
                .collect::<Result<Vec<_>>>()?;
            let work = self.folder(0).join("teaching");
            let mut watch =
                |report: &Report| tell(Stage::Teaching, report.place.step, report.place.steps);
            let objective = Likelihood(passages);
            let tuned = tune(local.generator(), &teaching.tune, &objective, &work, &mut watch)?;
            let Some(generator) = tuned else { return Ok(ControlFlow::Break(())) };
            save(&generator, &folder)?;
            Ok(ControlFlow::Continue(taught))
        })
    }

    /// A generator that knows these tokens and those of all rows.
    pub fn trimmed(&self, base: &Generator, mut used: BTreeSet<u32>) -> Result<Generator> {
        let tokenizer = base.tokenizer();
        for (row, _) in &self.material.all {
            used.extend(tokenizer.encode_piece(&row.text)?);
        }
        used.extend(tokenizer.encode_piece("\n")?);
        let (decoder, tokenizer) = trimmed(base.decoder(), tokenizer, used)?;
        Ok(Generator::new(decoder, tokenizer))
    }

    /// Draws texts for every task, or reads those drawn before.
    fn candidates(
        &self,
        x: &Strategy,
        tasks: &[Task<'_>],
        folder: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), Vec<Candidates>>> {
        let mut lines: Lines<Candidates> = Lines::open(folder.join("candidates.jsonl"))?;
        let missing: Vec<u32> =
            (0..tasks.len() as u32).filter(|n| !lines.done.contains_key(n)).collect();
        if !missing.is_empty() {
            // What was said of other texts: a server does not write the same ones again.
            for said in ["ratings.jsonl", "scores.jsonl"] {
                remove(&folder.join(said))?;
            }
            let jobs: Vec<Job> = missing
                .iter()
                .map(|&number| Job { prompt: self.prompt(&tasks[number as usize]), number })
                .collect();
            let model = match self.server {
                Some(server) => server.name(),
                None => hash(&x.path)?,
            };
            let seed = sub_seed(self.config.seed, x.round + 1, 3);
            let mut flow = tell(Stage::Sampling, lines.done.len(), tasks.len());
            if flow.is_continue() {
                let mut take = |i: usize, texts: Vec<Draft>| {
                    let Task { origin, language, .. } = tasks[missing[i] as usize];
                    let model = model.clone();
                    lines.push(
                        missing[i],
                        Candidates { seed: origin.id.clone(), language, model, texts },
                    )?;
                    flow = tell(Stage::Sampling, lines.done.len(), tasks.len());
                    Ok(flow)
                };
                let (count, sampling) = (self.config.candidates, &self.config.sampling);
                match self.server {
                    Some(server) => server.write(&jobs, count, sampling, seed, &mut take)?,
                    None => self.writer(x)?.write(&jobs, count, sampling, seed, &mut take)?,
                }
            }
            if flow.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(lines.done.into_values().collect()))
    }

    /// How the rater answers.
    pub fn rater(&self) -> Sampling {
        Sampling { temperature: 0.0, max_tokens: 4, ..self.config.sampling.clone() }
    }

    /// Asks the untrained base how harmful some texts are, or reads what it said.
    fn ratings(
        &self,
        verdicts: &[Verdict],
        folder: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), BTreeMap<u32, Option<u8>>>> {
        let number = |v: &Verdict| self.number(v);
        let mut lines: Lines<Rated> = Lines::open(folder.join("ratings.jsonl"))?;
        let asked = verdicts.iter().filter(|v| v.dropped.is_none());
        let all = asked.clone().count();
        let style = self.config.generator.style;
        let jobs: Vec<Job> = asked
            .filter(|v| !lines.done.contains_key(&number(v)))
            .map(|v| Job { prompt: rating(style, &v.text, v.language), number: number(v) })
            .collect();
        if !jobs.is_empty() {
            let mut flow = tell(Stage::Rating, lines.done.len(), all);
            if flow.is_continue() {
                let mut take = |i: usize, texts: Vec<Draft>| {
                    let said = texts.into_iter().map(|draft| draft.text).collect();
                    lines.push(jobs[i].number, Rated { said })?;
                    flow = tell(Stage::Rating, lines.done.len(), all);
                    Ok(flow)
                };
                let sampling = self.rater();
                match self.server {
                    Some(server) => server.write(&jobs, 1, &sampling, 0, &mut take)?,
                    None => {
                        let base = Strategy { round: 0, path: self.base() };
                        self.writer(&base)?.write(&jobs, 1, &sampling, 0, &mut take)?;
                    }
                }
            }
            if flow.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let parsed = lines.done.iter().map(|(&n, rated)| (n, parse_rating(&rated.said)));
        Ok(ControlFlow::Continue(parsed.collect()))
    }

    /// The verdicts on the texts of x against y; made once, for both players.
    pub fn verdicts(
        &self,
        x: &Strategy,
        y: &Strategy,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), Vec<Verdict>>> {
        let round = x.round + 1;
        let folder = self.folder(round);
        let path = folder.join("verdicts.jsonl");
        let tasks = self.tasks(round);
        if path.exists() {
            let known = self::verdicts(self.out, round)?;
            return match known.iter().find(|v| v.job as usize >= tasks.len()) {
                None => Ok(ControlFlow::Continue(known)),
                Some(v) => {
                    let problem = format!("it has a job {} of {}", v.job, tasks.len());
                    let remedy = "remove the file to do this stage again";
                    Err(Error::invalid(path.display().to_string(), problem, remedy))
                }
            };
        }
        let drawn =
            self.timed(round, Stage::Sampling, || self.candidates(x, &tasks, &folder, tell))?;
        let ControlFlow::Continue(drawn) = drawn else { return Ok(ControlFlow::Break(())) };
        let forbidden: Vec<&str> = self.material.benchmark_texts().collect();
        let mut filters = Filters::new(self.config.filters.clone(), forbidden)?;
        for earlier in 1..round {
            let kept = self::verdicts(self.out, earlier)?;
            for v in kept.iter().filter(|v| v.dropped.is_none()) {
                filters.keep(&v.text);
            }
        }
        let mut verdicts = Vec::new();
        for (job, (task, of_task)) in tasks.iter().zip(&drawn).enumerate() {
            for (candidate, Draft { text, whole }) in of_task.texts.iter().enumerate() {
                let dropped = match whole {
                    true => filters.reason(task.row, text, task.language),
                    false => Some(Reason::Cut),
                };
                verdicts.push(Verdict {
                    seed: of_task.seed.clone(),
                    model: of_task.model.clone(),
                    job: job as u32,
                    candidate: candidate as u32,
                    language: task.language,
                    label: task.row.label,
                    categories: task.row.categories.clone(),
                    text: text.clone(),
                    dropped,
                    rating: None,
                    score: None,
                    wrong: None,
                    level: None,
                });
            }
        }
        if self.config.rating {
            let ratings =
                self.timed(round, Stage::Rating, || self.ratings(&verdicts, &folder, tell))?;
            let ControlFlow::Continue(ratings) = ratings else {
                return Ok(ControlFlow::Break(()));
            };
            for v in verdicts.iter_mut().filter(|v| v.dropped.is_none()) {
                v.rating = ratings.get(&self.number(v)).copied().flatten();
                v.dropped = check_rating(v.label, v.rating);
            }
        }
        // Only what is kept for good drops its later duplicates.
        for v in verdicts.iter_mut().filter(|v| v.dropped.is_none()) {
            v.dropped = filters.keep(&v.text);
        }
        let scores =
            self.timed(round, Stage::Scoring, || self.scores(&verdicts, y, &folder, tell))?;
        let ControlFlow::Continue(scores) = scores else { return Ok(ControlFlow::Break(())) };
        for v in &mut verdicts {
            v.score = scores.get(&self.number(v)).copied();
            v.wrong = v.score.map(|score| (score > 0.5) != (v.label == Label::Unsafe));
            v.level = v.known_level().map(|level| level as u8 + 1);
        }
        lines::write(&path, &verdicts)?;
        Ok(ControlFlow::Continue(verdicts))
    }

    /// The number of a text among all of its round.
    fn number(&self, v: &Verdict) -> u32 {
        v.job * self.config.candidates as u32 + v.candidate
    }

    /// What y makes of the texts that were not dropped for another reason than rating, by number, or what it made
    /// of them before.
    fn scores(
        &self,
        verdicts: &[Verdict],
        y: &Strategy,
        folder: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), BTreeMap<u32, f32>>> {
        let mut lines: Lines<Scored> = Lines::open(folder.join("scores.jsonl"))?;
        let open: Vec<&Verdict> =
            verdicts.iter().filter(|v| matches!(v.dropped, None | Some(Reason::Rating))).collect();
        let guard = Guard::load(&y.path)?;
        // A batch is scored as a whole, so that its numbers do not depend on where it was stopped.
        for (i, batch) in open.chunks(SCORED).enumerate() {
            if batch.iter().all(|v| lines.done.contains_key(&self.number(v))) {
                continue;
            }
            if tell(Stage::Scoring, i * SCORED, open.len()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let texts: Vec<&str> = batch.iter().map(|v| v.text.as_str()).collect();
            for (v, score) in batch.iter().zip(guard.scores(&texts)?) {
                if !lines.done.contains_key(&self.number(v)) {
                    lines.push(self.number(v), Scored { score })?;
                }
            }
        }
        Ok(ControlFlow::Continue(lines.done.iter().map(|(&n, scored)| (n, scored.score)).collect()))
    }

    /// S(round): the seeds and all that rounds up to this one added, each text once.
    pub fn training_rows(&self, round: usize) -> Result<Seeds> {
        let mut seeds = self.material.seeds.clone();
        let mut known: HashSet<String> = seeds.train.iter().map(|row| row.text.clone()).collect();
        for earlier in 1..=round {
            let added = added_rows(self.out, earlier)?;
            seeds.train.extend(added.into_iter().filter(|row| known.insert(row.text.clone())));
        }
        Ok(seeds)
    }

    /// The classifier after a round.
    pub fn next_classifier(
        &self,
        y: &Strategy,
        verdicts: &[Verdict],
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), Strategy>> {
        let round = y.round + 1;
        let fooled = verdicts.iter().filter(|v| v.dropped.is_none() && v.wrong == Some(true));
        let source = format!("generator of round {}", y.round);
        let rows: Vec<Added> = fooled.map(|v| Added::of(v, &source)).collect();
        lines::write(&self.folder(round).join("added.jsonl"), &rows)?;
        self.classifier(round, Some(y), tell)
    }

    /// Trains the classifier of a round on S(round).
    pub fn classifier(
        &self,
        round: usize,
        before: Option<&Strategy>,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), Strategy>> {
        let folder = self.folder(round).join("classifier");
        let trained = Strategy { round, path: folder.clone() };
        let mark = folder.join("trained");
        if mark.exists() {
            return Ok(ControlFlow::Continue(trained));
        }
        self.timed(round, Stage::Classifier, || {
            let before = match before.filter(|_| self.config.classifier.go_on) {
                Some(y) => Some(Guard::load(&y.path)?),
                None => None,
            };
            let guard = Guard::train(
                &self.config.classifier,
                &self.training_rows(round)?,
                before,
                self.models,
                &folder,
                sub_seed(self.config.seed, round, 4),
                &mut |done, all| tell(Stage::Classifier, done, all),
            )?;
            if guard.is_none() {
                return Ok(ControlFlow::Break(()));
            }
            write_atomically(mark, b"")?;
            Ok(ControlFlow::Continue(trained))
        })
    }

    /// The generator after a round: preferences learnt, or the same where nothing is to be learnt.
    pub fn next_generator(
        &self,
        x: &Strategy,
        first: &Strategy,
        verdicts: &[Verdict],
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), Strategy>> {
        let round = x.round + 1;
        let Some(dpo) = self.config.generator.dpo else {
            return Ok(ControlFlow::Continue(Strategy { round, path: x.path.clone() }));
        };
        let folder = self.folder(round).join("generator");
        let learnt = Strategy { round, path: folder.clone() };
        if folder.join("config.json").exists() {
            return Ok(ControlFlow::Continue(learnt));
        }
        self.timed(round, Stage::Generator, || {
            let current = Local::new(self.load(&x.path, false)?)?;
            let base = match x.path == first.path {
                true => current.generator().clone(),
                false => self.load(&first.path, false)?,
            };
            let mut all = Vec::new();
            let tasks = self.tasks(round);
            for of_job in verdicts.chunk_by(|a, b| a.job == b.job) {
                let prompt = self.prompt(&tasks[of_job[0].job as usize]);
                let open: Vec<&Verdict> = of_job.iter().filter(|v| v.wrong.is_some()).collect();
                let levels: Vec<Level> = open.iter().filter_map(|v| v.known_level()).collect();
                for (a, b) in pairs(&levels) {
                    all.push(Pair {
                        prompt: current.encode(&prompt)?,
                        texts: [
                            current.ended(&prompt, &open[a].text)?,
                            current.ended(&prompt, &open[b].text)?,
                        ],
                        preferred: 1.0,
                    });
                }
            }
            let config = crate::neural::preference::TuneConfig {
                seed: sub_seed(self.config.seed, round, 5),
                ..self.config.generator.tune.clone()
            };
            let work = self.folder(round).join("preferences");
            let mut watch =
                |report: &Report| tell(Stage::Generator, report.place.step, report.place.steps);
            let tuned = optimise(dpo, all, current.generator(), &base, &config, &work, &mut watch)?;
            let Some(generator) = tuned else { return Ok(ControlFlow::Break(())) };
            save(&generator, &folder)?;
            Ok(ControlFlow::Continue(learnt))
        })
    }

    /// Does a stage, or what is left of it, and adds the seconds that it took, also when it was stopped; what a
    /// process took that was killed is lost.
    pub fn timed<T>(
        &self,
        round: usize,
        stage: Stage,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let started = Instant::now();
        let done = work()?;
        let path = self.folder(round).join("seconds.json");
        let mut seconds = self.seconds(round);
        *seconds.entry(stage).or_default() += started.elapsed().as_secs_f64();
        let text = format!("{:#}\n", serde_json::json!(seconds));
        write_atomically(path, text.as_bytes())?;
        Ok(done)
    }

    /// Seconds of the stages so far.
    pub fn seconds(&self, round: usize) -> BTreeMap<Stage, f64> {
        let text = std::fs::read(self.folder(round).join("seconds.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

/// A row as seed files hold it.
#[derive(Debug, Serialize, Deserialize)]
struct Added {
    text: String,
    lang: Language,
    r#unsafe: bool,
    categories: Vec<Category>,
    source: String,
    /// Name of the seed row.
    #[serde(default)]
    seed: String,
    /// As in [`Verdict::model`].
    #[serde(default)]
    model: String,
}

impl Added {
    fn of(v: &Verdict, source: &str) -> Self {
        Self {
            text: v.text.clone(),
            lang: v.language,
            r#unsafe: v.label == Label::Unsafe,
            categories: v.categories.clone(),
            source: source.into(),
            seed: v.seed.clone(),
            model: v.model.clone(),
        }
    }

    fn row(self) -> Result<Row> {
        let label = if self.r#unsafe { Label::Unsafe } else { Label::Safe };
        Row::new(self.text, self.lang, label, self.categories)
    }
}

/// The rows that a round of the game in `folder` added: texts that fooled the classifier.
///
/// # Errors
/// [`Error::Io`] when the round is not over, [`Error::Invalid`] for a damaged file.
pub fn added_rows(folder: &Path, round: usize) -> Result<Vec<Row>> {
    let path = folder.join(format!("round-{round}")).join("added.jsonl");
    lines::read::<Added>(&path)?.into_iter().map(Added::row).collect()
}

/// What is known of every text drawn in a round of the game in `folder`, those dropped too.
///
/// # Errors
/// As [`added_rows`].
pub fn verdicts(folder: &Path, round: usize) -> Result<Vec<Verdict>> {
    let path = folder.join(format!("round-{round}")).join("verdicts.jsonl");
    let read: Vec<Verdict> = lines::read(&path)?;
    if let Some(i) =
        read.iter().position(|v| v.level.is_some_and(|level| !(1..=4).contains(&level)))
    {
        let place = format!("{} line {}", path.display(), i + 1);
        let remedy = "remove the file to do this stage again";
        return Err(Error::invalid(place, "its level is not 1 to 4", remedy));
    }
    Ok(read)
}

/// What a model that writes lines is taught to write.
fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// Writes a generator, its tokenizer first: a folder without config.json is none.
fn save(generator: &Generator, folder: &Path) -> Result<()> {
    generator.tokenizer().save(folder)?;
    generator.decoder().save(folder)
}

/// A model's content, hashed (FNV-1a over its files).
pub(super) fn hash(path: &Path) -> Result<String> {
    let mut files = vec![path.to_path_buf()];
    if path.with_file_name(TOKENIZER).exists() {
        // Beside a GGUF file, they are read with it.
        let beside = [TOKENIZER, TOKENIZER_CONFIG, TEMPLATE, GENERATION, CONFIG];
        files.extend(
            beside.map(|name| path.with_file_name(name)).into_iter().filter(|p| p.is_file()),
        );
    }
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| Error::io("read", path, e))?;
        // A hidden one is what an interrupted writer left.
        let shown = |p: &PathBuf| {
            p.is_file() && p.file_name().is_some_and(|n| !n.as_encoded_bytes().starts_with(b"."))
        };
        files = entries.filter_map(|e| Some(e.ok()?.path())).filter(shown).collect();
        files.sort();
    }
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut eat = |bytes: &[u8]| {
        for &b in bytes {
            hash = (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for file in files {
        let io = |e| Error::io("read", &file, e);
        let mut open = std::fs::File::open(&file).map_err(io)?;
        let mut part = vec![0; 1 << 20];
        loop {
            match open.read(&mut part).map_err(io)? {
                0 => break,
                read => eat(&part[..read]),
            }
        }
    }
    Ok(format!("{hash:016x}"))
}

/// Prompts of some tasks as tokens, with the labels that the texts should keep.
pub(super) fn encoded(
    game: &Game<'_>,
    local: &Local,
    tasks: &[Task<'_>],
) -> Result<Vec<(Vec<u32>, Label)>> {
    tasks.iter().map(|task| Ok((local.encode(&game.prompt(task))?, task.row.label))).collect()
}
