//! What the files of a round hold, line by line.

use super::lines;
use crate::data::filters::Reason;
use crate::data::{Category, Label, Language, Row};
use crate::neural::generator::Draft;
use crate::neural::preference::Level;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A game's settings, models and rows.
pub const GAME: &str = "game.json";
pub(super) const CANDIDATES: &str = "candidates.jsonl";
pub(super) const RATINGS: &str = "ratings.jsonl";
pub(super) const SCORES: &str = "scores.jsonl";
pub(super) const VERDICTS: &str = "verdicts.jsonl";
pub(super) const ADDED: &str = "added.jsonl";
pub(super) const BENCHMARKS: &str = "benchmarks.jsonl";
pub(super) const SECONDS: &str = "seconds.json";
/// What a round came to, there when it is over.
pub const SUMMARY: &str = "summary.json";

/// Where the game in `folder` keeps a round.
pub fn round_folder(folder: &Path, round: usize) -> PathBuf {
    folder.join(format!("round-{round}"))
}

/// What was written for one seed in one language.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Candidates {
    /// The seed row's name.
    pub seed: String,
    pub language: Language,
    /// The generator's hash, or the server's name for what wrote.
    pub model: String,
    pub texts: Vec<Draft>,
}

/// What the rater said of a text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Rated {
    pub said: String,
}

/// The classifier's largest probability of a text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Scored {
    pub score: f32,
}

/// All that is known of a text that was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Name of the seed row.
    pub seed: String,
    /// Hash of the model that wrote it, or the server's name for it.
    #[serde(default)]
    pub model: String,
    /// Index of the seed and language in the round.
    pub job: u32,
    /// Index of the text among those of its job.
    pub candidate: u32,
    /// The language asked for.
    pub language: Language,
    /// That of the seed, which the text should have.
    pub label: Label,
    /// Those of the seed.
    #[serde(default)]
    pub categories: Vec<Category>,
    /// What was drawn.
    pub text: String,
    /// Why it was dropped. A text whose rating does not match is dropped too, but may still lose a preference.
    pub dropped: Option<Reason>,
    /// The harm that the untrained base saw in it, 1 to 5.
    pub rating: Option<u8>,
    /// The largest probability of the classifier, of texts that were not dropped for another reason than rating.
    pub score: Option<f32>,
    /// Whether the classifier errs on it; `None` where it was not asked.
    pub wrong: Option<bool>,
    /// Its preference level, 1 to 4.
    pub level: Option<u8>,
}

impl Verdict {
    /// The text as a row, with its seed's label and categories.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a blank text.
    pub fn row(&self) -> Result<Row> {
        Row::new(self.text.clone(), self.language, self.label, self.categories.clone())
    }

    pub(super) fn known_level(&self) -> Option<Level> {
        Some(Level::of(self.wrong?, self.dropped.is_none()))
    }
}

/// A row as seed files hold it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Added {
    text: String,
    lang: Language,
    r#unsafe: bool,
    categories: Vec<Category>,
    source: String,
    /// Name of the seed row.
    #[serde(default)]
    seed: String,
    /// As in [`Verdict::model`].
    #[serde(default)]
    model: String,
}

impl Added {
    pub fn of(v: &Verdict, source: &str) -> Self {
        Self {
            text: v.text.clone(),
            lang: v.language,
            r#unsafe: v.label == Label::Unsafe,
            categories: v.categories.clone(),
            source: source.into(),
            seed: v.seed.clone(),
            model: v.model.clone(),
        }
    }

    fn row(self) -> Result<Row> {
        let label = if self.r#unsafe { Label::Unsafe } else { Label::Safe };
        Row::new(self.text, self.lang, label, self.categories)
    }
}

/// The rows that a round of the game in `folder` added: texts that fooled the classifier.
///
/// # Errors
/// [`Error::Io`] when the round is not over, [`Error::Invalid`] for a damaged file.
pub fn added_rows(folder: &Path, round: usize) -> Result<Vec<Row>> {
    let path = round_folder(folder, round).join(ADDED);
    lines::read::<Added>(&path)?.into_iter().map(Added::row).collect()
}

/// What is known of every text drawn in a round of the game in `folder`, those dropped too.
///
/// # Errors
/// As [`added_rows`].
pub fn verdicts(folder: &Path, round: usize) -> Result<Vec<Verdict>> {
    let path = round_folder(folder, round).join(VERDICTS);
    let read: Vec<Verdict> = lines::read(&path)?;
    if let Some(i) =
        read.iter().position(|v| v.level.is_some_and(|level| !(1..=4).contains(&level)))
    {
        let place = format!("{} line {}", path.display(), i + 1);
        let remedy = "remove the file to do this stage again";
        return Err(Error::invalid(place, "its level is not 1 to 4", remedy));
    }
    Ok(read)
}
