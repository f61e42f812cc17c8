//! Gambit's .efg files: known files, the way back, and what is refused.

mod common;
#[path = "../examples/poker/kuhn.rs"]
mod kuhn;
#[path = "../examples/poker/leduc.rs"]
mod leduc;
#[path = "common/trees.rs"]
mod trees;

use common::config;
use nashguard::Game;
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::extensive::efg::{read, write};
use nashguard::extensive::{Move, Plan, Player, SequenceForm, Tree};
use nashguard::scalar::Rational;
use proptest::prelude::*;
use trees::RandomGame;

fn ratio(a: i64, b: i64) -> Rational {
    Rational::from(a) / Rational::from(b)
}

fn refusal(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

/// Myerson's card game as Gambit's documentation prints it (Myerson, Game Theory, 1991, figure 2.1):
/// Max draws red or black, raises or passes; Min meets or folds without having seen the card.
const MYERSON: &str = r#"EFG 2 R "A simple Poker game" { "Fred" "Alice" }
"A comment
over two lines"

c "ROOT" 1 "(0,1)" { "RED" 0.500000 "BLACK" 0.500000 } 0
p "" 1 1 "Fred red" { "RAISE" "PASS" } 0
p "" 2 1 "Alice" { "MEET" "FOLD" } 0
t "" 1 "Big Win" { 2.000000 -2.000000 }
t "" 2 "Win" { 1.000000, -1.000000 }
t "" 2
p "" 1 2 "Fred black" { "RAISE" "PASS" } 0
p "" 2 1 0
t "" 3 "Big Loss" { -2, 2 }
t "" 2 "Win" { 1e0 -10/10 }
t "" 4 "Loss" { -.1e+1 1. }
"#;

#[test]
fn a_file_in_gambits_style() {
    let file = read(MYERSON).unwrap();
    assert_eq!(file.title, "A simple Poker game");
    assert_eq!(file.players, ["Fred", "Alice"]);
    assert!(file.notes.is_empty());
    let form = SequenceForm::new(&file.tree);
    let names = |player| -> Vec<&str> {
        form.side(player).information_sets().iter().map(|set| set.name.as_str()).collect()
    };
    assert_eq!(names(Player::Max), ["Fred red", "Fred black"]);
    assert_eq!(names(Player::Min), ["Alice"]);
    // Myerson's equilibrium: raise on red, on black one time in three; meet two times in three.
    let one = || ratio(1, 1);
    let x = vec![one(), one(), ratio(0, 1), ratio(1, 3), ratio(2, 3)];
    let x = Plan::new(form.side(Player::Max), x).unwrap();
    let y = Plan::new(form.side(Player::Min), vec![one(), ratio(2, 3), ratio(1, 3)]).unwrap();
    assert_eq!(form.payoff(&x, &y).unwrap(), ratio(1, 3));
    assert_eq!(ClosedForm.gap(&form, &x, &y).unwrap().width, ratio(0, 1));
}

/// White space is free, payoffs along a path add up, texts may hold quotes, names may be missing.
#[test]
fn free_form_files() {
    let file = read(
        "\u{feff}EFG 2 D\t\"say \\\"go\\\"\"{\"A\"\"B\\\\\"}\r\np\"\"1 7{\"l\"\"r\"}3\"\"{1,-1}p\"\"2 7\"\"{\"l\"}4{1/2 -1/2}\r\nt\"\"3 t\"\"0",
    )
    .unwrap();
    assert_eq!((file.title.as_str(), file.players[1].as_str()), ("say \"go\"", "B\\"));
    let turns: Vec<&Move> = file.tree.nodes().iter().map(|node| &node.turn).collect();
    assert_eq!(turns[2], &Move::Terminal(ratio(5, 2)));
    assert_eq!(turns[3], &Move::Terminal(ratio(1, 1)));
    assert_eq!(file.tree.side(Player::Max).information_sets()[0].name, "7");
}

/// Two sets of one name keep apart.
#[test]
fn names_are_told_apart() {
    let file = read(
        r#"EFG 2 R "" { "A" "B" } p "" 1 1 "s" { "l" "r" } 0
           p "" 1 2 "s" { "x" } 0 t "" 1 { 1 -1 } p "" 1 3 "" { "y" } 0 t "" 1"#,
    )
    .unwrap();
    let sets = file.tree.side(Player::Max).information_sets();
    let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["s", "s #2", "3"]);
    assert_eq!(read(&write("", ["A", "B"], &file.tree)).unwrap().tree, file.tree);
}

