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

/// From now on Ctrl-C exits with code 130.
pub fn watch() -> Result<()> {
    let stop = || {
        let written = written();
        let files = match *written {
            0 => "nothing was written".to_owned(),
            n => format!("{n} of the files were written, whole"),
        };
        eprintln!("interrupted: {files}; run again to finish");
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
