//! Enclosures of real numbers: sums, products, exp and log, every rounding outward.
//!
//! An [`Interval`] is a pair of integers in units of 2^-bits. What is computed from enclosures
//! encloses what the same formula gives over the reals, so a comparison of end points is a proof.
//! The bounds of exp and log are proved where they are used: the only facts about them are their
//! power series.

use crate::scalar::Rational;
use dashu_base::{BitTest, DivEuclid, Sign};
use dashu_int::IBig;
use std::ops::{Add, Neg, Sub};

/// All reals from `low` to `high`, in units of 2^-bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    low: IBig,
    high: IBig,
    bits: usize,
}

impl Interval {
    /// The lower end.
    pub fn low(&self) -> Rational {
        in_units(&self.low, self.bits)
    }

    /// The upper end.
    pub fn high(&self) -> Rational {
        in_units(&self.high, self.bits)
    }

    /// The upper end as an interval of one point.
    pub fn top(&self) -> Self {
        Self { low: self.high.clone(), ..self.clone() }
    }

    /// Whether `value` lies inside.
    pub fn contains(&self, value: &Rational) -> bool {
        self.low() <= *value && *value <= self.high()
    }

    /// The product with an integer, without rounding.
    pub fn times(&self, factor: &IBig) -> Self {
        let (a, b) = (&self.low * factor, &self.high * factor);
        let (low, high) = if is_negative(factor) { (b, a) } else { (a, b) };
        Self { low, high, bits: self.bits }
    }

    /// The product with a rational.
    pub fn scaled(&self, factor: &Rational) -> Self {
        let exact = self.times(factor.numerator());
        let below = IBig::from(factor.denominator().clone());
        Self { low: floor(&exact.low, &below), high: ceil(&exact.high, &below), bits: self.bits }
    }

    /// The larger of two numbers.
    pub fn max(self, other: Self) -> Self {
        let (a, b) = aligned(self, other);
        Self { low: a.low.max(b.low), high: a.high.max(b.high), bits: a.bits }
    }

    /// The same numbers in units of 2^-bits, rounded outward where these are coarser.
    fn at(&self, bits: usize) -> Self {
        if bits >= self.bits {
            let shift = bits - self.bits;
            Self { low: &self.low << shift, high: &self.high << shift, bits }
        } else {
            let shift = self.bits - bits;
            Self { low: &self.low >> shift, high: ceil_shift(&self.high, shift), bits }
        }
    }
}

fn aligned(a: Interval, b: Interval) -> (Interval, Interval) {
    if a.bits == b.bits {
        return (a, b);
    }
    let bits = a.bits.max(b.bits);
    (a.at(bits), b.at(bits))
}

fn in_units(value: &IBig, bits: usize) -> Rational {
    Rational::from_parts_signed(value.clone(), IBig::ONE << bits)
}

fn is_negative(a: &IBig) -> bool {
    a.sign() == Sign::Negative
}

/// The integer below a / b, for b > 0.
fn floor(a: &IBig, b: &IBig) -> IBig {
    a.div_euclid(b)
}

/// The integer above a / b, for b > 0.
fn ceil(a: &IBig, b: &IBig) -> IBig {
    -(-a).div_euclid(b)
}

/// The integer above a 2^-shift; `>>` gives the one below.
fn ceil_shift(a: &IBig, shift: usize) -> IBig {
    -(-a >> shift)
}

impl Add for Interval {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (a, b) = aligned(self, other);
        Self { low: a.low + b.low, high: a.high + b.high, bits: a.bits }
    }
}

impl Neg for Interval {
    type Output = Self;
    fn neg(self) -> Self {
        Self { low: -self.high, high: -self.low, bits: self.bits }
    }
}

impl Sub for Interval {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

/// How finely enclosures are computed: in units of 2^-bits.
///
/// ```
/// use nashguard::interval::Precision;
/// use nashguard::scalar::{Rational, parse};
///
/// let precision = Precision::new(64);
/// let third = parse("1/3").unwrap();
/// let log = precision.ln(&third).unwrap();
/// assert!(precision.exp(&log).unwrap().contains(&third));
/// assert!(log.high() - log.low() < parse("1e-18").unwrap());
/// ```
#[derive(Clone, Debug)]
pub struct Precision {
    bits: usize,
    /// log 2, in units of 2^-work for work > bits.
    ln2: Interval,
    /// Halvings of exp's argument before its series is summed.
    halvings: usize,
}

/// Largest k for which exp returns numbers of the size 2^k.
const LARGEST: i64 = 1 << 20;

impl Precision {
    /// Units of 2^-bits.
    pub fn new(bits: usize) -> Self {
        // Balances the terms of exp's series against its squarings.
        let halvings = 2 + bits.isqrt() / 2;
        // The halvings and 64 bits more: the bounds below lose fewer.
        let work = bits + halvings + 64;
        // log 2 = 2 artanh(1/3).
        let (low, high) = twice_artanh(&IBig::ONE, &IBig::from(3), work);
        Self { bits, ln2: Interval { low, high, bits: work }, halvings }
    }

    /// An enclosure of a rational.
    pub fn number(&self, value: &Rational) -> Interval {
        let above = value.numerator() << self.bits;
        let below = IBig::from(value.denominator().clone());
        Interval { low: floor(&above, &below), high: ceil(&above, &below), bits: self.bits }
    }

    /// log x in nats; `None` unless x > 0.
    pub fn ln(&self, x: &Rational) -> Option<Interval> {
        self.ln_ratio(x.numerator(), x.denominator().as_ibig())
    }

