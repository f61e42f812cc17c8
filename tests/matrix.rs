//! Matrix games: known values, invariances, the certificate, and payoffs at the ends of f64.

mod common;

use common::config;
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::matrix::{MatrixGame, Solution, solve};
use nashguard::simplex::Simplex;
use nashguard::{BestReply, Error, Game};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn game(rows: &[&[f64]]) -> MatrixGame {
    MatrixGame::new(rows.iter().map(|r| r.to_vec()).collect()).unwrap()
}

fn solved(game: &MatrixGame) -> Solution {
    let found = solve(game, 1e-12).unwrap();
    let gap = ClosedForm.gap(game, &found.row, &found.column).unwrap();
    let spread = gap.high.abs().max(gap.low.abs()).max(1.0);
    assert!(gap.width <= 1e-11 * spread, "{gap:?}");
    found
}

fn assert_near(found: &Simplex, expected: &[f64]) {
    for (a, b) in found.as_slice().iter().zip(expected) {
        assert!((a - b).abs() < 1e-12, "{found:?}, expected {expected:?}");
    }
}

/// Value 0 and uniform play, by symmetry.
#[test]
fn rock_paper_scissors() {
    let found = solved(&game(&[&[0.0, -1.0, 1.0], &[1.0, 0.0, -1.0], &[-1.0, 1.0, 0.0]]));
    assert!(found.value.abs() < 1e-15);
    assert_near(&found.row, &[1.0 / 3.0; 3]);
    assert_near(&found.column, &[1.0 / 3.0; 3]);
}

/// Equilibrium (1, 10, 5)/16, from OpenSpiel's lp_solver_test.py (biased rock-paper-scissors).
#[test]
fn biased_rock_paper_scissors() {
    let found = solved(&game(&[&[0.0, -0.25, 0.5], &[0.25, 0.0, -0.05], &[-0.5, 0.05, 0.0]]));
    assert!(found.value.abs() < 1e-15);
    assert_near(&found.row, &[1.0 / 16.0, 10.0 / 16.0, 5.0 / 16.0]);
    assert_near(&found.column, &[1.0 / 16.0, 10.0 / 16.0, 5.0 / 16.0]);
}

/// Value 0 at (1/2, 1/2).
#[test]
fn matching_pennies() {
    let found = solved(&game(&[&[1.0, -1.0], &[-1.0, 1.0]]));
    assert!(found.value.abs() < 1e-15);
    assert_near(&found.row, &[0.5, 0.5]);
}

/// Two-finger Morra: fair, since it is symmetric, and the equilibria mix the second and third rows
/// with odds from 4:3 to 7:5 (Dantzig, Linear Programming and Extensions, 1963, chapter 13).
#[test]
fn two_finger_morra() {
    let found = solved(&game(&[
        &[0.0, 2.0, -3.0, 0.0],
        &[-2.0, 0.0, 0.0, 3.0],
        &[3.0, 0.0, 0.0, -4.0],
        &[0.0, -3.0, 4.0, 0.0],
    ]));
    assert!(found.value.abs() < 1e-14);
    let p = found.row.as_slice();
    assert!(p[0].abs() < 1e-12 && p[3].abs() < 1e-12, "{p:?}");
    assert!(p[1] >= 4.0 / 7.0 - 1e-12 && p[1] <= 3.0 / 5.0 + 1e-12, "{p:?}");
}

/// Kuhn poker from its rules: three cards, one ante, one bet of one. Each plan says what a player
/// does with every card. Value -1/18 (Kuhn, A simplified two-person poker, 1950).
#[test]
fn kuhn_poker() {
    // First player, a card: bet; check then fold; check then call. Second player, a card: what to
    // do after a bet (fold, call) and after a check (check, bet).
    let payoff = |first: usize, second: usize, a: usize, b: usize| -> f64 {
        let showdown = if a > b { 1.0 } else { -1.0 };
        let (calls, bets) = (second % 2 == 1, second / 2 == 1);
        match (first, calls, bets) {
            (0, false, _) => 1.0,
            (0, true, _) => 2.0 * showdown,
            (_, _, false) => showdown,
            (1, _, true) => -1.0,
            _ => 2.0 * showdown,
        }
    };
    let digit = |plan: usize, base: usize, card: usize| plan / base.pow(card as u32) % base;
    let rows = (0..27)
        .map(|x| {
            let against = |y: usize| {
                let deals = (0..3).flat_map(|a| (0..3).map(move |b| (a, b)));
                let deals = deals.filter(|(a, b)| a != b);
                let sum: f64 =
                    deals.map(|(a, b)| payoff(digit(x, 3, a), digit(y, 4, b), a, b)).sum();
                sum / 6.0
            };
            (0..64).map(against).collect()
        })
        .collect();
    let found = solved(&MatrixGame::new(rows).unwrap());
    assert!((found.value + 1.0 / 18.0).abs() < 1e-14, "{}", found.value);
}

