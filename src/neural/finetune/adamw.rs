//! AdamW (Loshchilov and Hutter, 2019), updating each weight in place in one pass.

use crate::{Error, Result};
use candle_core::{CpuStorage, DType, Device, InplaceOp2, InplaceOp3, Layout, Tensor, Var, bail};
use rayon::prelude::*;
use std::collections::BTreeMap;

const BETAS: [f64; 2] = [0.9, 0.999];
const EPS: f64 = 1e-8;

/// The gradient of each variable that has one, by name.
pub type Gradients = BTreeMap<String, Tensor>;

/// The gradients of some parts added, for each name in the order of the parts.
///
/// # Errors
/// [`Error::Tensor`] when their shapes differ.
pub fn added(parts: Vec<Gradients>) -> Result<Gradients> {
    let mut all: BTreeMap<String, Vec<Tensor>> = BTreeMap::new();
    for (name, gradient) in parts.into_iter().flatten() {
        all.entry(name).or_default().push(gradient);
    }
    let sum = |(name, parts): (String, Vec<Tensor>)| {
        let sum = parts.into_iter().map(Ok).reduce(|a, b| a? + b?);
        Ok(sum.transpose()?.map(|sum| (name, sum)))
    };
    let here = all.values().flatten().all(on_cpu);
    let sums: Vec<_> = match here {
        true => all.into_par_iter().map(sum).collect::<Result<_>>()?,
        false => all.into_iter().map(sum).collect::<Result<_>>()?,
    };
    Ok(sums.into_iter().flatten().collect())
}

/// The optimiser's state: for each weight w of gradient g, with t steps taken,
///
/// m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²,
/// w ← (1 − rate · decay) w − rate · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε),
///
/// with β = (0.9, 0.999), ε = 1e-8. Vectors (norms, biases) do not decay.
#[derive(Debug)]
pub struct AdamW {
    decay: f64,
    steps: i32,
    slots: BTreeMap<String, Slot>,
}

#[derive(Debug)]
struct Slot {
    var: Var,
    /// m and v, f32.
    moments: [Tensor; 2],
    /// The weight in f32, where it is computed with in half precision.
    master: Option<Tensor>,
}

