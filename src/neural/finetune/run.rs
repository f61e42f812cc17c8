//! The loop: batches, gradients, steps, validation, checkpoints.

use super::activations::Activations;
use super::adamw::{AdamW, Gradients, added};
use super::batches::{Example, by_length, epoch, examples, row_weights, shared};
use super::checkpoint::{self, State};
use super::config::{FinetuneConfig, Loss, rate};
use super::layer_of;
use crate::data::{Language, Seeds};
use crate::metrics::{Confusion, auroc, choose_threshold};
use crate::neural::classifier::{Classifier, probabilities, score};
use crate::neural::decoder::{Batch, Decoder, Numbers, Tokenizer, trimmed};
use crate::neural::device_name;
use crate::neural::loss::{Target, row_losses, softmax_losses};
use crate::neural::parallel;
use crate::{Error, Result};
use candle_core::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Slots a batch when validating.
const VALIDATION_TOKENS: usize = 2048;

/// Where a training run stands after a step; a line of metrics.jsonl.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Place {
    /// Steps taken, from 1.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Passes begun, from 1.
    pub epoch: usize,
    /// Weighted mean loss of the step's rows before it, nats a row.
    pub loss: f64,
    /// Learning rate of the step.
    pub rate: f64,
    /// Norm of the gradient before it was clipped.
    pub norm: f64,
    /// Tokens trained on so far.
    pub tokens: u64,
    /// Seconds so far, without the caching of activations.
    pub seconds: f64,
}

/// Scores on validation rows after an epoch; a line of metrics.jsonl.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// Passes made.
    pub epoch: usize,
    /// Steps taken.
    pub step: usize,
    /// Mean loss, nats a row.
    pub loss: f64,
    /// F1 of the unsafe class at threshold 0.5.
    pub f1: f64,
    /// Area under the ROC curve, where rows of both labels are.
    pub auroc: Option<f64>,
    /// Threshold of the best F1 on these rows.
    pub threshold: Option<f32>,
    /// F1 at 0.5 by language.
    pub f1_by_language: BTreeMap<Language, f64>,
}

/// What a run tells its watcher.
#[derive(Clone, Debug)]
pub enum Event {
    /// Tokens that have gone through the frozen layers, and all that will.
    Caching(usize, usize),
    /// After a step.
    Step(Place),
    /// After an epoch.
    Epoch(Validation),
}

