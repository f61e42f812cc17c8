//! Learning dynamics on matrix games: regret bounds, convergence, equivalences; and the regularised
//! games of section 10 of `theory/convergence.md`.

mod common;

use common::config;
use nashguard::certificate::{Prior, Regularised};
use nashguard::dynamics::{Order, Round, Update, play};
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::game::Value as _;
use nashguard::matrix::dynamics::*;
use nashguard::matrix::regularised::{self, ExactGap, RegularisedGame, Regulariser};
use nashguard::matrix::{self, MatrixGame};
use nashguard::scalar::Scalar;
use nashguard::simplex::{Simplex, kl_from_logs};
use nashguard::{BestReply, Error, Game, Result};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Boxed = Box<dyn Update<Simplex, Simplex>>;
type Make<'a> = &'a dyn Fn(Player) -> Boxed;
/// An algorithm by name, for either player.
type Algorithm = (&'static str, fn(Player, f64) -> Boxed);

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn random_game(m: usize, n: usize, whole: bool, scale: f64, seed: u64) -> MatrixGame {
    let mut rng = rng(seed);
    let mut entry = || {
        let v = 2.0 * rng.random::<f64>() - 1.0;
        scale * if whole { (3.0 * v).round() } else { v }
    };
    MatrixGame::new((0..m).map(|_| (0..n).map(|_| entry()).collect()).collect()).unwrap()
}

fn random_strategy(n: usize, rng: &mut ChaCha8Rng) -> Simplex {
    let w: Vec<f64> = (0..n).map(|_| -(1.0 - rng.random::<f64>()).ln() + 1e-9).collect();
    let sum: f64 = w.iter().sum();
    Simplex::new(w.iter().map(|v| v / sum).collect()).unwrap()
}

fn rock_paper_scissors() -> MatrixGame {
    MatrixGame::new(vec![vec![0.0, -1.0, 1.0], vec![1.0, 0.0, -1.0], vec![-1.0, 1.0, 0.0]]).unwrap()
}

fn pennies() -> MatrixGame {
    MatrixGame::new(vec![vec![1.0, -1.0], vec![-1.0, 1.0]]).unwrap()
}

fn kl(p: &Simplex, q: &Simplex) -> f64 {
    let log = |s: &Simplex| s.as_slice().iter().map(|v| v.ln()).collect::<Vec<_>>();
    kl_from_logs(&log(p), &log(q))
}

fn gap(game: &MatrixGame, x: &Simplex, y: &Simplex) -> f64 {
    ClosedForm.gap(game, x, y).unwrap().width
}

/// Every algorithm, at a rate of `speed` in 1 / payoff where it has one.
const ALGORITHMS: [Algorithm; 13] = [
    ("fictitious play", |p, _| Box::new(FictitiousPlay::new(p))),
    ("hedge", |p, s| Box::new(hedge(p, s).unwrap())),
    ("optimistic hedge", |p, s| Box::new(optimistic_hedge(p, s).unwrap())),
    ("mirror-prox", |p, s| Box::new(mirror_prox(p, s).unwrap())),
    ("optimistic gradient", |p, s| Box::new(optimistic_gradient(p, s).unwrap())),
    ("extragradient", |p, s| Box::new(extragradient(p, s).unwrap())),
    ("RM", |p, _| Box::new(regret_matching(p))),
    ("RM+", |p, _| Box::new(regret_matching_plus(p))),
    ("predictive RM+", |p, _| Box::new(predictive_regret_matching_plus(p))),
    ("smooth predictive RM+", |p, s| {
        Box::new(smooth_predictive_regret_matching_plus(p, s).unwrap())
    }),
    ("extragradient RM+", |p, s| Box::new(extragradient_regret_matching_plus(p, s).unwrap())),
    ("magnetic", |p, s| {
        let magnet = Simplex::uniform(p.actions()).unwrap();
        Box::new(magnetic(p, s, 0.1, &magnet).unwrap())
    }),
    ("moving magnet", |p, s| Box::new(MovingMagnet::new(p, s, 0.1, 20).unwrap())),
];

fn self_play(
    game: &MatrixGame,
    start: (Simplex, Simplex),
    order: Order,
    algorithm: Make,
) -> impl Iterator<Item = Result<Round<Simplex, Simplex>>> + use<> {
    let (mut row, mut column) = (algorithm(Player::row(game)), algorithm(Player::column(game)));
    play(
        start.0,
        start.1,
        order,
        move |x: &Simplex, y: &Simplex| row.step(x, y),
        move |y: &Simplex, x: &Simplex| column.step(y, x),
    )
}

/// The payoffs seen and strategies played against random, best replying or alternating opponents.
struct Trace {
    gains: Vec<Vec<f64>>,
    played: Vec<Simplex>,
}

impl Trace {
    fn new(game: &MatrixGame, update: &mut Boxed, rounds: usize, opponent: u8, seed: u64) -> Self {
        let (m, n) = game.payoffs().dim();
        let mut rng = rng(seed);
        let mut x = Simplex::uniform(m).unwrap();
        let (mut gains, mut played) = (Vec::new(), Vec::new());
        for t in 0..rounds {
            let y = match opponent {
                0 => random_strategy(n, &mut rng),
                1 => game.min_reply(&x).unwrap(),
                _ => Simplex::vertex((t / 3) % n, n).unwrap(),
            };
            gains.push(game.against(&y).unwrap());
            let next = update.step(&x, &y).unwrap();
            played.push(std::mem::replace(&mut x, next));
        }
        Self { gains, played }
    }

    fn regret(&self) -> f64 {
        let earned: f64 = self.gains.iter().zip(&self.played).map(|(g, x)| mean(g, x)).sum();
        let actions = 0..self.gains[0].len();
        let best = actions.map(|i| self.gains.iter().map(|g| g[i]).sum::<f64>());
        best.fold(f64::NEG_INFINITY, f64::max) - earned
    }

    /// r_t = g_t - <g_t, x_t>.
    fn regrets(&self) -> Vec<Vec<f64>> {
        let regret = |(g, x): (&Vec<f64>, &Simplex)| g.iter().map(|v| v - mean(g, x)).collect();
        self.gains.iter().zip(&self.played).map(regret).collect()
    }
}

fn mean(gain: &[f64], x: &Simplex) -> f64 {
    gain.iter().zip(x.as_slice()).map(|(g, p)| g * p).sum()
}

fn square(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum()
}

/// sum of f(v_t - v_{t-1}), v_{-1} = 0.
fn variation(vectors: &[Vec<f64>], f: impl Fn(&[f64]) -> f64) -> f64 {
    let mut last = vec![0.0; vectors[0].len()];
    let mut sum = 0.0;
    for v in vectors {
        sum += f(&v.iter().zip(&last).map(|(a, b)| a - b).collect::<Vec<_>>());
        last.clone_from(v);
    }
    sum
}

proptest! {
    #![proptest_config(config(300))]

    /// The documented regret bounds, whatever the opponent does.
    #[test]
    fn regret_bounds_hold(
        m in 2..=12usize, n in 1..=12usize, whole: bool, log_scale in -3.0..3.0,
        log_rate in -2.0..1.0, opponent in 0..3u8, rounds in 1..300usize, seed: u64,
    ) {
        let game = random_game(m, n, whole, 10.0_f64.powf(log_scale), seed);
        let (player, range) = (Player::row(&game), game.range());
        prop_assume!(range > 0.0);
        let rate = 10.0_f64.powf(log_rate) / range;
        let (t, log_m) = (rounds as f64, (m as f64).ln());
        let trace = |mut update: Boxed| Trace::new(&game, &mut update, rounds, opponent, seed);
        let check = |name: &str, trace: &Trace, bound: f64| {
            let regret = trace.regret();
            prop_assert!(regret <= bound * (1.0 + 1e-9) + 1e-12 * range * t, "{name}: {regret} > {bound}");
            Ok(())
        };
        let run = trace(Box::new(hedge(player.clone(), rate).unwrap()));
        check("hedge", &run, log_m / rate + rate * t * range * range / 8.0)?;
        let best = hedge_rate(&player, rounds);
        let run = trace(Box::new(hedge(player.clone(), best).unwrap()));
        check("hedge at its rate", &run, range * (t * log_m / 2.0).sqrt())?;

        let run = trace(Box::new(optimistic_hedge(player.clone(), rate).unwrap()));
        let largest = |v: &[f64]| v.iter().fold(0.0, |s: f64, v| s.max(v * v));
        check("optimistic hedge", &run, log_m / rate + rate * variation(&run.gains, largest))?;

        let run = trace(Box::new(optimistic_gradient(player.clone(), rate).unwrap()));
        let away = 1.0 - 1.0 / m as f64;
        check("optimistic gradient", &run, away / (2.0 * rate) + rate * variation(&run.gains, square))?;

        for (name, update) in [
            ("RM", Box::new(regret_matching(player.clone())) as Boxed),
            ("RM+", Box::new(regret_matching_plus(player.clone()))),
        ] {
            let run = trace(update);
            let bound = run.regrets().iter().map(|r| square(r)).sum::<f64>().sqrt();
            prop_assert!(bound <= range * (m as f64 * t).sqrt() * (1.0 + 1e-9));
            check(name, &run, bound)?;
        }
        let run = trace(Box::new(predictive_regret_matching_plus(player.clone())));
        check("PRM+", &run, (2.0 * variation(&run.regrets(), square)).sqrt())?;
        let run = trace(Box::new(smooth_predictive_regret_matching_plus(player.clone(), rate).unwrap()));
        check("smooth PRM+", &run, 1.0 / rate + rate * variation(&run.regrets(), square))?;
    }

    /// With simultaneous play the gap of the averages is the sum of both regrets over T.
    #[test]
    fn average_gap_is_average_regret(
        m in 1..=8usize, n in 1..=8usize, whole: bool, which in 0..ALGORITHMS.len(), seed: u64,
    ) {
        let game = random_game(m, n, whole, 1.0, seed);
        let (name, algorithm) = ALGORITHMS[which];
        let start = (Simplex::uniform(m)?, Simplex::uniform(n)?);
        let rounds = || self_play(&game, start.clone(), Order::Simultaneous, &|p| algorithm(p, 0.3)).take(100);
        let played: Vec<_> = rounds().collect::<Result<_>>()?;
        let last = average(rounds(), Weights::Uniform).last().unwrap()?;
        let trace = |gains: Vec<Vec<f64>>, played: Vec<Simplex>| Trace { gains, played };
        let row = trace(
            played.iter().map(|r| game.against(&r.y).unwrap()).collect(),
            played.iter().map(|r| Simplex::clone(&r.x)).collect(),
        );
        let column = trace(
            played.iter().map(|r| game.earned(&r.x).unwrap().iter().map(|g| -g).collect()).collect(),
            played.iter().map(|r| Simplex::clone(&r.y)).collect(),
        );
        let expected = (row.regret() + column.regret()) / 100.0;
        prop_assert!((gap(&game, &last.x, &last.y) - expected).abs() < 1e-11, "{name}");
    }

    /// Every iterate of every algorithm in both orders is a distribution, at any scale of payoffs.
    #[test]
    fn iterates_are_distributions(
        m in 1..=6usize, n in 1..=6usize, whole: bool, log_scale in -100.0..100.0, simultaneous: bool, seed: u64,
    ) {
        let scale = 10.0_f64.powf(log_scale);
        let game = random_game(m, n, whole, scale, seed);
        let order = if simultaneous { Order::Simultaneous } else { Order::Alternating };
        for (name, algorithm) in ALGORITHMS {
            let start = (random_strategy(m, &mut rng(seed)), random_strategy(n, &mut rng(!seed)));
            for round in self_play(&game, start, order, &|p| algorithm(p, 0.5 / scale)).take(40) {
                let round = round?;
                for p in [&round.x, &round.y] {
                    let sum: f64 = p.as_slice().iter().sum();
                    prop_assert!((sum - 1.0).abs() < 1e-14 && p.as_slice().iter().all(|v| *v >= 0.0), "{name}: {p:?}");
                }
            }
        }
    }

    /// The column player of A is the row player of -A'.
    #[test]
    fn one_body_serves_both_players(m in 1..=6usize, n in 1..=6usize, which in 0..ALGORITHMS.len(), seed: u64) {
        let game = random_game(m, n, false, 1.0, seed);
        let (name, algorithm) = ALGORITHMS[which];
        let start = (random_strategy(m, &mut rng(seed)), random_strategy(n, &mut rng(!seed)));
        let swapped = (start.1.clone(), start.0.clone());
        let run = |game: &MatrixGame, start| {
            self_play(game, start, Order::Simultaneous, &|p| algorithm(p, 0.3)).take(30).collect::<Result<Vec<_>>>()
        };
        for (a, b) in run(&game, start)?.iter().zip(run(&game.swapped(), swapped)?) {
            prop_assert!(a.x == b.y && a.y == b.x, "{}", name);
        }
    }

    /// RM, RM+ and predictive RM+ against a transcription of their definitions.
    #[test]
    fn regret_matching_as_defined(m in 1..=6usize, n in 1..=6usize, seed: u64) {
        let game = random_game(m, n, false, 1.0, seed);
        for (plus, predictive) in [(false, false), (true, false), (true, true)] {
            let mut update: Boxed = match (plus, predictive) {
                (false, _) => Box::new(regret_matching(Player::row(&game))),
                (true, false) => Box::new(regret_matching_plus(Player::row(&game))),
                (true, true) => Box::new(predictive_regret_matching_plus(Player::row(&game))),
            };
            let trace = Trace::new(&game, &mut update, 30, 0, seed);
            let mut regret = vec![0.0; m];
            for t in 0..29 {
                let (g, x) = (&trace.gains[t], &trace.played[t]);
                let mut theta = Vec::new();
                for i in 0..m {
                    let r = g[i] - mean(g, x);
                    regret[i] += r;
                    if plus { regret[i] = f64::max(regret[i], 0.0); }
                    theta.push(f64::max(regret[i] + if predictive { r } else { 0.0 }, 0.0));
                }
                let sum: f64 = theta.iter().sum();
                // Regrets at rounding's size decide by rounding.
                if sum < 1e-9 && sum > 0.0 { break; }
                for (theta, played) in theta.iter().zip(trace.played[t + 1].as_slice()) {
                    let expected = if sum > 0.0 { theta / sum } else { 1.0 / m as f64 };
                    prop_assert!((played - expected).abs() < 1e-6);
                }
            }
        }
    }

    /// Hedge is the softmax of all payoffs so far, optimistic Hedge counts the last one twice, and
    /// a magnet of temperature 0 does nothing.
    #[test]
    fn hedge_in_closed_form(m in 1..=8usize, n in 1..=8usize, log_rate in -2.0..2.0, seed: u64) {
        let game = random_game(m, n, false, 1.0, seed);
        let rate = 10.0_f64.powf(log_rate);
        let player = Player::row(&game);
        let uniform = Simplex::uniform(m)?;
        for (updates, extra) in [
            (hedge(player.clone(), rate)?, 0.0),
            (optimistic_hedge(player.clone(), rate)?, 1.0),
            (magnetic(player.clone(), rate, 0.0, &uniform)?, 0.0),
        ] {
            let trace = Trace::new(&game, &mut (Box::new(updates) as Boxed), 40, 0, seed);
            let mut total = vec![0.0; m];
            for t in 0..39 {
                let g = &trace.gains[t];
                total.iter_mut().zip(g).for_each(|(u, g)| *u += g);
                let weight = |i: usize| rate * (total[i] + extra * g[i]);
                let top = (0..m).map(weight).fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = (0..m).map(|i| (weight(i) - top).exp()).sum();
                for i in 0..m {
                    let expected = (weight(i) - top).exp() / sum;
                    prop_assert!((trace.played[t + 1].as_slice()[i] - expected).abs() < 1e-11);
                }
            }
        }
    }

    /// The projection of the gradient methods is the nearest point: it beats every other.
    #[test]
    fn gradient_steps_are_projections(m in 1..=10usize, n in 1..=5usize, log_rate in -2.0..3.0, seed: u64) {
        let game = random_game(m, n, false, 1.0, seed);
        let rate = 10.0_f64.powf(log_rate);
        let mut rng = rng(seed);
        let (x, y) = (random_strategy(m, &mut rng), random_strategy(n, &mut rng));
        let step = extragradient(Player::row(&game), rate)?.step(&x, &y)?;
        let target: Vec<f64> =
            x.as_slice().iter().zip(game.against(&y)?).map(|(x, g)| x + rate * g).collect();
        // Obtuse angle: <target - step, u - step> <= 0 for all u, enough at the vertices.
        let inner = |u: usize| (0..m).map(|i| {
            let at = f64::from(u8::from(i == u)) - step.as_slice()[i];
            (target[i] - step.as_slice()[i]) * at
        }).sum::<f64>();
        for u in 0..m {
            prop_assert!(inner(u) <= 1e-12 * (1.0 + rate), "{}", inner(u));
        }
    }

    /// Extragradient: no step leads away from any equilibrium, and the average of T half steps has
    /// gap at most 2/(eta T); for mirror-prox (log m + log n)/(eta T).
    #[test]
    fn extragradient_bounds(m in 1..=8usize, n in 1..=8usize, whole: bool, seed: u64) {
        let game = random_game(m, n, whole, 1.0, seed);
        prop_assume!(game.range() > 0.0);
        let star = matrix::solve(&game, 1e-12)?;
        let player = Player::row(&game);
        let uniform = (Simplex::uniform(m)?, Simplex::uniform(n)?);
        let rate = 0.99 / player.norm();
        let rounds = || self_play(&game, uniform.clone(), Order::Simultaneous, &|p| Box::new(extragradient(p, rate).unwrap()));
        let away = |r: &Round<Simplex, Simplex>| {
            let part = |a: &Simplex, b: &Simplex| a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            part(&r.x, &star.row) + part(&r.y, &star.column)
        };
        let even: Vec<_> = rounds().step_by(2).take(100).collect::<Result<_>>()?;
        for pair in even.windows(2) {
            prop_assert!(away(&pair[1]) <= away(&pair[0]) + 1e-9);
        }
        let check = |bound: f64, rounds: Vec<Round<Simplex, Simplex>>| {
            for (k, round) in rounds.iter().enumerate() {
                let (found, bound) = (gap(&game, &round.x, &round.y), bound / (k + 1) as f64);
                prop_assert!(found <= bound + 1e-12, "{found} > {bound}");
            }
            Ok(())
        };
        let halves = average(rounds().skip(1).step_by(2), Weights::Uniform).take(100);
        check(2.0 / rate, halves.collect::<Result<_>>()?)?;
        let rate = 2.0 / game.range();
        let rounds = self_play(&game, uniform.clone(), Order::Simultaneous, &|p| Box::new(mirror_prox(p, rate).unwrap()));
        let halves = average(rounds.skip(1).step_by(2), Weights::Uniform).take(100);
        check(((m * n) as f64).ln() / rate, halves.collect::<Result<_>>()?)?;
    }

    /// The averages are the weighted sums they claim to be.
    #[test]
    fn averages_as_defined(m in 1..=5usize, n in 1..=5usize, seed: u64) {
        let game = random_game(m, n, false, 1.0, seed);
        let start = (Simplex::uniform(m)?, Simplex::uniform(n)?);
        let rounds = || self_play(&game, start.clone(), Order::Alternating, &|p| Box::new(regret_matching_plus(p))).take(20);
        let played: Vec<_> = rounds().collect::<Result<_>>()?;
        for (weights, power) in [(Weights::Uniform, 0), (Weights::Linear, 1), (Weights::Quadratic, 2)] {
            for (t, round) in average(rounds(), weights).enumerate() {
                let round = round?;
                prop_assert_eq!(round.t, t);
                let weight = |s: usize| ((s + 1) as f64).powi(power);
                let total: f64 = (0..=t).map(weight).sum();
                for i in 0..m {
                    let expected: f64 = (0..=t).map(|s| weight(s) * played[s].x.as_slice()[i]).sum();
                    prop_assert!((round.x.as_slice()[i] - expected / total).abs() < 1e-13);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config(25))]

    /// Extragradient steps never lead away from an equilibrium: |z_{k+1} - z*| <= |z_k - z*|
    /// (Korpelevich 1976).
    #[test]
    fn extragradient_never_moves_away(m in 2..=6usize, n in 2..=6usize, whole: bool, seed: u64) {
        let game = random_game(m, n, whole, 1.0, seed);
        let star = matrix::solve(&game, 1e-12)?;
        let norm = Player::row(&game).norm().max(1e-3);
        let rounds = self_play(&game, (Simplex::uniform(m)?, Simplex::uniform(n)?), Order::Simultaneous, &|p| {
            Box::new(extragradient(p, 0.9 / norm).unwrap())
        });
        let square = |a: &Simplex, b: &Simplex| -> f64 {
            a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).powi(2)).sum()
        };
        let away = rounds.step_by(2).take(300).map(|round| {
            let round = round?;
            Ok((square(&star.row, &round.x) + square(&star.column, &round.y)).sqrt())
        });
        let away = away.collect::<Result<Vec<f64>>>()?;
        prop_assert!(away.windows(2).all(|w| w[1] <= w[0] + 1e-9), "{away:?}");
    }

    /// Every move of the magnet is a proximal-point step: the divergence from any equilibrium falls
    /// (Martinet 1970), as far as 2,000 inner rounds are one.
    #[test]
    fn magnets_move_towards_every_equilibrium(m in 2..=5usize, n in 2..=5usize, seed: u64) {
        const EVERY: usize = 2_000;
        let game = random_game(m, n, false, 1.0, seed);
        let range = game.range();
        let star = matrix::solve(&game, 1e-12)?;
        let rounds = self_play(&game, (Simplex::uniform(m)?, Simplex::uniform(n)?), Order::Simultaneous, &|p| {
            Box::new(MovingMagnet::new(p, 0.1 / range, 0.1 * range, EVERY).unwrap())
        });
        let moves = rounds.step_by(EVERY).take(6).map(|round| {
            let round = round?;
            Ok(kl(&star.row, &round.x) + kl(&star.column, &round.y))
        });
        let away = moves.collect::<Result<Vec<f64>>>()?;
        prop_assert!(away.windows(2).all(|w| w[1] <= w[0] + 1e-6), "{away:?}");
        prop_assert!(away[5] < away[0] || away[0] < 1e-6, "{away:?}");
    }

}

/// Hedge's last iterate leaves the equilibrium, in simultaneous play, in every round (Bailey,
/// Piliouras 2018); the optimistic, extragradient and magnetic ones arrive there.
#[test]
fn cycling_against_convergence() {
    for (game, x) in [(rock_paper_scissors(), vec![0.5, 0.3, 0.2]), (pennies(), vec![0.7, 0.3])] {
        let n = x.len();
        let middle = Simplex::uniform(n).unwrap();
        let x = Simplex::new(x).unwrap();
        let run = |algorithm: Make| {
            self_play(&game, (x.clone(), middle.clone()), Order::Simultaneous, algorithm)
        };
        let away = |r: &Round<Simplex, Simplex>| kl(&middle, &r.x) + kl(&middle, &r.y);
        let rounds: Vec<_> =
            run(&|p| Box::new(hedge(p, 0.2).unwrap())).take(200).collect::<Result<_>>().unwrap();
        assert!(rounds.windows(2).all(|w| away(&w[1]) > away(&w[0])));
        assert!(away(&rounds[199]) > 4.0 * away(&rounds[0]));
        let converging: [(&str, Make); 6] = [
            ("optimistic hedge", &|p| Box::new(optimistic_hedge(p, 0.2).unwrap())),
            ("mirror-prox", &|p| Box::new(mirror_prox(p, 0.5).unwrap())),
            ("optimistic gradient", &|p| Box::new(optimistic_gradient(p, 0.06).unwrap())),
            ("extragradient", &|p| Box::new(extragradient(p, 0.4).unwrap())),
            ("extragradient RM+", &|p| {
                Box::new(extragradient_regret_matching_plus(p, 0.1).unwrap())
            }),
            ("moving magnet", &|p| Box::new(MovingMagnet::new(p, 0.2, 0.3, 50).unwrap())),
        ];
        for (name, algorithm) in converging {
            let last = run(algorithm).nth(20_000).unwrap().unwrap();
            let left = gap(&game, &last.x, &last.y);
            assert!(left < 1e-6, "{name}: {left}");
        }
    }
}

/// A random regularised game; temperatures are 0 where `free` says so.
#[derive(Clone, Debug)]
struct Recipe {
    m: usize,
    n: usize,
    whole: bool,
    log_t: [f64; 2],
    free: [bool; 2],
    seed: u64,
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let log_t = [-1.5..1.0, -1.5..1.0];
    (
        1..=7usize,
        1..=7usize,
        any::<bool>(),
        log_t,
        prop::array::uniform2(any::<bool>()),
        any::<u64>(),
    )
        .prop_map(|(m, n, whole, log_t, free, seed)| Recipe { m, n, whole, log_t, free, seed })
}

impl Recipe {
    fn game(&self) -> RegularisedGame {
        let mut rng = rng(self.seed.wrapping_add(1));
        let mut side = |n: usize, k: usize| Regulariser {
            temperature: if self.free[k] { 0.0 } else { 10.0_f64.powf(self.log_t[k]) },
            reference: random_strategy(n, &mut rng),
        };
        let (row, column) = (side(self.m, 0), side(self.n, 1));
        RegularisedGame::new(random_game(self.m, self.n, self.whole, 1.0, self.seed), row, column)
            .unwrap()
    }

    fn pair(&self, stream: u64) -> (Simplex, Simplex) {
        let mut rng = rng(self.seed ^ (stream + 2));
        (random_strategy(self.m, &mut rng), random_strategy(self.n, &mut rng))
    }
}

proptest! {
    #![proptest_config(config(300))]

    /// Proposition 7.1: the gap is V - G, both are attained by the replies and by nothing better.
    #[test]
    fn the_regularised_gap_is_exact(recipe in recipes()) {
        let game = recipe.game();
        let (x, y) = recipe.pair(0);
        let found = ExactGap.gap(&game, &x, &y)?;
        prop_assert!((found.high - found.low - found.width).abs() < 1e-12 * (1.0 + found.high.abs()));
        prop_assert!(found.width >= 0.0);
        prop_assert_eq!(found.low, game.value_guaranteed(&x)?);
        prop_assert_eq!(found.high, game.value_against(&y)?);
        let (best, worst) = (game.max_reply(&y)?, game.min_reply(&x)?);
        prop_assert!((game.payoff(&best, &y)? - found.high).abs() < 1e-12);
        prop_assert!((game.payoff(&x, &worst)? - found.low).abs() < 1e-12);
        for stream in 1..20 {
            let (u, v) = recipe.pair(stream);
            prop_assert!(game.payoff(&u, &y)? <= found.high + 1e-12);
            prop_assert!(game.payoff(&x, &v)? >= found.low - 1e-12);
        }
        // Vertices too, where the KL term is largest.
        for k in 0..recipe.m {
            prop_assert!(game.payoff(&Simplex::vertex(k, recipe.m)?, &y)? <= found.high + 1e-12);
        }
        let swapped = ExactGap.gap(&game.swapped(), &y, &x)?;
        prop_assert!((swapped.width - found.width).abs() < 1e-13 * (1.0 + found.width));
    }

    /// Proposition 7.2: C(u, x) = beta_y KL(y_x || y_u) <= omega^2 / (16 beta_y) KL(u || x).
    #[test]
    fn relative_smoothness(recipe in recipes(), near in 0.0..1.0) {
        let game = Recipe { free: [recipe.free[0], false], ..recipe.clone() }.game();
        let (x, _) = recipe.pair(0);
        let (other, _) = recipe.pair(1);
        let mix = x.as_slice().iter().zip(other.as_slice()).map(|(a, b)| near * a + (1.0 - near) * b);
        let u = Simplex::new(mix.collect())?;
        let (y_x, y_u) = (game.min_reply(&x)?, game.min_reply(&u)?);
        let c = game.payoff(&u, &y_x)? - game.value_guaranteed(&u)?;
        let divergence = game.column().temperature * kl(&y_x, &y_u);
        prop_assert!((c - divergence).abs() < 1e-12 * (1.0 + game.game().range()));
        prop_assert!(divergence <= game.proximal_weight() * kl(&u, &x) * (1.0 + 1e-9) + 1e-15);
        prop_assert!(game.interaction() <= 2.0 * game.game().range() * (1.0 + 1e-12));
        let transposed = game.swapped().interaction();
        prop_assert!((game.interaction() - transposed).abs() < 1e-12);
    }

    /// Theorem D, Corollaries D.1 and D.2: the energy balance, the rate, the values and the gap.
    #[test]
    fn the_proximal_best_response_keeps_its_bounds(recipe in recipes(), excess in 1.0..3.0) {
        let game = Recipe { free: [recipe.free[0], false], ..recipe.clone() }.game();
        let star = match regularised::solve(&game, 1e-11) {
            Ok(star) => star,
            Err(Error::NotSolved { .. }) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let tau = excess * game.proximal_weight();
        let (bx, by) = (game.row().temperature, game.column().temperature);
        let w = 1.0 + bx / tau;
        let start = Simplex::uniform(recipe.m)?;
        let d0 = kl(&star.row, &start);
        let log_m = (recipe.m as f64).ln();
        let rounds: Vec<_> = regularised::run(&game, tau, start)?.take(60).collect::<Result<_>>()?;
        let mut mean = vec![0.0; recipe.n];
        let mut lowest = f64::NEG_INFINITY;
        // star is within 1e-11 in value, so within its root in KL times payoff.
        let slack = 1e-5 * (tau + bx + by + 1.0);
        for pair in rounds.windows(2) {
            let (now, next) = (&pair[0], &pair[1]);
            let t = next.t as f64;
            // Beyond f64 there is nothing to compare.
            if next.x.as_slice().contains(&0.0) || w.powf(t) > 1e100 {
                break;
            }
            // 0 times infinity is 0 here.
            let back = if bx > 0.0 { bx * kl(&next.x, &star.row) } else { 0.0 };
            let spent = (tau + bx) * kl(&star.row, &next.x) + back
                + by * kl(&star.column, &next.y) + by * kl(&now.y, &star.column);
            prop_assert!(spent <= tau * kl(&star.row, &now.x) + slack, "{spent}");
            prop_assert!(kl(&star.row, &next.x) <= d0 * w.powf(-t) + slack / tau);
            let low = game.value_guaranteed(&next.x)?;
            prop_assert!(low >= lowest - 1e-12);
            lowest = low;
            let sum: f64 = (0..next.t).map(|s| w.powi(s as i32)).sum();
            prop_assert!(star.value - low <= tau * d0 / sum + 1e-9);
            let share = w.powi(now.t as i32) / sum;
            mean.iter_mut().zip(now.y.as_slice()).for_each(|(m, p)| *m = (1.0 - share) * *m + share * p);
            let bound = tau * log_m / sum;
            let found = ExactGap.gap(&game, &next.x, &Simplex::new(mean.clone())?)?.width;
            prop_assert!(found <= bound * (1.0 + 1e-9) + 1e-12, "{found} > {bound}");
        }
    }

    /// The proximal step maximises F(., y) - tau KL(. || x) against random deviations.
    #[test]
    fn the_proximal_step_is_an_argmax(recipe in recipes(), log_tau in -2.0..1.0) {
        let game = recipe.game();
        let (x, y) = recipe.pair(0);
        let tau = 10.0_f64.powf(log_tau);
        let next = regularised::proximal(&game, tau)?.step(&x, &y)?;
        let gain = |u: &Simplex| Ok::<_, Error>(game.payoff(u, &y)? - tau * kl(u, &x));
        let weight = tau + game.row().temperature;
        for stream in 1..6 {
            let (u, _) = recipe.pair(stream);
            // The three-point identity: it wins by exactly this much.
            let margin = weight * kl(&u, &next);
            let size = 1.0 + weight * (1.0 + kl(&u, &x)) + margin;
            prop_assert!((gain(&next)? - gain(&u)? - margin).abs() < 1e-10 * size);
        }
    }
}

proptest! {
    #![proptest_config(config(60))]

    /// Every kind of regularised game is solved, and the same from the other side.
    #[test]
    fn regularised_games_are_solved(recipe in recipes()) {
        let game = recipe.game();
        let tol = if recipe.free == [false, false] { 1e-9 } else { 1e-3 };
        let found = regularised::solve(&game, tol)?;
        let gap = ExactGap.gap(&game, &found.row, &found.column)?;
        prop_assert!(found.gap <= tol && gap.width <= found.gap + 1e-12 && found.gap <= gap.width + 1e-11);
        prop_assert!(gap.low - 1e-12 <= found.value && found.value <= gap.high + 1e-12);
        let swapped = regularised::solve(&game.swapped(), tol)?;
        prop_assert!((swapped.value + found.value).abs() <= 2.0 * tol);
        if recipe.free == [true, true] {
            let value = matrix::solve(game.game(), 1e-12)?.value;
            prop_assert!((value - found.value).abs() <= tol, "{value} {}", found.value);
        }
    }

    /// The gap that the solver gives holds in exact arithmetic too, however far from 0 the payoffs are.
    #[test]
    fn regularised_gaps_hold_exactly(
        m in 1..=5usize, n in 1..=5usize, offset in -15.0..15.0, free: bool, log_t in -1.0..1.0, seed: u64,
    ) {
        let mut rng = rng(seed);
        let offset = 10.0_f64.powf(f64::abs(offset)).copysign(offset).round();
        let rows = (0..m).map(|_| (0..n).map(|_| offset + rng.random_range(-8..=8) as f64).collect());
        let matrix = MatrixGame::new(rows.collect())?;
        let row = Regulariser { temperature: 10.0_f64.powf(log_t), reference: random_strategy(m, &mut rng) };
        let column = match free {
            true => Regulariser::none(n)?,
            false => Regulariser { temperature: 1.0, reference: random_strategy(n, &mut rng) },
        };
        let game = RegularisedGame::new(matrix.clone(), row, column)?;
        // Without both temperatures the last digits may not be reached; what is said to be must hold.
        let found = match regularised::solve(&game, 1e-11) {
            Err(Error::NotSolved { .. }) if free => return Ok(()),
            found => found?,
        };
        let priors = [game.row(), game.column()].map(|r| Prior::of(&r.reference, &r.temperature).unwrap());
        let exact = MatrixGame::new(
            matrix.payoffs().rows().into_iter().map(|r| r.iter().map(|v| v.to_exact().unwrap()).collect()).collect(),
        )?;
        let proven = Regularised::of(&exact, priors, &found.row, &found.column)?;
        prop_assert!(proven.gap.0.mean() <= found.gap * 1.001 + 1e-30, "{} {}", proven.gap.0.mean(), found.gap);
    }

    /// Magnetic mirror descent of both players ends in the regularised game's equilibrium, at the
    /// proven rate (1 + eta a)^-1 in KL.
    #[test]
    fn magnetic_mirror_descent_finds_the_regularised_equilibrium(
        m in 1..=6usize, n in 1..=6usize, log_t in -1.0..0.5, seed: u64,
    ) {
        let a = 10.0_f64.powf(log_t);
        let base = random_game(m, n, false, 1.0, seed);
        let mut rng = rng(seed);
        let pull = |n: usize, rng: &mut ChaCha8Rng| Regulariser { temperature: a, reference: random_strategy(n, rng) };
        let (row, column) = (pull(m, &mut rng), pull(n, &mut rng));
        let (magnet_x, magnet_y) = (row.reference.clone(), column.reference.clone());
        let game = RegularisedGame::new(base.clone(), row, column)?;
        let star = regularised::solve(&game, 1e-13)?;
        let largest = base.payoffs().iter().fold(0.0, |s: f64, v| s.max(v.abs()));
        let rate = a / (largest * largest);
        let (x, y) = (Simplex::uniform(m)?, Simplex::uniform(n)?);
        let d0 = kl(&star.row, &x) + kl(&star.column, &y);
        let rounds = play(
            x,
            y,
            Order::Simultaneous,
            magnetic(Player::row(&base), rate, a, &magnet_x)?,
            magnetic(Player::column(&base), rate, a, &magnet_y)?,
        );
        for round in rounds.take(300) {
            let round = round?;
            let d = kl(&star.row, &round.x) + kl(&star.column, &round.y);
            prop_assert!(d <= d0 * (1.0 + rate * a).powi(-(round.t as i32)) + 1e-6, "{d}");
        }
    }
}

/// The constant of Proposition 7.2 cannot be lowered: its own example comes within 1e-4.
#[test]
fn the_smoothness_constant_is_sharp() {
    let omega = 3.0;
    let q = omega / 4.0;
    let base = MatrixGame::new(vec![vec![q, -q], vec![-q, q]]).unwrap();
    let column = Regulariser { temperature: 0.7, reference: Simplex::uniform(2).unwrap() };
    let game = RegularisedGame::new(base, Regulariser::none(2).unwrap(), column).unwrap();
    assert!((game.interaction() - omega).abs() < 1e-15);
    let (x, u) = (Simplex::uniform(2).unwrap(), Simplex::new(vec![0.505, 0.495]).unwrap());
    let c = 0.7 * kl(&game.min_reply(&x).unwrap(), &game.min_reply(&u).unwrap());
    let ratio = c / (game.proximal_weight() * kl(&u, &x));
    assert!(ratio <= 1.0 && ratio > 1.0 - 1e-3, "{ratio}");
}

/// A small gap comes out to several digits, where V - G is rounding.
#[test]
fn small_gaps_do_not_cancel() {
    let side =
        || Regulariser { temperature: 1.0, reference: Simplex::new(vec![0.4, 0.6]).unwrap() };
    let game = RegularisedGame::new(pennies(), side(), side()).unwrap();
    let rounds: Vec<_> =
        regularised::run(&game, 2.0 * game.proximal_weight(), Simplex::uniform(2).unwrap())
            .unwrap()
            .take(60)
            .map(|round| round.map(|r| ExactGap.gap(&game, &r.x, &r.y).unwrap().width))
            .collect::<Result<_>>()
            .unwrap();
    let small: Vec<f64> = rounds.into_iter().filter(|g| *g < 1e-16 && *g > 1e-26).collect();
    assert!(small.len() >= 3, "{small:?}");
    // Linear convergence is still seen: the ratio of successive gaps stays the same.
    for w in small.windows(3) {
        assert!(((w[2] / w[1]) / (w[1] / w[0]) - 1.0).abs() < 0.2, "{small:?}");
    }
}

/// Bad input is refused in one sentence.
#[test]
fn bad_input() {
    let game = pennies();
    let player = || Player::row(&game);
    let (two, three) = (Simplex::uniform(2).unwrap(), Simplex::uniform(3).unwrap());
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(hedge(player(), rate).is_err());
        assert!(optimistic_gradient(player(), rate).is_err());
        assert!(extragradient_regret_matching_plus(player(), rate).is_err());
        assert!(MovingMagnet::new(player(), rate, 1.0, 10).is_err());
    }
    assert!(MovingMagnet::new(player(), 1.0, 1.0, 0).is_err());
    assert!(magnetic(player(), 1.0, 1.0, &three).is_err());
    assert!(magnetic(player(), 1.0, -1.0, &two).is_err());
    let vertex = Simplex::vertex(0, 2).unwrap();
    let e = magnetic(player(), 1.0, 1.0, &vertex).err().unwrap().to_string();
    assert!(e.starts_with("magnet[1]: it is 0"), "{e}");
    for (_, algorithm) in ALGORITHMS {
        assert!(algorithm(player(), 1.0).step(&two, &three).is_err());
        assert!(algorithm(player(), 1.0).step(&three, &two).is_err());
    }
    let uniform = || (two.clone(), two.clone());
    let run =
        |x, y| Ok(play(x, y, Order::Simultaneous, hedge(player(), 1.0)?, hedge(player(), 1.0)?));
    assert!(restarted(&game, uniform(), 1.0, 10, run).is_err());
    assert!(restarted(&game, uniform(), 0.5, 0, run).is_err());
    let side = |temperature: f64, reference: &Simplex| Regulariser {
        temperature,
        reference: reference.clone(),
    };
    let free = || side(0.0, &vertex);
    assert!(RegularisedGame::new(game.clone(), free(), free()).is_ok());
    for bad in [
        side(-1.0, &two),
        side(f64::NAN, &two),
        side(1e-320, &two),
        side(1.0, &three),
        side(1.0, &vertex),
    ] {
        assert!(RegularisedGame::new(game.clone(), bad, free()).is_err());
    }
    let good = RegularisedGame::new(game.clone(), side(0.01, &two), free()).unwrap();
    assert!(
        regularised::solve(&good, 0.0).is_err() && regularised::solve(&good, f64::NAN).is_err()
    );
    assert!(regularised::run(&good, f64::INFINITY, two.clone()).is_err());
    assert!(regularised::run(&good, 1.0, three).is_err());
}

/// What is claimed to converge does: rotations of nearly degenerate games are slow, so the
/// last iterates' rates are seen on known games (`cycling_against_convergence`).
#[test]
fn random_games_converge() {
    // Thresholds are experience, not theorems: the same games every time.
    for seed in 0..25 {
        let mut sizes = rng(seed ^ 77);
        let (m, n) = (sizes.random_range(2..=5), sizes.random_range(2..=5));
        let game = random_game(m, n, false, 1.0, seed);
        let range = game.range();
        let start = (Simplex::uniform(m).unwrap(), Simplex::uniform(n).unwrap());
        let norm = Player::row(&game).norm();
        let run = |order, algorithm: Make| self_play(&game, start.clone(), order, algorithm);
        let at = |round: Option<Result<Round<Simplex, Simplex>>>| {
            let round = round.unwrap().unwrap();
            gap(&game, &round.x, &round.y) / range
        };
        use Order::{Alternating, Simultaneous};
        let averages: [(&str, Order, Weights, f64, Make); 4] = [
            ("RM", Alternating, Weights::Uniform, 0.05, &|p| Box::new(regret_matching(p))),
            ("RM+", Alternating, Weights::Linear, 5e-3, &|p| Box::new(regret_matching_plus(p))),
            ("PRM+", Alternating, Weights::Quadratic, 1e-4, &|p| {
                Box::new(predictive_regret_matching_plus(p))
            }),
            ("hedge", Simultaneous, Weights::Uniform, 0.05, &|p| {
                let r = hedge_rate(&p, 10_000);
                Box::new(hedge(p, r).unwrap())
            }),
        ];
        for (name, order, weights, bound, algorithm) in averages {
            let found = at(average(run(order, algorithm), weights).nth(10_000));
            assert!(found <= bound, "{name}: {found}");
        }
        let found = at(run(Alternating, &|p| Box::new(FictitiousPlay::new(p))).nth(10_000));
        assert!(found <= 0.05, "fictitious play: {found}");
        // Extragradient's last iterate is within 3 D |z_0 - z*| / (sqrt(T) eta sqrt(1 - (eta L)^2)) (Cai,
        // Oikonomou, Zheng 2022): with D and |z_0 - z*| at most 2, eta = 0.9/L and T = 10,000 that is
        // 0.31 L. Nearly degenerate games come near it; the others are held to the same.
        let bound = 0.31 * norm / range;
        let last: [(&str, Make); 4] = [
            ("optimistic gradient", &|p| Box::new(optimistic_gradient(p, 0.125 / norm).unwrap())),
            ("extragradient", &|p| Box::new(extragradient(p, 0.9 / norm).unwrap())),
            ("smooth PRM+", &|p| {
                Box::new(smooth_predictive_regret_matching_plus(p, 0.3 / norm).unwrap())
            }),
            ("extragradient RM+", &|p| {
                Box::new(extragradient_regret_matching_plus(p, 0.3 / norm).unwrap())
            }),
        ];
        for (name, algorithm) in last {
            let found = at(run(Simultaneous, algorithm).nth(20_000));
            assert!(found <= bound, "{name}: {found} above {bound}");
        }
    }
}

/// Restarts count rounds on and end lower; the proven rate of the smooth methods is safe.
#[test]
fn restarts_make_progress() {
    // Thresholds are experience, not theorems: the same games every time.
    for seed in 0..25 {
        let mut sizes = rng(seed ^ 77);
        let (m, n) = (sizes.random_range(2..=4), sizes.random_range(2..=4));
        let game = random_game(m, n, false, 1.0, seed);
        let start = (Simplex::uniform(m).unwrap(), Simplex::uniform(n).unwrap());
        let before = gap(&game, &start.0, &start.1);
        let rate = smooth_rate(&Player::row(&game));
        let rounds = restarted(&game, start, 0.5, 2, |x, y| {
            Ok(self_play(&game, (x, y), Order::Simultaneous, &|p| {
                Box::new(extragradient_regret_matching_plus(p, 7.0 * rate).unwrap())
            }))
        })
        .unwrap();
        let mut lowest = before;
        for (t, round) in rounds.take(20_001).enumerate() {
            let round = round.unwrap();
            assert_eq!(round.t, t);
            if t % 1000 == 0 {
                lowest = lowest.min(gap(&game, &round.x, &round.y));
            }
        }
        // Each restart halves the gap; two at least.
        assert!(lowest <= 0.25 * before + 1e-12, "{} of {}", lowest, before);
    }
}
