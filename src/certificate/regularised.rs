//! Matrix games with a KL term for either player: x' A y - s KL(x || a) + t KL(y || b).

use super::kl::{Bounds, SoftMax, divergence, prove};
use super::number::{Exact, Fractions, Table, ratio};
use super::{Failure, Proven, Verdict};
use crate::interval::{Interval, Precision};
use crate::scalar::Rational;
use dashu_int::IBig;
use serde::{Deserialize, Serialize};

/// What one player is drawn to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// Its reference distribution.
    pub reference: Fractions,
    /// Payoff per nat of divergence from the reference, at least 0.
    pub temperature: Exact,
}

/// That x guarantees `value` in this game, and y at most `value` + `gap`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regularised {
    /// A, what the column player pays the row player.
    pub payoff: Table,
    /// The row player's reference a and temperature s.
    pub row: Prior,
    /// The column player's b and t.
    pub column: Prior,
    /// The row player's strategy.
    pub x: Fractions,
    /// The column player's strategy.
    pub y: Fractions,
    /// The least that x gets, rounded down.
    pub value: Exact,
    /// The most that y pays, less `value`, rounded up.
    pub gap: Exact,
}

impl Regularised {
    /// Checks that all distributions are, that no strategy leaves its reference's support at a
    /// positive temperature, and that
    /// `value` <= -s KL(x || a) - t log sum_j b_j exp(-(x' A)_j / t) and
    /// t KL(y || b) + s log sum_i a_i exp((A y)_i / s) <= `value` + `gap`, where at temperature 0 the
    /// log-sum is the largest entry. That such bounds are enough is proved in Coq:
    /// `kl_matrix_certificate`.
    ///
    /// # Errors
    /// The first of these that fails.
    pub fn check(&self) -> Verdict {
        let (rows, columns) = self.check_data()?;
        prove(|at| self.bounds(at), ["x", "y"], &self.value.0, &self.gap.0)?;
        let game = format!("KL-regularised matrix game, {rows} x {columns}");
        Ok(Proven { game, value: self.value.0.clone(), gap: self.gap.0.clone() })
    }

    pub(super) fn check_data(&self) -> Verdict<(usize, usize)> {
        let (rows, columns) = self.payoff.shape("payoff")?;
        let players = [
            ("x", &self.x, "row", &self.row, rows),
            ("y", &self.y, "column", &self.column, columns),
        ];
        for (name, strategy, player, prior, len) in players {
            strategy.distribution(name, len)?;
            prior.reference.distribution(&format!("{player}.reference"), len)?;
            if prior.temperature.0 < Rational::ZERO {
                return Err(Failure(format!("{player}.temperature is negative")));
            }
            let outside = strategy.iter().zip(prior.reference.iter());
            let outside = outside.enumerate().find(|(_, (p, r))| !p.is_zero() && r.is_zero());
            if let Some((k, _)) = outside.filter(|_| !prior.temperature.0.is_zero()) {
                return Err(Failure(format!("{name}[{k}] is positive where its reference is 0")));
            }
        }
        Ok((rows, columns))
    }

    pub(super) fn bounds(&self, at: &Precision) -> Option<Bounds> {
        let Self { payoff: a, x, y, row, column, .. } = self;
        let entry = |above: IBig, p: &Fractions| at.number(&ratio(&above, &(p.over() * a.over())));
        let earned = |j| x.iter().enumerate().map(|(i, x)| x * a.at(i, j)).sum::<IBig>();
        let against = |i| y.iter().enumerate().map(|(j, y)| a.at(i, j) * y).sum::<IBig>();
        let losses: Vec<Interval> = (0..y.numerators.len()).map(|j| -entry(earned(j), x)).collect();
        let gains: Vec<Interval> = (0..x.numerators.len()).map(|i| entry(against(i), y)).collect();
        Some(Bounds {
            low: -(column.best(at, &losses)? + row.price(at, x)?),
            high: row.best(at, &gains)? + column.price(at, y)?,
        })
    }
}

impl Prior {
    /// max over strategies p of sum p u - t KL(p || reference).
    fn best(&self, at: &Precision, utility: &[Interval]) -> Option<Interval> {
        let (r, t) = (&self.reference, &self.temperature.0);
        if t.is_zero() {
            return utility.iter().cloned().reduce(Interval::max);
        }
        let live = |k: usize| !r.numerators[k].0.is_zero();
        SoftMax::new(at, t, utility, live)?.of(at, r.iter(), r.over())
    }

    /// t KL(p || reference).
    fn price(&self, at: &Precision, p: &Fractions) -> Option<Interval> {
        let (r, t) = (&self.reference, &self.temperature.0);
        if t.is_zero() {
            return Some(at.number(t));
        }
        Some(divergence(at, p.iter(), p.over(), r.iter(), r.over())?.scaled(t))
    }
}
