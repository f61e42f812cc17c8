//! The shape of a decoder: what distinguishes one model of the three families from another.

use super::weights::Numbers;
use crate::{Error, Result};
use candle_core::DType;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Families of decoders that differ in more than sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Llama 2 and 3, SmolLM2, and whatever else calls itself `llama`.
    Llama,
    /// Qwen2 and Qwen2.5: a bias on queries, keys and values.
    Qwen2,
    /// Gemma 3, text only: scaled embeddings, norms of queries and keys, four norms a layer whose
    /// weights count from 1, GELU, layers that look back a window only.
    Gemma3,
}

impl Family {
    /// Its `model_type` in a config.json.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Gemma3 => "gemma3_text",
        }
    }
}

/// How the angles of the rotary embedding are stretched for long texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// Every frequency divided by `factor`.
    Linear {
        /// Stretch, above 0.
        factor: f64,
    },
    /// Llama 3's: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        /// Stretch of the low frequencies, above 0.
        factor: f64,
        /// Waves longer than `original / low` tokens are low.
        low: f64,
        /// Waves shorter than `original / high` tokens are high.
        high: f64,
        /// Context length before the stretch, in tokens.
        original: f64,
    },
}

/// Sizes and choices of a decoder. Read from a config.json ([`Config::from_json`]) or from GGUF
/// metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Llama, Qwen2 or Gemma 3.
    pub family: Family,
    /// Tokens known.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the gated layer.
    pub intermediate: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads a layer.
    pub heads: usize,
    /// Heads of keys and values; each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Width of a head, even.
    pub head_width: usize,
    /// Longest text the model was made for, in tokens.
    pub context: usize,
    /// Added to the mean square in a norm.
    pub norm_eps: f64,
    /// Base of the rotary angles.
    pub rope_base: f64,
    /// Their stretch.
    pub rope_scaling: Option<Scaling>,
    /// Base of the rotary angles in layers with a window, not stretched; `None` where they are like
    /// the others.
    pub local_rope_base: Option<f64>,
    /// Each layer's window in tokens, the token itself included; `None` sees everything.
    pub windows: Vec<Option<usize>>,
    /// Attention scores are multiplied by this.
    pub score_scale: f64,
    /// Queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// So has the attention's output.
    pub output_bias: bool,
    /// The output layer is the embedding table.
    pub tied: bool,
}

