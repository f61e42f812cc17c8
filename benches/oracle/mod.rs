//! The equilibrium by an independent route: G(p) = min_q J(p, q) maximised as an exponential-cone
//! program by Clarabel. Shared by `tests/oracle.rs` and `benches/solver.rs`.
//!
//! Variables: p_i(z), t_i(z) and h_y(z), on their supports. The exponential cone is
//! {(x, y, z): y exp(x/y) <= z}, so that
//! - (-t, p, r) in the cone says t >= p log(p/r);
//! - (h, W_y, W) in the cone says h <= W_y log(W/W_y), with W_y(z) = P(y, z) + lambda R(y, z) and
//!   W its sum over labels;
//!
//! and G(p) = max sum h - beta sum rho t (Proposition 1, full class).

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, SolverStatus,
    SupportedConeT::{ExponentialConeT, NonnegativeConeT, ZeroConeT},
};
use nashguard::guard::GuardGame;
use ndarray::Array2;

/// What the cone program found.
#[allow(dead_code)] // The test and the benchmark read different parts.
pub struct Oracle {
    /// Its objective, G(p) as it computes it.
    pub value: f64,
    /// p as it leaves the program: rows nearly sum to 1, entries may be slightly negative.
    pub p: Array2<f64>,
    pub iterations: u32,
}

/// Rows of A x + s = b, gathered by entry.
#[derive(Default)]
struct Rows {
    row: Vec<usize>,
    column: Vec<usize>,
    value: Vec<f64>,
    b: Vec<f64>,
}

impl Rows {
    /// s = constant + sum coefficient * x.
    fn push(&mut self, constant: f64, terms: impl IntoIterator<Item = (usize, f64)>) {
        for (column, coefficient) in terms {
            self.row.push(self.b.len());
            self.column.push(column);
            self.value.push(-coefficient);
        }
        self.b.push(constant);
    }
}

/// Solves an unclipped game at Clarabel's own default tolerances.
///
/// # Errors
/// Clarabel's status when it does not call the program solved.
pub fn cone_program(game: &GuardGame) -> Result<Oracle, String> {
    assert_eq!(game.floor(), 0.0, "the program has no floor");
    let (labels, texts) = (game.labels(), game.texts());
    let support: Vec<(usize, usize)> =
        game.reference().indexed_iter().filter(|(_, r)| **r > 0.0).map(|(at, _)| at).collect();
    let n = support.len();
    // W_y(z) as a constant and terms in p.
    let mut mass = vec![(0.0, Vec::new()); labels * texts];
    for (k, &(i, z)) in support.iter().enumerate() {
        mass[game.label()[i] * texts + z].1.push((k, game.weight()[i]));
    }
    if let Some(anchor) = game.anchor() {
        for ((y, z), real) in anchor.real.indexed_iter() {
            mass[y * texts + z].0 += anchor.weight * real;
        }
    }
    let present: Vec<(usize, usize)> = (0..labels)
        .flat_map(|y| (0..texts).map(move |z| (y, z)))
        .filter(|&(y, z)| mass[y * texts + z].0 > 0.0 || !mass[y * texts + z].1.is_empty())
        .collect();

    let mut cost = vec![0.0; 2 * n + present.len()];
    for (k, &(i, _)) in support.iter().enumerate() {
        cost[n + k] = game.beta() * game.weight()[i];
    }
    cost[2 * n..].fill(-1.0);

    let mut rows = Rows::default();
    for i in 0..game.seeds() {
        let own = support.iter().enumerate().filter(|(_, at)| at.0 == i);
        rows.push(-1.0, own.map(|(k, _)| (k, 1.0)));
    }
    let mut cones = vec![ZeroConeT(game.seeds())];
    for k in 0..n {
        rows.push(0.0, [(k, 1.0)]);
    }
    cones.push(NonnegativeConeT(n));
    for (k, &at) in support.iter().enumerate() {
        rows.push(0.0, [(n + k, -1.0)]);
        rows.push(0.0, [(k, 1.0)]);
        rows.push(game.reference()[at], []);
        cones.push(ExponentialConeT());
    }
    for (h, &(y, z)) in present.iter().enumerate() {
        rows.push(0.0, [(2 * n + h, 1.0)]);
        let (constant, terms) = &mass[y * texts + z];
        rows.push(*constant, terms.iter().copied());
        let all = (0..labels).map(|y| &mass[y * texts + z]);
        rows.push(
            all.clone().map(|m| m.0).sum(),
            all.flat_map(|m| m.1.iter().copied()).collect::<Vec<_>>(),
        );
        cones.push(ExponentialConeT());
    }

    let a =
        CscMatrix::new_from_triplets(rows.b.len(), cost.len(), rows.row, rows.column, rows.value);
    let quadratic = CscMatrix::zeros((cost.len(), cost.len()));
    let settings = DefaultSettings { verbose: false, ..DefaultSettings::default() };
    let mut solver = DefaultSolver::new(&quadratic, &cost, &a, &rows.b, &cones, settings)
        .map_err(|e| e.to_string())?;
    solver.solve();
    let found = &solver.solution;
    if !matches!(found.status, SolverStatus::Solved | SolverStatus::AlmostSolved) {
        return Err(format!("{:?}", found.status));
    }
    let mut p = Array2::zeros(game.reference().dim());
    for (k, &at) in support.iter().enumerate() {
        p[at] = found.x[k];
    }
    Ok(Oracle { value: -found.obj_val, p, iterations: found.iterations })
}
