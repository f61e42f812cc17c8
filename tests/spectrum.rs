//! Theorem B: the local rate measured on the update map itself is the predicted one.

mod common;

use common::{Recipe, config, games};
use nashguard::BestReply;
use nashguard::dynamics::Order;
use nashguard::guard::{Generator, GuardGame, proximal, solve, spectrum};
use ndarray::Array2;
use proptest::prelude::*;
use rand::RngExt;

/// Blocks of two rounds. An eigenvalue 1 % below the largest still counts for e^-4 of it after these.
const BLOCKS: usize = 400;

/// The growth per round of a small perturbation of log p*, by power iteration on two rounds of the
/// dynamics at a time: eigenvalues of either sign then grow alike, so that near-ties +a, -a of the
/// Jacobian do no harm. It is self-adjoint in the norm sum rho p d^2, so the growth of two rounds
/// rises towards the largest; the geometric mean of the last two is returned.
fn measured(game: &GuardGame, star: &Generator, tau: f64, seed: &Recipe) -> f64 {
    const STEP: f64 = 1e-5;
    let p = star.probabilities();
    let mut rng = seed.rng(77);
    let mut d = p.mapv(|_| rng.random::<f64>() - 0.5);
    let pushed = |d: &Array2<f64>, sign: f64| {
        let mut moved = &p * &d.mapv(|d| (sign * STEP * d).exp());
        for mut row in moved.outer_iter_mut() {
            let total = row.sum();
            row /= total;
        }
        let start = Generator::new(game, moved).unwrap();
        let mut rounds = proximal::run(game, tau, Order::Alternating, start).unwrap();
        rounds.nth(2).unwrap().unwrap().x
    };
    let norm = |d: &mut Array2<f64>| {
        let mut square = 0.0;
        for ((mut d, p), rho) in d.outer_iter_mut().zip(p.outer_iter()).zip(game.weight()) {
            let mean = d.dot(&p);
            d -= mean;
            square += rho * d.iter().zip(p).map(|(d, p)| p * d * d).sum::<f64>();
        }
        square.sqrt()
    };
    let first = norm(&mut d);
    d /= first;
    let mut last: f64 = 0.0;
    for _ in 0..BLOCKS {
        d = (pushed(&d, 1.0).log_p() - pushed(&d, -1.0).log_p()) / (2.0 * STEP);
        let growth = norm(&mut d);
        // Rounding noise of two rounds, far below any rate that shows.
        if growth < 1e-9 {
            return 0.0;
        }
        d /= growth;
        last = growth;
    }
    last.sqrt()
}

/// Games on which every predicted eigenvalue shows: every label has a seed, and |Z| > |Y|. With m
/// seeds there are m (|Z| - 1) directions, of which the classifier sees at most (|Y| - 1) |Z|; for
/// m = |Y| the |Z| - |Y| others, with eigenvalue tau/(tau + beta), exist only then.
fn visible() -> impl Strategy<Value = Recipe> {
    (games(), 1..12usize, -1.3..1.0).prop_map(|(recipe, extra, log10_beta)| {
        let (texts, seeds) = (recipe.labels + extra, recipe.seeds.max(recipe.labels));
        Recipe { texts, seeds, log10_beta, ..recipe.moderate() }
    })
}

/// Labels whose W-posterior is so near the floor that a small perturbation may cross it.
fn near_a_kink(game: &GuardGame, star: &Generator) -> bool {
    if game.floor() == 0.0 {
        return false;
    }
    let q = game.min_reply(star).unwrap().probabilities();
    let free = game.clone().with_floor(0.0).unwrap().min_reply(star).unwrap().probabilities();
    // A label is either kept well above the floor, or raised to it from well below.
    q.outer_iter().zip(free.outer_iter()).any(|(q, free)| {
        let (best, kept) =
            q.iter().zip(free).fold((0.0, 1.0), |b, (q, w)| if *q > b.0 { (*q, *w) } else { b });
        q.iter().zip(free).any(|(_, w)| (w * best / kept / game.floor()).ln().abs() < 1e-2)
    })
}

