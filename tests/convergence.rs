//! The convergence theorems, step by step on random games (`theory/convergence.md`).

mod common;

use common::{Star, config, games, size};
use nashguard::dynamics::Order;
use nashguard::guard::{Generator, GuardGame, Seed, proximal};
use nashguard::{BestReply, Game};
use proptest::prelude::*;

/// What D, G and V of a round are worth in rounding.
const ROUNDING: f64 = 1e-12;

proptest! {
    #![proptest_config(config(200))]

    /// Theorem A, at every step of every run with tau >= 1, for every beta, class and anchor:
    /// (beta + tau) D(p*, p_{t+1}) + beta D(p_{t+1}, p*) <= tau D(p*, p_t); G rises; and
    /// G* - G(p_{t+1}) <= tau D(p*, p_t).
    #[test]
    fn theorem_a_holds_at_every_step(recipe in games(), tau in prop_oneof![Just(1.0), 1.0..10.0]) {
        let game = recipe.game();
        let star = Star::of(&game);
        let beta = game.beta();
        let mut before: Option<(f64, f64)> = None;
        let start = recipe.generator(&game, 0);
        for round in proximal::run(&game, tau, Order::Alternating, start)?.take(30) {
            let p = round?.x;
            let (d, g) = (game.divergence(&star.p, &p), game.value_guaranteed(&p)?);
            if let Some((old_d, old_g)) = before {
                let scale = size(&game, &p, &game.min_reply(&p)?) + tau * old_d;
                let slack = ROUNDING * scale + star.slack(&game, &p);
                let back = beta * game.divergence(&p, &star.p);
                prop_at_most!((beta + tau) * d + back, tau * old_d, slack);
                prop_at_most!(old_g, g, ROUNDING * scale);
                prop_at_most!(star.value - g, tau * old_d, slack);
            }
            before = Some((d, g));
        }
    }

    /// Theorem A's start: D(p*, r) <= log|Y| / beta; with an anchor, (1 + lambda) log|Y| / beta.
    #[test]
    fn the_reference_is_near_the_equilibrium(recipe in games()) {
        let game = recipe.game();
        let star = Star::of(&game);
        let distance = game.divergence(&star.p, &Generator::reference(&game));
        let lambda = game.anchor().map_or(0.0, |a| a.weight);
        let bound = (1.0 + lambda) * (game.labels() as f64).ln();
        prop_at_most!(game.beta() * distance, bound, star.gap + ROUNDING);
    }

    /// Theorem C, at every step of the paper's iteration (tau = 0) with beta > 1, for every class
    /// and anchor: V(q_{t+1}) - V* <= (V(q_t) - V*) / beta and beta D(p*, p_{t+1}) <= V(q_t) - V*.
    #[test]
    fn theorem_c_holds_at_every_step(recipe in games(), log10_beta in 0.001..2.0) {
        let recipe = common::Recipe { log10_beta, ..recipe };
        let game = recipe.game();
        let star = Star::of(&game);
        let mut before: Option<f64> = None;
        let start = recipe.generator(&game, 0);
        for round in proximal::run(&game, 0.0, Order::Alternating, start)?.take(30) {
            let round = round?;
            let excess = game.value_against(&round.y) - star.value;
            let scale = size(&game, &round.x, &round.y) + excess.abs();
            let slack = ROUNDING * scale + 2.0 * star.gap;
            prop_at_most!(0.0, excess, slack);
            if let Some(old) = before {
                prop_at_most!(excess, old / game.beta(), slack);
                prop_at_most!(game.beta() * game.divergence(&star.p, &round.x), old, slack);
            }
            before = Some(excess);
        }
    }

    /// Theorem C for simultaneous play, which is two interleaved runs: the rate per two rounds.
    #[test]
    fn simultaneous_play_inherits_the_rate_per_two_rounds(recipe in games(), log10_beta in 0.001..2.0) {
        let recipe = common::Recipe { log10_beta, ..recipe };
        let game = recipe.game();
        let star = Star::of(&game);
        let start = recipe.generator(&game, 0);
        let excess = proximal::run(&game, 0.0, Order::Simultaneous, start)?
            .take(30)
            .map(|round| Ok(game.value_against(&round?.y) - star.value))
            .collect::<nashguard::Result<Vec<f64>>>()?;
        for (t, pair) in excess.windows(3).enumerate().skip(1) {
            let slack = 100.0 * ROUNDING * (1.0 + excess[0].abs()) + 2.0 * star.gap;
            prop_assert!(pair[2] <= pair[0] / game.beta() + slack, "round {t}: {pair:?}");
        }
    }
}

