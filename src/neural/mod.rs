//! Neural players (candle).

pub mod encoder;
pub mod features;
pub mod guardrail;
mod head;
pub mod loss;
mod pieces;
pub mod train;

pub use encoder::Encoder;
pub use guardrail::{Guardrail, GuardrailConfig};
pub use head::HeadConfig;
pub use train::Step;
