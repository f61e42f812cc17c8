//! Game and solution files. A game is JSON, CSV or Gambit's .nfg or .efg, told apart by content.
//! Payoffs of matrix and extensive games are read exactly ("0.1" is 1/10), the numbers of games with
//! a KL term as f64.
//!
//! Errors name the JSON path, or the line. The formats are documented, with an example each, in the
//! README.

mod csv;
mod json;
mod nfg;
mod solution;

pub use solution::{ExactSolutionFile, SolutionFile, Turn};

use crate::extensive::efg::{self, EfgFile};
use crate::guard::GuardGame;
use crate::matrix::MatrixGame;
use crate::matrix::regularised::RegularisedGame;
use crate::scalar::Rational;
use crate::{Error, Result};

/// A game as read from a file.
#[derive(Clone, Debug, PartialEq)]
pub enum GameFile {
    /// A generator-classifier game.
    Guard {
        /// The game.
        game: GuardGame,
        /// The proximal weight the file asks for; `None` leaves it to the solver.
        tau: Option<f64>,
    },
    /// A matrix game.
    Matrix(MatrixFile),
    /// A matrix game with a KL term for either player.
    KlMatrix(RegularisedGame),
    /// An extensive game.
    Extensive(EfgFile),
}

/// A matrix game with what its file says besides the payoffs.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixFile {
    /// The game, exactly as written.
    pub game: MatrixGame<Rational>,
    /// The rows' names; empty when the file has none.
    pub rows: Vec<String>,
    /// The columns' names; empty when the file has none.
    pub columns: Vec<String>,
    /// What the payoffs of a cell add up to in the file; half of it was taken from each player's.
    pub constant: Rational,
    /// What reading changed, for the user to know.
    pub note: Option<String>,
}

impl MatrixFile {
    /// A game without names.
    fn zero_sum(game: MatrixGame<Rational>) -> Self {
        Self { game, rows: vec![], columns: vec![], constant: Rational::ZERO, note: None }
    }
}

/// Reads a game from text.
///
/// ```
/// use nashguard::format::{GameFile, read_game};
/// use nashguard::scalar::parse;
///
/// let file = read_game(r#"{"kind": "matrix", "payoff": [[1, 0.1], ["-1/3", "2e-400"]]}"#)?;
/// let GameFile::Matrix(file) = file else { panic!() };
/// assert_eq!(Some(&file.game.payoffs()[(1, 0)]), parse("-1/3").as_ref());
/// assert_eq!(read_game("# the same\n1, 0.1\n-1/3, 2e-400\n")?, GameFile::Matrix(file));
/// let error = read_game(r#"{"kind": "matrix", "payoff": [[1, "x"]]}"#).unwrap_err();
/// assert!(error.to_string().starts_with("payoff[0][1]: "));
/// # Ok::<(), nashguard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Invalid`] naming the place, for anything that is not a game.
pub fn read_game(text: &str) -> Result<GameFile> {
    let text = text.trim_start_matches('\u{feff}');
    let first_word = text.split_whitespace().next();
    match first_word {
        Some("NFG") => nfg::read(text).map(GameFile::Matrix),
        Some("EFG") => efg::read(text).map(GameFile::Extensive),
        _ if csv::is_table(text) => csv::read(text).map(GameFile::Matrix),
        _ => json::read(text),
    }
}

/// A payoff, refused at `place` when the text is no number.
fn number(place: impl FnOnce() -> String, text: &str) -> Result<Rational> {
    crate::scalar::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        let remedy = "write a number such as -2, 0.25, 1e-3 or 1/3";
        Error::invalid(place(), format!("{shown:?} is not a number"), remedy)
    })
}
