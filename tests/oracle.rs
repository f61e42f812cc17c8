//! The solver against an independent one: Clarabel's exponential-cone program (Theorem 1: p* maximises the concave G).

mod common;
#[path = "../benches/oracle/mod.rs"]
mod program;

use common::{Recipe, config, games};
use nashguard::guard::{Generator, GuardGame, Seed, solve};
use program::cone_program;
use proptest::prelude::*;

/// Sizes and scales at which an interior-point method can reach a tolerance of 1e-10.
fn well_scaled() -> impl Strategy<Value = Recipe> {
    (games(), 1..=12usize, 1..=5usize, -1.5..1.0).prop_map(|(recipe, texts, seeds, log10_beta)| {
        let zeros = if texts > 2 { recipe.zeros } else { 0.0 };
        Recipe { texts, seeds, log10_beta, zeros, ..recipe.moderate().unclipped() }
    })
}

proptest! {
    #![proptest_config(config(100))]

    /// Theorem 1: the values agree to 1e-6, and Clarabel's generator is the solver's.
    #[test]
    fn the_value_is_the_cone_programs(recipe in well_scaled()) {
        let game = recipe.game();
        // One time in thirty Clarabel says itself that it fell short of this tolerance. At its
        // default, 1e-8, values may be off by more than the 1e-6 asked here.
        let oracle = cone_program(&game, 1e-10).map_err(TestCaseError::reject)?;
        let found = solve(&game, 1e-12)?;
        prop_close!(found.value, oracle.value, 1e-6, 1.0 + game.anchor().map_or(0.0, |a| a.weight));
        let mut p = oracle.p.mapv(|v| v.max(0.0));
        for mut row in p.outer_iter_mut() {
            let total = row.sum();
            row /= total;
        }
        // beta D(p, p*) <= V* - G(p) (Proposition 3), so D is bounded by the value's error.
        let p = Generator::new(&game, p)?;
        prop_at_most!(game.beta() * game.divergence(&p, &found.p)?, 0.0, 1e-6);
    }
}

/// Both agree with the two-text game's log 2 (Example 1).
#[test]
fn both_know_the_two_text_game() {
    let seed = |label| Seed { label, weight: 0.5, reference: vec![0.5, 0.5] };
    let game = GuardGame::new(2, vec![seed(0), seed(1)], 0.3).unwrap();
    assert!((cone_program(&game, 1e-10).unwrap().value - 2.0_f64.ln()).abs() < 1e-7);
    assert!((solve(&game, 1e-12).unwrap().value - 2.0_f64.ln()).abs() < 1e-12);
}
