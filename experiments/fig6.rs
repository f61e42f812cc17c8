//! Claim: AUROC rises with the seed volume in every language; F1 at a fixed threshold need not.
//!
//! Paper: Figure 6 (score against seed volume by language).

use crate::Context;
use crate::contenders::{REAL, seeds, sets};
use crate::scoring::{
    Score, cell, claim, config, config_note, means, scores, sets_note, spread, train,
};
use nashguard::Result;
use nashguard::data::{Label, Language, Row, Seeds};
use nashguard::report::plot::{Axis, Figure, Line, LineChart, Panel};
use nashguard::report::{Cell, Column, Report, Series, Style, Table};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

pub const ABOUT: &str =
    "score against seed volume, by language: nested parts of the seeds, several draws";

/// Each part is one of so many of the rows.
const PARTS: [usize; 5] = [16, 8, 4, 2, 1];

pub fn run(context: &Context) -> Result<Report> {
    let (seeds, source) = seeds(context)?;
    let sets = sets(context, &seeds.validation)?;
    let draws: u64 = context.scale.pick(1, 3, 5);
    let mut table = Table::new(
        "volume",
        format!(
            "Means over {draws} draws of the part and of the order of training, with half the width of \
             their 95% interval (Student's t)"
        ),
        [
            Column::new("part of the seeds"),
            Column::new("rows"),
            Column::new("scored in"),
            Column::new("rows in it"),
            Column::percent("F1"),
            points("F1 ±"),
            Column::percent("AUROC"),
            points("AUROC ±"),
            Column::percent("FPR"),
            points("FPR ±"),
        ],
    );
    let mut series = Vec::new();
    // Rows of the language, the language, a score a draw.
    let mut measured: Vec<(usize, Language, Vec<Score>)> = Vec::new();
    for parts in PARTS {
        let mut by_draw = Vec::new();
        let mut counts = [0; Language::ALL.len()];
        for draw in 0..draws {
            let seed = context.seed.wrapping_add(draw);
            let rows = part(&seeds.train, parts, seed);
            counts = Language::ALL.map(|l| rows.iter().filter(|r| r.language == l).count());
            let what = format!("1/{parts}, draw {} of {draws}", draw + 1);
            let chosen = Seeds { train: rows, validation: Vec::new() };
            let guardrail = train(context, &what, config(context), &chosen, seed)?;
            by_draw.push(scores(&guardrail, &sets)?);
        }
        for (language, count) in Language::ALL.into_iter().zip(counts) {
            let of: Vec<Score> = by_draw.iter().map(|s| means(&sets, s, language)).collect();
            let spread = |value: fn(&Score) -> Option<f64>| {
                spread(&of.iter().filter_map(value).collect::<Vec<f64>>())
            };
            let f1 = spread(|s| Some(s.f1));
            let (auroc, fpr) = (spread(|s| s.auroc), spread(|s| s.fpr));
            let mut row: Vec<Cell> = vec![
                if parts == 1 { "all".into() } else { format!("1/{parts}").into() },
                counts.iter().sum::<usize>().into(),
                language.code().into(),
                count.into(),
            ];
            row.extend([f1, auroc, fpr].into_iter().flat_map(|(m, half)| [cell(m), cell(half)]));
            table.push(row)?;
            measured.push((count, language, of));
        }
    }
    for (panel, value) in PANELS {
        for language in Language::ALL {
            let of = || measured.iter().filter(|m| m.1 == language);
            let at = |shift: f64| {
                of().filter_map(move |(count, _, scores)| {
                    let (middle, half) =
                        spread(&scores.iter().filter_map(value).collect::<Vec<_>>());
                    Some([*count as f64, middle? + shift * half.unwrap_or(0.0)])
                })
            };
            let (x, name) = ("training rows in the language", language.code());
            let line = Series { group: name.into(), ..Series::new(panel, name, x, panel, at(0.0)) };
            series.push(line);
            if draws > 1 {
                for shift in [-1.0, 1.0] {
                    let (group, style) = (name.into(), Style::Dashed);
                    series.push(Series {
                        group,
                        style,
                        ..Series::new(panel, "", x, panel, at(shift))
                    });
                }
            }
        }
    }
    Ok(Report {
        paper_reference: "Figure 6 (score against seed volume)".into(),
        claim: claim(
            source == REAL,
            "AUROC rises with the seed volume in every language, by its own amount; F1 at a fixed \
             threshold moves with the level of the scores too.",
        ),
        notes: vec![
            config_note(&config(context), source),
            sets_note(&sets),
            format!(
                "{draws} draws. Parts are nested within a draw and hold the same share of every language and label, so \
                 all languages grow together. At \"all\" only the order of training differs between draws. \
                 The passes are the same at every volume, so smaller parts also take fewer steps. The \
                 intervals are over draws; that the benchmarks too are samples is not in them."
            ),
        ],
        tables: vec![table],
        series,
        ..Report::default()
    })
}

type Value = fn(&Score) -> Option<f64>;
const PANELS: [(&str, Value); 2] = [("mean F1 (%)", |s| Some(s.f1)), ("AUROC (%)", |s| s.auroc)];

fn points(name: &str) -> Column {
    Column::new(name).unit("points").decimals(1)
}

/// One of `parts` of the rows of every language and label, in their order. The same seed draws nested
/// parts.
fn part(rows: &[Row], parts: usize, seed: u64) -> Vec<Row> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut kept: Vec<usize> = Vec::new();
    for language in Language::ALL {
        for label in [Label::Safe, Label::Unsafe] {
            let alike = |&i: &usize| (rows[i].language, rows[i].label) == (language, label);
            let of: Vec<usize> = order.iter().copied().filter(alike).collect();
            kept.extend(&of[..of.len().div_ceil(parts)]);
        }
    }
    kept.sort_unstable();
    kept.into_iter().map(|i| rows[i].clone()).collect()
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let panel = |(name, _): (&str, Value)| {
        Panel::from(LineChart {
            title: name.into(),
            x: Axis::log("training rows in the language (all grow together)"),
            y: Axis::linear(name),
            lines: report.panel(name).map(Line::from).collect(),
            ..LineChart::default()
        })
    };
    let panels = PANELS.map(panel).to_vec();
    let title = "Score against seed volume (dashed: 95% interval over draws)".into();
    Figure { title, columns: 2, panels }.draw(figures.join("fig6"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_nested_and_stratified() {
        let rows = nashguard::data::embedded().unwrap().train;
        for seed in 0..3 {
            let mut larger = part(&rows, 1, seed);
            assert_eq!(larger, rows);
            for parts in [2, 4, 8, 16] {
                let smaller = part(&rows, parts, seed);
                assert!(smaller.iter().all(|row| larger.contains(row)));
                for language in Language::ALL {
                    for label in [Label::Safe, Label::Unsafe] {
                        let count = |of: &[Row]| {
                            of.iter().filter(|r| (r.language, r.label) == (language, label)).count()
                        };
                        assert_eq!(count(&smaller), count(&rows).div_ceil(parts));
                    }
                }
                larger = smaller;
            }
        }
        assert_ne!(part(&rows, 2, 0), part(&rows, 2, 1));
    }
}
