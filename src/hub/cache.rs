//! The cache's layout: `blobs/` by etag, `refs/` from revisions to commits, `snapshots/` of commits with
//! links to the blobs. Python's huggingface_hub reads and writes the same.

use super::Model;
use crate::report::{replace, write_atomically};
use crate::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A model's part of the cache.
pub(super) struct Cache(PathBuf);

impl Cache {
    pub(super) fn new(home: &Path, model: &Model) -> Self {
        Self(home.join("hub").join(format!("models--{}--{}", model.owner, model.name)))
    }

    /// Where the bytes of this etag are.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.0.join("blobs").join(etag)
    }

    /// Notes that the revision is this commit, and that `file` of it is that blob.
    pub(super) fn enter(&self, model: &Model, commit: &str, file: &str, blob: &Path) -> Result<()> {
        let path = self.0.join("snapshots").join(commit).join(file);
        let same = || Some(fs::canonicalize(&path).ok()? == fs::canonicalize(blob).ok()?);
        if same() != Some(true) {
            let _ = fs::remove_file(&path);
            link(blob, &path)?;
        }
        // A commit needs no reference to itself.
        if commit != model.revision {
            write_atomically(self.0.join("refs").join(&model.revision), commit.as_bytes())?;
        }
        Ok(())
    }

    /// The file that was entered for this revision last.
    pub(super) fn entered(&self, model: &Model, file: &str) -> Option<PathBuf> {
        let reference = fs::read_to_string(self.0.join("refs").join(&model.revision)).ok();
        let commit = reference.as_deref().map_or(model.revision.as_str(), str::trim);
        let path = self.0.join("snapshots").join(commit).join(file);
        path.is_file().then_some(path)
    }
}

/// Links are relative, so that the cache can be moved.
#[cfg(unix)]
fn link(blob: &Path, path: &Path) -> Result<()> {
    let io = |e| Error::io("write", path, e);
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(io)?;
    let root = blob.parent().and_then(Path::parent).unwrap_or(blob);
    let depth = folder.strip_prefix(root).map_or(0, |below| below.components().count());
    let up: PathBuf = std::iter::repeat_n("..", depth).collect();
    let target = up.join(blob.strip_prefix(root).unwrap_or(blob));
    match std::os::unix::fs::symlink(target, path) {
        Ok(()) => Ok(()),
        // A file system without symbolic links.
        Err(_) => second_name(blob, path),
    }
}

#[cfg(not(unix))]
fn link(blob: &Path, path: &Path) -> Result<()> {
    second_name(blob, path)
}

fn second_name(blob: &Path, path: &Path) -> Result<()> {
    replace(path, |temporary| {
        fs::hard_link(blob, temporary).or_else(|_| fs::copy(blob, temporary).map(drop))
    })
}