proptest! {
    #![proptest_config(config(60))]

    /// Theorem B: the measured rate is max(|tau - nu|, tau)/(tau + beta) within 2 %, also above 1,
    /// with free and clipped classifiers, with and without an anchor.
    #[test]
    fn the_measured_rate_is_the_predicted_one(
        recipe in visible(),
        tau in prop_oneof![Just(0.0), Just(0.5), Just(1.0), 0.0..2.0],
    ) {
        let game = recipe.balanced_game();
        let star = solve(&game, 1e-13).or_else(|_| solve(&game, 1e-12))?.p;
        prop_assume!(!near_a_kink(&game, &star));
        let spectrum = spectrum(&game, &star)?;
        let (found, predicted) = (measured(&game, &star, tau, &recipe), spectrum.rate(tau));
        prop_close!(found, predicted, 0.02, predicted.max(1e-3));
        let other = proximal::measured_rate(&game, &star, tau, Order::Alternating, BLOCKS, recipe.seed)?;
        prop_close!(other, predicted, 0.02, predicted.max(1e-3));
        // Simultaneous play at tau = 0 is two interleaved runs, each moving every other round.
        if tau == 0.0 {
            let half = proximal::measured_rate(&game, &star, 0.0, Order::Simultaneous, BLOCKS, recipe.seed)?;
            prop_close!(half, predicted.sqrt(), 0.02, predicted.sqrt().max(1e-3));
        }
    }

    /// Theorem B: nu lies in [0, 1], is_stable says rate < 1, and tau = 1/2 is the best weight on
    /// the whole range of nu.
    #[test]
    fn the_spectrum_is_in_the_unit_interval(recipe in games(), tau in 0.0..3.0) {
        let game = recipe.moderate().game();
        let star = solve(&game, 1e-12)?.p;
        let spectrum = spectrum(&game, &star)?;
        prop_assert!(spectrum.nu.iter().all(|nu| (0.0..=1.0).contains(nu)));
        prop_assert!((0.0..=1.0).contains(&spectrum.mu_min()));
        let rate = spectrum.rate(tau);
        if (rate - 1.0).abs() > 1e-12 {
            prop_assert_eq!(spectrum.is_stable(tau), rate < 1.0);
        }
        let half = 1.0 / (1.0 + 2.0 * game.beta());
        prop_close!(spectrum.rate(0.5), half, 1e-12, half);
        let threshold = spectrum.threshold(tau);
        prop_close!(threshold, (1.0 - spectrum.mu_min() - 2.0 * tau).max(0.0), 1e-15, 1.0);
    }

    /// Theorem B: one seed a label, a free classifier and more texts than labels leave nu_max = 1
    /// once |Z| > |X| |Y|: the paper's iteration is then stable exactly when beta > 1.
    #[test]
    fn many_texts_put_the_threshold_at_one(recipe in games()) {
        let texts = recipe.seeds.max(recipe.labels) + 1 + recipe.texts;
        let recipe = Recipe { texts, ..recipe.moderate().unclipped().unanchored() };
        let game = recipe.balanced_game();
        let star = solve(&game, 1e-12)?.p;
        let spectrum = spectrum(&game, &star)?;
        prop_close!(spectrum.mu_min(), 0.0, 1e-9, 1.0);
        prop_assert_eq!(spectrum.is_stable(0.0), game.beta() > spectrum.threshold(0.0));
    }

    /// Real data damps the classifier: an anchor at the same generator never raises nu_max, and
    /// labels it does not share stay as they were.
    #[test]
    fn an_anchor_lowers_the_threshold(recipe in visible(), lambda in 0.1..3.0) {
        let free = recipe.clone().unclipped().unanchored().balanced_game();
        let anchored = Recipe { anchor: lambda, ..recipe.clone() }.unclipped().balanced_game();
        let p = recipe.generator(&free, 0);
        let (before, after) = (spectrum(&free, &p)?, spectrum(&anchored, &p)?);
        prop_at_most!(before.mu_min(), after.mu_min(), 1e-9);
    }
}

/// Theorem B on a game where most of N is a kernel of masses near 1e-45: its spectrum is still in
/// [0, 1].
#[test]
#[ignore = "spectrum() returns a NaN here: nalgebra deflates relative to the diagonal; diagonalise N + I"]
fn a_kernel_of_vanishing_masses_keeps_the_spectrum_finite() {
    let recipe = Recipe {
        labels: 4,
        seeds: 2,
        texts: 30,
        log10_beta: -1.9427301183065884,
        concentration: 0.1096111540578642,
        zeros: 0.4499166055104082,
        tiny: 0.0,
        floor: 0.0,
        anchor: 0.0,
        seed: 6267424154181064203,
    };
    let game = recipe.game();
    let star = solve(&game, 1e-12).unwrap().p;
    let nu = spectrum(&game, &star).unwrap().nu;
    assert!(nu.iter().all(|nu| (0.0..=1.0).contains(nu)), "{nu:?}");
}
