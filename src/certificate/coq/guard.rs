//! For the checker of `proofs/KlGuard.v`.

use super::literal::{claim, fractions, list, quotient, table};
use super::precision::{Sizes, bits, check_range, log2, widest, width};
use crate::certificate::{Anchor, Fractions, Guard, Table};
use crate::interval::Precision;
use crate::scalar::Rational;
use crate::{Error, Result};
use dashu_base::BitTest;

impl Guard {
    /// Definitions, theorems and their proofs.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a seed weighs nothing: the games of `proofs/Game.v` have none such; or
    /// when Coq cannot compute the bounds.
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
        self.check_exponentials()?;
        let bits = bits(|at| self.bounds(at), (&self.value.0, &self.gap.0), &self.sizes())?;
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

Theorem {name}_guarantees :
  guarantees (class_of {name}_game) (generator_of {name}_game) {low}%R /\\
  concedes (class_of {name}_game) (classifier_of {name}_game) ({low} + {gap})%R.
Proof. exact: (check_sound {name}_game {name}_checked). Qed.

Theorem {name}_gap :
  eps_nash (class_of {name}_game) (generator_of {name}_game) (classifier_of {name}_game) {gap}%R.
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

    fn sizes(&self) -> Sizes {
        let none = Rational::ZERO;
        let lambda = self.anchor.as_ref().map_or(&none, |a| &a.weight.0);
        let real = self.anchor.iter().flat_map(|a| a.real.integers());
        let weights = [&self.beta.0, &self.gamma.0, lambda, &self.value.0, &self.gap.0];
        let tables = [&self.p, &self.q].into_iter().flat_map(Table::integers).chain(real);
        let vectors = self.reference.iter().chain([&self.weight]).flat_map(Fractions::integers);
        let widest =
            widest(tables.chain(vectors)).max(weights.map(width).into_iter().max().unwrap_or(0));
        // Of nats: what logarithms are multiplied by, and the multiplier of a row held by the floor.
        let free = Rational::ONE - &self.gamma.0 * Rational::from(self.labels - 1);
        let one = Rational::ONE;
        let factor = &one + lambda + &self.beta.0 + &one / &self.beta.0 + (&one + lambda) / free;
        let log = (2 * widest).bit_len();
        let terms = self.label.len() * self.p.rows[0].len() * self.labels;
        Sizes { log2: log2(&self.value.0).max(log2(&factor) + log), widest, terms }
    }

    /// That the exponentials of V(q), those of -log q(y|z) / beta, can be added.
    fn check_exponentials(&self) -> Result<()> {
        let (seeds, texts) = (self.label.len(), self.q.rows.len());
        let at = Precision::new(64);
        for y in 0..self.labels {
            let live = || (0..texts).filter(|z| self.reached(y, *z)).map(|z| self.q.at(z, y));
            let (Some(most), Some(least)) = (live().max(), live().min()) else { continue };
            if let Some(spread) = at.ln_ratio(most, least) {
                check_range(
                    "beta",
                    &(spread.high() * Rational::from(seeds * texts)),
                    &self.beta.0,
                )?;
            }
        }
        Ok(())
    }
}
