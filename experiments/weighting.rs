//! Claim: weighing unsafe rows above safe ones moves the operating point. Expected: the false-positive rate at
//! 0.5 rises from odds 1 to 4, and recall with it; the tables say what happens to AUROC, and to each
//! language when languages are weighed alike.

use crate::Context;
use nashguard::Result;
use nashguard::data::{Benchmark, BenchmarkRows, Label, Language, Row, Seeds, embedded};
use nashguard::metrics::{Confusion, auroc};
use nashguard::neural::{Guardrail, GuardrailConfig};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Cell, Column, Report, Table};
use std::path::Path;

pub const ABOUT: &str =
    "what weighing unsafe rows and languages does to the n-gram guardrail, at threshold 0.5";

const THRESHOLD: f32 = 0.5;
/// Weight of a language's unsafe rows against its safe ones; `None`: by their number.
const ODDS: [Option<f64>; 4] = [None, Some(1.0), Some(2.0), Some(4.0)];
/// 0: languages by their number of rows, 1: all languages alike.
const BALANCES: [f64; 3] = [0.0, 0.5, 1.0];
const SEEDS: &str = "held-out seeds";
const BENCHMARKS: &str = "benchmarks";

pub fn run(context: &Context) -> Result<Report> {
    let (seeds, source) = seeds(context)?;
    let benchmarks = benchmarks(context)?;
    let epochs = context.scale.pick(1, 2, GuardrailConfig::default().epochs);
    let percent = |name: String| Column::new(name).unit("%").decimals(1);
    let mut table = Table::new(
        "weighting",
        "A guardrail a row. Benchmarks: means over the five with both labels",
        [Column::new("rows"), Column::new("odds"), Column::new("balance").decimals(1)]
            .into_iter()
            .chain(Language::ALL.into_iter().flat_map(|language| {
                ["F1", "FPR", "AUROC"].map(|what| percent(format!("{} {what}", language.code())))
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
            let mut push = |rows: &str, figures: &dyn Fn(Language) -> Result<[Option<f64>; 3]>| {
                let odds = unsafe_odds.map_or("none".to_owned(), |odds| format!("{odds}"));
                let mut row: Vec<Cell> = vec![rows.into(), odds.into(), language_balance.into()];
                for language in Language::ALL {
                    row.extend(figures(language)?.map(|v| v.map_or("-".into(), Cell::from)));
                }
                table.push(row)
            };
            push(SEEDS, &|language| held_out(&guardrail, &seeds.validation, language))?;
            if !benchmarks.is_empty() {
                push(BENCHMARKS, &|language| mean(&guardrail, &benchmarks, language))?;
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

/// The real seeds, or the built-in corpus; every n-th row of it but at full scale.
fn seeds(context: &Context) -> Result<(Seeds, &'static str)> {
    let real = context.data.as_ref().map(|data| data.seeds()).transpose()?.flatten();
    let (mut seeds, source) = match real {
        Some(real) => (real, "real seeds"),
        None => (embedded()?, "embedded corpus"),
    };
    let most =
        [context.scale.pick(500, 50_000, usize::MAX), context.scale.pick(500, 10_000, usize::MAX)];
    for (rows, most) in [&mut seeds.train, &mut seeds.validation].into_iter().zip(most) {
        let step = rows.len().div_ceil(most).max(1);
        *rows = std::mem::take(rows).into_iter().step_by(step).collect();
    }
    Ok((seeds, source))
}

/// Those with both labels.
fn benchmarks(context: &Context) -> Result<Vec<BenchmarkRows>> {
    let Some(data) = &context.data else { return Ok(Vec::new()) };
    let both = Benchmark::ALL.into_iter().filter(|benchmark| benchmark.has_both_classes());
    both.flat_map(|benchmark| Language::ALL.map(|language| data.benchmark(benchmark, language)))
        .collect()
}

/// F1, false-positive rate and AUROC in percent.
fn figures(guardrail: &Guardrail, texts: &[&str], truth: &[bool]) -> Result<[Option<f64>; 3]> {
    if texts.is_empty() {
        return Ok([None; 3]);
    }
    let scores = guardrail.scores(texts)?;
    let found = Confusion::at(THRESHOLD, &scores, truth)?;
    let all = [Some(found.f1()), found.false_positive_rate(), auroc(&scores, truth)?];
    Ok(all.map(|value| value.map(|v| 100.0 * v)))
}

fn held_out(guardrail: &Guardrail, rows: &[Row], language: Language) -> Result<[Option<f64>; 3]> {
    let rows = rows.iter().filter(|row| row.language == language);
    let (texts, truth): (Vec<&str>, Vec<bool>) =
        rows.map(|row| (row.text.as_str(), row.label == Label::Unsafe)).unzip();
    figures(guardrail, &texts, &truth)
}

/// Means over the benchmarks of a language.
fn mean(
    guardrail: &Guardrail,
    benchmarks: &[BenchmarkRows],
    language: Language,
) -> Result<[Option<f64>; 3]> {
    let mut sums = [0.0; 3];
    let chosen: Vec<_> = benchmarks.iter().filter(|b| b.language == language).collect();
    for rows in &chosen {
        let texts: Vec<&str> = rows.texts.iter().map(String::as_str).collect();
        let truth: Vec<bool> = rows.labels.iter().map(|l| *l == Label::Unsafe).collect();
        let figures = figures(guardrail, &texts, &truth)?;
        for (sum, value) in sums.iter_mut().zip(figures) {
            *sum += value.unwrap_or(f64::NAN) / chosen.len() as f64;
        }
    }
    Ok(sums.map(|sum| (!chosen.is_empty() && sum.is_finite()).then_some(sum)))
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
    let panels = [SEEDS, BENCHMARKS].iter().flat_map(|rows| ["F1", "FPR"].map(|w| panel(rows, w)));
    Figure { columns: 2, panels: panels.flatten().collect(), ..Figure::default() }
        .draw(figures.join("weighting"))
}
