//! Extensive games: known values, exact gaps, files, dynamics.

#[path = "../examples/poker/kuhn.rs"]
mod kuhn;
#[path = "../examples/poker/leduc.rs"]
mod leduc;

use kuhn::Kuhn;
use leduc::Leduc;
use nashguard::Game;
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::extensive::{Move, Plan, Player, SequenceForm, Tree};
use nashguard::scalar::Rational;
use nashguard::simplex::Simplex;

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
    for player in [Player::Max, Player::Min] {
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
