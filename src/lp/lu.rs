//! LU factors of a sparse square matrix, over any [`Field`].
//!
//! Right-looking elimination. Pivots are singletons while there are any, then the entry of least
//! Markowitz count (r - 1)(c - 1) among the sparsest row and column (Markowitz 1957), over f64 only
//! among entries of at least a tenth of their row's largest; once what is left is nearly full it is
//! eliminated as a dense matrix.

use super::field::Field;
use crate::sparse::Sparse;

/// K = L U up to the order of rows and columns.
#[derive(Clone, Debug)]
pub struct Lu<F> {
    /// Row and column of each pivot, in order.
    pivots: Vec<(u32, u32)>,
    /// 1 / pivot.
    inverse: Vec<F>,
    /// What each pivot's row is subtracted from: column t holds (row, multiple).
    lower: Sparse<F>,
    /// What stands above each pivot in its column: column t holds (row of an earlier pivot, entry).
    upper: Sparse<F>,
}

/// The rows and columns for which no pivot was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Singular {
    /// Rows that depend on the others.
    pub rows: Vec<usize>,
    /// Columns that depend on the others.
    pub columns: Vec<usize>,
}

/// Pivots of at least this share of their row's largest entry are safe.
const SAFE: f64 = 0.1;
/// Entries below this are rounding.
const NOTHING: f64 = 1e-11;
/// From this share of non-zeros on, what is left is handled as dense.
const DENSE: f64 = 0.3;

/// The matrix during elimination.
struct Active<F> {
    /// Entries (column, value) of each row not yet eliminated.
    rows: Vec<Vec<(u32, F)>>,
    /// Rows in which each column may have an entry.
    columns: Vec<Vec<u32>>,
    /// How many it has.
    count: Vec<u32>,
    row_done: Vec<bool>,
    column_done: Vec<bool>,
    single_rows: Vec<u32>,
    single_columns: Vec<u32>,
    left: usize,
    entries: usize,
}

/// Factors as they are found.
struct Factors<F> {
    pivots: Vec<(u32, u32)>,
    inverse: Vec<F>,
    lower: Sparse<F>,
    /// By column of the matrix.
    above: Vec<Vec<(u32, F)>>,
}

impl<F: Field> Lu<F> {
    /// Factors a square matrix.
    ///
    /// # Errors
    /// [`Singular`], with the rows and columns to leave out for the rest to have an inverse.
    pub fn new(k: &Sparse<F>) -> Result<Self, Singular> {
        let n = k.lines();
        let mut active = Active::new(k);
        let mut factors = Factors {
            pivots: Vec::with_capacity(n),
            inverse: Vec::with_capacity(n),
            lower: Sparse::new(n),
            above: vec![Vec::new(); n],
        };
        let mut work = vec![F::ZERO; n];
        while active.left > 0 {
            let full = (active.left * active.left) as f64;
            let crowded = active.entries as f64 >= DENSE * full && active.left > 8;
            let singles = !active.single_rows.is_empty() || !active.single_columns.is_empty();
            if crowded && !singles {
                active.eliminate_dense(&mut factors);
                break;
            }
            let Some((r, at)) = active.choose() else { break };
            active.eliminate(r, at, &mut factors, &mut work);
        }
        if factors.pivots.len() < n {
            let rest = |done: &[bool]| (0..n).filter(|i| !done[*i]).collect();
            let mut row_done = vec![false; n];
            let mut column_done = vec![false; n];
            for &(r, c) in &factors.pivots {
                row_done[r as usize] = true;
                column_done[c as usize] = true;
            }
            return Err(Singular { rows: rest(&row_done), columns: rest(&column_done) });
        }
        let mut upper = Sparse::new(n);
        for &(_, c) in &factors.pivots {
            factors.above[c as usize].iter().for_each(|(r, v)| upper.push(*r as usize, *v));
            upper.end_line();
        }
        let Factors { pivots, inverse, lower, .. } = factors;
        Ok(Self { pivots, inverse, lower, upper })
    }

