//! Direct preference optimisation: the loss, its references, and what its optimum is.

use super::tune::{Objective, Report, Sums, TuneConfig, tune};
use crate::neural::generator::Generator;
use crate::neural::{finetune::by_length, parallel};
use crate::{Error, Result};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::Path;

/// The loss of preferences. With T = tau + beta, a pair (a, b) of which a is preferred with probability w, and the
/// reference log R = (tau ln p_t + beta ln r) / T, m = T \[ln p(a)/R(a) − ln p(b)/R(b)\]:
///
/// loss = −w ln σ(m) − (1 − w) ln σ(−m) − alpha ln p(a) / tokens of a, in nats.
///
/// tau = 0 is the paper's update (beta 0.01, alpha 0.4; Section 3, Table 4), whose optimum over all laws, where
/// w = σ(ℓ(a) − ℓ(b)) (see [`bradley_terry`]) and alpha = 0, is the best reply ∝ r exp(ℓ / beta). tau > 0 is the
/// proximal update, whose optimum is ∝ (p_t^tau r^beta e^ℓ)^(1/T): for ℓ = −ln q, Definition 4 of
/// `theory/convergence.md`, which converges for every beta > 0 from tau = 1 on (Theorem A). beta = 0 takes the current
/// generator as the reference (iterated DPO).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dpo {
    /// Weight of the divergence from the current generator, in nats.
    pub tau: f64,
    /// Weight of the divergence from the base, in nats.
    pub beta: f64,
    /// Weight of the preferred text's likelihood (RPO; Liu et al., 2024).
    pub alpha: f64,
}

impl Default for Dpo {
    fn default() -> Self {
        Self { tau: 0.0, beta: 0.01, alpha: 0.4 }
    }
}

impl Dpo {
    /// Checks that the weights make a loss.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a weight that is negative or no number, and for tau + beta = 0.
    pub fn check(&self) -> Result<()> {
        for (name, value) in [("tau", self.tau), ("beta", self.beta), ("alpha", self.alpha)] {
            if !(value >= 0.0 && value.is_finite()) {
                let problem = format!("{value} is no weight");
                return Err(Error::invalid(name, problem, "choose a number from 0 on"));
            }
        }
        match self.temperature() > 0.0 {
            true => Ok(()),
            false => Err(Error::invalid("beta", "tau + beta is 0", "choose one of them above 0")),
        }
    }

    /// T = tau + beta.
    pub fn temperature(&self) -> f64 {
        self.tau + self.beta
    }

    /// log R of a text from ln p_t and ln r of it.
    pub fn reference(&self, current: f64, base: f64) -> f64 {
        // Not 0 · (−∞).
        let part = |weight: f64, log: f64| if weight == 0.0 { 0.0 } else { weight * log };
        (part(self.tau, current) + part(self.beta, base)) / self.temperature()
    }
}

/// Probability that a text of loss `a` is preferred to one of loss `b` (Bradley and Terry, 1952, with the
/// opponent's loss in nats as the reward): 1 / (1 + e^(b − a)).
pub fn bradley_terry(a: f64, b: f64) -> f64 {
    1.0 / (1.0 + (b - a).exp())
}

/// Two texts after one prompt, as tokens, each ending with the token that ends texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// What comes before, not empty.
    pub prompt: Vec<u32>,
    /// The preferred text and the other, not empty.
    pub texts: [Vec<u32>; 2],
    /// Probability that the first is preferred: 1 where a verdict says so.
    pub preferred: f64,
}

/// Pairs and what the references say of them.
#[derive(Clone, Debug)]
pub struct Preferences {
    dpo: Dpo,
    pairs: Vec<Pair>,
    /// log R of both texts.
    references: Vec<[f64; 2]>,
    /// ln p of both texts by the current generator, where it was asked.
    before: Option<Vec<[f64; 2]>>,
    /// The base, hashed.
    base: u64,
}

/// Slots a batch when texts are weighed.
const BATCH_TOKENS: usize = 1024;

