//! What a base model is taught its task by: seeds, and texts that could have been written after them.

use crate::data::filters::{FilterConfig, Filters};
use crate::data::{Category, Label, Language, Origin, Row};
use crate::neural::Encoder;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A seed and a text to be written after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The seed.
    pub seed: Row,
    /// The text: a row of the same source and label.
    pub text: String,
    /// The text's language.
    pub language: Language,
    /// Whether it says the same in another language; else it is another row of the same language and categories.
    pub aligned: bool,
}

/// Nearest neighbours whose mean similarity tells how crowded a text's surroundings are.
const NEIGHBOURS: usize = 4;

/// How much nearer two texts must be to each other than their neighbours are.
pub const MARGIN: f32 = 1.05;

/// Seed sources that hold the same texts in several languages, by the key after `#`. In a source without
/// translations neighbours have margins as large, so that only reading tells.
pub const PARALLEL: [&str; 5] = [
    "cognitive-overload-advbench",
    "cyberseceval-frr",
    "multilingual-hatecheck",
    "vicuna-questions",
    "xquad",
];

/// Pairs to teach by, in random order, from rows to train on.
///
/// From sources whose key is among `parallel`: rows of the same label that say the same in two languages (see
/// [`align`]), in both directions. Beside them, as the share `same` of all pairs and as evenly over languages
/// and labels as there are rows: two rows of the same source, language, label and categories. Nothing
/// is taught that the filters of generated texts would drop, nor rows about the exploitation of children.
///
/// # Errors
/// [`Error::Invalid`] for a share outside 0 to 0.9; when a tensor operation fails.
pub fn teaching_pairs(
    rows: &[(Row, Origin)],
    encoder: &Encoder,
    parallel: &[&str],
    same: f64,
    seed: u64,
) -> Result<Vec<Pair>> {
    if !(0.0..=0.9).contains(&same) {
        return Err(Error::invalid("same", format!("the share is {same}"), "choose 0 to 0.9"));
    }
    let filters = Filters::new(FilterConfig::default(), [""; 0])?;
    let pair = |from: usize, to: usize, aligned: bool| {
        let (seed, to) = (&rows[from].0, &rows[to].0);
        let pair =
            Pair { seed: seed.clone(), text: to.text.clone(), language: to.language, aligned };
        let spared =
            [seed, to].iter().any(|row| row.categories.contains(&Category::ChildExploitation));
        let dropped = filters.reason(seed, &to.text, to.language).is_some();
        (!spared && !dropped).then_some(pair)
    };
    let mut pairs = Vec::new();
    let mut groups: BTreeMap<(&str, bool), BTreeMap<Language, Vec<usize>>> = BTreeMap::new();
    for (i, (row, origin)) in rows.iter().enumerate() {
        let key = origin.source.rsplit('#').next().unwrap_or_default();
        if parallel.contains(&key) {
            let group = groups.entry((key, row.label == Label::Unsafe)).or_default();
            group.entry(row.language).or_default().push(i);
        }
    }
    for group in groups.values() {
        let encode = |texts: &Vec<usize>| {
            let encoded = texts.par_iter().map(|&i| encoder.encode(&rows[i].0.text));
            encoded.collect::<Result<Vec<_>>>()
        };
        let vectors = group.values().map(encode).collect::<Result<Vec<_>>>()?;
        let languages: Vec<_> = group.values().zip(&vectors).collect();
        for (l, (left, a)) in languages.iter().enumerate() {
            for (right, b) in &languages[l + 1..] {
                for (i, j, _) in align(a, b)? {
                    pairs.extend(pair(left[i], right[j], true));
                    pairs.extend(pair(right[j], left[i], true));
                }
            }
        }
    }

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut alike: BTreeMap<(&str, Language, bool, &[Category]), Vec<usize>> = BTreeMap::new();
    for (i, (row, origin)) in rows.iter().enumerate() {
        let harmful = row.label == Label::Unsafe;
        let kind = (origin.source.as_str(), row.language, harmful, row.categories.as_slice());
        alike.entry(kind).or_default().push(i);
    }
    let kinds = 2 * Language::ALL.len();
    let each = (pairs.len() as f64 * same / (1.0 - same)) as usize / kinds;
    for language in Language::ALL {
        for harmful in [false, true] {
            let mut seeds: Vec<(usize, &Vec<usize>)> = alike
                .iter()
                .filter(|((_, l, h, _), _)| (*l, *h) == (language, harmful))
                .flat_map(|(_, others)| others.iter().map(move |&i| (i, others)))
                .collect();
            seeds.shuffle(&mut rng);
            // One try a seed: there are many.
            let found = seeds.into_iter().filter_map(|(i, others)| {
                let other = others[rng.random_range(0..others.len())];
                pair(i, other, false)
            });
            pairs.extend(found.take(each));
        }
    }
    pairs.shuffle(&mut rng);
    Ok(pairs)
}

