//! The identities and inequalities every guard game obeys (`theory/convergence.md`).

mod common;

use common::{config, games, mix_classifiers, mix_generators, size};
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::guard::{
    Classifier, ExactGap, Generator, GuardGame, Law, Sample, Table, payoff, proximal, solve,
};
use nashguard::{BestReply, Game};
use ndarray::Array2;
use proptest::prelude::*;

/// sum over the entries with p > 0 of p times f(i, z).
fn expectation(game: &GuardGame, p: &Generator, f: impl Fn(usize, usize) -> f64) -> f64 {
    let p = p.probabilities();
    let mut sum = 0.0;
    for ((i, z), p) in p.indexed_iter().filter(|(_, p)| **p > 0.0) {
        sum += game.weight()[i] * p * f(i, z);
    }
    sum
}

/// D by its definition (Definition 2).
fn plain_divergence(game: &GuardGame, p: &Generator, q: &Generator) -> f64 {
    expectation(game, p, |i, z| p.log_p()[(i, z)] - q.log_p()[(i, z)])
}

/// J by its definition (Definition 1), with the anchor.
fn plain_payoff(game: &GuardGame, p: &Generator, q: &Classifier) -> f64 {
    let loss = expectation(game, p, |i, z| -q.log_q()[(z, game.label()[i])]);
    let real = game.anchor().map_or(0.0, |anchor| {
        let term = |((y, z), r): ((usize, usize), &f64)| {
            if *r > 0.0 { -r * q.log_q()[(z, y)] } else { 0.0 }
        };
        anchor.weight * anchor.real.indexed_iter().map(term).sum::<f64>()
    });
    loss + real - game.beta() * plain_divergence(game, p, &Generator::reference(game))
}

/// W(y, z) = P(y, z) + lambda R(y, z), by plain sums.
fn mass(game: &GuardGame, p: &Generator) -> Array2<f64> {
    let mut w = Array2::zeros((game.labels(), game.texts()));
    for ((i, z), p) in p.probabilities().indexed_iter() {
        w[(game.label()[i], z)] += game.weight()[i] * p;
    }
    if let Some(anchor) = game.anchor() {
        w.scaled_add(anchor.weight, &anchor.real);
    }
    w
}

