//! Claim: most seeds are English, in the paper's data and in ours.
//!
//! Paper: Figures 7b and 8 (shares of the seed data).

use crate::Context;
use nashguard::Result;
use nashguard::data::{Category, Label, Language, Origin, Row, embedded, reported};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Cell, Column, Report, Table};
use std::collections::BTreeMap;
use std::path::Path;

pub const ABOUT: &str = "shares of the seed data by language, label, category and source";

/// Sources drawn in the figure.
const DRAWN: usize = 20;

pub fn run(context: &Context) -> Result<Report> {
    let bar = context.progress("reading the seeds", 1);
    let real = context.data.as_ref().map(|d| d.seed_origins()).transpose()?.flatten();
    let of = match real {
        Some(_) => "of the real seeds",
        None => {
            "of the embedded corpus (templates, as many in each language), which the claim is not about"
        }
    };
    let rows = match real {
        Some(both) => both.concat(),
        None => {
            let ours = embedded()?;
            let source = "nashguard, embedded corpus".to_owned();
            let origin =
                Origin { source, licence: "MIT OR Apache-2.0".into(), ..Origin::default() };
            ours.train.into_iter().chain(ours.validation).map(|r| (r, origin.clone())).collect()
        }
    };
    bar.finish_and_clear();
    Ok(Report {
        paper_reference: "Figures 7b and 8 (shares of the seeds)".into(),
        claim: "Most seeds are English, in the paper's data and in ours; of the categories that unsafe \
                rows name outside English, hate is the largest by far."
            .into(),
        notes: vec![
            format!(
                "{} rows {of}; training and held-out ones together. The paper's are as it prints them.",
                rows.len()
            ),
            "A row of unknown category is unsafe, its source names no category that maps clearly; a row may have \
             several categories, so shares by category add to more than 100."
                .into(),
            "Seeds only: no synthetic row is in these shares.".into(),
        ],
        tables: vec![languages(&rows)?, categories(&rows)?, licences(&rows)?, sources(&rows)?],
        ..Report::default()
    })
}

type Rows = [(Row, Origin)];

fn share(part: usize, whole: usize) -> Cell {
    match whole {
        0 => "-".into(),
        _ => (100.0 * part as f64 / whole as f64).into(),
    }
}

fn count(rows: &Rows, which: impl Fn(&Row) -> bool) -> usize {
    rows.iter().filter(|(row, _)| which(row)).count()
}

/// Rows and shares by language, ours and the paper's.
fn languages(rows: &Rows) -> Result<Table> {
    let mut table = Table::new(
        "languages",
        "Seed rows by language",
        [
            Column::new("language"),
            Column::new("rows"),
            Column::percent("share"),
            Column::new("paper, rows"),
            Column::percent("paper, share"),
            Column::new("unsafe rows"),
            Column::percent("unsafe"),
        ],
    );
    let reported = reported()?;
    for language in Language::ALL {
        let all = count(rows, |r| r.language == language);
        let harmful = count(rows, |r| r.language == language && r.label == Label::Unsafe);
        table.push([
            language.code().into(),
            all.into(),
            share(all, rows.len()),
            reported.seed_rows.get(&language).map_or("-".into(), |n| (*n).into()),
            reported.seed_shares.get(&language).map_or("-".into(), |s| (*s).into()),
            harmful.into(),
            share(harmful, all),
        ])?;
    }
    let harmful = count(rows, |r| r.label == Label::Unsafe);
    table.push([
        "all".into(),
        rows.len().into(),
        100.0_f64.into(),
        reported.seed_rows.values().sum::<usize>().into(),
        100.0_f64.into(),
        harmful.into(),
        share(harmful, rows.len()),
    ])?;
    Ok(table)
}

