//! Matrix games: two matrix-vector products of integers.

use super::number::{Exact, Fractions, Table, ratio, readable};
use super::{Failure, Proven, Verdict};
use dashu_int::IBig;
use serde::{Deserialize, Serialize};

/// That x guarantees `value` in the game x' A y, and y at most `value` + `gap`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// A, what the column player pays the row player.
    pub payoff: Table,
    /// The row player's strategy.
    pub x: Fractions,
    /// The column player's strategy.
    pub y: Fractions,
    /// The least that x gets.
    pub value: Exact,
    /// The most that y pays, less `value`.
    pub gap: Exact,
}

impl Matrix {
    /// Checks x >= 0, sum x = 1, the same for y, and x' A >= value, A y <= value + gap.
    /// That this is enough is proved in Coq: `matrix_certificate`, `matrix_certificate_gap`.
    ///
    /// # Errors
    /// The first of these that fails.
    pub fn check(&self) -> Verdict {
        let Self { payoff: a, x, y, value, gap } = self;
        let (rows, columns) = a.shape("payoff")?;
        x.distribution("x", rows)?;
        y.distribution("y", columns)?;
        let (low, high) = (&value.0, &value.0 + &gap.0);
        let over = x.over() * a.over();
        for j in 0..columns {
            let gets: IBig = x.iter().enumerate().map(|(i, x)| x * a.at(i, j)).sum();
            if &gets * low.denominator() < low.numerator() * &over {
                let (gets, low) = (readable(&ratio(&gets, &over)), readable(low));
                return Err(Failure(format!("column {j}: x gets {gets}, below the claimed {low}")));
            }
        }
        let over = y.over() * a.over();
        for i in 0..rows {
            let pays: IBig = y.iter().enumerate().map(|(j, y)| a.at(i, j) * y).sum();
            if &pays * high.denominator() > high.numerator() * &over {
                let (pays, high) = (readable(&ratio(&pays, &over)), readable(&high));
                return Err(Failure(format!("row {i}: y pays {pays}, above the claimed {high}")));
            }
        }
        let game = format!("matrix game, {rows} x {columns}");
        Ok(Proven { game, value: value.0.clone(), gap: gap.0.clone() })
    }
}
