//! Fictitious play.

use super::Player;
use crate::Result;
use crate::dynamics::Update;
use crate::simplex::Simplex;

/// Fictitious play: $x_{t+1} = x_t + (b_t - x_t)/(t+2)$ with $b_t$ the first best reply to the
/// opponent. The strategy *is* the average of the replies, x_0 counting as one.
///
/// - Reference: Brown 1951; Robinson 1951.
/// - Guarantee: the (average) strategies converge in every zero-sum game; the proven rate is
///   $T^{-1/(m+n-2)}$ (Shapiro 1958), and with unlucky ties it is not $1/\sqrt T$ (Daskalakis, Pan
///   2014), which is what is usually seen.
/// - Order: either; Brown's own was alternating.
#[derive(Clone, Debug)]
pub struct FictitiousPlay {
    player: Player,
    plays: usize,
    gain: Vec<f64>,
}

impl FictitiousPlay {
    /// For one player.
    pub fn new(player: Player) -> Self {
        Self { player, plays: 1, gain: Vec::new() }
    }
}

impl Update<Simplex, Simplex> for FictitiousPlay {
    fn step(&mut self, me: &Simplex, opponent: &Simplex) -> Result<Simplex> {
        self.player.check(me)?;
        self.player.gains(opponent, &mut self.gain)?;
        let gain = &self.gain;
        let best = (1..gain.len()).fold(0, |best, k| if gain[k] > gain[best] { k } else { best });
        self.plays += 1;
        let share = 1.0 / self.plays as f64;
        let mut next: Vec<f64> = me.as_slice().iter().map(|p| p - share * p).collect();
        next[best] += share;
        Simplex::new(next)
    }
}
