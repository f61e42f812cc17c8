//! The exact solver: accelerated proximal steps on |Y| x |Z| log-weights.
//!
//! From p_0 = r every iterate is p_i(z) proportional to r_i(z) exp(s(y_i, z)) (Proposition 6), so
//! the generator is carried as the |Y| x |Z| table s, and one iteration is one pass over the
//! reference: each row is normalised and scattered into its label's sum while it is in cache,
//! without any exponential over seeds x texts.
//!
//! The step is tau = 1/2, the locally best weight (Theorem B), accelerated as in Proposition 4.
//! That is fast but proven only locally, so when the gap stops falling the solver falls back on
//! tau = 1, which converges for every beta > 0 from every start (Theorem A).

use super::proximal::check_weight;
use super::tables::posterior;
use super::{Classifier, ExactGap, Generator, GuardGame};
use crate::error::check_tolerance;
use crate::exploit::Exploit;
use crate::simplex::{log_sum_exp, phi};
use crate::{BestReply, Error, Game, Result};
use ndarray::Array2;

/// A solved guard game.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The equilibrium generator p*.
    pub p: Generator,
    /// The classifier's best reply to it, q*.
    pub q: Classifier,
    /// J(p, q) = G(p), in nats: the game's value is at least this and at most `gap` more, up to
    /// rounding.
    pub value: f64,
    /// The exact gap of (p, q), in nats, evaluated on the tables after the iteration.
    pub gap: f64,
    /// Moves of the iterate, one pass over the reference each (looks at the gap cost one more).
    pub iterations: usize,
}

/// Solves `game` to gap <= `tol` nats, choosing the step itself.
///
/// # Errors
/// [`Error::NotSolved`] when `tol` cannot be reached; never a wrong answer.
pub fn solve(game: &GuardGame, tol: f64) -> Result<Solution> {
    solve_with(game, None, tol, |_, _| {})
}

/// As [`solve()`], with the proximal weight fixed to `tau` if given (then without acceleration), and
/// `watch(iterations, gap)` called now and then.
///
/// # Errors
/// [`Error::NotSolved`] when the gap stays above `tol`, [`Error::Invalid`] for a tolerance that is
/// not positive or a weight that is negative.
pub fn solve_with(
    game: &GuardGame,
    tau: Option<f64>,
    tol: f64,
    mut watch: impl FnMut(usize, f64),
) -> Result<Solution> {
    check_tolerance("tol", tol)?;
    if let Some(tau) = tau {
        check_weight(tau)?;
    }
    let mut iterate = Iterate::new(game);
    let mut iterations = 0;
    // The loop's own gap is not trusted: the finished tables are measured afresh, and where they
    // disagree the loop must aim lower.
    let mut aim = tol;
    let mut follow = |plan: Plan| -> Result<Option<Solution>> {
        let moved = iterate.follow(&plan, aim, |n, gap| watch(iterations + n, gap))?;
        iterations += moved.steps;
        if moved.gap > aim && !plan.last {
            return Ok(None);
        }
        aim *= 0.1;
        let found = Solution::of(game, &iterate, iterations)?;
        Ok((found.gap <= tol || plan.last).then_some(found))
    };
    let limit = proven_steps(game, tau.unwrap_or(1.0), tol);
    let mut plan = match tau {
        Some(tau) => Plan { tau, accelerated: false, steps: limit, last: true },
        None => Plan { tau: 0.5, accelerated: true, steps: limit, last: false },
    };
    let mut plain = 0;
    let found = loop {
        if let Some(found) = follow(plan)? {
            break found;
        }
        plan = if plan.accelerated {
            let steps = (limit - plain).min(20 + plain);
            plain += steps;
            Plan { tau: 1.0, accelerated: false, steps, last: plain == limit }
        } else {
            Plan { tau: 0.5, accelerated: true, steps: limit, last: false }
        };
    };
    if found.gap <= tol {
        return Ok(found);
    }
    let beta = game.beta();
    let remedy = match tau {
        Some(tau) if tau < 1.0 && tau.max(1.0 - tau) >= tau + beta => format!(
            "tau = {tau} need not converge at beta = {beta} (every tau >= 1 does): leave tau out"
        ),
        Some(_) => "leave tau out, or raise the tolerance".to_owned(),
        None => "raise the tolerance: smaller gaps of this game are beyond f64, or beyond the steps allowed".to_owned(),
    };
    Err(Error::NotSolved { gap: found.gap, tol, iterations: found.iterations, remedy })
}

