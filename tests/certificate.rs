//! Certificates: valid ones pass, and no corrupted one does.

mod common;
#[path = "../examples/poker/kuhn.rs"]
mod kuhn_rules;

use common::{Recipe, config, games};
use nashguard::certificate::{Certificate, Guard, Matrix, Prior, Regularised, Verdict};
use nashguard::exploit::Exploit;
use nashguard::guard::{ExactGap, solve};
use nashguard::matrix::MatrixGame;
use nashguard::scalar::{Rational, parse, to_f64};
use nashguard::simplex::Simplex;
use proptest::prelude::*;
use serde_json::{Value, json};

fn number(text: &str) -> Rational {
    parse(text).unwrap()
}

fn check(json: &Value) -> Verdict {
    Certificate::from_json(&json.to_string()).unwrap().check()
}

fn json(certificate: &Certificate) -> Value {
    serde_json::from_str(&certificate.to_json().unwrap()).unwrap()
}

/// The certificate with one number moved by `by`, for every number in it, and where it is.
fn corrupted(valid: &Value, by: i64) -> Vec<(String, Value)> {
    fn walk(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(k, v)| walk(v, format!("{path}/{k}"), found))
            }
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(k, v)| walk(v, format!("{path}/{k}"), found))
            }
            _ => found.push(path),
        }
    }
    let mut places = vec![];
    walk(valid, String::new(), &mut places);
    places.retain(|place| place != "/kind");
    let change = |place: String| {
        let mut copy = valid.clone();
        let entry = copy.pointer_mut(&place).unwrap();
        if let Some(n) = entry.as_u64() {
            *entry = json!((n as i64 + by).unsigned_abs());
        } else {
            let moved = number(entry.as_str().unwrap()) + Rational::from(by);
            *entry = json!(moved.to_string());
        }
        (place, copy)
    };
    places.into_iter().map(change).collect()
}

/// A 2 x 2 game without a saddle point: both mix, in closed form.
fn mixed(a: i64, b: i64, c: i64, d: i64, over: i64) -> Option<Certificate> {
    // (a - b)(d - c) > 0 and (a - c)(d - b) > 0: neither player has a dominant move.
    let ((p, q), (r, s)) = ((a - b, d - c), (a - c, d - b));
    if p * q <= 0 || r * s <= 0 {
        return None;
    }
    let ratio = |a: i64, b: i64| Rational::from(a) / Rational::from(b);
    let total = p + q;
    let x = Simplex::new(vec![ratio(q, total), ratio(p, total)]).unwrap();
    let y = Simplex::new(vec![ratio(s, total), ratio(r, total)]).unwrap();
    let entry = |v| ratio(v, over);
    let game = MatrixGame::new(vec![vec![entry(a), entry(b)], vec![entry(c), entry(d)]]).unwrap();
    let certificate = Matrix::of(&game, &x, &y).unwrap();
    assert_eq!(certificate.value.0, ratio(a * d - b * c, total * over));
    Some(Certificate::Matrix(certificate))
}