#[test]
fn constant_sums_are_shifted_and_said() {
    let shifted = MYERSON
        .replace("2.000000 -2.000000", "5 -2")
        .replace("1.000000, -1.000000", "4 -1")
        .replace("1e0 -10/10", "4 -1")
        .replace("-2, 2", "1 2")
        .replace("-.1e+1 1.", "2 1");
    let file = read(&shifted).unwrap();
    assert_eq!(
        file.notes,
        [
            "the payoffs add up to 3 at every end; 3/2 was taken from each player's to make the game zero-sum"
        ]
    );
    let (moved, first) = (file.tree.nodes(), read(MYERSON).unwrap().tree);
    let ends = first.nodes().iter().zip(moved).filter_map(|(a, b)| match (&a.turn, &b.turn) {
        (Move::Terminal(a), Move::Terminal(b)) => Some(b - a),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), vec![ratio(3, 2); 6]);
}

/// OpenSpiel writes chance probabilities in rounded decimals; divided by their sum they are exact.
#[test]
fn rounded_probabilities_are_mended_and_said() {
    let tree = Tree::new(&leduc::Leduc).unwrap();
    let exact = write("Leduc", ["A", "B"], &tree);
    let rounded =
        exact.replace(" 1/6", " 0.166667").replace(" 1/5", " 0.2").replace(" 1/4", " 0.25");
    let file = read(&rounded).unwrap();
    assert_eq!(file.tree, tree);
    assert_eq!(
        file.notes,
        [
            "line 2: the chance probabilities sum to 500001/500000, not to 1; each was divided by the sum"
        ]
    );
    let rounded = exact.replace(" 1/6", " 0.16667").replace(" 1/5", " 2.0001e-1");
    let file = read(&rounded).unwrap();
    assert_eq!(file.tree, tree);
    assert!(file.notes[0].starts_with("line 2 (and 6 more): "), "{:?}", file.notes);
    // Too far off, or fractions that somebody got wrong.
    for wrong in ["0.1667", "1001/6000", "50001/300000"] {
        let e = refusal(&exact.replace(" 1/6", &format!(" {wrong}")));
        assert!(e.starts_with("line 2: chance move ["), "{e}");
        assert!(e.contains("not to 1"), "{e}");
    }
}

#[test]
fn errors_name_the_line() {
    for (from, to, place, problem) in [
        ("EFG 2", "NFG 1", "line 1, column 1: ", "\"NFG\" stands where EFG"),
        ("EFG 2", "EFG 1", "line 1, column 5: ", "2, the version"),
        ("\"Alice\" }", "\"Alice\" \"Bob\" }", "line 1, column 31: ", "the game has 3 players"),
        ("c \"ROOT\"", "x \"ROOT\"", "line 5, column 1: ", "a node (c, p or t)"),
        (
            "\"RED\" 0.500000",
            "\"RED\" 0.5.0",
            "line 5, column 28: ",
            "\"0.5.0\" stands where its prob",
        ),
        ("\"RED\" 0.500000", "\"RED\" 3/2", "line 5: chance move", "sum to 2, not to 1"),
        (
            "\"RED\" 0.500000 \"BLACK\" 0.5",
            "\"RED\" 1.5 \"BLACK\" -0.5",
            "line 5: chance",
            "-1/2 is not",
        ),
        ("p \"\" 2 1 \"Alice\"", "p \"\" 3 1 \"Alice\"", "line 7, column 6: ", "no player 3"),
        ("p \"\" 2 1 0", "p \"\" 2 2 0", "line 12, column 8: ", "set 2 of player 2 has no actions"),
        (
            "p \"\" 2 1 0",
            "p \"\" 2 1 {\"MEET\"} 0",
            "line 12: information set \"Alice\" of Min",
            "actions",
        ),
        ("t \"\" 2\n", "t \"\" 9\n", "line 10, column 6: ", "outcome 9 has no payoffs"),
        ("{ 1e0 -10/10 }", "{ 1 -2 }", "line 14, column 6: ", "outcome 2 had other payoffs"),
        ("{ -2, 2 }", "{ -2, 2, 0 }", "line 13, column 6: ", "outcome 3 has 3 payoffs"),
        ("{ -2, 2 }", "{ -2, 3 }", "line 13: ", "add up to 1, those of line 8 to 0"),
        ("2 \"Fred black\"", "1 \"Fred black\"", "", ""),
        ("1. }\n", "1. }\nt \"\" 1", "line 16, column 1: ", "the game is complete"),
        (
            "t \"\" 4 \"Loss\" { -.1e+1 1. }",
            "",
            "line 16, column 1: ",
            "the end of the file stands",
        ),
        ("\"Loss\"", "\"Loss", "line 15, column 8: ", "the text that starts here has no end"),
        ("t \"\" 2\n", "t \"\" 0 { 1 -1 }\n", "line 10, column 6: ", "outcome 0 has payoffs"),
        ("t \"\" 2\n", "t \"\" -2\n", "line 10, column 6: ", "outcome's number"),
        (
            "{ \"RAISE\" \"PASS\" } 0\np \"\" 2 1 \"A",
            "{ } 0\np \"\" 2 1 \"A",
            "line 6: info",
            "no action",
        ),
    ] {
        assert!(MYERSON.contains(from), "{from}");
        let text = MYERSON.replacen(from, to, 1);
        if problem.is_empty() {
            // One set over both cards is another game, not an error.
            assert_eq!(read(&text).unwrap().tree.side(Player::Max).sequences(), 3);
            continue;
        }
        let e = refusal(&text);
        assert!(e.starts_with(place) && e.contains(problem), "{from} -> {to}: {e}");
    }
    let forgetful = MYERSON.replace("p \"\" 2 1", "p \"\" 1 3");
    let e = refusal(&forgetful);
    assert!(e.starts_with("line 12: information set \"Alice\" of Max: "), "{e}");
    assert!(e.contains("imperfect recall"), "{e}");
    for empty in ["", " \n", "\"", "EFG", "EFG 2 R \"\" { \"a\" \"b\" }"] {
        assert!(read(empty).is_err());
    }
}

