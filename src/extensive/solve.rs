//! Equilibria of extensive games by the sequence-form linear program, exactly or in f64.
//!
//! Koller, Megiddo and von Stengel 1996, in a form whose slack basis is feasible. With payoffs shifted
//! to be positive nobody gains by leaving probability out, so "sums to its parent" becomes "at most"
//! for Max and "at least" for Min, and every variable may be taken non-negative:
//!
//! ```text
//! max   sum_s A(s, 0) x_s + sum_{J first} w_J          s, t > 0: sequences of Max and Min
//! x_s:  sum_{s in I} x_s - x_parent(I) <= 0 (or 1)     one row a set I of Max
//! w_J:  w_J(t) - sum_{J after t} w_J - sum_s A(s, t) x_s <= A(0, t)    one row a sequence t of Min
//! ```
//!
//! x is Max's plan, w_J what Min's set J is worth, and the prices of the rows t are Min's plan.

use super::cfr::{Rule, average, run};
use super::game::Player;
use super::sequence::SequenceForm;
use super::tree::{Move, Node, Tree};
use super::treeplex::{Plan, Treeplex};
use crate::dynamics::Order;
use crate::error::check_tolerance;
use crate::exploit::{ClosedForm, Exploit};
use crate::lp::exact::{Basis, Lp};
use crate::lp::lifting::Fractions;
use crate::lp::lu::Lu;
use crate::lp::revised;
use crate::scalar::{Rational, Scalar, common_denominator, to_f64};
use crate::sparse::Sparse;
use crate::{Error, Result};
use dashu_base::UnsignedAbs;
use dashu_int::IBig;

/// A solved extensive game.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution<T = f64> {
    /// Max's plan.
    pub max: Plan<T>,
    /// Min's plan.
    pub min: Plan<T>,
    /// The value to Max, within `gap` and, over f64, the rounding of this number.
    pub value: T,
    /// The gap of the two plans, in payoff units; 0 in exact arithmetic.
    pub gap: T,
}

/// The equilibrium and the value, exactly.
///
/// # Errors
/// [`Error::Invalid`] for payoffs made to defeat the arithmetic (a determinant that is a multiple of four
/// primes near 2^60). The gap is measured before it is claimed.
pub fn solve_exact(tree: &Tree) -> Result<Solution<Rational>> {
    let shifted = Shifted::new(tree);
    let float = shifted.float();
    let (basis, _) = float.maximise(&shifted.guess()?);
    let Program { columns, sides, costs } = shifted.whole();
    let found = Lp::new(columns, sides, costs)?.solve(basis)?;
    let plan = |player, v: &Fractions| {
        let below = v.denominator.clone().unsigned_abs();
        let number = |v: &IBig| Rational::from_parts(v.clone(), below.clone());
        completed(tree.side(player), v.numerators.iter().map(number))
    };
    let (max, min) = (plan(Player::Max, &found.x), plan(Player::Min, &found.y));
    let gap = ClosedForm.gap(&SequenceForm::new(tree), &max, &min)?;
    if !gap.width.is_zero() {
        return Err(Error::invalid("game", "the plans found are not an equilibrium", "report it"));
    }
    Ok(Solution { max, min, value: gap.low, gap: gap.width })
}

/// Solves in f64; the gap is that of the plans returned as [`Plan::to_exact`] completes them, in exact
/// arithmetic.
///
/// `tol` bounds the gap relative to the spread of the payoffs.
///
/// # Errors
/// [`Error::NotSolved`] when the gap found is above `tol`: the answer is then withheld.
/// [`Error::Invalid`] when `tol` is not positive, or the value is beyond f64.
pub fn solve(tree: &Tree, tol: f64) -> Result<Solution> {
    check_tolerance("tol", tol)?;
    let shifted = Shifted::new(tree);
    let float = shifted.float();
    let withheld = |gap: f64, iterations: usize| Error::NotSolved {
        gap,
        tol,
        iterations,
        remedy: "the payoffs are too ill-scaled for floating point: solve exactly, or raise the \
                 tolerance (the gap is relative to the payoffs' spread)"
            .into(),
    };
    let (basis, pivots) = float.maximise(&shifted.guess()?);
    let (x, y) = float.vertex(&basis).ok_or_else(|| withheld(f64::INFINITY, pivots))?;
    let max = completed(tree.side(Player::Max), x);
    let min = completed(tree.side(Player::Min), y);
    let form = SequenceForm::new(tree);
    let exact = |player, plan: &Plan| plan.to_exact(tree.side(player));
    let gap = ClosedForm.gap(&form, &exact(Player::Max, &max)?, &exact(Player::Min, &min)?)?;
    let width = if gap.width.is_zero() { 0.0 } else { to_f64(&gap.width).next_up() };
    let relative = to_f64(&(gap.width / &shifted.spread));
    if relative > tol {
        return Err(withheld(relative, pivots));
    }
    let value = to_f64(&((gap.low + gap.high) / Rational::from(2)));
    if !value.is_finite() || !width.is_finite() {
        return Err(Error::invalid(
            "payoff",
            "the value is out of range of f64",
            "solve exactly, or divide all payoffs",
        ));
    }
    Ok(Solution { max, min, value, gap: width })
}