proptest! {
    #![proptest_config(config(200))]

    /// The closed form is certified with gap 0, and every single number counts.
    #[test]
    fn two_by_two(
        a in -50..50_i64, b in -50..50_i64, c in -50..50_i64, d in -50..50_i64,
        over in 1..20_i64, by in prop_oneof![Just(-1_i64), Just(1)],
    ) {
        let Some(valid) = mixed(a, b, c, d, over) else { return Ok(()) };
        let proven = valid.check().unwrap();
        prop_assert!(proven.gap.is_zero());
        let valid = json(&valid);
        for (place, broken) in corrupted(&valid, by) {
            match place.as_str() {
                // A weaker claim is true too.
                "/gap" => prop_assert_eq!(check(&broken).is_ok(), by > 0),
                // Scaling all payoffs keeps the equilibrium; only a value of 0 stays.
                "/payoff/over" => prop_assert!(check(&broken).is_err() || proven.value.is_zero()),
                _ => prop_assert!(check(&broken).is_err(), "{place}: {broken}"),
            }
        }
    }

    /// A saddle point is certified by two vertices.
    #[test]
    fn saddle_points(
        rows in 1..6_usize, columns in 1..6_usize, at in any::<(u8, u8)>(), value in -20..20_i64,
        noise in prop::collection::vec(0..10_i64, 36),
    ) {
        let (r, c) = (at.0 as usize % rows, at.1 as usize % columns);
        let entry = |i: usize, j: usize| value + match (i == r, j == c) {
            (true, true) => 0,
            (true, false) => noise[6 * i + j],
            (false, true) => -noise[6 * i + j],
            (false, false) => noise[6 * i + j] - 5,
        };
        let payoff = (0..rows).map(|i| (0..columns).map(|j| Rational::from(entry(i, j))).collect());
        let game = MatrixGame::new(payoff.collect()).unwrap();
        let (x, y) = (Simplex::vertex(r, rows).unwrap(), Simplex::vertex(c, columns).unwrap());
        let proven = Matrix::of::<Rational>(&game, &x, &y).unwrap().check().unwrap();
        prop_assert_eq!((proven.value, proven.gap), (Rational::from(value), Rational::ZERO));
    }

    /// Any pair of float strategies gets the best claim there is: it passes, and no sharper one does.
    #[test]
    fn floats(
        payoff in prop::collection::vec(-1e3..1e3_f64, 12), scale in -300..300_i32,
        x in prop::collection::vec(0.001..1.0_f64, 3), y in prop::collection::vec(0.001..1.0_f64, 4),
    ) {
        let rescaled = |v: Vec<f64>| {
            let sum: f64 = v.iter().sum();
            Simplex::new(v.into_iter().map(|v| v / sum).collect()).unwrap()
        };
        let payoff: Vec<Vec<f64>> =
            payoff.chunks(4).map(|r| r.iter().map(|v| v * 10.0_f64.powi(scale)).collect()).collect();
        let game = MatrixGame::new(payoff).unwrap();
        let (x, y) = (rescaled(x), rescaled(y));
        let best = Matrix::of(&game.to_exact(), &x, &y).unwrap();
        let proven = best.check().unwrap();
        let gap = nashguard::exploit::ClosedForm.gap(&game, &x, &y).unwrap();
        let size = game.payoffs().iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        prop_assert!((to_f64(&proven.gap) - gap.width).abs() <= 1e-12 * size);
        let unit = proven.gap.clone() / number("1e60");
        let mut sharper = best.clone();
        sharper.gap.0 -= &unit;
        prop_assert!(sharper.check().is_err());
        let mut higher = best;
        higher.value.0 += unit;
        prop_assert!(higher.check().unwrap_err().to_string().contains("below the claimed"));
    }
}

/// A certificate of the two strategies the solver printed, for a game of its tests.
fn certified(recipe: &Recipe, tol: f64) -> Option<(Guard, f64)> {
    let game = recipe.game();
    let s = solve(&game, tol).ok()?;
    Some((Guard::of(&game, &s.p, &s.q).unwrap(), s.gap))
}

