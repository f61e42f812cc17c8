//! Extensive games: known values, exact gaps, best replies against brute force, dynamics.

mod common;
#[path = "../examples/poker/kuhn.rs"]
mod kuhn;
#[path = "../examples/poker/leduc.rs"]
mod leduc;
#[path = "common/trees.rs"]
mod trees;

use common::config;
use kuhn::Kuhn;
use leduc::Leduc;
use nashguard::dynamics::{Order, Update};
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::extensive::cfr::{Cfr, Rule, average, run};
use nashguard::extensive::{Move, Outcome, Plan, Player, SequenceForm, Tree, Turn};
use nashguard::game::Value;
use nashguard::matrix::{MatrixGame, solve};
use nashguard::scalar::Rational;
use nashguard::simplex::Simplex;
use nashguard::{BestReply, Game};
use proptest::prelude::*;
use trees::{RandomGame, Rules, behaviour, decision, expected, pure};

const PLAYERS: [Player; 2] = [Player::Max, Player::Min];
const RULES: [Rule; 4] = [Rule::CFR, Rule::CFR_PLUS, Rule::PREDICTIVE_CFR_PLUS, Rule::DCFR];

fn ratio(a: i64, b: i64) -> Rational {
    Rational::from(a) / Rational::from(b)
}

/// The strategy that at each information set bets with probability `bet(name)`.
fn kuhn_plan(
    form: &SequenceForm<Rational>,
    player: Player,
    bet: impl Fn(&str) -> Rational,
) -> Plan<Rational> {
    let side = form.side(player);
    let behaviour: Vec<_> = side
        .information_sets()
        .iter()
        .map(|set| {
            let bet = bet(&set.name);
            Simplex::new(vec![Rational::ONE - &bet, bet]).unwrap()
        })
        .collect();
    Plan::from_behaviour(side, &behaviour).unwrap()
}

/// Kuhn 1950: all equilibria of the first player, a = the probability of betting a jack.
fn kuhn_max(form: &SequenceForm<Rational>, a: &Rational) -> Plan<Rational> {
    kuhn_plan(form, Player::Max, |set| match set {
        "J" => a.clone(),
        "K" => a * Rational::from(3),
        "Q pb" => a + ratio(1, 3),
        "K pb" => ratio(1, 1),
        "Q" | "J pb" => ratio(0, 1),
        other => panic!("{other}"),
    })
}

/// Kuhn 1950: the one equilibrium of the second player.
fn kuhn_min(form: &SequenceForm<Rational>) -> Plan<Rational> {
    kuhn_plan(form, Player::Min, |set| match set {
        "J p" | "Q b" => ratio(1, 3),
        "K p" | "K b" => ratio(1, 1),
        "Q p" | "J b" => ratio(0, 1),
        other => panic!("{other}"),
    })
}

#[test]
fn kuhn_is_worth_minus_one_eighteenth() {
    let tree = Tree::new(&Kuhn).unwrap();
    let form = SequenceForm::new(&tree);
    for player in PLAYERS {
        assert_eq!(tree.side(player).information_sets().len(), 6);
        assert_eq!(tree.side(player).sequences(), 13);
    }
    let y = kuhn_min(&form);
    for k in 0..=4 {
        let x = kuhn_max(&form, &ratio(k, 12));
        let gap = ClosedForm.gap(&form, &x, &y).unwrap();
        assert_eq!(gap.low, ratio(-1, 18));
        assert_eq!(gap.width, ratio(0, 1));
        assert_eq!(form.payoff(&x, &y).unwrap(), ratio(-1, 18));
    }
    let uniform = Plan::uniform(form.side(Player::Max));
    assert!(ClosedForm.gap(&form, &uniform, &y).unwrap().width > ratio(0, 1));
}