/// Unsafe rows by category and language.
fn categories(rows: &Rows) -> Result<Table> {
    let mut columns = vec![Column::new("category")];
    for language in Language::ALL {
        let code = language.code();
        columns.extend([
            Column::new(format!("{code} rows")),
            Column::percent(format!("{code} share")),
        ]);
    }
    let mut table = Table::new(
        "categories",
        "Unsafe rows, and their share of the language's unsafe rows",
        columns,
    );
    for category in Category::ALL.map(Some).into_iter().chain([None]) {
        let mut row: Vec<Cell> = vec![category_name(category).into()];
        for language in Language::ALL {
            let harmful = |r: &Row| r.language == language && r.label == Label::Unsafe;
            let of = count(rows, |r| {
                harmful(r)
                    && category.map_or(r.categories.is_empty(), |c| r.categories.contains(&c))
            });
            row.extend([of.into(), share(of, count(rows, harmful))]);
        }
        table.push(row)?;
    }
    Ok(table)
}

/// The name that files use, in words.
fn category_name(category: Option<Category>) -> String {
    let Some(category) = category else { return "unknown".into() };
    let name = serde_json::to_value(category).ok().and_then(|v| v.as_str().map(str::to_owned));
    name.unwrap_or_default().replace('_', " ")
}

/// Rows by licence.
fn licences(rows: &Rows) -> Result<Table> {
    let mut table = Table::new(
        "licences",
        "Rows by licence, as the file states it; the largest first",
        [Column::new("licence"), Column::new("rows"), Column::percent("share")],
    );
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, origin) in rows {
        *counts.entry(named(&origin.licence)).or_default() += 1;
    }
    for (licence, of) in largest_first(counts, |of| *of) {
        table.push([licence.into(), of.into(), share(of, rows.len())])?;
    }
    Ok(table)
}

/// Rows by source and language.
fn sources(rows: &Rows) -> Result<Table> {
    let mut columns = vec![
        Column::new("source"),
        Column::new("rows"),
        Column::percent("share"),
        Column::percent("unsafe"),
    ];
    columns.extend(Language::ALL.map(|l| Column::new(l.code())));
    let mut table =
        Table::new("sources", "Rows by source and language; the largest first", columns);
    let mut counts: BTreeMap<&str, ([usize; Language::ALL.len()], usize)> = BTreeMap::new();
    for (row, origin) in rows {
        let (languages, harmful) = counts.entry(named(&origin.source)).or_default();
        languages[row.language as usize] += 1;
        *harmful += usize::from(row.label == Label::Unsafe);
    }
    for (source, (languages, harmful)) in largest_first(counts, |(l, _)| l.iter().sum()) {
        let of: usize = languages.iter().sum();
        let mut row =
            vec![source.into(), Cell::from(of), share(of, rows.len()), share(harmful, of)];
        row.extend(languages.map(Cell::from));
        table.push(row)?;
    }
    Ok(table)
}

fn named(name: &str) -> &str {
    if name.is_empty() { "not stated" } else { name }
}

fn largest_first<T>(counts: BTreeMap<&str, T>, size: impl Fn(&T) -> usize) -> Vec<(&str, T)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, of)| std::cmp::Reverse(size(of)));
    counts
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let panel = |table: &str, title: &str, series: &[&str], columns: &[usize], most: usize| {
        let rows = report.tables.iter().find(|t| t.name == table).map_or(&[][..], |t| &t.rows);
        let bar = |row: &Vec<Cell>| match &row[0] {
            Cell::Text(label) if label != "all" => {
                let values = columns.iter().map(|&c| row[c].as_f64()).collect();
                Some(Bar { label: label.clone(), values })
            }
            _ => None,
        };
        Panel::from(Bars {
            title: title.into(),
            value: Axis::linear("percent"),
            series: series.iter().map(|s| (*s).to_owned()).collect(),
            bars: rows.iter().filter_map(bar).take(most).collect(),
        })
    };
    let codes = Language::ALL.map(Language::code);
    let panels = vec![
        panel("languages", "Seed rows by language", &["ours", "the paper's"], &[2, 4], usize::MAX),
        panel("sources", "The largest sources", &[""], &[2], DRAWN),
        panel("categories", "Unsafe rows by category", &codes, &[2, 4, 6, 8], usize::MAX),
    ];
    Figure { columns: 2, panels, ..Figure::default() }.draw(figures.join("fig8"))
}
