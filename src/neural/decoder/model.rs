//! The decoder itself: embeddings, layers of attention and a gated map, a norm.

use super::batch::{Batch, Grid, Slot};
use super::cache::Cache;
use super::config::{Config, EMBEDDING, FINAL_NORM, Family, OUTPUT, layer_name};
use super::weights::{Numbers, Weight, Weights, hold};
use crate::neural::ops;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, Var};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Range;

/// A Llama, Qwen2 or Gemma 3 decoder over named weights.
///
/// One computation serves training and inference. Weights that are variables (see
/// [`Decoder::variables`], [`Decoder::adapt`]) receive gradients; where there are none (see
/// [`Decoder::frozen`]) no graph is kept and the kernels are candle's fused ones, with half precision
/// and quantised weights where the decoder was loaded so. Cloning shares the weights.
#[derive(Clone, Debug)]
pub struct Decoder {
    config: Config,
    weights: Weights,
    adapters: BTreeMap<String, Adapter>,
    dtype: DType,
    device: Device,
}

/// A low-rank addition to a linear map (LoRA; Hu et al., 2021): x ↦ scale · (x Aᵀ) Bᵀ.
#[derive(Clone, Debug)]
struct Adapter {
    /// A `(rank, in)`
    down: Tensor,
    /// B `(out, rank)`
    up: Tensor,
    scale: f64,
}

/// What all layers share in one computation.
struct Pass {
    grid: Grid,
    /// Cosines and sines of every token's angles `(tokens, head width / 2)`, and the mask: of layers
    /// that see everything, and of those with a window.
    global: Option<View>,
    local: Option<View>,
}

#[derive(Clone)]
struct View {
    cos: Tensor,
    sin: Tensor,
    mask: Option<Tensor>,
}

impl Decoder {
    /// A decoder of these weights, under the names and of the shapes of [`Config::shapes`]; the type
    /// and device of the last norm's weight are those of the computation.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming a weight that is missing or of another shape.
    pub fn new(config: Config, weights: Weights) -> Result<Self> {
        let config = config.check()?;
        for (name, shape) in config.shapes() {
            let found = weights.get(&name).ok_or_else(|| {
                Error::invalid(&name, "the weight is missing", "give all weights of the config")
            })?;
            if found.dims() != shape {
                let problem = format!("its shape is {:?}, not {shape:?}", found.dims());
                return Err(Error::invalid(&name, problem, "give the config of these weights"));
            }
        }
        let norm = match weights.get(FINAL_NORM) {
            Some(Weight::Dense(norm)) => norm,
            _ => return Err(Error::invalid(FINAL_NORM, "it is quantised", "keep norms dense")),
        };
        crate::neural::keep_freed_memory();
        let (dtype, device) = (norm.dtype(), norm.device().clone());
        Ok(Self { config, weights, adapters: BTreeMap::new(), dtype, device })
    }

    /// A decoder of random weights: norms 1 (Gemma's 0), biases 0, the rest normal with deviation
    /// 0.02, drawn in the order of the names' list.
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn random(
        config: Config,
        dtype: DType,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        let mut weights = Weights::new();
        for (name, shape) in config.shapes() {
            let norm = if config.family == Family::Gemma3 { 0.0 } else { 1.0 };
            let tensor = if name.ends_with("norm.weight") {
                Tensor::full(norm as f32, shape, &Device::Cpu)?
            } else if name.ends_with(".bias") {
                Tensor::zeros(shape, DType::F32, &Device::Cpu)?
            } else {
                normal(&shape, 0.02, rng)?
            };
            weights.insert(name, Weight::Dense(tensor.to_dtype(dtype)?.to_device(device)?));
        }
        Self::new(config, weights)
    }

