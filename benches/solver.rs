//! The exact solver's speed: one iteration against streaming the same matrix, whole solves against
//! Clarabel, and growth over three decades of size.
//!
//! `cargo bench --no-default-features --bench solver` prints criterion's figures, writes `bench.json` and `bench.md`
//! into `$NASHGUARD_BENCH_DIR` (default `experiments/results`) and draws `figures/bench-growth`.

mod oracle;
mod timing;

use criterion::{BenchmarkId, Criterion, Throughput};
use nashguard::exploit::Exploit;
use nashguard::guard::{ExactGap, Generator, GuardGame, Iterate, random_game, solve};
use nashguard::report::plot::{Axis, Line, LineChart};
use nashguard::report::{Column, Report, Series, Style, Table, environment};
use nashguard::{BestReply, Result};
use std::time::{Duration, Instant};
use timing::{fastest, median, seconds};

/// Iterations before a measurement, so that the iterate is a typical one.
const WARM: usize = 3;

fn main() -> Result<()> {
    let started = Instant::now();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let full = random_game(2, 1_000, 10_000, 0.1, 1.0, 1)?;
    let middle = random_game(2, 100, 200, 0.1, 1.0, 2)?;
    criterion_figures(&mut criterion, &full, &middle)?;
    criterion.final_summary();
    // `cargo test --benches` only checks that everything runs.
    if std::env::args().any(|a| a == "--bench") {
        let report = summary(started, &full, &middle)?;
        timing::save(&report)?;
        draw(&report)?;
        println!("{}", nashguard::report::markdown(&report));
    }
    Ok(())
}

/// Time per iteration over size, on logarithmic axes, beside a line of slope 1.
fn draw(report: &Report) -> Result<()> {
    let mut lines: Vec<Line> = report.panel("growth").map(Line::from).collect();
    let ends: Vec<[f64; 2]> = lines.iter().flat_map(|l| l.points.iter().copied()).collect();
    if let Some(last) = ends.last() {
        let linear = ends.iter().map(|p| [p[0], p[0] / last[0] * last[1]]);
        lines.push(Line::new("linear in seeds x texts", Style::Dashed, linear));
    }
    LineChart {
        title: "One solver iteration over three decades of size".into(),
        x: Axis::log("seeds x texts"),
        y: Axis::log("seconds"),
        lines,
        ..LineChart::default()
    }
    .draw("figures/bench-growth")
}

fn criterion_figures(c: &mut Criterion, full: &GuardGame, middle: &GuardGame) -> Result<()> {
    let mut group = c.benchmark_group("1000 x 10000");
    group.throughput(Throughput::Bytes(bytes(full)));
    group.bench_function("streaming sum", |b| b.iter(|| streaming_sum(full)));
    let mut iterate = warmed(full)?;
    group.bench_function("iteration", |b| b.iter(|| iterate.advance(1.0)));
    group.finish();

    let mut group = c.benchmark_group("solve to 1e-10");
    group.bench_function("100 x 200", |b| b.iter(|| solve(middle, 1e-10)));
    group.finish();

    let mut group = c.benchmark_group("growth");
    for game in &growing()? {
        group.throughput(Throughput::Elements(entries(game)));
        let id = BenchmarkId::from_parameter(entries(game));
        let mut iterate = warmed(game)?;
        group.bench_function(id, |b| b.iter(|| iterate.advance(1.0)));
    }
    group.finish();
    Ok(())
}

/// The report of this run. Rival figures are taken in turns, so that they share the machine's moods.
fn summary(started: Instant, full: &GuardGame, middle: &GuardGame) -> Result<Report> {
    let here = environment();
    let mut report = Report {
        name: "bench".into(),
        claim: "An iteration of the exact solver streams the reference matrix at no less than half \
                the speed of adding it up, grows no faster than the matrix, and whole solves are at \
                least 20 times faster than Clarabel's exponential-cone program."
            .into(),
        scale: "full".into(),
        commit: here.commit,
        device: here.device,
        command: "cargo bench --no-default-features --bench solver".into(),
        notes: vec![
            "One thread. Times are the fastest of several runs, since other programs only ever slow a \
             run down; the relative speed is the median over pairs of runs. An iteration is counted as one read of the reference \
             matrix; the sum is 32 running sums over the same memory."
                .into(),
            "Gaps are exact, in nats, measured on the finished tables. Clarabel runs at its default \
             tolerances; its generator is made positive and normalised first."
                .into(),
        ],
        ..Report::default()
    };
    report.tables.push(iteration_table(full)?);
    report.tables.push(solve_table(full, middle)?);
    let (table, series) = growth()?;
    report.tables.push(table);
    report.series.push(series);
    report.minutes = started.elapsed().as_secs_f64() / 60.0;
    Ok(report)
}

