//! Coq files: every number of the certificate stands in them, in its place, and nothing else does. That
//! Coq accepts them is checked by `proofs/check`.

mod common;
#[path = "common/trees.rs"]
mod trees;

use common::{config, games};
use dashu_int::IBig;
use nashguard::certificate::{Certificate, Extensive, Guard, Matrix, Prior, Regularised};
use nashguard::extensive::{Plan, Player, SequenceForm};
use nashguard::matrix::{MatrixGame, solve_exact};
use nashguard::scalar::{Rational, parse};
use nashguard::simplex::Simplex;
use proptest::prelude::*;
use rand::SeedableRng;
use trees::{RandomGame, behaviour};

/// The numbers of a text in their order; `a # b` and `a / b` are one.
fn numbers(text: &str) -> Vec<Rational> {
    let hexadecimal = |word: &str| {
        let digits = word.strip_prefix("0x")?;
        IBig::from_str_radix(digits, 16).ok().map(Rational::from)
    };
    let number = |word: &str| match word.strip_prefix('-') {
        Some(rest) => hexadecimal(rest).map(|v| -v).or_else(|| parse(word)),
        None => hexadecimal(word).or_else(|| parse(word)),
    };
    let words = text.split(|c: char| c.is_whitespace() || "[](){}:;,|%\"".contains(c));
    let mut words = words.filter(|word| !word.is_empty()).peekable();
    let mut found: Vec<Rational> = vec![];
    while let Some(word) = words.next() {
        if word == "#" || word == "/" {
            let below = number(words.next().unwrap()).unwrap();
            *found.last_mut().unwrap() /= below;
        } else {
            found.extend(number(word));
        }
    }
    found
}

/// What stands between each `from` and the next `to`.
fn between(text: &str, from: &str, to: &str) -> String {
    text.split(from).skip(1).map(|rest| rest.split(to).next().unwrap()).collect()
}

fn check(certificate: &Certificate) {
    let (value, gap) = match certificate {
        Certificate::Matrix(c) => (&c.value.0, &c.gap.0),
        Certificate::KlMatrix(c) => (&c.value.0, &c.gap.0),
        Certificate::Guard(c) => (&c.value.0, &c.gap.0),
        Certificate::Extensive(c) => (&c.value.0, &c.gap.0),
    };
    let text = certificate.to_coq("name").unwrap();
    // The fields are those of the JSON; a plan's denominator comes after its numerators.
    let mut expected = numbers(&certificate.to_json().unwrap());
    let mut found = numbers(&between(&text, ":= {|", "|}."));
    if let Certificate::Extensive(_) = certificate {
        expected.sort();
        found.sort();
    }
    assert_eq!(found, expected, "{text}");
    let claimed: &[&Rational] = match certificate {
        Certificate::Matrix(_) | Certificate::Extensive(_) if gap.is_zero() => &[value],
        Certificate::Extensive(_) => &[value, gap],
        Certificate::Matrix(_) => &[value, value, gap, gap],
        // What is said of the value, of the pair, and of its gap.
        _ => &[value, value, gap, value, value, gap, gap],
    };
    let stated = numbers(&between(&text, "Theorem", "Proof."));
    assert_eq!(stated.iter().collect::<Vec<_>>(), claimed, "{text}");
    // The text is one comment, and then what Coq reads.
    assert_eq!((text.matches("(*").count(), text.matches("*)").count()), (1, 1));
}

