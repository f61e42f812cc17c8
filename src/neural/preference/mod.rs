//! What moves a generator: texts to imitate, and pairs of which one is preferred.
//!
//! - `levels`: which candidate is preferred to which, from verdicts on them (Algorithm 1 of the paper).
//! - `dpo`: the loss of such pairs, direct preference optimisation (Rafailov et al., 2023), with the paper's
//!   added likelihood, and with a proximal reference.
//! - `tune`: the training of a generator on either.

mod dpo;
mod levels;
mod tune;

pub use dpo::{Dpo, Pair, Preferences, bradley_terry, optimise};
pub use levels::{Level, pairs};
pub(super) use tune::Trial;
pub use tune::{Likelihood, Objective, Passage, Report, Sums, TuneConfig, tune};
