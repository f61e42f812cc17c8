//! Regret matching and its descendants: play in proportion to the regrets of not having played.

use super::gradient::project;
use super::player::positive;
use super::{Ascent, Geometry, Player, Scheme};
use crate::Result;
use crate::scalar::Scalar;
use crate::simplex::Simplex;

/// Which regrets are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kept {
    /// All, also negative ones: $R \leftarrow R + r$.
    Signed,
    /// Positive parts: $R \leftarrow [R + r]_+$.
    Positive,
    /// The nearest point to R + rate r with entries >= 0 that sum to at least 1. Away from 0, equal
    /// regrets cannot flip the strategy, which is what makes the strategy smooth in R.
    Smooth {
        /// In 1 / payoff.
        rate: f64,
    },
}

/// Regrets R; the direction at x is $r = g - \langle g, x\rangle$, the strategy is its positive part
/// over the sum, uniform when that is 0. D is half the squared distance.
#[derive(Clone, Debug)]
pub struct Regrets {
    /// What becomes of the sum.
    pub kept: Kept,
}

impl Geometry for Regrets {
    fn lift(&self, x: &[f64]) -> Vec<f64> {
        match self.kept {
            Kept::Signed | Kept::Positive => vec![0.0; x.len()],
            Kept::Smooth { .. } => x.to_vec(),
        }
    }

    fn direction(&self, x: &[f64], gain: &mut [f64]) {
        let mean = f64::dot(x, gain);
        gain.iter_mut().for_each(|g| *g -= mean);
    }

    fn step(&self, base: &[f64], direction: &[f64], next: &mut Vec<f64>) {
        next.clear();
        let moved = base.iter().zip(direction);
        match self.kept {
            Kept::Signed => next.extend(moved.map(|(w, d)| w + d)),
            Kept::Positive => next.extend(moved.map(|(w, d)| (w + d).max(0.0))),
            Kept::Smooth { rate } => {
                next.extend(moved.map(|(w, d)| w + rate * d));
                // The nearest point with entries >= 0, if its sum is large enough; else on the face.
                if next.iter().map(|w| w.max(0.0)).sum::<f64>() >= 1.0 {
                    next.iter_mut().for_each(|w| *w = w.max(0.0));
                } else {
                    project(next);
                }
            }
        }
    }

    fn strategy(&self, state: &[f64]) -> Result<Simplex> {
        let mut p: Vec<f64> = state.iter().map(|w| w.max(0.0)).collect();
        let sum: f64 = p.iter().sum();
        if sum == 0.0 {
            return Simplex::uniform(p.len());
        }
        p.iter_mut().for_each(|v| *v /= sum);
        Simplex::new(p)
    }
}

/// Regret matching: $R_{t+1} = R_t + r_t$, $x_{t+1} \propto [R_{t+1}]_+$.
///
/// - Reference: Hart, Mas-Colell 2000.
/// - Guarantee: $R_T \le \sqrt{\sum_t \Vert r_t\Vert_2^2} \le \mathrm{range}\sqrt{nT}$; averages converge at the
///   rate $1/\sqrt T$, the last iterate need not.
/// - Order: either.
pub fn regret_matching(player: Player) -> Ascent<Regrets> {
    Ascent::new(player, Regrets { kept: Kept::Signed }, Scheme::Plain)
}

/// RM+: $R_{t+1} = [R_t + r_t]_+$, $x_{t+1} \propto R_{t+1}$.
///
/// - Reference: Tammelin 2014; Tammelin, Burch, Johanson, Bowling 2015.
/// - Guarantee: that of [`regret_matching`]; in practice much faster, with alternating play and linear
///   averages.
/// - Order: alternating.
pub fn regret_matching_plus(player: Player) -> Ascent<Regrets> {
    Ascent::new(player, Regrets { kept: Kept::Positive }, Scheme::Plain)
}

/// Predictive RM+: $R_{t+1} = [R_t + r_t]_+$, $x_{t+1} \propto [R_{t+1} + r_t]_+$.
///
/// - Reference: Farina, Kroer, Sandholm 2021.
/// - Guarantee: $R_T \le \sqrt{2\sum_t \Vert r_t - r_{t-1}\Vert_2^2}$ with $r_{-1} = 0$, so averages converge at the
///   rate $1/\sqrt T$; in practice faster than $1/T$ with alternating play and quadratic averages.
///   The last iterate can cycle (Cai et al. 2023).
/// - Order: alternating, with [`Weights::Quadratic`](super::Weights).
pub fn predictive_regret_matching_plus(player: Player) -> Ascent<Regrets> {
    Ascent::new(player, Regrets { kept: Kept::Positive }, Scheme::Optimistic)
}

/// Smooth predictive RM+: predictive RM+ with [`Kept::Smooth`].
///
/// - Reference: Farina, Grand-Clement, Kroer, Lee, Luo 2023; Cai, Farina, Grand-Clement, Kroer, Lee,
///   Luo, Zheng 2023.
/// - Guarantee: $R_T \le 1/\eta + \eta\sum_t \Vert r_t - r_{t-1}\Vert_2^2$. At rates of at most
///   [`smooth_rate`] averages converge at the rate 1/T and the last iterate converges; [`restarted`](super::restarted()),
///   linearly.
/// - Order: simultaneous.
///
/// # Errors
/// When `rate` is not positive and finite.
pub fn smooth_predictive_regret_matching_plus(
    player: Player,
    rate: f64,
) -> Result<Ascent<Regrets>> {
    let kept = Kept::Smooth { rate: positive("rate", rate)? };
    Ok(Ascent::new(player, Regrets { kept }, Scheme::Optimistic))
}

/// Extragradient RM+: the extragradient method on the regrets of [`Kept::Smooth`].
///
/// - Reference: Farina et al. 2023; Cai et al. 2023 (see
///   [`smooth_predictive_regret_matching_plus`]).
/// - Guarantee: at rates below 8 times [`smooth_rate`] averages of the half steps converge at the
///   rate 1/T and the last iterate converges; [`restarted`](super::restarted()), linearly.
/// - Order: simultaneous, two rounds a step.
///
/// # Errors
/// When `rate` is not positive and finite.
pub fn extragradient_regret_matching_plus(player: Player, rate: f64) -> Result<Ascent<Regrets>> {
    let kept = Kept::Smooth { rate: positive("rate", rate)? };
    Ok(Ascent::new(player, Regrets { kept }, Scheme::Extragradient))
}

/// The rate at which smooth predictive RM+ is proven to converge, 1/(8 L) with
/// $L = \sqrt 6\, \Vert A\Vert \max(m, n)$ for an m x n game and the spectral norm (Cai et al. 2023,
/// Lemma 1 there). It is cautious: rates near 1/||A|| converge in practice.
pub fn smooth_rate(player: &Player) -> f64 {
    let lipschitz =
        6.0_f64.sqrt() * player.norm() * player.actions().max(player.opponents()) as f64;
    let rate = 0.125 / lipschitz;
    if rate.is_finite() && rate > 0.0 { rate } else { 1.0 }
}
