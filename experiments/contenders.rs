//! Who is scored on what: the shipped guardrail and the classifiers below `--models`, on the held-out
//! seeds and the six benchmarks. Scores are kept in files, one a set of texts, so that a slow backbone
//! reads a text once, for whichever experiment, and goes on where it was stopped.

use crate::games::is_game;
use crate::{Context, Scale};
use indicatif::ProgressBar;
use nashguard::data::{Benchmark, BenchmarkRows, Label, Language, Row, Seeds, embedded};
use nashguard::neural::Guardrail;
use nashguard::neural::classifier::{About, Classifier};
use nashguard::neural::decoder::Numbers;
use nashguard::neural::guardrail::SHIPPED;
use nashguard::neural::{Ensemble, device, device_name, parallel};
use nashguard::report::{Cell, environment, write_atomically};
use nashguard::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The paper's threshold on the largest of the 12 probabilities.
pub const THRESHOLD: f32 = 0.5;
/// What cells say that a run without benchmarks cannot fill.
pub const NEEDS_DATA: &str = "needs --data";
/// How held-out seed rows are called among the sets.
pub const HELD_OUT: &str = "held-out seeds";

/// Held-out seed rows that a classifier below `--models` reads at most.
const FEW: usize = 2000;
/// Rows of a benchmark at smoke scale.
const SMOKE_ROWS: usize = 40;
/// Levels of folders below a root that are looked through.
const LEVELS: usize = 3;
/// Inputs timed one by one, by a small guardrail and by a decoder.
const TIMED: [usize; 2] = [500, 40];

/// Labelled texts of one language.
pub struct Set {
    /// `None`: held-out seeds.
    pub benchmark: Option<Benchmark>,
    pub language: Language,
    pub texts: Vec<String>,
    /// Unsafe?
    pub truth: Vec<bool>,
    /// XSTest's types; empty elsewhere.
    pub kinds: Vec<String>,
}

impl Set {
    pub fn name(&self) -> &'static str {
        self.benchmark.map_or(HELD_OUT, Benchmark::name)
    }

    /// At most so many of its rows, evenly spread.
    pub fn thinned(&self, most: usize) -> Self {
        let (mut texts, mut truth, mut kinds) =
            (self.texts.clone(), self.truth.clone(), self.kinds.clone());
        thin(&mut texts, most);
        thin(&mut truth, most);
        thin(&mut kinds, most);
        Self { texts, truth, kinds, ..*self }
    }
}

/// A set, and a contender's score of each of its texts.
pub struct Scored {
    pub set: Arc<Set>,
    pub scores: Vec<f32>,
}

/// Scores and labels of several sets, end to end.
pub fn joined<'a>(sets: impl IntoIterator<Item = &'a Scored>) -> (Vec<f32>, Vec<bool>) {
    let rows = |s: &'a Scored| s.scores.iter().copied().zip(s.set.truth.iter().copied());
    sets.into_iter().flat_map(rows).unzip()
}

/// Everything that is scored.
pub struct Texts {
    /// A set a language.
    held_out: Vec<Arc<Set>>,
    /// The part of it that slow classifiers read, and the step from one of its rows to the next.
    few: (Vec<Arc<Set>>, usize),
    benchmarks: Vec<Arc<Set>>,
}

impl Texts {
    pub fn new(held_out: &[Row], benchmarks: &[BenchmarkRows]) -> Self {
        let step = held_out.len().div_ceil(FEW).max(1);
        let few: Vec<Row> = held_out.iter().step_by(step).cloned().collect();
        Self {
            held_out: by_language(held_out),
            few: (by_language(&few), step),
            benchmarks: benchmarks.iter().map(set).collect(),
        }
    }

    /// The seeds and benchmarks of this run.
    pub fn of(context: &Context) -> Result<Self> {
        Ok(Self::new(&seeds(context)?.0.validation, &benchmarks(context)?))
    }
}

fn set(rows: &BenchmarkRows) -> Arc<Set> {
    Arc::new(Set {
        benchmark: Some(rows.benchmark),
        language: rows.language,
        texts: rows.texts.clone(),
        truth: rows.labels.iter().map(|l| *l == Label::Unsafe).collect(),
        kinds: rows.kinds.clone(),
    })
}

