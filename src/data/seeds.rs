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
    #[serde(default)]
    id: String,
    text: String,
    lang: Language,
    r#unsafe: bool,
    categories: Vec<Category>,
    #[serde(default)]
    source: String,
    #[serde(default)]
    license: String,
}

/// Where a seed row comes from, as its file says; empty where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The row's name in its file.
    pub id: String,
    /// Repository and key, `owner/name#key`.
    pub source: String,
    /// Its licence in words.
    pub licence: String,
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
/// Those of [`read_seed_file`]; [`Error::Invalid`] when no row is of these licences.
pub fn read_licensed_seed_file(
    path: impl AsRef<Path>,
    licences: Option<&[String]>,
) -> Result<Vec<Row>> {
    let path = path.as_ref();
    let licensed = |origin: &Origin| licences.is_none_or(|l| l.contains(&origin.licence));
    let rows = read_seed_origins(path)?;
    let all = rows.len();
    let rows: Vec<Row> =
        rows.into_iter().filter(|(_, origin)| licensed(origin)).map(|(row, _)| row).collect();
    if rows.is_empty() {
        let problem = format!("none of its {all} rows is of a licence asked for");
        let remedy = "state each row's in its field \"license\", or leave `licences` out of the configuration";
        return Err(Error::invalid(path.display().to_string(), problem, remedy));
    }
    Ok(rows)
}

/// As [`read_seed_file`], with each row's `source` and `license`.
///
/// # Errors
/// Those of [`read_seed_file`].
pub fn read_seed_origins(path: impl AsRef<Path>) -> Result<Vec<(Row, Origin)>> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|e| Error::io("read", path, e))?;
    let bytes: Box<dyn Read> = if path.extension().is_some_and(|e| e == "gz") {
        Box::new(MultiGzDecoder::new(BufReader::new(file)))
    } else {
        Box::new(file)
    };
    let mut rows = Vec::new();
    json_lines::read(path, BufReader::with_capacity(1 << 16, bytes), |place, line: Line| {
        let label = if line.r#unsafe { Label::Unsafe } else { Label::Safe };
        let row = Row::new(line.text, line.lang, label, line.categories);
        let origin = Origin { id: line.id, source: line.source, licence: line.license };
        rows.push((row.map_err(|e| e.within(place))?, origin));
        Ok(())
    })?;
    if rows.is_empty() {
        let remedy = "give a seed file with at least one row";
        return Err(Error::invalid(path.display().to_string(), "the file holds no row", remedy));
    }
    Ok(rows)
}