impl Preferences {
    /// Pairs, with log R by the current and the base generator, neither of which is kept: both are weighed once,
    /// here, or one where they are the same. The base is not asked when beta is 0, the current one not when tau is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for weights out of range, for no pairs, and for pairs that do not fit the models.
    pub fn new(dpo: Dpo, pairs: Vec<Pair>, current: &Generator, base: &Generator) -> Result<Self> {
        dpo.check()?;
        if pairs.is_empty() {
            let problem =
                "no pair could be built: of no seed is one candidate preferred to another";
            let remedy = "look at what the filters dropped; a game with more candidates or seeds needs a folder of \
                          its own";
            return Err(Error::invalid("preferences", problem, remedy));
        }
        let hash = |generator: &Generator| -> Result<u64> {
            let mut hasher = DefaultHasher::new();
            generator.decoder().fingerprint(&mut hasher)?;
            Ok(hasher.finish())
        };
        let hashed = hash(base)?;
        let same = hash(current)? == hashed;
        let before = match dpo.tau > 0.0 || same {
            true => Some(log_probs(current, &pairs)?),
            false => None,
        };
        let none = || vec![[0.0; 2]; pairs.len()];
        let of_base = match (&before, dpo.beta > 0.0) {
            (Some(before), true) if same => before.clone(),
            (_, true) => log_probs(base, &pairs)?,
            (_, false) => none(),
        };
        let of_current = before.clone().unwrap_or_else(none);
        let both = of_current.iter().zip(&of_base);
        let references = both.map(|(c, b)| [0, 1].map(|k| dpo.reference(c[k], b[k]))).collect();
        Ok(Self { dpo, pairs, references, before, base: hashed })
    }
}

/// Nats by which a generator must have moved ln p(a)/p(b) of its pairs, in the mean.
const LEAST_MOVE: f64 = 1e-3;

/// The generator's next move: a copy of `current` tuned on the pairs (see [`Dpo`] and [`tune`]).
///
/// # Errors
/// Those of [`Preferences::new`] and [`tune`]; [`Error::Invalid`] when the loss stays at ln 2, where a loss stays
/// that reaches no weight.
pub fn optimise(
    dpo: Dpo,
    pairs: Vec<Pair>,
    current: &Generator,
    base: &Generator,
    config: &TuneConfig,
    folder: &Path,
    watch: &mut dyn FnMut(&Report) -> ControlFlow<()>,
) -> Result<Option<Generator>> {
    let preferences = Preferences::new(dpo, pairs, current, base)?;
    let tuned = tune(current, config, &preferences, folder, watch)?;
    let Some(tuned) = tuned else { return Ok(None) };
    let before = match preferences.before {
        Some(before) => before,
        None => log_probs(current, &preferences.pairs)?,
    };
    let after = log_probs(&tuned, &preferences.pairs)?;
    let contrast = |[a, b]: [f64; 2]| a - b;
    let moves = before.into_iter().zip(after).map(|(p, q)| (contrast(q) - contrast(p)).abs());
    let moved = moves.sum::<f64>() / preferences.pairs.len() as f64;
    if moved < LEAST_MOVE {
        let problem =
            format!("the pairs' contrasts moved by {moved:.1e} nats only: the loss stays at ln 2");
        let remedy =
            "raise the learning rate or the number of epochs, for a game in a folder of its own";
        return Err(Error::invalid("generator", problem, remedy));
    }
    Ok(Some(tuned))
}

/// ln p of both texts of every pair.
fn log_probs(generator: &Generator, pairs: &[Pair]) -> Result<Vec<[f64; 2]>> {
    let mut frozen = generator.clone();
    *frozen.decoder_mut() = generator.decoder().frozen();
    let lengths: Vec<usize> = pairs.iter().map(length).collect();
    let batches = by_length(&lengths, BATCH_TOKENS);
    let threads = parallel::threads(frozen.decoder().device());
    let weighed = parallel::each(threads, &batches, |rows| {
        Ok(frozen.log_probs(&both(pairs, rows))?.to_vec1::<f32>()?)
    })?;
    let mut all = vec![[0.0; 2]; pairs.len()];
    for (rows, log_p) in batches.iter().zip(weighed) {
        for (&i, two) in rows.iter().zip(log_p.as_chunks::<2>().0) {
            all[i] = two.map(f64::from);
        }
    }
    Ok(all)
}

/// The two texts of each of some pairs, after each other.
fn both<'a>(pairs: &'a [Pair], rows: &[usize]) -> Vec<(&'a [u32], &'a [u32])> {
    let texts = |i: &usize| {
        let Pair { prompt, texts, .. } = &pairs[*i];
        texts.iter().map(move |text| (&prompt[..], &text[..]))
    };
    rows.iter().flat_map(texts).collect()
}

