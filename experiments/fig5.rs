//! Claim: a classifier trained on one language's seeds carries over to others unevenly, from not at all;
//! seeds of a second language help in that language most.
//!
//! Paper: Figure 5 (which seed languages).

use crate::Context;
use crate::contenders::{REAL, Set, seeds, sets};
use crate::scoring::{Score, cell, claim, config, config_note, means, scores, sets_note, train};
use nashguard::Result;
use nashguard::data::{Benchmark, Language, Row, Seeds, reported};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Cell, Column, Report, Table};
use std::path::Path;
use std::sync::Arc;

pub const ABOUT: &str =
    "which seed languages: one classifier trained on eight choices, scored in four";

use Language::{De, En, Es, Fr};
/// What is trained on: each language alone, English with one other, all.
const CHOICES: [&[Language]; 8] =
    [&[En], &[Fr], &[Es], &[De], &[En, Fr], &[En, Es], &[En, De], &[En, Fr, Es, De]];

/// A classifier trained on the seeds of some languages, and its figures on every test set.
struct Trained {
    languages: &'static [Language],
    rows: usize,
    scores: Vec<Score>,
}

pub fn run(context: &Context) -> Result<Report> {
    let (seeds, source) = seeds(context)?;
    let sets = sets(context, &seeds.validation)?;
    let mut all = Vec::new();
    for languages in CHOICES {
        let of = |row: &&Row| languages.contains(&row.language);
        let train_on: Vec<Row> = seeds.train.iter().filter(of).cloned().collect();
        let rows = train_on.len();
        let chosen = Seeds { train: train_on, validation: Vec::new() };
        let guardrail = train(context, &name(languages), config(context), &chosen, context.seed)?;
        all.push(Trained { languages, rows, scores: scores(&guardrail, &sets)? });
    }
    let mut tables = vec![
        summary("mean F1", "F1 by the language scored in", &all, &sets, |s| Some(s.f1))?,
        summary("AUROC", "AUROC by the language scored in", &all, &sets, |s| s.auroc)?,
        summary("FPR", "False-positive rate by the language scored in", &all, &sets, |s| s.fpr)?,
    ];
    if context.data.is_some() {
        tables.push(beside_the_paper(&all, &sets)?);
    }
    tables.push(details(&all, &sets)?);
    Ok(Report {
        paper_reference: "Figure 5 (which seed languages)".into(),
        claim: claim(
            source == REAL,
            "Seeds of one language carry over to the others unevenly, from not at all; a second language \
             helps in its own language first.",
        ),
        notes: vec![
            config_note(&config(context), source),
            sets_note(&sets),
            "One training run each: differences of a point may be chance. Languages differ in how many \
             seeds they have and in what kind: adding one also adds rows. F1 at a fixed threshold moves when the scores' level moves; AUROC does not."
                .into(),
            "An n-gram model knows nothing of one language from another but shared spellings: the paper's \
             classifier, fine-tuned from a multilingual base, starts with more."
                .into(),
        ],
        tables,
        ..Report::default()
    })
}

fn name(languages: &[Language]) -> String {
    match languages.len() == Language::ALL.len() {
        true => "all".into(),
        false => languages.iter().map(|l| l.code()).collect::<Vec<_>>().join("+"),
    }
}

/// One figure, a row a choice and a column a language.
fn summary(
    name_: &str,
    caption: &str,
    all: &[Trained],
    sets: &[Arc<Set>],
    value: impl Fn(&Score) -> Option<f64>,
) -> Result<Table> {
    let mut columns = vec![Column::new("trained on"), Column::new("rows")];
    columns.extend(Language::ALL.map(|l| Column::percent(l.code())));
    let mut table = Table::new(name_, caption, columns);
    for trained in all {
        let mut row: Vec<Cell> = vec![name(trained.languages).into(), trained.rows.into()];
        let of = |language| cell(value(&means(sets, &trained.scores, language)));
        row.extend(Language::ALL.map(of));
        table.push(row)?;
    }
    Ok(table)
}

/// What French seeds add to English ones on OpenAI moderation.
fn beside_the_paper(all: &[Trained], sets: &[Arc<Set>]) -> Result<Table> {
    let points = |name: &str| Column::new(name).unit("points").decimals(1);
    let mut table = Table::new(
        "beside the paper",
        "OpenAI moderation, trained on English and on English and French: F1 as the paper gives it, \
         ours, and our AUROC",
        [
            Column::new("scored in"),
            Column::percent("paper, en"),
            Column::percent("paper, en+fr"),
            points("paper, gain"),
            Column::percent("ours, en"),
            Column::percent("ours, en+fr"),
            points("ours, gain"),
            Column::percent("AUROC, en"),
            Column::percent("AUROC, en+fr"),
            points("AUROC, gain"),
        ],
    );
    let transfer = reported()?.transfer;
    for language in Language::ALL {
        let ours = |languages: &[Language]| {
            let trained = all.iter().find(|t| t.languages == languages)?;
            let openai =
                |s: &Arc<Set>| s.benchmark == Some(Benchmark::OpenAi) && s.language == language;
            Some(trained.scores[sets.iter().position(openai)?])
        };
        let (Some(before), Some(after)) = (ours(&[En]), ours(&[En, Fr])) else { continue };
        let paper = transfer.get(&language);
        table.push([
            language.code().into(),
            cell(paper.and_then(|p| p.english)),
            cell(paper.and_then(|p| p.english_french)),
            cell(paper.map(|p| p.gain)),
            before.f1.into(),
            after.f1.into(),
            (after.f1 - before.f1).into(),
            cell(before.auroc),
            cell(after.auroc),
            cell(after.auroc.zip(before.auroc).map(|(a, b)| a - b)),
        ])?;
    }
    Ok(table)
}

/// Every classifier on every set.
fn details(all: &[Trained], sets: &[Arc<Set>]) -> Result<Table> {
    let mut table = Table::new(
        "details",
        "Every choice on every set",
        [
            Column::new("trained on"),
            Column::new("scored in"),
            Column::new("benchmark"),
            Column::percent("F1"),
            Column::percent("FPR"),
            Column::percent("AUROC"),
        ],
    );
    for trained in all {
        for (set, score) in sets.iter().zip(&trained.scores) {
            table.push([
                name(trained.languages).into(),
                set.language.code().into(),
                set.name().into(),
                score.f1.into(),
                cell(score.fpr),
                cell(score.auroc),
            ])?;
        }
    }
    Ok(table)
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let panel = |(table, title): (&str, &str)| {
        let table = report.tables.iter().find(|t| t.name == table)?;
        let bar = |row: &Vec<Cell>| match &row[0] {
            Cell::Text(label) => {
                let values = row[2..].iter().map(Cell::as_f64).collect();
                Some(Bar { label: label.clone(), values })
            }
            _ => None,
        };
        Some(Panel::from(Bars {
            title: title.into(),
            value: Axis::linear("percent").between(0.0, 100.0),
            series: Language::ALL.map(|l| format!("scored in {}", l.code())).to_vec(),
            bars: table.rows.iter().filter_map(bar).collect(),
        }))
    };
    let panels = [
        ("mean F1", "Mean F1 by the seeds' languages"),
        ("AUROC", "AUROC by the seeds' languages"),
    ];
    let panels = panels.into_iter().filter_map(panel).collect();
    Figure { columns: 2, panels, ..Figure::default() }.draw(figures.join("fig5"))
}