proptest! {
    #![proptest_config(config(60))]

    /// What the guard solver finds in f64 is certified, floors, anchors, tiny references and all, with
    /// a gap that agrees with the f64 one; and a claim a percent sharper is refused.
    #[test]
    fn guard_solutions(recipe in games()) {
        let Some((valid, gap)) = certified(&recipe, 1e-11) else { return Ok(()) };
        let proven = valid.check().map_err(|e| TestCaseError::fail(e.to_string()))?;
        let bound = to_f64(&proven.gap);
        prop_assert!(bound <= gap + 1e-14 + 1e-15 * recipe.beta(), "{bound:e} against {gap:e}");
        let round_trip = Certificate::from_json(&Certificate::Guard(valid.clone()).to_json().unwrap());
        prop_assert_eq!(round_trip.unwrap(), Certificate::Guard(valid.clone()));
        // A gap that is truly 0 (one text) is claimed no sharper than 1e-60, and a smaller one is no lie.
        if proven.gap < number("1e-50") {
            return Ok(());
        }
        let mut sharper = valid.clone();
        sharper.gap.0 *= number("0.98");
        let reason = sharper.check().unwrap_err().to_string();
        prop_assert!(reason.contains("the gap is at least"), "{reason}");
        let mut higher = valid;
        higher.value.0 += higher.gap.0.clone() * number("0.02") + number("1e-60");
        prop_assert!(higher.check().unwrap_err().to_string().contains("below the claimed"));
    }

    /// For any pair of strategies, however bad, the enclosures agree with the f64 closed forms.
    #[test]
    fn guard_pairs(recipe in games()) {
        let game = recipe.game();
        let (p, q) = (recipe.generator(&game, 0), recipe.classifier(&game, 0));
        let proven = Guard::of(&game, &p, &q).unwrap().check().unwrap();
        let gap = ExactGap.gap(&game, &p, &q).unwrap();
        let size = common::size(&game, &p, &q) + gap.high.abs();
        prop_assert!((to_f64(&proven.value) - gap.low).abs() <= 1e-2 * gap.width + 1e-11 * size);
        let high = &proven.value + &proven.gap;
        prop_assert!((to_f64(&high) - gap.high).abs() <= 1e-2 * gap.width + 1e-11 * size);
    }

    /// Temperature 0 is the matrix game itself; at a positive one, the best replies to (x, y) by f64
    /// are worth what the enclosures say.
    #[test]
    fn regularised_pairs(
        payoff in prop::collection::vec(-5.0..5.0_f64, 6), seed in any::<u64>(),
        (s, t) in (prop_oneof![Just(0.0), 0.01..3.0_f64], prop_oneof![Just(0.0), 0.01..3.0_f64]),
    ) {
        use rand::SeedableRng;
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut point = |n| common::dirichlet(n, 1.0, &mut rng);
        let (x, y, a, b) = (point(2), point(3), point(2), point(3));
        let rows: Vec<Vec<f64>> = payoff.chunks(3).map(<[f64]>::to_vec).collect();
        let game = MatrixGame::new(rows.clone()).unwrap().to_exact();
        let simplex = |v: &[f64]| Simplex::new(v.to_vec()).unwrap();
        let priors = || [Prior::of(&simplex(&a), &s).unwrap(), Prior::of(&simplex(&b), &t).unwrap()];
        let found = Regularised::of(&game, priors(), &simplex(&x), &simplex(&y)).unwrap();
        let proven = found.check().unwrap();
        let kl = |p: &[f64], r: &[f64]| p.iter().zip(r).map(|(p, r)| p * (p / r).ln()).sum::<f64>();
        let best = |r: &[f64], t: f64, u: &[f64]| if t == 0.0 {
            u.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v))
        } else {
            t * r.iter().zip(u).map(|(r, u)| r * (u / t).exp()).sum::<f64>().ln()
        };
        let gains: Vec<f64> = rows.iter().map(|r| r.iter().zip(&y).map(|(a, y)| a * y).sum()).collect();
        let losses: Vec<f64> = (0..3).map(|j| -(x[0] * rows[0][j] + x[1] * rows[1][j])).collect();
        let low = -best(&b, t, &losses) - s * kl(&x, &a);
        let high = best(&a, s, &gains) + t * kl(&y, &b);
        let slack = 1e-2 * (high - low) + 1e-11;
        prop_assert!((to_f64(&proven.value) - low).abs() <= slack);
        prop_assert!((to_f64(&(&proven.value + &proven.gap)) - high).abs() <= slack);
        if s == 0.0 && t == 0.0 {
            let plain = Matrix::of(&game, &simplex(&x), &simplex(&y)).unwrap();
            prop_assert!(plain.value.0 >= proven.value && plain.gap.0 <= proven.gap);
        }
        let mut sharper = found;
        sharper.gap.0 *= number("0.98");
        prop_assert!(sharper.check().is_err());
    }
}