impl Config {
    /// Reads the text of a config.json as `transformers` (4 or 5) writes it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for text that is no such config, another architecture, or an option of it
    /// that is not supported.
    pub fn from_json(text: &str) -> Result<Self> {
        let fail = |place: &str, problem: String, remedy: &str| {
            Err(Error::invalid(place, problem, remedy))
        };
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(e) => {
                return fail("config", format!("it is not JSON ({e})"), "download it again");
            }
        };
        let model_type = value.get("model_type").and_then(Value::as_str).unwrap_or("missing");
        let family = match model_type {
            "llama" => Family::Llama,
            "qwen2" => Family::Qwen2,
            "gemma3_text" => Family::Gemma3,
            other => {
                return fail(
                    "model_type",
                    format!("unknown architecture \"{other}\""),
                    "use a llama, qwen2 or gemma3_text model",
                );
            }
        };
        let raw: Raw = match serde_path_to_error::deserialize(&value) {
            Ok(raw) => raw,
            Err(e) => {
                let place = e.path().to_string();
                return fail(&place, e.into_inner().to_string(), "download the file again");
            }
        };
        raw.config(family)
    }

    /// The config.json that `transformers` opens.
    pub fn to_json(&self) -> String {
        let (architecture, activation) = match self.family {
            Family::Llama => ("LlamaForCausalLM", "silu"),
            Family::Qwen2 => ("Qwen2ForCausalLM", "silu"),
            Family::Gemma3 => ("Gemma3ForCausalLM", "gelu_pytorch_tanh"),
        };
        let scaling = self.rope_scaling.map(|scaling| match scaling {
            Scaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
            Scaling::Llama3 { factor, low, high, original } => json!({
                "rope_type": "llama3", "factor": factor, "low_freq_factor": low,
                "high_freq_factor": high, "original_max_position_embeddings": original as u64,
            }),
        });
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| map.insert(key.into(), value);
        put("architectures", json!([architecture]));
        put("model_type", json!(self.family.model_type()));
        put("torch_dtype", json!("float32"));
        put("vocab_size", json!(self.vocabulary));
        put("hidden_size", json!(self.hidden));
        put("intermediate_size", json!(self.intermediate));
        put("num_hidden_layers", json!(self.layers));
        put("num_attention_heads", json!(self.heads));
        put("num_key_value_heads", json!(self.kv_heads));
        put("head_dim", json!(self.head_width));
        put("max_position_embeddings", json!(self.context));
        put("rms_norm_eps", json!(self.norm_eps));
        put("rope_theta", json!(self.rope_base));
        put("rope_scaling", json!(scaling));
        put("tie_word_embeddings", json!(self.tied));
        let window = self.windows.iter().flatten().next();
        let kinds: Vec<&str> = self.windows.iter().map(|w| kind(w.is_some())).collect();
        match self.family {
            Family::Llama => {
                put("hidden_act", json!(activation));
                put("attention_bias", json!(self.qkv_bias));
                put("mlp_bias", json!(false));
            }
            Family::Qwen2 => {
                put("hidden_act", json!(activation));
                put("use_sliding_window", json!(window.is_some()));
                put("sliding_window", json!(window));
                put("layer_types", json!(kinds));
            }
            Family::Gemma3 => {
                put("hidden_activation", json!(activation));
                put("attention_bias", json!(self.qkv_bias));
                // transformers 5 takes whole numbers only.
                put("query_pre_attn_scalar", json!(self.score_scale.powi(-2).round() as u64));
                put("rope_local_base_freq", json!(self.local_rope_base));
                put("sliding_window", json!(window.unwrap_or(&self.context)));
                put("layer_types", json!(kinds));
            }
        }
        let mut text = format!("{:#}", Value::Object(map));
        text.push('\n');
        text
    }

    /// Name and shape of every weight, as `transformers` names them.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (d, width) = (self.hidden, self.head_width);
        let mut all = vec![(EMBEDDING.to_owned(), vec![self.vocabulary, d])];
        for layer in 0..self.layers {
            let mut put = |name: &str, shape: &[usize]| {
                all.push((layer_name(layer, name), shape.to_vec()));
            };
            put("input_layernorm.weight", &[d]);
            for (name, heads) in [("q", self.heads), ("k", self.kv_heads), ("v", self.kv_heads)] {
                put(&format!("self_attn.{name}_proj.weight"), &[heads * width, d]);
                if self.qkv_bias {
                    put(&format!("self_attn.{name}_proj.bias"), &[heads * width]);
                }
            }
            put("self_attn.o_proj.weight", &[d, self.heads * width]);
            if self.output_bias {
                put("self_attn.o_proj.bias", &[d]);
            }
            put("post_attention_layernorm.weight", &[d]);
            if self.family == Family::Gemma3 {
                put("self_attn.q_norm.weight", &[width]);
                put("self_attn.k_norm.weight", &[width]);
                put("pre_feedforward_layernorm.weight", &[d]);
                put("post_feedforward_layernorm.weight", &[d]);
            }
            put("mlp.gate_proj.weight", &[self.intermediate, d]);
            put("mlp.up_proj.weight", &[self.intermediate, d]);
            put("mlp.down_proj.weight", &[d, self.intermediate]);
        }
        all.push((FINAL_NORM.to_owned(), vec![d]));
        if !self.tied {
            all.push((OUTPUT.to_owned(), vec![self.vocabulary, d]));
        }
        all
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Bytes of all weights, held so.
    pub fn bytes(&self, numbers: Numbers) -> usize {
        self.shapes().iter().map(|(_, shape)| numbers.bytes(shape)).sum()
    }

    /// Bytes of a token's keys and values in a [`Cache`](super::Cache): 2 · layers · key heads · head width
    /// numbers.
    pub fn cache_bytes(&self, dtype: DType) -> usize {
        2 * self.layers * self.kv_heads * self.head_width * dtype.size_in_bytes()
    }

    /// Angle a token, in radians, of each pair of a head's coordinates; `local` in layers with a
    /// window.
    pub fn frequencies(&self, local: bool) -> Vec<f64> {
        let (base, scaling) = match self.local_rope_base {
            Some(base) if local => (base, None),
            _ => (self.rope_base, self.rope_scaling),
        };
        let frequency = |i| base.powf(-2.0 * i as f64 / self.head_width as f64);
        (0..self.head_width / 2).map(|i| scaled(frequency(i), scaling)).collect()
    }

    /// Checks that the numbers fit each other.
    pub(super) fn check(self) -> Result<Self> {
        let sizes = [
            ("vocab_size", self.vocabulary),
            ("hidden_size", self.hidden),
            ("intermediate_size", self.intermediate),
            ("num_hidden_layers", self.layers),
            ("num_attention_heads", self.heads),
            ("num_key_value_heads", self.kv_heads),
            ("head_dim", self.head_width),
        ];
        // Beyond this, products of two sizes could overflow.
        let bad = sizes.iter().find(|(_, size)| !(1..=1 << 24).contains(size));
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let (place, problem) = if let Some((name, size)) = bad {
            (*name, format!("{size} is no size of a model"))
        } else if !self.heads.is_multiple_of(self.kv_heads) {
            let problem = format!("{} does not divide the {} heads", self.kv_heads, self.heads);
            ("num_key_value_heads", problem)
        } else if !self.head_width.is_multiple_of(2) {
            ("head_dim", format!("{} is odd: its halves cannot be rotated", self.head_width))
        } else if self.windows.len() != self.layers || self.windows.contains(&Some(0)) {
            ("layer_types", format!("it does not describe {} layers", self.layers))
        } else if ![self.norm_eps, self.rope_base, self.score_scale]
            .into_iter()
            .chain(self.local_rope_base)
            .all(positive)
        {
            ("config", "a constant (eps, rope base or scale) is not positive".into())
        } else {
            return Ok(self);
        };
        Err(Error::invalid(place, problem, "download the model's files again"))
    }
}

