//! Gradient steps of a generator on an objective, from a checkpoint where there is one.

use crate::error::check_rules;
use crate::neural::finetune::{
    AdamW, Gradients, Metrics, Place, State, Trained, added, by_length, checkpoint, epoch, rate,
    shared,
};
use crate::neural::generator::Generator;
use crate::neural::parallel;
use crate::{Error, Result};
use candle_core::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// How a generator is tuned; the defaults are the paper's (Table 4), but for the batch, which is counted in
/// tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TuneConfig {
    /// Settles adapters' first weights and the order of the examples.
    pub seed: u64,
    /// Which weights are trained.
    pub trained: Trained,
    /// Passes over the examples.
    pub epochs: usize,
    /// AdamW's rate at the end of the warm-up; from there it falls to 0 along a cosine.
    pub learning_rate: f64,
    /// Share of the steps over which the rate rises from 0.
    pub warmup: f64,
    /// AdamW's decay.
    pub weight_decay: f64,
    /// Bound of the gradient's norm.
    pub clip: f64,
    /// Slots a batch: its examples times the longest of them.
    pub batch_tokens: usize,
    /// Batches a step.
    pub accumulate: usize,
    /// Batches computed at a time, each on one thread. The result does not depend on it.
    pub workers: usize,
    /// Steps between checkpoints.
    pub checkpoint_steps: usize,
}

impl Default for TuneConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            trained: Trained::default(),
            epochs: 1,
            learning_rate: 5e-7,
            warmup: 0.1,
            weight_decay: 0.0,
            clip: 1.0,
            batch_tokens: 1024,
            accumulate: 1,
            workers: 1,
            checkpoint_steps: 50,
        }
    }
}

impl TuneConfig {
    /// Checks that every setting is in range, for a model of so many layers.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the setting.
    pub fn check(&self, layers: usize) -> Result<()> {
        self.trained.check(layers)?;
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let rules = [
            ("epochs", self.epochs > 0, "choose at least 1"),
            ("learning_rate", positive(self.learning_rate), "choose a positive number"),
            ("warmup", (0.0..=1.0).contains(&self.warmup), "choose 0 to 1"),
            ("weight_decay", (0.0..=1.0).contains(&self.weight_decay), "choose 0 to 1"),
            ("clip", self.clip > 0.0, "choose a positive number"),
            ("batch_tokens", self.batch_tokens > 0, "choose at least 1"),
            ("accumulate", self.accumulate > 0, "choose at least 1"),
            ("workers", (1..=256).contains(&self.workers), "choose 1 to 256"),
            ("checkpoint_steps", self.checkpoint_steps > 0, "choose at least 1"),
        ];
        check_rules(rules)
    }
}

/// What a generator is tuned to: a mean of losses over examples.
pub trait Objective: Sync {
    /// Tokens of each example.
    fn lengths(&self) -> Vec<usize>;

    /// The sum of the losses of these examples by this generator, differentiable, and sums over them of what
    /// is to be watched, by name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an example that does not fit the model.
    fn loss(&self, generator: &Generator, examples: &[usize]) -> Result<(Tensor, Sums)>;

    /// Differs when an example differs.
    fn fingerprint(&self, hasher: &mut DefaultHasher);
}

/// Sums over examples, by name.
pub type Sums = BTreeMap<&'static str, f64>;

/// A prompt and the text that should follow, as tokens; the text ends with the token that ends texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Passage {
    /// What comes before, not empty.
    pub prompt: Vec<u32>,
    /// What should follow, not empty.
    pub text: Vec<u32>,
}

/// Supervised fine-tuning: −ln p(text | prompt) / tokens of the text, in nats a token.
#[derive(Clone, Debug)]
pub struct Likelihood(pub Vec<Passage>);

impl Objective for Likelihood {
    fn lengths(&self) -> Vec<usize> {
        self.0.iter().map(|p| p.prompt.len() + p.text.len() - 1).collect()
    }

