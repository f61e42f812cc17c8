//! Which source ran, and on what.

use std::path::Path;
use std::process::Command;

/// The stamp of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The short hash of the checked-out commit, with `-dirty` when tracked source differs from it;
    /// `unknown` outside a git checkout.
    pub commit: String,
    /// The processor and the threads this process may use.
    pub device: String,
}

/// The stamp of this run: the source in the current folder, and this machine.
pub fn environment() -> Environment {
    Environment {
        commit: commit(Path::new(".")).unwrap_or_else(|| "unknown".into()),
        device: device(),
    }
}

fn commit(folder: &Path) -> Option<String> {
    let hash = git(folder, &["rev-parse", "--short", "HEAD"])?;
    // Results and figures are what runs make: a run must not make the next one dirty.
    let changes = git(
        folder,
        &[
            "--no-optional-locks",
            "status",
            "--porcelain",
            "--untracked-files=no",
            "--",
            ":(top)",
            ":(top,exclude)experiments/results",
            ":(top,exclude,glob)**/figures/**",
        ],
    )?;
    Some(if changes.is_empty() { hash } else { format!("{hash}-dirty") })
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(folder).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn device() -> String {
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let model = model.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("CPU {model} ({threads} threads)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_names_source_and_machine() {
        let stamp = environment();
        let hash = stamp.commit.strip_suffix("-dirty").unwrap_or(&stamp.commit);
        assert!(hash == "unknown" || hash.chars().all(|c| c.is_ascii_hexdigit()), "{hash}");
        assert!(stamp.device.starts_with("CPU ") && stamp.device.ends_with(" threads)"));
    }

    #[test]
    fn changed_source_is_dirty_and_changed_results_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        assert_eq!(commit(folder), None);
        let write = |path: &str, text: &str| {
            crate::report::write_atomically(folder.join(path), text.as_bytes()).unwrap();
        };
        let files = ["src/lib.rs", "experiments/results/a.json", "docs/figures/a.svg"];
        files.iter().for_each(|path| write(path, "old"));
        git(folder, &["init", "--quiet"]).unwrap();
        assert_eq!(commit(folder), None);
        git(folder, &["add", "."]).unwrap();
        let author = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        git(folder, &[&author[..], &["commit", "--quiet", "-m", "first"]].concat()).unwrap();

        let clean = commit(folder).unwrap();
        assert!(clean.chars().all(|c| c.is_ascii_hexdigit()), "{clean}");
        write(files[1], "a new result");
        write(files[2], "a new figure");
        write("src/untracked.rs", "new");
        assert_eq!(commit(&folder.join("src")), Some(clean.clone()));
        write(files[0], "new source");
        assert_eq!(commit(&folder.join("docs")), Some(format!("{clean}-dirty")));
    }
}
