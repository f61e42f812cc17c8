//! The convergence theorems, step by step on random games (`theory/convergence.md`).

mod common;

use common::{Recipe, Star, config, games, size};
use nashguard::dynamics::{Order, Update};
use nashguard::exploit::Exploit;
use nashguard::guard::{Anchor, Classifier, ExactGap, Generator, GuardGame, Seed, proximal};
use nashguard::{BestReply, Game};
use proptest::prelude::*;

/// What D, G and V of a round are worth in rounding.
const ROUNDING: f64 = 1e-12;

proptest! {
    #![proptest_config(config(600))]

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
            let (d, g) = (game.divergence(&star.p, &p)?, game.value_guaranteed(&p)?);
            if let Some((old_d, old_g)) = before {
                let scale = size(&game, &p, &game.min_reply(&p)?) + tau * old_d;
                let slack = ROUNDING * scale + star.slack(&game, &p);
                let back = beta * game.divergence(&p, &star.p)?;
                prop_at_most!((beta + tau) * d + back, tau * old_d, slack);
                prop_at_most!(old_g, g, ROUNDING * scale);
                prop_at_most!(star.value - g, tau * old_d, slack);
            }
            before = Some((d, g));
        }
    }

    /// Theorem 1 and Theorem A's energy balance, exact for every tau >= 0 (also where runs diverge):
    /// V* - G(p) = beta D(p, p*) + C(p, p*), and (tau + beta) D(p*, p_{t+1}) + V* - G(p_{t+1})
    /// + C(p*, p_t) + [tau D - C](p_{t+1}, p_t) = tau D(p*, p_t).
    #[test]
    fn the_energy_balance_is_exact(recipe in games(), tau in prop_oneof![Just(0.0), 0.0..4.0]) {
        let game = recipe.game();
        let star = Star::of(&game);
        let star_q = game.min_reply(&star.p)?;
        let start = recipe.generator(&game, 0);
        let rounds = proximal::run(&game, tau, Order::Alternating, start)?.take(8);
        let rounds = rounds.collect::<nashguard::Result<Vec<_>>>()?;
        for pair in rounds.windows(2) {
            let (p, q, next) = (&pair[0].x, &pair[0].y, &pair[1].x);
            let loss = game.beta() * game.divergence(next, &star.p)?
                + game.classifier_regret(next, &star_q)?;
            let (before, step) = (tau * game.divergence(&star.p, p)?, tau * game.divergence(next, p)?);
            let after = (tau + game.beta()) * game.divergence(&star.p, next)?;
            let regrets = game.classifier_regret(&star.p, q)? - game.classifier_regret(next, q)?;
            let scale = size(&game, p, q) + size(&game, next, q) + before + step + after + loss;
            let slack = 1e-10 * scale + star.slack(&game, next);
            prop_close!(star.value - game.value_guaranteed(next)?, loss, slack, 1.0);
            prop_close!(after + loss + regrets + step, before, slack, 1.0);
        }
    }

    /// Corollary A.3: from p_0 = r the averaged classifier's gap is at most
    /// beta log(1/r_min)/(w^t - 1), w = 1 + beta/tau.
    #[test]
    fn the_averaged_classifier_has_a_small_gap(recipe in games(), tau in 1.0..4.0) {
        let recipe = recipe.moderate();
        let game = recipe.game();
        let (w, start) = (1.0 + game.beta() / tau, Generator::reference(&game));
        let least = game.reference().iter().filter(|r| **r > 0.0).fold(1.0, |m: f64, r| m.min(*r));
        let mut average: Option<ndarray::Array2<f64>> = None;
        let mut total = 0.0;
        for round in proximal::run(&game, tau, Order::Alternating, start)?.take(12) {
            let round = round?;
            if let Some(sum) = &average {
                let q = Classifier::new(&game, sum / total)?;
                let gap = ExactGap.gap(&game, &round.x, &q)?.width;
                let bound = -game.beta() * least.ln() / (w.powi(round.t as i32) - 1.0);
                prop_at_most!(gap, bound, 1e-12 * size(&game, &round.x, &q));
            }
            let weight = w.powi(round.t as i32);
            let q = round.y.probabilities() * weight;
            average = Some(average.map_or_else(|| q.clone(), |sum| sum + &q));
            total += weight;
        }
    }

    /// Corollary A.5, at a beta below all rounding: G never falls, and t rounds from r are within
    /// tau D(u, r)/t of every generator u, the averaged classifier within tau log(1/r_min)/t.
    #[test]
    fn without_a_price_the_gap_falls_like_one_over_t(recipe in games(), tau in 1.0..4.0) {
        let game = Recipe { log10_beta: -300.0, ..recipe.clone() }.game();
        let reference = Generator::reference(&game);
        let farthest: f64 = (game.reference().outer_iter().zip(game.weight()))
            .map(|(r, rho)| {
                let least = r.iter().filter(|r| **r > 0.0).fold(1.0, |m: f64, r| m.min(*r));
                -rho * least.ln()
            })
            .sum();
        let u = recipe.generator(&game, 1);
        let distance = game.divergence(&u, &reference)?;
        let (mut before, mut sum) = (f64::NEG_INFINITY, ndarray::Array2::zeros((game.texts(), game.labels())));
        for round in proximal::run(&game, tau, Order::Alternating, reference)?.take(30) {
            let round = round?;
            let (g, t) = (game.value_guaranteed(&round.x)?, round.t as f64);
            let slack = ROUNDING * size(&game, &round.x, &round.y);
            prop_at_most!(before, g, slack);
            if round.t > 0 {
                prop_at_most!(game.value_guaranteed(&u)? - g, tau * distance / t, slack);
                let averaged = Classifier::new(&game, &sum / t)?;
                prop_at_most!(game.value_against(&averaged)? - g, tau * farthest / t, slack);
            }
            before = g;
            sum += &round.y.probabilities();
        }
    }

    /// Corollary A.6: a generator that misses each step by e_t (as the corollary measures it) stays
    /// within (tau D_t + e_t)/(tau + beta).
    #[test]
    fn inexact_steps_are_forgiven(recipe in games(), tau in 1.0..4.0, noise in 0.001..0.3) {
        let recipe = recipe.moderate();
        let game = recipe.game();
        let star = Star::of(&game);
        let mut p = recipe.generator(&game, 0);
        for t in 0..8 {
            let q = game.min_reply(&p)?;
            let exact = proximal::generator(&game, tau).step(&p, &q)?;
            let next = common::mix_generators(&game, &exact, &recipe.generator(&game, 10 + t), noise);
            let ratio = exact.log_p() - next.log_p();
            let mut error = 0.0;
            let rows = (star.p.probabilities() - next.probabilities()) * ratio;
            for (row, rho) in rows.outer_iter().zip(game.weight()) {
                error += (tau + game.beta()) * rho * row.sum();
            }
            let bound = (tau * game.divergence(&star.p, &p)? + error) / (tau + game.beta());
            let slack = 1e-11 * size(&game, &next, &q) + star.slack(&game, &next);
            prop_at_most!(game.divergence(&star.p, &next)?, bound, slack);
            p = next;
        }
    }

    /// Corollary A.3's start: D(p*, r) <= Lambda / beta.
    #[test]
    fn the_reference_is_near_the_equilibrium(recipe in games()) {
        let game = recipe.game();
        let star = Star::of(&game);
        let distance = game.divergence(&star.p, &Generator::reference(&game))?;
        let lambda = game.anchor().map_or(0.0, |a| a.weight);
        let log_labels = (game.labels() as f64).ln();
        let mut bound = (1.0 + lambda) * log_labels;
        if lambda > 0.0 {
            let mixed = (1.0 + lambda) * lambda.ln_1p() - lambda * lambda.ln();
            bound = bound.min(log_labels + mixed);
        }
        if game.floor() > 0.0 {
            bound = bound.min(-game.floor().ln());
        }
        prop_at_most!(game.beta() * distance, bound, star.gap + ROUNDING);
    }

    /// Theorem C, at every step of the paper's iteration (tau = 0) with beta > 1, for every class
    /// and anchor: V(q_{t+1}) - V* <= (V(q_t) - V*) / beta, beta D(p*, p_{t+1}) <= V(q_t) - V*, and
    /// gap(p_{t+2}, q_{t+2}) <= (V(q_t) - V*) / (beta - 1).
    #[test]
    fn theorem_c_holds_at_every_step(recipe in games(), log10_beta in 0.001..2.0) {
        let recipe = common::Recipe { log10_beta, ..recipe };
        let game = recipe.game();
        let star = Star::of(&game);
        let (mut before, mut earlier): (Option<f64>, Option<f64>) = (None, None);
        let start = recipe.generator(&game, 0);
        for round in proximal::run(&game, 0.0, Order::Alternating, start)?.take(30) {
            let round = round?;
            let excess = game.value_against(&round.y)? - star.value;
            let scale = size(&game, &round.x, &round.y) + excess.abs();
            let slack = ROUNDING * scale + 2.0 * star.gap;
            prop_at_most!(0.0, excess, slack);
            if let Some(old) = before {
                prop_at_most!(excess, old / game.beta(), slack);
                prop_at_most!(game.beta() * game.divergence(&star.p, &round.x)?, old, slack);
            }
            if let Some(earlier) = earlier {
                let gap = ExactGap.gap(&game, &round.x, &round.y)?.width;
                let bound = earlier / (game.beta() - 1.0);
                prop_at_most!(gap, bound, slack / (game.beta() - 1.0).min(1.0));
            }
            (earlier, before) = (before, Some(excess));
        }
        // From the reference: V(q_r) - V* <= D(T_phi q_r, r) <= log(1/r_min).
        let reference = Generator::reference(&game);
        let q = game.min_reply(&reference)?;
        let excess = game.value_against(&q)? - star.value;
        let distance = game.divergence(&game.max_reply(&q)?, &reference)?;
        prop_at_most!(excess, distance, star.gap + ROUNDING * size(&game, &reference, &q));
    }

    /// Theorem C for simultaneous play (Proposition 5.1): the rate per two rounds.
    #[test]
    fn simultaneous_play_inherits_the_rate_per_two_rounds(recipe in games(), log10_beta in 0.001..2.0) {
        let recipe = common::Recipe { log10_beta, ..recipe };
        let game = recipe.game();
        let star = Star::of(&game);
        let start = recipe.generator(&game, 0);
        let excess = proximal::run(&game, 0.0, Order::Simultaneous, start)?
            .take(30)
            .map(|round| Ok(game.value_against(&round?.y)? - star.value))
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
    damped_logits(game, 0.0, lambda, n)
}