    /// Its sizes and choices.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its weights by name, without adapters.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Number type of the computation.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Turns the dense weights whose names `which` accepts into variables, and returns these. Setting
    /// a variable changes the decoder and its clones.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a chosen weight is quantised.
    pub fn variables(&mut self, which: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Var>> {
        let mut all = BTreeMap::new();
        for (name, weight) in self.weights.iter_mut().filter(|(name, _)| which(name)) {
            let Weight::Dense(tensor) = weight else {
                let remedy = "load the model dense to train it";
                return Err(Error::invalid(name, "a quantised weight cannot be trained", remedy));
            };
            let var = Var::from_tensor(&tensor.detach().copy()?)?;
            *tensor = var.as_tensor().clone();
            all.insert(name.clone(), var);
        }
        Ok(all)
    }

    /// Adds a low-rank map (LoRA) of this rank beside every linear map of a layer whose weight's name
    /// `which` accepts, and returns its variables, `….lora_A.weight` and `….lora_B.weight`. A is
    /// normal with deviation 1/√in, B is 0, so that nothing changes at first; `alpha / rank` is the
    /// scale.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn adapt(
        &mut self,
        rank: usize,
        alpha: f64,
        which: impl Fn(&str) -> bool,
        rng: &mut impl Rng,
    ) -> Result<BTreeMap<String, Var>> {
        let mut all = BTreeMap::new();
        for (name, shape) in self.config.shapes() {
            let Some(map) = name.strip_suffix(".weight").filter(|map| map.ends_with("_proj"))
            else {
                continue;
            };
            if !which(&name) {
                continue;
            }
            let deviation = (shape[1] as f64).powf(-0.5);
            let down = normal(&[rank, shape[1]], deviation, rng)?;
            let down = down.to_dtype(self.dtype)?.to_device(&self.device)?;
            let up = Tensor::zeros((shape[0], rank), self.dtype, &self.device)?;
            let (down, up) = (Var::from_tensor(&down)?, Var::from_tensor(&up)?);
            let scale = alpha / rank as f64;
            let adapter =
                Adapter { down: down.as_tensor().clone(), up: up.as_tensor().clone(), scale };
            self.adapters.insert(map.to_owned(), adapter);
            all.insert(format!("{map}.lora_A.weight"), down);
            all.insert(format!("{map}.lora_B.weight"), up);
        }
        Ok(all)
    }

