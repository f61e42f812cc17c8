//! Claim: what a classifier keeps of its English F1 in other languages says little of it: of the paper's models a weak
//! one, LlamaGuard3 1B, keeps most, and whoever says "unsafe" to everything keeps about all. AUROC's share stands beside
//! it.
//!
//! Paper: Figure 4 (relative decline against English).

use crate::Context;
use crate::contenders::{Contender, Scored, Source, Texts, benchmarks, saved};
use crate::scoring::{cell, mean, means, score, sets_note};
use nashguard::Result;
use nashguard::data::{Language, reported};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Cell, Column, Report, Table};
use std::path::Path;

pub const ABOUT: &str = "mean F1 and AUROC in French, Spanish and German relative to English";

/// The languages compared with English.
const OTHERS: [Language; 3] = [Language::Fr, Language::Es, Language::De];
/// Who calls every text unsafe.
const ALWAYS: &str = "always unsafe";
const TABLES: [(&str, &str); 2] = [
    ("F1", "Mean F1 over six benchmarks at threshold 0.5, and its share of the English one"),
    (
        "AUROC",
        "Mean AUROC over the five benchmarks with both classes, and how much of the English one's lead over chance (50) is left",
    ),
];

pub fn run(context: &Context) -> Result<Report> {
    let mut tables = TABLES.map(|(name, caption)| Table::new(name, caption, columns(name)));
    for model in reported()?.models {
        let f1 = |l| model.average.get(&l).copied();
        tables[0].push(row(&format!("{} {} (paper)", model.name, model.size), f1, 0.0))?;
    }
    let mut notes = vec![
        "The paper's rows follow from its Table 1. A classifier that is poor everywhere declines little: the levels \
         stand beside the shares."
            .into(),
        order(&tables[0]),
    ];
    let rows = benchmarks(context)?;
    if !rows.is_empty() {
        let texts = Texts::new(&[], &rows);
        let mut all = vec![Contender::new(context, ALWAYS, Source::Always, &texts, "")?];
        all.extend(saved(context, &texts)?);
        for contender in &all {
            let scores =
                contender.benchmarks.iter().map(|s: &Scored| score(&s.scores, &s.set.truth));
            let scores = scores.collect::<Result<Vec<_>>>()?;
            let sets: Vec<_> = contender.benchmarks.iter().map(|s| s.set.clone()).collect();
            let name = match contender.name.as_str() {
                ALWAYS => ALWAYS.into(),
                name => format!("ours, {name}"),
            };
            tables[0].push(row(&name, |l| Some(means(&sets, &scores, l).f1), 0.0))?;
            tables[1].push(row(&name, |l| means(&sets, &scores, l).auroc, 50.0))?;
        }
        let sets: Vec<_> = all[0].benchmarks.iter().map(|s| s.set.clone()).collect();
        notes.extend(always(&tables[0]));
        notes.push(sets_note(&sets));
        notes.push("The paper's models were scored on all released rows.".into());
    } else {
        notes.push(
            "No benchmark was given: --data adds ours, and AUROC, of which the paper says nothing."
                .into(),
        );
    }
    Ok(Report {
        paper_reference: "Figure 4 (relative decline against English)".into(),
        claim: "F1 relative to English does not single the paper's model out: by its own Table 1 LlamaGuard3 1B \
                keeps more of it, and always saying unsafe keeps about all."
            .into(),
        notes,
        tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect(),
        ..Report::default()
    })
}

/// A row's shares.
fn shares(row: &[Cell]) -> Vec<f64> {
    row[1 + Language::ALL.len()..].iter().filter_map(Cell::as_f64).collect()
}

/// Shares for a sentence.
fn listed(shares: &[f64]) -> String {
    shares.iter().map(|s| format!("{s:.1}")).collect::<Vec<_>>().join(" / ")
}

/// Who keeps how much, the most first.
fn order(table: &Table) -> String {
    let kept = |row: &Vec<Cell>| match &row[0] {
        Cell::Text(name) => Some((name.clone(), mean(shares(row).into_iter())?)),
        _ => None,
    };
    let mut kept: Vec<(String, f64)> = table.rows.iter().filter_map(kept).collect();
    kept.sort_by(|a, b| b.1.total_cmp(&a.1));
    let kept: Vec<String> = kept.iter().map(|(name, s)| format!("{name} {s:.1}")).collect();
    format!("Mean share of the English F1 in the three languages, in percent: {}.", kept.join(", "))
}

