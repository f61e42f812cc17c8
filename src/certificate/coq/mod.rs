//! Certificates as Coq files: the game and the strategies as literals, and theorems about them that
//! the checkers of `proofs/`, proved right there, close by computation.

mod extensive;
mod guard;
mod literal;
mod matrix;
mod precision;
mod regularised;

use super::{Certificate, Proven};
use crate::{Error, Result};

impl Certificate {
    /// The text of a .v file that states and proves what this certificate claims; every name in it
    /// starts with `name`. It compiles beside the files of `proofs/`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the certificate is invalid, when [`check_name`] refuses the name, or when
    /// the certificate is beyond Coq: numbers of more than 16,384 bits, temperatures so small that
    /// exponentials of payoffs over them fill its memory, seeds that weigh nothing.
    pub fn to_coq(&self, name: &str) -> Result<String> {
        check_name(name)?;
        let proven = self.check().map_err(|reason| {
            Error::invalid("certificate", format!("invalid: {reason}"), "solve the game again")
        })?;
        let text = match self {
            Self::Matrix(c) => c.to_coq(name),
            Self::Extensive(c) => c.to_coq(name),
            Self::Guard(c) => c.to_coq(name)?,
            Self::KlMatrix(c) => c.to_coq(name)?,
        };
        if longest_numeral(&text) > 2 + LONGEST / 4 {
            return Err(Error::invalid(
                "certificate",
                format!("it has numbers of more than {LONGEST} bits, which Coq does not read"),
                "round the game's numbers, or have `nashguard verify` check the certificate instead",
            ));
        }
        Ok(format!("{}\n{text}", comment(&proven)))
    }
}

/// The bits of the longest integer written: from some 20,000 on Coq's parser overflows its stack.
const LONGEST: usize = 16_384;

/// The length of the longest numeral in a text; decimals are short ones.
fn longest_numeral(text: &str) -> usize {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let numerals = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    numerals.map(str::len).max().unwrap_or_default()
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