/// Trains a classifier on `seeds.train` and returns that of the epoch with the best F1 on
/// `seeds.validation`, or `None` when `watch` broke the run off.
///
/// `folder` holds checkpoint.safetensors, metrics.jsonl, kept activations and, in `model/`, the best
/// classifier so far. With `resume`, a run that was stopped goes on from its last checkpoint; on a CPU
/// every weight then comes out with the bits of a run that was never stopped, whatever the number of
/// workers. The decoder must be dense: f32, or bf16 on a GPU, where weights and moments are kept in f32.
///
/// # Errors
/// [`Error::Invalid`] for settings out of range, rows that are missing, a checkpoint of another run, or
/// a gradient that is not finite; [`Error::Io`] for files that cannot be read or written.
pub fn finetune(
    decoder: Decoder,
    tokenizer: Tokenizer,
    config: &FinetuneConfig,
    seeds: &Seeds,
    folder: &Path,
    resume: bool,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Option<Classifier>> {
    let (classifier, rng) = untrained(decoder, tokenizer, config, seeds)?;
    go(classifier, rng, config, seeds, folder, resume, watch)
}

/// A classifier as it is before the first step, and the randomness that goes on from there.
fn untrained(
    decoder: Decoder,
    tokenizer: Tokenizer,
    config: &FinetuneConfig,
    seeds: &Seeds,
) -> Result<(Classifier, ChaCha8Rng)> {
    config.check(decoder.config())?;
    let (decoder, tokenizer) = match config.trim_vocabulary {
        true => {
            let less = trimmed(&decoder, &tokenizer, used(&tokenizer, config, seeds)?)?;
            drop(decoder); // its embeddings
            less
        }
        false => (decoder, tokenizer),
    };
    let decoder = match config.depth {
        Some(depth) => shortened(decoder, depth)?,
        None => decoder,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let classifier = Classifier::new(decoder, tokenizer, config.reading.clone(), &mut rng)?;
    Ok((classifier, rng))
}

/// The same from a trained classifier, which reads, and is as deep, as it was; its vocabulary stays too.
///
/// # Errors
/// As [`finetune`].
pub fn finetune_from(
    classifier: Classifier,
    config: &FinetuneConfig,
    seeds: &Seeds,
    folder: &Path,
    resume: bool,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Option<Classifier>> {
    let config = FinetuneConfig {
        reading: classifier.about().reading.clone(),
        depth: None,
        trim_vocabulary: false,
        ..config.clone()
    };
    config.check(classifier.decoder().config())?;
    let rng = ChaCha8Rng::seed_from_u64(config.seed);
    go(classifier, rng, &config, seeds, folder, resume, watch)
}

fn go(
    classifier: Classifier,
    rng: ChaCha8Rng,
    config: &FinetuneConfig,
    seeds: &Seeds,
    folder: &Path,
    resume: bool,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Option<Classifier>> {
    if seeds.train.is_empty() || seeds.validation.is_empty() {
        let remedy = "give rows to train on and rows to validate with";
        return Err(Error::invalid("seeds", "rows are missing", remedy));
    }
    let (run, adamw) = Run::new(classifier, rng, config, seeds, folder)?;
    run.go(adamw, resume, watch)
}

/// Parts of a training that leaves no file, to see how long they take in [`finetune`].
pub(in crate::neural) struct Trial<'a> {
    run: Run<'a>,
    adamw: AdamW,
    last: Gradients,
}

impl<'a> Trial<'a> {
    /// As [`finetune`] begins on these rows.
    pub fn new(
        decoder: Decoder,
        tokenizer: Tokenizer,
        config: &'a FinetuneConfig,
        seeds: &Seeds,
    ) -> Result<Self> {
        let (classifier, rng) = untrained(decoder, tokenizer, config, seeds)?;
        let (run, adamw) = Run::new(classifier, rng, config, seeds, Path::new(""))?;
        Ok(Self { run, adamw, last: Gradients::new() })
    }

    /// The gradients of the first so many rows; returns their tokens.
    pub fn gradients(&mut self, rows: usize) -> Result<usize> {
        let FinetuneConfig { batch_tokens, accumulate, workers, .. } = *self.run.config;
        let lengths: Vec<usize> =
            self.run.examples.iter().take(rows).map(|e| e.ids.len()).collect();
        for step in shared(&lengths, batch_tokens, workers).chunks(accumulate) {
            self.last = self.run.gradients(step, None, &self.adamw)?.gradients;
        }
        Ok(lengths.iter().sum())
    }

    /// A step along the last of them.
    pub fn step(&mut self) -> Result<()> {
        let FinetuneConfig { clip, learning_rate, .. } = *self.run.config;
        self.adamw.step(&self.last, clip, learning_rate)?;
        Ok(())
    }

    /// The classifier so far.
    pub fn classifier(&self) -> Classifier {
        self.run.classifier.frozen()
    }
}

/// The tokens of all training texts, and of what is put around them.
fn used(tokenizer: &Tokenizer, config: &FinetuneConfig, seeds: &Seeds) -> Result<BTreeSet<u32>> {
    let (plain, mut used) = (tokenizer.clone().plain(), BTreeSet::new());
    for row in &seeds.train {
        used.extend(plain.encode_piece(&row.text)?);
    }
    for part in [&config.reading.before, &config.reading.after] {
        used.extend(tokenizer.encode_piece(part)?);
    }
    Ok(used)
}

/// The first layers of a decoder and its last norm.
fn shortened(decoder: Decoder, depth: usize) -> Result<Decoder> {
    let mut config = decoder.config().clone();
    config.layers = depth;
    config.windows.truncate(depth);
    let mut weights = decoder.weights().clone();
    weights.retain(|name, _| layer_of(name).is_none_or(|layer| layer < depth));
    Decoder::new(config, weights)
}

struct Run<'a> {
    config: &'a FinetuneConfig,
    /// The decoder without variables, for the frozen layers.
    base: Decoder,
    /// The first trained layer; `None` when the embeddings are trained too.
    first: Option<usize>,
    classifier: Classifier,
    /// Training rows, then validation rows.
    examples: Vec<Example>,
    /// Number of training rows.
    train: usize,
    folder: &'a Path,
}

/// What one batch contributes to a step.
struct Part {
    loss: f64,
    tokens: usize,
    gradients: Gradients,
}

impl<'a> Run<'a> {
    fn new(
        mut classifier: Classifier,
        mut rng: ChaCha8Rng,
        config: &'a FinetuneConfig,
        seeds: &Seeds,
        folder: &'a Path,
    ) -> Result<(Self, AdamW)> {
        let mut variables = config.trained.variables(classifier.decoder_mut(), false, &mut rng)?;
        variables.extend(classifier.head_variables()?);
        let base = classifier.decoder().frozen();
        let adamw = AdamW::new(variables, config.weight_decay)?;

        let weights = row_weights(&seeds.train, config.unsafe_odds, config.language_balance);
        let mut all = examples(&classifier, &seeds.train, &weights)?;
        let train = all.len();
        all.extend(examples(&classifier, &seeds.validation, &vec![1.0; seeds.validation.len()])?);
        let first =
            (!config.trained.embeddings).then(|| config.trained.first(base.config().layers));
        Ok((Self { config, base, first, classifier, examples: all, train, folder }, adamw))
    }

    fn go(
        mut self,
        mut adamw: AdamW,
        resume: bool,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Option<Classifier>> {
        let io = |e| Error::io("write", self.folder, e);
        fs::create_dir_all(self.folder).map_err(io)?;
        let kept = match self.keep(watch)? {
            ControlFlow::Break(()) => return Ok(None),
            ControlFlow::Continue(kept) => kept,
        };
        let run = self.fingerprint()?;
        let found = match resume {
            true => checkpoint::load(self.folder, &mut adamw, run)?,
            false => checkpoint::remove(self.folder)?,
        };
        let mut state = found.unwrap_or(State { run, ..State::default() });
        let mut metrics = Metrics::open(self.folder, state.step)?;

        let lengths: Vec<usize> = self.examples.iter().map(|e| e.ids.len()).collect();
        let (budget, seed) = (self.config.batch_tokens, self.config.seed);
        let lengths = &lengths[..self.train];
        let a_pass = by_length(lengths, budget).len().div_ceil(self.config.accumulate);
        let steps = self.config.epochs * a_pass;
        let started = Instant::now();
        let before = state.seconds;
        while state.step < steps {
            let pass = state.step / a_pass;
            let batches = epoch(lengths, budget, seed, pass);
            for step in batches.chunks(self.config.accumulate).skip(state.step % a_pass) {
                let rate = rate(self.config.learning_rate, self.config.warmup, state.step, steps);
                let total = self.gradients(step, kept.as_ref(), &adamw)?;
                let norm = adamw.step(&total.gradients, self.config.clip, rate)?;
                state.step += 1;
                state.tokens += total.tokens as u64;
                state.seconds = before + started.elapsed().as_secs_f64();
                let place = Place {
                    step: state.step,
                    steps,
                    epoch: pass + 1,
                    loss: total.loss,
                    rate,
                    norm,
                    tokens: state.tokens,
                    seconds: state.seconds,
                };
                metrics.write(&place)?;
                if watch(Event::Step(place)).is_break() {
                    return Ok(None);
                }
                let over = state.step.is_multiple_of(a_pass);
                if !over && state.step.is_multiple_of(self.config.checkpoint_steps) {
                    checkpoint::save(self.folder, &adamw, &state)?;
                }
            }
            let validation = self.validate(pass + 1, state.step, kept.as_ref())?;
            if state.best.is_none_or(|best| validation.f1 > best) {
                state.best = Some(validation.f1);
                self.save(&validation, &state)?;
            }
            state.seconds = before + started.elapsed().as_secs_f64();
            // Before the checkpoint: a run that goes on drops lines after it, but writes none before it.
            metrics.write(&validation)?;
            checkpoint::save(self.folder, &adamw, &state)?;
            if watch(Event::Epoch(validation)).is_break() {
                return Ok(None);
            }
        }
        let (dtype, device) = (Numbers::Dense(self.base.dtype()), self.base.device().clone());
        let model = self.folder.join("model");
        // Twice the model's size while it is read: not on top of the training's memory.
        drop((self, adamw, kept));
        Ok(Some(Classifier::load(model, dtype, &device)?))
    }

    /// Computes the frozen layers' activations of all rows, where that is wanted.
    fn keep(
        &self,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), Option<Activations>>> {
        let (Some(cache), Some(first @ 1..)) = (self.config.cache, self.first) else {
            return Ok(ControlFlow::Continue(None));
        };
        let sequences: Vec<&[u32]> = self.examples.iter().map(|e| e.ids.as_slice()).collect();
        let mut tell = |done, all| watch(Event::Caching(done, all)).is_continue();
        let (base, dtype) = (&self.base, cache.dtype());
        let kept = Activations::of(
            base,
            first,
            &sequences,
            dtype,
            self.folder,
            self.workers(),
            &mut tell,
        )?;
        Ok(match kept {
            None => ControlFlow::Break(()),
            kept => ControlFlow::Continue(kept),
        })
    }

    fn workers(&self) -> usize {
        parallel::workers(self.config.workers, self.base.device())
    }

    /// Settings and rows, as far as the result depends on them.
    fn fingerprint(&self) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        let config = FinetuneConfig { workers: 1, checkpoint_steps: 1, ..self.config.clone() };
        serde_json::json!(config).to_string().hash(&mut hasher);
        self.base.fingerprint(&mut hasher)?;
        for example in &self.examples {
            (&example.ids, example.weight.to_bits()).hash(&mut hasher);
            format!("{:?}", example.target).hash(&mut hasher);
        }
        self.train.hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// Logits of some rows by `classifier`: ours, or ours without variables.
    fn logits(
        &self,
        classifier: &Classifier,
        rows: &[usize],
        kept: Option<&Activations>,
    ) -> Result<Tensor> {
        let decoder = classifier.decoder();
        let chosen: Vec<&[u32]> = rows.iter().map(|&i| self.examples[i].ids.as_slice()).collect();
        let batch = Batch::new(&chosen)?;
        let x = match (self.first, kept) {
            (None, _) => decoder.embed(&batch)?,
            (Some(_), Some(kept)) => kept.read(rows, decoder.dtype(), decoder.device())?,
            (Some(first), None) => self.base.layers(&self.base.embed(&batch)?, &batch, 0..first)?,
        };
        classifier.logits(&decoder.last(&x, &batch, self.first.unwrap_or(0))?)
    }

    /// Loss of each of some rows.
    fn losses(&self, logits: &Tensor, rows: &[usize]) -> Result<Tensor> {
        let targets: Vec<Target> = rows.iter().map(|&i| self.examples[i].target).collect();
        match self.config.loss {
            Loss::Bce => row_losses(logits, &targets, self.config.negative_weight),
            Loss::Softmax => softmax_losses(logits, &targets),
        }
    }

    /// Loss and gradients of a step.
    fn gradients(
        &self,
        step: &[Vec<usize>],
        kept: Option<&Activations>,
        adamw: &AdamW,
    ) -> Result<Part> {
        let rows: usize = step.iter().map(Vec::len).sum();
        let parts =
            parallel::each(self.workers(), step, |batch| self.part(batch, rows, kept, adamw))?;
        sum(parts)
    }

    /// A batch's share of the weighted mean loss over a step of `all` rows, with its gradients.
    fn part(
        &self,
        rows: &[usize],
        all: usize,
        kept: Option<&Activations>,
        adamw: &AdamW,
    ) -> Result<Part> {
        let weights: Vec<f32> =
            rows.iter().map(|&i| self.examples[i].weight / all as f32).collect();
        let losses = self.losses(&self.logits(&self.classifier, rows, kept)?, rows)?;
        let weights = Tensor::from_vec(weights, rows.len(), losses.device())?;
        let loss = (losses * weights)?.sum_all()?;
        let gradients = adamw.gradients(&loss)?;
        let tokens = rows.iter().map(|&i| self.examples[i].ids.len()).sum();
        Ok(Part { loss: loss.to_scalar::<f32>()?.into(), tokens, gradients })
    }

    fn validate(
        &self,
        epoch: usize,
        step: usize,
        kept: Option<&Activations>,
    ) -> Result<Validation> {
        let classifier = self.classifier.frozen();
        let lengths: Vec<usize> = self.examples[self.train..].iter().map(|e| e.ids.len()).collect();
        let mut batches = by_length(&lengths, VALIDATION_TOKENS);
        batches.iter_mut().flatten().for_each(|i| *i += self.train);
        let scored = parallel::each(self.workers(), &batches, |rows| {
            let logits = self.logits(&classifier, rows, kept)?;
            let losses = self.losses(&logits, rows)?.to_vec1::<f32>()?;
            Ok((losses, probabilities(&logits)?))
        })?;
        let (mut loss, mut scores, mut labels) = (0.0, Vec::new(), Vec::new());
        let mut by_language: BTreeMap<Language, (Vec<f32>, Vec<bool>)> = BTreeMap::new();
        for (rows, (losses, p)) in batches.iter().zip(scored) {
            loss += losses.iter().map(|&l| f64::from(l)).sum::<f64>();
            for (&i, p) in rows.iter().zip(p) {
                let label = self.examples[i].target != Target::Safe;
                let entry = by_language.entry(self.examples[i].language).or_default();
                entry.0.push(score(p));
                entry.1.push(label);
                scores.push(score(p));
                labels.push(label);
            }
        }
        let f1 = |scores: &[f32], labels: &[bool]| {
            Ok::<_, Error>(Confusion::at(0.5, scores, labels)?.f1())
        };
        let both = labels.contains(&true);
        Ok(Validation {
            epoch,
            step,
            loss: loss / labels.len() as f64,
            f1: f1(&scores, &labels)?,
            auroc: auroc(&scores, &labels)?,
            threshold: both.then(|| choose_threshold(&scores, &labels)).transpose()?,
            f1_by_language: by_language
                .iter()
                .map(|(&language, (scores, labels))| Ok((language, f1(scores, labels)?)))
                .collect::<Result<_>>()?,
        })
    }

    fn save(&mut self, validation: &Validation, state: &State) -> Result<()> {
        let about = self.classifier.about_mut();
        about.chosen_threshold = validation.threshold;
        about.training = serde_json::json!({
            "settings": self.config,
            "rows": self.train,
            "tokens": state.tokens,
            "minutes": (state.seconds / 6.0).round() / 10.0,
            "device": device_name(self.base.device()),
            "validation": validation,
        });
        self.classifier.save(self.folder.join("model"))
    }
}

/// The parts added in their order.
fn sum(parts: Vec<Part>) -> Result<Part> {
    let (loss, tokens) =
        parts.iter().fold((0.0, 0), |(l, t), part| (l + part.loss, t + part.tokens));
    let gradients = added(parts.into_iter().map(|part| part.gradients).collect())?;
    Ok(Part { loss, tokens, gradients })
}

/// metrics.jsonl: a line a step and epoch.
pub(in crate::neural) struct Metrics(fs::File, PathBuf);

impl Metrics {
    /// Keeps the lines of the first `steps` steps of an earlier run.
    pub(in crate::neural) fn open(folder: &Path, steps: usize) -> Result<Self> {
        let path = folder.join("metrics.jsonl");
        let old =
            if steps > 0 { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let step = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line.get("step")?.as_u64()
        };
        let kept: String = old
            .lines()
            .filter(|line| step(line).is_some_and(|step| step <= steps as u64))
            .flat_map(|line| [line, "\n"])
            .collect();
        crate::report::write_atomically(&path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path);
        Ok(Self(file.map_err(|e| Error::io("write", &path, e))?, path))
    }

    pub(in crate::neural) fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let line = format!("{}\n", serde_json::json!(line));
        self.0.write_all(line.as_bytes()).map_err(|e| Error::io("write", &self.1, e))
    }
}
