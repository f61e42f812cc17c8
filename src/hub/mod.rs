//! Models fetched from the Hugging Face hub or a mirror of it.
//!
//! - `http`: what the server says and sends. - `cache`: the folder that other tools share.
//!
//! A file is downloaded into the cache, where it is resumed, checked and renamed, and stands in the folder
//! of models as a second name of the same bytes (a copy on another disk).

mod cache;
mod http;

use crate::neural::classifier::ABOUT_FILE;
use crate::neural::decoder::{
    CONFIG, GENERATION, INDEX, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, weight_files,
};
use crate::report::{remove, replace};
use crate::{Error, Result};
use cache::Cache;
use http::{About, Http, Look};
use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// A model of the hub, at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    owner: String,
    name: String,
    revision: String,
}

impl Model {
    /// `id` is OWNER/NAME, `revision` a branch, tag or commit.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else.
    pub fn new(id: &str, revision: &str) -> Result<Self> {
        let plain = |text: &str, more: &str| {
            !text.is_empty()
                && !text.starts_with('.')
                && !text.contains("..")
                && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let (owner, name) = id.split_once('/').unwrap_or_default();
        if !plain(owner, "-_.") || !plain(name, "-_.") {
            let remedy = "give OWNER/NAME, for example HuggingFaceTB/SmolLM2-135M-Instruct";
            return Err(Error::invalid(id, "it names no model of the hub", remedy));
        }
        if !plain(revision, "-_./") || revision.starts_with('/') {
            let remedy = "give a branch, tag or commit, for example main";
            return Err(Error::invalid(revision, "it is no revision", remedy));
        }
        Ok(Self { owner: owner.into(), name: name.into(), revision: revision.into() })
    }
}

/// How far the download of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its name in the model.
    pub file: &'a str,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes in all.
    pub size: u64,
}

/// A hub, and where what it sends is kept.
#[derive(Debug)]
pub struct Hub {
    http: Http,
    home: PathBuf,
}

impl Hub {
    /// As other tools are told: the server is HF_ENDPOINT (`https://huggingface.co`), the cache `hub/` in
    /// HF_HOME (~/.cache/huggingface), the access token HF_TOKEN or the file `token` in HF_HOME.
    ///
    /// # Errors
    /// [`Error::Invalid`] when HF_HOME is not set and there is no home folder.
    pub fn from_env() -> Result<Self> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let home = match set("HF_HOME") {
            Some(home) => PathBuf::from(home),
            None => env::home_dir()
                .map(|home| home.join(".cache/huggingface"))
                .ok_or_else(|| Error::invalid("HF_HOME", "it is not set", "set it to a folder"))?,
        };
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let stored = || fs::read_to_string(home.join("token")).ok();
        let token = set("HF_TOKEN").or_else(stored).map(|token| token.trim().to_owned());
        let http = Http::new(endpoint, token.filter(|token| !token.is_empty()));
        Ok(Self { http, home })
    }

    /// Brings a model into the folder NAME below `models` and returns that folder: the `files` named, or
    /// config.json, the tokenizer with its template and the tokens that end texts, and the safetensors,
    /// one or many. Each file appears complete or not at all; what the cache has is not downloaded
    /// again, and a download that was cut goes on. A file that the model does not have is removed from the
    /// folder, where another model of the same name may have left it.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the address or file: not there, not allowed, cut, damaged, no space, or
    /// a folder that holds a guardrail; [`Error::Io`] for a file that cannot be written.
    pub fn fetch(
        &self,
        model: &Model,
        files: &[String],
        models: &Path,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf> {
        let folder = models.join(&model.name);
        if let Some(file) = files.iter().find(|file| !inside(file)) {
            let remedy = "name a file of the model, for example config.json";
            return Err(Error::invalid(file, "it is no path inside the model", remedy));
        }
        if holds_guardrail(&folder) {
            let remedy = "choose another folder of models (--models)";
            return Err(Error::invalid(
                folder.display().to_string(),
                "it holds a guardrail",
                remedy,
            ));
        }
        let cache = Cache::new(&self.home, model);
        let mut fetch =
            Fetch { http: &self.http, cache, model, revision: None, folder: &folder, watch };
        match files {
            [] => fetch.all()?,
            files => files.iter().try_for_each(|file| fetch.require(file))?,
        }
        Ok(folder)
    }
}