impl AdamW {
    /// No step taken yet.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn new(variables: BTreeMap<String, Var>, decay: f64) -> Result<Self> {
        let slot = |var: Var| {
            let zeros = || Tensor::zeros(var.shape(), DType::F32, var.device());
            let moments = [zeros()?, zeros()?];
            let wide = || var.as_detached_tensor().to_dtype(DType::F32);
            let master = (var.dtype() != DType::F32).then(wide).transpose()?;
            Ok::<_, Error>(Slot { var, moments, master })
        };
        let slots = variables
            .into_iter()
            .map(|(name, var)| Ok((name, slot(var)?)))
            .collect::<Result<_>>()?;
        Ok(Self { decay, steps: 0, slots })
    }

    /// The gradients of a loss by the variables that it depends on.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn gradients(&self, loss: &Tensor) -> Result<Gradients> {
        let mut found = loss.backward()?;
        let own = |(name, var): (&str, &Var)| Some((name.to_owned(), found.remove(var)?));
        Ok(self.variables().filter_map(own).collect())
    }

    /// The variables, by name.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.slots.iter().map(|(name, slot)| (name.as_str(), &slot.var))
    }

    /// Scales the gradients so that their common Euclidean norm is at most `clip`, and steps. Returns
    /// the norm before. Norms are added in the order of the names.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming a variable without a gradient, or when the norm is not finite:
    /// nothing has changed then.
    pub fn step(&mut self, gradients: &Gradients, clip: f64, rate: f64) -> Result<f64> {
        let names: Vec<&String> = self.slots.keys().collect();
        let square = |name: &&String| {
            // Sums of bf16 stop growing at 256 times what is added.
            let sum = gradient(gradients, name)?.to_dtype(DType::F32)?.sqr()?.sum_all()?;
            Ok::<_, Error>(f64::from(sum.to_scalar::<f32>()?))
        };
        // On a GPU one thread: see parallel::workers.
        let squares: Vec<f64> = match self.slots.values().all(|slot| on_cpu(&slot.var)) {
            true => names.par_iter().map(square).collect::<Result<_>>()?,
            false => names.iter().map(square).collect::<Result<_>>()?,
        };
        let norm = squares.iter().sum::<f64>().sqrt();
        if !norm.is_finite() {
            let remedy = "lower the learning rate, or look for a damaged weight";
            return Err(Error::invalid("gradient", "its norm is not finite", remedy));
        }
        let scale = if norm > clip { clip / norm } else { 1.0 };
        self.steps += 1;
        let [c1, c2] = BETAS.map(|beta| 1.0 - beta.powi(self.steps));
        for (name, slot) in &mut self.slots {
            let g = gradient(gradients, name)?.to_dtype(DType::F32)?.contiguous()?;
            let decay = if slot.var.rank() > 1 { self.decay } else { 0.0 };
            slot.step(&g, scale, Update { keep: 1.0 - rate * decay, rate: rate / c1, c2 })?;
        }
        Ok(norm)
    }

    /// All that is needed to go on elsewhere: weights, in f32, and moments, by name.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut all = BTreeMap::new();
        for (name, slot) in &self.slots {
            let weight = slot.master.clone().unwrap_or_else(|| slot.var.as_detached_tensor());
            let [m, v] = slot.moments.clone();
            for (part, tensor) in PARTS.into_iter().zip([weight, m, v]) {
                all.insert(format!("{part}/{name}"), tensor);
            }
        }
        all
    }

    /// Goes on from such a state after this many steps.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming a tensor that is missing or of another shape.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, steps: usize) -> Result<()> {
        for (name, slot) in &mut self.slots {
            let part = |part: &str| {
                let name = format!("{part}/{name}");
                match state.get(&name) {
                    Some(t) if t.shape() == slot.var.shape() && t.dtype() == DType::F32 => {
                        Ok(t.to_device(slot.var.device())?)
                    }
                    _ => Err(Error::invalid(name, "it is missing or of another shape", REDO)),
                }
            };
            let [weight, m, v] = PARTS.map(part);
            let weight = weight?;
            slot.moments = [m?, v?];
            slot.var.set(&weight.to_dtype(slot.var.dtype())?)?;
            slot.master = slot.master.is_some().then_some(weight);
        }
        self.steps = steps as i32;
        Ok(())
    }
}

const PARTS: [&str; 3] = ["weight", "first", "second"];
const REDO: &str = "remove the checkpoint to train again";

fn gradient<'a>(gradients: &'a Gradients, name: &str) -> Result<&'a Tensor> {
    gradients.get(name).ok_or_else(|| {
        Error::invalid(name, "it has no gradient", "train only weights that the loss depends on")
    })
}

impl Slot {
    fn step(&mut self, g: &Tensor, scale: f64, update: Update) -> Result<()> {
        for (k, beta) in BETAS.into_iter().enumerate() {
            let mix = Mix { beta, scale, square: k == 1 };
            self.moments[k] = mix.apply(&self.moments[k], g)?;
        }
        let [m, v] = &self.moments;
        match &mut self.master {
            Some(master) => {
                *master = update.apply(master, m, v)?;
                self.var.set(&master.to_dtype(self.var.dtype())?)?;
            }
            None => {
                let weight = self.var.as_tensor();
                let new = update.apply(weight, m, v)?;
                if !on_cpu(weight) {
                    self.var.set(&new)?;
                }
            }
        }
        Ok(())
    }
}

fn on_cpu(x: &Tensor) -> bool {
    matches!(x.device(), Device::Cpu)
}

/// m ← β m + (1 − β) (scale g)ᵏ, k = 1 or 2.
struct Mix {
    beta: f64,
    scale: f64,
    square: bool,
}

impl Mix {
    /// In place on the CPU, anew elsewhere.
    fn apply(&self, m: &Tensor, g: &Tensor) -> Result<Tensor> {
        if on_cpu(m) {
            m.inplace_op2(g, self)?;
            return Ok(m.clone());
        }
        self.anew(m, g)
    }

    fn anew(&self, m: &Tensor, g: &Tensor) -> Result<Tensor> {
        let g = (g * self.scale)?;
        let g = if self.square { g.sqr()? } else { g };
        Ok(((m * self.beta)? + (g * (1.0 - self.beta))?)?)
    }
}

