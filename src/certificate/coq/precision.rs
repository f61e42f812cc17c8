//! How precisely Coq must compute to prove a claim, and what it cannot compute.

use crate::certificate::kl::{Bounds, precisions};
use crate::certificate::{Fractions, Integer, Table};
use crate::interval::Precision;
use crate::scalar::Rational;
use crate::{Error, Result};
use dashu_base::BitTest;

/// What the numbers of a certificate do to Coq's floating-point intervals.
pub(super) struct Sizes {
    /// 2 to this power is above every number that a bound is computed from, in payoff units, and above
    /// every argument of exp.
    pub log2: usize,
    /// The bits of the longest integer.
    pub widest: usize,
    /// The terms of the longest sum.
    pub terms: usize,
}

/// Bits of mantissa with which the checkers of `proofs/` prove that the bounds meet the claim.
///
/// Every operation of theirs errs by 2^-bits of its result, which `sizes` bounds; so their errors are
/// below the slack of the two inequalities when bits exceed log2(size / slack) and what sums add. A slack
/// of 0 is proved by exact integers alone, which then have to fit.
pub(super) fn bits(
    bounds: impl Fn(&Precision) -> Option<Bounds>,
    (value, gap): (&Rational, &Rational),
    sizes: &Sizes,
) -> Result<usize> {
    const FEWEST: usize = 60;
    const SPARE: usize = 24;
    let high = value + gap;
    let slack = precisions().filter_map(|at| bounds(&at)).find_map(|found| {
        let slack = (found.low.low() - value).min(&high - found.high.high());
        (slack >= Rational::ZERO).then_some(slack)
    });
    let Some(slack) = slack else {
        return Err(Error::invalid(
            "certificate",
            "its claim is not proved",
            "solve the game again",
        ));
    };
    // Products of few integers stand in the bounds.
    const FACTORS: usize = 6;
    let below = if slack.is_zero() { FACTORS * sizes.widest } else { fraction_bits(&slack) };
    let sums = sizes.terms.bit_len();
    Ok(FEWEST.max(below + sizes.log2 + sums + SPARE))
}

/// The least k >= 0 with 2^-k <= v, or one more.
fn fraction_bits(v: &Rational) -> usize {
    (v.denominator().bit_len() + 1).saturating_sub(v.numerator().bit_len())
}

/// The least k >= 0 with v < 2^k, or one more.
pub(super) fn log2(v: &Rational) -> usize {
    (v.numerator().bit_len() + 1).saturating_sub(v.denominator().bit_len())
}

/// The bits of the longest of some integers.
pub(super) fn widest<'a>(numbers: impl Iterator<Item = &'a Integer>) -> usize {
    numbers.map(|n| n.0.bit_len()).max().unwrap_or_default()
}

impl Fractions {
    pub(super) fn integers(&self) -> impl Iterator<Item = &Integer> {
        self.numerators.iter().chain([&self.over])
    }
}

impl Table {
    pub(super) fn integers(&self) -> impl Iterator<Item = &Integer> {
        self.rows.iter().flatten().chain([&self.over])
    }
}

/// Bits of a rational's two integers.
pub(super) fn width(v: &Rational) -> usize {
    v.numerator().bit_len().max(v.denominator().bit_len())
}

/// That Coq can compute log sum exp(u / t): it shifts mantissas bit by bit, so that memory grows with
/// `range` / t, where `range` is the sum of all differences that are shifted over.
///
/// # Errors
/// [`Error::Invalid`] naming `place`, t's, when that takes more than 2^25 bits or so.
pub(super) fn check_range(place: &str, range: &Rational, t: &Rational) -> Result<()> {
    const MOST: usize = 1 << 25;
    if *range <= t * Rational::from(MOST) {
        return Ok(());
    }
    Err(Error::invalid(
        place,
        "it is so small beside the payoffs that Coq runs out of memory",
        "raise it, or have `nashguard verify` check the certificate instead",
    ))
}
