//! The sequence form: a game's payoff as a sparse matrix over both players' sequences.
//!
//! Koller, Megiddo and von Stengel, Efficient computation of equilibria for extensive two-person
//! games, 1996.

use super::game::Player;
use super::tree::{Move, Tree};
use super::treeplex::{Plan, Treeplex};
use crate::scalar::{Rational, Scalar, to_f64};
use crate::sparse::Sparse;
use crate::{BestReply, Error, Game, Result};
use std::collections::BTreeMap;

/// A game over plans: x' A y, with A(s, t) the sum over the terminal nodes that Max reaches by its
/// sequence s and Min by t of chance's probability times the payoff.
///
/// ```
/// use nashguard::extensive::{Plan, Player, SequenceForm};
/// use nashguard::exploit::{ClosedForm, Exploit};
/// # use nashguard::extensive::{ExtensiveGame, Tree, Turn};
/// # struct Pennies;
/// # impl ExtensiveGame for Pennies {
/// #     type State = Vec<usize>;
/// #     fn root(&self) -> Self::State { Vec::new() }
/// #     fn turn(&self, shown: &Self::State) -> Turn<Self::State> {
/// #         let player = match shown[..] {
/// #             [] => Player::Max,
/// #             [_] => Player::Min,
/// #             _ => return Turn::Terminal(if shown[0] == shown[1] { 1 } else { -1 }.into()),
/// #         };
/// #         let with = |side| [&shown[..], &[side]].concat();
/// #         let actions = vec![("heads".into(), with(0)), ("tails".into(), with(1))];
/// #         Turn::Decision { player, information: "to move".into(), actions }
/// #     }
/// # }
///
/// let form = SequenceForm::new(&Tree::new(&Pennies)?).to_f64()?;
/// let fair = Plan::uniform(form.side(Player::Max));
/// let biased = Plan::new(form.side(Player::Min), vec![1.0, 0.75, 0.25])?;
/// assert_eq!(ClosedForm.gap(&form, &fair, &biased)?.width, 0.5);
/// # Ok::<(), nashguard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceForm<T = f64> {
    sides: [Treeplex; 2],
    /// One line a sequence of Max.
    payoff: Sparse<T>,
    /// One line a sequence of Min.
    transposed: Sparse<T>,
}

impl SequenceForm<Rational> {
    /// The sequence form of `tree`, exactly.
    pub fn new(tree: &Tree) -> Self {
        Self::with_payoffs(tree, Rational::clone)
    }

    /// The sequence form of `tree` with other payoffs.
    pub(super) fn with_payoffs(tree: &Tree, other: impl Fn(&Rational) -> Rational) -> Self {
        let mut reach: Vec<Rational> = Vec::with_capacity(tree.nodes().len());
        let mut entries = BTreeMap::<(usize, usize), Rational>::new();
        for (k, node) in tree.nodes().iter().enumerate() {
            let reached = if k == 0 {
                Rational::ONE
            } else {
                match &tree.nodes()[node.parent].turn {
                    Move::Chance(outcomes) => &reach[node.parent] * &outcomes[node.branch].1,
                    _ => reach[node.parent].clone(),
                }
            };
            if let Move::Terminal(payoff) = &node.turn {
                let [s, t] = node.sequences;
                *entries.entry((s, t)).or_default() += &reached * other(payoff);
            }
            reach.push(reached);
        }
        entries.retain(|_, v| !v.is_zero());
        let sides = [tree.side(Player::Max).clone(), tree.side(Player::Min).clone()];
        let mut payoff = Sparse::new(sides[1].sequences());
        let mut entries = entries.into_iter().peekable();
        for s in 0..sides[0].sequences() {
            while let Some(((_, t), v)) = entries.next_if(|((row, _), _)| *row == s) {
                payoff.push(t, v);
            }
            payoff.end_line();
        }
        Self { transposed: payoff.transposed(), payoff, sides }
    }

    /// The nearest game over f64.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a payoff is beyond the largest f64.
    pub fn to_f64(&self) -> Result<SequenceForm> {
        let payoff = self.payoff.map(to_f64);
        if payoff.values().iter().any(|v| !v.is_finite()) {
            return Err(Error::invalid(
                "payoff",
                "number out of range of f64",
                "solve exactly, or divide all payoffs",
            ));
        }
        let transposed = self.transposed.map(to_f64);
        Ok(SequenceForm { sides: self.sides.clone(), payoff, transposed })
    }
}

impl<T: Scalar> SequenceForm<T> {
    /// A player's sequences and information sets.
    pub fn side(&self, player: Player) -> &Treeplex {
        &self.sides[player as usize]
    }

    /// A, one line a sequence of Max, one place a sequence of Min.
    pub fn payoffs(&self) -> &Sparse<T> {
        &self.payoff
    }

    /// A', one line a sequence of Min.
    pub fn transposed(&self) -> &Sparse<T> {
        &self.transposed
    }

    /// What each sequence of `player` earns against the opponent's plan: A y for Max, -A' x for Min.
    ///
    /// # Errors
    /// When the plan is not one of the opponent's.
    pub fn earnings(&self, player: Player, opponent: &Plan<T>) -> Result<Vec<T>> {
        let mut u = vec![T::zero(); self.side(player).sequences()];
        self.earnings_into(player, opponent, &mut u)?;
        Ok(u)
    }

    /// As [`SequenceForm::earnings`], into `u`.
    pub(super) fn earnings_into(
        &self,
        player: Player,
        opponent: &Plan<T>,
        u: &mut [T],
    ) -> Result<()> {
        match player {
            Player::Max => {
                self.check(Player::Min, opponent)?;
                times(&self.payoff, opponent.as_slice(), u);
            }
            Player::Min => {
                self.check(Player::Max, opponent)?;
                times(&self.transposed, opponent.as_slice(), u);
                u.iter_mut().for_each(|v| *v = -v.clone());
            }
        }
        Ok(())
    }

    fn check(&self, player: Player, plan: &Plan<T>) -> Result<()> {
        let (given, needed) = (plan.as_slice().len(), self.side(player).sequences());
        if given == needed {
            return Ok(());
        }
        Err(Error::invalid(
            format!("plan of {player}"),
            format!("it has {given} entries"),
            format!("this game needs {needed}"),
        ))
    }
}

/// A x into `product`, one number a line.
fn times<T: Scalar>(a: &Sparse<T>, x: &[T], product: &mut [T]) {
    for (i, sum) in product.iter_mut().enumerate() {
        *sum = a.pairs(i).fold(T::zero(), |sum, (j, v)| sum + v.clone() * &x[j]);
    }
}

impl<T: Scalar> Game for SequenceForm<T> {
    type Max = Plan<T>;
    type Min = Plan<T>;
    type Value = T;

    fn payoff(&self, x: &Plan<T>, y: &Plan<T>) -> Result<T> {
        self.check(Player::Max, x)?;
        Ok(T::dot(x.as_slice(), &self.earnings(Player::Max, y)?))
    }
}

impl<T: Scalar> BestReply for SequenceForm<T> {
    /// The pure plan found by backward induction; among equal actions the first.
    fn max_reply(&self, y: &Plan<T>) -> Result<Plan<T>> {
        Ok(self.side(Player::Max).best_reply(self.earnings(Player::Max, y)?))
    }

    /// The pure plan found by backward induction; among equal actions the first.
    fn min_reply(&self, x: &Plan<T>) -> Result<Plan<T>> {
        Ok(self.side(Player::Min).best_reply(self.earnings(Player::Min, x)?))
    }
}