pub fn by_language(rows: &[Row]) -> Vec<Arc<Set>> {
    let set = |language: Language| {
        let here: Vec<&Row> = rows.iter().filter(|row| row.language == language).collect();
        (!here.is_empty()).then(|| {
            Arc::new(Set {
                benchmark: None,
                language,
                texts: here.iter().map(|row| row.text.clone()).collect(),
                truth: here.iter().map(|row| row.label == Label::Unsafe).collect(),
                kinds: Vec::new(),
            })
        })
    };
    Language::ALL.into_iter().filter_map(set).collect()
}

/// How seeds are called.
pub const REAL: &str = "real seeds";
pub const EMBEDDED: &str = "embedded corpus";
/// What a page must say that is made from it.
pub const EMBEDDED_NOTE: &str = " It is made of templates, as many rows in each language: of what this page claims of real seeds, nothing is tested.";

/// The real seeds where there are any, else the embedded corpus, a part of them at smoke scale; and
/// which of the two.
pub fn seeds(context: &Context) -> Result<(Seeds, &'static str)> {
    let (mut seeds, name) = match context.data.as_ref().map(|d| d.seeds()).transpose()?.flatten() {
        Some(real) => (real, REAL),
        None => (embedded()?, EMBEDDED),
    };
    if context.scale == Scale::Smoke {
        thin(&mut seeds.train, 600);
        thin(&mut seeds.validation, 300);
    }
    Ok((seeds, name))
}

/// The benchmarks, or the held-out rows by language when there are none.
pub fn sets(context: &Context, held_out: &[Row]) -> Result<Vec<Arc<Set>>> {
    let benchmarks = benchmarks(context)?;
    Ok(match benchmarks.is_empty() {
        true => by_language(held_out),
        false => benchmarks.iter().map(set).collect(),
    })
}

/// The six benchmarks in four languages, none without `--data`; a part of each at smoke scale.
pub fn benchmarks(context: &Context) -> Result<Vec<BenchmarkRows>> {
    let Some(data) = &context.data else { return Ok(Vec::new()) };
    let pairs = Language::ALL.into_iter().flat_map(|l| Benchmark::ALL.map(|b| (b, l)));
    pairs
        .map(|(benchmark, language)| {
            let mut rows = data.benchmark(benchmark, language)?;
            if context.scale == Scale::Smoke {
                thin_rows(&mut rows, SMOKE_ROWS);
            }
            Ok(rows)
        })
        .collect()
}

/// Keeps at most `count` rows, evenly spread.
pub fn thin<T>(rows: &mut Vec<T>, count: usize) {
    let step = rows.len().div_ceil(count).max(1);
    *rows = std::mem::take(rows).into_iter().step_by(step).collect();
}

/// Keeps at most `count` rows of a benchmark, evenly spread.
pub fn thin_rows(rows: &mut BenchmarkRows, count: usize) {
    thin(&mut rows.texts, count);
    thin(&mut rows.labels, count);
    thin(&mut rows.kinds, count);
}

/// Something that scores texts, with the scores it gave.
pub struct Contender {
    pub name: String,
    /// How it was made and scored.
    pub note: String,
    pub held_out: Vec<Scored>,
    /// In the order of the benchmarks read.
    pub benchmarks: Vec<Scored>,
    source: Source,
}

/// Where the scores come from.
pub enum Source {
    /// Every text is unsafe.
    Always,
    /// The guardrail that ships with the library.
    Shipped,
    /// A guardrail trained in this run.
    Trained(Guardrail),
    /// The folder of a trained classifier.
    Folder(PathBuf),
    /// The folder of an ensemble.
    Ensemble(PathBuf),
}

/// A loaded source.
enum Model {
    Always,
    Small(Guardrail),
    /// With the threads that share its batches.
    Large(Box<Classifier>, usize),
    /// The same of several.
    Several(Box<Ensemble>, usize),
}

impl Model {
    fn scores(&self, texts: &[&str], bar: &ProgressBar) -> Result<Vec<f32>> {
        match self {
            Self::Always => Ok(vec![1.0; texts.len()]),
            Self::Small(guardrail) => {
                let scores = guardrail.scores(texts)?;
                bar.inc(texts.len() as u64);
                Ok(scores)
            }
            Self::Large(classifier, threads) => {
                classifier.scores_by(texts, *threads, &|rows| bar.inc(rows as u64))
            }
            Self::Several(all, threads) => {
                all.scores_by(texts, *threads, &|rows| bar.inc(rows as u64))
            }
        }
    }
}

