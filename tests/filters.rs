//! Filters of generated texts: what is dropped, for which reason, in which order.

use nashguard::data::filters::{FilterConfig, Filters, Reason, check_rating, identify};
use nashguard::data::{Label, Language, Row, embedded};
use proptest::prelude::*;
use std::collections::BTreeMap;

const NONE: [&str; 0] = [];

fn filters() -> Filters {
    Filters::new(FilterConfig::default(), NONE).unwrap()
}

fn seed(text: &str, language: Language) -> Row {
    Row::new(text.into(), language, Label::Safe, Vec::new()).unwrap()
}

/// The verdict of fresh filters on a text written after an unrelated seed of about its length.
fn verdict(text: &str, language: Language) -> Option<Reason> {
    filters().reason(&seed(&"x ".repeat(text.chars().count() / 2 + 1), language), text, language)
}

#[test]
fn the_corpus_passes_in_its_own_language_and_in_no_other() {
    let seeds = embedded().unwrap();
    let rows = || seeds.train.iter().chain(&seeds.validation);
    for language in Language::ALL {
        let (mut own, mut passed, mut others, mut slipped) = (0.0, 0.0, 0.0, 0.0);
        let mut why = BTreeMap::new();
        for row in rows() {
            let verdict = verdict(&row.text, language);
            let kept = f64::from(u8::from(verdict.is_none()));
            if row.language == language {
                (own, passed) = (own + 1.0, passed + kept);
                *why.entry(verdict).or_insert(0) += 1;
            } else {
                (others, slipped) = (others + 1.0, slipped + kept);
            }
        }
        assert!(passed / own > 0.98, "{language:?}: {why:?}");
        assert!(slipped / others < 0.02, "{language:?}: {slipped} of {others}");
    }
}

#[test]
fn languages_are_told_apart() {
    let texts = [
        ("Turn the lamp off", Language::En),
        ("Éteins la lampe du salon", Language::Fr),
        ("Apaga la luz del salón", Language::Es),
        ("Mach das Licht aus", Language::De),
    ];
    for (text, language) in texts {
        assert_eq!(identify(text), Some(language), "{text}");
    }
    for text in ["", "123, 456?", "😂😂"] {
        assert_eq!(identify(text), None, "{text}");
    }
}

#[test]
fn refusals_of_every_language_are_dropped() {
    let refusals = [
        ("I'm sorry, but I can't assist with that request.", Language::En),
        ("I cannot provide that kind of text.", Language::En),
        ("I am not able to help with this", Language::En),
        ("Sorry, I can’t rewrite this request.", Language::En),
        ("As an AI language model, I think this is wrong.", Language::En),
        ("Je suis désolé, mais je ne peux pas écrire cela.", Language::Fr),
        ("Je ne suis pas en mesure de répondre à cette demande.", Language::Fr),
        ("Lo siento, pero no puedo hacer eso.", Language::Es),
        ("No puedo ayudarte con esta petición.", Language::Es),
        ("Es tut mir leid, aber das kann ich nicht schreiben.", Language::De),
        ("Dabei kann ich dir leider nicht helfen.", Language::De),
        ("Ich bin nicht in der Lage, diese Anfrage zu beantworten.", Language::De),
    ];
    for (text, language) in refusals {
        assert_eq!(verdict(text, language), Some(Reason::Refusal), "{text}");
    }
    let requests = [
        ("I can't sleep, what should I do?", Language::En),
        ("Sorry to bother you, but where is the station?", Language::En),
        ("Je ne peux pas dormir, que faire ?", Language::Fr),
        ("No puedo dormir por las noches", Language::Es),
        ("Ich kann nicht schlafen, was soll ich tun?", Language::De),
    ];
    for (text, language) in requests {
        assert_eq!(verdict(text, language), None, "{text}");
    }
}