fn simplex(weights: &[f64]) -> Simplex {
    let sum: f64 = weights.iter().sum();
    Simplex::new(weights.iter().map(|w| w / sum).collect()).unwrap()
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn matrix_games(
        payoff in prop::collection::vec((-1e3..1e3_f64, -300..300_i32), 12),
        x in prop::collection::vec(0.001..1.0_f64, 3), y in prop::collection::vec(0.001..1.0_f64, 4),
    ) {
        let entry = |(v, scale): &(f64, i32)| v * 10.0_f64.powi(*scale);
        let rows = payoff.chunks(4).map(|row| row.iter().map(entry).collect()).collect();
        let game = MatrixGame::new(rows).unwrap().to_exact();
        check(&Certificate::Matrix(Matrix::of(&game, &simplex(&x), &simplex(&y)).unwrap()));
        let s = solve_exact(&game).unwrap();
        check(&Certificate::Matrix(Matrix::of(&game, &s.row, &s.column).unwrap()));
    }

    #[test]
    fn extensive_games(depth in 1..6_usize, seed in any::<u64>()) {
        let tree = RandomGame { depth, seed }.tree();
        let plan = |player| {
            let behaviour = behaviour(&tree, player, seed);
            Plan::from_behaviour(tree.side(player), &behaviour).unwrap()
        };
        let (x, y) = (plan(Player::Max), plan(Player::Min));
        let form = SequenceForm::new(&tree);
        check(&Certificate::Extensive(Extensive::of(&form, &x, &y).unwrap()));
        let s = nashguard::extensive::solve_exact(&tree).unwrap();
        check(&Certificate::Extensive(Extensive::of(&form, &s.max, &s.min).unwrap()));
    }

    #[test]
    fn guard_games(recipe in games()) {
        let game = recipe.game();
        let (p, q) = (recipe.generator(&game, 0), recipe.classifier(&game, 0));
        check(&Certificate::Guard(Guard::of(&game, &p, &q).unwrap()));
    }

    #[test]
    fn kl_matrix_games(
        payoff in prop::collection::vec(-5.0..5.0_f64, 6), seed in any::<u64>(),
        s in prop_oneof![Just(0.0), 0.01..3.0_f64], t in prop_oneof![Just(0.0), 0.01..3.0_f64],
    ) {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut point = |n| simplex(&common::dirichlet(n, 1.0, &mut rng));
        let (x, y, a, b) = (point(2), point(3), point(2), point(3));
        let game = MatrixGame::new(payoff.chunks(3).map(<[f64]>::to_vec).collect()).unwrap();
        let priors = [Prior::of(&a, &s).unwrap(), Prior::of(&b, &t).unwrap()];
        let certificate = Regularised::of(&game.to_exact(), priors, &x, &y).unwrap();
        check(&Certificate::KlMatrix(certificate));
    }
}

fn pennies() -> Matrix {
    let game = MatrixGame::new(vec![vec![1.0, -1.0], vec![-1.0, 1.0]]).unwrap().to_exact();
    Matrix::of(&game, &simplex(&[1.0, 1.0]), &simplex(&[1.0, 1.0])).unwrap()
}

#[test]
fn names_that_theorems_cannot_have_are_refused() {
    let certificate = Certificate::Matrix(pennies());
    for name in ["", "9lives", "_", "Pennies", "a-b", "a b", "a.b", "a'", "\u{fc}", "a*)", "a\n"] {
        let error = certificate.to_coq(name).unwrap_err().to_string();
        assert!(error.contains("theorems are not called by it"), "{error}");
    }
    assert!(certificate.to_coq("a_9").unwrap().contains("Theorem a_9_value :"));
}

/// What Coq would refuse is refused before.
#[test]
fn no_file_is_made_of_an_invalid_certificate() {
    let mut forged = pennies();
    forged.value.0 += Rational::ONE;
    let error = Certificate::Matrix(forged).to_coq("pennies").unwrap_err().to_string();
    assert!(error.contains("column 0: x gets 0, below the claimed 1"), "{error}");
    // Valid, but a seed weighs nothing.
    let text = r#"{"kind":"guard","beta":"1","gamma":"0","labels":1,"label":[0,0],
        "weight":{"over":"1","numerators":["1","0"]},
        "reference":[{"over":"1","numerators":["1"]},{"over":"1","numerators":["1"]}],
        "anchor":null,"p":{"over":"1","rows":[["1"],["1"]]},"q":{"over":"1","rows":[["1"]]},
        "value":"-1","gap":"2"}"#;
    let weightless = Certificate::from_json(text).unwrap();
    assert!(weightless.check().is_ok());
    let error = weightless.to_coq("weightless").unwrap_err().to_string();
    assert!(error.starts_with("weight[1]: it is 0"), "{error}");
}

/// The precision that a file computes at.
fn bits(certificate: &Certificate) -> usize {
    let text = certificate.to_coq("name").unwrap();
    let after = text.split("Lemma name_checked : check ").nth(1).unwrap();
    after.split(' ').next().unwrap().parse().unwrap()
}

/// Errors are relative to the largest numbers in a bound: temperatures, weights, payoffs.
#[test]
fn what_enlarges_the_bounds_asks_for_more_bits() {
    let text = |beta: &str, lambda: &str, value: &str, gap: &str| {
        let text = format!(
            r#"{{"kind":"guard","beta":"{beta}","gamma":"0","labels":2,"label":[0,1],
            "weight":{{"over":"2","numerators":["1","1"]}},
            "reference":[{{"over":"3","numerators":["1","2"]}},{{"over":"3","numerators":["2","1"]}}],
            "anchor":{{"weight":"{lambda}","real":{{"over":"4","rows":[["1","1"],["1","1"]]}}}},
            "p":{{"over":"3","rows":[["1","2"],["2","1"]]}},
            "q":{{"over":"2","rows":[["1","1"],["1","1"]]}},"value":"{value}","gap":"{gap}"}}"#
        );
        bits(&Certificate::from_json(&text).unwrap())
    };
    // The value lies between 0 and (1 + lambda) log 2.
    let plain = text("1", "1", "0", "2");
    assert_eq!(plain, 60, "the fewest");
    // 2^40, and some to spare.
    for more in [
        text("1099511627776", "1", "0", "2"),
        text("1/1099511627776", "1", "0", "2"),
        text("1", "1099511627776", "0", "2199023255552"),
    ] {
        assert!((64..100).contains(&more), "{more}");
    }
}

