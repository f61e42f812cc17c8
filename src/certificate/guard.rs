//! The generator-classifier game (Definition 1): enclosures of G(p) and V(q).

use super::kl::{Bounds, SoftMax, divergence, inverse, prove};
use super::number::{Exact, Fractions, Integer, Table};
use super::{Failure, Proven, Verdict};
use crate::interval::{Interval, Precision};
use crate::scalar::Rational;
use dashu_int::IBig;
use serde::{Deserialize, Serialize};

/// Real data in the classifier's loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// lambda.
    pub weight: Exact,
    /// R(y, z), one row a label.
    pub real: Table,
}

/// That p guarantees `value` nats in this game, and q at most `value` + `gap`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// beta, in nats of payoff per nat of divergence.
    pub beta: Exact,
    /// The classifier's floor.
    pub gamma: Exact,
    /// The number of labels.
    pub labels: usize,
    /// y_i, one a seed.
    pub label: Vec<usize>,
    /// rho, one entry a seed.
    pub weight: Fractions,
    /// r_i, one distribution over texts a seed.
    pub reference: Vec<Fractions>,
    /// Real data, if any.
    pub anchor: Option<Anchor>,
    /// The generator, seeds x texts.
    pub p: Table,
    /// The classifier, texts x labels.
    pub q: Table,
    /// G(p), rounded down.
    pub value: Exact,
    /// V(q) less `value`, rounded up.
    pub gap: Exact,
}

impl Guard {
    /// Checks that all distributions are, that p stays in the reference's support and q above the
    /// floor, and that `value` <= G(p) and V(q) <= `value` + `gap` (Propositions 1 and 2).
    /// That such bounds are enough is proved in Coq: `guard_certificate`.
    ///
    /// # Errors
    /// The first of these that fails.
    pub fn check(&self) -> Verdict {
        let texts = self.check_data()?;
        prove(|at| self.bounds(at), ["p", "q"], &self.value.0, &self.gap.0)?;
        let (seeds, labels) = (self.label.len(), self.labels);
        let game = format!("guard game, {seeds} seeds x {texts} texts, {labels} labels");
        Ok(Proven { game, value: self.value.0.clone(), gap: self.gap.0.clone() })
    }

    /// Everything but the two bounds; the number of texts.
    pub(super) fn check_data(&self) -> Verdict<usize> {
        let (seeds, labels) = (self.label.len(), self.labels);
        let texts = self.reference.first().map_or(0, |r| r.numerators.len());
        let fail = |text: String| Err(Failure(text));
        if self.beta.0 <= Rational::ZERO {
            return fail("beta is not positive".into());
        }
        if labels == 0 || self.reference.len() != seeds {
            return fail("labels or references are missing".into());
        }
        let room = Rational::ONE - &self.gamma.0 * Rational::from(labels);
        if self.gamma.0 < Rational::ZERO || room < Rational::ZERO {
            return fail(format!("gamma leaves no classifier over {labels} labels"));
        }
        self.weight.distribution("weight", seeds)?;
        for (i, (r, y)) in self.reference.iter().zip(&self.label).enumerate() {
            r.distribution(&format!("reference[{i}]"), texts)?;
            if *y >= labels {
                return fail(format!("label[{i}] is {y}, not below {labels}"));
            }
        }
        self.p.distributions("p", (seeds, texts))?;
        self.q.distributions("q", (texts, labels))?;
        if let Some(anchor) = &self.anchor {
            let real = &anchor.real;
            real.has_shape("anchor.real", (labels, texts))?;
            let flat: Vec<Integer> = real.rows.concat();
            let flat = Fractions { over: real.over.clone(), numerators: flat };
            flat.distribution("anchor.real", labels * texts)?;
            if anchor.weight.0 < Rational::ZERO {
                return fail("anchor.weight is negative".into());
            }
        }
        for z in 0..texts {
            for y in 0..labels {
                let q = self.q.at(z, y);
                let floor = &self.gamma.0;
                if q * floor.denominator() < floor.numerator() * self.q.over() {
                    return fail(format!("q[{z}][{y}] is below the floor gamma"));
                }
                if q.is_zero() && self.is_live(y, z) {
                    return fail(format!(
                        "q[{z}][{y}] is 0 where its label occurs: V(q) is infinite"
                    ));
                }
            }
            let outside = |i: &usize| {
                self.reference[*i].numerators[z].0.is_zero() && !self.p.at(*i, z).is_zero()
            };
            if let Some(i) = (0..seeds).find(outside) {
                return fail(format!("p[{i}][{z}] is positive where the reference is 0"));
            }
        }
        Ok(texts)
    }

    /// Whether some seed or real text of label y can be z.
    fn is_live(&self, y: usize, z: usize) -> bool {
        self.reached(y, z)
            || self
                .anchor
                .as_ref()
                .is_some_and(|a| !a.weight.0.is_zero() && !a.real.at(y, z).is_zero())
    }

    /// Whether some seed of label y can be z.
    pub(super) fn reached(&self, y: usize, z: usize) -> bool {
        let mut seeds = self.label.iter().zip(&self.reference);
        seeds.any(|(label, r)| *label == y && !r.numerators[z].0.is_zero())
    }

