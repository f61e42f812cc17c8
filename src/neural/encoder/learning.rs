//! The encoder's layers as variables.

use super::{ALL, BRANCH, Encoder, WIDTH, WINDOWS};
use crate::neural::guardrail::eight_bits;
use crate::neural::ops::layer_norm;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, Var};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

const CPU: &Device = &Device::Cpu;
/// Of the tensors stored, those of the pieces: they stay.
const PIECES: [&str; 5] = ["pieces", "piece_scores", "unknown_score", "rows", "row_scales"];

/// The layers of an [`Encoder`] above its pieces, as variables.
#[derive(Debug)]
pub struct Layers {
    encoder: Arc<Encoder>,
    variables: BTreeMap<String, Var>,
}

impl Layers {
    /// The encoder's own.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn of(encoder: Arc<Encoder>) -> Result<Self> {
        let mut variables = BTreeMap::new();
        for (name, tensor) in &encoder.stored {
            if PIECES.contains(&&**name) || name.ends_with(SCALE) {
                continue;
            }
            let numbers = tensor.to_dtype(DType::F32)?;
            let numbers = match encoder.stored.get(&format!("{name}{SCALE}")) {
                Some(scale) => (numbers - 128.0)?.broadcast_mul(scale)?,
                None => numbers,
            };
            variables.insert(name.clone(), Var::from_tensor(&numbers)?);
        }
        Ok(Self { encoder, variables })
    }

    /// By name.
    pub fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// What [`Encoder::encode`] computes, `(texts, 512)`, differentiable, of texts as word pieces by
    /// number. A piece, and a number of one, is silent with the chance `dropout`.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn encode(&self, texts: &[&[u32]], dropout: f32, rng: &mut ChaCha8Rng) -> Result<Tensor> {
        let get = |name: &str| {
            let var = self.variables.get(name).map(Var::as_tensor);
            var.ok_or_else(|| Error::invalid(name, "the encoder lacks it", "load it from its file"))
        };
        let layer = |x: &Tensor, weight: &str, bias: &str| {
            Ok::<_, Error>(x.matmul(get(weight)?)?.broadcast_add(get(bias)?)?)
        };
        let norm = |x: &Tensor, gain: &str, offset: &str| {
            let unit = layer_norm(x, get(gain)?, f64::from(self.encoder.epsilon))?;
            Ok::<_, Error>(unit.broadcast_add(get(offset)?)?)
        };
        // All texts end to end.
        let lengths: Vec<usize> = texts.iter().map(|text| text.len()).collect();
        let total: usize = lengths.iter().sum();
        let mut x = Vec::with_capacity(total * WIDTH);
        for &piece in texts.iter().copied().flatten() {
            let start = x.len();
            self.encoder.row(piece as usize, &mut x);
            silence(&mut x[start..], dropout, rng);
        }
        let x = Tensor::from_vec(x, (total, WIDTH), CPU)?;
        let mut all = vec![x.clone()];
        for (window, before) in WINDOWS {
            let places = places(&lengths, window, before)?;
            let h = layer(&x, &format!("proj{window}"), &format!("proj_b{window}"))?;
            let mut h = norm(&h, &format!("ln_g{window}"), &format!("ln_b{window}"))?;
            for i in [1, 2] {
                let outside = Tensor::zeros((1, BRANCH), DType::F32, CPU)?;
                let windows = Tensor::cat(&[&h, &outside], 0)?.index_select(&places, 0)?;
                let windows = windows.reshape((total, window * BRANCH))?;
                let step = layer(&windows, &format!("w{i}_{window}"), &format!("b{i}_{window}"))?;
                h = (h + step.relu()?)?;
            }
            all.push(h);
        }
        let all = norm(&Tensor::cat(&all, 1)?, "ln_g", "ln_b")?;
        let owners: Vec<u32> =
            (0..).zip(&lengths).flat_map(|(i, &n)| std::iter::repeat_n(i, n)).collect();
        let owners = Tensor::from_vec(owners, total, CPU)?;
        let sums = Tensor::zeros((texts.len(), ALL), DType::F32, CPU)?;
        let sums = sums.index_add(&owners, &all, 0)?;
        // (Σ W + T b) / √T
        let lengths: Vec<f32> = lengths.iter().map(|&n| n as f32).collect();
        let lengths = Tensor::from_vec(lengths, (texts.len(), 1), CPU)?;
        let bias = lengths.matmul(&get("cnn_b")?.unsqueeze(0)?)?;
        let pooled = (sums.matmul(get("cnn_W")?)? + bias)?.broadcast_div(&lengths.sqrt()?)?;
        let times = |x: &Tensor, name: &str| Ok::<_, Error>(x.matmul(get(name)?)?);
        let y0 = times(&pooled, "d0")?.relu()?;
        let y1 = (times(&pooled, "p1")? + times(&y0, "d1")?)?.relu()?;
        let y2 = times(&y1, "d2")?.relu()?;
        let y = (times(&y1, "p3")? + times(&y2, "d3")?)?.tanh()?;
        let length = (y.sqr()?.sum_keepdim(1)? + 1e-12)?.sqrt()?;
        Ok((y.broadcast_div(&length)? * (WIDTH as f64).sqrt())?)
    }

    /// The encoder with these layers, its matrices rounded to 8 bits with one scale an output.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a layer that is not finite.
    pub fn encoder(&self) -> Result<Encoder> {
        let mut stored = self.encoder.stored.clone();
        for (name, var) in &self.variables {
            let layer = var.as_detached_tensor();
            let scale = format!("{name}{SCALE}");
            if stored.contains_key(&scale) {
                let (levels, scales) = eight_bits(&layer)?;
                stored.insert(name.clone(), levels);
                stored.insert(scale, scales);
            } else {
                stored.insert(name.clone(), layer);
            }
        }
        Encoder::read(stored, self.encoder.epsilon)
            .map_err(|problem| Error::invalid("encoder", problem, "train it again at a lower rate"))
    }
}

