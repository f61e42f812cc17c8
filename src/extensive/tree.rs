//! The finite game itself, in flat arrays: nodes in depth-first order, the root first.

use super::game::{ExtensiveGame, Outcome, Player, Turn};
use super::treeplex::Treeplex;
use crate::scalar::Rational;
use crate::{Error, Result};
use std::collections::HashMap;

/// The most nodes a tree may have, so that an endless game ends in an error and not with the memory;
/// a node takes about a hundred bytes.
pub const MAX_NODES: usize = 5_000_000;

/// A node of a [`Tree`].
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The node before it; the root's is itself.
    pub parent: usize,
    /// Which of the parent's moves leads here.
    pub branch: usize,
    /// Max's and Min's sequences when the node is reached (see [`Treeplex`]).
    pub sequences: [usize; 2],
    /// What happens here.
    pub turn: Move,
}

/// What happens at a [`Node`].
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    /// The end; Min pays Max this much.
    Terminal(Rational),
    /// A chance move: the outcomes by name and probability.
    Chance(Vec<(String, Rational)>),
    /// A player's move.
    Decision {
        /// Who.
        player: Player,
        /// The information set, in that player's [`Treeplex`].
        information_set: usize,
    },
}

/// A finite two-player zero-sum game with perfect recall.
///
/// Nodes stand in depth-first order, so that parents come before children and one pass forwards or
/// backwards sees the whole game without recursion.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
    sides: [Treeplex; 2],
}

impl Tree {
    /// Plays `game` through, up to [`MAX_NODES`] nodes.
    ///
    /// # Errors
    /// [`Error::Invalid`] when chance probabilities are negative or do not sum to exactly 1, a node
    /// has no move, nodes of one information set differ in their actions, a player forgets what it
    /// knew or did (the message names the set), or the game has too many nodes.
    pub fn new<G: ExtensiveGame>(game: &G) -> Result<Self> {
        Self::with_limit(game, MAX_NODES)
    }

    /// As [`Tree::new`], up to `limit` nodes.
    ///
    /// # Errors
    /// As [`Tree::new`].
    pub fn with_limit<G: ExtensiveGame>(game: &G, limit: usize) -> Result<Self> {
        let mut tree = Self::default();
        let mut sets = HashMap::new();
        // States still to visit, the next one last, with the move that led to each.
        let mut open = vec![(game.root(), None)];
        while let Some((state, from)) = open.pop() {
            let mut follow = Vec::new();
            let turn = match game.turn(&state) {
                Turn::Terminal(payoff) => Move::Terminal(payoff),
                Turn::Chance(outcomes) => {
                    let mut falls = Vec::with_capacity(outcomes.len());
                    for Outcome { name, probability, next } in outcomes {
                        falls.push((name, probability));
                        follow.push(next);
                    }
                    Move::Chance(falls)
                }
                Turn::Decision { player, information, actions } => {
                    let (names, next): (Vec<_>, Vec<_>) = actions.into_iter().unzip();
                    follow = next;
                    let information_set = match sets.get(&(player, information.clone())) {
                        Some(&set) => {
                            tree.check_actions(player, set, &names)?;
                            set
                        }
                        None => {
                            let set = tree.add_set(player, information.clone(), names, from)?;
                            sets.insert((player, information), set);
                            set
                        }
                    };
                    Move::Decision { player, information_set }
                }
            };
            if tree.nodes.len() + open.len() + follow.len() >= limit {
                return Err(Error::invalid(
                    "game",
                    format!("it has more than {limit} nodes"),
                    "make it smaller, or end it sooner",
                ));
            }
            let node = tree.push(from, turn)?;
            let follow = follow.into_iter().enumerate().rev();
            open.extend(follow.map(|(branch, state)| (state, Some((node, branch)))));
        }
        Ok(tree)
    }

    /// The nodes, depth first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A player's sequences and information sets.
    pub fn side(&self, player: Player) -> &Treeplex {
        &self.sides[player as usize]
    }

    /// The players' sequences after the move `from` = (node, branch).
    fn sequences_after(&self, from: Option<(usize, usize)>) -> [usize; 2] {
        let Some((node, branch)) = from else { return [0; 2] };
        let Node { mut sequences, ref turn, .. } = self.nodes[node];
        if let Move::Decision { player, information_set } = *turn {
            let set = &self.side(player).information_sets()[information_set];
            sequences[player as usize] = set.first + branch;
        }
        sequences
    }

    /// A new information set of `player`, met first after the move `from`.
    pub(super) fn add_set(
        &mut self,
        player: Player,
        name: String,
        actions: Vec<String>,
        from: Option<(usize, usize)>,
    ) -> Result<usize> {
        if actions.is_empty() {
            return Err(Error::invalid(
                place(player, &name),
                "there is no action",
                "give at least one, or end the game before",
            ));
        }
        let parent = self.sequences_after(from)[player as usize];
        Ok(self.sides[player as usize].push(name, actions, parent))
    }

    /// Checks that a set met again has the same actions.
    pub(super) fn check_actions(
        &self,
        player: Player,
        information_set: usize,
        actions: &[String],
    ) -> Result<()> {
        let set = &self.side(player).information_sets()[information_set];
        if set.actions == actions {
            return Ok(());
        }
        Err(Error::invalid(
            place(player, &set.name),
            format!("its actions are {:?} at one node and {actions:?} at another", set.actions),
            "give nodes that differ in their actions different information sets",
        ))
    }

    /// Adds the node that the move `from` leads to.
    pub(super) fn push(&mut self, from: Option<(usize, usize)>, turn: Move) -> Result<usize> {
        let sequences = self.sequences_after(from);
        match &turn {
            Move::Terminal(_) => {}
            Move::Chance(outcomes) => check_chance(outcomes)?,
            Move::Decision { player, information_set } => {
                let set = &self.side(*player).information_sets()[*information_set];
                if set.parent != sequences[*player as usize] {
                    return Err(Error::invalid(
                        place(*player, &set.name),
                        "the player reaches it by different moves of its own, so it has forgotten some (imperfect recall)",
                        "split the set by what the player has seen and done",
                    ));
                }
            }
        }
        let node = self.nodes.len();
        let (parent, branch) = from.unwrap_or((node, 0));
        self.nodes.push(Node { parent, branch, sequences, turn });
        Ok(node)
    }
}

fn place(player: Player, set: &str) -> String {
    format!("information set {set:?} of {player}")
}

fn check_chance(outcomes: &[(String, Rational)]) -> Result<()> {
    if let Some((name, p)) = outcomes.iter().find(|(_, p)| *p < Rational::ZERO) {
        return Err(Error::invalid(
            format!("chance outcome {name:?}"),
            format!("{p} is not a probability"),
            "give a number that is not negative",
        ));
    }
    let sum = outcomes.iter().fold(Rational::ZERO, |sum, (_, p)| sum + p);
    if sum.is_one() {
        return Ok(());
    }
    let names: Vec<&str> = outcomes.iter().map(|(name, _)| name.as_str()).collect();
    Err(Error::invalid(
        format!("chance move {names:?}"),
        format!("the probabilities sum to {sum}, not to 1"),
        "divide each by the sum",
    ))
}
