//! Neural players (candle).

pub mod classifier;
pub mod decoder;
mod device;
pub mod encoder;
mod ensemble;
pub mod features;
pub mod finetune;
pub mod generator;
pub mod guardrail;
mod head;
pub mod loss;
pub mod ops;
pub mod parallel;
mod passages;
mod pieces;
pub mod preference;
pub mod rounds;
mod thin;
pub mod train;

pub use device::{device, name as device_name};
pub use encoder::Encoder;
pub use ensemble::Ensemble;
pub use guardrail::{Guardrail, GuardrailConfig};
pub use head::HeadConfig;
pub use passages::{largest, passages};
pub use train::Step;

/// Teaches glibc's allocator to keep the blocks that each step frees, up to 30 MiB each, instead of
/// returning them to the system, which must clear them again: a fifth to a third of a training step.
pub(crate) fn keep_freed_memory() {
    // What counts is that a block of this size was freed once.
    drop(std::hint::black_box(Vec::<u8>::with_capacity(30 << 20)));
}
