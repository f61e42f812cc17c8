//! The fields a basis is factored over: f64 to find it, integers modulo a prime to make it exact.

use std::fmt::Debug;

/// What the factorisation asks of a number.
pub trait Field: Copy + PartialEq + Debug + Send + Sync {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The size that decides which pivots are safe; in a finite field every unit is.
    fn size(self) -> f64;

    /// a b.
    fn times(self, other: Self) -> Self;

    /// 1/a, for a non-zero a.
    fn inverse(self) -> Self;

    /// a - f b.
    fn minus(self, f: Self, b: Self) -> Self;

    /// y_k -= f x_k for all k.
    fn subtract(y: &mut [Self], f: Self, x: &[Self]);

    /// a - sum value_k x[index_k].
    fn minus_dot(self, index: &[u32], value: &[Self], x: &[Self]) -> Self;
}

impl Field for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;

    fn size(self) -> f64 {
        self.abs()
    }

    fn times(self, other: Self) -> Self {
        self * other
    }

    fn inverse(self) -> Self {
        1.0 / self
    }

    fn minus(self, f: Self, b: Self) -> Self {
        self - f * b
    }

    fn subtract(y: &mut [Self], f: Self, x: &[Self]) {
        crate::scalar::Scalar::add_scaled(y, &-f, x);
    }

    fn minus_dot(self, index: &[u32], value: &[Self], x: &[Self]) -> Self {
        self - index.iter().zip(value).map(|(i, v)| v * x[*i as usize]).sum::<Self>()
    }
}

/// An integer modulo the prime 2^60 - C, in [0, 2^60 - C).
///
/// Reduction is two multiplications by C, since 2^60 = C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modular<const C: u64>(u64);

/// 2^60 less each of these is prime.
pub const PRIMES: [u64; 4] = [93, 107, 173, 179];

const BITS: u32 = 60;
const LOW: u128 = (1 << BITS) - 1;

impl<const C: u64> Modular<C> {
    /// The prime.
    pub const P: u64 = (1 << BITS) - C;

    /// A number below the prime.
    pub fn new(value: u64) -> Self {
        Self(value % Self::P)
    }

    /// The representative in [0, P).
    pub fn get(self) -> u64 {
        self.0
    }

    /// x mod P for any x.
    #[inline(always)]
    fn reduced(x: u128) -> Self {
        let c = u128::from(C);
        // Below 2^76 + 2^60 after the first fold, 2^60 + 2^24 after the second.
        let once = (x & LOW) + (x >> BITS) * c;
        let twice = (once & LOW) + (once >> BITS) * c;
        let r = twice as u64;
        Self(if r >= Self::P { r - Self::P } else { r })
    }
}

impl<const C: u64> Field for Modular<C> {
    const ZERO: Self = Self(0);
    const ONE: Self = Self(1);

    fn size(self) -> f64 {
        if self.0 == 0 { 0.0 } else { 1.0 }
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        Self::reduced(u128::from(self.0) * u128::from(other.0))
    }

    /// By Fermat: a^(P - 2).
    fn inverse(self) -> Self {
        let (mut base, mut power, mut exponent) = (self, Self::ONE, Self::P - 2);
        while exponent > 0 {
            if exponent & 1 == 1 {
                power = power.times(base);
            }
            base = base.times(base);
            exponent >>= 1;
        }
        power
    }

    #[inline(always)]
    fn minus(self, f: Self, b: Self) -> Self {
        // (P - f) b instead of -f b: no sign.
        Self::reduced(u128::from(self.0) + u128::from(Self::P - f.0) * u128::from(b.0))
    }

    fn subtract(y: &mut [Self], f: Self, x: &[Self]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = y.minus(f, *x));
    }

    fn minus_dot(self, index: &[u32], value: &[Self], x: &[Self]) -> Self {
        // Products are below 2^120: up to 2^8 - 1 of them fit in u128 beside a reduced remainder.
        const RUN: usize = 255;
        let mut sum = 0_u128;
        for (index, value) in index.chunks(RUN).zip(value.chunks(RUN)) {
            for (i, v) in index.iter().zip(value) {
                sum += u128::from(v.0) * u128::from(x[*i as usize].0);
            }
            sum = u128::from(Self::reduced(sum).0);
        }
        self.minus(Self::ONE, Self(sum as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type M = Modular<93>;

    #[test]
    fn arithmetic_modulo_the_prime() {
        let numbers = [0, 1, 2, 12345, M::P / 2, M::P - 2, M::P - 1];
        for a in numbers {
            for b in numbers {
                let expected = (u128::from(a) * u128::from(b) % u128::from(M::P)) as u64;
                assert_eq!(M::new(a).times(M::new(b)).get(), expected);
                let difference = (u128::from(b) + u128::from(M::P) * u128::from(M::P)
                    - u128::from(a) * u128::from(b))
                    % u128::from(M::P);
                assert_eq!(M::new(b).minus(M::new(a), M::new(b)).get(), difference as u64);
            }
            if a != 0 {
                assert_eq!(M::new(a).times(M::new(a).inverse()), M::ONE);
            }
        }
        assert_eq!(M::reduced(u128::MAX).get(), (u128::MAX % u128::from(M::P)) as u64);
    }

    #[test]
    fn long_dot_products_do_not_overflow() {
        let index: Vec<u32> = (0..1000).collect();
        let big = vec![M::new(M::P - 1); 1000];
        // (-1)^2 a thousand times.
        assert_eq!(M::ZERO.minus_dot(&index, &big, &big).get(), M::P - 1000);
    }
}
