//! How well scores separate unsafe texts (the positive class) from safe ones.
//!
//! All values are fractions in 0..=1, larger is better except for the false-positive rate. A text
//! is called unsafe when its score is strictly above the threshold.

mod bootstrap;
mod calibration;

pub use bootstrap::{Resampled, bootstrap, percentile_interval};
pub use calibration::{Bin, Scaling, brier, calibration_error, equal_mass, equal_width};

use crate::{Error, Result};

/// Counts of decisions against labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Unsafe, called unsafe.
    pub true_positives: usize,
    /// Safe, called unsafe.
    pub false_positives: usize,
    /// Safe, called safe.
    pub true_negatives: usize,
    /// Unsafe, called safe.
    pub false_negatives: usize,
}

impl Confusion {
    /// Decisions `score > threshold` against `labels` (true: unsafe).
    ///
    /// # Errors
    /// [`Error::Invalid`] when the lengths differ or a score is not a number.
    pub fn at(threshold: f32, scores: &[f32], labels: &[bool]) -> Result<Self> {
        check(scores, labels)?;
        let mut counts = Self::default();
        for (&score, &label) in scores.iter().zip(labels) {
            match (score > threshold, label) {
                (true, true) => counts.true_positives += 1,
                (true, false) => counts.false_positives += 1,
                (false, false) => counts.true_negatives += 1,
                (false, true) => counts.false_negatives += 1,
            }
        }
        Ok(counts)
    }

    /// TP / (TP + FP); 0 when nothing was called unsafe.
    pub fn precision(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_positives).unwrap_or(0.0)
    }

    /// TP / (TP + FN); 0 when nothing is unsafe.
    pub fn recall(&self) -> f64 {
        ratio(self.true_positives, self.true_positives + self.false_negatives).unwrap_or(0.0)
    }

    /// 2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall; 0 when undefined.
    pub fn f1(&self) -> f64 {
        let hits = 2 * self.true_positives;
        ratio(hits, hits + self.false_positives + self.false_negatives).unwrap_or(0.0)
    }

    /// FP / (FP + TN); `None` when nothing is safe. Smaller is better.
    pub fn false_positive_rate(&self) -> Option<f64> {
        ratio(self.false_positives, self.false_positives + self.true_negatives)
    }
}

/// Average precision, the area under the precision-recall steps: Σₖ (Rₖ − Rₖ₋₁) Pₖ over the
/// distinct scores from the highest down, equal scores taken together (as scikit-learn's
/// `average_precision_score`). `None` when nothing is unsafe.
///
/// # Errors
/// [`Error::Invalid`] when the lengths differ or a score is not a number.
pub fn average_precision(scores: &[f32], labels: &[bool]) -> Result<Option<f64>> {
    let groups = groups(scores, labels)?;
    let positives: usize = groups.iter().map(|g| g.positives).sum();
    let (mut called, mut hits, mut sum) = (0, 0, 0.0);
    for group in groups {
        called += group.positives + group.negatives;
        hits += group.positives;
        sum += group.positives as f64 * hits as f64 / called as f64;
    }
    Ok((positives > 0).then(|| sum / positives as f64))
}

/// Area under the ROC curve: the chance that a random unsafe text scores above a random safe one,
/// ties counting half. `None` when either class is missing.
///
/// # Errors
/// [`Error::Invalid`] when the lengths differ or a score is not a number.
pub fn auroc(scores: &[f32], labels: &[bool]) -> Result<Option<f64>> {
    let (mut positives, mut negatives, mut won) = (0, 0, 0.0);
    for group in groups(scores, labels)? {
        won += group.negatives as f64 * (positives as f64 + group.positives as f64 / 2.0);
        positives += group.positives;
        negatives += group.negatives;
    }
    Ok((positives > 0 && negatives > 0).then(|| won / (positives as f64 * negatives as f64)))
}

