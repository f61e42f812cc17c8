//! The generator-classifier game on a finite set of texts (Definition 1 of `theory/convergence.md`).
//!
//! The generator (Max) rewrites every labelled seed into a law over texts, staying close to a
//! reference; the classifier (Min) guesses the label from the text:
//!
//! $$F(p,q) = \sum_i \rho_i \Big[\sum_z p_i(z)\,(-\log q(y_i|z)) - \beta\,\mathrm{KL}(p_i\|r_i)\Big]$$
//!
//! - [`GuardGame`]: the data of the game, its payoff, both best replies, values, exact gap.
//! - [`Generator`], [`Classifier`]: the players' tables, in log space.
//! - [`Law`], [`Loss`]: the players as their opponent may see them; networks implement the same two.
//! - [`proximal`]: the (tau, beta) family of dynamics; [`solve()`]: the exact solver.
//! - [`spectrum()`]: predicted local rates; [`paper`]: the constants of the paper's theorem.

mod game;
mod law;
pub mod paper;
pub mod proximal;
mod random;
mod solve;
mod spectrum;
mod tables;

pub use game::{Anchor, ExactGap, GuardGame, Seed};
pub use law::{Draws, Law, Loss, Sample, Table, Weighed, payoff, tabulate, tabulate_loss};
pub use random::random_game;
pub use solve::{Iterate, Solution, solve, solve_with};
pub use spectrum::{Spectrum, spectrum};
pub use tables::{Classifier, Generator};
