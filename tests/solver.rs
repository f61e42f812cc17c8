//! The exact solver: every game, every route, and no wrong answer.

mod common;

use common::{Recipe, config, games};
use nashguard::dynamics::{Order, Update};
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::guard::{
    ExactGap, Generator, GuardGame, Iterate, Seed, proximal, random_game, solve, solve_with,
};
use nashguard::{BestReply, Error};
use proptest::prelude::*;

proptest! {
    #![proptest_config(config(600))]

    /// Proposition 3 certifies every answer: gap <= 1e-12 over six decades of beta, on hostile
    /// references (zeros, 1e-300), single seeds and texts, clipped and anchored games.
    #[test]
    fn every_game_is_solved_to_1e_12(recipe in games(), log10_beta in -3.0..3.0) {
        let game = Recipe { log10_beta, ..recipe }.game();
        let found = solve(&game, 1e-12)?;
        prop_assert!(found.gap <= 1e-12);
        prop_assert_eq!(ExactGap.gap(&game, &found.p, &found.q)?.width, found.gap);
        prop_assert_eq!(&game.min_reply(&found.p)?, &found.q);
        let totals = found.p.probabilities();
        for row in totals.outer_iter() {
            prop_close!(row.sum(), 1.0, 1e-12, 1.0);
        }
    }

    /// An equilibrium is a fixed point of the update for every tau (Definition 4).
    #[test]
    fn the_solution_is_a_fixed_point(recipe in games(), tau in 0.0..5.0) {
        let game = recipe.game();
        let found = solve(&game, 1e-12)?;
        let next = proximal::generator(&game, tau).step(&found.p, &found.q)?;
        // By Lemma 2 a step from p* gains nothing: it moves by what the gap allows.
        let moved = (game.beta() + tau) * game.divergence(&found.p, &next)?;
        prop_at_most!(moved, 0.0, 1e-12);
    }

    /// Theorem 1 (uniqueness) and Theorem A: a run from a random
    /// generator ends at the solver's solution.
    #[test]
    fn a_run_from_anywhere_ends_at_the_solution(recipe in games(), log10_beta in -0.5..2.0) {
        let game = Recipe { log10_beta, ..recipe }.game();
        let found = solve(&game, 1e-12)?;
        let start = recipe.generator(&game, 5);
        let rounds = (60.0 / (1.0 + game.beta()).ln()).ceil() as usize + 20;
        let end = proximal::run(&game, 1.0, Order::Alternating, start)?.nth(rounds).unwrap()?.x;
        prop_at_most!(game.beta() * game.divergence(&found.p, &end)?, 0.0, 1e-11);
    }

    /// Proposition 6: the factored iterate on |Y| x |Z| log-weights is the table run from r, for
    /// tau >= 1 and below.
    #[test]
    fn the_factored_iterate_is_the_table_run(
        recipe in games(),
        steps in 0..12usize,
        tau in prop_oneof![2 => Just(1.0), 1 => 0.5..3.0],
    ) {
        let game = recipe.game();
        let mut iterate = Iterate::new(&game);
        for _ in 0..steps {
            iterate.advance(tau)?;
        }
        // (tau = 1/2 is the solver's own weight.)
        let start = Generator::reference(&game);
        let tables = proximal::run(&game, tau, Order::Alternating, start)?.nth(steps).unwrap()?.x;
        prop_close_tables!(iterate.generator().log_p(), tables.log_p(), 1e-10);
    }

    /// With tau >= 1 fixed the plain iteration finds the same equilibrium (Theorem A), and what is
    /// watched ends at the tolerance.
    #[test]
    fn the_plain_iteration_agrees(recipe in games(), log10_beta in -1.0..2.0, tau in 1.0..3.0) {
        let game = Recipe { log10_beta, ..recipe }.game();
        let mut seen = Vec::new();
        let plain = solve_with(&game, Some(tau), 1e-11, |n, gap| seen.push((n, gap)))?;
        let fast = solve(&game, 1e-11)?;
        prop_close!(plain.value, fast.value, 2e-11, common::size(&game, &plain.p, &plain.q));
        prop_assert!(seen.last().unwrap().1 <= 1e-11);
        prop_assert!(seen.windows(2).all(|w| w[0].0 <= w[1].0));
    }

    /// Proposition 3: what is watched is the exact gap of the run's (p_n, q_n), measured in factored
    /// form (Proposition 6), or infinite while the next step is too long for that form.
    #[test]
    fn the_watched_gap_is_the_runs(recipe in games(), log10_beta in -1.0..2.0, tau in 1.0..3.0) {
        let game = Recipe { log10_beta, ..recipe }.game();
        let mut seen = Vec::new();
        solve_with(&game, Some(tau), 1e-9, |n, gap| seen.push((n, gap)))?;
        let start = Generator::reference(&game);
        let rounds = proximal::run(&game, tau, Order::Alternating, start)?.take(40);
        for (n, round) in rounds.enumerate() {
            let round = round?;
            for (_, gap) in seen.iter().filter(|(at, gap)| *at == n && gap.is_finite()) {
                let tables = ExactGap.gap(&game, &round.x, &round.y)?.width;
                prop_close!(*gap, tables, 1e-6, tables + 1e-8);
            }
        }
    }

    /// Theorem C: for beta > 1 the paper's own iteration (tau = 0) is solved too.
    #[test]
    fn the_papers_iteration_is_solved_above_one(recipe in games(), log10_beta in 0.05..2.0) {
        let game = Recipe { log10_beta, ..recipe }.game();
        let found = solve_with(&game, Some(0.0), 1e-11, |_, _| {})?;
        prop_assert!(found.gap <= 1e-11);
    }
}

