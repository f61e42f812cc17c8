//! Whether scores can be read as chances: of the texts scored 0.8, is about 80% unsafe?

use super::{check, groups};
use crate::{Error, Result};

/// Rows of like scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// How many, at least one.
    pub rows: usize,
    /// Their mean score.
    pub score: f64,
    /// Share of them that is unsafe.
    pub positives: f64,
}

/// Rows by score in `bins` intervals of equal width over 0..=1, those without rows left out, lowest first.
///
/// # Errors
/// [`Error::Invalid`] when the lengths differ, a score is outside 0..=1, or `bins` is 0.
pub fn equal_width(scores: &[f32], labels: &[bool], bins: usize) -> Result<Vec<Bin>> {
    let last = positive(bins)? - 1;
    let index = |score: f32, _| ((f64::from(score) * bins as f64) as usize).min(last);
    binned(scores, labels, index)
}

/// Rows by score in up to `bins` bins of about equally many rows, lowest first; equal scores stay
/// together.
///
/// # Errors
/// As [`equal_width`].
pub fn equal_mass(scores: &[f32], labels: &[bool], bins: usize) -> Result<Vec<Bin>> {
    let last = positive(bins)? - 1;
    let rows = scores.len();
    binned(scores, labels, |_, below| (below * bins / rows.max(1)).min(last))
}

fn positive(bins: usize) -> Result<usize> {
    match bins {
        0 => Err(Error::invalid("bins", "there are none", "choose at least 1")),
        bins => Ok(bins),
    }
}

/// Bins by an index that grows with the score; it is told how many rows score below.
fn binned(
    scores: &[f32],
    labels: &[bool],
    index: impl Fn(f32, usize) -> usize,
) -> Result<Vec<Bin>> {
    unit(scores, labels)?;
    let mut sums: Vec<(usize, Bin)> = Vec::new();
    let mut below = 0;
    for group in groups(scores, labels)?.iter().rev() {
        let rows = group.positives + group.negatives;
        let at = index(group.score, below);
        below += rows;
        let more = (f64::from(group.score) * rows as f64, group.positives as f64);
        match sums.last_mut() {
            Some((place, bin)) if *place == at => {
                bin.rows += rows;
                bin.score += more.0;
                bin.positives += more.1;
            }
            _ => sums.push((at, Bin { rows, score: more.0, positives: more.1 })),
        }
    }
    let mean = |(_, bin): (usize, Bin)| {
        let n = bin.rows as f64;
        Bin { score: bin.score / n, positives: bin.positives / n, ..bin }
    };
    Ok(sums.into_iter().map(mean).collect())
}

/// Expected calibration error (Naeini et al., 2015): the mean over rows of their bin's |share unsafe −
/// mean score|, a fraction in 0..=1; `None` without rows.
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let rows: usize = bins.iter().map(|b| b.rows).sum();
    let sum: f64 = bins.iter().map(|b| b.rows as f64 * (b.positives - b.score).abs()).sum();
    (rows > 0).then(|| sum / rows as f64)
}

/// Brier's score (1950): the mean of (score − label)², in 0..=1, smaller is better; `None` without rows.
///
/// # Errors
/// As [`equal_width`].
pub fn brier(scores: &[f32], labels: &[bool]) -> Result<Option<f64>> {
    unit(scores, labels)?;
    let square = |(&s, &y): (&f32, &bool)| (f64::from(s) - f64::from(u8::from(y))).powi(2);
    let sum: f64 = scores.iter().zip(labels).map(square).sum();
    Ok((!scores.is_empty()).then(|| sum / scores.len() as f64))
}

fn unit(scores: &[f32], labels: &[bool]) -> Result<()> {
    check(scores, labels)?;
    match scores.iter().position(|s| !(0.0..=1.0).contains(s)) {
        None => Ok(()),
        Some(i) => Err(Error::invalid(
            format!("scores[{i}]"),
            format!("{} is not a probability", scores[i]),
            "give scores in 0 to 1",
        )),
    }
}

/// A recalibration: score p becomes sigmoid(slope · logit p + offset). It keeps the order of scores when
/// the slope is positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// 1 / temperature.
    pub slope: f64,
    /// 0 for temperature scaling.
    pub offset: f64,
}