fn small_guard() -> Value {
    let text = r#"{"kind":"guard","beta":"1/2","gamma":"0","labels":2,"label":[0,1],
        "weight":{"over":"2","numerators":["1","1"]},
        "reference":[{"over":"10","numerators":["9","1"]},{"over":"10","numerators":["2","8"]}],
        "anchor":null,
        "p":{"over":"10","rows":[["7","3"],["4","6"]]},
        "q":{"over":"10","rows":[["6","4"],["4","6"]]},
        "value":"0","gap":"0"}"#;
    serde_json::from_str(text).unwrap()
}

fn small_regularised() -> Value {
    let prior = json!({"reference":{"over":"2","numerators":["1","1"]},"temperature":"1/2"});
    json!({"kind":"kl-matrix","payoff":{"over":"1","rows":[["1","0"],["0","1"]]},
        "row":prior,"column":prior,"x":{"over":"2","numerators":["1","1"]},
        "y":{"over":"2","numerators":["1","1"]},"value":"1/3","gap":"1/3"})
}

/// Claims that are far off say by how much.
#[test]
fn a_wrong_bound_is_refuted_with_both_sides() {
    let mut certificate = small_guard();
    let reason = check(&certificate).unwrap_err().to_string();
    assert!(
        reason.starts_with("q pays at least 0.") && reason.contains("the gap is at least"),
        "{reason}"
    );
    certificate["gap"] = json!("2");
    assert!(check(&certificate).is_ok());
    certificate["value"] = json!("1");
    let reason = check(&certificate).unwrap_err().to_string();
    assert!(
        reason.starts_with("p guarantees at most 0.") && reason.ends_with("below the claimed 1"),
        "{reason}"
    );
}

/// One uniform text in common: by symmetry the value is log 2 at p = r, q = 1/2, a transcendental
/// number: no rational claim of gap 0 can be proved, and 1e-1000 can.
#[test]
fn an_exact_claim_about_log_2_is_never_proved_but_any_other_is() {
    let mut certificate = small_guard();
    certificate["reference"] =
        json!([{"over":"1","numerators":["1"]},{"over":"1","numerators":["1"]}]);
    certificate["p"] = json!({"over":"1","rows":[["1"],["1"]]});
    certificate["q"] = json!({"over":"2","rows":[["1","1"]]});
    let log2 = nashguard::interval::Precision::new(4000).ln(&Rational::from(2)).unwrap();
    let bits = Rational::from(dashu_int::IBig::ONE << 3500);
    let low = Rational::from((log2.low() * &bits).floor()) / &bits;
    certificate["value"] = json!(low.to_string());
    certificate["gap"] = json!((Rational::ONE / &bits).to_string());
    assert!(check(&certificate).is_ok());
    certificate["gap"] = json!("0");
    let reason = check(&certificate).unwrap_err().to_string();
    assert!(
        reason.contains("the gap is at least") || reason.contains("above the claimed"),
        "{reason}"
    );
    certificate["value"] = json!(log2.high().to_string());
    assert!(check(&certificate).unwrap_err().to_string().contains("below the claimed"));
}

/// Numbers that break a rule of the game are named, whatever is claimed.
#[test]
fn guard_data_is_checked() {
    let cases = [
        ("/beta", json!("0"), "beta is not positive"),
        ("/beta", json!("-1/2"), "beta is not positive"),
        ("/gamma", json!("3/4"), "gamma leaves no classifier"),
        ("/gamma", json!("-1"), "gamma leaves no classifier"),
        ("/gamma", json!("41/100"), "q[0][1] is below the floor gamma"),
        ("/labels", json!(3), "q is 2 x 2, the game needs 2 x 3"),
        ("/label/1", json!(2), "label[1] is 2, not below 2"),
        ("/label", json!([0]), "labels or references are missing"),
        ("/weight/numerators/0", json!("2"), "weight sums to 3/2"),
        ("/weight/over", json!("0"), "weight: the denominator is not positive"),
        ("/reference/1/numerators/0", json!("-2"), "reference[1][0] is -1/5"),
        ("/reference/1/numerators", json!(["10"]), "reference[1] has 1 entries"),
        ("/p/rows/0/0", json!("8"), "p[0] sums to 11/10"),
        ("/p/rows/1", json!(["1"]), "p: row 1 has 1 entries"),
        ("/q/rows/1", json!(["0", "10"]), "q[1][0] is 0 where its label occurs"),
        (
            "/reference/0/numerators",
            json!(["10", "0"]),
            "p[0][1] is positive where the reference is 0",
        ),
        (
            "/anchor",
            json!({"weight":"-1","real":{"over":"4","rows":[["1","1"],["1","1"]]}}),
            "anchor.weight is negative",
        ),
        (
            "/anchor",
            json!({"weight":"1","real":{"over":"5","rows":[["1","1"],["1","1"]]}}),
            "anchor.real sums to 4/5",
        ),
        (
            "/anchor",
            json!({"weight":"1","real":{"over":"4","rows":[["1","1","1","1"]]}}),
            "anchor.real is 1 x 4",
        ),
    ];
    for (place, value, expected) in cases {
        let mut certificate = small_guard();
        certificate["gap"] = json!("2");
        *certificate.pointer_mut(place).unwrap() = value;
        let reason = check(&certificate).unwrap_err().to_string();
        assert!(reason.starts_with(expected), "{place}: {reason}");
    }
}

