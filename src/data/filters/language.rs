//! Which of the four languages a text is written in.

use super::words::words;
use crate::data::Language;
use std::sync::LazyLock;
use whatlang::{Detector, Lang};

/// The language of a text, among the paper's four; `None` for one without a letter.
///
/// The language that most of the small words below belong to, if one has the most; else the one that letter
/// trigrams favour (crate whatlang), which are less to be trusted in a short text.
pub fn identify(text: &str) -> Option<Language> {
    if !text.chars().any(char::is_alphabetic) {
        return None;
    }
    let words = words(text);
    let count = |language: Language| {
        let small = small_words(language);
        words.iter().filter(|word| small.contains(&word.as_str())).count()
    };
    let counts = Language::ALL.map(count);
    let most = counts.into_iter().max().filter(|&most| most > 0);
    let mut first = Language::ALL.into_iter().zip(counts).filter(|&(_, n)| Some(n) == most);
    if let (Some((language, _)), None) = (first.next(), first.next()) {
        return Some(language);
    }
    match DETECTOR.detect_lang(text)? {
        Lang::Eng => Some(Language::En),
        Lang::Fra => Some(Language::Fr),
        Lang::Spa => Some(Language::Es),
        Lang::Deu => Some(Language::De),
        _ => None,
    }
}

static DETECTOR: LazyLock<Detector> =
    LazyLock::new(|| Detector::with_allowlist(vec![Lang::Eng, Lang::Fra, Lang::Spa, Lang::Deu]));

/// The commonest words; one may belong to several languages.
fn small_words(language: Language) -> &'static [&'static str] {
    match language {
        Language::En => &[
            "the", "of", "and", "to", "is", "you", "that", "it", "he", "for", "are", "with", "his",
            "they", "this", "have", "from", "what", "how", "when", "your", "can", "there", "which",
            "their", "if", "do", "will", "about", "would", "who", "my", "does", "should", "could",
            "why", "where", "at", "be", "by", "not", "or", "was", "i", "an", "in", "me", "on", "a",
            "no", "she", "him", "her", "we", "our", "its", "been", "has", "had", "did", "please",
            "write", "off", "some", "any", "all", "just", "am", "as", "so", "but", "them", "these",
            "those", "into", "out", "up", "more", "than", "make", "give", "get", "people",
            "someone", "don", "isn", "ve", "ll", "re", "create", "generate", "explain", "describe",
            "find", "tell", "show", "turn", "help", "want", "need",
        ],
        Language::Fr => &[
            "le", "la", "les", "des", "du", "de", "un", "une", "et", "est", "que", "qui", "dans",
            "pour", "sur", "avec", "pas", "ne", "je", "tu", "il", "elle", "nous", "vous", "ils",
            "on", "ce", "cette", "ces", "mon", "ma", "mes", "ton", "ta", "son", "sa", "ses",
            "leur", "leurs", "quel", "quelle", "quels", "quelles", "comment", "pourquoi", "où",
            "au", "aux", "se", "plus", "ou", "mais", "sont", "être", "avoir", "fait", "l", "d",
            "j", "c", "n", "qu", "en", "y", "a", "à", "si", "par", "me", "te", "moi", "toi",
            "votre", "vos", "notre", "été", "était", "ont", "ai", "suis", "tous", "tout", "faire",
            "quoi", "peut", "sans", "comme", "écris", "écrivez", "explique", "expliquez", "crée",
            "créer", "donne", "donnez", "décris", "trouve", "dis", "veux", "peux", "aide",
        ],
        Language::Es => &[
            "el", "la", "los", "las", "un", "una", "y", "de", "que", "en", "es", "por", "con",
            "para", "no", "se", "su", "sus", "lo", "le", "les", "al", "del", "como", "cómo", "qué",
            "cuál", "cuáles", "quién", "dónde", "más", "pero", "yo", "tu", "te", "me", "mi", "mis",
            "este", "esta", "esto", "estos", "estas", "son", "ser", "está", "están", "hay", "muy",
            "ya", "si", "sí", "o", "a", "ha", "han", "fue", "era", "sin", "sobre", "todo", "todos",
            "cuando", "porque", "hacer", "puede", "puedo", "soy", "eres", "tiene", "nos", "ese",
            "esa", "eso", "cuántos", "cuánto", "cuándo", "e", "ni", "escribe", "escriba",
            "explica", "explique", "crea", "crear", "dame", "genera", "haz", "dime", "quiero",
            "necesito",
        ],
        Language::De => &[
            "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer",
            "und", "ist", "nicht", "ich", "du", "er", "sie", "es", "wir", "ihr", "zu", "mit",
            "auf", "für", "von", "im", "am", "in", "an", "was", "wie", "wer", "wo", "warum",
            "welche", "welcher", "welches", "welchen", "auch", "sich", "so", "als", "aus", "bei",
            "nach", "wenn", "dass", "kann", "man", "mein", "meine", "dein", "deine", "sind", "hat",
            "haben", "werden", "wird", "nur", "noch", "oder", "aber", "war", "zum", "zur", "um",
            "über", "mir", "mich", "dir", "dich", "uns", "euch", "kein", "keine", "ja", "hier",
            "vom", "dieser", "diese", "dieses", "schon", "mal", "doch", "ihre", "seine", "alle",
            "schreibe", "schreib", "schreiben", "erkläre", "erklären", "erstelle", "erstellen",
            "gib", "nenne", "zeige", "beschreibe", "mach", "will",
        ],
    }
}
