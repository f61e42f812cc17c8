//! The revised simplex method in f64 for sparse programs max c'x, A x <= b, x >= 0 with b >= 0.
//!
//! Devex pricing (Harris 1973), two-pass ratio test, LU factors of the basis with product-form
//! updates. Games in sequence form have b nearly all zero, where pivots would stall: b is first
//! perturbed upwards; at the optimum the true b comes back, and dual pivots mend what it breaks.

use super::exact::Basis;
use super::lu::Lu;
use crate::sparse::Sparse;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Values and prices up to here count as feasible.
const FEASIBLE: f64 = 1e-9;
/// Pivots below this are rounding.
const PIVOT: f64 = 1e-7;
/// Product-form updates before the basis is factored afresh.
const UPDATES: usize = 100;
/// Times that both phases are run.
const ROUNDS: usize = 20;
/// Size of the perturbation, beside entries of about 1.
const PERTURBATION: f64 = 1e-6;

/// A step of the product form: the entering column in terms of the basis it enters.
struct Update {
    position: usize,
    pivot: f64,
    others: Vec<(u32, f64)>,
}

/// The state of a run. Variables 0..n are x, n..n + m the slacks.
pub struct Revised<'a> {
    columns: &'a Sparse<f64>,
    rows: Sparse<f64>,
    /// Of all variables; lowered for a while.
    costs: Vec<f64>,
    sides: Vec<f64>,
    /// The variable at each position of the basis.
    basic: Vec<usize>,
    is_basic: Vec<bool>,
    /// Value of the variable at each position.
    values: Vec<f64>,
    /// c - A'y of each variable, 0 for basic ones.
    prices: Vec<f64>,
    weights: Vec<f64>,
    factors: Lu<f64>,
    updates: Vec<Update>,
    /// The pivot row, all zero between uses, and where it is not.
    row: Vec<f64>,
    touched: Vec<u32>,
    /// Pivots made.
    pivots: usize,
}

/// An optimal basis as far as f64 can tell, or the last one where rounding won, and the pivots it
/// took.
///
/// `start` is a guess; the closer to optimal it is, the fewer pivots.
pub fn maximise(
    columns: &Sparse<f64>,
    sides: &[f64],
    costs: &[f64],
    start: &Basis,
) -> (Basis, usize) {
    let Some(mut run) = Revised::new(columns, sides, costs, start) else {
        return (start.clone(), 0);
    };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    // Both phases leave little behind for each other; more rounds than this mean rounding won.
    for _ in 0..ROUNDS {
        if run.both_phases(sides, costs, &mut rng) != Some(false) {
            break;
        }
    }
    (run.basis(), run.pivots)
}

impl<'a> Revised<'a> {
    fn new(columns: &'a Sparse<f64>, sides: &[f64], costs: &[f64], start: &Basis) -> Option<Self> {
        let (m, n) = (columns.width(), columns.lines());
        let mut tight = vec![false; m];
        start.rows.iter().for_each(|i| tight[*i] = true);
        let slacks = (0..m).filter(|i| !tight[*i]).map(|i| n + i);
        let mut basic: Vec<usize> = start.columns.iter().copied().chain(slacks).collect();
        let factors = match Lu::new(&matrix(columns, &basic)) {
            Ok(factors) => factors,
            Err(singular) => {
                // Slacks in place of columns that depend on the others.
                for (position, i) in singular.columns.iter().zip(&singular.rows) {
                    basic[*position] = n + i;
                }
                Lu::new(&matrix(columns, &basic)).ok()?
            }
        };
        let mut is_basic = vec![false; n + m];
        basic.iter().for_each(|v| is_basic[*v] = true);
        let mut run = Self {
            columns,
            rows: columns.transposed(),
            costs: costs.iter().copied().chain(vec![0.0; m]).collect(),
            sides: sides.to_vec(),
            is_basic,
            values: Vec::new(),
            prices: vec![0.0; n + m],
            weights: vec![1.0; n + m],
            factors,
            basic,
            updates: Vec::new(),
            row: vec![0.0; n + m],
            touched: Vec::new(),
            pivots: 0,
        };
        run.reckon();
        Some(run)
    }

