//! The small guardrail: hashed n-grams, one linear map, 12 sigmoid outputs; beside them, where it has
//! one, a frozen multilingual encoder under one hidden layer.

use super::classifier;
use super::encoder::{Encoder, WIDTH};
use super::features::{Bags, Features};
use super::head::{Head, HeadConfig};
use super::loss::OUTPUTS;
use crate::error::check_rules;
use crate::report::write_atomically;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

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
    /// See [`row_weights`](super::finetune::row_weights); positive, `None`: rows count the same. Above 1
    /// because a strict maximum of 12 fires less than a single output.
    pub unsafe_odds: Option<f64>,
    /// See [`row_weights`](super::finetune::row_weights), 0..=1.
    pub language_balance: f64,
    /// Chance, each time a row is trained on, of blending a random safe text of its language into it,
    /// 0..=1. What is harmful stays harmful among harmless words: the model learns not to let the
    /// style of safe rows outweigh the evidence.
    pub blend: f32,
    /// Added to every logit of the trained guardrail: where unsafe texts begin. Texts unlike those
    /// trained on score lower, so that a shift above 0 can be right for them.
    pub shift: f32,
    /// The layer above an [`Encoder`], if the guardrail has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadConfig>,
}

impl Default for GuardrailConfig {
    fn default() -> Self {
        Self {
            features: Features::default(),
            epochs: 6,
            batch: 256,
            learning_rate: 0.7,
            negative_weight: 0.0,
            unsafe_odds: Some(2.0),
            language_balance: 0.0,
            blend: 0.5,
            shift: 0.0,
            head: None,
        }
    }
}

impl GuardrailConfig {
    pub(super) fn check(&self) -> Result<()> {
        self.features.check()?;
        self.head.iter().try_for_each(HeadConfig::check)?;
        let rules = [
            ("epochs", self.epochs >= 1, "choose at least 1"),
            ("batch", self.batch >= 1, "choose at least 1"),
            ("learning_rate", positive(self.learning_rate.into()), "choose a positive number"),
            ("negative_weight", (0.0..=1.0).contains(&self.negative_weight), "choose 0 to 1"),
            ("unsafe_odds", self.unsafe_odds.is_none_or(positive), "choose a positive number"),
            ("language_balance", (0.0..=1.0).contains(&self.language_balance), "choose 0 to 1"),
            ("blend", (0.0..=1.0).contains(&self.blend), "choose 0 to 1"),
            ("shift", self.shift.abs() <= 100.0, "choose -100 to 100"),
        ];
        check_rules(rules)
    }
}

fn positive(x: f64) -> bool {
    x > 0.0 && x.is_finite()
}

/// A trained guardrail: logits = x · table + bias for a text's n-gram vector x (see [`Features`]), plus
/// those of the head (see [`HeadConfig`]) for guardrails that read meanings too.
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
    head: Option<Head>,
}

