//! Game files: every number exactly as written, every error in one sentence that names the place.

mod common;

use common::config;
use nashguard::format::{GameFile, MatrixFile, read_game};
use nashguard::scalar::{Rational, parse};
use proptest::prelude::*;

fn matrix(text: &str) -> MatrixFile {
    match read_game(text) {
        Ok(GameFile::Matrix(file)) => file,
        other => panic!("{text}: {other:?}"),
    }
}

fn payoffs(text: &str) -> Vec<Vec<Rational>> {
    matrix(text).game.payoffs().outer_iter().map(|row| row.to_vec()).collect()
}

fn numbers(rows: &[&[&str]]) -> Vec<Vec<Rational>> {
    rows.iter().map(|row| row.iter().map(|v| parse(v).unwrap()).collect()).collect()
}

/// Numbers that f64 would round, overflow or flush to 0.
#[test]
fn numbers_are_read_exactly() {
    let expected = numbers(&[&["1/10", "123456789012345678901234567890"], &["1e-400", "-1e400"]]);
    let json =
        r#"{"kind":"matrix","payoff":[[0.1, 123456789012345678901234567890],[1E-400, -1e+400]]}"#;
    assert_eq!(payoffs(json), expected);
    let json = r#"{"kind":"matrix","payoff":[["0.1", "123456789012345678901234567890"],["1/1e400", " -1e400 "]]}"#;
    assert_eq!(payoffs(json), expected);
    let csv =
        "\u{feff}# numbers\n0.1, 123456789012345678901234567890\n\n  # more\n\"1e-400\",-1e400";
    assert_eq!(payoffs(csv), expected);
    assert_eq!(payoffs("1\n2\r\n3\n"), numbers(&[&["1"], &["2"], &["3"]]));
    assert_eq!(payoffs("1/3,-.5\n"), numbers(&[&["1/3", "-1/2"]]));
    let nfg = "NFG 1 R \"x\" { \"A\" \"B\" } { 1 2 } 0.1 -1/10 1e-400 -1e-400";
    assert_eq!(payoffs(nfg), numbers(&[&["0.1", "1e-400"]]));
}

