//! Exact solutions of integer linear systems, digit by digit.
//!
//! p-adic lifting (Dixon, Exact solution of linear equations using p-adic expansions, 1982): with K
//! factored modulo a prime p, each step solves for one more digit of x in base p and divides the
//! residual b - K x, which is then a multiple of p, by p. When enough digits are known, x is the
//! only vector of fractions with numerators and denominator that small.

use super::field::{Modular, PRIMES};
use super::lu::{Lu, Singular};
use crate::sparse::Sparse;
use dashu_base::{Abs, BitTest, RemEuclid, Sign, Signed, UnsignedAbs};
use dashu_int::{IBig, UBig};

/// Integers over one positive denominator, not always in lowest terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fractions {
    /// One an entry.
    pub numerators: Vec<IBig>,
    /// Of all of them.
    pub denominator: IBig,
}

/// A regular integer matrix with its factors modulo a prime.
pub struct Lifting {
    matrix: Entries,
    transposed: Entries,
    factors: Box<dyn Factors>,
}

/// The rows of the matrix, in the smallest integers that hold residuals without overflow.
enum Entries {
    Small(Sparse<i64>),
    Large(Sparse<IBig>),
}

/// Entries up to here leave room in 127 bits for a digit of 60 bits and for 2^10 terms.
const SMALL_BITS: usize = 55;
const SMALL_TERMS: usize = 1 << 10;

/// The factors, whatever the prime.
trait Factors {
    /// The solution of K x = b.
    fn lift(&self, k: &Entries, b: &[IBig]) -> Fractions;
    /// The solution of K' y = c.
    fn lift_transposed(&self, k: &Entries, c: &[IBig]) -> Fractions;
}

impl<const C: u64> Factors for Lu<Modular<C>> {
    fn lift(&self, k: &Entries, b: &[IBig]) -> Fractions {
        lift(k, b, |mut r| self.solve(&mut r))
    }

    fn lift_transposed(&self, k: &Entries, c: &[IBig]) -> Fractions {
        lift(k, c, |r| self.solve_transposed(&r))
    }
}

type Factoring = fn(&Sparse<IBig>) -> Result<Box<dyn Factors>, Singular>;

/// One prime after another. A determinant that all of them divide has been chosen to be one.
const FACTORINGS: [Factoring; PRIMES.len()] = [
    factor::<{ PRIMES[0] }>,
    factor::<{ PRIMES[1] }>,
    factor::<{ PRIMES[2] }>,
    factor::<{ PRIMES[3] }>,
];

fn factor<const C: u64>(matrix: &Sparse<IBig>) -> Result<Box<dyn Factors>, Singular> {
    Ok(Box::new(Lu::new(&matrix.map(residue::<C>))?))
}

impl Lifting {
    /// Factors a square matrix.
    ///
    /// # Errors
    /// [`Singular`] when it is singular modulo every one of [`PRIMES`]: a singular matrix, or a
    /// regular one with a determinant that is a multiple of them all.
    pub fn new(matrix: &Sparse<IBig>) -> Result<Self, Singular> {
        let mut factors = FACTORINGS[0](matrix);
        for factoring in &FACTORINGS[1..] {
            if factors.is_err() {
                factors = factoring(matrix);
            }
        }
        let bits = matrix.values().iter().map(BitTest::bit_len).max().unwrap_or(0);
        let small = bits <= SMALL_BITS && matrix.lines() <= SMALL_TERMS;
        let entries = |m: &Sparse<IBig>| {
            if small {
                // Fits by the test above.
                Entries::Small(m.map(|v| i64::try_from(v.clone()).unwrap_or(0)))
            } else {
                Entries::Large(m.clone())
            }
        };
        // Columns of the transposed matrix are rows of the matrix.
        let by_rows = entries(&matrix.transposed());
        Ok(Self { matrix: by_rows, transposed: entries(matrix), factors: factors? })
    }

    /// Solves K x = b.
    pub fn solve(&self, b: &[IBig]) -> Fractions {
        self.factors.lift(&self.matrix, b)
    }

    /// Solves K' y = c.
    pub fn solve_transposed(&self, c: &[IBig]) -> Fractions {
        self.factors.lift_transposed(&self.transposed, c)
    }
}

fn residue<const C: u64>(v: &IBig) -> Modular<C> {
    let p = i128::from(Modular::<C>::P);
    // The remainder has the sign of v.
    Modular::new((v % p).rem_euclid(p) as u64)
}

