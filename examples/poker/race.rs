//! How fast the rules of counterfactual regret minimisation close a game's gap.

use nashguard::Result;
use nashguard::dynamics::Order;
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::extensive::SequenceForm;
use nashguard::extensive::cfr::{Rule, average, run};
use std::time::{Duration, Instant};

/// The gap is measured every so many iterations; the clock stands still meanwhile.
const EVERY: usize = 10;
const MOST: usize = 500_000;

/// Prints, for each rule, iterations and seconds until the averages' exact gap is below each goal.
pub fn race(form: &SequenceForm) -> Result<()> {
    for (name, rule) in [
        ("CFR+", Rule::CFR_PLUS),
        ("predictive CFR+", Rule::PREDICTIVE_CFR_PLUS),
        ("DCFR", Rule::DCFR),
    ] {
        let mut goals = [1e-3, 1e-4, 1e-5, 1e-6].into_iter().peekable();
        let (mut spent, mut clock) = (Duration::ZERO, Instant::now());
        for round in average(run(form, rule, Order::Alternating), rule.gamma).take(MOST + 1) {
            let round = round?;
            if round.t % EVERY != 0 {
                continue;
            }
            spent += clock.elapsed();
            let gap = ClosedForm.gap(form, &round.x, &round.y)?;
            while let Some(goal) = goals.next_if(|goal| gap.width <= *goal) {
                let (t, seconds) = (round.t, spent.as_secs_f64());
                let speed = t as f64 / seconds;
                println!(
                    "{name}: gap {goal:.0e} after {t} iterations, {seconds:.3} s ({speed:.0} a second), value in [{:.9}, {:.9}]",
                    gap.low, gap.high
                );
            }
            if goals.peek().is_none() {
                break;
            }
            clock = Instant::now();
        }
        if let Some(goal) = goals.next() {
            println!("{name}: gap above {goal:.0e} after {MOST} iterations");
        }
    }
    Ok(())
}
