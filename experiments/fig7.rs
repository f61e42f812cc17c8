//! Claim: the rows that rounds add are in the languages written in and raise their scores, F1 in the first round above
//! all; it rises in part because more is called unsafe, so that AUROC and FPR stand beside it.
//!
//! Paper: Figure 7 (score by iteration; language shares).

use crate::Context;
use crate::games::{Game, games};
use crate::scoring::{cell, claim, mean};
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
/// Those that are drawn.
const DRAWN: [(&str, Value); 2] = [FIGURES[0], FIGURES[1]];
const SHARES: &str = "shares";

pub fn run(context: &Context) -> Result<Report> {
    let games = games(context)?;
    let mut played = Vec::new();
    for game in &games {
        played.push((game, game.summaries()?));
    }
    let mut series = Vec::new();
    for (game, rounds) in &played {
        for (name, figure) in DRAWN {
            for language in Language::ALL {
                let points = rounds.iter().map(|s| (s.round as f64, value(s, language, figure)));
                let points = points.filter_map(|(x, y)| Some([x, y?])).collect::<Vec<_>>();
                let (panel, y) = (format!("{}: {name}", game.name), format!("mean {name} (%)"));
                series.push(Series::new(panel, language.code(), "round", y, points));
            }
        }
    }
    let mut notes = vec![match games.is_empty() {
        true => "No finished game was found below --models. `nashguard play --config experiments/play-small.toml \
                 --data DIR --models DIR --out runs/NAME` plays one; then give --models runs."
            .into(),
        false => "Round 0 is the start: the classifier on seeds alone. Means of F1 (threshold 0.5) over six \
                  benchmarks, of AUROC and FPR over the five with both classes. A row is one play of a game: what its seed \
                  does shows only where it was played with several. No benchmark row was trained or selected on."
            .into(),
    }];
    if !games.is_empty() {
        notes.extend(played.iter().filter_map(|(game, rounds)| changes(&game.name, rounds)));
        notes.push(
            "Loss E[loss] of the classifier on fresh draws after the round; payoff: less beta KL, so that payoffs of games of \
             different beta are not comparable; both in nats; gap: \
             what both players gained by their moves from the strategies of the round before, on fresh draws: a lower \
             bound on the gap, which is never negative. A negative one says that the moves gained nothing on \
             these draws, and bounds nothing. KL to the first generator, nats a text; ± one standard error."
                .into(),
        );
        notes.push(
            "Misclassified: of the texts that the filters kept, by the classifier of the round before; \"-\" where none \
             was written."
                .into(),
        );
    }
    let tables = [scores(&played)?, moves(&played)?, misclassified(&played)?, shares(&played)?];
    Ok(Report {
        paper_reference: "Figure 7 (score by iteration; language shares)".into(),
        claim: claim(
            !games.is_empty(),
            "Added rows are in the languages written in and raise their scores, F1 in the first round above all; it \
             rises in part because more is called unsafe.",
        ),
        notes,
        tables: tables.into_iter().filter(|table| !table.rows.is_empty()).collect(),
        series,
        ..Report::default()
    })
}
/// How a game's figures moved from the start to its last round, in points.
fn changes(name: &str, rounds: &[Summary]) -> Option<String> {
    let (first, last) = (rounds.first()?, rounds.last()?);
    let moved = |(name, figure): (&str, Value)| {
        let by = |l| Some(value(last, l, figure)? - value(first, l, figure)?);
        let by: Option<Vec<String>> =
            Language::ALL.into_iter().map(|l| by(l).map(|v| format!("{v:+.1}"))).collect();
        by.map(|by| format!("{name} {}", by.join(" / ")))
    };
    let moved: Vec<String> = FIGURES.into_iter().filter_map(moved).collect();
    let languages = Language::ALL.map(Language::code).join(" / ");
    (!moved.is_empty()).then(|| {
        format!(
            "{name}, from the start to round {}, in points ({languages}): {}.",
            last.round,
            moved.join(", ")
        )
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
            .chain([Column::new("tau"), Column::new("beta"), Column::new("minutes").decimals(1)])
            .chain([Column::new("texts")])
            .chain(["dropped", "safe misclassified", "unsafe misclassified"].map(Column::percent))
            .chain(["loss", "loss ±", "payoff", "payoff ±", "gap", "gap ±", "KL", "KL ±"].map(nats))
            .chain([nats("entropy a token"), Column::percent("distinct pairs of words")]),
    );
    for (game, rounds) in played {
        let dpo = game.config.generator.dpo;
        for s in rounds {
            let mut row: Vec<Cell> = vec![game.name.clone().into(), s.round.into()];
            let minutes = s.seconds.values().sum::<f64>() / 60.0;
            row.extend([cell(dpo.map(|d| d.tau)), cell(dpo.map(|d| d.beta)), minutes.into()]);
            row.push(s.drawn.into());
            let dropped: usize = s.dropped.values().sum();
            row.push(cell(share(dropped, s.drawn)));
            for label in ["safe", "unsafe"] {
                let of =
                    s.misclassified.iter().filter(|(key, _)| key.starts_with(&format!("{label} ")));
                let [wrong, all] = of.fold([0, 0], |sum, (_, n)| [sum[0] + n[0], sum[1] + n[1]]);
                row.push(cell(share(wrong, all)));
            }
            let pair = |of: Option<[f64; 2]>| [cell(of.map(|v| v[0])), cell(of.map(|v| v[1]))];
            row.extend(pair(s.law.map(|law| law.loss)));
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

/// The texts of each round that its classifier got wrong, by label and language.
fn misclassified(played: &[(&Game, Vec<Summary>)]) -> Result<Table> {
    let columns = Language::ALL.map(|l| [Column::percent(l.code()), Column::new("of texts")]);
    let mut table = Table::new(
        "misclassified",
        "Texts kept in each round that the classifier before it got wrong, and of how many",
        start().chain([Column::new("label")]).chain(columns.into_iter().flatten()),
    );
    for (game, rounds) in played {
        for s in rounds.iter().filter(|s| !s.misclassified.is_empty()) {
            for label in ["safe", "unsafe"] {
                let mut row: Vec<Cell> =
                    vec![game.name.clone().into(), s.round.into(), label.into()];
                row.extend(Language::ALL.into_iter().flat_map(|l| {
                    let of = s.misclassified.get(&format!("{label} {}", l.code()));
                    let [wrong, all] = of.copied().unwrap_or_default();
                    [cell(share(wrong, all)), all.into()]
                }));
                table.push(row)?;
            }
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
    // Games that start from the same seeds name them once.
    let mut seeds: Vec<&BTreeMap<Language, [usize; 2]>> = Vec::new();
    for (game, rounds) in played {
        let mut before = Language::ALL.map(|_| [0; 2]);
        for s in rounds {
            if s.round == 0 {
                if seeds.contains(&&s.rows) {
                    continue;
                }
                seeds.push(&s.rows);
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
    // Panels of one figure share their scale, so that games can be compared.
    let axis = |label: &str| {
        let of = report.series.iter().filter(|s| s.y_name == label).flat_map(|s| &s.points);
        let ends = |[low, high]: [f64; 2], p: &[f64; 2]| [low.min(p[1]), high.max(p[1])];
        let [low, high] = of.fold([f64::INFINITY, f64::NEG_INFINITY], ends);
        match low <= high {
            true => Axis::linear(label).between(low - 1.0, high + 1.0),
            false => Axis::linear(label),
        }
    };
    let panel = |name: &&str| {
        let label = report.panel(name).next().map_or("", |s| s.y_name.as_str());
        Panel::from(LineChart {
            title: (*name).into(),
            x: Axis::counts("round"),
            y: axis(label),
            lines: report.panel(name).map(Line::from).collect(),
            ..LineChart::default()
        })
    };
    // A game scored on nothing has no line.
    let drawn = |name: &&str| report.panel(name).any(|s| !s.points.is_empty());
    let mut panels: Vec<Panel> =
        names.iter().copied().filter(drawn).map(|name| panel(&name)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::games::tests::{empty, leave, looking};

    fn table<'a>(report: &'a Report, name: &str) -> &'a Table {
        report.tables.iter().find(|t| t.name == name).unwrap()
    }

    fn numbers(row: &[Cell]) -> Vec<Option<f64>> {
        row.iter().map(Cell::as_f64).collect()
    }

    /// A game of two rounds: 100 seeds, then 4 rows, then 2 more.
    fn played() -> Vec<Summary> {
        let mut rounds = [0, 1, 2].map(empty).to_vec();
        let seeds = BTreeMap::from([(Language::En, [60, 20]), (Language::De, [20, 0])]);
        for (round, f1) in rounds.iter_mut().zip([0.5, 0.7, 0.6]) {
            round.rows.clone_from(&seeds);
            round.benchmarks = Language::ALL
                .map(|language| BenchmarkScore {
                    language,
                    benchmark: Benchmark::XsTest,
                    f1,
                    auroc: Some(0.5),
                    fpr: Some(0.25),
                })
                .to_vec();
        }
        rounds[1].added = BTreeMap::from([(Language::De, [1, 2]), (Language::Es, [1, 0])]);
        rounds[2].added = BTreeMap::from([(Language::De, [1, 2]), (Language::Es, [1, 2])]);
        rounds[1].misclassified = BTreeMap::from([
            ("safe es".into(), [1, 4]),
            ("unsafe de".into(), [2, 5]),
            ("unsafe es".into(), [0, 3]),
        ]);
        rounds
    }

    #[test]
    fn a_round_is_told_by_what_it_adds() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            leave(&root.path().join(name), &played());
        }
        let report = run(&looking(root.path())).unwrap();
        let rows = &table(&report, SHARES).rows;
        let names: Vec<_> = rows.iter().map(|row| row[0].clone()).collect();
        let known =
            ["seeds (paper)", "iteration 1 (paper)", "seeds of a", "a, round 1", "a, round 2"];
        assert_eq!(names[..5], known.map(Cell::from));
        // The seeds of b are those of a.
        assert_eq!(names[5..], ["b, round 1", "b, round 2"].map(Cell::from));
        let some = |values: [f64; 6]| values.map(Some).to_vec();
        assert_eq!(numbers(&rows[2][1..]), some([100.0, 80.0, 0.0, 0.0, 20.0, 20.0]));
        assert_eq!(numbers(&rows[3][1..]), some([4.0, 0.0, 0.0, 25.0, 75.0, 50.0]));
        assert_eq!(numbers(&rows[4][1..]), some([2.0, 0.0, 0.0, 100.0, 0.0, 100.0]));

        let wrong = &table(&report, "misclassified").rows;
        let (none, all) = (None, Some(0.0));
        let safe = [none, all, none, all, Some(25.0), Some(4.0), none, all];
        assert_eq!(numbers(&wrong[0][3..]), safe);
        let harmful = [none, all, none, all, Some(0.0), Some(3.0), Some(40.0), Some(5.0)];
        assert_eq!(numbers(&wrong[1][3..]), harmful);
        assert_eq!(wrong.len(), 4);

        let told = "b, from the start to round 2, in points (en / fr / es / de): F1 +10.0";
        assert!(report.notes.iter().any(|note| note.starts_with(told)), "{:?}", report.notes);
        draw(&report, root.path()).unwrap();
        assert!(root.path().join("fig7.svg").is_file());
    }

    #[test]
    fn without_a_game_the_papers_shares_are_left() {
        let root = tempfile::tempdir().unwrap();
        leave(&root.path().join("begun"), &[empty(0)]);
        let report = run(&looking(root.path())).unwrap();
        assert_eq!((report.tables.len(), report.tables[0].rows.len()), (1, 2));
        assert!(report.notes[0].contains("--models"));
        draw(&report, root.path()).unwrap();
        // Nor must a game that was scored on nothing break the figure.
        leave(&root.path().join("unscored"), &[empty(0), empty(1)]);
        draw(&run(&looking(root.path())).unwrap(), root.path()).unwrap();
    }
}
