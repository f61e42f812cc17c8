//! The constants of the paper's Theorem 4.2, as repaired in `theory/audit.md` (`theorem_4_2P` and
//! `theorem_4_2P_vacuous` in proofs/Main.v).
//!
//! Its condition is c(beta) = 4 / (beta delta alpha gamma^(1 + 1/beta)) < 1, with gamma a floor of
//! the classifier, delta = 1 a floor of every normaliser (1 suffices, since q <= 1) and
//! alpha = gamma^(1/beta) min_z sum_i rho_i r_i(z) a floor of every text's mass.

use super::GuardGame;
use crate::{Error, Result};

/// The constants at one beta. `c` may overflow to infinity: `ln_c` is the exact record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// The classifier's floor.
    pub gamma: f64,
    /// The floor of every normaliser: 1.
    pub delta: f64,
    /// The floor of every text's mass.
    pub alpha: f64,
    /// log c(beta).
    pub ln_c: f64,
}

impl Constants {
    /// c(beta); the theorem applies when it is below 1.
    pub fn c(&self) -> f64 {
        self.ln_c.exp()
    }
}

/// The constants for `game` at its beta and its floor gamma.
///
/// # Errors
/// [`Error::Invalid`] when the floor is 0 or a text has no reference mass: the theorem then has
/// no constants at all.
pub fn constants(game: &GuardGame) -> Result<Constants> {
    let mass = least_mass(game)?;
    let ln_alpha = game.floor().ln() / game.beta() + mass.ln();
    Ok(Constants {
        gamma: game.floor(),
        delta: 1.0,
        alpha: ln_alpha.exp(),
        ln_c: ln_c(game.beta(), game.floor(), mass),
    })
}

/// The least beta the paper's condition admits: c is decreasing, so this is the root of c = 1.
/// It always exceeds 8 |Z|, because alpha <= 1/|Z| and gamma <= 1/2 (two labels).
///
/// # Errors
/// As [`constants`].
pub fn least_admissible_beta(game: &GuardGame) -> Result<f64> {
    let mass = least_mass(game)?;
    let (mut low, mut high) = (1.0, 2.0);
    while ln_c(high, game.floor(), mass) >= 0.0 {
        low = high;
        high *= 2.0;
    }
    while high - low > 1e-12 * high {
        let middle = 0.5 * (low + high);
        if ln_c(middle, game.floor(), mass) >= 0.0 { low = middle } else { high = middle }
    }
    Ok(high)
}

fn ln_c(beta: f64, gamma: f64, mass: f64) -> f64 {
    4.0_f64.ln() - beta.ln() - mass.ln() - (1.0 + 2.0 / beta) * gamma.ln()
}

fn least_mass(game: &GuardGame) -> Result<f64> {
    if game.floor() == 0.0 {
        return Err(Error::invalid(
            "gamma",
            "the paper's constants need a floor on the classifier",
            "give the game a floor gamma > 0",
        ));
    }
    let mass = (0..game.texts())
        .map(|z| game.reference().column(z).iter().zip(game.weight()).map(|(r, w)| r * w).sum())
        .fold(f64::INFINITY, f64::min);
    if mass > 0.0 {
        return Ok(mass);
    }
    Err(Error::invalid(
        "reference",
        "a text has no mass under any seed, so the paper's alpha is 0",
        "leave out texts that no seed can reach",
    ))
}
