//! The rules of an extensive-form game, as a function from states to turns.

use crate::scalar::Rational;
use std::fmt;

/// Who moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Player {
    /// Raises the payoff; player 1 of a file.
    Max,
    /// Lowers it; player 2 of a file.
    Min,
}

impl fmt::Display for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Max => "Max",
            Self::Min => "Min",
        })
    }
}

/// One way a chance move may fall.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<S> {
    /// What falls, for example a card.
    pub name: String,
    /// Its probability.
    pub probability: Rational,
    /// The state it leads to.
    pub next: S,
}

/// What happens in a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn<S> {
    /// The game is over; Min pays Max this much.
    Terminal(Rational),
    /// Chance moves.
    Chance(Vec<Outcome<S>>),
    /// A player moves.
    Decision {
        /// Who.
        player: Player,
        /// All the player knows: equal strings are one information set of that player.
        information: String,
        /// The moves by name, each with the state it leads to.
        actions: Vec<(String, S)>,
    },
}

/// A finite two-player zero-sum game with perfect recall, by its rules.
///
/// ```
/// use nashguard::extensive::{ExtensiveGame, Player, Tree, Turn};
///
/// /// Matching pennies, one move after the other and the first one hidden.
/// struct Pennies;
/// impl ExtensiveGame for Pennies {
///     type State = Vec<usize>;
///     fn root(&self) -> Self::State {
///         Vec::new()
///     }
///     fn turn(&self, shown: &Self::State) -> Turn<Self::State> {
///         let player = match shown[..] {
///             [] => Player::Max,
///             [_] => Player::Min,
///             _ => return Turn::Terminal(if shown[0] == shown[1] { 1 } else { -1 }.into()),
///         };
///         let with = |side| [&shown[..], &[side]].concat();
///         let actions = vec![("heads".into(), with(0)), ("tails".into(), with(1))];
///         Turn::Decision { player, information: "to move".into(), actions }
///     }
/// }
/// assert_eq!(Tree::new(&Pennies)?.nodes().len(), 7);
/// # Ok::<(), nashguard::Error>(())
/// ```
pub trait ExtensiveGame {
    /// A history, or as much of it as the rules need.
    type State;

    /// Where the game starts.
    fn root(&self) -> Self::State;

    /// What happens in `state`.
    fn turn(&self, state: &Self::State) -> Turn<Self::State>;
}