impl Solution {
    /// The tables of an iterate, with the exact gap measured on them.
    fn of(game: &GuardGame, iterate: &Iterate, iterations: usize) -> Result<Self> {
        let p = iterate.generator();
        let q = game.min_reply(&p)?;
        let value = game.payoff(&p, &q)?;
        // An iterate that ran off to infinity has no replies, and no gap.
        let gap = ExactGap.gap(game, &p, &q).map_or(f64::INFINITY, |gap| {
            // The values themselves must bear the certificate out, up to their own rounding, which
            // grows with beta: where it hides too much, their difference is the gap.
            let value = gap.high.abs().min(gap.low.abs());
            let rounding = 1e-13 * (1.0 + value) + 4e-15 * game.beta();
            let apart = (gap.high - gap.low).abs();
            if apart <= gap.width + rounding && rounding < LARGEST_ROUNDING * (1.0 + value) {
                gap.width
            } else {
                gap.width.max(apart)
            }
        });
        let gap = if value.is_finite() && !gap.is_nan() { gap } else { f64::INFINITY };
        Ok(Self { value, p, q, gap, iterations })
    }
}

/// Rounding of the values, relative to them, beyond which a gap below it is not believed.
const LARGEST_ROUNDING: f64 = 1e-11;

/// How to move, and when to give up.
#[derive(Clone, Copy)]
struct Plan {
    tau: f64,
    accelerated: bool,
    /// Steps after which the plan ends.
    steps: usize,
    /// Whether there is nothing left to try after it.
    last: bool,
}

/// Twice the plain steps that reach `tol` at the rate tau/(tau + beta) for tau >= 1 (Theorem A),
/// 1/beta for tau = 0 (Theorem C), the worst local rate of Theorem B between.
fn proven_steps(game: &GuardGame, tau: f64, tol: f64) -> usize {
    let rate = tau.max(1.0 - tau) / (tau + game.beta());
    let enough = 2.0 * (1e3_f64.ln() - tol.ln()).max(1.0) / -rate.ln();
    // Betas below 1e-3 may need more than 1e5 steps; they get what some seconds allow.
    let affordable = (2e9 / game.reference().len() as f64).clamp(1e5, 1e7);
    100 + if rate < 1.0 { enough.min(affordable) as usize } else { 10_000 }
}

/// What a plan achieved.
struct Moved {
    steps: usize,
    gap: f64,
}

/// Row sums below this are left to the log-space tables: the row cannot reach its label's
/// heaviest texts, and what it can reach may have underflowed.
const LEAST_SUM: f64 = 1e-200;
/// Masses below this may have lost digits to underflow.
const LEAST_MASS: f64 = 1e-290;
/// Largest spread of log p - log T(q) for which the gap's exponentials are safe.
const LARGEST_STEP: f64 = 200.0;

/// The solver's iterate: log-weights s, and the classifier's reply to them. Public so that one
/// iteration can be measured.
///
/// All tables are `labels x texts`, one label after the other.
pub struct Iterate<'a> {
    game: &'a GuardGame,
    /// Texts that some seed of the label can reach.
    reachable: Vec<bool>,
    /// log-weights s(y, z); 0 where unreachable.
    s: Vec<f64>,
    /// log q(y|z), the reply to s.
    log_q: Vec<f64>,
    /// w = exp(s - max_z s); 0 where unreachable.
    w: Vec<f64>,
    /// max_z s(y, z), one a label.
    shift: Vec<f64>,
    /// sum over the label's seeds of rho_i r_i(z) / Z_i, with Z_i = sum_z r_i(z) w(y_i, z).
    scattered: Vec<f64>,
    /// Whether w and `scattered` hold: else this s is out of their range, and tables serve.
    in_range: bool,
}

impl<'a> Iterate<'a> {
    /// p = r.
    pub fn new(game: &'a GuardGame) -> Self {
        let texts = game.texts();
        let size = game.labels() * texts;
        let mut reachable = vec![false; size];
        for (row, &y) in game.reference().outer_iter().zip(game.label()) {
            let known = &mut reachable[y * texts..][..texts];
            known.iter_mut().zip(row).for_each(|(k, r)| *k |= *r > 0.0);
        }
        let zeros = || vec![0.0; size];
        Self {
            game,
            reachable,
            s: zeros(),
            log_q: zeros(),
            w: zeros(),
            shift: vec![0.0; game.labels()],
            scattered: zeros(),
            in_range: false,
        }
    }

    /// p_i(z) proportional to r_i(z) exp(s(y_i, z)), as a table.
    pub fn generator(&self) -> Generator {
        let texts = self.game.texts();
        let mut log_w: Array2<f64> = self.game.reference().mapv(f64::ln);
        for (mut row, &y) in log_w.outer_iter_mut().zip(self.game.label()) {
            row.iter_mut().zip(&self.s[y * texts..]).for_each(|(w, s)| *w += s);
        }
        Generator::from_log_weights(log_w)
    }

