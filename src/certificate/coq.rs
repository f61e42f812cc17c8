//! Certificates as Coq files: the game and the strategies as literals, and theorems about them that
//! the checkers of `proofs/`, proved right there, close by computation.

use super::extensive::{Extensive, Infoset};
use super::matrix::Matrix;
use super::number::{Fractions, Integer};
use super::{Certificate, Proven};
use crate::scalar::Rational;
use crate::{Error, Result};
use dashu_base::BitTest;
use dashu_int::IBig;

impl Certificate {
    /// The text of a .v file that states and proves what this certificate claims; every name in it
    /// starts with `name`. It compiles beside the files of `proofs/`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the certificate is invalid, or [`check_name`] refuses the name.
    pub fn to_coq(&self, name: &str) -> Result<String> {
        check_name(name)?;
        let proven = self.check().map_err(|reason| {
            Error::invalid("certificate", format!("invalid: {reason}"), "solve the game again")
        })?;
        let text = match self {
            Self::Matrix(c) => matrix(c, name),
            Self::Extensive(c) => extensive(c, name),
            _ => String::new(),
        };
        Ok(format!("{}\n{text}", comment(&proven)))
    }
}

/// That `name` can begin the names of Coq's definitions and theorems.
///
/// # Errors
/// [`Error::Invalid`] when it is not a lower-case letter followed by lower-case letters, digits and `_`.
pub fn check_name(name: &str) -> Result<()> {
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if first && name.chars().all(rest) {
        return Ok(());
    }
    Err(Error::invalid(
        format!("name {name:?}"),
        "theorems are not called by it",
        "take a lower-case letter and then lower-case letters, digits and _, as in rock_paper.v",
    ))
}

/// What the file says, in words.
fn comment(proven: &Proven) -> String {
    let claim = if proven.gap.is_zero() {
        "The strategies below are an equilibrium, and the game's value is the number below."
    } else {
        "The strategies below are an equilibrium up to the gap: what the two players could gain by \
         changing\n   theirs, each alone, is not more in sum."
    };
    let mut proven = proven.to_string();
    proven[..1].make_ascii_uppercase();
    format!("(* {proven}.\n   {claim} *)")
}

/// For `Matrix.v`.
fn matrix(c: &Matrix, name: &str) -> String {
    let cert = format!("{name}_certificate");
    let rows = c.payoff.rows.iter().map(|row| integers(row, 4));
    let rows = format!("[::\n    {}]", rows.collect::<Vec<_>>().join(";\n    "));
    let vector = |p: &Fractions| integers(&p.numerators, 2);
    let game = format!("(game {cert})");
    let strategies = format!("(row {cert}) (column {cert})");
    let (check, theorems) = if c.gap.0.is_zero() {
        let value = real(&c.value.0);
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
        let (low, gap) = (real(&c.value.0), real(&c.gap.0));
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
  payoff_rows := {rows};
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
        integer(c.payoff.over()),
        integer(c.x.over()),
        vector(&c.x),
        integer(c.y.over()),
        vector(&c.y),
        quotient(&c.value.0),
        quotient(&c.gap.0),
    )
}

/// For `SequenceForm.v`.
fn extensive(c: &Extensive, name: &str) -> String {
    let cert = format!("{name}_certificate");
    let infosets = |sets: &[Infoset]| {
        list(sets.iter().map(|set| format!("Infoset {} {}", set.parent, set.actions)), 2)
    };
    let entries = c.payoffs.iter();
    let entries =
        list(entries.map(|p| format!("Entry {} {} {}", p.row, p.column, operand(&p.amount.0))), 2);
    let fractions =
        |p: &Fractions| format!("Fractions {}%Z {}", integers(&p.numerators, 2), integer(p.over()));
    let (x, y) =
        (format!("(plan_of (row_plan {cert}))"), format!("(plan_of (column_plan {cert}))"));
    let (value, gap) = (real(&c.value.0), real(&c.gap.0));
    let theorems = if c.gap.0.is_zero() {
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
  of_game := {name}_game;
  row_plan := {};
  column_plan := {};
  value := {};
  gap := {}
|}}.

Lemma {name}_checked : check {cert} = true.
Proof. vm_cast_no_check (eq_refl true). Qed.

{theorems}",
        infosets(&c.rows),
        infosets(&c.columns),
        integer(&c.over.0),
        fractions(&c.x),
        fractions(&c.y),
        quotient(&c.value.0),
        quotient(&c.gap.0),
    )
}

/// A numeral; a long one in hexadecimal, which Coq reads in linear time.
fn integer(n: &IBig) -> String {
    const LONG: usize = 64;
    if n.bit_len() <= LONG { n.to_string() } else { format!("{n:#x}") }
}

/// A numeral that can be an argument.
fn operand(n: &IBig) -> String {
    if *n < IBig::ZERO { format!("({})", integer(n)) } else { integer(n) }
}

/// A number of Q.
fn quotient(v: &Rational) -> String {
    format!("{} # {}", integer(v.numerator()), integer(&v.denominator().clone().into()))
}

/// A real number that can be an argument.
fn real(v: &Rational) -> String {
    format!("({} / {})", operand(v.numerator()), integer(&v.denominator().clone().into()))
}

fn integers(numbers: &[Integer], indent: usize) -> String {
    list(numbers.iter().map(|n| integer(&n.0)), indent)
}

/// A list: on one line, or where it is long on lines of 100 characters, indented, of which only a term
/// makes a longer one.
fn list(terms: impl Iterator<Item = String>, indent: usize) -> String {
    const SHORT: usize = 80;
    const LONG: usize = 100;
    let terms: Vec<String> = terms.collect();
    let line = terms.join("; ");
    if line.len() <= SHORT {
        return format!("[:: {line}]").replace(" ]", "]");
    }
    let mut text = String::from("[::");
    let mut end = LONG;
    for (k, term) in terms.iter().enumerate() {
        text += if k > 0 { ";" } else { "" };
        if end + term.len() + 2 > LONG {
            text += &format!("\n{:1$}", "", indent + 1);
            end = indent + 1;
        }
        text += " ";
        text += term;
        end += term.len() + 2;
    }
    text + "]"
}
