//! The classifier of a round, of either kind.

use super::config::ClassifierConfig;
use super::players::Written;
use crate::Result;
use crate::data::{Category, Label, Seeds};
use crate::guard::Loss;
use crate::neural::classifier::{Classifier, score};
use crate::neural::decoder::{Decoder, Numbers, Tokenizer};
use crate::neural::finetune::{Event, finetune, finetune_from};
use crate::neural::{Guardrail, Step, device};
use std::ops::ControlFlow;
use std::path::Path;

const SMALL: &str = "guardrail.safetensors";
/// Nearest to 0 that a probability counts in a loss: what 32 bits tell from 1.
const LEAST: f64 = 1e-7;
/// What is read where nothing was written.
const NOTHING: &str = "-";

/// A trained classifier.
#[derive(Debug)]
pub enum Guard {
    /// Hashed n-grams.
    Small(Box<Guardrail>),
    /// A fine-tuned decoder.
    Large(Box<Classifier>),
}

/// How far training is: done, in all.
pub(super) type Watch<'a> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'a;

impl Guard {
    /// Trains on rows, from the base or from `before`; `None` when `watch` broke it off. What is in `folder`
    /// afterwards [`Guard::load`] reads.
    pub(super) fn train(
        config: &ClassifierConfig,
        seeds: &Seeds,
        before: Option<Self>,
        models: &Path,
        folder: &Path,
        seed: u64,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Self>> {
        let Some(base) = &config.base else {
            let mut broken = false;
            let trained = Guardrail::train(config.guardrail, seeds, seed, &mut |step: Step| {
                broken |= watch(step.done, step.total).is_break();
            })?;
            if broken {
                return Ok(None);
            }
            trained.save(folder.join(SMALL))?;
            return Ok(Some(Self::Small(Box::new(trained))));
        };
        let settings = crate::neural::finetune::FinetuneConfig { seed, ..config.finetune.clone() };
        let mut tell = |event| match event {
            Event::Caching(done, all) => watch(done, all),
            Event::Step(place) => watch(place.step, place.steps),
            Event::Epoch(_) => ControlFlow::Continue(()),
        };
        let trained = match before {
            Some(Self::Large(classifier)) => {
                finetune_from(*classifier, &settings, seeds, folder, true, &mut tell)?
            }
            _ => {
                let path = models.join(base);
                let (device, dtype) = device()?;
                let decoder = Decoder::load(&path, Numbers::Dense(dtype), &device)?;
                let tokenizer = Tokenizer::load(&path)?;
                finetune(decoder, tokenizer, &settings, seeds, folder, true, &mut tell)?
            }
        };
        Ok(trained.map(|classifier| Self::Large(Box::new(classifier))))
    }

    /// Reads a classifier that a round wrote.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) or [`Error::Invalid`](crate::Error::Invalid) for files that are missing or damaged.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let small = folder.join(SMALL);
        if small.exists() {
            return Ok(Self::Small(Box::new(Guardrail::load(small)?)));
        }
        let (device, dtype) = device()?;
        let model = folder.join("model");
        Ok(Self::Large(Box::new(Classifier::load(model, Numbers::Dense(dtype), &device)?)))
    }

    /// Probabilities of the 12 categories, a row a text; a text in which nothing shows is read as a dash.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) when candle fails.
    pub fn probabilities(&self, texts: &[&str]) -> Result<Vec<[f32; Category::COUNT]>> {
        let shown: Vec<&str> = texts
            .iter()
            .map(|text| if crate::data::is_blank(text) { NOTHING } else { text })
            .collect();
        match self {
            Self::Small(guardrail) => guardrail.probabilities(&shown),
            Self::Large(classifier) => classifier.probabilities(&shown),
        }
    }

    /// The largest of them.
    ///
    /// # Errors
    /// As [`Guard::probabilities`].
    pub fn scores(&self, texts: &[&str]) -> Result<Vec<f32>> {
        Ok(self.probabilities(texts)?.into_iter().map(score).collect())
    }
}

/// −ln q(label | text) with q(unsafe) = 1 − Π (1 − p_c): at least one of the 12 fires.
impl Loss<Written> for Guard {
    fn loss(&self, items: &[Written]) -> Result<Vec<f64>> {
        let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        let loss = |(item, p): (&Written, [f32; Category::COUNT])| {
            let safe: f64 = p.iter().map(|&p| (1.0 - f64::from(p)).max(LEAST)).product();
            match item.label {
                Label::Safe => -safe.ln(),
                Label::Unsafe => -(1.0 - safe).max(LEAST).ln(),
            }
        };
        Ok(items.iter().zip(self.probabilities(&texts)?).map(loss).collect())
    }
}