/// The n-grams' formula, differentiable: vectors, `(width, 12)`, `(12)` to logits `(vectors, 12)`.
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
        Ok(Self { config, table, bias: Tensor::from_vec(bias, OUTPUTS, cpu)?, head: None })
    }

    /// This guardrail with its configuration's shift added to the logits.
    pub(super) fn shifted(self) -> Result<Self> {
        Ok(Self { bias: (&self.bias + f64::from(self.config.shift))?, ..self })
    }

    /// This guardrail, which knows n-grams, and a head as one: logits are the weighted mean of both's.
    pub(super) fn with_head(self, config: HeadConfig, head: Head) -> Result<Self> {
        let rest = f64::from(1.0 - config.share);
        Ok(Self {
            config: GuardrailConfig { head: Some(config), ..self.config },
            table: (self.table * rest)?,
            bias: (self.bias * rest)?,
            head: Some(head.scaled(config.share)?),
        })
    }

    /// The encoder of a guardrail that has one.
    pub fn encoder(&self) -> Option<Arc<Encoder>> {
        self.head.as_ref().map(|head| head.encoder.clone())
    }

    /// The settings it was trained with.
    pub fn config(&self) -> &GuardrailConfig {
        &self.config
    }

    /// Its weights, by name: `bias` `(12)` and `table` `(buckets, 12)`.
    pub fn weights(&self) -> [(&'static str, &Tensor); 2] {
        [("bias", &self.bias), ("table", &self.table)]
    }

    /// Probabilities of the 12 categories, a row a text, in the order of [`Category::ALL`](crate::data::Category::ALL).
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text without a visible character.
    pub fn probabilities(&self, texts: &[&str]) -> Result<Vec<[f32; OUTPUTS]>> {
        let bags = Arc::new(self.config.features.bags(texts)?);
        let mut logits = logits(&bags, &self.table, &self.bias)?;
        if let Some(head) = &self.head {
            logits = (logits + head.logits(texts)?)?;
        }
        classifier::probabilities(&logits)
    }

    /// How many word pieces of a text the encoder reads, where it does not read the end; n-grams are of the whole text.
    pub fn cut(&self, text: &str) -> Option<usize> {
        self.head.as_ref().and_then(|head| head.encoder.cut(text))
    }

    /// Score of each text: the largest of its 12 probabilities.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text without a visible character.
    pub fn scores(&self, texts: &[&str]) -> Result<Vec<f32>> {
        Ok(self.probabilities(texts)?.into_iter().map(classifier::score).collect())
    }

    /// Writes a safetensors file with the settings in its metadata. The file appears complete or
    /// not at all: it is written under a temporary name beside `path`, then renamed. The matrices of
    /// a guardrail with an encoder are rounded to 8 bits, with one scale an output.
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
        Self::from_bytes(&bytes, &path.display().to_string())
    }

    /// The guardrail that ships with the library (see models/guardrail/README.md).
    ///
    /// # Errors
    /// None that a build with an intact file can meet.
    pub fn shipped() -> Result<Self> {
        Self::from_bytes(SHIPPED, "the built-in guardrail")
    }

    /// Reads the bytes of a file that [`Guardrail::save`] wrote; errors call it `place`.
    ///
    /// # Errors
    /// Those of [`Guardrail::load`], but for the reading.
    pub fn from_bytes(bytes: &[u8], place: &str) -> Result<Self> {
        Self::from_safetensors(bytes).map_err(|problem| {
            Error::invalid(
                place,
                format!("it is not a guardrail file: {problem}"),
                "train and save the guardrail again",
            )
        })
    }

    /// Eight bytes of header length, a JSON header, the numbers. By hand because the safetensors crate
    /// writes several entries of metadata in an order that changes from run to run, and the same seed is to
    /// give the same file.
    fn to_safetensors(&self) -> Result<Vec<u8>> {
        let mut tensors: BTreeMap<String, Tensor> = BTreeMap::new();
        let mut metadata = serde_json::Map::new();
        metadata.insert(CONFIG.into(), serde_json::json!(self.config).to_string().into());
        tensors.insert("bias".into(), self.bias.clone());
        match &self.head {
            None => {
                tensors.insert("table".into(), self.table.clone());
            }
            Some(head) => {
                metadata.insert(EPSILON.into(), head.encoder.epsilon().to_string().into());
                let matrices = [
                    ("table", &self.table),
                    ("head.hidden", &head.hidden),
                    ("head.out", &head.out),
                ];
                for (name, matrix) in matrices {
                    let (levels, scales) = eight_bits(matrix)?;
                    tensors.insert(name.into(), levels);
                    tensors.insert(format!("{name}.scale"), scales);
                }
                tensors.insert("head.hidden_bias".into(), head.hidden_bias.clone());
                tensors.insert("head.out_bias".into(), head.out_bias.clone());
                let of_encoder =
                    |(name, t): (&String, &Tensor)| (ENCODER.to_owned() + name, t.clone());
                tensors.extend(head.encoder.tensors().iter().map(of_encoder));
            }
        }
        let mut header = serde_json::Map::new();
        header.insert("__metadata__".into(), metadata.into());
        let mut data = Vec::new();
        // The wider numbers first, so that each stands at a multiple of its size.
        let (bytes, wide): (Vec<_>, Vec<_>) =
            tensors.into_iter().partition(|(_, t)| t.dtype() == DType::U8);
        for (name, tensor) in wide.into_iter().chain(bytes) {
            let start = data.len();
            let flat = tensor.flatten_all()?;
            let kind = if tensor.dtype() == DType::U8 {
                data.extend(flat.to_vec1::<u8>()?);
                "U8"
            } else {
                data.extend(flat.to_vec1::<f32>()?.iter().flat_map(|x| x.to_le_bytes()));
                "F32"
            };
            let entry = serde_json::json!({
                "dtype": kind, "shape": tensor.dims(), "data_offsets": [start, data.len()],
            });
            header.insert(name, entry);
        }
        let mut header = serde_json::Value::Object(header).to_string();
        // The numbers are to start at a multiple of 8.
        header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
        Ok([&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat())
    }

    fn from_safetensors(bytes: &[u8]) -> Result<Self, String> {
        let mut tensors = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)
            .map_err(|e| format!("it is cut short or of another format ({e})"))?;
        let config = metadata(bytes, CONFIG).ok_or("it has no readable settings")?;
        let config: GuardrailConfig =
            serde_json::from_str(&config).map_err(|_| "it has no readable settings")?;
        config.check().map_err(|e| e.to_string())?;
        let table = read_weights(&tensors, "table", &[config.features.buckets, OUTPUTS])?;
        let bias = read_weights(&tensors, "bias", &[OUTPUTS])?;
        let head = match config.head {
            None => None,
            Some(HeadConfig { width, .. }) => {
                let tensor = |name: &str, shape: &[usize]| {
                    Tensor::from_vec(read_weights(&tensors, name, shape)?, shape, &Device::Cpu)
                        .map_err(|e| e.to_string())
                };
                let hidden = tensor("head.hidden", &[WIDTH, width])?;
                let hidden_bias = tensor("head.hidden_bias", &[width])?;
                let out = tensor("head.out", &[width, OUTPUTS])?;
                let out_bias = tensor("head.out_bias", &[OUTPUTS])?;
                let epsilon = metadata(bytes, EPSILON).and_then(|e| e.parse().ok());
                let epsilon = epsilon.ok_or("it has no readable settings")?;
                let of_encoder = tensors
                    .drain()
                    .filter_map(|(name, t)| Some((name.strip_prefix(ENCODER)?.to_owned(), t)))
                    .collect();
                let encoder = Arc::new(Encoder::read(of_encoder, epsilon)?);
                Some(Head { encoder, hidden, hidden_bias, out, out_bias })
            }
        };
        let this = Self::from_weights(config, table, bias).map_err(|e| e.to_string())?;
        Ok(Self { head, ..this })
    }
}