/// The digits of the solution of K x = b, and the fractions they belong to.
fn lift<const C: u64>(
    k: &Entries,
    b: &[IBig],
    solve: impl Fn(Vec<Modular<C>>) -> Vec<Modular<C>>,
) -> Fractions {
    let n = b.len();
    // |b| and |K| with the sum over a row: what a true solution is held against below.
    let b_bits = b.iter().map(BitTest::bit_len).max().unwrap_or(0);
    let k_bits = k.bits() + usize::BITS as usize - n.leading_zeros() as usize;
    let mut residual = k.residual(b);
    let mut digits: Vec<Vec<u64>> = vec![Vec::new(); n];
    let mut enough = 4;
    loop {
        while digits.first().is_some_and(|d| d.len() < enough) {
            let digit = solve(residual.modulo::<C>());
            k.advance(&mut residual, &digit);
            digits.iter_mut().zip(&digit).for_each(|(all, d)| all.push(d.get()));
        }
        let modulus = UBig::from(Modular::<C>::P).pow(enough);
        if let Some(found) = reconstruct(&digits, Modular::<C>::P, &modulus) {
            // K x = b holds modulo p^n; where both sides of K X = D b are smaller than p^n it
            // therefore holds.
            let largest = found.numerators.iter().map(BitTest::bit_len).max().unwrap_or(0);
            let sides = (largest + k_bits).max(found.denominator.bit_len() + b_bits);
            if sides + 2 <= modulus.bit_len() {
                return found;
            }
        }
        // A quarter more: reconstruction costs little beside the digits.
        enough += enough.div_ceil(4);
    }
}

/// The residual of the system, in integers of the kind the matrix is in.
enum Residual {
    Small(Vec<i128>),
    Large(Vec<IBig>),
}

impl Entries {
    fn bits(&self) -> usize {
        match self {
            Self::Small(k) => {
                let widest = |v: &i64| i64::BITS - v.unsigned_abs().leading_zeros();
                k.values().iter().map(widest).max().unwrap_or(0) as usize
            }
            Self::Large(k) => k.values().iter().map(BitTest::bit_len).max().unwrap_or(0),
        }
    }

    fn residual(&self, b: &[IBig]) -> Residual {
        // The residual never exceeds the larger of |b| and the sum of a row of |K|.
        const ROOM: usize = 120;
        let small = b.iter().all(|v| v.bit_len() <= ROOM);
        match self {
            // Both fit by the test above.
            Self::Small(_) if small => {
                Residual::Small(b.iter().map(|v| i128::try_from(v.clone()).unwrap_or(0)).collect())
            }
            _ => Residual::Large(b.to_vec()),
        }
    }

    /// residual = (residual - K digit) / p, exactly.
    fn advance<const C: u64>(&self, residual: &mut Residual, digit: &[Modular<C>]) {
        let p = Modular::<C>::P;
        match (self, residual) {
            (Self::Small(k), Residual::Small(residual)) => {
                for (i, r) in residual.iter_mut().enumerate() {
                    let (columns, values) = k.line(i);
                    let dot = columns.iter().zip(values);
                    let dot = dot.fold(0_i128, |sum, (j, v)| {
                        sum + i128::from(*v) * i128::from(digit[*j as usize].get())
                    });
                    *r = (*r - dot) / i128::from(p);
                }
            }
            (Self::Small(k), Residual::Large(residual)) => {
                for (i, r) in residual.iter_mut().enumerate() {
                    for (j, v) in k.pairs(i) {
                        *r -= IBig::from(*v) * digit[j].get();
                    }
                    *r = std::mem::take(r) / p;
                }
            }
            (Self::Large(k), Residual::Large(residual)) => {
                let words = k.values().iter().map(|v| v.as_sign_words().1.len()).max().unwrap_or(0);
                // Room for a digit and for a carry of every term.
                let mut sums = [vec![0; words + 2], vec![0; words + 2]];
                for (i, r) in residual.iter_mut().enumerate() {
                    sums.iter_mut().for_each(|sum| sum.fill(0));
                    for (j, v) in k.pairs(i) {
                        let (sign, words) = v.as_sign_words();
                        add_product(&mut sums[sign as usize], words, digit[j].get());
                    }
                    *r -= IBig::from_sign_words(Sign::Positive, &sums[Sign::Positive as usize]);
                    *r += IBig::from_sign_words(Sign::Positive, &sums[Sign::Negative as usize]);
                    *r = std::mem::take(r) / p;
                }
            }
            // A small residual is only made for small entries.
            (Self::Large(_), Residual::Small(_)) => {}
        }
    }
}

