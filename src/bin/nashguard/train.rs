//! `nashguard train`: seed rows in, a guardrail out. The small one here, decoders in `finetune`.

use crate::finetune;
use crate::show::bar;
use clap::Args;
use nashguard::data::{Label, Language, Row, Seeds, embedded, read_licensed_seed_file};
use nashguard::metrics::Confusion;
use nashguard::neural::{Encoder, Guardrail, GuardrailConfig};
use nashguard::{Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args)]
pub struct Options {
    /// What to train on and how: a TOML file such as experiments/guardrail.toml.
    #[arg(long, value_name = "FILE.toml")]
    pub config: PathBuf,
    /// The folder that the data files are in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub data: PathBuf,
    /// The folder of pre-trained models, for decoders.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
    /// Where the guardrail is written: a safetensors file, or a folder for decoders.
    #[arg(long, value_name = "FILE|DIR")]
    pub out: PathBuf,
    /// Goes on from the last checkpoint in that folder.
    #[arg(long)]
    pub resume: bool,
    /// Settles the randomness in the configuration's place.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Further rows to train a decoder on: a seed file, such as a round's added.jsonl of `nashguard play`.
    #[arg(long, value_name = "FILE.jsonl")]
    pub add: Vec<PathBuf>,
    /// So many of a decoder's training rows twice: the control beside as many rows added.
    #[arg(long, value_name = "N", conflicts_with = "add")]
    pub repeat: Option<usize>,
}

/// What a configuration file describes.
#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    kind: Kind,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// N-grams, and an encoder.
    #[default]
    Small,
    /// A pre-trained decoder.
    Decoder,
}

/// The configuration file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The seed of all randomness.
    #[serde(default)]
    seed: u64,
    /// Seed files to train on, below `--data`.
    train: Vec<PathBuf>,
    /// Seed files to measure on at the end.
    #[serde(default)]
    validation: Vec<PathBuf>,
    /// Translated seed files: the n-grams learn from them too, the encoder needs none.
    #[serde(default)]
    translations: Vec<PathBuf>,
    /// Rows of these licences only, as the files' `license` field states them; all when absent.
    licences: Option<Vec<String>>,
    /// Whether to train on the built-in corpus too.
    #[serde(default)]
    embedded: bool,
    /// A file with the sentence encoder, from the working folder, or `shipped`; for guardrails with a head.
    encoder: Option<PathBuf>,
    /// N-grams, head and learning.
    #[serde(default)]
    guardrail: GuardrailConfig,
}

pub fn run(options: &Options) -> Result<()> {
    let (name, text) = crate::read(&options.config)?;
    match parse::<Which>(&name, &text)?.kind {
        Kind::Small => small(options, parse(&name, &text)?),
        Kind::Decoder => finetune::run(options, parse(&name, &text)?),
    }
}

pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| 1 + text[..s.start].matches('\n').count());
        Error::invalid(format!("{name} line {line}"), e.message(), "correct the configuration")
    })
}

fn small(options: &Options, config: Config) -> Result<()> {
    let remedy =
        "leave it out: this guardrail trains in minutes, on the rows its configuration names";
    let flags = [
        ("--resume", options.resume),
        ("--add", !options.add.is_empty()),
        ("--repeat", options.repeat.is_some()),
    ];
    if let Some((flag, _)) = flags.into_iter().find(|(_, given)| *given) {
        return Err(Error::invalid(flag, "it is for decoders", remedy));
    }
    if options.out.is_dir() {
        let place = options.out.display().to_string();
        let remedy = "name a file, such as model.safetensors in it";
        return Err(Error::invalid(place, "it is a folder", remedy));
    }
    let seed = options.seed.unwrap_or(config.seed);
    let read = |files: &[PathBuf]| -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for file in files {
            let path = seed_file(&options.data, file)?;
            rows.extend(read_licensed_seed_file(path, config.licences.as_deref())?);
        }
        Ok(rows)
    };
    let mut seeds = Seeds { train: read(&config.train)?, validation: read(&config.validation)? };
    if config.embedded {
        seeds.train.extend(embedded()?.train);
    }
    let translations = read(&config.translations)?;
    tell!(
        "training on {} rows and {} translated ones; {} rows to measure on",
        seeds.train.len(),
        translations.len(),
        seeds.validation.len()
    );
    let bar = bar("training", 1);
    let mut progress = |step: nashguard::neural::Step| {
        bar.set_length(step.total as u64);
        bar.set_position(step.done as u64);
        bar.set_message(format!("loss {:.3}", step.loss));
    };
    let encoder = match &config.encoder {
        Some(name) if name == Path::new("shipped") => Guardrail::shipped()?.encoder(),
        Some(file) => Some(Arc::new(Encoder::load(file)?)),
        None => None,
    };
    let trained = match encoder {
        Some(encoder) => Guardrail::train_with_encoder(
            config.guardrail, encoder, &seeds, translations, seed, &mut progress,
        )?,
        None => {
            seeds.train.extend(translations);
            Guardrail::train(config.guardrail, &seeds, seed, &mut progress)?
        }
    };
    bar.finish_and_clear();
    trained.save(&options.out)?;
    measure(&options.out, &seeds.validation)
}

/// A seed file below `--data`.
pub fn seed_file(data: &Path, file: impl AsRef<Path>) -> Result<PathBuf> {
    let path = data.join(file);
    if path.is_file() {
        return Ok(path);
    }
    let remedy = "name the folder that holds it by --data, or other files in the configuration";
    Err(Error::invalid(path.display().to_string(), "there is no such seed file", remedy))
}

/// F1 at 0.5 of the saved file on the validation rows of each language.
fn measure(file: &Path, rows: &[Row]) -> Result<()> {
    let guardrail = Guardrail::load(file)?;
    for language in Language::ALL {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.language == language).collect();
        if rows.is_empty() {
            continue;
        }
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let truth: Vec<bool> = rows.iter().map(|row| row.label == Label::Unsafe).collect();
        let found = Confusion::at(0.5, &guardrail.scores(&texts)?, &truth)?;
        let (code, f1) = (language.code(), 100.0 * found.f1());
        tell!("{code}: F1 {f1:.1} % on {} validation rows at threshold 0.5", rows.len());
    }
    tell!("written: {}", file.display());
    Ok(())
}
