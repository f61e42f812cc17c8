//! Certificates from games and strategies. Nothing here is trusted: what it makes is checked like
//! any other certificate.

use super::Failure;
use super::extensive::{Extensive, Infoset, Payoff};
use super::guard::{Anchor, Guard};
use super::kl::{Bounds, precisions};
use super::matrix::Matrix;
use super::number::{Exact, Fractions, Integer, Table, ratio};
use super::regularised::{Prior, Regularised};
use crate::extensive::{Plan, Player, SequenceForm};
use crate::guard::{self, Classifier, Generator, GuardGame};
use crate::interval::Precision;
use crate::matrix::MatrixGame;
use crate::scalar::{Rational, Scalar};
use crate::simplex::Simplex;
use crate::{Error, Result};
use dashu_int::IBig;
use ndarray::ArrayView1;

impl Matrix {
    /// The best claim for (x, y), with the gap 0 exactly when they are optimal. Floats are taken at
    /// their exact values and rescaled to sum to exactly 1.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a strategy has another length than the game.
    pub fn of<T: Scalar>(
        game: &MatrixGame<Rational>,
        x: &Simplex<T>,
        y: &Simplex<T>,
    ) -> Result<Self> {
        let (payoff, x, y) =
            (Table::new(game.payoffs().view()), rescaled(x.as_slice())?, rescaled(y.as_slice())?);
        let wrong = |f: Failure| Error::invalid("certificate", f.0, "use strategies of this game");
        let (rows, columns) = payoff.shape("payoff").map_err(wrong)?;
        x.distribution("x", rows).map_err(wrong)?;
        y.distribution("y", columns).map_err(wrong)?;
        let gets = |j| x.iter().enumerate().map(|(i, x)| x * payoff.at(i, j)).sum::<IBig>();
        let pays = |i| y.iter().enumerate().map(|(j, y)| payoff.at(i, j) * y).sum::<IBig>();
        // There is at least one row and one column.
        let low = (0..columns).map(gets).min().unwrap_or_default();
        let high = (0..rows).map(pays).max().unwrap_or_default();
        let value = ratio(&low, &(x.over() * payoff.over()));
        let gap = ratio(&high, &(y.over() * payoff.over())) - &value;
        Ok(Self { payoff, x, y, value: Exact(value), gap: Exact(gap) })
    }
}

impl Prior {
    /// A reference taken at its exact values and rescaled to sum to exactly 1.
    ///
    /// # Errors
    /// None for a reference that is finite.
    pub fn of<T: Scalar>(reference: &Simplex<T>, temperature: &T) -> Result<Self> {
        Ok(Self {
            reference: rescaled(reference.as_slice())?,
            temperature: Exact(temperature.to_exact()?),
        })
    }
}

impl Regularised {
    /// The sharpest claim for (x, y), rounded outward. Floats are taken at their exact values and
    /// distributions rescaled to sum to exactly 1.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the strategies or priors do not fit the game.
    pub fn of<T: Scalar>(
        game: &MatrixGame<Rational>,
        [row, column]: [Prior; 2],
        x: &Simplex<T>,
        y: &Simplex<T>,
    ) -> Result<Self> {
        let payoff = Table::new(game.payoffs().view());
        let (value, gap) = (Exact(Rational::ZERO), Exact(Rational::ZERO));
        let new = Self {
            payoff,
            row,
            column,
            x: rescaled(x.as_slice())?,
            y: rescaled(y.as_slice())?,
            value,
            gap,
        };
        let wrong = |f: Failure| Error::invalid("certificate", f.0, "use strategies of this game");
        new.check_data().map_err(wrong)?;
        let (value, gap) = claim(|at| new.bounds(at))?;
        Ok(Self { value, gap, ..new })
    }
}