/// 936 information sets, as OpenSpiel's `leduc_poker` has; 30 deals of 4 folds and 5 x 4 x 9 ends of
/// the second round are 5520 terminal histories.
#[test]
fn leduc_has_the_known_size() {
    let tree = Tree::new(&Leduc).unwrap();
    let sets = |player| tree.side(player).information_sets().len();
    assert_eq!([sets(Player::Max), sets(Player::Min)], [468, 468]);
    let ends = tree.nodes().iter().filter(|n| matches!(n.turn, Move::Terminal(_))).count();
    assert_eq!(ends, 5520);
    assert_eq!(tree.nodes().len(), 9457);
}

/// The payoff matrix over both players' pure strategies, when there are at most `most` of each.
fn normal_form(tree: &Tree, most: usize) -> Option<MatrixGame> {
    let [max, min] = [pure(tree, Player::Max, most)?, pure(tree, Player::Min, most)?];
    let row = |x| min.iter().map(|y| expected(tree, x, y).mean()).collect();
    Some(MatrixGame::new(max.iter().map(row).collect()).unwrap())
}

#[test]
fn kuhn_agrees_with_its_normal_form() {
    let game = normal_form(&Tree::new(&Kuhn).unwrap(), 64).unwrap();
    assert_eq!(game.payoffs().dim(), (64, 64));
    let value = solve(&game, 1e-12).unwrap().value;
    assert!((value + 1.0 / 18.0).abs() < 1e-14, "{value}");
}

/// The value that OpenSpiel's documentation and tests give for `leduc_poker`.
#[test]
fn leduc_is_worth_what_is_known() {
    let exact = SequenceForm::new(&Tree::new(&Leduc).unwrap());
    let form = exact.to_f64().unwrap();
    for (rule, rounds) in RULES.into_iter().zip([20_000, 1000, 2000, 1000]) {
        let mut averages = average(run(&form, rule, Order::Alternating), rule.gamma);
        let last = averages.nth(rounds).unwrap().unwrap();
        assert_eq!(last.t, rounds);
        let gap = ClosedForm.gap(&form, &last.x, &last.y).unwrap();
        assert!(gap.width < 3e-3, "{rule:?}: {gap:?}");
        assert!(gap.low <= -0.0856064 && -0.0856065 <= gap.high, "{rule:?}: {gap:?}");
        let value = form.payoff(&last.x, &last.y).unwrap();
        assert!((value + 0.0856064).abs() < 1e-3, "{rule:?}: {value}");
        let x = last.x.to_exact(exact.side(Player::Max)).unwrap();
        let y = last.y.to_exact(exact.side(Player::Min)).unwrap();
        let proven = ClosedForm.gap(&exact, &x, &y).unwrap();
        assert!((proven.width.mean() - gap.width).abs() < 1e-13, "{rule:?}");
    }
}

fn refusal(turn: impl Fn(&str) -> Turn<String>) -> String {
    Tree::with_limit(&Rules(turn), 1000).unwrap_err().to_string()
}

#[test]
fn games_that_are_none_are_refused() {
    let end = || Turn::Terminal(Rational::ZERO);
    let e = refusal(|h| match h.len() {
        0 => decision(Player::Max, "first", 2, h),
        1 => decision(Player::Max, "forgetful", 2, h),
        _ => end(),
    });
    assert!(e.starts_with("information set \"forgetful\" of Max: "), "{e}");
    assert!(e.contains("imperfect recall"), "{e}");
    let e =
        refusal(|h| if h.len() < 2 { decision(Player::Min, "absent-minded", 2, h) } else { end() });
    assert!(e.starts_with("information set \"absent-minded\" of Min: "), "{e}");
    let e = refusal(|h| match h {
        "" => decision(Player::Max, "root", 2, h),
        "0" => decision(Player::Min, "uneven", 2, h),
        "1" => decision(Player::Min, "uneven", 3, h),
        _ => end(),
    });
    assert!(e.contains("\"uneven\" of Min: its actions are [\"0\", \"1\"] at one node"), "{e}");
    let e = refusal(|h| if h.is_empty() { decision(Player::Max, "stuck", 0, h) } else { end() });
    assert!(e.contains("\"stuck\" of Max: there is no action"), "{e}");
    let e = refusal(|h| decision(Player::Max, h, 1, h));
    assert!(e.starts_with("game: it has more than 1000 nodes"), "{e}");
    let chance = |p: [(i64, i64); 2]| {
        refusal(move |h| {
            let fall =
                |(a, b)| Outcome { name: "x".into(), probability: ratio(a, b), next: "end".into() };
            if h.is_empty() { Turn::Chance(p.map(fall).into()) } else { end() }
        })
    };
    let e = chance([(1, 3), (1, 3)]);
    assert!(e.contains("the probabilities sum to 2/3, not to 1"), "{e}");
    let e = chance([(3, 2), (-1, 2)]);
    assert!(e.contains("-1/2 is not a probability"), "{e}");
    let e = refusal(|h| if h.is_empty() { Turn::Chance(Vec::new()) } else { end() });
    assert!(e.contains("sum to 0"), "{e}");
}

