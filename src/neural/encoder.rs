//! The frozen sentence encoder of the shipped guardrail: a text of any of 16 languages to 512
//! numbers, near each other for texts that mean the same.

use super::pieces::Pieces;
use crate::Result;
use candle_core::{Device, Tensor};
use std::collections::HashMap;

/// Numbers a piece and a text.
pub const WIDTH: usize = 512;
/// Numbers that each of the three branches adds to a piece's own.
const BRANCH: usize = 256;
const ALL: usize = WIDTH + 3 * BRANCH;
/// Pieces of a text that are read; what comes after them is not.
pub const LONGEST: usize = 1024;
/// Pieces in the window of each branch, and how many of them come before the piece itself.
const WINDOWS: [(usize, usize); 3] = [(2, 0), (3, 1), (5, 2)];

/// The encoder of Yang and others (2019), "Multilingual Universal Sentence Encoder for Semantic
/// Retrieval", with fewer word pieces and in 4 and 8 bits; its weights are never trained here.
///
/// With x the numbers of the text's T pieces, each branch b of window n: h₀ = norm(x · projᵦ),
/// hᵢ = hᵢ₋₁ + relu(window(hᵢ₋₁) · wᵢ) for i = 1, 2. The text is Σ norm([x, h₂, h₂, h₂]) / √T
/// through six dense layers, scaled to the length √512 (so that its entries are of size 1).
#[derive(Clone, Debug)]
pub struct Encoder {
    pieces: Pieces,
    /// Two levels a byte, the first in the lower half.
    rows: Vec<u8>,
    row_scales: Vec<f32>,
    epsilon: f32,
    project: Layer,
    branches: Vec<Branch>,
    norm: Norm,
    pool: Layer,
    dense: [Tensor; 6],
    /// What [`Encoder::read`] was given, to be written again.
    stored: HashMap<String, Tensor>,
}

#[derive(Clone, Debug)]
struct Branch {
    norm: Norm,
    layers: [Layer; 2],
}

