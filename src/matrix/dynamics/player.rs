//! One side of a matrix game, so that every algorithm is written once.

use crate::matrix::MatrixGame;
use crate::scalar::times;
use crate::simplex::Simplex;
use crate::{Error, Result};
use nalgebra::DMatrix;
use std::sync::Arc;

/// A side of the game, by its own payoffs: (own actions, opponent's actions).
///
/// The row player keeps A, the column player -A' in rows of its own, so that both players' payoffs
/// are dot products of rows. Clones share the matrix.
#[derive(Clone, Debug)]
pub struct Player {
    own: Arc<MatrixGame>,
}

impl Player {
    /// The row player, who raises x' A y.
    pub fn row(game: &MatrixGame) -> Self {
        Self { own: Arc::new(game.clone()) }
    }

    /// The column player, who lowers it.
    pub fn column(game: &MatrixGame) -> Self {
        Self { own: Arc::new(game.swapped()) }
    }

    /// How many actions it has.
    pub fn actions(&self) -> usize {
        self.own.payoffs().nrows()
    }

    /// How many actions the opponent has.
    pub fn opponents(&self) -> usize {
        self.own.payoffs().ncols()
    }

    /// ||A||, the largest singular value, in payoff units.
    pub fn norm(&self) -> f64 {
        let a = self.own.payoffs();
        // Scaled to entries of at most 1, so that squares stay within f64.
        let scale = a.iter().fold(0.0, |s: f64, v| s.max(v.abs()));
        if scale == 0.0 {
            return 0.0;
        }
        let unit = DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] / scale);
        scale * unit.singular_values().max()
    }

    /// max A - min A, in payoff units.
    pub fn range(&self) -> f64 {
        self.own.range()
    }

    /// `gains` <- what each action earns against `opponent`: A y, or -A' x.
    ///
    /// # Errors
    /// When `opponent` has another length than the opponent's actions.
    pub fn gains(&self, opponent: &Simplex, gains: &mut Vec<f64>) -> Result<()> {
        self.own.check("opponent's", opponent, self.own.payoffs().ncols())?;
        // Built in standard order and never rearranged, so there is always a slice.
        let payoffs = self.own.payoffs().as_slice().unwrap_or_default();
        times(payoffs, opponent.as_slice(), gains);
        Ok(())
    }

    pub(super) fn check(&self, me: &Simplex) -> Result<()> {
        self.own.check("own", me, self.actions())
    }
}

/// A rate or a temperature must be positive and finite.
pub(super) fn positive(place: &str, value: f64) -> Result<f64> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(Error::invalid(place, format!("{value} is not positive"), "give a positive finite number"))
}
