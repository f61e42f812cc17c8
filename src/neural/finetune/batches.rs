//! Rows as the training reads them, and which of them go together.

use crate::data::{Label, Language, Row};
use crate::neural::classifier::Classifier;
use crate::neural::loss::Target;
use crate::{Error, Result};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// A row: its tokens, what they should give, how much that counts.
pub(super) struct Example {
    pub ids: Vec<u32>,
    pub target: Target,
    pub language: Language,
    pub weight: f32,
}

pub(super) fn examples(
    classifier: &Classifier,
    rows: &[Row],
    weights: &[f32],
) -> Result<Vec<Example>> {
    let example = |(i, (row, &weight)): (usize, (&Row, &f32))| {
        let (ids, _) =
            classifier.encode(&row.text).map_err(|e| Error::within(e, &format!("row {i}")))?;
        Ok(Example { ids, target: Target::of(row), language: row.language, weight })
    };
    rows.iter().zip(weights).enumerate().map(example).collect()
}

/// Weights of mean 1: within each language, unsafe rows together count `unsafe_odds` times as much as
/// safe ones (their numbers decide when `None`); each language's rows together count in proportion
/// to their number to the power 1 − `balance`, so that at 1 every language counts the same.
pub fn row_weights(rows: &[Row], unsafe_odds: Option<f64>, balance: f64) -> Vec<f32> {
    let cell = |row: &Row| (row.language as usize, usize::from(row.label == Label::Unsafe));
    let mut counts = [[0_usize; 2]; Language::ALL.len()];
    for row in rows {
        let (language, label) = cell(row);
        counts[language][label] += 1;
    }
    let sizes = counts.map(|both| (both[0] + both[1]) as f64);
    let share = sizes.map(|n| if n > 0.0 { n.powf(1.0 - balance) } else { 0.0 });
    let total: f64 = share.iter().sum();
    let weight = |row: &Row| {
        let (language, label) = cell(row);
        let both = counts[language].map(|n| n as f64);
        let of_label = match unsafe_odds {
            Some(odds) if !counts[language].contains(&0) => {
                [1.0, odds][label] / (1.0 + odds) * sizes[language] / both[label]
            }
            _ => 1.0,
        };
        let of_language = share[language] / total * rows.len() as f64 / sizes[language];
        (of_language * of_label) as f32
    };
    rows.iter().map(weight).collect()
}

/// Indices in batches, shortest first, each of at most `budget` slots: sequences times the longest of
/// them. A sequence longer than that is a batch of its own.
pub fn by_length(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&i| lengths[i]);
    cut(&order, lengths, budget)
}

/// The same, but where there is less than a batch for every worker each has some.
pub(in crate::neural) fn shared(
    lengths: &[usize],
    budget: usize,
    workers: usize,
) -> Vec<Vec<usize>> {
    let slots: usize = lengths.iter().sum();
    by_length(lengths, budget.min(slots.div_ceil(workers)))
}

fn cut(order: &[usize], lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for &i in order {
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * lengths[i] <= budget => batch.push(i),
            _ => batches.push(vec![i]),
        }
    }
    batches
}

/// The batches of one epoch: rows of like lengths together, otherwise at random, in random order. Seed
/// and epoch settle it.
pub(in crate::neural) fn epoch(
    lengths: &[usize],
    budget: usize,
    seed: u64,
    epoch: usize,
) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1 + epoch as u64);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.shuffle(&mut rng);
    order.sort_by_key(|&i| lengths[i]); // stable: equal lengths stay shuffled
    let mut batches = cut(&order, lengths, budget);
    batches.shuffle(&mut rng);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_is_in_one_batch_within_the_budget(
            lengths in prop::collection::vec(1_usize..50, 0..80),
            budget in 1_usize..200,
            seed: u64,
        ) {
            for batches in [by_length(&lengths, budget), epoch(&lengths, budget, seed, 3)] {
                let mut all: Vec<usize> = batches.concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
                for batch in &batches {
                    let longest = batch.iter().map(|&i| lengths[i]).max().unwrap();
                    prop_assert!(batch.len() == 1 || batch.len() * longest <= budget);
                }
            }
        }
    }

    #[test]
    fn epochs_differ_and_come_again() {
        let lengths: Vec<usize> = (0..60).map(|i| 1 + i % 7).collect();
        assert_eq!(epoch(&lengths, 20, 1, 0), epoch(&lengths, 20, 1, 0));
        assert_ne!(epoch(&lengths, 20, 1, 0), epoch(&lengths, 20, 1, 1));
        assert_ne!(epoch(&lengths, 20, 1, 0), epoch(&lengths, 20, 2, 0));
    }

    #[test]
    fn weights_have_mean_1_and_the_shares_asked_for() {
        let kinds = [(Language::En, Label::Safe, 6), (Language::En, Label::Unsafe, 2)];
        let more = [(Language::Fr, Label::Safe, 1), (Language::Fr, Label::Unsafe, 3)];
        let row = |(language, label, n)| {
            vec![Row { text: "x".into(), language, label, categories: vec![] }; n]
        };
        let rows: Vec<Row> = kinds.into_iter().chain(more).flat_map(row).collect();
        let sum = |w: &[f32], language, label: Option<Label>| -> f32 {
            let wanted = |r: &Row| r.language == language && label.is_none_or(|l| l == r.label);
            rows.iter().zip(w).filter(|(r, _)| wanted(r)).map(|(_, w)| w).sum()
        };
        for balance in [0.0, 0.5, 1.0] {
            for odds in [None, Some(2.0)] {
                let w = row_weights(&rows, odds, balance);
                assert!((w.iter().sum::<f32>() - 12.0).abs() < 1e-5);
                let ratio = sum(&w, Language::En, None) / sum(&w, Language::Fr, None);
                assert!((ratio - 2_f32.powf(1.0 - balance as f32)).abs() < 1e-5);
                if let Some(odds) = odds {
                    let unsafe_ = sum(&w, Language::Fr, Some(Label::Unsafe));
                    let safe = sum(&w, Language::Fr, Some(Label::Safe));
                    assert!((unsafe_ / safe - odds as f32).abs() < 1e-5);
                }
            }
        }
        assert!(row_weights(&rows, None, 0.0).iter().all(|&w| (w - 1.0).abs() < 1e-6));
    }
}
