//! For the checker of `proofs/KlMatrix.v`.

use super::literal::{claim, fractions, quotient, table};
use super::precision::{Sizes, bits, check_range, log2, widest, width};
use crate::Result;
use crate::certificate::number::ratio;
use crate::certificate::{Fractions, Prior, Regularised};
use dashu_base::{Abs, BitTest};
use dashu_int::IBig;

impl Regularised {
    /// Definitions, theorems and their proofs.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) when Coq cannot compute the bounds.
    pub(super) fn to_coq(&self, name: &str) -> Result<String> {
        let cert = format!("{name}_certificate");
        let game = format!("(game_of {name}_game)");
        let attraction = |player: &Prior| {
            let (reference, temperature) = (fractions(&player.reference), &player.temperature.0);
            format!("Attraction ({reference}) ({})", quotient(temperature))
        };
        self.check_exponentials()?;
        let bits = bits(|at| self.bounds(at), (&self.value.0, &self.gap.0), &self.sizes())?;
        let ((value, low), (claimed_gap, gap)) = (claim(&self.value.0), claim(&self.gap.0));
        Ok(format!(
            "\
From Coq Require Import ZArith QArith Reals.
From mathcomp Require Import ssreflect ssrbool seq.
From Nashguard Require Import KlBounds KlMatrix.
Open Scope Z_scope.

Definition {cert} : certificate := {{|
  payoff_table := {};
  row_attraction := {};
  column_attraction := {};
  row_strategy := {};
  column_strategy := {};
  claimed_value := {value};
  claimed_gap := {claimed_gap}
|}}.

Lemma {name}_game : is_game {cert}.
Proof. by vm_cast_no_check (eq_refl true). Qed.

Lemma {name}_checked : check {bits} {cert}.
Proof. by vm_cast_no_check (eq_refl true). Qed.

Theorem {name}_value :
  forall x y, nash {game} x y ->
    ({low} <= payoff {game} x y <= {low} + {gap})%R.
Proof. exact: (check_nash {name}_game {name}_checked). Qed.

Theorem {name}_guarantees :
  guarantees {game} (x_of {name}_game) {low}%R /\\ concedes {game} (y_of {name}_game) ({low} + {gap})%R.
Proof. exact: (check_sound {name}_game {name}_checked). Qed.

Theorem {name}_gap :
  eps_nash {game} (x_of {name}_game) (y_of {name}_game) {gap}%R.
Proof. exact: (check_gap {name}_game {name}_checked). Qed.
",
            table(&self.payoff),
            attraction(&self.row),
            attraction(&self.column),
            fractions(&self.x),
            fractions(&self.y),
        ))
    }

    fn sizes(&self) -> Sizes {
        let payoffs = self.payoff.rows.iter().flatten().map(|v| (&v.0).abs());
        let largest = ratio(&payoffs.max().unwrap_or_default(), self.payoff.over());
        let priors = [&self.row, &self.column];
        let vectors = [&self.x, &self.y, &self.row.reference, &self.column.reference];
        let integers =
            self.payoff.integers().chain(vectors.into_iter().flat_map(Fractions::integers));
        let [s, t] = priors.map(|player| &player.temperature.0);
        let numbers = [s, t, &self.value.0, &self.gap.0].map(width);
        let widest = numbers.into_iter().fold(widest(integers), usize::max);
        // What logarithms are multiplied by, and the arguments of exp.
        let log = (2 * widest).bit_len();
        let mut log2s = log2(&self.value.0).max(log2(&largest)).max(log2(&(s + t)) + log);
        for t in [s, t].into_iter().filter(|t| !t.is_zero()) {
            log2s = log2s.max(log2(&(&largest / t)));
        }
        Sizes { log2: log2s, widest, terms: self.payoff.rows.len() + self.y.numerators.len() }
    }

    /// That the exponentials of payoffs over temperatures can be added.
    fn check_exponentials(&self) -> Result<()> {
        let (a, x, y) = (&self.payoff, &self.x, &self.y);
        let against = |i| y.iter().enumerate().map(|(j, y)| a.at(i, j) * y).sum::<IBig>();
        let earned = |j| -x.iter().enumerate().map(|(i, x)| x * a.at(i, j)).sum::<IBig>();
        let gains: Vec<IBig> = (0..x.numerators.len()).map(against).collect();
        let losses: Vec<IBig> = (0..y.numerators.len()).map(earned).collect();
        for (place, player, utility, opponent) in [
            ("row.temperature", &self.row, gains, y),
            ("column.temperature", &self.column, losses, x),
        ] {
            let live = || utility.iter().zip(player.reference.iter()).filter(|(_, r)| !r.is_zero());
            let live = || live().map(|(u, _)| u);
            let (Some(most), Some(least)) = (live().max(), live().min()) else { continue };
            // The terms are aligned with one another, and a sum below 1 with 1.
            let range = (most - least) * utility.len() - most.min(&IBig::ZERO) * 2;
            let range = ratio(&range, &(opponent.over() * a.over()));
            let temperature = &player.temperature.0;
            if !temperature.is_zero() {
                check_range(place, &range, temperature)?;
            }
        }
        Ok(())
    }
}
