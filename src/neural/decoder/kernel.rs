//! Products of rows of signed bytes with a scale for every 32: the inner loop of quantised inference.
//!
//! Rows of weights lie side by side, 16 to a panel, so that a vector holds one place of 16 rows and
//! nothing is ever summed across it. Whole numbers are added without rounding, and the sums of blocks
//! in one order, so every route below gives the same bits.

use std::array;

/// Numbers that share a scale.
pub(super) const BLOCK: usize = 32;
/// Rows of weights in a panel.
pub(super) const LANES: usize = 16;
/// Processors multiply and add four bytes at a time.
const FOURS: usize = BLOCK / 4;

/// A block of one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    values: [[i8; 4]; FOURS],
    scale: f32,
    /// −128 times the sum of the values: what panels add too much.
    start: i32,
}

impl Block {
    /// The nearest block to at most 32 numbers, the rest being 0: the largest becomes ±127. A number
    /// that is not finite makes the scale so.
    #[inline(always)]
    pub(super) fn new(numbers: &[f32]) -> Self {
        let mut all = [0.0_f32; BLOCK];
        all[..numbers.len()].copy_from_slice(numbers);
        // The order of the bits is that of the sizes, with infinity and NaN last.
        let largest = all.iter().fold(0, |max, x| max.max(x.abs().to_bits()));
        let scale = f32::from_bits(largest) / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        // Numbers between 2^23 and 2^24 are whole: adding one rounds, and leaves the result in the
        // last byte.
        let bytes = all.map(|x| (x * inverse + 12_582_912.0).to_bits() as i8);
        let start = -128 * bytes.iter().map(|&x| i32::from(x)).sum::<i32>();
        let values = array::from_fn(|i| array::from_fn(|k| bytes[4 * i + k]));
        Self { values, scale, start }
    }
}

/// The blocks of rows of numbers of this width, row by row.
pub(super) fn blocks(numbers: &[f32], width: usize) -> Vec<Block> {
    let mut all = Vec::with_capacity(numbers.len() / width * width.div_ceil(BLOCK));
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in numbers.chunks_exact(width) {
                let (whole, rest) = row.as_chunks::<BLOCK>();
                all.extend(whole.iter().map(|block| Block::new(block)));
                if !rest.is_empty() {
                    all.push(Block::new(rest));
                }
            }
        },
    );
    all
}

/// A block of 16 rows: 9 cache lines.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Panel {
    /// Four numbers of each row at a time, 128 more than they are: processors multiply bytes without
    /// sign by bytes with one.
    values: [[[u8; 4]; LANES]; FOURS],
    scales: [f32; LANES],
}

impl Panel {
    /// Nothing but zeros.
    pub(super) const ZERO: Self = Self { values: [[[128; 4]; LANES]; FOURS], scales: [0.0; LANES] };

    pub(super) fn set(&mut self, lane: usize, block: &Block) {
        for (four, values) in self.values.iter_mut().zip(block.values) {
            four[lane] = values.map(|x| x as u8 ^ 128);
        }
        self.scales[lane] = block.scale;
    }

    /// The first numbers of a row, as many as fit in `out`.
    pub(super) fn write(&self, lane: usize, out: &mut [f32]) {
        let values = self.values.iter().flat_map(|four| four[lane]);
        for (out, value) in out.iter_mut().zip(values) {
            *out = f32::from((value ^ 128) as i8) * self.scales[lane];
        }
    }
}

/// How the products are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// 64 bytes an instruction (VNNI).
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 32 bytes in six instructions.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// As the compiler sees fit.
    Portable,
}

impl Route {
    /// Those of this processor, the fastest first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let special = [
            (
                Self::Avx512,
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni"),
            ),
            (Self::Avx2, is_x86_feature_detected!("avx2")),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let special: [(Self, bool); 0] = [];
        let special = special.into_iter().filter(|(_, here)| *here).map(|(route, _)| route);
        special.chain([Self::Portable])
    }

    /// x Wᵀ: rows of `width` blocks and the panels of rows as wide, to rows of `columns` numbers, which
    /// the panels cover.
    pub(super) fn products(
        self,
        x: &[Block],
        panels: &[Panel],
        width: usize,
        out: &mut [f32],
        columns: usize,
    ) {
        for (i, panel) in panels.chunks_exact(width).enumerate() {
            let (first, mut x, mut out) = (i * LANES, x, &mut *out);
            // Weights once read serve as many rows as there are registers for.
            while let Some(rows) = [8, 4, 2, 1].into_iter().find(|rows| x.len() >= rows * width) {
                let (these, rest) = x.split_at(rows * width);
                let (here, after) = out.split_at_mut(rows * columns);
                match rows {
                    8 => self.tile::<8>(panel, these, here, first),
                    4 => self.tile::<4>(panel, these, here, first),
                    2 => self.tile::<2>(panel, these, here, first),
                    _ => self.tile::<1>(panel, these, here, first),
                }
                (x, out) = (rest, after);
            }
        }
    }

    fn tile<const R: usize>(self, panel: &[Panel], x: &[Block], out: &mut [f32], first: usize) {
        let columns = out.len() / R;
        let width = panel.len();
        let rows = array::from_fn(|r| &x[r * width..][..width]);
        let dots = match self {
            // SAFETY: the only needs of these two are the features they name; `all` makes sure of
            // them before it gives out the route.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { x86::avx512::<R>(panel, rows) },
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { x86::avx2::<R>(panel, rows) },
            Self::Portable => portable(panel, rows),
        };
        for (out, dots) in out.chunks_exact_mut(columns).zip(&dots) {
            let out = &mut out[first..columns.min(first + LANES)];
            out.copy_from_slice(&dots[..out.len()]);
        }
    }
}

