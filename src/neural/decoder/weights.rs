//! Named weights: dense, or quantised for inference.

use crate::neural::ops;
use crate::{Error, Result};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Weights by the names that `transformers` gives them.
pub type Weights = BTreeMap<String, Weight>;

/// How weights are held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// As numbers of this type: what training needs.
    Dense(DType),
    /// Linear maps and embeddings in blocks of few bits (a GGUF file's own, else `Q8_0`), the rest
    /// f32: less memory, for inference only.
    Quantised,
}

/// A tensor of weights.
#[derive(Clone, Debug)]
pub enum Weight {
    /// Numbers; a gradient reaches them when they are a variable.
    Dense(Tensor),
    /// Blocks of few bits with shared scales, by rows.
    Quantised(Arc<QTensor>),
}

impl Weight {
    /// Its shape.
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Dense(tensor) => tensor.dims(),
            Self::Quantised(blocks) => blocks.shape().dims(),
        }
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Dense(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
            Self::Quantised(blocks) => blocks.storage_size_in_bytes(),
        }
    }

    /// The numbers; computed anew when quantised.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn dense(&self) -> Result<Tensor> {
        Ok(match self {
            Self::Dense(tensor) => tensor.clone(),
            Self::Quantised(blocks) => blocks.dequantize(&blocks.device())?,
        })
    }

    pub(super) fn detach(&self) -> Self {
        match self {
            Self::Dense(tensor) => Self::Dense(tensor.detach()),
            Self::Quantised(blocks) => Self::Quantised(blocks.clone()),
        }
    }

    /// x Wᵀ: `(rows, in)` to `(rows, out)`.
    pub(super) fn linear(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Dense(w) => ops::linear(x, w)?,
            // The product with blocks has no gradient.
            Self::Quantised(_) if x.track_op() => ops::linear(x, &self.dense()?)?,
            Self::Quantised(blocks) => x.contiguous()?.apply_op1_no_bwd(blocks.as_ref())?,
        })
    }

    /// The rows of these numbers.
    pub(super) fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Dense(tensor) => tensor.index_select(ids, 0)?,
            Self::Quantised(blocks) => blocks.embedding(ids)?,
        })
    }

    /// Whether no number of it is infinite or no number at all.
    pub(super) fn is_finite(&self) -> Result<bool> {
        let finite = |tensor: Tensor| {
            let sum = tensor.to_dtype(DType::F32)?.abs()?.sum_all()?.to_scalar::<f32>()?;
            Ok::<_, Error>(sum.is_finite())
        };
        match self {
            Self::Dense(tensor) => finite(tensor.clone()),
            Self::Quantised(blocks) => {
                let rows = blocks.shape().dims().first().copied().unwrap_or(0);
                // By parts: the whole table of embeddings would take four times its memory.
                let mut parts = (0..rows).step_by(4096).map(|start| {
                    let part = pick_rows(blocks, start..rows.min(start + 4096))?;
                    finite(part.dequantize(&Device::Cpu)?)
                });
                parts.try_fold(true, |all, part| Ok(all && part?))
            }
        }
    }
}

/// These rows of a quantised matrix, in this order.
pub(super) fn pick_rows(
    blocks: &QTensor,
    rows: impl IntoIterator<Item = usize>,
) -> Result<QTensor> {
    let (count, width) = blocks.shape().dims2()?;
    let data = blocks.data()?;
    let size = data.len() / count;
    let mut picked = Vec::new();
    let mut number = 0;
    for row in rows {
        picked.extend_from_slice(&data[row * size..(row + 1) * size]);
        number += 1;
    }
    let storage = QStorage::from_data(Cow::Owned(picked), &blocks.device(), blocks.dtype())?;
    Ok(QTensor::new(storage, (number, width))?)
}

/// A weight held as asked; `tensor` is on the CPU.
pub(super) fn hold(tensor: &Tensor, numbers: Numbers, device: &Device) -> Result<Weight> {
    Ok(match numbers {
        Numbers::Dense(dtype) => {
            // A copy of its own: what it was read from can then be dropped.
            Weight::Dense(tensor.to_dtype(dtype)?.to_device(device)?)
        }
        Numbers::Quantised => match tensor.dims() {
            [_, width] if width.is_multiple_of(GgmlDType::Q8_0.block_size()) => {
                let blocks = QTensor::quantize_onto(tensor, GgmlDType::Q8_0, device)?;
                Weight::Quantised(Arc::new(blocks))
            }
            _ => Weight::Dense(tensor.to_dtype(DType::F32)?.to_device(device)?),
        },
    })
}

/// Row `i` of the result is row `source(i)` of a matrix whose rows llama.cpp reordered for its
/// interleaved rotation: within each head, its row 2 r + h is ours h · (rows / 2) + r.
pub(super) fn unpermuted(rows: usize, heads: usize) -> Vec<usize> {
    let (each, half) = (rows / heads, rows / heads / 2);
    (0..rows).map(|i| i / each * each + i % half * 2 + i % each / half).collect()
}
