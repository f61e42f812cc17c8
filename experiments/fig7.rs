//! Claim: over the rounds of a game the score rises, and the rows that rounds add shift the data towards the languages
//! that had few.
//!
//! Paper: Figure 7 (score by iteration; language shares).

use crate::Context;
use crate::games::{Game, games};
use crate::scoring::{cell, mean};
use nashguard::Result;
use nashguard::data::{Benchmark, Language, reported};
use nashguard::neural::rounds::{BenchmarkScore, Summary};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Line, LineChart, Panel};
use nashguard::report::{Cell, Column, Report, Series, Table};
use std::collections::BTreeMap;
use std::path::Path;

pub const ABOUT: &str = "scores, payoff, gap and language shares by round of every finished game";

/// A figure of a benchmark, in percent.
type Value = fn(&BenchmarkScore) -> Option<f64>;
const FIGURES: [(&str, Value); 4] = [
    ("F1", |b| Some(100.0 * b.f1)),
    ("AUROC", |b| b.auroc.map(|v| 100.0 * v)),
    ("FPR", |b| b.fpr.map(|v| 100.0 * v)),
    ("XSTest FPR", |b| b.fpr.filter(|_| b.benchmark == Benchmark::XsTest).map(|v| 100.0 * v)),
];
const SHARES: &str = "shares";

pub fn run(context: &Context) -> Result<Report> {
    let games = games(context)?;
    let mut played = Vec::new();
    for game in &games {
        played.push((game, game.summaries()?));
    }
    let mut series = Vec::new();
    for (game, rounds) in &played {
        for language in Language::ALL {
            let points = rounds.iter().map(|s| (s.round as f64, value(s, language, FIGURES[0].1)));
            let points = points.filter_map(|(x, y)| Some([x, y?])).collect::<Vec<_>>();
            series.push(Series::new(&*game.name, language.code(), "round", "mean F1 (%)", points));
        }
    }
    Ok(Report {
        paper_reference: "Figure 7 (score by iteration; language shares)".into(),
        claim: "Scores rise over the rounds, and the added rows are in the languages that had few.".into(),
        notes: vec![
            match games.is_empty() {
                true => "No finished game was found below --models. `nashguard play --config experiments/play-small.toml \
                         --data DIR --models DIR --out runs/NAME` plays one; then give --models runs."
                    .into(),
                false => "Round 0 is the start: the classifier on seeds alone. Means of F1 (threshold 0.5) over six \
                          benchmarks, of AUROC and FPR over the five with both classes. No benchmark row was trained \
                          or selected on."
                    .into(),
            },
            "Payoff E[loss] - beta KL of generator against classifier after the round, in nats, on fresh draws; gap: the \
             least by which both strategies of the round before could be bettered, as far as their trained successors \
             show it; KL to the first generator, nats a text; ± one standard error."
                .into(),
        ],
        tables: vec![scores(&played)?, moves(&played)?, shares(&played)?],
        series,
        ..Report::default()
    })
}

fn value(summary: &Summary, language: Language, figure: Value) -> Option<f64> {
    mean(summary.benchmarks.iter().filter(|b| b.language == language).filter_map(figure))
}

fn start() -> impl Iterator<Item = Column> {
    ["game", "round"].map(Column::new).into_iter()
}

fn scores(played: &[(&Game, Vec<Summary>)]) -> Result<Table> {
    let columns = Language::ALL.map(|l| Column::percent(l.code()));
    let mut table = Table::new(
        "scores",
        "Scores of the classifier after each round",
        [Column::new("game"), Column::new("figure"), Column::new("round")]
            .into_iter()
            .chain(columns),
    );
    for (game, rounds) in played {
        for (name, figure) in FIGURES {
            for summary in rounds {
                let mut row: Vec<Cell> =
                    vec![game.name.clone().into(), name.into(), summary.round.into()];
                row.extend(Language::ALL.map(|l| cell(value(summary, l, figure))));
                table.push(row)?;
            }
        }
    }
    Ok(table)
}