fn iteration_table(game: &GuardGame) -> Result<Table> {
    let mut iterate = warmed(game)?;
    let (mut sums, mut iterations, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..25 {
        let sum = seconds(|| streaming_sum(game));
        let iteration = seconds(|| iterate.advance(1.0));
        sums.push(sum);
        iterations.push(iteration);
        ratios.push(sum / iteration);
    }
    let mut table = Table::new(
        "iteration",
        "One pass over 1,000 seeds x 10,000 texts (80 MB).",
        [
            Column::new("what"),
            Column::new("time").unit("ms").decimals(2),
            Column::new("speed").unit("GB/s").decimals(2),
            Column::new("speed relative to the sum").decimals(2),
        ],
    );
    let (sum, iteration) = (fastest(sums), fastest(iterations));
    let speed = |t: f64| bytes(game) as f64 / t / 1e9;
    table.push(["streaming sum".into(), (1e3 * sum).into(), speed(sum).into(), 1.0.into()])?;
    let ratio = median(ratios);
    table.push([
        "iteration".into(),
        (1e3 * iteration).into(),
        speed(iteration).into(),
        ratio.into(),
    ])?;
    Ok(table)
}

fn solve_table(full: &GuardGame, middle: &GuardGame) -> Result<Table> {
    let mut table = Table::new(
        "solve",
        "Whole solves to a gap of 1e-10 nats at beta = 0.1.",
        [
            Column::new("game"),
            Column::new("solver"),
            Column::new("time").unit("ms").decimals(2),
            Column::new("gap reached").unit("nats"),
            Column::new("iterations"),
            Column::new("times faster").decimals(0),
        ],
    );
    compare(&mut table, middle, 3)?;
    let large = random_game(2, 200, 1_000, 0.1, 1.0, 4)?;
    let before = peak_memory();
    compare(&mut table, &large, 1)?;
    let grown = peak_memory().zip(before).map(|(after, before)| after - before);
    let time = fastest((0..3).map(|_| seconds(|| solve(full, 1e-10))));
    let found = solve(full, 1e-10)?;
    let name = |game: &GuardGame| format!("{} x {}", game.seeds(), game.texts());
    table.push([
        name(full).into(),
        "nashguard".into(),
        (1e3 * time).into(),
        found.gap.into(),
        found.iterations.into(),
        "".into(),
    ])?;
    // Its memory grows with the number of cones, one a seed and text.
    let needed = grown.map_or("not run".into(), |gb| {
        let full_size = gb * entries(full) as f64 / entries(&large) as f64;
        format!("not run: took {gb:.2} GB at {}, would need about {full_size:.0} GB", name(&large))
    });
    let nothing = || "".into();
    table.push([
        name(full).into(),
        "Clarabel".into(),
        needed.into(),
        nothing(),
        nothing(),
        nothing(),
    ])?;
    Ok(table)
}

/// Two rows: ours and Clarabel on the same game, the fastest of `rounds` (ours five times that).
fn compare(table: &mut Table, game: &GuardGame, rounds: usize) -> Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut rival = None;
    for _ in 0..rounds {
        theirs.push(seconds(|| rival = oracle::cone_program(game, oracle::DEFAULT).ok()));
        for _ in 0..5 {
            ours.push(seconds(|| solve(game, 1e-10)));
        }
    }
    let found = solve(game, 1e-10)?;
    let (ours, theirs) = (fastest(ours), fastest(theirs));
    let name = format!("{} x {}", game.seeds(), game.texts());
    table.push([
        name.as_str().into(),
        "nashguard".into(),
        (1e3 * ours).into(),
        found.gap.into(),
        found.iterations.into(),
        (theirs / ours).into(),
    ])?;
    let gap = rival.as_ref().map_or(Ok(f64::NAN), |found| gap_of(game, found))?;
    table.push([
        name.into(),
        "Clarabel".into(),
        (1e3 * theirs).into(),
        gap.into(),
        u64::from(rival.map_or(0, |found| found.iterations)).into(),
        1.0.into(),
    ])
}

