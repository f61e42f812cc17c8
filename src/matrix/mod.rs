//! Matrix games x' A y, the row player maximising, over f64 or exact rationals.

pub mod dynamics;
mod exact;
mod float;
pub mod regularised;

pub use exact::solve_exact;
pub use float::solve;

use crate::scalar::{Rational, Scalar, to_f64};
use crate::simplex::Simplex;
use crate::{BestReply, Error, Game, Result};
use ndarray::Array2;

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
pub struct MatrixGame<T = f64> {
    payoff: Array2<T>,
}

impl<T: Scalar> MatrixGame<T> {
    /// A game from rows of payoffs to the row player.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no row or column, rows differ in length, or an entry is not
    /// finite.
    pub fn new(rows: Vec<Vec<T>>) -> Result<Self> {
        let columns = rows.first().map_or(0, Vec::len);
        if columns == 0 {
            return Err(Error::invalid(
                "payoff",
                "the matrix is empty",
                "give at least one row and one column",
            ));
        }
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
        }
        let shape = (rows.len(), columns);
        let payoff = Array2::from_shape_vec(shape, rows.into_iter().flatten().collect())
            .map_err(|e| Error::invalid("payoff", e.to_string(), "give rows of equal length"))?;
        Ok(Self { payoff })
    }

    /// The payoffs, `(rows, columns)`.
    pub fn payoffs(&self) -> &Array2<T> {
        &self.payoff
    }

    /// Row i's payoffs.
    fn row(&self, i: usize) -> &[T] {
        let n = self.payoff.ncols();
        // Built in standard order and never rearranged, so there is always a slice.
        self.payoff.as_slice().map_or(&[], |all| &all[i * n..(i + 1) * n])
    }

    /// A y: what each row earns against `y`.
    ///
    /// # Errors
    /// When `y` has another length than the rows.
    pub fn against(&self, y: &Simplex<T>) -> Result<Vec<T>> {
        self.check("column", y, self.payoff.ncols())?;
        Ok((0..self.payoff.nrows()).map(|i| T::dot(self.row(i), y.as_slice())).collect())
    }

    /// A' x: what each column costs against `x`.
    ///
    /// # Errors
    /// When `x` has another length than the columns.
    pub fn earned(&self, x: &Simplex<T>) -> Result<Vec<T>> {
        self.check("row", x, self.payoff.nrows())?;
        let mut earned = vec![T::zero(); self.payoff.ncols()];
        for (i, p) in x.as_slice().iter().enumerate().filter(|(_, p)| **p != T::zero()) {
            T::add_scaled(&mut earned, p, self.row(i));
        }
        Ok(earned)
    }

    /// The same game seen by the other player: -A', in which the column player raises.
    pub fn swapped(&self) -> Self {
        let transposed = self.payoff.t();
        Self { payoff: Array2::from_shape_fn(transposed.dim(), |k| -transposed[k].clone()) }
    }

    /// The same game in exact arithmetic: for f64 payoffs, the doubles themselves.
    pub fn to_exact(&self) -> MatrixGame<Rational> {
        // Entries are finite by construction.
        let exact = |v: &T| v.to_exact().unwrap_or(Rational::ZERO);
        MatrixGame { payoff: self.payoff.map(exact) }
    }

    fn check(&self, player: &str, s: &Simplex<T>, expected: usize) -> Result<()> {
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

impl MatrixGame {
    /// max A - min A, in payoff units; infinite when it exceeds f64.
    pub fn range(&self) -> f64 {
        let [low, high] = self.extremes();
        high - low
    }

    /// min A and max A.
    fn extremes(&self) -> [f64; 2] {
        let ends = |[low, high]: [f64; 2], v: &f64| [v.min(low), v.max(high)];
        self.payoff.iter().fold([f64::INFINITY, f64::NEG_INFINITY], ends)
    }
}

impl MatrixGame<Rational> {
    /// The nearest game over f64.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a payoff is beyond the largest f64.
    pub fn to_f64(&self) -> Result<MatrixGame> {
        let payoff = self.payoff.map(to_f64);
        match payoff.indexed_iter().find(|(_, v)| !v.is_finite()) {
            None => Ok(MatrixGame { payoff }),
            Some(((i, j), _)) => Err(Error::invalid(
                format!("payoff[{i}][{j}]"),
                "number out of range of f64",
                "solve exactly, or divide all payoffs",
            )),
        }
    }
}

impl<T: Scalar> Game for MatrixGame<T> {
    type Max = Simplex<T>;
    type Min = Simplex<T>;
    type Value = T;

    fn payoff(&self, x: &Simplex<T>, y: &Simplex<T>) -> Result<T> {
        self.check("row", x, self.payoff.nrows())?;
        Ok(T::dot(x.as_slice(), &self.against(y)?))
    }
}

impl<T: Scalar> BestReply for MatrixGame<T> {
    /// The first pure row of largest payoff.
    fn max_reply(&self, y: &Simplex<T>) -> Result<Simplex<T>> {
        let pay = self.against(y)?;
        Simplex::vertex(first_extreme(&pay, |a, b| a > b), pay.len())
    }

    /// The first pure column of least payoff.
    fn min_reply(&self, x: &Simplex<T>) -> Result<Simplex<T>> {
        let pay = self.earned(x)?;
        Simplex::vertex(first_extreme(&pay, |a, b| a < b), pay.len())
    }
}

fn first_extreme<T>(values: &[T], better: impl Fn(&T, &T) -> bool) -> usize {
    let keep = |best: usize, k: usize| if better(&values[k], &values[best]) { k } else { best };
    (1..values.len()).fold(0, keep)
}

/// A solved matrix game.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution<T = f64> {
    /// The row player's strategy.
    pub row: Simplex<T>,
    /// The column player's strategy.
    pub column: Simplex<T>,
    /// x' A y. The true value is within `gap` of it and, over f64, the rounding of this number.
    pub value: T,
    /// A bound on the gap of (row, column), in payoff units; 0 in exact arithmetic.
    pub gap: T,
}
