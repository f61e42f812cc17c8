//! The (tau, beta) family of dynamics (Definition 4) and what is watched along it.
//!
//! $$p_{t+1} = \arg\max_p F(p,q_t) - \tau D(p,p_t) \;\propto\; (p_t^\tau\, r^\beta / q_t)^{1/(\tau+\beta)}$$
//!
//! tau = 0 is the paper's best-response iteration: it converges for every start when beta > 1
//! (Theorem C, `theorem_C`); below 1 - mu_min it is unstable (Theorem B) and, for two texts, cycles
//! (Example 1, `example_1_cycle`). tau >= 1 converges for every beta > 0 (Theorem A, `theorem_A`,
//! `corollary_A_1` to `corollary_A_6`; names are those of proofs/Main.v). As preference optimisation (DPO), the step has temperature tau + beta and
//! the reference log-density (tau log p_t + beta log r)/(tau + beta).

use super::{Classifier, ExactGap, Generator, GuardGame};
use crate::dynamics::{Order, Round, Update, play};
use crate::exploit::Exploit;
use crate::{BestReply, Error, Game, Result};
use ndarray::{Array2, Zip};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator's update with proximal weight `tau`, in nats; tau = 0 is the best reply.
pub fn generator(game: &GuardGame, tau: f64) -> impl Update<Generator, Classifier> {
    move |p: &Generator, q: &Classifier| step(game, tau, Some(p), q)
}

/// The classifier's update: its best reply, the (clipped) posterior.
pub fn classifier(game: &GuardGame) -> impl Update<Classifier, Generator> {
    move |_: &Classifier, p: &Generator| game.min_reply(p)
}

/// The run of the (tau, beta) family from the generator `start`, the classifier starting at its
/// best reply to it.
///
/// ```
/// use nashguard::dynamics::Order;
/// use nashguard::guard::{Generator, GuardGame, Seed, proximal, solve};
///
/// let seeds = vec![
///     Seed { label: 0, weight: 0.5, reference: vec![0.9, 0.1] },
///     Seed { label: 1, weight: 0.5, reference: vec![0.2, 0.8] },
/// ];
/// let game = GuardGame::new(2, seeds, 0.5)?;
/// let star = solve(&game, 1e-13)?.p;
/// let start = Generator::reference(&game);
/// let d0 = game.divergence(&star, &start)?;
/// for round in proximal::run(&game, 1.0, Order::Alternating, start)?.take(20) {
///     let round = round?;
///     // Theorem A: D(p*, p_t) <= (tau/(tau+beta))^t D(p*, p_0).
///     let bound = (1.0_f64 / 1.5).powi(round.t as i32) * d0;
///     assert!(game.divergence(&star, &round.x)? <= bound * (1.0 + 1e-9) + 1e-15);
/// }
/// # Ok::<(), nashguard::Error>(())
/// ```
///
/// # Errors
/// When `tau` is negative or not finite, or `start` is not a generator of `game`.
pub fn run(
    game: &GuardGame,
    tau: f64,
    order: Order,
    start: Generator,
) -> Result<impl Iterator<Item = Result<Round<Generator, Classifier>>>> {
    check_weight(tau)?;
    let q = game.min_reply(&start)?;
    Ok(play(start, q, order, generator(game, tau), classifier(game)))
}

pub(super) fn check_weight(tau: f64) -> Result<()> {
    if tau.is_finite() && tau >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid(
        "tau",
        format!("{tau} is not a proximal weight"),
        "give a finite number that is not negative",
    ))
}

/// One generator step; without `p` (or with tau = 0) it is the best reply.
pub(super) fn step(
    game: &GuardGame,
    tau: f64,
    p: Option<&Generator>,
    q: &Classifier,
) -> Result<Generator> {
    game.check(p, Some(q))?;
    check_weight(tau)?;
    let mut log_w = match p {
        Some(p) => p.log_p().clone(),
        None => game.reference().clone(),
    };
    let scale = 1.0 / (tau + game.beta());
    for (i, (mut row, r)) in log_w.outer_iter_mut().zip(game.reference().outer_iter()).enumerate() {
        let log_q = q.log_q().column(game.label()[i]);
        let mut forbidden = false;
        Zip::from(&mut row).and(&r).and(&log_q).for_each(|w, &r, &log_q| {
            *w = if r == 0.0 {
                f64::NEG_INFINITY
            } else {
                let kept = if tau == 0.0 { 0.0 } else { tau * *w };
                // A text the proximal term forbids (log p = -inf) stays forbidden.
                forbidden |= log_q == f64::NEG_INFINITY && kept > f64::NEG_INFINITY;
                (kept + game.beta() * r.ln() - log_q.max(f64::MIN)) * scale
            };
        });
        if forbidden {
            return Err(Error::invalid(
                format!("seed {i}"),
                "the classifier gives its label probability 0 on a text of its reference, so no best reply exists",
                "use a classifier that is positive there, for example with a floor gamma > 0",
            ));
        }
    }
    Ok(Generator::from_log_weights(log_w))
}