    fn loss(&self, generator: &Generator, examples: &[usize]) -> Result<(Tensor, Sums)> {
        let pairs: Vec<(&[u32], &[u32])> =
            examples.iter().map(|&i| (&self.0[i].prompt[..], &self.0[i].text[..])).collect();
        let log_p = generator.log_probs(&pairs)?;
        let shares: Vec<f32> = pairs.iter().map(|(_, text)| -1.0 / text.len() as f32).collect();
        let shares = Tensor::new(shares, log_p.device())?;
        Ok(((log_p * shares)?.sum_all()?, Sums::new()))
    }

    fn fingerprint(&self, hasher: &mut DefaultHasher) {
        self.0.hash(hasher);
    }
}

/// Where tuning stands after a step; a line of metrics.jsonl.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Step, loss a example, rate, tokens, seconds.
    #[serde(flatten)]
    pub place: Place,
    /// Means over the step's examples of what the objective watches.
    #[serde(flatten)]
    pub means: Sums,
}

/// Tunes a copy of `generator` on `objective`, and returns it without variables, or `None` when `watch` broke
/// the run off. `generator` itself stays as it is: no weight is shared with what is trained.
///
/// `folder` holds checkpoint.safetensors and metrics.jsonl while the work goes on; a run that was stopped goes on
/// from there and ends, on a CPU, with the bits of one that was not.
///
/// # Errors
/// [`Error::Invalid`] for settings out of range, no examples, a checkpoint of another run or a loss that is not
/// finite; [`Error::Io`] for files that cannot be read or written.
pub fn tune(
    generator: &Generator,
    config: &TuneConfig,
    objective: &impl Objective,
    folder: &Path,
    watch: &mut dyn FnMut(&Report) -> ControlFlow<()>,
) -> Result<Option<Generator>> {
    config.check(generator.decoder().config().layers)?;
    let lengths = objective.lengths();
    if lengths.is_empty() {
        return Err(Error::invalid("examples", "there are none", "give at least one"));
    }
    fs::create_dir_all(folder).map_err(|e| Error::io("write", folder, e))?;
    let mut generator = generator.clone();
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let variables = config.trained.variables(generator.decoder_mut(), true, &mut rng)?;
    let mut adamw = AdamW::new(variables, config.weight_decay)?;
    let run = fingerprint(&generator, config, objective)?;
    let found = checkpoint::load(folder, &mut adamw, run)?;
    let mut state = found.unwrap_or(State { run, ..State::default() });
    let mut metrics = Metrics::open(folder, state.step)?;
    let a_pass = by_length(&lengths, config.batch_tokens).len().div_ceil(config.accumulate);
    let steps = config.epochs * a_pass;
    let (started, before) = (Instant::now(), state.seconds);
    while state.step < steps {
        let pass = state.step / a_pass;
        let batches = epoch(&lengths, config.batch_tokens, config.seed, pass);
        for step in batches.chunks(config.accumulate).skip(state.step % a_pass) {
            let count: usize = step.iter().map(Vec::len).sum();
            let (loss, sums, gradients) = whole(&generator, config, objective, step, &adamw)?;
            let watched = sums.iter().find(|(_, sum)| !sum.is_finite());
            if !loss.is_finite() || watched.is_some() {
                let place = watched.map_or("loss", |(name, _)| name);
                let problem = format!("it is no finite number at step {}", state.step + 1);
                let remedy = "lower the learning rate, or look for a damaged weight";
                return Err(Error::invalid(place, problem, remedy));
            }
            let rate = rate(config.learning_rate, config.warmup, state.step, steps);
            let norm = adamw.step(&gradients, config.clip, rate)?;
            state.step += 1;
            state.tokens += step.iter().flatten().map(|&i| lengths[i] as u64).sum::<u64>();
            state.seconds = before + started.elapsed().as_secs_f64();
            let place = Place {
                step: state.step,
                steps,
                epoch: pass + 1,
                loss,
                rate,
                norm,
                tokens: state.tokens,
                seconds: state.seconds,
            };
            let means = sums.into_iter().map(|(name, sum)| (name, sum / count as f64)).collect();
            let report = Report { place, means };
            metrics.write(&report)?;
            if state.step.is_multiple_of(config.checkpoint_steps) || state.step == steps {
                checkpoint::save(folder, &adamw, &state)?;
            }
            if watch(&report).is_break() {
                return Ok(None);
            }
        }
    }
    let merged = generator.decoder().merged()?;
    *generator.decoder_mut() = merged;
    Ok(Some(generator))
}