/// A floor: the classifier of the certificate is at it, and the claim is the clipped value.
#[test]
fn floors_use_the_clipped_posterior() {
    let mut certificate = small_guard();
    // Everyone knows the label: W = (1/2, 0) and (0, 1/2), q clipped to (9/10, 1/10).
    certificate["reference"] =
        json!([{"over":"1","numerators":["1","0"]},{"over":"1","numerators":["0","1"]}]);
    certificate["p"] = json!({"over":"1","rows":[["1","0"],["0","1"]]});
    certificate["gamma"] = json!("1/10");
    certificate["q"] = json!({"over":"10","rows":[["9","1"],["1","9"]]});
    // -log 0.9
    certificate["value"] = json!("0.1053605156578263012275");
    certificate["gap"] = json!("1e-22");
    assert!(check(&certificate).is_ok(), "{:?}", check(&certificate));
    certificate["value"] = json!("0.1053605156578263012276");
    assert!(check(&certificate).is_err());
}

/// Kuhn poker by hand: the value is exactly -1/18.
fn kuhn() -> Value {
    // Row player, per card: bet or pass first; after pass and a bet, call or fold. Sequences of card
    // c = 0 (jack), 1, 2: 1 + 4 c bet, 2 + 4 c pass, 3 + 4 c call, 4 + 4 c fold.
    let rows: Vec<Value> = (0..3)
        .flat_map(|c| [json!({"parent":0,"actions":2}), json!({"parent":2 + 4 * c,"actions":2})])
        .collect();
    // Column player, per card: call or fold after a bet (1 + 4 c, 2 + 4 c), bet or pass after a pass.
    let columns: Vec<Value> = (0..6).map(|_| json!({"parent":0,"actions":2})).collect();
    let mut payoffs = vec![];
    for a in 0..3_i64 {
        for b in (0..3_i64).filter(|b| *b != a) {
            let wins = if a > b { 1 } else { -1 };
            let mut leaf = |row: i64, column: i64, amount: i64| {
                payoffs.push(
                    json!({"row":row + 4 * a,"column":column + 4 * b,"amount":amount.to_string()}),
                );
            };
            leaf(1, 1, 2 * wins);
            leaf(1, 2, 1);
            leaf(3, 3, 2 * wins);
            leaf(4, 3, -1);
            leaf(2, 4, wins);
        }
    }
    // alpha = 0: the row player never bets; calls with the queen 1/3 of the time, with the king always.
    let x = ["3", "0", "3", "0", "3", "0", "3", "1", "2", "0", "3", "3", "0"];
    // The column player bluffs with the jack 1/3, calls with the queen 1/3, always with the king.
    let y = ["3", "0", "3", "1", "2", "1", "2", "0", "3", "3", "0", "3", "0"];
    json!({"kind":"extensive","rows":rows,"columns":columns,"payoffs":payoffs,"over":"6",
        "x":{"over":"3","numerators":x},"y":{"over":"3","numerators":y},"value":"-1/18","gap":"0"})
}

