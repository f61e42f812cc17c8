//! The run's order and rounds.

mod common;

use common::{config, games};
use nashguard::dynamics::{Order, Round, play};
use nashguard::guard::{Classifier, Generator, proximal};
use nashguard::{BestReply, Error, Result};
use proptest::prelude::*;

type Table = Round<Generator, Classifier>;

proptest! {
    #![proptest_config(config(300))]

    /// Proposition 5.1: at tau = 0 a simultaneous run from any (p_0, q_0) is two interleaved
    /// alternating runs. With A from p_0 and B from p_1 = T_phi(q_0), tables are equal to the bit:
    /// p_{2k} = A.p_k, q_{2k+1} = A.q_k, p_{2k+1} = B.p_k, q_{2k+2} = B.q_k.
    #[test]
    fn simultaneous_play_is_two_interleaved_runs(recipe in games()) {
        let game = recipe.game();
        let (p0, q0) = (recipe.generator(&game, 0), recipe.classifier(&game, 0));
        let first = game.max_reply(&q0)?;
        let rounds: Vec<Table> = play(
            p0.clone(),
            q0,
            Order::Simultaneous,
            proximal::generator(&game, 0.0),
            proximal::classifier(&game),
        )
        .take(9)
        .collect::<Result<_>>()?;
        let alternating = |start: Generator| -> Result<Vec<Table>> {
            proximal::run(&game, 0.0, Order::Alternating, start)?.take(4).collect()
        };
        let (a, b) = (alternating(p0)?, alternating(first)?);
        for k in 0..4 {
            prop_assert_eq!(&rounds[2 * k].x, &a[k].x);
            prop_assert_eq!(&rounds[2 * k + 1].y, &a[k].y);
            prop_assert_eq!(&rounds[2 * k + 1].x, &b[k].x);
            prop_assert_eq!(&rounds[2 * k + 2].y, &b[k].y);
        }
    }

    /// Proposition 5.1: started at the classifier's best reply, the two runs are one, a round apart.
    #[test]
    fn a_simultaneous_run_repeats_every_table(recipe in games()) {
        let game = recipe.game();
        let start = recipe.generator(&game, 0);
        let rounds: Vec<Table> =
            proximal::run(&game, 0.0, Order::Simultaneous, start)?.take(8).collect::<Result<_>>()?;
        for k in 0..3 {
            prop_assert_eq!(&rounds[2 * k + 1].x, &rounds[2 * k + 2].x);
            prop_assert_eq!(&rounds[2 * k].y, &rounds[2 * k + 1].y);
        }
    }

    /// Definition 4: in an alternating run q_t is the best reply to p_t, and p_{t+1} maximises
    /// J(., q_t) - tau D(., p_t) against random deviations.
    #[test]
    fn the_proximal_step_is_an_argmax(recipe in games(), tau in 0.0..5.0) {
        use nashguard::Game;
        let game = recipe.game();
        let start = recipe.generator(&game, 0);
        let rounds: Vec<Table> =
            proximal::run(&game, tau, Order::Alternating, start)?.take(4).collect::<Result<_>>()?;
        for pair in rounds.windows(2) {
            let (now, next) = (&pair[0], &pair[1]);
            prop_assert_eq!(&*next.y, &game.min_reply(&next.x)?);
            let gain = |p: &Generator| -> Result<f64> {
                Ok(game.payoff(p, &now.y)? - tau * game.divergence(p, &now.x)?)
            };
            let best = gain(&next.x)?;
            for stream in 1..4 {
                let other = recipe.generator(&game, stream);
                for p in [common::mix_generators(&game, &next.x, &other, 1e-3), other] {
                    // A proximal maximiser wins by (beta + tau) D exactly (three-point identity).
                    let margin = (game.beta() + tau) * game.divergence(&p, &next.x)?;
                    let scale = common::size(&game, &p, &now.y)
                        + common::size(&game, &next.x, &now.y)
                        + tau * (game.divergence(&p, &now.x)? + game.divergence(&next.x, &now.x)?)
                        + margin;
                    prop_close!(best - gain(&p)?, margin, 1e-11, scale);
                }
            }
        }
    }

    /// What is observed of a round is what the game says of it. (Every label has a seed: where two
    /// labels have no mass, their logit is undefined.)
    #[test]
    fn observations_are_the_games_own_numbers(recipe in games()) {
        use nashguard::Game;
        let game = recipe.balanced_game();
        let star = nashguard::guard::solve(&game, 1e-12)?.p;
        let start = recipe.generator(&game, 0);
        for round in proximal::run(&game, 1.0, Order::Alternating, start)?.take(3) {
            let round = round?;
            let seen = proximal::observe(&game, &star, &round)?;
            prop_assert_eq!(seen.t, round.t);
            prop_assert_eq!(seen.divergence, game.divergence(&star, &round.x)?);
            prop_assert_eq!(seen.value, game.payoff(&round.x, &round.y)?);
            prop_assert_eq!(seen.guaranteed, game.value_guaranteed(&round.x)?);
            prop_assert_eq!(seen.against, game.value_against(&round.y)?);
            prop_assert_eq!(seen.logits.len(), game.texts() * (game.labels() - 1));
            let q = round.y.log_q();
            let last = q[(game.texts() - 1, game.labels() - 1)] - q[(game.texts() - 1, 0)];
            if !last.is_nan() {
                prop_assert_eq!(*seen.logits.last().unwrap(), last);
            }
        }
    }
}

/// Both orders on numbers small enough to follow by hand: x <- x + y, y <- y - x.
#[test]
fn the_two_orders_differ_only_in_what_min_sees() {
    let xy = |order| -> Vec<(i32, i32)> {
        play(1, 0, order, |x: &i32, y: &i32| Ok(x + y), |y: &i32, x: &i32| Ok(y - x))
            .take(4)
            .map(|r| r.map(|r| (*r.x, *r.y)))
            .collect::<Result<_>>()
            .unwrap()
    };
    assert_eq!(xy(Order::Alternating), [(1, 0), (1, -1), (0, -1), (-1, 0)]);
    assert_eq!(xy(Order::Simultaneous), [(1, 0), (1, -1), (0, -2), (-2, -2)]);
}

/// An update's error is yielded once, with the rounds before it, and ends the run.
#[test]
fn an_error_ends_the_run() {
    let fail_at_two = |x: &i32, _: &i32| {
        if *x == 2 { Err(Error::invalid("x", "it is 2", "stop earlier")) } else { Ok(x + 1) }
    };
    let mut rounds = play(0, 0, Order::Alternating, fail_at_two, |y: &i32, _: &i32| Ok(*y));
    let ts: Vec<usize> = rounds.by_ref().take(3).map(|r| r.unwrap().t).collect();
    assert_eq!(ts, [0, 1, 2]);
    assert!(rounds.next().unwrap().is_err());
    assert!(rounds.next().is_none());
    assert!(rounds.next().is_none());
}

/// Updates keep their state from round to round.
#[test]
fn an_update_may_remember() {
    let mut calls = 0;
    let count = move |_: &i32, _: &i32| {
        calls += 1;
        Ok(calls)
    };
    let rounds = play(0, 0, Order::Alternating, count, |_: &i32, x: &i32| Ok(10 * x));
    let pairs: Vec<(i32, i32)> = rounds.take(3).map(|r| r.unwrap()).map(|r| (*r.x, *r.y)).collect();
    assert_eq!(pairs, [(0, 0), (1, 10), (2, 20)]);
}