    /// The same decoder with its adapters added into the weights: an own copy of those, the others
    /// shared.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn merged(&self) -> Result<Self> {
        let mut merged = self.frozen();
        for (map, Adapter { down, up, scale }) in std::mem::take(&mut merged.adapters) {
            let name = format!("{map}.weight");
            if let Some(weight) = merged.weights.get_mut(&name) {
                let sum = (weight.dense()? + (up.matmul(&down)? * scale)?)?;
                *weight = Weight::Dense(sum);
            }
        }
        Ok(merged)
    }

    /// Hashes its sizes and the sum of each weight's numbers, which tells other models apart.
    pub(in crate::neural) fn fingerprint(&self, hasher: &mut impl Hasher) -> Result<()> {
        self.config.to_json().hash(hasher);
        for (name, weight) in &self.weights {
            name.hash(hasher);
            let sum = weight.dense()?.to_dtype(DType::F32)?.sum_all()?;
            sum.to_scalar::<f32>()?.to_bits().hash(hasher);
        }
        Ok(())
    }

    /// The same decoder without variables: computes faster and keeps no graph. It shares the numbers,
    /// so it follows when a variable is set; see [`Decoder::copied`] for one that stays.
    pub fn frozen(&self) -> Self {
        let weights =
            self.weights.iter().map(|(name, weight)| (name.clone(), weight.detach())).collect();
        let adapters = self.adapters.iter().map(|(name, a)| {
            let (down, up) = (a.down.detach(), a.up.detach());
            (name.clone(), Adapter { down, up, scale: a.scale })
        });
        Self { weights, adapters: adapters.collect(), ..self.clone() }
    }

    /// A frozen decoder of the same weights, held as `numbers`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for quantised numbers on a GPU, or weights that are not finite.
    pub fn held(&self, numbers: Numbers) -> Result<Self> {
        let mut weights = Weights::new();
        for (name, weight) in self.merged()?.weights {
            let tensor = weight.dense()?.to_device(&Device::Cpu)?;
            let held = hold(&tensor, numbers, &self.device)?;
            let held = held.ok_or_else(|| {
                Error::invalid(&name, "it is not finite", "look for a damaged weight")
            })?;
            weights.insert(name, held);
        }
        Self::new(self.config.clone(), weights)
    }

    /// A frozen decoder with its own copy of every dense number.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn copied(&self) -> Result<Self> {
        let mut copy = self.frozen();
        for weight in copy.weights.values_mut() {
            if let Weight::Dense(tensor) = weight {
                *tensor = tensor.copy()?;
            }
        }
        for adapter in copy.adapters.values_mut() {
            (adapter.down, adapter.up) = (adapter.down.copy()?, adapter.up.copy()?);
        }
        Ok(copy)
    }

    /// Hidden states of the tokens in these rows of the batch, after the last norm: `(rows, hidden)`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token id outside the vocabulary.
    pub fn states(&self, batch: &Batch, rows: &[usize]) -> Result<Tensor> {
        let all = self.layers(&self.embed(batch)?, batch, 0..self.config.layers)?;
        self.finish(&all, rows)
    }

    /// The same for more tokens of the sequences in `cache`, which then holds these too.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token id outside the vocabulary or another number of sequences.
    pub fn extend(&self, batch: &Batch, rows: &[usize], cache: &mut Cache) -> Result<Tensor> {
        if !cache.is_empty() && cache.len() != batch.lengths().len() {
            let problem =
                format!("{} sequences after a cache of {}", batch.lengths().len(), cache.len());
            return Err(Error::invalid("batch", problem, "extend each sequence of the cache"));
        }
        let mut x = self.embed(batch)?;
        let pass = self.pass(batch, &cache.slots)?;
        for layer in 0..self.config.layers {
            x = self.layer(layer, &x, &pass, Some(cache), None)?;
        }
        cache.slots = pass.grid.slots;
        self.finish(&x, rows)
    }

    /// Scores of every token of the vocabulary as the next one: `(rows, hidden)` to
    /// `(rows, vocabulary)`.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the shape does not fit.
    pub fn logits(&self, states: &Tensor) -> Result<Tensor> {
        let name = if self.config.tied { EMBEDDING } else { OUTPUT };
        self.weight(name)?.linear(states)
    }

    /// Embeddings of all tokens `(tokens, hidden)`: what the first layer reads.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token id outside the vocabulary.
    pub fn embed(&self, batch: &Batch) -> Result<Tensor> {
        let size = self.config.vocabulary;
        if let Some(id) = batch.ids().iter().find(|&&id| id as usize >= size) {
            let problem = format!("token id {id} is outside the vocabulary of {size}");
            return Err(Error::invalid("batch", problem, "use the model's own tokenizer"));
        }
        let ids = Tensor::new(batch.ids(), &self.device)?;
        let x = self.weight(EMBEDDING)?.rows(&ids)?.to_dtype(self.dtype)?;
        Ok(match self.config.family {
            Family::Gemma3 => (x * (self.config.hidden as f64).sqrt())?,
            _ => x,
        })
    }

    /// Some of the layers, in order: `(tokens, hidden)` to `(tokens, hidden)`. What the layers below
    /// the trained ones return can be computed once and kept.
    ///
    /// # Errors
    /// [`Error::Tensor`] when `x` does not belong to `batch`.
    pub fn layers(&self, x: &Tensor, batch: &Batch, which: Range<usize>) -> Result<Tensor> {
        let pass = self.pass(batch, &[])?;
        let mut x = x.clone();
        for layer in which {
            x = self.layer(layer, &x, &pass, None, None)?;
        }
        Ok(x)
    }

    /// The layers from `first` on and the last norm, for the last token of each sequence:
    /// `(tokens, hidden)` to `(sequences, hidden)`. The last layer looks from these tokens only.
    ///
    /// # Errors
    /// [`Error::Tensor`] when `x` does not belong to `batch`.
    pub fn last(&self, x: &Tensor, batch: &Batch, first: usize) -> Result<Tensor> {
        let ends = batch.last();
        let top = self.config.layers - 1;
        if first > top {
            return self.finish(x, &ends);
        }
        let pass = self.pass(batch, &[])?;
        let mut x = x.clone();
        for layer in first..top {
            x = self.layer(layer, &x, &pass, None, None)?;
        }
        let rows: Vec<u32> = ends.iter().map(|&row| row as u32).collect();
        let rows = Tensor::new(rows, &self.device)?;
        let x = self.layer(top, &x, &pass, None, Some(&rows))?;
        self.norm(FINAL_NORM, &x)
    }

    /// The last norm of these rows: `(tokens, hidden)` to `(rows, hidden)`.
    ///
    /// # Errors
    /// [`Error::Tensor`] for a row that is not there.
    pub fn finish(&self, x: &Tensor, rows: &[usize]) -> Result<Tensor> {
        let rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        let x = x.index_select(&Tensor::new(rows, &self.device)?, 0)?;
        self.norm(FINAL_NORM, &x)
    }

    fn pass(&self, batch: &Batch, past: &[Vec<Slot>]) -> Result<Pass> {
        let grid = Grid::new(batch, past, &self.device)?;
        let view = |window: Option<usize>| {
            let frequencies = self.config.frequencies(window.is_some());
            let angles =
                grid.positions.iter().flat_map(|&p| frequencies.iter().map(move |f| p as f64 * f));
            let (sin, cos): (Vec<f64>, Vec<f64>) = angles.map(f64::sin_cos).unzip();
            let shape = (grid.positions.len(), frequencies.len());
            let tensor = |values| {
                let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
                tensor.to_dtype(self.dtype)?.to_device(&self.device)
            };
            let mask = grid.mask(window, self.dtype, &self.device)?;
            Ok::<_, Error>(View { cos: tensor(cos)?, sin: tensor(sin)?, mask })
        };
        let windows = &self.config.windows;
        let global = windows.contains(&None).then(|| view(None)).transpose()?;
        // All windows of a model are the same.
        let window = windows.iter().flatten().next().copied();
        let local = window.map(|w| view(Some(w))).transpose()?;
        Ok(Pass { grid, global, local })
    }

    /// One layer: `(tokens, hidden)` to the same, or to the rows of the sequences' last tokens where
    /// these are given as `ends`.
    fn layer(
        &self,
        layer: usize,
        x: &Tensor,
        pass: &Pass,
        cache: Option<&mut Cache>,
        ends: Option<&Tensor>,
    ) -> Result<Tensor> {
        let name = |part: &str| layer_name(layer, part);
        let norm = |part: &str, x: &Tensor| self.norm(&name(part), x);
        let seen = self.attention(layer, &norm("input_layernorm.weight", x)?, pass, cache, ends)?;
        let x = match ends {
            Some(ends) => &x.index_select(ends, 0)?,
            None => x,
        };
        if self.config.family != Family::Gemma3 {
            let x = (x + seen)?;
            let y = self.gated(layer, &norm("post_attention_layernorm.weight", &x)?)?;
            return Ok((x + y)?);
        }
        let x = (x + norm("post_attention_layernorm.weight", &seen)?)?;
        let y = self.gated(layer, &norm("pre_feedforward_layernorm.weight", &x)?)?;
        Ok((x + norm("post_feedforward_layernorm.weight", &y)?)?)
    }

    /// Each token's mean of the values it may look at, weighed by softmax(q · k · scale).
    fn attention(
        &self,
        layer: usize,
        x: &Tensor,
        pass: &Pass,
        cache: Option<&mut Cache>,
        ends: Option<&Tensor>,
    ) -> Result<Tensor> {
        let c = &self.config;
        let view = match c.windows[layer] {
            Some(_) => &pass.local,
            None => &pass.global,
        };
        let Some(View { cos, sin, mask }) = view else {
            return Err(Error::invalid("layer_types", "a layer has no view", "report this"));
        };
        let name = |part: &str| layer_name(layer, part);
        // (tokens, heads, width)
        let project = |part: &str, x: &Tensor, heads: usize| {
            let y = self.linear(&name(&format!("self_attn.{part}_proj")), x)?;
            Ok::<_, Error>(y.reshape(((), heads, c.head_width))?)
        };
        let pick = |x: &Tensor| match ends {
            Some(ends) => x.index_select(ends, 0),
            None => Ok(x.clone()),
        };
        let mut q = project("q", &pick(x)?, c.heads)?;
        let mut k = project("k", x, c.kv_heads)?;
        if c.family == Family::Gemma3 {
            q = self.norm(&name("self_attn.q_norm.weight"), &q)?;
            k = self.norm(&name("self_attn.k_norm.weight"), &k)?;
        }
        // (sequences, heads, slots, width)
        let q = ops::rotate(&q, &pick(cos)?, &pick(sin)?)?;
        let q = match ends {
            // The last tokens stand in the last column, whatever the lengths.
            Some(_) => q.unsqueeze(2)?,
            None => pass.grid.spread(&q)?,
        };
        let mut k = pass.grid.spread(&ops::rotate(&k, cos, sin)?)?;
        let mut v = pass.grid.spread(&project("v", x, c.kv_heads)?)?;
        if let Some(cache) = cache {
            (k, v) = cache.extend(layer, &k, &v)?;
        }
        // The query heads that share a key head lie under each other.
        let (rows, columns, slots) = (pass.grid.rows, q.dim(2)?, k.dim(2)?);
        let shared = (rows, c.kv_heads, c.heads / c.kv_heads * columns, c.head_width);
        let scores = q.reshape(shared)?.matmul(&k.t()?)?;
        let scores = scores.reshape((rows, c.heads, columns, slots))?;
        let mask = match (mask, ends) {
            (Some(mask), Some(_)) => Some(mask.narrow(2, mask.dim(2)? - 1, 1)?),
            (mask, _) => mask.clone(),
        };
        let shares = ops::masked_softmax(&scores, c.score_scale, mask.as_ref())?;
        let shares = shares.reshape((rows, c.kv_heads, shared.2, slots))?;
        let means = shares.matmul(&v)?.reshape((rows, c.heads, columns, c.head_width))?;
        let means = match ends {
            Some(_) => means.reshape((rows, c.heads * c.head_width))?,
            None => pass.grid.gather(&means)?,
        };
        self.linear(&name("self_attn.o_proj"), &means)
    }

    /// down(act(gate(x)) · up(x))
    fn gated(&self, layer: usize, x: &Tensor) -> Result<Tensor> {
        let map = |part: &str, x: &Tensor| {
            self.linear(&layer_name(layer, &format!("mlp.{part}_proj")), x)
        };
        let (gate, up) = (map("gate", x)?, map("up", x)?);
        let gate = match self.config.family {
            Family::Gemma3 => gate.gelu()?,
            _ => gate.silu()?,
        };
        map("down", &(gate * up)?)
    }

    /// The linear map `name`, with its bias and adapter if it has them.
    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let mut y = self.weight(&format!("{name}.weight"))?.linear(x)?;
        if let Some(bias) = self.weights.get(&format!("{name}.bias")) {
            y = y.broadcast_add(&bias.dense()?)?;
        }
        if let Some(Adapter { down, up, scale }) = self.adapters.get(name) {
            y = (y + (ops::linear(&ops::linear(x, down)?, up)? * *scale)?)?;
        }
        Ok(y)
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let mut weight = self.weight(name)?.dense()?;
        if self.config.family == Family::Gemma3 {
            weight = (weight + 1.0)?;
        }
        Ok(ops::rms_norm(x, &weight, self.config.norm_eps)?)
    }

    fn weight(&self, name: &str) -> Result<&Weight> {
        self.weights.get(name).ok_or_else(|| {
            Error::invalid(name, "the weight is missing", "give all weights of the config")
        })
    }
}

/// Normal numbers of this deviation, by the Box-Muller transform.
fn normal(shape: &[usize], deviation: f64, rng: &mut impl Rng) -> Result<Tensor> {
    let count = shape.iter().product::<usize>();
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let (u, v): (f64, f64) = rng.random();
        let radius = deviation * (-2.0 * (1.0 - u).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        values.extend([(radius * cos) as f32, (radius * sin) as f32]);
    }
    values.truncate(count);
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}
