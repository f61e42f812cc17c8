//! The six benchmarks of the paper, read from their files as released.

use super::{Label, Language, is_blank, json_lines};
use crate::{Error, Result};
use serde::de::{DeserializeOwned, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The paper's six benchmarks. For scoring only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Benchmark {
    /// Safe prompts that sound unsafe, and unsafe contrasts to them.
    #[serde(rename = "XSTest")]
    XsTest,
    /// OpenAI's moderation evaluation set.
    #[serde(rename = "OpenAI")]
    OpenAi,
    /// Prompts of real users of a chat demo.
    ToxicChat,
    /// Prompts with a model's response; the pair is judged.
    BeaverTails,
    /// Toxic prompts written for each language.
    #[serde(rename = "RTP-LX")]
    RtpLx,
    /// Unsafe prompts only, so that its F1 measures recall alone.
    XSafety,
}

impl Benchmark {
    /// All six, in the paper's order.
    pub const ALL: [Self; 6] = [
        Self::XsTest,
        Self::OpenAi,
        Self::ToxicChat,
        Self::BeaverTails,
        Self::RtpLx,
        Self::XSafety,
    ];

    /// The name as the paper prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::XsTest => "XSTest",
            Self::OpenAi => "OpenAI",
            Self::ToxicChat => "ToxicChat",
            Self::BeaverTails => "BeaverTails",
            Self::RtpLx => "RTP-LX",
            Self::XSafety => "XSafety",
        }
    }

    /// The name of the released file, the same in every language's folder.
    pub fn file(self) -> &'static str {
        match self {
            Self::XsTest => "xstest_v2_completions_gpt4_gpteval.csv",
            Self::OpenAi => "openai.json",
            Self::ToxicChat => "toxic_chat.json",
            Self::BeaverTails => "beavertail_test.jsonl",
            Self::RtpLx => "rtp_lx_prompt.json",
            Self::XSafety => "XSafety.json",
        }
    }

    /// Whether it holds safe rows as well as unsafe ones: without them neither a false-positive
    /// rate nor an AUROC exists.
    pub fn has_both_classes(self) -> bool {
        self != Self::XSafety
    }

    /// Rows of the complete released file.
    pub fn released_rows(self, language: Language) -> usize {
        match (self, language) {
            (Self::XsTest, _) => 450,
            (Self::OpenAi, _) => 1680,
            (Self::ToxicChat, _) => 2853,
            (Self::BeaverTails, _) => 3021,
            (Self::RtpLx, Language::En) => 999,
            (Self::RtpLx, Language::Fr) => 1038,
            (Self::RtpLx, Language::Es) => 1098,
            (Self::RtpLx, Language::De) => 1029,
            (Self::XSafety, Language::En) => 2400,
            (Self::XSafety, _) => 2600,
        }
    }

    /// Reads the released file at `path`, whose texts are in `language`.
    ///
    /// | benchmark | format | text | unsafe when |
    /// | --- | --- | --- | --- |
    /// | XSTest | CSV | `prompt` | `type` starts with `contrast_` |
    /// | OpenAI, ToxicChat | JSON array | `prompt` | `moderation_flag` is 1 (safe: 0) |
    /// | BeaverTails | JSON Lines | `prompt`, a space, `response` | `is_safe` is false |
    /// | RTP-LX, XSafety | JSON array | `prompt` | `class` is 1 (safe: 0) |
    ///
    /// Other fields are ignored. Texts are kept to the letter. A row whose text is null or blank,
    /// or whose label is null (in the CSV, blank), is left out and listed in
    /// [`BenchmarkRows::skipped`].
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the file and line when a field is missing or of another type, a
    /// label is not one of the two, the syntax is broken, the bytes are not UTF-8, or no row is
    /// usable; [`Error::Io`] when the file cannot be read.
    pub fn read(self, language: Language, path: impl AsRef<Path>) -> Result<BenchmarkRows> {
        let path = path.as_ref();
        let mut rows = BenchmarkRows {
            benchmark: self,
            language,
            texts: Vec::new(),
            labels: Vec::new(),
            kinds: Vec::new(),
            skipped: Vec::new(),
        };
        match self {
            Self::XsTest => read_csv(path, &mut rows)?,
            Self::OpenAi | Self::ToxicChat => read_array::<Flagged>(path, &mut rows)?,
            Self::BeaverTails => json_lines::read(path, open(path)?, |place, row: Answered| {
                rows.add(place, row);
                Ok(())
            })?,
            Self::RtpLx | Self::XSafety => read_array::<Classed>(path, &mut rows)?,
        }
        if rows.texts.is_empty() {
            return Err(Error::invalid(
                path.display().to_string(),
                "the file holds no usable row",
                "give the benchmark's file as released",
            ));
        }
        Ok(rows)
    }
}

/// The rows of one benchmark in one language.
#[derive(Clone, Debug)]
pub struct BenchmarkRows {
    /// Which benchmark.
    pub benchmark: Benchmark,
    /// Language of the texts.
    pub language: Language,
    /// What the classifier is given, in the file's order.
    pub texts: Vec<String>,
    /// The label of each text.
    pub labels: Vec<Label>,
    /// XSTest's `type` of each text; empty for the other benchmarks.
    pub kinds: Vec<String>,
    /// Rows of the file that cannot be scored.
    pub skipped: Vec<Skipped>,
}

