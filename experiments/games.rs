//! Finished games of `nashguard play`, below `--models`.

use crate::Context;
use crate::contenders::{search, way};
use nashguard::data::{Origin, Row};
use nashguard::neural::rounds::{
    GAME, RoundsConfig, SUMMARY, Summary, Verdict, round_folder, summary, verdicts,
};
use nashguard::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A game's folder.
pub struct Game {
    /// The way to the folder.
    pub name: String,
    pub folder: PathBuf,
    /// Rounds that are over.
    pub rounds: usize,
    /// Its settings, but for the number of rounds.
    pub config: RoundsConfig,
    /// Hash of the model that writes, or the server's name for it.
    writer: String,
}

impl Game {
    /// What every round came to, the start first.
    pub fn summaries(&self) -> Result<Vec<Summary>> {
        let read = |round: usize| {
            summary(&self.folder, round)?.ok_or_else(|| {
                let place = round_folder(&self.folder, round).display().to_string();
                Error::invalid(place, "the round is not over", "play on: it is summed up again")
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

/// Whether a folder holds a game.
pub fn is_game(folder: &Path) -> bool {
    folder.join(GAME).is_file()
}

/// Every game with a round that is over, by name.
pub fn games(context: &Context) -> Result<Vec<Game>> {
    let Some(models) = &context.models else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for folder in search(models, &is_game)? {
        let over = |round: &usize| round_folder(&folder, *round).join(SUMMARY).is_file();
        let rounds = (1..).take_while(over).count();
        if rounds > 0 {
            let (config, writer) = settings(&folder.join(GAME))?;
            found.push(Game { name: way(models, &folder), folder, rounds, config, writer });
        }
    }
    Ok(found)
}

/// The games that differ in their seed alone, together, under a name for all: the first one's, without the number that
/// ends it where there are several.
pub fn plays(games: &[Game]) -> Vec<(String, Vec<&Game>)> {
    let settings =
        |game: &Game| (RoundsConfig { seed: 0, ..game.config.clone() }, game.writer.clone());
    let mut groups: Vec<Vec<&Game>> = Vec::new();
    for game in games {
        let other = |group: &&mut Vec<&Game>| {
            settings(group[0]) == settings(game)
                && group.iter().all(|play| play.config.seed != game.config.seed)
        };
        match groups.iter_mut().find(other) {
            Some(group) => group.push(game),
            None => groups.push(vec![game]),
        }
    }
    let name = |group: &[&Game]| {
        let name = &*group[0].name;
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
        if group.len() > 1 && !plain.is_empty() { plain } else { name }.to_owned()
    };
    groups.into_iter().map(|group| (name(&group), group)).collect()
}

/// What game.json says: the settings, and what writes.
fn settings(path: &Path) -> Result<(RoundsConfig, String)> {
    let text = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let mut about: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let config = serde_json::from_value(about["config"].take()).map_err(|e| {
        let problem = format!("it describes no game ({e})");
        Error::invalid(path.display().to_string(), problem, "move the folder away from --models")
    })?;
    Ok((config, about["writer"].as_str().unwrap_or_default().to_owned()))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::Scale;
    use serde_json::json;
    use std::fs;

    /// A run that looks for games in a folder.
    pub fn looking(models: &Path) -> Context {
        let models = Some(models.to_path_buf());
        Context { scale: Scale::Smoke, seed: 0, data: None, models, out: PathBuf::new() }
    }

    /// A round in which nothing happened.
    pub fn empty(round: usize) -> Summary {
        Summary {
            round,
            generator: String::new(),
            drawn: 0,
            dropped: Default::default(),
            misclassified: Default::default(),
            levels: [0; 4],
            rows: Default::default(),
            added: Default::default(),
            law: None,
            gap: None,
            benchmarks: Vec::new(),
            seconds: Default::default(),
        }
    }

    /// Leaves a game as `play` does, with these rounds over and one begun.
    pub fn leave(folder: &Path, over: &[Summary]) {
        fs::create_dir_all(folder.join(format!("round-{}/classifier", over.len()))).unwrap();
        let about = json!({ "config": RoundsConfig::default() });
        fs::write(folder.join(GAME), about.to_string()).unwrap();
        for summary in over {
            let round = folder.join(format!("round-{}", summary.round));
            fs::create_dir_all(&round).unwrap();
            fs::write(round.join("summary.json"), json!(summary).to_string()).unwrap();
        }
    }

    #[test]
    fn games_that_differ_in_their_seed_alone_are_plays_of_one() {
        let game = |name: &str, seed, candidates, writer: &str| Game {
            name: name.into(),
            folder: PathBuf::new(),
            rounds: 1,
            config: RoundsConfig { seed, candidates, ..RoundsConfig::default() },
            writer: writer.into(),
        };
        let games = [
            game("a-1", 1, 8, "one"),
            game("b-2", 1, 4, "one"),
            game("a-2", 2, 8, "one"),
            game("again-1", 1, 8, "one"),
            game("c-3", 3, 8, "two"),
        ];
        let told: Vec<(String, Vec<&str>)> = plays(&games)
            .into_iter()
            .map(|(name, group)| (name, group.into_iter().map(|g| &*g.name).collect()))
            .collect();
        let alone = |name: &'static str| (name.to_owned(), vec![name]);
        let plays = ("a".to_owned(), vec!["a-1", "a-2"]);
        assert_eq!(told, [plays, alone("b-2"), alone("again-1"), alone("c-3")]);
    }

    #[test]
    fn games_are_read_as_far_as_they_are_over() {
        let root = tempfile::tempdir().unwrap();
        let below = |name: &str| root.path().join(name);
        leave(&below("b/one"), &[empty(0), empty(1), empty(2)]);
        leave(&below("a/one"), &[empty(0), empty(1)]);
        leave(&below("begun"), &[empty(0)]);
        leave(&below("new"), &[]);
        // A game that has only begun is not even asked what it is.
        fs::write(below("new").join(GAME), "{").unwrap();
        let found = games(&looking(root.path())).unwrap();
        let told: Vec<(&str, usize)> = found.iter().map(|g| (&*g.name, g.rounds)).collect();
        assert_eq!(told, [("a/one", 1), ("b/one", 2)]);
        assert_eq!(found[1].summaries().unwrap(), [empty(0), empty(1), empty(2)]);
        assert_eq!(games(&looking(&below("b/one"))).unwrap()[0].name, "one");
        let round = below("b/one/round-1/summary.json");
        fs::write(&round, "{").unwrap();
        let message = found[1].summaries().unwrap_err().to_string();
        assert!(
            message.contains("round-1/summary.json") && message.contains("damaged"),
            "{message}"
        );
    }
}
