//! Extensive games by the sequence-form program: exact answers are equilibria in exact arithmetic and
//! worth what their normal form is; float answers keep the gap they claim.

mod common;
#[path = "../examples/poker/kuhn.rs"]
mod kuhn;
#[path = "../examples/poker/leduc.rs"]
mod leduc;
#[path = "common/trees.rs"]
mod trees;

use common::config;
use kuhn::Kuhn;
use leduc::Leduc;
use nashguard::Error;
use nashguard::exploit::{ClosedForm, Exploit, Gap};
use nashguard::extensive::{
    ExtensiveGame, Move, Outcome, Plan, Player, SequenceForm, Solution, Tree, Turn, solve,
    solve_exact,
};
use nashguard::matrix::{self, MatrixGame};
use nashguard::scalar::{Rational, Scalar, parse};
use proptest::prelude::*;
use trees::{RandomGame, Rules, decision, expected, pure};

const PLAYERS: [Player; 2] = [Player::Max, Player::Min];

fn number(text: &str) -> Rational {
    parse(text).unwrap()
}

/// Another game with `pay` of every payoff, and the players exchanged if `swapped`.
struct Changed<'a, G, F> {
    game: &'a G,
    swapped: bool,
    pay: F,
}

impl<G: ExtensiveGame, F: Fn(Rational) -> Rational> ExtensiveGame for Changed<'_, G, F> {
    type State = G::State;
    fn root(&self) -> G::State {
        self.game.root()
    }
    fn turn(&self, state: &G::State) -> Turn<G::State> {
        match self.game.turn(state) {
            Turn::Terminal(payoff) => Turn::Terminal((self.pay)(payoff)),
            Turn::Decision { player, information, actions } if self.swapped => {
                let player = if player == Player::Max { Player::Min } else { Player::Max };
                Turn::Decision { player, information, actions }
            }
            other => other,
        }
    }
}

fn changed<G: ExtensiveGame>(game: &G, pay: impl Fn(Rational) -> Rational) -> Tree {
    Tree::new(&Changed { game, swapped: false, pay }).unwrap()
}

/// -A': each player in the other's place.
fn swapped<G: ExtensiveGame>(game: &G) -> Tree {
    Tree::new(&Changed { game, swapped: true, pay: |v: Rational| -v }).unwrap()
}

/// Solves exactly; checks plans, gap and value by best replies over the rationals.
fn solved(tree: &Tree) -> Solution<Rational> {
    let found = solve_exact(tree).unwrap();
    for (player, plan) in PLAYERS.into_iter().zip([&found.max, &found.min]) {
        assert_eq!(&Plan::new(tree.side(player), plan.as_slice().to_vec()).unwrap(), plan);
    }
    let gap = ClosedForm.gap(&SequenceForm::new(tree), &found.max, &found.min).unwrap();
    assert_eq!((&gap.low, &gap.high), (&found.value, &found.value));
    assert_eq!(found.gap, Rational::ZERO);
    found
}

fn spread(tree: &Tree) -> Rational {
    let pay = |node: &nashguard::extensive::Node| match &node.turn {
        Move::Terminal(payoff) => Some(payoff.clone()),
        _ => None,
    };
    let all: Vec<_> = tree.nodes().iter().filter_map(pay).collect();
    all.iter().max().unwrap() - all.iter().min().unwrap()
}

/// The exact gap of a float answer, once it is found to be within the one claimed, and that within
/// the tolerance.
fn checked(tree: &Tree, found: &Solution, tol: f64) -> Gap<Rational> {
    let [max, min] = [(Player::Max, &found.max), (Player::Min, &found.min)]
        .map(|(player, plan)| plan.to_exact(tree.side(player)).unwrap());
    let gap = ClosedForm.gap(&SequenceForm::new(tree), &max, &min).unwrap();
    let claimed = found.gap.to_exact().unwrap();
    assert!(gap.width <= claimed, "the gap is {}, not {}", gap.width, found.gap);
    // The claim is rounded upwards.
    let allowed = tol.to_exact().unwrap() * spread(tree) * number("1.000001") + number("1e-320");
    assert!(claimed <= allowed, "{} on a spread of {}", found.gap, spread(tree));
    gap
}

