//! The players of `bridge` as networks: a decoder that writes, sigmoids over n-grams that classify.

use candle_core::{DType, Device, Tensor, Var};
use nashguard::guard::{Draws, Law, Loss, Sample};
use nashguard::neural::decoder::{Config, Decoder, Family, Tokenizer};
use nashguard::neural::features::{Bags, Features};
use nashguard::neural::finetune::{AdamW, Trained};
use nashguard::neural::generator::Generator;
use nashguard::neural::loss::{Target, row_losses};
use nashguard::neural::preference::{
    Dpo, Likelihood, Pair, Passage, Preferences, TuneConfig, bradley_terry, tune,
};
use nashguard::simplex::log_sum_exp;
use nashguard::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Ends prompts and texts.
const END: u32 = 0;
/// Text a is compared with texts a + 1 and a + 3: a graph of pairs that reaches every text.
const PARTNERS: [usize; 2] = [1, 3];
/// Passages a seed when the generator is taught its candidates.
const PASSAGES: f64 = 24.0;

/// Gradient steps, each on all examples.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub steps: usize,
    pub rate: f64,
}

/// Seeds and candidates as the generator reads and writes them.
pub struct Words {
    tokenizer: Tokenizer,
    labels: Vec<usize>,
    prompts: Vec<Vec<u32>>,
    texts: Vec<Vec<u32>>,
}

impl Words {
    pub fn new(seeds: &[&str], labels: Vec<usize>, texts: &[&str]) -> Result<Self> {
        let mut vocabulary = serde_json::Map::new();
        vocabulary.insert("<end>".into(), END.into());
        for word in seeds.iter().chain(texts).flat_map(|text| text.split_whitespace()) {
            let next = vocabulary.len();
            vocabulary.entry(word).or_insert_with(|| next.into());
        }
        let json = serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "pre_tokenizer": { "type": "WhitespaceSplit" },
            "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<end>" },
        });
        let tokenizer = Tokenizer::from_json(&json.to_string())?;
        let encode = |text: &&str| Ok([tokenizer.encode_piece(text)?, vec![END]].concat());
        let prompts = seeds.iter().map(encode).collect::<Result<_>>()?;
        let texts = texts.iter().map(encode).collect::<Result<_>>()?;
        Ok(Self { tokenizer, labels, prompts, texts })
    }

    fn of_seed(&self, seed: usize) -> Vec<Sample> {
        let label = self.labels[seed];
        (0..self.texts.len()).map(|text| Sample { seed, label, text }).collect()
    }

    /// A decoder of random weights, taught to write each seed's texts in the proportions of `law`.
    pub fn taught(&self, law: &[Vec<f64>], seed: u64, effort: Effort) -> Result<Generator> {
        let config = Config {
            family: Family::Llama,
            vocabulary: self.tokenizer.size(),
            hidden: 32,
            intermediate: 64,
            layers: 2,
            heads: 2,
            kv_heads: 2,
            head_width: 16,
            context: 128,
            norm_eps: 1e-6,
            rope_base: 1e4,
            rope_scaling: None,
            local_rope_base: None,
            windows: vec![None; 2],
            score_scale: 0.25,
            qkv_bias: false,
            output_bias: false,
            tied: false,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let decoder = Decoder::random(config, DType::F32, &Device::Cpu, &mut rng)?;
        let mut passages = Vec::new();
        for (prompt, row) in self.prompts.iter().zip(law) {
            // The loss is a mean over tokens, so a longer text must come more often.
            let wanted = row.iter().zip(&self.texts).map(|(p, text)| p * text.len() as f64);
            let total: f64 = wanted.clone().sum();
            for (wanted, text) in wanted.zip(&self.texts) {
                let times = (PASSAGES * wanted / total).round().max(1.0) as usize;
                let passage = Passage { prompt: prompt.clone(), text: text.clone() };
                passages.extend(vec![passage; times]);
            }
        }
        let blank = Generator::new(decoder, self.tokenizer.clone());
        let folder = Scratch::new();
        let config = settings(effort);
        whole(tune(&blank, &config, &Likelihood(passages), &folder.0, &mut |_| GO_ON)?)
    }

    /// The generator's move: a copy of `current`, or of `base` where tau = 0, tuned on pairs of
    /// candidates of every seed, each preferred as Bradley and Terry say of the opponent's losses.
    pub fn reply(
        &self,
        dpo: Dpo,
        current: &Generator,
        base: &Generator,
        opponent: &impl Loss<Sample>,
        effort: Effort,
    ) -> Result<Generator> {
        let count = self.texts.len();
        let mut pairs = Vec::new();
        for (seed, prompt) in self.prompts.iter().enumerate() {
            let loss = opponent.loss(&self.of_seed(seed))?;
            for (a, b) in (0..count).flat_map(|a| PARTNERS.map(|k| (a, (a + k) % count))) {
                pairs.push(Pair {
                    prompt: prompt.clone(),
                    texts: [self.texts[a].clone(), self.texts[b].clone()],
                    preferred: bradley_terry(loss[a], loss[b]),
                });
            }
        }
        let folder = Scratch::new();
        let config = settings(effort);
        // Not `optimise`, to which a move of nothing is a failure: here it is a fixed point.
        let preferences = Preferences::new(dpo, pairs, current, base)?;
        // The exact reply at tau = 0 does not depend on `current`.
        let from = if dpo.tau > 0.0 { current } else { base };
        whole(tune(from, &config, &preferences, &folder.0, &mut |_| GO_ON)?)
    }

    /// The generator as its opponent sees it.
    pub fn written<'a>(&'a self, generator: &'a Generator) -> Written<'a> {
        Written { words: self, generator }
    }
}

