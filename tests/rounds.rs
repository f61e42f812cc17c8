//! The game with networks, small: every file it leaves, and that a stop anywhere changes none of them.
#![cfg(feature = "neural")]

#[path = "common/bytes.rs"]
mod bytes;
#[path = "common/material.rs"]
mod material;
#[path = "common/scripted.rs"]
mod scripted;

use bytes::tokenizer;
use candle_core::{DType, Device};
use nashguard::Error;
use nashguard::data::filters::{FilterConfig, Reason};
use nashguard::data::{Benchmark, BenchmarkRows, Label, Language, Origin, Row};
use nashguard::neural::GuardrailConfig;
use nashguard::neural::classifier::Reading;
use nashguard::neural::decoder::{Config, Decoder};
use nashguard::neural::features::Features;
use nashguard::neural::finetune::{FinetuneConfig, Trained};
use nashguard::neural::generator::{
    Draft, Generator, Job, Local, Prompt, Sampling, Style, rewrite,
};
use nashguard::neural::preference::{Dpo, Likelihood, Passage, TuneConfig, tune};
use nashguard::neural::rounds::{
    ClassifierConfig, Event, GeneratorConfig, Material, RoundsConfig, Stage, Summary, Teaching,
    run, verdicts,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use scripted::Scripted;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// A folder with a model that has learnt to begin texts of either label after either.
fn models(folder: &Path) {
    let about = json!({
        "model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
        "max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": true,
    });
    let about = Config::from_json(&about.to_string()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let decoder = Decoder::random(about, DType::F32, &Device::Cpu, &mut rng).unwrap();
    let local = Local::new(Generator::new(decoder, tokenizer())).unwrap();
    let mut passages = Vec::new();
    let names = ["ann", "bo", "cy", "di", "ed", "flo", "gus", "hal", "ivo", "jo", "kit", "lu"];
    for (i, (row, _)) in material::material().all.iter().enumerate() {
        for language in config().languages {
            for text in ["please water", "I will hurt"] {
                let prompt = rewrite(Style::Taught, row, language);
                let text = local.ended(&prompt, &format!("{text} {}", names[i % 12])).unwrap();
                passages.push(Passage { prompt: local.encode(&prompt).unwrap(), text });
            }
        }
    }
    let settings = TuneConfig { epochs: 50, ..config().generator.tune };
    let work = folder.join("work");
    let go = &mut |_: &_| ControlFlow::Continue(());
    let taught = tune(local.generator(), &settings, &Likelihood(passages), &work, go);
    taught.unwrap().unwrap().decoder().save(folder.join("tiny")).unwrap();
    tokenizer().save(folder.join("tiny")).unwrap();
}

fn config() -> RoundsConfig {
    let tune = TuneConfig {
        learning_rate: 1e-2,
        batch_tokens: 2048,
        checkpoint_steps: 2,
        trained: Trained { embeddings: true, ..Trained::default() },
        ..TuneConfig::default()
    };
    RoundsConfig {
        rounds: 2,
        seeds_per_round: Some(4),
        languages: vec![Language::Es, Language::De],
        candidates: 4,
        sampling: Sampling { max_tokens: 20, temperature: 1.0, ..Sampling::default() },
        filters: FilterConfig { language: false, duplicates: 1.0, ..FilterConfig::default() },
        generator: GeneratorConfig {
            base: "tiny".into(),
            style: Style::Taught,
            dpo: Some(Dpo { tau: 0.5, beta: 0.5, alpha: 0.1 }),
            tune,
            ..GeneratorConfig::default()
        },
        classifier: ClassifierConfig {
            guardrail: GuardrailConfig {
                features: Features { buckets: 1 << 12, ..Features::default() },
                epochs: 3,
                batch: 8,
                ..GuardrailConfig::default()
            },
            ..ClassifierConfig::default()
        },
        evaluation: 6,
        ..RoundsConfig::default()
    }
}

/// Sentences that say the same.
const PARALLEL: [[&str; 2]; 6] = [
    ["Where is the nearest railway station, please?", "Wo ist bitte der nächste Bahnhof?"],
    ["My grandmother bakes bread every morning.", "Meine Großmutter backt jeden Morgen Brot."],
    ["The museum is closed on public holidays.", "Das Museum ist an Feiertagen geschlossen."],
    ["How do I learn to play the violin?", "Wie lerne ich Geige zu spielen?"],
    ["The children are swimming in the lake.", "Die Kinder schwimmen im See."],
    ["Which books did you read last summer?", "Welche Bücher hast du letzten Sommer gelesen?"],
];

/// That of the other tests, sentences in two languages to teach with, and a benchmark.
fn material() -> Material {
    let row = |(language, text): (Language, &str)| {
        let row = Row::new(text.into(), language, Label::Safe, Vec::new()).unwrap();
        (row, Origin { id: text.into(), source: "of#parallel".into(), ..Origin::default() })
    };
    let both = |[en, de]: [&'static str; 2]| [(Language::En, en), (Language::De, de)].map(row);
    let benchmark = BenchmarkRows {
        benchmark: Benchmark::XsTest,
        language: Language::En,
        texts: vec!["kill the lights".into(), "hurt my neighbour".into()],
        labels: vec![Label::Safe, Label::Unsafe],
        kinds: vec!["homonyms".into(), "contrast_homonyms".into()],
        skipped: Vec::new(),
    };
    let mut material = material::material();
    material.all.extend(PARALLEL.into_iter().flat_map(both));
    material.benchmarks.push(benchmark);
    material
}

/// Plays until the end, or the `stop`-th event; the stages of the events, none for a round's end.
fn play(
    config: &RoundsConfig,
    models: &Path,
    out: &Path,
    stop: usize,
) -> (Option<Vec<Summary>>, Vec<Option<Stage>>) {
    let mut events = Vec::new();
    let played = run(config, &material(), models, None, out, &mut |event| {
        events.push(match event {
            Event::Progress(stage, ..) => Some(stage),
            Event::Round(_) => None,
        });
        if events.len() == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (played.unwrap(), events)
}

/// Where to stop a game of these events: in the middle of each stage of each round, and at each round's end.
fn stops(events: &[Option<Stage>]) -> Vec<usize> {
    let mut stops = Vec::new();
    let mut at = 0;
    for same in events.chunk_by(|a, b| a == b) {
        stops.push(at + same.len().div_ceil(2));
        at += same.len();
    }
    stops
}

/// Plays in parts, stopped in every stage, and compares what is left with a game that was not stopped.
fn stopped(config: &RoundsConfig, home: &Path, expected: &Files, events: &[Option<Stage>]) {
    for stop in stops(events) {
        let out = home.join(format!("stopped-{stop}"));
        assert!(play(config, home, &out, stop).0.is_none(), "event {stop}: {:?}", events[stop - 1]);
        play(config, home, &out, 5);
        let (played, rest) = play(config, home, &out, usize::MAX);
        assert_eq!(played.unwrap().len(), config.rounds + 1);
        // What was done is not done again, but for the stage that was stopped.
        let stage = events[stop - 1];
        let again = events.iter().filter(|&&event| event == stage).count();
        assert!(
            rest.len() <= events.len() - stop + again + config.rounds + 1,
            "{} of {} events after a stop at {stop}, {stage:?}",
            rest.len(),
            events.len()
        );
        let found = left(&out);
        assert!(found.keys().eq(expected.keys()));
        for (name, lines) in expected {
            assert!(
                found[name] == *lines,
                "{name} differs after a stop at event {stop}, {stage:?}"
            );
        }
    }
}

/// Lines of files by their names.
type Files = BTreeMap<String, Vec<String>>;

/// What a game leaves: lines in any order, summaries without times, weights to the bit.
fn left(out: &Path) -> Files {
    let mut all = BTreeMap::new();
    for round in 0..3 {
        let folder = out.join(format!("round-{round}"));
        if !folder.exists() {
            continue;
        }
        let mut keep =
            |name: &str, lines: Vec<String>| all.insert(format!("{round}/{name}"), lines);
        for name in LINES {
            let Ok(text) = fs::read_to_string(folder.join(name)) else { continue };
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            keep(name, lines);
        }
        let text = fs::read_to_string(folder.join("summary.json")).unwrap();
        let mut summary: Value = serde_json::from_str(&text).unwrap();
        summary.as_object_mut().unwrap().remove("seconds");
        keep("summary.json", vec![summary.to_string()]);
        let large = "classifier/model/model.safetensors";
        for name in ["generator/model.safetensors", "classifier/guardrail.safetensors", large] {
            if let Ok(bytes) = fs::read(folder.join(name)) {
                keep(name, bytes.iter().map(|b| b.to_string()).collect());
            }
        }
    }
    all
}

const LINES: [&str; 5] =
    ["candidates.jsonl", "ratings.jsonl", "scores.jsonl", "verdicts.jsonl", "added.jsonl"];

#[test]
fn a_stop_anywhere_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    models(home.path());
    let whole = home.path().join("whole");
    let (played, events) = play(&config(), home.path(), &whole, usize::MAX);
    let summaries = played.unwrap();
    let expected = left(&whole);
    assert_eq!(expected.len(), 3 + 2 * LINES.len() + 2 + 3, "{:?}", expected.keys());
    let stages: BTreeSet<Stage> = events.iter().flatten().copied().collect();
    let all = [
        Stage::Sampling,
        Stage::Rating,
        Stage::Scoring,
        Stage::Classifier,
        Stage::Generator,
        Stage::Evaluation,
    ];
    assert_eq!(stages, all.into());

    // The numbers fit each other.
    assert_eq!(summaries.len(), 3);
    for s in &summaries[1..] {
        assert_eq!(s.drawn, 4 * 2 * 4);
        let dropped: usize = s.dropped.values().sum();
        let kept: usize = s.misclassified.values().map(|[_, all]| all).sum();
        assert_eq!(dropped + kept, s.drawn);
        let wrong: usize = s.misclassified.values().map(|[wrong, _]| wrong).sum();
        assert_eq!(s.levels[0], wrong);
        let law = s.law.unwrap();
        assert!(law.payoff[1] > 0.0 && law.kl[0] > 0.0 && law.entropy > 0.0);
        assert!(s.gap.unwrap().width[1] > 0.0);
    }
    assert!(summaries[1].levels[0] > 0, "{:?}", summaries[1]);
    let rows = |s: &Summary| s.added.values().flatten().sum::<usize>();
    assert!(rows(&summaries[1]) > 0 && rows(&summaries[1]) <= summaries[1].levels[0]);
    assert!(summaries.iter().all(|s| s.benchmarks.len() == 1 && s.seconds.len() > 1));
    assert!(summaries[0].law.unwrap().kl[0].abs() < 1e-6, "the start is its own reference");

    stopped(&config(), home.path(), &expected, &events);

    // A line cut in the middle, as a full disk or a lost machine leaves it.
    let path = whole.join("round-2/candidates.jsonl");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    for later in LINES[1..].iter().chain(&["summary.json"]) {
        fs::remove_file(whole.join("round-2").join(later)).unwrap();
    }
    play(&config(), home.path(), &whole, usize::MAX);
    assert_eq!(left(&whole), expected);
    // Scores cut off: what is there stays, what is missing comes as it was.
    let path = whole.join("round-2/scores.jsonl");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    for later in ["verdicts.jsonl", "added.jsonl", "summary.json"] {
        fs::remove_file(whole.join("round-2").join(later)).unwrap();
    }
    play(&config(), home.path(), &whole, usize::MAX);
    assert_eq!(left(&whole), expected);

    // Damage inside is not passed over; another game does not go on here, nor does this one with another base.
    let verdicts = whole.join("round-1/verdicts.jsonl");
    let right = fs::read_to_string(&verdicts).unwrap();
    let wrong = ["\"level\":9", "\"job\":9999"].map(|part| {
        let (key, _) = part.split_once(':').unwrap();
        let at = right.find(&format!("{key}:")).unwrap();
        let end = at + right[at..].find([',', '}']).unwrap();
        format!("{}{part}{}", &right[..at], &right[end..])
    });
    fs::write(whole.join("round-1/verdicts.jsonl"), "{\"seed\": 3}\n").unwrap();
    fs::remove_file(whole.join("round-1/summary.json")).unwrap();
    let again = |config: &RoundsConfig| {
        run(config, &material(), home.path(), None, &whole, &mut |_: Event| {
            ControlFlow::Continue(())
        })
    };
    let error = again(&config()).unwrap_err().to_string();
    assert!(error.contains("verdicts.jsonl line 1"), "{error}");
    for text in wrong {
        fs::write(&verdicts, text).unwrap();
        let error = again(&config()).unwrap_err().to_string();
        assert!(error.contains("verdicts.jsonl") && error.contains("remove the file"), "{error}");
    }
    let other = RoundsConfig { candidates: 5, ..config() };
    let error = again(&other).unwrap_err().to_string();
    assert!(error.contains("game.json") && error.contains("--out"), "{error}");
    let file = home.path().join("tiny/config.json");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "\n").unwrap();
    let error = again(&config()).unwrap_err().to_string();
    assert!(error.contains("other settings, rows or models"), "{error}");
}

#[test]
fn a_taught_generator_and_a_decoder_that_goes_on_are_stopped_anywhere_too() {
    let home = tempfile::tempdir().unwrap();
    models(home.path());
    let tune = config().generator.tune;
    let config = RoundsConfig {
        rounds: 1,
        rating: false,
        evaluation: 0,
        generator: GeneratorConfig {
            teaching: Some(Teaching {
                parallel: vec!["parallel".into()],
                // Hardly: what the model knows already is what is played with.
                tune: TuneConfig { learning_rate: 1e-6, epochs: 2, ..tune },
                ..Teaching::default()
            }),
            ..config().generator
        },
        classifier: ClassifierConfig {
            base: Some("tiny".into()),
            go_on: true,
            finetune: FinetuneConfig {
                epochs: 4,
                learning_rate: 1e-2,
                batch_tokens: 256,
                checkpoint_steps: 2,
                reading: Reading { max_tokens: 256, ..Reading::default() },
                ..FinetuneConfig::default()
            },
            ..ClassifierConfig::default()
        },
        ..config()
    };
    let whole = home.path().join("whole");
    let (played, events) = play(&config, home.path(), &whole, usize::MAX);
    assert_eq!(played.unwrap().len(), 2);
    assert!(events.contains(&Some(Stage::Teaching)));
    stopped(&config, home.path(), &left(&whole), &events);
    // How training is cut into work is nobody's game.
    let mut other = config.clone();
    other.classifier.finetune.workers = 2;
    other.generator.tune.checkpoint_steps = 7;
    assert_eq!(play(&other, home.path(), &whole, usize::MAX).1, [None; 2]);
}

#[test]
fn one_process_plays_a_game_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    models(home.path());
    let out = home.path().join("out");
    let mut said = None;
    let go = &mut |_: Event| ControlFlow::Continue(());
    run(&config(), &material(), home.path(), None, &out, &mut |_| {
        let other = run(&config(), &material(), home.path(), None, &out, go);
        said = Some(other.unwrap_err().to_string());
        ControlFlow::Break(())
    })
    .unwrap();
    assert!(said.unwrap().contains("another process plays there"));
    assert!(run(&config(), &material(), home.path(), None, &out, go).unwrap().is_some());
}

/// What sounds unsafe, for safe seeds and unsafe ones with a word of their own, the last candidate of each cut off. The
/// rest tells all texts apart.
fn fixed() -> Scripted<impl Fn(&Job, usize) -> Draft> {
    let count = Cell::new(0);
    let text = move |job: &Job, k| {
        let Prompt::Line(asked) = &job.prompt else { panic!("{job:?}") };
        let whom = if asked.contains("unsafe") { "person" } else { "plant" };
        let n = count.replace(count.get() + 1);
        let text = format!("I will hurt {whom} {} {k} {n}", job.number);
        Draft { text, whole: k + 1 < config().candidates }
    };
    Scripted { name: "fixed", text }
}

#[test]
fn a_server_writes_but_does_not_learn() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config();
    let go = &mut |_: Event| ControlFlow::Continue(());
    let refused =
        run(&config, &material(), home.path(), Some(&fixed()), &home.path().join("a"), go);
    assert!(matches!(refused, Err(Error::Invalid { place, .. }) if place == "generator.dpo"));
    config.generator.dpo = None;
    config.rating = false;
    let out = home.path().join("b");
    let played = run(&config, &material(), home.path(), Some(&fixed()), &out, go).unwrap().unwrap();
    assert!(played.iter().all(|s| s.generator == "fixed" && s.law.is_none() && s.gap.is_none()));
    // Some fool the classifier, and are learnt.
    let texts: BTreeSet<String> = fs::read_to_string(out.join("round-1/added.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].to_string())
        .collect();
    assert!(!texts.is_empty());
    let shares =
        |s: &Summary| s.misclassified.values().fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
    let ([before, of_before], [after, of_after]) = (shares(&played[1]), shares(&played[2]));
    assert!(of_before > 0 && of_before == of_after, "{of_before} {of_after}");
    assert!(after < before, "{before} {after}");
    let cut = |s: &Summary| s.dropped[&Reason::Cut];
    assert_eq!([cut(&played[1]), cut(&played[2])], [4 * 2; 2]);
}

#[test]
fn only_texts_that_are_kept_drop_their_duplicates() {
    let home = tempfile::tempdir().unwrap();
    let mut config = RoundsConfig { rounds: 1, ..config() };
    config.generator.dpo = None;
    let go = &mut |_: Event| ControlFlow::Continue(());
    // The same text after every seed, called harmful.
    let text = |job: &Job, _| {
        let Prompt::Line(asked) = &job.prompt else { panic!("{job:?}") };
        let text = if asked.ends_with("Harm:") { "5" } else { "I will hurt somebody here" };
        Draft { text: text.into(), whole: true }
    };
    let same = Scripted { name: "same", text };
    run(&config, &material(), home.path(), Some(&same), home.path(), go).unwrap().unwrap();
    let found = verdicts(home.path(), 1).unwrap();
    // The first seed is a safe one, whose text's rating does not fit.
    assert_eq!((found[0].label, found[0].dropped), (Label::Safe, Some(Reason::Rating)));
    let of = |label| found.iter().filter(move |v| v.label == label).map(|v| v.dropped);
    assert!(of(Label::Safe).all(|dropped| dropped == Some(Reason::Rating)));
    assert_eq!(of(Label::Unsafe).filter(Option::is_none).count(), 1);
    assert!(of(Label::Unsafe).flatten().all(|dropped| dropped == Reason::Duplicate));
}

#[test]
fn what_cannot_be_played_is_said() {
    let home = tempfile::tempdir().unwrap();
    let refused = |config: &RoundsConfig, material: &Material| {
        let go = &mut |_: Event| ControlFlow::Continue(());
        run(config, material, home.path(), None, home.path(), go).unwrap_err().to_string()
    };
    let none = Material { prompts: Vec::new(), ..material() };
    assert!(refused(&config(), &none).contains("no row is left"));
    assert!(refused(&RoundsConfig { rounds: 0, ..config() }, &material()).contains("rounds"));
    assert!(refused(&config(), &material()).contains("there is no such model"));
    let mut odd = config();
    odd.classifier.go_on = true;
    assert!(refused(&odd, &material()).contains("classifier.go_on"));
    let one = RoundsConfig { candidates: 1, ..config() };
    assert!(refused(&one, &material()).contains("candidates"));
    let mut odd = config();
    odd.filters.duplicates = 0.0;
    assert!(refused(&odd, &material()).contains("duplicates"));
    let mut odd = config();
    odd.sampling.top_p = 0.0;
    assert!(refused(&odd, &material()).contains("top_p"));
    let mut odd = config();
    odd.generator.base = Default::default();
    assert!(refused(&odd, &material()).contains("no model is named"));
    models(home.path());
    let mut odd = config();
    odd.generator.tune.epochs = 0;
    assert!(refused(&odd, &material()).contains("generator.tune"));
    let mut odd = config();
    odd.generator.teaching = Some(Teaching::default());
    odd.generator.teaching.as_mut().unwrap().tune.trained.layers = Some(9);
    assert!(refused(&odd, &material()).contains("generator.teaching.tune"));
    let mut odd = config();
    odd.classifier.guardrail.batch = 0;
    assert!(refused(&odd, &material()).contains("classifier.guardrail"));
    let mut odd = config();
    odd.generator.style = Style::Chat;
    assert!(refused(&odd, &material()).contains("no chat template"));
    let mut odd = config();
    odd.sampling.max_tokens = 1024;
    assert!(refused(&odd, &material()).contains("sampling.max_tokens"));
    odd = config();
    odd.classifier.base = Some("tiny".into());
    assert!(refused(&odd, &material()).contains("classifier.finetune: reading.max_tokens"));
    odd.classifier.finetune.reading.max_tokens = 256;
    odd.classifier.finetune.depth = Some(3);
    assert!(refused(&odd, &material()).contains("classifier.finetune: depth"));
    assert!(!home.path().join("game.json").exists());
}
