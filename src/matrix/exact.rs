//! Matrix games in exact arithmetic.

use super::{MatrixGame, Solution};
use crate::Result;
use crate::lp::dense::Tableau;
use crate::lp::exact::{Basis, Lp};
use crate::lp::lifting::Fractions;
use crate::scalar::{Rational, common_denominator};
use crate::simplex::Simplex;
use crate::sparse::Sparse;
use dashu_base::{BitTest, Gcd, UnsignedAbs};
use dashu_int::{IBig, UBig};
use ndarray::Array2;

/// The equilibrium and the value, exactly.
///
/// The payoffs are brought to integers in [S, 2S], with S their spread; f64 finds a basis on a copy
/// within [1, 2], whose systems are then solved in integers by p-adic lifting (Dixon 1982), and exact
/// pivots follow where the basis was wrong. The strategies are a vertex of the optimal ones.
///
/// ```
/// use nashguard::matrix::{MatrixGame, solve_exact};
/// use nashguard::scalar::{Rational, parse};
///
/// let entry = |text: &str| parse(text).unwrap_or(Rational::ZERO);
/// let rows = [["0.1", "-1/3"], ["0", "1e-30"]];
/// let game = MatrixGame::new(rows.iter().map(|row| row.iter().map(|e| entry(e)).collect()).collect())?;
/// let solution = solve_exact(&game)?;
/// assert_eq!(solution.gap, Rational::ZERO);
/// assert!(solution.value > Rational::ZERO && solution.value < entry("1e-30"));
/// # Ok::<(), nashguard::Error>(())
/// ```
///
/// # Errors
/// None are known; a defect of the solver would be one, never a wrong answer.
pub fn solve_exact(game: &MatrixGame<Rational>) -> Result<Solution<Rational>> {
    let (m, n) = game.payoffs().dim();
    let Some(whole) = Whole::new(game) else {
        let value = game.payoffs()[(0, 0)].clone();
        let (row, column) = (Simplex::vertex(0, m)?, Simplex::vertex(0, n)?);
        return Ok(Solution { row, column, value, gap: Rational::ZERO });
    };
    let basis = whole.float_basis();
    let ones = |len| vec![IBig::ONE; len];
    let found = Lp::new(whole.columns(), ones(m), ones(n))?.solve(basis)?;
    let total = |v: &Fractions| v.numerators.iter().fold(IBig::ZERO, |sum, v| sum + v);
    let strategy = |v: &Fractions| {
        let total = total(v).unsigned_abs();
        let share = |v: &IBig| Rational::from_parts(v.clone(), total.clone());
        Simplex::new(v.numerators.iter().map(share).collect())
    };
    let in_spreads =
        Rational::from_parts(found.x.denominator.clone(), total(&found.x).unsigned_abs());
    Ok(Solution {
        row: strategy(&found.y)?,
        column: strategy(&found.x)?,
        value: whole.payoff(in_spreads),
        gap: Rational::ZERO,
    })
}

/// The payoffs as whole numbers: payoff = (low + step entry) / denominator, with entries from 0 to
/// `spread`.
struct Whole {
    entries: Array2<IBig>,
    spread: IBig,
    low: IBig,
    step: IBig,
    denominator: UBig,
}

impl Whole {
    /// None when all payoffs are equal.
    fn new(game: &MatrixGame<Rational>) -> Option<Self> {
        let denominator = common_denominator(game.payoffs());
        let whole = |v: &Rational| v.numerator() * IBig::from(&denominator / v.denominator());
        let mut entries = game.payoffs().map(whole);
        let low = entries.iter().min()?.clone();
        let mut step = UBig::ZERO;
        for v in &mut entries {
            *v -= &low;
            if !step.is_one() {
                step = if v.is_zero() { step } else { step.gcd((&*v).unsigned_abs()) };
            }
        }
        if step.is_zero() {
            return None;
        }
        let step = IBig::from(step);
        if step != IBig::ONE {
            entries.iter_mut().for_each(|v| *v = std::mem::take(v) / &step);
        }
        let spread = entries.iter().max()?.clone();
        Some(Self { entries, spread, low, step, denominator })
    }

    /// Entries plus spread, by columns: all positive, within a factor 2 of each other.
    fn columns(&self) -> Sparse<IBig> {
        let mut columns = Sparse::new(self.entries.nrows());
        for column in self.entries.columns() {
            for (i, v) in column.iter().enumerate() {
                columns.push(i, v + &self.spread);
            }
            columns.end_line();
        }
        columns
    }

    fn float_basis(&self) -> Basis {
        // Far below the largest double: both keep all the digits it has.
        const ROOM: usize = 1000;
        let shift = self.spread.bit_len().saturating_sub(ROOM);
        let float = |v: &IBig| (v >> shift).to_f64().value();
        let spread = float(&self.spread);
        let mut tableau = Tableau::new(self.entries.map(|v| 1.0 + float(v) / spread).view());
        tableau.maximise();
        tableau.basis()
    }

    /// The payoff that stands `value` above the bottom of [`Self::columns`]' scale.
    fn payoff(&self, value: Rational) -> Rational {
        let entry = value - Rational::from(self.spread.clone());
        (entry * Rational::from(self.step.clone()) + Rational::from(self.low.clone()))
            / Rational::from(self.denominator.clone())
    }
}
