//! Solutions: JSON, every f64 to its last digit, every rational as "p/q".

use crate::certificate::Exact;
use crate::scalar::Rational;
use crate::{guard, matrix};
use serde::{Deserialize, Serialize};

/// A solution as written to a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SolutionFile {
    /// Of a guard game.
    Guard {
        /// G(p), in nats: the value is at least this, and at most `gap` more.
        value: f64,
        /// The exact gap, in nats.
        gap: f64,
        /// Iterations of the solver.
        iterations: usize,
        /// p_i(z), one row a seed, one column a text.
        generator: Vec<Vec<f64>>,
        /// q(y|z), one row a text, one column a label.
        classifier: Vec<Vec<f64>>,
    },
    /// Of a matrix game.
    Matrix {
        /// x' A y, in payoff units.
        value: f64,
        /// The gap, in payoff units.
        gap: f64,
        /// The row player's strategy.
        row: Vec<f64>,
        /// The column player's strategy.
        column: Vec<f64>,
    },
}

/// An exact solution as written to a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ExactSolutionFile {
    /// Of a matrix game.
    Matrix {
        /// x' A y, in payoff units.
        value: Exact,
        /// The gap: 0.
        gap: Exact,
        /// The row player's strategy.
        row: Vec<Exact>,
        /// The column player's strategy.
        column: Vec<Exact>,
    },
}

impl From<&guard::Solution> for SolutionFile {
    fn from(s: &guard::Solution) -> Self {
        Self::Guard {
            value: s.value,
            gap: s.gap,
            iterations: s.iterations,
            generator: s.p.probabilities().outer_iter().map(|r| r.to_vec()).collect(),
            classifier: s.q.probabilities().outer_iter().map(|r| r.to_vec()).collect(),
        }
    }
}

impl From<&matrix::Solution> for SolutionFile {
    fn from(s: &matrix::Solution) -> Self {
        Self::Matrix {
            value: s.value,
            gap: s.gap,
            row: s.row.as_slice().to_vec(),
            column: s.column.as_slice().to_vec(),
        }
    }
}

impl From<&matrix::Solution<Rational>> for ExactSolutionFile {
    fn from(s: &matrix::Solution<Rational>) -> Self {
        let exact = |p: &[Rational]| p.iter().cloned().map(Exact).collect();
        Self::Matrix {
            value: Exact(s.value.clone()),
            gap: Exact(s.gap.clone()),
            row: exact(s.row.as_slice()),
            column: exact(s.column.as_slice()),
        }
    }
}