impl Encoder {
    /// Reads an encoder from a file of its own, or from a guardrail that has one.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Invalid`] naming it when it holds no
    /// complete encoder.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::io("read", path, source))?;
        let read = || {
            let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
                .map_err(|e| format!("it is cut short or of another format ({e})"))?;
            let epsilon = metadata(&bytes, EPSILON).and_then(|e| e.parse().ok());
            // A guardrail's file holds other tensors too.
            let within = tensors.keys().any(|name| name.starts_with(ENCODER));
            let plain = |(name, t): (String, Tensor)| match within {
                true => Some((name.strip_prefix(ENCODER)?.to_owned(), t)),
                false => Some((name, t)),
            };
            let epsilon = epsilon.ok_or("it has no readable settings")?;
            Self::read(tensors.into_iter().filter_map(plain).collect(), epsilon)
        };
        read().map_err(|problem: String| {
            Error::invalid(
                path.display().to_string(),
                format!("it holds no sentence encoder: {problem}"),
                "give the shipped guardrail's file, or what encoder.py writes",
            )
        })
    }
}

/// Bytes q and a scale a column with (q - 128) scale nearest to the matrix.
fn eight_bits(matrix: &Tensor) -> Result<(Tensor, Tensor)> {
    let (_, columns) = matrix.dims2()?;
    let values = matrix.flatten_all()?.to_vec1::<f32>()?;
    let mut scales = vec![1e-9_f32; columns];
    for (i, x) in values.iter().enumerate() {
        scales[i % columns] = scales[i % columns].max(x.abs() / 127.0);
    }
    let level = |(i, x): (usize, &f32)| ((x / scales[i % columns]).round() + 128.0) as u8;
    let levels: Vec<u8> = values.iter().enumerate().map(level).collect();
    let cpu = &Device::Cpu;
    Ok((Tensor::from_vec(levels, matrix.dims(), cpu)?, Tensor::from_vec(scales, columns, cpu)?))
}

/// The file of the guardrail that ships with the library, see [`Guardrail::shipped`].
pub const SHIPPED: &[u8] = include_bytes!("../../models/guardrail/model.safetensors");

/// Key of the settings, as JSON, in the file's metadata.
pub(crate) const CONFIG: &str = "nashguard.guardrail";

/// Key of the number that the encoder adds to variances.
const EPSILON: &str = "layer_norm_epsilon";
/// Before the names of the encoder's tensors.
const ENCODER: &str = "encoder.";

/// An entry of the file's metadata.
fn metadata(bytes: &[u8], key: &str) -> Option<String> {
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).ok()?;
    header.metadata().as_ref()?.get(key).cloned()
}

/// The tensor of that name and shape; one of bytes has a scale a column beside it.
fn read_weights(
    tensors: &HashMap<String, Tensor>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<f32>, String> {
    let tensor = tensors.get(name).ok_or(format!("it has no tensor \"{name}\""))?;
    if tensor.dims() != shape {
        return Err(format!("tensor \"{name}\" has shape {:?}, not {shape:?}", tensor.dims()));
    }
    let flat = tensor.flatten_all().map_err(|e| e.to_string())?;
    let values = match (tensor.dtype(), shape) {
        (DType::U8, &[_, columns]) => {
            let scales = read_weights(tensors, &format!("{name}.scale"), &[columns])?;
            let levels = flat.to_vec1::<u8>().map_err(|e| e.to_string())?;
            let value = |(i, q): (usize, u8)| (f32::from(q) - 128.0) * scales[i % columns];
            levels.into_iter().enumerate().map(value).collect()
        }
        _ => flat.to_vec1::<f32>().map_err(|e| e.to_string())?,
    };
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(values),
        false => Err(format!("tensor \"{name}\" holds a value that is not finite")),
    }
}