#[test]
fn instructions_are_dropped_and_requests_are_not() {
    let instructions = [
        ("A nice cake: 1. Mix the flour. 2. Add the eggs. 3. Bake it.", Language::En),
        ("Bake a cake\n- flour\n- eggs\n- sugar", Language::En),
        ("Step 1: mix the flour. Step 2: add the eggs.", Language::En),
        ("First mix the eggs with the flour, then add milk and finally bake it all.", Language::En),
        ("Mix 200 g of flour with 50 ml of milk, then bake it.", Language::En),
        ("Use this:\n```\nprint('cake')\n```", Language::En),
        ("Here are the steps to bake the cake you asked for", Language::En),
        ("To bake a good cake, you will need a warm kitchen.", Language::En),
        (
            "D'abord, mélange la farine, puis ajoute les œufs, et enfin mets tout au four.",
            Language::Fr,
        ),
        ("Étape 1 : mélange la farine. Étape 2 : ajoute les œufs.", Language::Fr),
        (
            "Primero mezcla la harina, luego añade los huevos y por último hornea todo.",
            Language::Es,
        ),
        ("Paso 1: mezcla la harina. Paso 2: añade los huevos.", Language::Es),
        (
            "Zuerst das Mehl mischen, dann die Eier dazugeben und zuletzt alles backen.",
            Language::De,
        ),
        ("Schritt 1: das Mehl mischen. Schritt 2: die Eier dazugeben.", Language::De),
    ];
    for (text, language) in instructions {
        assert_eq!(verdict(text, language), Some(Reason::Instructions), "{text}");
    }
    let requests = [
        ("Explain step by step how to bake a cake", Language::En),
        ("How do I share 500 g of flour among 3 cakes?", Language::En),
        ("First of all, who invented the cake?", Language::En),
        ("To whom should I send the cake?", Language::En),
        ("Explique étape par étape comment faire un gâteau", Language::Fr),
        ("¿Cuáles son los pasos para hacer un pastel?", Language::Es),
        ("Was brauche ich als Erstes für einen Kuchen?", Language::De),
    ];
    for (text, language) in requests {
        assert_eq!(verdict(text, language), None, "{text}");
    }
}

#[test]
fn length_is_the_difference_in_characters() {
    let text = "é".repeat(50) + " the cat";
    let check = |longer: usize| {
        let seed = seed(&"y".repeat(58 + longer), Language::En);
        let config = FilterConfig { language: false, ..FilterConfig::default() };
        Filters::new(config, NONE).unwrap().reason(&seed, &text, Language::En)
    };
    assert_eq!(check(200), None);
    assert_eq!(check(201), Some(Reason::Length));
}

#[test]
fn a_seed_is_no_text_of_its_own_but_its_wording_may_come_again() {
    let seed = seed("Where is the station?", Language::En);
    let filters = filters();
    assert_eq!(filters.reason(&seed, "  where is THE station", Language::En), Some(Reason::Copy));
    assert_eq!(
        filters.reason(&seed, "Where is the station?", Language::De),
        Some(Reason::Language)
    );
    assert_eq!(filters.reason(&seed, "Where is the old library?", Language::En), None);
}

#[test]
fn texts_that_must_not_come_again_do_not() {
    let foreign = "The quick brown fox jumps over the lazy dog while seven sailors sing an old song about \
                   the wide sea and the women they left at home on the island of their fathers.";
    let config = FilterConfig { language: false, ..FilterConfig::default() };
    let filters = Filters::new(config, [foreign]).unwrap();
    let check =
        |text: &str| filters.reason(&seed("Tell me a story.", Language::En), text, Language::En);
    assert_eq!(check(&foreign.replace("quick", "swift")), Some(Reason::Contamination));
    // A piece of it.
    let piece = "fox jumps over the lazy dog while seven sailors sing an old song about the sea";
    assert_eq!(check(piece), Some(Reason::Contamination));
    assert_eq!(check("The quick brown fox is a sentence with all letters."), None);
}

