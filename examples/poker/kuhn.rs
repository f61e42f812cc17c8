//! Kuhn poker: three cards, one bet. Kuhn, A simplified two-person poker, 1950.
//!
//! Both pay an ante of 1 and get one of jack, queen and king. Max passes or bets 1; after a bet the
//! other passes (folds) or bets (calls); after two passes, and after a call, the higher card wins.

use nashguard::extensive::{ExtensiveGame, Outcome, Player, Turn};
use nashguard::scalar::Rational;

const CARDS: [&str; 3] = ["J", "Q", "K"];

/// The rules.
pub struct Kuhn;

/// The cards dealt (Max's first) and the moves made, `p` or `b` each.
#[derive(Clone, Default)]
pub struct State {
    cards: Vec<usize>,
    moves: String,
}

impl ExtensiveGame for Kuhn {
    type State = State;

    fn root(&self) -> State {
        State::default()
    }

    fn turn(&self, state: &State) -> Turn<State> {
        let State { cards, moves } = state;
        let &[max, min] = &cards[..] else {
            let left: Vec<usize> = (0..CARDS.len()).filter(|card| !cards.contains(card)).collect();
            let deal = |&card: &usize| Outcome {
                name: CARDS[card].into(),
                probability: Rational::from(1) / Rational::from(left.len()),
                next: State { cards: [&cards[..], &[card]].concat(), moves: String::new() },
            };
            return Turn::Chance(left.iter().map(deal).collect());
        };
        let showdown = if max > min { 1 } else { -1 };
        let won = match moves.as_str() {
            "pp" => showdown,
            "bb" | "pbb" => 2 * showdown,
            "bp" => 1,
            "pbp" => -1,
            _ => {
                let player = if moves.len() == 1 { Player::Min } else { Player::Max };
                let own = CARDS[cards[player as usize]];
                let next = |name: &str| {
                    (name.into(), State { cards: cards.clone(), moves: format!("{moves}{name}") })
                };
                let information = format!("{own} {moves}").trim_end().into();
                return Turn::Decision { player, information, actions: vec![next("p"), next("b")] };
            }
        };
        Turn::Terminal(won.into())
    }
}
