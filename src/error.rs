//! The one error type: every variant names the place and the way out.

use std::path::{Path, PathBuf};

/// What can go wrong. Messages are one sentence: place, problem, way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value or a file's content breaks a rule of its definition.
    #[error("{place}: {problem}; {remedy}")]
    Invalid {
        /// Where: a field or JSON path, a file and line.
        place: String,
        /// What is wrong there.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// The operating system refused to read or write a file.
    #[error("cannot {action} {}: {source}; check that the path exists and is permitted", path.display())]
    Io {
        /// "read", "write", ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An iterative solver stopped above the tolerance: there is no answer.
    #[error(
        "not solved: the gap is {gap:e} after {iterations} iterations, above the tolerance {tol:e}; {remedy}"
    )]
    NotSolved {
        /// The gap of the last iterate: in nats (guard games), relative to the payoffs' spread (matrix and
        /// extensive games) or in payoff units (games with KL terms).
        gap: f64,
        /// The tolerance asked for, same unit.
        tol: f64,
        /// Iterations spent.
        iterations: usize,
        /// What to try.
        remedy: String,
    },
    /// A tensor operation of the neural half failed.
    #[cfg(feature = "neural")]
    #[error("neural network: {0}; this is a defect of nashguard, please report it")]
    Tensor(#[from] candle_core::Error),
}

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Invalid`].
    pub fn invalid(
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Invalid { place: place.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// An [`Error::Io`].
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.as_ref().to_path_buf(), source }
    }

    /// The same error with `outer` put before the place of an [`Error::Invalid`] (for example the
    /// file's name before a JSON path); other variants are returned unchanged.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        match self {
            Self::Invalid { place, problem, remedy } => {
                Self::Invalid { place: format!("{outer}: {place}"), problem, remedy }
            }
            other => other,
        }
    }
}

/// Checks that `tol`, named `place` in the error, is a positive number.
///
/// # Errors
/// [`Error::Invalid`] when it is not.
pub fn check_tolerance(place: &str, tol: f64) -> Result<()> {
    if tol > 0.0 {
        return Ok(());
    }
    Err(Error::invalid(
        place,
        format!("{tol} is not a tolerance"),
        "give a positive number, for example 1e-12",
    ))
}

/// Checks settings: the name of each, whether it is in range, and what to choose.
#[cfg(feature = "neural")]
pub(crate) fn check_rules<'a>(
    rules: impl IntoIterator<Item = (&'a str, bool, &'a str)>,
) -> Result<()> {
    match rules.into_iter().find(|(_, holds, _)| !holds) {
        Some((field, _, rule)) => Err(Error::invalid(field, "it is out of range", rule)),
        None => Ok(()),
    }
}
