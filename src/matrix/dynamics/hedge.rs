//! Multiplicative weights: mirror ascent in the entropy's geometry.

use super::player::positive;
use super::{Ascent, Geometry, Player, Scheme};
use crate::Result;
use crate::simplex::Simplex;

/// Log-weights w; D is the KL divergence. With a magnet m and a temperature a, a step maximises
/// rate (<g, x> - a KL(x || m)) - KL(x || base), that is
///
/// $$x \propto \left(x_{base}\; e^{\eta g}\; m^{\eta a}\right)^{1/(1+\eta a)}.$$
#[derive(Clone, Debug)]
pub struct Entropy {
    rate: f64,
    temperature: f64,
    /// log m; empty without a temperature.
    log_magnet: Vec<f64>,
}

impl Entropy {
    /// Without magnet.
    ///
    /// # Errors
    /// When `rate` is not positive and finite.
    pub fn new(rate: f64) -> Result<Self> {
        let rate = positive("rate", rate)?;
        Ok(Self { rate, temperature: 0.0, log_magnet: Vec::new() })
    }

    /// Drawn to the magnet of these log-weights (up to a constant) with the weight `temperature`, in
    /// payoff per nat; at 0 it is ignored.
    pub(in crate::matrix) fn drawn_to(
        &mut self,
        log_magnet: impl IntoIterator<Item = f64>,
        temperature: f64,
    ) {
        self.temperature = temperature;
        self.log_magnet.clear();
        self.log_magnet.extend(log_magnet);
    }
}

impl Geometry for Entropy {
    fn lift(&self, x: &[f64]) -> Vec<f64> {
        x.iter().map(|p| p.ln()).collect()
    }

    fn step(&self, base: &[f64], direction: &[f64], next: &mut Vec<f64>) {
        next.clear();
        next.extend(base.iter().zip(direction).map(|(w, g)| w + self.rate * g));
        let pull = self.rate * self.temperature;
        if pull > 0.0 {
            for (w, m) in next.iter_mut().zip(&self.log_magnet) {
                *w = (*w + pull * m) / (1.0 + pull);
            }
        }
        let max = next.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        next.iter_mut().for_each(|w| *w -= max);
    }

    fn strategy(&self, state: &[f64]) -> Result<Simplex> {
        let mut p: Vec<f64> = state.iter().map(|w| w.exp()).collect();
        let sum: f64 = p.iter().sum();
        p.iter_mut().for_each(|v| *v /= sum);
        Simplex::new(p)
    }
}

/// Hedge, or multiplicative weights: $x_{t+1,i} \propto x_{t,i}\, e^{\eta g_{t,i}}$.
///
/// - Reference: Littlestone, Warmuth 1994; Freund, Schapire 1999.
/// - Guarantee: from the uniform start $R_T \le \ln n/\eta + \eta T\,\mathrm{range}^2/8$, so
///   $\mathrm{range}\sqrt{T \ln n/2}$ at [`hedge_rate`]; averages converge at the rate
///   $1/\sqrt T$ (`hedge` in proofs/Main.v). The last iterate of simultaneous play moves away from every interior equilibrium
///   (Bailey, Piliouras 2018).
/// - Order: either; the bound is for each player whatever the other does.
///
/// # Errors
/// When `rate` is not positive and finite.
pub fn hedge(player: Player, rate: f64) -> Result<Ascent<Entropy>> {
    Ok(Ascent::new(player, Entropy::new(rate)?, Scheme::Plain))
}

/// The rate of [`hedge`] with the least bound for `rounds` rounds: $\sqrt{8 \ln n/T}/\mathrm{range}$;
/// 1 when nothing is at stake.
pub fn hedge_rate(player: &Player, rounds: usize) -> f64 {
    let n = player.actions() as f64;
    let rate = (8.0 * n.ln() / rounds.max(1) as f64).sqrt() / player.range();
    if rate.is_finite() && rate > 0.0 { rate } else { 1.0 }
}

/// Optimistic Hedge: $x_{t+1,i} \propto e^{\eta(\sum_{s\le t} g_{s,i} + g_{t,i})}$.
///
/// - Reference: Rakhlin, Sridharan 2013; Syrgkanis, Agarwal, Luo, Schapire 2015.
/// - Guarantee: $R_T \le \ln n/\eta + \eta \sum_t \Vert g_t - g_{t-1}\Vert_\infty^2$ with $g_{-1} = 0$; in
///   simultaneous self-play with rates of at most 1 / (4 max |A|) the averages converge at the rate
///   1/T. The last iterate converges when the equilibrium is unique and the rate small (Daskalakis,
///   Panageas 2019; linearly: Wei, Lee, Zhang, Luo 2021).
/// - Order: simultaneous.
///
/// # Errors
/// When `rate` is not positive and finite.
pub fn optimistic_hedge(player: Player, rate: f64) -> Result<Ascent<Entropy>> {
    Ok(Ascent::new(player, Entropy::new(rate)?, Scheme::Optimistic))
}

/// Mirror-prox: the extragradient method on log-weights.
///
/// - Reference: Nemirovski 2004.
/// - Guarantee: at a rate of at most 2 / range the average of T half steps from the uniform start
///   has gap at most $(\ln m + \ln n)/(\eta T)$ (two rounds a step).
/// - Order: simultaneous.
///
/// # Errors
/// When `rate` is not positive and finite.
pub fn mirror_prox(player: Player, rate: f64) -> Result<Ascent<Entropy>> {
    Ok(Ascent::new(player, Entropy::new(rate)?, Scheme::Extragradient))
}
