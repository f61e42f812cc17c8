//! Claim: the (tau, beta) family is locally stable exactly above the line 2 tau + beta = 1 - mu_min
//! (Theorem B). Expected: the measured radius crosses 1 on the predicted line.
//!
//! Paper: Theorem 4.2; it trains at tau = 0, beta = 0.01.

use crate::Context;
use nashguard::dynamics::Order;
use nashguard::guard::{Anchor, Generator, GuardGame, proximal, random_game, solve, spectrum};
use nashguard::report::plot::{Axis, Figure, HeatMap, Line, LineChart, Panel};
use nashguard::report::{Column, Grid, Report, Series, Style, Table};
use nashguard::{BestReply, Result};
use ndarray::Array2;
use rayon::prelude::*;
use std::path::Path;

pub const ABOUT: &str = "where the dynamics converge: measured radius over (tau, beta), trajectories, the anchor's effect";

const SOLVED: f64 = 1e-13;
/// Below, at and above the paper's threshold.
const TRAJECTORIES: [f64; 3] = [0.7, 1.0, 1.4];
const RADIUS: &str = "log10 of the spectral radius";

pub fn run(context: &Context) -> Result<Report> {
    let game = random_game(2, 3, 12, 1.0, 1.0, context.seed.wrapping_add(11))?;
    let mut report = Report {
        paper_reference: "Theorem 4.2".into(),
        claim: "Local stability is decided by 2 tau + beta > 1 - mu_min: at tau = 0 the paper's \
                iteration needs beta > 1 - mu_min, at tau = 1/2 every beta works. Real data in the \
                classifier's loss lowers that threshold, but only where it has mass."
            .into(),
        ..Report::default()
    };
    heat(context, &game, &mut report)?;
    trajectories(context, &mut report)?;
    declines(&game, &mut report)?;
    anchor(context, &mut report)?;
    Ok(report)
}

fn range(low: f64, high: f64, count: usize) -> Vec<f64> {
    (0..count).map(|k| low + (high - low) * k as f64 / (count - 1) as f64).collect()
}

/// Measured radius over (tau, beta), and the predicted line.
fn heat(context: &Context, game: &GuardGame, report: &mut Report) -> Result<()> {
    let count = context.scale.pick(6, 41, 101);
    let (taus, betas) = (range(0.0, 1.0, count), range(0.02, 1.5, count));
    let bar = context.progress("phase diagram", betas.len());
    let rows: Vec<(Vec<f64>, f64)> = betas
        .par_iter()
        .map(|&beta| {
            let game = game.clone().with_beta(beta)?;
            let star = solve(&game, SOLVED)?.p;
            let line = (spectrum(&game, &star)?.threshold(0.0) - beta) / 2.0;
            let row = taus.iter().map(|&tau| {
                proximal::measured_rate(&game, &star, tau, Order::Alternating, 200, context.seed)
            });
            let row = row.collect::<Result<_>>()?;
            bar.inc(1);
            Ok((row, line))
        })
        .collect::<Result<_>>()?;
    bar.finish_and_clear();

    // How far apart are the measured crossing of 1 and the predicted line?
    let mut wrong = 0;
    for (row, line) in &rows {
        for (tau, radius) in taus.iter().zip(row) {
            let clear = (tau - line).abs() > 1e-9 && (radius - 1.0).abs() > 1e-3;
            wrong += usize::from(clear && (tau > line) != (*radius < 1.0));
        }
    }
    let mut table = Table::new(
        "phase diagram",
        "Grid points where the measured radius and the predicted side of the line disagree",
        [Column::new("grid points"), Column::new("disagreements")],
    );
    table.push([(taus.len() * betas.len()).into(), wrong.into()])?;
    report.tables.push(table);

    let line = betas.iter().zip(&rows).map(|(b, (_, tau))| [*tau, *b]).filter(|p| p[0] >= 0.0);
    let mut line = Series::new("heat", "predicted: 2 tau + beta = 1 - mu_min", "tau", "beta", line);
    line.style = Style::Dashed;
    report.series.push(line);
    let finite = |r: &f64| Some(r.log10()).filter(|v| v.is_finite());
    report.grids.push(Grid {
        name: RADIUS.into(),
        x_name: "tau".into(),
        y_name: "beta".into(),
        values: rows.iter().map(|(row, _)| row.iter().map(finite).collect()).collect(),
        x: taus,
        y: betas,
    });
    Ok(())
}

