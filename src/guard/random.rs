//! Random games, for experiments, benchmarks and tests.

use super::{GuardGame, Seed};
use crate::{Error, Result};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use statrs::distribution::Gamma;

/// A game whose reference rows are symmetric Dirichlet draws of the given `concentration` (small:
/// spiky rows), with equal seed weights and the labels in turn.
///
/// # Errors
/// [`Error::Invalid`] for sizes, beta or a concentration that make no game.
pub fn random_game(
    labels: usize,
    seeds: usize,
    texts: usize,
    beta: f64,
    concentration: f64,
    seed: u64,
) -> Result<GuardGame> {
    let gamma = Gamma::new(concentration, 1.0).map_err(|e| {
        Error::invalid("concentration", e.to_string(), "give a positive finite number")
    })?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut row = || {
        // A floor far below any draw of interest: a row of zeros has no direction.
        let mut r: Vec<f64> = (0..texts).map(|_| gamma.sample(&mut rng).max(1e-300)).collect();
        let sum: f64 = r.iter().sum();
        r.iter_mut().for_each(|v| *v /= sum);
        r
    };
    let weight = 1.0 / seeds as f64;
    let rows =
        (0..seeds).map(|i| Seed { label: i % labels.max(1), weight, reference: row() }).collect();
    GuardGame::new(labels, rows, beta)
}