    /// Dual pivots, then primal ones; whether both are satisfied at the end. `None` when rounding stops
    /// them.
    fn both_phases(&mut self, sides: &[f64], costs: &[f64], rng: &mut ChaCha8Rng) -> Option<bool> {
        self.lower_costs(rng);
        self.dual()?;
        self.costs[..costs.len()].copy_from_slice(costs);
        self.costs[costs.len()..].fill(0.0);
        self.raise_sides(rng);
        self.refresh()?;
        self.primal()?;
        self.sides.copy_from_slice(sides);
        self.refresh()?;
        Some(self.values.iter().all(|x| *x >= -FEASIBLE))
    }

    /// Lowers costs until every price is feasible, by a little more than needed and not evenly, so
    /// that dual pivots do not stall.
    fn lower_costs(&mut self, rng: &mut ChaCha8Rng) {
        for v in (0..self.prices.len()).filter(|v| !self.is_basic[*v]) {
            let by = self.prices[v].max(0.0) + PERTURBATION * rng.random_range(0.5..1.0);
            self.costs[v] -= by;
            self.prices[v] -= by;
        }
    }

    /// Raises sides so that primal pivots do not stall: the values of basic variables by a little, not
    /// evenly.
    fn raise_sides(&mut self, rng: &mut ChaCha8Rng) {
        let n = self.columns.lines();
        for &v in &self.basic {
            let by = PERTURBATION * rng.random_range(0.5..1.0);
            match v.checked_sub(n) {
                None => self.columns.pairs(v).for_each(|(i, a)| self.sides[i] += by * a),
                Some(i) => self.sides[i] += by,
            }
        }
    }

    /// Factors the basis afresh, and values and prices from it.
    fn refresh(&mut self) -> Option<()> {
        self.factors = Lu::new(&matrix(self.columns, &self.basic)).ok()?;
        self.updates.clear();
        self.reckon();
        Some(())
    }

    /// Values and prices of the basis just factored.
    fn reckon(&mut self) {
        self.values = self.factors.solve(&mut self.sides.clone());
        let costs: Vec<f64> = self.basic.iter().map(|v| self.costs[*v]).collect();
        let y = self.factors.solve_transposed(&costs);
        let n = self.columns.lines();
        for v in 0..self.prices.len() {
            self.prices[v] = if self.is_basic[v] {
                0.0
            } else if v < n {
                self.costs[v] - self.columns.pairs(v).map(|(i, a)| a * y[i]).sum::<f64>()
            } else {
                self.costs[v] - y[v - n]
            };
        }
    }

    /// B^-1 times the column of variable v, by position.
    fn entering_column(&self, v: usize) -> Vec<f64> {
        let mut column = vec![0.0; self.basic.len()];
        match v.checked_sub(self.columns.lines()) {
            None => self.columns.pairs(v).for_each(|(i, a)| column[i] = *a),
            Some(i) => column[i] = 1.0,
        }
        let mut x = self.factors.solve(&mut column);
        for update in &self.updates {
            let f = x[update.position];
            if f != 0.0 {
                let f = f / update.pivot;
                x[update.position] = f;
                update.others.iter().for_each(|(i, a)| x[*i as usize] -= a * f);
            }
        }
        x
    }

    /// Row `position` of B^-1 N, into `row` and `touched`.
    fn fill_row(&mut self, position: usize) {
        let mut unit = vec![0.0; self.basic.len()];
        unit[position] = 1.0;
        for update in self.updates.iter().rev() {
            let others: f64 = update.others.iter().map(|(i, a)| a * unit[*i as usize]).sum();
            let p = &mut unit[update.position];
            *p = (*p - others) / update.pivot;
        }
        let rho = self.factors.solve_transposed(&unit);
        let n = self.columns.lines();
        for (i, r) in rho.into_iter().enumerate().filter(|(_, r)| r.abs() > 1e-14) {
            for (j, a) in self.rows.pairs(i).chain([(n + i, &1.0)]) {
                if !self.is_basic[j] {
                    if self.row[j] == 0.0 {
                        self.touched.push(j as u32);
                    }
                    self.row[j] += r * a;
                }
            }
        }
    }

