//! The settings of a game.

use crate::Result;
use crate::data::Language;
use crate::data::filters::{FilterConfig, Filters};
use crate::error::check_rules;
use crate::neural::GuardrailConfig;
use crate::neural::decoder::Config;
use crate::neural::finetune::{FinetuneConfig, Selection};
use crate::neural::generator::{PARALLEL, Sampling, Style};
use crate::neural::preference::{Dpo, TuneConfig};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is played. The defaults are the paper's, where it has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoundsConfig {
    /// Settles all randomness, but for the order in which teaching takes its pairs (`generator.teaching.tune.seed`); the
    /// seeds of the other trainings follow from it.
    pub seed: u64,
    /// Rounds played.
    pub rounds: usize,
    /// S(0): the rows that the classifier starts from.
    pub selection: Selection,
    /// The rows that the generator rewrites.
    pub prompts: Selection,
    /// So many of them in each round, as many safe as unsafe ones where there are; all when absent.
    pub seeds_per_round: Option<usize>,
    /// Languages written in: each seed in each of them.
    pub languages: Vec<Language>,
    /// Texts drawn a seed and language.
    pub candidates: usize,
    /// How they are drawn.
    pub sampling: Sampling,
    /// What is dropped.
    pub filters: FilterConfig,
    /// Whether the untrained base rates the harm of every text, 1 to 5, and misfits are left out.
    pub rating: bool,
    /// The first player.
    pub generator: GeneratorConfig,
    /// The second.
    pub classifier: ClassifierConfig,
    /// Prompts drawn for, afresh, to estimate payoff and gap, a seed in a language each, half of the seeds safe; at least
    /// 2, or 0: neither is estimated.
    pub evaluation: usize,
}

impl Default for RoundsConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            rounds: 3,
            selection: Selection::default(),
            prompts: Selection::default(),
            seeds_per_round: None,
            languages: Language::ALL.to_vec(),
            candidates: 8,
            sampling: Sampling::default(),
            filters: FilterConfig::default(),
            rating: true,
            generator: GeneratorConfig::default(),
            classifier: ClassifierConfig::default(),
            evaluation: 200,
        }
    }
}

/// The generator, and how it learns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Folder or GGUF file below the folder of models; unused with a server.
    pub base: PathBuf,
    /// How it is asked.
    pub style: Style,
    /// Whether it draws with 8-bit weights, on a CPU two to three times as fast; it learns in full precision.
    pub quantised: bool,
    /// Teaches the base the task before the first round.
    pub teaching: Option<Teaching>,
    /// What it learns from preferences; absent: nothing, it stays as it is.
    pub dpo: Option<Dpo>,
    /// How.
    pub tune: TuneConfig,
}

/// Supervised fine-tuning on rows that say the same in two languages, found by the shipped sentence encoder, and on rows
/// of one category: from all seed rows, also those that the game's selections leave out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Teaching {
    /// Sources, by the key after the `#`, in which rows of several languages say the same.
    pub parallel: Vec<String>,
    /// Share of pairs of one language, 0 to 0.9.
    pub same: f64,
    /// Pairs at most.
    pub pairs: usize,
    /// Forgets the tokens that no seed row uses: less to compute.
    pub trim_vocabulary: bool,
    /// How.
    pub tune: TuneConfig,
}

impl Default for Teaching {
    fn default() -> Self {
        Self {
            parallel: PARALLEL.map(str::to_owned).to_vec(),
            same: 0.3,
            pairs: 4000,
            trim_vocabulary: true,
            tune: TuneConfig { learning_rate: 1e-4, ..TuneConfig::default() },
        }
    }
}

/// The classifier, and how it is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Folder or GGUF file of a pre-trained decoder below the folder of models; absent: the small n-gram
    /// guardrail.
    pub base: Option<PathBuf>,
    /// Of the small one.
    pub guardrail: GuardrailConfig,
    /// Of a decoder.
    pub finetune: FinetuneConfig,
    /// Whether a decoder goes on from the last round's classifier, instead of from the base as the paper does.
    pub go_on: bool,
}

impl GeneratorConfig {
    /// Checks how it learns, for a model of this config.
    pub(super) fn check(&self, model: &Config) -> Result<()> {
        if self.dpo.is_some() {
            self.tune.check(model.layers).map_err(|e| e.within("generator.tune"))?;
        }
        let Some(teaching) = &self.teaching else { return Ok(()) };
        teaching.tune.check(model.layers).map_err(|e| e.within("generator.teaching.tune"))
    }
}

impl ClassifierConfig {
    /// Checks how it learns, for a decoder of this config.
    pub(super) fn check(&self, model: Option<&Config>) -> Result<()> {
        match model {
            Some(model) => self.finetune.check(model).map_err(|e| e.within("classifier.finetune")),
            None => self.guardrail.check().map_err(|e| e.within("classifier.guardrail")),
        }
    }
}

impl RoundsConfig {
    /// The settings on which what is played depends: neither how many rounds, nor how a training is cut into work.
    pub(super) fn lasting(&self) -> Self {
        let mut config = Self { rounds: 0, ..self.clone() };
        let generator = &mut config.generator;
        let teaching = generator.teaching.iter_mut().map(|teaching| &mut teaching.tune);
        for tune in teaching.chain([&mut generator.tune]) {
            (tune.workers, tune.checkpoint_steps) = (1, 1);
        }
        let finetune = &mut config.classifier.finetune;
        (finetune.workers, finetune.checkpoint_steps) = (1, 1);
        config
    }

    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) naming the setting.
    pub fn check(&self) -> Result<()> {
        if let Some(dpo) = &self.generator.dpo {
            dpo.check().map_err(|e| e.within("generator.dpo"))?;
        }
        self.sampling.check().map_err(|e| e.within("sampling"))?;
        Filters::new(self.filters.clone(), [""; 0]).map_err(|e| e.within("filters"))?;
        let rules = [
            (
                "candidates",
                self.generator.dpo.is_none() || self.candidates > 1,
                "choose at least 2, of which one can be preferred, or leave generator.dpo out",
            ),
            ("rounds", self.rounds > 0, "choose at least 1"),
            ("languages", !self.languages.is_empty(), "name at least one"),
            ("candidates", self.candidates > 0, "choose at least 1"),
            ("evaluation", self.evaluation != 1, "choose at least 2, or 0 for no estimate"),
            ("seeds_per_round", self.seeds_per_round != Some(0), "choose at least 1"),
            (
                "classifier.guardrail.head",
                self.classifier.guardrail.head.is_none(),
                "leave it out: the small classifier of a game has no encoder",
            ),
            (
                "classifier.go_on",
                !self.classifier.go_on || self.classifier.base.is_some(),
                "it is for decoders: name a base, or leave it out",
            ),
        ];
        check_rules(rules)
    }
}