proptest! {
    #![proptest_config(config(1000))]

    /// Definition 1: the payoff is F plus the anchor's loss.
    #[test]
    fn the_payoff_is_its_definition(recipe in games()) {
        let game = recipe.game();
        let (p, q) = (recipe.boundary_generator(&game, 0), recipe.classifier(&game, 0));
        prop_close!(game.payoff(&p, &q)?, plain_payoff(&game, &p, &q), 1e-12, size(&game, &p, &q));
    }

    /// Proposition 2: no generator beats T_phi(q), and p misses it by exactly beta D(p, T_phi q)
    /// (Gibbs' identity).
    #[test]
    fn no_generator_beats_the_best_reply(recipe in games()) {
        let game = recipe.game();
        let q = recipe.classifier(&game, 0);
        let best = game.max_reply(&q)?;
        let value = game.payoff(&best, &q)?;
        let scale = size(&game, &best, &q);
        prop_close!(value, game.value_against(&q)?, 1e-12, scale);
        for stream in 0..5 {
            let other = recipe.boundary_generator(&game, stream);
            for p in [mix_generators(&game, &best, &other, 1e-3), other] {
                let scale = scale + size(&game, &p, &q);
                let loss = value - game.payoff(&p, &q)?;
                prop_at_most!(0.0, loss, 1e-12 * scale);
                prop_close!(loss, game.beta() * game.divergence(&p, &best)?, 1e-11, scale);
            }
        }
    }

    /// Proposition 1: no classifier of the class beats the (clipped) posterior, anchored or not,
    /// and q misses it by exactly the regret.
    #[test]
    fn no_classifier_beats_the_best_reply(recipe in games()) {
        let game = recipe.game();
        let p = recipe.boundary_generator(&game, 0);
        let best = game.min_reply(&p)?;
        let value = game.payoff(&p, &best)?;
        let mut others = vec![Classifier::uniform(&game)];
        for stream in 0..5 {
            let q = recipe.classifier(&game, stream);
            others.push(mix_classifiers(&game, &best, &q, 1e-3));
            others.push(q);
        }
        for q in &others {
            let scale = size(&game, &p, q);
            let loss = game.payoff(&p, q)? - value;
            prop_at_most!(0.0, loss, 1e-12 * scale);
            prop_close!(loss, game.classifier_regret(&p, q)?, 1e-11, scale);
        }
    }

    /// Proposition 1: the reply is in the class, and on a free label it is proportional to W.
    #[test]
    fn the_reply_is_clipped_to_the_class(recipe in games()) {
        let game = recipe.game();
        let p = recipe.boundary_generator(&game, 0);
        let (q, w) = (game.min_reply(&p)?.probabilities(), mass(&game, &p));
        for (z, q) in q.outer_iter().enumerate() {
            prop_close!(q.sum(), 1.0, 1e-13, 1.0);
            let mut ratios = Vec::new();
            for (y, q) in q.iter().enumerate() {
                prop_at_most!(game.floor(), *q, 1e-13);
                // Masses near the end of f64 have lost digits in this plain sum.
                if *q > game.floor() * (1.0 + 1e-9) && w[(y, z)] > 1e-280 {
                    ratios.push(w[(y, z)] / q);
                }
            }
            for pair in ratios.windows(2) {
                prop_close!(pair[0], pair[1], 1e-11, pair[0]);
            }
        }
    }

    /// Proposition 3: the gap is not negative, and its cancellation-free width is high - low.
    #[test]
    fn both_gaps_agree_and_are_not_negative(recipe in games()) {
        let game = recipe.game();
        let (p, q) = (recipe.boundary_generator(&game, 0), recipe.classifier(&game, 0));
        let (exact, plain) = (ExactGap.gap(&game, &p, &q)?, ClosedForm.gap(&game, &p, &q)?);
        let best = game.max_reply(&q)?;
        let scale = size(&game, &p, &q) + size(&game, &best, &q) + exact.width;
        prop_assert!(exact.width >= 0.0);
        prop_close!(exact.width, exact.high - exact.low, 1e-12, scale);
        prop_close!(exact.width, plain.width, 1e-12, scale);
        prop_close!(exact.low, plain.low, 1e-12, scale);
        prop_close!(exact.high, plain.high, 1e-12, scale);
    }

    /// Proposition 3: at the solver's solution the gap is 0 to 1e-12, by either measure.
    #[test]
    fn the_gap_vanishes_at_the_equilibrium(recipe in games()) {
        let game = recipe.game();
        let found = solve(&game, 1e-12)?;
        let exact = ExactGap.gap(&game, &found.p, &found.q)?;
        prop_assert!(exact.width <= 1e-12);
        let plain = ClosedForm.gap(&game, &found.p, &found.q)?;
        prop_close!(plain.width, 0.0, 1e-12, 1.0 + size(&game, &found.p, &found.q));
        prop_close!(found.value, exact.low, 1e-13, size(&game, &found.p, &found.q));
    }

    /// Definition 2: with a free classifier C(u, p) = sum_z W_u(z) KL(q_u(.|z) || q_p(.|z)).
    #[test]
    fn the_regret_is_the_conditional_divergence(recipe in games()) {
        let game = recipe.clone().unclipped().game();
        let (u, p) = (recipe.boundary_generator(&game, 0), recipe.generator(&game, 1));
        let (wu, wp) = (mass(&game, &u), mass(&game, &p));
        let mut c = 0.0;
        for z in 0..game.texts() {
            let (u, p) = (wu.column(z), wp.column(z));
            for (a, b) in u.iter().zip(p).filter(|(a, _)| **a > 0.0) {
                c += a * ((a / u.sum()).ln() - (b / p.sum()).ln());
            }
        }
        let q = game.min_reply(&p)?;
        prop_close!(game.classifier_regret(&u, &q)?, c, 1e-11, size(&game, &u, &q));
    }

    /// Lemma 1.2 and 1.3: J(u, q_p) - G(u) = C(u, p), 0 <= C(u, p) <= D(u, p), and
    /// J(u, q_p) - J(u, q') <= D(u, p) for every q', in either class, with and without an anchor.
    #[test]
    fn the_chain_rule_holds(recipe in games()) {
        let game = recipe.game();
        for (a, b) in [(0, 1), (2, 3)] {
            let (u, p) = (recipe.boundary_generator(&game, a), recipe.generator(&game, b));
            let q = game.min_reply(&p)?;
            let c = game.classifier_regret(&u, &q)?;
            let loss = game.payoff(&u, &q)? - game.value_guaranteed(&u)?;
            prop_close!(loss, c, 1e-10, size(&game, &u, &q));
            prop_at_most!(0.0, c, 0.0);
            let d = game.divergence(&u, &p)?;
            prop_at_most!(c, d, 1e-12 * size(&game, &u, &q));
            let other = recipe.classifier(&game, a);
            let smoothness = game.payoff(&u, &q)? - game.payoff(&u, &other)?;
            prop_at_most!(smoothness, d, 1e-12 * (size(&game, &u, &q) + size(&game, &u, &other)));
        }
    }

    /// Lemma 1.4: G(p) = G(p') + <grad G(p'), p - p'> - [beta D(p, p') + C(p, p')].
    #[test]
    fn the_value_expands_exactly(recipe in games()) {
        let game = recipe.game();
        let (p, base) = (recipe.boundary_generator(&game, 0), recipe.generator(&game, 1));
        let q = game.min_reply(&base)?;
        // The envelope theorem's gradient, divided by rho: constants a row do not matter.
        let gradient = |i: usize, z: usize| {
            let kl = base.log_p()[(i, z)] - game.reference()[(i, z)].ln();
            -q.log_q()[(z, game.label()[i])] - game.beta() * kl
        };
        let slope = expectation(&game, &p, gradient) - expectation(&game, &base, gradient);
        let curve = game.beta() * game.divergence(&p, &base)? + game.classifier_regret(&p, &q)?;
        let scale = size(&game, &p, &q) + size(&game, &base, &q) + curve + slope.abs();
        let expansion = game.value_guaranteed(&base)? + slope - curve;
        prop_close!(game.value_guaranteed(&p)?, expansion, 1e-10, scale);
    }

    /// Lemma 1.1: sum W_p q'/q_p <= 1 + lambda over the pairs with W_p > 0, for every q' of the class.
    #[test]
    fn the_reply_is_first_order_optimal(recipe in games()) {
        let game = recipe.game();
        let p = recipe.boundary_generator(&game, 0);
        let (w, q) = (mass(&game, &p), game.min_reply(&p)?.probabilities());
        let other = recipe.classifier(&game, 1).probabilities();
        let ratio = |((y, z), w): ((usize, usize), &f64)| w * other[(z, y)] / q[(z, y)];
        let sum: f64 = w.indexed_iter().filter(|(_, w)| **w > 1e-280).map(ratio).sum();
        prop_at_most!(sum, 1.0 + game.anchor().map_or(0.0, |a| a.weight), 1e-10);
    }

    /// Lemma 1.6: C(u, p) >= sum W_u KL(q_u || q_p), with equality for a free classifier (Definition 2).
    #[test]
    fn the_regret_bounds_the_posteriors_divergence(recipe in games()) {
        let game = recipe.game();
        let (u, p) = (recipe.boundary_generator(&game, 0), recipe.generator(&game, 1));
        let (qu, qp) = (game.min_reply(&u)?, game.min_reply(&p)?);
        let total = mass(&game, &u).sum_axis(ndarray::Axis(0));
        let mut kl = 0.0;
        for ((z, y), q) in
            qu.probabilities().indexed_iter().filter(|((z, _), q)| total[*z] * **q > 0.0)
        {
            kl += total[z] * q * (qu.log_q()[(z, y)] - qp.log_q()[(z, y)]);
        }
        let c = game.classifier_regret(&u, &qp)?;
        prop_at_most!(kl, c, 1e-11 * size(&game, &u, &qp));
        if game.floor() == 0.0 {
            prop_close!(kl, c, 1e-11, size(&game, &u, &qp));
        }
        // Corollary A.4: Pinsker's inequality for both players.
        let rows = (u.probabilities() - p.probabilities()).mapv(f64::abs).sum_axis(ndarray::Axis(1));
        let variation: f64 = rows.iter().zip(game.weight()).map(|(v, w)| w * v * v).sum();
        prop_at_most!(variation, 2.0 * game.divergence(&u, &p)?, 1e-12);
        let rows = (qu.probabilities() - qp.probabilities()).mapv(f64::abs).sum_axis(ndarray::Axis(1));
        let variation: f64 = rows.iter().zip(&total).map(|(v, w)| w * v * v).sum();
        prop_at_most!(variation, 2.0 * c, 1e-11 * size(&game, &u, &qp));
    }

    /// Lemma 2 (step identity): for every generator u and proximal weight tau,
    /// G(u) + C(u,p) - tau D(u,p) = G(p+) + C(p+,p) - tau D(p+,p) - (beta + tau) D(u,p+).
    #[test]
    fn the_step_identity_holds(recipe in games(), tau in prop_oneof![Just(0.0), 0.0..10.0]) {
        use nashguard::dynamics::Update;
        let game = recipe.game();
        let (u, p) = (recipe.boundary_generator(&game, 0), recipe.generator(&game, 1));
        let q = game.min_reply(&p)?;
        let next = proximal::generator(&game, tau).step(&p, &q)?;
        let (c_u, c_next) = (game.classifier_regret(&u, &q)?, game.classifier_regret(&next, &q)?);
        let (d_u, d_next) = (game.divergence(&u, &p)?, game.divergence(&next, &p)?);
        let moved = (game.beta() + tau) * game.divergence(&u, &next)?;
        let left = game.value_guaranteed(&u)? + c_u - tau * d_u;
        let right = game.value_guaranteed(&next)? + c_next - tau * d_next - moved;
        let scale = size(&game, &u, &q) + size(&game, &next, &q) + tau * (d_u + d_next) + moved;
        prop_close!(left, right, 1e-10, scale);
    }

    /// Proposition 3 along a run: gap(p_t, q_{p_t}) = beta D(p_t, T_phi q_t), here with D by its
    /// definition, and equal to the closed form V(q_t) - G(p_t).
    #[test]
    fn the_gap_along_a_run_is_a_divergence(recipe in games(), tau in 0.0..3.0) {
        let game = recipe.game();
        let start = recipe.generator(&game, 0);
        let rounds = proximal::run(&game, tau, nashguard::dynamics::Order::Alternating, start)?;
        for round in rounds.take(6) {
            let round = round?;
            let reply = game.max_reply(&round.y)?;
            let expected = game.beta() * plain_divergence(&game, &round.x, &reply);
            let scale = size(&game, &round.x, &round.y) + size(&game, &reply, &round.y) + expected;
            prop_close!(ExactGap.gap(&game, &round.x, &round.y)?.width, expected, 1e-12, scale);
            prop_close!(ClosedForm.gap(&game, &round.x, &round.y)?.width, expected, 1e-12, scale);
        }
    }

    /// Definition 1: J is concave in p and convex in q along every segment.
    #[test]
    fn the_payoff_is_concave_convex(recipe in games(), t in 0.0..1.0) {
        let game = recipe.game();
        let (a, b) = (recipe.boundary_generator(&game, 0), recipe.generator(&game, 1));
        let (c, d) = (recipe.classifier(&game, 0), recipe.classifier(&game, 1));
        for t in [0.5, t] {
            let p = mix_generators(&game, &a, &b, t);
            let chord = (1.0 - t) * game.payoff(&a, &c)? + t * game.payoff(&b, &c)?;
            let scale = size(&game, &a, &c) + size(&game, &b, &c);
            prop_at_most!(chord, game.payoff(&p, &c)?, 1e-12 * scale);
            let q = mix_classifiers(&game, &c, &d, t);
            let chord = (1.0 - t) * game.payoff(&a, &c)? + t * game.payoff(&a, &d)?;
            prop_at_most!(game.payoff(&a, &q)?, chord, 1e-12 * (scale + size(&game, &a, &d)));
        }
    }

    /// Definition 1 by its other road: summed over the laws' draws, a table's payoff is the same
    /// number, without sampling error.
    #[test]
    fn the_law_route_is_the_closed_form(recipe in games()) {
        let game = recipe.clone().unanchored().game();
        let (p, q) = (recipe.boundary_generator(&game, 0), recipe.classifier(&game, 0));
        let reference = Generator::reference(&game);
        let law = Table { game: &game, generator: &p };
        let anchor = Table { game: &game, generator: &reference };
        let estimate = payoff(&law, &anchor, &q, game.beta(), 1, 0)?;
        prop_assert_eq!(estimate.standard_error, 0.0);
        prop_close!(estimate.mean, game.payoff(&p, &q)?, 1e-12, size(&game, &p, &q));
        let draws = law.draws(1, 0)?;
        prop_assert!(draws.exact);
        prop_close!(draws.weights.iter().sum::<f64>(), 1.0, 1e-13, 1.0);
        let labels_match = |s: &Sample| s.label == game.label()[s.seed];
        prop_assert!(draws.items.iter().all(labels_match));
    }
}