#[test]
fn plans_are_checked() {
    let exact = SequenceForm::new(&Tree::new(&Kuhn).unwrap());
    let form = exact.to_f64().unwrap();
    let side = form.side(Player::Max);
    let uniform = Plan::<f64>::uniform(side);
    let refused = |change: &dyn Fn(&mut Vec<f64>)| {
        let mut values = uniform.as_slice().to_vec();
        change(&mut values);
        Plan::new(side, values).unwrap_err().to_string()
    };
    assert!(refused(&|v| v[0] = 0.5).starts_with("plan[0]: "));
    assert!(refused(&|v| v[2] = -0.5).starts_with("plan[2]: -0.5 is not a probability"));
    assert!(refused(&|v| v[2] = f64::NAN).starts_with("plan[2]: "));
    assert!(refused(&|v| v.truncate(3)).contains("13 sequences"));
    let e = refused(&|v| v[side.information_sets()[0].first] += 0.1);
    assert!(e.starts_with("plan at information set \"J\": the moves sum to 1.1"), "{e}");
    // A float solver's rounding is mended, an inexact rational plan refused.
    let mut values = uniform.as_slice().to_vec();
    values[1] += 1e-9;
    let mended = Plan::new(side, values).unwrap();
    assert!((mended.as_slice()[1] + mended.as_slice()[2] - 1.0).abs() < 1e-15);
    let mut values = Plan::<Rational>::uniform(side).as_slice().to_vec();
    values[1] += ratio(1, 1_000_000_000);
    assert!(Plan::new(side, values).is_err());
    // Players of another game.
    let leduc = SequenceForm::new(&Tree::new(&Leduc).unwrap()).to_f64().unwrap();
    let x = Plan::uniform(leduc.side(Player::Max));
    let y = Plan::uniform(form.side(Player::Min));
    assert!(form.payoff(&x, &y).is_err());
    assert!(form.min_reply(&x).is_err());
    assert!(form.max_reply(&x).is_err());
    assert!(x.behaviour(side).is_err());
    assert!(Plan::<f64>::from_behaviour(side, &[]).is_err());
}

/// Payoffs whose regrets overflow end the run with an error, never with NaN.
#[test]
fn overflow_is_reported() {
    let huge = |h: &str| match h.len() {
        0 => decision(Player::Max, "x", 2, h),
        1 => decision(Player::Min, "y", 2, h),
        _ => {
            let pay: Rational = f64::MAX.try_into().unwrap();
            Turn::Terminal(if h == "00" { pay } else { -pay })
        }
    };
    let form = SequenceForm::new(&Tree::new(&Rules(huge)).unwrap()).to_f64().unwrap();
    for rule in RULES {
        let rounds: Vec<_> = run(&form, rule, Order::Simultaneous).take(50).collect();
        for round in rounds.iter().flatten() {
            assert!(round.x.as_slice().iter().all(|v| (0.0..=1.0).contains(v)));
        }
        let e = rounds.last().unwrap().as_ref().unwrap_err().to_string();
        assert!(e.contains("the regrets leave the range of f64"), "{rule:?}: {e}");
    }
}