impl Source {
    fn load(&self) -> Result<Model> {
        Ok(match self {
            Self::Always => Model::Always,
            Self::Shipped => Model::Small(Guardrail::shipped()?),
            Self::Trained(guardrail) => Model::Small(guardrail.clone()),
            Self::Folder(folder) | Self::Ensemble(folder) => {
                let (device, dtype) = device()?;
                let threads = parallel::threads(&device);
                let numbers = Numbers::Dense(dtype);
                match self {
                    Self::Ensemble(_) => {
                        Model::Several(Box::new(Ensemble::load(folder, numbers, &device)?), threads)
                    }
                    _ => {
                        let classifier = Classifier::load(folder, numbers, &device)?;
                        Model::Large(Box::new(classifier), threads)
                    }
                }
            }
        })
    }

    /// A hash of all that its scores depend on; `None` where scoring is too quick to be kept.
    fn key(&self) -> Result<Option<u64>> {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Always | Self::Trained(_) => return Ok(None),
            Self::Shipped => SHIPPED.hash(&mut hasher),
            Self::Ensemble(folder) => {
                for member in Ensemble::members(folder)? {
                    member.map_or(Self::Shipped, Self::Folder).key()?.hash(&mut hasher);
                }
            }
            Self::Folder(folder) => {
                format!("{:?}", device()?.1).hash(&mut hasher);
                // Of guardrail.json only this: thresholds and provenance move no score.
                json!(About::load(folder)?.reading).to_string().hash(&mut hasher);
                let used = |path: &PathBuf| {
                    path.extension().is_some_and(|e| e == "json" || e == "safetensors")
                        && path.file_name().is_some_and(|name| name != ABOUT)
                };
                for path in entries(folder)?.into_iter().filter(used) {
                    path.file_name().hash(&mut hasher);
                    hash_file(&path, &mut hasher)?;
                }
            }
        }
        Ok(Some(hasher.finish()))
    }
}

const ABOUT: &str = "guardrail.json";

/// The outermost folders in `root` that are what is looked for, sorted.
pub fn search(root: &Path, is: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    fn look(
        folder: &Path,
        levels: usize,
        is: &dyn Fn(&Path) -> bool,
        found: &mut Vec<PathBuf>,
    ) -> Result<()> {
        if is(folder) {
            found.push(folder.to_path_buf());
        } else if levels > 0 {
            for path in entries(folder)?.iter().filter(|path| path.is_dir()) {
                look(path, levels - 1, is, found)?;
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    look(root, LEVELS, is, &mut found)?;
    Ok(found)
}

/// Paths in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |e| Error::io("read", folder, e);
    let paths = std::fs::read_dir(folder).map_err(io)?.map(|entry| Ok(entry.map_err(io)?.path()));
    let mut paths = paths.collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn hash_file(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let io = |e| Error::io("read", path, e);
    let mut file = std::fs::File::open(path).map_err(io)?;
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).map_err(io)? {
            0 => return Ok(()),
            n => hasher.write(&block[..n]),
        }
    }
}

/// Scores of a set as they are kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// What they were computed on, and for how long.
    device: String,
    seconds: f64,
    /// As f64, which JSON keeps to the bit.
    scores: Vec<f64>,
}

impl Contender {
    /// Scores all texts, those with kept scores by reading them.
    pub fn new(
        context: &Context,
        name: &str,
        source: Source,
        texts: &Texts,
        note: &str,
    ) -> Result<Self> {
        let slow = matches!(source, Source::Folder(_) | Source::Ensemble(_));
        let held_out = if slow { &texts.few.0 } else { &texts.held_out };
        let folder = source
            .key()?
            .map(|key| context.out.join("scores").join(format!("{}-{key:016x}", plain(name))));
        let all = || held_out.iter().chain(&texts.benchmarks);
        let bar =
            context.progress(&format!("scoring: {name}"), all().map(|set| set.texts.len()).sum());
        let here = if slow { device_name(&device()?.0) } else { environment().device };
        let mut model = None;
        let mut score = |set: &Arc<Set>| -> Result<(Scored, Kept)> {
            let path = folder.as_ref().map(|folder| folder.join(file(set)));
            let found = path.as_ref().and_then(|path| read(path, set.texts.len()));
            let kept = match found {
                Some(kept) => {
                    bar.inc(set.texts.len() as u64);
                    kept
                }
                None => {
                    let model = match &model {
                        Some(model) => model,
                        None => model.insert(source.load()?),
                    };
                    let texts: Vec<&str> = set.texts.iter().map(String::as_str).collect();
                    let start = Instant::now();
                    let scores = model.scores(&texts, &bar)?;
                    let kept = Kept {
                        device: here.clone(),
                        seconds: start.elapsed().as_secs_f64(),
                        scores: scores.into_iter().map(f64::from).collect(),
                    };
                    if let Some(path) = path {
                        write_atomically(path, json!(kept).to_string().as_bytes())?;
                    }
                    kept
                }
            };
            let scores = kept.scores.iter().map(|&s| s as f32).collect();
            Ok((Scored { set: set.clone(), scores }, kept))
        };
        let done = all().map(&mut score).collect::<Result<Vec<_>>>()?;
        bar.finish_and_clear();

        let mut note = format!("Ours, {name}: {note}");
        if slow {
            let seconds: f64 = done.iter().map(|(_, kept)| kept.seconds).sum();
            let rows: usize = all().map(|set| set.texts.len()).sum();
            let part = match texts.few.1 {
                1 => String::new(),
                step => format!(", one of every {step}, where thresholds are chosen"),
            };
            note += &format!(
                " It read {rows} texts in {:.1} minutes on {}; {} of them are held-out seeds{part}.",
                seconds / 60.0,
                done.last().map_or(here.as_str(), |(_, kept)| &kept.device),
                held_out.iter().map(|set| set.texts.len()).sum::<usize>(),
            );
        }
        let (held, of_benchmarks) = (held_out.len(), done.into_iter().map(|(scored, _)| scored));
        let mut held_out: Vec<Scored> = of_benchmarks.collect();
        let benchmarks = held_out.split_off(held);
        Ok(Self { name: name.into(), note, held_out, benchmarks, source })
    }

