//! The bootstrap (Efron, 1979): how far a figure would move had other rows of the same kind been drawn.

use super::{Confusion, check};
use crate::Result;
use rand::{Rng, RngExt};

/// Figures of one sample of rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampled {
    /// Decisions at the threshold.
    pub confusion: Confusion,
    /// Area under the ROC curve; `None` when the sample lacks a label.
    pub auroc: Option<f64>,
}

/// The figures of `resamples` samples, each of as many rows as there are, drawn with replacement.
///
/// Which rows a sample holds depends on their number and on `rng` alone: generators of the same seed draw
/// the same rows for every classifier. To stratify, draw each stratum's samples by a call of its own and
/// combine the figures of the first samples, of the second, and so on.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) when the lengths differ or a score is not a number.
pub fn bootstrap(
    threshold: f32,
    scores: &[f32],
    labels: &[bool],
    resamples: usize,
    rng: &mut impl Rng,
) -> Result<Vec<Resampled>> {
    check(scores, labels)?;
    // Sorted once: a sample is then a count a row, and all its figures come from one pass.
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut counts = vec![0_usize; scores.len()];
    let mut sample = || {
        counts.fill(0);
        for _ in 0..counts.len() {
            counts[rng.random_range(0..scores.len())] += 1;
        }
        figures(threshold, scores, labels, &order, &counts)
    };
    Ok((0..resamples).map(|_| sample()).collect())
}

/// Figures of the sample that holds row i `counts[i]` times; `order` sorts rows by score, highest first.
fn figures(
    threshold: f32,
    scores: &[f32],
    labels: &[bool],
    order: &[usize],
    counts: &[usize],
) -> Resampled {
    let mut confusion = Confusion::default();
    let (mut positives, mut negatives, mut won) = (0, 0, 0.0);
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let (mut p, mut n) = (0, 0);
        for &i in group {
            if labels[i] {
                p += counts[i];
            } else {
                n += counts[i];
            }
        }
        if scores[group[0]] > threshold {
            confusion.true_positives += p;
            confusion.false_positives += n;
        } else {
            confusion.false_negatives += p;
            confusion.true_negatives += n;
        }
        won += n as f64 * (positives as f64 + p as f64 / 2.0);
        positives += p;
        negatives += n;
    }
    let pairs = positives as f64 * negatives as f64;
    Resampled { confusion, auroc: (pairs > 0.0).then(|| won / pairs) }
}

/// The ends of the central `level` (0..=1, for example 0.95) of a figure's values in the samples, samples
/// in which it is undefined left out; `None` when it is undefined in all. Between two values it goes
/// linearly.
pub fn percentile_interval(
    values: impl IntoIterator<Item = Option<f64>>,
    level: f64,
) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = values.into_iter().flatten().collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share.clamp(0.0, 1.0) * last as f64;
        let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
        low + (high - low) * place.fract()
    };
    Some([at((1.0 - level) / 2.0), at((1.0 + level) / 2.0)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::auroc;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    proptest! {
        /// The samples written out row by row have the figures that the metrics give them.
        #[test]
        fn figures_are_those_of_the_samples_written_out(
            rows in prop::collection::vec((0..8_u8, any::<bool>()), 1..40),
            threshold in 0.0_f32..1.0,
            seed: u64,
        ) {
            let (scores, labels): (Vec<f32>, Vec<bool>) =
                rows.into_iter().map(|(s, y)| (f32::from(s) / 7.0, y)).unzip();
            let rng = || ChaCha8Rng::seed_from_u64(seed);
            let fast = bootstrap(threshold, &scores, &labels, 5, &mut rng()).unwrap();
            let mut rng = rng();
            for sample in fast {
                let drawn: Vec<usize> =
                    (0..scores.len()).map(|_| rng.random_range(0..scores.len())).collect();
                let scores: Vec<f32> = drawn.iter().map(|&i| scores[i]).collect();
                let labels: Vec<bool> = drawn.iter().map(|&i| labels[i]).collect();
                prop_assert_eq!(sample.confusion, Confusion::at(threshold, &scores, &labels).unwrap());
                match (sample.auroc, auroc(&scores, &labels).unwrap()) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }

        #[test]
        fn wider_levels_hold_narrower_ones(values in prop::collection::vec(-9.0..9.0_f64, 1..60)) {
            let at = |level| percentile_interval(values.iter().copied().map(Some), level).unwrap();
            let mut inner = at(0.0);
            for level in [0.5, 0.9, 1.0] {
                let outer = at(level);
                prop_assert!(outer[0] <= inner[0] && inner[1] <= outer[1]);
                inner = outer;
            }
            let bounds = values.iter().fold([f64::MAX, f64::MIN], |[a, b], &v| [a.min(v), b.max(v)]);
            prop_assert_eq!(inner, bounds);
        }
    }

    /// A share of n rows has standard deviation sqrt(p (1 - p) / n), and 95% lie within 1.96 of them.
    #[test]
    fn spread_is_that_of_a_share() {
        let n = 400;
        let scores: Vec<f32> = (0..n).map(|i| if i % 5 == 0 { 0.9 } else { 0.1 }).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let samples = bootstrap(0.5, &scores, &vec![false; n], 4000, &mut rng).unwrap();
        let rates = samples.iter().map(|s| s.confusion.false_positive_rate());
        let [low, high] = percentile_interval(rates, 0.95).unwrap();
        let half = 1.96 * (0.2_f64 * 0.8 / n as f64).sqrt();
        assert!((low - (0.2 - half)).abs() < 0.006 && (high - (0.2 + half)).abs() < 0.006);
        assert!(samples.iter().all(|s| s.auroc.is_none()));
    }

    #[test]
    fn quantiles_by_hand_and_undefined_figures() {
        let interval = percentile_interval([Some(4.0), None, Some(0.0), Some(2.0)], 0.5);
        assert_eq!(interval, Some([1.0, 3.0]));
        assert_eq!(percentile_interval([None, None], 0.95), None);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let nothing = bootstrap(0.5, &[], &[], 2, &mut rng).unwrap();
        assert_eq!(nothing, [Resampled { confusion: Confusion::default(), auroc: None }; 2]);
        assert!(bootstrap(0.5, &[0.1], &[], 2, &mut rng).is_err());
    }
}