    /// One plain iteration with proximal weight `tau`: the classifier's reply to s, then
    /// s <- (tau s - log q)/(tau + beta).
    ///
    /// # Errors
    /// Only what the log-space tables report.
    pub fn advance(&mut self, tau: f64) -> Result<()> {
        self.reply()?;
        self.step(tau);
        Ok(())
    }

    fn step(&mut self, tau: f64) {
        let scale = 1.0 / (tau + self.game.beta());
        for (k, s) in self.s.iter_mut().enumerate().filter(|(k, _)| self.reachable[*k]) {
            *s = (tau * *s - self.log_q[k]) * scale;
        }
    }

    /// Follows a plan until the gap is at most `tol` or the plan ends. An accelerated plan also
    /// ends, back at its best iterate, when its gap has long stopped halving.
    fn follow(
        &mut self,
        plan: &Plan,
        tol: f64,
        mut watch: impl FnMut(usize, f64),
    ) -> Result<Moved> {
        // Proposition 4: at tau = 1/2 the Jacobian's spectrum lies in [-r, r]; Chebyshev's weights
        // omega, from 1 to 2/(1 + sqrt(1 - r^2)), damp all of it best.
        let r = 1.0 / (1.0 + 2.0 * self.game.beta());
        let final_rate = r / (1.0 + (1.0 - r * r).sqrt());
        // The gap is quadratic in the error: ten times the steps in which it should halve.
        let patience = 10 + (10.0 * 0.5_f64.ln() / (2.0 * final_rate.ln())) as usize;
        let mut omega = 1.0;
        let mut older = self.s.clone();
        let (mut best, mut best_gap, mut best_at) = (self.s.clone(), f64::INFINITY, 0);
        let (mut check, mut last) = (0, (0, f64::INFINITY));
        let mut steps = 0;
        loop {
            self.reply()?;
            if steps == check || steps == plan.steps {
                let gap = self.gap()?;
                watch(steps, gap);
                if gap <= tol || steps == plan.steps {
                    return Ok(Moved { steps, gap });
                }
                if gap < 0.5 * best_gap {
                    (best_gap, best_at) = (gap, steps);
                    best.copy_from_slice(&self.s);
                } else if plan.accelerated && steps > best_at + patience {
                    self.s = best;
                    return Ok(Moved { steps, gap });
                }
                check = steps + until_next_check(steps, gap, last, tol);
                last = (steps, gap);
            }
            let current = self.s.clone();
            self.step(plan.tau);
            if plan.accelerated {
                for (s, o) in self.s.iter_mut().zip(&older) {
                    *s = o + omega * (*s - o);
                }
                omega = 1.0 / (1.0 - r * r * omega / if steps == 0 { 2.0 } else { 4.0 });
            }
            older = current;
            steps += 1;
        }
    }

    /// The classifier's best reply to s, into `log_q`: one pass over the reference.
    fn reply(&mut self) -> Result<()> {
        self.weigh();
        self.in_range = self.scatter();
        let (labels, texts) = (self.game.labels(), self.game.texts());
        if !self.in_range {
            let q = self.game.min_reply(&self.generator())?;
            for (k, l) in self.log_q.iter_mut().enumerate() {
                *l = q.log_q()[(k % texts, k / texts)];
            }
            return Ok(());
        }
        let anchor = self.game.active_anchor();
        let mut row = vec![0.0; labels];
        for z in 0..texts {
            for (y, m) in row.iter_mut().enumerate() {
                let k = y * texts + z;
                // log P(y, z) = log w + log scattered; w may have underflowed, s has not.
                *m = if self.reachable[k] {
                    self.s[k] - self.shift[y] + self.scattered[k].ln()
                } else {
                    f64::NEG_INFINITY
                };
                if let Some(a) = anchor {
                    *m = log_sum_exp(&[*m, (a.weight * a.real[(y, z)]).ln()]);
                }
            }
            posterior(&mut row, self.game.floor());
            for (y, l) in row.iter().enumerate() {
                self.log_q[y * texts + z] = *l;
            }
        }
        Ok(())
    }

    fn weigh(&mut self) {
        let texts = self.game.texts();
        for y in 0..self.game.labels() {
            let range = y * texts..(y + 1) * texts;
            let (s, reach) = (&self.s[range.clone()], &self.reachable[range.clone()]);
            let max = s.iter().zip(reach).filter(|(_, r)| **r).map(|(s, _)| *s);
            self.shift[y] = max.fold(f64::NEG_INFINITY, f64::max);
            for ((w, s), r) in self.w[range].iter_mut().zip(s).zip(reach) {
                *w = if *r { (s - self.shift[y]).exp() } else { 0.0 };
            }
        }
    }

