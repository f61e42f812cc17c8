//! Neural players (candle).

pub mod features;
pub mod guardrail;
pub mod loss;
pub mod train;

pub use guardrail::{Guardrail, GuardrailConfig};
pub use train::Step;
