//! Matrix games over f64: x' A y, the row player maximising.

use crate::simplex::Simplex;
use crate::{BestReply, Error, Game, Result};
use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2, ArrayView1, aview1};

/// A two-player zero-sum game by its payoff matrix, in the matrix's own unit.
///
/// ```
/// use nashguard::matrix::{MatrixGame, solve};
///
/// // Biased rock-paper-scissors (wins pay 1, 2 and 3).
/// let game = MatrixGame::new(vec![vec![0.0, -1.0, 2.0], vec![1.0, 0.0, -3.0], vec![-2.0, 3.0, 0.0]])?;
/// let solution = solve(&game, 1e-12)?;
/// assert!(solution.value.abs() < 1e-12);
/// # Ok::<(), nashguard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixGame {
    payoff: Array2<f64>,
}

impl MatrixGame {
    /// A game from rows of payoffs to the row player.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no row or column, rows differ in length, or an entry is not
    /// finite.
    pub fn new(rows: Vec<Vec<f64>>) -> Result<Self> {
        let columns = rows.first().map_or(0, Vec::len);
        if columns == 0 {
            return Err(Error::invalid(
                "payoff",
                "the matrix is empty",
                "give at least one row and one column",
            ));
        }
        let mut entries = Vec::with_capacity(rows.len() * columns);
        for (i, row) in rows.iter().enumerate() {
            if row.len() != columns {
                return Err(Error::invalid(
                    format!("payoff[{i}]"),
                    format!("it has {} entries, payoff[0] has {columns}", row.len()),
                    "give every row one payoff for each column",
                ));
            }
            if let Some(j) = row.iter().position(|v| !v.is_finite()) {
                return Err(Error::invalid(
                    format!("payoff[{i}][{j}]"),
                    format!("{} is not a payoff", row[j]),
                    "give a finite number",
                ));
            }
            entries.extend_from_slice(row);
        }
        let payoff = Array2::from_shape_vec((rows.len(), columns), entries)
            .map_err(|e| Error::invalid("payoff", e.to_string(), "give rows of equal length"))?;
        Ok(Self { payoff })
    }

    /// The payoffs, `(rows, columns)`.
    pub fn payoffs(&self) -> &Array2<f64> {
        &self.payoff
    }

    /// A y: what each row earns against `y`.
    fn against(&self, y: &Simplex) -> Result<Array1<f64>> {
        self.check("column", y, self.payoff.ncols())?;
        Ok(self.payoff.dot(&aview1(y.as_slice())))
    }

    /// A' x: what each column costs against `x`.
    fn earned(&self, x: &Simplex) -> Result<Array1<f64>> {
        self.check("row", x, self.payoff.nrows())?;
        Ok(self.payoff.t().dot(&aview1(x.as_slice())))
    }

    fn check(&self, player: &str, s: &Simplex, expected: usize) -> Result<()> {
        if s.as_slice().len() == expected {
            return Ok(());
        }
        Err(Error::invalid(
            format!("{player} strategy"),
            format!("it has {} entries", s.as_slice().len()),
            format!("this game needs {expected}"),
        ))
    }
}

impl Game for MatrixGame {
    type Max = Simplex;
    type Min = Simplex;
    type Value = f64;

    fn payoff(&self, x: &Simplex, y: &Simplex) -> Result<f64> {
        self.check("row", x, self.payoff.nrows())?;
        Ok(aview1(x.as_slice()).dot(&self.against(y)?))
    }
}

impl BestReply for MatrixGame {
    /// The first pure row of largest payoff.
    fn max_reply(&self, y: &Simplex) -> Result<Simplex> {
        let pay = self.against(y)?;
        Simplex::vertex(first_extreme(pay.view(), |a, b| a > b), pay.len())
    }

    /// The first pure column of least payoff.
    fn min_reply(&self, x: &Simplex) -> Result<Simplex> {
        let pay = self.earned(x)?;
        Simplex::vertex(first_extreme(pay.view(), |a, b| a < b), pay.len())
    }
}

fn first_extreme(values: ArrayView1<f64>, better: impl Fn(f64, f64) -> bool) -> usize {
    let keep = |best: usize, k: usize| if better(values[k], values[best]) { k } else { best };
    (1..values.len()).fold(0, keep)
}

/// A solved matrix game.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The row player's strategy.
    pub row: Simplex,
    /// The column player's strategy.
    pub column: Simplex,
    /// x' A y; the game's value is within `gap` of it, up to rounding.
    pub value: f64,
    /// The gap of (row, column), in payoff units, as computed in f64 on the payoffs as given and on
    /// the rescaled ones, whichever is larger.
    pub gap: f64,
}

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