    /// Primal pivots until no price is left; `None` when rounding stops them.
    fn primal(&mut self) -> Option<()> {
        for _ in 0..self.limit() {
            let merit = |v: &usize| {
                let d = self.prices[*v];
                if d > FEASIBLE { d * d / self.weights[*v] } else { 0.0 }
            };
            let best = (0..self.prices.len()).map(|v| (merit(&v), v));
            let best = best.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(worth, _)| *worth > 0.0);
            let Some((_, entering)) = best else {
                if self.updates.is_empty() {
                    return Some(());
                }
                // Once more with fresh numbers.
                self.refresh()?;
                continue;
            };
            let column = self.entering_column(entering);
            // How far the entering variable may rise if none falls below -FEASIBLE, then the largest
            // pivot on the way there (Harris).
            let falling = || column.iter().enumerate().filter(|(_, a)| **a > PIVOT);
            let room = falling()
                .map(|(p, a)| (self.values[p].max(0.0) + FEASIBLE) / a)
                .fold(f64::INFINITY, f64::min);
            let within = falling().filter(|(p, a)| self.values[*p].max(0.0) / **a <= room);
            let (position, _) = within.max_by(|a, b| a.1.total_cmp(b.1))?;
            self.fill_row(position);
            self.exchange(position, entering, column)?;
        }
        None
    }

    /// Dual pivots until no value is negative.
    fn dual(&mut self) -> Option<()> {
        for _ in 0..self.limit() {
            let least = self.values.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            let Some((position, _)) = least.filter(|(_, x)| **x < -FEASIBLE) else {
                if self.updates.is_empty() {
                    return Some(());
                }
                self.refresh()?;
                continue;
            };
            self.fill_row(position);
            let falling =
                || self.touched.iter().map(|v| *v as usize).filter(|v| self.row[*v] < -PIVOT);
            let cost = |v: usize| (-self.prices[v]).max(0.0);
            let room = falling()
                .map(|v| (cost(v) + FEASIBLE) / -self.row[v])
                .fold(f64::INFINITY, f64::min);
            let within = falling().filter(|v| cost(*v) / -self.row[*v] <= room);
            let entering = within.min_by(|a, b| self.row[*a].total_cmp(&self.row[*b]));
            let Some(entering) = entering else {
                self.clear_row();
                return None;
            };
            let column = self.entering_column(entering);
            self.exchange(position, entering, column)?;
        }
        None
    }

    fn limit(&self) -> usize {
        20 * self.prices.len() + 1000
    }

    fn clear_row(&mut self) {
        self.touched.iter().for_each(|v| self.row[*v as usize] = 0.0);
        self.touched.clear();
    }

    /// Lets `entering` take `position`, whose row has been filled in.
    fn exchange(&mut self, position: usize, entering: usize, column: Vec<f64>) -> Option<()> {
        let pivot = column[position];
        let leaving = self.basic[position];
        let step = self.values[position] / pivot;
        self.values.iter_mut().zip(&column).for_each(|(x, a)| *x -= step * a);
        self.values[position] = step;
        let price = self.prices[entering] / pivot;
        let reference = self.weights[entering];
        for &v in &self.touched {
            let v = v as usize;
            let a = self.row[v];
            self.prices[v] -= price * a;
            self.weights[v] = self.weights[v].max(a * a / (pivot * pivot) * reference);
        }
        self.clear_row();
        self.prices[entering] = 0.0;
        self.prices[leaving] = -price;
        self.weights[leaving] = (reference / (pivot * pivot)).max(1.0);
        self.is_basic[leaving] = false;
        self.is_basic[entering] = true;
        self.basic[position] = entering;
        self.pivots += 1;
        let others = column.iter().enumerate().filter(|(p, a)| *p != position && a.abs() > 1e-14);
        let others = others.map(|(p, a)| (p as u32, *a)).collect();
        self.updates.push(Update { position, pivot, others });
        if self.updates.len() >= UPDATES { self.refresh() } else { Some(()) }
    }

    fn basis(&self) -> Basis {
        let n = self.columns.lines();
        Basis {
            rows: (0..self.basic.len()).filter(|i| !self.is_basic[n + i]).collect(),
            columns: (0..n).filter(|j| self.is_basic[*j]).collect(),
        }
    }
}

/// The columns of a basis.
fn matrix(columns: &Sparse<f64>, basic: &[usize]) -> Sparse<f64> {
    let mut basis = Sparse::new(columns.width());
    for &v in basic {
        match v.checked_sub(columns.lines()) {
            None => columns.pairs(v).for_each(|(i, a)| basis.push(i, *a)),
            Some(i) => basis.push(i, 1.0),
        }
        basis.end_line();
    }
    basis
}
