//! The players as their opponent may see them: a generator is a law, a classifier is a loss.

use super::{Classifier, Generator, GuardGame};
use crate::game::Estimate;
use crate::{Error, Result};
use ndarray::Array2;

/// Weighted draws from a law.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws<T> {
    /// The items drawn.
    pub items: Vec<T>,
    /// Their weights, summing to 1.
    pub weights: Vec<f64>,
    /// Whether the items are the whole support, so that weighted sums carry no sampling error.
    pub exact: bool,
}

/// A generator as its opponent may see it: draws, and how likely they were.
///
/// A table draws its whole support exactly once; a language model draws samples.
///
/// ```
/// use nashguard::Result;
/// use nashguard::guard::{Draws, Law, Loss, payoff};
///
/// /// A coin that shows 1 with probability `heads`.
/// struct Coin { heads: f64 }
/// impl Law for Coin {
///     type Item = u8;
///     fn draws(&self, _n: usize, _seed: u64) -> Result<Draws<u8>> {
///         Ok(Draws { items: vec![0, 1], weights: vec![1.0 - self.heads, self.heads], exact: true })
///     }
///     fn log_prob(&self, items: &[u8]) -> Result<Vec<f64>> {
///         let p = |&side: &u8| if side == 1 { self.heads } else { 1.0 - self.heads };
///         Ok(items.iter().map(|side| p(side).ln()).collect())
///     }
/// }
/// /// A classifier that loses one nat on heads.
/// struct DislikesHeads;
/// impl Loss<u8> for DislikesHeads {
///     fn loss(&self, items: &[u8]) -> Result<Vec<f64>> {
///         Ok(items.iter().map(|&side| f64::from(side)).collect())
///     }
/// }
/// let (law, fair) = (Coin { heads: 0.75 }, Coin { heads: 0.5 });
/// let j = payoff(&law, &fair, &DislikesHeads, 1.0, 2, 0)?;
/// let kl = 0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln();
/// assert!((j.mean - (0.75 - kl)).abs() < 1e-15 && j.standard_error == 0.0);
/// # Ok::<(), nashguard::Error>(())
/// ```
pub trait Law {
    /// What is drawn: a text with the seed and label it was written for.
    type Item;

    /// About `n` draws, the same for the same `seed`.
    ///
    /// # Errors
    /// When the law cannot be sampled.
    fn draws(&self, n: usize, seed: u64) -> Result<Draws<Self::Item>>;

    /// log p(item | its seed) in nats.
    ///
    /// # Errors
    /// When an item is not one of this law's.
    fn log_prob(&self, items: &[Self::Item]) -> Result<Vec<f64>>;
}

/// A classifier as its opponent may see it: a loss in nats for every item.
///
/// ```
/// use nashguard::guard::{Classifier, GuardGame, Loss, Sample, Seed};
///
/// let seeds = vec![Seed { label: 0, weight: 1.0, reference: vec![1.0] }];
/// let game = GuardGame::new(2, seeds, 1.0)?;
/// let loss = Classifier::uniform(&game).loss(&[Sample { seed: 0, label: 0, text: 0 }])?;
/// assert!((loss[0] - 2.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), nashguard::Error>(())
/// ```
pub trait Loss<T> {
    /// One loss an item, in nats.
    ///
    /// # Errors
    /// When an item is not one this classifier can read.
    fn loss(&self, items: &[T]) -> Result<Vec<f64>>;
}

/// Draws from p with how likely they were, also under a reference: all that a payoff needs but the classifier.
#[derive(Clone, Debug)]
pub struct Weighed<T> {
    /// What was drawn.
    pub draws: Draws<T>,
    /// log p of each item, nats.
    pub log_p: Vec<f64>,
    /// log of the reference, nats.
    pub log_r: Vec<f64>,
}