#[test]
fn kuhn_poker_is_certified_and_no_neighbour_is() {
    let valid = kuhn();
    let proven = check(&valid).unwrap();
    assert_eq!((proven.value, proven.gap), (number("-1/18"), Rational::ZERO));
    for by in [-1, 1] {
        for (place, broken) in corrupted(&valid, by) {
            let must_fail = ["/x/", "/y/", "/value", "/over"].iter().any(|p| place.starts_with(p));
            if must_fail {
                assert!(check(&broken).is_err(), "{place}: {broken}");
            } else if let Ok(proven) = check(&broken) {
                // The strategies need not see a payoff off their path, nor a weaker claim.
                assert!(place.starts_with("/payoffs/") || place == "/gap", "{place}: {proven}");
            }
        }
    }
    let mut wrong = kuhn();
    wrong["value"] = json!("-1/19");
    let reason = check(&wrong).unwrap_err().to_string();
    assert!(reason.contains("x gets -1/18, below the claimed -1/19"), "{reason}");
}

/// Poker as the game trait words it: solutions over the rationals are certified with
/// gap 0, those over f64 with the gap the solver states.
#[test]
fn solved_trees_are_certified() {
    use nashguard::certificate::Extensive;
    use nashguard::extensive::{self, Player, SequenceForm, Tree};
    let kuhn = Tree::new(&kuhn_rules::Kuhn).unwrap();
    let form = SequenceForm::new(&kuhn);
    let s = extensive::solve_exact(&kuhn).unwrap();
    let proven = Extensive::of(&form, &s.max, &s.min).unwrap().check().unwrap();
    assert_eq!((proven.value, proven.gap), (number("-1/18"), Rational::ZERO));
    let s = extensive::solve(&kuhn, 1e-12).unwrap();
    let side = |player| kuhn.side(player);
    let x = s.max.to_exact(side(Player::Max)).unwrap();
    let y = s.min.to_exact(side(Player::Min)).unwrap();
    let valid = Extensive::of(&form, &x, &y).unwrap();
    let proven = valid.check().unwrap();
    assert!(to_f64(&proven.gap) <= s.gap + 1e-15, "{:e} {:e}", to_f64(&proven.gap), s.gap);
    // Any plans at all, the uniform ones: the gap is the one of backward induction.
    let uniform = |player| extensive::Plan::<Rational>::uniform(side(player));
    let (x, y) = (uniform(Player::Max), uniform(Player::Min));
    let proven = Extensive::of(&form, &x, &y).unwrap().check().unwrap();
    let gap = nashguard::exploit::ClosedForm.gap(&form, &x, &y).unwrap();
    assert_eq!((proven.value, proven.gap), (gap.low, gap.width));
    let mut sharper = Extensive::of(&form, &x, &y).unwrap();
    sharper.gap.0 -= number("1e-100");
    assert!(sharper.check().unwrap_err().to_string().starts_with("row player's best reply"));
}

