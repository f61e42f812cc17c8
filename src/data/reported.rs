//! The numbers the paper reports, to print beside ours.

use super::{Benchmark, Language};
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What the paper reports.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Table 1: F1 by model.
    #[serde(rename = "model")]
    pub models: Vec<ReportedModel>,
    /// Table 2: mean F1 on other bases.
    #[serde(rename = "base")]
    pub bases: Vec<ReportedBase>,
    /// Tables 3 and 4: settings of the trainings.
    #[serde(rename = "setting")]
    pub settings: Vec<ReportedSetting>,
    /// Inference latency by model.
    pub latency: Vec<ReportedLatency>,
    /// Figure 5: what French seeds add to English ones, by the language scored in.
    pub transfer: BTreeMap<Language, ReportedTransfer>,
    /// Rows of the paper's seed data.
    pub seed_rows: BTreeMap<Language, usize>,
    /// Their shares in percent, as printed.
    pub seed_shares: BTreeMap<Language, f64>,
    /// Figure 7b: shares of the rows that the first iteration adds, in percent, as printed.
    pub synthetic_shares: BTreeMap<Language, f64>,
}

/// F1 on OpenAI moderation, in percent, of a classifier trained on seeds only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedTransfer {
    /// Trained on English, if the paper says it.
    pub english: Option<f64>,
    /// Trained on English and French, if the paper says it.
    pub english_french: Option<f64>,
    /// The second less the first, in points.
    pub gain: f64,
}

/// One model of Table 1. F1 of the unsafe class, in percent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedModel {
    /// The model, such as `DuoGuard`.
    pub name: String,
    /// Its number of parameters, such as `0.5B`.
    pub size: String,
    /// F1 by language and benchmark; every pair is present.
    pub f1: BTreeMap<Language, BTreeMap<Benchmark, f64>>,
    /// The average over the six benchmarks, as printed.
    pub average: BTreeMap<Language, f64>,
}

/// One row of Table 2: mean F1 over six benchmarks by language, in percent, as printed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedBase {
    /// The classifier.
    pub name: String,
    /// What it was fine-tuned from.
    pub base: String,
    /// Its number of parameters.
    pub size: String,
    /// Every language is present.
    pub average: BTreeMap<Language, f64>,
}

/// Whose training a setting is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Player {
    /// The paper's Table 3.
    Classifier,
    /// Its Table 4.
    Generator,
}

/// A line of Table 3 or 4.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedSetting {
    /// Whose training.
    pub player: Player,
    /// The setting.
    pub name: String,
    /// As printed.
    pub value: String,
}

/// The latency of one model in milliseconds per input. The paper's two sources disagree.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedLatency {
    /// The model.
    pub name: String,
    /// Its number of parameters.
    pub size: String,
    /// As the article says, if it does.
    pub paper: Option<f64>,
    /// As its repository says, if it does.
    pub repository: Option<f64>,
}

/// The paper's numbers, from a table built into the crate.
///
/// # Errors
/// [`Error::Invalid`] when that table is malformed or a pair of language and benchmark is missing:
/// a defect of this crate.
pub fn reported() -> Result<Reported> {
    parse(include_str!("reported.toml"))
}

