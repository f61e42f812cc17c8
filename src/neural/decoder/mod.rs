//! One decoder for the Llama, Qwen2 and Gemma 3 families.
//!
//! - `config`: what distinguishes the models.
//! - `weights`, `blocks`, `kernel`: named tensors, dense or quantised, and the product of the latter.
//! - `model`, `batch`, `cache`: the computation, for sequences of different lengths.
//! - `files`, `gguf`, `alignment`: models on disk.
//! - `tokenizer`, `trim`: texts to ids, and fewer of these.
//!
//! ```no_run
//! use candle_core::{DType, Device};
//! use nashguard::neural::decoder::{Batch, Decoder, Numbers, Tokenizer};
//!
//! let tokenizer = Tokenizer::load("SmolLM2-135M")?;
//! let decoder = Decoder::load("SmolLM2-135M", Numbers::Dense(DType::F32), &Device::Cpu)?;
//! let batch = Batch::new(&[tokenizer.encode("Hello")?, tokenizer.encode("How are you?")?])?;
//! let states = decoder.states(&batch, &batch.last())?; // (2, hidden)
//! let logits = decoder.logits(&states)?; // (2, vocabulary)
//! # Ok::<(), nashguard::Error>(())
//! ```

mod alignment;
mod batch;
mod blocks;
mod cache;
pub mod config;
mod files;
mod gguf;
mod kernel;
mod model;
mod tokenizer;
mod trim;
mod weights;

pub use batch::Batch;
pub use blocks::Blocks;
pub use cache::Cache;
pub use config::{Config, Family};
pub use files::present;
pub(crate) use files::{CONFIG, GENERATION, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG};
#[cfg(feature = "hub")]
pub(crate) use files::{INDEX, WEIGHTS, weight_files};
pub use model::Decoder;
pub use tokenizer::Tokenizer;
pub use trim::trimmed;
pub use weights::{Numbers, Weight, Weights};
