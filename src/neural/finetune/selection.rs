//! Which seed rows a run trains on, and which it keeps apart.

use crate::data::{Language, Origin, Row, Seeds};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rules by which seed rows are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Languages trained on; all when empty.
    pub languages: Vec<Language>,
    /// Rows of these licences only, to the letter; all when absent.
    pub licences: Option<Vec<String>>,
    /// Sources (by the key after the `#`) that are kept out of training and validation.
    pub held_out: Vec<String>,
    /// Rows for training at most of each source, language and label; all when absent.
    pub per_group: Option<usize>,
    /// Rows for validation at most, chosen at random; all when absent.
    pub validation: Option<usize>,
}

/// What was chosen.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Rows to train and to choose on.
    pub seeds: Seeds,
    /// Where each row to train on comes from.
    pub origins: Vec<Origin>,
    /// Rows of the sources held out, by source, each of `per_group` rows of a language and label.
    pub held_out: BTreeMap<String, Vec<Row>>,
    /// Training rows by source.
    pub sources: BTreeMap<String, usize>,
}

impl Selection {
    /// Chooses among training and validation rows; the seed settles what a bound leaves out.
    pub fn choose(
        &self,
        train: Vec<(Row, Origin)>,
        validation: Vec<(Row, Origin)>,
        seed: u64,
    ) -> Selected {
        let key = |origin: &Origin| match origin.source.split_once('#') {
            Some((_, key)) => key.to_owned(),
            None => origin.source.clone(),
        };
        let wanted = |row: &Row, origin: &Origin| {
            (self.languages.is_empty() || self.languages.contains(&row.language))
                && self.licences.as_ref().is_none_or(|l| l.contains(&origin.licence))
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut shuffled = |mut rows: Vec<(Row, Origin)>| {
            rows.shuffle(&mut rng);
            rows
        };
        let (mut train, validation) = (shuffled(train), shuffled(validation));
        let mut apart: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let mut kept = Vec::new();
        for (row, origin) in validation {
            let key = key(&origin);
            if self.held_out.contains(&key) {
                train.push((row, origin));
            } else if wanted(&row, &origin) {
                kept.push(row);
            }
        }
        kept.truncate(self.validation.unwrap_or(usize::MAX));
        let mut counts: BTreeMap<(String, Language, bool), usize> = BTreeMap::new();
        let mut sources: BTreeMap<String, usize> = BTreeMap::new();
        let (mut chosen, mut origins) = (Vec::new(), Vec::new());
        for (row, origin) in train {
            let key = key(&origin);
            let out = self.held_out.contains(&key);
            if !out && !wanted(&row, &origin) {
                continue;
            }
            let label = row.label == crate::data::Label::Unsafe;
            let count = counts.entry((key.clone(), row.language, label)).or_default();
            *count += 1;
            if *count > self.per_group.unwrap_or(usize::MAX) {
                continue;
            }
            if out {
                apart.entry(key).or_default().push(row);
            } else {
                *sources.entry(key).or_default() += 1;
                chosen.push(row);
                origins.push(origin);
            }
        }
        let seeds = Seeds { train: chosen, validation: kept };
        Selected { seeds, origins, held_out: apart, sources }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Label;

    fn rows(source: &str, licence: &str, language: Language, count: usize) -> Vec<(Row, Origin)> {
        let row = |i: usize| {
            let label = if i.is_multiple_of(2) { Label::Safe } else { Label::Unsafe };
            let row = Row { text: format!("{source} {i}"), language, label, categories: vec![] };
            let source = format!("somebody/something#{source}");
            (row, Origin { source, licence: licence.into(), ..Origin::default() })
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn rows_are_chosen_by_licence_language_and_source() {
        let all = [
            rows("a", "MIT", Language::En, 20),
            rows("b", "MIT", Language::Fr, 20),
            rows("c", "not stated", Language::En, 20),
            rows("out", "MIT", Language::En, 20),
        ]
        .concat();
        let some = Selection {
            languages: vec![Language::En],
            licences: Some(vec!["MIT".into()]),
            held_out: vec!["out".into()],
            per_group: Some(4),
            validation: Some(5),
        };
        let chosen = some.choose(all.clone(), all.clone(), 1);
        assert_eq!(chosen.sources, BTreeMap::from([("a".into(), 8)]));
        assert_eq!((chosen.seeds.train.len(), chosen.seeds.validation.len()), (8, 5));
        assert!(chosen.seeds.train.iter().all(|row| row.text.starts_with("a ")));
        assert!(chosen.seeds.validation.iter().all(|row| row.text.starts_with("a ")));
        assert_eq!(chosen.held_out["out"].len(), 8);
        assert_eq!(some.choose(all.clone(), all.clone(), 1).seeds.train, chosen.seeds.train);
        assert_ne!(some.choose(all.clone(), all.clone(), 2).seeds.train, chosen.seeds.train);

        let everything = Selection::default().choose(all.clone(), all.clone(), 1);
        assert_eq!(everything.seeds.train.len(), all.len());
        assert!(everything.held_out.is_empty());
    }
}