/// The pairs `(i, j)` of texts that say the same, given by vectors of meaning, and their margins: each other's
/// best by the margin
///
/// 2 cos(a, b) / (mean cosine of a's nearest + mean cosine of b's nearest)
///
/// over 4 nearest neighbours on the other side, which is at least [`MARGIN`] (Artetxe and Schwenk, 2019).
///
/// # Errors
/// When a tensor operation fails.
pub fn align(a: &[Vec<f32>], b: &[Vec<f32>]) -> Result<Vec<(usize, usize, f32)>> {
    if a.is_empty() || b.is_empty() {
        return Ok(Vec::new());
    }
    let matrix = |rows: &[Vec<f32>]| {
        let unit = |row: &Vec<f32>| {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            row.iter().map(|x| x / length).collect::<Vec<_>>()
        };
        Tensor::from_vec(
            rows.iter().flat_map(unit).collect(),
            (rows.len(), rows[0].len()),
            &Device::Cpu,
        )
    };
    let mut near = matrix(a)?.matmul(&matrix(b)?.t()?)?.to_vec2::<f32>()?;
    let column = |j: usize, near: &[Vec<f32>]| near.iter().map(|row| row[j]).collect::<Vec<_>>();
    let rows: Vec<f32> = near.iter().map(|row| crowd(row.clone())).collect();
    let columns: Vec<f32> = (0..b.len()).map(|j| crowd(column(j, &near))).collect();
    for (row, mine) in near.iter_mut().zip(&rows) {
        row.iter_mut().zip(&columns).for_each(|(x, theirs)| *x *= 2.0 / (mine + theirs));
    }
    let best: Vec<Option<usize>> = (0..b.len()).map(|j| largest(&column(j, &near))).collect();
    let mutual = |(i, row): (usize, &Vec<f32>)| {
        let j = largest(row)?;
        (best[j] == Some(i) && row[j] >= MARGIN).then_some((i, j, row[j]))
    };
    Ok(near.iter().enumerate().filter_map(mutual).collect())
}

/// Mean of the largest few.
fn crowd(mut near: Vec<f32>) -> f32 {
    let count = NEIGHBOURS.min(near.len());
    near.sort_unstable_by(|x, y| y.total_cmp(x));
    near[..count].iter().sum::<f32>() / count as f32
}

