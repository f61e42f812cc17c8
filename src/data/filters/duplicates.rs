//! Texts that are nearly the same, found among many.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::HashMap;

/// Characters of a gram.
const GRAM: usize = 4;
/// Hashes that must agree in a band, and bands of which one must: two texts of similarity J are compared with
/// probability 1 - (1 - J^3)^24, 0.997 at 0.6.
const ROWS: usize = 3;
const BANDS: usize = 24;

/// Texts by their character 4-grams, with the Jaccard index of two texts' sets as their similarity. Which ones
/// are worth comparing, min-wise hashes tell (Broder, 1997).
#[derive(Debug)]
pub(super) struct Index {
    /// What makes each hash function another.
    salts: Vec<u64>,
    /// Ascending grams of each text.
    texts: Vec<Vec<u32>>,
    /// Texts by the hash of a band.
    bands: HashMap<(u8, u64), Vec<u32>>,
}

impl Index {
    pub(super) fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let salts = (0..ROWS * BANDS).map(|_| rng.next_u64()).collect();
        Self { salts, texts: Vec::new(), bands: HashMap::new() }
    }

    /// Adds a text by its words.
    pub(super) fn insert(&mut self, words: &[String]) {
        let grams = grams(words);
        let number = self.texts.len() as u32;
        for band in self.bands_of(&grams) {
            self.bands.entry(band).or_default().push(number);
        }
        self.texts.push(grams);
    }

    /// Whether a text of it is at least this similar.
    pub(super) fn holds(&self, words: &[String], similarity: f64) -> bool {
        let grams = grams(words);
        let mut near: Vec<u32> = self
            .bands_of(&grams)
            .iter()
            .filter_map(|band| self.bands.get(band))
            .flatten()
            .copied()
            .collect();
        near.sort_unstable();
        near.dedup();
        near.iter().any(|&text| jaccard(&grams, &self.texts[text as usize], similarity))
    }

    fn bands_of(&self, grams: &[u32]) -> Vec<(u8, u64)> {
        let least = |salt: &u64| {
            grams.iter().map(|&gram| mix(u64::from(gram) ^ salt)).min().unwrap_or(u64::MAX)
        };
        let least: Vec<u64> = self.salts.iter().map(least).collect();
        let band =
            |(i, rows): (usize, &[u64])| (i as u8, rows.iter().fold(0, |h, &row| mix(h ^ row)));
        least.chunks(ROWS).enumerate().map(band).collect()
    }
}

/// Whether |a ∩ b| / |a ∪ b| is at least `similarity`.
fn jaccard(a: &[u32], b: &[u32], similarity: f64) -> bool {
    let (less, more) = (a.len().min(b.len()), a.len().max(b.len()));
    if (less as f64) < similarity * more as f64 {
        return false;
    }
    let (mut i, mut j, mut both) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        both += usize::from(a[i] == b[j]);
        let (x, y) = (a[i], b[j]);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    both as f64 >= similarity * (a.len() + b.len() - both) as f64
}

/// Hashes of the 4-grams of the words with one space between and around them, ascending, each once.
fn grams(words: &[String]) -> Vec<u32> {
    let text: Vec<char> = format!(" {}   ", words.join(" ")).chars().collect();
    let hash = |gram: &[char]| (gram.iter().fold(0, |h, &c| mix(h ^ u64::from(c))) >> 32) as u32;
    let mut grams: Vec<u32> = text.windows(GRAM).map(hash).collect();
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// Hashes of all runs of `length` words.
pub(super) fn runs(words: &[String], length: usize) -> impl Iterator<Item = u64> {
    let word = |word: &String| word.chars().fold(1, |h, c| mix(h ^ u64::from(c)));
    let hashes: Vec<u64> = words.iter().map(word).collect();
    let count = (hashes.len() + 1).saturating_sub(length);
    (0..count).map(move |i| hashes[i..i + length].iter().fold(0, |h, &w| mix(h ^ w)))
}

/// A permutation of the 64-bit numbers that scatters them (the last step of MurmurHash3).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    x = (x ^ (x >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    x ^ (x >> 33)
}
