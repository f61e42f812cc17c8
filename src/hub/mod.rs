//! Models fetched from the Hugging Face hub or a mirror of it.
//!
//! - `http`: what the server says and sends. - `cache`: the folder that other tools share.
//!
//! A file is downloaded into the cache, where it is resumed, checked and renamed, and stands in the folder
//! of models as a second name of the same bytes (a copy on another disk).

mod cache;
mod http;

use crate::neural::decoder::{CONFIG, INDEX, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, weight_files};
use crate::report::replace;
use crate::{Error, Result};
use cache::Cache;
use http::{About, Http, Look};
use std::env;
use std::fs;
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
    /// config.json, the tokenizer and the safetensors, one or many. Each file appears complete or not at
    /// all; what the cache has is not downloaded again, and a download that was cut goes on.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the address or file: not there, not allowed, cut, damaged, no space;
    /// [`Error::Io`] for a file that cannot be written.
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
        for file in files {
            self.require(model, file, &folder, watch)?;
        }
        if !files.is_empty() {
            return Ok(folder);
        }
        self.require(model, CONFIG, &folder, watch)?;
        self.require(model, TOKENIZER, &folder, watch)?;
        self.bring(model, TOKENIZER_CONFIG, &folder, watch)?;
        if !self.bring(model, WEIGHTS, &folder, watch)? {
            self.require(model, INDEX, &folder, watch)?;
            for file in weight_files(&folder)? {
                self.require(model, &file, &folder, watch)?;
            }
        }
        Ok(folder)
    }

    fn require(
        &self,
        model: &Model,
        file: &str,
        folder: &Path,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        match self.bring(model, file, folder, watch)? {
            true => Ok(()),
            false => Err(Error::invalid(
                self.http.address(model, file),
                "there is no such model, revision or file (404)",
                "check the names on the model's page; name its .gguf or safetensors file with --file",
            )),
        }
    }

    /// Brings a file, and says whether the model has it.
    fn bring(
        &self,
        model: &Model,
        file: &str,
        folder: &Path,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<bool> {
        let cache = Cache::new(&self.home, model);
        let address = self.http.address(model, file);
        let kept = match self.http.look(&address)? {
            Look::Missing => return Ok(false),
            Look::Found(about) => {
                let blob = cache.blob(&about.etag);
                if fs::metadata(&blob).is_ok_and(|found| found.len() == about.size) {
                    watch(Progress { file, done: about.size, size: about.size });
                } else {
                    let About { etag, size, .. } = &about;
                    let mut tell = |done| watch(Progress { file, done, size: *size });
                    self.http.download(&address, &blob, etag, *size, &mut tell)?;
                }
                cache.enter(model, &about, file, &blob)?;
                blob
            }
            Look::Unreachable(e) => cache.entered(model, file).ok_or(e)?,
        };
        let kept = fs::canonicalize(&kept).map_err(|e| Error::io("read", &kept, e))?;
        replace(&folder.join(file), |temporary| {
            fs::hard_link(&kept, temporary).or_else(|_| fs::copy(&kept, temporary).map(drop))
        })?;
        Ok(true)
    }
}

/// Whether a name is that of a file in the model's folder or below it.
fn inside(file: &str) -> bool {
    let mut parts = Path::new(file).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}
