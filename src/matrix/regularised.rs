//! Matrix games with a KL term for each player (Definition 5 of `theory/convergence.md`), their exact
//! gap, and the proximal best response that solves them.
//!
//! $$F(x,y) = x^\top A y - \beta_x \mathrm{KL}(x\Vert r_x) + \beta_y \mathrm{KL}(y\Vert r_y)$$
//!
//! ```
//! use nashguard::exploit::Exploit;
//! use nashguard::matrix::MatrixGame;
//! use nashguard::matrix::regularised::{ExactGap, RegularisedGame, Regulariser, solve};
//! use nashguard::simplex::Simplex;
//!
//! let pennies = MatrixGame::new(vec![vec![2.0, -1.0], vec![-1.0, 1.0]])?;
//! // The row player leans to its first action, the column player is free.
//! let row = Regulariser { temperature: 0.5, reference: Simplex::new(vec![0.9, 0.1])? };
//! let game = RegularisedGame::new(pennies, row, Regulariser::none(2)?)?;
//! let star = solve(&game, 1e-9)?;
//! assert!(ExactGap.gap(&game, &star.row, &star.column)?.width <= 1e-9);
//! # Ok::<(), nashguard::Error>(())
//! ```

use super::dynamics::{Ascent, Entropy, Mean, Player, Scheme, magnetic};
use super::{MatrixGame, Solution, first_extreme};
use crate::dynamics::{Order, Round, Update, play};
use crate::error::check_tolerance;
use crate::exploit::{Bound, Exploit, Gap};
use crate::simplex::{Simplex, kl_from_logs, log_sum_exp};
use crate::{BestReply, Error, Game, Result};

/// What a player pays for straying: temperature times KL(. || reference).
#[derive(Clone, Debug, PartialEq)]
pub struct Regulariser {
    /// beta_x or beta_y, in payoff per nat; 0 for a free player, whose reference is then ignored.
    pub temperature: f64,
    /// r_x or r_y, positive everywhere (unless ignored).
    pub reference: Simplex,
}

impl Regulariser {
    /// A free player with this many actions.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `actions` is 0.
    pub fn none(actions: usize) -> Result<Self> {
        Ok(Self { temperature: 0.0, reference: Simplex::uniform(actions)? })
    }

    fn check(&self, player: &str, actions: usize, range: f64) -> Result<()> {
        let place = |part: &str| format!("{player}.{part}");
        let t = self.temperature;
        if !(t >= 0.0 && t.is_finite()) || (t > 0.0 && !(range / t).is_finite()) {
            return Err(Error::invalid(
                place("temperature"),
                format!("{t} is not a temperature for payoffs of range {range}"),
                "give 0 or a positive number of the payoffs' size",
            ));
        }
        let r = self.reference.as_slice();
        if r.len() != actions {
            return Err(Error::invalid(
                place("reference"),
                format!("it has {} entries", r.len()),
                format!("this game needs {actions}"),
            ));
        }
        match r.iter().position(|p| *p == 0.0) {
            Some(k) if t > 0.0 => Err(Error::invalid(
                place(&format!("reference[{k}]")),
                "it is 0, which forbids the action",
                "give a positive probability or take the action out of the game",
            )),
            _ => Ok(()),
        }
    }

    /// temperature KL(x || reference).
    fn price(&self, x: &Simplex) -> f64 {
        if self.temperature == 0.0 {
            return 0.0;
        }
        self.temperature * kl_from_logs(&logs(x), &logs(&self.reference))
    }

    /// log r + (g - max g) / temperature, and max g.
    fn weights(&self, gain: &[f64]) -> (Vec<f64>, f64) {
        let max = gain.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = |(g, r): (&f64, &f64)| r.ln() + (g - max) / self.temperature;
        (gain.iter().zip(self.reference.as_slice()).map(weight).collect(), max)
    }

    /// max_x <gain, x> - price(x).
    fn best(&self, gain: &[f64]) -> f64 {
        if self.temperature == 0.0 {
            return gain.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        }
        let (weights, max) = self.weights(gain);
        max + self.temperature * log_sum_exp(&weights)
    }

    /// The logarithms of the one maximiser; only with a temperature.
    fn log_reply(&self, gain: &[f64]) -> Vec<f64> {
        let (mut weights, _) = self.weights(gain);
        let sum = log_sum_exp(&weights);
        weights.iter_mut().for_each(|w| *w -= sum);
        weights
    }

    /// A maximiser of <gain, .> - price; the first best action without a temperature.
    fn reply(&self, gain: &[f64]) -> Result<Simplex> {
        if self.temperature == 0.0 {
            return Simplex::vertex(first_extreme(gain, |a, b| a > b), gain.len());
        }
        Simplex::new(self.log_reply(gain).iter().map(|w| w.exp()).collect())
    }

