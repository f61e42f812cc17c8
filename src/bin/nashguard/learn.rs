//! Learning dynamics run to a tolerance. Their answers are measured exactly before they are given.

use nashguard::certificate;
use nashguard::dynamics::{Order, Round, play};
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::extensive::cfr::{self, Rule};
use nashguard::extensive::{self, Player, SequenceForm, Tree};
use nashguard::matrix::dynamics::{self, Weights, average, predictive_regret_matching_plus};
use nashguard::matrix::{MatrixGame, Solution};
use nashguard::scalar::{Rational, to_f64};
use nashguard::simplex::Simplex;
use nashguard::{Error, Game, Result};

/// Rounds after which a run gives up.
const ROUNDS: usize = 1_000_000;

/// Predictive regret matching+, alternating, with quadratic averages.
pub fn predictive_rm(game: &MatrixGame<Rational>, tol: f64) -> Result<Solution> {
    let float = game.to_f64()?;
    let (m, n) = float.payoffs().dim();
    let spread = spread(float.payoffs().iter().copied());
    let rounds = play(
        Simplex::uniform(m)?,
        Simplex::uniform(n)?,
        Order::Alternating,
        predictive_regret_matching_plus(dynamics::Player::row(&float)),
        predictive_regret_matching_plus(dynamics::Player::column(&float)),
    );
    let Round { t, x, y } = settled(&float, average(rounds, Weights::Quadratic), tol, spread)?;
    let proven = certificate::Matrix::of(game, &x, &y)?;
    let value = to_f64(&(&proven.value.0 + &proven.gap.0 / Rational::from(2)));
    let gap = accepted(&proven.gap.0, tol, spread, t)?;
    Ok(Solution { row: (*x).clone(), column: (*y).clone(), value, gap })
}

/// Predictive CFR+, alternating, with quadratic averages.
pub fn predictive_cfr(tree: &Tree, tol: f64) -> Result<extensive::Solution> {
    let form = SequenceForm::new(tree);
    let float = form.to_f64()?;
    let leaf = |node: &extensive::Node| match &node.turn {
        extensive::Move::Terminal(payoff) => Some(to_f64(payoff)),
        _ => None,
    };
    let spread = spread(tree.nodes().iter().filter_map(leaf));
    let rounds = cfr::run(&float, Rule::PREDICTIVE_CFR_PLUS, Order::Alternating);
    let Round { t, x, y } =
        settled(&float, cfr::average(rounds, Rule::PREDICTIVE_CFR_PLUS.gamma), tol, spread)?;
    let (max, min) = (x.to_exact(tree.side(Player::Max))?, y.to_exact(tree.side(Player::Min))?);
    let proven = certificate::Extensive::of(&form, &max, &min)?;
    let value = to_f64(&(&proven.value.0 + &proven.gap.0 / Rational::from(2)));
    let gap = accepted(&proven.gap.0, tol, spread, t)?;
    Ok(extensive::Solution { max: (*x).clone(), min: (*y).clone(), value, gap })
}

fn spread(payoffs: impl Iterator<Item = f64> + Clone) -> f64 {
    let high = payoffs.clone().fold(f64::NEG_INFINITY, f64::max);
    high - payoffs.fold(f64::INFINITY, f64::min)
}

/// The first round looked at whose gap is within `tol` of the spread by more than rounding; looks grow
/// rarer, so that they cost a tenth of the rounds at most.
fn settled<G>(
    game: &G,
    rounds: impl Iterator<Item = Result<Round<G::Max, G::Min>>>,
    tol: f64,
    spread: f64,
) -> Result<Round<G::Max, G::Min>>
where
    ClosedForm: Exploit<G>,
    G: Game<Value = f64>,
{
    let (mut look, mut gap) = (1, f64::INFINITY);
    if !spread.is_finite() {
        return Err(not_solved(gap, tol, 0));
    }
    for round in rounds.take(ROUNDS + 1) {
        let round = round?;
        if round.t < look {
            continue;
        }
        look = round.t + 1 + round.t / 20;
        gap = ClosedForm.gap(game, &round.x, &round.y)?.width;
        if gap <= 0.99 * tol * spread {
            return Ok(round);
        }
    }
    Err(not_solved(gap / spread, tol, ROUNDS))
}

/// The exact gap after `rounds` in f64, rounded up, if it is within the tolerance.
fn accepted(gap: &Rational, tol: f64, spread: f64, rounds: usize) -> Result<f64> {
    let width = if *gap == Rational::ZERO { 0.0 } else { to_f64(gap).next_up() };
    if width <= tol * spread { Ok(width) } else { Err(not_solved(width / spread, tol, rounds)) }
}

fn not_solved(gap: f64, tol: f64, iterations: usize) -> Error {
    let remedy = "raise --tol, which is relative to the payoffs' spread, or leave out --method";
    Error::NotSolved { gap, tol, iterations, remedy: remedy.into() }
}
