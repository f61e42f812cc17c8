//! Bad input: every constructor refuses it in one sentence that names the place.

mod common;

use nashguard::dynamics::{Order, Update};
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::guard::{
    Anchor, Classifier, ExactGap, Generator, GuardGame, Law, Loss, Sample, Seed, Table, paper,
    proximal, random_game, solve, solve_with, spectrum,
};
use nashguard::matrix::MatrixGame;
use nashguard::simplex::Simplex;
use nashguard::{BestReply, Error, Game, Result, matrix};
use ndarray::array;

/// The message of an error, which must be the one-sentence kind and start with `place`.
#[track_caller]
fn refused<T>(result: Result<T>, place: &str) {
    match result {
        Ok(_) => panic!("{place}: accepted"),
        Err(error @ Error::Invalid { .. }) => {
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("{place}: ")),
                "{text:?} does not start with {place:?}"
            );
            assert!(text.contains("; "), "{text:?} gives no way out");
        }
        Err(error) => panic!("{place}: {error}"),
    }
}

fn seed(label: usize, weight: f64, reference: &[f64]) -> Seed {
    Seed { label, weight, reference: reference.to_vec() }
}

/// Two labels, two seeds, three texts.
fn small() -> GuardGame {
    let seeds = vec![seed(0, 0.5, &[0.5, 0.5, 0.0]), seed(1, 0.5, &[0.2, 0.3, 0.5])];
    GuardGame::new(2, seeds, 1.0).unwrap()
}

const BAD: [f64; 4] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5];

#[test]
fn games() {
    let new = |labels, seeds: &[Seed], beta| GuardGame::new(labels, seeds.to_vec(), beta);
    let fine = [seed(0, 0.5, &[0.5, 0.5]), seed(1, 0.5, &[1.0, 0.0])];
    assert!(new(2, &fine, 1.0).is_ok());
    refused(new(0, &fine, 1.0), "labels");
    refused(new(2, &[], 1.0), "seeds");
    refused(new(1, &fine, 1.0), "seeds[1].label");
    for beta in BAD.into_iter().chain([0.0, -0.0]) {
        refused(new(2, &fine, beta), "beta");
        refused(small().with_beta(beta), "beta");
    }
    for weight in BAD.into_iter().chain([0.0]) {
        refused(new(2, &[fine[0].clone(), seed(1, weight, &[1.0, 0.0])], 1.0), "seeds[1].weight");
    }
    refused(new(2, &[seed(0, 0.5, &[1.0])], 1.0), "seeds[..].weight");
    refused(
        new(2, &[seed(0, f64::MAX, &[1.0]), seed(1, f64::MAX, &[1.0])], 1.0),
        "seeds[..].weight",
    );
    refused(new(2, &[fine[0].clone(), seed(1, 0.5, &[1.0])], 1.0), "seeds[1].reference");
    refused(new(2, &[seed(0, 1.0, &[])], 1.0), "seeds[0].reference");
    refused(new(2, &[seed(0, 1.0, &[0.4, 0.4])], 1.0), "seeds[0].reference");
    refused(new(2, &[seed(0, 1.0, &[0.0, 0.0])], 1.0), "seeds[0].reference");
    for r in BAD {
        refused(new(2, &[fine[0].clone(), seed(1, 0.5, &[1.0, r])], 1.0), "seeds[1].reference[1]");
    }
    for gamma in BAD.into_iter().chain([0.500001, 1.0]) {
        refused(small().with_floor(gamma), "gamma");
    }
    assert!(small().with_floor(0.5).is_ok());
}

#[test]
fn anchors() {
    let with = |weight, real| small().with_anchor(Anchor { weight, real });
    let real = ndarray::Array2::from_elem((2, 3), 1.0 / 6.0);
    assert!(with(0.0, real.clone()).is_ok());
    for lambda in BAD {
        refused(with(lambda, real.clone()), "anchor.weight");
    }
    refused(with(1.0, real.t().to_owned()), "anchor.real");
    refused(with(1.0, &real * 2.0), "anchor.real");
    for bad in BAD {
        let mut real = real.clone();
        real[(1, 2)] = bad;
        refused(with(1.0, real), "anchor.real[5]");
    }
}

