//! The seed corpus built into the crate: templates and word lists in four languages.

use super::{Category, Label, Language, Row, Seeds};
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const FILES: [(Language, &str, &str); 4] = [
    (Language::En, "en.toml", include_str!("corpus/en.toml")),
    (Language::Fr, "fr.toml", include_str!("corpus/fr.toml")),
    (Language::Es, "es.toml", include_str!("corpus/es.toml")),
    (Language::De, "de.toml", include_str!("corpus/de.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    group: Vec<Group>,
}

/// Templates of one kind; a template stands for one text per filler of each `{placeholder}`.
#[derive(Deserialize)]
struct Group {
    label: Label,
    #[serde(default)]
    categories: Vec<Category>,
    train: Vec<String>,
    held_out: Vec<String>,
    #[serde(flatten)]
    fillers: BTreeMap<String, Vec<String>>,
}

/// The built-in seeds: a few thousand short texts in four languages, safe and unsafe, written for
/// this crate.
///
/// The unsafe texts name harms and explain none; each category has safe twins on the same subject.
/// The validation rows come from templates that no training row uses, filled with the same words.
/// The same texts in the same order every time; no text occurs twice.
///
/// # Errors
/// [`Error::Invalid`] naming the language file and group when a corpus file is malformed: a defect
/// of this crate.
pub fn embedded() -> Result<Seeds> {
    expand(&FILES)
}

fn expand(files: &[(Language, &str, &str)]) -> Result<Seeds> {
    let mut seeds = Seeds { train: Vec::new(), validation: Vec::new() };
    let mut seen = HashSet::new();
    for &(language, file, source) in files {
        let corpus: Corpus = toml::from_str(source)
            .map_err(|e| Error::invalid(file, e.message(), "correct the file"))?;
        for (index, group) in corpus.group.into_iter().enumerate() {
            // Counted from 1, as one does in the file.
            let place = format!("{file} group {}", index + 1);
            let (train, validation) =
                group.texts().map_err(|e| Error::invalid(&place, e, "correct the group"))?;
            for (rows, texts) in [(&mut seeds.train, train), (&mut seeds.validation, validation)] {
                for text in texts {
                    if seen.insert(text.clone()) {
                        let row = Row::new(text, language, group.label, group.categories.clone());
                        rows.push(row.map_err(|e| e.within(&place))?);
                    }
                }
            }
        }
    }
    Ok(seeds)
}

impl Group {
    /// The training and the held-out texts.
    fn texts(&self) -> Result<(Vec<String>, Vec<String>), String> {
        let mut unused: BTreeSet<&str> = self.fillers.keys().map(String::as_str).collect();
        let mut expand = |templates: &[String]| {
            let mut texts = Vec::new();
            for template in templates {
                let mut partial = vec![template.clone()];
                for piece in template.split('{').skip(1) {
                    let Some((name, _)) = piece.split_once('}') else {
                        return Err(format!("a brace of `{template}` is not closed"));
                    };
                    let Some(fillers) = self.fillers.get(name) else {
                        return Err(format!("`{template}` has no fillers for `{name}`"));
                    };
                    unused.remove(name);
                    let slot = format!("{{{name}}}");
                    partial = partial
                        .iter()
                        .flat_map(|text| fillers.iter().map(|filler| text.replace(&slot, filler)))
                        .collect();
                }
                texts.append(&mut partial);
            }
            Ok(texts)
        };
        let texts = (expand(&self.train)?, expand(&self.held_out)?);
        match unused.first() {
            Some(name) => Err(format!("no template uses the fillers `{name}`")),
            None => Ok(texts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand_one(source: &str) -> Result<Seeds> {
        expand(&[(Language::Fr, "fr.toml", source)])
    }

    #[test]
    fn templates_are_filled_with_every_combination() {
        let seeds = expand_one(
            r#"
            [[group]]
            label = "unsafe"
            categories = ["hate"]
            train = ["{x} and {y}, {x}", "plain", "plain"]
            held_out = ["only {y}"]
            x = ["a", "b"]
            y = ["c", "d"]
            "#,
        )
        .unwrap();
        let texts = |rows: &[Row]| rows.iter().map(|r| r.text.clone()).collect::<Vec<_>>();
        assert_eq!(
            texts(&seeds.train),
            ["a and c, a", "a and d, a", "b and c, b", "b and d, b", "plain"]
        );
        assert_eq!(texts(&seeds.validation), ["only c", "only d"]);
        assert!(seeds.train.iter().all(|r| r.categories == [Category::Hate]));
        assert!(seeds.train.iter().all(|r| r.language == Language::Fr && r.label == Label::Unsafe));
    }

    #[test]
    fn no_training_row_comes_from_a_held_out_template_and_no_text_is_written_twice() {
        for (language, file, source) in FILES {
            let groups = toml::from_str::<Corpus>(source).unwrap().group;
            let train: HashSet<&String> = groups.iter().flat_map(|group| &group.train).collect();
            for template in groups.iter().flat_map(|group| &group.held_out) {
                assert!(!train.contains(template), "{file}: {template}");
            }
            let written: usize = groups
                .iter()
                .map(|group| group.texts().unwrap())
                .map(|(train, held_out)| train.len() + held_out.len())
                .sum();
            let seeds = expand(&[(language, file, source)]).unwrap();
            assert_eq!(seeds.train.len() + seeds.validation.len(), written, "{file}");
        }
    }

    #[test]
    fn malformed_groups_are_refused_with_their_place() {
        let good = "[[group]]\nlabel = 'safe'\ntrain = ['a']\nheld_out = ['b']\n";
        for (group, problem) in [
            ("label = 'safe'\ntrain = ['{y}']\nheld_out = []\nx = ['a']", "no fillers for `y`"),
            (
                "label = 'safe'\ntrain = ['{x']\nheld_out = []\nx = ['a']",
                "a brace of `{x` is not closed",
            ),
            (
                "label = 'safe'\ntrain = ['z']\nheld_out = []\nx = ['a']",
                "no template uses the fillers `x`",
            ),
            ("label = 'safe'\ntrain = [' ']\nheld_out = []", "it is empty"),
            (
                "label = 'safe'\ncategories = ['hate']\ntrain = ['z']\nheld_out = []",
                "a safe row carries",
            ),
        ] {
            let message = expand_one(&format!("{good}[[group]]\n{group}")).unwrap_err().to_string();
            assert!(message.contains("fr.toml group 2") && message.contains(problem), "{message}");
        }
        for file in ["group = 1", "[[group]]\nlabel = 'bad'", "[[groups]]"] {
            let message = expand_one(file).unwrap_err().to_string();
            assert!(message.contains("fr.toml"), "{message}");
        }
    }
}
