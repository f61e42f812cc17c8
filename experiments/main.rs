//! `experiment`: runs the research experiments and writes their results, tables and figures.

/// `eprintln!` for what must go on when nobody can hear it.
macro_rules! tell {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

#[cfg(feature = "neural")]
mod ablations;
#[cfg(feature = "neural")]
mod bridge;
#[cfg(feature = "neural")]
mod calibration;
#[cfg(feature = "neural")]
mod contenders;
#[cfg(feature = "neural")]
mod dilution;
mod dynamics;
#[cfg(feature = "neural")]
mod fig2;
#[cfg(feature = "neural")]
mod fig4;
#[cfg(feature = "neural")]
mod fig5;
#[cfg(feature = "neural")]
mod fig6;
#[cfg(feature = "neural")]
mod fig7;
mod fig8;
#[cfg(feature = "neural")]
mod fig9;
#[cfg(feature = "neural")]
mod games;
#[cfg(feature = "neural")]
mod hyperparameters;
#[cfg(feature = "neural")]
mod overrefusal;
mod phase;
#[cfg(feature = "neural")]
mod scoring;
mod seedgame;
mod solvers;
#[cfg(feature = "neural")]
mod table1;
#[cfg(feature = "neural")]
mod table2;
mod texts;
mod theory;
#[cfg(feature = "neural")]
mod warmstart;
#[cfg(feature = "neural")]
mod weighting;

use clap::{Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use nashguard::data::DataDir;
use nashguard::report::{Report, environment, markdown};
use nashguard::{Error, Result};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One experiment: what it is called, what it claims, how it runs and how its figures are drawn.
struct Experiment {
    name: &'static str,
    about: &'static str,
    /// Fills tables, series, grids, claim and notes; the stamp is added here.
    run: fn(&Context) -> Result<Report>,
    /// Draws every figure of a saved report into a folder.
    draw: fn(&Report, &Path) -> Result<()>,
}

const fn of(
    name: &'static str,
    about: &'static str,
    run: fn(&Context) -> Result<Report>,
    draw: fn(&Report, &Path) -> Result<()>,
) -> Experiment {
    Experiment { name, about, run, draw }
}

/// All of them, in the order they run. The command line, `list` and CI derive from this table.
const EXPERIMENTS: &[Experiment] = &[
    of("theory", theory::ABOUT, theory::run, theory::draw),
    of("phase", phase::ABOUT, phase::run, phase::draw),
    of("seedgame", seedgame::ABOUT, seedgame::run, seedgame::draw),
    #[cfg(feature = "neural")]
    of("bridge", bridge::ABOUT, bridge::run, bridge::draw),
    of("dynamics", dynamics::ABOUT, dynamics::run, dynamics::draw),
    of("solvers", solvers::ABOUT, solvers::run, solvers::draw),
    #[cfg(feature = "neural")]
    of("table1", table1::ABOUT, table1::run, table1::draw),
    #[cfg(feature = "neural")]
    of("table2", table2::ABOUT, table2::run, table2::draw),
    #[cfg(feature = "neural")]
    of("table3", hyperparameters::CLASSIFIER, hyperparameters::classifier, hyperparameters::draw),
    #[cfg(feature = "neural")]
    of("table4", hyperparameters::GENERATOR, hyperparameters::generator, hyperparameters::draw),
    #[cfg(feature = "neural")]
    of("fig2", fig2::ABOUT, fig2::run, fig2::draw),
    #[cfg(feature = "neural")]
    of("fig4", fig4::ABOUT, fig4::run, fig4::draw),
    #[cfg(feature = "neural")]
    of("fig5", fig5::ABOUT, fig5::run, fig5::draw),
    #[cfg(feature = "neural")]
    of("fig6", fig6::ABOUT, fig6::run, fig6::draw),
    #[cfg(feature = "neural")]
    of("fig7", fig7::ABOUT, fig7::run, fig7::draw),
    of("fig8", fig8::ABOUT, fig8::run, fig8::draw),
    #[cfg(feature = "neural")]
    of("fig9", fig9::ABOUT, fig9::run, fig9::draw),
    #[cfg(feature = "neural")]
    of("calibration", calibration::ABOUT, calibration::run, calibration::draw),
    #[cfg(feature = "neural")]
    of("overrefusal", overrefusal::ABOUT, overrefusal::run, overrefusal::draw),
    #[cfg(feature = "neural")]
    of("dilution", dilution::ABOUT, dilution::run, dilution::draw),
    #[cfg(feature = "neural")]
    of("weighting", weighting::ABOUT, weighting::run, weighting::draw),
    #[cfg(feature = "neural")]
    of("ablations", ablations::ABOUT, ablations::run, ablations::draw),
    #[cfg(feature = "neural")]
    of("warmstart", warmstart::ABOUT, warmstart::run, warmstart::draw),
];

/// How much work an experiment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scale {
    /// Seconds: every code path, for CI.
    Smoke,
    /// What the README reports.
    Default,
    /// More games, finer grids, longer training.
    Full,
}

impl Scale {
    fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Default => "default",
            Self::Full => "full",
        }
    }

    /// The value for this scale.
    fn pick<T>(self, smoke: T, default: T, full: T) -> T {
        match self {
            Self::Smoke => smoke,
            Self::Default => default,
            Self::Full => full,
        }
    }
}

