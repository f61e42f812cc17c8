//! Matrices of signed bytes with a scale for every 32: a quarter of the memory of f32.
//!
//! candle's own quantised products need the model compiled for one processor to be fast, or widths
//! that are multiples of 256, which small models do not have.

use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, bail};
use gemm::Parallelism;
use rayon::prelude::*;

/// Numbers that share a scale.
const BLOCK: usize = 32;
/// Rows made dense at a time: they stay in the processor's nearer memory.
const TILE: usize = 32;

/// A matrix whose number (i, j) is `values[i * width + j] * scales[i * ⌈width / 32⌉ + j / 32]`.
#[derive(Clone, Debug)]
pub struct Blocks {
    shape: [usize; 2],
    values: Vec<i8>,
    scales: Vec<f32>,
}

impl Blocks {
    /// The nearest such matrix to numbers by rows: the largest of each block becomes ±127.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no width or another count of numbers.
    pub fn new(shape: [usize; 2], numbers: &[f32]) -> Result<Self> {
        let [rows, width] = shape;
        if width == 0 || rows.checked_mul(width) != Some(numbers.len()) {
            let problem = format!("{} numbers do not fill {rows} x {width}", numbers.len());
            return Err(Error::invalid("blocks", problem, "give rows of one width"));
        }
        let mut blocks = Self { shape, values: Vec::new(), scales: Vec::new() };
        blocks.values.reserve_exact(numbers.len());
        blocks.scales.reserve_exact(rows * width.div_ceil(BLOCK));
        for block in numbers.chunks_exact(width).flat_map(|row| row.chunks(BLOCK)) {
            let scale = block.iter().fold(0.0_f32, |max, x| max.max(x.abs())) / 127.0;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            blocks.values.extend(block.iter().map(|x| (x * inverse).round() as i8));
            blocks.scales.push(scale);
        }
        Ok(blocks)
    }

    /// Rows and width.
    pub fn dims(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.values.len() + 4 * self.scales.len()
    }

    /// Writes the rows from `first` on, as many as fit in `out`.
    pub fn write(&self, first: usize, out: &mut [f32]) {
        let width = self.shape[1];
        let each = width.div_ceil(BLOCK);
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (i, out) in out.chunks_exact_mut(width).enumerate() {
                    let row = first + i;
                    let values = &self.values[row * width..(row + 1) * width];
                    let scales = &self.scales[row * each..(row + 1) * each];
                    let (blocks, rest) = values.as_chunks::<BLOCK>();
                    let (outs, out_rest) = out.as_chunks_mut::<BLOCK>();
                    for ((out, block), scale) in outs.iter_mut().zip(blocks).zip(scales) {
                        for k in 0..BLOCK {
                            out[k] = f32::from(block[k]) * scale;
                        }
                    }
                    if let Some(scale) = scales.last() {
                        for (out, value) in out_rest.iter_mut().zip(rest) {
                            *out = f32::from(*value) * scale;
                        }
                    }
                }
            },
        );
    }

    /// The products of x and the rows from `first` on.
    fn dots(&self, first: usize, x: &[f32], out: &mut [f32]) {
        let width = self.shape[1];
        let each = width.div_ceil(BLOCK);
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || {
                for (i, out) in out.iter_mut().enumerate() {
                    let row = first + i;
                    let values = &self.values[row * width..(row + 1) * width];
                    let scales = &self.scales[row * each..(row + 1) * each];
                    let (blocks, rest) = values.as_chunks::<BLOCK>();
                    let (xs, x_rest) = x.as_chunks::<BLOCK>();
                    let mut lanes = [0.0_f32; BLOCK];
                    for ((block, x), scale) in blocks.iter().zip(xs).zip(scales) {
                        for k in 0..BLOCK {
                            lanes[k] += f32::from(block[k]) * scale * x[k];
                        }
                    }
                    let mut sum = lanes.iter().sum::<f32>();
                    if let Some(scale) = scales.last() {
                        for (value, x) in rest.iter().zip(x_rest) {
                            sum += f32::from(*value) * scale * x;
                        }
                    }
                    *out = sum;
                }
            },
        );
    }

    /// All numbers.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn dense(&self) -> Result<Tensor> {
        let mut numbers = vec![0.0; self.values.len()];
        self.write(0, &mut numbers);
        Ok(Tensor::from_vec(numbers, &self.shape, &candle_core::Device::Cpu)?)
    }

    /// These rows.
    ///
    /// # Errors
    /// [`Error::Tensor`] for a row that is not there.
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        let ids = ids.to_vec1::<u32>()?;
        let width = self.shape[1];
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.shape[0]) {
            return Err(candle_core::Error::Msg(format!("blocks: no row {id}")).into());
        }
        let mut numbers = vec![0.0; ids.len() * width];
        for (&id, out) in ids.iter().zip(numbers.chunks_exact_mut(width)) {
            self.write(id as usize, out);
        }
        Ok(Tensor::from_vec(numbers, (ids.len(), width), &candle_core::Device::Cpu)?)
    }

    /// x Wᵀ without a gradient: `(rows, in)` f32 to `(rows, out)`.
    ///
    /// # Errors
    /// [`Error::Tensor`] for another type or width.
    pub fn linear(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.contiguous()?.apply_op1_no_bwd(&Product(self))?)
    }
}

struct Product<'a>(&'a Blocks);

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "quantised-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (m, k) = l.shape().dims2()?;
        let [n, width] = self.0.shape;
        let (CpuStorage::F32(x), Some((start, end))) = (x, l.contiguous_offsets()) else {
            bail!("quantised-linear: not contiguous f32")
        };
        if k != width {
            bail!("quantised-linear: width {k}, not {width}")
        }
        let x = &x[start..end];
        if m == 1 {
            let mut out = vec![0.0; n];
            out.par_chunks_mut(TILE).enumerate().for_each(|(i, out)| self.0.dots(i * TILE, x, out));
            return Ok((CpuStorage::F32(out), (m, n).into()));
        }
        // Tile by tile: the columns of the product lie apart, so each is computed by itself first.
        let tiles: Vec<Vec<f32>> = (0..n)
            .into_par_iter()
            .step_by(TILE)
            .map_init(Vec::new, |dense, first| {
                let rows = TILE.min(n - first);
                dense.resize(rows * k, 0.0);
                self.0.write(first, dense);
                let mut y = vec![0.0; m * rows];
                product(x, dense, &mut y, [m, rows, k]);
                y
            })
            .collect();
        let mut out = Vec::with_capacity(m * n);
        for i in 0..m {
            for y in &tiles {
                let rows = y.len() / m;
                out.extend_from_slice(&y[i * rows..][..rows]);
            }
        }
        Ok((CpuStorage::F32(out), (m, n).into()))
    }
}

/// y = x Wᵀ on this thread: m x k, n x k to m x n, all by rows.
fn product(x: &[f32], w: &[f32], y: &mut [f32], [m, n, k]: [usize; 3]) {
    assert!(x.len() == m * k && w.len() == n * k && y.len() == m * n);
    let (kk, nn) = (k as isize, n as isize);
    // SAFETY: the three slices hold the matrices that these sizes and strides describe (asserted
    // above), and y overlaps neither of the others. Called directly because candle's product would
    // start threads inside threads.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            y.as_mut_ptr(),
            1,
            nn,
            false,
            x.as_ptr(),
            1,
            kk,
            w.as_ptr(),
            kk,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
