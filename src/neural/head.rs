//! The part of a guardrail that knows meanings: one hidden layer above the frozen encoder.

use super::encoder::{Encoder, WIDTH};
use super::loss::{OUTPUTS, START_BIAS, Target, row_losses};
use super::train::Step;
use crate::Result;
use crate::data::Row;
use crate::error::check_rules;
use candle_core::{Device, Tensor, Var};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// While it is trained an output is its own part plus one that all share, as in the n-gram table.
const PARTS: usize = OUTPUTS + 1;
/// The hidden layer above the [`Encoder`], and how it learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// Hidden units.
    pub width: usize,
    /// Passes over the training rows.
    pub epochs: usize,
    /// Rows a step.
    pub batch: usize,
    /// AdamW's rate at the first step; it falls linearly to 0 at the last.
    pub learning_rate: f32,
    /// AdamW's decay of weights, a step and unit of rate.
    pub weight_decay: f32,
    /// Chance of an input or a hidden unit to be silent, each time a row is trained on; below 1.
    pub dropout: f32,
    /// Share of the head in a guardrail's logits; the n-grams have the rest. 0..=1.
    pub share: f32,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self {
            width: 512,
            epochs: 5,
            batch: 256,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            dropout: 0.3,
            share: 0.5,
        }
    }
}

impl HeadConfig {
    pub(super) fn check(&self) -> Result<()> {
        let fraction = |x: f32| (0.0..=1.0).contains(&x);
        let rules = [
            ("head.width", (1..=1 << 16).contains(&self.width), "choose 1 to 65536"),
            ("head.epochs", self.epochs >= 1, "choose at least 1"),
            ("head.batch", self.batch >= 1, "choose at least 1"),
            ("head.learning_rate", fraction(self.learning_rate), "choose 0 to 1"),
            ("head.weight_decay", fraction(self.weight_decay), "choose 0 to 1"),
            ("head.dropout", fraction(self.dropout) && self.dropout < 1.0, "choose 0 to below 1"),
            ("head.share", fraction(self.share), "choose 0 to 1"),
        ];
        check_rules(rules)
    }
}

/// relu(encoding · hidden + hidden_bias) · out + out_bias
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) encoder: Arc<Encoder>,
    /// `(512, width)`
    pub(super) hidden: Tensor,
    pub(super) hidden_bias: Tensor,
    /// `(width, 12)`
    pub(super) out: Tensor,
    pub(super) out_bias: Tensor,
}

impl Head {
    /// Logits `(texts, 12)`.
    pub(super) fn logits<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Tensor> {
        let encoded = encodings(&self.encoder, texts)?;
        let encoded = Tensor::from_vec(encoded, (texts.len(), WIDTH), &Device::Cpu)?;
        let hidden = encoded.matmul(&self.hidden)?.broadcast_add(&self.hidden_bias)?.relu()?;
        Ok(hidden.matmul(&self.out)?.broadcast_add(&self.out_bias)?)
    }

    /// The same head with its logits multiplied by `factor`.
    pub(super) fn scaled(self, factor: f32) -> Result<Self> {
        let out = (&self.out * f64::from(factor))?;
        let out_bias = (&self.out_bias * f64::from(factor))?;
        Ok(Self { out, out_bias, ..self })
    }

