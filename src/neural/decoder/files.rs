//! Models on disk: a folder as Hugging Face lays it out, or a GGUF file.

use super::config::Config;
use super::weights::{Numbers, Weights, hold};
use super::{Decoder, Tokenizer, gguf};
use crate::report::{remove, replace, write_atomically};
use crate::{Error, Result};
use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::Path;

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const TOKENIZER: &str = "tokenizer.json";
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// The chat template, where it stands in a file of its own.
pub(crate) const TEMPLATE: &str = "chat_template.jinja";
pub(crate) const GENERATION: &str = "generation_config.json";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

impl Decoder {
    /// Loads a folder with config.json and one or many safetensors files, or a `.gguf` file.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read; [`Error::Invalid`] naming the file for one that is
    /// missing, cut short, of another architecture or shape, or holds a number that is not finite.
    pub fn load(path: impl AsRef<Path>, numbers: Numbers, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        if !path.is_dir() {
            return gguf::decoder(path, numbers, device);
        }
        let config = Config::load(path)?;
        let weights = read_folder(path, &config, numbers, device)?;
        Self::new(config, weights).map_err(|e| e.within(&shown(path)))
    }

    /// Writes config.json and model.safetensors, which `transformers` opens: adapters added in,
    /// quantised weights made dense. Missing folders are made; each file appears complete or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        let whole = self.merged()?;
        let mut tensors: BTreeMap<&str, Tensor> = BTreeMap::new();
        for (name, weight) in whole.weights() {
            tensors.insert(name, weight.dense()?.to_device(&Device::Cpu)?.contiguous()?);
        }
        // Without it, older versions of transformers refuse the file.
        let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        replace(&folder.join(WEIGHTS), |temporary| {
            safetensors::serialize_to_file(&tensors, Some(about.clone()), temporary)
                .map_err(io::Error::other)
        })?;
        // Last: a folder without it is no model.
        let dtype = if self.dtype() == DType::BF16 { "bfloat16" } else { "float32" };
        let config = self.config().to_json().replace("\"float32\"", &format!("\"{dtype}\""));
        write_atomically(folder.join(CONFIG), config.as_bytes())
    }
}

impl Config {
    /// Reads the config of a model on disk, and nothing else of it: config.json of a folder, or the metadata of
    /// a `.gguf` file.
    ///
    /// # Errors
    /// As [`Decoder::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.is_dir() {
            return gguf::config(path);
        }
        let file = path.join(CONFIG);
        Self::from_json(&text(&file)?).map_err(|e| e.within(&shown(&file)))
    }

    /// Checks by the tables of contents of a model's files that they hold every weight of this config, in its
    /// shape and to the last byte. No number is read.
    ///
    /// # Errors
    /// As [`Decoder::load`], but for numbers that are not finite.
    pub fn check_files(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if !path.is_dir() {
            return gguf::check(path, self);
        }
        let mut wanted: BTreeMap<String, Vec<usize>> = self.shapes().into_iter().collect();
        for name in weight_files(path)? {
            let file = path.join(&name);
            for (stored, Entry { dtype, shape, .. }) in contents(&file)? {
                let prefixed = format!("model.{stored}");
                let name = if wanted.contains_key(&stored) { &stored } else { &prefixed };
                let Some(asked) = wanted.remove(name) else { continue };
                check_kind(&file, name, dtype)?;
                if asked != shape {
                    return Err(misshapen(&file, name, &shape, &asked));
                }
            }
        }
        match wanted.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(lacking(path, &name)),
        }
    }
}

