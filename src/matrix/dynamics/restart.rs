//! Restarts: begin anew from what was reached, once it is better by a factor.

use crate::dynamics::Round;
use crate::exploit::{ClosedForm, Exploit};
use crate::matrix::MatrixGame;
use crate::simplex::Simplex;
use crate::{Error, Result};
use std::sync::Arc;

/// The run `from(x, y)`, begun anew with fresh algorithms from its own strategies whenever their
/// exact gap, taken every `every` rounds, has fallen to `factor` times that of the last restart.
///
/// The gap of a matrix game grows at least in proportion to the distance from the equilibria, so a
/// method whose gap is at most C distance / T halves it in a bounded number of rounds from any
/// start: restarted, it converges linearly. It must start where it is told to, as the
/// extragradient, optimistic and smooth methods do (also [`averaged`](super::average()) ones), but
/// not plain regret matching, which forgets the start.
/// Reference: Cai et al. 2023; Applegate, Hinder, Lu, Lubin 2023 (restarts under sharpness).
///
/// # Errors
/// When `factor` is not between 0 and 1, `every` is 0 or `from` fails.
pub fn restarted<R: Iterator<Item = Result<Round<Simplex, Simplex>>>>(
    game: &MatrixGame,
    (x, y): (Simplex, Simplex),
    factor: f64,
    every: usize,
    mut from: impl FnMut(Simplex, Simplex) -> Result<R>,
) -> Result<impl Iterator<Item = Result<Round<Simplex, Simplex>>>> {
    if !(factor > 0.0 && factor < 1.0) {
        let remedy = "give a number between 0 and 1, for example 0.5";
        return Err(Error::invalid("factor", format!("{factor} is no decrease"), remedy));
    }
    if every == 0 {
        return Err(Error::invalid("every", "0 is no number of rounds", "give at least 1"));
    }
    let mut reached = ClosedForm.gap(game, &x, &y)?.width;
    let mut segment = from(x, y)?;
    // Rounds before this segment.
    let mut before = 0;
    Ok(std::iter::from_fn(move || {
        let mut step = || -> Result<Option<Round<Simplex, Simplex>>> {
            let Some(round) = segment.next().transpose()? else { return Ok(None) };
            let t = before + round.t;
            if round.t > 0 && round.t.is_multiple_of(every) {
                let gap = ClosedForm.gap(game, &round.x, &round.y)?.width;
                if gap <= factor * reached {
                    (reached, before) = (gap, t);
                    segment = from(Simplex::clone(&round.x), Simplex::clone(&round.y))?;
                    // Its round 0 is this very round.
                    segment.next().transpose()?;
                }
            }
            Ok(Some(Round { t, x: Arc::clone(&round.x), y: Arc::clone(&round.y) }))
        };
        step().transpose()
    }))
}
