//! Claim: the largest of 12 probabilities is no chance of harm: on held-out seeds it is off by what two
//! numbers fitted there can mend; on benchmarks, with other shares of unsafe texts, that need not help.
//!
//! Beyond the paper, which prints no calibration.

use crate::Context;
use crate::contenders::{Contender, HELD_OUT, NEEDS_DATA, Scored, Texts, joined, saved};
use nashguard::Result;
use nashguard::data::{Benchmark, Language};
use nashguard::metrics::{Scaling, brier, calibration_error, equal_mass, equal_width};
use nashguard::report::plot::{Axis, Figure, Line, LineChart, Panel};
use nashguard::report::{Cell, Column, Report, Series, Style, Table};
use std::path::Path;

pub const ABOUT: &str = "whether probabilities are chances: reliability, ECE and Brier scores";

const BINS: usize = 15;
const ALL_SIX: &str = "six benchmarks";

pub fn run(context: &Context) -> Result<Report> {
    let texts = Texts::of(context)?;
    let contenders = saved(context, &texts)?;
    let mut fits = Table::new(
        "scaling",
        "Fitted on all held-out seeds: the score p becomes sigmoid(logit(p) / temperature), or \
         sigmoid(slope logit(p) + offset)",
        [
            Column::new("model"),
            Column::new("rows"),
            Column::new("temperature").decimals(3),
            Column::new("Platt slope").decimals(3),
            Column::new("Platt offset").decimals(3),
        ],
    );
    let (mut tables, mut series) = (Vec::new(), Vec::new());
    for contender in &contenders {
        let (scores, truth) = joined(&contender.held_out);
        let temperature = Scaling::temperature(&scores, &truth)?;
        let platt = Scaling::platt(&scores, &truth)?;
        fits.push([
            contender.name.as_str().into(),
            scores.len().into(),
            (1.0 / temperature.slope).into(),
            platt.slope.into(),
            platt.offset.into(),
        ])?;
        tables.push(table(contender, [Scaling::NONE, temperature, platt])?);
        for (name, sets) in [(HELD_OUT, &contender.held_out), (ALL_SIX, &contender.benchmarks)] {
            series.extend(reliability(contender, name, sets, platt)?);
        }
    }
    tables.insert(0, fits);
    let mut notes = vec![
        format!(
            "ECE: expected calibration error, {BINS} bins of equal width, or of equally many rows \
             (mass). T: after temperature scaling, P: after Platt scaling, both fitted on the held-out \
             seeds of all languages together, never on benchmark rows; two numbers on that many rows \
             leave little to overfit, yet figures on held-out seeds after a fit are of the rows it saw."
        ),
        "Benchmarks hold other shares of unsafe rows than the seeds (column \"unsafe\"), which no scaling \
         fitted on seeds can know."
            .into(),
    ];
    notes.extend(contenders.iter().map(|c| c.note.clone()));
    Ok(Report {
        paper_reference: "none: the paper prints no calibration".into(),
        claim: "The largest of 12 probabilities is not the chance that a text is unsafe; Platt scaling \
                fitted on held-out seeds mends it there over all languages together, and need not on \
                benchmarks."
            .into(),
        notes,
        tables,
        series,
        ..Report::default()
    })
}

fn columns() -> Vec<Column> {
    let mut columns = vec![
        Column::new("texts"),
        Column::new("language"),
        Column::new("rows"),
        Column::percent("unsafe"),
        Column::percent("mean score"),
    ];
    for after in ["", ", T", ", P"] {
        columns.extend([
            Column::percent(format!("ECE{after}")),
            Column::percent(format!("ECE (mass){after}")),
            Column::new(format!("Brier{after}")).decimals(3),
        ]);
    }
    columns
}