/// Two of the classifier's logits along the run, for the paper's weight and for tau = 1/2.
fn trajectories(context: &Context, report: &mut Report) -> Result<()> {
    let game = random_game(2, 4, 6, 1.0, 2.0, context.seed.wrapping_add(12))?.with_floor(0.02)?;
    for beta in TRAJECTORIES {
        let game = game.clone().with_beta(beta)?;
        let star = solve(&game, SOLVED)?.p;
        let panel = format!("beta = {beta}");
        let names = ("logit q(unsafe|text 0)", "logit q(unsafe|text 1)");
        for (tau, label) in [(0.0, "tau = 0 (paper)"), (0.5, "tau = 1/2")] {
            let mut points = Vec::new();
            let start = Generator::reference(&game);
            for round in proximal::run(&game, tau, Order::Alternating, start)?.take(41) {
                let logits = proximal::observe(&game, &star, &round?)?.logits;
                points.push([logits[0], logits[1]]);
            }
            report.series.push(Series::new(&panel, label, names.0, names.1, points));
        }
        let q = game.min_reply(&star)?;
        let logit = |z: usize| q.log_q()[(z, 1)] - q.log_q()[(z, 0)];
        let end = [[logit(0), logit(1)]];
        let mut end = Series::new(&panel, "equilibrium", names.0, names.1, end);
        end.style = Style::Markers;
        report.series.push(end);
    }
    Ok(())
}

/// D(p*, p_t) over rounds beside the slope that Theorem B predicts.
fn declines(game: &GuardGame, report: &mut Report) -> Result<()> {
    for (tau, beta) in [(0.0, 0.8), (0.0, 1.2), (0.5, 0.3), (1.0, 0.3), (0.5, 0.05)] {
        let game = game.clone().with_beta(beta)?;
        let star = solve(&game, 1e-20)?.p;
        let rate = spectrum(&game, &star)?.rate(tau);
        let mut points = Vec::new();
        for round in
            proximal::run(&game, tau, Order::Alternating, Generator::reference(&game))?.take(81)
        {
            let round = round?;
            points.push([round.t as f64, game.divergence(&star, &round.x)?]);
        }
        // Below this, what is left is the error of p* itself.
        points.retain(|p| p[1] > 1e-18);
        let group = format!("tau = {tau}, beta = {beta}");
        let anchor = points.len() / 2;
        let predicted: Vec<_> = points
            .iter()
            .map(|p| [p[0], points[anchor][1] * rate.powf(2.0 * (p[0] - points[anchor][0]))])
            .collect();
        let mut measured = Series::new("declines", &group, "round", "D(p*, p_t)", points);
        measured.group.clone_from(&group);
        report.series.push(measured);
        if rate < 1.0 {
            let mut slope = Series::new("declines", "", "round", "D(p*, p_t)", predicted);
            (slope.group, slope.style) = (group, Style::Dashed);
            report.series.push(slope);
        }
    }
    Ok(())
}

