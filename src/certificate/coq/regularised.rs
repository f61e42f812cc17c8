//! For the checker of `proofs/KlMatrix.v`.

use super::literal::{bits, claim, fractions, quotient, table};
use crate::certificate::{Prior, Regularised};
use crate::scalar::Rational;
use dashu_base::Abs;

impl Regularised {
    /// Definitions, theorems and their proofs.
    pub(super) fn to_coq(&self, name: &str) -> String {
        let cert = format!("{name}_certificate");
        let game = format!("(game_of {name}_game)");
        let attraction = |player: &Prior| {
            let (reference, temperature) = (fractions(&player.reference), &player.temperature.0);
            format!("Attraction ({reference}) ({})", quotient(temperature))
        };
        let payoffs = self.payoff.rows.iter().flatten().map(|v| (&v.0).abs());
        let largest = Rational::from(payoffs.max().unwrap_or_default());
        let largest = largest / Rational::from(self.payoff.over().clone());
        let bits = bits(&self.value.0.clone().abs().max(largest), &self.gap.0);
        let ((value, low), (claimed_gap, gap)) = (claim(&self.value.0), claim(&self.gap.0));
        format!(
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

Theorem {name}_gap :
  eps_nash {game} (x_of {name}_game) (y_of {name}_game) {gap}%R.
Proof. exact: (check_gap {name}_game {name}_checked). Qed.
",
            table(&self.payoff),
            attraction(&self.row),
            attraction(&self.column),
            fractions(&self.x),
            fractions(&self.y),
        )
    }
}
