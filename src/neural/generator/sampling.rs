//! Drawing texts token by token, many at a time.

use super::Generator;
use crate::error::check_rules;
use crate::neural::decoder::{Batch, Cache, Decoder};
use crate::neural::parallel;
use crate::{Error, Result};
use candle_core::DType;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

/// How tokens are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the likeliest token.
    pub temperature: f64,
    /// Only the likeliest tokens are drawn whose probabilities first sum to this (Holtzman et al., 2020).
    pub top_p: f64,
    /// Tokens of a completion at most.
    pub max_tokens: usize,
    /// Sequences at a time. It settles the speed; the draws do not depend on it, but for the rounding
    /// of products.
    pub batch: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.7, top_p: 1.0, max_tokens: 256, batch: 8 }
    }
}

impl Sampling {
    pub(in crate::neural) fn check(&self) -> Result<()> {
        let rules = [
            ("temperature", (0.0..=1e3).contains(&self.temperature), "choose 0 to 1000"),
            ("top_p", self.top_p > 0.0 && self.top_p <= 1.0, "choose above 0, up to 1"),
            ("max_tokens", self.max_tokens > 0, "choose at least 1"),
            ("batch", self.batch > 0, "choose at least 1"),
        ];
        check_rules(rules)
    }

    /// Draws a token by logits.
    fn draw(&self, logits: &[f32], rng: &mut ChaCha8Rng) -> Result<u32> {
        // One number a token, whatever the settings, so that streams stay in step.
        let u: f64 = rng.random();
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if !top.is_finite() || logits.iter().any(|z| z.is_nan()) {
            let remedy = "compute in f32, or check the model's weights";
            return Err(Error::invalid("logits", "they are no finite numbers", remedy));
        }
        if self.temperature == 0.0 {
            return Ok(logits.iter().position(|&z| z == top).unwrap_or(0) as u32);
        }
        let weigh = |&z: &f32| (f64::from(z - top) / self.temperature).exp();
        let weights: Vec<f64> = logits.iter().map(weigh).collect();
        let total: f64 = weights.iter().sum();
        let weights = weights.into_iter().enumerate();
        if self.top_p == 1.0 {
            return Ok(pick(weights, u * total));
        }
        // Tokens below this hold less than 1 - top_p together, so the nucleus is among the others.
        let floor = (1.0 - self.top_p) / logits.len() as f64 * total;
        let mut likely: Vec<(usize, f64)> =
            weights.filter(|(_, weight)| *weight >= floor).collect();
        likely.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let (mut mass, mut size) = (0.0, 0);
        while size < likely.len() && mass < self.top_p * total {
            mass += likely[size].1;
            size += 1;
        }
        Ok(pick(likely[..size].iter().copied(), u * mass))
    }
}

/// The item in which the running sum of weights passes `at`.
fn pick(weights: impl Iterator<Item = (usize, f64)>, at: f64) -> u32 {
    let (mut sum, mut last) = (0.0, 0);
    for (token, weight) in weights.filter(|(_, weight)| *weight > 0.0) {
        sum += weight;
        last = token;
        if sum > at {
            break;
        }
    }
    last as u32
}

/// What was drawn after a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Its tokens, without the one that ended it.
    pub ids: Vec<u32>,
    /// The token that ended it; `None` when it was cut off at the longest length.
    pub end: Option<u32>,
}

/// A sequence being written.
struct Writing {
    prompt: usize,
    candidate: usize,
    rng: ChaCha8Rng,
    ids: Vec<u32>,
    /// It has ended, but its keys and values are still in the cache: to take out each by itself would copy
    /// those of all others each time.
    ended: bool,
}

impl Writing {
    /// The token read next; of one that has ended any will do.
    fn last(&self) -> u32 {
        self.ids.last().copied().unwrap_or(0)
    }
}

/// Ended sequences are taken out when they are this part of all.
const IDLE: usize = 4;
/// Sequences that a thread should have of its own to be worth another reading of all weights.
const EACH: usize = 16;

/// Given the index of a prompt and its completions; breaks to end the work.
type Taken<'a> = dyn FnMut(usize, Vec<Completion>) -> Result<ControlFlow<()>> + 'a;

/// Tokens that the prompts read last begin with, and what the layers made of them.
#[derive(Default)]
struct Opening {
    ids: Vec<u32>,
    cache: Cache,
}

impl Opening {
    /// Shorter ones are not worth it.
    const LEAST: usize = 16;

