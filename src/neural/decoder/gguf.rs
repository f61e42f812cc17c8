//! GGUF files: llama.cpp's format, with the config and the tokenizer in the metadata.

use super::Decoder;
use super::alignment::{ALIGNMENT, unaligned};
use super::config::{Config, EMBEDDING, FINAL_NORM, Family, OUTPUT, Scaling};
use super::files::shown;
use super::tokenizer::Pieces;
use super::weights::{Numbers, Weights, hold};
use crate::{Error, Result};
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor};
use serde_json::Map;
use std::f64::consts::TAU;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;

/// An open file: its place in error messages, its table of contents, and what follows.
struct Gguf {
    place: String,
    content: Content,
    reader: BufReader<File>,
}

pub(super) fn decoder(path: &Path, numbers: Numbers, device: &Device) -> Result<Decoder> {
    let mut file = Gguf::open(path)?;
    let config = file.whole_config()?;
    file.with_config(config, numbers, device)
}

pub(super) fn config(path: &Path) -> Result<Config> {
    Gguf::open(path)?.whole_config()
}

/// Whether every weight of the config is in the file, by its table of contents.
pub(super) fn check(path: &Path, config: &Config) -> Result<()> {
    let file = Gguf::open(path)?;
    let size = path.metadata().map_err(|e| Error::io("read", path, e))?.len();
    for (name, shape) in config.shapes() {
        let (stored, info) = stored_name(&name, config.family)
            .and_then(|stored| Some((stored.clone(), file.content.tensor_infos.get(&stored)?)))
            .ok_or_else(|| file.bad(format!("it lacks the weight {name}")))?;
        let (found, kind) = (info.shape.dims(), info.ggml_dtype);
        if found != shape {
            let problem = format!("the weight {stored} has shape {found:?}, not {shape:?}");
            return Err(file.bad(problem));
        }
        let bytes = info.shape.elem_count() / kind.block_size() * kind.type_size();
        let start = file.content.tensor_data_offset.saturating_add(info.offset);
        if start.saturating_add(bytes as u64) > size {
            return Err(file.bad(format!("the weight {stored} is cut short")));
        }
    }
    Ok(())
}

pub(super) fn pieces(path: &Path) -> Result<Pieces> {
    Gguf::open(path)?.pieces()
}

impl Gguf {
    fn open(path: &Path) -> Result<Self> {
        let place = shown(path);
        let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
        let mut reader = BufReader::new(file);
        let bad = |problem: String| {
            let remedy = "name a folder with config.json or a complete .gguf file";
            Error::invalid(&place, problem, remedy)
        };
        let no_file = |e: &dyn Display| bad(format!("it is cut short or no GGUF file ({e})"));
        if unaligned(&mut reader).map_err(|e| no_file(&e))? {
            return Err(bad(format!("its metadata {ALIGNMENT} is 0")));
        }
        reader.rewind().map_err(|e| no_file(&e))?;
        let content = Content::read(&mut reader).map_err(|e| no_file(&e))?;
        // candle multiplies the sizes before they are compared with those wanted.
        let odd = content.tensor_infos.iter().find(|(_, info)| {
            let mut sizes = info.shape.dims().iter();
            let count = sizes.try_fold(1_usize, |count, &size| count.checked_mul(size));
            !count.is_some_and(|count| (1..1 << 48).contains(&count))
        });
        if let Some((name, info)) = odd {
            let sizes = info.shape.dims();
            return Err(bad(format!("{sizes:?} is no shape of the weight {name}")));
        }
        Ok(Self { place, content, reader })
    }

    fn bad(&self, problem: impl Into<String>) -> Error {
        Error::invalid(&self.place, problem, "download the file again or use another model")
    }

    fn has(&self, weight: &str) -> bool {
        self.content.tensor_infos.contains_key(weight)
    }

    fn value(&self, key: &str) -> Result<&Value> {
        let found = self.content.metadata.get(key);
        found.ok_or_else(|| self.bad(format!("its metadata lacks {key}")))
    }

