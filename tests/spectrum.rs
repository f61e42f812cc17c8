//! Theorem B: the local rate measured on the update map itself is the predicted one.

mod common;

use common::{Recipe, config, games};
use nalgebra::DMatrix;
use nashguard::BestReply;
use nashguard::dynamics::{Order, Update};
use nashguard::exploit::Exploit;
use nashguard::guard::{ExactGap, Generator, GuardGame, Seed, proximal, solve, spectrum};
use ndarray::Array2;
use proptest::prelude::*;
use rand::RngExt;

/// The generator proportional to star exp(step d).
fn nudged(game: &GuardGame, star: &Generator, d: &Array2<f64>, step: f64) -> Generator {
    let mut p = star.probabilities() * d.mapv(|d| (step * d).exp());
    for mut row in p.outer_iter_mut() {
        let total = row.sum();
        row /= total;
    }
    Generator::new(game, p).unwrap()
}

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
        let start = nudged(game, star, d, sign * STEP);
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

/// The growth per round of a small perturbation of the pair (p_{t-1}, p_t), whose complex eigenvalues
/// turn: an average over many rounds of the linearised recursion p_{t+1} = next(p_{t-1}, p_t),
/// measured by central differences.
fn second_order(
    game: &GuardGame,
    star: &Generator,
    seed: &Recipe,
    next: impl Fn(&Generator, &Generator) -> Generator,
) -> f64 {
    const STEP: f64 = 1e-5;
    const ROUNDS: usize = 400;
    let p = star.probabilities();
    let mut rng = seed.rng(78);
    let centred = |d: &mut Array2<f64>| {
        for (mut d, p) in d.outer_iter_mut().zip(p.outer_iter()) {
            let mean = d.dot(&p);
            d -= mean;
        }
    };
    let mut older = p.mapv(|_| rng.random::<f64>() - 0.5);
    let mut now = p.mapv(|_| rng.random::<f64>() - 0.5);
    centred(&mut older);
    centred(&mut now);
    let at = |d: &Array2<f64>, sign: f64| nudged(game, star, d, sign * STEP);
    let mut logs = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let pushed = |sign: f64| next(&at(&older, sign), &at(&now, sign));
        let moved = (pushed(1.0).log_p() - pushed(-1.0).log_p()) / (2.0 * STEP);
        older = std::mem::replace(&mut now, moved);
        centred(&mut now);
        let size = (&p * &(&older * &older + &now * &now)).sum().sqrt();
        older /= size;
        now /= size;
        logs.push(size.ln());
    }
    let late = &logs[ROUNDS / 4..];
    (late.iter().sum::<f64>() / late.len() as f64).exp()
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

/// nu lies in [0, 1], is_stable says rate < 1, and tau = 1/2 has the rate of its whole range.
fn spectrum_is_sound(game: &GuardGame, tau: f64) -> Result<(), TestCaseError> {
    let star = solve(game, 1e-12)?.p;
    let spectrum = spectrum(game, &star)?;
    prop_assert!(spectrum.nu.iter().all(|nu| (0.0..=1.0).contains(nu)), "{:?}", spectrum.nu);
    prop_assert!(spectrum.nu.windows(2).all(|w| w[0] <= w[1]));
    let nu_max = 1.0 - spectrum.mu_min();
    let rate = spectrum.rate(tau);
    if (rate - 1.0).abs() > 1e-12 {
        prop_assert_eq!(spectrum.is_stable(tau), rate < 1.0);
    }
    let half = 1.0 / (1.0 + 2.0 * game.beta());
    prop_close!(spectrum.rate(0.5), half, 1e-12, half);
    prop_close!(spectrum.rate(0.0), nu_max / game.beta(), 1e-12, 1.0 / game.beta());
    Ok(())
}

