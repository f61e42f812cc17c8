//! Claim: synthetic rows that fooled the classifier help it where seeds are few, in Spanish and German, and the
//! loop's rows help more than as many drawn once. Expected by the bar: mean F1 up by 8 points in both, no language
//! down by more than 1, XSTest's false alarms not up.
//!
//! Paper: Section 5 (what the two-player training adds to the seeds), Algorithm 1.

use crate::Context;
use crate::contenders::{Set, THRESHOLD, seeds, sets};
use crate::games::{Game, games};
use crate::scoring::{Score, cell, config, config_note, means, scores, sets_note, train};
use nashguard::data::{Benchmark, Language, Row, Seeds};
use nashguard::neural::rounds::{added_rows, kept_rows};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Cell, Column, Report, Table};
use nashguard::{Error, Result};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::path::Path;
use std::sync::Arc;

pub const ABOUT: &str =
    "what synthetic rows add to the seeds: none, drawn once, the paper's loop, the proximal loop";

/// Seeds of the classifier's training.
const SEEDS: u64 = 3;
/// The control's name: as many seed rows twice.
const NONE: &str = "seeds only";
const DIFFERENCES: &str = "differences";

/// A way to come by synthetic rows.
struct Condition {
    name: String,
    rows: Vec<Row>,
}

/// A condition's figures with each seed of the training.
struct Trained {
    name: String,
    scores: Vec<Vec<Score>>,
}

pub fn run(context: &Context) -> Result<Report> {
    let (seeds, _) = seeds(context)?;
    let sets = sets(context, &seeds.validation)?;
    let conditions = conditions(context)?;
    // As many rows in each, so that what differs is which.
    let count = conditions.iter().map(|c| c.rows.len()).min().unwrap_or(0);
    let mut tables = Vec::new();
    if count > 0 {
        tables = trained(context, &seeds, &sets, &conditions, count)?;
        tables.push(sources(&conditions)?);
    }
    Ok(Report {
        paper_reference: "Section 5 and Algorithm 1 (what the two-player training adds)".into(),
        claim: "Synthetic rows of the two-player game, added to the seeds, raise scores where seeds are few."
            .into(),
        notes: vec![
            config_note(&config(context)),
            sets_note(&sets),
            match count {
                0 => "No game was found below --models. `nashguard play --config experiments/play-small.toml --data \
                      DIR --models DIR --out runs/NAME` plays one; then give --models runs."
                    .into(),
                _ => format!(
                    "Each condition adds {count} synthetic rows; \"{NONE}\" adds as many seed rows a second time, so \
                     that every classifier takes the same steps. {SEEDS} trainings each; intervals are 95 % of \
                     Student's t on the differences from \"{NONE}\" of the same training seed."
                ),
            },
            "\"drawn once\" is every text of a game's first round that no filter dropped, whether or not it fooled \
             the classifier: the same generator, no adversary."
                .into(),
        ],
        tables,
        ..Report::default()
    })
}

/// One condition a game, and one of texts drawn once.
fn conditions(context: &Context) -> Result<Vec<Condition>> {
    let mut conditions = Vec::new();
    for Game { name, folder, rounds } in games(context)? {
        if conditions.is_empty() {
            let rows = kept_rows(&folder, 1)?;
            conditions.push(Condition { name: format!("drawn once ({name})"), rows });
        }
        let mut rows = Vec::new();
        for round in 1..=rounds {
            rows.extend(added_rows(&folder, round)?);
        }
        conditions.push(Condition { name, rows });
    }
    conditions.retain(|c| !c.rows.is_empty());
    Ok(conditions)
}

