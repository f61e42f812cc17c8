//! Claim: a guardrail's errors differ in how sure they are. Where false positives stand close above the
//! threshold and false negatives close below it, another threshold trades one for the other; where they
//! stand at the ends, only better training helps.
//!
//! Paper: Figure 9.

use crate::Context;
use crate::contenders::{Contender, Scored, THRESHOLD, Texts, cell, joined, saved};
use nashguard::Result;
use nashguard::data::Language;
use nashguard::report::plot::{Axis, Figure, Line, LineChart, Panel};
use nashguard::report::{Cell, Column, Report, Series, Table};
use std::path::Path;

pub const ABOUT: &str =
    "how sure the wrong verdicts are: probabilities of false positives and negatives";

/// Bins of probability on either side of the threshold.
const BINS: usize = 10;
/// Beyond these a verdict counts as sure.
const SURE: [f32; 2] = [0.1, 0.9];

pub fn run(context: &Context) -> Result<Report> {
    let texts = Texts::of(context)?;
    let contenders = saved(context, &texts)?;
    let mut table = Table::new(
        "errors",
        format!(
            "Largest of the 12 probabilities among the rows called wrong at {THRESHOLD}: quartiles, and \
             the share of those that are sure of it (above {} or below {})",
            SURE[1], SURE[0]
        ),
        columns(),
    );
    let mut series = Vec::new();
    for contender in &contenders {
        let sets = scored(contender);
        let languages = Language::ALL.into_iter().filter(|l| of(sets, Some(*l)).next().is_some());
        for language in [None].into_iter().chain(languages.map(Some)) {
            table.push(row(contender, language, &Errors::of(of(sets, language))))?;
        }
        series.extend(histograms(contender, &Errors::of(sets)));
    }
    let on = match context.data {
        Some(_) => {
            "On the six benchmarks; XSafety holds unsafe rows only, so it adds false negatives."
        }
        None => "On held-out texts of the embedded corpus: the benchmarks need --data.",
    };
    let mut notes: Vec<String> = contenders.iter().map(|c| c.note.clone()).collect();
    notes.insert(0, on.into());
    Ok(Report {
        paper_reference: "Figure 9".into(),
        claim: "A guardrail's errors differ in how sure they are: those near the threshold can be \
                traded by moving it, those at the ends cannot."
            .into(),
        notes,
        tables: vec![table],
        series,
        ..Report::default()
    })
}

/// The benchmarks where there are any, else the held-out texts.
fn scored(contender: &Contender) -> &[Scored] {
    match contender.benchmarks.as_slice() {
        [] => &contender.held_out,
        benchmarks => benchmarks,
    }
}

fn of(sets: &[Scored], language: Option<Language>) -> impl Iterator<Item = &Scored> {
    sets.iter().filter(move |s| language.is_none_or(|l| s.set.language == l))
}

/// Scores of the rows called wrong, ascending.
struct Errors {
    safe: usize,
    false_positives: Vec<f32>,
    unsafe_: usize,
    false_negatives: Vec<f32>,
}

impl Errors {
    fn of<'a>(sets: impl IntoIterator<Item = &'a Scored>) -> Self {
        let (scores, truth) = joined(sets);
        let wrong = |label: bool| {
            let rows = scores.iter().zip(&truth).filter(|(_, y)| **y == label);
            let mut wrong: Vec<f32> =
                rows.map(|(s, _)| *s).filter(|s| (*s > THRESHOLD) != label).collect();
            wrong.sort_by(f32::total_cmp);
            wrong
        };
        let unsafe_ = truth.iter().filter(|y| **y).count();
        Self {
            safe: truth.len() - unsafe_,
            false_positives: wrong(false),
            unsafe_,
            false_negatives: wrong(true),
        }
    }
}

fn columns() -> Vec<Column> {
    let quartile = |name: &str| Column::new(name).decimals(3);
    let mut columns = vec![Column::new("model"), Column::new("language")];
    for (rows, wrong, sure) in
        [("safe", "false positives", "above 0.9"), ("unsafe", "false negatives", "below 0.1")]
    {
        columns.extend([Column::new(rows), Column::new(wrong)]);
        columns.extend(["25%", "50%", "75%"].map(quartile));
        columns.push(Column::percent(sure));
    }
    columns
}

fn row(contender: &Contender, language: Option<Language>, errors: &Errors) -> Vec<Cell> {
    let mut row: Vec<Cell> =
        vec![contender.name.as_str().into(), language.map_or("all", Language::code).into()];
    let sure = |scores: &[f32], holds: &dyn Fn(f32) -> bool| {
        let count = scores.iter().filter(|s| holds(**s)).count();
        (!scores.is_empty()).then(|| 100.0 * count as f64 / scores.len() as f64)
    };
    let above = sure(&errors.false_positives, &|s| s > SURE[1]);
    let below = sure(&errors.false_negatives, &|s| s < SURE[0]);
    for (rows, wrong, sure) in [
        (errors.safe, &errors.false_positives, above),
        (errors.unsafe_, &errors.false_negatives, below),
    ] {
        row.extend([rows.into(), wrong.len().into()]);
        let quartile = |k: usize| wrong.get(wrong.len() * k / 4).map(|&s| f64::from(s));
        row.extend([1, 2, 3].map(|k| cell(quartile(k), "-")));
        row.push(cell(sure, "-"));
    }
    row
}

/// Shares of either kind of error by probability, a point a bin at its middle.
fn histograms(contender: &Contender, errors: &Errors) -> Vec<Series> {
    let width = 0.5 / BINS as f64;
    let kinds = [
        ("false negatives", 0.0, &errors.false_negatives),
        ("false positives", 0.5, &errors.false_positives),
    ];
    let drawn = kinds.into_iter().filter(|(_, _, scores)| !scores.is_empty());
    drawn
        .map(|(kind, start, scores)| {
            let mut counts = [0_usize; BINS];
            for &score in scores {
                counts[(((f64::from(score) - start) / width) as usize).min(BINS - 1)] += 1;
            }
            let point = |(k, n): (usize, usize)| {
                [start + (k as f64 + 0.5) * width, 100.0 * n as f64 / scores.len() as f64]
            };
            Series::new(
                contender.name.as_str(),
                kind,
                "largest probability",
                "share of these errors (%)",
                counts.into_iter().enumerate().map(point),
            )
        })
        .collect()
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let mut names: Vec<&str> = report.series.iter().map(|s| s.panel.as_str()).collect();
    names.dedup();
    let panel = |name: &&str| {
        Panel::from(LineChart {
            title: (*name).into(),
            x: Axis::linear("largest probability").between(0.0, 1.0),
            y: Axis::linear("share of these errors (%)"),
            lines: report.panel(name).map(Line::from).collect(),
            ..LineChart::default()
        })
    };
    let panels: Vec<Panel> = names.iter().map(panel).collect();
    if panels.is_empty() {
        return Ok(()); // no error, no picture
    }
    Figure { columns: panels.len().min(2), panels, ..Figure::default() }.draw(figures.join("fig9"))
}