proptest! {
    #![proptest_config(config(150))]

    /// Theorem B.2 and B.3: the measured rate is max(|tau - nu|, tau)/(tau + beta) within 2 %, also
    /// above 1, with free and clipped classifiers, with and without an anchor; below 1 it is called
    /// stable, and at tau = 0 the threshold of beta is that rate times beta.
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
        if (found - 1.0).abs() > 0.02 {
            prop_assert_eq!(spectrum.is_stable(tau), found < 1.0);
        }
        // Simultaneous play at tau = 0 is two interleaved runs, each moving every other round.
        if tau == 0.0 {
            prop_close!(spectrum.threshold(0.0), found * game.beta(), 0.02, 1.0);
            let half = proximal::measured_rate(&game, &star, 0.0, Order::Simultaneous, BLOCKS, recipe.seed)?;
            prop_close!(half, predicted.sqrt(), 0.02, predicted.sqrt().max(1e-3));
        }
    }

    /// Theorem B.1 and B.3 where every label has a seed and no entry is near underflow.
    #[test]
    fn the_spectrum_is_in_the_unit_interval(recipe in visible(), tau in 0.0..3.0) {
        spectrum_is_sound(&recipe.balanced_game(), tau)?;
    }

    /// Theorem B.1 and B.3 on every game: labels without seeds, zeros, vanishing masses.
    #[test]
    fn every_spectrum_is_in_the_unit_interval(recipe in games(), tau in 0.0..3.0) {
        spectrum_is_sound(&recipe.game(), tau)?;
    }

    /// Theorem B.4: without anchor and clipping, and with every text open to every label,
    /// (|Y| - 1)|Z| >= n makes nu_max = 1: the paper's iteration is stable exactly when beta > 1.
    #[test]
    fn many_texts_put_the_threshold_at_one(recipe in games()) {
        let n = recipe.seeds.max(recipe.labels);
        let texts = n.div_ceil(recipe.labels - 1) + recipe.texts % 3;
        let recipe = Recipe { texts, ..recipe.moderate().unclipped().unanchored() };
        let game = recipe.balanced_game();
        let star = solve(&game, 1e-12)?.p;
        let spectrum = spectrum(&game, &star)?;
        prop_close!(spectrum.mu_min(), 0.0, 1e-9, 1.0);
    }

    /// Theorem B.1: real data damps the classifier. nu_max <= kappa = max P/W, below 1 where R covers
    /// every pair.
    #[test]
    fn an_anchor_lowers_the_threshold(recipe in visible(), lambda in 0.1..3.0) {
        let game = Recipe { anchor: lambda, ..recipe }.unclipped().balanced_game();
        let star = solve(&game, 1e-12)?.p;
        let mut p = Array2::<f64>::zeros((game.labels(), game.texts()));
        for ((i, z), v) in star.probabilities().indexed_iter() {
            p[(game.label()[i], z)] += game.weight()[i] * v;
        }
        let real = &game.anchor().unwrap().real;
        let kappa = p.iter().zip(real).map(|(p, r)| p / (p + lambda * r)).fold(0.0, f64::max);
        prop_assert!(kappa < 1.0);
        prop_at_most!(1.0 - spectrum(&game, &star)?.mu_min(), kappa, 1e-12);
    }

    /// Theorem B.6: with two labels, N = I - M from the sums S_y of the seeds' products.
    #[test]
    fn two_labels_have_the_smaller_matrix(recipe in visible()) {
        let recipe = Recipe { labels: 2, ..recipe }.unclipped().unanchored();
        let game = recipe.balanced_game();
        let star = solve(&game, 1e-12)?.p;
        let (rows, texts) = (star.probabilities(), game.texts());
        let mut mass = Array2::<f64>::zeros((2, texts));
        for ((i, z), v) in rows.indexed_iter() {
            mass[(game.label()[i], z)] += game.weight()[i] * v;
        }
        let h: Vec<f64> = (0..texts)
            .map(|z| mass[(0, z)] * mass[(1, z)] / (mass[(0, z)] + mass[(1, z)]))
            .collect();
        let m = DMatrix::from_fn(texts, texts, |a, b| {
            let product = |i: usize| {
                let y = game.label()[i];
                game.weight()[i] * rows[(i, a)] * rows[(i, b)] / (mass[(y, a)] * mass[(y, b)])
            };
            (h[a] * h[b]).sqrt() * (0..game.seeds()).map(product).sum::<f64>()
        });
        let mut nu: Vec<f64> = m.symmetric_eigenvalues().iter().map(|mu| 1.0 - mu).collect();
        nu.sort_by(f64::total_cmp);
        for (found, expected) in spectrum(&game, &star)?.nu.iter().zip(nu) {
            prop_close!(*found, expected, 1e-10, 1.0);
        }
    }

    /// Theorem B.1: apart from zeros, N has the eigenvalues of the generators' own operator S = P* B P,
    /// here over seeds x texts with B from its definition.
    #[test]
    fn the_generators_see_the_same_spectrum(recipe in visible()) {
        let game = recipe.unclipped().balanced_game();
        let star = solve(&game, 1e-12)?.p;
        let (p, rho, label) = (star.probabilities(), game.weight(), game.label());
        let (labels, seeds, texts) = (game.labels(), game.seeds(), game.texts());
        let mut w = Array2::<f64>::zeros((labels, texts));
        for ((i, z), p) in p.indexed_iter() {
            w[(label[i], z)] += rho[i] * p;
        }
        if let Some(anchor) = game.anchor() {
            w += &(&anchor.real * anchor.weight);
        }
        // In the coordinates sqrt(rho_i p_i(z)) e_i(z), each seed's centred against sqrt(p_i).
        let root = |i: usize, z: usize| (rho[i] * p[(i, z)]).sqrt();
        let centred = |i: usize, z: usize, of: usize| {
            let kept = if z == of { 1.0 } else { 0.0 };
            root(i, z) * (kept - (p[(i, z)] * p[(i, of)]).sqrt())
        };
        // P: what a perturbation at (i, of) adds to the texts of its label.
        let push = DMatrix::from_fn(labels * texts, seeds * texts, |row, column| {
            let (y, z, i, of) = (row / texts, row % texts, column / texts, column % texts);
            if label[i] == y { centred(i, z, of) } else { 0.0 }
        });
        let b = DMatrix::from_fn(labels * texts, labels * texts, |r, c| {
            let (y, z) = (r / texts, r % texts);
            if c % texts != z {
                return 0.0;
            }
            let own = if r == c { 1.0 / w[(y, z)] } else { 0.0 };
            own - 1.0 / w.column(z).sum()
        });
        let s = push.transpose() * b * &push;
        let mut found: Vec<f64> = s.symmetric_eigenvalues().iter().copied().collect();
        found.sort_by(f64::total_cmp);
        let nu = spectrum(&game, &star)?.nu;
        let longest = found.len().max(nu.len());
        let at = |v: &[f64], k: usize| v.len().checked_sub(k).map_or(0.0, |k| v[k]);
        for k in 1..=longest {
            prop_close!(at(&found, k), at(&nu, k), 1e-9, 1.0);
        }
    }

    /// Theorem B.5: near p* the gap is at most (beta + nu_max)^2/beta times D(p*, p).
    #[test]
    fn the_gap_is_quadratic_near_the_equilibrium(recipe in visible()) {
        let game = recipe.balanced_game();
        let star = solve(&game, 1e-13).or_else(|_| solve(&game, 1e-12))?.p;
        prop_assume!(!near_a_kink(&game, &star));
        let nu = 1.0 - spectrum(&game, &star)?.mu_min();
        let mut rng = recipe.rng(79);
        let p = nudged(&game, &star, &star.log_p().mapv(|_| rng.random::<f64>() - 0.5), 1e-3);
        let gap = ExactGap.gap(&game, &p, &game.min_reply(&p)?)?.width;
        let bound = (game.beta() + nu).powi(2) / game.beta() * game.divergence(&star, &p)?;
        prop_at_most!(gap, bound, 0.05 * bound + 1e-12);
    }

    /// Proposition 5.2: simultaneous play at tau > 0 has the roots of
    /// x^2 - tau/(tau + beta) x + nu/(tau + beta), one pair for every nu.
    #[test]
    fn simultaneous_play_has_the_quadratics_rate(recipe in visible(), tau in 0.1..2.0) {
        let recipe = Recipe { log10_beta: recipe.log10_beta.min(0.0), ..recipe }.unclipped();
        let game = recipe.balanced_game();
        let star = solve(&game, 1e-13).or_else(|_| solve(&game, 1e-12))?.p;
        let spectrum = spectrum(&game, &star)?;
        let (a, scale) = (tau / (tau + game.beta()), tau + game.beta());
        let modulus = |nu: &f64| {
            let (b, d): (f64, f64) = (nu / scale, a * a - 4.0 * nu / scale);
            if d < 0.0 { b.sqrt() } else { 0.5 * (a + d.sqrt()) }
        };
        let predicted = spectrum.nu.iter().map(modulus).fold(a, f64::max);
        let found = second_order(&game, &star, &recipe, |older, now| {
            let q = game.min_reply(older).unwrap();
            proximal::generator(&game, tau).step(now, &q).unwrap()
        });
        prop_close!(found, predicted, 0.02, predicted);
        let order = Order::Simultaneous;
        let other = proximal::measured_rate(&game, &star, tau, order, BLOCKS, recipe.seed)?;
        prop_close!(other, predicted, 0.02, predicted);
    }

    /// Proposition 4: with momentum at tau = 1/2 every eigenvalue turns with the same modulus
    /// (sqrt(1 + beta) - sqrt(beta))^2, whatever the spectrum.
    #[test]
    fn momentum_has_one_rate(recipe in visible()) {
        let game = recipe.clone().unclipped().balanced_game();
        let star = solve(&game, 1e-13).or_else(|_| solve(&game, 1e-12))?.p;
        let r = 1.0 / (1.0 + 2.0 * game.beta());
        let omega = 2.0 / (1.0 + (1.0 - r * r).sqrt());
        let found = second_order(&game, &star, &recipe, |older, now| {
            let q = game.min_reply(now).unwrap();
            let step = proximal::generator(&game, 0.5).step(now, &q).unwrap();
            let d = (step.log_p() - older.log_p()) * omega;
            nudged(&game, older, &d, 1.0)
        });
        let predicted = ((1.0 + game.beta()).sqrt() - game.beta().sqrt()).powi(2);
        prop_close!(found, predicted, 0.02, predicted);
    }
}

/// Proposition 5.2 by hand: nu = 1 and beta = 0.6 at tau = 0.5 give two roots of modulus
/// sqrt(1/1.1) = 0.953, below 1, where the order matters: alternating play has 0.5/1.1.
#[test]
fn simultaneous_play_of_two_texts_is_stable_above_its_line() {
    let seed = |label| Seed { label, weight: 0.5, reference: vec![0.5, 0.5] };
    let game = GuardGame::new(2, vec![seed(0), seed(1)], 0.6).unwrap();
    let star = Generator::reference(&game);
    for (order, expected) in
        [(Order::Simultaneous, (1.0_f64 / 1.1).sqrt()), (Order::Alternating, 0.5 / 1.1)]
    {
        let found = proximal::measured_rate(&game, &star, 0.5, order, BLOCKS, 0).unwrap();
        assert!((found - expected).abs() < 1e-3, "{order:?}: {found}, expected {expected}");
    }
}