/// What an experiment gets.
struct Context {
    scale: Scale,
    seed: u64,
    data: Option<DataDir>,
    /// Trained classifiers.
    models: Option<PathBuf>,
    /// Where results go, and what may be used again.
    out: PathBuf,
}

impl Context {
    /// A progress bar on standard error (hidden when that is no terminal).
    fn progress(&self, what: &str, len: usize) -> ProgressBar {
        let bar = ProgressBar::new(len as u64).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{msg:32} {bar:30} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar
    }
}

/// Experiments of nashguard: exact theory, real text, and the paper's tables.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the named experiments, or all of them.
    Run {
        /// Names, as `list` shows them.
        names: Vec<String>,
        #[command(flatten)]
        options: Options,
    },
    /// Names every experiment and what it shows.
    List,
}

#[derive(Args)]
struct Options {
    /// How much work to do.
    #[arg(long, value_enum, default_value = "default")]
    scale: Scale,
    /// Real data: a folder with `benchmarks/` and `seed/`, or `evaluation/` of the paper's repository.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Trained classifiers: every folder in it that `nashguard train` made is scored.
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Where results are written; those of the README are in experiments/results.
    #[arg(long, value_name = "DIR", default_value = OUT)]
    out: PathBuf,
    /// Where figures are written; those of the README are in figures.
    #[arg(long, value_name = "DIR", default_value = "results/figures")]
    figures: PathBuf,
    /// The seed of all randomness.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Not among the files that git keeps: a run elsewhere, or on less, must not pass for the results that are committed.
const OUT: &str = "results";

fn main() -> ExitCode {
    // SAFETY: no other thread has been started.
    #[cfg(feature = "neural")]
    unsafe {
        nashguard::neural::parallel::settle();
    }
    let outcome = match Cli::parse() {
        Cli { command: Some(Command::List), .. } => list(),
        Cli { command: Some(Command::Run { names, options }), .. } => run(&names, options),
        Cli { command: None, options } => run(&[], options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; a reader that has gone away is no reason to stop.
fn say(line: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("write", "standard output", e))
        }
        _ => Ok(()),
    }
}

fn list() -> Result<()> {
    EXPERIMENTS.iter().try_for_each(|e| say(&format!("{:11} {}", e.name, e.about)))
}

fn run(names: &[String], options: Options) -> Result<()> {
    let known = || EXPERIMENTS.iter().map(|e| e.name).collect::<Vec<_>>().join(", ");
    if let Some(name) = names.iter().find(|n| EXPERIMENTS.iter().all(|e| e.name != **n)) {
        return Err(Error::invalid(
            name,
            "there is no such experiment",
            format!("choose among {}", known()),
        ));
    }
    let chosen =
        EXPERIMENTS.iter().filter(|e| names.is_empty() || names.iter().any(|n| n == e.name));
    // Before the work, not after it.
    for folder in [&options.out, &options.figures] {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make", folder, e))?;
    }
    let data = options.data.as_deref().map(DataDir::open).transpose()?;
    let Options { scale, seed, models, out, figures, .. } = options;
    let context = Context { scale, seed, data, models, out };
    // Read before anything is written: a run must not find its own results changed.
    let stamp = environment();
    for experiment in chosen {
        tell!("{}: {}", experiment.name, experiment.about);
        let start = Instant::now();
        let mut report = (experiment.run)(&context)?;
        report.name = experiment.name.into();
        report.scale = context.scale.name().into();
        report.seed = context.seed;
        report.commit.clone_from(&stamp.commit);
        report.device.clone_from(&stamp.device);
        report.minutes = minutes(start.elapsed());
        report.command = command(experiment.name, &context);
        report.save(&context.out)?;
        // Figures and the printed page come from the saved file, as for any later reader.
        let saved = Report::load(context.out.join(format!("{}.json", experiment.name)))?;
        (experiment.draw)(&saved, &figures)?;
        say(&markdown(&shortened(saved)))?;
    }
    tell!("results in {}, figures in {}", context.out.display(), figures.display());
    Ok(())
}

/// The report as printed: of long tables the first rows.
fn shortened(mut report: Report) -> Report {
    const LONG: usize = 30;
    const SHOWN: usize = 8;
    for table in report.tables.iter_mut().filter(|t| t.rows.len() > LONG) {
        table.caption += &format!(
            ". The first {SHOWN} of {} rows; all are in {}.md",
            table.rows.len(),
            report.name
        );
        table.rows.truncate(SHOWN);
    }
    report
}

/// Whole hundredths of a minute.
fn minutes(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() / 60.0 * 100.0).round() / 100.0
}

/// The command that makes this result again; the data folder is the reader's own.
fn command(name: &str, context: &Context) -> String {
    let mut line = format!("cargo run --release --bin experiment -- run {name}");
    if context.scale != Scale::Default {
        line += &format!(" --scale {}", context.scale.name());
    }
    if context.data.is_some() {
        line += " --data DIR";
    }
    if context.models.is_some() {
        line += " --models DIR";
    }
    if context.seed != 0 {
        line += &format!(" --seed {}", context.seed);
    }
    if context.out != Path::new(OUT) {
        let shown = if context.out.is_relative() { &context.out } else { Path::new("DIR") };
        line += &format!(" --out {}", shown.display());
    }
    line
}
