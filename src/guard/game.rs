//! The game's data, payoff, best replies, values, divergences and exact gap.

use super::{Classifier, Generator};
use crate::exploit::{Bound, Exploit, Gap};
use crate::simplex::{kl_from_logs, log_sum_exp, normalise};
use crate::{BestReply, Error, Game, Result};
use ndarray::{Array2, Axis};

/// One seed of a guard game.
#[derive(Clone, Debug, PartialEq)]
pub struct Seed {
    /// y_i, an index below the number of labels.
    pub label: usize,
    /// rho_i > 0; the weights of all seeds sum to 1.
    pub weight: f64,
    /// r_i(z) >= 0, one entry a text, summing to 1.
    pub reference: Vec<f64>,
}

/// Real data in the classifier's loss: J(p, q) = F(p, q) + lambda sum R(y, z) (-log q(y|z)).
#[derive(Clone, Debug, PartialEq)]
pub struct Anchor {
    /// lambda >= 0.
    pub weight: f64,
    /// R(y, z), `(labels, texts)`, summing to 1.
    pub real: Array2<f64>,
}

/// A finite generator-classifier game (Definition 1): every quantity in nats.
///
/// ```
/// use nashguard::guard::{GuardGame, Seed, solve};
///
/// // One safe and one unsafe seed with the same two candidate texts: the classifier cannot tell.
/// let seed = |label| Seed { label, weight: 0.5, reference: vec![0.5, 0.5] };
/// let game = GuardGame::new(2, vec![seed(0), seed(1)], 0.5)?;
/// let solution = solve(&game, 1e-12)?;
/// assert!((solution.value - 2.0_f64.ln()).abs() < 1e-12);
/// # Ok::<(), nashguard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GuardGame {
    labels: usize,
    label: Vec<usize>,
    weight: Vec<f64>,
    reference: Array2<f64>,
    beta: f64,
    floor: f64,
    anchor: Option<Anchor>,
}

impl GuardGame {
    /// A game over `labels` labels with KL weight `beta` (nats), floor 0 and no anchor.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the field, when there is no seed or no text, rows differ in
    /// length, a label is out of range, a weight is not positive, weights or a row of the
    /// reference do not sum to 1, or `beta` is not positive and finite.
    pub fn new(labels: usize, seeds: Vec<Seed>, beta: f64) -> Result<Self> {
        if labels == 0 {
            return Err(Error::invalid("labels", "there are none", "name at least one label"));
        }
        check_beta(beta)?;
        let texts = match seeds.first() {
            None => {
                return Err(Error::invalid("seeds", "there are none", "give at least one seed"));
            }
            Some(seed) => seed.reference.len(),
        };
        let mut label = Vec::with_capacity(seeds.len());
        let mut weight = Vec::with_capacity(seeds.len());
        let mut reference = Vec::with_capacity(seeds.len() * texts);
        for (i, mut seed) in seeds.into_iter().enumerate() {
            if seed.label >= labels {
                return Err(Error::invalid(
                    format!("seeds[{i}].label"),
                    format!("{} is not one of the {labels} labels", seed.label),
                    format!("give an index from 0 to {}", labels - 1),
                ));
            }
            if !(seed.weight.is_finite() && seed.weight > 0.0) {
                return Err(Error::invalid(
                    format!("seeds[{i}].weight"),
                    format!("{} is not a positive number", seed.weight),
                    "give a weight > 0 or leave the seed out",
                ));
            }
            if seed.reference.len() != texts {
                return Err(Error::invalid(
                    format!("seeds[{i}].reference"),
                    format!("it has {} texts, seeds[0] has {texts}", seed.reference.len()),
                    "give every seed one entry for each text",
                ));
            }
            normalise(&format!("seeds[{i}].reference"), &mut seed.reference)?;
            label.push(seed.label);
            weight.push(seed.weight);
            reference.append(&mut seed.reference);
        }
        normalise("seeds[..].weight", &mut weight)?;
        let reference = Array2::from_shape_vec((label.len(), texts), reference)
            .map_err(|e| Error::invalid("seeds", e.to_string(), "give rows of equal length"))?;
        Ok(Self { labels, label, weight, reference, beta, floor: 0.0, anchor: None })
    }

