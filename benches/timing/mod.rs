//! The clock and the output folder of the benchmarks.
#![allow(dead_code)] // Every benchmark uses its own part of this module.

use nashguard::Result;
use nashguard::report::Report;
use std::hint::black_box;
use std::time::Instant;

/// Wall-clock seconds of one run.
pub fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    timed(work).0
}

/// Wall-clock seconds of one run, and what it gave.
pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = black_box(work());
    (start.elapsed().as_secs_f64(), result)
}

/// Other programs only ever slow a run down.
pub fn fastest(times: impl IntoIterator<Item = f64>) -> f64 {
    times.into_iter().fold(f64::INFINITY, f64::min)
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Writes the report into `$NASHGUARD_BENCH_DIR` (default `experiments/results`).
pub fn save(report: &Report) -> Result<()> {
    let folder = std::env::var("NASHGUARD_BENCH_DIR");
    report.save(folder.unwrap_or_else(|_| "experiments/results".into()))
}