const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

fn settings(effort: Effort) -> TuneConfig {
    TuneConfig {
        epochs: effort.steps,
        learning_rate: effort.rate,
        trained: Trained { embeddings: true, ..Trained::default() },
        // All examples in one batch; no bound that matters, no checkpoint before the end.
        batch_tokens: 1 << 20,
        clip: 1e6,
        checkpoint_steps: effort.steps,
        ..TuneConfig::default()
    }
}

fn whole(tuned: Option<Generator>) -> Result<Generator> {
    tuned.ok_or_else(|| Error::invalid("generator", "its tuning was broken off", "run it again"))
}

/// A generator on the candidate set.
pub struct Written<'a> {
    words: &'a Words,
    generator: &'a Generator,
}

impl Law for Written<'_> {
    type Item = Sample;

    /// The whole set, seeds weighing alike.
    fn draws(&self, _n: usize, _seed: u64) -> Result<Draws<Sample>> {
        let seeds = self.words.prompts.len();
        let (mut items, mut weights) = (Vec::new(), Vec::new());
        for seed in 0..seeds {
            let row = self.words.of_seed(seed);
            let log_p = self.log_prob(&row)?;
            let total = log_sum_exp(&log_p);
            weights.extend(log_p.iter().map(|l| (l - total).exp() / seeds as f64));
            items.extend(row);
        }
        Ok(Draws { items, weights, exact: true })
    }

    fn log_prob(&self, items: &[Sample]) -> Result<Vec<f64>> {
        let Words { prompts, texts, .. } = self.words;
        let pairs: Vec<(&[u32], &[u32])> =
            items.iter().map(|s| (&prompts[s.seed][..], &texts[s.text][..])).collect();
        let log_p = self.generator.log_probs(&pairs)?.to_vec1::<f32>()?;
        Ok(log_p.into_iter().map(f64::from).collect())
    }
}