    /// Restricts the classifier to q(y|z) >= `floor` (two labels: [gamma, 1 - gamma]).
    ///
    /// # Errors
    /// [`Error::Invalid`] unless 0 <= floor <= 1/|Y|.
    pub fn with_floor(mut self, floor: f64) -> Result<Self> {
        if !(floor >= 0.0 && floor * self.labels as f64 <= 1.0) {
            return Err(Error::invalid(
                "gamma",
                format!("{floor} leaves no classifier over {} labels", self.labels),
                format!("give a number from 0 to 1/{}", self.labels),
            ));
        }
        self.floor = floor;
        Ok(self)
    }

    /// Adds real data to the classifier's loss.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the weight is negative or not finite, or R has a wrong shape or is
    /// no distribution.
    pub fn with_anchor(mut self, mut anchor: Anchor) -> Result<Self> {
        if !(anchor.weight.is_finite() && anchor.weight >= 0.0) {
            return Err(Error::invalid(
                "anchor.weight",
                format!("{} is not a weight", anchor.weight),
                "give a finite number that is not negative",
            ));
        }
        if anchor.real.dim() != (self.labels, self.texts()) {
            return Err(Error::invalid(
                "anchor.real",
                format!("the table is {} x {}", anchor.real.nrows(), anchor.real.ncols()),
                format!("this game needs labels x texts = {} x {}", self.labels, self.texts()),
            ));
        }
        let mut flat: Vec<f64> = anchor.real.iter().copied().collect();
        normalise("anchor.real", &mut flat)?;
        anchor.real.iter_mut().zip(flat).for_each(|(v, p)| *v = p);
        self.anchor = Some(anchor);
        Ok(self)
    }

    /// The same game at another beta.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `beta` is not positive and finite.
    pub fn with_beta(mut self, beta: f64) -> Result<Self> {
        check_beta(beta)?;
        self.beta = beta;
        Ok(self)
    }

    /// |Y|.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The number of seeds n.
    pub fn seeds(&self) -> usize {
        self.label.len()
    }

    /// |Z|.
    pub fn texts(&self) -> usize {
        self.reference.ncols()
    }

    /// y_i for every seed.
    pub fn label(&self) -> &[usize] {
        &self.label
    }

    /// rho_i for every seed, summing to 1.
    pub fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// r_i(z), `(seeds, texts)`.
    pub fn reference(&self) -> &Array2<f64> {
        &self.reference
    }

    /// beta, in nats of payoff per nat of divergence.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// gamma, the classifier's floor; 0 when it is free.
    pub fn floor(&self) -> f64 {
        self.floor
    }

    /// The real-data anchor, if any.
    pub fn anchor(&self) -> Option<&Anchor> {
        self.anchor.as_ref()
    }

    /// The anchor where it counts: lambda > 0.
    pub(super) fn active_anchor(&self) -> Option<&Anchor> {
        self.anchor.as_ref().filter(|a| a.weight > 0.0)
    }

    /// D(p, p') = sum rho_i KL(p_i || p'_i) (Definition 2), in nats.
    ///
    /// # Errors
    /// When either is not a generator of this game.
    pub fn divergence(&self, p: &Generator, p_prime: &Generator) -> Result<f64> {
        self.check(Some(p), None)?;
        self.check(Some(p_prime), None)?;
        let rows = p.log_p().outer_iter().zip(p_prime.log_p().outer_iter());
        Ok(rows.zip(&self.weight).map(|((p, q), w)| w * kl_from_logs(p, q)).sum())
    }

    /// C(u, p) = J(u, q_p) - min_q J(u, q) (Definition 2), in nats: what a classifier trained
    /// against p loses when it meets u. Between 0 and D(u, p) (Lemma 1, `lemma_1` in
    /// proofs/Main.v).
    ///
    /// # Errors
    /// When `u` or `q` is not a table of this game.
    pub fn classifier_regret(&self, u: &Generator, q: &Classifier) -> Result<f64> {
        self.check(Some(u), Some(q))?;
        let log_mass = self.log_mass(u);
        let best = Classifier::from_log_mass(&log_mass, self.floor);
        let mut regret = 0.0;
        for ((mass, best), row) in
            log_mass.axis_iter(Axis(1)).zip(best.log_q().outer_iter()).zip(q.log_q().outer_iter())
        {
            let total = log_sum_exp(&mass.to_vec());
            if total == f64::NEG_INFINITY {
                continue;
            }
            regret += total.exp()
                * if self.floor == 0.0 {
                    kl_from_logs(best, row)
                } else {
                    let gain = |((m, b), r): ((&f64, &f64), &f64)| {
                        let w = (m - total).exp();
                        if w > 0.0 { w * (b - r) } else { 0.0 }
                    };
                    mass.iter().zip(&best).zip(&row).map(gain).sum::<f64>()
                };
        }
        // Rounding may leave a clipped sum just below 0; a NaN must stay one.
        Ok(if regret < 0.0 { 0.0 } else { regret })
    }