#[derive(Clone, Debug)]
struct Layer {
    weight: Tensor,
    bias: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Norm {
    gain: Vec<f32>,
    offset: Vec<f32>,
}

impl Encoder {
    /// Builds the encoder from its tensors; `epsilon` is added to variances.
    pub(super) fn read(tensors: HashMap<String, Tensor>, epsilon: f32) -> Result<Self, String> {
        let get = |name: &str| tensors.get(name).ok_or(format!("it has no tensor \"{name}\""));
        let bytes = |name: &str| {
            let flat = get(name)?.flatten_all().and_then(|t| t.to_vec1::<u8>());
            flat.map_err(|e| format!("tensor \"{name}\": {e}"))
        };
        let numbers = |name: &str, count: usize| {
            let flat = get(name)?.flatten_all().and_then(|t| t.to_vec1::<f32>());
            let flat = flat.map_err(|e| format!("tensor \"{name}\": {e}"))?;
            if flat.len() != count || !flat.iter().all(|x| x.is_finite()) {
                return Err(format!("tensor \"{name}\" is not {count} finite numbers"));
            }
            Ok(flat)
        };
        // (q - 128) scale, a scale a column.
        let weights = |name: &str, rows: usize, columns: usize| {
            let levels = bytes(name)?;
            if levels.len() != rows * columns {
                return Err(format!("tensor \"{name}\" is not {rows} x {columns}"));
            }
            let scales = numbers(&format!("{name}.scale"), columns)?;
            let value = |(i, &q): (usize, &u8)| (f32::from(q) - 128.0) * scales[i % columns];
            Ok(levels.iter().enumerate().map(value).collect::<Vec<f32>>())
        };
        let matrix = |name: &str, rows: usize, columns: usize| {
            let values = weights(name, rows, columns)?;
            Tensor::from_vec(values, (rows, columns), &Device::Cpu).map_err(|e| e.to_string())
        };

        let text = String::from_utf8(bytes("pieces")?).map_err(|_| "its pieces are not UTF-8")?;
        let pieces: Vec<Box<str>> = text.split('\n').skip(3).map(Box::from).collect();
        let count = pieces.len() + 3;
        let unknown = numbers("unknown_score", 1)?[0];
        let pieces = Pieces::new(pieces, &numbers("piece_scores", count)?, unknown)?;
        let rows = bytes("rows")?;
        if rows.len() != count * WIDTH / 2 {
            return Err(format!("tensor \"rows\" is not {count} x {}", WIDTH / 2));
        }

        let (mut side_by_side, mut bias) = (vec![0.0; WIDTH * 3 * BRANCH], Vec::new());
        let mut branches = Vec::new();
        for (b, (window, _)) in WINDOWS.into_iter().enumerate() {
            let part = weights(&format!("proj{window}"), WIDTH, BRANCH)?;
            for (to, from) in side_by_side.chunks_mut(3 * BRANCH).zip(part.chunks(BRANCH)) {
                to[b * BRANCH..][..BRANCH].copy_from_slice(from);
            }
            bias.extend(numbers(&format!("proj_b{window}"), BRANCH)?);
            let layer = |i: usize| {
                Ok::<_, String>(Layer {
                    weight: matrix(&format!("w{i}_{window}"), window * BRANCH, BRANCH)?,
                    bias: numbers(&format!("b{i}_{window}"), BRANCH)?,
                })
            };
            branches.push(Branch {
                norm: Norm {
                    gain: numbers(&format!("ln_g{window}"), BRANCH)?,
                    offset: numbers(&format!("ln_b{window}"), BRANCH)?,
                },
                layers: [layer(1)?, layer(2)?],
            });
        }
        let weight = Tensor::from_vec(side_by_side, (WIDTH, 3 * BRANCH), &Device::Cpu)
            .map_err(|e| e.to_string())?;
        Ok(Self {
            pieces,
            rows,
            row_scales: numbers("row_scales", count)?,
            epsilon,
            project: Layer { weight, bias },
            branches,
            norm: Norm { gain: numbers("ln_g", ALL)?, offset: numbers("ln_b", ALL)? },
            pool: Layer { weight: matrix("cnn_W", ALL, WIDTH)?, bias: numbers("cnn_b", WIDTH)? },
            dense: [
                matrix("d0", WIDTH, 320)?,
                matrix("p1", WIDTH, 320)?,
                matrix("d1", 320, 320)?,
                matrix("d2", 320, WIDTH)?,
                matrix("p3", 320, WIDTH)?,
                matrix("d3", WIDTH, WIDTH)?,
            ],
            stored: tensors,
        })
    }

    /// The tensors that [`Encoder::read`] was given.
    pub(super) fn tensors(&self) -> &HashMap<String, Tensor> {
        &self.stored
    }

    pub(super) fn epsilon(&self) -> f32 {
        self.epsilon
    }

    /// The text's [`WIDTH`] numbers, from its first [`LONGEST`] pieces.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn encode(&self, text: &str) -> Result<Vec<f32>> {
        let numbers = self.pieces.numbers(text, LONGEST);
        let length = numbers.len();
        let mut all = vec![0.0; length * ALL];
        let mut own = Vec::with_capacity(length * WIDTH);
        for (number, all) in numbers.iter().zip(all.chunks_exact_mut(ALL)) {
            self.row(*number as usize, &mut own);
            all[..WIDTH].copy_from_slice(&own[own.len() - WIDTH..]);
        }
        let projected = self.project.apply(own, length)?;
        for (b, (branch, (window, before))) in self.branches.iter().zip(WINDOWS).enumerate() {
            let mut h = Vec::with_capacity(length * BRANCH);
            for row in projected.chunks_exact(3 * BRANCH) {
                h.extend_from_slice(&row[b * BRANCH..][..BRANCH]);
            }
            branch.norm.apply(&mut h, self.epsilon);
            for layer in &branch.layers {
                let step = layer.apply(windows(&h, window, before), length)?;
                h.iter_mut().zip(step).for_each(|(h, x)| *h += x.max(0.0));
            }
            for (all, h) in all.chunks_exact_mut(ALL).zip(h.chunks_exact(BRANCH)) {
                all[WIDTH + b * BRANCH..][..BRANCH].copy_from_slice(h);
            }
        }
        self.norm.apply(&mut all, self.epsilon);
        let mut sum = vec![0.0; ALL];
        for row in all.chunks_exact(ALL) {
            sum.iter_mut().zip(row).for_each(|(s, x)| *s += x);
        }
        self.whole(sum, length as f32)
    }

