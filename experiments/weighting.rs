//! Claim: weighing unsafe rows above safe ones moves the operating point. Expected: the false-positive rate at
//! 0.5 rises from odds 1 to 4, and recall with it; the tables say what happens to AUROC, and to each
//! language when languages are weighed alike.

use crate::Context;
use crate::contenders::{HELD_OUT, THRESHOLD, by_language, seeds, sets, thin};
use crate::scoring::{cell, means, scores};
use nashguard::Result;
use nashguard::data::{Benchmark, Language};
use nashguard::neural::{Guardrail, GuardrailConfig};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Cell, Column, Report, Table};
use std::path::Path;

pub const ABOUT: &str =
    "what weighing unsafe rows and languages does to the n-gram guardrail, at threshold 0.5";

/// Weight of a language's unsafe rows against its safe ones; `None`: by their number.
const ODDS: [Option<f64>; 4] = [None, Some(1.0), Some(2.0), Some(4.0)];
/// 0: languages by their number of rows, 1: all languages alike.
const BALANCES: [f64; 3] = [0.0, 0.5, 1.0];
const BENCHMARKS: &str = "benchmarks";

pub fn run(context: &Context) -> Result<Report> {
    let (mut seeds, source) = seeds(context)?;
    // Every n-th row but at full scale.
    thin(&mut seeds.train, context.scale.pick(usize::MAX, 50_000, usize::MAX));
    thin(&mut seeds.validation, context.scale.pick(usize::MAX, 10_000, usize::MAX));
    let held_out = by_language(&seeds.validation);
    let mut benchmarks = sets(context, &[])?;
    benchmarks.retain(|set| set.benchmark.is_some_and(Benchmark::has_both_classes));
    let epochs = context.scale.pick(1, 2, GuardrailConfig::default().epochs);
    let mut table = Table::new(
        "weighting",
        "A guardrail a row. Benchmarks: means over the five with both labels",
        [Column::new("rows"), Column::new("odds"), Column::new("balance").decimals(1)]
            .into_iter()
            .chain(Language::ALL.into_iter().flat_map(|language| {
                ["F1", "FPR", "AUROC"]
                    .map(|what| Column::percent(format!("{} {what}", language.code())))
            })),
    );
    let bar = context.progress("training", ODDS.len() * BALANCES.len());
    for unsafe_odds in ODDS {
        for language_balance in BALANCES {
            let config = GuardrailConfig {
                epochs,
                unsafe_odds,
                language_balance,
                ..GuardrailConfig::default()
            };
            let guardrail = Guardrail::train(config, &seeds, context.seed, &mut |_| {})?;
            for (rows, sets) in [(HELD_OUT, &held_out), (BENCHMARKS, &benchmarks)] {
                if sets.is_empty() {
                    continue;
                }
                let scores = scores(&guardrail, sets)?;
                let odds = unsafe_odds.map_or("none".to_owned(), |odds| format!("{odds}"));
                let mut row: Vec<Cell> = vec![rows.into(), odds.into(), language_balance.into()];
                for language in Language::ALL {
                    let of = means(sets, &scores, language);
                    let here = sets.iter().any(|set| set.language == language);
                    row.extend([here.then_some(of.f1), of.fpr, of.auroc].map(cell));
                }
                table.push(row)?;
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(Report {
        paper_reference: "none: the paper does not vary it".into(),
        claim: "Weighing unsafe rows above safe ones moves the operating point: false alarms at 0.5 rise \
                from odds 1 to 4. AUROC tells how much more than that it does."
            .into(),
        notes: vec![
            format!(
                "N-grams alone, {} over {} rows ({source}); threshold {THRESHOLD}, chosen on nothing.",
                if epochs == 1 { "1 epoch".to_owned() } else { format!("{epochs} epochs") },
                seeds.train.len()
            ),
            format!("Held-out seeds: {} rows, never trained on.", seeds.validation.len()),
            "The benchmarks are for scoring only; no setting was chosen by them.".into(),
        ],
        tables: vec![table],
        ..Report::default()
    })
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let Some(table) = report.tables.first() else { return Ok(()) };
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        other => other.as_f64().map_or(String::new(), |x| format!("{x}")),
    };
    let panel = |rows: &str, what: &str| {
        let of = |language: Language| {
            let name = format!("{} {what}", language.code());
            table.columns.iter().position(|column| column.name == name)
        };
        let bars: Vec<Bar> = table
            .rows
            .iter()
            .filter(|row| text(&row[0]) == rows)
            .map(|row| Bar {
                label: format!("odds {}, balance {}", text(&row[1]), text(&row[2])),
                values: Language::ALL.map(|l| of(l).and_then(|at| row[at].as_f64())).to_vec(),
            })
            .collect();
        (!bars.is_empty()).then(|| {
            Panel::from(Bars {
                title: format!("{what}, {rows}"),
                value: Axis::linear("percent").between(0.0, 100.0),
                series: Language::ALL.map(|l| l.code().into()).to_vec(),
                bars,
            })
        })
    };
    let panels =
        [HELD_OUT, BENCHMARKS].iter().flat_map(|rows| ["F1", "FPR"].map(|w| panel(rows, w)));
    Figure { columns: 2, panels: panels.flatten().collect(), ..Figure::default() }
        .draw(figures.join("weighting"))
}