/// Parts of a tuning that leaves no file, to see how long they take in [`tune`].
pub(in crate::neural) struct Trial<'a, O> {
    generator: Generator,
    config: &'a TuneConfig,
    objective: &'a O,
    adamw: AdamW,
    last: Gradients,
}

impl<'a, O: Objective> Trial<'a, O> {
    /// As [`tune`] begins.
    pub fn new(generator: &Generator, config: &'a TuneConfig, objective: &'a O) -> Result<Self> {
        config.check(generator.decoder().config().layers)?;
        let mut generator = generator.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let variables = config.trained.variables(generator.decoder_mut(), true, &mut rng)?;
        let adamw = AdamW::new(variables, config.weight_decay)?;
        Ok(Self { generator, config, objective, adamw, last: Gradients::new() })
    }

    /// The gradients of the first so many examples; returns their tokens.
    pub fn gradients(&mut self, examples: usize) -> Result<usize> {
        let TuneConfig { batch_tokens, accumulate, workers, .. } = *self.config;
        let mut lengths = self.objective.lengths();
        lengths.truncate(examples);
        for step in shared(&lengths, batch_tokens, workers).chunks(accumulate) {
            let (generator, objective) = (&self.generator, self.objective);
            self.last = whole(generator, self.config, objective, step, &self.adamw)?.2;
        }
        Ok(lengths.iter().sum())
    }

    /// A step along the last of them.
    pub fn step(&mut self) -> Result<()> {
        self.adamw.step(&self.last, self.config.clip, self.config.learning_rate)?;
        Ok(())
    }
}

/// Mean loss, sums and gradients of a step's batches.
fn whole(
    generator: &Generator,
    config: &TuneConfig,
    objective: &impl Objective,
    step: &[Vec<usize>],
    adamw: &AdamW,
) -> Result<(f64, Sums, Gradients)> {
    let count: usize = step.iter().map(Vec::len).sum();
    let workers = parallel::workers(config.workers, generator.decoder().device());
    let parts = parallel::each(workers, step, |examples| {
        part(generator, objective, examples, count, adamw)
    })?;
    let (mut loss, mut sums) = (0.0, Sums::new());
    let mut gradients = Vec::new();
    for (part_loss, part_sums, part_gradients) in parts {
        loss += part_loss;
        part_sums.into_iter().for_each(|(name, v)| *sums.entry(name).or_default() += v);
        gradients.push(part_gradients);
    }
    Ok((loss, sums, added(gradients)?))
}

/// The mean loss's share of some of `count` examples, their sums and gradients.
fn part(
    generator: &Generator,
    objective: &impl Objective,
    examples: &[usize],
    count: usize,
    adamw: &AdamW,
) -> Result<(f64, Sums, Gradients)> {
    let (loss, sums) = objective.loss(generator, examples)?;
    let loss = (loss / count as f64)?;
    Ok((loss.to_scalar::<f32>()?.into(), sums, adamw.gradients(&loss)?))
}

fn fingerprint(
    generator: &Generator,
    config: &TuneConfig,
    objective: &impl Objective,
) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let config = TuneConfig { workers: 1, checkpoint_steps: 1, ..config.clone() };
    serde_json::json!(config).to_string().hash(&mut hasher);
    generator.decoder().fingerprint(&mut hasher)?;
    objective.fingerprint(&mut hasher);
    Ok(hasher.finish())
}