    /// best(gain) - (<gain, x> - price(x)) as a sum of terms that are not negative (Proposition 7.1).
    fn regret(&self, gain: &[f64], x: &Simplex) -> f64 {
        if self.temperature == 0.0 {
            let max = self.best(gain);
            return x.as_slice().iter().zip(gain).map(|(p, g)| p * (max - g)).sum();
        }
        self.temperature * kl_from_logs(&logs(x), &self.log_reply(gain))
    }
}

fn logs(x: &Simplex) -> Vec<f64> {
    x.as_slice().iter().map(|p| p.ln()).collect()
}

/// A matrix game and each player's regulariser; the row player raises F.
#[derive(Clone, Debug, PartialEq)]
pub struct RegularisedGame {
    game: MatrixGame,
    row: Regulariser,
    column: Regulariser,
}

impl RegularisedGame {
    /// Checks that the parts belong together.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a temperature is negative, not finite or too small to divide payoffs
    /// by, a reference has the wrong length or a zero that counts, or the payoffs' range exceeds
    /// f64.
    pub fn new(game: MatrixGame, row: Regulariser, column: Regulariser) -> Result<Self> {
        let range = game.range();
        if !range.is_finite() {
            let remedy = "divide all payoffs and temperatures";
            return Err(Error::invalid("payoff", "the range exceeds f64", remedy));
        }
        row.check("row", game.payoffs().nrows(), range)?;
        column.check("column", game.payoffs().ncols(), range)?;
        Ok(Self { game, row, column })
    }

    /// The matrix game.
    pub fn game(&self) -> &MatrixGame {
        &self.game
    }

    /// The row player's regulariser.
    pub fn row(&self) -> &Regulariser {
        &self.row
    }

    /// The column player's regulariser.
    pub fn column(&self) -> &Regulariser {
        &self.column
    }

    /// The same game seen by the other player, in which the column player raises -F.
    pub fn swapped(&self) -> Self {
        let Self { game, row, column } = self;
        Self { game: game.swapped(), row: column.clone(), column: row.clone() }
    }

    /// G(x) = min_y F(x, y).
    ///
    /// # Errors
    /// When `x` has another length than the rows.
    pub fn value_guaranteed(&self, x: &Simplex) -> Result<f64> {
        Ok(-self.column.best(&self.column_gain(x)?) - self.row.price(x))
    }

    /// V(y) = max_x F(x, y).
    ///
    /// # Errors
    /// When `y` has another length than the columns.
    pub fn value_against(&self, y: &Simplex) -> Result<f64> {
        Ok(self.row.best(&self.game.against(y)?) + self.column.price(y))
    }

    /// -A' x.
    fn column_gain(&self, x: &Simplex) -> Result<Vec<f64>> {
        let mut gain = self.game.earned(x)?;
        gain.iter_mut().for_each(|g| *g = -*g);
        Ok(gain)
    }

    /// By how much the gains of either player may be wrong: each is a sum of products of payoffs, off by at most
    /// (2 terms + 4) 2^-53 max |A|, what the other's strategy lacks of 1 included.
    fn rounding(&self) -> [f64; 2] {
        let [low, high] = self.game.extremes();
        let (rows, columns) = self.game.payoffs().dim();
        let of = |terms: usize| {
            (2 * terms + 4) as f64 * (f64::EPSILON / 2.0) * low.abs().max(high.abs())
        };
        [of(columns), of(rows)]
    }

    /// The gap, and what rounding may hide of its width, where gains are off by d: for a free player 2 d; for one of
    /// temperature t, whose regret t K is as flat at its least as KL is, d sqrt(2 K) + d^2 / (2 t).
    fn measured(&self, x: &Simplex, y: &Simplex) -> Result<(Gap<f64>, f64)> {
        let (row_gain, column_gain) = (self.game.against(y)?, self.column_gain(x)?);
        let regrets = [self.row.regret(&row_gain, x), self.column.regret(&column_gain, y)];
        let gap = Gap {
            low: -self.column.best(&column_gain) - self.row.price(x),
            high: self.row.best(&row_gain) + self.column.price(y),
            width: regrets[0] + regrets[1],
            bound: Bound::Exact,
        };
        let players = [&self.row, &self.column].into_iter().zip(regrets).zip(self.rounding());
        let hidden = players.map(|((player, regret), d)| match player.temperature {
            0.0 => 2.0 * d,
            t => d * (2.0 * regret / t).sqrt() + d * (d / (2.0 * t)),
        });
        Ok((gap, hidden.sum()))
    }

