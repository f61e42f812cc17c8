//! The part of a guardrail that knows meanings: one hidden layer above the encoder, and their training.

use super::encoder::{Encoder, Layers, WIDTH};
use super::finetune::{AdamW, Gradients, added};
use super::loss::{Target, row_losses};
use super::parallel;
use super::train::Step;
use crate::data::{Category, Row};
use crate::{Error, Result};
use candle_core::{Device, Tensor, Var};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const OUTPUTS: usize = Category::COUNT;
/// While it is trained an output is its own part plus one that all share, as in the n-gram table.
const PARTS: usize = OUTPUTS + 1;
const START_BIAS: f32 = -2.0;

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
    /// AdamW's rate at the top of its course: it rises over the first twentieth of the steps, and falls
    /// linearly to 0 at the last.
    pub learning_rate: f32,
    /// AdamW's decay of weights, a step and unit of rate.
    pub weight_decay: f32,
    /// Chance of an input or a hidden unit to be silent, each time a row is trained on; below 1.
    pub dropout: f32,
    /// AdamW's rate for the encoder's layers at the top of its course; 0: they stay as they are.
    #[serde(skip_serializing_if = "is_zero")]
    pub encoder_rate: f32,
    /// Chance of a word piece, and of each number of one, to be silent while the encoder learns; below 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub encoder_dropout: f32,
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
            encoder_rate: 0.0,
            encoder_dropout: 0.0,
            share: 0.5,
        }
    }
}

fn is_zero(x: &f32) -> bool {
    *x == 0.0
}

impl HeadConfig {
    pub(super) fn check(&self) -> Result<()> {
        let fraction = |x: f32| (0.0..=1.0).contains(&x);
        let rules = [
            ("width", (1..=1 << 16).contains(&self.width), "choose 1 to 65536"),
            ("epochs", self.epochs >= 1, "choose at least 1"),
            ("batch", self.batch >= 1, "choose at least 1"),
            ("learning_rate", fraction(self.learning_rate), "choose 0 to 1"),
            ("weight_decay", fraction(self.weight_decay), "choose 0 to 1"),
            ("dropout", fraction(self.dropout) && self.dropout < 1.0, "choose 0 to below 1"),
            ("encoder_rate", fraction(self.encoder_rate), "choose 0 to 1"),
            (
                "encoder_dropout",
                fraction(self.encoder_dropout) && self.encoder_dropout < 1.0,
                "choose 0 to below 1",
            ),
            ("share", fraction(self.share), "choose 0 to 1"),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, rule)) => {
                Err(Error::invalid(format!("head.{field}"), "it is out of range", rule))
            }
            None => Ok(()),
        }
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

    /// Trains on the rows, each with its weight; the encoder's layers with it, where their rate is above 0.
    pub(super) fn train(
        config: &HeadConfig,
        negative_weight: f64,
        encoder: Arc<Encoder>,
        (rows, weights): (&[Row], &[f32]),
        seed: u64,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Self> {
        let targets: Vec<Target> = rows.iter().map(Target::of).collect();
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let inputs = match config.encoder_rate > 0.0 {
            false => Inputs::Encodings(encodings(&encoder, &texts)?),
            true => Inputs::Pieces(
                texts.par_iter().map(|text| encoder.numbers(text, LONGEST)).collect(),
                Layers::of(encoder.clone())?,
            ),
        };
        super::keep_freed_memory();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let decay = config.weight_decay.into();
        let head = variables(config.width, &mut rng)?;
        let mut learners = vec![(config.learning_rate, AdamW::new(head.clone(), decay)?)];
        if let Inputs::Pieces(_, layers) = &inputs {
            let adamw = AdamW::new(layers.variables().clone(), decay)?;
            learners.push((config.encoder_rate, adamw));
        }
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let total = config.epochs * rows.len().div_ceil(config.batch);
        let threads = parallel::threads(&Device::Cpu);
        let mut done = 0;
        for _ in 0..config.epochs {
            order.shuffle(&mut rng);
            for batch in order.chunks(config.batch) {
                // Parts of one size, whatever the number of threads, so that sums are of the same bits.
                let parts: Vec<(u64, &[usize])> = (done as u64 * PARTS_AT_MOST..)
                    .zip(batch.chunks(config.batch.div_ceil(PARTS_A_STEP)))
                    .collect();
                let parts = parallel::each(threads, &parts, |&(stream, part)| {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    // Stream 0 is the order's.
                    rng.set_stream(stream + 1);
                    let encoded = inputs.of(part, config.encoder_dropout, &mut rng)?;
                    let z = logits(&head, &encoded, config.dropout, &mut rng)?;
                    let target: Vec<Target> = part.iter().map(|&i| targets[i]).collect();
                    let weight: Vec<f32> = part.iter().map(|&i| weights[i]).collect();
                    let weight = Tensor::from_vec(weight, part.len(), &Device::Cpu)?;
                    let losses = row_losses(&z, &target, negative_weight)?;
                    let loss = ((losses * weight)?.sum_all()? / batch.len() as f64)?;
                    let mut found = loss.backward()?;
                    let all = learners.iter().flat_map(|(_, adamw)| adamw.variables());
                    let gradients: Gradients = all
                        .filter_map(|(name, var)| Some((name.to_owned(), found.remove(var)?)))
                        .collect();
                    Ok((loss.to_scalar::<f32>()?, gradients))
                })?;
                let (losses, gradients): (Vec<f32>, Vec<Gradients>) = parts.into_iter().unzip();
                let gradients = added(gradients)?;
                let progressed = done as f64 / total as f64;
                let factor = (1.0 - progressed) * (progressed / WARM_UP + 1e-3).min(1.0);
                for (rate, adamw) in &mut learners {
                    adamw.step(&gradients, CLIP, f64::from(*rate) * factor)?;
                }
                done += 1;
                progress(Step { done, total, loss: losses.iter().sum() });
            }
        }
        let whole = |name: &str| {
            let parts = head[name].as_detached_tensor();
            let last = parts.rank() - 1;
            let shared = parts.narrow(last, OUTPUTS, 1)?;
            Ok::<_, Error>(parts.narrow(last, 0, OUTPUTS)?.broadcast_add(&shared)?.contiguous()?)
        };
        Ok(Self {
            encoder: match inputs {
                Inputs::Encodings(_) => encoder,
                Inputs::Pieces(_, layers) => Arc::new(layers.encoder()?),
            },
            hidden: head[HIDDEN].as_detached_tensor(),
            hidden_bias: head[HIDDEN_BIAS].as_detached_tensor(),
            out: whole(OUT)?,
            out_bias: whole(OUT_BIAS)?,
        })
    }
}

