//! The settings of a training run.

use super::layer_of;
use crate::Result;
use crate::error::check_rules;
use crate::neural::classifier::Reading;
use crate::neural::decoder::config::{EMBEDDING, FINAL_NORM, OUTPUT};
use crate::neural::decoder::{Config, Decoder};
use candle_core::{DType, Var};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a classifier is trained; the defaults are those for all weights of a small model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneConfig {
    /// Settles the head's and adapters' first weights and the order of the rows.
    pub seed: u64,
    /// How texts become tokens.
    pub reading: Reading,
    /// Layers kept, from the first; the rest are dropped, and the last norm follows. All when absent.
    pub depth: Option<usize>,
    /// Forgets the tokens that no training text uses; see [`trimmed`](crate::neural::decoder::trimmed).
    pub trim_vocabulary: bool,
    /// Which weights are trained, besides the head.
    pub trained: Trained,
    /// What is minimised.
    pub loss: Loss,
    /// Weight of the categories that an unsafe row does not name, 0..=1, in [`Loss::Bce`]; 1 is the
    /// paper's.
    pub negative_weight: f64,
    /// See [`row_weights`](super::row_weights); absent: rows count the same.
    pub unsafe_odds: Option<f64>,
    /// See [`row_weights`](super::row_weights), 0..=1.
    pub language_balance: f64,
    /// Passes over the rows.
    pub epochs: usize,
    /// AdamW's rate at the end of the warm-up; from there it falls to 0 along a cosine.
    pub learning_rate: f64,
    /// Share of the steps over which the rate rises from 0.
    pub warmup: f64,
    /// AdamW's decay.
    pub weight_decay: f64,
    /// Bound of the gradient's norm.
    pub clip: f64,
    /// Slots a batch: its sequences times the longest of them.
    pub batch_tokens: usize,
    /// Batches a step.
    pub accumulate: usize,
    /// Batches computed at a time, each on one thread. The result does not depend on it.
    pub workers: usize,
    /// Keeps what the frozen layers compute in a file, in this number type.
    pub cache: Option<Cache>,
    /// Steps between checkpoints; there is one after every epoch too.
    pub checkpoint_steps: usize,
}

impl Default for FinetuneConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            reading: Reading::default(),
            depth: None,
            trim_vocabulary: false,
            trained: Trained::default(),
            loss: Loss::Bce,
            negative_weight: 1.0,
            unsafe_odds: None,
            language_balance: 0.0,
            epochs: 2,
            learning_rate: 2e-5,
            warmup: 0.1,
            weight_decay: 0.01,
            clip: 1.0,
            batch_tokens: 1024,
            accumulate: 2,
            workers: 1,
            cache: None,
            checkpoint_steps: 200,
        }
    }
}

/// Which weights of the decoder are trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trained {
    /// The last so many layers, with the last norm; all when absent.
    pub layers: Option<usize>,
    /// The embedding table too; only with all layers.
    pub embeddings: bool,
    /// Only low-rank additions to the linear maps of these layers.
    pub lora: Option<Lora>,
}

impl Trained {
    /// The first trained of so many layers.
    pub(in crate::neural) fn first(&self, layers: usize) -> usize {
        layers - self.layers.unwrap_or(layers).min(layers)
    }

    /// Whether a weight belongs to a trained one of so many layers.
    fn holds(&self, name: &str, layers: usize) -> bool {
        layer_of(name).is_some_and(|layer| layer >= self.first(layers))
    }

    /// Turns what is trained into variables; of the output layer, which a classifier does not have, only what
    /// `output` says.
    pub(in crate::neural) fn variables(
        &self,
        decoder: &mut Decoder,
        output: bool,
        rng: &mut ChaCha8Rng,
    ) -> Result<BTreeMap<String, Var>> {
        let layers = decoder.config().layers;
        match &self.lora {
            Some(Lora { rank, alpha, targets }) => decoder.adapt(
                *rank,
                *alpha,
                |name| {
                    self.holds(name, layers) && targets.iter().any(|t| name.contains(t.as_str()))
                },
                rng,
            ),
            None => decoder.variables(|name| match name {
                EMBEDDING => self.embeddings,
                OUTPUT => output && self.embeddings,
                FINAL_NORM => true,
                _ => self.holds(name, layers),
            }),
        }
    }

    /// How many numbers of a decoder are trained.
    pub(in crate::neural) fn numbers(&self, model: &Config) -> usize {
        let in_layers = |name: &str| self.holds(name, model.layers);
        let of = |(name, shape): &(String, Vec<usize>)| match (&self.lora, name.as_str()) {
            (Some(lora), name) => {
                let adapted = name.ends_with("_proj.weight")
                    && in_layers(name)
                    && lora.targets.iter().any(|t| name.contains(t.as_str()));
                if adapted { lora.rank * shape.iter().sum::<usize>() } else { 0 }
            }
            (None, EMBEDDING | OUTPUT) if !self.embeddings => 0,
            (None, EMBEDDING | OUTPUT | FINAL_NORM) => shape.iter().product(),
            (None, name) if in_layers(name) => shape.iter().product(),
            _ => 0,
        };
        model.shapes().iter().map(of).sum()
    }

