//! The generator as a law over texts for seeds.

use crate::data::Label;
use crate::guard::{Draws, Law};
use crate::neural::finetune::by_length;
use crate::neural::generator::{Generator, Sampling};
use crate::neural::parallel;
use crate::{Error, Result};
use std::ops::ControlFlow;

/// A text that a generator wrote for a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Which of the law's prompts it was written after.
    pub prompt: usize,
    /// The label it should keep.
    pub label: Label,
    /// Its tokens, with the one that ended it.
    pub tokens: Vec<u32>,
    /// The text.
    pub text: String,
}

/// A generator with the prompts it is asked: p(text | seed), at temperature 1.
#[derive(Debug)]
pub struct Scribe<'a> {
    generator: Generator,
    /// Tokens, and the label that the text should keep.
    prompts: &'a [(Vec<u32>, Label)],
    /// Tokens at most, and sequences at a time.
    sampling: Sampling,
    threads: usize,
}

/// Slots a batch when texts are weighed.
const BATCH_TOKENS: usize = 1024;

impl<'a> Scribe<'a> {
    /// A law over texts after these prompts, each as likely; texts are cut off at `sampling.max_tokens`, and
    /// drawn as the model says, whatever the rest of `sampling` is.
    ///
    /// # Errors
    /// [`Error::Invalid`] without prompts.
    pub fn new(
        generator: Generator,
        prompts: &'a [(Vec<u32>, Label)],
        sampling: &Sampling,
        threads: usize,
    ) -> Result<Self> {
        if prompts.is_empty() {
            return Err(Error::invalid("prompts", "there are none", "give at least one seed"));
        }
        let sampling = Sampling { temperature: 1.0, top_p: 1.0, ..sampling.clone() };
        Ok(Self { generator, prompts, sampling, threads })
    }
}

impl Law for Scribe<'_> {
    type Item = Written;

    /// `n` texts, after each prompt in turn.
    fn draws(&self, n: usize, seed: u64) -> Result<Draws<Written>> {
        let jobs: Vec<(u32, Vec<u32>)> =
            (0..n).map(|i| (i as u32, self.prompts[i % self.prompts.len()].0.clone())).collect();
        let mut items: Vec<Option<Written>> = vec![None; n];
        self.generator.complete(&jobs, 1, &self.sampling, seed, &mut |i, completions| {
            let prompt = i % self.prompts.len();
            for completion in completions {
                let text = self.generator.tokenizer().decode(&completion.ids)?.trim().to_owned();
                let tokens = completion.ids.into_iter().chain(completion.end).collect();
                let label = self.prompts[prompt].1;
                items[i] = Some(Written { prompt, label, tokens, text });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let items: Vec<Written> = items.into_iter().flatten().collect();
        let weights = vec![1.0 / n as f64; items.len()];
        Ok(Draws { items, weights, exact: false })
    }

    fn log_prob(&self, items: &[Written]) -> Result<Vec<f64>> {
        let pairs: Vec<(&[u32], &[u32])> =
            items.iter().map(|item| (&self.prompts[item.prompt].0[..], &item.tokens[..])).collect();
        let lengths: Vec<usize> = pairs.iter().map(|(a, b)| a.len() + b.len()).collect();
        let batches = by_length(&lengths, BATCH_TOKENS);
        let weighed = parallel::each(self.threads, &batches, |rows| {
            let chosen: Vec<(&[u32], &[u32])> = rows.iter().map(|&i| pairs[i]).collect();
            Ok(self.generator.log_probs(&chosen)?.to_vec1::<f32>()?)
        })?;
        let mut all = vec![0.0; items.len()];
        for (rows, log_p) in batches.iter().zip(weighed) {
            rows.iter().zip(log_p).for_each(|(&i, log_p)| all[i] = log_p.into());
        }
        Ok(all)
    }
}
