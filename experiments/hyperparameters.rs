//! Claim: what was trained here differs from the paper's training where two cores make it, and is said setting by setting.
//! Our columns are read from the configurations themselves, but for what no configuration changes.
//!
//! Paper: Table 3 (the classifier's hyper-parameters), Table 4 (the generator's).

use crate::Context;
use nashguard::data::{Player, ReportedSetting, reported};
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
    ("number format", "f32; bf16 on a GPU"),
    ("optimizer", "AdamW"),
    ("schedule", "cosine"),
    ("grouped by length", "yes"),
];

/// Why one of ours differs, by player and setting.
const REASONS: [(Player, &str, &str); 17] = {
    use Player::{Classifier, Generator};
    [
        (Classifier, "base", "the small bases are what two cores train within the hour"),
        (
            Classifier,
            "number format",
            "a processor computes in f32 here; weights and moments are f32 on a GPU too",
        ),
        (
            Classifier,
            "learning rate",
            "gemma3.toml's was chosen on held-out sources (three times as much was worse) and serves smollm2.toml too: \
             few layers learn, once, in small batches; qwen2.5.toml, which has not been run, has the library's default",
        ),
        (
            Classifier,
            "global batch",
            "counted in tokens, so that long texts do not fill the memory: 2048 are about 60 seed rows of 35 tokens",
        ),
        (
            Classifier,
            "gradient accumulation",
            "only its product with the batch settles what is learnt",
        ),
        (Classifier, "epochs", "one pass over the rows is what two cores do within the hour"),
        (
            Classifier,
            "tokens at most",
            "256 save time on two cores; by default nothing of a text is cut up to 2048",
        ),
        (Generator, "base", "an 8B neither learns nor writes on two cores"),
        (
            Generator,
            "number format",
            "as the classifier's; texts are drawn with 8-bit weights where `quantised` says so",
        ),
        (
            Generator,
            "learning rate",
            "a round of the small game is some 120 steps, in which AdamW at 5e-7 moves a weight by about 3e-5",
        ),
        (Generator, "global batch", "counted in tokens, as the classifier's"),
        (
            Generator,
            "gradient accumulation",
            "only its product with the batch settles what is learnt",
        ),
        (
            Generator,
            "DPO beta",
            "play-small.toml has ten times the paper's, so that few texts pull it less far from what was taught; it was set \
             beforehand, not tuned",
        ),
        (
            Generator,
            "tokens at most",
            "the paper bounds prompt and text together in training; ours bounds the text where it is drawn, and trains \
             on all of it",
        ),
        (Generator, "candidates a seed", "drawing them takes over a third of a round on two cores"),
        (
            Generator,
            "languages",
            "Spanish and German seeds hold almost no unsafe requests: two cores write these",
        ),
        (
            Generator,
            "harm rated by the base",
            "the small base's ratings hardly depend on the label; play-small-rated.toml is the same game with them",
        ),
    ]
};

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
        (DEFAULTS, ""),
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
            ("base", base(all.get("base").and_then(|b| b.as_str()).unwrap_or_default())),
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
    let note = "The paper's first version prints a batch of 640. Its released code has another loss than its text, \
                softmax over the categories; the text's, 12 binary cross-entropies, is the default here.";
    report("Table 3 (the classifier's training)", Player::Classifier, &ours, note)
}