/// Scores this near to 0 or 1 count as this.
const EDGE: f64 = 1e-7;

impl Scaling {
    /// Scores as they are.
    pub const NONE: Self = Self { slope: 1.0, offset: 0.0 };

    /// Temperature scaling (Guo et al., 2017): the slope of the least cross-entropy.
    ///
    /// # Errors
    /// [`Error::Invalid`] for scores outside 0..=1, different lengths, or rows without both labels.
    pub fn temperature(scores: &[f32], labels: &[bool]) -> Result<Self> {
        fit(scores, labels, false)
    }

    /// Platt scaling (Platt, 1999), with his targets (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2) instead of 1 and
    /// 0, so that the fit exists where a score separates the labels; temperature scaling uses them too.
    ///
    /// # Errors
    /// As [`Scaling::temperature`].
    pub fn platt(scores: &[f32], labels: &[bool]) -> Result<Self> {
        fit(scores, labels, true)
    }

    /// The recalibrated score.
    pub fn apply(&self, score: f32) -> f32 {
        match *self == Self::NONE {
            true => score,
            false => sigmoid(self.slope * logit(score) + self.offset) as f32,
        }
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn logit(score: f32) -> f64 {
    let p = f64::from(score).clamp(EDGE, 1.0 - EDGE);
    (p / (1.0 - p)).ln()
}

/// Newton's method with halved steps on the cross-entropy, which is convex (Lin, Lin and Weng, 2007).
fn fit(scores: &[f32], labels: &[bool], offset: bool) -> Result<Scaling> {
    unit(scores, labels)?;
    let positives = labels.iter().filter(|&&y| y).count();
    if positives == 0 || positives == labels.len() {
        let remedy = "calibrate on rows of both labels";
        return Err(Error::invalid("labels", "they are all the same", remedy));
    }
    let negatives = labels.len() - positives;
    let targets =
        [1.0 / (negatives as f64 + 2.0), (positives as f64 + 1.0) / (positives as f64 + 2.0)];
    let rows: Vec<(f64, f64)> =
        scores.iter().zip(labels).map(|(&s, &y)| (logit(s), targets[usize::from(y)])).collect();
    let loss = |s: Scaling| -> f64 {
        // ln(1 + exp z) − t z, in the form that does not overflow.
        let one = |&(x, t): &(f64, f64)| {
            let z = s.slope * x + s.offset;
            z.max(0.0) + (-z.abs()).exp().ln_1p() - t * z
        };
        rows.iter().map(one).sum()
    };
    let mut best = Scaling::NONE;
    let mut least = loss(best);
    for _ in 0..100 {
        // Gradient and Hessian; the small ridge keeps the system solvable.
        let (mut g, mut h) = ([0.0; 2], [1e-9, 0.0, 1e-9]);
        for &(x, t) in &rows {
            let p = sigmoid(best.slope * x + best.offset);
            let w = p * (1.0 - p);
            g[0] += (p - t) * x;
            g[1] += p - t;
            h[0] += w * x * x;
            h[1] += w * x;
            h[2] += w;
        }
        if !offset {
            (g[1], h[1], h[2]) = (0.0, 0.0, 1.0);
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        let step =
            [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
        let at = |size: f64| Scaling {
            slope: best.slope - size * step[0],
            offset: best.offset - size * step[1],
        };
        let better = (0..40).map(|k| at(0.5_f64.powi(k))).find(|&s| loss(s) < least);
        let Some(better) = better else { break };
        (best, least) = (better, loss(better));
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cases() -> impl Strategy<Value = (Vec<f32>, Vec<bool>)> {
        prop::collection::vec((0.0..=1.0_f32, any::<bool>()), 2..60)
            .prop_map(|rows| rows.into_iter().unzip())
            .prop_filter("both labels", |(_, y): &(Vec<f32>, Vec<bool>)| {
                y.contains(&true) && y.contains(&false)
            })
    }

    #[test]
    fn by_hand() {
        let (scores, labels) = ([0.1, 0.3, 0.6, 0.6, 1.0], [false, true, false, true, true]);
        let bins = equal_width(&scores, &labels, 2).unwrap();
        assert_eq!((bins.len(), bins[0].rows, bins[1].rows), (2, 2, 3));
        assert!((bins[0].score - 0.2).abs() < 1e-7 && bins[0].positives == 0.5);
        let gap = (2.0 * 0.3 + 3.0 * (2.2 / 3.0 - 2.0 / 3.0)) / 5.0;
        assert!((calibration_error(&bins).unwrap() - gap).abs() < 1e-7);
        let squares = 0.01 + 0.49 + 0.36 + 0.16;
        assert!((brier(&scores, &labels).unwrap().unwrap() - squares / 5.0).abs() < 1e-7);
        assert_eq!(equal_mass(&[0.5; 4], &[true; 4], 3).unwrap().len(), 1);
        assert_eq!((calibration_error(&[]), brier(&[], &[]).unwrap()), (None, None));
        assert!(equal_width(&[1.5], &[true], 2).is_err());
        assert!(equal_mass(&[0.5], &[true], 0).is_err());
        assert!(Scaling::platt(&[0.5], &[true]).is_err());
    }

    /// Labels of frequency sigmoid(2 logit p - 1) at score p: the fit finds 2 and -1.
    #[test]
    fn a_known_distortion_is_found_and_undone() {
        let truth = Scaling { slope: 2.0, offset: -1.0 };
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for i in 1..40 {
            let score = i as f32 / 40.0;
            let hits = (1000.0 * truth.apply(score)).round() as usize;
            for k in 0..1000 {
                scores.push(score);
                labels.push(k < hits);
            }
        }
        let found = Scaling::platt(&scores, &labels).unwrap();
        assert!((found.slope - 2.0).abs() < 0.01 && (found.offset + 1.0).abs() < 0.01);
        let error =
            |scores: &[f32]| calibration_error(&equal_mass(scores, &labels, 15).unwrap()).unwrap();
        let calibrated: Vec<f32> = scores.iter().map(|&s| found.apply(s)).collect();
        assert!(error(&scores) > 0.1 && error(&calibrated) < 0.002);
        let temperature = Scaling::temperature(&scores, &labels).unwrap();
        assert_eq!(temperature.offset, 0.0);
        assert!(temperature.slope > 1.0);
    }

    #[test]
    fn a_separating_score_has_a_finite_fit() {
        let found = Scaling::platt(&[0.0, 0.2, 0.8, 1.0], &[false, false, true, true]).unwrap();
        assert!(found.slope.is_finite() && found.slope > 0.0 && found.offset.is_finite());
    }

    proptest! {
        #[test]
        fn bins_hold_every_row_once((scores, labels) in cases(), bins in 1..20_usize) {
            for binned in [equal_width, equal_mass] {
                let found = binned(&scores, &labels, bins).unwrap();
                prop_assert!(found.len() <= bins);
                prop_assert!(found.windows(2).all(|b| b[0].score < b[1].score));
                prop_assert_eq!(found.iter().map(|b| b.rows).sum::<usize>(), scores.len());
                let positives: f64 = found.iter().map(|b| b.positives * b.rows as f64).sum();
                let unsafe_rows = labels.iter().filter(|&&y| y).count() as f64;
                prop_assert!((positives - unsafe_rows).abs() < 1e-9);
                let error = calibration_error(&found).unwrap();
                prop_assert!((0.0..=1.0).contains(&error));
            }
        }

        /// Where the fit ends, the cross-entropy's derivatives vanish: calibrated scores have the
        /// targets' mean, and so does their product with the logit.
        #[test]
        fn the_fit_is_stationary((scores, labels) in cases()) {
            let found = Scaling::platt(&scores, &labels).unwrap();
            let positives = labels.iter().filter(|&&y| y).count() as f64;
            let negatives = labels.len() as f64 - positives;
            let (mut slope, mut offset, mut size) = (0.0, 0.0, 0.0);
            for (&s, &y) in scores.iter().zip(&labels) {
                let target = if y { (positives + 1.0) / (positives + 2.0) } else { 1.0 / (negatives + 2.0) };
                let residual = sigmoid(found.slope * logit(s) + found.offset) - target;
                slope += residual * logit(s);
                offset += residual;
                size += logit(s).abs();
            }
            prop_assert!(offset.abs() < 1e-4 * labels.len() as f64, "{offset}");
            prop_assert!(slope.abs() < 1e-4 * (size + 1.0), "{slope}");
        }
    }
}