/// sum += words times digit, least significant word first. A dot product this way allocates nothing.
fn add_product(sum: &mut [u64], words: &[u64], digit: u64) {
    let mut carry = 0;
    let (low, high) = sum.split_at_mut(words.len());
    for (s, w) in low.iter_mut().zip(words) {
        let t = u128::from(*s) + u128::from(*w) * u128::from(digit) + u128::from(carry);
        *s = t as u64;
        carry = (t >> 64) as u64;
    }
    for s in high {
        let (t, overflow) = s.overflowing_add(carry);
        *s = t;
        carry = u64::from(overflow);
    }
}

impl Residual {
    fn modulo<const C: u64>(&self) -> Vec<Modular<C>> {
        let p = i128::from(Modular::<C>::P);
        match self {
            Self::Small(r) => r.iter().map(|v| Modular::new(v.rem_euclid(p) as u64)).collect(),
            Self::Large(r) => r.iter().map(residue).collect(),
        }
    }
}

/// Bits by which numerator times denominator must fall short of the modulus before a fraction is
/// believed; chance gives one that short with probability 2^-48 an entry, and [`lift`] checks it.
const MARGIN: usize = 48;

/// The fractions over one denominator that agree with the digits modulo `modulus`, if they are small
/// enough for that to be no accident.
fn reconstruct(digits: &[Vec<u64>], base: u64, modulus: &UBig) -> Option<Fractions> {
    let m = IBig::from(modulus.clone());
    let half = &m >> 1;
    let room = modulus.bit_len().checked_sub(MARGIN)?;
    let mut denominator = IBig::ONE;
    let mut numerators: Vec<IBig> = Vec::with_capacity(digits.len());
    for digits in digits {
        // Most significant first, each below the base as required.
        let digits: Vec<u64> = digits.iter().rev().copied().collect();
        let x = IBig::from(UBig::from_digits(base, &digits).unwrap_or_default());
        // Most often the denominator found so far serves.
        let mut above = IBig::from((x * &denominator).rem_euclid(&m));
        if above > half {
            above -= &m;
        }
        // A numerator longer than half the modulus may be small by accident of its leading digits.
        if above.bit_len() + denominator.bit_len() > room || 2 * above.bit_len() > room {
            let (n, d) = fraction(above, modulus)?;
            if n.bit_len() + d.bit_len() + denominator.bit_len() > room {
                return None;
            }
            numerators.iter_mut().for_each(|v| *v *= &d);
            denominator *= d;
            above = n;
        }
        numerators.push(above);
    }
    Some(Fractions { numerators, denominator })
}

/// n/d = x modulo m with |n| and d at most about sqrt(m): the first remainder of Euclid's algorithm on
/// (m, x) that is short enough (Wang 1981).
fn fraction(x: IBig, m: &UBig) -> Option<(IBig, IBig)> {
    let negative = x.is_negative();
    let stop = m.bit_len() / 2;
    let (mut r0, mut r1) = (IBig::from(m.clone()), x.abs());
    let (mut t0, mut t1) = (IBig::ZERO, IBig::ONE);
    while r1.bit_len() > stop {
        // A run of steps at once, where it cannot pass the remainder looked for.
        let run = if r1.bit_len() > stop + 64 { several_steps(&r0, &r1) } else { None };
        let [a, b, c, d] = run.unwrap_or_else(|| [IBig::ZERO, IBig::ONE, IBig::ONE, -(&r0 / &r1)]);
        let apply = |u: &IBig, v: &IBig| (&a * u + &b * v, &c * u + &d * v);
        (r0, r1) = apply(&r0, &r1);
        (t0, t1) = apply(&t0, &t1);
    }
    if t1.is_zero() {
        return None;
    }
    let sign = if negative != t1.is_negative() { Sign::Negative } else { Sign::Positive };
    Some((IBig::from_parts(sign, r1.unsigned_abs()), IBig::from(t1.unsigned_abs())))
}

