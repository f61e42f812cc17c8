//! Training of a [`Classifier`](super::classifier::Classifier) from a pre-trained decoder.
//!
//! - `config`: the settings. - `selection`: which rows. - `batches`: rows in batches.
//! - `activations`: what frozen layers compute, kept. - `adamw`: the optimiser.
//! - `checkpoint`: the state on disk. - `run`: the loop.

mod activations;
mod adamw;
mod batches;
pub(super) mod checkpoint;
mod config;
mod run;
mod selection;

pub use adamw::{AdamW, Gradients, added};
pub use batches::{by_length, row_weights};
pub(super) use batches::{epoch, shared};
pub(super) use checkpoint::State;
pub(super) use config::rate;
pub use config::{Cache, FinetuneConfig, Lora, Loss, Trained};
pub use run::{Event, Place, Validation, finetune, finetune_from};
pub(super) use run::{Metrics, Trial};
pub use selection::{Selected, Selection};

/// The layer that a weight or adapter of this name belongs to.
pub(super) fn layer_of(name: &str) -> Option<usize> {
    name.strip_prefix("model.layers.")?.split('.').next()?.parse().ok()
}
