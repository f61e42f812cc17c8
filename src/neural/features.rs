//! Texts as sparse vectors of hashed n-grams, and their differentiable weighted sums.

use crate::data::is_blank;
use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which n-grams of a text are counted, and into how many buckets they are hashed.
///
/// The text is lower-cased, stripped of the accents of Western European letters (so that cognates
/// share n-grams across languages), and its white space is reduced to single spaces, one before the
/// first and one after the last word. A character n-gram lies within one word and its two spaces.
/// A word is a run of letters and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Number of hash buckets, 1..=2²⁴.
    pub buckets: usize,
    /// Shortest character n-gram, at least 2.
    pub char_min: usize,
    /// Longest character n-gram, at most 16.
    pub char_max: usize,
    /// Longest word n-gram, at most 16; 0 for none.
    pub word_max: usize,
}

impl Default for Features {
    fn default() -> Self {
        Self { buckets: 1 << 20, char_min: 2, char_max: 5, word_max: 2 }
    }
}

impl Features {
    /// The texts' vectors: entry 1 + ln(count) a bucket, scaled to Euclidean length 1.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings out of range and for a text without a visible character.
    pub fn bags<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Bags> {
        self.check()?;
        let rows: Vec<Vec<u32>> = texts.par_iter().map(|text| self.hashes(text.as_ref())).collect();
        let mut bags = Bags::with_width(self.buckets);
        bags.ids.reserve(rows.iter().map(Vec::len).sum());
        bags.weights.reserve(bags.ids.capacity());
        for (i, ids) in rows.iter().enumerate() {
            if is_blank(texts[i].as_ref()) {
                return Err(Error::invalid(
                    format!("texts[{i}]"),
                    "it is empty",
                    "give a text with at least one visible character",
                ));
            }
            let start = bags.ids.len();
            for same in ids.chunk_by(|a, b| a == b) {
                bags.push(same[0], 1.0 + (same.len() as f32).ln());
            }
            let weights = &mut bags.weights[start..];
            let length = weights.iter().map(|w| w * w).sum::<f32>().sqrt();
            weights.iter_mut().for_each(|w| *w /= length);
            bags.finish();
        }
        Ok(bags)
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |field: &str, value: usize, rule: &str| {
            Err(Error::invalid(format!("features.{field}"), format!("it is {value}"), rule))
        };
        if !(1..=1 << 24).contains(&self.buckets) {
            return wrong("buckets", self.buckets, "choose 1 to 16777216 buckets");
        }
        if self.char_min < 2 || self.char_min > self.char_max {
            return wrong("char_min", self.char_min, "choose a length from 2 to char_max");
        }
        if self.char_max > 16 {
            return wrong("char_max", self.char_max, "choose at most 16 characters");
        }
        if self.word_max > 16 {
            return wrong("word_max", self.word_max, "choose at most 16 words");
        }
        Ok(())
    }

    /// The buckets of all n-grams, ascending, with repetitions.
    fn hashes(&self, text: &str) -> Vec<u32> {
        let chars = normalise(text);
        let mut ids = Vec::with_capacity(chars.len() * (self.char_max - self.char_min + 2));
        for (start, &first) in chars.iter().enumerate() {
            let mut hash = extend(CHARS, first.into());
            for (&c, length) in chars[start + 1..].iter().zip(2..=self.char_max) {
                hash = extend(hash, c.into());
                if length >= self.char_min {
                    ids.push(self.bucket(hash));
                }
                if c == ' ' {
                    break;
                }
            }
        }
        let words: Vec<u64> = chars
            .split(|c| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(|word| word.iter().fold(WORD, |hash, &c| extend(hash, c.into())))
            .collect();
        for start in 0..words.len() {
            let mut hash = WORDS;
            for &word in words[start..].iter().take(self.word_max) {
                hash = extend(hash, word);
                ids.push(self.bucket(hash));
            }
        }
        ids.sort_unstable();
        ids
    }

    /// Maps a hash to 0..buckets by its upper half, after a mixing step that makes all bits count.
    fn bucket(&self, hash: u64) -> u32 {
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        (((mixed >> 32) * self.buckets as u64) >> 32) as u32
    }
}

// Start values that keep the kinds of n-grams apart.
const CHARS: u64 = 1;
const WORD: u64 = 2;
const WORDS: u64 = 3;

fn extend(hash: u64, item: u64) -> u64 {
    (hash ^ item).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

fn normalise(text: &str) -> Vec<char> {
    let mut chars = vec![' '];
    for c in text.chars() {
        if !c.is_whitespace() && !c.is_control() {
            chars.extend(c.to_lowercase().map(without_accent));
        } else if chars.last() != Some(&' ') {
            chars.push(' ');
        }
    }
    if chars.last() != Some(&' ') {
        chars.push(' ');
    }
    chars
}

fn without_accent(c: char) -> char {
    match c {
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ñ' => 'n',
        'ò'..='ö' => 'o',
        'ù'..='ü' => 'u',
        'ý' | 'ÿ' => 'y',
        _ => c,
    }
}

/// Sparse vectors of one width, laid end to end in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Bags {
    width: usize,
    /// Vector `i` owns the entries `offsets[i]..offsets[i + 1]`.
    offsets: Vec<usize>,
    ids: Vec<u32>,
    weights: Vec<f32>,
}

impl Bags {
    /// No vectors yet, each to come with indices below `width`.
    pub fn with_width(width: usize) -> Self {
        Self { width, offsets: vec![0], ids: vec![], weights: vec![] }
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Indices and entries of vector `i`.
    ///
    /// # Panics
    /// When `i` is not below [`Bags::len`].
    pub fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let span = self.offsets[i]..self.offsets[i + 1];
        (&self.ids[span.clone()], &self.weights[span])
    }

