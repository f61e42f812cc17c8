//! Learning dynamics on matrix games: each is an [`Update`](crate::dynamics::Update) for
//! [`play`](crate::dynamics::play).
//!
//! An algorithm is written once, for a [`Player`] who sees the payoffs g = A y or g = -A' x of its
//! actions. All but fictitious play are one [`Scheme`] in one [`Geometry`]:
//!
//! | | plain | optimistic | extragradient |
//! | --- | --- | --- | --- |
//! | [`Entropy`] | [`hedge`] | [`optimistic_hedge`] | [`mirror_prox`] |
//! | [`Entropy`] with a magnet | [`magnetic`], [`MovingMagnet`] | | |
//! | [`Euclidean`] | | [`optimistic_gradient`] | [`extragradient`] |
//! | [`Regrets`] | [`regret_matching`], [`regret_matching_plus`] | [`predictive_regret_matching_plus`], [`smooth_predictive_regret_matching_plus`] | [`extragradient_regret_matching_plus`] |
//!
//! - Regret of T rounds: $R_T = \max_i \sum_{t\lt T} g_{t,i} - \sum_{t\lt T} \langle g_t, x_t\rangle$, in
//!   payoff units. With simultaneous play the gap of the averages is at most the sum of both
//!   players' regrets over T (Freund, Schapire 1999).
//! - [`average`] and [`restarted`] act on the rounds, not on the algorithms.
//! - "Range" is max A - min A; a rate is in 1 / payoff.
//!
//! ```
//! use nashguard::dynamics::{Order, play};
//! use nashguard::exploit::{ClosedForm, Exploit};
//! use nashguard::matrix::MatrixGame;
//! use nashguard::matrix::dynamics::{Player, Weights, average, predictive_regret_matching_plus};
//! use nashguard::simplex::Simplex;
//!
//! let game = MatrixGame::new(vec![vec![0.0, -1.0, 2.0], vec![1.0, 0.0, -3.0], vec![-2.0, 3.0, 0.0]])?;
//! let rounds = play(
//!     Simplex::uniform(3)?,
//!     Simplex::uniform(3)?,
//!     Order::Alternating,
//!     predictive_regret_matching_plus(Player::row(&game)),
//!     predictive_regret_matching_plus(Player::column(&game)),
//! );
//! let round = average(rounds, Weights::Quadratic).nth(500).transpose()?;
//! let gap = round.map(|r| ClosedForm.gap(&game, &r.x, &r.y)).transpose()?;
//! assert!(gap.is_some_and(|g| g.width < 1e-3));
//! # Ok::<(), nashguard::Error>(())
//! ```

mod average;
mod fictitious;
mod gradient;
mod hedge;
mod magnetic;
mod player;
mod regret;
mod restart;
mod scheme;

pub(in crate::matrix) use average::Mean;
pub use average::{Weights, average};
pub use fictitious::FictitiousPlay;
pub use gradient::{Euclidean, extragradient, optimistic_gradient};
pub use hedge::{Entropy, hedge, hedge_rate, mirror_prox, optimistic_hedge};
pub use magnetic::{MovingMagnet, magnetic};
pub use player::Player;
pub use regret::{
    Kept, Regrets, extragradient_regret_matching_plus, predictive_regret_matching_plus,
    regret_matching, regret_matching_plus, smooth_predictive_regret_matching_plus, smooth_rate,
};
pub use restart::restarted;
pub use scheme::{Ascent, Geometry, Scheme};
