//! The two kinds of number a game may be over: f64, and the exact rationals.

use crate::game::Value;
use crate::{Error, Result};
use dashu_base::{Approximation, Gcd};
use dashu_int::UBig;
use std::fmt::{Debug, Display};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// An exact rational, always reduced.
pub type Rational = dashu_ratio::RBig;

/// A number payoffs and probabilities may be: what one generic body needs of f64 and [`Rational`].
///
/// ```
/// use nashguard::scalar::{Rational, Scalar};
///
/// fn mean<T: Scalar>(a: T, b: T) -> T {
///     (a + b) / (T::one() + T::one())
/// }
/// assert_eq!(mean(0.1, 0.2), 0.15000000000000002);
/// let third = Rational::from(1) / Rational::from(3);
/// assert_eq!(mean(third.clone(), third.clone()), third);
/// ```
pub trait Scalar:
    Value
    + PartialOrd
    + Debug
    + Display
    + Send
    + Sync
    + 'static
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + for<'a> Add<&'a Self, Output = Self>
    + for<'a> Sub<&'a Self, Output = Self>
    + for<'a> Mul<&'a Self, Output = Self>
    + for<'a> Div<&'a Self, Output = Self>
{
    /// 0.
    fn zero() -> Self;

    /// 1.
    fn one() -> Self;

    /// Whether it is a number: false for an infinity and for NaN.
    fn is_finite(&self) -> bool;

    /// The number itself for rationals; for f64 the exact value of that double.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is not finite.
    fn to_exact(&self) -> Result<Rational>;

    /// (value - low) / (high - low) for each of `values`, all of which lie between the two, to a
    /// relative error of 4 2^-53 and, where that is below the least f64, of 2^-1074 more.
    fn shares(values: &[Self], low: &Self, high: &Self) -> Vec<f64>;

    /// sum a_k b_k over the shorter of the two.
    fn dot(a: &[Self], b: &[Self]) -> Self;

    /// y_k += s x_k.
    fn add_scaled(y: &mut [Self], s: &Self, x: &[Self]);

    /// Makes non-negative entries, whose `sum` is given, sum to 1: f64 forgives a sum within
    /// [`SUM_TOLERANCE`](crate::simplex::SUM_TOLERANCE) and rescales, rationals must sum to exactly 1.
    ///
    /// # Errors
    /// [`Error::Invalid`] at `place` for any other sum.
    fn close_sum(place: &str, p: &mut [Self], sum: &Self) -> Result<()>;
}

/// How a distribution that does not sum to 1 is refused.
fn wrong_sum(place: &str, sum: impl Display) -> Error {
    Error::invalid(place, format!("the entries sum to {sum}, not to 1"), "divide each by the sum")
}

impl Scalar for f64 {
    fn zero() -> Self {
        0.0
    }

    fn one() -> Self {
        1.0
    }

    fn is_finite(&self) -> bool {
        Self::is_finite(*self)
    }

    fn to_exact(&self) -> Result<Rational> {
        Rational::try_from(*self).map_err(|_| {
            Error::invalid("number", format!("{self} is not finite"), "give a finite number")
        })
    }

    fn shares(values: &[Self], low: &Self, high: &Self) -> Vec<f64> {
        let spread = high - low;
        if spread.is_finite() {
            values.iter().map(|v| (v - low) / spread).collect()
        } else {
            // Halved, since the spread is beyond the largest f64.
            let spread = high / 2.0 - low / 2.0;
            values.iter().map(|v| (v / 2.0 - low / 2.0) / spread).collect()
        }
    }

    /// In 32 partial sums, so that every width of vector gives the same bits.
    fn dot(a: &[Self], b: &[Self]) -> Self {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || lanes_dot(a, b),
        )
    }

    fn add_scaled(y: &mut [Self], s: &Self, x: &[Self]) {
        let s = *s;
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || y.iter_mut().zip(x).for_each(|(y, x)| *y += s * x),
        );
    }

    fn close_sum(place: &str, p: &mut [Self], sum: &Self) -> Result<()> {
        if (sum - 1.0).abs() > crate::simplex::SUM_TOLERANCE {
            return Err(wrong_sum(place, sum));
        }
        p.iter_mut().for_each(|v| *v /= sum);
        Ok(())
    }
}

/// `out` <- M x for the rows of `m`, each as long as `x`: [`Scalar::dot`] of every row, to the bit,
/// but the processor is asked only once.
pub fn times(m: &[f64], x: &[f64], out: &mut Vec<f64>) {
    let rows = m.chunks_exact(x.len().max(1));
    out.clear();
    out.resize(rows.len(), 0.0);
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            // A plain loop: the vectors' width would not reach into a closure of its own.
            for (out, row) in out.iter_mut().zip(rows) {
                *out = lanes_dot(row, x);
            }
        },
    );
}

const LANES: usize = 32;

#[inline(always)]
fn lanes_dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for k in 0..LANES {
            lanes[k] += a[k] * b[k];
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += a * b;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for k in 0..width {
            lanes[k] += lanes[k + width];
        }
        width /= 2;
    }
    lanes[0]
}

impl Value for Rational {
    fn mean(&self) -> f64 {
        to_f64(self)
    }

    fn standard_error(&self) -> f64 {
        0.0
    }
}

