//! For the checker of `proofs/KlGuard.v`.

use super::literal::{bits, claim, fractions, list, quotient, table};
use crate::certificate::{Anchor, Guard};
use crate::{Error, Result};

impl Guard {
    /// Definitions, theorems and their proofs.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a seed weighs nothing: the games of `proofs/Game.v` have none such.
    pub(super) fn to_coq(&self, name: &str) -> Result<String> {
        if let Some(i) = self.weight.iter().position(|rho| rho.is_zero()) {
            let remedy = "leave that seed out of the game and certify it again";
            return Err(Error::invalid(
                format!("weight[{i}]"),
                "it is 0, which the proofs exclude",
                remedy,
            ));
        }
        let cert = format!("{name}_certificate");
        let references: Vec<String> = self.reference.iter().map(fractions).collect();
        let real_data = |anchor: &Anchor| {
            format!("Some ({}, {})", quotient(&anchor.weight.0), table(&anchor.real))
        };
        let bits = bits(&self.value.0, &self.gap.0);
        let ((value, low), (claimed_gap, gap)) = (claim(&self.value.0), claim(&self.gap.0));
        Ok(format!(
            "\
From Coq Require Import ZArith QArith Reals.
From mathcomp Require Import ssreflect ssrbool seq.
From Nashguard Require Import Game KlBounds KlGuard.
Open Scope Z_scope.

Definition {cert} : certificate := {{|
  temperature := {};
  floor := {};
  labels := {};
  label_of := {}%nat;
  weights := {};
  references := [::
    {}];
  real_data := {};
  generator_table := {};
  classifier_table := {};
  claimed_value := {value};
  claimed_gap := {claimed_gap}
|}}.

Lemma {name}_game : is_game {cert}.
Proof. by vm_cast_no_check (eq_refl true). Qed.

Lemma {name}_checked : check {bits} {cert}.
Proof. by vm_cast_no_check (eq_refl true). Qed.

Theorem {name}_value :
  forall p q, nash (class_of {name}_game) p q ->
    ({low} <= payoff p q <= {low} + {gap})%R.
Proof. exact: (check_nash {name}_game {name}_checked). Qed.

Theorem {name}_gap :
  forall e,
    exploitability (class_of {name}_game) (generator_of {name}_game) (classifier_of {name}_game) e ->
    (e <= {gap})%R.
Proof. exact: (check_gap {name}_game {name}_checked). Qed.
",
            quotient(&self.beta.0),
            quotient(&self.gamma.0),
            self.labels,
            list(self.label.iter().map(usize::to_string), 2),
            fractions(&self.weight),
            references.join(";\n    "),
            self.anchor.as_ref().map_or("None".into(), real_data),
            table(&self.p),
            table(&self.q),
        ))
    }
}
