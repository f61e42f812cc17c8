//! The simplex method in exact arithmetic, started from any basis.
//!
//! A basis names the tight rows I and the positive columns J; the vertex is x_J = A_IJ^-1 b_I, its
//! prices y_I = A_IJ^-T c_J. Both come from [`Lifting`], so every sign is certain, and a basis found
//! in floating point usually needs no pivot at all. When it does: if only one of vertex and prices is
//! feasible, primal or dual pivots finish; if neither, the costs are first lowered until the prices
//! are, dual pivots make the vertex feasible, and primal pivots with the true costs finish. Pivots
//! enter the variable of worst price, and by Bland's rule (1977), which cannot cycle, while the
//! objective stalls.

use super::lifting::{Fractions, Lifting};
use crate::sparse::Sparse;
use crate::{Error, Result};
use dashu_base::{BitTest, Signed};
use dashu_int::IBig;

/// max c'x subject to A x <= b, x >= 0 in integers.
#[derive(Clone, Debug)]
pub struct Lp {
    /// A, by columns.
    columns: Sparse<IBig>,
    /// A, by rows.
    rows: Sparse<IBig>,
    b: Vec<IBig>,
    c: Vec<IBig>,
}

/// As many tight rows as positive columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// I: the rows whose slack is out of the basis.
    pub rows: Vec<usize>,
    /// J: the columns in it.
    pub columns: Vec<usize>,
}

/// An optimal vertex and its prices: A x <= b, A'y >= c, x >= 0, y >= 0 and c'x = b'y.
#[derive(Clone, Debug)]
pub struct Optimum {
    /// x, one entry a column.
    pub x: Fractions,
    /// y, one entry a row.
    pub y: Fractions,
}

/// Pivots without progress after which Bland's rule takes over.
const PATIENCE: usize = 10;

impl Lp {
    /// A program from its columns.
    ///
    /// # Errors
    /// [`Error::Invalid`] when sizes disagree or b has a negative entry.
    pub fn new(a: Sparse<IBig>, b: Vec<IBig>, c: Vec<IBig>) -> Result<Self> {
        if a.width() != b.len() || a.lines() != c.len() || b.iter().any(Signed::is_negative) {
            return Err(Error::invalid(
                "linear program",
                format!("{} x {} with {} sides, {} costs", a.width(), a.lines(), b.len(), c.len()),
                "give one side b >= 0 a row and one cost a column",
            ));
        }
        Ok(Self { rows: a.transposed(), columns: a, b, c })
    }

    /// The optimum, from any basis; nothing is assumed of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the objective has no maximum, or when the determinant of a basis on the
    /// way is a multiple of all of the lifting's primes. The signs that make the answer an optimum are
    /// checked before it is returned.
    pub fn solve(&self, basis: Basis) -> Result<Optimum> {
        let mut at = Vertex::near(self, basis);
        if !at.feasible() {
            // Costs under which the prices, less their negative ones, are feasible.
            let costs = if at.prices(&self.c).all_non_negative() {
                self.c.clone()
            } else {
                at.lowered(&self.c)
            };
            let dual = self.dual(costs);
            let start = Basis { rows: at.basis.columns, columns: at.basis.rows };
            let end = dual.maximise(Vertex::at(&dual, start)?)?;
            at = Vertex::at(self, Basis { rows: end.basis.columns, columns: end.basis.rows })?;
        }
        let end = self.maximise(at)?;
        let prices = end.prices(&self.c);
        if !(end.feasible() && prices.all_non_negative()) {
            return Err(Error::invalid(
                "linear program",
                "the basis found is not optimal",
                "report this: exact pivots end at an optimum",
            ));
        }
        let (_, y) = prices.split(self.columns.lines());
        let (x, _) = end.point.split(self.columns.lines());
        Ok(Optimum { x, y })
    }