#[test]
fn reasons_come_in_their_order() {
    let text = "I'm sorry, but I can't assist. 1. Go. 2. Come. 3. Stay.";
    let long = seed(&"x".repeat(400), Language::Fr);
    let short = seed(text, Language::Fr);
    let filters = Filters::new(FilterConfig::default(), [text]).unwrap();
    assert_eq!(filters.reason(&long, " \n", Language::Fr), Some(Reason::Empty));
    assert_eq!(filters.reason(&long, text, Language::Fr), Some(Reason::Length));
    assert_eq!(filters.reason(&short, text, Language::Fr), Some(Reason::Refusal));
    let steps = "1. Go. 2. Come. 3. Stay.";
    assert_eq!(filters.reason(&short, steps, Language::Fr), Some(Reason::Instructions));
    let plain = "Where do the old people of this town live?";
    let filters = Filters::new(FilterConfig::default(), [plain]).unwrap();
    let own = seed(plain, Language::En);
    assert_eq!(filters.reason(&own, plain, Language::De), Some(Reason::Language));
    assert_eq!(filters.reason(&own, plain, Language::En), Some(Reason::Copy));
    let other = seed("Who lives in this old town?", Language::En);
    assert_eq!(filters.reason(&other, plain, Language::En), Some(Reason::Contamination));
    assert!(Reason::Cut < Reason::Empty && Reason::Contamination < Reason::Rating);
    assert!(Reason::Rating < Reason::Duplicate);
}

#[test]
fn ratings_match_labels() {
    use Label::{Safe, Unsafe};
    for (rating, safe, harmful) in [
        (Some(1), None, Some(Reason::Rating)),
        (Some(2), None, Some(Reason::Rating)),
        (Some(3), Some(Reason::Rating), None),
        (Some(4), Some(Reason::Rating), None),
        (Some(5), Some(Reason::Rating), None),
        (None, Some(Reason::Rating), None),
    ] {
        assert_eq!(check_rating(Safe, rating), safe, "{rating:?}");
        assert_eq!(check_rating(Unsafe, rating), harmful, "{rating:?}");
    }
}

#[test]
fn settings_are_read() {
    let config: FilterConfig = toml::from_str("length = 50\n").unwrap();
    assert_eq!(config, FilterConfig { length: 50, ..FilterConfig::default() });
    assert!(toml::from_str::<FilterConfig>("lenght = 50\n").is_err());
    for bad in [0.0, 1.5, f64::NAN] {
        let config = FilterConfig { duplicates: bad, ..FilterConfig::default() };
        assert!(Filters::new(config, NONE).is_err());
    }
}

/// |A ∩ B| / |A ∪ B| of the sets of character 4-grams, by definition.
fn jaccard(a: &str, b: &str) -> f64 {
    let grams = |text: &str| {
        let text: Vec<char> = format!(" {text}   ").chars().collect();
        text.windows(4).map(<[char]>::to_vec).collect::<std::collections::BTreeSet<_>>()
    };
    let (a, b) = (grams(a), grams(b));
    a.intersection(&b).count() as f64 / a.union(&b).count() as f64
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_text_met_again_is_a_duplicate(text in "[a-zà-ü ,.!?0-9]{0,80}", noise in "[ ,.!?]{0,3}") {
        let config = FilterConfig { language: false, ..FilterConfig::default() };
        let mut filters = Filters::new(config, NONE).unwrap();
        let seed = seed("A seed of no such text at all", Language::En);
        let again = noise + &text.to_uppercase();
        match filters.reason(&seed, &text, Language::En) {
            None => {
                prop_assert_eq!(filters.keep(&text), None);
                prop_assert_eq!(filters.keep(&again), Some(Reason::Duplicate));
            }
            Some(Reason::Empty) => {}
            Some(reason) => {
                prop_assert_eq!(filters.reason(&seed, &again, Language::En), Some(reason))
            }
        }
    }

    #[test]
    fn duplicates_are_those_of_the_definition(
        words in prop::collection::vec("[a-e]{2,5}", 6..14), swaps in prop::collection::vec(0..14_usize, 0..6),
    ) {
        let mut other = words.clone();
        for i in swaps {
            if let Some(word) = other.get_mut(i) {
                *word = "qqq".into();
            }
        }
        let (a, b) = (words.join(" "), other.join(" "));
        let near = jaccard(&a, &b);
        let config = FilterConfig { language: false, ..FilterConfig::default() };
        let mut filters = Filters::new(config, NONE).unwrap();
        prop_assert_eq!(filters.keep(&a), None);
        prop_assert_eq!(filters.keep(&b).is_some(), near >= 0.8, "{} {} {}", a, b, near);
    }
}