    /// How many pieces of the text are read, its beginning and end included; at most [`LONGEST`].
    pub fn length(&self, text: &str) -> usize {
        self.pieces.numbers(text, LONGEST).len()
    }

    /// [`LONGEST`], where the text is longer.
    pub(super) fn cut(&self, text: &str) -> Option<usize> {
        self.pieces.exceed(text, LONGEST).then_some(LONGEST)
    }

    /// From the sum over the pieces to the text.
    fn whole(&self, sum: Vec<f32>, length: f32) -> Result<Vec<f32>> {
        let pooled: Vec<f32> = product(sum, 1, &self.pool.weight)?
            .iter()
            .zip(&self.pool.bias)
            .map(|(x, b)| (x + length * b) / length.sqrt())
            .collect();
        let relu = |x: Vec<f32>| x.into_iter().map(|x| x.max(0.0)).collect::<Vec<f32>>();
        let sum = |a: Vec<f32>, b: Vec<f32>| a.iter().zip(b).map(|(a, b)| a + b).collect();
        let [d0, p1, d1, d2, p3, d3] = &self.dense;
        let y0 = relu(product(pooled.clone(), 1, d0)?);
        let y1 = relu(sum(product(pooled, 1, p1)?, product(y0, 1, d1)?));
        let y2 = relu(product(y1.clone(), 1, d2)?);
        let mut y: Vec<f32> = sum(product(y1, 1, p3)?, product(y2, 1, d3)?);
        y.iter_mut().for_each(|y| *y = y.tanh());
        let scale = (WIDTH as f32 / y.iter().map(|y| y * y).sum::<f32>().max(1e-12)).sqrt();
        y.iter_mut().for_each(|y| *y *= scale);
        Ok(y)
    }

    /// Appends the numbers of a piece.
    fn row(&self, number: usize, to: &mut Vec<f32>) {
        let scale = self.row_scales[number];
        for &two in &self.rows[number * WIDTH / 2..][..WIDTH / 2] {
            to.push((f32::from(two & 15) - 7.5) * scale);
            to.push((f32::from(two >> 4) - 7.5) * scale);
        }
    }
}

/// `(rows, k)` times `(k, n)`.
fn product(x: Vec<f32>, rows: usize, weight: &Tensor) -> Result<Vec<f32>> {
    let x = Tensor::from_vec(x, (rows, weight.dim(0)?), &Device::Cpu)?;
    Ok(x.matmul(weight)?.flatten_all()?.to_vec1()?)
}

/// Row t of the result holds rows t - before, .., t - before + window - 1 of `h`, end to end; zeros
/// stand for what lies outside.
fn windows(h: &[f32], window: usize, before: usize) -> Vec<f32> {
    let length = h.len() / BRANCH;
    let mut all = vec![0.0; window * h.len()];
    for (t, row) in all.chunks_exact_mut(window * BRANCH).enumerate() {
        for (k, place) in row.chunks_exact_mut(BRANCH).enumerate() {
            if let Some(from) = (t + k).checked_sub(before).filter(|&from| from < length) {
                place.copy_from_slice(&h[from * BRANCH..][..BRANCH]);
            }
        }
    }
    all
}

impl Layer {
    fn apply(&self, x: Vec<f32>, rows: usize) -> Result<Vec<f32>> {
        let mut y = product(x, rows, &self.weight)?;
        for row in y.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(&self.bias).for_each(|(y, b)| *y += b);
        }
        Ok(y)
    }
}

impl Norm {
    /// Shifts and scales each row to mean 0 and variance 1, then by gain and offset.
    fn apply(&self, rows: &mut [f32], epsilon: f32) {
        let n = self.gain.len();
        for row in rows.chunks_exact_mut(n) {
            let mean = row.iter().sum::<f32>() / n as f32;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n as f32;
            let scale = 1.0 / (variance + epsilon).sqrt();
            for ((x, gain), offset) in row.iter_mut().zip(&self.gain).zip(&self.offset) {
                *x = (*x - mean) * scale * gain + offset;
            }
        }
    }
}
