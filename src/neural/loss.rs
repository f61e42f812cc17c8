//! The guardrail's loss: how surprised 12 sigmoid outputs are by a row's label, in nats.

use crate::Result;
use crate::data::{Category, Label, Row};
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor, bail};

/// Outputs of a guardrail, one a category.
pub(super) const OUTPUTS: usize = Category::COUNT;
/// Bias of an untrained output: probability 0.12 of each category, a low rate of false alarms on what was never seen.
pub(super) const START_BIAS: f32 = -2.0;

/// What a row says about the 12 outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// No category fires.
    Safe,
    /// The categories whose bit (1 << index) is set fire; at least one.
    Known(u16),
    /// At least one category fires, which is not known.
    Unknown,
}

impl Target {
    /// A row's target. An unsafe row without category is [`Target::Unknown`], never 12 negatives.
    pub fn of(row: &Row) -> Self {
        match row.label {
            Label::Safe => Self::Safe,
            Label::Unsafe if row.categories.is_empty() => Self::Unknown,
            Label::Unsafe => {
                Self::Known(row.categories.iter().fold(0, |bits, c| bits | (1 << c.index())))
            }
        }
    }
}

/// Loss of each row in nats, `(rows, 12)` logits z to `(rows)`; with p = 1 / (1 + e^−z):
///
/// - safe: Σ −ln(1 − p_c) over all 12, the paper's cross-entropy;
/// - known categories: Σ −ln p_c over them, plus `negative_weight` · Σ −ln(1 − p_c) over the rest.
///   Weight 1 is the paper's cross-entropy; sources name one category of a text and leave out
///   others that apply too, so a smaller weight doubts those negatives;
/// - unknown category: −ln(1 − Π (1 − p_c)), that is −ln P(at least one fires) with the outputs
///   taken as independent.
///
/// Computed in log space: finite for every logit within ±1e3, and so is the gradient.
///
/// # Errors
/// When the logits are not a contiguous f32 or f64 matrix of 12 columns and a row a target.
pub fn row_losses(logits: &Tensor, targets: &[Target], negative_weight: f64) -> Result<Tensor> {
    Ok(logits.apply_op1(RowLosses { targets: targets.to_vec(), negative_weight })?)
}

/// The alternative in the paper's released code, a softmax loss for several labels (Su, 2020), of each
/// row in nats, `(rows, 12)` logits z to `(rows)`:
///
/// ln(1 + Σ e^(z_c) over the categories that should not fire) + ln(1 + Σ e^(−z_c) over those that
/// should). An unsafe row of unknown category counts as one category whose logit is ln Σ e^(z_c) over
/// all: ln(1 + 1 / Σ e^(z_c)).
///
/// # Errors
/// When the logits are not a matrix of 12 columns and a row a target.
pub fn softmax_losses(logits: &Tensor, targets: &[Target]) -> Result<Tensor> {
    /// Takes a category out of a sum.
    const OUT: f64 = -1e9;
    let mask = |on: &dyn Fn(Target, usize) -> bool| {
        let cell = |i| f64::from(u8::from(on(targets[i / OUTPUTS], i % OUTPUTS))) * OUT;
        let cells: Vec<f64> = (0..targets.len() * OUTPUTS).map(cell).collect();
        let shape = (targets.len(), OUTPUTS);
        Tensor::from_vec(cells, shape, logits.device())?.to_dtype(logits.dtype())
    };
    let fires = |t: Target, c: usize| matches!(t, Target::Known(bits) if bits >> c & 1 == 1);
    let quiet = mask(&|t, c| t == Target::Unknown || fires(t, c))?;
    let loud = mask(&|t, c| !fires(t, c))?;
    let unknown = mask(&|t, _| t == Target::Unknown)?.narrow(1, 0, 1)?;
    let zero = unknown.zeros_like()?;
    // ln(1 + Σ e^x) over columns
    let surprise = |x: Tensor| Tensor::cat(&[&x, &zero], 1)?.log_sum_exp(1);
    let any = logits.log_sum_exp(1)?.neg()?.unsqueeze(1)?;
    let none_known = (surprise(any)? * (unknown.squeeze(1)? / OUT)?)?;
    Ok((surprise((logits + quiet)?)? + surprise((logits.neg()? + loud)?)? + none_known)?)
}