#[test]
fn kuhn_is_exactly_minus_one_eighteenth() {
    let tree = Tree::new(&Kuhn).unwrap();
    assert_eq!(solved(&tree).value, number("-1/18"));
    assert_eq!(solved(&swapped(&Kuhn)).value, number("1/18"));
    let found = solve(&tree, 1e-12).unwrap();
    assert!((found.value + 1.0 / 18.0).abs() < 1e-15, "{}", found.value);
    checked(&tree, &found, 1e-12);
}

/// OpenSpiel's value of `leduc_poker` is -0.0856064; the digits beyond are of this solver, by both of
/// its programs (one player's is the other's dual) and of different payoffs.
#[test]
fn leduc_is_solved_to_the_last_digit() {
    let tree = Tree::new(&Leduc).unwrap();
    let value = solved(&tree).value;
    let known = number("-0.0856064240780");
    assert!(&value - &known < number("1e-13") && &known - &value < number("1e-13"));
    assert_eq!(solved(&swapped(&Leduc)).value, -value.clone());
    let moved = changed(&Leduc, |v| v * number("2/3") + number("1e-3"));
    assert_eq!(solved(&moved).value, &value * number("2/3") + number("1e-3"));
    let found = solve(&tree, 1e-12).unwrap();
    let gap = checked(&tree, &found, 1e-12);
    assert!(gap.low <= value && value <= gap.high);
    assert!((found.value + 0.085606424078).abs() < 1e-12, "{}", found.value);
}

/// What no double can meet is withheld.
#[test]
fn a_gap_above_the_tolerance_is_no_answer() {
    let tree = Tree::new(&Leduc).unwrap();
    let Err(Error::NotSolved { gap, tol, .. }) = solve(&tree, 1e-20) else {
        panic!("Leduc was solved to 1e-20 in doubles")
    };
    assert!(gap > tol && gap < 1e-12);
    for tol in [0.0, -1.0, f64::NAN] {
        let e = solve(&tree, tol).unwrap_err().to_string();
        assert!(e.starts_with("tol: "), "{e}");
    }
}

fn chance(probabilities: &[&str], history: &str) -> Turn<String> {
    let fall = |(k, p): (usize, &&str)| Outcome {
        name: format!("{k}"),
        probability: number(p),
        next: format!("{history}{k}"),
    };
    Turn::Chance(probabilities.iter().enumerate().map(fall).collect())
}

fn rules(turn: impl Fn(&str) -> Turn<String>) -> Tree {
    Tree::new(&Rules(turn)).unwrap()
}

/// Both ways, exactly and in floats.
fn worth(tree: &Tree, value: &str) {
    let value = number(value);
    assert_eq!(solved(tree).value, value);
    let found = solve(tree, 1e-12).unwrap();
    let gap = checked(tree, &found, 1e-12);
    assert!(gap.low <= value && value <= gap.high);
}

#[test]
fn degenerate_games_are_solved() {
    let pay = |text: &str| Turn::Terminal(number(text));
    // No move at all.
    worth(&rules(|_| pay("-7/3")), "-7/3");
    worth(&rules(|_| pay("0")), "0");
    // Chance alone.
    worth(
        &rules(|h| match h {
            "" => chance(&["1/3", "2/3", "0"], h),
            "0" => pay("1"),
            "1" => pay("-1/2"),
            _ => pay("1e9"),
        }),
        "0",
    );
    // One player never moves, and has one action only.
    for (player, one, other) in [(Player::Max, "5", "2"), (Player::Min, "2", "5")] {
        worth(
            &rules(|h| {
                if h.is_empty() {
                    decision(player, "x", 2, h)
                } else {
                    pay(["2", "5"][usize::from(h == "1")])
                }
            }),
            one,
        );
        worth(
            &rules(|h| if h.is_empty() { decision(player, "x", 1, h) } else { pay(other) }),
            other,
        );
    }
    // All payoffs equal, both moving twice.
    worth(
        &rules(|h| match h.len() {
            0 | 2 => decision(Player::Max, h, 3, h),
            1 | 3 => decision(Player::Min, h, 2, h),
            _ => pay("-1e-30"),
        }),
        "-1e-30",
    );
    // A set that no play reaches, and one that equilibrium play does not.
    worth(
        &rules(|h| match h {
            "" => chance(&["0", "1"], h),
            "0" => decision(Player::Max, "never", 2, h),
            "1" => decision(Player::Min, "out or in", 2, h),
            "11" => decision(Player::Max, "in", 2, h),
            "110" => pay("4"),
            "111" => pay("3"),
            "10" => pay("1"),
            _ => pay("9"),
        }),
        "1",
    );
    // Every action twice.
    worth(
        &rules(|h| match h.len() {
            0 => decision(Player::Max, "x", 4, h),
            1 => decision(Player::Min, "y", 4, h),
            _ => {
                let side = |k: usize| h.as_bytes()[k] % 2;
                pay(if side(0) == side(1) { "2" } else { "-1" })
            }
        }),
        "1/2",
    );
}