#[test]
fn tables() {
    let game = small();
    let p = array![[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]];
    assert!(Generator::new(&game, p.clone()).is_ok());
    refused(Generator::new(&game, p.t().to_owned()), "generator");
    refused(Generator::new(&game, &p * 0.5), "generator[0]");
    refused(Generator::new(&game, array![[0.5, 0.4, 0.1], [0.0, 0.0, 1.0]]), "generator[0][2]");
    let q = array![[0.5, 0.5], [0.1, 0.9], [1.0, 0.0]];
    assert!(Classifier::new(&game, q.clone()).is_ok());
    refused(Classifier::new(&game, q.t().to_owned()), "classifier");
    refused(Classifier::new(&game, &q * 0.5), "classifier[0]");
    let clipped = small().with_floor(0.2).unwrap();
    refused(Classifier::new(&clipped, q.clone()), "classifier[1][0]");
    for bad in BAD {
        let (mut p, mut q) = (p.clone(), q.clone());
        p[(1, 2)] = bad;
        q[(2, 1)] = bad;
        refused(Generator::new(&game, p), "generator[1][2]");
        refused(Classifier::new(&game, q), "classifier[2][1]");
    }
}

/// Players of a game of another shape are refused wherever they enter.
#[test]
fn strangers() {
    let game = small();
    let other = GuardGame::new(3, vec![seed(0, 1.0, &[0.5, 0.5])], 1.0).unwrap();
    let (p, q) = (Generator::reference(&game), Classifier::uniform(&game));
    let (their_p, their_q) = (Generator::reference(&other), Classifier::uniform(&other));
    refused(game.payoff(&their_p, &q), "generator");
    refused(game.payoff(&p, &their_q), "classifier");
    refused(game.max_reply(&their_q), "classifier");
    refused(game.min_reply(&their_p), "generator");
    refused(game.value_guaranteed(&their_p), "generator");
    refused(ClosedForm.gap(&game, &p, &their_q), "classifier");
    refused(ClosedForm.gap(&game, &their_p, &q), "generator");
    refused(ExactGap.gap(&game, &their_p, &q), "generator");
    refused(game.divergence(&their_p, &p), "generator");
    refused(game.divergence(&p, &their_p), "generator");
    refused(game.classifier_regret(&their_p, &q), "generator");
    refused(game.classifier_regret(&p, &their_q), "classifier");
    refused(game.value_against(&their_q), "classifier");
    refused(spectrum(&game, &their_p), "generator");
    refused(proximal::measured_rate(&game, &their_p, 1.0, Order::Simultaneous, 1, 0), "generator");
    refused(proximal::generator(&game, 1.0).step(&their_p, &q), "generator");
    refused(Table { game: &game, generator: &their_p }.draws(1, 0), "generator");
    refused(proximal::run(&game, 1.0, Order::Alternating, their_p), "generator");
    let sample = Sample { seed: 9, label: 0, text: 0 };
    refused(Table { game: &game, generator: &p }.log_prob(&[sample]), &format!("{sample:?}"));
    refused(
        q.loss(&[Sample { seed: 0, label: 0, text: 9 }]),
        "Sample { seed: 0, label: 0, text: 9 }",
    );
}

