//! A text and its sentences, so that what one of them asks is not drowned by the others.

use unicode_segmentation::UnicodeSegmentation;

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
