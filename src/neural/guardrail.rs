//! The first trained guardrail: hashed n-grams, one linear map, 12 sigmoid outputs.

use super::features::{Bags, Features};
use crate::data::Category;
use crate::report::write_atomically;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

const OUTPUTS: usize = Category::COUNT;

/// How a [`Guardrail`] reads and learns; the defaults are fixed by seed rows only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardrailConfig {
    /// N-grams and buckets.
    pub features: Features,
    /// Passes over the training rows.
    pub epochs: usize,
    /// Rows a step.
    pub batch: usize,
    /// Adagrad's rate at the first step; it falls linearly to 0 at the last.
    pub learning_rate: f32,
    /// Weight of the categories that an unsafe row does not name, 0..=1 (see
    /// [`row_losses`](super::loss::row_losses)). 1 is the paper's cross-entropy.
    pub negative_weight: f64,
    /// Weighs rows so that within each language unsafe rows count this many times as much as safe
    /// ones; positive. Above 1 because a strict maximum of 12 fires less than a single output.
    pub unsafe_odds: f64,
    /// Chance, each time a row is trained on, of blending a random safe text of its language into it,
    /// 0..=1. What is harmful stays harmful among harmless words: the model learns not to let the
    /// style of safe rows outweigh the evidence.
    pub blend: f32,
}

impl Default for GuardrailConfig {
    fn default() -> Self {
        Self {
            features: Features::default(),
            epochs: 6,
            batch: 256,
            learning_rate: 0.7,
            negative_weight: 0.0,
            unsafe_odds: 2.0,
            blend: 0.5,
        }
    }
}

impl GuardrailConfig {
    pub(super) fn check(&self) -> Result<()> {
        self.features.check()?;
        let rules = [
            ("epochs", self.epochs >= 1, "choose at least 1"),
            ("batch", self.batch >= 1, "choose at least 1"),
            ("learning_rate", positive(self.learning_rate.into()), "choose a positive number"),
            ("negative_weight", (0.0..=1.0).contains(&self.negative_weight), "choose 0 to 1"),
            ("unsafe_odds", positive(self.unsafe_odds), "choose a positive number"),
            ("blend", (0.0..=1.0).contains(&self.blend), "choose 0 to 1"),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, rule)) => Err(Error::invalid(field, "it is out of range", rule)),
            None => Ok(()),
        }
    }
}

fn positive(x: f64) -> bool {
    x > 0.0 && x.is_finite()
}

/// A trained guardrail: logits = x · table + bias for a text's n-gram vector x (see [`Features`]).
///
/// A text's score is the largest of its 12 probabilities; it is called unsafe when the score is
/// above the threshold (the paper's: 0.5), strictly.
#[derive(Clone, Debug)]
pub struct Guardrail {
    config: GuardrailConfig,
    /// `(buckets, 12)`
    table: Tensor,
    /// `(12)`
    bias: Tensor,
}

/// The model's formula, differentiable: vectors, `(width, 12)`, `(12)` to logits `(vectors, 12)`.
///
/// # Errors
/// When the shapes do not fit.
pub fn logits(bags: &Arc<Bags>, table: &Tensor, bias: &Tensor) -> Result<Tensor> {
    Ok(bags.sums(table)?.broadcast_add(bias)?)
}