    /// The pass itself. False when this s is out of range for it.
    fn scatter(&mut self) -> bool {
        let texts = self.game.texts();
        self.scattered.fill(0.0);
        for ((row, &y), &rho) in
            self.game.reference().outer_iter().zip(self.game.label()).zip(self.game.weight())
        {
            let Some(row) = row.to_slice() else { return false };
            let range = y * texts..(y + 1) * texts;
            let sum = kernel::dot(row, &self.w[range.clone()]);
            if sum.is_nan() || sum < LEAST_SUM {
                return false;
            }
            kernel::add_scaled(&mut self.scattered[range], rho / sum, row);
        }
        self.scattered.iter().zip(&self.reachable).all(|(m, r)| !r || *m >= LEAST_MASS)
    }

    /// The gap beta D(p, T q) of the current s and its reply (Proposition 3), in one pass.
    ///
    /// With u = log p - log T(q) up to a constant per seed, KL_i = E_i[u] + log E_i[exp(-u)]; from
    /// a = E_i[u] and b = E_i[phi(u)] it is b - psi(b - a), psi(x) = x - log(1 + x), in which
    /// nothing of the size of u is subtracted.
    fn gap(&self) -> Result<f64> {
        let (labels, texts, beta) = (self.game.labels(), self.game.texts(), self.game.beta());
        if !self.in_range {
            let p = self.generator();
            let q = self.game.min_reply(&p)?;
            return Ok(ExactGap.gap(self.game, &p, &q).map_or(f64::INFINITY, |gap| gap.width));
        }
        let mut wu = vec![0.0; labels * texts];
        let mut wphi = vec![0.0; labels * texts];
        let mut wexp = vec![0.0; labels * texts];
        for y in 0..labels {
            let range = y * texts..(y + 1) * texts;
            let u = |k: usize| self.s[k] + self.log_q[k] / beta;
            let reached = || range.clone().filter(|&k| self.reachable[k]);
            let mass: f64 = reached().map(|k| self.w[k] * self.scattered[k]).sum();
            let mean: f64 =
                reached().map(|k| self.w[k] * self.scattered[k] * u(k)).sum::<f64>() / mass;
            for k in reached() {
                let centred = u(k) - mean;
                if centred.is_nan() || centred.abs() > LARGEST_STEP {
                    return Ok(f64::INFINITY);
                }
                wu[k] = self.w[k] * centred;
                wphi[k] = self.w[k] * phi(centred);
                wexp[k] = self.w[k] * (-centred).exp();
            }
        }
        let mut gap = 0.0;
        for ((row, &y), &rho) in
            self.game.reference().outer_iter().zip(self.game.label()).zip(self.game.weight())
        {
            let Some(row) = row.to_slice() else { return Ok(f64::INFINITY) };
            let range = y * texts..(y + 1) * texts;
            let sum = kernel::dot(row, &self.w[range.clone()]);
            let a = kernel::dot(row, &wu[range.clone()]) / sum;
            let b = kernel::dot(row, &wphi[range.clone()]) / sum;
            // Away from the fixed point psi(x) is about x and would cancel; there the sum of
            // exponentials itself is precise enough.
            let kl = if a.abs() < 0.25 && b < 0.25 {
                b - psi(b - a)
            } else {
                a + (kernel::dot(row, &wexp[range]) / sum).ln()
            };
            gap += rho * kl;
        }
        Ok(if gap.is_nan() { f64::INFINITY } else { beta * gap.max(0.0) })
    }
}

/// psi(x) = x - log(1 + x) = phi(log(1 + x)), which loses no digits near 0.
fn psi(x: f64) -> f64 {
    phi(-x.ln_1p())
}

/// Steps to wait before the gap is looked at again: what its last decline predicts, within reason.
fn until_next_check(steps: usize, gap: f64, last: (usize, f64), tol: f64) -> usize {
    let decline = (last.1 / gap).ln() / (steps - last.0).max(1) as f64;
    let needed = (gap / tol).ln() / decline;
    let most = 2 + steps / 4;
    if needed.is_finite() && needed > 0.0 { (needed.ceil() as usize).clamp(1, most) } else { most }
}

/// The two row operations of the pass, written so that they vectorise.
mod kernel {
    /// sum a b, in eight running sums.
    pub fn dot(a: &[f64], b: &[f64]) -> f64 {
        let mut sums = [0.0; 8];
        let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
        let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(x, y)| x * y).sum();
        for (x, y) in a8.zip(b8) {
            for k in 0..8 {
                sums[k] += x[k] * y[k];
            }
        }
        sums.iter().sum::<f64>() + rest
    }

    /// target += f a.
    pub fn add_scaled(target: &mut [f64], f: f64, a: &[f64]) {
        for (t, x) in target.iter_mut().zip(a) {
            *t += f * x;
        }
    }
}