fn table4() -> Result<Report> {
    let files = [
        // What stands where a configuration only says that the generator learns.
        (DEFAULTS, "generator.dpo = {}"),
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
            ("base", base(&generator.base.display().to_string())),
            ("learning rate", number(tune.learning_rate)),
            ("global batch", format!("{} tokens", tune.batch_tokens * tune.accumulate)),
            ("gradient accumulation", tune.accumulate.to_string()),
            ("warm-up share", number(tune.warmup)),
            ("epochs", tune.epochs.to_string()),
            ("largest gradient norm", number(tune.clip)),
            ("tokens at most", format!("prompt + {}", config.sampling.max_tokens)),
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
    let note = "The paper's first version prints a batch of 64, and its released sampling script has a temperature of \
                0.9 by default. \"Proximal tau\" 0 is the paper's update.";
    report("Table 4 (the generator's training)", Player::Generator, &ours, note)
}

/// The column of what stands where a configuration is silent.
const DEFAULTS: &str = "defaults";

/// A base as it is named; where none is, a configuration must name it.
fn base(path: &str) -> String {
    if path.is_empty() { "to be named".into() } else { path.into() }
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
    match &trained.lora {
        Some(lora) => format!("additions of rank {} to {layers}", lora.rank),
        None if trained.embeddings => format!("{layers}, embeddings"),
        None => layers,
    }
}

/// Whether two settings are the same, `1.0` and `1` too.
fn same(paper: &str, ours: &str) -> bool {
    match (paper.parse::<f64>(), ours.parse::<f64>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => paper == ours,
    }
}

/// The paper's settings first, then those that only we state.
fn report(
    reference: &str,
    player: Player,
    ours: &[(&str, Settings)],
    note: &str,
) -> Result<Report> {
    let printed: Vec<ReportedSetting> =
        reported()?.settings.into_iter().filter(|s| s.player == player).collect();
    let mut table = Table::new(
        "settings",
        "Setting by setting",
        ["setting", "paper"]
            .into_iter()
            .chain(ours.iter().map(|(name, _)| *name))
            .chain(["same in"])
            .map(Column::new),
    );
    let mut names: Vec<&str> = printed.iter().map(|s| s.name.as_str()).collect();
    for (_, settings) in ours {
        names.extend(settings.keys());
    }
    let (mut seen, mut reasons) = (Vec::new(), Vec::new());
    for name in names {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let paper = printed.iter().find(|s| s.name == name).map(|s| s.value.as_str());
        let mut row: Vec<Cell> = vec![name.into(), paper.unwrap_or("-").into()];
        row.extend(ours.iter().map(|(_, of)| of.get(name).map_or("-", String::as_str).into()));
        let Some(paper) = paper else {
            row.push("-".into());
            table.push(row)?;
            continue;
        };
        let alike = |(_, of): &&(&str, Settings)| of.get(name).is_some_and(|own| same(paper, own));
        let alike: Vec<&str> = ours.iter().filter(alike).map(|(file, _)| *file).collect();
        row.push(match alike.len() {
            0 => "none".into(),
            n if n == ours.len() => "all".into(),
            _ => alike.join(", ").into(),
        });
        table.push(row)?;
        let reason = REASONS.iter().find(|(of, setting, _)| *of == player && *setting == name);
        if let (true, Some((_, _, why))) = (alike.len() < ours.len(), reason) {
            reasons.push(format!("Ours differ in {name}: {why}."));
        }
    }
    Ok(Report {
        paper_reference: reference.into(),
        claim: "Where our training differs from the paper's, and by what.".into(),
        notes: [
            "Our columns are read from experiments/*.toml but for what no file changes (number format, optimizer, schedule, grouping), \
             the paper's from its tables. Batches here are bounded by \
             tokens, padding included, the paper's by texts. \"same in\" names those of our columns that agree with the \
             paper; \"-\": not stated."
                .into(),
            note.into(),
        ]
        .into_iter()
        .chain(reasons)
        .collect(),
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
    use nashguard::neural::finetune::Lora;

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

    /// Where one of ours differs, the note says why; what is given as a reason is a setting that differs.
    #[test]
    fn every_difference_has_its_reason() {
        for (report, player) in
            [(table3().unwrap(), Player::Classifier), (table4().unwrap(), Player::Generator)]
        {
            let text = |cell: &Cell| match cell {
                Cell::Text(text) => text.clone(),
                _ => String::new(),
            };
            let differ = |row: &&Vec<Cell>| !["all", "-"].contains(&&*text(row.last().unwrap()));
            let mut differing: Vec<String> =
                report.tables[0].rows.iter().filter(differ).map(|row| text(&row[0])).collect();
            let of = REASONS.iter().filter(|(of, _, _)| *of == player);
            let mut given: Vec<String> = of.map(|(_, name, _)| (*name).to_owned()).collect();
            differing.sort();
            given.sort();
            assert_eq!(differing, given);
            let told = |name: &String| {
                let start = format!("Ours differ in {name}: ");
                report.notes.iter().any(|note| note.starts_with(&start))
            };
            assert!(given.iter().all(told));
        }
    }

    #[test]
    fn agreement_is_of_numbers_where_there_are_numbers() {
        assert!(same("1.0", "1") && same("5e-5", "0.00005") && same("yes", "yes"));
        assert!(!same("5e-5", "2e-5") && !same("160 texts", "160") && !same("bf16", "f32"));
    }

    #[test]
    fn what_is_trained_is_named() {
        let all = Trained::default();
        assert_eq!(trained(&all, None), "all layers");
        let last = Trained { layers: Some(5), ..all.clone() };
        assert_eq!(trained(&last, Some(9)), "the last 5 of the first 9 layers");
        let lora = Lora { rank: 16, alpha: 32.0, targets: vec!["q_proj".into()] };
        let lora = Trained { lora: Some(lora), ..all };
        assert_eq!(trained(&lora, None), "additions of rank 16 to all layers");
    }

    #[test]
    fn numbers_are_short_and_exact() {
        for (value, text) in [(5e-7, "5e-7"), (0.1, "0.1"), (2e-4, "2e-4"), (0.0, "0"), (1.0, "1")]
        {
            assert_eq!(number(value), text);
        }
    }
}