/// Σ over blocks of (whole sum) · (scale of the weights · scale of x).
fn portable<const R: usize>(panel: &[Panel], rows: [&[Block]; R]) -> [[f32; LANES]; R] {
    rows.map(|row| {
        let mut sums = [0.0; LANES];
        for (w, x) in panel.iter().zip(row) {
            let mut dots = [x.start; LANES];
            for (w, x) in w.values.iter().zip(x.values) {
                let [a, b, c, d] = x.map(i32::from);
                for (dot, w) in dots.iter_mut().zip(w) {
                    // Taken out of one word: the compiler sees a vector of words.
                    let w = u32::from_le_bytes(*w) as i32;
                    *dot += (w & 255) * a
                        + (w >> 8 & 255) * b
                        + (w >> 16 & 255) * c
                        + (w >> 24 & 255) * d;
                }
            }
            for ((sum, dot), scale) in sums.iter_mut().zip(dots).zip(w.scales) {
                *sum += dot as f32 * (scale * x.scale);
            }
        }
        sums
    })
}

/// The same with vectors; see [`portable`]. The only `unsafe` here reads whole arrays of the vector's
/// size, or writes them.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Block, FOURS, LANES, Panel};
    use std::arch::x86_64::*;

    fn word(four: [i8; 4]) -> i32 {
        i32::from_le_bytes(four.map(|x| x as u8))
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) fn avx512<const R: usize>(
        panel: &[Panel],
        rows: [&[Block]; R],
    ) -> [[f32; LANES]; R] {
        let mut sums = [_mm512_setzero_ps(); R];
        for (b, w) in panel.iter().enumerate() {
            let mut dots = [_mm512_setzero_si512(); R];
            for r in 0..R {
                dots[r] = _mm512_set1_epi32(rows[r][b].start);
            }
            for i in 0..FOURS {
                // SAFETY: 16 times 4 bytes, aligned as the panel is.
                let w = unsafe { _mm512_load_si512((&raw const w.values[i]).cast()) };
                for r in 0..R {
                    let x = _mm512_set1_epi32(word(rows[r][b].values[i]));
                    dots[r] = _mm512_dpbusd_epi32(dots[r], w, x);
                }
            }
            // SAFETY: 16 numbers of 4 bytes, aligned as the panel is.
            let scales = unsafe { _mm512_load_ps((&raw const w.scales).cast()) };
            for r in 0..R {
                let scales = _mm512_mul_ps(scales, _mm512_set1_ps(rows[r][b].scale));
                let part = _mm512_mul_ps(_mm512_cvtepi32_ps(dots[r]), scales);
                sums[r] = _mm512_add_ps(sums[r], part);
            }
        }
        let mut out = [[0.0; LANES]; R];
        for r in 0..R {
            // SAFETY: room for 16 numbers.
            unsafe { _mm512_storeu_ps((&raw mut out[r]).cast(), sums[r]) };
        }
        out
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2<const R: usize>(panel: &[Panel], rows: [&[Block]; R]) -> [[f32; LANES]; R] {
        let mut out = [[0.0; LANES]; R];
        let low = _mm256_set1_epi16(255);
        for half in [0, LANES / 2] {
            let mut sums = [_mm256_setzero_ps(); R];
            for (b, w) in panel.iter().enumerate() {
                let mut dots = [_mm256_setzero_si256(); R];
                for r in 0..R {
                    dots[r] = _mm256_set1_epi32(rows[r][b].start);
                }
                for i in 0..FOURS {
                    // SAFETY: 8 of 16 times 4 bytes.
                    let w = unsafe { _mm256_load_si256((&raw const w.values[i][half]).cast()) };
                    // In 16 bits no product of two bytes is cut off.
                    let (even, odd) = (_mm256_and_si256(w, low), _mm256_srli_epi16::<8>(w));
                    for r in 0..R {
                        let x = _mm256_set1_epi32(word(rows[r][b].values[i]));
                        let x_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(x));
                        let x_odd = _mm256_srai_epi16::<8>(x);
                        let two = _mm256_madd_epi16(even, x_even);
                        let two = _mm256_add_epi32(two, _mm256_madd_epi16(odd, x_odd));
                        dots[r] = _mm256_add_epi32(dots[r], two);
                    }
                }
                // SAFETY: 8 of 16 numbers of 4 bytes.
                let scales = unsafe { _mm256_load_ps((&raw const w.scales[half]).cast()) };
                for r in 0..R {
                    let scales = _mm256_mul_ps(scales, _mm256_set1_ps(rows[r][b].scale));
                    let part = _mm256_mul_ps(_mm256_cvtepi32_ps(dots[r]), scales);
                    sums[r] = _mm256_add_ps(sums[r], part);
                }
            }
            for r in 0..R {
                // SAFETY: room for 8 numbers from 0 or 8 on, of 16.
                unsafe { _mm256_storeu_ps((&raw mut out[r][half]).cast(), sums[r]) };
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matrix(rows: usize, width: usize) -> impl Strategy<Value = Vec<f32>> {
        let number = prop_oneof![
            8 => -3.0_f32..3.0,
            1 => Just(0.0),
            1 => -1e-3_f32..1e-3,
            1 => Just(1e4_f32),
            1 => Just(1e-42_f32)
        ];
        prop::collection::vec(number, rows * width)
    }

    fn case() -> impl Strategy<Value = ([usize; 3], Vec<f32>, Vec<f32>)> {
        (1_usize..20, 1_usize..40, 1_usize..130)
            .prop_flat_map(|(m, n, k)| (Just([m, n, k]), matrix(m, k), matrix(n, k)))
    }

    fn panels(w: &[Block], width: usize) -> Vec<Panel> {
        let rows = w.len() / width;
        let mut panels = vec![Panel::ZERO; rows.div_ceil(LANES) * width];
        for (i, block) in w.iter().enumerate() {
            panels[i / width / LANES * width + i % width].set(i / width % LANES, block);
        }
        panels
    }

    fn byte(block: &Block, k: usize) -> i32 {
        block.values[k / 4][k % 4].into()
    }

    fn number(block: &Block, k: usize) -> f64 {
        f64::from(byte(block, k)) * f64::from(block.scale)
    }

    proptest! {
        #[test]
        fn routes_give_the_same_bits_near_the_exact_product(
            ([m, n, k], x, w) in case(),
        ) {
            let width = k.div_ceil(BLOCK);
            let (xs, ws) = (blocks(&x, k), blocks(&w, k));
            let panels = panels(&ws, width);
            let run = |route: Route| {
                let mut out = vec![f32::NAN; m * n];
                route.products(&xs, &panels, width, &mut out, n);
                out
            };
            let plain = run(Route::Portable);
            for route in Route::all() {
                let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&run(route)), bits(&plain), "{:?}", route);
            }
            for i in 0..m {
                for j in 0..n {
                    // Each of the `width` parts is rounded three times and added: together less than
                    // (width + 4) units in the last place of the sum of their sizes. Products below the
                    // smallest normal number lose up to that number.
                    let (mut exact, mut size) = (0.0, 0.0);
                    for b in 0..width {
                        let (xs, ws) = (&xs[i * width + b], &ws[j * width + b]);
                        let whole: i32 = (0..BLOCK).map(|t| byte(xs, t) * byte(ws, t)).sum();
                        let part = f64::from(whole) * f64::from(xs.scale) * f64::from(ws.scale);
                        exact += part;
                        size += part.abs();
                    }
                    let bound = size * (width + 4) as f64 * f64::from(f32::EPSILON)
                        + 1e6 * width as f64 * f64::from(f32::MIN_POSITIVE);
                    let error = (exact - f64::from(plain[i * n + j])).abs();
                    prop_assert!(error <= bound, "{error:e} over {bound:e}");
                }
            }
        }

        /// Nearest: half a scale away at most, but for the rounding of the quotient and below the
        /// smallest normal number.
        #[test]
        fn blocks_are_half_a_step_away(x in matrix(1, 100)) {
            for (part, block) in x.chunks(BLOCK).zip(blocks(&x, 100)) {
                let step = f64::from(block.scale);
                for (k, &x) in part.iter().enumerate() {
                    let error = (f64::from(x) - number(&block, k)).abs();
                    prop_assert!(error <= step * (0.5 + 1e-4) + 1e-36, "{error:e} {step:e}");
                }
                prop_assert!(part.len() == BLOCK || number(&block, BLOCK - 1) == 0.0);
            }
        }
    }

    #[test]
    fn extremes_neither_overflow_nor_vanish() {
        // All ±127: the largest whole sums there are.
        for (a, b) in [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)] {
            let (xs, ws) = (blocks(&[a; 64], 64), blocks(&[b; 64], 64));
            for route in Route::all() {
                let mut out = [0.0];
                route.products(&xs, &panels(&ws, 2), 2, &mut out, 1);
                assert!((out[0] - 64.0 * a * b).abs() < 1e-4, "{route:?}: {}", out[0]);
            }
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; 40];
            x[3] = bad;
            let (xs, ws) = (blocks(&x, 40), blocks(&[1.0; 40], 40));
            for route in Route::all() {
                let mut out = [0.0];
                route.products(&xs, &panels(&ws, 2), 2, &mut out, 1);
                assert!(!out[0].is_finite(), "{route:?}: {bad} gives {}", out[0]);
            }
        }
    }
}