/// One model on its way into its folder.
struct Fetch<'a> {
    http: &'a Http,
    cache: Cache,
    model: &'a Model,
    /// The commit that the server's first answer named: all other files are of the same.
    revision: Option<String>,
    folder: &'a Path,
    watch: &'a mut dyn FnMut(Progress),
}

impl Fetch<'_> {
    fn all(&mut self) -> Result<()> {
        self.require(CONFIG)?;
        self.require(TOKENIZER)?;
        for file in [TOKENIZER_CONFIG, TEMPLATE, GENERATION] {
            self.bring(file, true)?;
        }
        if !self.bring(WEIGHTS, true)? {
            self.require(INDEX)?;
            for file in weight_files(self.folder)? {
                self.require(&file)?;
            }
        }
        Ok(())
    }

    fn address(&self, file: &str) -> String {
        let revision = self.revision.as_ref().unwrap_or(&self.model.revision);
        self.http.address(self.model, revision, file)
    }

    fn require(&mut self, file: &str) -> Result<()> {
        match self.bring(file, false)? {
            true => Ok(()),
            false => Err(Error::invalid(
                self.address(file),
                "there is no such model, revision or file (404)",
                "check the names on the model's page; name its .gguf or safetensors file with --file",
            )),
        }
    }

    /// Brings a file, and says whether the model has it.
    fn bring(&mut self, file: &str, optional: bool) -> Result<bool> {
        let address = self.address(file);
        let kept = match self.http.look(&address)? {
            Look::Missing => {
                if optional {
                    // Another model of this name may have had it.
                    remove(&self.folder.join(file))?;
                }
                return Ok(false);
            }
            Look::Found(About { etag, size, commit }) => {
                let blob = self.cache.blob(&etag);
                if fs::metadata(&blob).is_ok_and(|found| found.len() == size) {
                    (self.watch)(Progress { file, done: size, size });
                } else {
                    let mut tell = |done| (self.watch)(Progress { file, done, size });
                    self.http.download(&address, &blob, &etag, size, &mut tell)?;
                }
                let named = || commit.unwrap_or_else(|| self.model.revision.clone());
                let revision = self.revision.get_or_insert_with(named);
                self.cache.enter(self.model, revision, file, &blob)?;
                blob
            }
            Look::Unreachable(e) => match self.cache.entered(self.model, file) {
                Some(path) => path,
                // The cache alone serves, and what it lacks the model may well not have.
                None if optional && self.revision.is_none() => return Ok(false),
                None => return Err(e),
            },
        };
        let kept = fs::canonicalize(&kept).map_err(|e| Error::io("read", &kept, e))?;
        let target = self.folder.join(file);
        if fs::canonicalize(&target).is_ok_and(|there| there == kept) {
            return Ok(true);
        }
        // A link may lead into the cache, where nothing is to be overwritten.
        if target.is_symlink() {
            fs::remove_file(&target).map_err(|e| Error::io("write", &target, e))?;
        }
        replace(&target, |temporary| {
            fs::hard_link(&kept, temporary).or_else(|_| fs::copy(&kept, temporary).map(drop))
        })?;
        Ok(true)
    }
}

/// Whether the folder holds a guardrail, small or a decoder, whose weights are called what a model's are.
fn holds_guardrail(folder: &Path) -> bool {
    if folder.join(ABOUT_FILE).exists() {
        return true;
    }
    // The key of its settings, which are the first that the file says.
    let key = crate::neural::guardrail::CONFIG.as_bytes();
    let mut start = Vec::new();
    let read = File::open(folder.join(WEIGHTS))
        .and_then(|file| file.take(1 << 16).read_to_end(&mut start));
    read.is_ok() && start.windows(key.len()).any(|part| part == key)
}

/// Whether a name is that of a file in the model's folder or below it.
fn inside(file: &str) -> bool {
    let mut parts = Path::new(file).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}