    /// Trains on the rows, each with its weight; the encoder stays as it is.
    pub(super) fn train(
        config: &HeadConfig,
        negative_weight: f64,
        encoder: Arc<Encoder>,
        (rows, weights): (&[Row], &[f32]),
        seed: u64,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Self> {
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let targets: Vec<Target> = rows.iter().map(Target::of).collect();
        let inputs = encodings(&encoder, &texts)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let width = config.width;
        let bound = 1.0 / (WIDTH as f32).sqrt();
        let uniform = |count: usize, bound: f32, rng: &mut ChaCha8Rng| {
            (0..count).map(|_| rng.random_range(-bound..=bound)).collect::<Vec<f32>>()
        };
        let mut start_bias = vec![START_BIAS; OUTPUTS];
        start_bias.push(0.0);
        // The shared part starts at random: hidden units at 0 everywhere would not learn.
        let shared = uniform(width, 1.0 / (width as f32).sqrt(), &mut rng);
        let out: Vec<f32> =
            shared.iter().flat_map(|&s| [&[0.0; OUTPUTS][..], &[s]].concat()).collect();
        let mut parameters = [
            AdamW::new(
                uniform(WIDTH * width, bound, &mut rng),
                config.weight_decay,
                (WIDTH, width),
            )?,
            AdamW::new(vec![0.0; width], 0.0, (1, width))?,
            AdamW::new(out, config.weight_decay, (width, PARTS))?,
            AdamW::new(start_bias, 0.0, (1, PARTS))?,
        ];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let total = config.epochs * rows.len().div_ceil(config.batch);
        let mut done = 0;
        for _ in 0..config.epochs {
            order.shuffle(&mut rng);
            for batch in order.chunks(config.batch) {
                let cpu = &Device::Cpu;
                let kept = 1.0 - config.dropout;
                let mut mask = |count: usize| {
                    let one = |_| if rng.random::<f32>() < kept { 1.0 / kept } else { 0.0 };
                    (0..count).map(one).collect::<Vec<f32>>()
                };
                let mut x = mask(batch.len() * WIDTH);
                for (x, &i) in x.chunks_exact_mut(WIDTH).zip(batch) {
                    x.iter_mut().zip(&inputs[i * WIDTH..][..WIDTH]).for_each(|(x, v)| *x *= v);
                }
                let x = Tensor::from_vec(x, (batch.len(), WIDTH), cpu)?;
                let silence =
                    Tensor::from_vec(mask(batch.len() * width), (batch.len(), width), cpu)?;
                let weight: Vec<f32> = batch.iter().map(|&i| weights[i]).collect();
                let target: Vec<Target> = batch.iter().map(|&i| targets[i]).collect();

                let [w1, b1, w2, b2] = &parameters;
                let hidden = x.matmul(w1.var())?.broadcast_add(b1.var())?.relu()?.mul(&silence)?;
                let z = hidden.matmul(w2.var())?.broadcast_add(b2.var())?;
                let (own, shared) = (z.narrow(1, 0, OUTPUTS)?, z.narrow(1, OUTPUTS, 1)?);
                let z = own.contiguous()?.broadcast_add(&shared)?;
                let losses = row_losses(&z, &target, negative_weight)?;
                let loss = (losses * Tensor::from_vec(weight, batch.len(), cpu)?)?.mean_all()?;
                let mut gradients = loss.backward()?;
                let rate = config.learning_rate * (1.0 - done as f32 / total as f32);
                for parameter in &mut parameters {
                    let gradient = match gradients.remove(parameter.var()) {
                        Some(g) => g.flatten_all()?.to_vec1::<f32>()?,
                        None => vec![0.0; parameter.values.len()],
                    };
                    parameter.step(rate, &gradient)?;
                }
                done += 1;
                progress(Step { done, total, loss: loss.to_scalar()? });
            }
        }
        let [w1, b1, w2, b2] = parameters.map(|p| p.var.as_detached_tensor());
        let whole = |t: Tensor| {
            t.narrow(1, 0, OUTPUTS)?.broadcast_add(&t.narrow(1, OUTPUTS, 1)?)?.contiguous()
        };
        Ok(Self {
            encoder,
            hidden: w1,
            hidden_bias: b1.flatten_all()?,
            out: whole(w2)?,
            out_bias: whole(b2)?.flatten_all()?,
        })
    }
}

/// The texts' encodings end to end.
fn encodings<T: AsRef<str> + Sync>(encoder: &Encoder, texts: &[T]) -> Result<Vec<f32>> {
    let one = |text: &T| encoder.encode(text.as_ref());
    // One text alone is faster with all threads inside its products.
    let each: Vec<Vec<f32>> = match texts {
        [text] => vec![one(text)?],
        _ => texts.par_iter().map(one).collect::<Result<_>>()?,
    };
    Ok(each.concat())
}

/// AdamW (Loshchilov and Hutter, 2019) with β = 0.9, 0.999.
struct AdamW {
    var: Var,
    values: Vec<f32>,
    means: Vec<f32>,
    squares: Vec<f32>,
    decay: f32,
    steps: i32,
}

impl AdamW {
    fn new(values: Vec<f32>, decay: f32, shape: (usize, usize)) -> Result<Self> {
        let var = Var::from_slice(&values, shape, &Device::Cpu)?;
        let zeros = vec![0.0; values.len()];
        Ok(Self { var, values, means: zeros.clone(), squares: zeros, decay, steps: 0 })
    }

    fn var(&self) -> &Tensor {
        &self.var
    }

    fn step(&mut self, rate: f32, gradient: &[f32]) -> Result<()> {
        self.steps += 1;
        let (mean_scale, square_scale) =
            (1.0 / (1.0 - 0.9_f32.powi(self.steps)), 1.0 / (1.0 - 0.999_f32.powi(self.steps)));
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((x, g), (m, s)) in self.values.iter_mut().zip(gradient).zip(moments) {
            *m += 0.1 * (g - *m);
            *s += 0.001 * (g * g - *s);
            *x -= rate * (mean_scale * *m / ((square_scale * *s).sqrt() + 1e-8) + self.decay * *x);
        }
        self.var.set(&Tensor::from_slice(&self.values, self.var.dims(), &Device::Cpu)?)?;
        Ok(())
    }
}
