//! `nashguard solve`: a game in; strategies, value and certificate out.

use crate::answer::How;
use crate::show::progress;
use clap::Args;
use nashguard::format::read_game;
use nashguard::{Error, Result};
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Options {
    /// The game's file (JSON, CSV or Gambit's .nfg or .efg); `-` reads standard input.
    game: PathBuf,
    #[command(flatten)]
    how: How,
    /// Writes a certificate here, for `nashguard verify` and `nashguard certify`.
    #[arg(long, value_name = "CERT.json")]
    certificate: Option<PathBuf>,
    /// Writes the solution here instead of to standard output (`-`).
    #[arg(long, value_name = "SOLUTION.json")]
    out: Option<PathBuf>,
}

pub fn run(options: &Options) -> Result<()> {
    let Options { game, how, certificate, out } = options;
    if certificate.as_deref().is_some_and(|c| c == Path::new("-") || Some(c) == out.as_deref()) {
        let problem = "the certificate cannot share a place with the solution";
        return Err(Error::invalid("--certificate", problem, "name a file of its own"));
    }
    let (name, text) = crate::read(game)?;
    let game = read_game(&text).map_err(|e| e.within(&name))?;
    let answer = how.answer(&game)?;
    if let Some(path) = certificate {
        let bar = progress("writing the certificate");
        let certificate = (answer.certificate)()?;
        bar.finish_and_clear();
        crate::interrupt::write(path, &(certificate.to_json()? + "\n"))?;
    }
    match out.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => crate::interrupt::write(path, &answer.solution)?,
        None => std::io::stdout()
            .write_all(answer.solution.as_bytes())
            .map_err(|e| Error::io("write", "standard output", e))?,
    }
    eprintln!("{}", answer.summary);
    for note in &answer.notes {
        eprintln!("note: {note}");
    }
    eprint!("{}", answer.table);
    Ok(())
}