/// A loose gap says nothing about how close the value is to what p guarantees: at the temperature 1 and
/// with p the reference, the loss of a fair classifier, log 2.
#[test]
fn a_tight_value_asks_for_more_bits_than_a_loose_one() {
    let bits = |value: &str| {
        let text = format!(
            r#"{{"kind":"guard","beta":"1","gamma":"0","labels":2,"label":[0,1],
            "weight":{{"over":"2","numerators":["1","1"]}},
            "reference":[{{"over":"1","numerators":["1"]}},{{"over":"1","numerators":["1"]}}],
            "anchor":null,"p":{{"over":"1","rows":[["1"],["1"]]}},
            "q":{{"over":"2","rows":[["1","1"]]}},"value":"{value}","gap":"1/3"}}"#
        );
        bits(&Certificate::from_json(&text).unwrap())
    };
    let log2 = "0.693147180559945309417232121458176568";
    assert!(bits(log2) >= 100 + bits("0.6"), "{} {}", bits(log2), bits("0.6"));
}

/// Coq's exponents are bignums, but it aligns two numbers by shifting: e^(10^12) + 1 fills any memory.
#[test]
fn what_coq_cannot_compute_is_refused() {
    let game = |payoff: &str, temperature: &str| {
        let text = format!(
            r#"{{"kind":"kl-matrix","payoff":{{"over":"1","rows":[["{payoff}"],["0"]]}},
            "row":{{"reference":{{"over":"2","numerators":["1","1"]}},"temperature":"{temperature}"}},
            "column":{{"reference":{{"over":"1","numerators":["1"]}},"temperature":"0"}},
            "x":{{"over":"2","numerators":["1","1"]}},"y":{{"over":"1","numerators":["1"]}},
            "value":"0","gap":"{payoff}"}}"#
        );
        Certificate::from_json(&text).unwrap().to_coq("name")
    };
    assert!(game("1", "1/1000000").is_ok());
    let error = game("1", "1/1000000000000").unwrap_err().to_string();
    assert!(error.starts_with("row.temperature: it is so small"), "{error}");
    let error = game(&"9".repeat(5000), &"9".repeat(5000)).unwrap_err().to_string();
    assert!(error.contains("numbers of more than 16384 bits"), "{error}");
}

/// What a file defines must not hide what the theory defines from the rest of the file, whatever the name:
/// `of_game` is a game in a file called of.v, and a field in SequenceForm.v.
#[test]
fn no_name_hides_the_theory() {
    let tree = RandomGame { depth: 3, seed: 1 }.tree();
    let s = nashguard::extensive::solve_exact(&tree).unwrap();
    let form = SequenceForm::new(&tree);
    let exact = Extensive::of(&form, &s.max, &s.min).unwrap();
    let mut loose = exact.clone();
    loose.gap.0 += Rational::ONE;
    let mut rough = pennies();
    rough.gap.0 += Rational::ONE;
    let kl = MatrixGame::new(vec![vec![1.0, -1.0], vec![-1.0, 1.0]]).unwrap().to_exact();
    let fair = simplex(&[1.0, 1.0]);
    let prior = || Prior::of(&fair, &1.0).unwrap();
    let kl = Regularised::of(&kl, [prior(), prior()], &fair, &fair).unwrap();
    for certificate in [
        Certificate::Extensive(exact),
        Certificate::Extensive(loose),
        Certificate::Matrix(pennies()),
        Certificate::Matrix(rough),
        Certificate::KlMatrix(kl),
    ] {
        let text = certificate.to_coq("name").unwrap();
        let mut defined: Vec<String> = vec![];
        for statement in text.split("\n\n") {
            let words = statement.split(|c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c)));
            for word in words.filter(|word| !word.starts_with("name_")) {
                let hidden = defined.iter().any(|suffix| word.ends_with(suffix.as_str()));
                assert!(!hidden || word.contains('.'), "{word} in {statement}");
            }
            let kinds = ["Definition name", "Lemma name", "Theorem name"];
            let name = kinds.iter().find_map(|kind| statement.strip_prefix(kind));
            defined.extend(name.and_then(|rest| rest.split(' ').next()).map(String::from));
        }
        assert!(defined.len() >= 4, "{defined:?}");
    }
}
