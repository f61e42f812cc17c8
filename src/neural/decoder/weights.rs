//! Named weights: dense, or quantised for inference.

use super::blocks::Blocks;
use crate::neural::ops;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Weights by the names that `transformers` gives them.
pub type Weights = BTreeMap<String, Weight>;

/// How weights are held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// As numbers of this type: what training needs.
    Dense(DType),
    /// Linear maps and embeddings in [`Blocks`], the rest f32: a quarter of the memory, for inference
    /// on the CPU only.
    Quantised,
}

impl Numbers {
    /// Bytes that a weight of this shape takes.
    pub fn bytes(self, shape: &[usize]) -> usize {
        let count: usize = shape.iter().product();
        match (self, shape) {
            (Self::Dense(dtype), _) => count * dtype.size_in_bytes(),
            (Self::Quantised, &[rows, width]) => Blocks::bytes_of([rows, width]),
            (Self::Quantised, _) => count * DType::F32.size_in_bytes(),
        }
    }

    /// Of the numbers that are computed with.
    pub fn computed(self) -> DType {
        match self {
            Self::Dense(dtype) => dtype,
            Self::Quantised => DType::F32,
        }
    }
}

/// A tensor of weights.
#[derive(Clone, Debug)]
pub enum Weight {
    /// Numbers; a gradient reaches them when they are a variable.
    Dense(Tensor),
    /// Bytes with shared scales.
    Quantised(Arc<Blocks>),
}

impl Weight {
    /// Its shape.
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Dense(tensor) => tensor.dims(),
            Self::Quantised(blocks) => blocks.dims(),
        }
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Dense(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
            Self::Quantised(blocks) => blocks.bytes(),
        }
    }

    /// The numbers; computed anew when quantised.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn dense(&self) -> Result<Tensor> {
        match self {
            Self::Dense(tensor) => Ok(tensor.clone()),
            Self::Quantised(blocks) => blocks.dense(),
        }
    }

    pub(super) fn detach(&self) -> Self {
        match self {
            Self::Dense(tensor) => Self::Dense(tensor.detach()),
            Self::Quantised(blocks) => Self::Quantised(blocks.clone()),
        }
    }

    /// x Wᵀ: `(rows, in)` to `(rows, out)`.
    pub(super) fn linear(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(w) => Ok(ops::linear(x, w)?),
            // The product with blocks has no gradient.
            Self::Quantised(blocks) if x.track_op() => Ok(ops::linear(x, &blocks.dense()?)?),
            Self::Quantised(blocks) => blocks.linear(x),
        }
    }

    /// The rows of these numbers.
    pub(super) fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(tensor) => Ok(tensor.index_select(ids, 0)?),
            Self::Quantised(blocks) => blocks.rows(ids),
        }
    }
}

/// A weight held as asked, or `None` when a number of it is infinite or no number; `tensor` is on the
/// CPU.
pub(super) fn hold(tensor: &Tensor, numbers: Numbers, device: &Device) -> Result<Option<Weight>> {
    // Some rows at a time: no second copy of a large table.
    for part in tensor.chunk(tensor.dims().first().map_or(1, |rows| rows.div_ceil(4096)), 0)? {
        let sum = part.to_dtype(DType::F32)?.abs()?.sum_all()?.to_scalar::<f32>()?;
        if !sum.is_finite() {
            return Ok(None);
        }
    }
    Ok(Some(match (numbers, tensor.dims()) {
        (Numbers::Dense(dtype), _) => Weight::Dense(tensor.to_dtype(dtype)?.to_device(device)?),
        (Numbers::Quantised, _) if !device.is_cpu() => {
            let remedy = "load dense numbers of half precision";
            return Err(Error::invalid("numbers", "quantised weights are for the CPU", remedy));
        }
        (Numbers::Quantised, &[rows, width]) => {
            let numbers = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            Weight::Quantised(Arc::new(Blocks::new([rows, width], &numbers)?))
        }
        (Numbers::Quantised, _) => Weight::Dense(tensor.to_dtype(DType::F32)?),
    }))
}