impl InplaceOp2 for Mix {
    fn name(&self) -> &'static str {
        "adamw-moment"
    }

    fn cpu_fwd(
        &self,
        m: &mut CpuStorage,
        lm: &Layout,
        g: &CpuStorage,
        lg: &Layout,
    ) -> candle_core::Result<()> {
        let (m, g) = (numbers_mut(m, lm)?, numbers(g, lg)?);
        let (beta, rest, scale) = (self.beta as f32, (1.0 - self.beta) as f32, self.scale as f32);
        m.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).for_each(|(m, g)| {
            if self.square {
                m.iter_mut().zip(g).for_each(|(m, g)| *m = beta * *m + rest * (scale * g).powi(2));
            } else {
                m.iter_mut().zip(g).for_each(|(m, g)| *m = beta * *m + rest * (scale * g));
            }
        });
        Ok(())
    }
}

/// w ← keep w − rate m / (√(v / c₂) + ε), where rate is divided by 1 − β₁ᵗ already.
struct Update {
    keep: f64,
    rate: f64,
    c2: f64,
}

impl Update {
    /// In place on the CPU, anew elsewhere.
    fn apply(&self, w: &Tensor, m: &Tensor, v: &Tensor) -> Result<Tensor> {
        if on_cpu(w) {
            w.inplace_op3(m, v, self)?;
            return Ok(w.clone());
        }
        self.anew(w, m, v)
    }

    fn anew(&self, w: &Tensor, m: &Tensor, v: &Tensor) -> Result<Tensor> {
        let size = ((v / self.c2)?.sqrt()? + EPS)?;
        Ok(((w.detach() * self.keep)? - (m.div(&size)? * self.rate)?)?)
    }
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        lw: &Layout,
        m: &CpuStorage,
        lm: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> candle_core::Result<()> {
        let (w, m, v) = (numbers_mut(w, lw)?, numbers(m, lm)?, numbers(v, lv)?);
        let (keep, rate) = (self.keep as f32, self.rate as f32);
        let (root, eps) = (self.c2.sqrt().recip() as f32, EPS as f32);
        let chunks = m.par_chunks(CHUNK).zip(v.par_chunks(CHUNK));
        w.par_chunks_mut(CHUNK).zip(chunks).for_each(|(w, (m, v))| {
            for ((w, m), v) in w.iter_mut().zip(m).zip(v) {
                *w = keep * *w - rate * m / (v.sqrt() * root + eps);
            }
        });
        Ok(())
    }
}

const CHUNK: usize = 1 << 16;

fn numbers_mut<'a>(s: &'a mut CpuStorage, l: &Layout) -> candle_core::Result<&'a mut [f32]> {
    match (s, l.contiguous_offsets()) {
        (CpuStorage::F32(x), Some((a, b))) => Ok(&mut x[a..b]),
        _ => bail!("adamw: not contiguous numbers of 32 bits"),
    }
}

