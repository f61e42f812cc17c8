//! Writing files so that a reader never sees half of one.

use super::Report;
use crate::{Error, Result};
use serde::Serialize;
use serde_json::ser::Formatter;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Replace the file at `path` by `bytes` in one step: whatever happens, the path holds either the
/// old content or the new. Missing folders are made.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    replace(path.as_ref(), |temporary| fs::write(temporary, bytes))
}

/// Let `write` make a temporary file beside `path`, with its extension, and move it there.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    Staged::made_by(path, write)?.commit()
}

/// New content on the disk beside the file that it is to replace; dropped, it is gone.
pub struct Staged {
    path: PathBuf,
    temporary: PathBuf,
}

impl Staged {
    /// Writes `bytes`, for the file at `path`. Missing folders are made.
    ///
    /// # Errors
    /// When `path` is no name for a file, or cannot be written beside.
    pub fn new(path: impl AsRef<Path>, bytes: &[u8]) -> Result<Self> {
        Self::made_by(path.as_ref(), |temporary| fs::write(temporary, bytes))
    }

    fn made_by(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<Self> {
        // Processes differ by their id, threads of one process by the count.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // A link keeps pointing where it did; what it points to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            let place = path.display().to_string();
            return Err(Error::invalid(place, "cannot write: not a regular file", "name a file"));
        }
        let Some(name) = path.file_name() else {
            let place = path.display().to_string();
            return Err(Error::invalid(place, "no file name at its end", "name the file to write"));
        };
        let temporary =
            path.with_file_name(format!(".{}-{count}.{}", std::process::id(), name.display()));
        let staged = Self { path, temporary };
        let written = || {
            if let Some(folder) = staged.path.parent() {
                fs::create_dir_all(folder)?;
            }
            write(&staged.temporary)?;
            // The content must be on the disk before the name points to it.
            OpenOptions::new().write(true).open(&staged.temporary)?.sync_all()
        };
        written().map_err(|e| Error::io("write", &staged.path, e))?;
        Ok(staged)
    }

    /// Puts the content in its place, in one step.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn commit(self) -> Result<()> {
        fs::rename(&self.temporary, &self.path).map_err(|e| Error::io("write", &self.path, e))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Also where both were names of one file already, so that renaming did nothing.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Removes a file, where there is one.
#[cfg(feature = "neural")]
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, e)),
        _ => Ok(()),
    }
}

/// The report as JSON with one line for each field, table row and point.
pub(super) fn json(report: &Report) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let layout = Layout { depth: 0, filled: false };
    report
        .serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, layout))
        .map_err(|e| Error::invalid(&report.name, e.to_string(), "mend the report's values"))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// JSON broken into lines down to [`Layout::LINES`] and written on one line below: small files
/// whose differences can be read.
struct Layout {
    depth: usize,
    filled: bool,
}

impl Layout {
    /// report > tables > table > rows
    const LINES: usize = 4;

    fn open<W: ?Sized + Write>(&mut self, w: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        w.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.filled = true;
        if !first {
            w.write_all(b",")?;
        }
        if self.depth <= Self::LINES {
            self.line(w)
        } else if !first {
            w.write_all(b" ")
        } else {
            Ok(())
        }
    }

    fn close<W: ?Sized + Write>(&mut self, w: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.filled && self.depth < Self::LINES {
            self.line(w)?;
        }
        self.filled = true;
        w.write_all(bracket)
    }

    fn line<W: ?Sized + Write>(&self, w: &mut W) -> io::Result<()> {
        write!(w, "\n{:width$}", "", width = 2 * self.depth)
    }
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.open(w, b"[")
    }
    fn end_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.close(w, b"]")
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.item(w, first)
    }
    fn begin_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.open(w, b"{")
    }
    fn end_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.close(w, b"}")
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        self.item(w, first)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder/file.txt");
        write_atomically(&path, b"old").unwrap();
        let failed = replace(&path, |temporary| {
            fs::write(temporary, b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(failed.unwrap_err().to_string().contains("file.txt: the disk is full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(write_atomically("", b"").is_err());
    }
}