    /// Adds the entry `weight` at `id` to the vector under construction.
    ///
    /// # Panics
    /// When `id` is not below the width.
    pub fn push(&mut self, id: u32, weight: f32) {
        assert!((id as usize) < self.width, "index {id} in vectors of width {}", self.width);
        self.ids.push(id);
        self.weights.push(weight);
    }

    /// Ends the vector under construction; the next [`Bags::push`] starts another.
    pub fn finish(&mut self) {
        self.offsets.push(self.ids.len());
    }

    /// The vectors times a table `(width, dim)`: sums `(len, dim)`, one row a vector.
    ///
    /// Differentiable in the table (f32 or f64, on the CPU). The bits of value and gradient do not
    /// depend on the number of threads: each sum runs over the entries in their order.
    ///
    /// # Errors
    /// When the table is not a contiguous floating-point matrix on the CPU of that many rows.
    pub fn sums(self: &Arc<Self>, table: &Tensor) -> Result<Tensor> {
        Ok(table.apply_op1(Sums(self.clone()))?)
    }
}

/// `sums[i] = Σₖ weightsᵢₖ table[idsᵢₖ]`
struct Sums(Arc<Bags>);

/// Its adjoint: `gradient[id] = Σ weightsᵢₖ upstream[i]` over the entries with `idsᵢₖ = id`.
struct Adjoint(Arc<Bags>);

impl CustomOp1 for Sums {
    fn name(&self) -> &'static str {
        "bag-sums"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, dim) = l.shape().dims2()?;
        if rows != self.0.width || dim == 0 {
            bail!("bag-sums: a table of {rows}x{dim} for vectors of width {}", self.0.width)
        }
        let Some((a, b)) = l.contiguous_offsets() else { bail!("bag-sums: table not contiguous") };
        let sums = match s {
            CpuStorage::F32(table) => CpuStorage::F32(sums(&table[a..b], dim, &self.0)),
            CpuStorage::F64(table) => CpuStorage::F64(sums(&table[a..b], dim, &self.0)),
            _ => bail!("bag-sums: table neither f32 nor f64"),
        };
        Ok((sums, (self.0.len(), dim).into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, up: &Tensor) -> candle_core::Result<Option<Tensor>> {
        up.contiguous()?.apply_op1_no_bwd(&Adjoint(self.0.clone())).map(Some)
    }
}

impl CustomOp1 for Adjoint {
    fn name(&self) -> &'static str {
        "bag-sums-adjoint"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (_, dim) = l.shape().dims2()?;
        let Some((a, b)) = l.contiguous_offsets() else {
            bail!("bag-sums-adjoint: not contiguous")
        };
        let gradient = match s {
            CpuStorage::F32(up) => CpuStorage::F32(adjoint(&up[a..b], dim, &self.0)),
            CpuStorage::F64(up) => CpuStorage::F64(adjoint(&up[a..b], dim, &self.0)),
            _ => bail!("bag-sums-adjoint: neither f32 nor f64"),
        };
        Ok((gradient, (self.0.width, dim).into()))
    }
}

trait Real:
    Copy + Default + Send + Sync + From<f32> + std::ops::Mul<Output = Self> + std::ops::AddAssign
{
}
impl Real for f32 {}
impl Real for f64 {}

/// `sum += weight * row`
fn add<T: Real>(sum: &mut [T], weight: f32, row: &[T]) {
    for (s, &x) in sum.iter_mut().zip(row) {
        *s += T::from(weight) * x;
    }
}

fn sums<T: Real>(table: &[T], dim: usize, bags: &Bags) -> Vec<T> {
    let mut sums = vec![T::default(); bags.len() * dim];
    sums.par_chunks_mut(dim).enumerate().with_min_len(16).for_each(|(i, sum)| {
        let (ids, weights) = bags.row(i);
        for (&id, &weight) in ids.iter().zip(weights) {
            add(sum, weight, &table[id as usize * dim..][..dim]);
        }
    });
    sums
}

fn adjoint<T: Real>(up: &[T], dim: usize, bags: &Bags) -> Vec<T> {
    let mut gradient = vec![T::default(); bags.width * dim];
    // Each thread reads all entries and keeps those of its own rows: no races, one fixed order.
    let part = bags.width.div_ceil(rayon::current_num_threads());
    gradient.par_chunks_mut(part * dim).enumerate().for_each(|(k, gradient)| {
        let mine = k * part..k * part + gradient.len() / dim;
        for (i, up) in up.chunks_exact(dim).enumerate() {
            let (ids, weights) = bags.row(i);
            for (&id, &weight) in ids.iter().zip(weights) {
                if mine.contains(&(id as usize)) {
                    add(&mut gradient[(id as usize - mine.start) * dim..][..dim], weight, up);
                }
            }
        }
    });
    gradient
}
