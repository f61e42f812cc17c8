//! Claim: mean F1 over the six benchmarks is beaten by always saying "unsafe"; beside it stand the
//! false-positive rate, AUPRC and AUROC. Expected: ours >= TF-IDF logistic regression on the same rows
//! (mean F1 at 0.5: en 70.1, fr 66.1, es 36.5, de 44.0).
//!
//! Paper: Table 1.

use crate::{Context, Scale};
use nashguard::Result;
use nashguard::data::{
    Benchmark, BenchmarkRows, Label, Language, Reported, ReportedLatency, ReportedModel, Row,
    Seeds, embedded, reported,
};
use nashguard::metrics::{Confusion, auroc, average_precision, choose_threshold};
use nashguard::neural::{Guardrail, GuardrailConfig};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Cell, Column, Report, Table};
use std::path::Path;
use std::time::Instant;

pub const ABOUT: &str =
    "the six benchmarks in four languages: the paper's models, always unsafe, our first guardrail";

/// The paper's threshold on the largest of the 12 probabilities.
const THRESHOLD: f32 = 0.5;
/// Inputs timed one by one.
const TIMED: usize = 500;
const PAPERS: &str = "the paper's";
const NEEDS_DATA: &str = "needs --data";

/// Something that scores texts: ours, or the constant "unsafe".
struct Contender {
    name: String,
    threshold: f32,
    /// One list a benchmark and language, in the order of `rows`.
    scores: Vec<Vec<f32>>,
    /// F1 on the held-out seeds of each language that has some, in percent.
    held_out: Vec<(Language, f64)>,
    milliseconds: Option<f64>,
    /// What it was trained on, where all its figures are printed.
    detail: Option<&'static str>,
}

pub fn run(context: &Context) -> Result<Report> {
    let training = training(context)?;
    let rows = benchmarks(context)?;
    let mut contenders = vec![shipped(context, &rows, &training[0].1.validation)?];
    for (name, seeds) in &training {
        let guardrail = guardrail(context, name, seeds)?;
        let (validation, truth) = texts(&seeds.validation);
        let validation_scores = guardrail.scores(&validation)?;
        let scores = benchmark_scores(&guardrail, &rows)?;
        let milliseconds = milliseconds(&guardrail, &validation)?;
        let chosen = choose_threshold(&validation_scores, &truth)?;
        for (threshold, how) in [(THRESHOLD, PAPERS), (chosen, "chosen on held-out seeds")] {
            contenders.push(Contender {
                name: format!("ours, {name}, threshold {threshold:.3} ({how})"),
                threshold,
                scores: scores.clone(),
                held_out: held_out(&seeds.validation, &validation_scores, threshold)?,
                milliseconds,
                detail: (how == PAPERS).then_some(*name),
            });
        }
    }
    let held_out_rows = &training[0].1.validation;
    contenders.insert(
        1,
        Contender {
            name: "always unsafe".into(),
            threshold: THRESHOLD,
            scores: rows.iter().map(|b| vec![1.0; b.texts.len()]).collect(),
            held_out: held_out(held_out_rows, &vec![1.0; held_out_rows.len()], THRESHOLD)?,
            milliseconds: None,
            detail: None,
        },
    );

    let reported = reported()?;
    let mut tables = Vec::new();
    for language in Language::ALL {
        let mut table = Table::new(
            format!("Table 1, {}", language.code()),
            "F1 of the unsafe class, in percent. Means: over the six benchmarks, and over the five \
             that hold safe rows too. Recall: mean over six; FPR, AUPRC, AUROC: mean over five. \
             The paper's rows are as it prints them, on all rows",
            columns(),
        );
        for model in &reported.models {
            table.push(paper_row(model, language, latency(&reported, model)))?;
        }
        for contender in &contenders {
            table.push(our_row(contender, language, &rows)?)?;
        }
        tables.push(table);
    }
    for contender in &contenders {
        if let Some(name) = contender.detail {
            tables.push(detail(&rows, name, contender)?);
        }
    }
    tables.push(rows_table(&rows)?);
    Ok(Report {
        paper_reference: "Table 1".into(),
        claim: "Mean F1 over the six benchmarks alone proves nothing: always saying \"unsafe\" \
                averages 64 percent. A first n-gram guardrail, beside the paper's models."
            .into(),
        notes: notes(&training, &rows),
        tables,
        ..Report::default()
    })
}

