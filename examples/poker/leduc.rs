//! Leduc hold'em: six cards, two rounds. Southey et al., Bayes' bluff: opponent modelling in poker,
//! 2005; the rules as in OpenSpiel's `leduc_poker`, whose value to the first player is -0.0856064...
//!
//! Jack, queen and king in two suits. Both pay an ante of 1 and get a card; a betting round with
//! raises of 2; a public card; a betting round with raises of 4. Max speaks first in both rounds, and
//! a round has at most two raises. A pair with the public card wins, else the higher card; equal
//! ranks share.

use nashguard::extensive::{ExtensiveGame, Outcome, Player, Turn};
use nashguard::scalar::Rational;

/// Two cards of each rank, in order.
const CARDS: [&str; 6] = ["J1", "J2", "Q1", "Q2", "K1", "K2"];
const RAISES: [i64; 2] = [2, 4];

/// The rules.
pub struct Leduc;

/// A history: the cards dealt (Max's, Min's, the public one) and the betting.
#[derive(Clone)]
pub struct State {
    cards: Vec<usize>,
    /// What each player has paid.
    paid: [i64; 2],
    /// The moves of each round: `c` for call or check, `r` for raise.
    rounds: [String; 2],
    folded: Option<Player>,
}

impl State {
    /// The round being played, 0 or 1.
    fn round(&self) -> usize {
        self.cards.len().saturating_sub(2).min(1)
    }

    /// Whether the round's betting is over: a call after the first move.
    fn settled(&self) -> bool {
        let moves = &self.rounds[self.round()];
        moves.len() > 1 && moves.ends_with('c')
    }

    fn deal(&self) -> Turn<Self> {
        let left: Vec<usize> = (0..CARDS.len()).filter(|card| !self.cards.contains(card)).collect();
        let outcome = |&card: &usize| Outcome {
            name: CARDS[card].into(),
            probability: Rational::from(1) / Rational::from(left.len()),
            next: Self { cards: [&self.cards[..], &[card]].concat(), ..self.clone() },
        };
        Turn::Chance(left.iter().map(outcome).collect())
    }

    fn bet(&self) -> Turn<Self> {
        let round = self.round();
        let moves = &self.rounds[round];
        let (player, me) =
            if moves.len().is_multiple_of(2) { (Player::Max, 0) } else { (Player::Min, 1) };
        let owed = self.paid[1 - me];
        let after = |name: char, paid: i64| {
            let mut next = self.clone();
            next.paid[me] = paid;
            next.rounds[round].push(name);
            next
        };
        let mut actions = Vec::new();
        if owed > self.paid[me] {
            actions.push(("fold".into(), Self { folded: Some(player), ..self.clone() }));
        }
        actions.push(("call".into(), after('c', owed)));
        if moves.matches('r').count() < 2 {
            actions.push(("raise".into(), after('r', owed + RAISES[round])));
        }
        let public = self.cards.get(2).map_or(String::new(), |&card| format!(" {}", CARDS[card]));
        let information =
            format!("{}{public} {}/{}", CARDS[self.cards[me]], self.rounds[0], self.rounds[1]);
        Turn::Decision { player, information, actions }
    }

    fn showdown(&self) -> Turn<Self> {
        let strength = |player: usize| {
            let rank = self.cards[player] / 2;
            (rank == self.cards[2] / 2, rank)
        };
        let won = match strength(0).cmp(&strength(1)) {
            std::cmp::Ordering::Less => -self.paid[0],
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => self.paid[1],
        };
        Turn::Terminal(won.into())
    }
}

impl ExtensiveGame for Leduc {
    type State = State;

    fn root(&self) -> State {
        State { cards: Vec::new(), paid: [1, 1], rounds: Default::default(), folded: None }
    }

    fn turn(&self, state: &State) -> Turn<State> {
        match (state.folded, state.cards.len()) {
            (Some(Player::Max), _) => Turn::Terminal((-state.paid[0]).into()),
            (Some(Player::Min), _) => Turn::Terminal(state.paid[1].into()),
            (None, 0 | 1) => state.deal(),
            (None, 2) if state.settled() => state.deal(),
            (None, 3) if state.settled() => state.showdown(),
            _ => state.bet(),
        }
    }
}