    /// omega(A) = max over rows i, k and columns j, l of A_ij - A_il - A_kj + A_kl: how much what one
    /// player should do depends on the other. At most twice the range; 0 when payoffs are a sum of
    /// a row's and a column's.
    pub fn interaction(&self) -> f64 {
        let a = self.game.payoffs();
        let a = if a.nrows() <= a.ncols() { a.view() } else { a.t() };
        let mut widest = 0.0_f64;
        for i in 0..a.nrows() {
            for k in 0..i {
                let differences = a.row(i).into_iter().zip(a.row(k)).map(|(p, q)| p - q);
                let (low, high) = differences
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (v.min(l), v.max(h)));
                widest = widest.max(high - low);
            }
        }
        widest
    }

    /// The least proximal weight that Theorem D allows, omega(A)^2 / (16 beta_y); infinite when the
    /// column player is free.
    pub fn proximal_weight(&self) -> f64 {
        let t = self.column.temperature;
        if t == 0.0 {
            return f64::INFINITY;
        }
        // Above 0, so that its inverse stays within f64.
        let omega = self.interaction();
        (omega * (omega / (16.0 * t))).max(1e-12 * t)
    }
}

impl Game for RegularisedGame {
    type Max = Simplex;
    type Min = Simplex;
    type Value = f64;

    fn payoff(&self, x: &Simplex, y: &Simplex) -> Result<f64> {
        Ok(self.game.payoff(x, y)? - self.row.price(x) + self.column.price(y))
    }
}

impl BestReply for RegularisedGame {
    /// $x \propto r_x e^{Ay/\beta_x}$; the first best row when beta_x = 0.
    fn max_reply(&self, y: &Simplex) -> Result<Simplex> {
        self.row.reply(&self.game.against(y)?)
    }

    /// $y \propto r_y e^{-A^\top x/\beta_y}$; the first best column when beta_y = 0.
    fn min_reply(&self, x: &Simplex) -> Result<Simplex> {
        self.column.reply(&self.column_gain(x)?)
    }
}

/// The exact gap, its width a sum of terms that are not negative (Proposition 7.1), so that a gap of
/// 1e-25 comes out to several digits.
#[derive(Clone, Copy, Debug)]
pub struct ExactGap;

impl Exploit<RegularisedGame> for ExactGap {
    fn gap(&mut self, game: &RegularisedGame, x: &Simplex, y: &Simplex) -> Result<Gap<f64>> {
        Ok(game.measured(x, y)?.0)
    }
}

/// The row player's proximal step,
/// $x_{t+1} = \arg\max_x F(x, y_t) - \tau \mathrm{KL}(x\Vert x_t) \propto (x_t^\tau\, r_x^{\beta_x}\, e^{Ay_t})^{1/(\tau+\beta_x)}$:
/// magnetic mirror descent at the rate 1/tau.
///
/// # Errors
/// When `tau` is not positive and finite.
pub fn proximal(game: &RegularisedGame, tau: f64) -> Result<impl Update<Simplex, Simplex> + use<>> {
    let Regulariser { temperature, reference } = &game.row;
    magnetic(Player::row(&game.game), 1.0 / tau, *temperature, reference)
}

/// The proximal best response (Theorem D, `theorem_D` in proofs/Main.v): the row player takes proximal steps from `start`, the
/// column player always plays its best reply.
///
/// With tau at least [`RegularisedGame::proximal_weight`] and x* an equilibrium strategy,
/// KL(x* || x_t) shrinks by tau/(tau + beta_x) in every round; with beta_x = 0, G(x_t) is within
/// tau KL(x* || x_0) / t of the value. When only the row player has a temperature, run
/// [`RegularisedGame::swapped`].
///
/// # Errors
/// When `tau` is not positive and finite or `start` does not belong to the game.
pub fn run(
    game: &RegularisedGame,
    tau: f64,
    start: Simplex,
) -> Result<impl Iterator<Item = Result<Round<Simplex, Simplex>>>> {
    let y = game.min_reply(&start)?;
    let reply = |_: &Simplex, x: &Simplex| game.min_reply(x);
    Ok(play(start, y, Order::Alternating, proximal(game, tau)?, reply))
}

/// Rounds after which [`solve`] gives up.
const ROUNDS: usize = 400_000;