proptest! {
    // The solver uses up all the steps it is entitled to before it refuses.
    #![proptest_config(config(40))]

    /// A tolerance that f64 cannot reach is an error that says so; a lucky exact zero is an answer.
    #[test]
    fn an_unreachable_tolerance_is_refused(recipe in games(), log10_beta in -1.0..2.0) {
        let game = Recipe { log10_beta, ..recipe }.game();
        match solve(&game, 1e-300) {
            Ok(found) => prop_assert!(found.gap <= 1e-300),
            Err(Error::NotSolved { gap, tol, .. }) => {
                prop_assert_eq!(tol, 1e-300);
                prop_assert!(gap > 1e-300);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

/// Two texts that the labels' references favour differently, so that r is no equilibrium.
fn tilted(beta: f64, floor: f64) -> GuardGame {
    let seed = |label, a| Seed { label, weight: 0.5, reference: vec![a, 1.0 - a] };
    let game = GuardGame::new(2, vec![seed(0, 0.45), seed(1, 0.55)], beta).unwrap();
    game.with_floor(floor).unwrap()
}

/// Example 1: below its threshold the paper's iteration cycles or runs off, and the solver says so
/// instead of answering; above it, it answers.
#[test]
fn a_cycle_is_not_an_answer() {
    for (beta, floor) in [(0.5, 0.0), (0.5, 0.05), (0.9, 0.01), (0.01, 0.0)] {
        let game = tilted(beta, floor);
        let error = solve_with(&game, Some(0.0), 1e-10, |_, _| {}).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::NotSolved { .. }), "{text}");
        assert!(text.contains("leave tau out"), "{text}");
        // The equilibrium is there all the same.
        assert!(solve(&game, 1e-12).unwrap().gap <= 1e-12);
    }
    assert!(solve_with(&tilted(2.0, 0.0), Some(0.0), 1e-10, |_, _| {}).is_ok());
}

/// At beta = 0.5 a proximal weight of 1/2 is stable on the same game (Theorem B).
#[test]
fn the_best_weight_solves_where_the_paper_cycles() {
    let found = solve_with(&tilted(0.5, 0.0), Some(0.5), 1e-12, |_, _| {}).unwrap();
    assert!(found.gap <= 1e-12);
}

/// Games at the ends of f64 that need the log-space road.
#[test]
fn the_ends_of_f64_are_solved() {
    let row = |small: f64| vec![1.0 - 2.0 * small, small, small];
    for small in [0.0, 5e-324, 1e-308, 1e-300, 1e-16] {
        for beta in [1e-3, 1e-2, 1.0, 1e3] {
            let mut other = row(small);
            other.reverse();
            let seeds = vec![
                Seed { label: 0, weight: 0.5, reference: row(small) },
                Seed { label: 1, weight: 0.5, reference: other },
            ];
            let game = GuardGame::new(2, seeds, beta).unwrap();
            let found = solve(&game, 1e-12).unwrap_or_else(|e| panic!("{small:e}, {beta}: {e}"));
            let plain = ClosedForm.gap(&game, &found.p, &found.q).unwrap();
            assert!(plain.width.abs() <= 1e-10, "{small:e}, {beta}: {plain:?}");
        }
    }
}

/// One label, one text, one seed: trivial games have trivial answers.
#[test]
fn trivial_games_are_solved_at_once() {
    let one =
        GuardGame::new(1, vec![Seed { label: 0, weight: 1.0, reference: vec![0.3, 0.7] }], 0.1);
    let found = solve(&one.unwrap(), 1e-12).unwrap();
    assert!(found.value.abs() < 1e-15 && found.gap < 1e-15 && found.iterations == 0, "{found:?}");
    let seed = |label, weight| Seed { label, weight, reference: vec![1.0] };
    let text = GuardGame::new(2, vec![seed(0, 0.25), seed(1, 0.75)], 0.1).unwrap();
    let entropy = -(0.25 * 0.25_f64.ln() + 0.75 * 0.75_f64.ln());
    assert!((solve(&text, 1e-12).unwrap().value - entropy).abs() < 1e-15);
}

/// Far outside the tested range of beta there is an answer or a refusal, not a wrong answer.
#[test]
fn extreme_betas_are_answered_or_refused() {
    let game = random_game(2, 6, 20, 1.0, 1.0, 1).unwrap();
    for beta in [1e-300, 1e-5, 1e-4, 1e6, 1e12, 1e300] {
        let game = game.clone().with_beta(beta).unwrap();
        match solve(&game, 1e-10) {
            Ok(found) => {
                let gap = ClosedForm.gap(&game, &found.p, &found.q).unwrap();
                assert!(found.gap <= 1e-10 && gap.width.abs() <= 2e-10, "{beta}: {gap:?}");
            }
            Err(error) => assert!(matches!(error, Error::NotSolved { .. }), "{beta}: {error}"),
        }
    }
}