    /// log of every number inside; `None` unless all are positive.
    pub fn ln_of(&self, x: &Interval) -> Option<Interval> {
        let unit = IBig::ONE << x.bits;
        let low = self.ln_ratio(&x.low, &unit)?;
        let high = if x.low == x.high { low.clone() } else { self.ln_ratio(&x.high, &unit)? };
        Some(Interval { low: low.low, high: high.high, bits: self.bits })
    }

    /// log(a / b) in nats; `None` unless both are positive.
    ///
    /// With a / b = 2^k m and m in [2/3, 4/3], it is k log 2 + 2 artanh t for t = (m - 1)/(m + 1),
    /// and |t| <= 1/5.
    pub fn ln_ratio(&self, a: &IBig, b: &IBig) -> Option<Interval> {
        if *a <= IBig::ZERO || *b <= IBig::ZERO {
            return None;
        }
        let length = |v: &IBig| v.bit_len() as i64;
        // Numbers of n bits lie in [2^(n-1), 2^n), so that m starts in (1/2, 2).
        let mut k = length(a) - length(b);
        let mut a = a << usize::try_from(-k).unwrap_or(0);
        let mut b = b << usize::try_from(k).unwrap_or(0);
        if &a * 3 > &b * 4 {
            (k, b) = (k + 1, b << 1);
        } else if &a * 3 < &b * 2 {
            (k, a) = (k - 1, a << 1);
        }
        let difference = &a - &b;
        let work = self.ln2.bits;
        let falls = is_negative(&difference);
        let size = if falls { -difference } else { difference };
        let (low, high) = twice_artanh(&size, &(a + b), work);
        let of_m = Interval { low, high, bits: work };
        let of_m = if falls { -of_m } else { of_m };
        Some((self.ln2.times(&IBig::from(k)) + of_m).at(self.bits))
    }

    /// exp of every number inside; `None` when it exceeds 2^(2^20).
    pub fn exp(&self, x: &Interval) -> Option<Interval> {
        let x = x.at(self.bits);
        let (low, high) = self.exp_bounds(&x.low)?;
        let high = if x.low == x.high { high } else { self.exp_bounds(&x.high)?.1 };
        Some(Interval { low, high, bits: self.bits })
    }

    /// Bounds of exp(a), a and the bounds in units of 2^-bits.
    ///
    /// exp a = 2^k (exp u)^(2^h) for a = k log 2 + r, u = r 2^-h. Below, "unit" is 2^-work.
    fn exp_bounds(&self, a: &IBig) -> Option<(IBig, IBig)> {
        let (work, h) = (self.ln2.bits, self.halvings);
        let a = a << (work - self.bits);
        // This k makes the least possible r = a - k log 2 lie in [0, log 2] for either sign of a.
        let k = floor(&a, if is_negative(&a) { &self.ln2.low } else { &self.ln2.high });
        // exp a < 2^(k + 1.01): below one unit of the result.
        if k <= IBig::from(-2 - self.bits as i64) {
            return Some((IBig::ZERO, IBig::ONE));
        }
        let r = Interval { low: a.clone(), high: a, bits: work } - self.ln2.times(&k);
        let k = i64::try_from(k).ok().filter(|k| *k <= LARGEST)?;
        // u lies between `u` and `u` + `slack`, both less than 1/2.
        let u = r.low >> h;
        let slack = ceil_shift(&r.high, h) - &u;
        // Terms t_n of exp u = sum u^n / n!, each rounded down. If t_n is less than its true value by
        // e_n units, e_(n+1) <= (e_n u + 1)/(n + 1) + 1, so that e_0 = 0 gives e_n <= 4.
        let mut term = IBig::ONE << work;
        let mut low = IBig::ZERO;
        let mut n = 0_u32;
        while !term.is_zero() {
            low += &term;
            n += 1;
            term = ((term * &u) >> work) / n;
        }
        // The n terms miss at most 4 units each. The first one left out is at most 4 units, and those
        // after it shrink faster than by halves: at most 8 units together.
        let mut high: IBig = &low + 4 * n + 8;
        // exp(u + s) <= (1 + 2 s) exp u for 0 <= s <= 1.
        high += ceil_shift(&(&high * slack * 2), work);
        for _ in 0..h {
            low = (&low * &low) >> work;
            high = ceil_shift(&(&high * &high), work);
        }
        let shift = work as i64 - self.bits as i64 - k;
        Some(match usize::try_from(shift) {
            Ok(shift) => (low >> shift, ceil_shift(&high, shift)),
            Err(_) => {
                let shift = usize::try_from(-shift).ok()?;
                (low << shift, high << shift)
            }
        })
    }
}

/// Bounds of 2 artanh(a / b) in units of 2^-work, for 0 <= a / b <= 1/3.
///
/// artanh u = sum u^(2 j + 1) / (2 j + 1).
fn twice_artanh(a: &IBig, b: &IBig, work: usize) -> (IBig, IBig) {
    // a / b lies between u and u + 1 unit.
    let u = floor(&(a << work), b);
    // Powers rounded down. If one is less than its true value by e units, the next is by at most
    // e u^2 + u + 1 <= e/9 + 4/3 (one unit from the square, one from the product), so e <= 2.
    let square = (&u * &u) >> work;
    let mut power = u;
    let mut sum = IBig::ZERO;
    let mut n = 0_u32;
    while !power.is_zero() {
        sum += &power / (2 * n + 1);
        n += 1;
        power = (power * &square) >> work;
    }
    // The n terms miss at most 2 units and their own rounding, 3 in all. The first one left out is at
    // most 2 units, and those after it shrink by ninths: at most 3 units together. Doubled, with the
    // unit of a / b, for 2/(1 - u^2) < 3: 6 n + 9.
    let low = sum * 2;
    let high = &low + 6 * n + 9;
    (low, high)
}