/// The threshold in 0..1 that maximises F1 of `score > threshold` for scores in 0..=1: the middle
/// of the best gap between neighbouring scores, of several equally good ones the nearest to ½. To be
/// used on seed validation rows only.
///
/// # Errors
/// [`Error::Invalid`] when the lengths differ, a score is not a number, or nothing is unsafe.
pub fn choose_threshold(scores: &[f32], labels: &[bool]) -> Result<f32> {
    let groups = groups(scores, labels)?;
    let positives: usize = groups.iter().map(|g| g.positives).sum();
    if positives == 0 {
        return Err(Error::invalid(
            "validation labels",
            "no row is unsafe, so F1 is 0 at every threshold",
            "choose the threshold on rows of both labels",
        ));
    }
    let (mut called, mut hits) = (0, 0);
    let (mut best, mut best_f1) = (0.5, -1.0);
    for (k, group) in groups.iter().enumerate() {
        called += group.positives + group.negatives;
        hits += group.positives;
        // F1 = 2 TP / (called + positives).
        let f1 = 2.0 * hits as f64 / (called + positives) as f64;
        let below = groups.get(k + 1).map_or(0.0, |next| next.score);
        let middle = below + (group.score - below) / 2.0;
        // Neighbouring floats have no middle: the lower of them separates just as well.
        let threshold = if middle < group.score { middle } else { below };
        if threshold >= group.score {
            break; // a score of 0 is above no threshold
        }
        if f1 > best_f1 || (f1 == best_f1 && (threshold - 0.5).abs() < (best - 0.5_f32).abs()) {
            (best, best_f1) = (threshold, f1);
        }
    }
    Ok(best)
}

/// Rows with one and the same score.
struct Group {
    score: f32,
    positives: usize,
    negatives: usize,
}

/// Rows by score, highest first, equal scores together.
fn groups(scores: &[f32], labels: &[bool]) -> Result<Vec<Group>> {
    check(scores, labels)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut groups: Vec<Group> = Vec::new();
    for i in order {
        let (positive, negative) = (usize::from(labels[i]), usize::from(!labels[i]));
        match groups.last_mut() {
            Some(group) if group.score == scores[i] => {
                group.positives += positive;
                group.negatives += negative;
            }
            _ => {
                groups.push(Group { score: scores[i], positives: positive, negatives: negative });
            }
        }
    }
    Ok(groups)
}