    /// min b'y, A'y >= c, y >= 0 in this form: max -b'y, -A'y <= -c.
    fn dual(&self, c: Vec<IBig>) -> Self {
        let negated = |v: &[IBig]| v.iter().map(|v| -v).collect();
        Self {
            columns: self.rows.map(|v| -v),
            rows: self.columns.map(|v| -v),
            b: negated(&c),
            c: negated(&self.b),
        }
    }

    /// Primal pivots from a feasible vertex.
    fn maximise<'a>(&'a self, mut at: Vertex<'a>) -> Result<Vertex<'a>> {
        let mut stalled = 0;
        loop {
            let prices = at.prices(&self.c);
            let candidates = prices.numerators.iter().enumerate().filter(|(_, v)| v.is_negative());
            let entering = if stalled < PATIENCE {
                candidates.min_by(|a, b| a.1.cmp(b.1)).map(|(v, _)| v)
            } else {
                candidates.map(|(v, _)| v).next()
            };
            let Some(entering) = entering else { return Ok(at) };
            let direction = at.direction(entering);
            let Some((leaving, moved)) = at.leaving(&direction) else {
                return Err(Error::invalid(
                    "linear program",
                    "its objective is unbounded",
                    "report this: a game's program is always bounded",
                ));
            };
            stalled = if moved { 0 } else { stalled + 1 };
            let basis = self.exchange(at.basis, entering, leaving);
            at = Vertex::at(self, basis)?;
        }
    }

    /// Variables 0..n are x, n.. the slacks.
    fn exchange(&self, mut basis: Basis, entering: usize, leaving: usize) -> Basis {
        let n = self.columns.lines();
        if entering < n {
            basis.columns.push(entering);
        } else {
            basis.rows.retain(|i| *i != entering - n);
        }
        if leaving < n {
            basis.columns.retain(|j| *j != leaving);
        } else {
            basis.rows.push(leaving - n);
        }
        basis
    }
}

/// A basis with what follows from it.
struct Vertex<'a> {
    lp: &'a Lp,
    basis: Basis,
    lifting: Lifting,
    /// x, then the slacks b - A x.
    point: Fractions,
}

impl<'a> Vertex<'a> {
    /// Of what is independent in a basis.
    fn near(lp: &'a Lp, mut basis: Basis) -> Self {
        loop {
            match Lifting::new(&lp.columns.part(&basis.rows, &basis.columns)) {
                Ok(lifting) => return Self::new(lp, basis, lifting),
                Err(singular) => {
                    let rest = |all: &[usize], gone: &[usize]| {
                        let kept = all.iter().enumerate().filter(|(k, _)| !gone.contains(k));
                        kept.map(|(_, v)| *v).collect()
                    };
                    basis = Basis {
                        rows: rest(&basis.rows, &singular.rows),
                        columns: rest(&basis.columns, &singular.columns),
                    };
                }
            }
        }
    }

    /// Of a basis that is known to be regular.
    fn at(lp: &'a Lp, basis: Basis) -> Result<Self> {
        match Lifting::new(&lp.columns.part(&basis.rows, &basis.columns)) {
            Ok(lifting) => Ok(Self::new(lp, basis, lifting)),
            Err(_) => Err(Error::invalid(
                "payoff",
                "a determinant is a multiple of four primes near 2^60, which only numbers made for it have",
                "change a payoff in a digit that does not matter to you",
            )),
        }
    }

    fn new(lp: &'a Lp, basis: Basis, lifting: Lifting) -> Self {
        let point = carried(lp, &basis, &lifting, &lp.b);
        Self { lp, basis, lifting, point }
    }

    fn feasible(&self) -> bool {
        self.point.all_non_negative()
    }

