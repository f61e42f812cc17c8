//! Operations of a decoder, each as fast as candle can compute it and differentiable.
//!
//! candle's fused kernels have no gradient and cut the graph without a word. Here a value is computed
//! by such a kernel, outside the graph, and its gradient by a formula beside it.

use super::thin;
use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor,
};
use candle_nn::{ops, rotary_emb};

/// x Wᵀ: `(rows, in)` and `(out, in)` to `(rows, out)`.
///
/// The gradient of W is computed as it lies (candle's own goes through a transposed copy), and not
/// at all when W is frozen.
pub fn linear(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    x.apply_op2(w, Linear)
}

struct Linear;

impl Linear {
    fn forward<S: BackendStorage>(x: &S, lx: &Layout, w: &S, lw: &Layout) -> Result<(S, Shape)> {
        let ((m, k), (n, _)) = (lx.shape().dims2()?, lw.shape().dims2()?);
        Ok((x.matmul(w, (1, m, n, k), lx, &lw.transpose(0, 1)?)?, (m, n).into()))
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((m, k), (n, width)) = (lx.shape().dims2()?, lw.shape().dims2()?);
        let lies = [lx, lw].map(Layout::contiguous_offsets);
        if let (CpuStorage::F32(x), CpuStorage::F32(w), [Some(a), Some(b)]) = (x, w, lies)
            && (1..=thin::ROWS).contains(&m)
            && k == width
            && k > 0
        {
            let out = thin::products(&x[a.0..a.1], &w[b.0..b.1], k);
            return Ok((CpuStorage::F32(out), (m, n).into()));
        }
        Self::forward(x, lx, w, lw)
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Self::forward(x, lx, w, lw)
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = g.detach();
        let gx = x.track_op().then(|| g.matmul(&w.detach())).transpose()?;
        let gw = w.track_op().then(|| g.t()?.matmul(&x.detach())).transpose()?;
        Ok((gx, gw))
    }
}

/// x / √(mean(x²) + eps) · w over the last dimension.
pub fn rms_norm(x: &Tensor, w: &Tensor, eps: f64) -> Result<Tensor> {
    let (x0, w0) = (x.detach().contiguous()?, w.detach());
    // The fused kernel takes eps as f32: too coarse for a check in f64.
    let y = match x.dtype() {
        DType::F64 => x0.broadcast_mul(&inverse_rms(&x0, eps)?)?.broadcast_mul(&w0)?,
        _ => ops::rms_norm(&x0, &w0, eps as f32)?,
    };
    with_gradient([x, w], y, move |[x, w], _, g| {
        let inverse = inverse_rms(x, eps)?;
        let unit = x.broadcast_mul(&inverse)?;
        let along = g.broadcast_mul(w)?;
        let mean = (&along * &unit)?.mean_keepdim(D::Minus1)?;
        let gx = (along - unit.broadcast_mul(&mean)?)?.broadcast_mul(&inverse)?;
        let width = w.dim(0)?;
        let gw = (g * unit)?.reshape(((), width))?.sum(0)?;
        Ok([Some(gx), Some(gw)])
    })
}

fn inverse_rms(x: &Tensor, eps: f64) -> Result<Tensor> {
    (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()
}

/// Turns the two halves of each head by the angles whose cosine and sine are given:
/// x `(tokens, heads, width)`, cos and sin `(tokens, width / 2)`.
pub fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    fn turn(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
        rotary_emb::rope_thd(&x.contiguous()?.unsqueeze(0)?, cos, sin)?.squeeze(0)
    }
    let y = turn(&x.detach(), cos, sin)?;
    let (cos, back) = (cos.clone(), sin.neg()?);
    with_gradient([x, x], y, move |_, _, g| Ok([Some(turn(g, &cos, &back)?), None]))
}

/// softmax(scale · x + mask) over the last dimension; the mask is broadcast and constant.
pub fn masked_softmax(x: &Tensor, scale: f64, mask: Option<&Tensor>) -> Result<Tensor> {
    let scaled = (x.detach() * scale)?;
    let masked = match mask {
        Some(mask) => scaled.broadcast_add(mask)?,
        None => scaled,
    };
    let y = ops::softmax_last_dim(&masked.contiguous()?)?;
    with_gradient([x, x], y, move |_, y, g| {
        let gy = (g * y)?;
        let sum = gy.sum_keepdim(D::Minus1)?;
        Ok([Some(((gy - y.broadcast_mul(&sum)?)? * scale)?), None])
    })
}

/// ln softmax(z) at one index a row, in nats: z `(rows, classes)`, indices u32 `(rows)`, to `(rows)`.
pub fn log_prob(z: &Tensor, indices: &Tensor) -> Result<Tensor> {
    let column = indices.unsqueeze(1)?;
    let z0 = z.detach();
    let total = z0.log_sum_exp(1)?;
    let y = (z0.gather(&column, 1)?.squeeze(1)? - &total)?;
    let total = total.unsqueeze(1)?;
    with_gradient([z, z], y, move |[z, _], _, g| {
        let g = g.unsqueeze(1)?;
        let shares = z.broadcast_sub(&total)?.exp()?;
        let gz = shares.broadcast_mul(&g.neg()?)?.scatter_add(&column, &g, 1)?;
        Ok([Some(gz), None])
    })
}

/// y computed by any means, as a function of the two `arguments`; `gradient` gives the gradients of
/// the arguments from the arguments, y and the gradient of y. For one argument, give it twice and
/// return `None` for the second.
fn with_gradient<F>(arguments: [&Tensor; 2], y: Tensor, gradient: F) -> Result<Tensor>
where
    F: Fn([&Tensor; 2], &Tensor, &Tensor) -> Result<[Option<Tensor>; 2]> + Send + Sync + 'static,
{
    let [a, b] = arguments;
    // Nothing to learn here: no graph, no copy.
    if !a.track_op() && !b.track_op() {
        return Ok(y);
    }
    a.apply_op3(b, &y.contiguous()?, Gradient(gradient))
}

struct Gradient<F>(F);

impl<F> CustomOp3 for Gradient<F>
where
    F: Fn([&Tensor; 2], &Tensor, &Tensor) -> Result<[Option<Tensor>; 2]> + Send + Sync,
{
    fn name(&self) -> &'static str {
        "with-gradient"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        y: &CpuStorage,
        ly: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok((y.try_clone(ly)?, ly.shape().clone()))
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        y: &CudaStorage,
        ly: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Ok((y.try_clone(ly)?, ly.shape().clone()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        y: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [ga, gb] = self.0([&a.detach(), &b.detach()], &y.detach(), &g.detach())?;
        Ok((ga.filter(|_| a.track_op()), gb.filter(|_| b.track_op()), None))
    }
}