fn games(depth: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = RandomGame> {
    (depth, any::<u64>()).prop_map(|(depth, seed)| RandomGame { depth, seed })
}

proptest! {
    #![proptest_config(config(300))]

    /// x' A y is the expected payoff over the tree; plans and behaviour strategies translate into
    /// each other.
    #[test]
    fn the_sequence_form_is_the_tree(game in games(0..=7), seed: u64) {
        let tree = game.tree();
        let form = SequenceForm::new(&tree);
        let behaviours = PLAYERS.map(|p| behaviour(&tree, p, seed ^ p as u64));
        let plans = [0, 1].map(|p| Plan::from_behaviour(form.side(PLAYERS[p]), &behaviours[p]).unwrap());
        let payoff = form.payoff(&plans[0], &plans[1])?;
        prop_assert_eq!(&payoff, &expected(&tree, &behaviours[0], &behaviours[1]));
        for (player, plan) in PLAYERS.into_iter().zip(&plans) {
            let side = form.side(player);
            prop_assert_eq!(&Plan::new(side, plan.as_slice().to_vec())?, plan);
            prop_assert_eq!(&Plan::from_behaviour(side, &plan.behaviour(side)?)?, plan);
            for (k, set) in side.information_sets().iter().enumerate() {
                prop_assert!(set.parent < set.first);
                prop_assert!(k == 0 || side.information_sets()[k - 1].sequences().end == set.first);
            }
        }
        for s in 0..form.payoffs().lines() {
            for (t, v) in form.payoffs().pairs(s) {
                prop_assert!(form.transposed().pairs(t).any(|(row, w)| row == s && v == w));
            }
        }
        prop_assert_eq!(form.payoffs().entries(), form.transposed().entries());
    }

    /// Backward induction finds the best of all pure strategies, and the gap is not negative, 0 only
    /// where neither player can gain.
    #[test]
    fn best_replies_are_best(game in games(0..=6), seed: u64) {
        let tree = game.tree();
        let pures = PLAYERS.map(|p| pure(&tree, p, 300));
        let [Some(max), Some(min)] = pures else { return Err(TestCaseError::reject("large")) };
        let form = SequenceForm::new(&tree);
        let [x, y] = PLAYERS.map(|p| behaviour(&tree, p, seed ^ p as u64));
        let plan = |player, b| Plan::from_behaviour(form.side(player), b).unwrap();
        let gap = ClosedForm.gap(&form, &plan(Player::Max, &x), &plan(Player::Min, &y))?;
        let high = max.iter().map(|x| expected(&tree, x, &y)).max();
        let low = min.iter().map(|y| expected(&tree, &x, y)).min();
        prop_assert_eq!(Some(&gap.high), high.as_ref());
        prop_assert_eq!(Some(&gap.low), low.as_ref());
        prop_assert!(gap.width >= Rational::ZERO);
        let reply = form.max_reply(&plan(Player::Min, &y))?;
        prop_assert!(Plan::new(form.side(Player::Max), reply.as_slice().to_vec()).is_ok());
    }

    /// Over f64 the same numbers, to rounding.
    #[test]
    fn both_kinds_of_number_agree(game in games(0..=7), seed: u64) {
        let tree = game.tree();
        let exact = SequenceForm::new(&tree);
        let float = exact.to_f64()?;
        let [x, y] = PLAYERS.map(|p| {
            Plan::from_behaviour(exact.side(p), &behaviour(&tree, p, seed ^ p as u64)).unwrap()
        });
        let rounded = |plan: &Plan<Rational>| plan.as_slice().iter().map(Value::mean).collect();
        let x_float = Plan::new(float.side(Player::Max), rounded(&x))?;
        let y_float = Plan::new(float.side(Player::Min), rounded(&y))?;
        let gap = ClosedForm.gap(&exact, &x, &y)?;
        let close = ClosedForm.gap(&float, &x_float, &y_float)?;
        prop_close!(close.low, gap.low.mean(), 1e-12, 6.0);
        prop_close!(close.high, gap.high.mean(), 1e-12, 6.0);
        prop_at_most!(0.0, close.width, 1e-12);
    }

    /// The regret bounds that [`Rule`] documents, as gaps of averages in simultaneous play.
    #[test]
    fn regrets_are_bounded(game in games(1..=7), rounds in 1..200usize) {
        let form = game.form().to_f64()?;
        let spread = 12.0;
        let sum = |f: &dyn Fn(f64) -> f64| -> f64 {
            let sets = PLAYERS.iter().flat_map(|p| form.side(*p).information_sets());
            sets.map(|set| f(set.actions.len() as f64)).sum()
        };
        let plain = spread * sum(&f64::sqrt);
        // `rounds` updates see rounds + 1 pairs of plans.
        let t = rounds as f64 + 1.0;
        for (rule, gamma, bound) in [
            (Rule::CFR, 0.0, plain / t.sqrt()),
            (Rule::CFR_PLUS, 0.0, plain / t.sqrt()),
            (Rule::CFR_PLUS, 1.0, 2.0 * plain / t.sqrt()),
            (Rule::PREDICTIVE_CFR_PLUS, 0.0, 8.0_f64.sqrt() * plain / t.sqrt()),
            (Rule::DCFR, 2.0, 6.0 * spread * sum(&|a| a.sqrt() + 1.0 / t.sqrt()) / t.sqrt()),
        ] {
            let mut averages = average(run(&form, rule, Order::Simultaneous), gamma);
            let last = averages.nth(rounds).unwrap()?;
            let gap = ClosedForm.gap(&form, &last.x, &last.y)?.width;
            prop_at_most!(gap, bound, 1e-12);
        }
    }

    /// The averages' guarantees enclose the value of the normal form.
    #[test]
    fn averages_enclose_the_value(game in games(1..=5)) {
        let tree = game.tree();
        let Some(matrix) = normal_form(&tree, 60) else { return Err(TestCaseError::reject("large")) };
        let value = solve(&matrix, 1e-12)?.value;
        let form = SequenceForm::new(&tree).to_f64()?;
        for rule in [Rule::CFR_PLUS, Rule::PREDICTIVE_CFR_PLUS, Rule::DCFR] {
            let mut averages = average(run(&form, rule, Order::Alternating), rule.gamma);
            let last = averages.nth(3000).unwrap()?;
            let gap = ClosedForm.gap(&form, &last.x, &last.y)?;
            prop_at_most!(gap.low, value, 1e-11);
            prop_at_most!(value, gap.high, 1e-11);
        }
    }

    /// The exact gap of a float plan is that of a plan next to it.
    #[test]
    fn float_plans_become_exact(game in games(1..=6), rounds in 0..40usize) {
        let exact = game.form();
        let float = exact.to_f64()?;
        let last = run(&float, Rule::PREDICTIVE_CFR_PLUS, Order::Alternating).nth(rounds).unwrap()?;
        let x = last.x.to_exact(exact.side(Player::Max))?;
        let y = last.y.to_exact(exact.side(Player::Min))?;
        for (plan, near) in [(&*last.x, &x), (&*last.y, &y)] {
            for (a, b) in plan.as_slice().iter().zip(near.as_slice()) {
                prop_close!(*a, b.mean(), 1e-15, 4.0);
            }
        }
        let gap = ClosedForm.gap(&exact, &x, &y)?;
        prop_assert!(gap.width >= Rational::ZERO);
        prop_close!(gap.width.mean(), ClosedForm.gap(&float, &last.x, &last.y)?.width, 1e-12, 6.0);
    }

    /// Every plan of a run and of its averages is one.
    #[test]
    fn rounds_are_plans(game in games(1..=6), order: bool) {
        let form = game.form().to_f64()?;
        let order = if order { Order::Alternating } else { Order::Simultaneous };
        for rule in RULES {
            let rounds = average(run(&form, rule, order), rule.gamma);
            for round in run(&form, rule, order).take(20).chain(rounds.take(20)) {
                let round = round?;
                Plan::new(form.side(Player::Max), round.x.as_slice().to_vec())?;
                Plan::new(form.side(Player::Min), round.y.as_slice().to_vec())?;
            }
        }
    }
}

/// The average weighs round t by t^gamma.
#[test]
fn averages_are_weighted() {
    let form = SequenceForm::new(&Tree::new(&Kuhn).unwrap()).to_f64().unwrap();
    for gamma in [0.0, 1.0, 2.0] {
        let rounds: Vec<_> =
            run(&form, Rule::CFR, Order::Alternating).take(9).map(Result::unwrap).collect();
        let last =
            average(run(&form, Rule::CFR, Order::Alternating), gamma).nth(8).unwrap().unwrap();
        let weight = |t: usize| (t as f64).powf(gamma);
        let total: f64 = (0..9).map(weight).sum();
        for s in 0..13 {
            let mean: f64 =
                rounds.iter().map(|r| weight(r.t) * r.y.as_slice()[s]).sum::<f64>() / total;
            assert!((mean - last.y.as_slice()[s]).abs() < 1e-14);
        }
    }
}

/// Two steps by hand in matching pennies: Min shows heads, then tails. The regrets are (1, -1), then
/// (0, 2) more, and each rule remembers another part of the first.
#[test]
fn each_rule_by_hand() {
    let pennies = |h: &str| match h.len() {
        0 => decision(Player::Max, "x", 2, h),
        1 => decision(Player::Min, "y", 2, h),
        _ => Turn::Terminal(if h == "00" || h == "11" { ratio(1, 1) } else { ratio(-1, 1) }),
    };
    let form = SequenceForm::new(&Tree::new(&Rules(pennies)).unwrap()).to_f64().unwrap();
    let pure = |h: f64| Plan::new(form.side(Player::Min), vec![1.0, h, 1.0 - h]).unwrap();
    for (rule, heads) in RULES.into_iter().zip([1.0 / 2.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 4.0]) {
        let mut max = Cfr::new(&form, Player::Max, rule);
        let me = Plan::uniform(form.side(Player::Max));
        let me = max.step(&me, &pure(1.0)).unwrap();
        assert_eq!(me.as_slice(), [1.0, 1.0, 0.0], "{rule:?}");
        let me = max.step(&me, &pure(0.0)).unwrap();
        let expected = [1.0, heads, 1.0 - heads];
        let near = me.as_slice().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15);
        assert!(near, "{rule:?}: {me:?}");
    }
}

/// And close around it. No theorem says so fast, hence fixed games; the last one is a slow one, where
/// 3,000 rounds of one rule leave 0.0245.
#[test]
fn averages_reach_the_value() {
    let games = (0..40).map(|seed| (RandomGame { depth: 1 + seed as usize % 5, seed }, 0.02));
    let slow = RandomGame { depth: 3, seed: 16555809470587170973 };
    for (game, tolerance) in games.chain([(slow, 0.025)]) {
        let form = SequenceForm::new(&game.tree()).to_f64().unwrap();
        for rule in [Rule::CFR_PLUS, Rule::PREDICTIVE_CFR_PLUS, Rule::DCFR] {
            let mut averages = average(run(&form, rule, Order::Alternating), rule.gamma);
            let last = averages.nth(3000).unwrap().unwrap();
            let gap = ClosedForm.gap(&form, &last.x, &last.y).unwrap();
            assert!(gap.width <= tolerance, "{game:?} {rule:?}: {}", gap.width);
        }
    }
}