/// The guardrail that ships with the library, as it is.
fn shipped(context: &Context, rows: &[BenchmarkRows], validation: &[Row]) -> Result<Contender> {
    let guardrail = Guardrail::shipped()?;
    let bar = context.progress("scoring: shipped", 1);
    let (texts, _) = texts(validation);
    let validation_scores = guardrail.scores(&texts)?;
    let contender = Contender {
        name: format!("ours, shipped default, threshold {THRESHOLD:.3} ({PAPERS})"),
        threshold: THRESHOLD,
        scores: benchmark_scores(&guardrail, rows)?,
        held_out: held_out(validation, &validation_scores, THRESHOLD)?,
        milliseconds: milliseconds(&guardrail, &texts)?,
        detail: Some("shipped default"),
    };
    bar.finish_and_clear();
    Ok(contender)
}

/// One list of scores a benchmark and language.
fn benchmark_scores(guardrail: &Guardrail, rows: &[BenchmarkRows]) -> Result<Vec<Vec<f32>>> {
    rows.iter()
        .map(|b| guardrail.scores(&b.texts.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect()
}

/// What to train on, and how to call it: the real seeds, alone and with our embedded corpus (which
/// has the prompt-style rows that public seeds lack outside English); without them, the corpus.
fn training(context: &Context) -> Result<Vec<(&'static str, Seeds)>> {
    let ours = embedded()?;
    let mut training = match context.data.as_ref().map(|d| d.seeds()).transpose()?.flatten() {
        Some(real) => {
            let mut both = real.clone();
            both.train.extend(ours.train);
            vec![("real seeds", real), ("real seeds + embedded corpus", both)]
        }
        None => vec![("embedded corpus", ours)],
    };
    if context.scale == Scale::Smoke {
        for (_, seeds) in &mut training {
            thin(&mut seeds.train, 600);
            thin(&mut seeds.validation, 300);
        }
    }
    Ok(training)
}

/// Keeps about `count` rows, evenly spread.
fn thin(rows: &mut Vec<Row>, count: usize) {
    let step = rows.len().div_ceil(count).max(1);
    *rows = std::mem::take(rows).into_iter().step_by(step).collect();
}

fn benchmarks(context: &Context) -> Result<Vec<BenchmarkRows>> {
    let Some(data) = &context.data else { return Ok(Vec::new()) };
    let pairs = Language::ALL.into_iter().flat_map(|l| Benchmark::ALL.map(|b| (b, l)));
    pairs.map(|(benchmark, language)| data.benchmark(benchmark, language)).collect()
}

fn guardrail(context: &Context, name: &str, seeds: &Seeds) -> Result<Guardrail> {
    let mut config = GuardrailConfig::default();
    if context.scale == Scale::Smoke {
        config.epochs = 1;
    }
    let bar = context.progress(&format!("training: {name}"), 1);
    let guardrail = Guardrail::train(config, seeds, context.seed, &mut |step| {
        bar.set_length(step.total as u64);
        bar.set_position(step.done as u64);
    })?;
    bar.finish_and_clear();
    Ok(guardrail)
}

fn texts(rows: &[Row]) -> (Vec<&str>, Vec<bool>) {
    rows.iter().map(|r| (r.text.as_str(), r.label == Label::Unsafe)).unzip()
}

/// F1 on the held-out seed rows of each language, in percent.
fn held_out(rows: &[Row], scores: &[f32], threshold: f32) -> Result<Vec<(Language, f64)>> {
    Language::ALL
        .into_iter()
        .filter(|language| rows.iter().any(|row| row.language == *language))
        .map(|language| {
            let (scores, truth): (Vec<f32>, Vec<bool>) = rows
                .iter()
                .zip(scores)
                .filter(|(row, _)| row.language == language)
                .map(|(row, score)| (*score, row.label == Label::Unsafe))
                .unzip();
            Ok((language, 100.0 * Confusion::at(threshold, &scores, &truth)?.f1()))
        })
        .collect()
}

/// Median milliseconds of one text at a time, hashing included.
fn milliseconds(guardrail: &Guardrail, texts: &[&str]) -> Result<Option<f64>> {
    let mut times = Vec::with_capacity(TIMED);
    for text in texts.iter().take(TIMED) {
        let start = Instant::now();
        guardrail.scores(&[*text])?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied())
}

fn columns() -> Vec<Column> {
    let percent = |name: &str| Column::new(name).unit("%").decimals(1);
    std::iter::once(Column::new("model"))
        .chain(Benchmark::ALL.map(|b| percent(b.name())))
        .chain([
            percent("mean of 6"),
            percent("mean of 5"),
            percent("recall"),
            percent("FPR"),
            percent("AUPRC"),
            percent("AUROC"),
            Column::new("time per input").unit("ms").decimals(3),
            percent("held-out seeds F1"),
        ])
        .collect()
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values = values.collect::<Option<Vec<f64>>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn cell(value: Option<f64>, missing: &str) -> Cell {
    value.map_or(missing.into(), Cell::from)
}

fn paper_row(model: &ReportedModel, language: Language, latency: Option<f64>) -> Vec<Cell> {
    let f1 = |b: Benchmark| model.f1[&language][&b];
    let five = Benchmark::ALL.into_iter().filter(|b| b.has_both_classes()).map(|b| Some(f1(b)));
    let mut row = vec![format!("{} {} (paper)", model.name, model.size).into()];
    row.extend(Benchmark::ALL.map(|b| Cell::from(f1(b))));
    row.push(model.average[&language].into());
    row.push(cell(mean(five), ""));
    row.extend(["-"; 4].map(Cell::from));
    row.push(cell(latency, "-"));
    row.push("-".into());
    row
}

/// Milliseconds per input as the paper's text gives them, else as its repository does.
fn latency(reported: &Reported, model: &ReportedModel) -> Option<f64> {
    let same = |l: &&ReportedLatency| l.name == model.name && l.size == model.size;
    reported.latency.iter().find(same).and_then(|l| l.paper.or(l.repository))
}

/// One benchmark's figures, in percent.
struct Figures {
    confusion: Confusion,
    auprc: Option<f64>,
    auroc: Option<f64>,
}

fn figures(rows: &BenchmarkRows, scores: &[f32], threshold: f32) -> Result<Figures> {
    let truth: Vec<bool> = rows.labels.iter().map(|l| *l == Label::Unsafe).collect();
    Ok(Figures {
        confusion: Confusion::at(threshold, scores, &truth)?,
        auprc: average_precision(scores, &truth)?.map(|v| 100.0 * v),
        auroc: auroc(scores, &truth)?.map(|v| 100.0 * v),
    })
}

fn our_row(contender: &Contender, language: Language, rows: &[BenchmarkRows]) -> Result<Vec<Cell>> {
    let mut scored = Vec::new();
    for (rows, scores) in rows.iter().zip(&contender.scores).filter(|(r, _)| r.language == language)
    {
        scored.push((rows.benchmark, figures(rows, scores, contender.threshold)?));
    }
    let over = |five: bool, value: &dyn Fn(&Figures) -> Option<f64>| {
        mean(scored.iter().filter(|(b, _)| !five || b.has_both_classes()).map(|(_, f)| value(f)))
    };
    let f1 = |f: &Figures| Some(100.0 * f.confusion.f1());
    let mut row: Vec<Cell> = vec![contender.name.as_str().into()];
    for benchmark in Benchmark::ALL {
        let found = scored.iter().find(|(b, _)| *b == benchmark).and_then(|(_, f)| f1(f));
        row.push(cell(found, NEEDS_DATA));
    }
    row.push(cell(over(false, &f1), NEEDS_DATA));
    row.push(cell(over(true, &f1), NEEDS_DATA));
    row.push(cell(over(false, &|f| Some(100.0 * f.confusion.recall())), NEEDS_DATA));
    let fpr = |f: &Figures| f.confusion.false_positive_rate().map(|v| 100.0 * v);
    row.push(cell(over(true, &fpr), NEEDS_DATA));
    row.push(cell(over(true, &|f| f.auprc), NEEDS_DATA));
    row.push(cell(over(true, &|f| f.auroc), NEEDS_DATA));
    row.push(cell(contender.milliseconds, "-"));
    let held_out = contender.held_out.iter().find(|(l, _)| *l == language).map(|(_, f1)| *f1);
    row.push(cell(held_out, "-"));
    Ok(row)
}

/// Every figure of one contender, a row a benchmark and language.
fn detail(rows: &[BenchmarkRows], name: &str, contender: &Contender) -> Result<Table> {
    let percent = |name: &str| Column::new(name).unit("%").decimals(1);
    let mut table = Table::new(
        format!("details, {name}"),
        format!("{}: every benchmark and language", contender.name),
        [
            Column::new("benchmark"),
            Column::new("language"),
            percent("F1"),
            percent("precision"),
            percent("recall"),
            percent("FPR"),
            percent("AUPRC"),
            percent("AUROC"),
        ],
    );
    for (rows, scores) in rows.iter().zip(&contender.scores) {
        let f = figures(rows, scores, contender.threshold)?;
        table.push([
            rows.benchmark.name().into(),
            rows.language.code().into(),
            (100.0 * f.confusion.f1()).into(),
            (100.0 * f.confusion.precision()).into(),
            (100.0 * f.confusion.recall()).into(),
            cell(f.confusion.false_positive_rate().map(|v| 100.0 * v), "undefined"),
            cell(f.auprc, "undefined"),
            cell(f.auroc, "undefined"),
        ])?;
    }
    Ok(table)
}

/// A place without the folders before its file: those are the reader's own.
fn short(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place)
}

/// What was read.
fn rows_table(rows: &[BenchmarkRows]) -> Result<Table> {
    let mut table = Table::new(
        "rows",
        "Rows read, of those the complete released file has; rows skipped, and why",
        ["benchmark", "language", "rows", "released", "unsafe", "skipped", "why"].map(Column::new),
    );
    for r in rows {
        let mut reasons: Vec<String> =
            r.skipped.iter().map(|s| format!("{}: {}", short(&s.place), s.reason)).collect();
        if reasons.len() > 3 {
            reasons.truncate(3);
            reasons.push("...".into());
        }
        table.push([
            r.benchmark.name().into(),
            r.language.code().into(),
            r.texts.len().into(),
            r.benchmark.released_rows(r.language).into(),
            r.labels.iter().filter(|l| **l == Label::Unsafe).count().into(),
            r.skipped.len().into(),
            reasons.join("; ").into(),
        ])?;
    }
    Ok(table)
}

fn notes(training: &[(&str, Seeds)], rows: &[BenchmarkRows]) -> Vec<String> {
    let mut notes = vec![
        "Ours, shipped default: models/guardrail, as its README says how it was made; of the held-out \
         rows it has seen none."
            .to_owned(),
    ];
    notes.extend(training.iter().map(|(name, seeds)| {
        format!(
            "Ours, {name}: hashed character 2- to 5-grams and word 1- to 2-grams, an embedding \
                 bag, 12 sigmoid outputs; trained on {} rows, the second threshold chosen on {} \
                 held-out seed rows. No benchmark row was trained, tuned or selected on.",
            seeds.train.len(),
            seeds.validation.len()
        )
    }));
    let read: usize = rows.iter().map(|r| r.texts.len() + r.skipped.len()).sum();
    let released: usize = rows.iter().map(|r| r.benchmark.released_rows(r.language)).sum();
    if rows.is_empty() {
        notes.push(
            "No benchmark was given: their cells read \"needs --data\"; the last column scores the \
             embedded held-out texts."
                .into(),
        );
    } else if read < released {
        notes.push(format!(
            "The benchmark files hold {read} of the {released} released rows (the even half where \
             a file is halved): these are results on part of the rows, the paper's on all."
        ));
    }
    notes.push(
        "Time per input: ours batch 1 on this CPU, hashing included, median; the paper's as its \
         text gives it (16.47, 57.83 and 58.88 ms) or else its repository, batch 1 on an H100-class GPU, every input padded to 2048 tokens."
            .into(),
    );
    notes.push("XSafety holds unsafe rows only: its F1 measures recall alone.".into());
    notes
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let tables: Vec<&Table> =
        report.tables.iter().filter(|t| t.name.starts_with("Table 1")).collect();
    let chart = |title: &str, column: &str| -> Option<Panel> {
        let at = tables.first()?.columns.iter().position(|c| c.name == column)?;
        let bars = (0..tables.first()?.rows.len()).filter_map(|k| {
            let label = match &tables.first()?.rows[k][0] {
                Cell::Text(name) => name.clone(),
                _ => return None,
            };
            let values: Vec<_> = tables.iter().map(|t| t.rows[k][at].as_f64()).collect();
            values.iter().any(Option::is_some).then_some(Bar { label, values })
        });
        let bars: Vec<Bar> = bars.collect();
        (!bars.is_empty()).then(|| {
            Panel::from(Bars {
                title: title.into(),
                value: Axis::linear("percent").between(0.0, 100.0),
                series: Language::ALL.map(|l| l.code().into()).to_vec(),
                bars,
            })
        })
    };
    let panels = [
        chart("Mean F1 over the six benchmarks", "mean of 6"),
        chart("Mean F1 over the five with both classes", "mean of 5"),
        chart("False-positive rate", "FPR"),
        chart("AUROC", "AUROC"),
    ];
    Figure { columns: 2, panels: panels.into_iter().flatten().collect(), ..Figure::default() }
        .draw(figures.join("table1"))
}
