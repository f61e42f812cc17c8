//! Exact matrix games: every answer is an equilibrium in exact arithmetic, at any scale, degeneracy or
//! duplication; and the value moves with the payoffs as it must, to the last digit.

mod common;

use common::config;
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::matrix::{MatrixGame, Solution, solve, solve_exact};
use nashguard::scalar::{Rational, Scalar, parse, to_f64};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Rows = Vec<Vec<Rational>>;

fn number(text: &str) -> Rational {
    parse(text).unwrap()
}

fn ratio(a: i64, b: i64) -> Rational {
    Rational::from(a) / Rational::from(b)
}

/// Solves, and checks the gap and the value by best replies over the rationals.
fn solved(rows: Rows) -> Solution<Rational> {
    let game = MatrixGame::new(rows).unwrap();
    let found = solve_exact(&game).unwrap();
    let gap = ClosedForm.gap(&game, &found.row, &found.column).unwrap();
    assert_eq!(gap.width, Rational::ZERO);
    assert_eq!((&gap.low, &gap.high), (&found.value, &found.value));
    assert_eq!(found.gap, Rational::ZERO);
    found
}

fn square(n: usize, entry: impl FnMut(usize, usize) -> Rational + Clone) -> Rows {
    let row = |i: usize| {
        let mut entry = entry.clone();
        (0..n).map(move |j| entry(i, j)).collect()
    };
    (0..n).map(row).collect()
}

/// A fixed table of doubles, uniform on [-1, 1].
fn uniform(n: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| (0..n).map(|_| rng.random_range(-1.0..=1.0)).collect()).collect()
}

/// The families on which floating-point solvers report an optimum that is none.
#[test]
fn hostile_families_are_solved_exactly() {
    for n in [1, 2, 3, 5, 8, 13, 20, 30, 40] {
        for seed in 0..2 {
            let u = uniform(n, seed);
            let doubles = |f: &dyn Fn(f64) -> f64| {
                u.iter().map(|r| r.iter().map(|v| f(*v).to_exact().unwrap()).collect()).collect()
            };
            // 1 + 1e-9 U, in doubles and in exact decimals, and 1e-9 U.
            solved(doubles(&|v| 1.0 + 1e-9 * v));
            solved(doubles(&|v| 1e-9 * v));
            let small = number("1e-9");
            let decimal =
                |v: f64| Rational::from((v * 1e4).round() as i64) / Rational::from(10_000);
            solved(square(n, |i, j| Rational::ONE + decimal(u[i][j]) * &small));
            // Scales mixed by rows, by columns and entry by entry. Numbers of 2,000 bits take their
            // time, so fewer of these.
            let scale = |k: usize| number(["1e300", "1", "1e-300"][k % 3]);
            if n <= 20 || (n == 40 && seed == 0) {
                solved(square(n, |i, j| decimal(u[i][j]) * scale(i)));
                solved(square(n, |i, j| decimal(u[i][j]) * scale(j)));
            }
            if n <= 13 || (n == 40 && seed == 0) {
                let mixed = |i: usize, j: usize| scale(i * 7 + j * j + seed as usize);
                solved(square(n, |i, j| decimal(u[i][j]) * mixed(i, j)));
            }
        }
        // diag(1, 1e-1, 1e-2, ..): value 1 / sum 10^k.
        let diagonal =
            solved(square(
                n,
                |i, j| {
                    if i == j { number(&format!("1e-{i}")) } else { Rational::ZERO }
                },
            ));
        let sum = (0..n).fold(Rational::ZERO, |sum, k| sum + number(&format!("1e{k}")));
        assert_eq!(diagonal.value, Rational::ONE / sum);
        // The alternating Hilbert matrix.
        let hilbert =
            square(n, |i, j| ratio(if (i + j) % 2 == 0 { 1 } else { -1 }, (i + j + 1) as i64));
        solved(hilbert);
        // All equal, all zero.
        solved(square(n, |_, _| Rational::ZERO));
        assert_eq!(solved(square(n, |_, _| ratio(-7, 3))).value, ratio(-7, 3));
    }
}

#[test]
fn single_rows_and_columns_are_solved_exactly() {
    let line: Vec<Rational> = ["3", "-1e300", "1e-300", "0.1"].map(number).to_vec();
    assert_eq!(solved(vec![line.clone()]).value, number("-1e300"));
    assert_eq!(solved(line.into_iter().map(|v| vec![v]).collect()).value, number("3"));
}

/// A determinant that all four primes divide is an error, never a wrong answer.
#[test]
fn numbers_made_to_defeat_the_lifting_are_no_answer() {
    let product = [93_u64, 107, 173, 179]
        .iter()
        .fold(Rational::ONE, |p, c| p * Rational::from((1_u64 << 60) - c));
    for seed in 0..300 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (m, n) = (rng.random_range(1..=4), rng.random_range(1..=4));
        let mut entry = || {
            Rational::from(rng.random_range(-3..=3_i64)) * &product
                + Rational::from(rng.random_range(-1..=1_i64))
        };
        let rows: Rows = (0..m).map(|_| (0..n).map(|_| entry()).collect()).collect();
        let game = MatrixGame::new(rows).unwrap();
        match solve_exact(&game) {
            Ok(found) => {
                let gap = ClosedForm.gap(&game, &found.row, &found.column).unwrap();
                assert_eq!(gap.width, Rational::ZERO);
            }
            Err(error) => assert!(error.to_string().contains("determinant"), "{error}"),
        }
    }
}