/// Nothing recurses: a path of 200,000 moves is as good as any.
#[test]
fn deep_files() {
    let depth = 200_000;
    let mut text = "EFG 2 R \"\" { \"A\" \"B\" }\n".to_owned();
    for k in 0..depth {
        text.push_str(&format!("p \"\" {} {} \"\" {{ \"go\" }} 0\n", 1 + k % 2, k + 1));
    }
    text.push_str("t \"\" 1 \"\" { 5, -5 }\n");
    let tree = read(&text).unwrap().tree;
    assert_eq!(tree.nodes().len(), depth + 1);
    let form = SequenceForm::new(&tree);
    let [x, y] = [Player::Max, Player::Min].map(|player| Plan::uniform(form.side(player)));
    assert_eq!(ClosedForm.gap(&form, &x, &y).unwrap().low, ratio(5, 1));
    assert_eq!(read(&write("", ["A", "B"], &tree)).unwrap().tree, tree);
}

#[test]
fn poker_comes_back() {
    for tree in [Tree::new(&kuhn::Kuhn).unwrap(), Tree::new(&leduc::Leduc).unwrap()] {
        let text = write("poker", ["A", "B"], &tree);
        let file = read(&text).unwrap();
        assert_eq!(file.tree, tree);
        assert!(file.notes.is_empty());
        assert_eq!(write("poker", ["A", "B"], &file.tree), text);
    }
}

proptest! {
    #![proptest_config(config(300))]

    /// What is written is read back: tree, title and players, whatever their characters.
    #[test]
    fn files_come_back(depth in 0..=7usize, seed: u64, title: String, first: String) {
        let tree = RandomGame { depth, seed }.tree();
        let file = read(&write(&title, [&first, "Min"], &tree))?;
        prop_assert_eq!(&file.tree, &tree);
        prop_assert_eq!((&file.title, &file.players[0]), (&title, &first));
        prop_assert!(file.notes.is_empty());
    }

    /// A damaged file is read or refused in one sentence; it never panics.
    #[test]
    fn damaged_files_never_panic(at in 0..600usize, gone in 0..20usize, put in "[{}\"ptc0-9/.e, é\\\\-]{0,6}") {
        let text: Vec<char> = MYERSON.chars().collect();
        let at = at.min(text.len());
        let rest = (at + gone).min(text.len());
        let damaged: String = text[..at].iter().chain(&put.chars().collect::<Vec<_>>()).chain(&text[rest..]).collect();
        if let Err(e) = read(&damaged) {
            prop_assert!(e.to_string().starts_with("line "), "{}", e);
        }
    }
}
