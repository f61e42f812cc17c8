//! Ctrl-C ends the tool at once, with a message and no half-written file.

use nashguard::report::write_atomically;
use nashguard::{Error, Result};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Files written so far. Locked while one is being written, so that Ctrl-C waits for it.
static WRITTEN: Mutex<usize> = Mutex::new(0);

fn written() -> MutexGuard<'static, usize> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a command that keeps its state on disk says instead.
static ADVICE: Mutex<Option<&str>> = Mutex::new(None);

/// From now on Ctrl-C says how to go on from what is on disk.
#[cfg(feature = "neural")]
pub fn advise(advice: &'static str) {
    *ADVICE.lock().unwrap_or_else(PoisonError::into_inner) = Some(advice);
}

/// From now on Ctrl-C exits with code 130.
pub fn watch() -> Result<()> {
    let stop = || {
        let written = written();
        let advice = *ADVICE.lock().unwrap_or_else(PoisonError::into_inner);
        match (advice, *written) {
            (Some(advice), _) => eprintln!("interrupted: {advice}"),
            (None, 0) => eprintln!("interrupted: nothing was written; run again to finish"),
            (None, n) => {
                eprintln!("interrupted: {n} of the files were written, whole; run again to finish");
            }
        }
        std::process::exit(130)
    };
    ctrlc::set_handler(stop)
        .map_err(|e| Error::invalid("Ctrl-C", e.to_string(), "run in an ordinary session"))
}

/// Writes a file that Ctrl-C cannot cut short.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let mut written = written();
    write_atomically(path, text.as_bytes())?;
    *written += 1;
    Ok(())
}