    pub(super) fn bounds(&self, at: &Precision) -> Option<Bounds> {
        Some(Bounds { low: self.guaranteed(at)?, high: self.against(at)? })
    }

    /// G(p) = sum_z min over rows q of sum_y W(y, z) (-log q_y) - beta D(p, r).
    fn guaranteed(&self, at: &Precision) -> Option<Interval> {
        let (seeds, texts) = (self.label.len(), self.reference[0].numerators.len());
        // W(y, z) as integers over one denominator.
        let mut over = self.weight.over() * self.p.over();
        let (mut generated, mut real) = (IBig::ONE, IBig::ZERO);
        if let Some(anchor) = &self.anchor {
            let lambda = &anchor.weight.0;
            real = lambda.numerator() * &over;
            generated = anchor.real.over() * lambda.denominator();
            over *= &generated;
        }
        let mut loss = at.number(&Rational::ZERO);
        for z in 0..texts {
            let mut mass = vec![IBig::ZERO; self.labels];
            for (i, rho) in self.weight.iter().enumerate() {
                mass[self.label[i]] += rho * self.p.at(i, z) * &generated;
            }
            if let Some(anchor) = &self.anchor {
                mass.iter_mut().enumerate().for_each(|(y, m)| *m += &real * anchor.real.at(y, z));
            }
            loss = loss + least_loss(at, &mass, &self.gamma.0)?;
        }
        let mut price = at.number(&Rational::ZERO);
        for i in 0..seeds {
            let p = self.p.rows[i].iter().map(|v| &v.0);
            let r = &self.reference[i];
            let kl = divergence(at, p, self.p.over(), r.iter(), r.over())?;
            price = price + kl.times(&self.weight.numerators[i].0);
        }
        let price = price.scaled(&(&self.beta.0 * inverse(self.weight.over())));
        Some(loss.scaled(&inverse(&over)) - price)
    }

    /// V(q) = beta sum_i rho_i log sum_z r_i(z) q(y_i|z)^(-1/beta) + lambda sum R (-log q).
    fn against(&self, at: &Precision) -> Option<Interval> {
        let (q, texts) = (&self.q, self.q.rows.len());
        let zero = at.number(&Rational::ZERO);
        let mut real = zero.clone();
        let mut best = Vec::with_capacity(self.labels);
        for y in 0..self.labels {
            let mut surprise = Vec::with_capacity(texts);
            let reached: Vec<bool> = (0..texts).map(|z| self.reached(y, z)).collect();
            for z in 0..texts {
                let log = at.ln_ratio(q.over(), q.at(z, y)).unwrap_or_else(|| zero.clone());
                if let Some(anchor) = &self.anchor {
                    real = real + log.times(anchor.real.at(y, z));
                }
                surprise.push(log);
            }
            best.push(SoftMax::new(at, &self.beta.0, &surprise, |z| reached[z])?);
        }
        let mut value = zero;
        for ((rho, y), r) in self.weight.iter().zip(&self.label).zip(&self.reference) {
            value = value + best[*y].of(at, r.iter(), r.over())?.times(rho);
        }
        let value = value.scaled(&inverse(self.weight.over()));
        Some(match &self.anchor {
            Some(a) => value + real.scaled(&(&a.weight.0 * inverse(a.real.over()))),
            None => value,
        })
    }
}

/// A lower bound, sharp to rounding, of min { sum_y w_y (-log q_y) : q >= gamma, sum q = 1 }, by
/// Lagrange duality.
///
/// For any nu > 0 and any such q the loss is sum_y [-w_y log q_y + nu q_y] - nu, and each bracket is
/// least, over q_y >= gamma, at max(gamma, w_y / nu). So the bound holds whatever nu is; the one chosen
/// makes these minimisers sum to 1, and they are Proposition 1's posterior.
fn least_loss(at: &Precision, w: &[IBig], gamma: &Rational) -> Option<Interval> {
    let exact = |v: &IBig| Rational::from(v.clone());
    let mut clipped = vec![false; w.len()];
    let nu = loop {
        let free = w.iter().zip(&clipped).filter(|(_, c)| !**c).map(|(w, _)| w).sum::<IBig>();
        let count = clipped.iter().filter(|c| **c).count();
        let room = Rational::ONE - gamma * Rational::from(count);
        if free.is_zero() || room <= Rational::ZERO {
            // No mass left to share, or nothing to share it: a loss is never negative.
            return Some(at.number(&Rational::ZERO));
        }
        let nu = Rational::from(free) / room;
        let least = gamma * &nu;
        let before = count;
        w.iter().zip(&mut clipped).for_each(|(w, c)| *c |= exact(w) < least);
        if clipped.iter().filter(|c| **c).count() == before {
            break nu;
        }
    };
    let mut sum = -Rational::ONE;
    let mut loss = at.number(&Rational::ZERO);
    for (w, clipped) in w.iter().zip(clipped) {
        let q = if clipped { gamma.clone() } else { exact(w) / &nu };
        if !w.is_zero() {
            loss = loss - at.ln(&q)?.times(w);
        }
        sum += q;
    }
    Some(loss + at.number(&(nu * sum)))
}
