//! Gradient ascent with exact projection onto the simplex.

use super::player::positive;
use super::{Ascent, Geometry, Player, Scheme};
use crate::Result;
use crate::simplex::Simplex;

/// The simplex itself; D is half the squared distance, so a step is $P(w + \eta g)$ with P the
/// projection onto the simplex.
#[derive(Clone, Debug)]
pub struct Euclidean {
    rate: f64,
}

impl Euclidean {
    /// With steps of `rate` times the payoffs.
    ///
    /// # Errors
    /// When `rate` is not positive and finite.
    pub fn new(rate: f64) -> Result<Self> {
        Ok(Self { rate: positive("rate", rate)? })
    }
}

impl Geometry for Euclidean {
    fn lift(&self, x: &[f64]) -> Vec<f64> {
        x.to_vec()
    }

    fn step(&self, base: &[f64], direction: &[f64], next: &mut Vec<f64>) {
        next.clear();
        next.extend(base.iter().zip(direction).map(|(w, g)| w + self.rate * g));
        project(next);
    }

    fn strategy(&self, state: &[f64]) -> Result<Simplex> {
        Simplex::new(state.to_vec())
    }
}

/// v <- the nearest point of the simplex: max(v - theta, 0) with the one theta that makes it sum to
/// 1, found in finitely many passes that drop entries for good (Michelot 1986).
pub(super) fn project(v: &mut [f64]) {
    // Measured from the largest entry, for only what is within 1 of it can stay.
    let max = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    v.iter_mut().for_each(|v| *v -= max);
    let (mut theta, mut kept) = (-1.0, v.len() + 1);
    loop {
        let above = v.iter().filter(|v| **v > theta);
        let (sum, count) = above.fold((0.0, 0_usize), |(sum, count), v| (sum + v, count + 1));
        // In exact arithmetic the count only falls; NaN keeps nothing and Simplex::new refuses it.
        if count >= kept || count == 0 {
            break;
        }
        kept = count;
        theta = (sum - 1.0) / count as f64;
    }
    v.iter_mut().for_each(|v| *v = (*v - theta).max(0.0));
}

/// Optimistic gradient ascent: $w_{t+1} = P(w_t + \eta g_t)$, $x_{t+1} = P(w_{t+1} + \eta g_t)$.
///
/// - Reference: Popov 1980; Rakhlin, Sridharan 2013.
/// - Guarantee: $R_T \le \Vert u - x_0\Vert^2/(2\eta) + \eta\sum_t \Vert g_t - g_{t-1}\Vert^2$ against every u; at
///   rates of at most 1/(8 ||A||) (spectral norm) the last iterate of every matrix game converges
///   linearly (Wei, Lee, Zhang, Luo 2021).
/// - Order: simultaneous.
///
/// # Errors
/// When `rate` is not positive and finite.
pub fn optimistic_gradient(player: Player, rate: f64) -> Result<Ascent<Euclidean>> {
    Ok(Ascent::new(player, Euclidean::new(rate)?, Scheme::Optimistic))
}

/// The extragradient method: $x_{t+1/2} = P(x_t + \eta g_t)$, $x_{t+1} = P(x_t + \eta g_{t+1/2})$.
///
/// - Reference: Korpelevich 1976.
/// - Guarantee: at rates below 1/||A|| (spectral norm) every iterate is closer to the equilibria
///   than the last, the average of T half steps has gap at most $2/(\eta T)$ (Nemirovski 2004), and
///   the last iterate converges linearly (Tseng 1995), at the rate $1/\sqrt T$ whatever the
///   constants of the game (Cai, Oikonomou, Zheng 2022).
/// - Order: simultaneous, two rounds a step.
///
/// # Errors
/// When `rate` is not positive and finite.
pub fn extragradient(player: Player, rate: f64) -> Result<Ascent<Euclidean>> {
    Ok(Ascent::new(player, Euclidean::new(rate)?, Scheme::Extragradient))
}

#[cfg(test)]
mod tests {
    use super::project;

    #[test]
    fn known_projections() {
        for (mut v, expected) in [
            (vec![0.5, 0.5], vec![0.5, 0.5]),
            (vec![2.0, 0.0], vec![1.0, 0.0]),
            (vec![0.6, 0.6, -1.0], vec![0.5, 0.5, 0.0]),
            (vec![7.0], vec![1.0]),
            (vec![1e300, 1e300, 0.0], vec![0.5, 0.5, 0.0]),
        ] {
            project(&mut v);
            for (a, b) in v.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-15, "{v:?}, not {expected:?}");
            }
        }
    }
}
