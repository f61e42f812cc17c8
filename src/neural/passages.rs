//! A text and its sentences, so that what one of them asks is not drowned by the others.

use super::loss::OUTPUTS;
use crate::Result;
use unicode_segmentation::UnicodeSegmentation;

/// Passages scored at a time.
const BATCH: usize = 64;

/// What is scored where a text is read by sentences: the whole, then, if it has several, each sentence (Unicode Standard
/// Annex 29) with a letter or digit.
///
/// ```
/// use nashguard::neural::passages;
///
/// assert_eq!(passages("One thing. Another?"), ["One thing. Another?", "One thing. ", "Another?"]);
/// assert_eq!(passages("One thing!"), ["One thing!"]);
/// ```
pub fn passages(text: &str) -> Vec<&str> {
    let sentences: Vec<&str> = text.unicode_sentences().collect();
    let several = if sentences.len() > 1 { sentences } else { Vec::new() };
    std::iter::once(text).chain(several).collect()
}

/// The largest probability of each category over the passages of each text, by a guardrail that gives those of any texts.
///
/// # Errors
/// Those of the guardrail.
pub fn largest(
    texts: &[Vec<&str>],
    probabilities: impl Fn(&[&str]) -> Result<Vec<[f32; OUTPUTS]>>,
) -> Result<Vec<[f32; OUTPUTS]>> {
    let parts = texts.iter().enumerate();
    let parts: Vec<(usize, &str)> =
        parts.flat_map(|(i, parts)| parts.iter().map(move |part| (i, *part))).collect();
    let mut all = vec![[0.0_f32; OUTPUTS]; texts.len()];
    for some in parts.chunks(BATCH) {
        let read: Vec<&str> = some.iter().map(|(_, part)| *part).collect();
        for (&(i, _), p) in some.iter().zip(probabilities(&read)?) {
            all[i].iter_mut().zip(p).for_each(|(most, p)| *most = most.max(p));
        }
    }
    Ok(all)
}
