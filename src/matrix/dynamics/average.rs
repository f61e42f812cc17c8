//! Averages of the strategies so far, as an adapter over rounds.

use crate::Result;
use crate::dynamics::Round;
use crate::simplex::Simplex;
use std::sync::Arc;

/// The weight of the k-th round averaged, k = 1, 2, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// 1.
    Uniform,
    /// k.
    Linear,
    /// k^2.
    Quadratic,
}

/// Replaces each round's strategies by the weighted averages of all rounds so far, round 0
/// included. Uniform averages carry the regret guarantees, the others forget a bad start faster.
///
/// To average the half steps of an extragradient method only: `average(rounds.skip(1).step_by(2), ..)`.
pub fn average(
    rounds: impl Iterator<Item = Result<Round<Simplex, Simplex>>>,
    weights: Weights,
) -> impl Iterator<Item = Result<Round<Simplex, Simplex>>> {
    let (mut x, mut y) = (Mean::default(), Mean::default());
    let mut k = 0.0;
    rounds.map(move |round| {
        let Round { t, x: x_t, y: y_t } = round?;
        k += 1.0;
        let weight = match weights {
            Weights::Uniform => 1.0,
            Weights::Linear => k,
            Weights::Quadratic => k * k,
        };
        x.add(&x_t, weight);
        y.add(&y_t, weight);
        Ok(Round { t, x: Arc::new(x.strategy()?), y: Arc::new(y.strategy()?) })
    })
}

/// A weighted mean of strategies.
#[derive(Default)]
pub(in crate::matrix) struct Mean {
    total: f64,
    mean: Vec<f64>,
}

impl Mean {
    pub fn add(&mut self, x: &Simplex, weight: f64) {
        self.total += weight;
        let share = weight / self.total;
        self.mean.resize(x.as_slice().len(), 0.0);
        // Written so that no entry falls below 0.
        for (m, p) in self.mean.iter_mut().zip(x.as_slice()) {
            *m = (1.0 - share) * *m + share * p;
        }
    }

    /// Divides all weights so far, so that later ones may grow without end.
    pub fn discount(&mut self, factor: f64) {
        self.total /= factor;
    }

    pub fn strategy(&self) -> Result<Simplex> {
        Simplex::new(self.mean.clone())
    }
}
