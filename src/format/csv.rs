//! CSV: one line a row of payoffs. Blank lines, and lines that start with #, are skipped.

use super::{MatrixFile, number};
use crate::matrix::MatrixGame;
use crate::{Error, Result};

/// Whether a text that is no .nfg looks like a table: several numbers, not in JSON's brackets.
pub(super) fn is_table(text: &str) -> bool {
    let lines = || text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let bracket = lines().next().is_some_and(|l| l.starts_with(['{', '[']));
    !bracket && (lines().count() > 1 || lines().any(|l| l.contains(',')))
}

/// Reads a table of numbers.
pub(super) fn read(text: &str) -> Result<MatrixFile> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows: Vec<Vec<_>> = vec![];
    for record in reader.records() {
        let record =
            record.map_err(|e| Error::invalid("CSV", e.to_string(), "mend the quotes there"))?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() == 1 && (record[0].is_empty() || record[0].starts_with('#')) {
            continue;
        }
        let entry = |(j, field)| number(|| format!("line {line}, column {}", j + 1), field);
        let row = record.iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        if let Some(first) = rows.first().filter(|first| first.len() != row.len()) {
            return Err(Error::invalid(
                format!("line {line}"),
                format!("it has {} entries, the first row has {}", row.len(), first.len()),
                "give every row one payoff for each column",
            ));
        }
        rows.push(row);
    }
    Ok(MatrixFile { game: MatrixGame::new(rows)?, rows: vec![], columns: vec![], note: None })
}
