//! CSV: one line a row of payoffs. Blank lines, and lines that start with #, are skipped.

use super::{MatrixFile, number};
use crate::matrix::MatrixGame;
use crate::{Error, Result};

/// The lines that hold something, with their numbers from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(k, line)| (k + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Whether a text that is no .nfg looks like a table: several numbers, not in JSON's brackets.
pub(super) fn is_table(text: &str) -> bool {
    let bracket = lines(text).next().is_some_and(|(_, line)| line.starts_with(['{', '[']));
    !bracket && (lines(text).count() > 1 || lines(text).any(|(_, line)| line.contains(',')))
}

/// Reads a table of numbers.
pub(super) fn read(text: &str) -> Result<MatrixFile> {
    let mut rows: Vec<Vec<_>> = vec![];
    for (k, line) in lines(text) {
        let entry = |(j, field): (usize, &str)| {
            let field = field.trim();
            let bare = field.strip_prefix('"').and_then(|f| f.strip_suffix('"')).unwrap_or(field);
            number(|| format!("line {k}, column {}", j + 1), bare)
        };
        let row = line.split(',').enumerate().map(entry).collect::<Result<Vec<_>>>()?;
        if let Some(first) = rows.first().filter(|first| first.len() != row.len()) {
            return Err(Error::invalid(
                format!("line {k}"),
                format!("it has {} entries, the first row has {}", row.len(), first.len()),
                "give every row one payoff for each column",
            ));
        }
        rows.push(row);
    }
    Ok(MatrixFile::zero_sum(MatrixGame::new(rows)?))
}
