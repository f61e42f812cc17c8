//! The paper's Theorem 4.2 (4.2P of `theory/convergence.md`): its Lipschitz bounds and constants, in
//! seed form. Norms: sum_i rho_i |p_i - p'_i|_1 for generators, sum_z |q(.|z) - q'(.|z)|_1 for
//! classifiers; the weights rho take the place of the paper's 1/|X|.

mod common;

use common::{Recipe, config, games};
use nashguard::BestReply;
use nashguard::dynamics::Order;
use nashguard::guard::paper::{constants, least_admissible_beta};
use nashguard::guard::{Classifier, Generator, GuardGame, proximal};
use ndarray::Array2;
use proptest::prelude::*;

/// Two labels and a floor, no real data, every text reachable: what the theorem is about.
fn papers_games() -> impl Strategy<Value = Recipe> {
    (games(), 0.02..0.98).prop_map(|(recipe, floor)| Recipe {
        labels: 2,
        floor,
        ..recipe.moderate().unanchored()
    })
}

fn between(a: &Array2<f64>, b: &Array2<f64>) -> Vec<f64> {
    (a - b).outer_iter().map(|row| row.iter().map(|v| v.abs()).sum()).collect()
}

fn apart_q(a: &Classifier, b: &Classifier) -> f64 {
    between(&a.probabilities(), &b.probabilities()).iter().sum()
}

/// sum_i rho_i |p_i - p'_i|_1.
fn apart_p(game: &GuardGame, a: &Generator, b: &Generator) -> f64 {
    let rows = between(&a.probabilities(), &b.probabilities());
    rows.iter().zip(game.weight()).map(|(row, rho)| rho * row).sum()
}

/// The largest over labels and texts of the sum over the label's seeds of f(i) r_i(z).
fn heaviest(game: &GuardGame, f: impl Fn(usize) -> f64) -> f64 {
    let mut sums = Array2::<f64>::zeros((game.labels(), game.texts()));
    for ((i, z), r) in game.reference().indexed_iter() {
        sums[(game.label()[i], z)] += f(i) * r;
    }
    sums.into_iter().fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(config(600))]

    /// 4.2P, the generator: with delta = 1, T_phi has Lipschitz constant
    /// 2 gamma^(-1 - 1/beta) / beta times max_{y,z} sum_{i in y} rho_i r_i(z) (at most 1) in the
    /// weighted norm; without weights, max_y n_y / (2 beta gamma).
    #[test]
    fn the_generators_reply_is_lipschitz(recipe in papers_games(), t in 0.001..1.0) {
        let game = recipe.game();
        let (beta, gamma) = (game.beta(), game.floor());
        let a = recipe.classifier(&game, 0);
        let b = common::mix_classifiers(&game, &a, &recipe.classifier(&game, 1), t);
        let (pa, pb) = (game.max_reply(&a)?, game.max_reply(&b)?);
        let distance = apart_q(&a, &b);
        let papers = 2.0 / beta * gamma.powf(-1.0 - 1.0 / beta);
        let bound = papers * heaviest(&game, |i| game.weight()[i]) * distance;
        prop_at_most!(apart_p(&game, &pa, &pb), bound, 1e-13 + 1e-9 * bound);
        let plain: f64 = between(&pa.probabilities(), &pb.probabilities()).iter().sum();
        let bound = papers * heaviest(&game, |_| 1.0) * distance;
        prop_at_most!(plain, bound, 1e-12 + 1e-9 * bound);
        let seeds = |y| game.label().iter().filter(|l| **l == y).count();
        let sharper = seeds(0).max(seeds(1)) as f64 / (2.0 * beta * gamma) * distance;
        prop_at_most!(plain, sharper, 1e-12 + 1e-9 * sharper);
    }

    /// 4.2P, the classifier: on replies of the generator every text has mass at least alpha, and
    /// T_theta has Lipschitz constant 2/alpha, clipped to two labels' [gamma, 1 - gamma] too.
    #[test]
    fn the_classifiers_reply_is_lipschitz(recipe in papers_games(), t in 0.001..1.0) {
        let game = recipe.game();
        let alpha = constants(&game)?.alpha;
        let a = recipe.classifier(&game, 0);
        let b = common::mix_classifiers(&game, &a, &recipe.classifier(&game, 1), t);
        let (a, b) = (game.max_reply(&a)?, game.max_reply(&b)?);
        for p in [&a, &b] {
            let p = p.probabilities();
            for z in 0..game.texts() {
                let mass: f64 = p.column(z).iter().zip(game.weight()).map(|(p, w)| p * w).sum();
                prop_at_most!(alpha, mass, 1e-12 * mass);
            }
        }
        let moved = apart_q(&game.min_reply(&a)?, &game.min_reply(&b)?);
        prop_at_most!(alpha * moved, 2.0 * apart_p(&game, &a, &b), 1e-11 * alpha + 1e-15);
    }

    /// 4.2P's condition: c falls in beta, is 1 at the least admissible beta, and that beta is above
    /// 8 |Z|, whatever the game.
    #[test]
    fn admissible_betas_are_huge(recipe in games(), floor in 0.001..1.0) {
        let game = Recipe { floor, ..recipe.moderate() }.game();
        let least = least_admissible_beta(&game)?;
        prop_assert!(least > 8.0 * game.texts() as f64);
        let at = |beta: f64| constants(&game.clone().with_beta(beta)?);
        prop_close!(at(least)?.ln_c, 0.0, 1e-9, 1.0);
        prop_assert!(at(least * 1.001)?.c() < 1.0 && at(least * 0.999)?.c() > 1.0);
        let k = constants(&game)?;
        let by_hand = 4.0_f64.ln()
            - (game.beta().ln() + k.delta.ln() + (1.0 + 1.0 / game.beta()) * k.gamma.ln());
        // alpha underflows for small beta: that is why c is kept as a logarithm.
        if k.alpha > 1e-290 {
            prop_close!(k.ln_c, by_hand - k.alpha.ln(), 1e-10, 1.0 + k.ln_c.abs());
        }
    }

    /// 4.2P's conclusion at an admissible beta: one round of the paper's iteration contracts the
    /// generators' distance by c.
    #[test]
    fn an_admissible_beta_contracts_by_c(recipe in papers_games(), excess in 1.001..3.0) {
        let game = recipe.game();
        let beta = excess * least_admissible_beta(&game)?;
        let game = game.with_beta(beta)?;
        let c = constants(&game)?.c();
        prop_assert!(c < 1.0);
        let run = |stream| -> nashguard::Result<Vec<_>> {
            let start = game.max_reply(&recipe.classifier(&game, stream))?;
            proximal::run(&game, 0.0, Order::Alternating, start)?.take(4).collect()
        };
        let (a, b) = (run(0)?, run(1)?);
        for t in 1..4 {
            let before = apart_p(&game, &a[t - 1].x, &b[t - 1].x);
            prop_at_most!(apart_p(&game, &a[t].x, &b[t].x), c * before, 1e-13);
        }
    }
}