proptest! {
    #![proptest_config(config(200))]

    /// The three formats agree on any table.
    #[test]
    fn the_formats_agree(
        rows in 1..5_usize, columns in 1..5_usize,
        entries in prop::collection::vec((any::<i64>(), 1..1000_i64, -30..30_i32), 16),
    ) {
        let text = |(a, b, e): &(i64, i64, i32)| format!("{a}e{e}/{b}");
        let table: Vec<Vec<String>> =
            (0..rows).map(|i| (0..columns).map(|j| text(&entries[4 * i + j])).collect()).collect();
        let quoted = |row: &Vec<String>| format!("[{}]", row.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(","));
        let json: Vec<String> = table.iter().map(quoted).collect();
        let json = payoffs(&format!(r#"{{"kind":"matrix","payoff":[{}]}}"#, json.join(",")));
        let mut nfg = format!("NFG 1 R \"\" {{ \"A\" \"B\" }}\n{{ {rows} {columns} }}\n");
        for j in 0..columns {
            for row in &table {
                let other = match row[j].strip_prefix('-') {
                    Some(v) => v.to_owned(),
                    None => format!("-{}", row[j]),
                };
                nfg += &format!("{} {other}\n", row[j]);
            }
        }
        prop_assert_eq!(&payoffs(&nfg), &json);
        if rows * columns > 1 {
            let csv: Vec<String> = table.iter().map(|row| row.join(" ,")).collect();
            prop_assert_eq!(&payoffs(&csv.join("\n")), &json);
        }
    }
}

/// Both variants of .nfg, in Gambit's layout; player 1's strategy varies fastest.
#[test]
fn gambit_files() {
    let list = r#"NFG 1 R "A zero-sum game"
{ "Player 1" "Player 2" }

{ { "1" "2" "3" }
{ "a \"quoted\" name" "\\" }
}
"A comment"

1 -1 2 -2 3 -3
4 -4 5 -5 6 -6
"#;
    let file = matrix(list);
    assert_eq!(payoffs(list), numbers(&[&["1", "4"], &["2", "5"], &["3", "6"]]));
    assert_eq!(
        (file.rows.len(), file.columns, file.note),
        (3, vec!["a \"quoted\" name".into(), "\\".into()], None)
    );
    let outcomes = r#"NFG 1 D "With outcomes" { "Alphonse" "Gaston" } { 3 2 }
{
{ "Win" 1/2, -1/2 }
{ "" -0.25 0.25 }
}
1 2 0 0 2 1
"#;
    assert_eq!(payoffs(outcomes), numbers(&[&["1/2", "0"], &["-1/4", "-1/4"], &["0", "1/2"]]));
    assert!(matrix(outcomes).rows.is_empty());
}

/// Half of the constant is taken from each player, and the note says so.
#[test]
fn constant_sum_games_are_shifted_and_said_to_be() {
    let file = matrix("NFG 1 R \"\" {\"A\" \"B\"} {2 2} 3 -1 1 1 0 2 5/2 -0.5");
    assert_eq!(file.game.payoffs()[(0, 0)], Rational::from(2));
    assert_eq!(file.game.payoffs()[(1, 1)], parse("3/2").unwrap());
    let note = file.note.unwrap();
    assert!(note.starts_with("the payoffs add up to 2 in every cell; 1 was"), "{note}");
    // Outcome 0 pays nothing, so it counts in the sum.
    let broken = "NFG 1 R \"\" {\"A\" \"B\"} {{\"u\" \"d\"} {\"l\"}} { { \"w\" 2 1 } } 1 0";
    let error = read_game(broken).unwrap_err().to_string();
    assert!(
        error.contains(
            "the payoffs of row \"d\", column \"l\" sum to 0, those of the first cell to 3"
        ),
        "{error}"
    );
}

#[test]
fn errors_name_the_place_in_one_sentence() {
    let nfg = |rest: &str| format!("NFG 1 R \"\" {{ \"A\" \"B\" }} {rest}");
    let cases = [
        ("1,2\n\n# c\n3,x\n".to_owned(), "line 4, column 2: \"x\" is not a number"),
        ("1,2\n3,\n".into(), "line 2, column 2: \"\" is not a number"),
        ("1,2\n3\n".into(), "line 2: it has 1 entries, the first row has 2"),
        ("1;2\n3;4".into(), "line 1, column 1: \"1;2\" is not a number"),
        ("1,1/0".into(), "line 1, column 2: \"1/0\" is not a number"),
        (
            r#"{"kind":"matrix","payoff":[[1,"0x1f"]]}"#.into(),
            "payoff[0][1]: \"0x1f\" is not a number",
        ),
        (
            r#"{"kind":"matrix","payoff":[[1],[true]]}"#.into(),
            "payoff[1][0]: \"true\" is not a number",
        ),
        (r#"{"kind":"matrix","payoff":[[[1]]]}"#.into(), "payoff[0][0]: \"[1]\" is not a number"),
        (r#"{"kind":"matrix","payoff":[1]}"#.into(), "payoff[0]: invalid type"),
        (
            r#"{"kind":"matrix","payoff":[[1e999999999]]}"#.into(),
            "payoff[0][0]: \"1e999999999\" is not",
        ),
        (r#"{"kind":"matrix","payoff":[[01]]}"#.into(), "payoff"),
        ("NFG 2 R".into(), "line 1, column 5: \"2\" stands where the version"),
        ("NFG 1 X".into(), "line 1, column 7: \"X\" stands where R"),
        ("NFG 1 R \"\"".into(), "line 1, column 11: the end of the file stands where a list of names"),
        ("NFG 1 R \"".into(), "line 1, column 9: the text that starts here has no end"),
        (
            "NFG 1 R \"t\" { \"A\" \"B\" \"C\" } { 1 1 1 } 0 0 0".into(),
            "players: the game has 3",
        ),
        (nfg("{ 2 }"), "line 1, column 28: \"}\" stands where a number of strategies"),
        (nfg("{ 2 -1 }"), "line 1, column 28: \"-1\" stands where a number of strategies"),
        (nfg("{ 0 1 }"), "strategies: 0 x 1 make no game"),
        (nfg("{ 99999999 99999999 } 1"), "line 1, column 47: the end of the file stands where a payoff"),
        (nfg("{ {\"a\"} {\"b\"} {\"c\"} } 1 -1"), "line 1, column 38: \"{\" stands where \"}\" after two"),
        (nfg("{ 1 2 }\n1 -1 2"), "line 2, column 7: the end of the file stands where a payoff"),
        (nfg("{ 1 1 }\n1 -1 }"), "line 2, column 6: \"}\" stands where nothing more"),
        (nfg("{ 1 1 }\n1 y"), "line 2, column 3: \"y\" stands where a payoff"),
        (
            nfg("{ 2 2 }\n1 -1 1 -1 1 -1 1 1"),
            "line 2, column 16: the payoffs of row 2, column 2 sum to 2, those of the first cell to 0",
        ),
        (nfg("{ 1 1 }\n{ { \"o\" 1 2 3 } }\n1"), "line 2, column 13: \"3\" stands where \"}\" after two payoffs"),
        (nfg("{ 1 1 }\n{ { \"o\" 1 -1 } }\n2"), "line 3, column 1: outcome 2 does not exist; name one of the 1"),
        (nfg("{ 1 1 }\n{ { \"o\" 1 -1 } }\n1/2"), "line 3, column 1: \"1/2\" stands where an outcome's number"),
        ("EFG 2 R".into(), "line 1"),
        (r#"{"kind":"kl-matrix","payoff":[[1]],"row":{"temperature":-1},"column":{"temperature":0}}"#.into(), "row.temperature: -1"),
        (r#"{"kind":"kl-matrix","payoff":[[1]],"row":{"temperature":1,"reference":[0.5]},"column":{"temperature":0}}"#.into(), "row: distribution: the entries sum to 0.5"),
    ];
    for (text, expected) in cases {
        let error = read_game(&text).expect_err(&text).to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
        assert!(error.lines().count() == 1 && error.contains("; "), "{error}");
    }
}

proptest! {
    #![proptest_config(config(200))]

    /// No text makes the reader panic.
    #[test]
    fn any_text_is_a_game_or_an_error(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "NFG", " 1 ", "R", "\"", "\\", "{", "}", "2", "-1/2", ",", "\n", "#", "é", "[", "kind", ":", "1e9", "0",
        ]), 0..40),
    ) {
        let _ = read_game(&pieces.concat());
        let _ = read_game(&format!("NFG 1 R \"\" {{ \"A\" \"B\" }} {}", pieces.concat()));
    }
}