fn numbers<'a>(s: &'a CpuStorage, l: &Layout) -> candle_core::Result<&'a [f32]> {
    match (s, l.contiguous_offsets()) {
        (CpuStorage::F32(x), Some((a, b))) => Ok(&x[a..b]),
        _ => bail!("adamw: not contiguous numbers of 32 bits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_dtype(DType::F32).unwrap().to_vec1().unwrap()
    }

    fn start(dtype: DType) -> (AdamW, Var) {
        let w = [[0.5_f32, -1.0], [2.0, 0.25]];
        let var =
            Var::from_tensor(&Tensor::new(&w, &Device::Cpu).unwrap().to_dtype(dtype).unwrap());
        let var = var.unwrap();
        (AdamW::new(BTreeMap::from([("w".into(), var.clone())]), 0.1).unwrap(), var)
    }

    fn gradients(step: usize) -> BTreeMap<String, Tensor> {
        let t = step as f32;
        let g = [[0.1 * t, -0.2], [0.3, 0.01 - 0.02 * t]];
        BTreeMap::from([("w".into(), Tensor::new(&g, &Device::Cpu).unwrap())])
    }

    /// ```python
    /// import torch
    /// w = torch.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=True)
    /// optimiser = torch.optim.AdamW([w], lr=0.01, weight_decay=0.1)
    /// for t in range(1, 6):
    ///     w.grad = torch.tensor([[0.1 * t, -0.2], [0.3, 0.01 - 0.02 * t]])
    ///     optimiser.step()
    /// print(w)
    /// ```
    #[test]
    fn five_steps_are_those_of_pytorch() {
        let (mut adamw, var) = start(DType::F32);
        for t in 1..=5 {
            adamw.step(&gradients(t), f64::INFINITY, 0.01).unwrap();
        }
        let pytorch = [0.449_094_36_f32, -0.945_11, 1.940_120_1, 0.295_751_2];
        for (ours, theirs) in numbers(&var).iter().zip(pytorch) {
            assert!((ours - theirs).abs() < 2e-7, "{ours} {theirs}");
        }
    }

    #[test]
    fn the_formula_on_whole_tensors_and_in_place_agree() {
        let g = Tensor::new(&[0.3_f32, -2.0, 1e-4], &Device::Cpu).unwrap();
        let tensor = |x: [f32; 3]| Tensor::new(&x, &Device::Cpu).unwrap();
        for square in [false, true] {
            let mix = Mix { beta: 0.9, scale: 0.5, square };
            let anew = mix.anew(&tensor([1.0, 2.0, 3.0]), &g).unwrap();
            let there = mix.apply(&tensor([1.0, 2.0, 3.0]), &g).unwrap();
            for (a, b) in numbers(&anew).iter().zip(numbers(&there)) {
                assert!((a - b).abs() < 1e-6);
            }
        }
        let update = Update { keep: 0.99, rate: 0.1, c2: 0.3 };
        let (w, v) = ([1.0, -1.0, 0.5], tensor([0.5, 0.0, 1e-6]));
        let anew = update.anew(&tensor(w), &g, &v).unwrap();
        let there = update.apply(&tensor(w), &g, &v).unwrap();
        for (a, b) in numbers(&anew).iter().zip(numbers(&there)) {
            assert!((a - b).abs() < 1e-6 * a.abs().max(1.0), "{a} {b}");
        }
    }

    /// Steps far below the spacing of half-precision numbers still add up.
    #[test]
    fn half_precision_keeps_a_master_copy() {
        let (mut wide, _) = start(DType::F32);
        let (mut half, var) = start(DType::BF16);
        for t in 1..=50 {
            wide.step(&gradients(t), 1.0, 1e-4).unwrap();
            half.step(&gradients(t), 1.0, 1e-4).unwrap();
        }
        let [wide, half] = [wide, half].map(|adamw| numbers(&adamw.state()["weight/w"]));
        assert_eq!(wide, half);
        for (master, half) in half.iter().zip(numbers(&var)) {
            assert!((master - half).abs() < 0.004 * master.abs());
        }
    }

    /// Of as many equal numbers as a sum in their own precision would lose.
    #[test]
    fn the_norm_of_gradients_in_half_precision_is_theirs() {
        let ones = Tensor::ones((64, 256), DType::BF16, &Device::Cpu).unwrap();
        let var = Var::from_tensor(&ones).unwrap();
        let mut adamw = AdamW::new(BTreeMap::from([("w".into(), var)]), 0.1).unwrap();
        let norm = adamw.step(&BTreeMap::from([("w".into(), ones)]), 1.0, 0.01).unwrap();
        assert_eq!(norm, 128.0);
    }

    #[test]
    fn clipping_bounds_the_common_norm() {
        let (mut clipped, a) = start(DType::F32);
        let (mut scaled, b) = start(DType::F32);
        let g = gradients(1);
        let norm = clipped.step(&g, 0.1, 0.01).unwrap();
        let direct = numbers(&g["w"]).iter().map(|g| f64::from(g * g)).sum::<f64>().sqrt();
        assert!((norm - direct).abs() < 1e-6);
        let small = BTreeMap::from([("w".into(), (&g["w"] * (0.1 / norm)).unwrap())]);
        scaled.step(&small, 1.0, 0.01).unwrap();
        for (a, b) in numbers(&a).iter().zip(numbers(&b)) {
            assert!((a - b).abs() < 1e-6);
        }
        assert!(clipped.step(&BTreeMap::new(), 1.0, 0.01).is_err());
        let nan = BTreeMap::from([("w".into(), (&g["w"] * f64::NAN).unwrap())]);
        let before = numbers(&a);
        assert!(clipped.step(&nan, 1.0, 0.01).is_err());
        assert_eq!(numbers(&a), before);
    }
}
