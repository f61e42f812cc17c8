//! Texts that carry out what a request asks for: steps, code, recipes.

use super::words::{Pattern, words};

/// Whether a text gives instructions instead of asking: code in a fence, a numbered or bulleted list of steps,
/// a row of order words ("first", "then", "finally"), a recipe's quantities, or the opening of an answer.
pub(super) fn is_instructions(text: &str) -> bool {
    let is_code = |line: &str| ["```", "~~~", "#!/"].iter().any(|mark| line.starts_with(mark));
    if text.contains("```") || text.lines().any(|line| is_code(line.trim_start())) {
        return true;
    }
    let words = words(text);
    let steps = longest_count(text);
    let order = ORDER.iter().map(|of| of.iter().filter(|p| p.found(&words)).count()).max();
    let order = order.unwrap_or(0);
    let measures = measures(&words);
    // Any one alone may stand in a request: "divide 500 g among 3", "1. FC Köln".
    steps >= 3
        || bullets(text) >= 3
        || order >= 3
        || measures >= 3
        || (measures >= 2 || steps >= 2) && order >= 1
        || !text.contains('?') && advises(&words)
        || ANSWERS.found(&words[..words.len().min(12)])
        || steps_named(&words) >= 2
}

/// How far "1. 2. 3." (or "1) 2) 3)") counts, each at the start of a line or after a sentence.
fn longest_count(text: &str) -> usize {
    let mut next = 1;
    let mut fresh = true;
    for word in text.split_inclusive(char::is_whitespace) {
        let mark = word.trim();
        let number =
            mark.strip_suffix(['.', ')', ':']).and_then(|n| n.trim_start_matches('(').parse().ok());
        if fresh && number == Some(next) {
            next += 1;
        }
        fresh = word.contains('\n')
            || mark.is_empty() && fresh
            || mark.ends_with(['.', ':', ';', '!', '?', ',']);
    }
    next - 1
}

/// Lines that begin as items of a list.
fn bullets(text: &str) -> usize {
    let item = |line: &&str| {
        ["- ", "* ", "• ", "– "].iter().any(|mark| line.trim_start().starts_with(mark))
    };
    text.lines().filter(item).count()
}

/// How far "step 1", "step 2" counts.
fn steps_named(words: &[String]) -> usize {
    let is_step = |word: &str| ["step", "étape", "paso", "schritt"].contains(&word);
    let numbers = words
        .windows(2)
        .filter(|two| is_step(&two[0]))
        .filter_map(|two| two[1].parse::<usize>().ok());
    numbers.fold(0, |count, number| if number == count + 1 { number } else { count })
}

/// Numbers followed by a unit of weight, volume, temperature or dose.
fn measures(words: &[String]) -> usize {
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let apart = words
        .windows(2)
        .filter(|two| two[0].parse::<u32>().is_ok() && UNITS.contains(&two[1].as_str()));
    let joined = words.iter().filter(|word| {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
        is_number(word) && UNITS.contains(&unit)
    });
    apart.count() + joined.count()
}

const UNITS: &[&str] = &[
    "g", "mg", "kg", "ml", "cl", "l", "gram", "grams", "gramme", "grammes", "gramos", "gramm",
    "milligrams", "kilograms", "liter", "liters", "litre", "litres", "litros", "milliliters",
    "millilitres", "ounce", "ounces", "oz", "cup", "cups", "tablespoon", "tablespoons", "teaspoon",
    "teaspoons", "tbsp", "tsp", "cuillères", "cucharadas", "esslöffel", "teelöffel", "drops",
    "gouttes", "gotas", "tropfen", "celsius", "fahrenheit", "c",
];

/// Whether a text begins as advice does: "to do this, you can ...".
fn advises(words: &[String]) -> bool {
    let begins = |pattern: &Pattern| {
        let start = &words[..words.len().min(20)];
        pattern.groups[0].iter().any(|first| start.first().is_some_and(|word| word == first))
            && pattern.found(start)
    };
    ADVICE.iter().any(begins)
}

const ADVICE: [Pattern; 4] = [
    Pattern {
        groups: &[
            &["to"],
            &[
                "you can", "you could", "you should", "you must", "you need", "you will need",
                "you ll need",
            ],
        ],
        gap: 12,
    },
    Pattern {
        groups: &[
            &["pour"],
            &[
                "vous pouvez", "vous devez", "vous devriez", "tu peux", "tu dois", "il faut",
                "il suffit",
            ],
        ],
        gap: 12,
    },
    Pattern {
        groups: &[
            &["para"],
            &[
                "puedes", "puede", "debes", "debe", "necesitas", "necesitará", "hay que",
                "tienes que",
            ],
        ],
        gap: 12,
    },
    Pattern {
        groups: &[
            &["um"],
            &["kannst du", "können sie", "solltest du", "sollten sie", "musst du", "müssen sie"],
        ],
        gap: 12,
    },
];

/// Words that put steps in order: first, next and last, a language each.
const ORDER: [[Pattern; 3]; 4] = [
    [
        Pattern { groups: &[&["first", "firstly", "start by", "begin by"]], gap: 0 },
        Pattern { groups: &[&["then", "next", "after that", "secondly", "second"]], gap: 0 },
        Pattern { groups: &[&["finally", "lastly"]], gap: 0 },
    ],
    [
        Pattern {
            groups: &[&["d abord", "premièrement", "commence par", "commencez par"]],
            gap: 0,
        },
        Pattern { groups: &[&["ensuite", "puis", "deuxièmement"]], gap: 0 },
        Pattern { groups: &[&["enfin", "finalement", "pour finir"]], gap: 0 },
    ],
    [
        Pattern {
            groups: &[&["primero", "en primer lugar", "comienza por", "empieza por"]],
            gap: 0,
        },
        Pattern {
            groups: &[&["luego", "después", "a continuación", "en segundo lugar"]], gap: 0
        },
        Pattern { groups: &[&["finalmente", "por último"]], gap: 0 },
    ],
    [
        Pattern { groups: &[&["zuerst", "zunächst", "als erstes", "erstens"]], gap: 0 },
        Pattern {
            groups: &[&["dann", "danach", "anschließend", "als nächstes", "zweitens"]],
            gap: 0,
        },
        Pattern { groups: &[&["schließlich", "zum schluss", "zuletzt", "abschließend"]], gap: 0 },
    ],
];

/// How an answer begins that does as it was asked.
const ANSWERS: Pattern = Pattern {
    groups: &[&[
        "here are the steps",
        "here is a step by step",
        "here s a step by step",
        "here is how to",
        "here s how to",
        "sure here",
        "certainly here",
        "follow these steps",
        "voici les étapes",
        "suivez ces étapes",
        "bien sûr voici",
        "aquí están los pasos",
        "estos son los pasos",
        "sigue estos pasos",
        "siga estos pasos",
        "claro aquí",
        "hier sind die schritte",
        "so gehst du vor",
        "folgen sie diesen schritten",
        "natürlich hier",
        "hier ist eine anleitung",
        "hier ist eine schritt",
    ]],
    gap: 0,
};