/// Name of the embedding table.
pub const EMBEDDING: &str = "model.embed_tokens.weight";
/// Name of the last norm.
pub const FINAL_NORM: &str = "model.norm.weight";
/// Name of the output layer, where it is not the embedding table.
pub const OUTPUT: &str = "lm_head.weight";

/// Full name of a weight of a layer.
pub fn layer_name(layer: usize, name: &str) -> String {
    format!("model.layers.{layer}.{name}")
}

fn kind(local: bool) -> &'static str {
    if local { "sliding_attention" } else { "full_attention" }
}

/// A frequency after the stretch (Llama 3: Meta's reference code, 2024).
fn scaled(frequency: f64, scaling: Option<Scaling>) -> f64 {
    match scaling {
        None => frequency,
        Some(Scaling::Linear { factor }) => frequency / factor,
        Some(Scaling::Llama3 { factor, low, high, original }) => {
            let waves = original * frequency / std::f64::consts::TAU;
            let keep = ((waves - low) / (high - low)).clamp(0.0, 1.0);
            (1.0 - keep) * frequency / factor + keep * frequency
        }
    }
}

/// The fields of config.json that matter, under their names there.
#[derive(Deserialize)]
struct Raw {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Rope>,
    rope_local_base_freq: Option<f64>,
    /// Version 5's place for the four above: one object, or one a kind of layer.
    rope_parameters: Option<RopeParameters>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    query_pre_attn_scalar: Option<f64>,
    attn_logit_softcapping: Option<f64>,
    final_logit_softcapping: Option<f64>,
    use_bidirectional_attention: Option<bool>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    sliding_window_pattern: Option<usize>,
    layer_types: Option<Vec<String>>,
    /// How the weights are packed, where they are.
    quantization_config: Option<Value>,
}