fn trained(
    context: &Context,
    seeds: &Seeds,
    sets: &[Arc<Set>],
    conditions: &[Condition],
    count: usize,
) -> Result<Vec<Table>> {
    let none = Condition { name: NONE.into(), rows: seeds.train.clone() };
    let mut all = Vec::new();
    for condition in std::iter::once(&none).chain(conditions) {
        let mut runs = Vec::new();
        for seed in 0..SEEDS {
            let mut rng = ChaCha8Rng::seed_from_u64(context.seed + seed);
            let mut rows = condition.rows.clone();
            rows.shuffle(&mut rng);
            rows.truncate(count);
            let train_on =
                Seeds { train: [&seeds.train[..], &rows].concat(), validation: Vec::new() };
            let what = format!("{} ({} of {SEEDS})", condition.name, seed + 1);
            let guardrail = train(context, &what, config(context), &train_on, context.seed + seed)?;
            runs.push(scores(&guardrail, sets)?);
        }
        all.push(Trained { name: condition.name.clone(), scores: runs });
    }
    let xstest = |scores: &[Score], language: Language| {
        let of = |s: &Arc<Set>| s.benchmark == Some(Benchmark::XsTest) && s.language == language;
        sets.iter().position(of).and_then(|i| scores[i].fpr)
    };
    type Value<'a> = Box<dyn Fn(&[Score], Language) -> Option<f64> + 'a>;
    let values: [(&str, Value<'_>); 4] = [
        ("F1", Box::new(|s, l| Some(means(sets, s, l).f1))),
        ("AUROC", Box::new(|s, l| means(sets, s, l).auroc)),
        ("FPR", Box::new(|s, l| means(sets, s, l).fpr)),
        ("XSTest FPR", Box::new(xstest)),
    ];
    let per_language = |suffix: &str| Language::ALL.map(|l| format!("{}{suffix}", l.code()));
    let mut levels = Table::new(
        "levels",
        "Means over the trainings",
        [Column::new("added to the seeds"), Column::new("figure")]
            .into_iter()
            .chain(per_language("").map(Column::percent)),
    );
    let mut differences = Table::new(
        DIFFERENCES,
        "Points above the control of the same training seed, and half the width of their 95 % interval",
        [Column::new("added to the seeds"), Column::new("figure")].into_iter().chain(
            Language::ALL.into_iter().flat_map(|l| {
                [l.code().to_owned(), format!("{} ±", l.code())]
                    .map(|name| Column::new(name).unit("points").decimals(1))
            }),
        ),
    );
    for trained in &all {
        for (what, value) in &values {
            let of = |runs: &[Vec<Score>], l| -> Vec<f64> {
                runs.iter().filter_map(|scores| value(scores, l)).collect()
            };
            let mut row: Vec<Cell> = vec![trained.name.clone().into(), (*what).into()];
            let mut difference = row.clone();
            for language in Language::ALL {
                let (mine, control) = (of(&trained.scores, language), of(&all[0].scores, language));
                let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
                row.push(cell((!mine.is_empty()).then(|| mean(&mine))));
                let gains: Vec<f64> = mine.iter().zip(&control).map(|(a, b)| a - b).collect();
                let (mean, half) = match gains.is_empty() {
                    true => (None, None),
                    false => (Some(mean(&gains)), Some(half_width(&gains)?)),
                };
                difference.extend([cell(mean), cell(half)]);
            }
            levels.push(row)?;
            if trained.name != NONE {
                differences.push(difference)?;
            }
        }
    }
    Ok(vec![levels, differences])
}

/// Half the width of the mean's 95 % interval.
fn half_width(values: &[f64]) -> Result<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = StudentsT::new(0.0, 1.0, n - 1.0)
        .map_err(|e| Error::invalid("trainings", e.to_string(), "run at least two"))?;
    Ok(t.inverse_cdf(0.975) * (variance / n).sqrt())
}

/// What the conditions' rows are.
fn sources(conditions: &[Condition]) -> Result<Table> {
    let columns = Language::ALL
        .into_iter()
        .flat_map(|l| ["safe", "unsafe"].map(|label| Column::new(format!("{} {label}", l.code()))));
    let mut table = Table::new(
        "rows",
        "Synthetic rows that each game made, of which as many were used",
        [Column::new("condition"), Column::new("rows")].into_iter().chain(columns),
    );
    for condition in conditions {
        let mut row: Vec<Cell> = vec![condition.name.clone().into(), condition.rows.len().into()];
        for language in Language::ALL {
            for label in [nashguard::data::Label::Safe, nashguard::data::Label::Unsafe] {
                let of = |r: &&Row| r.language == language && r.label == label;
                row.push(condition.rows.iter().filter(of).count().into());
            }
        }
        table.push(row)?;
    }
    Ok(table)
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let Some(table) = report.tables.iter().find(|t| t.name == DIFFERENCES) else { return Ok(()) };
    let is = |cell: &Cell, what: &str| matches!(cell, Cell::Text(text) if text == what);
    let panel = |what: &str| {
        let bar = |row: &Vec<Cell>| match &row[0] {
            Cell::Text(label) => Some(Bar {
                label: label.clone(),
                values: row[2..].iter().step_by(2).map(Cell::as_f64).collect(),
            }),
            _ => None,
        };
        Panel::from(Bars {
            title: format!("{what}: points above the seeds alone (threshold {THRESHOLD})"),
            value: Axis::linear("points"),
            series: Language::ALL.map(|l| l.code().to_owned()).to_vec(),
            bars: table.rows.iter().filter(|row| is(&row[1], what)).filter_map(bar).collect(),
        })
    };
    let panels = ["F1", "AUROC"].map(panel).to_vec();
    Figure { columns: 2, panels, ..Figure::default() }.draw(figures.join("ablations"))
}
