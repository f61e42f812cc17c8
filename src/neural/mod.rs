//! Neural players (candle).

pub mod classifier;
pub mod decoder;
pub mod encoder;
pub mod features;
pub mod finetune;
pub mod guardrail;
mod head;
pub mod loss;
pub mod ops;
pub mod parallel;
mod pieces;
pub mod train;

pub use encoder::Encoder;
pub use guardrail::{Guardrail, GuardrailConfig};
pub use head::HeadConfig;
pub use train::Step;
