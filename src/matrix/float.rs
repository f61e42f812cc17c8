//! Matrix games over f64: the simplex method, and the gap of what it found.

use super::{MatrixGame, Solution};
use crate::simplex::Simplex;
use crate::{Error, Game, Result};
use nalgebra::{DMatrix, DVector};
use ndarray::Array2;

/// Solves by the simplex method on the payoffs shifted and scaled into [1, 2], then measures the
/// gap on those.
///
/// `tol` bounds the gap relative to the spread max A - min A, which is what f64 can resolve: a gap
/// of 1e-12 on payoffs around 1e9 does not exist in floating point.
///
/// # Errors
/// [`Error::NotSolved`] when the gap found is above `tol`: the answer is then withheld.
pub fn solve(game: &MatrixGame, tol: f64) -> Result<Solution> {
    if tol.is_nan() || tol <= 0.0 {
        return Err(Error::invalid(
            "tol",
            format!("{tol} is not a tolerance"),
            "give a positive number, for example 1e-12",
        ));
    }
    let a = &game.payoff;
    let low = a.iter().copied().fold(f64::INFINITY, f64::min);
    let high = a.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Halved first, so that a spread beyond the largest f64 does not overflow.
    let spread = high / 2.0 - low / 2.0;
    if spread == 0.0 {
        let row = Simplex::vertex(0, a.nrows())?;
        let column = Simplex::vertex(0, a.ncols())?;
        return Ok(Solution { row, column, value: low, gap: 0.0 });
    }
    let unit = MatrixGame { payoff: a.mapv(|v| 1.0 + (v / 2.0 - low / 2.0) / spread) };
    let (row, column, pivots) = simplex_method(&unit.payoff)?;
    use crate::exploit::{ClosedForm, Exploit};
    let gap = ClosedForm.gap(&unit, &row, &column)?.width.max(0.0);
    if gap.is_nan() || gap > tol {
        return Err(Error::NotSolved {
            gap,
            tol,
            iterations: pivots,
            remedy: "the payoffs are too ill-scaled for floating point; raise --tol (the gap is relative to the payoffs' spread)".into(),
        });
    }
    // The certificate is taken on the payoffs as given too: the unit payoffs may have lost some.
    let value = game.payoff(&row, &column)?;
    let given = ClosedForm.gap(game, &row, &column)?.width;
    let gap = (2.0 * gap * spread).max(given);
    if !(value.is_finite() && gap.is_finite()) {
        return Err(Error::NotSolved {
            gap,
            tol,
            iterations: pivots,
            remedy: "the payoffs' spread exceeds f64: divide them all by 4".into(),
        });
    }
    Ok(Solution { row, column, value, gap })
}

/// max sum(u) subject to A u <= 1, u >= 0 for A > 0: the column player's strategy is u / sum(u), the
/// row player's the dual prices, likewise. Largest-coefficient pivots; Bland's rule once the
/// objective stalls, which cannot cycle.
fn simplex_method(a: &Array2<f64>) -> Result<(Simplex, Simplex, usize)> {
    let (m, n) = a.dim();
    // Condensed tableau, `(m + 1, n + 1)`: rows are basic variables, columns non-basic ones, the last
    // column the right-hand side and the last row the negated reduced costs.
    let mut t = Array2::<f64>::zeros((m + 1, n + 1));
    t.slice_mut(ndarray::s![..m, ..n]).assign(a);
    t.column_mut(n).slice_mut(ndarray::s![..m]).fill(1.0);
    t.row_mut(m).slice_mut(ndarray::s![..n]).fill(-1.0);
    // Variables 0..n are u, n..n+m the slacks.
    let mut basic: Vec<usize> = (n..n + m).collect();
    let mut free: Vec<usize> = (0..n).collect();
    const EPSILON: f64 = 1e-11;
    let limit = 50 * (m + n) + 1000;
    let mut stalled = 0;
    let mut pivots = 0;
    loop {
        let candidates = (0..n).filter(|&j| t[(m, j)] < -EPSILON);
        let entering = if stalled > m + n {
            candidates.min_by_key(|&j| free[j])
        } else {
            candidates.min_by(|&j, &k| t[(m, j)].total_cmp(&t[(m, k)]))
        };
        let Some(c) = entering else { break };
        let leaving = (0..m).filter(|&i| t[(i, c)] > EPSILON).min_by(|&i, &k| {
            let (ri, rk) = (t[(i, n)] / t[(i, c)], t[(k, n)] / t[(k, c)]);
            ri.total_cmp(&rk).then(basic[i].cmp(&basic[k]))
        });
        // A > 0 bounds u, so a missing row is round-off: the gap check below decides.
        let Some(r) = leaving else { break };
        stalled = if t[(r, n)] <= EPSILON * t[(r, c)] { stalled + 1 } else { 0 };
        pivot(&mut t, r, c);
        std::mem::swap(&mut basic[r], &mut free[c]);
        pivots += 1;
        if pivots == limit {
            break;
        }
    }
    let mut u = vec![0.0; n];
    let mut x = vec![0.0; m];
    for (i, &v) in basic.iter().enumerate().filter(|(_, v)| **v < n) {
        u[v] = t[(i, n)].max(0.0);
    }
    for (j, &v) in free.iter().enumerate().filter(|(_, v)| **v >= n) {
        x[v - n] = t[(m, j)].max(0.0);
    }
    // The pivots' rounding adds up in the tableau: solve the final basis afresh from A itself.
    let columns: Vec<usize> = basic.iter().copied().filter(|v| *v < n).collect();
    let rows: Vec<usize> = free.iter().filter(|v| **v >= n).map(|v| v - n).collect();
    let basis = DMatrix::from_fn(rows.len(), columns.len(), |i, j| a[(rows[i], columns[j])]);
    let ones = DVector::from_element(rows.len(), 1.0);
    if let (Some(fresh_x), Some(fresh_u)) =
        (basis.transpose().lu().solve(&ones), basis.lu().solve(&ones))
    {
        rows.iter().zip(&fresh_x).for_each(|(i, v)| x[*i] = v.max(0.0));
        columns.iter().zip(&fresh_u).for_each(|(j, v)| u[*j] = v.max(0.0));
    }
    Ok((rescaled(x, pivots)?, rescaled(u, pivots)?, pivots))
}

fn rescaled(mut v: Vec<f64>, pivots: usize) -> Result<Simplex> {
    let sum: f64 = v.iter().sum();
    if !(sum.is_finite() && sum > 0.0) {
        return Err(Error::NotSolved {
            gap: f64::INFINITY,
            tol: 0.0,
            iterations: pivots,
            remedy: "the payoffs are too ill-scaled for floating point".into(),
        });
    }
    v.iter_mut().for_each(|x| *x /= sum);
    Simplex::new(v)
}

/// Exchanges the basic variable of row r with the non-basic one of column c.
fn pivot(t: &mut Array2<f64>, r: usize, c: usize) {
    let p = 1.0 / t[(r, c)];
    let row: Vec<f64> = t.row(r).iter().map(|v| v * p).collect();
    for (i, mut target) in t.outer_iter_mut().enumerate() {
        if i == r {
            continue;
        }
        let f = target[c];
        if f != 0.0 {
            target.iter_mut().zip(&row).for_each(|(v, q)| *v -= f * q);
        }
        target[c] = -f * p;
    }
    for (v, q) in t.row_mut(r).iter_mut().zip(&row) {
        *v = *q;
    }
    t[(r, c)] = p;
}
