//! Mirror ascent: three ways to use the payoffs, in whatever geometry.

use super::Player;
use crate::Result;
use crate::dynamics::Update;
use crate::simplex::Simplex;

/// Where a player's state lives and how one step moves it.
pub trait Geometry {
    /// The state w_0 of a run that starts in `x`.
    fn lift(&self, x: &[f64]) -> Vec<f64>;

    /// Turns the payoffs `gain` seen at the strategy `x` into what the state ascends; payoffs
    /// themselves unless the geometry says otherwise.
    fn direction(&self, _x: &[f64], _gain: &mut [f64]) {}

    /// `next` <- the maximiser of rate <direction, w> - D(w, base) over the states w.
    fn step(&self, base: &[f64], direction: &[f64], next: &mut Vec<f64>);

    /// The strategy that a state plays.
    ///
    /// # Errors
    /// When the state left f64.
    fn strategy(&self, state: &[f64]) -> Result<Simplex>;
}

/// How the payoffs are used; w is the state, d_t the direction seen at x_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// $w_{t+1} = \mathrm{step}(w_t, d_t)$, and x_{t+1} plays it.
    Plain,
    /// The same w, but $x_{t+1}$ plays $\mathrm{step}(w_{t+1}, d_t)$: the last direction is the
    /// prediction of the next (Popov 1980; Rakhlin, Sridharan 2013).
    Optimistic,
    /// In pairs of rounds: the half step $\mathrm{step}(w, d_t)$ is played, then
    /// $\mathrm{step}(w, d_{t+1})$ is kept and played (Korpelevich 1976). Meant for simultaneous
    /// play; even rounds are the iterates, odd rounds the half steps, whose average is the one with
    /// a guarantee.
    Extragradient,
}

/// A player's mirror ascent. It owns the run's state: x_0 is read in the first step, and each later
/// strategy must be the one it returned.
#[derive(Clone, Debug)]
pub struct Ascent<G> {
    player: Player,
    geometry: G,
    scheme: Scheme,
    /// Empty before the first step.
    base: Vec<f64>,
    /// Whether the half step is on the table.
    half: bool,
    gain: Vec<f64>,
    next: Vec<f64>,
}

impl<G: Geometry> Ascent<G> {
    /// The scheme in the geometry, for one player.
    pub fn new(player: Player, geometry: G, scheme: Scheme) -> Self {
        let (base, gain, next) = (Vec::new(), Vec::new(), Vec::new());
        Self { player, geometry, scheme, base, half: false, gain, next }
    }

    /// The geometry, and the state w_t: empty before the first step.
    pub(super) fn parts(&mut self) -> (&mut G, &[f64]) {
        (&mut self.geometry, &self.base)
    }
}

impl<G: Geometry> Update<Simplex, Simplex> for Ascent<G> {
    fn step(&mut self, me: &Simplex, opponent: &Simplex) -> Result<Simplex> {
        self.player.check(me)?;
        self.player.gains(opponent, &mut self.gain)?;
        if self.base.is_empty() {
            self.base = self.geometry.lift(me.as_slice());
        }
        self.geometry.direction(me.as_slice(), &mut self.gain);
        self.geometry.step(&self.base, &self.gain, &mut self.next);
        match self.scheme {
            Scheme::Plain => std::mem::swap(&mut self.base, &mut self.next),
            Scheme::Optimistic => {
                std::mem::swap(&mut self.base, &mut self.next);
                self.geometry.step(&self.base, &self.gain, &mut self.next);
                return self.geometry.strategy(&self.next);
            }
            Scheme::Extragradient => {
                self.half = !self.half;
                if self.half {
                    return self.geometry.strategy(&self.next);
                }
                std::mem::swap(&mut self.base, &mut self.next);
            }
        }
        self.geometry.strategy(&self.base)
    }
}