/// Payoffs beyond f64, on either side.
#[test]
fn any_unit_is_exact() {
    let value = number("-1/18");
    for unit in ["1e400", "1e308", "1e-308", "1e-400"].map(number) {
        assert_eq!(solved(&changed(&Kuhn, |v| v * &unit)).value, &value * &unit);
        let shifted = changed(&Kuhn, |v| v + &unit);
        assert_eq!(solved(&shifted).value, &value + &unit);
        for tree in [changed(&Kuhn, |v| v * &unit), shifted] {
            match solve(&tree, 1e-12) {
                Ok(found) => {
                    checked(&tree, &found, 1e-12);
                }
                Err(Error::NotSolved { .. } | Error::Invalid { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }
}

fn games(depth: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = RandomGame> {
    (depth, any::<u64>()).prop_map(|(depth, seed)| RandomGame { depth, seed })
}

/// The payoff matrix over both players' pure strategies, when there are at most `most` of each.
fn normal_form(tree: &Tree, most: usize) -> Option<MatrixGame<Rational>> {
    let [max, min] = [pure(tree, Player::Max, most)?, pure(tree, Player::Min, most)?];
    let row = |x| min.iter().map(|y| expected(tree, x, y)).collect();
    Some(MatrixGame::new(max.iter().map(row).collect()).unwrap())
}

proptest! {
    #![proptest_config(config(200))]

    /// The exact value is that of the matrix of all pure strategies.
    #[test]
    fn the_value_is_the_normal_forms(game in games(0..=6)) {
        let tree = game.tree();
        let Some(matrix) = normal_form(&tree, 60) else { return Err(TestCaseError::reject("large")) };
        prop_assert_eq!(solved(&tree).value, matrix::solve_exact(&matrix)?.value);
    }

    /// Larger games: exact both ways round, and in floats within the gap claimed.
    #[test]
    fn both_solvers_agree(game in games(0..=9)) {
        let tree = game.tree();
        let value = solved(&tree).value;
        prop_assert_eq!(solved(&swapped(&game)).value, -value.clone());
        let found = solve(&tree, 1e-12)?;
        let gap = checked(&tree, &found, 1e-12);
        prop_assert!(gap.low <= value && value <= gap.high);
        let off = found.value.to_exact()? - value;
        let room = found.gap.to_exact()? + number("1e-15");
        prop_assert!(off <= room && -off <= room);
    }

    /// value(s u + t) = s value(u) + t, exactly.
    #[test]
    fn the_value_follows_shift_and_scale(game in games(0..=6), scale in 1..1000i64, shift in -1000..1000i64, below in 1..1000i64) {
        let value = solved(&game.tree()).value;
        let (scale, shift) = [scale, shift].map(|v| Rational::from(v) / Rational::from(below)).into();
        let moved = changed(&game, |v| v * &scale + &shift);
        prop_assert_eq!(solved(&moved).value, value * scale + shift);
    }

    /// Payoffs of mixed scales: exact as ever; floats answer within their claim or not at all.
    #[test]
    fn mixed_scales_are_exact(game in games(1..=6), order in prop::sample::subsequence(vec!["1e300", "1e30", "1", "1e-30", "1e-300"], 2..=5)) {
        let scales: Vec<_> = order.into_iter().map(number).collect();
        // By what is paid: 13 payoffs, each of its own scale.
        let tree = changed(&game, |v| {
            let k = (0..26).position(|k| v <= Rational::from(k / 2 - 6)).unwrap_or(0);
            v * &scales[k % scales.len()]
        });
        let value = solved(&tree).value;
        match solve(&tree, 1e-12) {
            Ok(found) => {
                let gap = checked(&tree, &found, 1e-12);
                prop_assert!(gap.low <= value && value <= gap.high);
            }
            Err(Error::NotSolved { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