/// The real-data anchor lambda lowers the threshold of tau = 0: by how much?
fn anchor(context: &Context, report: &mut Report) -> Result<()> {
    let base = random_game(2, 3, 12, 1.0, 1.0, context.seed.wrapping_add(11))?;
    // The accumulated seed set: every seed's own most likely text, under its label.
    let mut real = Array2::<f64>::zeros((2, base.texts()));
    for ((row, &y), &rho) in base.reference().outer_iter().zip(base.label()).zip(base.weight()) {
        let best = (0..row.len()).fold(0, |b, z| if row[z] > row[b] { z } else { b });
        real[(y, best)] += rho;
    }
    let spread = Array2::from_elem((2, base.texts()), 0.5 / base.texts() as f64);
    let kinds = [("real = the seeds themselves", real), ("real = uniform over texts", spread)];
    let lambdas = [0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
    let mut table = Table::new(
        "anchor",
        "Least beta at which the paper's iteration (tau = 0) is locally stable, by the weight \
         lambda of real data in the classifier's loss: predicted (beta = 1 - mu_min) and measured \
         (radius 1), by bisection",
        [
            Column::new("real data"),
            Column::new("lambda"),
            Column::new("predicted threshold").decimals(4),
            Column::new("measured threshold").decimals(4),
        ],
    );
    let bar = context.progress("anchor", kinds.len() * lambdas.len());
    for (kind, real) in kinds {
        let rows: Vec<(f64, f64, f64)> = lambdas
            .par_iter()
            .map(|&weight| {
                let game = base.clone().with_anchor(Anchor { weight, real: real.clone() })?;
                let predicted = bisect(&game, |game, star| Ok(spectrum(game, star)?.rate(0.0)))?;
                let measured = bisect(&game, |game, star| {
                    let order = Order::Alternating;
                    proximal::measured_rate(game, star, 0.0, order, 200, context.seed)
                })?;
                bar.inc(1);
                Ok((weight, predicted, measured))
            })
            .collect::<Result<_>>()?;
        for (weight, predicted, measured) in &rows {
            table.push([kind.into(), (*weight).into(), (*predicted).into(), (*measured).into()])?;
        }
        let names = ("lambda", "threshold of beta");
        let points = rows.iter().map(|r| [r.0, r.1]);
        let mut predicted =
            Series::new("anchor", format!("{kind}, predicted"), names.0, names.1, points);
        (predicted.group, predicted.style) = (kind.into(), Style::Dashed);
        let points = rows.iter().map(|r| [r.0, r.2]);
        let mut measured =
            Series::new("anchor", format!("{kind}, measured"), names.0, names.1, points);
        (measured.group, measured.style) = (kind.into(), Style::Markers);
        report.series.extend([predicted, measured]);
    }
    bar.finish_and_clear();
    report.tables.push(table);
    Ok(())
}

/// The beta in [0.01, 2] where `rate` at the equilibrium falls to 1.
fn bisect(game: &GuardGame, rate: impl Fn(&GuardGame, &Generator) -> Result<f64>) -> Result<f64> {
    let (mut low, mut high) = (0.01, 2.0);
    while high - low > 1e-5 {
        let middle = 0.5 * (low + high);
        let game = game.clone().with_beta(middle)?;
        let star = solve(&game, SOLVED)?.p;
        if rate(&game, &star)? > 1.0 { low = middle } else { high = middle }
    }
    Ok(0.5 * (low + high))
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let lines = |panel: &str| report.panel(panel).map(Line::from).collect::<Vec<_>>();
    let heat = HeatMap {
        title: "Measured spectral radius (below 0: stable) and the predicted line".into(),
        x: Axis::linear("tau"),
        y: Axis::linear("beta"),
        value: Axis::linear(RADIUS),
        grid: report.grid(RADIUS)?.clone(),
        lines: lines("heat"),
    };
    let chart = |title: &str, x, y, panel: &str| LineChart {
        title: title.into(),
        x,
        y,
        lines: lines(panel),
        ..LineChart::default()
    };
    let panels = vec![
        Panel::from(heat),
        chart(
            "Distance to equilibrium, measured (solid) and predicted slope (dashed)",
            Axis::linear("round"),
            Axis::log("D(p*, p_t) (nats)"),
            "declines",
        )
        .into(),
        chart(
            "Real data in the classifier's loss lowers the threshold of tau = 0",
            Axis::linear("lambda"),
            Axis::linear("least stable beta"),
            "anchor",
        )
        .into(),
    ];
    Figure { columns: 3, panels, ..Figure::default() }.draw(figures.join("phase"))?;

    let panels = TRAJECTORIES.map(|beta| {
        let panel = format!("beta = {beta}");
        let axis = |z: usize| Axis::linear(format!("logit q(unsafe | text {z})"));
        chart(&panel, axis(0), axis(1), &panel).into()
    });
    let title = "Trajectories in logit space, floor 0.02: the paper's iteration cycles \
                 at and below beta = 1, the proximal one does not";
    Figure { title: title.into(), columns: 3, panels: panels.into() }
        .draw(figures.join("phase-trajectories"))
}
