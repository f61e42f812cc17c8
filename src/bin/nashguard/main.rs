//! `nashguard`: the tool. `solve` prints a game's equilibrium, `verify` checks a certificate,
//! `certify` turns it into a proof that Coq checks; `classify` scores texts, `train` makes what
//! scores them, `play` makes both players learn from each other.

/// `eprintln!` for what must go on when nobody can hear it.
macro_rules! tell {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

mod answer;
mod certify;
#[cfg(feature = "neural")]
mod classify;
#[cfg(feature = "hub")]
mod fetch;
#[cfg(feature = "neural")]
mod finetune;
mod interrupt;
mod learn;
#[cfg(feature = "neural")]
mod play;
mod show;
mod solve;
#[cfg(feature = "neural")]
mod train;
mod verify;

use clap::{Parser, Subcommand};
use nashguard::{Error, Result};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Solves two-player zero-sum games, certifies the solutions, and guards against unsafe texts.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Solves a game and prints the solution as JSON.
    Solve(solve::Options),
    /// Checks a certificate: exit code 0 when every inequality holds.
    Verify {
        /// The certificate's file; `-` reads standard input.
        certificate: PathBuf,
    },
    /// Solves a game and writes the proof, for Coq to check, that the solution is one.
    Certify(certify::Options),
    /// Scores texts with a guardrail: one JSON line each, in order.
    #[cfg(feature = "neural")]
    Classify(classify::Options),
    /// Trains a guardrail.
    #[cfg(feature = "neural")]
    Train(train::Options),
    /// Plays generator against classifier: draws, filters, trains both, round by round.
    #[cfg(feature = "neural")]
    Play(play::Options),
    /// Downloads a model from the Hugging Face hub or a mirror of it.
    #[cfg(feature = "hub")]
    Fetch(fetch::Options),
}

fn main() -> ExitCode {
    // SAFETY: no other thread has been started.
    #[cfg(feature = "neural")]
    unsafe {
        nashguard::neural::parallel::settle();
    }
    let cli = Cli::parse();
    let done = interrupt::watch().and_then(|()| match &cli.command {
        Command::Solve(options) => solve::run(options).map(|()| ExitCode::SUCCESS),
        Command::Certify(options) => certify::run(options).map(|()| ExitCode::SUCCESS),
        Command::Verify { certificate } => verify::run(certificate),
        #[cfg(feature = "neural")]
        Command::Classify(options) => classify::run(options),
        #[cfg(feature = "neural")]
        Command::Train(options) => train::run(options).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "neural")]
        Command::Play(options) => play::run(options).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "hub")]
        Command::Fetch(options) => fetch::run(options).map(|()| ExitCode::SUCCESS),
    });
    done.unwrap_or_else(|error| {
        tell!("error: {error}");
        ExitCode::FAILURE
    })
}

/// What errors call a file, and its text; `-` is standard input.
fn read(path: &Path) -> Result<(String, String)> {
    let (name, bytes) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        ("standard input".to_owned(), std::io::stdin().read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (path.display().to_string(), std::fs::read(path))
    };
    let bytes = bytes.map_err(|e| Error::io("read", &name, e))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(e) => {
            let problem = format!("byte {} is not UTF-8", e.utf8_error().valid_up_to());
            Err(Error::invalid(name, problem, "save it as UTF-8 text"))
        }
    }
}

/// Prints `text`; a reader that has gone away, or a full device, is an error like any other.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::io("write", "standard output", e))
}
