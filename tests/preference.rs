//! What moves a generator: its optimum, its formula, its independence of interruptions.
#![cfg(feature = "neural")]

use candle_core::{DType, Device};
use nashguard::Result;
use nashguard::dynamics::Update;
use nashguard::guard::{Classifier, GuardGame, Law, Sample, Seed, proximal, tabulate};
use nashguard::neural::decoder::{Decoder, Numbers, Tokenizer};
use nashguard::neural::finetune::Trained;
use nashguard::neural::generator::Generator;
use nashguard::neural::preference::{
    Dpo, Likelihood, Objective, Pair, Passage, Preferences, TuneConfig, bradley_terry, optimise,
    tune,
};
use std::ops::ControlFlow;
use std::path::Path;

const FAMILIES: [&str; 3] = ["llama", "qwen2", "gemma3"];
const END: u32 = 0;

fn tokenizer() -> Tokenizer {
    let vocabulary: serde_json::Map<_, _> =
        (0..40).map(|id| (format!("t{id}"), serde_json::json!(id))).collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "t0" },
    });
    Tokenizer::from_json(&json.to_string()).unwrap()
}

fn generator(family: &str) -> Generator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(family);
    let decoder = Decoder::load(folder, Numbers::Dense(DType::F32), &Device::Cpu).unwrap();
    Generator::new(decoder, tokenizer())
}

/// Prompts and candidate texts of a small game, as tokens.
fn prompts() -> Vec<Vec<u32>> {
    vec![vec![3, 5, 8], vec![21, 13]]
}

fn texts() -> Vec<Vec<u32>> {
    vec![
        vec![7, 9, END],
        vec![11, 30, 2, END],
        vec![25, END],
        vec![4, 4, 17, END],
        vec![33, 6, END],
    ]
}

/// A network on the candidate set.
struct Enumerated<'a>(&'a Generator);

impl Law for Enumerated<'_> {
    type Item = Sample;
    fn draws(&self, _: usize, _: u64) -> Result<nashguard::guard::Draws<Sample>> {
        unreachable!("the candidates are enumerated, so that nothing is drawn")
    }
    fn log_prob(&self, items: &[Sample]) -> Result<Vec<f64>> {
        let (prompts, texts) = (prompts(), texts());
        let pairs: Vec<(&[u32], &[u32])> =
            items.iter().map(|s| (&prompts[s.seed][..], &texts[s.text][..])).collect();
        Ok(self.0.log_probs(&pairs)?.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
    }
}

/// The game whose reference is this network.
fn game(base: &Generator, beta: f64) -> GuardGame {
    let uniform = vec![1.0 / texts().len() as f64; texts().len()];
    let seeds = |references: [Vec<f64>; 2]| {
        let [a, b] = references;
        vec![
            Seed { label: 0, weight: 0.5, reference: a },
            Seed { label: 1, weight: 0.5, reference: b },
        ]
    };
    let any = GuardGame::new(2, seeds([uniform.clone(), uniform]), beta).unwrap();
    let r = tabulate(&any, &Enumerated(base)).unwrap().probabilities();
    GuardGame::new(2, seeds([r.row(0).to_vec(), r.row(1).to_vec()]), beta).unwrap()
}

/// q(unsafe | text), uneven on purpose.
fn classifier(game: &GuardGame) -> Classifier {
    let q = ndarray::Array2::from_shape_fn((texts().len(), 2), |(z, y)| {
        let unsafe_ = [0.9, 0.3, 0.5, 0.75, 0.2][z];
        if y == 1 { unsafe_ } else { 1.0 - unsafe_ }
    });
    Classifier::new(game, q).unwrap()
}

/// Every pair of candidates of every seed, preferred as Bradley and Terry say.
fn all_pairs(q: &Classifier) -> Vec<Pair> {
    let (prompts, texts) = (prompts(), texts());
    let mut pairs = Vec::new();
    for (label, prompt) in prompts.iter().enumerate() {
        for a in 0..texts.len() {
            for b in 0..a {
                let loss = |z: usize| -q.log_q()[(z, label)];
                pairs.push(Pair {
                    prompt: prompt.clone(),
                    texts: [texts[a].clone(), texts[b].clone()],
                    preferred: bradley_terry(loss(a), loss(b)),
                });
            }
        }
    }
    pairs
}