impl Guardrail {
    /// A guardrail of these weights: table `(buckets, 12)` by rows, bias 12.
    pub(super) fn from_weights(
        config: GuardrailConfig,
        table: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<Self> {
        let cpu = &Device::Cpu;
        let table = Tensor::from_vec(table, (config.features.buckets, OUTPUTS), cpu)?;
        Ok(Self { config, table, bias: Tensor::from_vec(bias, OUTPUTS, cpu)? })
    }

    /// The settings it was trained with.
    pub fn config(&self) -> &GuardrailConfig {
        &self.config
    }

    /// Its weights, by name: `bias` `(12)` and `table` `(buckets, 12)`.
    pub fn weights(&self) -> [(&'static str, &Tensor); 2] {
        [("bias", &self.bias), ("table", &self.table)]
    }

    /// Probabilities of the 12 categories, a row a text, in the order of [`Category::ALL`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text without a visible character.
    pub fn probabilities(&self, texts: &[&str]) -> Result<Vec<[f32; OUTPUTS]>> {
        let bags = Arc::new(self.config.features.bags(texts)?);
        let logits = logits(&bags, &self.table, &self.bias)?.flatten_all()?.to_vec1::<f32>()?;
        let (rows, _) = logits.as_chunks::<OUTPUTS>();
        Ok(rows.iter().map(|row| row.map(|z| 1.0 / (1.0 + (-z).exp()))).collect())
    }

    /// Score of each text: the largest of its 12 probabilities.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text without a visible character.
    pub fn scores(&self, texts: &[&str]) -> Result<Vec<f32>> {
        let rows = self.probabilities(texts)?;
        Ok(rows.into_iter().map(|row| row.into_iter().fold(0.0, f32::max)).collect())
    }

    /// Writes a safetensors file with the settings in its metadata. The file appears complete or
    /// not at all: it is written under a temporary name beside `path`, then renamed.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomically(path, &self.to_safetensors()?)
    }

    /// Reads what [`Guardrail::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Invalid`] naming it when it is not a
    /// complete guardrail: cut short, without settings, of another shape, or not finite.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
        Self::from_safetensors(&bytes).map_err(|problem| {
            Error::invalid(
                path.display().to_string(),
                format!("it is not a guardrail file: {problem}"),
                "train and save the guardrail again",
            )
        })
    }

    /// Eight bytes of header length, a JSON header, the numbers (safetensors' own writer would
    /// need a direct dependency, and candle's leaves no room for metadata).
    fn to_safetensors(&self) -> Result<Vec<u8>> {
        let mut header = serde_json::Map::new();
        let mut data = Vec::new();
        for (name, tensor) in self.weights() {
            let start = data.len();
            for x in tensor.flatten_all()?.to_vec1::<f32>()? {
                data.extend_from_slice(&x.to_le_bytes());
            }
            let entry = serde_json::json!({
                "dtype": "F32", "shape": tensor.dims(), "data_offsets": [start, data.len()],
            });
            header.insert(name.into(), entry);
        }
        let config = serde_json::json!(self.config).to_string();
        header.insert("__metadata__".into(), serde_json::json!({ CONFIG: config }));
        let mut header = serde_json::Value::Object(header).to_string();
        // The numbers are to start at a multiple of 8.
        header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
        Ok([&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat())
    }

    fn from_safetensors(bytes: &[u8]) -> Result<Self, String> {
        let tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)
            .map_err(|e| format!("it is cut short or of another format ({e})"))?;
        let config = read_config(bytes).ok_or("it has no readable settings")?;
        config.check().map_err(|e| e.to_string())?;
        let weights = |name: &str, shape: &[usize]| read_weights(&tensors, name, shape);
        let table = weights("table", &[config.features.buckets, OUTPUTS])?;
        let bias = weights("bias", &[OUTPUTS])?;
        Self::from_weights(config, table, bias).map_err(|e| e.to_string())
    }
}

/// Key of the settings, as JSON, in the file's metadata.
const CONFIG: &str = "nashguard.guardrail";

fn read_config(bytes: &[u8]) -> Option<GuardrailConfig> {
    let (length, rest) = bytes.split_first_chunk()?;
    let header = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let header: serde_json::Value = serde_json::from_slice(header).ok()?;
    serde_json::from_str(header["__metadata__"][CONFIG].as_str()?).ok()
}

fn read_weights(
    tensors: &HashMap<String, Tensor>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<f32>, String> {
    let tensor = tensors.get(name).ok_or(format!("it has no tensor \"{name}\""))?;
    if tensor.dims() != shape {
        return Err(format!("tensor \"{name}\" has shape {:?}, not {shape:?}", tensor.dims()));
    }
    let values =
        tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).map_err(|e| e.to_string())?;
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(values),
        false => Err(format!("tensor \"{name}\" holds a value that is not finite")),
    }
}
