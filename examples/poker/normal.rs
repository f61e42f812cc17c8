//! A game as a matrix: one row a pure plan of Max, one column a pure plan of Min.

use nashguard::extensive::{Player, SequenceForm, Treeplex};
use nashguard::scalar::Rational;
use std::fmt::Write;

/// The payoffs as CSV. Plans that differ only in sets they do not reach themselves are one (reduced
/// normal form). The size is exponential in the tree's: for games like Kuhn.
pub fn csv(form: &SequenceForm<Rational>) -> String {
    let [rows, columns] = [Player::Max, Player::Min].map(|player| pure(form.side(player)));
    let mut text = String::new();
    for x in &rows {
        let mut against = vec![Rational::ZERO; form.side(Player::Min).sequences()];
        for s in (0..x.len()).filter(|s| x[*s]) {
            form.payoffs().pairs(s).for_each(|(t, v)| against[t] += v);
        }
        let payoff = |y: &Vec<bool>| {
            let played = against.iter().zip(y).filter(|(_, on)| **on);
            played.fold(Rational::ZERO, |sum, (v, _)| sum + v)
        };
        let line: Vec<String> = columns.iter().map(|y| payoff(y).to_string()).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.join(","));
    }
    text
}

/// All pure plans: for each sequence, whether the plan plays it.
fn pure(side: &Treeplex) -> Vec<Vec<bool>> {
    let mut plans = vec![vec![true]];
    for set in side.information_sets() {
        let extended = |plan: Vec<bool>| {
            let (reached, actions) = (plan[set.parent], set.actions.len());
            (0..if reached { actions } else { 1 }).map(move |choice| {
                let mut plan = plan.clone();
                plan.extend((0..actions).map(|action| reached && action == choice));
                plan
            })
        };
        plans = plans.into_iter().flat_map(extended).collect();
    }
    plans
}