impl<T> Weighed<T> {
    /// About `n` draws.
    ///
    /// # Errors
    /// Whatever drawing or weighing the draws reports.
    pub fn new(
        law: &impl Law<Item = T>,
        reference: &impl Law<Item = T>,
        n: usize,
        seed: u64,
    ) -> Result<Self> {
        let draws = law.draws(n, seed)?;
        let log_p = law.log_prob(&draws.items)?;
        let log_r = reference.log_prob(&draws.items)?;
        Ok(Self { draws, log_p, log_r })
    }

    /// F(p, q) = `E_p[loss] - beta KL(p || reference)` in nats: one body for tables (exact, standard error 0) and for
    /// networks (a sample mean).
    ///
    /// # Errors
    /// Whatever the classifier reports.
    pub fn payoff(&self, classifier: &impl Loss<T>, beta: f64) -> Result<Estimate> {
        let loss = classifier.loss(&self.draws.items)?;
        let ratios = self.log_p.iter().zip(&self.log_r);
        Ok(self.mean(loss.iter().zip(ratios).map(|(l, (p, r))| l - beta * (p - r)).collect()))
    }

    /// KL(p || reference) in nats.
    pub fn kl(&self) -> Estimate {
        self.mean(self.log_p.iter().zip(&self.log_r).map(|(p, r)| p - r).collect())
    }

    fn mean(&self, terms: Vec<f64>) -> Estimate {
        let Draws { weights, exact, .. } = &self.draws;
        let weighed = terms.iter().zip(weights);
        let mean: f64 = weighed.clone().filter(|(_, w)| **w > 0.0).map(|(t, w)| t * w).sum();
        let standard_error = if *exact {
            0.0
        } else {
            let squares: f64 = weighed.map(|(t, w)| (w * (t - mean)).powi(2)).sum();
            let n = terms.len() as f64;
            (squares * n / (n - 1.0).max(1.0)).sqrt()
        };
        Estimate { mean, standard_error }
    }
}

/// [`Weighed::payoff`] of about `n` draws.
///
/// # Errors
/// Whatever drawing, scoring or weighing the draws reports.
pub fn payoff<T>(
    law: &impl Law<Item = T>,
    reference: &impl Law<Item = T>,
    classifier: &impl Loss<T>,
    beta: f64,
    n: usize,
    seed: u64,
) -> Result<Estimate> {
    Weighed::new(law, reference, n, seed)?.payoff(classifier, beta)
}

/// One text written for one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The seed's index i.
    pub seed: usize,
    /// Its label y_i.
    pub label: usize,
    /// The text's index z.
    pub text: usize,
}

/// A tabular generator as a law: rho_i p_i(z) over all pairs (seed, text) of its support.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The game that holds rho and the labels.
    pub game: &'a GuardGame,
    /// p.
    pub generator: &'a Generator,
}

impl Law for Table<'_> {
    type Item = Sample;

    /// The whole support, whatever `n` and `seed`.
    fn draws(&self, _n: usize, _seed: u64) -> Result<Draws<Sample>> {
        self.game.check(Some(self.generator), None)?;
        let mut items = Vec::new();
        let mut weights = Vec::new();
        for (seed, row) in self.generator.log_p().outer_iter().enumerate() {
            let (label, rho) = (self.game.label()[seed], self.game.weight()[seed]);
            for (text, log_p) in row.iter().enumerate().filter(|(_, l)| l.exp() > 0.0) {
                items.push(Sample { seed, label, text });
                weights.push(rho * log_p.exp());
            }
        }
        Ok(Draws { items, weights, exact: true })
    }

    fn log_prob(&self, items: &[Sample]) -> Result<Vec<f64>> {
        items
            .iter()
            .map(|s| {
                self.generator.log_p().get((s.seed, s.text)).copied().ok_or_else(|| unknown(s))
            })
            .collect()
    }
}

impl Loss<Sample> for Classifier {
    fn loss(&self, items: &[Sample]) -> Result<Vec<f64>> {
        items
            .iter()
            .map(|s| self.log_q().get((s.text, s.label)).map(|l| -l).ok_or_else(|| unknown(s)))
            .collect()
    }
}

