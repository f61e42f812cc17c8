//! Extensive games of perfect recall, in sequence form: one pass over the payoffs and one over the
//! information sets.

use super::number::{Exact, Fractions, Integer, positive, ratio, readable};
use super::{Failure, Proven, Verdict};
use crate::scalar::Rational;
use dashu_int::IBig;
use serde::{Deserialize, Serialize};

/// An information set. A player's sequences are numbered from 0, the empty one, through the actions
/// of its first set, of its second, and so on; `parent` comes before the set's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Infoset {
    /// The player's sequence that leads here.
    pub parent: usize,
    /// The number of its actions.
    pub actions: usize,
}

/// What the column player pays at the leaves with these two sequences, times their probability by
/// chance; several entries of one pair add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payoff {
    /// The row player's sequence.
    pub row: usize,
    /// The column player's sequence.
    pub column: usize,
    /// The amount, over [`Extensive::over`].
    pub amount: Integer,
}

/// That the plan x guarantees `value`, and y at most `value` + `gap`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extensive {
    /// The row player's information sets.
    pub rows: Vec<Infoset>,
    /// The column player's.
    pub columns: Vec<Infoset>,
    /// The payoffs that are not 0.
    pub payoffs: Vec<Payoff>,
    /// Their common denominator.
    pub over: Integer,
    /// The row player's realisation plan: the probability that it plays each sequence's actions.
    pub x: Fractions,
    /// The column player's.
    pub y: Fractions,
    /// The least that x gets.
    pub value: Exact,
    /// The most that y pays, less `value`.
    pub gap: Exact,
}

impl Extensive {
    /// Checks that x and y are plans (not negative, 1 at the root, each set's actions summing to its
    /// parent) and that neither opponent's best reply does better than claimed.
    /// That this is enough is proved in Coq: `extensive_certificate`.
    ///
    /// # Errors
    /// The first of these that fails.
    pub fn check(&self) -> Verdict {
        let (gets, pays) = self.guarantees()?;
        let Self { rows, columns, x, y, value, gap, .. } = self;
        let (low, high) = (&value.0, &value.0 + &gap.0);
        if gets < *low {
            let (gets, low) = (readable(&gets), readable(low));
            return Err(Failure(format!(
                "column player's best reply: x gets {gets}, below the claimed {low}"
            )));
        }
        if pays > high {
            let (pays, high) = (readable(&pays), readable(&high));
            return Err(Failure(format!(
                "row player's best reply: y pays {pays}, above the claimed {high}"
            )));
        }
        let game = format!(
            "extensive game, {} x {} sequences, {} x {} information sets",
            x.numerators.len(),
            y.numerators.len(),
            rows.len(),
            columns.len()
        );
        Ok(Proven { game, value: value.0.clone(), gap: gap.0.clone() })
    }

    /// The least that x gets and the most that y pays, for plans, which is checked.
    pub(super) fn guarantees(&self) -> Verdict<(Rational, Rational)> {
        let Self { rows, columns, x, y, .. } = self;
        let over = &self.over.0;
        plan("x", x, "rows", rows)?;
        plan("y", y, "columns", columns)?;
        positive("the payoffs' denominator", over)?;
        let mut pay = vec![IBig::ZERO; x.numerators.len()];
        let mut cost = vec![IBig::ZERO; y.numerators.len()];
        for (k, p) in self.payoffs.iter().enumerate() {
            let (Some(x), Some(y)) = (x.numerators.get(p.row), y.numerators.get(p.column)) else {
                return Err(Failure(format!("payoffs[{k}] names a sequence that does not exist")));
            };
            pay[p.row] += &p.amount.0 * &y.0;
            cost[p.column] += &p.amount.0 * &x.0;
        }
        let gets = ratio(&best(columns, cost, |a, b| a.min(b)), &(x.over() * over));
        let pays = ratio(&best(rows, pay, |a, b| a.max(b)), &(y.over() * over));
        Ok((gets, pays))
    }
}

/// The worth of the best reply: every set, last to first, hands its best action's to its parent.
fn best(sets: &[Infoset], mut worth: Vec<IBig>, better: fn(IBig, IBig) -> IBig) -> IBig {
    let mut end = worth.len();
    for set in sets.iter().rev() {
        let chosen = worth.drain(end - set.actions..).reduce(better);
        end -= set.actions;
        worth[set.parent] += chosen.unwrap_or_default();
    }
    worth.swap_remove(0)
}

/// That p is a plan over these sets, which are well ordered.
fn plan(name: &str, p: &Fractions, sets_name: &str, sets: &[Infoset]) -> Verdict<()> {
    positive(&format!("{name}: the denominator"), p.over())?;
    if let Some(k) = p.iter().position(|v| *v < IBig::ZERO) {
        return Err(Failure(format!("{name}[{k}] is negative")));
    }
    if p.iter().next() != Some(p.over()) {
        return Err(Failure(format!("{name}[0] is not 1")));
    }
    let mut next = 1;
    for (h, set) in sets.iter().enumerate() {
        if set.parent >= next || set.actions == 0 {
            return Err(Failure(format!(
                "{sets_name}[{h}] has no action, or a parent that comes later"
            )));
        }
        let end = next.saturating_add(set.actions);
        let Some(actions) = p.numerators.get(next..end) else {
            return Err(Failure(format!(
                "{name} has {} entries, too few for {sets_name}[{h}]",
                p.numerators.len()
            )));
        };
        let sum: IBig = actions.iter().map(|v| &v.0).sum();
        if sum != p.numerators[set.parent].0 {
            return Err(Failure(format!(
                "{name}: the actions of {sets_name}[{h}] do not sum to their parent"
            )));
        }
        next = end;
    }
    if next != p.numerators.len() {
        return Err(Failure(format!(
            "{name} has {} entries, the game needs {next}",
            p.numerators.len()
        )));
    }
    Ok(())
}