fn settings(epochs: usize) -> TuneConfig {
    TuneConfig {
        epochs,
        learning_rate: 3e-2,
        trained: Trained { embeddings: true, ..Trained::default() },
        batch_tokens: 1 << 16,
        clip: 1e3,
        ..TuneConfig::default()
    }
}

fn go_on() -> impl FnMut(&nashguard::neural::preference::Report) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
}

/// Two routes to the generator's next move: preference learning by a network on Bradley-Terry labels, and the
/// closed form of the tables.
#[test]
fn the_optimum_is_the_closed_form_reply() {
    for family in FAMILIES {
        let base = generator(family);
        let q = classifier(&game(&base, 1.0));
        // Some other generator as the current one.
        let passages = vec![Passage { prompt: prompts()[0].clone(), text: texts()[1].clone() }];
        let folder = tempfile::tempdir().unwrap();
        let current = tune(&base, &settings(2), &Likelihood(passages), folder.path(), &mut go_on())
            .unwrap()
            .unwrap();
        for (tau, beta) in [(0.0, 0.5), (0.0, 2.0), (1.0, 0.5), (0.5, 0.0)] {
            let game = game(&base, f64::max(beta, 1e-12));
            let now = tabulate(&game, &Enumerated(&current)).unwrap();
            let expected = proximal::generator(&game, tau).step(&now, &q).unwrap().probabilities();
            let dpo = Dpo { tau, beta, alpha: 0.0 };
            let folder = tempfile::tempdir().unwrap();
            let next = optimise(
                dpo,
                all_pairs(&q),
                &current,
                &base,
                &settings(300),
                folder.path(),
                &mut go_on(),
            );
            let found =
                tabulate(&game, &Enumerated(&next.unwrap().unwrap())).unwrap().probabilities();
            let before = now.probabilities();
            let distance = |p: &ndarray::Array2<f64>, seed: usize| {
                let row = p.row(seed);
                row.iter().zip(expected.row(seed)).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
            };
            let worst = |p| (0..2).map(|seed| distance(p, seed)).fold(0.0, f64::max);
            assert!(worst(&found) < 0.02, "{family} {tau} {beta}: {}", worst(&found));
            assert!(worst(&before) > 0.04, "{family} {tau} {beta}: nothing to learn");
        }
    }
}

