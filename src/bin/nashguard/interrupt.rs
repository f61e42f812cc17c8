//! Ctrl-C ends the tool at once, with a message and no half-written file.

use nashguard::report::Staged;
use nashguard::{Error, Result};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locked while a file is being written, so that Ctrl-C waits for it.
static FILES: Mutex<Files> = Mutex::new(Files { staged: vec![], written: 0 });

struct Files {
    /// To be moved into their places.
    staged: Vec<Staged>,
    /// So many are there.
    written: usize,
}

fn files() -> MutexGuard<'static, Files> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut files = files();
        files.staged.clear();
        let advice = *ADVICE.lock().unwrap_or_else(PoisonError::into_inner);
        match (advice, files.written) {
            (Some(advice), _) => tell!("interrupted: {advice}"),
            (None, 0) => tell!("interrupted: nothing was written; run again to finish"),
            (None, n) => {
                tell!("interrupted: {n} of the files were written, whole; run again to finish");
            }
        }
        std::process::exit(130)
    };
    ctrlc::set_handler(stop)
        .map_err(|e| Error::invalid("Ctrl-C", e.to_string(), "run in an ordinary session"))
}

/// Writes files that Ctrl-C cannot cut short: all of them if `between`, which runs when they can no
/// longer fail for want of room or permission, succeeds, else none.
pub fn write(texts: &[(&Path, &str)], between: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut locked = files();
    let staged = texts.iter().map(|(path, text)| Staged::new(path, text.as_bytes()));
    locked.staged = staged.collect::<Result<_>>()?;
    // A reader may let it wait.
    drop(locked);
    let done = between();
    let mut locked = files();
    let staged = std::mem::take(&mut locked.staged);
    done?;
    for file in staged {
        file.commit()?;
        locked.written += 1;
    }
    Ok(())
}