    /// Checks the choice for a model of so many layers.
    pub(in crate::neural) fn check(&self, depth: usize) -> Result<()> {
        let layers = self.layers.unwrap_or(depth);
        let lora = self.lora.as_ref();
        let known = |name: &String| TARGETS.contains(&name.as_str());
        let rules = [
            ("trained.layers", layers <= depth, "choose at most the layers kept"),
            (
                "trained.embeddings",
                !self.embeddings || (layers == depth && lora.is_none()),
                "train all layers with them",
            ),
            ("trained.lora.rank", lora.is_none_or(|l| l.rank > 0), "choose at least 1"),
            (
                "trained.lora.alpha",
                lora.is_none_or(|l| l.alpha > 0.0 && l.alpha.is_finite()),
                "choose above 0",
            ),
            (
                "trained.lora.targets",
                lora.is_none_or(|l| !l.targets.is_empty() && l.targets.iter().all(known)),
                "choose among q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj",
            ),
        ];
        check_rules(rules)
    }
}

/// Low-rank adapters (Hu et al., 2021).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// Rank of an addition, at least 1.
    pub rank: usize,
    /// Their scale is alpha / rank.
    pub alpha: f64,
    /// Linear maps by the names `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`, `up_proj`,
    /// `down_proj`.
    pub targets: Vec<String>,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// [`row_losses`](crate::neural::loss::row_losses), the paper's.
    Bce,
    /// [`softmax_losses`](crate::neural::loss::softmax_losses), the released code's.
    Softmax,
}

/// Number type of kept activations. 16 bits take half the room; f32 gives the same training as
/// computing them anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names say it
pub enum Cache {
    F32,
    F16,
    Bf16,
}

impl Cache {
    pub(in crate::neural) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }
}

const TARGETS: [&str; 7] =
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

impl FinetuneConfig {
    pub(in crate::neural) fn check(&self, model: &Config) -> Result<()> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let depth = self.depth.unwrap_or(model.layers);
        let rules = [
            ("depth", (1..=model.layers).contains(&depth), "choose 1 to the model's layers"),
            ("negative_weight", share(self.negative_weight), "choose 0 to 1"),
            ("unsafe_odds", self.unsafe_odds.is_none_or(positive), "choose a positive number"),
            ("language_balance", share(self.language_balance), "choose 0 to 1"),
            ("epochs", self.epochs > 0, "choose at least 1"),
            ("learning_rate", positive(self.learning_rate), "choose a positive number"),
            ("warmup", share(self.warmup), "choose 0 to 1"),
            ("weight_decay", share(self.weight_decay), "choose 0 to 1"),
            ("clip", self.clip > 0.0, "choose a positive number"),
            ("batch_tokens", self.batch_tokens > 0, "choose at least 1"),
            ("accumulate", self.accumulate > 0, "choose at least 1"),
            ("workers", (1..=256).contains(&self.workers), "choose 1 to 256"),
            ("checkpoint_steps", self.checkpoint_steps > 0, "choose at least 1"),
            (
                "reading.max_tokens",
                (1..=model.context).contains(&self.reading.max_tokens),
                "choose 1 to the model's context",
            ),
        ];
        check_rules(rules)?;
        self.trained.check(depth)
    }
}

/// The rate of step `step` of `total`, counted from 0: linear up to `highest` at the end of the warm-up, then
/// half a cosine down to 0, which it would reach after the last step.
pub(in crate::neural) fn rate(highest: f64, warmup: f64, step: usize, total: usize) -> f64 {
    let warm = (warmup * total as f64).ceil() as usize;
    if step < warm {
        return highest * (step + 1) as f64 / warm as f64;
    }
    let way = (step - warm) as f64 / (total - warm) as f64;
    highest * (1.0 + (std::f64::consts::PI * way).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_for_a_tenth_and_falls_along_a_cosine() {
        let rates: Vec<f64> = (0..100).map(|step| rate(2.0, 0.1, step, 100)).collect();
        assert_eq!(rates[0], 0.2);
        assert_eq!(rates[9], 2.0);
        assert_eq!(rates[10], 2.0);
        assert!((rates[55] - 1.0).abs() < 1e-12);
        assert!(rates[..10].is_sorted() && rates[10..].is_sorted_by(|a, b| a > b));
        assert!(rates[99] > 0.0 && rates[99] < 1e-3 * 2.0);
        assert_eq!(rate(2.0, 0.1, 0, 1), 2.0);
    }
}