impl Scalar for Rational {
    fn zero() -> Self {
        Self::ZERO
    }

    fn one() -> Self {
        Self::ONE
    }

    fn is_finite(&self) -> bool {
        true
    }

    fn to_exact(&self) -> Result<Rational> {
        Ok(self.clone())
    }

    fn shares(values: &[Self], low: &Self, high: &Self) -> Vec<f64> {
        let spread = high - low;
        values.iter().map(|v| to_f64(&((v - low) / &spread))).collect()
    }

    fn dot(a: &[Self], b: &[Self]) -> Self {
        let terms = a.iter().zip(b).filter(|(a, b)| !a.is_zero() && !b.is_zero());
        terms.fold(Self::ZERO, |sum, (a, b)| sum + a * b)
    }

    fn add_scaled(y: &mut [Self], s: &Self, x: &[Self]) {
        if !s.is_zero() {
            y.iter_mut().zip(x).filter(|(_, x)| !x.is_zero()).for_each(|(y, x)| *y += s * x);
        }
    }

    fn close_sum(place: &str, _p: &mut [Self], sum: &Self) -> Result<()> {
        if sum.is_one() { Ok(()) } else { Err(wrong_sum(place, sum)) }
    }
}

/// The nearest f64, ties to even; an infinity beyond the largest.
pub fn to_f64(value: &Rational) -> f64 {
    match value.to_f64() {
        Approximation::Exact(v) | Approximation::Inexact(v, _) => v,
    }
}

/// The least common denominator of all of them.
pub fn common_denominator<'a>(values: impl IntoIterator<Item = &'a Rational>) -> UBig {
    let mut common = UBig::ONE;
    for v in values {
        // Most often there is nothing new.
        if !(&common % v.denominator()).is_zero() {
            let shared = (&common).gcd(v.denominator());
            common = common / shared * v.denominator();
        }
    }
    common
}

/// Longest number read, in decimal digits and in powers of ten, so that a few letters cannot ask for
/// all memory.
const LONGEST: usize = 100_000;

/// Reads a number exactly: an integer, a decimal with or without exponent, or a fraction of two of
/// these. "0.1" is 1/10.
///
/// ```
/// use nashguard::scalar::{Rational, parse};
///
/// assert_eq!(parse("0.1"), Some(Rational::from(1) / Rational::from(10)));
/// assert_eq!(parse("-2.5e-1/5"), Some(-Rational::from(1) / Rational::from(20)));
/// assert_eq!(parse("1/0"), None);
/// assert_eq!(parse("0x1f"), None);
/// ```
pub fn parse(text: &str) -> Option<Rational> {
    match text.split_once('/') {
        Some((above, below)) => {
            let below = decimal(below.trim())?;
            if below.is_zero() { None } else { Some(decimal(above.trim())? / below) }
        }
        None => decimal(text.trim()),
    }
}

/// A decimal such as `-12`, `.5`, `3.`, `1e-3`.
fn decimal(text: &str) -> Option<Rational> {
    let plain = |c: u8| c.is_ascii_digit() || b"+-.eE".contains(&c);
    let digits = text.bytes().any(|c| c.is_ascii_digit());
    if text.len() > LONGEST || !digits || !text.bytes().all(plain) {
        return None;
    }
    if let Some((_, exponent)) = text.split_once(['e', 'E']) {
        let exponent: i64 = exponent.parse().ok()?;
        if exponent.unsigned_abs() > LONGEST as u64 {
            return None;
        }
    }
    Rational::from_str_decimal(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(a: i64, b: i64) -> Rational {
        Rational::from(a) / Rational::from(b)
    }

    #[test]
    fn numbers_are_read_exactly() {
        for (text, expected) in [
            ("0.1", ratio(1, 10)),
            (" -3 / 4 ", ratio(-3, 4)),
            ("+1.50e2", ratio(150, 1)),
            (".5", ratio(1, 2)),
            ("3.", ratio(3, 1)),
            ("-0", ratio(0, 1)),
            ("1e-3/2", ratio(1, 2000)),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for text in [
            "", "-", ".", "e5", "1e", "1//2", "1/0", "nan", "inf", "1_000", "0.(3)", "1e999999999",
            "1-2", "1 2", "--1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn rationals_round_to_the_nearest_double() {
        assert_eq!(to_f64(&ratio(1, 10)), 0.1);
        assert_eq!(to_f64(&parse("1e400").unwrap()), f64::INFINITY);
        assert_eq!(to_f64(&parse("-1e-400").unwrap()), 0.0);
        assert_eq!(
            0.1_f64.to_exact().unwrap(),
            parse("0.1000000000000000055511151231257827021181583404541015625").unwrap()
        );
        assert!(f64::NAN.to_exact().is_err());
    }

    #[test]
    fn the_dot_product_reads_every_entry() {
        for n in [0, 1, 31, 32, 33, 64, 100] {
            let a: Vec<f64> = (0..n).map(f64::from).collect();
            let expected: f64 = a.iter().map(|v| v * v).sum();
            assert_eq!(f64::dot(&a, &a), expected);
            let mut out = vec![1.0];
            times(&[a.clone(), a.clone()].concat(), &a, &mut out);
            assert_eq!(out, vec![expected; if n == 0 { 0 } else { 2 }]);
        }
    }
}
