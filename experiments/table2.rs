//! Claim, the paper's: synthetic rows that one pair of networks made help classifiers on other bases too. It compares its
//! data on three bases with one rival; here each base is its own control, trained on as many rows, the
//! added ones being seeds.
//!
//! Paper: Table 2.

use crate::Context;
use crate::contenders::{Contender, Set, Source, Texts, benchmarks, thin_rows, trained_by};
use crate::scoring::{Score, cell, claim, figures, mean, score, sets_note, spread};
use nashguard::data::{Language, reported};
use nashguard::report::{Cell, Column, Report, Table};
use nashguard::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const ABOUT: &str = "synthetic rows beside as many repeated seeds, on other pre-trained bases";

/// Rows read of each benchmark and language at most, evenly spread: a decoder takes minutes for them.
const ROWS: usize = 150;

/// Classifiers of one base by the seed of their training: with repeated seeds, and with synthetic rows.
#[derive(Default)]
struct Base {
    /// Seed rows and rows added to them.
    rows: [u64; 2],
    control: BTreeMap<u64, Vec<Score>>,
    synthetic: BTreeMap<u64, Vec<Score>>,
}

pub fn run(context: &Context) -> Result<Report> {
    let mut rows = benchmarks(context)?;
    for benchmark in &mut rows {
        thin_rows(benchmark, context.scale.pick(ROWS, ROWS, usize::MAX));
    }
    let texts = Texts::new(&[], &rows);
    let found = trained_by(context)?;
    let (mut bases, mut sets): (BTreeMap<String, Base>, _) = (BTreeMap::new(), Vec::new());
    for (name, folder, said) in found {
        let number = |key: &str| said[key].as_u64();
        let (Some(base), Some(seed)) = (said["base"].as_str(), said["settings"]["seed"].as_u64())
        else {
            continue;
        };
        let (added, repeated) =
            (number("added_rows").unwrap_or(0), number("repeated_rows").unwrap_or(0));
        if added == repeated || rows.is_empty() {
            continue;
        }
        let contender = Contender::new(context, &name, Source::Folder(folder.clone()), &texts, "")?;
        let scores = contender.benchmarks.iter().map(|s| score(&s.scores, &s.set.truth));
        let scores = scores.collect::<Result<Vec<_>>>()?;
        sets = contender.benchmarks.iter().map(|s| s.set.clone()).collect();
        let entry = bases.entry(plain(base)).or_default();
        let mine = [number("seed_rows").unwrap_or(0), added + repeated];
        if entry.rows != [0, 0] && entry.rows != mine {
            let problem = format!(
                "it was trained on {} and {} rows, another classifier of its base on {} and {}",
                mine[0], mine[1], entry.rows[0], entry.rows[1]
            );
            let remedy = "compare as many synthetic rows as repeated seeds (train --add, --repeat)";
            return Err(Error::invalid(folder.display().to_string(), problem, remedy));
        }
        entry.rows = mine;
        let side = if added > 0 { &mut entry.synthetic } else { &mut entry.control };
        if side.insert(seed, scores).is_some() {
            let problem = format!("another classifier of its base and rows has seed {seed} too");
            let remedy = "give --models a folder with one of them";
            return Err(Error::invalid(folder.display().to_string(), problem, remedy));
        }
    }
    let mut tables = vec![paper()?];
    if !bases.is_empty() {
        tables.extend(ours(&sets, &bases)?);
    }
    Ok(Report {
        paper_reference: "Table 2 (the synthetic data on other bases)".into(),
        claim: claim(
            !bases.is_empty(),
            "The paper's: synthetic rows of a game help classifiers on other bases. Here each base is its own control.",
        ),
        notes: vec![
            sets_note(&sets),
            match bases.is_empty() {
                true => "No pair was found below --models. `nashguard train --config experiments/smollm2.toml --seed N \
                         --add runs/GAME/round-1/added.jsonl` trains with synthetic rows, --repeat N with as many \
                         seeds twice; then give --models runs, and --data."
                    .into(),
                false => format!(
                    "At most {ROWS} rows of each benchmark and language are read, evenly spread (all with --scale \
                     full). Differences are paired by the seed of training; ± is half the width of the 95 % interval \
                     of Student's t over seeds, where there are two."
                ),
            },
            "The paper prints fr, es and de of its 0.5B row in another order than in Table 1; they stand here as \
             printed."
                .into(),
        ],
        tables,
        ..Report::default()
    })
}

/// A base's name without the ending of its file.
fn plain(base: &str) -> String {
    let path = PathBuf::from(base);
    match path.extension().is_some_and(|e| e == "gguf") {
        true => path.with_extension("").display().to_string(),
        false => base.to_owned(),
    }
}

/// The paper's rows.
fn paper() -> Result<Table> {
    let mut table = Table::new(
        "paper",
        "As printed: mean F1 over six benchmarks, on all rows",
        [Column::new("model"), Column::new("base")]
            .into_iter()
            .chain(Language::ALL.map(|l| Column::percent(l.code()))),
    );
    for row in reported()?.bases {
        let start: [Cell; 2] = [row.name.into(), format!("{} {}", row.base, row.size).into()];
        table.push(
            start
                .into_iter()
                .chain(Language::ALL.map(|l| row.average[&l].into()))
                .collect::<Vec<_>>(),
        )?;
    }
    Ok(table)
}

fn ours(sets: &[Arc<Set>], bases: &BTreeMap<String, Base>) -> Result<Vec<Table>> {
    let start = || ["base", "seed rows", "rows added", "trainings"].map(Column::new).into_iter();
    let mut levels = Table::new(
        "levels",
        "Means over trainings",
        start()
            .chain(["added", "figure"].map(Column::new))
            .chain(Language::ALL.map(|l| Column::percent(l.code()))),
    );
    let mut differences = Table::new(
        "differences",
        "Points of the classifiers with synthetic rows above those with repeated seeds",
        start().chain([Column::new("figure")]).chain(Language::ALL.into_iter().flat_map(|l| {
            [l.code().to_owned(), format!("{} ±", l.code())]
                .map(|name| Column::new(name).unit("points").decimals(1))
        })),
    );
    for (name, base) in bases {
        for (what, value) in &figures(sets) {
            let start = |count: usize| -> Vec<Cell> {
                vec![
                    name.clone().into(),
                    (base.rows[0] as usize).into(),
                    (base.rows[1] as usize).into(),
                    count.into(),
                ]
            };
            for (side, added) in
                [(&base.control, "repeated seeds"), (&base.synthetic, "synthetic rows")]
            {
                let mut row = start(side.len());
                row.extend([added.into(), (*what).into()]);
                row.extend(
                    Language::ALL.map(|l| cell(mean(side.values().filter_map(|s| value(s, l))))),
                );
                levels.push(row)?;
            }
            let pairs: Vec<_> = base
                .synthetic
                .iter()
                .filter_map(|(seed, mine)| Some((mine, base.control.get(seed)?)))
                .collect();
            let mut row = start(pairs.len());
            row.push((*what).into());
            for language in Language::ALL {
                let gains: Vec<f64> = pairs
                    .iter()
                    .filter_map(|(mine, control)| {
                        Some(value(mine, language)? - value(control, language)?)
                    })
                    .collect();
                let (gain, half) = spread(&gains);
                row.extend([cell(gain), cell(half)]);
            }
            differences.push(row)?;
        }
    }
    Ok(vec![differences, levels])
}

pub fn draw(_: &Report, _: &Path) -> Result<()> {
    Ok(())
}
