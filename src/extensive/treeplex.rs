//! One player's side of a game: its sequences of moves, its information sets, and its plans.
//!
//! Von Stengel, Efficient computation of behavior strategies, 1996 (sequences, realisation plans);
//! Hoda, Gilpin, Peña and Sandholm, Smoothing techniques for computing Nash equilibria of sequential
//! games, 2010 (treeplex).

use crate::scalar::{Rational, Scalar};
use crate::simplex::Simplex;
use crate::{Error, Result};
use std::ops::Range;

/// The nodes a player cannot tell apart, and its moves there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InformationSet {
    /// What the player knows, as the game words it.
    pub name: String,
    /// Its moves, in the order of their sequences.
    pub actions: Vec<String>,
    /// The player's last sequence before the set; 0 when it has not moved yet.
    pub parent: usize,
    /// The sequence that ends with the first action.
    pub first: usize,
}

impl InformationSet {
    /// The sequences that end in this set, one an action.
    pub fn sequences(&self) -> Range<usize> {
        self.first..self.first + self.actions.len()
    }
}

/// One player's sequences and information sets.
///
/// Sequence 0 is the empty one; every other ends with one action of one information set. Sets come
/// after the sets of their parent sequences, and a set's sequences are consecutive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Treeplex {
    information_sets: Vec<InformationSet>,
}

impl Treeplex {
    /// The information sets, parents before children.
    pub fn information_sets(&self) -> &[InformationSet] {
        &self.information_sets
    }

    /// How many sequences there are, the empty one included.
    pub fn sequences(&self) -> usize {
        self.information_sets.last().map_or(1, |last| last.sequences().end)
    }

    /// Adds a set after the sequence `parent`.
    pub(super) fn push(&mut self, name: String, actions: Vec<String>, parent: usize) -> usize {
        let first = self.sequences();
        self.information_sets.push(InformationSet { name, actions, parent, first });
        self.information_sets.len() - 1
    }

    /// The pure plan that maximises sum_s u_s x_s, by backward induction; among equal actions the
    /// first. Sets that the plan itself does not reach have no part in it.
    pub(super) fn best_reply<T: Scalar>(&self, mut u: Vec<T>) -> Plan<T> {
        let mut choice = vec![0; self.information_sets.len()];
        for (choice, set) in choice.iter_mut().zip(&self.information_sets).rev() {
            let better = |best: usize, s: usize| if u[s] > u[best] { s } else { best };
            *choice = set.sequences().fold(set.first, better);
            u[set.parent] = u[set.parent].clone() + &u[*choice];
        }
        let mut plan = vec![T::zero(); self.sequences()];
        plan[0] = T::one();
        for (choice, set) in choice.into_iter().zip(&self.information_sets) {
            plan[choice] = plan[set.parent].clone();
        }
        Plan(plan)
    }
}

/// A realisation plan: for each sequence of one player, the product of that player's probabilities
/// along it. The plan of the empty sequence is 1, and the plans of a set's sequences are not negative
/// and sum to the plan of the set's parent.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<T = f64>(Vec<T>);

impl<T: Scalar> Plan<T> {
    /// Checks one number a sequence of `side`. Over f64 a set's sum may miss its parent by
    /// [`SUM_TOLERANCE`](crate::simplex::SUM_TOLERANCE) and is mended; rationals must add up exactly.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong length, a negative or non-finite number, a first number that is
    /// not 1, or a set whose numbers do not sum to its parent's.
    pub fn new(side: &Treeplex, mut values: Vec<T>) -> Result<Self> {
        if values.len() != side.sequences() {
            return Err(Error::invalid(
                "plan",
                format!("it has {} entries", values.len()),
                format!("this player has {} sequences", side.sequences()),
            ));
        }
        if let Some(s) = values.iter().position(|v| !(v.is_finite() && *v >= T::zero())) {
            return Err(Error::invalid(
                format!("plan[{s}]"),
                format!("{} is not a probability", values[s]),
                "give a finite number that is not negative",
            ));
        }
        let equal = |a: &T, b: &T| T::close_sum("", &mut [], &(T::one() + a - b)).is_ok();
        if !equal(&values[0], &T::one()) {
            return Err(Error::invalid(
                "plan[0]",
                format!("{} is not the probability of having made no move", values[0]),
                "write 1",
            ));
        }
        values[0] = T::one();
        for set in &side.information_sets {
            let parent = values[set.parent].clone();
            let moves = &mut values[set.sequences()];
            let sum = moves.iter().fold(T::zero(), |sum, v| sum + v);
            if !equal(&sum, &parent) {
                return Err(Error::invalid(
                    format!("plan at information set {:?}", set.name),
                    format!("the moves sum to {sum}, the sequence before them to {parent}"),
                    "make them equal",
                ));
            }
            if sum != parent {
                spread(moves, &parent, &sum);
            }
        }
        Ok(Self(values))
    }