    /// Median milliseconds of one held-out text at a time, from text to score.
    pub fn milliseconds(&self) -> Result<Option<f64>> {
        let model = self.source.load()?;
        let count = match model {
            Model::Always => return Ok(None),
            Model::Small(_) => TIMED[0],
            Model::Large(..) | Model::Several(..) => TIMED[1],
        };
        let mut texts: Vec<&String> = self.held_out.iter().flat_map(|s| &s.set.texts).collect();
        thin(&mut texts, count);
        let time = |text: &&String| {
            let start = Instant::now();
            match &model {
                Model::Large(classifier, _) => classifier.scores(&[text.as_str()]).map(drop)?,
                Model::Several(all, _) => all.probabilities(&[text.as_str()]).map(drop)?,
                small => small.scores(&[text.as_str()], &ProgressBar::hidden()).map(drop)?,
            }
            Ok(start.elapsed().as_secs_f64() * 1e3)
        };
        Ok(median(texts.iter().map(time).collect::<Result<Vec<f64>>>()?))
    }
}

/// The middle value; of an even number, the upper of the two.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A set's file of scores: its name, its language and a hash of its texts.
fn file(set: &Set) -> String {
    let mut hasher = DefaultHasher::new();
    set.texts.hash(&mut hasher);
    format!("{}-{}-{:016x}.json", plain(set.name()), set.language.code(), hasher.finish())
}

/// Kept scores; a file that is no longer whole counts as none.
fn read(path: &Path, rows: usize) -> Option<Kept> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    (kept.scores.len() == rows).then_some(kept)
}

/// A name as part of a file's.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

/// The shipped guardrail, then the classifiers and ensembles below `--models`.
pub fn saved(context: &Context, texts: &Texts) -> Result<Vec<Contender>> {
    let folders = match &context.models {
        Some(root) => classifiers(root)?,
        None => Vec::new(),
    };
    let note = "models/guardrail, as its README says how it was made; of the held-out rows it has seen none.";
    let mut contenders =
        vec![Contender::new(context, "shipped default", Source::Shipped, texts, note)?];
    for (name, folder) in folders {
        let (note, source) = match is_ensemble(&folder) {
            true => (members(&folder)?, Source::Ensemble(folder)),
            false => (training(&About::load(&folder)?.training), Source::Folder(folder)),
        };
        contenders.push(Contender::new(context, &name, source, texts, &note)?);
    }
    Ok(contenders)
}

/// The classifiers below `--models`: name, folder, what guardrail.json says of the training.
pub fn trained_by(context: &Context) -> Result<Vec<(String, PathBuf, Value)>> {
    let Some(root) = &context.models else { return Ok(Vec::new()) };
    let said = |(name, folder): (String, PathBuf)| {
        let training = About::load(&folder)?.training;
        Ok((name, folder, training))
    };
    classifiers(root)?.into_iter().filter(|(_, folder)| !is_ensemble(folder)).map(said).collect()
}

fn is_ensemble(folder: &Path) -> bool {
    folder.join(Ensemble::FILE).is_file()
}

