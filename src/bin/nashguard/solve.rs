//! `nashguard solve`: a game in; strategies, value and certificate out.

use crate::answer::How;
use crate::show::progress;
use clap::Args;
use nashguard::format::read_game;
use nashguard::{Error, Result};
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
    let named = |path: &&Path| *path != Path::new("-");
    let out = out.as_deref().filter(named);
    apart(Some(&**game).filter(named), certificate.as_deref(), out)?;
    let (name, text) = crate::read(game)?;
    let game = read_game(&text).map_err(|e| e.within(&name))?;
    let answer = how.answer(&game).map_err(|e| match e {
        // Of an option, not of the game.
        Error::Invalid { ref place, .. } if place.starts_with("--") => e,
        e => e.within(&name),
    })?;
    let mut files = Vec::new();
    let proof;
    if let Some(path) = certificate {
        let bar = progress("writing the certificate");
        proof = (answer.certificate)()?.to_json()? + "\n";
        bar.finish_and_clear();
        files.push((&**path, &*proof));
    }
    files.extend(out.map(|path| (path, &*answer.solution)));
    let print = || if out.is_none() { crate::print(&answer.solution) } else { Ok(()) };
    crate::interrupt::write(&files, print)?;
    tell!("{}", answer.summary);
    for note in &answer.notes {
        tell!("note: {note}");
    }
    tell!("{}", answer.table.trim_end());
    Ok(())
}

/// That nothing is written over the game, nor the solution and the certificate over each other.
fn apart(game: Option<&Path>, certificate: Option<&Path>, out: Option<&Path>) -> Result<()> {
    let refused = |option: &str, problem: &str| {
        Err(Error::invalid(option, problem, "name a file of its own"))
    };
    let printed = certificate == Some(Path::new("-"));
    let [game, certificate, out] = [game, certificate, out].map(|path| path.map(resolved));
    if printed || certificate.is_some() && certificate == out {
        return refused("--certificate", "the certificate cannot share a place with the solution");
    }
    if game.is_some() && certificate == game {
        return refused("--certificate", "the certificate would take the game's place");
    }
    if game.is_some() && out == game {
        return refused("--out", "the solution would take the game's place");
    }
    Ok(())
}

/// The place a path leads to: links are followed as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let known = path.ancestors().find_map(|known| {
        let rest = path.strip_prefix(known).ok()?;
        Some(known.canonicalize().ok()?.join(rest))
    });
    known.unwrap_or(path)
}
