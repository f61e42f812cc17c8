//! Exact game theory for safety guardrails, and the neural players of the same game.
//!
//! A generator rewrites labelled seeds into hard texts, a classifier guesses the label from the
//! text; what the classifier loses (less a price for straying from a reference) the generator
//! gains. Data flows one way:
//!
//! ```text
//! game  ->  play        ->  gap          ->  results       ->  tables, figures
//! guard     dynamics        exploit          report            report::plot
//! matrix    proximal        certificate      experiments/      figures/
//! extensive solve
//! ```
//!
//! - [`game`], [`dynamics`], [`exploit`]: the vocabulary. A [`Game`] has a payoff, a [`BestReply`]
//!   game closed-form inner problems; an [`Update`](dynamics::Update) is one player's turn,
//!   [`play`](dynamics::play) the iterator of rounds; a [`Gap`](exploit::Gap) is never halved.
//! - [`guard`]: the generator-classifier game on finite sets, solved exactly.
//! - [`matrix`]: x' A y over f64 and exact rationals, solved either way; learning dynamics; KL terms.
//! - [`extensive`]: games of moves, chance and hidden information, solved either way; CFR.
//! - [`certificate`], [`interval`]: what a solution guarantees, checked without any solver.
//! - `neural`: the guardrail as a network (feature `neural`).
//! - [`data`], [`metrics`], [`mod@format`], [`report`]: texts, scores, game files, results.
//!
//! Theorem numbers refer to `theory/convergence.md`, symbols to `theory/notation.md`; names such as
//! `theorem_A` to their machine-checked statements in `proofs/Main.v` (Coq).
//!
//! ```
//! use nashguard::dynamics::Order;
//! use nashguard::guard::{Generator, GuardGame, Seed, proximal, solve};
//!
//! let seeds = vec![
//!     Seed { label: 0, weight: 0.5, reference: vec![0.9, 0.1] },
//!     Seed { label: 1, weight: 0.5, reference: vec![0.2, 0.8] },
//! ];
//! let game = GuardGame::new(2, seeds, 0.1)?;
//! let star = solve(&game, 1e-12)?.p;
//! let after = |tau: f64, rounds: usize| {
//!     let run = proximal::run(&game, tau, Order::Alternating, Generator::reference(&game))?;
//!     let last = run.take(rounds + 1).last().transpose()?;
//!     last.map(|round| game.divergence(&star, &round.x)).transpose()
//! };
//! // The paper's iteration (tau = 0) runs away at beta = 0.1; tau = 1 converges (Theorem A).
//! assert!(after(0.0, 10)? > after(0.0, 0)?);
//! assert!(after(1.0, 200)? < Some(1e-12));
//! # Ok::<(), nashguard::Error>(())
//! ```
#![warn(missing_docs)]

pub mod certificate;
pub mod data;
pub mod dynamics;
pub mod error;
pub mod exploit;
pub mod extensive;
pub mod format;
pub mod game;
pub mod guard;
#[cfg(feature = "hub")]
pub mod hub;
pub mod interval;
mod json;
pub(crate) mod lp;
pub mod matrix;
pub mod metrics;
#[cfg(feature = "neural")]
pub mod neural;
pub mod report;
pub mod scalar;
pub mod simplex;
pub mod sparse;

pub use error::{Error, Result};
pub use game::{BestReply, Game};
