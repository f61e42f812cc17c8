//! Random games and players for the property tests.
//!
//! A [`Recipe`] holds every number a game is drawn from, so that a failing case prints as one line
//! and proptest can shrink its sizes, beta and concentration one by one.
#![allow(dead_code)] // Every test file uses its own part of this module.

use nashguard::exploit::Exploit;
use nashguard::guard::{Anchor, Classifier, ExactGap, Generator, GuardGame, Seed, solve};
use nashguard::{BestReply, Game};
use ndarray::Array2;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand::{RngExt, SeedableRng, distr::Distribution};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::Gamma;

/// `cases` random cases unless PROPTEST_CASES says otherwise; failures are kept beside the test
/// file and tried first ever after.
pub fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..default
    }
}

/// What a random game is made from.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub labels: usize,
    pub seeds: usize,
    pub texts: usize,
    pub log10_beta: f64,
    /// Dirichlet concentration of the reference rows: small is spiky.
    pub concentration: f64,
    /// Share of reference entries set to 0.
    pub zeros: f64,
    /// Share of reference entries set to 1e-300.
    pub tiny: f64,
    /// gamma |Y|: 0 is a free classifier, 1 a constant one.
    pub floor: f64,
    /// lambda; 0 is no anchor.
    pub anchor: f64,
    /// The random numbers behind all entries.
    pub seed: u64,
}

/// Every kind of game the crate admits, hostile ones included, with beta in [1e-3, 1e2].
pub fn games() -> impl Strategy<Value = Recipe> {
    let sometimes = |range: std::ops::Range<f64>| prop_oneof![2 => Just(0.0), 1 => range];
    (
        2..=4usize,
        1..=8usize,
        1..=40usize,
        -3.0..2.0,
        0.05..3.0,
        sometimes(0.0..0.8),
        sometimes(0.0..0.8),
        sometimes(0.0..1.0),
        sometimes(0.0..3.0),
        any::<u64>(),
    )
        .prop_map(
            |(
                labels,
                seeds,
                texts,
                log10_beta,
                concentration,
                zeros,
                tiny,
                floor,
                anchor,
                seed,
            )| {
                Recipe {
                    labels,
                    seeds,
                    texts,
                    log10_beta,
                    concentration,
                    zeros,
                    tiny,
                    floor,
                    anchor,
                    seed,
                }
            },
        )
}

impl Recipe {
    /// The same game with a free classifier.
    pub fn unclipped(self) -> Self {
        Self { floor: 0.0, ..self }
    }

    /// The same game without real data.
    pub fn unanchored(self) -> Self {
        Self { anchor: 0.0, ..self }
    }

    /// The same game with reference entries far from underflow.
    pub fn moderate(self) -> Self {
        let concentration = self.concentration.max(0.5);
        Self { concentration, zeros: 0.0, tiny: 0.0, ..self }
    }

    pub fn beta(&self) -> f64 {
        10.0_f64.powf(self.log10_beta)
    }

    /// The game itself. Labels are drawn too, so that some may have no seed.
    pub fn game(&self) -> GuardGame {
        let mut rng = self.rng(0);
        let seeds = (0..self.seeds)
            .map(|_| Seed {
                label: rng.random_range(0..self.labels),
                weight: 0.1 + rng.random::<f64>(),
                reference: self.reference_row(&mut rng),
            })
            .collect();
        self.finish(seeds, &mut rng)
    }

    /// The game with every label on some seed; needs as many seeds as labels.
    pub fn balanced_game(&self) -> GuardGame {
        let mut rng = self.rng(0);
        let seeds = (0..self.seeds.max(self.labels))
            .map(|i| Seed {
                label: i % self.labels,
                weight: 0.1 + rng.random::<f64>(),
                reference: self.reference_row(&mut rng),
            })
            .collect();
        self.finish(seeds, &mut rng)
    }

    fn finish(&self, mut seeds: Vec<Seed>, rng: &mut ChaCha8Rng) -> GuardGame {
        let total: f64 = seeds.iter().map(|s| s.weight).sum();
        seeds.iter_mut().for_each(|s| s.weight /= total);
        let mut game = GuardGame::new(self.labels, seeds, self.beta()).unwrap();
        if self.floor > 0.0 {
            game = game.with_floor(self.floor / self.labels as f64).unwrap();
        }
        if self.anchor > 0.0 {
            let real = dirichlet(self.labels * self.texts, 0.5, rng);
            let real = Array2::from_shape_vec((self.labels, self.texts), real).unwrap();
            game = game.with_anchor(Anchor { weight: self.anchor, real }).unwrap();
        }
        game
    }

    fn reference_row(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut row = dirichlet(self.texts, self.concentration, rng);
        // One entry is spared, so that the row keeps a support of ordinary size.
        let spared = rng.random_range(0..self.texts);
        row[spared] = row[spared].max(0.01);
        for (_, r) in row.iter_mut().enumerate().filter(|(z, _)| *z != spared) {
            let u = rng.random::<f64>();
            if u < self.zeros {
                *r = 0.0;
            } else if u < self.zeros + self.tiny {
                *r = 1e-300;
            }
        }
        rescaled(row)
    }

    /// A random generator, the same for the same `stream`, with full support in the reference's.
    pub fn generator(&self, game: &GuardGame, stream: u64) -> Generator {
        let mut rng = self.rng(1 + stream);
        let concentration = if rng.random() { 1.0 } else { 0.1 };
        let mut p = game.reference().clone();
        for mut row in p.outer_iter_mut() {
            let weights = dirichlet(row.len(), concentration, &mut rng);
            row.zip_mut_with(&ndarray::aview1(&weights), |p, w| {
                *p = if *p > 0.0 { *w } else { 0.0 }
            });
            let total = row.sum();
            row /= total;
        }
        Generator::new(game, p).unwrap()
    }

