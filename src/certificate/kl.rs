//! What the kinds with KL terms share: enclosures of KL and of log-sum-exp, and how a claim about
//! enclosed numbers is proved, refuted, or made.

use super::number::readable;
use super::{Failure, Verdict};
use crate::interval::{Interval, Precision};
use crate::scalar::Rational;
use dashu_int::IBig;

/// Enclosures of what the two strategies guarantee.
pub(super) struct Bounds {
    /// min over y of the payoff of (x, y).
    pub low: Interval,
    /// max over x of the payoff of (x, y).
    pub high: Interval,
}

/// Units of 2^-128 first, then twice as many bits until a claim is decided, 2^-32768 at last.
pub(super) fn precisions() -> impl Iterator<Item = Precision> {
    (7..=15).map(|k| Precision::new(1 << k))
}

/// That the strategies guarantee `value` and `value` + `gap`. `bounds` may give no answer where its
/// precision is too coarse for one.
pub(super) fn prove(
    bounds: impl Fn(&Precision) -> Option<Bounds>,
    [x, y]: [&str; 2],
    value: &Rational,
    gap: &Rational,
) -> Verdict<()> {
    let (low, high) = (value, value + gap);
    for precision in precisions() {
        let Some(found) = bounds(&precision) else { continue };
        if found.low.high() < *low {
            let (found, low) = (readable(&found.low.high()), readable(low));
            return Err(Failure(format!(
                "{x} guarantees at most {found}, below the claimed {low}"
            )));
        }
        if found.high.low() > high {
            let least = readable(&(found.high.low() - found.low.high()));
            let (found, high) = (readable(&found.high.low()), readable(&high));
            return Err(Failure(format!(
                "{y} pays at least {found}, above the claimed {high}: the gap is at least {least}"
            )));
        }
        if found.low.low() >= *low && found.high.high() <= high {
            return Ok(());
        }
    }
    Err(Failure(format!(
        "not proved: the claimed value {} and gap {} are too close to the true ones to tell apart",
        readable(value),
        readable(gap)
    )))
}

/// KL(p || r) in nats, p and r given as numerators over their denominators; `None` when p has mass
/// where r has none.
pub(super) fn divergence<'a>(
    precision: &Precision,
    p: impl Iterator<Item = &'a IBig>,
    p_over: &IBig,
    r: impl Iterator<Item = &'a IBig>,
    r_over: &IBig,
) -> Option<Interval> {
    let mut sum = precision.number(&Rational::ZERO);
    for (p, r) in p.zip(r).filter(|(p, _)| !p.is_zero()) {
        sum = sum + precision.ln_ratio(&(p * r_over), &(r * p_over))?.times(p);
    }
    Some(sum.scaled(&inverse(p_over)))
}

/// t log sum_k r_k exp(u_k / t) for any r, with the exponentials taken once.
pub(super) struct SoftMax {
    temperature: Rational,
    top: Interval,
    /// exp((u_k - top) / t), all at most 1.
    terms: Vec<Interval>,
}

impl SoftMax {
    /// For t > 0 and utilities u, of which `live` ones may get weight.
    pub fn new(
        precision: &Precision,
        temperature: &Rational,
        utility: &[Interval],
        live: impl Fn(usize) -> bool,
    ) -> Option<Self> {
        let live_ones = utility.iter().enumerate().filter(|(k, _)| live(*k)).map(|(_, u)| u);
        let top = live_ones.cloned().reduce(Interval::max);
        let top = top.map_or_else(|| precision.number(&Rational::ZERO), |top| top.top());
        let per_unit = Rational::ONE / temperature;
        let term = |(k, u): (usize, &Interval)| {
            if live(k) {
                precision.exp(&(u.clone() - top.clone()).scaled(&per_unit))
            } else {
                Some(precision.number(&Rational::ZERO))
            }
        };
        let terms = utility.iter().enumerate().map(term).collect::<Option<_>>()?;
        Some(Self { temperature: temperature.clone(), top, terms })
    }

    /// The value for weights r given as numerators over their denominator.
    pub fn of<'a>(
        &self,
        precision: &Precision,
        r: impl Iterator<Item = &'a IBig>,
        over: &IBig,
    ) -> Option<Interval> {
        let mut sum = precision.number(&Rational::ZERO);
        for (r, term) in r.zip(&self.terms).filter(|(r, _)| !r.is_zero()) {
            sum = sum + term.times(r);
        }
        let mean = precision.ln_of(&sum)? - precision.ln_ratio(over, &IBig::ONE)?;
        Some(self.top.clone() + mean.scaled(&self.temperature))
    }
}

/// 1 / over.
pub(super) fn inverse(over: &IBig) -> Rational {
    super::number::ratio(&IBig::ONE, over)
}