/// The same at another proximal weight.
fn damped_logits(game: &GuardGame, tau: f64, lambda: f64, n: usize) -> Vec<f64> {
    let start = antisymmetric(game, lambda);
    let rounds = proximal::run(game, tau, Order::Alternating, start).unwrap();
    rounds
        .take(n)
        .map(|round| {
            let q = round.unwrap().y;
            q.log_q()[(0, 1)] - q.log_q()[(0, 0)]
        })
        .collect()
}

/// Example 1: lambda_{t+1} = (tau - 1)/(tau + beta) lambda_t exactly, on both sides of the
/// threshold; at tau = 0 the factor is -1/beta.
#[test]
fn the_two_text_game_follows_its_closed_form() {
    for beta in [0.3, 0.9, 1.0, 1.1, 4.0] {
        for tau in [0.0, 0.25, 0.5, 1.0, 3.0] {
            for pair in damped_logits(&two_texts(beta), tau, 0.1, 12).windows(2) {
                let expected = (tau - 1.0) / (tau + beta) * pair[0];
                let allowed = 1e-12 * (1.0 + expected.abs());
                assert!((pair[1] - expected).abs() <= allowed, "{beta}, {tau}: {pair:?}");
            }
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
        // On the cycle the gap is l tanh(l / (2 beta)).
        let rounds = proximal::run(&game, 0.0, Order::Alternating, antisymmetric(&game, 1e-3));
        let late = rounds.unwrap().nth(99).unwrap().unwrap();
        let gap = ExactGap.gap(&game, &late.x, &late.y).unwrap().width;
        assert!((gap - edge * (edge / (2.0 * beta)).tanh()).abs() < 1e-12, "{beta}: {gap}");
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

/// Corollary A.3, remark (i): with an anchor, beta D(p*, r) may exceed log|Y|; here it is 1.99.
#[test]
fn an_anchor_may_push_the_equilibrium_far_from_the_reference() {
    let (small, smaller) = (1e-9, (-20.0_f64).exp());
    let seeds = vec![
        Seed { label: 0, weight: 0.5, reference: vec![1.0 - small, small] },
        Seed { label: 1, weight: 0.5, reference: vec![smaller, 1.0 - smaller] },
    ];
    let real = ndarray::array![[1.0, 0.0], [0.0, 0.0]];
    let game = GuardGame::new(2, seeds, 0.2).unwrap();
    let game = game.with_anchor(Anchor { weight: 100.0, real }).unwrap();
    let star = Star::of(&game);
    let distance = game.beta() * game.divergence(&star.p, &Generator::reference(&game)).unwrap();
    assert!((distance - 1.99).abs() < 0.005, "{distance}");
}
