//! JSON games: guard games with f64 numbers, matrix games with exact ones.

use super::{GameFile, MatrixFile, number};
use crate::guard::{Anchor, GuardGame, Seed};
use crate::json::{body, kind, parse};
use crate::matrix::MatrixGame;
use crate::matrix::regularised::{RegularisedGame, Regulariser};
use crate::scalar::Rational;
use crate::simplex::Simplex;
use crate::{Error, Result};
use ndarray::Array2;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct GuardJson {
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
    payoff: Vec<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct KlMatrixJson {
    payoff: Vec<Vec<f64>>,
    row: PriorJson,
    column: PriorJson,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct PriorJson {
    temperature: f64,
    /// Uniform when absent.
    #[serde(default)]
    reference: Option<Vec<f64>>,
}

/// Reads the object `json`.
pub(super) fn read(json: &str) -> Result<GameFile> {
    match kind("game", json)?.as_str() {
        "guard" => guard_game(body(json)?),
        "matrix" => matrix_game(&body(json)?).map(GameFile::Matrix),
        "kl-matrix" => kl_matrix_game(body(json)?).map(GameFile::KlMatrix),
        other => Err(Error::invalid(
            "kind",
            format!("\"{other}\" is not a kind of game"),
            "write \"guard\", \"matrix\" or \"kl-matrix\"",
        )),
    }
}

fn matrix_game(file: &MatrixJson) -> Result<MatrixFile> {
    let row = |(i, row): (usize, &Vec<Box<RawValue>>)| {
        row.iter().enumerate().map(|(j, v)| payoff(i, j, v.get())).collect()
    };
    let rows = file.payoff.iter().enumerate().map(row).collect::<Result<Vec<_>>>()?;
    Ok(MatrixFile::zero_sum(MatrixGame::new(rows)?))
}

fn kl_matrix_game(file: KlMatrixJson) -> Result<RegularisedGame> {
    let game = MatrixGame::new(file.payoff)?;
    let (m, n) = game.payoffs().dim();
    let prior = |player: &str, prior: PriorJson, actions| -> Result<Regulariser> {
        let reference = match prior.reference {
            Some(reference) => Simplex::new(reference).map_err(|e| e.within(player))?,
            None => Simplex::uniform(actions)?,
        };
        Ok(Regulariser { temperature: prior.temperature, reference })
    };
    let (row, column) = (prior("row", file.row, m)?, prior("column", file.column, n)?);
    RegularisedGame::new(game, row, column)
}

/// A payoff from its JSON: a number as written, or the text of a string.
fn payoff(i: usize, j: usize, json: &str) -> Result<Rational> {
    let place = || format!("payoff[{i}][{j}]");
    if json.starts_with('"') { number(place, &parse::<String>(json)?) } else { number(place, json) }
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