/// Parts of a step, each for one thread at a time.
const PARTS_A_STEP: usize = 4;
const PARTS_AT_MOST: u64 = PARTS_A_STEP as u64;
/// Word pieces of a text that the encoder learns from: its first.
const LONGEST: usize = 256;
/// Bound of a gradient's Euclidean norm, of head and encoder each.
const CLIP: f64 = 1.0;
/// Share of the steps in which the rate rises.
const WARM_UP: f64 = 0.05;

const HIDDEN: &str = "head.hidden";
const HIDDEN_BIAS: &str = "head.hidden_bias";
const OUT: &str = "head.out";
const OUT_BIAS: &str = "head.out_bias";

/// What a head learns from.
enum Inputs {
    /// Encodings end to end, of an encoder that stays as it is.
    Encodings(Vec<f32>),
    /// Word pieces, and the layers that read them.
    Pieces(Vec<Vec<u32>>, Layers),
}

impl Inputs {
    /// Encodings `(rows, 512)` of these rows.
    fn of(&self, rows: &[usize], dropout: f32, rng: &mut ChaCha8Rng) -> Result<Tensor> {
        match self {
            Self::Encodings(all) => {
                let each = rows.iter().flat_map(|&i| &all[i * WIDTH..][..WIDTH]);
                Ok(Tensor::from_iter(each.copied(), &Device::Cpu)?.reshape((rows.len(), WIDTH))?)
            }
            Self::Pieces(all, layers) => {
                let texts: Vec<&[u32]> = rows.iter().map(|&i| all[i].as_slice()).collect();
                layers.encode(&texts, dropout, rng)
            }
        }
    }
}

/// The head's weights at the start.
fn variables(width: usize, rng: &mut ChaCha8Rng) -> Result<BTreeMap<String, Var>> {
    let uniform = |count: usize, fan_in: usize, rng: &mut ChaCha8Rng| {
        let bound = 1.0 / (fan_in as f32).sqrt();
        (0..count).map(|_| rng.random_range(-bound..=bound)).collect::<Vec<f32>>()
    };
    let hidden = uniform(WIDTH * width, WIDTH, rng);
    // The shared part starts at random: hidden units at 0 everywhere would not learn.
    let shared = uniform(width, width, rng);
    let out: Vec<f32> = shared.iter().flat_map(|&s| [&[0.0; OUTPUTS][..], &[s]].concat()).collect();
    let mut bias = vec![START_BIAS; OUTPUTS];
    bias.push(0.0);
    let cpu = &Device::Cpu;
    Ok(BTreeMap::from([
        (HIDDEN.into(), Var::from_vec(hidden, (WIDTH, width), cpu)?),
        (HIDDEN_BIAS.into(), Var::from_vec(vec![0.0_f32; width], width, cpu)?),
        (OUT.into(), Var::from_vec(out, (width, PARTS), cpu)?),
        (OUT_BIAS.into(), Var::from_vec(bias, PARTS, cpu)?),
    ]))
}

/// `(rows, 12)` logits of weights in parts.
fn logits(
    head: &BTreeMap<String, Var>,
    encoded: &Tensor,
    dropout: f32,
    rng: &mut ChaCha8Rng,
) -> Result<Tensor> {
    let mut silenced = |x: Tensor| {
        let one = |_| if rng.random::<f32>() < dropout { 0.0 } else { 1.0 / (1.0 - dropout) };
        let mask: Vec<f32> = (0..x.elem_count()).map(one).collect();
        x.mul(&Tensor::from_vec(mask, x.dims(), &Device::Cpu)?)
    };
    let layer = |x: &Tensor, weight: &str, bias: &str| {
        x.matmul(head[weight].as_tensor())?.broadcast_add(head[bias].as_tensor())
    };
    let hidden = layer(&silenced(encoded.clone())?, HIDDEN, HIDDEN_BIAS)?.relu()?;
    let z = layer(&silenced(hidden)?, OUT, OUT_BIAS)?;
    let (own, shared) = (z.narrow(1, 0, OUTPUTS)?, z.narrow(1, OUTPUTS, 1)?);
    Ok(own.contiguous()?.broadcast_add(&shared)?)
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