/// Rounds of CFR before the program: about a tenth of the pivots' time.
const GUESS_ROUNDS: usize = 1000;
/// An action below this probability is taken for one the equilibrium does not use.
const RARE: f64 = 5e-4;

/// The plan of numbers for sequences 1.. , each set's scaled to its parent's plan. With positive
/// payoffs that raises every number of an x and lowers every number of a y of the program, so the plans
/// are as good as the numbers. What follows the last sequence is ignored.
fn completed<T: Scalar>(side: &Treeplex, numbers: impl IntoIterator<Item = T>) -> Plan<T> {
    let one = std::iter::once(T::one());
    Plan::scaled(side, one.chain(numbers).take(side.sequences()).collect())
}

/// The sequence form with its payoffs shifted to [S, 2S], with S their spread, or to 1 if that is 0.
struct Shifted<'a> {
    tree: &'a Tree,
    form: SequenceForm<Rational>,
    /// The least payoff given.
    low: Rational,
    spread: Rational,
}

/// max c'z, A z <= b, z >= 0.
struct Program<N> {
    columns: Sparse<N>,
    sides: Vec<N>,
    costs: Vec<N>,
}

impl<'a> Shifted<'a> {
    fn new(tree: &'a Tree) -> Self {
        let payoff = |node: &'a Node| match &node.turn {
            Move::Terminal(payoff) => Some(payoff),
            _ => None,
        };
        let payoffs = || tree.nodes().iter().filter_map(payoff);
        let low = payoffs().min().cloned().unwrap_or_default();
        let spread = payoffs().max().cloned().unwrap_or_default() - &low;
        let spread = if spread.is_zero() { Rational::ONE } else { spread };
        let form = SequenceForm::with_payoffs(tree, |payoff| payoff - &low + &spread);
        Self { tree, form, low, spread }
    }

    /// A basis near the optimum, from averages of predictive CFR+: at every set the likeliest action and,
    /// as far as they pair up, what other actions both players mix in.
    fn guess(&self) -> Result<Basis> {
        let tree = self.tree;
        // About 0, within f64 in any unit.
        let middle = &self.low + &self.spread / Rational::from(2);
        let form = SequenceForm::with_payoffs(tree, |v| (v - &middle) / &self.spread).to_f64()?;
        let rule = Rule::PREDICTIVE_CFR_PLUS;
        let rounds = average(run(&form, rule, Order::Alternating), rule.gamma).nth(GUESS_ROUNDS);
        let Some(last) = rounds.transpose()? else { return Ok(Basis::default()) };
        // (probability, sequence) of the likeliest actions, and of the others.
        let split = |player, plan: &Plan| {
            let (mut likeliest, mut mixed) = (Vec::new(), Vec::new());
            for set in tree.side(player).information_sets() {
                let p = |s: usize| plan.as_slice()[s] / plan.as_slice()[set.parent];
                let best = set.sequences().reduce(|a, b| if p(b) > p(a) { b } else { a });
                likeliest.extend(best);
                let others = set.sequences().filter(|s| Some(*s) != best && p(*s) > RARE);
                mixed.extend(others.map(|s| (p(s), s)));
            }
            mixed.sort_by(|a, b| b.0.total_cmp(&a.0));
            (likeliest, mixed)
        };
        let (mut columns, max_mixed) = split(Player::Max, &last.x);
        let (mut rows, min_mixed) = split(Player::Min, &last.y);
        let pairs = max_mixed.len().min(min_mixed.len());
        columns.extend(max_mixed[..pairs].iter().map(|(_, s)| s));
        rows.extend(min_mixed[..pairs].iter().map(|(_, t)| t));
        let (max, min) = (tree.side(Player::Max), tree.side(Player::Min));
        columns.iter_mut().chain(&mut rows).for_each(|s| *s -= 1);
        columns.extend((0..min.information_sets().len()).map(|k| max.sequences() - 1 + k));
        rows.extend((0..max.information_sets().len()).map(|k| min.sequences() - 1 + k));
        Ok(Basis { rows, columns })
    }

    fn entries(&self) -> impl Iterator<Item = &Rational> {
        let form = &self.form;
        form.payoffs().values().iter()
    }

    /// In whole numbers.
    fn whole(&self) -> Program<IBig> {
        let scale = Rational::from(common_denominator(self.entries()));
        self.program([IBig::ZERO, IBig::ONE, IBig::NEG_ONE], |v| (v * &scale).into_parts().0)
    }

    /// In f64, the largest payoff as 1.
    fn float(&self) -> Program<f64> {
        let largest = self.entries().max().cloned().unwrap_or(Rational::ONE);
        self.program([0.0, 1.0, -1.0], |v| to_f64(&(v / &largest)))
    }

    /// The program of the module's head, with w in the unit of `number`.
    fn program<N: Clone>(
        &self,
        [zero, one, minus_one]: [N; 3],
        number: impl Fn(&Rational) -> N,
    ) -> Program<N> {
        let (max, min) = (self.tree.side(Player::Max), self.tree.side(Player::Min));
        let answers = min.sequences() - 1;
        let mut owner = vec![0; max.sequences()];
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); max.sequences()];
        for (k, set) in max.information_sets().iter().enumerate() {
            set.sequences().for_each(|s| owner[s] = answers + k);
            after[set.parent].push(answers + k);
        }
        let mut columns = Sparse::new(answers + max.information_sets().len());
        let mut costs = Vec::with_capacity(max.sequences());
        for s in 1..max.sequences() {
            costs.push(zero.clone());
            for (t, v) in self.form.payoffs().pairs(s) {
                match t.checked_sub(1) {
                    Some(row) => columns.push(row, number(&-v)),
                    None => costs[s - 1] = number(v),
                }
            }
            columns.push(owner[s], one.clone());
            after[s].iter().for_each(|row| columns.push(*row, minus_one.clone()));
            columns.end_line();
        }
        let first = |parent: usize| if parent == 0 { one.clone() } else { zero.clone() };
        for set in min.information_sets() {
            if set.parent > 0 {
                columns.push(set.parent - 1, minus_one.clone());
            }
            set.sequences().for_each(|t| columns.push(t - 1, one.clone()));
            columns.end_line();
            costs.push(first(set.parent));
        }
        let mut sides = vec![zero.clone(); answers];
        for (t, v) in self.form.payoffs().pairs(0).filter(|(t, _)| *t > 0) {
            sides[t - 1] = number(v);
        }
        sides.extend(max.information_sets().iter().map(|set| first(set.parent)));
        Program { columns, sides, costs }
    }
}

impl Program<f64> {
    fn maximise(&self, start: &Basis) -> (Basis, usize) {
        revised::maximise(&self.columns, &self.sides, &self.costs, start)
    }

    /// The vertex and the prices of a basis.
    fn vertex(&self, basis: &Basis) -> Option<(Vec<f64>, Vec<f64>)> {
        let lu = Lu::new(&self.columns.part(&basis.rows, &basis.columns)).ok()?;
        let (mut x, mut y) = (vec![0.0; self.costs.len()], vec![0.0; self.sides.len()]);
        let pick = |all: &[f64], places: &[usize]| places.iter().map(|k| all[*k]).collect();
        let mut sides: Vec<f64> = pick(&self.sides, &basis.rows);
        let costs: Vec<f64> = pick(&self.costs, &basis.columns);
        let solved = basis.columns.iter().zip(lu.solve(&mut sides));
        solved.for_each(|(j, v)| x[*j] = v.max(0.0));
        let solved = basis.rows.iter().zip(lu.solve_transposed(&costs));
        solved.for_each(|(i, v)| y[*i] = v.max(0.0));
        Some((x, y))
    }
}