impl Tokenizer {
    /// Loads the tokenizer.json of a folder with what stands beside it (tokenizer_config.json,
    /// chat_template.jinja, the tokens that generation_config.json, or config.json, ends texts at). Of a
    /// `.gguf` file it loads the same from beside the file, and what these do not say from the file, or
    /// rebuilds the tokenizer where no tokenizer.json is there.
    ///
    /// # Errors
    /// As [`Decoder::load`]; [`Error::Invalid`] when a tokenizer.json is not that of the `.gguf` file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() {
            return Self::of_folder(path, Map::new(), Vec::new());
        }
        let pieces = gguf::pieces(path)?;
        let (file, folder) = (path.with_file_name(TOKENIZER), path.parent());
        let Some(folder) = folder.filter(|_| file.is_file()) else {
            return pieces.tokenizer().map_err(|e| e.within(&shown(path)));
        };
        let tokenizer = Self::of_folder(folder, pieces.about.clone(), pieces.stops.clone())?;
        match pieces.first_other(&tokenizer) {
            None => Ok(tokenizer),
            Some(id) => {
                let (ours, theirs, gguf) = (tokenizer.size(), pieces.tokens.len(), shown(path));
                let problem = format!(
                    "its {ours} tokens are not the {theirs} of {gguf} (token {id} differs)"
                );
                let remedy = "keep that file in a folder with its own tokenizer.json, or with none";
                Err(Error::invalid(shown(&file), problem, remedy))
            }
        }
    }

    /// The tokenizer of a folder; of special tokens and ends of texts, `about` and `stops` are known before.
    fn of_folder(path: &Path, mut about: Map<String, Value>, known: Vec<String>) -> Result<Self> {
        let file = path.join(TOKENIZER);
        let tokenizer = Self::from_json(&text(&file)?).map_err(|e| e.within(&shown(&file)))?;
        about.extend(json(&path.join(TOKENIZER_CONFIG))?.unwrap_or_default());
        // Newer versions of transformers write it apart, and then read no other.
        let template = path.join(TEMPLATE);
        if template.exists() {
            let template = text(&template)?;
            if !template.trim().is_empty() {
                about.insert("chat_template".into(), template.into());
            }
        }
        let ends = |file| Ok::<_, Error>(ids(&json(&path.join(file))?.unwrap_or_default()));
        let mut stops = ends(GENERATION)?;
        if stops.is_empty() {
            stops = ends(CONFIG)?;
        }
        let stops = match stops.is_empty() {
            true => known,
            false => stops.into_iter().filter_map(|id| tokenizer.name(id)).collect(),
        };
        Ok(tokenizer.with_about(about).with_stops(stops))
    }

    /// Writes tokenizer.json, tokenizer_config.json and, where tokens are known to end texts,
    /// generation_config.json into `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] when they cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        let stops = self.stops();
        // An older template beside it would come before this one's.
        remove(&folder.join(TEMPLATE))?;
        if stops.is_empty() {
            remove(&folder.join(GENERATION))?;
        } else {
            let generation = serde_json::json!({ "eos_token_id": stops });
            write_atomically(folder.join(GENERATION), format!("{generation:#}\n").as_bytes())?;
        }
        let about = serde_json::json!(self.about());
        write_atomically(folder.join(TOKENIZER_CONFIG), format!("{about:#}\n").as_bytes())?;
        write_atomically(folder.join(TOKENIZER), self.to_json()?.as_bytes())
    }
}

fn read_folder(
    folder: &Path,
    config: &Config,
    numbers: Numbers,
    device: &Device,
) -> Result<Weights> {
    let files = weight_files(folder)?;
    let wanted: BTreeMap<String, Vec<usize>> = config.shapes().into_iter().collect();
    let mut weights = Weights::new();
    for name in files {
        let file = folder.join(&name);
        let bytes = fs::read(&file).map_err(|e| Error::io("read", &file, e))?;
        let bad =
            |problem: String| Error::invalid(shown(&file), problem, "download the file again");
        let tensors = BufferedSafetensors::new(bytes)
            .map_err(|e| bad(format!("it is cut short or no safetensors file ({e})")))?;
        for (stored, view) in tensors.tensors() {
            // A model saved without its output layer lacks the prefix.
            let name = match wanted.contains_key(&stored) {
                true => stored.clone(),
                false => format!("model.{stored}"),
            };
            let Some(shape) = wanted.get(&name) else { continue };
            check_kind(&file, &stored, view.dtype())?;
            let tensor = tensors
                .load(&stored, &Device::Cpu)
                .map_err(|e| bad(format!("weight {stored} cannot be read ({e})")))?;
            if tensor.dims() != shape {
                return Err(misshapen(&file, &stored, tensor.dims(), shape));
            }
            let weight = hold(&tensor, numbers, device)?
                .ok_or_else(|| bad(format!("weight {stored} holds a number that is not finite")))?;
            weights.insert(name, weight);
        }
    }
    match wanted.keys().find(|name| !weights.contains_key(*name)) {
        None => Ok(weights),
        Some(name) => Err(lacking(folder, name)),
    }
}