    /// V(q) = max_p J(p, q) = beta sum rho_i log sum_z r_i(z) q(y_i|z)^(-1/beta) + the anchor's
    /// loss (Proposition 2, `proposition_2` in proofs/Main.v). Infinite when q forbids a label where
    /// that label's reference has mass.
    ///
    /// # Errors
    /// When `q` is not a classifier of this game.
    pub fn value_against(&self, q: &Classifier) -> Result<f64> {
        self.check(None, Some(q))?;
        let mut value = 0.0;
        for (i, r) in self.reference.outer_iter().enumerate() {
            let y = self.label[i];
            // beta log sum r exp(l/beta) = m + beta log1p(sum r expm1((l - m)/beta)), because
            // sum r = 1: exact to rounding however large beta is.
            let losses =
                r.iter().zip(q.log_q().column(y)).filter(|(r, _)| **r > 0.0).map(|(r, l)| (*r, -l));
            let max = losses.clone().fold(f64::NEG_INFINITY, |m, (_, l)| m.max(l));
            if max == f64::INFINITY {
                return Ok(f64::INFINITY);
            }
            let sum: f64 = losses.map(|(r, l)| r * ((l - max) / self.beta).exp_m1()).sum();
            let log = if sum > -0.5 {
                sum.ln_1p()
            } else {
                // Most reference mass lies on texts of small loss: ln_1p would cancel, so in logs.
                let terms: Vec<f64> = r
                    .iter()
                    .zip(q.log_q().column(y))
                    .filter(|(r, _)| **r > 0.0)
                    .map(|(r, l)| r.ln() + (-l - max) / self.beta)
                    .collect();
                log_sum_exp(&terms)
            };
            value += self.weight[i] * (max + self.beta * log);
        }
        Ok(value + self.anchor_loss(q))
    }

    /// G(p) = min_q J(p, q) (Proposition 1, `proposition_1_full` and `_clipped` in proofs/Main.v).
    ///
    /// # Errors
    /// When `p` is not a generator of this game.
    pub fn value_guaranteed(&self, p: &Generator) -> Result<f64> {
        self.payoff(p, &self.min_reply(p)?)
    }

    /// log P(y, z) with P(y, z) = sum_{i in y} rho_i p_i(z), `(labels, texts)`; -inf where no seed
    /// of that label can be. Summed relative to each column's largest term, so that masses far
    /// below the smallest f64 keep their ratios.
    pub(super) fn log_generated(&self, p: &Generator) -> Array2<f64> {
        let shape = (self.labels, self.texts());
        let mut max = Array2::from_elem(shape, f64::NEG_INFINITY);
        for (i, row) in p.log_p().outer_iter().enumerate() {
            let log_weight = self.weight[i].ln();
            max.row_mut(self.label[i]).zip_mut_with(&row, |m, v| *m = m.max(v + log_weight));
        }
        let mut sum = Array2::<f64>::zeros(shape);
        for (i, row) in p.log_p().outer_iter().enumerate() {
            let y = self.label[i];
            let log_weight = self.weight[i].ln();
            for ((s, v), m) in sum.row_mut(y).iter_mut().zip(row).zip(max.row(y)) {
                if *v > f64::NEG_INFINITY {
                    *s += (v + log_weight - m).exp();
                }
            }
        }
        sum.zip_mut_with(&max, |s, m| *s = s.ln() + m);
        sum
    }

    /// log W(y, z) with W = P + lambda R, `(labels, texts)`.
    pub(super) fn log_mass(&self, p: &Generator) -> Array2<f64> {
        let mut log_w = self.log_generated(p);
        if let Some(anchor) = self.active_anchor() {
            log_w.zip_mut_with(&anchor.real, |w, r| {
                *w = log_sum_exp(&[*w, anchor.weight.ln() + r.ln()]);
            });
        }
        log_w
    }