const SCALE: &str = ".scale";

/// With the chance `dropout` all numbers of a piece, and each of the others, is 0; the others grow.
fn silence(piece: &mut [f32], dropout: f32, rng: &mut ChaCha8Rng) {
    if dropout == 0.0 {
        return;
    }
    if rng.random::<f32>() < dropout {
        return piece.fill(0.0);
    }
    for x in piece {
        *x = if rng.random::<f32>() < dropout { 0.0 } else { *x / (1.0 - dropout) };
    }
}

/// For each piece the rows of its window: those of its text, or the one after all for what lies outside.
fn places(lengths: &[usize], window: usize, before: usize) -> Result<Tensor> {
    let total: usize = lengths.iter().sum();
    let mut places = Vec::with_capacity(total * window);
    let mut start = 0;
    for &length in lengths {
        for (t, k) in (0..length).flat_map(|t| (0..window).map(move |k| (t, k))) {
            let within = (t + k).checked_sub(before).filter(|&from| from < length);
            places.push(within.map_or(total, |from| start + from) as u32);
        }
        start += length;
    }
    Ok(Tensor::from_vec(places, total * window, CPU)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neural::Guardrail;
    use rand::SeedableRng;

    const TEXTS: [&str; 4] =
        ["a", "How do I kill a process?", "Où est la gare, s'il vous plaît ?", ""];

    fn layers() -> Layers {
        Layers::of(Guardrail::shipped().unwrap().encoder().unwrap()).unwrap()
    }

    fn encoded(layers: &Layers, texts: &[&str], dropout: f32) -> Tensor {
        let pieces: Vec<Vec<u32>> = texts.iter().map(|t| layers.encoder.numbers(t, 256)).collect();
        let pieces: Vec<&[u32]> = pieces.iter().map(Vec::as_slice).collect();
        layers.encode(&pieces, dropout, &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
    }

    #[test]
    fn what_learns_is_what_encodes() {
        let layers = layers();
        let together = encoded(&layers, &TEXTS, 0.0).to_vec2::<f32>().unwrap();
        // Rounding to 8 bits again changes nothing.
        for encoder in [&*layers.encoder, &layers.encoder().unwrap()] {
            for (text, found) in TEXTS.iter().zip(&together) {
                for (a, b) in encoder.encode(text).unwrap().iter().zip(found) {
                    assert!((a - b).abs() < 1e-4, "{text}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn every_layer_has_its_gradient() {
        let layers = layers();
        // Some direction, so that the encoding's fixed length does not make all gradients 0.
        let target = encoded(&layers, &["Where is the station?"], 0.0).detach();
        let loss = || {
            (encoded(&layers, &TEXTS[1..3], 0.0).broadcast_mul(&target)).unwrap().sum_all().unwrap()
        };
        let mut gradients = loss().backward().unwrap();
        assert_eq!(layers.variables().len(), 3 * 8 + 10);
        for (name, var) in layers.variables() {
            let gradient = gradients.remove(var).unwrap_or_else(|| panic!("{name}"));
            let square = gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(square > 0.0, "{name}");
            // Along the gradient the loss changes by the gradient's length.
            let old = var.as_detached_tensor().copy().unwrap();
            let step = 0.02 / f64::from(square).sqrt();
            let at = |sign: f64| {
                let moved = (&old + (&gradient * (sign * step)).unwrap()).unwrap();
                var.set(&moved).unwrap();
                f64::from(loss().to_scalar::<f32>().unwrap())
            };
            let slope = (at(1.0) - at(-1.0)) / 0.04;
            var.set(&old).unwrap();
            let length = f64::from(square).sqrt();
            assert!((slope / length - 1.0).abs() < 0.05, "{name}: {slope} {length}");
        }
    }

    #[test]
    fn silence_keeps_the_mean() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (mut sum, mut whole) = (0.0, 0);
        for _ in 0..4000 {
            let mut piece = [1.0; 8];
            silence(&mut piece, 0.2, &mut rng);
            sum += piece.iter().sum::<f32>();
            whole += usize::from(piece == [0.0; 8]);
        }
        assert!((sum / 32000.0 - 0.8).abs() < 0.02, "{sum}");
        assert!((whole as f32 / 4000.0 - 0.2).abs() < 0.03, "{whole}");
        let same = encoded(&layers(), &TEXTS, 0.0).to_vec2::<f32>().unwrap();
        assert_ne!(encoded(&layers(), &TEXTS, 0.2).to_vec2::<f32>().unwrap(), same);
    }
}
