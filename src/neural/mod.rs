//! Neural players (candle).

pub mod classifier;
pub mod decoder;
pub mod features;
pub mod finetune;
pub mod guardrail;
pub mod loss;
pub mod ops;
pub mod parallel;
pub mod train;

pub use guardrail::{Guardrail, GuardrailConfig};
pub use train::Step;
