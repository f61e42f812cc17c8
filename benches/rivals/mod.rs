//! Zero-sum games as the textbook linear programs, handed to general solvers.
//!
//! ```text
//! max v    v <= what the plan x earns against every sequence of the opponent
//! ```
//!
//! In a matrix game that is v <= (A'x)_j and sum x = 1; in an extensive game v is the opponent's value
//! at its empty sequence, with one further free variable for each of its information sets (Koller,
//! Megiddo and von Stengel 1996). The prices of these rows are the opponent's plan.

use clarabel::algebra::CscMatrix;
use clarabel::solver::SupportedConeT::{NonnegativeConeT, ZeroConeT};
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SolverStatus};
use microlp::{ComparisonOp, OptimizationDirection, Problem};
use nashguard::extensive::{Player, SequenceForm};
use nashguard::matrix::MatrixGame;
use std::time::Duration;

/// Terms (variable, coefficient).
type Row = Vec<(usize, f64)>;

/// Maximises the last variable.
pub struct Program {
    /// How many variables are the plan, which is not negative; the others are free.
    plan: usize,
    variables: usize,
    /// Rows that are at most 0, one for each sequence of the opponent.
    at_most: Vec<Row>,
    /// Rows that are equal to a number.
    equal: Vec<(Row, f64)>,
}

/// What a solver calls its answer, and the answer.
pub struct Found {
    pub status: String,
    /// The plan, and the opponent's where the solver gives prices.
    pub plan: Vec<f64>,
    pub prices: Vec<f64>,
}

impl Program {
    /// The row player's.
    pub fn matrix(game: &MatrixGame) -> Self {
        let (m, n) = game.payoffs().dim();
        let earned = |j| (0..m).map(move |i| (i, -game.payoffs()[(i, j)]));
        let at_most = (0..n).map(|j| earned(j).chain([(m, 1.0)]).collect()).collect();
        let sum = ((0..m).map(|i| (i, 1.0)).collect(), 1.0);
        Self { plan: m, variables: m + 1, at_most, equal: vec![sum] }
    }

    /// `player`'s.
    pub fn sequence_form(form: &SequenceForm, player: Player) -> Self {
        let (other, lines, sign) = match player {
            Player::Max => (Player::Min, form.transposed(), -1.0),
            Player::Min => (Player::Max, form.payoffs(), 1.0),
        };
        let (own, other) = (form.side(player), form.side(other));
        let plan = own.sequences();
        let value = plan + other.information_sets().len();
        let earned = |t| lines.pairs(t).map(|(s, v)| (s, sign * v)).collect();
        let mut at_most: Vec<Row> = (0..other.sequences()).map(earned).collect();
        at_most[0].push((value, 1.0));
        for (k, set) in other.information_sets().iter().enumerate() {
            set.sequences().for_each(|t| at_most[t].push((plan + k, 1.0)));
            at_most[set.parent].push((plan + k, -1.0));
        }
        let mut equal = vec![(vec![(0, 1.0)], 1.0)];
        for set in own.information_sets() {
            let moves = set.sequences().map(|s| (s, 1.0));
            equal.push((moves.chain([(set.parent, -1.0)]).collect(), 0.0));
        }
        Self { plan, variables: value + 1, at_most, equal }
    }

    /// By microlp, a simplex method in Rust; it gives no prices.
    pub fn microlp(&self, limit: Duration) -> Result<Found, String> {
        let mut problem = Problem::new(OptimizationDirection::Maximize);
        problem.set_time_limit(limit);
        let free = (f64::NEG_INFINITY, f64::INFINITY);
        let variable = |k| {
            let bounds = if k < self.plan { (0.0, f64::INFINITY) } else { free };
            problem.add_var(if k + 1 == self.variables { 1.0 } else { 0.0 }, bounds)
        };
        let z: Vec<_> = (0..self.variables).map(variable).collect();
        let terms = |row: &Row| row.iter().map(|(k, v)| (z[*k], *v)).collect::<Vec<_>>();
        for row in &self.at_most {
            problem.add_constraint(terms(row), ComparisonOp::Le, 0.0);
        }
        for (row, b) in &self.equal {
            problem.add_constraint(terms(row), ComparisonOp::Eq, *b);
        }
        let outcome = problem.solve().map_err(|e| e.to_string())?;
        let reason = format!("{:?}", outcome.termination_reason());
        if !outcome.is_optimal() {
            return Err(reason);
        }
        let solution = outcome.into_solution().map_err(|_| reason)?;
        let status = format!("{:?}", solution.status());
        let plan = z[..self.plan].iter().map(|k| solution.var_value(*k)).collect();
        Ok(Found { status, plan, prices: Vec::new() })
    }

    /// By Clarabel, an interior-point method in Rust, at its default tolerances.
    pub fn clarabel(&self, limit: Duration) -> Result<Found, String> {
        // A z + s = b with s = 0 for the first rows and s >= 0 for the others.
        let (mut row, mut column, mut value) = (Vec::new(), Vec::new(), Vec::new());
        let nonnegative: Vec<Row> = (0..self.plan).map(|k| vec![(k, -1.0)]).collect();
        let equal = self.equal.iter().map(|(row, _)| row);
        for (i, terms) in equal.chain(&self.at_most).chain(&nonnegative).enumerate() {
            for (k, v) in terms {
                row.push(i);
                column.push(*k);
                value.push(*v);
            }
        }
        let (first, rest) = (self.equal.len(), self.at_most.len() + self.plan);
        let mut b: Vec<f64> = self.equal.iter().map(|(_, b)| *b).collect();
        b.resize(first + rest, 0.0);
        let a = CscMatrix::new_from_triplets(b.len(), self.variables, row, column, value);
        let mut cost = vec![0.0; self.variables];
        cost[self.variables - 1] = -1.0;
        let settings = DefaultSettings {
            verbose: false,
            max_threads: 1,
            time_limit: limit.as_secs_f64(),
            ..DefaultSettings::default()
        };
        let quadratic = CscMatrix::zeros((self.variables, self.variables));
        let cones = [ZeroConeT(first), NonnegativeConeT(rest)];
        let mut solver = DefaultSolver::new(&quadratic, &cost, &a, &b, &cones, settings)
            .map_err(|e| e.to_string())?;
        solver.solve();
        let found = &solver.solution;
        let status = format!("{:?}", found.status);
        if !matches!(found.status, SolverStatus::Solved | SolverStatus::AlmostSolved) {
            return Err(status);
        }
        let plan = found.x[..self.plan].to_vec();
        let prices = found.z[first..first + self.at_most.len()].to_vec();
        Ok(Found { status, plan, prices })
    }
}