/// What ensemble.json says.
fn members(folder: &Path) -> Result<String> {
    let said = |path: PathBuf| {
        let way = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        way.trim_start_matches("../").trim_end_matches("/model").to_owned()
    };
    let members = Ensemble::members(folder)?.into_iter();
    let names: Vec<_> = members.map(|m| m.map_or("the shipped default".into(), said)).collect();
    Ok(format!("the mean of the logits of {}.", names.join(" and ")))
}

/// Folders below `root` that hold a trained classifier or an ensemble, by name: the way to them, without the last
/// `model` that the training adds. Those inside games are the games' own.
fn classifiers(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let is = |folder: &Path| folder.join(ABOUT).is_file() || is_ensemble(folder) || is_game(folder);
    let (games, found): (Vec<_>, Vec<_>) = search(root, &is)?.into_iter().partition(|f| is_game(f));
    if found.is_empty() && games.is_empty() {
        return Err(Error::invalid(
            root.display().to_string(),
            "no folder in it holds a trained classifier (guardrail.json), an ensemble (ensemble.json) or a game \
             (game.json)",
            "name the folder that holds what `nashguard train` or `nashguard play` wrote",
        ));
    }
    let name = |folder: &Path| match folder.parent() {
        Some(parent) if parent != root && folder.ends_with("model") => way(root, parent),
        _ => way(root, folder),
    };
    Ok(found.into_iter().map(|folder| (name(&folder), folder)).collect())
}

/// How a folder below `root` is called: the way to it; `root` itself by its own name.
pub fn way(root: &Path, folder: &Path) -> String {
    match folder.strip_prefix(root) {
        Ok(way) if way != Path::new("") => way.display().to_string(),
        _ => folder.file_name().unwrap_or_default().display().to_string(),
    }
}

/// What guardrail.json says of the training.
fn training(said: &Value) -> String {
    let number = |key: &str| said[key].as_f64();
    let parts = [
        number("rows").map(|n| format!("{n} rows")),
        number("tokens").map(|n| format!("{n} tokens")),
        number("minutes").map(|n| format!("{n} minutes")),
    ];
    let known: Vec<String> = parts.into_iter().flatten().collect();
    match (known.is_empty(), said["device"].as_str()) {
        (true, _) => "its folder does not say how it was trained.".into(),
        (false, Some(device)) => format!("trained on {}, on {device}.", known.join(", ")),
        (false, None) => {
            format!("trained on {}; on what device its folder does not say.", known.join(", "))
        }
    }
}

/// A cell, or what stands for a value that there is none of.
pub fn cell(value: Option<f64>, missing: &str) -> Cell {
    value.map_or(missing.into(), Cell::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classifiers_are_found_and_named_by_their_way() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["b/model", "a", "c/d", "e"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        assert!(classifiers(root.path()).unwrap_err().to_string().contains("guardrail.json"));
        for folder in ["b/model", "a", "c/d"] {
            std::fs::write(root.path().join(folder).join(ABOUT), "{").unwrap();
        }
        let found = classifiers(root.path()).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c/d"]);
        let own = classifiers(&root.path().join("c/d")).unwrap();
        assert_eq!(own[0].0, "d");
        assert_eq!(classifiers(&root.path().join("b")).unwrap()[0].0, "model");
        assert!(classifiers(&root.path().join("none")).is_err());
        // An ensemble is found as they are, and not what is inside it.
        std::fs::write(root.path().join("b").join(Ensemble::FILE), "{").unwrap();
        let found = classifiers(root.path()).unwrap();
        assert!(found.iter().any(|(name, folder)| name == "b" && is_ensemble(folder)));
        assert_eq!(found.len(), 3);
        std::fs::remove_file(root.path().join("b").join(Ensemble::FILE)).unwrap();
        // A game's own classifiers are left alone, and a folder of games alone is no mistake.
        std::fs::write(root.path().join("c/game.json"), "{}").unwrap();
        assert_eq!(classifiers(root.path()).unwrap().len(), 2);
        assert!(classifiers(&root.path().join("c")).unwrap().is_empty());
    }

    #[test]
    fn training_is_told_as_far_as_it_is_known() {
        let said = json!({ "rows": 20, "tokens": 500, "minutes": 1.5, "device": "a GPU" });
        assert_eq!(training(&said), "trained on 20 rows, 500 tokens, 1.5 minutes, on a GPU.");
        assert!(training(&Value::Null).contains("does not say"));
    }
}