/// Example 1: one safe and one unsafe seed with the same two texts, equally likely.
fn two_texts(beta: f64) -> GuardGame {
    let seed = |label| Seed { label, weight: 0.5, reference: vec![0.5, 0.5] };
    GuardGame::new(2, vec![seed(0), seed(1)], beta).unwrap()
}

/// The antisymmetric start p_1(a) = logistic(lambda), p_0(a) = 1 - p_1(a), at which
/// logit q(1|a) = lambda.
fn antisymmetric(game: &GuardGame, lambda: f64) -> Generator {
    let s = 1.0 / (1.0 + (-lambda).exp());
    Generator::new(game, ndarray::array![[1.0 - s, s], [s, 1.0 - s]]).unwrap()
}

/// logit q_t(1|a) for rounds t = 0..n of the paper's iteration.
fn logits(game: &GuardGame, lambda: f64, n: usize) -> Vec<f64> {
    let start = antisymmetric(game, lambda);
    let rounds = proximal::run(game, 0.0, Order::Alternating, start).unwrap();
    rounds
        .take(n)
        .map(|round| {
            let q = round.unwrap().y;
            q.log_q()[(0, 1)] - q.log_q()[(0, 0)]
        })
        .collect()
}

/// Example 1: lambda_{t+1} = -lambda_t / beta exactly, on both sides of the threshold.
#[test]
fn the_two_text_game_follows_its_closed_form() {
    for beta in [0.3, 0.9, 1.0, 1.1, 4.0] {
        for pair in logits(&two_texts(beta), 0.1, 12).windows(2) {
            let expected = -pair[0] / beta;
            assert!(
                (pair[1] - expected).abs() <= 1e-12 * (1.0 + expected.abs()),
                "{beta}: {pair:?}"
            );
        }
    }
}

/// Example 1: beta = 1 is the exact threshold. One part in a million decides.
#[test]
fn the_two_text_threshold_is_one() {
    let after = |beta: f64| {
        let l = logits(&two_texts(beta), 0.5, 101);
        l[100].abs() / l[0].abs()
    };
    assert!((after(1.0 + 1e-6) / (1.0 + 1e-6_f64).powi(-100) - 1.0).abs() < 1e-10);
    assert!((after(1.0 - 1e-6) / (1.0 - 1e-6_f64).powi(-100) - 1.0).abs() < 1e-10);
    assert!((after(1.0) - 1.0).abs() < 1e-10);
    let game = two_texts(1.0);
    let spectrum = nashguard::guard::spectrum(&game, &Generator::reference(&game)).unwrap();
    assert!((spectrum.threshold(0.0) - 1.0).abs() < 1e-12);
    assert!((spectrum.threshold(0.25) - 0.5).abs() < 1e-12);
}

/// Example 1, clipped: below the threshold every other start ends in the 2-cycle +-logit(1 - gamma).
#[test]
fn the_clipped_two_text_game_ends_in_its_two_cycle() {
    for (beta, gamma) in [(0.5, 0.05), (0.9, 0.2), (0.01, 0.01)] {
        let game = two_texts(beta).with_floor(gamma).unwrap();
        let edge = ((1.0 - gamma) / gamma).ln();
        let l = logits(&game, 1e-3, 100);
        for pair in l[90..].windows(2) {
            assert!((pair[0].abs() - edge).abs() < 1e-12, "{beta}: {pair:?}, edge {edge}");
            assert!(pair[0] * pair[1] < 0.0, "{pair:?}");
        }
        // The equilibrium itself does not move.
        assert!(logits(&game, 0.0, 10).iter().all(|l| l.abs() < 1e-15));
    }
}

/// Example 1: its equilibrium is the reference, of value log 2.
#[test]
fn the_two_text_game_is_worth_log_two() {
    let game = two_texts(0.3);
    let p = Generator::reference(&game);
    let q = game.min_reply(&p).unwrap();
    assert_eq!(game.max_reply(&q).unwrap(), p);
    assert!((game.payoff(&p, &q).unwrap() - 2.0_f64.ln()).abs() < 1e-15);
}
