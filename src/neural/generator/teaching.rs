//! What a base model is taught its task by: seeds, and texts that could have been written after them.

use crate::data::filters::{FilterConfig, Filters};
use crate::data::{Category, Label, Language, Origin, Row};
use crate::neural::Encoder;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A seed and a text to be written after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The seed.
    pub seed: Row,
    /// The text: a row of the same source and label.
    pub text: String,
    /// The text's language.
    pub language: Language,
    /// Whether it says the same in another language; else it is another row of the same language and categories.
    pub aligned: bool,
}

/// Nearest neighbours whose mean similarity tells how crowded a text's surroundings are.
const NEIGHBOURS: usize = 4;

/// How much nearer two texts must be to each other than their neighbours are.
pub const MARGIN: f32 = 1.0;

/// The pairs `(i, j)` of texts that say the same, given by vectors of meaning, and their margins: each other's
/// best by the margin
///
/// 2 cos(a, b) / (mean cosine of a's nearest + mean cosine of b's nearest)
///
/// over 4 nearest neighbours on the other side, which is at least [`MARGIN`] (Artetxe and Schwenk, 2019).
///
/// # Errors
/// When a tensor operation fails.
pub fn align(a: &[&[f32]], b: &[&[f32]]) -> Result<Vec<(usize, usize, f32)>> {
    if a.is_empty() || b.is_empty() {
        return Ok(Vec::new());
    }
    let matrix = |rows: &[&[f32]]| {
        let unit = |row: &&[f32]| {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            row.iter().map(move |x| x / length).collect::<Vec<_>>()
        };
        Tensor::from_vec(rows.iter().flat_map(unit).collect(), (rows.len(), rows[0].len()), &Device::Cpu)
    };
    let mut near = matrix(a)?.matmul(&matrix(b)?.t()?)?.to_vec2::<f32>()?;
    let column = |j: usize, near: &[Vec<f32>]| near.iter().map(|row| row[j]).collect::<Vec<_>>();
    let rows: Vec<f32> = near.iter().map(|row| crowd(row.clone())).collect();
    let columns: Vec<f32> = (0..b.len()).map(|j| crowd(column(j, &near))).collect();
    for (row, mine) in near.iter_mut().zip(&rows) {
        row.iter_mut().zip(&columns).for_each(|(x, theirs)| *x *= 2.0 / (mine + theirs));
    }
    let best: Vec<Option<usize>> = (0..b.len()).map(|j| largest(&column(j, &near))).collect();
    let mutual = |(i, row): (usize, &Vec<f32>)| {
        let j = largest(row)?;
        (best[j] == Some(i) && row[j] >= MARGIN).then_some((i, j, row[j]))
    };
    Ok(near.iter().enumerate().filter_map(mutual).collect())
}

/// Mean of the largest few.
fn crowd(mut near: Vec<f32>) -> f32 {
    let count = NEIGHBOURS.min(near.len());
    near.sort_unstable_by(|x, y| y.total_cmp(x));
    near[..count].iter().sum::<f32>() / count as f32
}

fn largest(values: &[f32]) -> Option<usize> {
    (0..values.len()).max_by(|&i, &j| values[i].total_cmp(&values[j]))
}