    /// A cache of a sequence a prompt that holds tokens which all of them begin with, and how many these are. None
    /// holds a whole prompt.
    fn before(&mut self, prompts: &[&[u32]], decoder: &Decoder) -> Result<(Cache, usize)> {
        let common = |a: &[u32], b: &[u32]| a.iter().zip(b).take_while(|(x, y)| x == y).count();
        let Some(first) = prompts.first() else { return Ok((Cache::default(), 0)) };
        let shared = prompts.iter().map(|p| common(first, p).min(p.len() - 1)).min().unwrap_or(0);
        let known = common(&self.ids, first);
        let holds = known == self.ids.len() && known <= shared && known + Self::LEAST > shared;
        if !holds {
            if shared < Self::LEAST || prompts.len() < 2 {
                return Ok((Cache::default(), 0));
            }
            let batch = Batch::new(&[&first[..shared]])?;
            let mut cache = Cache::default();
            decoder.extend(&batch, &[], &mut cache)?;
            *self = Self { ids: first[..shared].to_vec(), cache };
        }
        if self.ids.is_empty() {
            return Ok((Cache::default(), 0));
        }
        let mut cache = self.cache.clone();
        cache.keep(&vec![0; prompts.len()])?;
        Ok((cache, self.ids.len()))
    }
}

impl Generator {
    /// Draws `candidates` completions of every prompt, a number and token ids, none empty.
    ///
    /// Each has a random stream of its own, settled by `seed`, its prompt's number and its own index, so
    /// that neither the batch nor the other prompts change it. Sequences that end make room for others.
    /// `take` is given the index of a prompt and its completions as soon as all of these have ended, and
    /// ends the work by breaking. On a processor large batches are shared among its threads.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings out of range, an empty prompt, or one that leaves no room in the
    /// model's context; those of `take`.
    pub fn complete(
        &self,
        prompts: &[(u32, Vec<u32>)],
        candidates: usize,
        sampling: &Sampling,
        seed: u64,
        take: &mut Taken<'_>,
    ) -> Result<()> {
        sampling.check()?;
        let context = self.decoder.config().context;
        if let Some(i) = prompts.iter().position(|(_, p)| p.is_empty()) {
            let remedy = "give it a token to begin after";
            return Err(Error::invalid(format!("prompt {i}"), "it is empty", remedy));
        }
        if let Some(i) = prompts.iter().position(|(_, p)| p.len() + sampling.max_tokens > context) {
            let problem = format!("with max_tokens it is longer than the model's {context} tokens");
            return Err(Error::invalid(format!("prompt {i}"), problem, "shorten either"));
        }
        // Like prompts after each other: what they begin with is read once.
        let mut order: Vec<usize> = (0..prompts.len()).collect();
        order.sort_by(|&a, &b| prompts[a].1.cmp(&prompts[b].1));
        let decoder = self.decoder.frozen();
        let threads = parallel::threads(decoder.device()).min(sampling.batch / EACH);
        let stop = AtomicBool::new(false);
        let (stop, stops) = (&stop, &self.stops);
        let work = Work { decoder, stops, prompts, candidates, sampling, seed, stop };
        if threads < 2 || order.len() < 2 {
            return work.draw(&order, sampling.batch, take);
        }
        let parts: Vec<&[usize]> = order.chunks(order.len().div_ceil(threads)).collect();
        let most = sampling.batch / parts.len();
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            let drawing = scope.spawn(move || {
                parallel::map(parts, |part| {
                    work.draw(part, most, &mut |i, completions| {
                        // Nobody listens any more when `take` has ended the work.
                        Ok(match tell.send((i, completions)) {
                            Ok(()) => ControlFlow::Continue(()),
                            Err(_) => ControlFlow::Break(()),
                        })
                    })
                })
            });
            let mut taken = Ok(ControlFlow::Continue(()));
            for (i, completions) in told {
                taken = take(i, completions);
                if !matches!(taken, Ok(ControlFlow::Continue(()))) {
                    stop.store(true, Relaxed);
                    break;
                }
            }
            let drawn = drawing.join().unwrap_or_else(|panic| resume_unwind(panic));
            taken.and(drawn.map(|_| ()))
        })
    }
}

/// What threads share that write.
struct Work<'a> {
    decoder: Decoder,
    stops: &'a BTreeSet<u32>,
    prompts: &'a [(u32, Vec<u32>)],
    candidates: usize,
    sampling: &'a Sampling,
    seed: u64,
    /// Set when nothing more is wanted.
    stop: &'a AtomicBool,
}