    /// The plan of a behaviour strategy: one distribution an information set of `side`, in order.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a distribution is missing, too many or of another length.
    pub fn from_behaviour(side: &Treeplex, behaviour: &[Simplex<T>]) -> Result<Self> {
        if behaviour.len() != side.information_sets.len() {
            return Err(Error::invalid(
                "behaviour strategy",
                format!("it has {} distributions", behaviour.len()),
                format!("this player has {} information sets", side.information_sets.len()),
            ));
        }
        let mut plan = vec![T::zero(); side.sequences()];
        plan[0] = T::one();
        for (set, p) in side.information_sets.iter().zip(behaviour) {
            if p.as_slice().len() != set.actions.len() {
                return Err(Error::invalid(
                    format!("behaviour strategy at information set {:?}", set.name),
                    format!("it has {} probabilities", p.as_slice().len()),
                    format!("there are {} actions", set.actions.len()),
                ));
            }
            for (s, p) in set.sequences().zip(p.as_slice()) {
                plan[s] = plan[set.parent].clone() * p;
            }
        }
        Ok(Self(plan))
    }

    /// The plan that plays every action of every set with the same probability.
    pub fn uniform(side: &Treeplex) -> Self {
        let mut plan = vec![T::zero(); side.sequences()];
        plan[0] = T::one();
        for set in &side.information_sets {
            let parent = plan[set.parent].clone();
            spread(&mut plan[set.sequences()], &parent, &T::zero());
        }
        Self(plan)
    }

    /// The plan with the same proportions within every set as `values`, one non-negative number a
    /// sequence.
    pub(super) fn scaled(side: &Treeplex, mut values: Vec<T>) -> Self {
        values[0] = T::one();
        for set in &side.information_sets {
            let parent = values[set.parent].clone();
            let moves = &mut values[set.sequences()];
            let sum = moves.iter().fold(T::zero(), |sum, v| sum + v);
            if sum != parent {
                spread(moves, &parent, &sum);
            }
        }
        Self(values)
    }

    /// A plan known to be one.
    pub(super) fn trusted(values: Vec<T>) -> Self {
        Self(values)
    }

    /// One number a sequence.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The behaviour strategy: one distribution an information set of `side`, in order; uniform in
    /// sets that the plan does not reach.
    ///
    /// # Errors
    /// When the plan is not one of `side`.
    pub fn behaviour(&self, side: &Treeplex) -> Result<Vec<Simplex<T>>> {
        if self.0.len() != side.sequences() {
            return Err(Error::invalid(
                "plan",
                format!("it has {} entries", self.0.len()),
                format!("this player has {} sequences", side.sequences()),
            ));
        }
        let distribution = |set: &InformationSet| {
            let mut p = self.0[set.sequences()].to_vec();
            let sum = p.iter().fold(T::zero(), |sum, v| sum + v);
            spread(&mut p, &T::one(), &sum);
            Simplex::new(p)
        };
        side.information_sets.iter().map(distribution).collect()
    }
}

impl Plan<f64> {
    /// A plan of `side` over the rationals within rounding of this one: the doubles themselves, except
    /// that in every set the largest makes up what the others leave of the parent. Its exact gap is a
    /// proof, which a gap computed in f64 is not.
    ///
    /// # Errors
    /// When the plan is not one of `side`.
    pub fn to_exact(&self, side: &Treeplex) -> Result<Plan<Rational>> {
        let mut values = self.0.iter().map(Scalar::to_exact).collect::<Result<Vec<_>>>()?;
        if values.len() == side.sequences() {
            values[0] = Rational::ONE;
            for set in &side.information_sets {
                let parent = values[set.parent].clone();
                let moves = &mut values[set.sequences()];
                let sum = moves.iter().fold(Rational::ZERO, |sum, v| sum + v);
                let largest = moves.iter_mut().max();
                match largest.filter(|v| **v >= &sum - &parent) {
                    Some(largest) => *largest += parent - sum,
                    // Rounding left less for the parent than for its moves.
                    None => spread(moves, &parent, &sum),
                }
            }
        }
        Plan::new(side, values)
    }
}

/// Scales numbers that add up to `sum` so that they add up to `total`; shares it equally when `sum`
/// is 0.
fn spread<T: Scalar>(values: &mut [T], total: &T, sum: &T) {
    if *sum > T::zero() {
        // Divided first: the quotient is at most 1, whatever the scale.
        values.iter_mut().for_each(|v| *v = v.clone() / sum * total);
    } else {
        let count = values.iter().fold(T::zero(), |n, _| n + T::one());
        values.iter_mut().for_each(|v| *v = total.clone() / &count);
    }
}
