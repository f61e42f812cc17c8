//! Training of a guardrail: Adagrad on the rows of the table that a batch touches.

use super::encoder::Encoder;
use super::features::Bags;
use super::finetune::row_weights;
use super::guardrail::{Guardrail, GuardrailConfig};
use super::head::Head;
use super::loss::{OUTPUTS, START_BIAS, Target, row_losses};
use crate::data::{Language, Row, Seeds};
use crate::{Error, Result};
use candle_core::{Device, Tensor, Var};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// While it is trained, an n-gram's weight for output c is its own part c plus a part shared by all
/// outputs. The model is no richer for it, but every unsafe row, of known category or not, teaches
/// the shared part, and rows of different categories no longer divide the evidence.
const PARTS: usize = OUTPUTS + 1;

/// Progress of a training run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Steps taken, from 1.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
    /// Weighted mean loss of this step's rows before the step, nats a row.
    pub loss: f32,
}

impl Guardrail {
    /// Trains on `seeds.train`; validation rows are not read.
    ///
    /// Minimises the weighted mean of [`row_losses`]. The seed settles the order of the rows and
    /// what is blended into them; the table starts at 0, so that an n-gram never met in training
    /// has no influence. The same rows, settings and seed give the same bits, whatever the number
    /// of threads.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings out of range or of a head, which needs an encoder, no rows, or
    /// a text without a visible character.
    pub fn train(
        config: GuardrailConfig,
        seeds: &Seeds,
        seed: u64,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Self> {
        if config.head.is_some() {
            let remedy = "name one (`encoder = \"FILE\"`), or leave the head's settings out";
            return Err(Error::invalid("head", "it needs an encoder", remedy));
        }
        Self::train_unshifted(config, seeds, seed, progress)?.shifted()
    }

    fn train_unshifted(
        config: GuardrailConfig,
        seeds: &Seeds,
        seed: u64,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Self> {
        config.check()?;
        let rows = &seeds.train;
        if rows.is_empty() {
            return Err(Error::invalid("seeds.train", "it has no rows", "give rows to train on"));
        }
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let bags = config.features.bags(&texts)?;
        let targets: Vec<Target> = rows.iter().map(Target::of).collect();
        let weights = row_weights(rows, config.unsafe_odds, config.language_balance);

        super::keep_freed_memory();

        let buckets = config.features.buckets;
        let mut table = Adagrad::<PARTS>::new(vec![0.0; buckets * PARTS]);
        let mut bias = Adagrad::<OUTPUTS>::new(vec![START_BIAS; OUTPUTS]);
        let safe: Vec<Vec<usize>> = Language::ALL
            .map(|language| {
                let wanted =
                    |&i: &usize| (rows[i].language, targets[i]) == (language, Target::Safe);
                (0..rows.len()).filter(wanted).collect()
            })
            .into();
        let mut places = vec![NOWHERE; buckets];
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let total = config.epochs * rows.len().div_ceil(config.batch);
        let mut done = 0;
        for _ in 0..config.epochs {
            order.shuffle(&mut rng);
            for batch in order.chunks(config.batch) {
                let blends: Vec<Blend> = batch
                    .iter()
                    .map(|&i| {
                        Blend::draw(i, config.blend, &safe[rows[i].language as usize], &mut rng)
                    })
                    .collect();
                // Only the rows of the table that the batch touches become a variable: its
                // gradient is the table's, without the zeros.
                let (local, touched) = compact(&bags, &blends, &mut places);
                let cpu = &Device::Cpu;
                let part = Var::from_vec(table.read(&touched), (touched.len(), PARTS), cpu)?;
                let offset = Var::from_slice(&bias.values, OUTPUTS, cpu)?;
                let weight: Vec<f32> = batch.iter().map(|&i| weights[i]).collect();
                let target: Vec<Target> = batch.iter().map(|&i| targets[i]).collect();

                let z = logits(&Arc::new(local), &part, &offset)?;
                let losses = row_losses(&z, &target, config.negative_weight)?;
                let loss = (losses * Tensor::from_vec(weight, batch.len(), cpu)?)?.mean_all()?;
                let mut gradients = loss.backward()?;
                let mut gradient = |of: &Var| match gradients.remove(of) {
                    Some(g) => g.flatten_all()?.to_vec1::<f32>(),
                    None => candle_core::bail!("a variable has no gradient"),
                };

                let rate = config.learning_rate * (1.0 - done as f32 / total as f32);
                table.step(rate, &touched, &gradient(&part)?);
                bias.step(rate, &[0], &gradient(&offset)?);
                done += 1;
                progress(Step { done, total, loss: loss.to_scalar()? });
            }
        }
        Self::from_weights(config, folded(&table.values), bias.values)
    }

    /// Trains n-grams on `seeds.train` and `translations`, the configuration's head above `encoder` on
    /// `seeds.train`, which the encoder reads in any language; their guardrail is the weighted mean.
    ///
    /// # Errors
    /// Those of [`Guardrail::train`]; [`Error::Invalid`] when the configuration has no head.
    pub fn train_with_encoder(
        config: GuardrailConfig,
        encoder: Arc<Encoder>,
        seeds: &Seeds,
        translations: Vec<Row>,
        seed: u64,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Self> {
        config.check()?;
        let Some(head) = config.head else {
            return Err(Error::invalid("head", "it is missing", "give the head's settings"));
        };
        let weights = row_weights(&seeds.train, config.unsafe_odds, config.language_balance);
        let rows = (seeds.train.as_slice(), weights.as_slice());
        let trained = Head::train(&head, config.negative_weight, encoder, rows, seed, progress)?;
        let mut all = Seeds { train: seeds.train.clone(), validation: Vec::new() };
        all.train.extend(translations);
        let n_grams = Self::train_unshifted(config, &all, seed, progress)?;
        n_grams.with_head(head, trained)?.shifted()
    }
}

/// `(vectors, 12)` logits from weights in parts, `(width, 13)`.
fn logits(bags: &Arc<Bags>, parts: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let sums = bags.sums(parts)?;
    let (own, shared) = (sums.narrow(1, 0, OUTPUTS)?, sums.narrow(1, OUTPUTS, 1)?);
    Ok(own.contiguous()?.broadcast_add(&shared)?.broadcast_add(bias)?)
}

/// Weights in parts, by rows of 13, to the 12 weights that they stand for.
fn folded(parts: &[f32]) -> Vec<f32> {
    let whole = |row: &[f32; PARTS]| {
        let shared = row[OUTPUTS];
        std::array::from_fn::<f32, OUTPUTS, _>(|c| row[c] + shared)
    };
    parts.as_chunks::<PARTS>().0.iter().flat_map(whole).collect()
}

/// In `places`: this bucket is not part of the batch.
const NOWHERE: u32 = u32::MAX;

/// What stands for a row in one step: √a times its vector, plus √(1 − a) times that of a safe
/// row of the same language.
struct Blend([(usize, f32); 2]);

impl Blend {
    /// Row `own`, with the chance `blend` mixed with a random one of `safe` at a share a in ½..1.
    fn draw(own: usize, blend: f32, safe: &[usize], rng: &mut ChaCha8Rng) -> Self {
        // Always three draws, so that one row's fate does not shift the next one's.
        let (chance, share, pick): (f32, f32, f64) = rng.random();
        match safe.get((pick * safe.len() as f64) as usize) {
            Some(&other) if chance < blend => {
                let a = (1.0 + share) / 2.0;
                Self([(own, a.sqrt()), (other, (1.0 - a).sqrt())])
            }
            _ => Self([(own, 1.0), (own, 0.0)]),
        }
    }

    fn parts(&self) -> impl Iterator<Item = (usize, f32)> {
        self.0.into_iter().filter(|&(_, scale)| scale > 0.0)
    }
}

/// The blends of rows of `bags`, renumbered to the buckets they touch, and those buckets.
/// `places` (a bucket each) is scratch space: [`NOWHERE`] throughout before and after.
fn compact(bags: &Bags, blends: &[Blend], places: &mut [u32]) -> (Bags, Vec<u32>) {
    let mut touched = Vec::new();
    for (i, _) in blends.iter().flat_map(Blend::parts) {
        for &id in bags.row(i).0 {
            let place = &mut places[id as usize];
            if *place == NOWHERE {
                *place = touched.len() as u32;
                touched.push(id);
            }
        }
    }
    let mut local = Bags::with_width(touched.len());
    for blend in blends {
        for (i, scale) in blend.parts() {
            let (ids, weights) = bags.row(i);
            for (&id, &weight) in ids.iter().zip(weights) {
                local.push(places[id as usize], scale * weight);
            }
        }
        local.finish();
    }
    for &id in &touched {
        places[id as usize] = NOWHERE;
    }
    (local, touched)
}

/// Adagrad (Duchi, Hazan and Singer, 2011): s ← s + g², x ← x − rate · g / √s, on rows of `WIDTH`.
struct Adagrad<const WIDTH: usize> {
    values: Vec<f32>,
    squares: Vec<f32>,
}

impl<const WIDTH: usize> Adagrad<WIDTH> {
    fn new(values: Vec<f32>) -> Self {
        // Not 0: keeps g / √s finite where the gradient is 0.
        let squares = vec![1e-8; values.len()];
        Self { values, squares }
    }

    /// The rows named, end to end.
    fn read(&self, rows: &[u32]) -> Vec<f32> {
        rows.iter().flat_map(|&row| self.values.as_chunks::<WIDTH>().0[row as usize]).collect()
    }

    /// One step on the rows named; `gradient` holds theirs, end to end.
    fn step(&mut self, rate: f32, rows: &[u32], gradient: &[f32]) {
        let values = self.values.as_chunks_mut::<WIDTH>().0;
        let squares = self.squares.as_chunks_mut::<WIDTH>().0;
        for (&row, gradient) in rows.iter().zip(gradient.as_chunks::<WIDTH>().0) {
            let (x, s) = (&mut values[row as usize], &mut squares[row as usize]);
            for c in 0..WIDTH {
                s[c] += gradient[c] * gradient[c];
                x[c] -= rate * gradient[c] / s[c].sqrt();
            }
        }
    }
}
