//! JSON Lines: one JSON value a line.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use std::io::{BufRead, ErrorKind};
use std::path::Path;

/// Gives each line of `reader`, parsed, to `row` with its place ("FILE line N"); blank lines are
/// passed over.
///
/// # Errors
/// [`Error::Invalid`] for a line that is not UTF-8 or not a `T`, and for compressed data that is
/// damaged; [`Error::Io`] when reading fails; whatever `row` returns.
pub(super) fn read<T: DeserializeOwned>(
    path: &Path,
    mut reader: impl BufRead,
    mut row: impl FnMut(&str, T) -> Result<()>,
) -> Result<()> {
    let mut line = Vec::new();
    for number in 1_usize.. {
        line.clear();
        let place = format!("{} line {number}", path.display());
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            // A file on disk does not end unexpectedly: these kinds come from the decompressor.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
                ) =>
            {
                return Err(Error::invalid(
                    place,
                    "the compressed data is damaged or stops early",
                    "fetch or compress the file again",
                ));
            }
            Err(e) => return Err(Error::io("read", path, e)),
        }
        let invalid =
            |problem: String| Error::invalid(&place, problem, "correct or remove that line");
        let text = str::from_utf8(&line).map_err(|_| invalid("it is not UTF-8".into()))?;
        if text.trim().is_empty() {
            continue;
        }
        row(&place, serde_json::from_str(text).map_err(|e| invalid(message(&e)))?)?;
    }
    Ok(())
}

/// serde_json's message without its "at line 1 column 2", which counts from the line it was given.
pub(super) fn message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rsplit_once(" at line ") {
        Some((message, _)) => message.to_string(),
        None => message,
    }
}
