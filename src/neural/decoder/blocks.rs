//! Matrices of signed bytes with a scale for every 32: 28 % of the memory of f32.
//!
//! candle's own quantised products need the model compiled for one processor to be fast, or widths
//! that are multiples of 256, which small models do not have.

use super::kernel::{BLOCK, LANES, Panel, Route, blocks};
use crate::{Error, Result};
use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor, bail};
use rayon::prelude::*;

/// A matrix whose number (i, j) is a signed byte times a scale that it shares with its block, the
/// numbers (i, 32 b) to (i, 32 b + 31).
#[derive(Clone, Debug)]
pub struct Blocks {
    shape: [usize; 2],
    /// 16 rows after 16 rows, each with a panel for every block.
    panels: Vec<Panel>,
}

impl Blocks {
    /// The nearest such matrix to numbers by rows: the largest of each block becomes ±127.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no rows, no width or another count of numbers.
    pub fn new(shape: [usize; 2], numbers: &[f32]) -> Result<Self> {
        let [rows, width] = shape;
        if width == 0 || rows == 0 || rows.checked_mul(width) != Some(numbers.len()) {
            let problem = format!("{} numbers do not fill {rows} x {width}", numbers.len());
            return Err(Error::invalid("blocks", problem, "give rows of one width"));
        }
        let each = width.div_ceil(BLOCK);
        let mut panels = vec![Panel::ZERO; rows.div_ceil(LANES) * each];
        let sixteens = panels.par_chunks_mut(each).zip(numbers.par_chunks(LANES * width));
        sixteens.for_each(|(panels, numbers)| {
            for (lane, row) in blocks(numbers, width).chunks_exact(each).enumerate() {
                panels.iter_mut().zip(row).for_each(|(panel, block)| panel.set(lane, block));
            }
        });
        Ok(Self { shape, panels })
    }

    /// Rows and width.
    pub fn dims(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.panels.as_slice())
    }

    /// Bytes that one of this shape takes.
    pub(super) fn bytes_of([rows, width]: [usize; 2]) -> usize {
        rows.div_ceil(LANES) * width.div_ceil(BLOCK) * size_of::<Panel>()
    }

    /// Panels of 16 rows.
    fn each(&self) -> usize {
        self.shape[1].div_ceil(BLOCK)
    }

    /// Writes one row.
    fn write(&self, row: usize, out: &mut [f32]) {
        let panels = &self.panels[row / LANES * self.each()..];
        for (out, panel) in out.chunks_mut(BLOCK).zip(panels) {
            panel.write(row % LANES, out);
        }
    }

    /// All numbers.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn dense(&self) -> Result<Tensor> {
        let [rows, width] = self.shape;
        let mut numbers = vec![0.0; rows * width];
        let all = numbers.par_chunks_exact_mut(width).enumerate();
        all.for_each(|(row, out)| self.write(row, out));
        Ok(Tensor::from_vec(numbers, &self.shape, &Device::Cpu)?)
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
        Ok(Tensor::from_vec(numbers, (ids.len(), width), &Device::Cpu)?)
    }

    /// x Wᵀ without a gradient: `(rows, in)` f32 to `(rows, out)`. The rows of x are rounded to blocks
    /// of bytes too: each number of a block by at most 1/254 of the block's largest.
    ///
    /// # Errors
    /// [`Error::Tensor`] for another type or width.
    pub fn linear(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.contiguous()?.apply_op1_no_bwd(&Product(self))?)
    }
}

struct Product<'a>(&'a Blocks);

/// Rows of x that a thread should have to be worth the reading of all weights.
const ROWS: usize = 8;

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
        let route = Route::all().next().unwrap_or(Route::Portable);
        let (panels, each) = (&self.0.panels, self.0.each());
        let threads = rayon::current_num_threads();
        let mut out = vec![0.0; m * n];
        if threads == 1 || m >= ROWS * threads {
            // Some rows a thread.
            let share = m.div_ceil(threads).max(1);
            let shares = out.par_chunks_mut(share * n).zip(x.par_chunks(share * k));
            shares.for_each(|(out, x)| route.products(&blocks(x, k), panels, each, out, n));
        } else {
            // Some columns a thread: those of a part lie together, and are put in place at the end.
            let x = blocks(x, k);
            let share = n.div_ceil(LANES).div_ceil(threads);
            let parts = panels.par_chunks(share * each).enumerate().map(|(i, panels)| {
                let columns = (share * LANES).min(n - i * share * LANES);
                let mut part = vec![0.0; m * columns];
                route.products(&x, panels, each, &mut part, columns);
                (i * share * LANES, columns, part)
            });
            for (first, columns, part) in parts.collect::<Vec<_>>() {
                let rows = out.chunks_exact_mut(n).zip(part.chunks_exact(columns));
                rows.for_each(|(out, part)| out[first..][..columns].copy_from_slice(part));
            }
        }
        Ok((CpuStorage::F32(out), (m, n).into()))
    }
}
