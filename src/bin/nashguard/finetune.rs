//! `nashguard train` for a pre-trained decoder: which rows, which model; progress on standard error.

use crate::interrupt;
use crate::show::bar;
use crate::train::{Options, seed_file};
use indicatif::ProgressBar;
use nashguard::data::{Label, Row, read_seed_file, read_seed_origins};
use nashguard::metrics::{Confusion, auroc};
use nashguard::neural::classifier::{About, Classifier};
use nashguard::neural::decoder::{Decoder, Numbers, Tokenizer, present};
use nashguard::neural::device;
use nashguard::neural::finetune::{Event, FinetuneConfig, Selection, finetune};
use nashguard::report::write_atomically;
use nashguard::{Error, Result};
use serde::Deserialize;
use serde_json::json;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// The configuration file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Always `decoder`.
    #[serde(rename = "kind")]
    _kind: String,
    /// Folder or GGUF file below the folder of models.
    base: PathBuf,
    #[serde(default)]
    selection: Selection,
    #[serde(default)]
    finetune: FinetuneConfig,
}

pub fn run(options: &Options, config: Config) -> Result<()> {
    let out = &options.out;
    let path = options.models.join(&config.base);
    present(&path)?;
    let read =
        |name: &str| read_seed_origins(seed_file(&options.data, Path::new("seed").join(name))?);
    let (train, validation) = (read("train.jsonl.gz")?, read("validation.jsonl.gz")?);
    let seed = options.seed.unwrap_or(config.finetune.seed);
    let config = Config { finetune: FinetuneConfig { seed, ..config.finetune.clone() }, ..config };
    let mut chosen = config.selection.choose(train, validation, seed);
    let added = further(options, &chosen.seeds.train)?;
    let (seeds_used, added_rows) = (chosen.seeds.train.len(), added.len());
    chosen.seeds.train.extend(added);
    interrupt::advise("go on with the same command and --resume");
    let (device, dtype) = device()?;
    let decoder = Decoder::load(&path, Numbers::Dense(dtype), &device)?;
    let tokenizer = Tokenizer::load(&path)?;
    tell!(
        "{} rows to train on, {} to validate with, {} of {} sources held out",
        chosen.seeds.train.len(),
        chosen.seeds.validation.len(),
        chosen.held_out.values().map(Vec::len).sum::<usize>(),
        chosen.held_out.len(),
    );
    let mut progress = Progress::default();
    let trained = finetune(
        decoder,
        tokenizer,
        &config.finetune,
        &chosen.seeds,
        out,
        options.resume,
        &mut |event| progress.show(event),
    )?;
    let Some(classifier) = trained else { return Ok(()) };
    let mut held_out = serde_json::Map::new();
    for (source, rows) in &chosen.held_out {
        held_out.insert(source.clone(), scores(&classifier, rows)?);
    }
    let model = out.join("model");
    let mut about = About::load(&model)?;
    about.training["base"] = json!(config.base);
    about.training["seed_rows"] = json!(seeds_used);
    let kind = if options.repeat.is_some() { "repeated_rows" } else { "added_rows" };
    about.training[kind] = json!(added_rows);
    about.save(&model)?;
    let report = json!({ "sources": chosen.sources, "held_out": held_out });
    let report = format!("{report:#}\n");
    write_atomically(out.join("report.json"), report.as_bytes())?;
    crate::print(&report)?;
    tell!("the classifier is in {}", model.display());
    Ok(())
}

/// The rows trained on beside the seeds: those of the files named, or as many seeds again as were asked for.
fn further(options: &Options, seeds: &[Row]) -> Result<Vec<Row>> {
    let count = options.repeat.unwrap_or(0);
    if count > seeds.len() {
        let problem = format!("there are only {} rows to repeat", seeds.len());
        return Err(Error::invalid("--repeat", problem, "ask for no more than that"));
    }
    // They come in random order.
    let mut rows = seeds[..count].to_vec();
    for file in &options.add {
        // A round that nothing fooled adds nothing.
        if std::fs::metadata(file).is_ok_and(|file| file.is_file() && file.len() == 0) {
            continue;
        }
        rows.extend(read_seed_file(file)?);
    }
    Ok(rows)
}

/// How a classifier does on rows of a source that it has not seen.
fn scores(classifier: &Classifier, rows: &[Row]) -> Result<serde_json::Value> {
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let labels: Vec<bool> = rows.iter().map(|row| row.label == Label::Unsafe).collect();
    let scores = classifier.scores(&texts)?;
    let confusion = Confusion::at(0.5, &scores, &labels)?;
    Ok(json!({
        "rows": rows.len(),
        "f1": confusion.f1(),
        "recall": confusion.recall(),
        "false_positive_rate": confusion.false_positive_rate(),
        "auroc": auroc(&scores, &labels)?,
    }))
}

/// A bar for each stage.
#[derive(Default)]
struct Progress {
    bar: Option<ProgressBar>,
    /// Tokens and seconds at its first step.
    start: Option<(u64, f64)>,
}

impl Progress {
    fn show(&mut self, event: Event) -> ControlFlow<()> {
        match event {
            Event::Caching(done, all) => {
                let bar = self.bar.get_or_insert_with(|| bar("frozen layers", all));
                bar.set_position(done as u64);
                if done == all {
                    bar.finish();
                    self.bar = None;
                }
            }
            Event::Step(place) => {
                let first = self.start.is_none();
                let (tokens, seconds) = *self.start.get_or_insert((place.tokens, place.seconds));
                let bar = self.bar.get_or_insert_with(|| bar("training", place.steps));
                bar.set_position(place.step as u64);
                if first {
                    // The steps of an earlier process are no speed of this one.
                    bar.reset_eta();
                }
                let speed = (place.tokens - tokens) as f64 / (place.seconds - seconds);
                let speed =
                    if speed.is_finite() { format!("{speed:.0} tokens/s") } else { String::new() };
                bar.set_message(format!("loss {:.3}, {speed}", place.loss));
            }
            Event::Epoch(v) => {
                let auroc = v.auroc.map_or("-".into(), |a| format!("{a:.3}"));
                let line = format!(
                    "epoch {}: validation loss {:.3}, F1 {:.3}, AUROC {auroc}",
                    v.epoch, v.loss, v.f1
                );
                match &self.bar {
                    Some(bar) => bar.suspend(|| tell!("{line}")),
                    None => tell!("{line}"),
                }
            }
        }
        ControlFlow::Continue(())
    }
}