impl Work<'_> {
    /// Draws the completions of these prompts, so many sequences at a time.
    fn draw(&self, order: &[usize], most: usize, take: &mut Taken<'_>) -> Result<()> {
        let Self { decoder, stops, prompts, candidates, sampling, seed, stop } = self;
        let candidates = *candidates;
        let mut done: Vec<Vec<Option<Completion>>> = vec![vec![None; candidates]; prompts.len()];
        let mut waiting = order
            .iter()
            .flat_map(|&prompt| (0..candidates).map(move |candidate| (prompt, candidate)))
            .peekable();
        let mut opening = Opening::default();
        let mut writing: Vec<Writing> = Vec::new();
        let mut cache = Cache::default();
        loop {
            let going: Vec<usize> = (0..writing.len()).filter(|&i| !writing[i].ended).collect();
            let refill = waiting.peek().is_some() && 2 * going.len() <= most;
            let idle = writing.len() - going.len();
            if idle > 0 && (refill || IDLE * idle >= writing.len()) {
                cache.keep(&going)?;
                writing.retain(|w| !w.ended);
            }
            // Logits of the next token of each sequence, by row of a table.
            let mut fresh = Vec::new();
            if refill {
                while writing.len() + fresh.len() < most {
                    let Some((prompt, candidate)) = waiting.next() else { break };
                    let mut rng = ChaCha8Rng::seed_from_u64(*seed);
                    rng.set_stream((u64::from(prompts[prompt].0) << 32) | candidate as u64);
                    fresh.push(Writing { prompt, candidate, rng, ids: Vec::new(), ended: false });
                }
            }
            if writing.is_empty() && fresh.is_empty() || stop.load(Relaxed) {
                return Ok(());
            }
            let mut tables = Vec::new();
            if !writing.is_empty() {
                let next: Vec<[u32; 1]> = writing.iter().map(|w| [w.last()]).collect();
                let batch = Batch::new(&next)?;
                let states = decoder.extend(&batch, &batch.last(), &mut cache)?;
                tables.push((decoder.logits(&states)?, (0..writing.len()).collect::<Vec<_>>()));
            }
            if !fresh.is_empty() {
                // Each prompt once, however many of its candidates start.
                let mut distinct: Vec<usize> = fresh.iter().map(|w| w.prompt).collect();
                distinct.dedup();
                let read: Vec<&[u32]> = distinct.iter().map(|&p| prompts[p].1.as_slice()).collect();
                let (mut start, shared) = opening.before(&read, decoder)?;
                let rest: Vec<&[u32]> = read.iter().map(|ids| &ids[shared..]).collect();
                let batch = Batch::new(&rest)?;
                let states = decoder.extend(&batch, &batch.last(), &mut start)?;
                let rows: Vec<usize> = fresh
                    .iter()
                    .filter_map(|w| distinct.iter().position(|&p| p == w.prompt))
                    .collect();
                start.keep(&rows)?;
                cache.join(start)?;
                tables.push((decoder.logits(&states)?, rows));
                writing.append(&mut fresh);
            }
            let mut read = Vec::new();
            for (table, rows) in tables {
                read.push((table.to_dtype(DType::F32)?.to_vec2::<f32>()?, rows));
            }
            let logits: Vec<&[f32]> = read
                .iter()
                .flat_map(|(table, rows)| rows.iter().map(|&row| table[row].as_slice()))
                .collect();
            let drawn = writing.par_iter_mut().zip(logits).map(|(w, logits)| match w.ended {
                true => Ok(None),
                false => sampling.draw(logits, &mut w.rng).map(Some),
            });
            let drawn = drawn.collect::<Result<Vec<Option<u32>>>>()?;
            for (w, token) in writing.iter_mut().zip(drawn) {
                let Some(token) = token else { continue };
                let end = stops.contains(&token).then_some(token);
                if end.is_none() {
                    w.ids.push(token);
                }
                w.ended = end.is_some() || w.ids.len() == sampling.max_tokens;
                if w.ended {
                    let ids = std::mem::take(&mut w.ids);
                    let of_prompt = &mut done[w.prompt];
                    of_prompt[w.candidate] = Some(Completion { ids, end });
                    if of_prompt.iter().all(Option::is_some) {
                        let whole = std::mem::take(of_prompt).into_iter().flatten().collect();
                        if take(w.prompt, whole)?.is_break() {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(sampling: &Sampling, logits: &[f32], count: usize) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut shares = vec![0.0; logits.len()];
        for _ in 0..count {
            shares[sampling.draw(logits, &mut rng).unwrap() as usize] += 1.0 / count as f64;
        }
        shares
    }

    #[test]
    fn tokens_come_as_often_as_they_should() {
        let p = [0.5_f64, 0.25, 0.15, 0.1];
        let logits = p.map(|p| p.ln() as f32 + 3.0);
        let close = |sampling: Sampling, expected: [f64; 4]| {
            let found = shares(&sampling, &logits, 40_000);
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 0.01, "{sampling:?}: {found:?}, not {expected:?}");
        };
        let base = Sampling { temperature: 1.0, ..Sampling::default() };
        close(base.clone(), p);
        let squares: f64 = p.iter().map(|p| p * p).sum();
        close(Sampling { temperature: 0.5, ..base.clone() }, p.map(|p| p * p / squares));
        close(Sampling { temperature: 0.0, ..base.clone() }, [1.0, 0.0, 0.0, 0.0]);
        // 0.5 + 0.25 reaches 0.7; 0.9 needs the third.
        close(Sampling { top_p: 0.7, ..base.clone() }, [2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
        close(Sampling { top_p: 0.85, ..base }, [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0.0]);
    }

    #[test]
    fn logits_that_are_no_numbers_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(Sampling::default().draw(&[0.0, bad, 1.0], &mut rng).is_err());
        }
    }
}
