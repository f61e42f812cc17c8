//! For the checker of `proofs/Matrix.v`.

use super::literal::{integer, integers, quotient, real, rows};
use crate::certificate::{Fractions, Matrix};

impl Matrix {
    /// Definitions, theorems and their proofs.
    pub(super) fn to_coq(&self, name: &str) -> String {
        let cert = format!("{name}_certificate");
        let vector = |p: &Fractions| integers(&p.numerators, 2);
        let game = format!("(game {cert})");
        let strategies = format!("(row {cert}) (column {cert})");
        let (check, theorems) = if self.gap.0.is_zero() {
            let value = real(&self.value.0);
            let theorems = format!(
                "\
Theorem {name}_value :
  is_value {game} {value}%R.
Proof. exact: (proj2 (check_exact_sound _ {name}_checked)). Qed.

Theorem {name}_equilibrium :
  nash {game}
    {strategies}.
Proof. exact: (proj1 (check_exact_sound _ {name}_checked)). Qed.
"
            );
            ("check_exact", theorems)
        } else {
            let (low, gap) = (real(&self.value.0), real(&self.gap.0));
            let theorems = format!(
                "\
Theorem {name}_value :
  forall v, is_value {game} v -> ({low} <= v <= {low} + {gap})%R.
Proof. exact: (proj2 (check_sound _ {name}_checked)). Qed.

Theorem {name}_gap :
  eps_nash {game}
    {strategies}
    {gap}%R.
Proof. exact: (proj1 (check_sound _ {name}_checked)). Qed.
"
            );
            ("check", theorems)
        };
        format!(
            "\
From Coq Require Import QArith Reals.
From mathcomp Require Import ssreflect ssrbool seq fintype.
From Nashguard Require Import Matrix.
Open Scope Z_scope.

Definition {cert} : certificate := {{|
  payoff_over := {};
  payoff_rows := {};
  row_over := {};
  row_numerators := {};
  column_over := {};
  column_numerators := {};
  claimed_value := {};
  claimed_gap := {}
|}}.

Lemma {name}_checked : {check} {cert}.
Proof. by vm_cast_no_check (eq_refl true). Qed.

{theorems}",
            integer(self.payoff.over()),
            rows(&self.payoff),
            integer(self.x.over()),
            vector(&self.x),
            integer(self.y.over()),
            vector(&self.y),
            quotient(&self.value.0),
            quotient(&self.gap.0),
        )
    }
}