/// Duplicated and constant rows and columns, single rows and columns, saddle points.
#[test]
fn degenerate_games() {
    let value = |rows: &[&[f64]]| solved(&game(rows)).value;
    assert_eq!(value(&[&[7.5]]), 7.5);
    assert_eq!(value(&[&[2.0, 2.0], &[2.0, 2.0]]), 2.0);
    assert!((value(&[&[3.0, -1.0, 4.0]]) + 1.0).abs() < 1e-12);
    assert!((value(&[&[3.0], &[-1.0], &[4.0]]) - 4.0).abs() < 1e-12);
    let twice: &[f64] = &[1.0, -1.0, 1.0, -1.0];
    assert!(value(&[twice, twice, &[-1.0, 1.0, -1.0, 1.0]]).abs() < 1e-12);
    // A saddle point with ties everywhere.
    assert!((value(&[&[1.0, 1.0, 2.0], &[1.0, 1.0, 2.0], &[0.0, 0.0, 3.0]]) - 1.0).abs() < 1e-12);
    let diagonal: Vec<Vec<f64>> =
        (0..40).map(|i| (0..40).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let found = solved(&MatrixGame::new(diagonal).unwrap());
    assert!((found.value - 1.0 / 40.0).abs() < 1e-14);
}

/// Payoffs at the ends of f64 give a right answer or an error, never a wrong answer.
#[test]
fn ill_scaled_games() {
    let cases: &[&[&[f64]]] = &[
        &[&[1e300, -1e300], &[-1e300, 1e300]],
        &[&[1e-300, -1e-300], &[-1e-300, 1e-300]],
        &[&[1e300, 1e-300], &[-1e-300, -1e300]],
        &[&[1e300, 0.0, -1.0], &[1e-300, 1.0, 0.0]],
        &[&[1e150, -1e-150], &[-1.0, 1.0]],
        &[&[f64::MAX / 4.0, -f64::MAX / 4.0], &[-f64::MAX / 4.0, f64::MAX / 4.0]],
        &[&[1.0 + f64::EPSILON, 1.0], &[1.0, 1.0 + f64::EPSILON]],
        &[&[1e9, 1e9 + 1.0], &[1e9 + 1.0, 1e9]],
    ];
    for rows in cases {
        let game = game(rows);
        match solve(&game, 1e-12) {
            Ok(found) => {
                let high = game.payoffs().iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
                let low = game.payoffs().iter().fold(f64::INFINITY, |m, v| m.min(*v));
                let unit = (high / 2.0 - low / 2.0).max(high.abs() * 1e-15);
                let gap = ClosedForm.gap(&game, &found.row, &found.column).unwrap();
                assert!(gap.width / unit <= 1e-11, "{rows:?}: {found:?} {gap:?}");
                assert!(gap.low <= found.value && found.value <= gap.high, "{rows:?}: {found:?}");
                assert!(found.gap >= 0.0, "{rows:?}: {found:?}");
            }
            Err(error) => assert!(matches!(error, Error::NotSolved { .. }), "{rows:?}: {error}"),
        }
    }
}

/// A random game of the given size; `whole` payoffs are small integers, so that ties are common.
fn random_game(rows: usize, columns: usize, whole: bool, seed: u64) -> MatrixGame {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut entry = || {
        if whole { f64::from(rng.random_range(-3..=3)) } else { 2.0 * rng.random::<f64>() - 1.0 }
    };
    MatrixGame::new((0..rows).map(|_| (0..columns).map(|_| entry()).collect()).collect()).unwrap()
}

fn mixed(n: usize, seed: u64) -> Simplex {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Simplex::new(common::dirichlet(n, 0.5, &mut rng)).unwrap()
}

fn mapped(game: &MatrixGame, f: impl Fn(f64) -> f64) -> MatrixGame {
    let rows = game.payoffs().outer_iter().map(|r| r.iter().map(|v| f(*v)).collect()).collect();
    MatrixGame::new(rows).unwrap()
}

fn rows_of(game: &MatrixGame) -> Vec<Vec<f64>> {
    game.payoffs().outer_iter().map(|r| r.to_vec()).collect()
}

proptest! {
    #![proptest_config(config(500))]

    /// Random games up to 60 x 60, with and without ties, are solved to 1e-12 of their spread; the
    /// value lies between the two guarantees.
    #[test]
    fn random_games_are_solved(m in 1..=60usize, n in 1..=60usize, whole: bool, seed: u64) {
        let game = random_game(m, n, whole, seed);
        let found = solve(&game, 1e-12)?;
        let gap = ClosedForm.gap(&game, &found.row, &found.column)?;
        prop_at_most!(gap.width, 1e-12 * 6.0, 1e-13);
        prop_assert!(found.gap <= 6.0 * 1e-12);
        prop_at_most!(gap.low, found.value, 1e-13);
        prop_at_most!(found.value, gap.high, 1e-13);
    }

    /// Definition 3 for matrices: the gap is max_i (A y)_i - min_j (A' x)_j, both replies are pure
    /// and no random deviation beats them.
    #[test]
    fn the_gap_is_max_minus_min(m in 1..=20usize, n in 1..=20usize, whole: bool, seed: u64) {
        let game = random_game(m, n, whole, seed);
        let (x, y) = (mixed(m, seed ^ 1), mixed(n, seed ^ 2));
        let gap = ClosedForm.gap(&game, &x, &y)?;
        let against = |i: usize| -> f64 { (0..n).map(|j| game.payoffs()[(i, j)] * y.as_slice()[j]).sum() };
        let earned = |j: usize| -> f64 { (0..m).map(|i| game.payoffs()[(i, j)] * x.as_slice()[i]).sum() };
        let high = (0..m).map(against).fold(f64::NEG_INFINITY, f64::max);
        let low = (0..n).map(earned).fold(f64::INFINITY, f64::min);
        prop_close!(gap.width, high - low, 1e-13, 10.0);
        prop_at_most!(0.0, gap.width, 1e-14);
        for k in 3..6 {
            prop_at_most!(game.payoff(&mixed(m, seed ^ k), &y)?, gap.high, 1e-13);
            prop_at_most!(gap.low, game.payoff(&x, &mixed(n, seed ^ k))?, 1e-13);
        }
        prop_assert_eq!(game.payoff(&game.max_reply(&y)?, &y)?, gap.high);
        prop_assert_eq!(game.payoff(&x, &game.min_reply(&x)?)?, gap.low);
    }

    /// The value follows shifts and scales of the payoffs, changes sign under transposition with
    /// sign, and does not see the order of rows and columns.
    #[test]
    fn the_value_is_equivariant(
        m in 1..=15usize, n in 1..=15usize, whole: bool, seed: u64,
        shift in -100.0..100.0, scale in 0.01..100.0,
    ) {
        let game = random_game(m, n, whole, seed);
        let value = solve(&game, 1e-12)?.value;
        let moved = solve(&mapped(&game, |v| scale * v + shift), 1e-12)?.value;
        prop_close!(moved, scale * value + shift, 1e-11, scale + f64::abs(shift));
        let mut flipped = vec![vec![0.0; m]; n];
        for ((i, j), v) in game.payoffs().indexed_iter() {
            flipped[j][i] = -v;
        }
        prop_close!(solve(&MatrixGame::new(flipped)?, 1e-12)?.value, -value, 1e-11, 1.0);
        let mut rows = rows_of(&game);
        rows.rotate_left(m / 2);
        rows.iter_mut().for_each(|r| r.reverse());
        prop_close!(solve(&MatrixGame::new(rows)?, 1e-12)?.value, value, 1e-11, 1.0);
        let mut rows = rows_of(&game);
        rows.push(rows[m / 2].clone());
        rows.iter_mut().for_each(|r| r.push(r[n / 2]));
        prop_close!(solve(&MatrixGame::new(rows)?, 1e-12)?.value, value, 1e-11, 1.0);
    }

    /// Two by two without a saddle: value (a d - b c)/(a + d - b - c). Diagonal games: 1/sum 1/d.
    #[test]
    fn closed_forms(low in prop::array::uniform2(-1.0..0.0), high in prop::array::uniform2(0.1..1.0),
                    diagonal in prop::collection::vec(0.1..10.0, 1..12)) {
        let ([a, d], [b, c]) = (high, low);
        let value = solve(&game(&[&[a, b], &[c, d]]), 1e-12)?.value;
        prop_close!(value, (a * d - b * c) / (a + d - b - c), 1e-12, 1.0);
        let n = diagonal.len();
        let entry = |i: usize, j: usize| if i == j { diagonal[i] } else { 0.0 };
        let rows = (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect();
        let expected = 1.0 / diagonal.iter().map(|d| 1.0 / d).sum::<f64>();
        prop_close!(solve(&MatrixGame::new(rows)?, 1e-12)?.value, expected, 1e-11, 1.0);
    }
}

/// The gap reported is the gap on the payoffs as given, however little of the spread that is; where
/// the spread itself leaves f64, there is no answer.
#[test]
fn the_reported_gap_is_that_of_the_given_payoffs() {
    let game = MatrixGame::new(vec![vec![1e20, 0.0], vec![0.0, 1.0]]).unwrap();
    let found = solve(&game, 1e-12).unwrap();
    let given = ClosedForm.gap(&game, &found.row, &found.column).unwrap().width;
    assert!(found.gap >= given, "{found:?}");
    let game = MatrixGame::new(vec![vec![1.7e308, -1.7e308], vec![-1.7e308, 1.7e308]]).unwrap();
    let none = solve(&game, 1e-12);
    assert!(matches!(none, Err(Error::NotSolved { gap: f64::INFINITY, .. })), "{none:?}");
}
