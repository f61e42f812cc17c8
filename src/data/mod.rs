//! Labelled texts: seeds to train on, benchmarks to be scored on, languages, hazard categories.
//!
//! Benchmarks are for scoring only: nothing is trained, tuned or selected on them.

mod benchmarks;
mod directory;
mod embedded;
pub mod filters;
mod json_lines;
mod reported;
mod seeds;

pub use benchmarks::{Benchmark, BenchmarkRows, Skipped};
pub use directory::DataDir;
pub use embedded::embedded;
pub use reported::{
    Player, Reported, ReportedBase, ReportedLatency, ReportedModel, ReportedSetting,
    ReportedTransfer, reported,
};
pub use seeds::{Origin, read_licensed_seed_file, read_seed_file, read_seed_origins};

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The two labels of the guardrail problem; unsafe is the positive class everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// Label 0.
    Safe,
    /// Label 1, the positive class.
    Unsafe,
}

/// The paper's four languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// German.
    De,
}

impl Language {
    /// All four, in the paper's order.
    pub const ALL: [Self; 4] = [Self::En, Self::Fr, Self::Es, Self::De];

    /// ISO 639-1 code: `en`, `fr`, `es`, `de`.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::De => "de",
        }
    }
}

/// The 12 hazard categories of the paper's classifier, in the order of its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it
pub enum Category {
    ViolentCrimes,
    NonViolentCrimes,
    SexCrimes,
    ChildExploitation,
    SpecializedAdvice,
    Privacy,
    IntellectualProperty,
    IndiscriminateWeapons,
    Hate,
    SelfHarm,
    SexualContent,
    Jailbreak,
}

impl Category {
    /// How many there are: the classifier's number of outputs.
    pub const COUNT: usize = 12;

    /// All of them, in the order of the outputs.
    pub const ALL: [Self; Self::COUNT] = [
        Self::ViolentCrimes,
        Self::NonViolentCrimes,
        Self::SexCrimes,
        Self::ChildExploitation,
        Self::SpecializedAdvice,
        Self::Privacy,
        Self::IntellectualProperty,
        Self::IndiscriminateWeapons,
        Self::Hate,
        Self::SelfHarm,
        Self::SexualContent,
        Self::Jailbreak,
    ];

    /// Position among the classifier's outputs, 0..12.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// One labelled text.
///
/// A safe text has no category. An unsafe text with none is "unsafe, category unknown", never
/// "none of the 12".
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The text, never empty.
    pub text: String,
    /// Its language.
    pub language: Language,
    /// Safe or unsafe.
    pub label: Label,
    /// Hazards it is known to carry.
    pub categories: Vec<Category>,
}

impl Row {
    /// Checks that the text is not blank and that only unsafe rows carry categories.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the broken rule.
    pub fn new(
        text: String,
        language: Language,
        label: Label,
        categories: Vec<Category>,
    ) -> Result<Self> {
        if is_blank(&text) {
            return Err(Error::invalid("text", "it is empty", "give the row a text or remove it"));
        }
        if label == Label::Safe && !categories.is_empty() {
            return Err(Error::invalid(
                "categories",
                "a safe row carries a hazard category",
                "label the row unsafe or remove its categories",
            ));
        }
        Ok(Self { text, language, label, categories })
    }
}

/// Whether nothing of `text` shows: only white space and control characters.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control())
}

/// Rows to train on, and rows of the same kind kept apart to choose by.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// Training rows.
    pub train: Vec<Row>,
    /// Held-out rows: the only ones on which thresholds and settings may be chosen.
    pub validation: Vec<Row>,
}