/// What a safetensors file's header says of a tensor.
#[derive(serde::Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// The tensors of a safetensors file by their names, as its header has them.
fn contents(file: &Path) -> Result<BTreeMap<String, Entry>> {
    let io = |e| Error::io("read", file, e);
    let bad = || {
        let problem = "it is cut short or no safetensors file";
        Error::invalid(shown(file), problem, "download the file again")
    };
    let mut open = fs::File::open(file).map_err(io)?;
    let size = open.metadata().map_err(io)?.len();
    let mut length = [0; 8];
    open.read_exact(&mut length).map_err(|_| bad())?;
    let length = u64::from_le_bytes(length);
    if length > size.saturating_sub(8) {
        return Err(bad());
    }
    let mut header = vec![0; length as usize];
    open.read_exact(&mut header).map_err(io)?;
    let mut all: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|_| bad())?;
    all.remove("__metadata__");
    let (mut entries, mut end) = (BTreeMap::new(), 0);
    for (name, entry) in all {
        let entry: Entry = serde_json::from_value(entry).map_err(|_| bad())?;
        end = end.max(entry.data_offsets[1]);
        entries.insert(name, entry);
    }
    if end > size - 8 - length { Err(bad()) } else { Ok(entries) }
}

/// Numbers of fewer bits need scales that stand beside them, and are not what they seem without.
fn check_kind(file: &Path, name: &str, dtype: Dtype) -> Result<()> {
    match dtype {
        Dtype::BF16 | Dtype::F16 | Dtype::F32 | Dtype::F64 => Ok(()),
        other => {
            let problem = format!("weight {name} holds {other:?} numbers, which are not supported");
            Err(Error::invalid(shown(file), problem, "use the model in BF16, F16, F32 or F64"))
        }
    }
}

fn misshapen(file: &Path, name: &str, found: &[usize], asked: &[usize]) -> Error {
    let problem = format!("weight {name} has shape {found:?}, but {CONFIG} asks for {asked:?}");
    Error::invalid(shown(file), problem, "download the file again")
}

fn lacking(folder: &Path, name: &str) -> Error {
    let problem = format!("its safetensors files lack the weight {name}");
    Error::invalid(shown(folder), problem, "download all of the model's files")
}

/// Names of the safetensors files of a folder.
pub(crate) fn weight_files(folder: &Path) -> Result<Vec<String>> {
    if folder.join(WEIGHTS).is_file() {
        return Ok(vec![WEIGHTS.to_owned()]);
    }
    let file = folder.join(INDEX);
    if !file.is_file() {
        return Err(Error::invalid(
            shown(folder),
            format!("it has neither {WEIGHTS} nor {INDEX}"),
            "download the model's safetensors files (pickled weights are not read)",
        ));
    }
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_str(&text(&file)?).map_err(|e| {
        Error::invalid(shown(&file), format!("it is no index ({e})"), "download the file again")
    })?;
    let mut files: Vec<String> = index.weight_map.into_values().collect();
    files.sort();
    files.dedup();
    match files.iter().find(|name| Path::new(name).components().count() != 1) {
        None => Ok(files),
        Some(name) => Err(Error::invalid(
            shown(&file),
            format!("it names \"{name}\", a file outside the folder"),
            "download the file again",
        )),
    }
}

/// The object in a file, where there is the file.
fn json(file: &Path) -> Result<Option<Map<String, Value>>> {
    if !file.exists() {
        return Ok(None);
    }
    let object = serde_json::from_str(&text(file)?);
    object.map(Some).map_err(|e| {
        Error::invalid(shown(file), format!("it is no JSON object ({e})"), "download it again")
    })
}

/// The tokens that end a text: one, or a list.
fn ids(config: &Map<String, Value>) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match config.get("eos_token_id") {
        Some(Value::Array(all)) => all.iter().filter_map(id).collect(),
        Some(one) => id(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn text(file: &Path) -> Result<String> {
    if !file.exists() {
        return Err(Error::invalid(
            shown(file),
            "the file is missing",
            "download all of the model's files into its folder, or name a .gguf file",
        ));
    }
    fs::read_to_string(file).map_err(|e| Error::io("read", file, e))
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Checks that there is a model at `path`, a folder or a file; its content is not looked at.
///
/// # Errors
/// [`Error::Invalid`] that says how to get one.
pub fn present(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let how = "put the model's files there by hand, or by `nashguard fetch OWNER/NAME --models DIR` \
               (the README says how); --models names the folder of models";
    Err(Error::invalid(path.display().to_string(), "there is no such model", how))
}
