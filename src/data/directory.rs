//! A folder of data on disk: benchmarks, and seeds where it has them.

use super::{
    Benchmark, BenchmarkRows, Language, Origin, Row, Seeds, read_seed_file, read_seed_origins,
};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// A folder of data in one of two layouts:
///
/// - `benchmarks/eval_data_En/...` and `seed/{train,validation}.jsonl.gz`;
/// - `eval_data_En/...` alone: the `evaluation` folder of the paper's repository.
#[derive(Clone, Debug)]
pub struct DataDir {
    /// Holds the `eval_data_*` folders.
    benchmarks: PathBuf,
    /// Holds the seed files.
    seed: Option<PathBuf>,
}

impl DataDir {
    /// Recognises the layout of the folder at `path` by any language's folder; a missing file is an
    /// error when it is asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] saying what was looked for when it is neither layout.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let holds_benchmarks =
            |folder: &Path| Language::ALL.iter().any(|&l| folder.join(language_folder(l)).is_dir());
        let benchmarks = path.join("benchmarks");
        if holds_benchmarks(&benchmarks) {
            let seed = path.join("seed");
            return Ok(Self { benchmarks, seed: seed.is_dir().then_some(seed) });
        }
        if holds_benchmarks(path) {
            return Ok(Self { benchmarks: path.to_path_buf(), seed: None });
        }
        Err(Error::invalid(
            path.display().to_string(),
            "it holds neither benchmarks/eval_data_En nor eval_data_En (nor Fr, Es, De)",
            "give the data folder, or the evaluation folder of a clone of the paper's repository",
        ))
    }

    /// The seed rows, or `None` when the layout has no seed folder.
    ///
    /// # Errors
    /// Those of [`read_seed_file`].
    pub fn seeds(&self) -> Result<Option<Seeds>> {
        let Some(folder) = &self.seed else { return Ok(None) };
        Ok(Some(Seeds {
            train: read_seed_file(folder.join("train.jsonl.gz"))?,
            validation: read_seed_file(folder.join("validation.jsonl.gz"))?,
        }))
    }

    /// Rough translations of the seed rows to train on, translated.jsonl.gz beside their folder, as
    /// experiments/guardrail/translate.py makes them; `None` where there are none.
    ///
    /// # Errors
    /// Those of [`read_seed_file`].
    pub fn translations(&self) -> Result<Option<Vec<Row>>> {
        let Some(root) = self.seed.as_ref().and_then(|seed| seed.parent()) else { return Ok(None) };
        let path = root.join("translated.jsonl.gz");
        path.is_file().then(|| read_seed_file(path)).transpose()
    }

    /// The seed rows to train on and those to validate with, each with where it comes from; `None` when the
    /// layout has no seed folder.
    ///
    /// # Errors
    /// Those of [`read_seed_origins`].
    #[allow(clippy::type_complexity)] // two lists of the same
    pub fn seed_origins(&self) -> Result<Option<[Vec<(Row, Origin)>; 2]>> {
        let Some(folder) = &self.seed else { return Ok(None) };
        let read = |name: &str| read_seed_origins(folder.join(name));
        Ok(Some([read("train.jsonl.gz")?, read("validation.jsonl.gz")?]))
    }

    /// One benchmark in one language.
    ///
    /// # Errors
    /// Those of [`Benchmark::read`].
    pub fn benchmark(&self, benchmark: Benchmark, language: Language) -> Result<BenchmarkRows> {
        let folder = self.benchmarks.join(language_folder(language));
        benchmark.read(language, folder.join(benchmark.file()))
    }
}

/// The released name of a language's folder.
fn language_folder(language: Language) -> &'static str {
    match language {
        Language::En => "eval_data_En",
        Language::Fr => "eval_data_Fr",
        Language::Es => "eval_data_Es",
        Language::De => "eval_data_De",
    }
}