fn moves(played: &[(&Game, Vec<Summary>)]) -> Result<Table> {
    let nats = |name: &str| Column::new(name).unit("nats").decimals(3);
    let mut table = Table::new(
        "moves",
        "What was drawn in each round, and where it left the players",
        start()
            .chain([Column::new("tau"), Column::new("beta"), Column::new("texts")])
            .chain(["dropped", "safe misclassified", "unsafe misclassified"].map(Column::percent))
            .chain(["payoff", "payoff ±", "gap", "gap ±", "KL", "KL ±"].map(nats))
            .chain([nats("entropy a token"), Column::percent("distinct pairs of words")]),
    );
    for (game, rounds) in played {
        let dpo = game.config.generator.dpo;
        for s in rounds {
            let mut row: Vec<Cell> = vec![game.name.clone().into(), s.round.into()];
            row.extend([cell(dpo.map(|d| d.tau)), cell(dpo.map(|d| d.beta)), s.drawn.into()]);
            let dropped: usize = s.dropped.values().sum();
            row.push(cell(share(dropped, s.drawn)));
            for label in ["safe", "unsafe"] {
                let of =
                    s.misclassified.iter().filter(|(key, _)| key.starts_with(&format!("{label} ")));
                let [wrong, all] = of.fold([0, 0], |sum, (_, n)| [sum[0] + n[0], sum[1] + n[1]]);
                row.push(cell(share(wrong, all)));
            }
            let pair = |of: Option<[f64; 2]>| [cell(of.map(|v| v[0])), cell(of.map(|v| v[1]))];
            row.extend(pair(s.law.map(|law| law.payoff)));
            row.extend(pair(s.gap.map(|gap| gap.width)));
            row.extend(pair(s.law.map(|law| law.kl)));
            row.push(cell(s.law.map(|law| law.entropy)));
            row.push(cell(s.law.map(|law| 100.0 * law.distinct[1])));
            table.push(row)?;
        }
    }
    Ok(table)
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

/// Language shares of the seeds and of what each round adds, the paper's first.
fn shares(played: &[(&Game, Vec<Summary>)]) -> Result<Table> {
    let mut table = Table::new(
        SHARES,
        "Rows by language: seeds, and those that a round adds",
        [Column::new("rows of"), Column::new("rows")]
            .into_iter()
            .chain(Language::ALL.map(|l| Column::percent(l.code())))
            .chain([Column::percent("unsafe")]),
    );
    let reported = reported()?;
    let mut printed = |name: &str, rows: Cell, of: &BTreeMap<Language, f64>| {
        let mut row: Vec<Cell> = vec![name.into(), rows];
        row.extend(Language::ALL.map(|l| cell(of.get(&l).copied())));
        row.push("-".into());
        table.push(row)
    };
    printed(
        "seeds (paper)",
        reported.seed_rows.values().sum::<usize>().into(),
        &reported.seed_shares,
    )?;
    printed("iteration 1 (paper)", "-".into(), &reported.synthetic_shares)?;
    let mut seeds = Vec::new();
    for (game, rounds) in played {
        let mut before = Language::ALL.map(|_| [0; 2]);
        for s in rounds {
            // Games that start from the same seeds name them once.
            if s.round == 0 && std::mem::replace(&mut seeds, vec![s.rows.clone()]).contains(&s.rows)
            {
                continue;
            }
            let all = if s.round == 0 { &s.rows } else { &s.added };
            let counts = Language::ALL.map(|l| all.get(&l).copied().unwrap_or_default());
            let new: Vec<[usize; 2]> =
                counts.iter().zip(before).map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect();
            let total: usize = new.iter().flatten().sum();
            let harmful: usize = new.iter().map(|n| n[1]).sum();
            let name = match s.round {
                0 => format!("seeds of {}", game.name),
                n => format!("{}, round {n}", game.name),
            };
            let mut row: Vec<Cell> = vec![name.into(), total.into()];
            row.extend(new.iter().map(|n| cell(share(n[0] + n[1], total))));
            row.push(cell(share(harmful, total)));
            table.push(row)?;
            if s.round > 0 {
                before = counts;
            }
        }
    }
    Ok(table)
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let mut names: Vec<&str> = report.series.iter().map(|s| s.panel.as_str()).collect();
    names.dedup();
    let mut panels: Vec<Panel> = names
        .iter()
        .map(|name| {
            Panel::from(LineChart {
                title: format!("game {name}"),
                x: Axis::linear("round"),
                y: Axis::linear("mean F1 (%)"),
                lines: report.panel(name).map(Line::from).collect(),
                ..LineChart::default()
            })
        })
        .collect();
    let rows = report.tables.iter().find(|t| t.name == SHARES).map_or(&[][..], |t| &t.rows);
    let bar = |row: &Vec<Cell>| match &row[0] {
        Cell::Text(label) => {
            Some(Bar { label: label.clone(), values: (2..6).map(|c| row[c].as_f64()).collect() })
        }
        _ => None,
    };
    panels.push(Panel::from(Bars {
        title: "Rows by language".into(),
        value: Axis::linear("percent"),
        series: Language::ALL.map(|l| l.code().to_owned()).to_vec(),
        bars: rows.iter().filter_map(bar).collect(),
    }));
    Figure { columns: 2, panels, ..Figure::default() }.draw(figures.join("fig7"))
}
