//! For the checker of `proofs/SequenceForm.v`.

use super::literal::{integer, integers, list, operand, quotient, real};
use crate::certificate::{Extensive, Fractions, Infoset};

impl Extensive {
    /// Definitions, theorems and their proofs.
    pub(super) fn to_coq(&self, name: &str) -> String {
        let cert = format!("{name}_certificate");
        let infosets = |sets: &[Infoset]| {
            list(sets.iter().map(|set| format!("Infoset {} {}", set.parent, set.actions)), 2)
        };
        let entries = self.payoffs.iter();
        let entries = list(
            entries.map(|p| format!("Entry {} {} {}", p.row, p.column, operand(&p.amount.0))),
            2,
        );
        let fractions = |p: &Fractions| {
            format!("Fractions {}%Z {}", integers(&p.numerators, 2), integer(p.over()))
        };
        let (x, y) =
            (format!("(plan_of (row_plan {cert}))"), format!("(plan_of (column_plan {cert}))"));
        let (value, gap) = (real(&self.value.0), real(&self.gap.0));
        let theorems = if self.gap.0.is_zero() {
            format!(
                "\
Theorem {name}_value :
  value_of {name}_game {value}%R.
Proof. exact (check_value {cert} {name}_checked eq_refl). Qed.

Theorem {name}_equilibrium :
  equilibrium {name}_game
    {x}
    {y}.
Proof. exact (proj1 (check_exact {cert} {name}_checked eq_refl)). Qed.
"
            )
        } else {
            format!(
                "\
Theorem {name}_guarantees :
  guarantees {name}_game {x} {value}%R.
Proof. exact (proj1 (check_sound {cert} {name}_checked)). Qed.

Theorem {name}_gap :
  gap_at_most {name}_game
    {x}
    {y}
    {gap}%R.
Proof. exact (check_gap {cert} {name}_checked). Qed.
"
            )
        };
        format!(
            "\
From mathcomp Require Import ssreflect seq.
From Coq Require Import ZArith QArith Reals.
From Nashguard Require Import SequenceForm.

Definition {name}_game : game := {{|
  rows := {};
  columns := {};
  entries := {entries};
  over := {}
|}}.

Definition {cert} : certificate := {{|
  SequenceForm.of_game := {name}_game;
  row_plan := {};
  column_plan := {};
  value := {};
  gap := {}
|}}.

Lemma {name}_checked : check {cert} = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

{theorems}",
            infosets(&self.rows),
            infosets(&self.columns),
            integer(&self.over.0),
            fractions(&self.x),
            fractions(&self.y),
            quotient(&self.value.0),
            quotient(&self.gap.0),
        )
    }
}
