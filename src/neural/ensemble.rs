//! Several guardrails as one: the mean of their logits.

use super::classifier::{Classifier, score};
use super::decoder::Numbers;
use super::guardrail::Guardrail;
use super::loss::OUTPUTS;
use super::parallel;
use crate::{Error, Result};
use candle_core::Device;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How the guardrail that ships with the library is named among members.
const SHIPPED: &str = "shipped";
/// A probability counts as no nearer to 0 or 1, so that one member cannot settle all: ±13.8 as a logit.
const NEAREST: f64 = 1e-6;

/// Fine-tuned decoders, and small guardrails beside them, that are asked together. Of each category the logits
/// ln(p / (1 − p)) of all members are averaged; the mean is a logit again.
#[derive(Clone, Debug)]
pub struct Ensemble {
    large: Vec<Classifier>,
    small: Vec<Guardrail>,
}

/// What ensemble.json says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    members: Vec<String>,
}

impl Ensemble {
    /// The file in a folder that names its members.
    pub const FILE: &str = "ensemble.json";

    /// An ensemble of these.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no decoder.
    pub fn new(large: Vec<Classifier>, small: Vec<Guardrail>) -> Result<Self> {
        match large.is_empty() {
            true => {
                let problem = "no decoder is among them";
                Err(Error::invalid("members", problem, "name the folder of a fine-tuned one"))
            }
            false => Ok(Self { large, small }),
        }
    }

    /// The members that ensemble.json in a folder names, `{"members": ["../gemma3-270m", "shipped"]}`: folders of
    /// fine-tuned decoders, from this one; `None` is the guardrail that ships with the library.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Invalid`] naming it when it is damaged.
    pub fn members(folder: impl AsRef<Path>) -> Result<Vec<Option<PathBuf>>> {
        let folder = folder.as_ref();
        let path = folder.join(Self::FILE);
        let bytes = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
        let bad = |problem: String| {
            let remedy = "write {\"members\": [\"../MODEL\", \"shipped\"]} into it";
            Error::invalid(path.display().to_string(), problem, remedy)
        };
        let found: Members = serde_json::from_slice(&bytes)
            .map_err(|e| bad(format!("it describes no ensemble ({e})")))?;
        match found.members.is_empty() {
            true => Err(bad("it names no member".into())),
            false => Ok(found
                .members
                .into_iter()
                .map(|name| (name != SHIPPED).then(|| folder.join(name)))
                .collect()),
        }
    }

    /// Loads the members that a folder's ensemble.json names.
    ///
    /// # Errors
    /// As [`Ensemble::members`] and [`Classifier::load`].
    pub fn load(folder: impl AsRef<Path>, numbers: Numbers, device: &Device) -> Result<Self> {
        let folder = folder.as_ref();
        let place = folder.join(Self::FILE).display().to_string();
        let (mut large, mut small) = (Vec::new(), Vec::new());
        for member in Self::members(folder)? {
            match member {
                Some(path) if !path.join("guardrail.json").is_file() => {
                    let problem = format!("{} holds no fine-tuned decoder", path.display());
                    let remedy = "name folders with a guardrail.json, or shipped";
                    return Err(Error::invalid(place, problem, remedy));
                }
                Some(path) => large.push(Classifier::load(path, numbers, device)?),
                None => small.push(Guardrail::shipped()?),
            }
        }
        Self::new(large, small).map_err(|e| e.within(&place))
    }

    /// Probabilities of the 12 categories, a row a text, in the order of [`Category::ALL`](crate::data::Category::ALL).
    ///
    /// # Errors
    /// As [`Classifier::probabilities`] and [`Guardrail::probabilities`].
    pub fn probabilities(&self, texts: &[&str]) -> Result<Vec<[f32; OUTPUTS]>> {
        let threads = self.large.iter().map(|c| parallel::threads(c.decoder().device())).min();
        self.shared(texts, threads.unwrap_or(1), &|_| ())
    }

    /// How many tokens of a text a decoder reads, where it does not read the end; the least of them.
    ///
    /// # Errors
    /// As [`Classifier::cut`].
    pub fn cut(&self, text: &str) -> Result<Option<usize>> {
        let cuts = self.large.iter().map(|classifier| classifier.cut(text));
        Ok(cuts.collect::<Result<Vec<_>>>()?.into_iter().flatten().min())
    }

    /// Score of each text, the largest of its 12 probabilities; as [`Classifier::scores_by`].
    ///
    /// # Errors
    /// As [`Ensemble::probabilities`].
    pub fn scores_by(
        &self,
        texts: &[&str],
        threads: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<f32>> {
        Ok(self.shared(texts, threads, done)?.into_iter().map(score).collect())
    }

    fn shared(
        &self,
        texts: &[&str],
        threads: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<[f32; OUTPUTS]>> {
        let mut sums = vec![[0.0; OUTPUTS]; texts.len()];
        let mut add = |members: Vec<[f32; OUTPUTS]>| {
            for (sum, p) in sums.iter_mut().zip(members) {
                sum.iter_mut().zip(p).for_each(|(sum, p)| *sum += logit(p));
            }
        };
        // A text counts as done as often as decoders have read it, over their number.
        let (read, all) = (AtomicUsize::new(0), self.large.len());
        let tell = |rows| {
            let before = read.fetch_add(rows, Ordering::Relaxed);
            done((before + rows) / all - before / all);
        };
        for classifier in &self.large {
            add(classifier.shared(texts, threads, &tell)?);
        }
        for guardrail in &self.small {
            add(guardrail.probabilities(texts)?);
        }
        let count = (self.large.len() + self.small.len()) as f64;
        let sigmoid = |sum: f64| (1.0 / (1.0 + (-sum / count).exp())) as f32;
        Ok(sums.into_iter().map(|sum| sum.map(sigmoid)).collect())
    }
}

fn logit(p: f32) -> f64 {
    let p = f64::from(p).clamp(NEAREST, 1.0 - NEAREST);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::write_atomically;

    #[test]
    fn logits_are_averaged_and_bounded() {
        assert_eq!(logit(0.5), 0.0);
        assert!((logit(0.9) + logit(0.1)).abs() < 1e-6);
        assert!(logit(1.0).is_finite() && (logit(0.0) + logit(1.0)).abs() < 1e-6);
    }

    #[test]
    fn a_folder_names_its_members_or_what_is_wrong_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let put = |text: &str| {
            write_atomically(dir.path().join(Ensemble::FILE), text.as_bytes()).unwrap();
        };
        assert!(matches!(Ensemble::members(dir.path()), Err(Error::Io { .. })));
        put(r#"{"members": ["../a", "shipped"]}"#);
        let found = Ensemble::members(dir.path()).unwrap();
        assert_eq!(found, [Some(dir.path().join("../a")), None]);
        let load = || Ensemble::load(dir.path(), Numbers::Quantised, &Device::Cpu);
        let message = load().unwrap_err().to_string();
        assert!(message.contains(Ensemble::FILE) && message.contains("../a holds no"), "{message}");
        put(r#"{"members": ["shipped"]}"#);
        let message = load().unwrap_err().to_string();
        assert!(message.contains(Ensemble::FILE) && message.contains("no decoder"), "{message}");
        for (text, what) in [
            (r#"{"members": []}"#, "no member"),
            (r#"{"members": ["a""#, "no ensemble"),
            (r#"{"members": ["a"], "weights": [1]}"#, "weights"),
        ] {
            put(text);
            let message = Ensemble::members(dir.path()).unwrap_err().to_string();
            assert!(message.contains(Ensemble::FILE) && message.contains(what), "{message}");
        }
    }
}
