//! Products with a few rows, which is what writing token by token asks for: as fast as the weights are read
//! from memory, where a matrix product that first packs them takes several times as long.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::array;

/// With more rows a packed product is faster.
pub(super) const ROWS: usize = 16;

/// x Wᵀ: rows of `k` numbers, and as wide ones of weights, to rows of one number for each row of weights. A
/// row's bits do not depend on the others.
pub(super) fn products(x: &[f32], w: &[f32], k: usize) -> Vec<f32> {
    let (m, n) = (x.len() / k, w.len() / k);
    let share = n.div_ceil(rayon::current_num_threads()).max(1);
    let parts = w.par_chunks(share * k).map(|w| Arch::new().dispatch(Part { x, w, k }));
    let parts: Vec<Vec<f32>> = parts.collect();
    let mut out = Vec::with_capacity(m * n);
    for row in 0..m {
        for part in &parts {
            let columns = part.len() / m;
            out.extend_from_slice(&part[row * columns..][..columns]);
        }
    }
    out
}

struct Part<'a> {
    x: &'a [f32],
    w: &'a [f32],
    k: usize,
}

impl WithSimd for Part<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self { x, w, k } = self;
        let columns = w.len() / k;
        let mut out = vec![0.0; x.len() / k * columns];
        for (column, w) in w.chunks_exact(k).enumerate() {
            let (mut x, mut out) = (x, &mut out[..]);
            // Weights once read serve as many rows as there are registers for.
            while let Some(rows) = [8, 4, 2, 1].into_iter().find(|rows| x.len() >= rows * k) {
                let (these, rest) = x.split_at(rows * k);
                let (here, after) = out.split_at_mut(rows * columns);
                let here = here[column..].iter_mut().step_by(columns);
                match rows {
                    8 => here.zip(dots::<S, 8>(simd, w, these)).for_each(|(to, dot)| *to = dot),
                    4 => here.zip(dots::<S, 4>(simd, w, these)).for_each(|(to, dot)| *to = dot),
                    2 => here.zip(dots::<S, 2>(simd, w, these)).for_each(|(to, dot)| *to = dot),
                    _ => here.zip(dots::<S, 1>(simd, w, these)).for_each(|(to, dot)| *to = dot),
                }
                (x, out) = (rest, after);
            }
        }
        out
    }
}

/// The dot products of one row with R.
#[inline(always)]
fn dots<S: Simd, const R: usize>(simd: S, w: &[f32], x: &[f32]) -> [f32; R] {
    let (whole, rest) = S::as_simd_f32s(w);
    let rows: [_; R] = array::from_fn(|r| {
        let (a, b) = S::as_simd_f32s(&x[r * w.len()..][..w.len()]);
        (&a[..whole.len()], &b[..rest.len()])
    });
    let mut sums = [simd.splat_f32s(0.0); R];
    for (i, &w) in whole.iter().enumerate() {
        for (sum, (x, _)) in sums.iter_mut().zip(&rows) {
            *sum = simd.mul_add_e_f32s(w, x[i], *sum);
        }
    }
    array::from_fn(|r| {
        let last = rest.iter().zip(rows[r].1).map(|(w, x)| w * x);
        last.fold(simd.reduce_sum_f32s(sums[r]), |sum, product| sum + product)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn case() -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>)> {
        let numbers = |count| prop::collection::vec(-3.0_f32..3.0, count);
        (0..20_usize, 0..20_usize, 1..130_usize)
            .prop_flat_map(move |(m, n, k)| (Just(k), numbers(m * k), numbers(n * k)))
    }

    proptest! {
        #[test]
        fn near_the_exact_product_and_each_row_by_itself((k, x, w) in case()) {
            let found = products(&x, &w, k);
            let mut entries = found.iter();
            for x in x.chunks_exact(k) {
                let alone = products(x, &w, k);
                for (w, alone) in w.chunks_exact(k).zip(alone) {
                    let terms = || x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w));
                    let (exact, size) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
                    let got = entries.next().copied();
                    prop_assert_eq!(got.map(f32::to_bits), Some(alone.to_bits()));
                    // A product and at most k sums are rounded.
                    let bound = size * (k + 1) as f64 * f64::from(f32::EPSILON);
                    prop_assert!((f64::from(alone) - exact).abs() <= bound);
                }
            }
            prop_assert_eq!(entries.next(), None);
        }
    }
}