    /// Solves K x = b; `b` is by row and is used up, the answer is by column.
    pub fn solve(&self, b: &mut [F]) -> Vec<F> {
        for (t, &(r, _)) in self.pivots.iter().enumerate() {
            let f = b[r as usize];
            if f != F::ZERO {
                for (i, l) in self.lower.pairs(t) {
                    b[i] = b[i].minus(f, *l);
                }
            }
        }
        let mut x = vec![F::ZERO; b.len()];
        for (t, &(r, c)) in self.pivots.iter().enumerate().rev() {
            let f = b[r as usize];
            if f != F::ZERO {
                let f = f.times(self.inverse[t]);
                x[c as usize] = f;
                for (i, u) in self.upper.pairs(t) {
                    b[i] = b[i].minus(f, *u);
                }
            }
        }
        x
    }

    /// Solves K' y = c; `c` is by column, the answer by row.
    pub fn solve_transposed(&self, c: &[F]) -> Vec<F> {
        let mut y = vec![F::ZERO; c.len()];
        for (t, &(r, column)) in self.pivots.iter().enumerate() {
            let (rows, values) = self.upper.line(t);
            y[r as usize] = c[column as usize].minus_dot(rows, values, &y).times(self.inverse[t]);
        }
        for (t, &(r, _)) in self.pivots.iter().enumerate().rev() {
            let (rows, values) = self.lower.line(t);
            y[r as usize] = y[r as usize].minus_dot(rows, values, &y);
        }
        y
    }
}

impl<F: Field> Active<F> {
    fn new(k: &Sparse<F>) -> Self {
        let n = k.lines();
        let mut rows = vec![Vec::new(); n];
        let mut columns = vec![Vec::new(); n];
        for (j, column) in columns.iter_mut().enumerate() {
            for (i, v) in k.pairs(j).filter(|(_, v)| **v != F::ZERO) {
                rows[i].push((j as u32, *v));
                column.push(i as u32);
            }
        }
        let count: Vec<u32> = columns.iter().map(|c| c.len() as u32).collect();
        let single = |lengths: Vec<usize>| {
            (0..n as u32).filter(|i| lengths[*i as usize] == 1).collect::<Vec<_>>()
        };
        Self {
            single_rows: single(rows.iter().map(Vec::len).collect()),
            single_columns: single(columns.iter().map(Vec::len).collect()),
            entries: rows.iter().map(Vec::len).sum(),
            rows,
            columns,
            count,
            row_done: vec![false; n],
            column_done: vec![false; n],
            left: n,
        }
    }

