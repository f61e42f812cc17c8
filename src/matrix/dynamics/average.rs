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
    let (mut x, mut y) = (Vec::new(), Vec::new());
    let (mut k, mut total) = (0.0, 0.0);
    rounds.map(move |round| {
        let Round { t, x: x_t, y: y_t } = round?;
        k += 1.0;
        let weight = match weights {
            Weights::Uniform => 1.0,
            Weights::Linear => k,
            Weights::Quadratic => k * k,
        };
        total += weight;
        let share = weight / total;
        Ok(Round { t, x: mixed(&mut x, &x_t, share)?, y: mixed(&mut y, &y_t, share)? })
    })
}

/// mean += share (new - mean), written so that no entry falls below 0.
fn mixed(mean: &mut Vec<f64>, new: &Simplex, share: f64) -> Result<Arc<Simplex>> {
    mean.resize(new.as_slice().len(), 0.0);
    mean.iter_mut().zip(new.as_slice()).for_each(|(m, p)| *m = (1.0 - share) * *m + share * p);
    Ok(Arc::new(Simplex::new(mean.clone())?))
}
