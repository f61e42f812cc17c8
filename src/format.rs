//! Game and solution files: JSON in, JSON out, every f64 to its last digit.
//!
//! Errors name the JSON path. The formats are documented, with an example each, in the README.

use crate::guard::{self, Anchor, GuardGame, Seed};
use crate::matrix::{self, MatrixGame};
use crate::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A game as read from a file.
#[derive(Clone, Debug, PartialEq)]
pub enum GameFile {
    /// `"kind": "guard"`.
    Guard {
        /// The game.
        game: GuardGame,
        /// The proximal weight the file asks for; `None` leaves it to the solver.
        tau: Option<f64>,
    },
    /// `"kind": "matrix"`.
    Matrix(MatrixGame),
}

/// A solution as written to a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SolutionFile {
    /// Of a guard game.
    Guard {
        /// G(p), in nats: the value is at least this, and at most `gap` more.
        value: f64,
        /// The exact gap, in nats.
        gap: f64,
        /// Iterations of the solver.
        iterations: usize,
        /// p_i(z), one row a seed, one column a text.
        generator: Vec<Vec<f64>>,
        /// q(y|z), one row a text, one column a label.
        classifier: Vec<Vec<f64>>,
    },
    /// Of a matrix game.
    Matrix {
        /// x' A y, in payoff units.
        value: f64,
        /// The gap, in payoff units.
        gap: f64,
        /// The row player's strategy.
        row: Vec<f64>,
        /// The column player's strategy.
        column: Vec<f64>,
    },
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Kind {
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct GuardJson {
    #[serde(rename = "kind")]
    _kind: String,
    beta: f64,
    #[serde(default)]
    tau: Option<f64>,
    #[serde(default)]
    gamma: f64,
    labels: Vec<String>,
    seeds: Vec<SeedJson>,
    #[serde(default)]
    anchor: Option<AnchorJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct SeedJson {
    label: usize,
    weight: f64,
    reference: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct AnchorJson {
    weight: f64,
    real: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct MatrixJson {
    #[serde(rename = "kind")]
    _kind: String,
    payoff: Vec<Vec<f64>>,
}

/// Reads a game from JSON text.
///
/// ```
/// use nashguard::format::{GameFile, read_game};
///
/// let file = read_game(r#"{"kind": "matrix", "payoff": [[1, -1], [-1, 1]]}"#)?;
/// assert!(matches!(file, GameFile::Matrix(_)));
/// let error = read_game(r#"{"kind": "matrix", "payoff": [[1, "x"]]}"#).unwrap_err();
/// assert!(error.to_string().starts_with("payoff[0][1]: "));
/// # Ok::<(), nashguard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Invalid`] naming the JSON path, for anything that is not a game.
pub fn read_game(json: &str) -> Result<GameFile> {
    let json = json.trim_start_matches('\u{feff}');
    // serde would also read a struct from an array, and name its places by number.
    if json.trim_start().starts_with('[') {
        return Err(Error::invalid(
            "JSON",
            "a game is an object, this is an array",
            "see the README for the format",
        ));
    }
    let Kind { kind } = parse(json)?;
    match kind.as_str() {
        "guard" => guard_game(parse(json)?),
        "matrix" => {
            let MatrixJson { payoff, .. } = parse(json)?;
            Ok(GameFile::Matrix(MatrixGame::new(payoff)?))
        }
        other => Err(Error::invalid(
            "kind",
            format!("\"{other}\" is not a kind of game"),
            "write \"guard\" or \"matrix\"",
        )),
    }
}

fn guard_game(file: GuardJson) -> Result<GameFile> {
    if let Some(k) = (1..file.labels.len()).find(|&k| file.labels[..k].contains(&file.labels[k])) {
        return Err(Error::invalid(
            format!("labels[{k}]"),
            format!("\"{}\" is named twice", file.labels[k]),
            "give every label its own name",
        ));
    }
    let seeds = file
        .seeds
        .into_iter()
        .map(|s| Seed { label: s.label, weight: s.weight, reference: s.reference })
        .collect();
    let mut game = GuardGame::new(file.labels.len(), seeds, file.beta)?.with_floor(file.gamma)?;
    if let Some(anchor) = file.anchor {
        let (rows, columns) = (anchor.real.len(), anchor.real.first().map_or(0, Vec::len));
        if let Some(y) = anchor.real.iter().position(|row| row.len() != columns) {
            return Err(Error::invalid(
                format!("anchor.real[{y}]"),
                format!("it has {} entries, anchor.real[0] has {columns}", anchor.real[y].len()),
                "give every label one entry for each text",
            ));
        }
        let real = Array2::from_shape_vec((rows, columns), anchor.real.concat())
            .map_err(|e| Error::invalid("anchor.real", e.to_string(), "give equal rows"))?;
        game = game.with_anchor(Anchor { weight: anchor.weight, real })?;
    }
    if let Some(tau) = file.tau.filter(|t| !(t.is_finite() && *t >= 0.0)) {
        return Err(Error::invalid(
            "tau",
            format!("{tau} is not a proximal weight"),
            "give a number that is not negative, or null to let the solver choose",
        ));
    }
    Ok(GameFile::Guard { game, tau: file.tau })
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        let place = if path == "." || path == "?" { "JSON".to_owned() } else { path };
        malformed(place, e.inner())
    })?;
    reader.end().map_err(|e| malformed("JSON".to_owned(), &e))?;
    Ok(value)
}

fn malformed(place: String, e: &serde_json::Error) -> Error {
    let remedy = match e.classify() {
        serde_json::error::Category::Eof => "the text ends too early: write the whole file again",
        serde_json::error::Category::Syntax => "mend the JSON there",
        _ => "see the README for the format",
    };
    Error::invalid(place, e.to_string(), remedy)
}

impl From<&guard::Solution> for SolutionFile {
    fn from(s: &guard::Solution) -> Self {
        Self::Guard {
            value: s.value,
            gap: s.gap,
            iterations: s.iterations,
            generator: s.p.probabilities().outer_iter().map(|r| r.to_vec()).collect(),
            classifier: s.q.probabilities().outer_iter().map(|r| r.to_vec()).collect(),
        }
    }
}

impl From<&matrix::Solution> for SolutionFile {
    fn from(s: &matrix::Solution) -> Self {
        Self::Matrix {
            value: s.value,
            gap: s.gap,
            row: s.row.as_slice().to_vec(),
            column: s.column.as_slice().to_vec(),
        }
    }
}
