//! Extensive-form games: two players, zero-sum, perfect recall, chance in exact probabilities.
//!
//! ```text
//! rules                 the finite game    per player              a matrix game of plans
//! ExtensiveGame, .efg -> Tree           -> Treeplex, Plan       -> SequenceForm -> LP, CFR, best replies
//! ```
//!
//! A strategy is a [`Plan`]: for every sequence of its owner's moves, the probability with which the
//! owner plays it. The payoff is then x' A y with a sparse A, and best replies are found exactly by
//! backward induction, so that [`ClosedForm`](crate::exploit::ClosedForm) prints the exact gap.

pub mod cfr;
pub mod efg;
mod game;
mod sequence;
mod solve;
mod tree;
mod treeplex;

pub use game::{ExtensiveGame, Outcome, Player, Turn};
pub use sequence::SequenceForm;
pub use solve::{Solution, solve, solve_exact};
pub use tree::{MAX_NODES, Move, Node, Tree};
pub use treeplex::{InformationSet, Plan, Treeplex};