/// The matrix of as many of Euclid's steps on (r0, r1) as their leading 62 bits decide (Lehmer 1938,
/// with Collins' condition: both bounds on the quotient agree).
fn several_steps(r0: &IBig, r1: &IBig) -> Option<[IBig; 4]> {
    const LEADING: usize = 62;
    let shift = r0.bit_len().saturating_sub(LEADING);
    let leading = |r: &IBig| i64::try_from(r >> shift).ok();
    let (mut x, mut y) = (leading(r0)?, leading(r1)?);
    let [mut a, mut b, mut c, mut d] = [1_i64, 0, 0, 1];
    while y + c != 0 && y + d != 0 {
        let q = (x + a) / (y + c);
        if q != (x + b) / (y + d) {
            break;
        }
        (a, c) = (c, a - q * c);
        (b, d) = (d, b - q * d);
        (x, y) = (y, x - q * y);
    }
    (b != 0).then(|| [a, b, c, d].map(IBig::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    proptest! {
        /// K X = D b and K' Y = D c, exactly, for entries of one to many words.
        #[test]
        fn systems_are_solved_exactly(n in 1..25usize, bits in prop::sample::select(vec![1_usize, 15, 50, 64, 200, 1000]),
                                      share in 0.1..1.0f64, seed: u64) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut number = |bits: usize| {
                let words: Vec<u64> = (0..=bits / 64).map(|_| rng.random()).collect();
                let (_, low) = UBig::from_words(&words).split_bits(0);
                let magnitude = low >> (words.len() * 64 - bits);
                IBig::from_parts(if rng.random() { Sign::Negative } else { Sign::Positive }, magnitude)
            };
            let mut pick = ChaCha8Rng::seed_from_u64(seed ^ 1);
            let mut k = Sparse::new(n);
            // Now and then multiples of the primes and a little more, whose digits are not random.
            let special = |v: IBig| match seed % 3 {
                0 => IBig::from(v % 3) * Modular::<93>::P + IBig::from(seed % 5),
                1 => IBig::from(v % 3) * Modular::<93>::P * Modular::<107>::P + IBig::from(seed % 2),
                _ => v,
            };
            for j in 0..n {
                for i in 0..n {
                    if i == j || pick.random::<f64>() < share {
                        k.push(i, special(number(bits)));
                    }
                }
                k.end_line();
            }
            let b: Vec<IBig> = (0..n).map(|i| number(if i % 2 == 0 { bits } else { 200 })).collect();
            let Ok(lifting) = Lifting::new(&k) else { return Ok(()) };
            for (k, x) in [(k.clone(), lifting.solve(&b)), (k.transposed(), lifting.solve_transposed(&b))] {
                let mut left = vec![IBig::ZERO; n];
                for (j, x) in x.numerators.iter().enumerate() {
                    k.pairs(j).for_each(|(i, v)| left[i] += v * x);
                }
                prop_assert!(x.denominator > IBig::ZERO);
                prop_assert!(left.iter().zip(&b).all(|(l, b)| *l == b * &x.denominator));
            }
        }
    }

    proptest! {
        /// n/d comes back from its residue, by runs of steps and by single ones.
        #[test]
        fn fractions_come_back(words in 1..40usize, seed: u64, negative: bool) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut number = |words: usize| {
                UBig::from_words(&(0..words).map(|_| rng.random()).collect::<Vec<u64>>()) + UBig::ONE
            };
            let (n, d, m) = (number(words), number(words), number(2 * words + 1));
            let ring = dashu_int::fast_div::ConstDivisor::new(m.clone());
            let Some(inverse) = ring.reduce(d.clone()).inv() else { return Ok(()) };
            let x = IBig::from((inverse * ring.reduce(n.clone())).residue());
            let (x, sign) = if negative { (-x, Sign::Negative) } else { (x, Sign::Positive) };
            let (above, below) = fraction(x, &m).unwrap();
            prop_assert_eq!(above * IBig::from(d), IBig::from_parts(sign, n) * below);
        }
    }

    #[test]
    fn a_small_solution_needs_few_digits() {
        let mut k = Sparse::new(3);
        for (i, v) in [2, 3, 7].into_iter().enumerate() {
            k.push(i, IBig::from(v));
            k.end_line();
        }
        let Ok(lifting) = Lifting::new(&k) else { panic!("a diagonal is regular") };
        let found = lifting.solve(&[IBig::from(1), IBig::from(-1), IBig::ZERO]);
        let Fractions { numerators, denominator } = found;
        assert_eq!(&numerators[0] * 2, denominator);
        assert_eq!(&numerators[1] * -3, denominator);
        assert_eq!(numerators[2], IBig::ZERO);
    }
}