struct RowLosses {
    targets: Vec<Target>,
    negative_weight: f64,
}

impl CustomOp1 for RowLosses {
    fn name(&self) -> &'static str {
        "guardrail-loss"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, outputs) = l.shape().dims2()?;
        if (rows, outputs) != (self.targets.len(), OUTPUTS) {
            bail!("guardrail-loss: logits {rows}x{outputs} for {} targets", self.targets.len())
        }
        let Some((a, b)) = l.contiguous_offsets() else { bail!("guardrail-loss: not contiguous") };
        let losses = match s {
            CpuStorage::F32(z) => {
                let z: Vec<f64> = z[a..b].iter().copied().map(f64::from).collect();
                CpuStorage::F32(self.losses(&z).map(|loss| loss as f32).collect())
            }
            CpuStorage::F64(z) => CpuStorage::F64(self.losses(&z[a..b]).collect()),
            _ => bail!("guardrail-loss: logits neither f32 nor f64"),
        };
        Ok((losses, rows.into()))
    }

    fn bwd(&self, z: &Tensor, _: &Tensor, up: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let logits = z.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let up = up.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let gradient: Vec<f64> = logits
            .chunks_exact(OUTPUTS)
            .zip(&self.targets)
            .zip(up)
            .flat_map(|((z, &t), up)| gradient(z, t, self.negative_weight).map(|g| g * up))
            .collect();
        Ok(Some(Tensor::from_vec(gradient, z.dims(), z.device())?.to_dtype(z.dtype())?))
    }
}

impl RowLosses {
    fn losses<'a>(&'a self, logits: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        logits
            .chunks_exact(OUTPUTS)
            .zip(&self.targets)
            .map(|(z, &target)| loss(z, target, self.negative_weight))
    }
}

fn loss(z: &[f64], target: Target, negative_weight: f64) -> f64 {
    match target {
        Target::Safe => z.iter().map(|&z| softplus(z)).sum(),
        Target::Known(bits) => z
            .iter()
            .enumerate()
            .map(|(c, &z)| match bits >> c & 1 {
                1 => softplus(-z),
                _ => negative_weight * softplus(z),
            })
            .sum(),
        Target::Unknown => {
            // P(at least one fires) = 1 − e^−s
            let ln_s = ln_sum_softplus(z);
            if ln_s < TINY {
                return -ln_s;
            }
            let s = ln_s.exp();
            if s < std::f64::consts::LN_2 { -(-(-s).exp_m1()).ln() } else { -(-(-s).exp()).ln_1p() }
        }
    }
}

/// d loss / d logits.
fn gradient(z: &[f64], target: Target, negative_weight: f64) -> [f64; OUTPUTS] {
    match target {
        Target::Safe => std::array::from_fn(|c| sigmoid(z[c])),
        Target::Known(bits) => std::array::from_fn(|c| match bits >> c & 1 {
            1 => -sigmoid(-z[c]),
            _ => negative_weight * sigmoid(z[c]),
        }),
        Target::Unknown => {
            // −p_c / (e^s − 1), whose two parts can both underflow: divided as logarithms.
            let ln_s = ln_sum_softplus(z);
            let s = ln_s.exp();
            let ln_expm1_s = match () {
                () if ln_s < TINY => ln_s,
                () if s > -TINY => s,
                () => s.exp_m1().ln(),
            };
            std::array::from_fn(|c| -(-softplus(-z[c]) - ln_expm1_s).exp())
        }
    }
}

/// Below this, ln(1 + e^x) = e^x and e^(e^x) − 1 = e^x to f64 precision.
const TINY: f64 = -37.0;

/// ln(1 + e^z) = −ln(1 − p)
fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

fn sigmoid(z: f64) -> f64 {
    (-softplus(-z)).exp()
}

/// ln s for s = Σ softplus(z_c) = −ln Π (1 − p_c), the surprise of "none fires".
fn ln_sum_softplus(z: &[f64]) -> f64 {
    let logs = z.iter().map(|&z| if z < TINY { z } else { softplus(z).ln() });
    let top = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    top + logs.map(|log| (log - top).exp()).sum::<f64>().ln()
}