    /// The next pivot: its row, and its place within the row.
    fn choose(&mut self) -> Option<(usize, usize)> {
        while let Some(c) = self.single_columns.pop() {
            let c = c as usize;
            if !self.column_done[c] && self.count[c] == 1 {
                let found = self.columns[c].iter().map(|r| *r as usize).find_map(|r| {
                    if self.row_done[r] { None } else { self.place(r, c).map(|at| (r, at)) }
                });
                // Too small beside its row's other entries it would spoil them all.
                if let Some((r, at)) = found.filter(|(r, at)| self.safe(*r, *at)) {
                    return Some((r, at));
                }
            }
        }
        while let Some(r) = self.single_rows.pop() {
            let r = r as usize;
            if !self.row_done[r] && self.rows[r].len() == 1 && self.rows[r][0].1.size() > NOTHING {
                return Some((r, 0));
            }
        }
        // The sparsest row and the sparsest column.
        let n = self.rows.len();
        let open = |i: &usize| !self.row_done[*i] && !self.rows[*i].is_empty();
        let r = (0..n).filter(open).min_by_key(|i| self.rows[*i].len())?;
        let open = |j: &usize| !self.column_done[*j] && self.count[*j] > 0;
        let c = (0..n).filter(open).min_by_key(|j| self.count[*j])?;
        let mut best: Option<(u64, usize, usize)> = None;
        let mut offer = |r: usize, at: usize| {
            let (c, v) = self.rows[r][at];
            if v.size() > NOTHING && self.safe(r, at) {
                let cost = (self.rows[r].len() as u64 - 1) * u64::from(self.count[c as usize] - 1);
                if best.is_none_or(|b| cost < b.0) {
                    best = Some((cost, r, at));
                }
            }
        };
        (0..self.rows[r].len()).for_each(|at| offer(r, at));
        for &i in &self.columns[c] {
            let i = i as usize;
            if !self.row_done[i]
                && let Some(at) = self.place(i, c)
            {
                offer(i, at);
            }
        }
        if let Some((_, r, at)) = best {
            return Some((r, at));
        }
        // All of these are rounding: drop the row, look at the others.
        let rows = (0..n).filter(|i| !self.row_done[*i]);
        let largest = |i: usize| {
            let sizes = self.rows[i].iter().map(|(_, v)| v.size()).enumerate();
            sizes.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, size)| (size, i, at))
        };
        let best = rows.filter_map(largest).max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 > NOTHING).then_some((best.1, best.2))
    }

    fn place(&self, r: usize, c: usize) -> Option<usize> {
        self.rows[r].iter().position(|(j, _)| *j as usize == c)
    }

    fn safe(&self, r: usize, at: usize) -> bool {
        let size = self.rows[r][at].1.size();
        size > NOTHING && self.rows[r].iter().all(|(_, v)| size >= SAFE * v.size())
    }

    /// Makes entry `at` of row `r` the next pivot. `work` is all zero before and after.
    fn eliminate(&mut self, r: usize, at: usize, factors: &mut Factors<F>, work: &mut [F]) {
        let mut pivot_row = std::mem::take(&mut self.rows[r]);
        let (c, pivot) = pivot_row.swap_remove(at);
        let c = c as usize;
        let inverse = pivot.inverse();
        self.row_done[r] = true;
        self.column_done[c] = true;
        self.left -= 1;
        self.entries -= pivot_row.len() + 1;
        for (j, v) in &pivot_row {
            let j = *j as usize;
            factors.above[j].push((r as u32, *v));
            self.count[j] -= 1;
            work[j] = *v;
        }
        for i in std::mem::take(&mut self.columns[c]) {
            let i = i as usize;
            if self.row_done[i] {
                continue;
            }
            let Some(place) = self.place(i, c) else { continue };
            let (_, entry) = self.rows[i].swap_remove(place);
            self.entries -= 1;
            let f = entry.times(inverse);
            factors.lower.push(i, f);
            if !pivot_row.is_empty() {
                self.subtract(i, f, &pivot_row, work);
            }
            if self.rows[i].len() == 1 {
                self.single_rows.push(i as u32);
            }
        }
        for (j, _) in &pivot_row {
            work[*j as usize] = F::ZERO;
            if self.count[*j as usize] == 1 {
                self.single_columns.push(*j);
            }
        }
        factors.lower.end_line();
        factors.pivots.push((r as u32, c as u32));
        factors.inverse.push(inverse);
    }

    /// Row i minus f times the pivot row, which also stands in `work`.
    fn subtract(&mut self, i: usize, f: F, pivot_row: &[(u32, F)], work: &mut [F]) {
        let mut row = std::mem::take(&mut self.rows[i]);
        let before = row.len();
        row.retain_mut(|(j, v)| {
            let j = *j as usize;
            if work[j] != F::ZERO {
                *v = v.minus(f, work[j]);
                // Met: what remains non-zero in `work` is fill.
                work[j] = F::ZERO;
                if *v == F::ZERO {
                    self.count[j] -= 1;
                    return false;
                }
            }
            true
        });
        for (j, v) in pivot_row {
            if work[*j as usize] == F::ZERO {
                work[*j as usize] = *v;
            } else {
                row.push((*j, F::ZERO.minus(f, *v)));
                self.columns[*j as usize].push(i as u32);
                self.count[*j as usize] += 1;
            }
        }
        self.entries = self.entries + row.len() - before;
        self.rows[i] = row;
    }

    /// Eliminates all that is left, by partial pivoting on a dense copy.
    fn eliminate_dense(&mut self, factors: &mut Factors<F>) {
        let n = self.rows.len();
        let rows: Vec<usize> = (0..n).filter(|i| !self.row_done[*i]).collect();
        let columns: Vec<usize> = (0..n).filter(|j| !self.column_done[*j]).collect();
        let width = columns.len();
        let mut place = vec![0; n];
        columns.iter().enumerate().for_each(|(k, j)| place[*j] = k);
        let mut dense = vec![F::ZERO; width * width];
        for (k, i) in rows.iter().enumerate() {
            for (j, v) in &self.rows[*i] {
                dense[k * width + place[*j as usize]] = *v;
            }
        }
        let mut order: Vec<usize> = (0..width).collect();
        let mut t = 0;
        for (k, &c) in columns.iter().enumerate() {
            // The largest entry of column k among the rows not used yet.
            let size = |s: &usize| dense[order[*s] * width + k].size();
            let best = (t..width).max_by(|a, b| size(a).total_cmp(&size(b)));
            let Some(best) = best.filter(|s| size(s) > NOTHING) else { continue };
            order.swap(t, best);
            let r = order[t];
            let pivot_row = dense[r * width..(r + 1) * width].to_vec();
            let inverse = pivot_row[k].inverse();
            for (v, j) in pivot_row.iter().zip(&columns).skip(k + 1).filter(|(v, _)| **v != F::ZERO)
            {
                factors.above[*j].push((rows[r] as u32, *v));
            }
            for &i in &order[t + 1..] {
                let row = &mut dense[i * width..(i + 1) * width];
                if row[k] != F::ZERO {
                    let f = row[k].times(inverse);
                    factors.lower.push(rows[i], f);
                    F::subtract(&mut row[k + 1..], f, &pivot_row[k + 1..]);
                }
            }
            factors.lower.end_line();
            factors.pivots.push((rows[r] as u32, c as u32));
            factors.inverse.push(inverse);
            t += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lp::field::Modular;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A random matrix with a share of its entries, and a diagonal that keeps it regular if asked.
    fn random<F: Field>(n: usize, share: f64, seed: u64, number: impl Fn(i64) -> F) -> Sparse<F> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut k = Sparse::new(n);
        for j in 0..n {
            for i in 0..n {
                if (i * 7 + 3) % n == j || rng.random::<f64>() < share {
                    let v = rng.random_range(1..=9_i64) * if rng.random() { 1 } else { -1 };
                    k.push(i, number(v));
                }
            }
            k.end_line();
        }
        k
    }

    fn times<F: Field>(k: &Sparse<F>, x: &[F]) -> Vec<F> {
        let mut b = vec![F::ZERO; k.width()];
        for (j, x) in x.iter().enumerate() {
            for (i, v) in k.pairs(j) {
                b[i] = b[i].minus(F::ZERO.minus(F::ONE, *x), *v);
            }
        }
        b
    }

    proptest! {
        #[test]
        fn both_solves_invert_the_matrix(n in 1..60usize, share in 0.0..1.0f64, seed: u64) {
            type M = Modular<93>;
            let number = |v: i64| if v < 0 { M::ZERO.minus(M::ONE, M::new(v.unsigned_abs())) } else { M::new(v as u64) };
            let k = random(n, share, seed, number);
            if let Ok(lu) = Lu::new(&k) {
                let b: Vec<M> = (0..n).map(|i| M::new(seed ^ i as u64)).collect();
                let x = lu.solve(&mut b.clone());
                prop_assert_eq!(&times(&k, &x), &b);
                let y = lu.solve_transposed(&b);
                prop_assert_eq!(&times(&k.transposed(), &y), &b);
            }
            let k = random(n, share, seed, |v| v as f64);
            if let Ok(lu) = Lu::new(&k) {
                let b: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
                let x = lu.solve(&mut b.clone());
                let scale = x.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
                for (found, b) in times(&k, &x).iter().zip(&b) {
                    prop_assert!((found - b).abs() < 1e-9 * scale * n as f64);
                }
                let y = lu.solve_transposed(&b);
                let scale = y.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
                for (found, b) in times(&k.transposed(), &y).iter().zip(&b) {
                    prop_assert!((found - b).abs() < 1e-9 * scale * n as f64);
                }
            }
        }

        /// Two equal columns: one of them is named, and without it and its row the rest is regular.
        #[test]
        fn a_dependent_column_is_named(n in 2..40usize, share in 0.0..1.0f64, seed: u64, dense: bool) {
            let share = if dense { 1.0 } else { share };
            let whole = random(n, share, seed, |v| Modular::<93>::new(v.unsigned_abs()));
            let mut columns: Vec<usize> = (0..n).collect();
            columns[0] = n - 1;
            let all: Vec<usize> = (0..n).collect();
            let k = whole.part(&all, &columns);
            let singular = Lu::new(&k).unwrap_err();
            prop_assert!(!singular.rows.is_empty() && singular.rows.len() == singular.columns.len());
            let keep = |gone: &[usize]| (0..n).filter(|i| !gone.contains(i)).collect::<Vec<_>>();
            let rest = k.part(&keep(&singular.rows), &keep(&singular.columns));
            prop_assert!(Lu::new(&rest).is_ok());
        }
    }
}
