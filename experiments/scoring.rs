//! What the experiments on many small classifiers share: training and scores.

use crate::Context;
use crate::contenders::{self, EMBEDDED, EMBEDDED_NOTE, Set, THRESHOLD};
use nashguard::Result;
use nashguard::data::{Benchmark, Language, Seeds};
use nashguard::metrics::{Confusion, auroc};
use nashguard::neural::{Guardrail, GuardrailConfig};
use nashguard::report::Cell;
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::sync::Arc;

/// What was scored on, in a note.
pub fn sets_note(sets: &[Arc<Set>]) -> String {
    let texts: usize = sets.iter().map(|s| s.texts.len()).sum();
    match sets.iter().any(|s| s.benchmark.is_some()) {
        true => {
            let released: usize =
                sets.iter().filter_map(|s| s.benchmark.map(|b| b.released_rows(s.language))).sum();
            format!(
                "Scored on {texts} of the {released} released benchmark rows. F1 at threshold \
                 {THRESHOLD}, mean over six benchmarks; false-positive rate (FPR) and AUROC, which no \
                 threshold enters, mean over the five with both classes. No benchmark row was trained, \
                 tuned or selected on."
            )
        }
        false => format!(
            "No benchmark was given: scored on {texts} held-out texts of the embedded corpus, which \
             are easy. F1 at threshold {THRESHOLD}. Give --data for the benchmarks."
        ),
    }
}

/// The n-gram guardrail of table1, with fewer passes so that many can be trained.
pub fn config(context: &Context) -> GuardrailConfig {
    GuardrailConfig { epochs: context.scale.pick(1, 2, 6), ..GuardrailConfig::default() }
}

/// How it is trained, in a note.
pub fn config_note(config: &GuardrailConfig, source: &str) -> String {
    let f = config.features;
    let note = if source == EMBEDDED { EMBEDDED_NOTE } else { "" };
    format!(
        "The classifier is the n-gram guardrail without an encoder, trained on the {source}: hashed character {}- \
         to {}-grams and word 1- to {}-grams, {} buckets, 12 sigmoid outputs, {} passes (table1's has {}), settings \
         fixed beforehand.{note}",
        f.char_min,
        f.char_max,
        f.word_max,
        f.buckets,
        config.epochs,
        GuardrailConfig::default().epochs
    )
}

/// A claim that a run without its data prints as one not tested.
pub fn claim(tested: bool, claim: &str) -> String {
    if tested { claim.to_owned() } else { format!("(Not tested here, for want of data.) {claim}") }
}

/// Trains with a progress bar.
pub fn train(
    context: &Context,
    what: &str,
    config: GuardrailConfig,
    seeds: &Seeds,
    seed: u64,
) -> Result<Guardrail> {
    let bar = context.progress(&format!("training: {what}"), 1);
    let guardrail = Guardrail::train(config, seeds, seed, &mut |step| {
        bar.set_length(step.total as u64);
        bar.set_position(step.done as u64);
    })?;
    bar.finish_and_clear();
    Ok(guardrail)
}

/// A classifier's figures on one test set, in percent.
#[derive(Clone, Copy)]
pub struct Score {
    pub f1: f64,
    /// `None` without safe texts.
    pub fpr: Option<f64>,
    /// `None` unless both classes are there.
    pub auroc: Option<f64>,
}

/// The figures of every set.
pub fn scores(guardrail: &Guardrail, sets: &[Arc<Set>]) -> Result<Vec<Score>> {
    sets.iter()
        .map(|set| {
            let texts: Vec<&str> = set.texts.iter().map(String::as_str).collect();
            score(&guardrail.scores(&texts)?, &set.truth)
        })
        .collect()
}

/// The figures of texts' scores.
pub fn score(scores: &[f32], labels: &[bool]) -> Result<Score> {
    let confusion = Confusion::at(THRESHOLD, scores, labels)?;
    Ok(Score {
        f1: 100.0 * confusion.f1(),
        fpr: confusion.false_positive_rate().map(|v| 100.0 * v),
        auroc: auroc(scores, labels)?.map(|v| 100.0 * v),
    })
}

/// Means over the sets of one language: of F1 over all, of the others over those that have them.
pub fn means(sets: &[Arc<Set>], scores: &[Score], language: Language) -> Score {
    let of = || sets.iter().zip(scores).filter(|(s, _)| s.language == language).map(|(_, s)| s);
    Score {
        f1: mean(of().map(|s| s.f1)).unwrap_or(0.0),
        fpr: mean(of().filter_map(|s| s.fpr)),
        auroc: mean(of().filter_map(|s| s.auroc)),
    }
}

/// A figure of one classifier in one language, from its scores on all sets.
pub type Value<'a> = Box<dyn Fn(&[Score], Language) -> Option<f64> + 'a>;

pub const XSTEST_FPR: &str = "XSTest FPR";

/// The figures that classifiers are compared by.
pub fn figures(sets: &[Arc<Set>]) -> [(&'static str, Value<'_>); 4] {
    let xstest = |scores: &[Score], language: Language| {
        let of = |s: &Arc<Set>| s.benchmark == Some(Benchmark::XsTest) && s.language == language;
        sets.iter().position(of).and_then(|i| scores[i].fpr)
    };
    [
        ("F1", Box::new(|s, l| Some(means(sets, s, l).f1))),
        ("AUROC", Box::new(|s, l| means(sets, s, l).auroc)),
        ("FPR", Box::new(|s, l| means(sets, s, l).fpr)),
        (XSTEST_FPR, Box::new(xstest)),
    ]
}

/// The mean, of something.
pub fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(n, sum), v| (n + 1, sum + v));
    (count > 0).then(|| sum / f64::from(count))
}

/// A number, or what stands where there is none.
pub fn cell(value: Option<f64>) -> Cell {
    contenders::cell(value, "-")
}

/// The mean, and half the width of its 95% interval by Student's t when there are two values or more.
pub fn spread(values: &[f64]) -> (Option<f64>, Option<f64>) {
    let n = values.len() as f64;
    let Some(middle) = mean(values.iter().copied()) else { return (None, None) };
    let half = StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|t| {
        let variance = values.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / (n - 1.0);
        t.inverse_cdf(0.975) * (variance / n).sqrt()
    });
    (Some(middle), half)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean 2, deviation 1, t of two degrees of freedom 4.3027.
    #[test]
    fn the_interval_is_students() {
        let (middle, half) = spread(&[1.0, 2.0, 3.0]);
        assert_eq!(middle, Some(2.0));
        assert!((half.unwrap() - 4.302_653 / 3_f64.sqrt()).abs() < 1e-5);
        assert_eq!(spread(&[1.0]), (Some(1.0), None));
        assert_eq!(spread(&[]), (None, None));
    }
}
