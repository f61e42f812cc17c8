//! The generator: a language model that writes texts, and says how likely a text was.
//!
//! - `sampling`: many texts at a time, each with its own randomness.
//! - `chat`: a model's chat template.
//! - `writer`: what writes, here or on a server.
//! - `prompts`: what it is asked.
//! - `teaching`: pairs of seeds and texts to teach a base model the task by.
//! - `server`: an OpenAI-compatible server (feature `server`).

mod chat;
mod prompts;
mod sampling;
#[cfg(feature = "server")]
mod server;
mod teaching;
mod writer;

pub use chat::{Chat, Message};
pub use prompts::{LONGEST, Style, parse_rating, rating, rewrite, shown};
pub use sampling::{Completion, Sampling};
#[cfg(feature = "server")]
pub use server::{Server, ServerConfig};
pub use teaching::{MARGIN, PARALLEL, Pair, align, teaching_pairs};
pub use writer::{Draft, Job, Local, Prompt, Take, Writer};

use super::decoder::{Batch, Decoder, Tokenizer};
use super::ops;
use crate::{Error, Result};
use candle_core::{DType, Tensor};
use std::collections::BTreeSet;

/// A decoder that writes.
#[derive(Clone, Debug)]
pub struct Generator {
    decoder: Decoder,
    tokenizer: Tokenizer,
    /// Tokens that end a text.
    stops: BTreeSet<u32>,
}

impl Generator {
    /// A generator that ends a text at the tokens that the model ends texts at ([`Tokenizer::stops`]).
    pub fn new(decoder: Decoder, tokenizer: Tokenizer) -> Self {
        let stops = tokenizer.stops().into_iter().collect();
        Self { decoder, tokenizer, stops }
    }

    /// The same, ending a text also at any token that contains one of these strings: a line's end for
    /// a model that goes on with examples.
    ///
    /// # Errors
    /// [`Error::Invalid`] when no token contains one of them.
    pub fn stopping_at(mut self, texts: &[&str]) -> Result<Self> {
        for text in texts {
            let before = self.stops.len();
            for id in 0..self.tokenizer.size() as u32 {
                if self.tokenizer.decode_all(&[id])?.contains(text) {
                    self.stops.insert(id);
                }
            }
            if self.stops.len() == before {
                let problem = format!("no token contains {text:?}");
                return Err(Error::invalid("stops", problem, "choose a shorter text"));
            }
        }
        Ok(self)
    }

    /// Its decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The same, to turn weights into variables or add adapters.
    pub fn decoder_mut(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Tokens that end a text.
    pub fn stops(&self) -> &BTreeSet<u32> {
        &self.stops
    }

    /// ln p(completion | prompt) at temperature 1 of each pair of token sequences, in nats: the sum
    /// over the completion's tokens, whose end-of-text token, if it is to count, is its last. `(pairs)`,
    /// f32, differentiable.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty prompt or completion, or a token outside the vocabulary.
    pub fn log_probs(&self, pairs: &[(&[u32], &[u32])]) -> Result<Tensor> {
        if pairs.iter().any(|(prompt, completion)| prompt.is_empty() || completion.is_empty()) {
            let remedy = "give a token of each";
            return Err(Error::invalid("pairs", "a prompt or completion is empty", remedy));
        }
        // The last token is predicted but never read.
        let read: Vec<Vec<u32>> = pairs
            .iter()
            .map(|(prompt, completion)| [prompt, &completion[..completion.len() - 1]].concat())
            .collect();
        let batch = Batch::new(&read)?;
        let (mut rows, mut owners, mut targets, mut start) = (vec![], vec![], vec![], 0);
        for (i, ((prompt, completion), read)) in pairs.iter().zip(&read).enumerate() {
            let first = start + prompt.len() - 1;
            rows.extend(first..first + completion.len());
            owners.extend(vec![i as u32; completion.len()]);
            targets.extend_from_slice(completion);
            start += read.len();
        }
        let device = self.decoder.device();
        let logits = self.decoder.logits(&self.decoder.states(&batch, &rows)?)?;
        let size = logits.dim(1)?;
        if let Some(id) = targets.iter().find(|&&id| id as usize >= size) {
            let problem = format!("token id {id} is outside the vocabulary of {size}");
            return Err(Error::invalid("pairs", problem, "use the model's own tokenizer"));
        }
        let targets = Tensor::new(targets, device)?;
        let each = ops::log_prob(&logits.to_dtype(DType::F32)?, &targets)?;
        let owners = Tensor::new(owners, device)?;
        Ok(Tensor::zeros(pairs.len(), DType::F32, device)?.index_add(&owners, &each, 0)?)
    }
}