/// Every language of the held-out seeds and of the benchmarks, together and one by one.
fn table(contender: &Contender, scalings: [Scaling; 3]) -> Result<Table> {
    let mut table = Table::new(
        format!("calibration, {}", contender.name),
        "As the scores are, and after scaling fitted on held-out seeds. Percentages; Brier scores in 0..1",
        columns(),
    );
    let named = |name: &'static str, sets: Vec<&Scored>, table: &mut Table| {
        let languages = [None].into_iter().chain(Language::ALL.map(Some));
        for language in languages {
            let here = sets.iter().copied();
            let here = here.filter(|s| language.is_none_or(|l| s.set.language == l));
            let row = row(name, language, joined(here), scalings)?;
            row.map_or(Ok(()), |row| table.push(row))?;
        }
        Ok::<_, nashguard::Error>(())
    };
    named(HELD_OUT, contender.held_out.iter().collect(), &mut table)?;
    if contender.benchmarks.is_empty() {
        let mut row = vec![ALL_SIX.into(), "all".into()];
        row.resize(table.columns.len(), NEEDS_DATA.into());
        table.push(row)?;
    }
    named(ALL_SIX, contender.benchmarks.iter().collect(), &mut table)?;
    for benchmark in Benchmark::ALL {
        let sets = contender.benchmarks.iter().filter(|s| s.set.benchmark == Some(benchmark));
        named(benchmark.name(), sets.collect(), &mut table)?;
    }
    Ok(table)
}

/// `None` for no rows.
fn row(
    name: &str,
    language: Option<Language>,
    (scores, truth): (Vec<f32>, Vec<bool>),
    scalings: [Scaling; 3],
) -> Result<Option<Vec<Cell>>> {
    if scores.is_empty() {
        return Ok(None);
    }
    let mean = |sum: f64| 100.0 * sum / scores.len() as f64;
    let mut row = vec![
        name.into(),
        language.map_or("all", Language::code).into(),
        scores.len().into(),
        mean(truth.iter().filter(|y| **y).count() as f64).into(),
        mean(scores.iter().map(|&s| f64::from(s)).sum()).into(),
    ];
    for scaling in scalings {
        let scores: Vec<f32> = scores.iter().map(|&s| scaling.apply(s)).collect();
        for bins in [equal_width(&scores, &truth, BINS)?, equal_mass(&scores, &truth, BINS)?] {
            row.push((100.0 * calibration_error(&bins).unwrap_or(0.0)).into());
        }
        row.push(brier(&scores, &truth)?.unwrap_or(0.0).into());
    }
    Ok(Some(row))
}

/// Points (mean score, share unsafe) of bins of equally many rows, a line a language.
fn reliability(
    contender: &Contender,
    name: &str,
    sets: &[Scored],
    platt: Scaling,
) -> Result<Vec<Series>> {
    let mut series = Vec::new();
    for language in Language::ALL {
        let (scores, truth) = joined(sets.iter().filter(|s| s.set.language == language));
        for (scaling, after, style) in
            [(Scaling::NONE, "", Style::Solid), (platt, ", after Platt scaling", Style::Dashed)]
        {
            let scores: Vec<f32> = scores.iter().map(|&s| scaling.apply(s)).collect();
            let bins = equal_mass(&scores, &truth, BINS)?;
            if !bins.is_empty() {
                let points = bins.iter().map(|b| [b.score, b.positives]);
                series.push(Series {
                    style,
                    group: language.code().into(),
                    ..Series::new(
                        format!("{}: {name}", contender.name),
                        format!("{}{after}", language.code()),
                        "mean score of the bin",
                        "share unsafe",
                        points,
                    )
                });
            }
        }
    }
    Ok(series)
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let mut names: Vec<&str> = report.series.iter().map(|s| s.panel.as_str()).collect();
    names.dedup();
    let panel = |name: &&str| {
        let mut lines: Vec<Line> = report.panel(name).map(Line::from).collect();
        lines.push(Line::new("calibrated", Style::Dashed, [[0.0, 0.0], [1.0, 1.0]]));
        Panel::from(LineChart {
            title: (*name).into(),
            x: Axis::linear("mean score of the bin").between(0.0, 1.0),
            y: Axis::linear("share unsafe").between(0.0, 1.0),
            lines,
            ..LineChart::default()
        })
    };
    let panels: Vec<Panel> = names.iter().map(panel).collect();
    Figure { columns: panels.len().clamp(1, 2), panels, ..Figure::default() }
        .draw(figures.join("calibration"))
}
