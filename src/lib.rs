//! nashguard
#![warn(missing_docs)]

pub mod data;
pub mod dynamics;
pub mod error;
pub mod exploit;
pub mod format;
pub mod game;
pub mod guard;
pub mod matrix;
pub mod metrics;
#[cfg(feature = "neural")]
pub mod neural;
pub mod report;
pub mod simplex;

pub use error::{Error, Result};
pub use game::{BestReply, Game};