/// What is no certificate is refused in one sentence that names the place.
#[test]
fn malformed_certificates_are_refused() {
    for (text, expected) in [
        ("", "JSON: "),
        ("[]", "JSON: a certificate is an object"),
        (r#"{"kind":"poem"}"#, "kind: \"poem\" is not a kind of certificate"),
        (r#"{"kind":"matrix"}"#, "JSON: missing field `payoff`"),
        (
            r#"{"kind":"matrix","payoff":{"over":"1","rows":[["1","x"]]}}"#,
            "payoff.rows[0][1]: \"x\" is not an integer",
        ),
        (
            r#"{"kind":"matrix","payoff":{"over":"+1","rows":[]}}"#,
            "payoff.over: \"+1\" is not an integer",
        ),
        (r#"{"kind":"matrix","payoff":{"over":1,"rows":[]}}"#, "payoff.over: invalid type"),
        (r#"{"kind":"extensive","rows":[{"parent":-1,"actions":2}]}"#, "rows[0].parent: "),
    ] {
        let error = Certificate::from_json(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
    for (json, expected) in [
        (json!({"payoff":{"over":"1","rows":[]}}), "payoff is empty"),
        (json!({"payoff":{"over":"1","rows":[["1"],[]]}}), "payoff: row 1 has 0 entries"),
        (json!({"payoff":{"over":"-1","rows":[["1"]]}}), "payoff: the denominator is not positive"),
        (json!({"x":{"over":"1","numerators":["1","0"]}}), "x has 2 entries, the game needs 1"),
        (json!({"x":{"over":"-1","numerators":["-1"]}}), "x: the denominator is not positive"),
        (json!({"y":{"over":"2","numerators":["1"]}}), "y sums to 1/2, not to 1"),
    ] {
        let mut certificate = json!({"kind":"matrix","payoff":{"over":"1","rows":[["5"]]},
            "x":{"over":"1","numerators":["1"]},"y":{"over":"1","numerators":["1"]},"value":"5","gap":"0"});
        assert!(check(&certificate).is_ok());
        let (key, value) = json.as_object().unwrap().iter().next().unwrap();
        certificate[key] = value.clone();
        let reason = check(&certificate).unwrap_err().to_string();
        assert!(reason.starts_with(expected), "{reason}");
    }
}

/// A misspelt field is refused, and not taken for one left out, which would make another game.
#[test]
fn misspelt_fields_are_refused() {
    let matrix = json(&mixed(1, 0, 0, 1, 1).unwrap());
    for valid in [matrix, small_regularised(), small_guard(), kuhn()] {
        assert!(Certificate::from_json(&valid.to_string()).is_ok());
        let mut misspelt = valid;
        misspelt["ancor"] = json!({"weight":"1","real":{"over":"4","rows":[["1","1"],["1","1"]]}});
        let error = Certificate::from_json(&misspelt.to_string()).unwrap_err().to_string();
        assert!(error.starts_with("ancor: unknown field `ancor`"), "{error}");
    }
}

/// What checks is a page of arithmetic: it names no game, no solver, no float.
#[test]
fn the_checker_stands_alone() {
    let sources = [
        include_str!("../src/certificate/matrix.rs"),
        include_str!("../src/certificate/extensive.rs"),
        include_str!("../src/certificate/regularised.rs"),
        include_str!("../src/certificate/guard.rs"),
        include_str!("../src/certificate/kl.rs"),
        include_str!("../src/interval.rs"),
    ];
    for source in sources {
        for line in source.lines().filter(|line| line.contains("use crate::")) {
            let known = ["use crate::interval::", "use crate::scalar::Rational;"];
            assert!(known.iter().any(|known| line.starts_with(known)), "{line}");
        }
        assert!(!source.contains("f64") && !source.contains("crate::matrix"), "{source}");
    }
}

/// Whatever stands in a certificate, the checker answers.
#[test]
fn no_number_makes_the_checker_panic() {
    let anchored = {
        let mut guard = small_guard();
        guard["gap"] = json!("2");
        guard["anchor"] = json!({"weight":"1","real":{"over":"4","rows":[["1","1"],["1","1"]]}});
        guard
    };
    let matrix = json(&mixed(1, 0, 0, 1, 1).unwrap());
    let mut answered = 0;
    for valid in [matrix, small_regularised(), anchored, kuhn()] {
        assert!(check(&valid).is_ok(), "{:?}", check(&valid));
        for (place, _) in corrupted(&valid, 1) {
            for odd in ["0", "-1", "1000000000000", "1e-30", "-1e30"] {
                let mut copy = valid.clone();
                *copy.pointer_mut(&place).unwrap() = json!(odd);
                let certificate = Certificate::from_json(&copy.to_string());
                answered += usize::from(certificate.is_ok_and(|c| c.check().is_err()));
            }
            for odd in [json!(0), json!(u64::MAX), json!([]), json!(null), json!({})] {
                let mut copy = valid.clone();
                *copy.pointer_mut(&place).unwrap() = odd;
                let certificate = Certificate::from_json(&copy.to_string());
                answered += usize::from(certificate.is_ok_and(|c| c.check().is_err()));
            }
        }
    }
    assert!(answered > 100, "{answered}");
}
