//! Probability distributions: checked once, then trusted; logarithms and divergences in nats.

use crate::scalar::Scalar;
use crate::{Error, Result};

/// How far a sum of probabilities may be from 1 on input, for numbers that went through a few
/// decimals; the distribution is then rescaled to sum to 1.
pub const SUM_TOLERANCE: f64 = 1e-6;

/// A point of the probability simplex: non-negative, finite, summing to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Simplex<T = f64>(Vec<T>);

impl<T: Scalar> Simplex<T> {
    /// Checks; f64 entries are rescaled to sum to 1.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty list, a negative or non-finite entry, or a sum that is not 1
    /// (f64: further than [`SUM_TOLERANCE`] from it).
    pub fn new(mut probabilities: Vec<T>) -> Result<Self> {
        normalise("distribution", &mut probabilities)?;
        Ok(Self(probabilities))
    }

    /// All mass on entry `index` of `len`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `index` is not below `len`.
    pub fn vertex(index: usize, len: usize) -> Result<Self> {
        if index >= len {
            return Err(Error::invalid(
                "distribution",
                format!("entry {index} of {len} does not exist"),
                format!("choose an entry below {len}"),
            ));
        }
        let mut p = vec![T::zero(); len];
        p[index] = T::one();
        Ok(Self(p))
    }

    /// The same mass on each of `len` entries.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `len` is 0.
    pub fn uniform(len: usize) -> Result<Self> {
        let len_as_scalar = (0..len).fold(T::zero(), |n, _| n + T::one());
        Self::new((0..len).map(|_| T::one() / &len_as_scalar).collect())
    }

    /// The probabilities.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

/// Checks that `p` is a distribution; f64 entries are rescaled to sum to 1 as exactly as f64 allows.
/// `place` names it in errors.
///
/// # Errors
/// [`Error::Invalid`] as for [`Simplex::new`].
pub fn normalise<T: Scalar>(place: &str, p: &mut [T]) -> Result<()> {
    if p.is_empty() {
        return Err(Error::invalid(place, "it is empty", "give at least one probability"));
    }
    let zero = T::zero();
    for (k, v) in p.iter().enumerate() {
        if !(v.is_finite() && *v >= zero) {
            return Err(Error::invalid(
                format!("{place}[{k}]"),
                format!("{v} is not a probability"),
                "give a finite number that is not negative",
            ));
        }
    }
    let sum = p.iter().fold(zero, |sum, v| sum + v);
    T::close_sum(place, p, &sum)
}

/// log sum exp(x), safe from overflow and underflow; -inf for an empty or all -inf slice.
pub fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return max;
    }
    max + x.iter().map(|v| (v - max).exp()).sum::<f64>().ln()
}

/// KL(p || q) in nats from log-probabilities.
///
/// Summed as sum p phi(log p/q) with phi(d) = exp(-d) - 1 + d >= 0, which is the same because both
/// sum to 1. No term is negative, so a divergence of 1e-25 comes out to several digits where
/// sum p log(p/q) drowns in cancellation. Infinite when p has mass where q has none.
pub fn kl_from_logs<'a>(
    log_p: impl IntoIterator<Item = &'a f64>,
    log_q: impl IntoIterator<Item = &'a f64>,
) -> f64 {
    log_p.into_iter().zip(log_q).map(|(&lp, &lq)| kl_term(lp, lq)).sum()
}

fn kl_term(log_p: f64, log_q: f64) -> f64 {
    let (p, q) = (log_p.exp(), log_q.exp());
    if p == 0.0 {
        return q;
    }
    if log_q == f64::NEG_INFINITY {
        return f64::INFINITY;
    }
    let d = log_p - log_q;
    let term = if d.abs() < 0.5 { p * phi(d) } else { q - p + p * d };
    // Not `max`, which would turn a NaN into 0.
    if term < 0.0 { 0.0 } else { term }
}

/// phi(d) = exp(-d) - 1 + d, to full relative precision for small |d|.
pub fn phi(d: f64) -> f64 {
    if d.abs() < 0.03 {
        // Taylor: d^2/2 - d^3/6 + ..., truncated below 1e-17 relative.
        let d2 = d * d;
        d2 * (0.5
            + d * (-1.0 / 6.0
                + d * (1.0 / 24.0
                    + d * (-1.0 / 120.0
                        + d * (1.0 / 720.0
                            + d * (-1.0 / 5040.0 + d * (1.0 / 40320.0 - d / 362_880.0)))))))
    } else {
        (-d).exp_m1() + d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phi_agrees_across_the_seam_and_is_precise_below_it() {
        for d in [-0.0301, -0.0299, 0.0299, 0.0301] {
            let direct = f64::exp_m1(-d) + d;
            assert!((phi(d) / direct - 1.0).abs() < 1e-12, "{d}");
        }
        assert!((phi(1e-12) / 0.5e-24 - 1.0).abs() < 1e-11);
    }

    #[test]
    fn kl_is_exact_on_a_known_pair() {
        let (p, q) = ([0.25_f64.ln(), 0.75_f64.ln()], [0.5_f64.ln(), 0.5_f64.ln()]);
        let expected = 0.25 * 0.5_f64.ln() + 0.75 * 1.5_f64.ln();
        assert!((kl_from_logs(&p, &q) - expected).abs() < 1e-15);
        let vertex = [0.0, f64::NEG_INFINITY];
        assert!((kl_from_logs(&vertex, &q) - 2.0_f64.ln()).abs() < 1e-15);
        assert_eq!(kl_from_logs(&q, &vertex), f64::INFINITY);
        assert!(kl_from_logs(&[f64::NAN], &[0.0]).is_nan());
    }

    #[test]
    fn bad_distributions_are_named() {
        let e = Simplex::new(vec![0.5, -0.5]).unwrap_err().to_string();
        assert!(e.starts_with("distribution[1]: -0.5 is not a probability"), "{e}");
        let e = Simplex::new(vec![0.5, 0.6]).unwrap_err().to_string();
        assert!(e.contains("sum to 1.1"), "{e}");
        assert!(Simplex::new(vec![f64::NAN]).is_err());
        assert!(Simplex::<f64>::new(vec![]).is_err());
    }
}
