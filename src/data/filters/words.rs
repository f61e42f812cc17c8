//! Texts as words, and phrases among them.

/// The words of a text in lower case: runs of letters and digits, so that "can't" is two.
pub(super) fn words(text: &str) -> Vec<String> {
    let pieces = text.split(|c: char| !c.is_alphanumeric());
    pieces.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Phrases, one of each group, that follow one another with at most `gap` words between.
pub(super) struct Pattern {
    pub(super) groups: &'static [&'static [&'static str]],
    pub(super) gap: usize,
}

impl Pattern {
    /// Whether it occurs anywhere in the words.
    pub(super) fn found(&self, words: &[String]) -> bool {
        let (first, rest) = match self.groups {
            [first, rest @ ..] => (first, rest),
            [] => return false,
        };
        (0..words.len()).any(|start| {
            let mut ends: Vec<usize> = ends(first, words, start).collect();
            for group in rest {
                ends = ends
                    .iter()
                    .flat_map(|&end| end..=end + self.gap)
                    .flat_map(|next| ends_at(group, words, next))
                    .collect();
            }
            !ends.is_empty()
        })
    }
}

/// Where each of the phrases ends that start at a word.
fn ends<'a>(
    phrases: &'a [&'static str],
    words: &'a [String],
    start: usize,
) -> impl Iterator<Item = usize> + 'a {
    phrases.iter().filter_map(move |phrase| {
        let mut at = start;
        for part in phrase.split(' ') {
            let word = words.get(at)?;
            // A star stands for any ending.
            let same = match part.strip_suffix('*') {
                Some(stem) => word.starts_with(stem),
                None => word == part,
            };
            if !same {
                return None;
            }
            at += 1;
        }
        Some(at)
    })
}

fn ends_at(phrases: &[&'static str], words: &[String], start: usize) -> Vec<usize> {
    ends(phrases, words, start).collect()
}