/// A well-formed row that cannot be scored.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    /// The file and its line, or the element of its array (counted from 0).
    pub place: String,
    /// Why.
    pub reason: &'static str,
}

impl BenchmarkRows {
    /// Whether the row can be scored and was added.
    fn add(&mut self, place: &str, row: impl Into<Released>) -> bool {
        let Released { text, label } = row.into();
        let reason = match (text, label) {
            (Some(text), Some(label)) if !is_blank(&text) => {
                self.texts.push(text);
                self.labels.push(label);
                return true;
            }
            (None, _) => "its text is null",
            (Some(_), None) => "its label is null",
            (Some(_), Some(_)) => "its text is blank",
        };
        self.skipped.push(Skipped { place: place.to_string(), reason });
        false
    }
}

/// What every format comes down to; `None` is a null.
struct Released {
    text: Option<String>,
    label: Option<Label>,
}

// Without `deserialize_with`, serde would take a missing field for a null.

#[derive(Deserialize)]
struct Flagged {
    #[serde(deserialize_with = "Option::deserialize")]
    prompt: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    moderation_flag: Option<Flag>,
}

impl From<Flagged> for Released {
    fn from(row: Flagged) -> Self {
        Self { text: row.prompt, label: row.moderation_flag.map(|flag| flag.0) }
    }
}

#[derive(Deserialize)]
struct Classed {
    #[serde(deserialize_with = "Option::deserialize")]
    prompt: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    class: Option<Flag>,
}

impl From<Classed> for Released {
    fn from(row: Classed) -> Self {
        Self { text: row.prompt, label: row.class.map(|flag| flag.0) }
    }
}

#[derive(Deserialize)]
struct Answered {
    #[serde(deserialize_with = "Option::deserialize")]
    prompt: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    response: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    is_safe: Option<bool>,
}

impl From<Answered> for Released {
    fn from(row: Answered) -> Self {
        Self {
            text: row.prompt.zip(row.response).map(|(prompt, response)| prompt + " " + &response),
            label: row.is_safe.map(|safe| if safe { Label::Safe } else { Label::Unsafe }),
        }
    }
}

/// A label written as the number 0 or 1. Checked while parsing, so that a bad one is reported with
/// its line.
struct Flag(Label);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ZeroOrOne;
        impl Visitor<'_> for ZeroOrOne {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the number 0 or 1")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Flag, E> {
                match value {
                    0 => Ok(Flag(Label::Safe)),
                    1 => Ok(Flag(Label::Unsafe)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
                }
            }
        }
        deserializer.deserialize_u64(ZeroOrOne)
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    File::open(path).map(BufReader::new).map_err(|e| Error::io("read", path, e))
}

fn read_array<T: DeserializeOwned + Into<Released>>(
    path: &Path,
    rows: &mut BenchmarkRows,
) -> Result<()> {
    let file = path.display();
    let remedy = "give the file as released, or correct it there";
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let text = str::from_utf8(&bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Error::invalid(format!("{file} line {line}"), "it is not UTF-8", remedy)
    })?;
    let mut json = serde_json::Deserializer::from_str(text);
    let elements: Vec<T> = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let place = format!("{file} line {}, at {}", e.inner().line(), e.path());
        Error::invalid(place, json_lines::message(e.inner()), remedy)
    })?;
    json.end().map_err(|e| {
        Error::invalid(format!("{file} line {}", e.line()), json_lines::message(&e), remedy)
    })?;
    for (index, element) in elements.into_iter().enumerate() {
        rows.add(&format!("{file} element {index}"), element);
    }
    Ok(())
}

fn read_csv(path: &Path, rows: &mut BenchmarkRows) -> Result<()> {
    let mut reader = csv::Reader::from_reader(open(path)?);
    let headers = reader.headers().map_err(|e| csv_error(path, e))?;
    let column = |name: &str| {
        headers.iter().position(|header| header == name).ok_or_else(|| {
            Error::invalid(
                format!("{} line 1", path.display()),
                format!("there is no column `{name}`"),
                "give the file as released, or add the column",
            )
        })
    };
    let (prompt, kind) = (column("prompt")?, column("type")?);
    for record in reader.records() {
        let record = record.map_err(|e| csv_error(path, e))?;
        let line = record.position().map_or(0, csv::Position::line);
        let kind = record[kind].trim();
        let label = match kind {
            "" => None,
            kind if kind.starts_with("contrast_") => Some(Label::Unsafe),
            _ => Some(Label::Safe),
        };
        let row = Released { text: Some(record[prompt].to_string()), label };
        if rows.add(&format!("{} line {line}", path.display()), row) {
            rows.kinds.push(kind.to_string());
        }
    }
    Ok(())
}

fn csv_error(path: &Path, error: csv::Error) -> Error {
    let place = match error.position() {
        Some(position) => format!("{} line {}", path.display(), position.line()),
        None => path.display().to_string(),
    };
    let problem = match error.into_kind() {
        csv::ErrorKind::Io(e) => return Error::io("read", path, e),
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} fields, the header {expected_len}")
        }
        other => format!("{other:?}"),
    };
    Error::invalid(place, problem, "give the file as released, or correct it there")
}