fn length(pair: &Pair) -> usize {
    let [a, b] = &pair.texts;
    2 * (pair.prompt.len() + a.len().max(b.len()))
}

/// ln σ(x) = −ln(e^0 + e^−x), without overflow. Not by min(x, 0) and |x|, whose gradients candle adds to 1 instead of
/// ½ at 0, where every tuning begins.
fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    let both = Tensor::stack(&[x.zeros_like()?, x.neg()?], 0)?;
    Ok(both.log_sum_exp(0)?.neg()?)
}

impl Objective for Preferences {
    fn lengths(&self) -> Vec<usize> {
        self.pairs.iter().map(length).collect()
    }

    fn loss(&self, generator: &Generator, examples: &[usize]) -> Result<(Tensor, Sums)> {
        let log_p = generator.log_probs(&both(&self.pairs, examples))?.reshape(((), 2))?;
        let device = log_p.device();
        let column = |values: Vec<f64>| {
            let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
            Tensor::new(values, device)
        };
        let of = |f: &dyn Fn(usize) -> f64| column(examples.iter().map(|&i| f(i)).collect());
        let (first, second) =
            (log_p.narrow(1, 0, 1)?.squeeze(1)?, log_p.narrow(1, 1, 1)?.squeeze(1)?);
        let known = of(&|i| self.references[i][0] - self.references[i][1])?;
        let moved = ((&first - second)? - known)?;
        let margin = (&moved * self.dpo.temperature())?;
        let preferred = of(&|i| self.pairs[i].preferred)?;
        let rest = of(&|i| 1.0 - self.pairs[i].preferred)?;
        let won = (log_sigmoid(&margin)? * &preferred)?;
        let lost = (log_sigmoid(&margin.neg()?)? * &rest)?;
        let contrast = (won + lost)?.neg()?;
        let per_token = of(&|i| -1.0 / self.pairs[i].texts[0].len() as f64)?;
        let imitation = (&first * per_token)?;
        let loss = (&contrast + (&imitation * self.dpo.alpha)?)?.sum_all()?;

        let numbers = |t: &Tensor| Ok::<_, Error>(t.detach().to_vec1::<f32>()?);
        let sum = |t: &Tensor| Ok::<_, Error>(numbers(t)?.iter().map(|&v| f64::from(v)).sum());
        let right = |(&i, m): (&usize, f32)| {
            f64::from(u8::from((m > 0.0) == (self.pairs[i].preferred > 0.5)))
        };
        let accuracy = examples.iter().zip(numbers(&margin)?).map(right).sum();
        let sums = Sums::from([
            ("preference_loss", sum(&contrast)?),
            ("margin", sum(&margin)?),
            ("accuracy", accuracy),
            ("moved", sum(&moved.abs()?)?),
            ("preferred_nats_a_token", sum(&imitation)?),
        ]);
        Ok((loss, sums))
    }

    fn fingerprint(&self, hasher: &mut DefaultHasher) {
        for pair in &self.pairs {
            (&pair.prompt, &pair.texts, pair.preferred.to_bits()).hash(hasher);
        }
        // Not the references: another processor rounds them otherwise.
        self.base.hash(hasher);
        [self.dpo.tau, self.dpo.beta, self.dpo.alpha].map(f64::to_bits).hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn the_gradient_of_the_log_of_a_sigmoid_is_right_at_0_too() {
        let x = Var::new(&[-200.0_f64, -1.0, 0.0, 2.0, 200.0], &Device::Cpu).unwrap();
        let y = log_sigmoid(&x).unwrap();
        let gradients = y.sum_all().unwrap().backward().unwrap();
        let slopes = gradients.get(&x).unwrap().to_vec1::<f64>().unwrap();
        let values = y.to_vec1::<f64>().unwrap();
        for (x, (value, slope)) in
            x.to_vec1::<f64>().unwrap().into_iter().zip(values.into_iter().zip(slopes))
        {
            let known = if x < -100.0 { x } else { -(-x).exp().ln_1p() };
            assert!((value - known).abs() < 1e-12, "{x}: {value}");
            assert!((slope - 1.0 / (1.0 + x.exp())).abs() < 1e-12, "{x}: {slope}");
        }
    }
}
