//! Seed files: rows to train on.

use super::{Category, Label, Language, Row, json_lines};
use crate::{Error, Result};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// One line of a seed file; other fields are ignored.
#[derive(Deserialize)]
struct Line {
    text: String,
    lang: Language,
    r#unsafe: bool,
    categories: Vec<Category>,
    license: Option<String>,
}

/// Reads a seed file: JSON Lines, compressed when the name ends in `.gz`.
///
/// Each line is an object with `text`, `lang` (`en`, `fr`, `es`, `de`), `unsafe` (a boolean) and
/// `categories` (names such as `self_harm`, empty for safe rows); other fields are ignored, and so
/// are blank lines.
///
/// # Errors
/// [`Error::Invalid`] naming the file and line for anything else, for a damaged or truncated
/// compressed file, and for a file without rows; [`Error::Io`] when the file cannot be read.
pub fn read_seed_file(path: impl AsRef<Path>) -> Result<Vec<Row>> {
    read_licensed_seed_file(path, None)
}

/// As [`read_seed_file`], but only the rows whose field `license` is among `licences`, to the letter;
/// all rows when that is `None`.
///
/// # Errors
/// Those of [`read_seed_file`]; a file without such rows counts as one without rows.
pub fn read_licensed_seed_file(
    path: impl AsRef<Path>,
    licences: Option<&[String]>,
) -> Result<Vec<Row>> {
    let path = path.as_ref();
    let licensed = |line: &Line| match (licences, &line.license) {
        (None, _) => true,
        (Some(licences), Some(license)) => licences.contains(license),
        (Some(_), None) => false,
    };
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    let bytes: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
        Box::new(MultiGzDecoder::new(BufReader::new(file)))
    } else {
        Box::new(file)
    };
    let mut rows = Vec::new();
    json_lines::read(path, BufReader::with_capacity(1 << 16, bytes), |place, line: Line| {
        if !licensed(&line) {
            return Ok(());
        }
        let label = if line.r#unsafe { Label::Unsafe } else { Label::Safe };
        let row = Row::new(line.text, line.lang, label, line.categories);
        rows.push(row.map_err(|e| e.within(place))?);
        Ok(())
    })?;
    if rows.is_empty() {
        return Err(Error::invalid(
            path.display().to_string(),
            "the file holds no row",
            "give a seed file with at least one row",
        ));
    }
    Ok(rows)
}