/// Any law on the texts of a game as a table: p_i(z) in proportion to its probability of text z for seed i, over
/// the texts that the reference allows. So a language model on an enumerable candidate set gets the exact gap.
///
/// # Errors
/// Those of the law, and [`Error::Invalid`] for a log-probability that is no number.
pub fn tabulate(game: &GuardGame, law: &impl Law<Item = Sample>) -> Result<Generator> {
    let mut log_w = Array2::from_elem((game.seeds(), game.texts()), f64::NEG_INFINITY);
    for (seed, r) in game.reference().outer_iter().enumerate() {
        let label = game.label()[seed];
        let allowed = r.iter().enumerate().filter(|(_, r)| **r > 0.0);
        let items: Vec<Sample> = allowed.map(|(text, _)| Sample { seed, label, text }).collect();
        for (item, log_p) in items.iter().zip(law.log_prob(&items)?) {
            if !log_p.is_finite() {
                return Err(Error::invalid(
                    format!("{item:?}"),
                    format!("its log-probability is {log_p}"),
                    "compute it with a model whose numbers are finite",
                ));
            }
            log_w[(seed, item.text)] = log_p;
        }
    }
    Ok(Generator::from_log_weights(log_w))
}

/// Any classifier of the texts of a game as a table: q(y|z) = exp(-loss of z under label y), of sum 1.
///
/// # Errors
/// Those of the loss, and [`Error::Invalid`] where the labels' probabilities do not sum to 1 within 1e-3.
pub fn tabulate_loss(game: &GuardGame, classifier: &impl Loss<Sample>) -> Result<Classifier> {
    let mut q = Array2::zeros((game.texts(), game.labels()));
    for label in 0..game.labels() {
        let items: Vec<Sample> =
            (0..game.texts()).map(|text| Sample { seed: 0, label, text }).collect();
        for (text, loss) in classifier.loss(&items)?.into_iter().enumerate() {
            q[(text, label)] = (-loss).exp();
        }
    }
    for (text, mut row) in q.outer_iter_mut().enumerate() {
        let sum = row.sum();
        if !sum.is_finite() || (sum - 1.0).abs() > 1e-3 {
            return Err(Error::invalid(
                format!("text {text}"),
                format!("the probabilities of its labels sum to {sum}"),
                "use a loss that is -log of a probability",
            ));
        }
        row /= sum;
    }
    Classifier::new(game, q)
}

fn unknown(sample: &Sample) -> Error {
    Error::invalid(
        format!("{sample:?}"),
        "the table has no such entry",
        "draw the sample from a law of the same game",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four equally weighted draws of a law of one seed; log p and log r are the draws themselves.
    struct Sampled(f64);

    impl Law for Sampled {
        type Item = f64;
        fn draws(&self, _n: usize, _seed: u64) -> Result<Draws<f64>> {
            Ok(Draws { items: vec![1.0, 2.0, 3.0, 6.0], weights: vec![0.25; 4], exact: false })
        }
        fn log_prob(&self, items: &[f64]) -> Result<Vec<f64>> {
            Ok(items.iter().map(|x| self.0 * x).collect())
        }
    }

    struct Itself;

    impl Loss<f64> for Itself {
        fn loss(&self, items: &[f64]) -> Result<Vec<f64>> {
            Ok(items.to_vec())
        }
    }

    /// Terms x - beta (2x - x) = x/2: mean 3/2; by hand the sample variance of (1, 2, 3, 6)/2 is
    /// 14/3/4, so the standard error is sqrt(14/3/4/4).
    #[test]
    fn a_sample_has_a_mean_and_a_standard_error() {
        let j = payoff(&Sampled(2.0), &Sampled(1.0), &Itself, 0.5, 4, 0).unwrap();
        assert!((j.mean - 1.5).abs() < 1e-15);
        assert!((j.standard_error - (14.0_f64 / 48.0).sqrt()).abs() < 1e-15, "{j:?}");
    }
}