/// The loss by hand, in 64 bits.
#[test]
fn the_loss_is_the_papers() {
    let (base, current) = (generator("llama"), generator("qwen2"));
    let dpo = Dpo { tau: 0.3, beta: 0.2, alpha: 0.4 };
    let mut pairs = all_pairs(&classifier(&game(&base, 1.0)));
    pairs[0].preferred = 1.0;
    let preferences = Preferences::new(dpo, pairs.clone(), &current, &base).unwrap();
    let asked = generator("gemma3");
    let log_p = |g: &Generator, pair: &Pair| {
        let both = pair.texts.each_ref().map(|t| (&pair.prompt[..], &t[..]));
        g.log_probs(&both)
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
            .into_iter()
            .map(f64::from)
            .collect::<Vec<_>>()
    };
    let by_hand = |pair: &Pair| {
        let (p, c, r) = (log_p(&asked, pair), log_p(&current, pair), log_p(&base, pair));
        let m = 0.5 * (p[0] - p[1]) - 0.3 * (c[0] - c[1]) - 0.2 * (r[0] - r[1]);
        let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
        let w = pair.preferred;
        -w * sigma(m).ln() - (1.0 - w) * sigma(-m).ln() - 0.4 * p[0] / pair.texts[0].len() as f64
    };
    for chosen in [vec![0], vec![3, 1, 7]] {
        let (loss, _) = preferences.loss(&asked, &chosen).unwrap();
        let expected: f64 = chosen.iter().map(|&i| by_hand(&pairs[i])).sum();
        let found = f64::from(loss.to_scalar::<f32>().unwrap());
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn a_generator_at_its_references_has_loss_ln_2() {
    let base = generator("llama");
    let pairs = all_pairs(&classifier(&game(&base, 1.0)));
    let dpo = Dpo { tau: 0.3, beta: 0.2, alpha: 0.0 };
    let preferences = Preferences::new(dpo, pairs, &base, &base).unwrap();
    let (loss, sums) = preferences.loss(&base, &[0, 5]).unwrap();
    let loss = f64::from(loss.to_scalar::<f32>().unwrap());
    assert!((loss - 2.0 * 2.0_f64.ln()).abs() < 1e-5 && sums["margin"].abs() < 1e-5);
}

/// No weight of the start is touched, so what was weighed with it stays true.
#[test]
fn tuning_changes_a_copy() {
    let base = generator("llama");
    let log_p =
        |g: &Generator| Enumerated(g).log_prob(&[Sample { seed: 0, label: 0, text: 1 }]).unwrap();
    let before = log_p(&base);
    let pairs = all_pairs(&classifier(&game(&base, 1.0)));
    let folder = tempfile::tempdir().unwrap();
    let next =
        optimise(Dpo::default(), pairs, &base, &base, &settings(3), folder.path(), &mut go_on());
    assert_eq!(log_p(&base), before);
    assert_ne!(log_p(&next.unwrap().unwrap()), before);
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let base = generator("llama");
    let pairs = all_pairs(&classifier(&game(&base, 1.0)));
    let preferences = Preferences::new(Dpo::default(), pairs, &base, &base).unwrap();
    let config = TuneConfig { batch_tokens: 60, accumulate: 2, checkpoint_steps: 2, ..settings(2) };
    let bits = |g: &Generator| {
        Enumerated(g).log_prob(&[0, 1, 2].map(|text| Sample { seed: 1, label: 1, text })).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let whole = tune(&base, &config, &preferences, folder.path(), &mut go_on()).unwrap().unwrap();
    for stop in 1..7 {
        let folder = tempfile::tempdir().unwrap();
        let mut steps = 0;
        let stopped = tune(&base, &config, &preferences, folder.path(), &mut |report| {
            steps += 1;
            assert_eq!(report.place.step, steps);
            if steps == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(stopped.unwrap().is_none());
        let config = TuneConfig { workers: 3, ..config.clone() };
        let on = tune(&base, &config, &preferences, folder.path(), &mut go_on()).unwrap().unwrap();
        assert_eq!(bits(&on), bits(&whole), "stopped after {stop}");
        // And its checkpoint is refused by another run.
        let other = TuneConfig { learning_rate: 1e-3, ..config };
        let refused = tune(&base, &other, &preferences, folder.path(), &mut go_on()).unwrap_err();
        assert!(refused.to_string().contains("other settings"), "{refused}");
    }
}

#[test]
fn failures_are_loud() {
    let base = generator("llama");
    let none = Preferences::new(Dpo::default(), vec![], &base, &base).unwrap_err().to_string();
    assert!(none.contains("no pair could be built"), "{none}");
    for bad in [-1.0, f64::NAN] {
        let dpo = Dpo { beta: bad, ..Dpo::default() };
        assert!(dpo.check().unwrap_err().to_string().contains("beta"));
    }
    assert!(Dpo { beta: 0.0, ..Dpo::default() }.check().is_err());
    let pairs = all_pairs(&classifier(&game(&base, 1.0)));
    let run = |rate: f64, dpo: Dpo| {
        let folder = tempfile::tempdir().unwrap();
        let config = TuneConfig { learning_rate: rate, ..settings(2) };
        let next = optimise(dpo, pairs.clone(), &base, &base, &config, folder.path(), &mut go_on());
        next.err().map(|e| e.to_string()).unwrap_or_default()
    };
    let stuck = run(1e-9, Dpo::default());
    assert!(stuck.contains("ln 2"), "{stuck}");
    let wild = run(1e30, Dpo { alpha: 0.0, ..Dpo::default() });
    assert!(wild.contains("finite"), "{wild}");
}

/// Imitation alone: the loss falls to what is left of uncertainty.
#[test]
fn a_generator_learns_to_say_what_it_is_told() {
    let base = generator("gemma3");
    let passages: Vec<Passage> =
        prompts().into_iter().zip(texts()).map(|(prompt, text)| Passage { prompt, text }).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut losses = Vec::new();
    let taught = tune(&base, &settings(60), &Likelihood(passages), folder.path(), &mut |report| {
        losses.push(report.place.loss);
        ControlFlow::Continue(())
    });
    assert!(losses[0] > 2.0 && losses[59] < 0.1, "{losses:?}");
    let law = taught.unwrap().unwrap();
    let said = Enumerated(&law).log_prob(&[Sample { seed: 1, label: 1, text: 1 }]).unwrap();
    assert!(said[0] > -0.5, "{said:?}");
}
