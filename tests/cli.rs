//! The two programs as a user meets them: output, exit codes, and one clear sentence for bad input.

use nashguard::certificate::{Certificate, Exact};
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::format::{ExactSolutionFile, GameFile, SolutionFile, read_game};
use nashguard::guard::{Classifier, ExactGap, Generator};
use nashguard::scalar::parse;
use nashguard::simplex::Simplex;
use ndarray::Array2;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const GUARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/games/guard.json");
const KL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/games/kl-matrix.json");
const EFG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/games/coin.efg");
const MATRIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/games/matrix.json");

fn nashguard(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nashguard"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may refuse its arguments before it reads anything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// The tool with standard output on a device that takes nothing.
#[cfg(target_os = "linux")]
fn with_full_output(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nashguard"))
        .args(arguments)
        .stdout(std::fs::File::create("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

fn experiment(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_experiment")).args(arguments).output().unwrap()
}

fn table(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// The printed strategies, read back, have the printed gap and value: nothing is lost in print.
#[test]
fn a_printed_guard_solution_is_an_equilibrium_of_the_file() {
    let out = nashguard(&["solve", GUARD], b"");
    assert!(out.status.success());
    assert!(String::from_utf8_lossy(&out.stderr).starts_with("guard game, 3 seeds x 4 texts"));
    let SolutionFile::Guard { value, gap, generator, classifier, .. } =
        serde_json::from_slice(&out.stdout).unwrap()
    else {
        panic!("not a guard solution")
    };
    assert!(gap <= 1e-12);
    assert_eq!((generator.len(), classifier.len()), (3, 4));
    // Text 3 is out of seed 0's reach, text 0 out of seed 2's: there the label is certain.
    assert_eq!((generator[0][3], generator[2][0], classifier[0][1]), (0.0, 0.0, 0.0));
    let text = std::fs::read_to_string(GUARD).unwrap();
    let GameFile::Guard { game, .. } = read_game(&text).unwrap() else {
        panic!("not a guard game")
    };
    let p = Generator::new(&game, table(&generator)).unwrap();
    let q = Classifier::new(&game, table(&classifier)).unwrap();
    let again = ExactGap.gap(&game, &p, &q).unwrap();
    assert!(again.width <= 1e-12 && (again.low - value).abs() < 1e-14);
}

#[test]
fn a_printed_matrix_solution_is_an_equilibrium_of_the_file() {
    let out = nashguard(&["solve", "-"], &std::fs::read(MATRIX).unwrap());
    assert!(out.status.success());
    let SolutionFile::Matrix { value, row, column, .. } =
        serde_json::from_slice(&out.stdout).unwrap()
    else {
        panic!("not a matrix solution")
    };
    let text = std::fs::read_to_string(MATRIX).unwrap();
    let GameFile::Matrix(file) = read_game(&text).unwrap() else { panic!("not a matrix game") };
    let game = file.game.to_f64().unwrap();
    let (x, y) = (Simplex::new(row).unwrap(), Simplex::new(column).unwrap());
    assert!(ClosedForm.gap(&game, &x, &y).unwrap().width < 1e-12 && value.abs() < 1e-12);
    // By hand: every row and column is in use, in proportions 3 : 2 : 1.
    for (found, expected) in x.as_slice().iter().zip([0.5, 1.0 / 3.0, 1.0 / 6.0]) {
        assert!((found - expected).abs() < 1e-12);
    }
}

#[test]
fn a_file_in_place_of_standard_output_holds_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("solution.json");
    let printed = nashguard(&["solve", GUARD], b"");
    let written = nashguard(&["solve", GUARD, "--out", file.to_str().unwrap()], b"");
    assert!(written.status.success() && written.stdout.is_empty());
    assert_eq!(std::fs::read(&file).unwrap(), printed.stdout);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Every bad input: exit code 1, nothing on standard output, one line that names the place.
#[test]
fn bad_input_is_refused_in_one_sentence() {
    let guard =
        |seed: &str| format!(r#"{{"kind":"guard","beta":1,"labels":["a","b"],"seeds":[{seed}]}}"#);
    let cases = [
        ("", "standard input: JSON: "),
        (r#"{"kind":"guard","beta":1"#, "the text ends too early"),
        ("[1]", "a game is an object"),
        ("1", "JSON: invalid type"),
        (r#"{"kind":"poker"}"#, "kind: \"poker\" is not a kind of game"),
        (r#"{"kind":"matrix","payoff":[]}"#, "payoff: the matrix is empty"),
        (r#"{"kind":"matrix","payoff":[[1,2],[3]]}"#, "payoff[1]: it has 1 entries"),
        (r#"{"kind":"matrix","payoff":[[1,null]]}"#, "payoff[0][1]: "),
        (r#"{"kind":"matrix","payoff":[[1,1e999]]}"#, "payoff[0][1]: number out of range"),
        (r#"{"kind":"matrix","payoff":[[1]],"typo":1}"#, "typo: unknown field"),
        (r#"{"kind":"matrix","payoff":[[1]]} {}"#, "trailing characters"),
        (&guard(""), "seeds: there are none"),
        (&guard(r#"{"label":2,"weight":1,"reference":[1]}"#), "seeds[0].label: 2 is not one"),
        (&guard(r#"{"label":-1,"weight":1,"reference":[1]}"#), "seeds[0].label: "),
        (&guard(r#"{"label":0,"weight":-1,"reference":[1]}"#), "seeds[0].weight: -1 is not"),
        (&guard(r#"{"label":0,"weight":1,"reference":[1,-0.5]}"#), "seeds[0].reference[1]: -0.5"),
        (&guard(r#"{"label":0,"weight":1,"reference":[0.5,0.4]}"#), "sum to 0.9"),
        (&guard(r#"{"label":0,"weight":1,"reference":[]}"#), "seeds[0].reference: it is empty"),
        (&guard(r#"{"label":0,"weight":0.5,"reference":[1]}"#), "seeds[..].weight: the entries"),
        (
            r#"{"kind":"guard","beta":0,"labels":["a"],"seeds":[{"label":0,"weight":1,"reference":[1]}]}"#,
            "beta: 0 is not a positive number",
        ),
        (
            r#"{"kind":"guard","beta":1,"gamma":0.7,"labels":["a","b"],"seeds":[{"label":0,"weight":1,"reference":[1]}]}"#,
            "gamma: 0.7 leaves no classifier",
        ),
        (
            r#"{"kind":"guard","beta":1,"tau":-1,"labels":["a","b"],"seeds":[{"label":0,"weight":1,"reference":[1]}]}"#,
            "tau: -1 is not a proximal weight",
        ),
        (
            r#"{"kind":"guard","beta":1,"labels":["a","a"],"seeds":[{"label":0,"weight":1,"reference":[1]}]}"#,
            "labels[1]: \"a\" is named twice",
        ),
        (
            r#"{"kind":"guard","beta":1,"labels":["a","b"],"anchor":{"weight":1,"real":[[1],[0,0]]},"seeds":[{"label":0,"weight":1,"reference":[1]}]}"#,
            "anchor.real[1]: it has 2 entries",
        ),
    ];
    for (input, expected) in cases {
        let out = nashguard(&["solve", "-"], input.as_bytes());
        let message = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{input}");
        assert!(out.stdout.is_empty(), "{input}");
        assert!(message.contains(expected), "{input}\n{message}");
        assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
    }
}

#[test]
fn files_and_options_are_refused_in_one_sentence_too() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.json");
    for (arguments, expected) in [
        (vec!["solve", missing.to_str().unwrap()], "none.json"),
        (vec!["solve", GUARD, "--tol", "-1"], "--tol"),
        (vec!["solve", GUARD, "--tol", "NaN"], "--tol"),
        (vec!["solve", GUARD, "--tol", "1e-60"], "not solved: the gap is"),
        (vec!["solve", GUARD, "--out", folder.path().to_str().unwrap()], "cannot"),
    ] {
        let out = nashguard(&arguments, b"");
        let message = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{arguments:?}");
        assert!(out.stdout.is_empty() && message.contains(expected), "{arguments:?}\n{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    assert_eq!(nashguard(&["solve", "-"], &[0xff, 0xfe]).status.code(), Some(1));
}

/// The paper's own weight below its threshold runs away: an error, never numbers.
#[test]
fn a_weight_that_cannot_converge_is_an_error() {
    let text = std::fs::read_to_string(GUARD).unwrap().replace("null", "0");
    let out = nashguard(&["solve", "-"], text.as_bytes());
    let message = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    assert!(out.stdout.is_empty() && message.contains("tau = 0 need not converge"), "{message}");
    let text = text.replace("0.5,\n  \"tau\"", "1.5,\n  \"tau\"");
    assert!(nashguard(&["solve", "-"], text.as_bytes()).status.success());
}

#[test]
fn experiments_are_listed_and_unknown_ones_refused() {
    let out = experiment(&["list"]);
    let listed = String::from_utf8_lossy(&out.stdout).into_owned();
    for name in ["theory", "phase", "seedgame"] {
        assert!(listed.lines().any(|line| line.starts_with(name)), "{listed}");
    }
    let out = experiment(&["run", "nothing"]);
    let message = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    assert!(message.contains("there is no such experiment"), "{message}");
    let out = experiment(&["run", "theory", "--data", "/no/such/folder"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("/no/such/folder"));
}

/// One experiment from start to end: results, page and figures are there, and the same seed makes
/// the same tables.
#[test]
fn an_experiment_leaves_results_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let run = |out: &str| {
        let (out, figures) = (path(out), path("figures"));
        let arguments = ["run", "theory", "--scale", "smoke", "--out", &out, "--figures", &figures];
        let done = experiment(&arguments);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        nashguard::report::Report::load(Path::new(&out).join("theory.json")).unwrap()
    };
    let (first, second) = (run("a"), run("b"));
    assert_eq!(first.tables, second.tables);
    assert_eq!((first.name.as_str(), first.scale.as_str(), first.seed), ("theory", "smoke", 0));
    for file in ["a/theory.md", "figures/theory-rates.svg", "figures/theory-rates.png"] {
        assert!(std::fs::metadata(path(file)).unwrap().len() > 1000, "{file}");
    }
}

/// `--out` follows links and leaves what is no file alone; `-` is standard output.
#[cfg(unix)]
#[test]
fn links_are_followed_and_devices_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.json"), folder.path().join("link.json"));
    std::fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert!(nashguard(&["solve", GUARD, "--out", link.to_str().unwrap()], b"").status.success());
    assert!(std::fs::read(&real).unwrap().starts_with(b"{\"kind\":\"guard\""));
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let out = nashguard(&["solve", GUARD, "--out", folder.path().to_str().unwrap()], b"");
    assert!(String::from_utf8_lossy(&out.stderr).contains("not a regular file"));
    assert!(!nashguard(&["solve", GUARD, "--out", "-"], b"").stdout.is_empty());
}

/// However a path is written, nothing is written over the game, nor the solution and the certificate
/// over each other.
#[test]
fn outputs_have_places_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("sub")).unwrap();
    std::fs::copy(MATRIX, path("game.json")).unwrap();
    let mut same = vec![path("sub/../game.json")];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(path("game.json"), path("link.json")).unwrap();
        same.push(path("link.json"));
    }
    let game = path("game.json");
    let mut cases = vec![(path("c.json"), path("sub/../c.json"), "--certificate: the certificate")];
    for place in same {
        cases.push((place.clone(), path("s.json"), "--certificate: the certificate"));
        cases.push((path("c.json"), place, "--out: the solution"));
    }
    let before = std::fs::read_dir(folder.path()).unwrap().count();
    for (certificate, out, expected) in cases {
        let done = nashguard(&["solve", &game, "--certificate", &certificate, "--out", &out], b"");
        let message = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{certificate} {out}");
        assert!(message.contains(expected) && message.lines().count() == 1, "{message}");
        assert_eq!(std::fs::read(&game).unwrap(), std::fs::read(MATRIX).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before);
    }
}

/// Where the solution cannot be written, the certificate is not written either, and the other way
/// round.
#[test]
fn both_files_are_written_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("sub")).unwrap();
    for (certificate, out) in [("c.json", "sub"), ("sub", "s.json")] {
        let arguments = ["solve", GUARD, "--certificate", &path(certificate), "--out", &path(out)];
        let done = nashguard(&arguments, b"");
        assert_eq!(done.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&done.stderr).contains("not a regular file"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    let done = nashguard(&["solve", GUARD, "--certificate", &path("sub")], b"");
    assert!(done.status.code() == Some(1) && done.stdout.is_empty());
    #[cfg(target_os = "linux")]
    {
        let done = with_full_output(&["solve", GUARD, "--certificate", &path("c.json")]);
        assert_eq!(done.status.code(), Some(1));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    let arguments = ["solve", GUARD, "--certificate", &path("c.json"), "--out", &path("s.json")];
    assert!(nashguard(&arguments, b"").status.success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

/// An output that takes nothing is an error like any other, of a verdict too.
#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.json");
    let certificate = file.to_str().unwrap();
    assert!(nashguard(&["solve", GUARD, "--certificate", certificate], b"").status.success());
    for arguments in [["solve", GUARD], ["verify", certificate]] {
        let done = with_full_output(&arguments);
        let message = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{message}");
        assert!(message.starts_with("error: cannot write standard output: "), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

/// A reader of the output that leaves early does not stop the experiments.
#[test]
fn a_closed_pipe_is_no_reason_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (out, figures) = (path("out"), path("figures"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_experiment"))
        .args(["run", "theory", "--scale", "smoke", "--out", &out, "--figures", &figures])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

/// --exact from end to end: strings in the JSON, gap 0, a certificate that verifies, and the same game
/// in every format.
#[test]
fn exact_solutions_are_fractions_with_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let json = r#"{"kind":"matrix","payoff":[["1/3",-0.1],["-1e-30",0.7]]}"#;
    let csv = "# the same game\n1/3, -0.1\n\n-1e-30, 0.7\n";
    let nfg = "NFG 1 R \"\" {\"a\" \"b\"} {2 2} 1/3 -1/3 -1e-30 1e-30 -0.1 0.1 0.7 -0.7";
    let mut printed = vec![];
    for text in [json, csv, nfg] {
        let certificate = path("c.json");
        let arguments = ["solve", "-", "--exact", "--certificate", &certificate];
        let out = nashguard(&arguments, text.as_bytes());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let verdict = nashguard(&["verify", &certificate], b"");
        assert_eq!(verdict.status.code(), Some(0));
        assert!(verdict.stdout.starts_with(b"valid: matrix game, 2 x 2: value 0."), "{verdict:?}");
        printed.push(out.stdout);
    }
    assert!(printed[0] == printed[1] && printed[1] == printed[2]);
    let ExactSolutionFile::Matrix { value, gap, row, column } =
        serde_json::from_slice(&printed[0]).unwrap()
    else {
        panic!("not a matrix solution")
    };
    // By hand: (a d - b c) / (a + d - b - c).
    let expected = parse("7/30").unwrap() - parse("1e-31").unwrap();
    let total = parse("17/15").unwrap() + parse("1e-30").unwrap();
    assert_eq!((value.0, gap), (expected / total, Exact(parse("0").unwrap())));
    assert!([row, column].iter().all(|p| &p[0].0 + &p[1].0 == parse("1").unwrap()));
}

/// Certificates of floating-point solutions hold for the numbers printed, of guard games too.
#[test]
fn float_solutions_are_certified_with_their_gap() {
    let folder = tempfile::tempdir().unwrap();
    for (game, kind) in [
        (MATRIX, "matrix game, 3 x 3"),
        (GUARD, "guard game, 3 seeds x 4 texts"),
        (KL, "KL-regularised matrix game, 2 x 2"),
    ] {
        let file = folder.path().join("c.json");
        let out = nashguard(&["solve", game, "--certificate", file.to_str().unwrap()], b"");
        assert!(out.status.success());
        let text = std::fs::read_to_string(&file).unwrap();
        let proven = Certificate::from_json(&text).unwrap().check().unwrap();
        assert!(nashguard::scalar::to_f64(&proven.gap) <= 1e-12);
        let verdict = nashguard(&["verify", "-"], text.as_bytes());
        let line = String::from_utf8_lossy(&verdict.stdout).into_owned();
        assert!(verdict.status.success() && line.starts_with(&format!("valid: {kind}")), "{line}");
        // A bound ten times smaller is false.
        let gap = text.split("\"gap\":\"").nth(1).unwrap().split('"').next().unwrap();
        let forged = text.replace(&format!("\"gap\":\"{gap}\""), &format!("\"gap\":\"{gap}0\""));
        let verdict = nashguard(&["verify", "-"], forged.as_bytes());
        let line = String::from_utf8_lossy(&verdict.stdout).into_owned();
        assert_eq!(verdict.status.code(), Some(1));
        assert!(line.starts_with("invalid: ") && line.contains("above the claimed"), "{line}");
    }
    let out = nashguard(&["verify", "-"], b"{\"kind\":\"matrix\"}");
    assert_eq!(out.status.code(), Some(1));
    assert!(out.stdout.is_empty() && out.stderr.starts_with(b"error: standard input: "));
}

#[test]
fn exact_and_method_are_refused_where_they_do_not_apply() {
    for (arguments, expected) in [
        (vec!["solve", GUARD, "--exact"], "--exact: the equilibrium of a guard game is irrational"),
        (vec!["solve", GUARD, "--method", "simplex"], "choose one of: proximal"),
        (vec!["solve", MATRIX, "--method", "magic"], "choose one of: simplex, predictive-rm+"),
        (vec!["solve", KL, "--exact"], "--exact: the equilibrium of a game with KL terms"),
        (vec!["solve", KL, "--method", "simplex"], "choose one of: proximal"),
        (
            vec!["solve", EFG, "--method", "simplex"],
            "choose one of: sequence-form, predictive-cfr+",
        ),
        (vec!["solve", MATRIX, "--certificate", "-"], "--certificate: "),
        (vec!["solve", MATRIX, "--certificate", "a", "--out", "a"], "--certificate: "),
        (vec!["verify", "/no/such/file"], "/no/such/file"),
    ] {
        let out = nashguard(&arguments, b"");
        let message = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{arguments:?}");
        assert!(out.stdout.is_empty() && message.contains(expected), "{arguments:?}\n{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    // Beyond f64, but a number like any other over the rationals.
    let huge = br#"{"kind":"matrix","payoff":[[1,1e999]]}"#;
    let out = nashguard(&["solve", "-", "--exact"], huge);
    assert!(out.stdout.starts_with(br#"{"kind":"matrix","value":"1","gap":"0""#));
}

/// The table on standard error names what is in use, and counts what it leaves out.
#[test]
fn supports_are_shown_and_long_ones_cut() {
    let rows = |n: usize| -> String {
        let row =
            |i: usize| (0..n).map(|j| if i == j { "1" } else { "0" }).collect::<Vec<_>>().join(",");
        (0..n).map(|i| row(i) + "\n").collect()
    };
    let out = nashguard(&["solve", "-", "--exact"], rows(30).as_bytes());
    let message = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(message.starts_with("matrix game, 30 x 30: value 1/30, gap 0"), "{message}");
    assert_eq!(message.matches("and 19 more, together 0.633333").count(), 2, "{message}");
    let named = "NFG 1 R \"\" {\"a\" \"b\"} {{\"stay \\\"put\\\"\"} {\"go\"}} 5 -2";
    let out = nashguard(&["solve", "-"], named.as_bytes());
    let message = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        message.contains("note: the payoffs add up to 3") && message.contains("  go "),
        "{message}"
    );
    assert!(message.contains(r#"  stay "put" "#), "{message}");
    // What each gets in the game as it is written.
    for (arguments, paid) in [
        (["solve", "-"].as_slice(), json!([5.0, -2.0])),
        (&["solve", "-", "--exact"], json!(["5", "-2"])),
    ] {
        let out = nashguard(arguments, named.as_bytes());
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(answer["paid"], paid);
    }
    let out = nashguard(&["solve", "-"], b"1,-1\n-1,1\n");
    assert!(serde_json::from_slice::<Value>(&out.stdout).unwrap().get("paid").is_none());
}

/// Ctrl-C in the middle: a message, exit code 130, and no file, whole or half.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // Some seconds of exact work at least, from any generator of numbers without pattern.
    let mut state = 1_u64;
    let mut entry = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        format!("{}", (state >> 33) as i64 - (1 << 30))
    };
    let game: Vec<String> =
        (0..600).map(|_| (0..600).map(|_| entry()).collect::<Vec<_>>().join(",")).collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_nashguard"))
        .args(["solve", "-", "--exact", "--out", &path("s.json"), "--certificate", &path("c.json")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds, so that the tool is at work when all of it is written.
    child.stdin.take().unwrap().write_all(game.join("\n").as_bytes()).unwrap();
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let out = child.wait_with_output().unwrap();
    let message = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(130), "{message}");
    assert!(message.starts_with("interrupted: nothing was written"), "{message}");
    assert!(out.stdout.is_empty() && message.lines().count() == 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// What the README shows of the tool is what it prints, up to the last digits, which depend on the
/// processor.
#[cfg(unix)]
#[test]
fn the_readme_shows_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    std::os::unix::fs::symlink(tests, folder.path().join("tests")).unwrap();
    let tools = Path::new(env!("CARGO_BIN_EXE_nashguard")).parent().unwrap().display();
    let path = format!("{tools}:{}", std::env::var("PATH").unwrap());
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    let numbers = |text: &str| -> Vec<f64> {
        let text = text.replace("...", "");
        text.split(|c: char| !"0123456789.e-".contains(c)).filter_map(|n| n.parse().ok()).collect()
    };
    let mut commands = 0;
    for block in include_str!("../README.md").split("```").skip(1).step_by(2) {
        let Some(session) = block.strip_prefix("\n$ ").filter(|s| !s.contains("$ make")) else {
            continue;
        };
        for part in session.split("\n$ ") {
            let (command, shown) = part.split_once('\n').unwrap_or((part, ""));
            let mut shell = Command::new("sh");
            shell.args(["-c", command]).current_dir(folder.path()).env("PATH", &path);
            let printed = String::from_utf8(shell.output().unwrap().stdout).unwrap();
            assert_eq!(shape(printed.trim_end()), shape(shown.trim_end()), "{command}\n{printed}");
            let (found, expected) = (numbers(&printed), numbers(shown));
            assert_eq!(found.len(), expected.len(), "{command}\n{printed}");
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12;
            assert!(found.iter().zip(&expected).all(close), "{command}\n{printed}");
            commands += 1;
        }
    }
    assert!(commands >= 6, "{commands}");
}

/// Learning dynamics reach the tolerance asked for, which the certificate confirms, or say that they did
/// not.
#[test]
fn dynamics_are_methods_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.json");
    let certificate = file.to_str().unwrap();
    for (game, method) in [(MATRIX, "predictive-rm+"), (EFG, "predictive-cfr+")] {
        let arguments =
            ["solve", game, "--method", method, "--tol", "1e-5", "--certificate", certificate];
        let out = nashguard(&arguments, b"");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = std::fs::read_to_string(&file).unwrap();
        let proven = Certificate::from_json(&text).unwrap().check().unwrap();
        // Payoffs of a spread of at most 6.
        assert!(nashguard::scalar::to_f64(&proven.gap) <= 6e-5);
    }
    // Uniform play, the start, is optimal in f64, and not for these payoffs.
    let unequal = r#"{"kind":"matrix","payoff":[["0.10000000000000000001",0.3],[0.3,0.1]]}"#;
    let arguments = ["solve", "-", "--method", "predictive-rm+", "--tol"];
    let out = nashguard(&[&arguments[..], &["1e-30"]].concat(), unequal.as_bytes());
    assert!(out.status.code() == Some(1) && out.stdout.is_empty());
    assert!(
        String::from_utf8_lossy(&out.stderr)
            .contains("after 1 iterations, above the tolerance 1e-30")
    );
    let out = nashguard(&[&arguments[..], &["1e-18"]].concat(), unequal.as_bytes());
    assert!(out.status.success());
    let out = nashguard(&["solve", MATRIX, "--method", "predictive-rm+", "--tol", "1e-30"], b"");
    assert_eq!(out.status.code(), Some(1));
    assert!(out.stdout.is_empty() && out.stderr.starts_with(b"error: not solved: the gap is"));
    let exactly = nashguard(&["solve", MATRIX, "--method", "predictive-rm+", "--exact"], b"");
    assert!(String::from_utf8_lossy(&exactly.stderr).contains("choose one of: simplex\n"));
}

/// An .efg file from end to end: the guesser names the likelier side of the coin.
#[test]
fn extensive_games_are_solved_and_certified() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.json");
    let certificate = file.to_str().unwrap();
    for (exact, value) in [(true, "\"1/3\""), (false, "0.333333333333333")] {
        let mut arguments = vec!["solve", EFG, "--certificate", certificate];
        arguments.extend(exact.then_some("--exact"));
        let out = nashguard(&arguments, b"");
        let (printed, table) =
            (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{table}");
        let start = format!("{{\"kind\":\"extensive\",\"value\":{value}");
        assert!(printed.starts_with(&start), "{printed}");
        assert!(table.contains("    see: tails 1"), "{table}");
        let verdict = nashguard(&["verify", certificate], b"");
        assert!(verdict.status.success(), "{verdict:?}");
        assert!(verdict.stdout.starts_with(b"valid: extensive game, 3 x 1 sequences"));
    }
    let forged =
        std::fs::read_to_string(&file).unwrap().replace("\"value\":\"1/3\"", "\"value\":\"1/2\"");
    let verdict = nashguard(&["verify", "-"], forged.as_bytes());
    assert_eq!(verdict.status.code(), Some(1));
    assert!(verdict.stdout.starts_with(b"invalid: column player's best reply: x gets 1/3"));
}

/// A game of every kind, and the certificate that `solve` writes, become a Coq file. That Coq accepts
/// such files is checked by `proofs/check`.
#[test]
fn games_and_certificates_become_coq_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (game, theorem) in [
        (MATRIX, "Theorem proof_value :\n  is_value (game proof_certificate) (0 / 1)%R."),
        (EFG, "Theorem proof_value :\n  value_of proof_game (1 / 3)%R."),
        (
            GUARD,
            "eps_nash (class_of proof_game) (generator_of proof_game) (classifier_of proof_game) 0.0",
        ),
        (KL, "eps_nash (game_of proof_game) (x_of proof_game) (y_of proof_game) 0.0"),
    ] {
        let (proof, certificate) = (path("proof.v"), path("c.json"));
        let out = nashguard(&["certify", game, "--out", &proof], b"");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(out.stdout.is_empty());
        let text = std::fs::read_to_string(&proof).unwrap();
        let name = Path::new(game).file_name().unwrap().to_str().unwrap();
        let made = format!("(* Generated by `nashguard certify {name} --out proof.v`. *)\n");
        assert!(text.starts_with(&made) && text.contains(theorem), "{text}");
        // The same by way of the certificate, here through standard input.
        let mut arguments = vec!["solve", game, "--certificate", &certificate];
        arguments.extend([MATRIX, EFG].contains(&game).then_some("--exact"));
        assert!(nashguard(&arguments, b"").status.success());
        let certificate = std::fs::read(&certificate).unwrap();
        let out = nashguard(&["certify", "-", "--out", &proof], &certificate);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let again = std::fs::read_to_string(&proof).unwrap();
        assert_eq!(again.split_once('\n').unwrap().1, text.split_once('\n').unwrap().1);
    }
    // A looser tolerance is named, and is enough.
    let out = nashguard(&["certify", GUARD, "--tol", "1e-3", "--out", &path("loose.v")], b"");
    assert!(out.status.success());
    let text = std::fs::read_to_string(path("loose.v")).unwrap();
    assert!(
        text.starts_with("(* Generated by `nashguard certify guard.json --tol 1e-3 --out loose.v`")
    );
}

/// Exit code 1, one sentence, and no file.
#[test]
fn nothing_is_certified_that_does_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let pennies = r#"{"kind":"matrix","payoff":[[1,-1],[-1,1]]}"#;
    let forged = r#"{"kind":"matrix","payoff":{"over":"1","rows":[["1"]]},
        "x":{"over":"1","numerators":["1"]},"y":{"over":"1","numerators":["1"]},
        "value":"2","gap":"0"}"#;
    let guard = std::fs::read_to_string(GUARD).unwrap();
    for (input, options, file, expected) in [
        (
            pennies,
            [].as_slice(),
            "pennies.json",
            "pennies.json: Coq reads files called NAME.v; let the name end in .v",
        ),
        (pennies, &[], "pennies", "let the name end in .v"),
        (pennies, &[], "2x2.v", "--out: name \"2x2\""),
        (pennies, &[], "Pennies.v", "take a lower-case letter"),
        ("", &[], "a.v", "standard input: JSON: "),
        ("{", &[], "a.v", "standard input: JSON: "),
        (r#"{"kind":"matrix","payoff":[[1],[2,3]]}"#, &[], "a.v", "payoff[1]: it has 2 entries"),
        (r#"{"kind":"matrix","value":"0","gap":"0"}"#, &[], "a.v", "missing field"),
        (forged, &[], "a.v", "certificate: invalid: column 0: x gets 1, below the claimed 2"),
        (&forged.replace("\"1\"]]", "\"x\"]]"), &[], "a.v", "payoff.rows[0][0]: \"x\""),
        (&guard, &["--tol", "0"], "a.v", "--tol: 0 is not a tolerance"),
        (&guard, &["--tol", "1e-60"], "a.v", "not solved: the gap is"),
    ] {
        let file = path(file);
        let out =
            nashguard(&[&["certify", "-", "--out", &file], options].concat(), input.as_bytes());
        let message = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{input}\n{message}");
        assert!(out.stdout.is_empty() && message.contains(expected), "{input}\n{message}");
        assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{input}");
    }
}
