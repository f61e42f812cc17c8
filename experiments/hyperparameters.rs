//! Claim: what was trained here differs from the paper's training where two cores make it, and is said setting by setting.
//! Our columns are read from the configurations themselves.
//!
//! Paper: Table 3 (the classifier's hyper-parameters), Table 4 (the generator's).

use crate::Context;
use nashguard::data::{ReportedSetting, reported};
use nashguard::neural::finetune::{FinetuneConfig, Trained};
use nashguard::neural::rounds::RoundsConfig;
use nashguard::report::{Cell, Column, Report, Table};
use nashguard::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

pub const CLASSIFIER: &str = "hyper-parameters of the classifier, the paper's and ours";
pub const GENERATOR: &str = "hyper-parameters of the generator, the paper's and ours";

/// What both players' trainings have, whatever the configuration.
const SAME: [(&str, &str); 4] = [
    ("number format", "f32 on a CPU; on a GPU bf16 with f32 weights"),
    ("optimizer", "AdamW"),
    ("schedule", "cosine"),
    ("grouped by length", "yes"),
];

/// A configuration's settings by the paper's names.
type Settings = BTreeMap<&'static str, String>;

pub fn classifier(_: &Context) -> Result<Report> {
    table3()
}

pub fn generator(_: &Context) -> Result<Report> {
    table4()
}

fn table3() -> Result<Report> {
    let files = [
        ("qwen2.5.toml", include_str!("qwen2.5.toml")),
        ("gemma3.toml", include_str!("gemma3.toml")),
        ("smollm2.toml", include_str!("smollm2.toml")),
    ];
    let mut ours = Vec::new();
    for (name, text) in files {
        let invalid = |e: toml::de::Error| Error::invalid(name, e.message(), "correct it");
        let all: toml::Table = toml::from_str(text).map_err(invalid)?;
        let of = all.get("finetune").cloned().unwrap_or_else(|| toml::Table::new().into());
        let config: FinetuneConfig = of.try_into().map_err(invalid)?;
        let mut settings = Settings::from(SAME.map(|(k, v)| (k, v.into())));
        settings.extend([
            ("base", all.get("base").and_then(|b| b.as_str()).unwrap_or_default().into()),
            ("learning rate", number(config.learning_rate)),
            ("global batch", format!("{} tokens", config.batch_tokens * config.accumulate)),
            ("gradient accumulation", config.accumulate.to_string()),
            ("warm-up share", number(config.warmup)),
            ("epochs", config.epochs.to_string()),
            ("largest gradient norm", number(config.clip)),
            ("tokens at most", config.reading.max_tokens.to_string()),
            ("weight decay", number(config.weight_decay)),
            ("weights trained", trained(&config.trained, config.depth)),
            ("unsafe to safe weight", config.unsafe_odds.map_or("as the rows are".into(), number)),
        ]);
        ours.push((name, settings));
    }
    report("Table 3 (the classifier's training)", "classifier", &ours)
}

fn table4() -> Result<Report> {
    let files = [
        ("play-small-paper.toml", include_str!("play-small-paper.toml")),
        ("play-small.toml", include_str!("play-small.toml")),
    ];
    let mut ours = Vec::new();
    for (name, text) in files {
        let invalid = |e: toml::de::Error| Error::invalid(name, e.message(), "correct it");
        let config: RoundsConfig = toml::from_str(text).map_err(invalid)?;
        let (generator, tune) = (&config.generator, &config.generator.tune);
        let mut settings = Settings::from(SAME.map(|(k, v)| (k, v.into())));
        settings.extend([
            ("base", generator.base.display().to_string()),
            ("learning rate", number(tune.learning_rate)),
            ("global batch", format!("{} tokens", tune.batch_tokens * tune.accumulate)),
            ("gradient accumulation", tune.accumulate.to_string()),
            ("warm-up share", number(tune.warmup)),
            ("epochs", tune.epochs.to_string()),
            ("largest gradient norm", number(tune.clip)),
            ("tokens at most", config.sampling.max_tokens.to_string()),
            ("candidates a seed", config.candidates.to_string()),
            ("temperature", number(config.sampling.temperature)),
            ("rounds", config.rounds.to_string()),
            ("languages", config.languages.iter().map(|l| l.code()).collect::<Vec<_>>().join(", ")),
            ("harm rated by the base", if config.rating { "yes" } else { "no" }.into()),
            ("taught first", if generator.teaching.is_some() { "yes" } else { "no" }.into()),
            ("weights trained", trained(&tune.trained, None)),
        ]);
        if let Some(dpo) = generator.dpo {
            settings.extend([
                ("DPO beta", number(dpo.beta)),
                ("RPO alpha", number(dpo.alpha)),
                ("proximal tau", number(dpo.tau)),
            ]);
        }
        ours.push((name, settings));
    }
    report("Table 4 (the generator's training)", "generator", &ours)
}

/// As short as it is exact, small ones in powers of ten.
fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 { format!("{value:e}") } else { value.to_string() }
}

fn trained(trained: &Trained, depth: Option<usize>) -> String {
    let layers = match (trained.layers, depth) {
        (None, None) => "all layers".into(),
        (None, Some(depth)) => format!("the first {depth} layers"),
        (Some(last), None) => format!("the last {last} layers"),
        (Some(last), Some(depth)) => format!("the last {last} of the first {depth} layers"),
    };
    if trained.embeddings { format!("{layers}, embeddings") } else { layers }
}

/// The paper's settings first, then those that only we state.
fn report(reference: &str, player: &str, ours: &[(&str, Settings)]) -> Result<Report> {
    let printed: Vec<ReportedSetting> =
        reported()?.settings.into_iter().filter(|s| s.player == player).collect();
    let mut table = Table::new(
        "settings",
        "Setting by setting",
        ["setting", "paper"].into_iter().chain(ours.iter().map(|(name, _)| *name)).map(Column::new),
    );
    let mut names: Vec<&str> = printed.iter().map(|s| s.name.as_str()).collect();
    for (_, settings) in ours {
        names.extend(settings.keys());
    }
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let paper = printed.iter().find(|s| s.name == name).map_or("-", |s| &s.value);
        let mut row: Vec<Cell> = vec![name.into(), paper.into()];
        row.extend(ours.iter().map(|(_, of)| of.get(name).map_or("-", String::as_str).into()));
        table.push(row)?;
    }
    Ok(Report {
        paper_reference: reference.into(),
        claim: "Where our training differs from the paper's, and by what.".into(),
        notes: vec![
            "Our columns are read from experiments/*.toml, the paper's from its tables. Batches here are bounded by \
             tokens, padding included, the paper's by texts. The paper prints other batch sizes in its first version \
             (640 and 64), and its released sampling script defaults to a temperature of 0.9."
                .into(),
        ],
        tables: vec![table],
        ..Report::default()
    })
}

pub fn draw(_: &Report, _: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the paper states of a training, each of our columns states too.
    #[test]
    fn no_setting_of_the_papers_is_left_out() {
        for report in [table3().unwrap(), table4().unwrap()] {
            for row in &report.tables[0].rows {
                let says = |cell: &Cell| !matches!(cell, Cell::Text(text) if text == "-");
                assert!(!says(&row[1]) || row[2..].iter().all(says), "{row:?}");
            }
        }
    }

    #[test]
    fn numbers_are_short_and_exact() {
        for (value, text) in [(5e-7, "5e-7"), (0.1, "0.1"), (2e-4, "2e-4"), (0.0, "0"), (1.0, "1")]
        {
            assert_eq!(number(value), text);
        }
    }
}