fn check(scores: &[f32], labels: &[bool]) -> Result<()> {
    if scores.len() != labels.len() {
        return Err(Error::invalid(
            "scores",
            format!("{} scores for {} labels", scores.len(), labels.len()),
            "give one score a label",
        ));
    }
    if let Some(i) = scores.iter().position(|s| s.is_nan()) {
        return Err(Error::invalid(
            format!("scores[{i}]"),
            "it is not a number",
            "score every row with a finite value",
        ));
    }
    Ok(())
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few distinct scores, so that ties are common.
    fn cases() -> impl Strategy<Value = (Vec<f32>, Vec<bool>)> {
        prop::collection::vec((0..8_u8, any::<bool>()), 0..40)
            .prop_map(|rows| rows.into_iter().map(|(s, y)| (f32::from(s) / 7.0, y)).unzip())
    }

    #[test]
    fn confusion_by_hand() {
        let scores = [0.9, 0.8, 0.5, 0.4, 0.6];
        let labels = [true, false, true, false, true];
        let c = Confusion::at(0.5, &scores, &labels).unwrap();
        // The score 0.5 is not above the threshold 0.5.
        assert_eq!(
            c,
            Confusion {
                true_positives: 2,
                false_positives: 1,
                true_negatives: 1,
                false_negatives: 1
            }
        );
        assert_eq!(c.precision(), 2.0 / 3.0);
        assert_eq!(c.recall(), 2.0 / 3.0);
        assert_eq!(c.f1(), 2.0 / 3.0);
        assert_eq!(c.false_positive_rate(), Some(0.5));
    }

    #[test]
    fn undefined_values() {
        let nothing = Confusion::default();
        assert_eq!((nothing.precision(), nothing.recall(), nothing.f1()), (0.0, 0.0, 0.0));
        assert_eq!(nothing.false_positive_rate(), None);
        assert_eq!(average_precision(&[0.3], &[false]).unwrap(), None);
        assert_eq!(auroc(&[0.3], &[false]).unwrap(), None);
        assert_eq!(auroc(&[0.3], &[true]).unwrap(), None);
        assert!(choose_threshold(&[0.3], &[false]).is_err());
        assert!(auroc(&[0.3], &[]).is_err());
        assert!(average_precision(&[f32::NAN], &[true]).is_err());
    }

    /// The example in scikit-learn's documentation of both functions:
    /// `average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])` is 0.83,
    /// `roc_auc_score` of the same is 0.75.
    #[test]
    fn known_values() {
        let (scores, labels) = ([0.1, 0.4, 0.35, 0.8], [false, false, true, true]);
        let ap = average_precision(&scores, &labels).unwrap().unwrap();
        assert!((ap - 5.0 / 6.0).abs() < 1e-15);
        assert_eq!(auroc(&scores, &labels).unwrap(), Some(0.75));
        // Called unsafe: 0.8, 0.4, 0.35: F1 = 4/5, the best.
        let threshold = choose_threshold(&scores, &labels).unwrap();
        assert!((threshold - 0.225).abs() < 1e-6);
        // All tied: the precision is the share of positives, the ROC the diagonal.
        assert_eq!(average_precision(&[0.5; 4], &labels).unwrap(), Some(0.5));
        assert_eq!(auroc(&[0.5; 4], &labels).unwrap(), Some(0.5));
    }

    #[test]
    fn threshold_between_neighbouring_floats_separates() {
        let low = 0.7_f32;
        let high = f32::from_bits(low.to_bits() + 1);
        let threshold = choose_threshold(&[low, high], &[false, true]).unwrap();
        assert_eq!(Confusion::at(threshold, &[low, high], &[false, true]).unwrap().f1(), 1.0);
    }

    proptest! {
        #[test]
        fn auroc_is_the_share_of_won_pairs((scores, labels) in cases()) {
            let (mut won, mut pairs) = (0.0, 0.0);
            for (i, &a) in scores.iter().enumerate().filter(|&(i, _)| labels[i]) {
                for (j, &b) in scores.iter().enumerate().filter(|&(j, _)| !labels[j]) {
                    prop_assert_ne!(i, j);
                    pairs += 1.0;
                    won += if a > b { 1.0 } else if a == b { 0.5 } else { 0.0 };
                }
            }
            match auroc(&scores, &labels).unwrap() {
                Some(area) => prop_assert!((area - won / pairs).abs() < 1e-12),
                None => prop_assert_eq!(pairs, 0.0),
            }
        }

        /// The mean over unsafe rows of the precision among the rows that score at least as high.
        #[test]
        fn average_precision_by_definition((scores, labels) in cases()) {
            let at_least = |s: f32, only_unsafe: bool| {
                (0..scores.len()).filter(|&i| scores[i] >= s && (labels[i] || !only_unsafe)).count() as f64
            };
            let precisions: Vec<f64> = (0..scores.len())
                .filter(|&i| labels[i])
                .map(|i| at_least(scores[i], true) / at_least(scores[i], false))
                .collect();
            match average_precision(&scores, &labels).unwrap() {
                Some(ap) => {
                    let mean = precisions.iter().sum::<f64>() / precisions.len() as f64;
                    prop_assert!((ap - mean).abs() < 1e-12);
                }
                None => prop_assert!(precisions.is_empty()),
            }
        }

        #[test]
        fn no_threshold_beats_the_chosen_one((scores, labels) in cases()) {
            prop_assume!(labels.contains(&true));
            let f1 = |t| Confusion::at(t, &scores, &labels).unwrap().f1();
            let chosen = choose_threshold(&scores, &labels).unwrap();
            prop_assert!((0.0..1.0).contains(&chosen));
            for &t in scores.iter().chain(&[0.0, 0.5]) {
                prop_assert!(f1(chosen) >= f1(t));
            }
        }

        #[test]
        fn f1_is_the_harmonic_mean((scores, labels) in cases()) {
            let c = Confusion::at(0.5, &scores, &labels).unwrap();
            let (p, r) = (c.precision(), c.recall());
            let mean = if p + r == 0.0 { 0.0 } else { 2.0 * p * r / (p + r) };
            prop_assert!((c.f1() - mean).abs() < 1e-12);
        }
    }
}