#[derive(Clone, Deserialize)]
struct Rope {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum RopeParameters {
    ByKind { full_attention: Rope, sliding_attention: Rope },
    One(Rope),
}

impl Rope {
    fn scaling(&self, context: usize) -> Result<Option<Scaling>> {
        let factor = self.factor.unwrap_or(1.0);
        let scaling = match self.rope_type.as_deref() {
            None | Some("default") => return Ok(None),
            Some("linear") => Scaling::Linear { factor },
            Some("llama3") => Scaling::Llama3 {
                factor,
                low: self.low_freq_factor.unwrap_or(1.0),
                high: self.high_freq_factor.unwrap_or(4.0),
                original: self.original_max_position_embeddings.unwrap_or(context as f64),
            },
            Some(other) => {
                return Err(unsupported("rope_scaling", format!("kind \"{other}\"")));
            }
        };
        let fits = match scaling {
            Scaling::Linear { factor } => factor > 0.0,
            Scaling::Llama3 { factor, low, high, original } => {
                factor > 0.0 && low < high && original > 0.0
            }
        };
        match fits {
            true => Ok(Some(scaling)),
            false => Err(unsupported("rope_scaling", "such factors".into())),
        }
    }
}

fn unsupported(place: &str, what: String) -> Error {
    Error::invalid(place, format!("{what} is not supported"), "use a model without it")
}

impl Raw {
    fn config(self, family: Family) -> Result<Config> {
        let gemma = family == Family::Gemma3;
        let activation = self.hidden_activation.or(self.hidden_act);
        let wanted = if gemma { "gelu_pytorch_tanh" } else { "silu" };
        if let Some(other) = activation.filter(|name| name != wanted) {
            return Err(unsupported("hidden_act", format!("activation \"{other}\"")));
        }
        let options = [
            ("mlp_bias", self.mlp_bias == Some(true)),
            ("attn_logit_softcapping", self.attn_logit_softcapping.is_some()),
            ("final_logit_softcapping", self.final_logit_softcapping.is_some()),
            ("use_bidirectional_attention", self.use_bidirectional_attention == Some(true)),
            ("quantization_config", self.quantization_config.is_some()),
        ];
        if let Some((name, _)) = options.iter().find(|(_, on)| *on) {
            return Err(unsupported(name, "this option".into()));
        }

        let (layers, heads) = (self.num_hidden_layers, self.num_attention_heads);
        let context = self.max_position_embeddings.unwrap_or(2048);
        let head_width = match self.head_dim {
            Some(width) => width,
            None if gemma => 256,
            None => self.hidden_size / heads.max(1),
        };
        let (global, local) = match self.rope_parameters {
            Some(RopeParameters::ByKind { full_attention, sliding_attention }) => {
                (Some(full_attention), Some(sliding_attention))
            }
            Some(RopeParameters::One(rope)) => (Some(rope), None),
            None => (self.rope_scaling, None),
        };
        let base = |rope: &Option<Rope>| rope.as_ref().and_then(|rope| rope.rope_theta);
        let default_base = if gemma { 1e6 } else { 1e4 };
        let rope_base = base(&global).or(self.rope_theta).unwrap_or(default_base);
        let local_base = base(&local).or(self.rope_local_base_freq);

        let known = |name: &str| [true, false].map(kind).contains(&name);
        if let Some(other) = self.layer_types.iter().flatten().find(|name| !known(name)) {
            return Err(unsupported("layer_types", format!("kind \"{other}\"")));
        }
        let windowed = gemma || self.use_sliding_window == Some(true);
        let pattern = self.sliding_window_pattern.unwrap_or(6).max(1);
        let first = self.max_window_layers.unwrap_or(0);
        let is_local = |layer: usize| match &self.layer_types {
            Some(kinds) => kinds[layer] == kind(true),
            None if gemma => !(layer + 1).is_multiple_of(pattern),
            None => layer >= first,
        };
        let window = self.sliding_window.unwrap_or(4096);
        // A checked number of layers below; here only no absurd allocation.
        let described = self.layer_types.as_ref().map_or(layers.min(1 << 16), Vec::len);
        let windows =
            (0..described).map(|layer| (windowed && is_local(layer)).then_some(window)).collect();

        let scalar = self.query_pre_attn_scalar.unwrap_or(head_width as f64);
        let qkv_bias = family == Family::Qwen2 || self.attention_bias == Some(true);
        Config {
            family,
            vocabulary: self.vocab_size,
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            layers,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_width,
            context,
            norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            rope_base,
            rope_scaling: global.map(|rope| rope.scaling(context)).transpose()?.flatten(),
            local_rope_base: gemma.then(|| local_base.unwrap_or(1e4)),
            windows,
            score_scale: scalar.powf(-0.5),
            qkv_bias,
            output_bias: qkv_bias && family != Family::Qwen2,
            tied: self.tie_word_embeddings.unwrap_or(gemma),
        }
        .check()
    }
}
