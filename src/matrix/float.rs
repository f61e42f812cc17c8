//! Matrix games in f64: a basis by the simplex method, its strategies solved afresh, and a gap that
//! bounds every rounding error made on the way.

use super::{MatrixGame, Solution};
use crate::error::check_tolerance;
use crate::lp::dense::Tableau;
use crate::lp::exact::Basis;
use crate::lp::lu::Lu;
use crate::scalar::{Scalar, to_f64};
use crate::simplex::Simplex;
use crate::sparse::Sparse;
use crate::{Error, Result};
use ndarray::{Array2, ArrayView2};

/// Solves in f64, on the payoffs brought to [1, 2], with a rigorous bound on the gap.
///
/// The strategies are the doubles returned, divided by their exact sum. The gap returned bounds
/// theirs on the payoffs as given, exactly (rationals) or to the last bit (f64): the payoffs' own
/// rounding and that of every sum are in it. Nothing is called solved for any other reason.
///
/// `tol` bounds the gap relative to the spread max A - min A, which is what f64 can resolve: a gap
/// of 1e-12 on payoffs around 1e9 does not exist in floating point.
///
/// # Errors
/// [`Error::NotSolved`] when the gap found is above `tol`: the answer is then withheld.
pub fn solve<T: Scalar>(game: &MatrixGame<T>, tol: f64) -> Result<Solution> {
    check_tolerance("tol", tol)?;
    let (m, n) = game.payoffs().dim();
    let all = game.payoffs().as_slice().unwrap_or(&[]);
    let pick = |better: fn(&T, &T) -> bool| {
        all.iter().reduce(|a, b| if better(b, a) { b } else { a }).cloned().unwrap_or(T::zero())
    };
    let (low, high) = (pick(|a, b| a < b), pick(|a, b| a > b));
    let exact_low = low.to_exact()?;
    let beyond = |pivots: usize| Error::NotSolved {
        gap: f64::INFINITY,
        tol,
        iterations: pivots,
        remedy: "the payoffs exceed f64: solve exactly, or divide them all by 4".into(),
    };
    if low == high {
        let (row, column) = (Simplex::vertex(0, m)?, Simplex::vertex(0, n)?);
        let value = to_f64(&exact_low);
        // The value is the payoff up to its rounding, of which the gap knows nothing.
        return if value.is_finite() {
            Ok(Solution { row, column, value, gap: 0.0 })
        } else {
            Err(beyond(0))
        };
    }
    let spread = high.to_exact()? - &exact_low;
    let unit = Array2::from_shape_vec((m, n), T::shares(all, &low, &high))
        .map_err(|e| Error::invalid("payoff", e.to_string(), "give rows of equal length"))?;
    let mut tableau = Tableau::new(unit.mapv(|v| 1.0 + v).view());
    tableau.maximise();
    let withheld = |gap: f64| Error::NotSolved {
        gap,
        tol,
        iterations: tableau.pivots,
        remedy: "the payoffs are too ill-scaled for floating point: solve exactly, or raise the \
                 tolerance (the gap is relative to the payoffs' spread)"
            .into(),
    };
    let (x, y) = strategies(unit.view(), &tableau.basis());
    let [below, above] = guarantees(unit.view(), &x, &y).ok_or_else(|| withheld(f64::INFINITY))?;
    let gap = (above - below).next_up();
    if gap.is_nan() || gap > tol {
        return Err(withheld(gap));
    }
    // x'A y keeps small values among large payoffs; it is the other way round where the payoffs
    // are far from 0 for their spread.
    let float_spread = to_f64(&spread).next_up();
    let value = if low.mean().abs().max(high.mean().abs()) <= 4.0 * float_spread {
        bilinear(game, &x, &y)
    } else {
        let middle = (below + 0.5 * (above - below)).to_exact()?;
        to_f64(&(middle * &spread + exact_low))
    };
    let gap = (gap * float_spread).next_up();
    if !(value.is_finite() && gap.is_finite()) {
        return Err(beyond(tableau.pivots));
    }
    Ok(Solution { row: Simplex::new(x)?, column: Simplex::new(y)?, value, gap })
}