fn parse(source: &str) -> Result<Reported> {
    let invalid = |problem: String| {
        Error::invalid("reported.toml", problem, "this is a defect of nashguard, please report it")
    };
    let reported: Reported = toml::from_str(source).map_err(|e| invalid(e.message().into()))?;
    for model in &reported.models {
        for language in Language::ALL {
            let complete = model.average.contains_key(&language)
                && model.f1.get(&language).is_some_and(|f1| f1.len() == Benchmark::ALL.len());
            if !complete {
                let (name, size) = (&model.name, &model.size);
                return Err(invalid(format!("{name} {size} lacks a number for {language:?}")));
            }
        }
    }
    for base in &reported.bases {
        if base.average.len() != Language::ALL.len() {
            return Err(invalid(format!("{} {} lacks a language", base.base, base.size)));
        }
    }
    let settings = reported.settings.iter();
    let mut known = BTreeSet::new();
    if let Some(twice) = settings.clone().find(|s| !known.insert((s.player, &s.name))) {
        return Err(invalid(format!("{:?} states {:?} twice", twice.player, twice.name)));
    }
    Ok(reported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_averages_are_the_means_of_their_rows() {
        for model in reported().unwrap().models {
            for (language, f1) in &model.f1 {
                let mean = f1.values().sum::<f64>() / f1.len() as f64;
                let printed = model.average[language];
                assert!((mean - printed).abs() <= 0.05 + 1e-9, "{model:?} {language:?}: {mean}");
            }
        }
    }

    #[test]
    fn holds_the_rows_of_table_1() {
        let reported = reported().unwrap();
        let names: Vec<_> =
            reported.models.iter().map(|m| format!("{} {}", m.name, m.size)).collect();
        assert_eq!(
            names,
            [
                "LlamaGuard3 1B", "ShieldGemma 2B", "LlamaGuard2 8B", "LlamaGuard3 8B",
                "DuoGuard 0.5B"
            ]
        );
        assert_eq!(reported.models[4].f1[&Language::De][&Benchmark::RtpLx], 87.3);
        assert_eq!(reported.latency.len(), 5);
        assert_eq!(reported.latency[0].paper, Some(16.47));
    }

    #[test]
    fn printed_shares_and_gains_are_those_of_the_numbers() {
        let reported = reported().unwrap();
        let all = reported.seed_rows.values().sum::<usize>() as f64;
        assert_eq!(reported.seed_rows.len(), 4);
        for (language, rows) in &reported.seed_rows {
            let share = 100.0 * *rows as f64 / all;
            assert!((share - reported.seed_shares[language]).abs() < 0.05, "{language:?} {share}");
        }
        let french = &reported.transfer[&Language::Fr];
        let gain = french.english_french.unwrap() - french.english.unwrap();
        assert!((gain - french.gain).abs() < 1e-9);
    }

    #[test]
    fn holds_the_settings_of_tables_3_and_4() {
        let settings = reported().unwrap().settings;
        let of = |player: Player, name: &str| {
            let is = |s: &&ReportedSetting| s.player == player && s.name == name;
            settings.iter().find(is).map(|s| s.value.as_str())
        };
        use Player::{Classifier, Generator};
        assert_eq!(of(Classifier, "learning rate"), Some("5e-5"));
        assert_eq!(of(Generator, "learning rate"), Some("5e-7"));
        assert_eq!(of(Classifier, "global batch"), Some("160 texts"));
        assert_eq!(of(Generator, "global batch"), Some("8 texts"));
        assert_eq!(of(Generator, "DPO beta"), Some("0.01"));
        // Table 4 bounds no gradient.
        assert_eq!(of(Classifier, "largest gradient norm"), Some("1.0"));
        assert_eq!(of(Generator, "largest gradient norm"), None);
    }

    #[test]
    fn a_setting_of_nobody_or_stated_twice_is_refused() {
        let source = include_str!("reported.toml");
        let setting = |player: &str, rest: &str| {
            format!("{source}\n[[setting]]\nplayer = \"{player}\"\n{rest}\n")
        };
        let whole = "name = \"dropout\"\nvalue = \"0\"";
        assert!(parse(&setting("classifier", whole)).is_ok());
        assert!(parse(&setting("judge", whole)).is_err());
        assert!(parse(&setting("classifier", "name = \"dropout\"")).is_err());
        assert!(parse(&setting("classifier", &format!("{whole}\nunit = \"%\""))).is_err());
        let twice = parse(&setting("classifier", "name = \"epochs\"\nvalue = \"3\"")).unwrap_err();
        assert!(twice.to_string().contains("Classifier states \"epochs\" twice"), "{twice}");
    }

    #[test]
    fn a_missing_number_is_refused() {
        let source = include_str!("reported.toml").replacen("RTP-LX = 54.6, ", "", 1);
        let message = parse(&source).unwrap_err().to_string();
        assert!(message.contains("LlamaGuard3 1B lacks a number for En"), "{message}");
    }
}
