//! `nashguard classify`: texts in, one JSON line with the guardrail's verdict a text out.

use candle_core::Device;
use clap::Args;
use nashguard::data::Category;
use nashguard::neural::classifier::Classifier;
use nashguard::neural::decoder::Numbers;
use nashguard::neural::{Ensemble, Guardrail, device, largest, passages};
use nashguard::{Error, Result};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
pub struct Options {
    /// A text a line, or JSON Lines with a "text" each; `-` reads standard input.
    #[arg(default_value = "-")]
    texts: PathBuf,
    /// A trained guardrail: a file, or a folder with a `model.safetensors` or an `ensemble.json`; the built-in one if absent.
    #[arg(long, value_name = "DIR|FILE")]
    model: Option<PathBuf>,
    /// Reads JSON Lines, of at most 32 MiB each; files named `*.jsonl` are read so anyway.
    #[arg(long)]
    jsonl: bool,
    /// A text is unsafe when its score is above this: a number, or `validation` for the threshold of the
    /// best F1 on the validation rows of a decoder's training.
    #[arg(long, value_name = "NUMBER|validation", default_value = "0.5")]
    threshold: String,
    /// Holds a decoder's weights in 8 bits: a quarter of the memory, scores that differ in the third digit.
    #[arg(long)]
    quantised: bool,
    /// Scores every sentence by itself too; what is printed is the largest of each category. It finds a request among
    /// other words, and calls more harmless texts unsafe (experiments/results/dilution.md).
    #[arg(long)]
    sentences: bool,
}

/// Texts scored at a time.
const BATCH: usize = 64;
/// Bytes of a text that are read; what comes after them is not.
const LONGEST: usize = 1 << 15;
/// Bytes of the longest JSON line: all of it is read before its text is cut.
const LONGEST_JSON: usize = 1 << 25;

/// What is printed for a text.
#[derive(Serialize)]
struct Verdict {
    line: usize,
    r#unsafe: bool,
    score: f32,
    threshold: f32,
    /// Present, and true, where a part of the text was not read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    scores: Scores,
}

/// The probability of each category under its id, in the order of the guardrail's outputs.
struct Scores([f32; Category::COUNT]);

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Category::COUNT))?;
        for (category, p) in Category::ALL.iter().zip(&self.0) {
            map.serialize_entry(category, p)?;
        }
        map.end()
    }
}

/// A text to be scored.
struct Text {
    /// Its line's.
    number: usize,
    text: String,
    /// Whether a part of it is not read.
    truncated: bool,
}

#[derive(Deserialize)]
struct JsonLine {
    text: String,
}