/// The strategies of a basis, from the payoffs themselves: pivots' rounding adds up, this has none of
/// it. Both sum to 1 up to rounding.
fn strategies(unit: ArrayView2<f64>, basis: &Basis) -> (Vec<f64>, Vec<f64>) {
    let (m, n) = unit.dim();
    let mut kernel = Sparse::new(basis.rows.len());
    for &j in &basis.columns {
        basis.rows.iter().enumerate().for_each(|(k, i)| kernel.push(k, 1.0 + unit[(*i, j)]));
        kernel.end_line();
    }
    let (mut x, mut y) = (vec![0.0; m], vec![0.0; n]);
    // A basis that is singular to rounding has no strategies: the gap check then says so.
    if let Ok(lu) = Lu::new(&kernel) {
        let ones = vec![1.0; basis.rows.len()];
        let spread = |places: &[usize], found: Vec<f64>, into: &mut [f64]| {
            places.iter().zip(found).for_each(|(k, v)| into[*k] = v.max(0.0));
            let sum: f64 = into.iter().sum();
            into.iter_mut().for_each(|v| *v /= sum);
        };
        spread(&basis.rows, lu.solve_transposed(&ones), &mut x);
        spread(&basis.columns, lu.solve(&mut ones.clone()), &mut y);
    }
    (x, y)
}

/// x'A y over the support.
fn bilinear<T: Scalar>(game: &MatrixGame<T>, x: &[f64], y: &[f64]) -> f64 {
    let support: Vec<usize> = (0..y.len()).filter(|j| y[*j] > 0.0).collect();
    let rows = x.iter().enumerate().filter(|(_, p)| **p > 0.0);
    let against =
        |i: usize| -> f64 { support.iter().map(|&j| game.payoffs()[(i, j)].mean() * y[j]).sum() };
    rows.map(|(i, p)| p * against(i)).sum()
}

/// What x guarantees and what y concedes on payoffs in [0, 1], as bounds that hold in exact
/// arithmetic for the payoffs that `unit` rounds.
///
/// A sum of k products of non-negative doubles is within a relative k u of the true one, the sum of
/// k weights likewise, and [`Scalar::shares`] is within 4 u, with u = 2^-53: both quotients are within
/// 2 (k + 8) u, generously (Higham, Accuracy and Stability of Numerical Algorithms, 2002, chapter 3).
/// Underflow adds at most 2^-1074 to each product and to each payoff.
fn guarantees(unit: ArrayView2<f64>, x: &[f64], y: &[f64]) -> Option<[f64; 2]> {
    let mut earned = vec![0.0; y.len()];
    let mut against = Vec::with_capacity(x.len());
    for (row, p) in unit.outer_iter().zip(x) {
        let row = row.to_slice()?;
        if *p > 0.0 {
            f64::add_scaled(&mut earned, p, row);
        }
        against.push(f64::dot(row, y));
    }
    let used = |v: &[f64]| v.iter().filter(|v| **v > 0.0).count();
    let error = (used(x).max(used(y)) + 8) as f64 * f64::EPSILON;
    let underflow = (x.len() + y.len() + 8) as f64 * f64::from_bits(1);
    let (sum_x, sum_y): (f64, f64) = (x.iter().sum(), y.iter().sum());
    let below = earned.into_iter().fold(f64::INFINITY, f64::min) / sum_x * (1.0 - error);
    let above = against.into_iter().fold(f64::NEG_INFINITY, f64::max) / sum_y * (1.0 + error);
    let bounds = [(below - underflow).next_down(), (above + underflow).next_up()];
    bounds.iter().all(|v| v.is_finite()).then_some(bounds)
}
