//! Random small extensive games, and their payoff straight from the tree.
#![allow(dead_code)] // Every test file uses its own part of this module.

use nashguard::extensive::{ExtensiveGame, Move, Outcome, Player, SequenceForm, Tree, Turn};
use nashguard::scalar::Rational;
use nashguard::simplex::Simplex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Everything is drawn from `seed` by hashing: who moves at each depth and who sees it, how many
/// actions a player has (by what it knows), where the game ends and what it pays.
#[derive(Clone, Debug)]
pub struct RandomGame {
    pub depth: usize,
    pub seed: u64,
}

#[derive(Clone, Default)]
pub struct State {
    history: Vec<usize>,
    /// What each player knows: its own moves and those shown to it.
    known: [String; 2],
}

impl RandomGame {
    fn draw(&self, what: impl Hash) -> usize {
        let mut hasher = DefaultHasher::new();
        (self.seed, what).hash(&mut hasher);
        (hasher.finish() >> 8) as usize
    }

    fn after(&self, state: &State, mover: Option<Player>, action: usize) -> State {
        let mut next = state.clone();
        let depth = next.history.len();
        next.history.push(action);
        for player in [Player::Max, Player::Min] {
            let shown =
                mover == Some(player) || self.draw(("shown", depth, player)).is_multiple_of(2);
            let mark = if shown { action.to_string() } else { "-".into() };
            next.known[player as usize].push_str(&mark);
        }
        next
    }

    pub fn tree(&self) -> Tree {
        Tree::new(self).unwrap()
    }

    pub fn form(&self) -> SequenceForm<Rational> {
        SequenceForm::new(&self.tree())
    }
}

impl ExtensiveGame for RandomGame {
    type State = State;

    fn root(&self) -> State {
        State { known: ["at".into(), "at".into()], ..State::default() }
    }

    fn turn(&self, state: &State) -> Turn<State> {
        let depth = state.history.len();
        if depth == self.depth || self.draw(("end", &state.history)).is_multiple_of(8) {
            let pay = self.draw(("pay", &state.history)) % 13;
            return Turn::Terminal(Rational::from(pay as i64 - 6) / Rational::from(1 + pay % 3));
        }
        let player = match self.draw(("mover", depth)) % 4 {
            0 => {
                let count = 1 + self.draw(("falls", &state.history)) % 3;
                let weights: Vec<usize> =
                    (0..count).map(|k| 1 + self.draw(("weight", &state.history, k)) % 4).collect();
                let total = Rational::from(weights.iter().sum::<usize>());
                let fall = |(k, weight): (usize, &usize)| Outcome {
                    name: format!("\"{k}\\"),
                    probability: Rational::from(*weight) / &total,
                    next: self.after(state, None, k),
                };
                return Turn::Chance(weights.iter().enumerate().map(fall).collect());
            }
            1 => Player::Max,
            2 => Player::Min,
            _ => [Player::Max, Player::Min][depth % 2],
        };
        let information = state.known[player as usize].clone();
        let count = 1 + self.draw(("actions", player, &information)) % 3;
        let action = |k: usize| (format!("a{k}"), self.after(state, Some(player), k));
        Turn::Decision { player, information, actions: (0..count).map(action).collect() }
    }
}

/// One distribution an information set.
pub type Behaviour = Vec<Simplex<Rational>>;

/// A random behaviour strategy; a third of its weights are 0.
pub fn behaviour(tree: &Tree, player: Player, seed: u64) -> Behaviour {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let distribution = |actions: usize| {
        let mut weights: Vec<i64> = (0..actions).map(|_| rng.random_range(-2..5).max(0)).collect();
        weights[rng.random_range(0..actions)] += 1;
        let total: Rational = weights.iter().sum::<i64>().into();
        Simplex::new(weights.into_iter().map(|w| Rational::from(w) / &total).collect()).unwrap()
    };
    let sets = tree.side(player).information_sets();
    sets.iter().map(|set| set.actions.len()).map(distribution).collect()
}

/// Every pure behaviour strategy, or none when there are more than `most`.
pub fn pure(tree: &Tree, player: Player, most: usize) -> Option<Vec<Behaviour>> {
    let mut all: Vec<Behaviour> = vec![Vec::new()];
    for set in tree.side(player).information_sets() {
        let count = set.actions.len();
        if all.len() * count > most {
            return None;
        }
        let with = |before: &Behaviour, k: usize| {
            let mut longer = before.clone();
            longer.push(Simplex::vertex(k, count).unwrap());
            longer
        };
        all = all.iter().flat_map(|b| (0..count).map(move |k| with(b, k))).collect();
    }
    Some(all)
}

/// The expected payoff, summed over the tree's ends.
pub fn expected(tree: &Tree, max: &Behaviour, min: &Behaviour) -> Rational {
    let mut reach: Vec<Rational> = Vec::new();
    let mut sum = Rational::ZERO;
    for (k, node) in tree.nodes().iter().enumerate() {
        let probability = match &tree.nodes()[node.parent].turn {
            _ if k == 0 => Rational::ONE,
            Move::Chance(outcomes) => &reach[node.parent] * &outcomes[node.branch].1,
            Move::Decision { player, information_set } => {
                let behaviour = [max, min][*player as usize];
                &reach[node.parent] * &behaviour[*information_set].as_slice()[node.branch]
            }
            Move::Terminal(_) => panic!("an end has no children"),
        };
        if let Move::Terminal(payoff) = &node.turn {
            sum += &probability * payoff;
        }
        reach.push(probability);
    }
    sum
}

/// A game made of one function from the history of moves to the turn; moves are digits.
pub struct Rules<F>(pub F);

impl<F: Fn(&str) -> Turn<String>> ExtensiveGame for Rules<F> {
    type State = String;
    fn root(&self) -> String {
        String::new()
    }
    fn turn(&self, history: &String) -> Turn<String> {
        self.0(history)
    }
}

/// A turn of `player` with that many actions.
pub fn decision(player: Player, information: &str, actions: usize, history: &str) -> Turn<String> {
    let action = |k| (format!("{k}"), format!("{history}{k}"));
    Turn::Decision {
        player,
        information: information.into(),
        actions: (0..actions).map(action).collect(),
    }
}
