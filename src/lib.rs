//! nashguard
#![warn(missing_docs)]

pub mod data;
pub mod error;
#[cfg(feature = "neural")]
pub mod neural;
pub mod report;

pub use error::{Error, Result};