/// What is kept by saying "unsafe" to everything.
fn always(table: &Table) -> Option<String> {
    let is = |row: &&Vec<Cell>| matches!(&row[0], Cell::Text(name) if name == ALWAYS);
    let shares = shares(table.rows.iter().find(is)?);
    let names = OTHERS.map(Language::code).join(" / ");
    Some(format!(
        "Whoever says \"unsafe\" to everything keeps {} percent of the English F1 in {names} without reading a word: what \
         moves is the share of unsafe rows in the benchmarks. Calling more texts unsafe in another language than in \
         English therefore hides a decline. Its AUROC is 50 everywhere, and has no lead over chance to lose.",
        listed(&shares)
    ))
}

fn columns(name: &str) -> Vec<Column> {
    let levels = Language::ALL.map(|l| Column::percent(format!("{name} {}", l.code())));
    let shares = OTHERS.map(|l| Column::percent(format!("{} of English", l.code())));
    [Column::new("model")].into_iter().chain(levels).chain(shares).collect()
}

/// A model's levels, and what is left of the English one's distance from `floor`.
fn row(name: &str, level: impl Fn(Language) -> Option<f64>, floor: f64) -> Vec<Cell> {
    let mut row: Vec<Cell> = vec![name.into()];
    row.extend(Language::ALL.map(|l| cell(level(l))));
    row.extend(OTHERS.map(|l| cell(relative(level(l), level(Language::En), floor))));
    row
}

fn relative(level: Option<f64>, english: Option<f64>, floor: f64) -> Option<f64> {
    let (level, english) = (level? - floor, english? - floor);
    (english > 0.0).then(|| 100.0 * level / english)
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let panel = |table: &Table| {
        let bar = |row: &Vec<Cell>| match &row[0] {
            Cell::Text(label) => Some(Bar {
                label: label.clone(),
                values: row[5..].iter().map(Cell::as_f64).collect(),
            }),
            _ => None,
        };
        Panel::from(Bars {
            title: match table.name.as_str() {
                "F1" => "Mean F1, percent of English".into(),
                _ => "AUROC above chance, percent of English".into(),
            },
            value: Axis::linear("percent"),
            series: OTHERS.map(|l| l.code().to_owned()).to_vec(),
            bars: table.rows.iter().filter_map(bar).collect(),
        })
    };
    let panels = report.tables.iter().map(panel).collect();
    Figure { columns: 2, panels, ..Figure::default() }.draw(figures.join("fig4"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::games::tests::looking;

    /// Figure 4's own numbers follow from Table 1's.
    #[test]
    fn the_papers_model_declines_as_its_table_says() {
        let reported = reported().unwrap();
        let model = reported.models.last().unwrap();
        let of = |l| relative(Some(model.average[&l]), Some(model.average[&Language::En]), 0.0);
        let found = OTHERS.map(|l| (10.0 * of(l).unwrap()).round() / 10.0);
        assert_eq!(found, [97.1, 98.7, 96.0]);
        assert_eq!(relative(Some(50.0), Some(50.0), 50.0), None);
    }

    /// What the claim says of the paper's table.
    #[test]
    fn a_weak_model_of_the_papers_keeps_more_than_its_best() {
        let report = run(&looking(Path::new("."))).unwrap();
        let table = &report.tables[0];
        let of = |name: &str| {
            let is =
                |row: &&Vec<Cell>| matches!(&row[0], Cell::Text(text) if text.starts_with(name));
            shares(table.rows.iter().find(is).unwrap())
        };
        let (weak, best) = (of("LlamaGuard3 1B"), of("DuoGuard"));
        assert!(weak.iter().zip(&best).all(|(w, b)| w > b), "{weak:?} {best:?}");
        assert!(report.notes.iter().any(|n| n.contains("percent: LlamaGuard3 1B (paper)")));
        // Without benchmarks nobody of ours is there, and a note says so.
        assert_eq!((report.tables.len(), table.rows.len()), (1, 5));
        assert!(report.notes.iter().any(|note| note.contains("--data")));
        assert_eq!(always(table), None);
    }

    #[test]
    fn saying_always_unsafe_is_told_from_its_row() {
        let mut table = Table::new("F1", "", columns("F1"));
        let f1 = |l| Some(if l == Language::De { 51.0 } else { 50.0 });
        table.push(row(ALWAYS, f1, 0.0)).unwrap();
        assert!(always(&table).unwrap().contains("100.0 / 100.0 / 102.0 percent"));
    }
}
