//! Solutions: JSON, every f64 to its last digit, every rational as "p/q".

use crate::certificate::Exact;
use crate::extensive::{self, InformationSet, Plan, Player, Tree, Treeplex};
use crate::scalar::{Rational, Scalar};
use crate::simplex::Simplex;
use crate::{Result, guard, matrix};
use serde::{Deserialize, Serialize};

/// A solution as written to a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
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
    /// Of a matrix game with KL terms.
    KlMatrix {
        /// The payoff of the two strategies, KL terms included.
        value: f64,
        /// The gap, in payoff units.
        gap: f64,
        /// The row player's strategy.
        row: Vec<f64>,
        /// The column player's strategy.
        column: Vec<f64>,
    },
    /// Of an extensive game.
    Extensive {
        /// The value to the first player, in payoff units.
        value: f64,
        /// The gap, in payoff units.
        gap: f64,
        /// The first player's behaviour, one entry an information set.
        row: Vec<Turn<f64>>,
        /// The second player's.
        column: Vec<Turn<f64>>,
    },
}

/// An exact solution as written to a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
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
    /// Of an extensive game.
    Extensive {
        /// The value to the first player, in payoff units.
        value: Exact,
        /// The gap, in payoff units.
        gap: Exact,
        /// The first player's behaviour, one entry an information set.
        row: Vec<Turn<Exact>>,
        /// The second player's.
        column: Vec<Turn<Exact>>,
    },
}

/// What a player does at one information set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn<N> {
    /// The set's name.
    pub set: String,
    /// Its actions.
    pub actions: Vec<String>,
    /// Their probabilities.
    pub probabilities: Vec<N>,
}

/// A plan as behaviour at the information sets.
fn turns<T: Scalar, N>(
    side: &Treeplex,
    plan: &Plan<T>,
    number: impl Fn(&T) -> N,
) -> Result<Vec<Turn<N>>> {
    let behaviour = plan.behaviour(side)?;
    let turn = |(set, p): (&InformationSet, Simplex<T>)| Turn {
        set: set.name.clone(),
        actions: set.actions.clone(),
        probabilities: p.as_slice().iter().map(&number).collect(),
    };
    Ok(side.information_sets().iter().zip(behaviour).map(turn).collect())
}

impl SolutionFile {
    /// Of an extensive game.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) when the solution is not one of `tree`.
    pub fn extensive(tree: &Tree, s: &extensive::Solution) -> Result<Self> {
        let side = |player, plan| turns(tree.side(player), plan, |v| *v);
        let (row, column) = (side(Player::Max, &s.max)?, side(Player::Min, &s.min)?);
        Ok(Self::Extensive { value: s.value, gap: s.gap, row, column })
    }

    /// Of a matrix game with KL terms.
    pub fn kl_matrix(s: &matrix::Solution) -> Self {
        let (row, column) = (s.row.as_slice().to_vec(), s.column.as_slice().to_vec());
        Self::KlMatrix { value: s.value, gap: s.gap, row, column }
    }
}

impl ExactSolutionFile {
    /// Of an extensive game.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) when the solution is not one of `tree`.
    pub fn extensive(tree: &Tree, s: &extensive::Solution<Rational>) -> Result<Self> {
        let exact = |v: &Rational| Exact(v.clone());
        let side = |player, plan| turns(tree.side(player), plan, exact);
        let (row, column) = (side(Player::Max, &s.max)?, side(Player::Min, &s.min)?);
        Ok(Self::Extensive { value: exact(&s.value), gap: exact(&s.gap), row, column })
    }
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