/// An equilibrium with an exact gap of at most `tol`, in payoff units; the value is F of it. The gap returned counts
/// what rounding may hide: it is a bound.
///
/// The proximal best response with the warmer player replying, when that player's temperature is at
/// least omega(A)/8; below that its bound is worse than that of mirror-prox with the temperatures
/// as magnets, which is then used: last iterate linear when both temperatures are positive (Cen,
/// Wei, Chi 2021), else the average has gap at most omega(A) (log m + log n)/(2 t) after t rounds
/// (Nemirovski 2004). A game without temperatures is better left to [`solve`](super::solve()).
///
/// # Errors
/// [`Error::NotSolved`] when the gap is above `tol` after 400,000 rounds, or must be, with payoffs of this size in f64;
/// [`Error::Invalid`] when
/// `tol` is not positive.
pub fn solve(game: &RegularisedGame, tol: f64) -> Result<Solution> {
    check_tolerance("tol", tol)?;
    if game.row.temperature > game.column.temperature {
        let Solution { row, column, value, gap } = solve(&game.swapped(), tol)?;
        return Ok(Solution { row: column, column: row, value: -value, gap });
    }
    // Payoffs far from 0 would lose to rounding what distinguishes them; one constant less, only the value is another.
    let [low, high] = game.game.extremes();
    let constant = if low > 0.0 { low } else { high.min(0.0) };
    if constant != 0.0 {
        let mut game = game.clone();
        game.game.payoff -= constant;
        let solution = solve(&game, tol)?;
        return Ok(Solution { value: solution.value + constant, ..solution });
    }
    let mut search = Search { game, tol, best: f64::INFINITY };
    // No iterate gets below what rounding may hide of a free player's regret.
    let players = [&game.row, &game.column].into_iter().zip(game.rounding());
    let least: f64 = players.filter(|(p, _)| p.temperature == 0.0).map(|(_, d)| 2.0 * d).sum();
    if least >= tol {
        search.best = least;
        return Err(search.failed(0));
    }
    let omega = game.interaction();
    if omega == 0.0 {
        // Neither player's reply depends on the other.
        let y = game.min_reply(&Simplex::uniform(game.game.payoffs().nrows())?)?;
        let x = game.max_reply(&y)?;
        return search.accept(&x, &y)?.ok_or_else(|| search.failed(0));
    }
    if 8.0 * game.column.temperature >= omega {
        search.proximal_best_response()
    } else {
        search.mirror_prox(4.0 / omega)
    }
}

/// The search for a pair within the tolerance.
struct Search<'a> {
    game: &'a RegularisedGame,
    tol: f64,
    best: f64,
}

impl Search<'_> {
    fn accept(&mut self, x: &Simplex, y: &Simplex) -> Result<Option<Solution>> {
        let (gap, hidden) = self.game.measured(x, y)?;
        let gap = gap.width + hidden;
        self.best = self.best.min(gap);
        if gap > self.tol || gap.is_nan() {
            return Ok(None);
        }
        let value = self.game.payoff(x, y)?;
        Ok(Some(Solution { row: x.clone(), column: y.clone(), value, gap }))
    }

    fn failed(&self, iterations: usize) -> Error {
        let remedy = "raise the tolerance or the temperatures".into();
        Error::NotSolved { gap: self.best, tol: self.tol, iterations, remedy }
    }

    /// (x_t, y_t), and x_t with the mean of the replies before it, of which Corollary D.2 bounds the
    /// gap.
    fn proximal_best_response(&mut self) -> Result<Solution> {
        let game = self.game;
        let tau = game.proximal_weight();
        let growth = 1.0 + game.row.temperature / tau;
        let mut replies = Mean::default();
        let mut check = 0;
        for round in run(game, tau, Simplex::uniform(game.game.payoffs().nrows())?)?.take(ROUNDS) {
            let Round { t, x, y } = round?;
            if t >= check {
                check = t + 1 + t / 16;
                let mut found = self.accept(&x, &y)?;
                if found.is_none() && t > 0 {
                    found = self.accept(&x, &replies.strategy()?)?;
                }
                if let Some(found) = found {
                    return Ok(found);
                }
            }
            replies.discount(growth);
            replies.add(&y, 1.0);
        }
        Err(self.failed(ROUNDS))
    }

    /// The iterates, and the mean of the half steps.
    fn mirror_prox(&mut self, rate: f64) -> Result<Solution> {
        let game = self.game;
        let side = |player: Player, pull: &Regulariser| {
            let mut entropy = Entropy::new(rate)?;
            entropy.drawn_to(logs(&pull.reference), pull.temperature);
            Ok::<_, Error>(Ascent::new(player, entropy, Scheme::Extragradient))
        };
        let (m, n) = game.game.payoffs().dim();
        let rounds = play(
            Simplex::uniform(m)?,
            Simplex::uniform(n)?,
            Order::Simultaneous,
            side(Player::row(&game.game), &game.row)?,
            side(Player::column(&game.game), &game.column)?,
        );
        let (mut rows, mut columns) = (Mean::default(), Mean::default());
        let mut check = 0;
        for round in rounds.take(ROUNDS) {
            let Round { t, x, y } = round?;
            if t % 2 == 1 {
                rows.add(&x, 1.0);
                columns.add(&y, 1.0);
            } else if t >= check {
                check = t + 1 + t / 16;
                let mut found = self.accept(&x, &y)?;
                if found.is_none() && t > 0 {
                    found = self.accept(&rows.strategy()?, &columns.strategy()?)?;
                }
                if let Some(found) = found {
                    return Ok(found);
                }
            }
        }
        Err(self.failed(ROUNDS))
    }
}