/// What is watched along a run; all in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Rounds played.
    pub t: usize,
    /// D(p*, p_t).
    pub divergence: f64,
    /// The exact gap of (p_t, q_t).
    pub gap: f64,
    /// J(p_t, q_t).
    pub value: f64,
    /// G(p_t) = min_q J(p_t, q).
    pub guaranteed: f64,
    /// V(q_t) = max_p J(p, q_t).
    pub against: f64,
    /// log q_t(y|z) / q_t(0|z) for y = 1.., text after text.
    pub logits: Vec<f64>,
}

/// Measures one round against the equilibrium generator `star`.
///
/// # Errors
/// When the round or `star` does not belong to `game`.
pub fn observe(
    game: &GuardGame,
    star: &Generator,
    round: &Round<Generator, Classifier>,
) -> Result<Observation> {
    game.check(Some(star), None)?;
    let gap = ExactGap.gap(game, &round.x, &round.y)?;
    let logits = round
        .y
        .log_q()
        .outer_iter()
        .flat_map(|row| row.iter().skip(1).map(|l| l - row[0]).collect::<Vec<_>>())
        .collect();
    Ok(Observation {
        t: round.t,
        divergence: game.divergence(star, &round.x)?,
        gap: gap.width,
        value: game.payoff(&round.x, &round.y)?,
        guaranteed: gap.low,
        against: gap.high,
        logits,
    })
}

/// The local rate per round, measured on the dynamics themselves by the power method: a small
/// perturbation of log p* in the last two generators is pushed through two rounds at a time, by central
/// differences, and rescaled; the rate is the geometric mean growth over the last half of `blocks`.
///
/// Theorem B predicts it for alternating play ([`Spectrum::rate`](super::Spectrum::rate)), also where
/// it exceeds 1. Simultaneous play answers the last generator but one: at tau = 0 its rate is the
/// square root of that, at tau > 0 another (Proposition 5).
///
/// # Errors
/// When `star` does not belong to `game` or `tau` is not a proximal weight.
pub fn measured_rate(
    game: &GuardGame,
    star: &Generator,
    tau: f64,
    order: Order,
    blocks: usize,
    seed: u64,
) -> Result<f64> {
    // Central differences err by the square of this, rounding by 1e-16 over it.
    const STEP: f64 = 1e-5;
    const ROUNDS: usize = 2;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let p = star.probabilities();
    // Of p_{t-1} and of p_t.
    let mut v = vec![p.mapv(|_| rng.random::<f64>() - 0.5), p.mapv(|_| rng.random::<f64>() - 0.5)];
    let mut growth = Vec::with_capacity(blocks);
    for _ in 0..=blocks {
        growth.push(rescale(game, &p, &mut v).ln());
        let push = |sign: f64| -> Result<Vec<Generator>> {
            let at = |v| Generator::from_log_weights(star.log_p() + &(v * (sign * STEP)));
            let (before, now) = (at(&v[0]), at(&v[1]));
            let q = game.min_reply(match order {
                Order::Alternating => &now,
                Order::Simultaneous => &before,
            })?;
            let rounds = play(now, q, order, generator(game, tau), classifier(game));
            rounds.skip(1).take(ROUNDS).map(|round| Ok(Generator::clone(&round?.x))).collect()
        };
        let (up, down) = (push(1.0)?, push(-1.0)?);
        for (v, (up, down)) in v.iter_mut().zip(up.iter().zip(&down)) {
            *v = Zip::from(up.log_p()).and(down.log_p()).map_collect(|u, d| {
                if *u == f64::NEG_INFINITY { 0.0 } else { (u - d) / (2.0 * STEP) }
            });
        }
    }
    let late = &growth[growth.len() / 2..];
    Ok((late.iter().sum::<f64>() / (late.len() * ROUNDS) as f64).exp())
}

/// Centres each row of each v under p*, divides by the norm sqrt(sum rho_i p*_i v_i^2) of all,
/// returns the norm.
fn rescale(game: &GuardGame, p: &Array2<f64>, v: &mut [Array2<f64>]) -> f64 {
    let mut square = 0.0;
    for v in v.iter_mut() {
        for ((mut v, p), rho) in v.outer_iter_mut().zip(p.outer_iter()).zip(game.weight()) {
            let mean = v.dot(&p);
            v.mapv_inplace(|x| x - mean);
            square += rho * Zip::from(&v).and(&p).fold(0.0, |s, v, p| s + p * v * v);
        }
    }
    let norm = square.sqrt();
    if norm > 0.0 {
        v.iter_mut().for_each(|v| v.mapv_inplace(|x| x / norm));
    }
    norm
}
