//! A game's players from round to round, each from files to files: what the generator is taught, what both learn.

use super::config::RoundsConfig;
use super::guard::Guard;
use super::lines;
use super::records::{ADDED, Added, BENCHMARKS, SECONDS, Verdict, added_rows, round_folder};
use super::run::{Material, Stage, Strategy};
use crate::data::{Label, Language, Origin, Row, Seeds};
use crate::neural::Guardrail;
use crate::neural::decoder::{
    CONFIG, Decoder, GENERATION, Numbers, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG, Tokenizer, trimmed,
};
use crate::neural::device;
use crate::neural::generator::{Generator, Local, Prompt, Writer, rewrite, teaching_pairs};
use crate::neural::preference::{Level, Likelihood, Pair, Passage, Report, optimise, pairs, tune};
use crate::report::{remove, write_atomically};
use crate::{Error, Result};
use candle_core::Device;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
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
        round_folder(self.out, round)
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
        lines::write(&self.folder(round).join(ADDED), &rows)?;
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
        // Of another classifier, if any.
        remove(&self.folder(round).join(BENCHMARKS))?;
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

    /// The generator after a round: preferences learnt, or the same where the game has none.
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
        let path = self.folder(round).join(SECONDS);
        let mut seconds = self.seconds(round);
        *seconds.entry(stage).or_default() += started.elapsed().as_secs_f64();
        let text = format!("{:#}\n", serde_json::json!(seconds));
        write_atomically(path, text.as_bytes())?;
        Ok(done)
    }

    /// Seconds of the stages so far.
    pub fn seconds(&self, round: usize) -> BTreeMap<Stage, f64> {
        let text = std::fs::read(self.folder(round).join(SECONDS)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
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
    let mut files: Vec<PathBuf>;
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| Error::io("read", path, e))?;
        // A hidden one is what an interrupted writer left.
        let shown = |p: &PathBuf| {
            p.is_file() && p.file_name().is_some_and(|n| !n.as_encoded_bytes().starts_with(b"."))
        };
        files = entries.filter_map(|e| Some(e.ok()?.path())).filter(shown).collect();
        files.sort();
    } else {
        files = vec![path.to_path_buf()];
        if path.with_file_name(TOKENIZER).exists() {
            // Beside a GGUF file, they are read with it.
            let beside = [TOKENIZER, TOKENIZER_CONFIG, TEMPLATE, GENERATION, CONFIG];
            let beside = beside.map(|name| path.with_file_name(name));
            files.extend(beside.into_iter().filter(|p| p.is_file()));
        }
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