/// The largest memory this process has held, in GB; where the system does not tell, nothing.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0 / 1e9)
}

/// The exact gap of the cone program's generator and its best reply.
fn gap_of(game: &GuardGame, found: &oracle::Oracle) -> Result<f64> {
    let mut p = found.p.mapv(|v| v.max(1e-300));
    for mut row in p.outer_iter_mut() {
        let total = row.sum();
        row /= total;
    }
    let p = Generator::new(game, p)?;
    Ok(ExactGap.gap(game, &p, &game.min_reply(&p)?)?.width)
}

fn growth() -> Result<(Table, Series)> {
    let mut table = Table::new(
        "growth",
        "One iteration over seeds x texts entries; the exponent fits time ~ entries^a from the \
         smallest size to this one.",
        [
            Column::new("seeds"),
            Column::new("texts"),
            Column::new("entries"),
            Column::new("time").unit("us").decimals(1),
            Column::new("time per entry").unit("ns").decimals(3),
            Column::new("exponent").decimals(2),
        ],
    );
    let mut points: Vec<[f64; 2]> = Vec::new();
    for game in &growing()? {
        let mut iterate = warmed(game)?;
        let n = entries(game) as f64;
        let runs = (3e7 / n).clamp(11.0, 1001.0) as usize;
        let time = fastest((0..runs).map(|_| seconds(|| iterate.advance(1.0))));
        points.push([n, time]);
        table.push([
            game.seeds().into(),
            game.texts().into(),
            entries(game).into(),
            (1e6 * time).into(),
            (1e9 * time / n).into(),
            slope(&points).map_or("".into(), |a| a.into()),
        ])?;
    }
    let series = Series::new("growth", "one iteration", "seeds x texts", "seconds", points);
    Ok((table, series))
}

/// Least-squares slope of log y over log x.
fn slope(points: &[[f64; 2]]) -> Option<f64> {
    let n = points.len() as f64;
    let mean = |k: usize| points.iter().map(|p| p[k].ln()).sum::<f64>() / n;
    let (x, y) = (mean(0), mean(1));
    let both: f64 = points.iter().map(|p| (p[0].ln() - x) * (p[1].ln() - y)).sum();
    let square: f64 = points.iter().map(|p| (p[0].ln() - x).powi(2)).sum();
    (points.len() > 1).then(|| both / square)
}

/// Games of 1e4 to 1e7 entries, ten times as many texts as seeds.
fn growing() -> Result<Vec<GuardGame>> {
    let seeds = [32, 56, 100, 178, 316, 562, 1_000];
    seeds.into_iter().map(|n| random_game(2, n, 10 * n, 0.1, 1.0, 3)).collect()
}

/// An iterate a few rounds from the reference.
fn warmed(game: &GuardGame) -> Result<Iterate<'_>> {
    let mut iterate = Iterate::new(game);
    (0..WARM).try_for_each(|_| iterate.advance(1.0))?;
    Ok(iterate)
}

fn entries(game: &GuardGame) -> u64 {
    game.reference().len() as u64
}

fn bytes(game: &GuardGame) -> u64 {
    8 * entries(game)
}

/// The fastest plain read: the matrix added up in 32 running sums, enough to hide the additions'
/// latency in vector registers.
fn streaming_sum(game: &GuardGame) -> f64 {
    let matrix = game.reference().as_slice().unwrap_or(&[]);
    let mut sums = [0.0; 32];
    let blocks = matrix.chunks_exact(32);
    let rest: f64 = blocks.remainder().iter().sum();
    for block in blocks {
        for (sum, v) in sums.iter_mut().zip(block) {
            *sum += v;
        }
    }
    sums.iter().sum::<f64>() + rest
}