/// The library's n-grams under 12 sigmoids: q(safe) = Π (1 − p_c), kept within the floor γ..1 − γ.
#[derive(Clone)]
pub struct Sigmoids {
    bags: Arc<Bags>,
    floor: f64,
    /// `(buckets, 12)`
    table: Tensor,
    /// `(12)`
    bias: Tensor,
}

const OUTPUTS: usize = 12;
const FEATURES: Features = Features { buckets: 1 << 13, char_min: 2, char_max: 5, word_max: 2 };
/// Where the guardrail's training starts too.
const START_BIAS: f32 = -2.0;

impl Sigmoids {
    /// Weights uniform in ±0.02, of which the seed decides.
    pub fn random(texts: &[&str], floor: f64, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shape = (FEATURES.buckets, OUTPUTS);
        let weights: Vec<f32> =
            (0..shape.0 * shape.1).map(|_| rng.random_range(-0.02..=0.02)).collect();
        Ok(Self {
            bags: Arc::new(FEATURES.bags(texts)?),
            floor,
            table: Tensor::from_vec(weights, shape, &Device::Cpu)?,
            bias: Tensor::full(START_BIAS, OUTPUTS, &Device::Cpu)?,
        })
    }

    /// −ln q(safe) and −ln q(unsafe) of every text, without the floor.
    fn losses(&self, table: &Tensor, bias: &Tensor) -> Result<[Tensor; 2]> {
        let logits = self.bags.sums(table)?.broadcast_add(bias)?;
        let of = |target| row_losses(&logits, &vec![target; self.bags.len()], 1.0);
        Ok([of(Target::Safe)?, of(Target::Unknown)?])
    }

    /// The classifier's move: from its weights, gradient steps on the cross-entropy of the texts that
    /// the generator writes under each label.
    ///
    /// The floor is not in the loss: its minimiser is the posterior, which the floor then clips, and
    /// that is the best reply in the game with a floor. With the floor in it, a text that changes
    /// sides would find no gradient.
    pub fn reply(&self, law: &impl Law<Item = Sample>, effort: Effort) -> Result<Self> {
        let draws = law.draws(0, 0)?;
        let mut mass = [vec![0.0_f32; self.bags.len()], vec![0.0; self.bags.len()]];
        for (item, weight) in draws.items.iter().zip(draws.weights) {
            mass[item.label][item.text] += weight as f32;
        }
        let [safe, harm] = mass.map(|m| Tensor::new(m, &Device::Cpu));
        let (safe, harm) = (safe?, harm?);
        let table = Var::from_tensor(&self.table.copy()?)?;
        let bias = Var::from_tensor(&self.bias.copy()?)?;
        let variables = [("table".to_owned(), table.clone()), ("bias".to_owned(), bias.clone())];
        let mut adamw = AdamW::new(BTreeMap::from(variables), 0.0)?;
        for step in 0..effort.steps {
            let [of_safe, of_harm] = self.losses(&table, &bias)?;
            let loss = ((of_safe * &safe)? + (of_harm * &harm)?)?.sum_all()?;
            let gradients = adamw.gradients(&loss)?;
            let left = 1.0 - step as f64 / effort.steps as f64;
            adamw.step(&gradients, f64::INFINITY, effort.rate * left)?;
        }
        let (table, bias) = (table.as_detached_tensor(), bias.as_detached_tensor());
        Ok(Self { table, bias, ..self.clone() })
    }
}

impl Loss<Sample> for Sigmoids {
    fn loss(&self, items: &[Sample]) -> Result<Vec<f64>> {
        let [safe, _] = self.losses(&self.table, &self.bias)?;
        let safe = safe.to_vec1::<f32>()?;
        let one = |item: &Sample| {
            let q = (-f64::from(safe[item.text])).exp().clamp(self.floor, 1.0 - self.floor);
            -if item.label == 0 { q } else { 1.0 - q }.ln()
        };
        Ok(items.iter().map(one).collect())
    }
}

/// A folder for one tuning, removed after it.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nashguard-bridge-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is a temporary file.
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}