/// Exit code 1 when any line could not be scored; the others are.
pub fn run(options: &Options) -> Result<ExitCode> {
    let model = model(options.model.as_deref(), options.quantised)?;
    let threshold = threshold(&options.threshold, model.chosen())?;
    let (name, input): (String, Box<dyn Read>) = if options.texts == Path::new("-") {
        ("standard input".into(), Box::new(std::io::stdin()))
    } else {
        let file = File::open(&options.texts).map_err(|e| Error::io("read", &options.texts, e))?;
        (options.texts.display().to_string(), Box::new(file))
    };
    let named = options.texts.extension().is_some_and(|e| e == "jsonl");
    let mut lines = Lines { reader: BufReader::with_capacity(1 << 16, input), number: 0, name };
    let mut unscored = 0;
    loop {
        // A batch is what has arrived, so that one who sends a line and waits gets the answer.
        let mut batch: Vec<Text> = Vec::new();
        let mut more = true;
        while more && batch.len() < BATCH && (batch.is_empty() || lines.ready()) {
            match lines.next(options.jsonl || named)? {
                None => more = false,
                Some((number, Ok((text, truncated)))) => {
                    batch.push(Text { number, text, truncated })
                }
                Some((number, Err(problem))) => {
                    tell!("{} line {number}: {problem}", lines.name);
                    unscored += 1;
                }
            }
        }
        let mut parts = Vec::new();
        let mut cut: Vec<bool> = batch.iter().map(|text| text.truncated).collect();
        for (i, Text { number, text, .. }) in batch.iter().enumerate() {
            let of_text = if options.sentences { passages(text) } else { vec![text.as_str()] };
            // What the whole does not reach, its sentences do.
            let whole = of_text.len() == 1;
            for part in &of_text[usize::from(!whole)..] {
                if let Some(read) = model.cut(part)? {
                    cut[i] = true;
                    let of = if whole { "only its" } else { "of a sentence only the" };
                    tell!("note: {} line {number}: {of} first {read}", lines.name);
                }
            }
            parts.push(of_text);
        }
        let scored = largest(&parts, |texts| model.probabilities(texts))?;
        let verdicts = batch.iter().zip(scored).zip(cut).map(|((of, p), truncated)| {
            let score = p.iter().copied().fold(0.0, f32::max);
            Verdict {
                line: of.number,
                r#unsafe: score > threshold,
                score,
                threshold,
                truncated,
                scores: Scores(p),
            }
        });
        match print(verdicts) {
            // The reader has seen enough.
            Err(e) if e.kind() == ErrorKind::BrokenPipe => break,
            printed => printed.map_err(|e| Error::io("write", "standard output", e))?,
        }
        if !more {
            break;
        }
    }
    if unscored > 0 {
        tell!("{unscored} of {} lines could not be scored", lines.number);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What classifies.
enum Model {
    Small(Box<Guardrail>),
    Large(Box<Classifier>),
    Ensemble(Ensemble),
}

impl Model {
    fn probabilities(&self, texts: &[&str]) -> Result<Vec<[f32; Category::COUNT]>> {
        match self {
            Self::Small(guardrail) => guardrail.probabilities(texts),
            Self::Large(classifier) => classifier.probabilities(texts),
            Self::Ensemble(all) => all.probabilities(texts),
        }
    }

    /// How much of a text is read, in words, where it is not all.
    fn cut(&self, text: &str) -> Result<Option<String>> {
        Ok(match self {
            Self::Small(guardrail) => {
                guardrail.cut(text).map(|n| format!("{n} word pieces are read by the encoder"))
            }
            Self::Large(classifier) => {
                classifier.cut(text)?.map(|n| format!("{n} tokens are read"))
            }
            Self::Ensemble(all) => {
                all.cut(text)?.map(|n| format!("{n} tokens are read by every member"))
            }
        })
    }

    /// The threshold chosen on validation rows, where one was.
    fn chosen(&self) -> Option<f32> {
        match self {
            Self::Large(classifier) => classifier.about().chosen_threshold,
            Self::Small(_) | Self::Ensemble(_) => None,
        }
    }
}

/// A folder of a trained decoder or an ensemble, a small guardrail's file or folder, or the built-in one.
fn model(path: Option<&Path>, quantised: bool) -> Result<Model> {
    let holds = |file: &str| path.filter(|path| path.join(file).is_file());
    let place = || {
        if quantised {
            return Ok::<_, Error>((Device::Cpu, Numbers::Quantised));
        }
        let (device, dtype) = device()?;
        Ok((device, Numbers::Dense(dtype)))
    };
    if let Some(path) = holds(Ensemble::FILE) {
        let (device, numbers) = place()?;
        return Ok(Model::Ensemble(Ensemble::load(path, numbers, &device)?));
    }
    if let Some(path) = holds("guardrail.json") {
        let (device, numbers) = place()?;
        return Ok(Model::Large(Box::new(Classifier::load(path, numbers, &device)?)));
    }
    if quantised {
        let remedy = "leave it out: this guardrail is small";
        return Err(Error::invalid("--quantised", "it is for decoders", remedy));
    }
    let small = match path {
        Some(path)
            if path.join("config.json").is_file() || path.extension() == Some("gguf".as_ref()) =>
        {
            let (problem, remedy) = (
                "it is a pre-trained model, not yet a guardrail",
                "train one from it by `nashguard train` and name the folder `model` in its --out",
            );
            return Err(Error::invalid(path.display().to_string(), problem, remedy));
        }
        Some(path) if path.is_dir() => Guardrail::load(path.join("model.safetensors"))?,
        Some(path) if path.exists() => Guardrail::load(path)?,
        Some(path) => {
            let remedy =
                "leave --model out for the built-in one, or train one by `nashguard train`";
            let place = path.display().to_string();
            return Err(Error::invalid(place, "there is no such guardrail", remedy));
        }
        None => Guardrail::shipped()?,
    };
    Ok(Model::Small(Box::new(small)))
}

/// What `--threshold` asks for.
fn threshold(asked: &str, chosen: Option<f32>) -> Result<f32> {
    let bad = |problem: String, remedy| Err(Error::invalid("--threshold", problem, remedy));
    if asked == "validation" {
        return match chosen {
            Some(threshold) => Ok(threshold),
            None => bad("this guardrail has none of its own".into(), "give a number"),
        };
    }
    match asked.parse() {
        Ok(threshold) if (0.0..=1.0).contains(&threshold) => Ok(threshold),
        _ => bad(format!("{asked} is not a probability"), "choose 0 to 1, or validation"),
    }
}

fn print(verdicts: impl Iterator<Item = Verdict>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for verdict in verdicts {
        serde_json::to_writer(&mut out, &verdict)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// The input's lines; of a huge one only its start is kept.
struct Lines {
    reader: BufReader<Box<dyn Read>>,
    /// Lines read.
    number: usize,
    /// What messages call the input.
    name: String,
}

/// A line's number, and its text, with whether that is a part of it only, or what is wrong with it.
type Numbered = (usize, std::result::Result<(String, bool), String>);

impl Lines {
    /// Whether a whole line has arrived.
    fn ready(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    fn next(&mut self, json: bool) -> Result<Option<Numbered>> {
        let limit = if json { LONGEST_JSON } else { LONGEST };
        let mut line = Vec::new();
        let mut read = || {
            (&mut self.reader).take(limit as u64 + 1).read_until(b'\n', &mut line)?;
            if line.len() > limit && line.last() != Some(&b'\n') {
                self.reader.skip_until(b'\n')?;
            }
            Ok(())
        };
        read().map_err(|e: std::io::Error| Error::io("read", &self.name, e))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let long = line.len() > limit && line.last() != Some(&b'\n');
        if self.number == 1 && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        Ok(Some((self.number, self.text(line, json, long))))
    }

    fn text(&self, line: Vec<u8>, json: bool, mut long: bool) -> Result<(String, bool), String> {
        if json && long {
            return Err(format!("it is longer than {LONGEST_JSON} bytes"));
        }
        let mut text = match String::from_utf8(line) {
            Ok(text) => text,
            Err(e) => {
                // A letter cut in two at the end of a long line is no fault of the line.
                let (valid, cut) = (e.utf8_error().valid_up_to(), e.utf8_error().error_len());
                let mut line = e.into_bytes();
                if !(long && cut.is_none()) {
                    return Err(format!("byte {valid} is not UTF-8"));
                }
                line.truncate(valid);
                String::from_utf8(line).map_err(|e| e.to_string())?
            }
        };
        if json {
            if text.trim().is_empty() {
                return Err("it is empty".into());
            }
            // Without the place that serde_json counts from the start of the line.
            let plain =
                |e: serde_json::Error| e.to_string().split(" at line ").take(1).collect::<String>();
            text = serde_json::from_str::<JsonLine>(&text).map_err(plain)?.text;
        } else {
            text.truncate(text.trim_end_matches(['\n', '\r']).len());
        }
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            // Or a batch of huge lines would be held whole.
            text.shrink_to_fit();
            long = true;
        }
        if text.chars().all(|c| c.is_whitespace() || c.is_control()) {
            return Err(match long {
                true => format!("its first {} bytes, which are read, are blank", text.len()),
                false => "it is empty".into(),
            });
        }
        if long {
            let place = format!("{} line {}", self.name, self.number);
            tell!("note: {place}: only its first {} bytes are read", text.len());
        }
        Ok((text, long))
    }
}
