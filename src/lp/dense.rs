//! The simplex method in f64 on a full tableau: max 1'u subject to A u <= 1, u >= 0 for A > 0.

use super::exact::Basis;
use crate::scalar::Scalar;
use ndarray::ArrayView2;

/// A price or pivot below this is rounding, for payoffs within [1, 2].
const EPSILON: f64 = 1e-11;

/// The tableau, and which variable each of its rows and columns stands for.
pub struct Tableau {
    rows: usize,
    columns: usize,
    /// `(rows + 1, columns + 1)`: rows are basic variables, columns the others; last column the
    /// values, last row the prices, negated reduced costs.
    entries: Vec<f64>,
    /// Variables 0..columns are u, columns.. the slacks.
    basic: Vec<usize>,
    free: Vec<usize>,
    /// Devex reference weights of the free variables.
    weight: Vec<f64>,
    /// Pivots made.
    pub pivots: usize,
}

impl Tableau {
    /// The tableau at u = 0.
    pub fn new(a: ArrayView2<f64>) -> Self {
        let (m, n) = a.dim();
        let mut entries = Vec::with_capacity((m + 1) * (n + 1));
        for row in a.outer_iter() {
            entries.extend(row);
            entries.push(1.0);
        }
        entries.resize((m + 1) * (n + 1) - 1, -1.0);
        entries.push(0.0);
        Self {
            rows: m,
            columns: n,
            entries,
            basic: (n..n + m).collect(),
            free: (0..n).collect(),
            weight: vec![1.0; n],
            pivots: 0,
        }
    }

    /// Pivots to the optimum, as far as f64 can tell: by largest price, and by Bland's rule once the
    /// objective stalls.
    pub fn maximise(&mut self) {
        let (m, n) = (self.rows, self.columns);
        let limit = self.pivots + 50 * (m + n) + 1000;
        let mut stalled = 0;
        while self.pivots < limit {
            let prices = &self.entries[m * (n + 1)..][..n];
            let candidates = prices.iter().enumerate().filter(|(_, v)| **v < -EPSILON);
            let entering = if stalled > m + n {
                candidates.min_by_key(|(j, _)| self.free[*j])
            } else {
                let merit = |(j, v): &(usize, &f64)| *v * *v / self.weight[*j];
                candidates.max_by(|a, b| merit(a).total_cmp(&merit(b)))
            };
            let Some((c, _)) = entering else { return };
            let at = |i: usize| (self.entries[i * (n + 1) + c], self.entries[i * (n + 1) + n]);
            let ratios = (0..m).filter_map(|i| {
                let (pivot, value) = at(i);
                (pivot > EPSILON).then(|| (i, value / pivot, pivot))
            });
            // Of equal ratios the larger pivot; under Bland's rule the first variable.
            let leaving = ratios.min_by(|a, b| {
                let tie = if stalled > m + n {
                    self.basic[a.0].cmp(&self.basic[b.0])
                } else {
                    b.2.total_cmp(&a.2)
                };
                a.1.total_cmp(&b.1).then(tie)
            });
            // A > 0 bounds u, so a missing row is rounding: what follows checks the basis.
            let Some((r, ratio, _)) = leaving else { return };
            stalled = if ratio <= EPSILON { stalled + 1 } else { 0 };
            self.pivot(r, c);
        }
    }

    /// Exchanges the basic variable of row r with the other of column c.
    fn pivot(&mut self, r: usize, c: usize) {
        let width = self.columns + 1;
        let inverse = 1.0 / self.entries[r * width + c];
        let mut row: Vec<f64> =
            self.entries[r * width..][..width].iter().map(|v| v * inverse).collect();
        row[c] = inverse;
        let reference = self.weight[c];
        for (w, a) in self.weight.iter_mut().zip(&row) {
            *w = w.max(a * a * reference);
        }
        self.weight[c] = (reference * inverse * inverse).max(1.0);
        for (i, target) in self.entries.chunks_exact_mut(width).enumerate() {
            let f = target[c];
            if i != r && f != 0.0 {
                target[c] = 0.0;
                f64::add_scaled(target, &-f, &row);
            }
        }
        self.entries[r * width..][..width].copy_from_slice(&row);
        std::mem::swap(&mut self.basic[r], &mut self.free[c]);
        self.pivots += 1;
    }

    /// The present basis.
    pub fn basis(&self) -> Basis {
        let n = self.columns;
        Basis {
            rows: self.free.iter().filter(|v| **v >= n).map(|v| v - n).collect(),
            columns: self.basic.iter().filter(|v| **v < n).copied().collect(),
        }
    }
}
