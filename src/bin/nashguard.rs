//! `nashguard`: the tool. `nashguard solve GAME.json` prints the game's equilibrium.

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use nashguard::format::{GameFile, SolutionFile, read_game};
use nashguard::report::write_atomically;
use nashguard::{Error, Result, guard, matrix};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Solves two-player zero-sum games; a result is either right to the tolerance or an error.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Solves a game and prints the solution as JSON.
    Solve {
        /// The game's file; `-` reads standard input.
        game: PathBuf,
        /// Writes the solution here instead of to standard output (`-`).
        #[arg(long, value_name = "SOLUTION.json")]
        out: Option<PathBuf>,
        /// The largest gap accepted: nats for guard games, relative to the payoffs' spread for
        /// matrix games.
        #[arg(long, default_value_t = 1e-12, allow_negative_numbers = true)]
        tol: f64,
    },
}

fn main() -> ExitCode {
    let Command::Solve { game, out, tol } = Cli::parse().command;
    match solve(&game, out.as_deref(), tol) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn solve(path: &Path, out: Option<&Path>, tol: f64) -> Result<()> {
    if tol.is_nan() || tol <= 0.0 {
        return Err(Error::invalid(
            "--tol",
            format!("{tol} is not a tolerance"),
            "give a positive number, for example 1e-12",
        ));
    }
    let name =
        if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    let game = read_game(&read(path, &name)?).map_err(|e| e.within(&name))?;
    let (summary, solution) = match &game {
        GameFile::Guard { game, tau } => {
            let bar = spinner();
            let watch = |n: usize, gap: f64| {
                bar.set_message(format!("iteration {n}, gap {gap:.1e}"));
                bar.tick();
            };
            let s = guard::solve_with(game, *tau, tol, watch)?;
            bar.finish_and_clear();
            let summary = format!(
                "guard game, {} seeds x {} texts, {} labels, beta {:e}: value {:.12} nats, gap {:.1e}, {} iterations",
                game.seeds(),
                game.texts(),
                game.labels(),
                game.beta(),
                s.value,
                s.gap,
                s.iterations
            );
            (summary, SolutionFile::from(&s))
        }
        GameFile::Matrix(game) => {
            let s = matrix::solve(game, tol)?;
            let (m, n) = game.payoffs().dim();
            let support = |p: &[f64]| p.iter().filter(|v| **v > 0.0).count();
            let summary = format!(
                "matrix game, {m} x {n}: value {:e}, gap {:.1e}, {} rows and {} columns in use",
                s.value,
                s.gap,
                support(s.row.as_slice()),
                support(s.column.as_slice())
            );
            (summary, SolutionFile::from(&s))
        }
    };
    let mut json = serde_json::to_string(&solution).map_err(|e| {
        Error::invalid("solution", e.to_string(), "report the game: a solution is always finite")
    })?;
    json.push('\n');
    match out.filter(|path| *path != Path::new("-")) {
        Some(path) => write_atomically(path, json.as_bytes())?,
        None => std::io::stdout()
            .write_all(json.as_bytes())
            .map_err(|e| Error::io("write", "standard output", e))?,
    }
    eprintln!("{summary}");
    Ok(())
}

fn read(path: &Path, name: &str) -> Result<String> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|e| Error::io("read", name, e))?;
    String::from_utf8(bytes).map_err(|e| {
        let problem = format!("byte {} is not UTF-8", e.utf8_error().valid_up_to());
        Error::invalid(name, problem, "save the game as UTF-8 text")
    })
}

/// Shown on a terminal only, and only once there is something to wait for.
fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
