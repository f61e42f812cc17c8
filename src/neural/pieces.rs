//! Texts as word pieces: the most probable segmentation under a unigram model.

use unicode_normalization::UnicodeNormalization;

/// A unigram model of word pieces (Kudo, 2018), as SentencePiece trains it.
///
/// A text is composed (NFKC), its white space reduced to one mark before each word, and cut into
/// the pieces whose scores (log-probabilities) have the largest sum; a letter that no piece covers
/// counts as unknown.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    /// Ascending by their bytes; piece `i` has the number `i + SPECIAL`.
    pieces: Vec<Box<str>>,
    scores: Vec<f32>,
    unknown_score: f32,
}

/// The numbers before the first piece: unknown, beginning and end of a text.
const SPECIAL: usize = 3;
const UNKNOWN: u32 = 0;
const BEGIN: u32 = 1;
const END: u32 = 2;

/// Stands for the white space before a word.
const MARK: char = '\u{2581}';

impl Pieces {
    /// Pieces ascending by their bytes, with a score each after those of the three special ones.
    pub(super) fn new(
        pieces: Vec<Box<str>>,
        scores: &[f32],
        unknown_score: f32,
    ) -> Result<Self, String> {
        if scores.len() != pieces.len() + SPECIAL {
            return Err(format!("{} scores for {} word pieces", scores.len(), pieces.len()));
        }
        if !pieces.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()) {
            return Err("its word pieces are not in ascending order".into());
        }
        Ok(Self { pieces, scores: scores[SPECIAL..].to_vec(), unknown_score })
    }

    /// The pieces' numbers between those of beginning and end; at most `longest` in all.
    pub(super) fn numbers(&self, text: &str, longest: usize) -> Vec<u32> {
        let text = normalise(text);
        let mut numbers = vec![END];
        let ways = self.ways(&text);
        let mut end = text.len();
        while end > 0 {
            let way = &ways[end];
            numbers.push(way.piece);
            end = way.start;
        }
        numbers.push(BEGIN);
        numbers.reverse();
        if numbers.len() > longest {
            numbers.truncate(longest.saturating_sub(1));
            numbers.push(END);
        }
        numbers
    }

    /// Whether a text has more numbers than that.
    pub(super) fn exceed(&self, text: &str, longest: usize) -> bool {
        // A piece is a letter at least: most texts need not be cut into pieces to know.
        normalise(text).chars().count() + 2 > longest
            && self.numbers(text, longest + 1).len() > longest
    }

    /// For each byte position, the best way to get there (Viterbi).
    fn ways(&self, text: &str) -> Vec<Way> {
        let unreached = Way { score: f32::NEG_INFINITY, start: 0, piece: UNKNOWN };
        let mut ways = vec![unreached; text.len() + 1];
        ways[0].score = 0.0;
        for (start, letter) in text.char_indices() {
            let base = ways[start].score;
            let next = start + letter.len_utf8();
            let mut reach = |end: usize, score: f32, piece: u32| {
                if base + score > ways[end].score {
                    ways[end] = Way { score: base + score, start, piece };
                }
            };
            // The pieces that begin with text[start..end] are neighbours: the range shrinks.
            let (mut low, mut high) = (0, self.pieces.len());
            let mut single = false;
            for (k, &byte) in text.as_bytes()[start..].iter().enumerate() {
                let range = &self.pieces[low..high];
                let at = |piece: &str| piece.as_bytes().get(k).copied();
                high = low + range.partition_point(|piece| at(piece) <= Some(byte));
                low += range.partition_point(|piece| at(piece) < Some(byte));
                if low >= high {
                    break;
                }
                let end = start + k + 1;
                if self.pieces[low].len() == k + 1 {
                    reach(end, self.scores[low], (low + SPECIAL) as u32);
                    single |= end == next;
                }
            }
            if !single {
                reach(next, self.unknown_score, UNKNOWN);
            }
        }
        ways
    }
}

#[derive(Clone)]
struct Way {
    score: f32,
    start: usize,
    piece: u32,
}

fn normalise(text: &str) -> String {
    let mut marked = String::with_capacity(text.len() + 8);
    let composed = text.nfkc().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    for word in composed.split_whitespace() {
        marked.push(MARK);
        marked.push_str(word);
    }
    marked
}
