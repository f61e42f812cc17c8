//! A file of a stage that grows a line at a time, so that what was done before an interruption stays done.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Items by number, each on a line of its own once it is whole.
#[derive(Debug)]
pub(super) struct Lines<T> {
    pub done: BTreeMap<u32, T>,
    file: File,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    number: u32,
    #[serde(flatten)]
    item: T,
}

impl<T: Serialize + DeserializeOwned> Lines<T> {
    /// What the file holds; the last line, if its end is missing, is cut off.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| Error::io("write", folder, e))?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|e| Error::io("write", path, e))?;
        let bytes = fs::read(path).map_err(|e| Error::io("read", path, e))?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let mut done = BTreeMap::new();
        for (i, line) in bytes[..whole].split_inclusive(|&b| b == b'\n').enumerate() {
            let bad = |problem: String| {
                let place = format!("{} line {}", path.display(), i + 1);
                Error::invalid(place, problem, "remove the file to do this stage again")
            };
            let line: Line<T> =
                serde_json::from_slice(line).map_err(|e| bad(format!("it is damaged ({e})")))?;
            if done.insert(line.number, line.item).is_some() {
                return Err(bad(format!("number {} stands there twice", line.number)));
            }
        }
        file.set_len(whole as u64).map_err(|e| Error::io("write", path, e))?;
        Ok(Self { done, file, path: path.to_path_buf() })
    }

    /// Writes an item at the file's end.
    pub fn push(&mut self, number: u32, item: T) -> Result<()> {
        let line = Line { number, item };
        let mut text = serde_json::json!(line).to_string();
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|e| Error::io("write", &self.path, e))?;
        self.done.insert(number, line.item);
        Ok(())
    }
}

/// The items of a whole file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let item = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| {
            let place = format!("{} line {}", path.display(), i + 1);
            Error::invalid(
                place,
                format!("it is damaged ({e})"),
                "remove the file to make it again",
            )
        })
    };
    text.lines().enumerate().map(item).collect()
}

/// Writes items as a whole file.
pub(super) fn write<T: Serialize>(path: &Path, items: &[T]) -> Result<()> {
    let mut text = String::new();
    for item in items {
        text += &serde_json::json!(item).to_string();
        text.push('\n');
    }
    crate::report::write_atomically(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Item {
        texts: Vec<String>,
    }

    #[test]
    fn a_cut_file_goes_on_from_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.jsonl");
        let item = |n: u32| Item { texts: vec![format!("text\n{n}"), "ü".into()] };
        let mut lines = Lines::open(&path).unwrap();
        for n in 0..5 {
            lines.push(n, item(n)).unwrap();
        }
        let bytes = fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let mut lines: Lines<Item> = Lines::open(&path).unwrap();
            let before = lines.done.len() as u32;
            assert!(lines.done.iter().all(|(&n, found)| *found == item(n)));
            for n in before..5 {
                lines.push(n, item(n)).unwrap();
            }
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        fs::write(&path, [&b"{]\n"[..], &bytes].concat()).unwrap();
        let error = Lines::<Item>::open(&path).unwrap_err().to_string();
        assert!(error.contains("b.jsonl line 1") && error.contains("remove the file"), "{error}");
        fs::write(&path, [&bytes[..], &bytes].concat()).unwrap();
        assert!(Lines::<Item>::open(&path).unwrap_err().to_string().contains("twice"));
    }
}