    fn anchor_loss(&self, q: &Classifier) -> f64 {
        let Some(anchor) = self.active_anchor() else { return 0.0 };
        let loss = |(r, l): (&f64, &f64)| if *r > 0.0 { -r * l } else { 0.0 };
        anchor.weight * anchor.real.iter().zip(q.log_q().t().iter()).map(loss).sum::<f64>()
    }

    /// That the tables have this game's shape.
    pub(super) fn check(&self, p: Option<&Generator>, q: Option<&Classifier>) -> Result<()> {
        let generator = p.is_none_or(|p| p.log_p().dim() == self.reference.dim());
        let classifier = q.is_none_or(|q| q.log_q().dim() == (self.texts(), self.labels));
        if generator && classifier {
            return Ok(());
        }
        Err(Error::invalid(
            if generator { "classifier" } else { "generator" },
            "its table was made for a game of another shape",
            "build it from this game",
        ))
    }
}

fn check_beta(beta: f64) -> Result<()> {
    if beta.is_finite() && beta > 0.0 {
        return Ok(());
    }
    Err(Error::invalid(
        "beta",
        format!("{beta} is not a positive number"),
        "give a finite beta > 0",
    ))
}

impl Game for GuardGame {
    type Max = Generator;
    type Min = Classifier;
    type Value = f64;

    /// J(p, q) in nats; infinite when q forbids a label where p puts mass.
    fn payoff(&self, p: &Generator, q: &Classifier) -> Result<f64> {
        self.check(Some(p), Some(q))?;
        let mut loss = 0.0;
        let mut divergence = 0.0;
        for (i, (row, r)) in p.log_p().outer_iter().zip(self.reference.outer_iter()).enumerate() {
            let surprise = row
                .iter()
                .zip(q.log_q().column(self.label[i]))
                .map(|(lp, lq)| if lp.exp() > 0.0 { -lp.exp() * lq } else { 0.0 });
            loss += self.weight[i] * surprise.sum::<f64>();
            divergence += self.weight[i] * kl_from_logs(row, &r.mapv(f64::ln));
        }
        Ok(loss - self.beta * divergence + self.anchor_loss(q))
    }
}

impl BestReply for GuardGame {
    /// T_phi(q): p_i(z) proportional to r_i(z) q(y_i|z)^(-1/beta), the unique maximiser
    /// (Proposition 2).
    fn max_reply(&self, q: &Classifier) -> Result<Generator> {
        self.check(None, Some(q))?;
        super::proximal::step(self, 0.0, None, q)
    }

    /// The (clipped) posterior of the label given the text, a minimiser (Proposition 1).
    fn min_reply(&self, p: &Generator) -> Result<Classifier> {
        self.check(Some(p), None)?;
        Ok(Classifier::from_log_mass(&self.log_mass(p), self.floor))
    }
}

/// The exact gap of a guard game without cancellation:
/// beta D(p, T_phi q) + [J(p, q) - J(p, q_p)] (Proposition 3, `proposition_3` in proofs/Main.v), two
/// sums of non-negative terms.
///
/// ```
/// use nashguard::{exploit::Exploit, guard::{Classifier, ExactGap, Generator, GuardGame, Seed}};
///
/// let seeds = vec![
///     Seed { label: 0, weight: 0.5, reference: vec![0.9, 0.1] },
///     Seed { label: 1, weight: 0.5, reference: vec![0.2, 0.8] },
/// ];
/// let game = GuardGame::new(2, seeds, 1.0)?;
/// let (p, q) = (Generator::reference(&game), Classifier::uniform(&game));
/// let gap = ExactGap.gap(&game, &p, &q)?;
/// assert!(gap.low < gap.high && (gap.high - gap.low - gap.width).abs() < 1e-15);
/// # Ok::<(), nashguard::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExactGap;

impl Exploit<GuardGame> for ExactGap {
    fn gap(&mut self, game: &GuardGame, p: &Generator, q: &Classifier) -> Result<Gap<f64>> {
        game.check(Some(p), Some(q))?;
        let low = game.value_guaranteed(p)?;
        let high = game.value_against(q)?;
        let width = if high.is_finite() {
            game.beta * game.divergence(p, &game.max_reply(q)?)? + game.classifier_regret(p, q)?
        } else {
            f64::INFINITY
        };
        Ok(Gap { low, high, width, bound: Bound::Exact })
    }
}