    /// A value of another type than asked for is an error; a missing one is `None`.
    fn optional<T>(
        &self,
        key: &str,
        read: impl Fn(&Value) -> candle_core::Result<T>,
    ) -> Result<Option<T>> {
        let value = self.content.metadata.get(key);
        let value = value.map(read).transpose();
        value.map_err(|e| self.bad(format!("its metadata {key} is of another type ({e})")))
    }

    fn required<T>(&self, key: &str, read: impl Fn(&Value) -> candle_core::Result<T>) -> Result<T> {
        self.value(key)?;
        self.optional(key, read)?.ok_or_else(|| self.bad(format!("its metadata lacks {key}")))
    }

    fn list<T>(
        &self,
        key: &str,
        read: impl Fn(&Value) -> candle_core::Result<T>,
    ) -> Result<Vec<T>> {
        self.required(key, |value| value.to_vec()?.iter().map(&read).collect())
    }

    /// The config.
    fn whole_config(&mut self) -> Result<Config> {
        let mut config = self.config()?;
        if self.has("rope_freqs.weight") {
            config.rope_scaling = Some(self.llama3_stretch(&config)?);
        }
        Ok(config)
    }

    /// The config, without the stretch of the rotation that a tensor may hold.
    fn config(&self) -> Result<Config> {
        let architecture = self.required("general.architecture", |v| v.to_string().cloned())?;
        let family = match architecture.as_str() {
            "llama" => Family::Llama,
            "qwen2" => Family::Qwen2,
            "gemma3" => Family::Gemma3,
            other => {
                return Err(Error::invalid(
                    &self.place,
                    format!("unknown architecture \"{other}\""),
                    "use a llama, qwen2 or gemma3 model",
                ));
            }
        };
        let gemma = family == Family::Gemma3;
        let key = |name: &str| format!("{architecture}.{name}");
        let size = |name: &str| self.required(&key(name), number);
        let real = |name: &str| self.optional(&key(name), |v| Ok(f64::from(v.to_f32()?)));

        let (layers, heads) = (size("block_count")?, size("attention.head_count")?);
        let hidden = size("embedding_length")?;
        let head_width = match self.optional(&key("attention.key_length"), number)? {
            Some(width) => width,
            None => hidden / heads.max(1),
        };
        let kv_heads = self.optional(&key("attention.head_count_kv"), number)?.unwrap_or(heads);
        let window = self.optional(&key("attention.sliding_window"), number)?;
        // llama.cpp's fixed pattern: every sixth layer sees everything.
        let local = |layer: usize| gemma && !(layer + 1).is_multiple_of(6);
        let windows =
            (0..layers.min(1 << 16)).map(|layer| window.filter(|_| local(layer))).collect();
        let vocabulary = match self.content.tensor_infos.get("token_embd.weight") {
            Some(info) => info.shape.dims().first().copied().unwrap_or(0),
            None => return Err(self.bad("it lacks the weight token_embd.weight")),
        };
        let kind = self.optional(&key("rope.scaling.type"), |v| v.to_string().cloned())?;
        let rope_scaling = match (kind.as_deref(), real("rope.scaling.factor")?) {
            (Some("linear"), Some(factor)) => Some(Scaling::Linear { factor }),
            (None | Some("none" | "linear"), _) => None,
            (Some(other), _) => {
                return Err(self.bad(format!("rotary scaling \"{other}\" is not supported")));
            }
        };
        // The one Gemma 3 whose scale is not that of its heads is the 27B model.
        let scalar = if gemma && layers == 62 { hidden / heads.max(1) } else { head_width };
        let config = Config {
            family,
            vocabulary,
            hidden,
            intermediate: size("feed_forward_length")?,
            layers,
            heads,
            kv_heads,
            head_width,
            context: self.optional(&key("context_length"), number)?.unwrap_or(2048),
            norm_eps: real("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-6),
            rope_base: real("rope.freq_base")?.unwrap_or(if gemma { 1e6 } else { 1e4 }),
            rope_scaling,
            local_rope_base: gemma.then_some(1e4),
            windows,
            score_scale: (scalar as f64).powf(-0.5),
            qkv_bias: self.has("blk.0.attn_q.bias"),
            output_bias: self.has("blk.0.attn_output.bias"),
            tied: !self.has("output.weight"),
        };
        config.check().map_err(|e| e.within(&self.place))
    }

    /// Llama 3's stretch, recognised by the divisors of the frequencies that the file holds. The context
    /// before the stretch follows from a frequency on the ramp.
    fn llama3_stretch(&mut self, config: &Config) -> Result<Scaling> {
        let divisors = self.tensor("rope_freqs.weight")?.dequantize(&Device::Cpu)?;
        let divisors = divisors.flatten_all()?.to_vec1::<f32>()?;
        let factor = f64::from(divisors.iter().copied().fold(1.0, f32::max));
        let (low, high) = (1.0, 4.0);
        let plain = Config { rope_scaling: None, ..config.clone() }.frequencies(false);
        let on_ramp = plain.iter().zip(&divisors).find_map(|(frequency, &divisor)| {
            let keep = (1.0 / f64::from(divisor) - 1.0 / factor) / (1.0 - 1.0 / factor);
            let waves = low + keep * (high - low);
            (0.01..0.99).contains(&keep).then(|| (waves * TAU / frequency).round())
        });
        let scaling = Scaling::Llama3 { factor, low, high, original: on_ramp.unwrap_or(8192.0) };
        let ours = Config { rope_scaling: Some(scaling), ..config.clone() }.frequencies(false);
        let same = plain.len() == divisors.len()
            && plain.iter().zip(&ours).zip(&divisors).all(|((plain, ours), &divisor)| {
                (plain / ours / f64::from(divisor) - 1.0).abs() < 1e-3
            });
        match same {
            true => Ok(scaling),
            false => Err(self.bad("its rope_freqs are not those of Llama 3")),
        }
    }

    fn tensor(&mut self, name: &str) -> Result<QTensor> {
        let read = self.content.tensor(&mut self.reader, name, &Device::Cpu);
        read.map_err(|e| self.bad(format!("the weight {name} is missing or cut short ({e})")))
    }

    fn with_config(mut self, config: Config, numbers: Numbers, device: &Device) -> Result<Decoder> {
        let mut weights = Weights::new();
        for (name, shape) in config.shapes() {
            let stored = stored_name(&name, config.family)
                .ok_or_else(|| self.bad(format!("there is no place for {name} in it")))?;
            let blocks = self.tensor(&stored)?;
            if blocks.shape().dims() != shape {
                return Err(self.bad(format!(
                    "the weight {stored} has shape {:?}, not {shape:?}",
                    blocks.shape().dims()
                )));
            }
            let heads = match name.rsplit_once("self_attn.") {
                Some((_, "q_proj.weight" | "q_proj.bias")) => Some(config.heads),
                Some((_, "k_proj.weight" | "k_proj.bias")) => Some(config.kv_heads),
                _ => None,
            };
            let order = heads
                .filter(|_| config.family == Family::Llama)
                .map(|heads| unpermuted(shape[0], heads));
            let mut tensor = blocks.dequantize(&Device::Cpu)?;
            if let Some(order) = order {
                tensor = tensor.index_select(&Tensor::new(order, &Device::Cpu)?, 0)?;
            }
            if config.family == Family::Gemma3 && name.ends_with("norm.weight") {
                // llama.cpp stores 1 + w.
                tensor = (tensor - 1.0)?;
            }
            let weight = hold(&tensor, numbers, device)?
                .ok_or_else(|| self.bad(format!("the weight {stored} is not finite")))?;
            weights.insert(name, weight);
        }
        Decoder::new(config, weights).map_err(|e| e.within(&self.place))
    }

    fn pieces(&self) -> Result<Pieces> {
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let text = |v: &Value| v.to_string().cloned();
        let id =
            |name: &str| Ok::<_, Error>(self.optional(&key(name), number)?.map(|id| id as u32));
        let flag = |name: &str| self.optional(&key(name), Value::to_bool);
        let has = |name: &str| self.content.metadata.contains_key(&key(name));
        let or_empty = |name: &str| match has(name) {
            true => self.list(&key(name), text),
            false => Ok(Vec::new()),
        };
        let model = self.required(&key("model"), text)?;
        let starts = flag("add_bos_token")?.unwrap_or(model == "llama");
        let ends = flag("add_eos_token")?.unwrap_or(false);
        let tokens = self.list(&key("tokens"), text)?;
        let mut about = Map::new();
        about.insert("tokenizer_class".into(), "PreTrainedTokenizerFast".into());
        for (name, stored) in [
            ("bos_token", "bos_token_id"),
            ("eos_token", "eos_token_id"),
            ("unk_token", "unknown_token_id"),
            ("pad_token", "padding_token_id"),
        ] {
            if let Some(token) = id(stored)?.and_then(|id| tokens.get(id as usize)) {
                about.insert(name.into(), token.as_str().into());
            }
        }
        if let Some(template) = self.optional("tokenizer.chat_template", text)? {
            about.insert("chat_template".into(), template.into());
        }
        // Ends of a turn and of a message; many files do not name them.
        let mut stops = Vec::new();
        for stored in ["eot_token_id", "eom_token_id"] {
            stops.extend(id(stored)?.and_then(|id| tokens.get(id as usize)).cloned());
        }
        stops.extend(tokens.iter().filter(|token| TURN_ENDS.contains(&&***token)).cloned());
        Ok(Pieces {
            model,
            split: self.optional(&key("pre"), text)?,
            tokens,
            kinds: self.list(&key("token_type"), |v| Ok(number(v)? as u32))?,
            merges: or_empty("merges")?,
            scores: match has("scores") {
                true => self.list(&key("scores"), Value::to_f32)?,
                false => Vec::new(),
            },
            unknown: id("unknown_token_id")?,
            first: id("bos_token_id")?.filter(|_| starts),
            last: id("eos_token_id")?.filter(|_| ends),
            space_first: flag("add_space_prefix")?,
            stops,
            about,
        })
    }
}

/// What Gemma, Llama 3 and models of ChatML end a turn with.
const TURN_ENDS: [&str; 3] = ["<end_of_turn>", "<|eot_id|>", "<|im_end|>"];

/// Any whole number.
fn number(value: &Value) -> candle_core::Result<usize> {
    Ok(match *value {
        Value::I8(x) => usize::try_from(x).map_err(candle_core::Error::wrap)?,
        Value::I16(x) => usize::try_from(x).map_err(candle_core::Error::wrap)?,
        Value::I32(x) => usize::try_from(x).map_err(candle_core::Error::wrap)?,
        Value::I64(x) => usize::try_from(x).map_err(candle_core::Error::wrap)?,
        Value::U8(x) => x.into(),
        Value::U16(x) => x.into(),
        Value::U32(x) => x as usize,
        ref other => other.to_u64()? as usize,
    })
}

/// llama.cpp's name of a weight.
fn stored_name(name: &str, family: Family) -> Option<String> {
    match name {
        EMBEDDING => return Some("token_embd.weight".into()),
        FINAL_NORM => return Some("output_norm.weight".into()),
        OUTPUT => return Some("output.weight".into()),
        _ => {}
    }
    let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = part.rsplit_once('.')?;
    let stored = match part {
        "input_layernorm" => "attn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "post_attention_layernorm" if family == Family::Gemma3 => "post_attention_norm",
        "post_attention_layernorm" | "pre_feedforward_layernorm" => "ffn_norm",
        "post_feedforward_layernorm" => "post_ffw_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        _ => return None,
    };
    Some(format!("blk.{layer}.{stored}.{kind}"))
}

/// Row `i` of the result is row `source(i)` of a matrix whose rows llama.cpp reordered for its
/// interleaved rotation: within each head, our row h · rows / 2 + r is its row 2 r + h.
fn unpermuted(rows: usize, heads: usize) -> Vec<u32> {
    let (each, half) = (rows / heads, rows / heads / 2);
    (0..rows).map(|i| (i / each * each + i % half * 2 + i % each / half) as u32).collect()
}