/// A classifier that forbids a label where the reference has mass leaves no best reply, and its
/// value is infinite; where the reference has none, nothing is wrong.
#[test]
fn forbidding_classifiers() {
    let game = small();
    let at = |z: usize, y: usize| {
        let mut q = ndarray::Array2::from_elem((3, 2), 0.5);
        q[(z, y)] = 0.0;
        q[(z, 1 - y)] = 1.0;
        Classifier::new(&game, q).unwrap()
    };
    refused(game.max_reply(&at(1, 0)), "seed 0");
    assert_eq!(game.value_against(&at(1, 0)).unwrap(), f64::INFINITY);
    let p = Generator::reference(&game);
    assert_eq!(ExactGap.gap(&game, &p, &at(1, 0)).unwrap().width, f64::INFINITY);
    assert_eq!(game.payoff(&p, &at(1, 0)).unwrap(), f64::INFINITY);
    assert!(game.max_reply(&at(2, 0)).is_ok());
    assert!(game.value_against(&at(2, 0)).unwrap().is_finite());
}

#[test]
fn algorithms() {
    let game = small();
    for tau in BAD {
        refused(proximal::run(&game, tau, Order::Alternating, Generator::reference(&game)), "tau");
        refused(solve_with(&game, Some(tau), 1e-9, |_, _| {}), "tau");
    }
    for tol in [f64::NAN, 0.0, -1e-9, f64::NEG_INFINITY] {
        refused(solve(&game, tol), "tol");
    }
    refused(paper::constants(&game), "gamma");
    refused(paper::least_admissible_beta(&game), "gamma");
    let seeds = vec![seed(0, 0.5, &[0.5, 0.5, 0.0]), seed(1, 0.5, &[0.2, 0.8, 0.0])];
    let unreached = GuardGame::new(2, seeds, 1.0).unwrap().with_floor(0.1).unwrap();
    refused(paper::constants(&unreached), "reference");
    refused(paper::least_admissible_beta(&unreached), "reference");
    let (p, q) = (Generator::reference(&game), Classifier::uniform(&game));
    refused(proximal::generator(&game, f64::NAN).step(&p, &q), "tau");
    refused(random_game(0, 2, 3, 1.0, 1.0, 0), "labels");
    refused(random_game(2, 0, 3, 1.0, 1.0, 0), "seeds");
    refused(random_game(2, 3, 0, 1.0, 1.0, 0), "seeds[0].reference");
    refused(random_game(2, 3, 3, 0.0, 1.0, 0), "beta");
    for concentration in [f64::NAN, 0.0, -1.0] {
        refused(random_game(2, 3, 3, 1.0, concentration, 0), "concentration");
    }
}

#[test]
fn distributions_and_matrices() {
    refused(Simplex::<f64>::new(vec![]), "distribution");
    refused(Simplex::new(vec![0.5, 0.4]), "distribution");
    refused(Simplex::new(vec![f64::MAX, f64::MAX]), "distribution");
    refused(Simplex::<f64>::vertex(3, 3), "distribution");
    refused(Simplex::<f64>::vertex(0, 0), "distribution");
    refused(MatrixGame::<f64>::new(vec![]), "payoff");
    refused(MatrixGame::<f64>::new(vec![vec![]]), "payoff");
    refused(MatrixGame::<f64>::new(vec![vec![1.0], vec![1.0, 2.0]]), "payoff[1]");
    for bad in BAD {
        refused(Simplex::new(vec![1.0, bad]), "distribution[1]");
        if !bad.is_finite() {
            refused(MatrixGame::<f64>::new(vec![vec![1.0, 2.0], vec![1.0, bad]]), "payoff[1][1]");
        }
    }
    let game = MatrixGame::new(vec![vec![1.0, 2.0, 3.0], vec![3.0, 1.0, 2.0]]).unwrap();
    let (x, y) = (Simplex::vertex(0, 2).unwrap(), Simplex::vertex(0, 3).unwrap());
    refused(game.payoff(&y, &y), "row strategy");
    refused(game.payoff(&x, &x), "column strategy");
    refused(game.max_reply(&x), "column strategy");
    refused(game.min_reply(&y), "row strategy");
    assert!(matrix::solve(&game, -1.0).is_err());
}
