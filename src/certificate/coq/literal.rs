//! Numbers, vectors and tables as Coq writes them.

use crate::certificate::{Fractions, Integer, Table};
use crate::scalar::Rational;
use dashu_base::{Abs, BitTest};
use dashu_int::IBig;

/// A numeral; a long one in hexadecimal, which Coq reads in linear time.
pub(super) fn integer(n: &IBig) -> String {
    const LONG: usize = 64;
    if n.bit_len() <= LONG { n.to_string() } else { format!("{n:#x}") }
}

/// A numeral that can be an argument.
pub(super) fn operand(n: &IBig) -> String {
    if *n < IBig::ZERO { format!("({})", integer(n)) } else { integer(n) }
}

/// A number of Q.
pub(super) fn quotient(v: &Rational) -> String {
    format!("{} # {}", integer(v.numerator()), integer(&v.denominator().clone().into()))
}

/// A real number that can be an argument.
pub(super) fn real(v: &Rational) -> String {
    format!("({} / {})", operand(v.numerator()), integer(&v.denominator().clone().into()))
}

pub(super) fn integers(numbers: &[Integer], indent: usize) -> String {
    list(numbers.iter().map(|n| integer(&n.0)), indent)
}

/// A list: on one line, or where it is long on lines of 100 characters, indented, of which only a term
/// makes a longer one.
pub(super) fn list(terms: impl Iterator<Item = String>, indent: usize) -> String {
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

pub(super) fn fractions(p: &Fractions) -> String {
    format!("Fractions {} {}", integer(p.over()), integers(&p.numerators, 4))
}

/// The rows of a table, one a line.
pub(super) fn rows(table: &Table) -> String {
    let rows: Vec<String> = table.rows.iter().map(|row| integers(row, 4)).collect();
    format!("[::\n    {}]", rows.join(";\n    "))
}

pub(super) fn table(table: &Table) -> String {
    format!("Table {} {}", integer(table.over()), rows(table))
}

/// A number as an element of Q and as the real that Coq computes from it: a decimal if it is a short
/// one, which Coq reads as the same fraction in both.
pub(super) fn claim(v: &Rational) -> (String, String) {
    const PLACES: usize = 40;
    let scaled = |k: usize| v * Rational::from(IBig::from(10).pow(k));
    let Some(k) = (1..=PLACES).find(|&k| scaled(k).is_int()) else {
        return (quotient(v), real(v));
    };
    let sign = if *v < Rational::ZERO { "-" } else { "" };
    let digits = scaled(k).numerator().abs().to_string();
    let digits = format!("{digits:0>width$}", width = k + 1);
    let (whole, part) = digits.split_at(digits.len() - k);
    let decimal = format!("{sign}{whole}.{part}");
    let real = if sign.is_empty() { decimal.clone() } else { format!("({decimal})") };
    (decimal, real)
}