impl Guard {
    /// The sharpest claim for (p, q), rounded outward.
    ///
    /// The game's numbers are taken at their exact values and its distributions rescaled to sum to
    /// exactly 1. The strategies are rounded to units of 2^-128 (q above the floor), no entry on the
    /// support to 0: in a gap that moves the 37th decimal or so.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a strategy does not belong to the game, or gamma leaves no classifier.
    pub fn of(game: &GuardGame, p: &Generator, q: &Classifier) -> Result<Self> {
        let (shape, labels) = (game.reference().dim(), game.labels());
        if p.log_p().dim() != shape || q.log_q().dim() != (shape.1, labels) {
            let remedy = "build the strategies from this game";
            return Err(Error::invalid("certificate", "the strategies have another shape", remedy));
        }
        let gamma = game.floor().to_exact()?;
        let room = Rational::ONE - &gamma * Rational::from(labels);
        let on_support = |(p, r): (ArrayView1<f64>, ArrayView1<f64>)| {
            let support: Vec<bool> = r.iter().map(|r| *r > 0.0).collect();
            on_grid(p.iter().map(|l| l.exp()), &support)
        };
        let rows = p.log_p().outer_iter().zip(game.reference().outer_iter()).map(on_support);
        let grid = Integer(IBig::ONE << GRID);
        let p = Table { over: grid.clone(), rows: rows.collect() };
        // q = gamma + (1 - gamma |Y|) s for a distribution s.
        let (floor, left) = (game.floor(), 1.0 - game.floor() * labels as f64);
        let above_floor = |l: &f64| if left > 0.0 { (l.exp() - floor) / left } else { 0.0 };
        let support = vec![floor == 0.0; labels];
        let rows = q.log_q().outer_iter().map(|row| on_grid(row.iter().map(above_floor), &support));
        let below = IBig::from(gamma.denominator().clone());
        let base = gamma.numerator() * &grid.0;
        let span = (room * Rational::from(below.clone())).floor();
        let raised =
            |row: Vec<Integer>| row.iter().map(|s| Integer(&base + &span * &s.0)).collect();
        let q = Table { over: Integer(&grid.0 * &below), rows: rows.map(raised).collect() };
        let anchor = |a: &guard::Anchor| -> Result<Anchor> {
            let real = rescaled(a.real.iter())?;
            let rows = real.numerators.chunks(shape.1).map(<[Integer]>::to_vec).collect();
            Ok(Anchor {
                weight: Exact(a.weight.to_exact()?),
                real: Table { over: real.over, rows },
            })
        };
        let new = Self {
            beta: Exact(game.beta().to_exact()?),
            gamma: Exact(gamma),
            labels,
            label: game.label().to_vec(),
            weight: rescaled(game.weight())?,
            reference: game.reference().outer_iter().map(rescaled).collect::<Result<_>>()?,
            anchor: game.anchor().map(anchor).transpose()?,
            p,
            q,
            value: Exact(Rational::ZERO),
            gap: Exact(Rational::ZERO),
        };
        let wrong = |f: Failure| Error::invalid("certificate", f.0, "use strategies of this game");
        new.check_data().map_err(wrong)?;
        let (value, gap) = claim(|at| new.bounds(at))?;
        Ok(Self { value, gap, ..new })
    }
}

impl Extensive {
    /// The best claim for two plans, with the gap 0 exactly when they are optimal;
    /// [`Plan::to_exact`] makes plans over f64 exact.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a plan is not one of this game.
    pub fn of(
        form: &SequenceForm<Rational>,
        x: &Plan<Rational>,
        y: &Plan<Rational>,
    ) -> Result<Self> {
        let sets = |player| {
            let sets = form.side(player).information_sets().iter();
            sets.map(|set| Infoset { parent: set.parent, actions: set.actions.len() }).collect()
        };
        let a = form.payoffs();
        let entries = || (0..a.lines()).flat_map(|i| a.pairs(i).map(move |(j, v)| (i, j, v)));
        let amounts = Fractions::new(&entries().map(|(_, _, v)| v.clone()).collect::<Vec<_>>());
        let payoffs = entries().zip(amounts.numerators);
        let payoffs = payoffs.map(|((row, column, _), amount)| Payoff { row, column, amount });
        let zero = || Exact(Rational::ZERO);
        let new = Self {
            rows: sets(Player::Max),
            columns: sets(Player::Min),
            payoffs: payoffs.collect(),
            over: amounts.over,
            x: Fractions::new(x.as_slice()),
            y: Fractions::new(y.as_slice()),
            value: zero(),
            gap: zero(),
        };
        let wrong = |f: Failure| Error::invalid("certificate", f.0, "use plans of this game");
        let (low, high) = new.guarantees().map_err(wrong)?;
        Ok(Self { gap: Exact(high - &low), value: Exact(low), ..new })
    }
}

