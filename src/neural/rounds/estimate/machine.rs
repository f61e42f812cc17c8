//! Bytes: what the parts of a game need, and what the machine has.

use crate::Result;
use crate::neural::decoder::{Config, Numbers};
use crate::neural::device;
use crate::neural::finetune::Trained;
use crate::neural::preference::TuneConfig;
use std::path::Path;
use std::process::Command;

/// The largest batch of a training.
pub(super) struct Batch<'a> {
    pub(super) tune: &'a TuneConfig,
    /// Tokens of its longest sequence.
    pub(super) longest: usize,
    /// Share of the tokens whose scores are computed.
    pub(super) text: f64,
}

impl Batch<'_> {
    /// Peak of a training, with so many bytes of another model beside it.
    pub(super) fn parts(
        &self,
        c: &Config,
        beside: usize,
        numbers: Numbers,
    ) -> Vec<(&'static str, usize)> {
        let TuneConfig { trained, batch_tokens, accumulate, workers, .. } = self.tune;
        let size = numbers.computed().size_in_bytes();
        let learnt = trained.numbers(c);
        let (q, kv) = (c.heads * c.head_width, c.kv_heads * c.head_width);
        let n = self.longest.max(*batch_tokens);
        let a_token =
            8 * c.hidden + 5 * q + 6 * kv + 4 * c.intermediate + 2 * c.heads * self.longest;
        let layers = c.layers - trained.first(c.layers);
        let scores = (n as f64 * self.text) as usize * c.vocabulary * 12;
        let at_once = (*workers).min(*accumulate);
        let master = if size < 4 { 4 * learnt } else { 0 };
        vec![
            ("weights", c.bytes(numbers) + beside),
            ("gradients", size * learnt * accumulate),
            ("moments", 8 * learnt + master),
            ("activations", at_once * (size * layers * n * a_token + scores)),
        ]
    }
}

/// Files of a trained model, and of the training's checkpoint.
pub(super) fn kept(what: &'static str, c: &Config, trained: &Trained, numbers: Numbers) -> Need {
    Need {
        what,
        parts: vec![("weights", c.bytes(numbers)), ("checkpoint", 12 * trained.numbers(c))],
    }
}

/// Bytes as people read them.
pub fn gib(bytes: usize) -> String {
    format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30))
}

/// Memory that can be had, as Linux tells it.
pub(super) fn free_memory() -> Result<Option<u64>> {
    if !device()?.0.is_cpu() {
        return Ok(None);
    }
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(number.map(|kib| kib * 1024))
}

/// Room on the disk of the nearest folder that is there, as `df` tells it.
pub(super) fn free_disk(out: &Path) -> Option<u64> {
    let there = out.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let output = Command::new("df").arg("-Pk").arg(there).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kib: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib * 1024)
}

/// Bytes, and what they are for.
#[derive(Clone, Debug)]
pub struct Need {
    /// The stage or files.
    pub what: &'static str,
    /// The parts, in bytes.
    pub parts: Vec<(&'static str, usize)>,
}

impl Need {
    /// Bytes in all.
    pub fn total(&self) -> usize {
        self.parts.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// What is free, in bytes, where it can be told.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Memory; of a GPU it cannot.
    pub memory: Option<u64>,
    /// Room on the disk that is written to.
    pub disk: Option<u64>,
}
