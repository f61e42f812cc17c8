//! Magnetic mirror descent: Hedge that is drawn to a magnet.

use super::player::positive;
use super::{Ascent, Entropy, Player, Scheme};
use crate::dynamics::Update;
use crate::simplex::Simplex;
use crate::{Error, Result};

/// Magnetic mirror descent (ascent for this player):
/// $x_{t+1} = \arg\max_x \langle g_t, x\rangle - a\,\mathrm{KL}(x\Vert m) - \mathrm{KL}(x\Vert x_t)/\eta$, that is
/// $x_{t+1} \propto (x_t\, e^{\eta g_t}\, m^{\eta a})^{1/(1+\eta a)}$. With temperature 0 it is
/// [`hedge`](super::hedge()).
///
/// - Reference: Sokota et al. 2023.
/// - Guarantee: when both players' rates are at most a / max |A|^2, the last iterate converges to the
///   equilibrium of the [regularised game](crate::matrix::regularised) at the rate
///   $(1 + \eta a)^{-1}$ per round in KL. Against a best reply of the opponent it is the proximal best
///   response (Theorem D).
/// - Order: simultaneous, or alternating in practice.
///
/// # Errors
/// When `rate` is not positive and finite, `temperature` is negative or not finite, or `magnet` has
/// a zero or another length than the player's actions.
pub fn magnetic(
    player: Player,
    rate: f64,
    temperature: f64,
    magnet: &Simplex,
) -> Result<Ascent<Entropy>> {
    player.check(magnet)?;
    let mut entropy = Entropy::new(rate)?;
    if temperature != 0.0 {
        if let Some(k) = magnet.as_slice().iter().position(|m| *m == 0.0) {
            return Err(Error::invalid(
                format!("magnet[{k}]"),
                "it is 0, which forbids the action",
                "give a positive probability or take the action out of the game",
            ));
        }
        let log_magnet = magnet.as_slice().iter().map(|m| m.ln());
        entropy.drawn_to(log_magnet, positive("temperature", temperature)?);
    }
    Ok(Ascent::new(player, entropy, Scheme::Plain))
}

/// Magnetic mirror descent for the game itself: every so many rounds the magnet moves to where the
/// player is.
///
/// - Reference: Sokota et al. 2023; Abe, Ariu, Sakamoto, Iwasaki 2024 (adaptively perturbed mirror
///   descent).
/// - Guarantee: between two moves the strategies approach the equilibrium of the game regularised
///   towards the magnet, so moves are steps of the proximal-point method, whose last iterate
///   converges to an equilibrium when the steps are accurate enough.
/// - Order: simultaneous, or alternating in practice.
#[derive(Clone, Debug)]
pub struct MovingMagnet {
    inner: Ascent<Entropy>,
    temperature: f64,
    every: usize,
    rounds: usize,
}

impl MovingMagnet {
    /// A magnet that starts at x_0 and moves after each `every` rounds.
    ///
    /// # Errors
    /// When `rate` or `temperature` is not positive and finite, or `every` is 0.
    pub fn new(player: Player, rate: f64, temperature: f64, every: usize) -> Result<Self> {
        if every == 0 {
            return Err(Error::invalid("every", "0 is no number of rounds", "give at least 1"));
        }
        let temperature = positive("temperature", temperature)?;
        let inner = Ascent::new(player, Entropy::new(rate)?, Scheme::Plain);
        Ok(Self { inner, temperature, every, rounds: 0 })
    }
}

impl Update<Simplex, Simplex> for MovingMagnet {
    fn step(&mut self, me: &Simplex, opponent: &Simplex) -> Result<Simplex> {
        if self.rounds.is_multiple_of(self.every) {
            let (entropy, state) = self.inner.parts();
            // The state, not the strategy, where small probabilities have become 0.
            if state.is_empty() {
                entropy.drawn_to(me.as_slice().iter().map(|m| m.ln()), self.temperature);
            } else {
                entropy.drawn_to(state.iter().copied(), self.temperature);
            }
        }
        self.rounds += 1;
        self.inner.step(me, opponent)
    }
}