    /// The prices A'y - c of all columns, then y itself.
    fn prices(&self, c: &[IBig]) -> Fractions {
        let costs: Vec<IBig> = self.basis.columns.iter().map(|j| c[*j].clone()).collect();
        let found = self.lifting.solve_transposed(&costs);
        let mut numerators: Vec<IBig> = c.iter().map(|c| -(c * &found.denominator)).collect();
        let n = numerators.len();
        numerators.resize(n + self.lp.b.len(), IBig::ZERO);
        for (&i, y) in self.basis.rows.iter().zip(&found.numerators).filter(|(_, y)| !y.is_zero()) {
            self.lp.rows.pairs(i).for_each(|(j, v)| numerators[j] += v * y);
            numerators[n + i] = y.clone();
        }
        Fractions { numerators, denominator: found.denominator }
    }

    /// By how much every variable falls when the entering one rises by 1.
    fn direction(&self, entering: usize) -> Fractions {
        let lp = self.lp;
        let n = lp.columns.lines();
        let mut column = vec![IBig::ZERO; lp.b.len()];
        if entering < n {
            lp.columns.pairs(entering).for_each(|(i, v)| column[i] = v.clone());
        } else {
            column[entering - n] = IBig::ONE;
        }
        carried(lp, &self.basis, &self.lifting, &column)
    }

    /// The basic variable that reaches 0 first, and whether it had anywhere to go; of several the
    /// first.
    fn leaving(&self, direction: &Fractions) -> Option<(usize, bool)> {
        let point = &self.point.numerators;
        let falling = direction.numerators.iter().enumerate().filter(|(_, w)| **w > IBig::ZERO);
        let least = falling.reduce(|best, next| {
            // point / direction, compared across.
            if &point[next.0] * best.1 < &point[best.0] * next.1 { next } else { best }
        })?;
        Some((least.0, !point[least.0].is_zero()))
    }

    /// Costs no higher than `c` off the basis, under which prices like the present ones, less the
    /// negative ones, are feasible here.
    fn lowered(&self, c: &[IBig]) -> Vec<IBig> {
        const DIGITS: usize = 64;
        let n = c.len();
        let prices = self.prices(c);
        // Rounded: any non-negative prices will do.
        let shift = prices.denominator.bit_len().saturating_sub(DIGITS);
        let unit = &prices.denominator >> shift;
        let mut covered = vec![IBig::ZERO; n];
        for &i in &self.basis.rows {
            let y = &prices.numerators[n + i];
            if *y > IBig::ZERO {
                let y = y >> shift;
                self.lp.rows.pairs(i).for_each(|(j, v)| covered[j] += v * &y);
            }
        }
        let mut lowered: Vec<IBig> =
            c.iter().zip(&covered).map(|(c, covered)| (c * &unit).min(covered.clone())).collect();
        self.basis.columns.iter().for_each(|j| lowered[*j] = covered[*j].clone());
        lowered
    }
}

/// The basic variables that carry `column`: x with A_IJ x_J = column_I, then column - A x by rows.
fn carried(lp: &Lp, basis: &Basis, lifting: &Lifting, column: &[IBig]) -> Fractions {
    let sides: Vec<IBig> = basis.rows.iter().map(|i| column[*i].clone()).collect();
    let found = lifting.solve(&sides);
    let n = lp.columns.lines();
    let mut numerators = vec![IBig::ZERO; n];
    numerators.extend(column.iter().map(|v| v * &found.denominator));
    for (&j, x) in basis.columns.iter().zip(&found.numerators).filter(|(_, x)| !x.is_zero()) {
        lp.columns.pairs(j).for_each(|(i, v)| numerators[n + i] -= v * x);
        numerators[j] = x.clone();
    }
    Fractions { numerators, denominator: found.denominator }
}

impl Fractions {
    fn all_non_negative(&self) -> bool {
        !self.numerators.iter().any(Signed::is_negative)
    }

    fn split(mut self, at: usize) -> (Self, Self) {
        let numerators = self.numerators.split_off(at);
        let rest = Self { numerators, denominator: self.denominator.clone() };
        (self, rest)
    }
}
