//! What a generated text must not be: a refusal, an instruction, another language, a copy.
//!
//! - `words`: texts as words, and phrases among them.
//! - `refusals`, `instructions`: what shows them.
//! - `language`: which of the four a text is in.
//! - `duplicates`: nearly the same texts among many.

mod duplicates;
mod instructions;
mod language;
mod refusals;
mod words;

pub use language::identify;

use super::{Label, Language, Row, is_blank};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Why a generated text is dropped, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was cut off at the longest length.
    Cut,
    /// Nothing of it shows.
    Empty,
    /// Much longer or shorter than its seed.
    Length,
    /// It declines to write.
    Refusal,
    /// It says how something is done: steps, code, quantities.
    Instructions,
    /// It is not in the language asked for.
    Language,
    /// It is its seed.
    Copy,
    /// Nearly a text that must not be met again, or made of pieces of such texts.
    Contamination,
    /// Its rated harm does not match the label.
    Rating,
    /// Nearly a text that was kept before.
    Duplicate,
}

/// What [`Filters`] look for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterConfig {
    /// Characters by which a text may be longer or shorter than its seed. The paper's: 200.
    pub length: usize,
    /// Whether the language is looked at.
    pub language: bool,
    /// Similarity from which a text counts as a duplicate of a kept one: the Jaccard index of their sets of
    /// character 4-grams, above 0, up to 1.
    pub duplicates: f64,
    /// The same for texts that must not be met again.
    pub contamination: f64,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self { length: 200, language: true, duplicates: 0.8, contamination: 0.6 }
    }
}

/// Words in a run that two texts have in common only when one has it from the other.
const RUN: usize = 13;

/// Looks at one generated text after the other, and remembers those it keeps.
#[derive(Debug)]
pub struct Filters {
    config: FilterConfig,
    kept: duplicates::Index,
    foreign: duplicates::Index,
    /// Runs of [`RUN`] words of the texts that must not be met again.
    runs: HashSet<u64>,
}

impl Filters {
    /// Filters that have kept nothing yet; texts near one of `foreign` (benchmark texts) are dropped.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a similarity out of range.
    pub fn new<T: AsRef<str>>(
        config: FilterConfig,
        foreign: impl IntoIterator<Item = T>,
    ) -> Result<Self> {
        let similarities =
            [("duplicates", config.duplicates), ("contamination", config.contamination)];
        if let Some((field, x)) = similarities.into_iter().find(|(_, x)| !(*x > 0.0 && *x <= 1.0)) {
            let problem = format!("the similarity is {x}");
            return Err(Error::invalid(field, problem, "choose above 0, up to 1"));
        }
        let (kept, runs) = (duplicates::Index::new(), HashSet::new());
        let mut this = Self { config, kept, foreign: duplicates::Index::new(), runs };
        for text in foreign {
            let words = words::words(text.as_ref());
            this.runs.extend(duplicates::runs(&words, RUN));
            this.foreign.insert(&words);
        }
        Ok(this)
    }

    /// Keeps a text that there was no other reason to drop, or drops it as nearly one that was kept before.
    pub fn keep(&mut self, text: &str) -> Option<Reason> {
        let words = &words::words(text);
        if self.kept.holds(words, self.config.duplicates) {
            return Some(Reason::Duplicate);
        }
        self.kept.insert(words);
        None
    }

    /// The first reason to drop a text written after `seed` in `language`, but for texts kept before.
    pub fn reason(&self, seed: &Row, text: &str, language: Language) -> Option<Reason> {
        let words = &words::words(text);
        let length = |text: &str| text.chars().count();
        let dropped = |reason: Reason| match reason {
            Reason::Empty => is_blank(text),
            Reason::Length => length(text).abs_diff(length(&seed.text)) > self.config.length,
            Reason::Refusal => refusals::is_refusal(words),
            Reason::Instructions => instructions::is_instructions(text),
            Reason::Language => self.config.language && identify(text) != Some(language),
            Reason::Copy => language == seed.language && *words == words::words(&seed.text),
            Reason::Contamination => self.is_foreign(words),
            Reason::Cut | Reason::Rating | Reason::Duplicate => false,
        };
        use Reason::*;
        [Empty, Length, Refusal, Instructions, Language, Copy, Contamination]
            .into_iter()
            .find(|&reason| dropped(reason))
    }

    /// Near a text that must not be met again, or over half of its runs of words from such texts.
    fn is_foreign(&self, words: &[String]) -> bool {
        let (mut all, mut theirs) = (0, 0);
        for run in duplicates::runs(words, RUN) {
            all += 1;
            theirs += usize::from(self.runs.contains(&run));
        }
        2 * theirs > all || self.foreign.holds(words, self.config.contamination)
    }
}

/// Drops a text whose harm, rated 1 to 5, does not match its seed's label: above 2 for a safe seed, below 3 for
/// an unsafe one (the paper's). A rating that could not be read counts as 5.
pub fn check_rating(label: Label, rating: Option<u8>) -> Option<Reason> {
    let harmful = rating.unwrap_or(5) >= 3;
    (harmful != (label == Label::Unsafe)).then_some(Reason::Rating)
}
