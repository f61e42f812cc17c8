//! How alike two texts are: cosines of TF-IDF vectors of character n-grams.

use std::collections::HashMap;

/// Lengths of the n-grams, in characters; texts are lower-cased and padded by one space.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=4;

/// Cosine similarities in [0, 1] of every `left` text (rows) with every `right` text (columns).
///
/// A gram's weight in a text is (1 + log count) log(N / documents having it), N = all texts; rows
/// are scaled to length 1.
pub fn similarities(left: &[&str], right: &[&str]) -> Vec<Vec<f64>> {
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut counts: Vec<Vec<(usize, f64)>> = Vec::with_capacity(left.len() + right.len());
    for text in left.iter().chain(right) {
        let mut count: HashMap<usize, f64> = HashMap::new();
        for gram in grams(text) {
            let next = index.len();
            *count.entry(*index.entry(gram).or_insert(next)).or_insert(0.0) += 1.0;
        }
        let mut count: Vec<_> = count.into_iter().collect();
        // Hash maps iterate in a random order: sums must not depend on it.
        count.sort_by_key(|(gram, _)| *gram);
        counts.push(count);
    }
    let mut documents = vec![0.0; index.len()];
    counts.iter().flatten().for_each(|(gram, _)| documents[*gram] += 1.0);
    let all = counts.len() as f64;
    for count in &mut counts {
        for (gram, n) in count.iter_mut() {
            *n = (1.0 + n.ln()) * (all / documents[*gram]).ln();
        }
        let norm = count.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
        count.iter_mut().for_each(|(_, w)| *w /= norm.max(f64::MIN_POSITIVE));
    }

    // Postings of the right-hand texts, so that each row costs only the grams it has.
    let mut postings: Vec<Vec<(usize, f64)>> = vec![Vec::new(); index.len()];
    for (z, count) in counts[left.len()..].iter().enumerate() {
        count.iter().for_each(|(gram, w)| postings[*gram].push((z, *w)));
    }
    let row = |count: &Vec<(usize, f64)>| {
        let mut row = vec![0.0; right.len()];
        for (gram, w) in count {
            postings[*gram].iter().for_each(|(z, v)| row[*z] += w * v);
        }
        row
    };
    counts[..left.len()].iter().map(row).collect()
}

fn grams(text: &str) -> Vec<String> {
    let padded: Vec<char> = format!(" {} ", text.to_lowercase()).chars().collect();
    LENGTHS.flat_map(|n| padded.windows(n).map(String::from_iter).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_most_like_itself() {
        let texts = ["how do I kill a process", "comment aller à la gare", "ein schöner Tag"];
        let s = similarities(&texts, &texts);
        for (i, row) in s.iter().enumerate() {
            assert!((row[i] - 1.0).abs() < 1e-12);
            for (j, other) in s.iter().enumerate().filter(|(j, _)| *j != i) {
                assert!((row[j] - other[i]).abs() < 1e-12 && row[j] < 0.5);
            }
        }
    }
}