    /// As [`Recipe::generator`], but every other time on the boundary: about half of the entries of
    /// every row are 0.
    pub fn boundary_generator(&self, game: &GuardGame, stream: u64) -> Generator {
        let mut rng = self.rng((2 << 32) + stream);
        let mut p = self.generator(game, stream).probabilities();
        if rng.random() {
            for mut row in p.outer_iter_mut() {
                let heaviest = row.iter().fold(0.0_f64, |m, v| m.max(*v));
                row.mapv_inplace(|v| if v < heaviest && rng.random() { 0.0 } else { v });
                let total = row.sum();
                row /= total;
            }
        }
        Generator::new(game, p).unwrap()
    }

    /// A random positive classifier of the game's class, the same for the same `stream`.
    pub fn classifier(&self, game: &GuardGame, stream: u64) -> Classifier {
        let mut rng = self.rng((1 << 32) + stream);
        let room = 1.0 - game.floor() * self.labels as f64;
        let mut q = Array2::zeros((game.texts(), self.labels));
        for mut row in q.outer_iter_mut() {
            for (q, w) in row.iter_mut().zip(dirichlet(self.labels, 0.5, &mut rng)) {
                *q = game.floor() + room * w;
            }
        }
        Classifier::new(game, q).unwrap()
    }

    pub fn rng(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }
}

/// One symmetric Dirichlet draw of positive entries.
pub fn dirichlet(n: usize, concentration: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let gamma = Gamma::new(concentration, 1.0).unwrap();
    rescaled((0..n).map(|_| gamma.sample(rng).max(1e-300)).collect())
}

fn rescaled(mut weights: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= total);
    weights
}

/// The point (1 - t) a + t b of a segment of generators.
pub fn mix_generators(game: &GuardGame, a: &Generator, b: &Generator, t: f64) -> Generator {
    Generator::new(game, mixed(&a.probabilities(), &b.probabilities(), t)).unwrap()
}

/// The point (1 - t) a + t b of a segment of classifiers.
pub fn mix_classifiers(game: &GuardGame, a: &Classifier, b: &Classifier, t: f64) -> Classifier {
    Classifier::new(game, mixed(&a.probabilities(), &b.probabilities(), t)).unwrap()
}

fn mixed(a: &Array2<f64>, b: &Array2<f64>, t: f64) -> Array2<f64> {
    a * (1.0 - t) + b * t
}

/// The size of J(p, q)'s two parts: rounding of payoffs, values and gaps is relative to it.
pub fn size(game: &GuardGame, p: &Generator, q: &Classifier) -> f64 {
    let divergence = game.beta() * game.divergence(p, &Generator::reference(game)).unwrap();
    let payoff = game.payoff(p, q).unwrap();
    1.0 + payoff.abs() + 2.0 * divergence
}

/// An equilibrium as the solver finds it, with what its imperfection is worth in the theorems.
pub struct Star {
    pub p: Generator,
    pub value: f64,
    pub gap: f64,
    reply: Generator,
    beta: f64,
}

impl Star {
    pub fn of(game: &GuardGame) -> Self {
        let found = solve(game, 1e-13).or_else(|_| solve(game, 1e-12)).unwrap();
        let gap = ExactGap.gap(game, &found.p, &found.q).unwrap().width;
        let reply = game.max_reply(&found.q).unwrap();
        Self { p: found.p, value: found.value, gap, reply, beta: game.beta() }
    }

    /// How far G(p) may rise above G(star) - beta D(p, star): 0 at an exact equilibrium, where the
    /// star is the best reply to its own classifier.
    pub fn slack(&self, game: &GuardGame, p: &Generator) -> f64 {
        let miss = game.divergence(p, &self.p).unwrap() - game.divergence(p, &self.reply).unwrap();
        self.gap + self.beta * miss.abs()
    }
}

/// Fails the case unless |a - b| <= tol * scale.
#[macro_export]
macro_rules! prop_close {
    ($a:expr, $b:expr, $tol:expr, $scale:expr) => {{
        let (a, b, bar): (f64, f64, f64) = ($a, $b, $tol * $scale);
        prop_assert!(
            (a - b).abs() <= bar,
            "{} = {a:e}, {} = {b:e}, {:e} apart, allowed {bar:e}",
            stringify!($a),
            stringify!($b),
            (a - b).abs()
        );
    }};
}

/// Fails the case unless a <= b + slack.
#[macro_export]
macro_rules! prop_at_most {
    ($a:expr, $b:expr, $slack:expr) => {{
        let (a, b, slack): (f64, f64, f64) = ($a, $b, $slack);
        prop_assert!(
            a <= b + slack,
            "{} = {a:e} > {} = {b:e} by {:e}, allowed {slack:e}",
            stringify!($a),
            stringify!($b),
            a - b
        );
    }};
}

/// Fails the case unless two log tables have the same support and differ by at most
/// tol (1 + |log|) in every entry.
#[macro_export]
macro_rules! prop_close_tables {
    ($a:expr, $b:expr, $tol:expr) => {
        for (at, (a, b)) in $a.indexed_iter().zip($b.iter()).map(|((at, a), b)| (at, (*a, *b))) {
            let close = a == b || (a - b).abs() <= $tol * (1.0 + f64::abs(a));
            prop_assert!(close, "{at:?}: {a} and {b}");
        }
    };
}
