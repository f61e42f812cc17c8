//! Certificates: a game, two strategies and what they guarantee, checked without any solver.
//!
//! Every kind makes the same claim, in its game's own unit:
//!
//! > x guarantees the first player at least `value`, whatever the second does; y holds the first
//! > player to at most `value` + `gap`.
//!
//! So the game's value lies between the two, and (x, y) has a gap (NashConv, never halved) of at most
//! `gap`. An exact solution is the case `gap` = 0. All numbers are integers over common
//! denominators. Checks are comparisons of integers; where exp and log enter, of enclosures of them
//! by [`crate::interval`]. They know nothing of the rest of the crate; what makes certificates from
//! games and strategies stands apart, and need not be trusted. [`Certificate::to_coq`] hands the same
//! numbers to a checker that is itself proved right, in `proofs/`.
//!
//! ```
//! use nashguard::certificate::{Certificate, Matrix};
//! use nashguard::{matrix::MatrixGame, simplex::Simplex};
//!
//! let pennies = MatrixGame::new(vec![vec![1.0, -1.0], vec![-1.0, 1.0]])?.to_exact();
//! let fair = Simplex::new(vec![0.5, 0.5])?;
//! let certificate = Certificate::Matrix(Matrix::of(&pennies, &fair, &fair)?);
//! assert_eq!(certificate.check().unwrap().to_string(), "matrix game, 2 x 2: value 0 exactly");
//! let forged = certificate.to_json()?.replace(r#""value":"0""#, r#""value":"1/2""#);
//! let reason = Certificate::from_json(&forged)?.check().unwrap_err();
//! assert_eq!(reason.to_string(), "column 0: x gets 0, below the claimed 1/2");
//! # Ok::<(), nashguard::Error>(())
//! ```

mod coq;
mod extensive;
mod guard;
mod kl;
mod make;
mod matrix;
mod number;
mod regularised;

pub use coq::check_name;
pub use extensive::{Extensive, Infoset, Payoff};
pub use guard::{Anchor, Guard};
pub use matrix::Matrix;
pub use number::{Exact, Fractions, Integer, Table, readable};
pub use regularised::{Prior, Regularised};

use crate::json;
use crate::scalar::Rational;
use crate::{Error, Result};
use serde::Serialize;
use std::fmt;

/// A certificate of any kind of game.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Certificate {
    /// x' A y.
    Matrix(Matrix),
    /// x' A y with a KL term for either player.
    KlMatrix(Regularised),
    /// The generator-classifier game.
    Guard(Guard),
    /// An extensive game in sequence form.
    Extensive(Extensive),
}

/// What a valid certificate proves: the game's value is at least `value` and at most `gap` more.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// Kind and size of the game.
    pub game: String,
    /// What the first player's strategy guarantees.
    pub value: Rational,
    /// The bound on the gap; 0 for an exact solution.
    pub gap: Rational,
}

/// The first inequality that fails, with both its sides.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// What a check says.
pub type Verdict<T = Proven> = std::result::Result<T, Failure>;

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { game, value, gap } = self;
        if gap.is_zero() {
            return write!(f, "{game}: value {} exactly", readable(value));
        }
        let gap = number::decimal(gap, 4);
        write!(f, "{game}: value at least {}, gap at most {gap}", readable(value))
    }
}

impl Certificate {
    /// Checks every inequality.
    ///
    /// # Errors
    /// The first one that fails.
    pub fn check(&self) -> Verdict {
        match self {
            Self::Matrix(c) => c.check(),
            Self::KlMatrix(c) => c.check(),
            Self::Guard(c) => c.check(),
            Self::Extensive(c) => c.check(),
        }
    }

    /// Reads a certificate.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the JSON path, for anything that is not one. A false certificate is
    /// still a certificate: [`Certificate::check`] tells.
    pub fn from_json(text: &str) -> Result<Self> {
        let text = text.trim_start_matches('\u{feff}');
        match json::kind("certificate", text)?.as_str() {
            "matrix" => json::body(text).map(Self::Matrix),
            "kl-matrix" => json::body(text).map(Self::KlMatrix),
            "guard" => json::body(text).map(Self::Guard),
            "extensive" => json::body(text).map(Self::Extensive),
            other => Err(Error::invalid(
                "kind",
                format!("\"{other}\" is not a kind of certificate"),
                "write \"matrix\", \"kl-matrix\", \"guard\" or \"extensive\"",
            )),
        }
    }

    /// The certificate as one line of JSON.
    ///
    /// # Errors
    /// None that is known: numbers are strings.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|e| Error::invalid("certificate", e.to_string(), "report the game"))
    }
}
