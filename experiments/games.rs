//! Finished games of `nashguard play`, below `--models`.

use crate::Context;
use crate::contenders::search;
use nashguard::data::{Origin, Row};
use nashguard::neural::rounds::{RoundsConfig, Summary, Verdict, verdicts};
use nashguard::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A game's folder.
pub struct Game {
    /// The folder's name.
    pub name: String,
    pub folder: PathBuf,
    /// Rounds that are over.
    pub rounds: usize,
    /// Its settings, but for the number of rounds.
    pub config: RoundsConfig,
}

impl Game {
    /// What every round came to, the start first.
    pub fn summaries(&self) -> Result<Vec<Summary>> {
        let read = |round: usize| {
            let path = self.folder.join(format!("round-{round}/summary.json"));
            let text = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
            serde_json::from_slice(&text).map_err(|e| {
                let remedy = "delete it and play on: the round is summed up again";
                Error::invalid(path.display().to_string(), format!("it is damaged ({e})"), remedy)
            })
        };
        (0..=self.rounds).map(read).collect()
    }

    /// Texts of a round that no filter dropped.
    pub fn kept(&self, round: usize) -> Result<Vec<Verdict>> {
        let mut texts = verdicts(&self.folder, round)?;
        texts.retain(|v| v.dropped.is_none());
        Ok(texts)
    }
}

/// Seed texts by the names of their rows; `None` without real seeds.
pub fn seed_texts(context: &Context) -> Result<Option<HashMap<String, String>>> {
    let origins = context.data.as_ref().map(|d| d.seed_origins()).transpose()?.flatten();
    let named =
        |rows: Vec<(Row, Origin)>| rows.into_iter().map(|(row, o)| (o.id, row.text)).collect();
    Ok(origins.map(|[train, _]| named(train)))
}

/// The file that says what a game is.
const ABOUT: &str = "game.json";

/// Whether a folder holds a game.
pub fn is_game(folder: &Path) -> bool {
    folder.join(ABOUT).is_file()
}

/// Every game with a round that is over, by name.
pub fn games(context: &Context) -> Result<Vec<Game>> {
    let Some(models) = &context.models else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for folder in search(models, &is_game)? {
        let over = |round: &usize| folder.join(format!("round-{round}/summary.json")).is_file();
        let rounds = (1..).take_while(over).count();
        if rounds > 0 {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let config = settings(&folder.join(ABOUT))?;
            found.push(Game { name, folder, rounds, config });
        }
    }
    Ok(found)
}

/// What game.json says.
fn settings(path: &Path) -> Result<RoundsConfig> {
    let text = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let mut about: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    serde_json::from_value(about["config"].take()).map_err(|e| {
        let problem = format!("it describes no game ({e})");
        Error::invalid(path.display().to_string(), problem, "move the folder away from --models")
    })
}