fn largest(values: &[f32]) -> Option<usize> {
    (0..values.len()).max_by(|&i, &j| values[i].total_cmp(&values[j]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;
    use crate::neural::Guardrail;

    /// Rows of the corpus as one source that holds translations, and as one that does not.
    fn rows(step: usize) -> Vec<(Row, Origin)> {
        let origin = |i: usize| Origin {
            source: format!("corpus#{}", ["a", "b"][i % 2]),
            ..Origin::default()
        };
        embedded()
            .unwrap()
            .train
            .into_iter()
            .step_by(step)
            .enumerate()
            .map(|(i, row)| (row, origin(i)))
            .collect()
    }

    fn encoder() -> std::sync::Arc<Encoder> {
        Guardrail::shipped().unwrap().encoder().unwrap()
    }

    #[test]
    fn texts_that_say_the_same_find_each_other() {
        let texts = [
            ["Where is the nearest hospital?", "Wo ist das nächste Krankenhaus?"],
            [
                "My brother stole a car last night.",
                "Mein Bruder hat gestern Nacht ein Auto gestohlen.",
            ],
            ["Write a poem about the sea.", "Schreibe ein Gedicht über das Meer."],
            ["How long does it take to cook an egg?", "Wie lange dauert es, ein Ei zu kochen?"],
            [
                "The president gave a speech on the economy.",
                "Der Präsident hielt eine Rede über die Wirtschaft.",
            ],
            [
                "Which team won the football match?",
                "Welche Mannschaft hat das Fußballspiel gewonnen?",
            ],
        ];
        let encoder = encoder();
        let encode = |text: &str| encoder.encode(text).unwrap();
        let english: Vec<_> = texts.iter().map(|[text, _]| encode(text)).collect();
        // In another order, and one text more that says nothing of the kind.
        let mut german: Vec<_> = texts.iter().rev().map(|[_, text]| encode(text)).collect();
        german.push(encode("Die Katze schläft."));
        let found: Vec<_> = align(&english, &german).unwrap().iter().map(|p| (p.0, p.1)).collect();
        assert_eq!(found, (0..6).map(|i| (i, 5 - i)).collect::<Vec<_>>());
        assert!(align(&english, &[]).unwrap().is_empty());
        assert!(align(&[], &german).unwrap().is_empty());
    }

    #[test]
    fn pairs_keep_label_and_source_and_pass_the_filters() {
        let rows = rows(7);
        let encoder = encoder();
        let pairs = teaching_pairs(&rows, &encoder, &["a"], 0.25, 3).unwrap();
        assert_eq!(pairs, teaching_pairs(&rows, &encoder, &["a"], 0.25, 3).unwrap());
        assert_ne!(pairs, teaching_pairs(&rows, &encoder, &["a"], 0.25, 4).unwrap());
        let of = |text: &str| rows.iter().find(|(row, _)| row.text == text).unwrap();
        let filters = Filters::new(FilterConfig::default(), [""; 0]).unwrap();
        for pair in &pairs {
            let ((seed, from), (text, to)) = (of(&pair.seed.text), of(&pair.text));
            assert_eq!((seed, text.language), (&pair.seed, pair.language));
            assert_eq!((from, seed.label), (to, text.label));
            assert_eq!(seed.language == text.language, !pair.aligned);
            assert!(if pair.aligned {
                from.source == "corpus#a"
            } else {
                seed.categories == text.categories
            });
            assert_eq!(filters.reason(seed, &text.text, text.language), None);
            assert!(!seed.categories.contains(&Category::ChildExploitation));
        }
        // An aligned pair stands in both directions.
        let (aligned, same): (Vec<_>, Vec<_>) = pairs.iter().partition(|pair| pair.aligned);
        assert!(aligned.len() > 50, "{}", aligned.len());
        for pair in &aligned {
            assert!(aligned.iter().any(|p| p.text == pair.seed.text && p.seed.text == pair.text));
        }
        let share = same.len() as f64 / pairs.len() as f64;
        assert!(share <= 0.25 && share > 0.2, "{share}");
        let alone = teaching_pairs(&rows, &encoder, &["a"], 0.0, 3).unwrap();
        assert!(alone.len() == aligned.len() && alone.iter().all(|pair| pair.aligned));
        assert!(teaching_pairs(&rows, &encoder, &[], 0.25, 3).unwrap().is_empty());
        assert!(teaching_pairs(&rows, &encoder, &["a"], 1.0, 3).is_err());
    }
}