/// What no f64 holds is solved exactly and refused by the float solver.
#[test]
fn payoffs_beyond_f64_are_an_error_in_f64() {
    for rows in [vec![vec!["1e400"]], vec![vec!["1e400", "-1e400"], vec!["-1e400", "1e400"]]] {
        let rows: Rows = rows.iter().map(|r| r.iter().map(|v| number(v)).collect()).collect();
        let game = MatrixGame::new(rows.clone()).unwrap();
        assert!(matches!(solve(&game, 1e-12), Err(nashguard::Error::NotSolved { .. })));
        solved(rows);
    }
}

/// Duplicated and dominated rows and columns change nothing.
#[test]
fn duplicates_and_dominated_strategies_do_not_matter() {
    for seed in 0..20 {
        let n = 1 + seed as usize;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rows = square(n, |_, _| Rational::ZERO);
        let rows: Rows = rows
            .into_iter()
            .map(|r| r.iter().map(|_| ratio(rng.random_range(-5..=5), 3)).collect())
            .collect();
        let value = solved(rows.clone()).value;
        let mut more = rows.clone();
        more.extend(rows.clone());
        // Below every row, above every column.
        more.push(vec![ratio(-6, 1); n]);
        for row in &mut more {
            let copy = row.clone();
            row.extend(copy);
            row.push(ratio(6, 1));
        }
        assert_eq!(solved(more).value, value);
    }
}

/// Kuhn poker's value, and rock-paper-scissors'.
#[test]
fn known_values() {
    let rps = solved(square(3, |i, j| Rational::from([0, -1, 1][(3 + i - j) % 3])));
    assert_eq!(rps.value, Rational::ZERO);
    assert!(rps.row.as_slice().iter().all(|p| *p == ratio(1, 3)));
}

fn random(m: usize, n: usize, whole: bool, seed: u64) -> Rows {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut entry = || match whole {
        true => Rational::from(rng.random_range(-2..=2)),
        false => ratio(rng.random_range(-10_000..=10_000), rng.random_range(1..=30)),
    };
    (0..m).map(|_| (0..n).map(|_| entry()).collect()).collect()
}

proptest! {
    #![proptest_config(config(150))]

    /// The float solver's claim is true: exact arithmetic finds a gap no larger, of the strategies
    /// divided by their sum, and the value within it.
    #[test]
    fn the_float_gap_holds_exactly(m in 1..=40usize, n in 1..=40usize, whole: bool, seed: u64, offset in prop::sample::select(vec!["0", "1e6", "-1e9"])) {
        let rows: Rows = random(m, n, whole, seed).into_iter()
            .map(|r| r.into_iter().map(|v| v + number(offset)).collect()).collect();
        let game = MatrixGame::new(rows)?;
        let exact = solve_exact(&game)?;
        let found = solve(&game, 1e-12)?;
        let divided = |p: &[f64]| {
            let exact: Vec<Rational> = p.iter().map(|v| v.to_exact().unwrap()).collect();
            let sum = exact.iter().fold(Rational::ZERO, |s, v| s + v);
            nashguard::simplex::Simplex::new(exact.into_iter().map(|v| v / &sum).collect()).unwrap()
        };
        let (x, y) = (divided(found.row.as_slice()), divided(found.column.as_slice()));
        let gap = ClosedForm.gap(&game, &x, &y)?;
        prop_assert!(gap.width <= found.gap.to_exact()?);
        prop_assert!(gap.low <= exact.value && exact.value <= gap.high);
        let scale = to_f64(&exact.value).abs().max(1.0);
        prop_assert!((found.value - to_f64(&exact.value)).abs() <= found.gap + 4e-16 * scale);
    }

    /// Payoffs that are multiples of the primes the lifting works modulo, plus a little: exact as ever.
    #[test]
    fn multiples_of_the_primes_are_solved(m in 1..=5usize, n in 1..=5usize, seed: u64, primes in 1..=3usize, little: bool) {
        let product = [93_u64, 107, 173].iter().take(primes)
            .fold(Rational::ONE, |p, c| p * Rational::from((1_u64 << 60) - c));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut entry = || {
            let rest = if little { rng.random_range(-2..=2_i64) } else { 0 };
            Rational::from(rng.random_range(-3..=3_i64)) * &product + Rational::from(rest)
        };
        solved((0..m).map(|_| (0..n).map(|_| entry()).collect()).collect());
    }

    /// value(s A + t) = s value(A) + t, exactly.
    #[test]
    fn the_value_follows_shift_and_scale(m in 1..=12usize, n in 1..=12usize, whole: bool, seed: u64,
                                         shift in -1000..1000i64, scale in 1..1000i64, below in 1..1000i64) {
        let rows = random(m, n, whole, seed);
        let value = solved(rows.clone()).value;
        let (scale, shift) = (ratio(scale, below), ratio(shift, below));
        let moved = rows.into_iter().map(|r| r.into_iter().map(|v| v * &scale + &shift).collect()).collect();
        prop_assert_eq!(solved(moved).value, value * scale + shift);
    }

    /// Order does not matter; value(-A') = -value(A).
    #[test]
    fn the_value_follows_permutation_and_transposition(m in 1..=12usize, n in 1..=12usize, whole: bool, seed: u64) {
        let rows = random(m, n, whole, seed);
        let value = solved(rows.clone()).value;
        let turned = (0..n).map(|j| rows.iter().map(|r| -r[j].clone()).collect()).collect();
        prop_assert_eq!(solved(turned).value, -value.clone());
        let mut order: Vec<usize> = (0..m).collect();
        order.rotate_left(seed as usize % m);
        order.reverse();
        let shuffled = order.iter().map(|i| rows[*i].iter().rev().cloned().collect()).collect();
        prop_assert_eq!(solved(shuffled).value, value);
    }
}