/// Gaps below 10^-FINEST, far below what rounding the strategies does, are claimed no sharper: where the
/// true one is 0, no precision would do.
const FINEST: usize = 60;

/// How much finer than the gap a claim's decimals are, so that rounding adds next to nothing to it.
const FINER: u32 = 100_000;

/// The (value, gap) to claim: decimals, the gap within 1e-4 of itself of the least provable one.
fn claim(bounds: impl Fn(&Precision) -> Option<Bounds>) -> Result<(Exact, Exact)> {
    let finest = Rational::ONE / Rational::from(IBig::from(10).pow(FINEST));
    let mut best = None;
    for precision in precisions().skip(1) {
        let Some(found) = bounds(&precision) else { continue };
        let (low, high) = (found.low.low(), found.high.high());
        let rounding = found.low.high() - &low + &high - found.high.low();
        let gap = (&high - &low).max(finest.clone());
        let sharp = rounding * Rational::from(FINER) <= gap;
        best = Some((low, high, gap));
        if sharp {
            break;
        }
    }
    let Some((low, high, gap)) = best else {
        return Err(Error::invalid(
            "certificate",
            "the strategies' guarantees are beyond 32,768 bits",
            "divide the payoffs and temperatures by a common factor",
        ));
    };
    // Decimals that much finer than the gap.
    let ten = Rational::from(10);
    let mut unit = Rational::ONE;
    while &unit * Rational::from(FINER) > gap {
        unit /= &ten;
    }
    let value = Rational::from((low / &unit).floor()) * &unit;
    let gap = Rational::from(((high - &value) / &unit).ceil()) * &unit;
    Ok((Exact(value), Exact(gap)))
}

/// Strategies are rounded to units of 2^-GRID.
const GRID: usize = 128;

/// Numerators over 2^GRID that sum to 2^GRID, at least 1 on the support.
fn on_grid(p: impl Iterator<Item = f64>, support: &[bool]) -> Vec<Integer> {
    let unit = Rational::from(IBig::ONE << GRID);
    let rounded = |(v, on): (f64, &bool)| {
        let v = v.max(0.0).to_exact().map_or(IBig::ZERO, |v| (v * &unit).floor());
        if *on { v.max(IBig::ONE) } else { v }
    };
    let mut p: Vec<IBig> = p.zip(support).map(rounded).collect();
    share_rest(&mut p, &(IBig::ONE << GRID));
    p.into_iter().map(Integer).collect()
}

/// Gives the heaviest entry what rounding left over from `total`.
fn share_rest(p: &mut [IBig], total: &IBig) {
    let missing = total - p.iter().sum::<IBig>();
    if let Some(heaviest) = p.iter_mut().max() {
        *heaviest += missing;
    }
}

/// A distribution at its exact values, rescaled to sum to exactly 1.
fn rescaled<'a, T: Scalar>(p: impl IntoIterator<Item = &'a T>) -> Result<Fractions> {
    let p = p.into_iter().map(T::to_exact).collect::<Result<Vec<_>>>()?;
    let mut p = Fractions::new(&p);
    p.over.0 = p.iter().sum();
    Ok(p)
}
