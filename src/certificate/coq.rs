//! Certificates as Coq files: the game and the strategies as literals, and theorems about them that
//! the checkers of `proofs/`, proved right there, close by computation.

use super::extensive::{Extensive, Infoset};
use super::guard::{Anchor, Guard};
use super::matrix::Matrix;
use super::number::{Fractions, Integer, Table};
use super::{Certificate, Proven};
use crate::scalar::Rational;
use crate::{Error, Result};
use dashu_base::{Abs, BitTest};
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
            Self::Guard(c) => guard(c, name)?,
            Self::KlMatrix(_) => String::new(),
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
    let vector = |p: &Fractions| integers(&p.numerators, 2);
    let game = format!("(game {cert})");
    let strategies = format!("(row {cert}) (column {cert})");
    let (check, theorems) = if c.gap.0.is_zero() {
        let value = real_number(&c.value.0);
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
        let (low, gap) = (real_number(&c.value.0), real_number(&c.gap.0));
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
        integer(c.payoff.over()),
        rows(&c.payoff),
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
    let (value, gap) = (real_number(&c.value.0), real_number(&c.gap.0));
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

/// For `KlGuard.v`.
fn guard(c: &Guard, name: &str) -> Result<String> {
    if let Some(i) = c.weight.iter().position(|rho| rho.is_zero()) {
        let remedy = "leave that seed out of the game and certify it again";
        return Err(Error::invalid(
            format!("weight[{i}]"),
            "it is 0, and Coq's seeds weigh",
            remedy,
        ));
    }
    let cert = format!("{name}_certificate");
    let fractions =
        |p: &Fractions| format!("Fractions {} {}", integer(p.over()), integers(&p.numerators, 4));
    let references: Vec<String> = c.reference.iter().map(fractions).collect();
    let real =
        |anchor: &Anchor| format!("Some ({}, {})", quotient(&anchor.weight.0), table(&anchor.real));
    let bits = bits(&c.value.0, &c.gap.0);
    let ((value, low), (claimed_gap, gap)) = (claim(&c.value.0), claim(&c.gap.0));
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
        quotient(&c.beta.0),
        quotient(&c.gamma.0),
        c.labels,
        list(c.label.iter().map(usize::to_string), 2),
        fractions(&c.weight),
        references.join(";\n    "),
        c.anchor.as_ref().map_or("None".into(), real),
        table(&c.p),
        table(&c.q),
    ))
}

/// A precision at which Coq's interval arithmetic tells the claim from a false one: 40 bits beyond the
/// ratio of gap and value.
fn bits(value: &Rational, gap: &Rational) -> usize {
    let log2 = |v: &Rational| v.numerator().bit_len() as i64 - v.denominator().bit_len() as i64;
    let ratio = log2(value).max(0) + 1 - log2(gap) + 1;
    usize::try_from(40 + ratio).map_or(60, |bits| bits.max(60))
}

/// A number as an element of Q and as the real that Coq computes from it: a decimal if it is a short
/// one, which Coq reads as the same fraction in both.
fn claim(v: &Rational) -> (String, String) {
    const PLACES: usize = 40;
    let scaled = |k: usize| v * Rational::from(IBig::from(10).pow(k));
    let Some(k) = (1..=PLACES).find(|&k| scaled(k).is_int()) else {
        return (quotient(v), real_number(v));
    };
    let sign = if *v < Rational::ZERO { "-" } else { "" };
    let digits = scaled(k).numerator().abs().to_string();
    let digits = format!("{digits:0>width$}", width = k + 1);
    let (whole, part) = digits.split_at(digits.len() - k);
    let decimal = format!("{sign}{whole}.{part}");
    let real = if sign.is_empty() { decimal.clone() } else { format!("({decimal})") };
    (decimal, real)
}

/// The rows of a table, one a line.
fn rows(table: &Table) -> String {
    let rows: Vec<String> = table.rows.iter().map(|row| integers(row, 4)).collect();
    format!("[::\n    {}]", rows.join(";\n    "))
}

fn table(table: &Table) -> String {
    format!("Table {} {}", integer(table.over()), rows(table))
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
fn real_number(v: &Rational) -> String {
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
