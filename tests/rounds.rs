//! The game with networks, small: every file it leaves, and that a stop anywhere changes none of them.
#![cfg(feature = "neural")]

#[path = "common/bytes.rs"]
mod bytes;
#[path = "common/material.rs"]
mod material;

use bytes::tokenizer;
use candle_core::{DType, Device};
use material::material;
use nashguard::Error;
use nashguard::data::Language;
use nashguard::data::filters::FilterConfig;
use nashguard::neural::GuardrailConfig;
use nashguard::neural::decoder::{Config, Decoder};
use nashguard::neural::features::Features;
use nashguard::neural::finetune::Trained;
use nashguard::neural::generator::{Generator, Job, Local, Sampling, Style, Take, Writer, rewrite};
use nashguard::neural::preference::{Dpo, Likelihood, Passage, TuneConfig, tune};
use nashguard::neural::rounds::{
    ClassifierConfig, Event, GeneratorConfig, Material, RoundsConfig, Summary, run,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
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
    for (i, (row, _)) in material().all.iter().enumerate() {
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
        sampling: Sampling { max_tokens: 16, temperature: 1.0, ..Sampling::default() },
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

/// Plays until the end, or the `stop`-th event.
fn play(models: &Path, out: &Path, stop: usize) -> (Option<Vec<Summary>>, usize) {
    let mut events = 0;
    let played = run(&config(), &material(), models, None, out, &mut |_| {
        events += 1;
        if events == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (played.unwrap(), events)
}

/// What a game leaves: lines in any order, summaries without times, weights to the bit.
fn left(out: &Path) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for round in 0..3 {
        let folder = out.join(format!("round-{round}"));
        let mut keep =
            |name: &str, lines: Vec<String>| all.insert(format!("{round}/{name}"), lines);
        for name in ["candidates.jsonl", "ratings.jsonl", "verdicts.jsonl", "added.jsonl"] {
            let Ok(text) = fs::read_to_string(folder.join(name)) else { continue };
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            keep(name, lines);
        }
        let text = fs::read_to_string(folder.join("summary.json")).unwrap();
        let mut summary: Value = serde_json::from_str(&text).unwrap();
        summary.as_object_mut().unwrap().remove("seconds");
        keep("summary.json", vec![summary.to_string()]);
        for name in ["generator/model.safetensors", "classifier/guardrail.safetensors"] {
            if let Ok(bytes) = fs::read(folder.join(name)) {
                keep(name, bytes.iter().map(|b| b.to_string()).collect());
            }
        }
    }
    all
}

#[test]
fn a_stop_anywhere_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    models(home.path());
    let whole = home.path().join("whole");
    let (played, events) = play(home.path(), &whole, usize::MAX);
    let summaries = played.unwrap();
    let expected = left(&whole);
    assert_eq!(expected.len(), 3 + 2 * 4 + 2 + 3, "{:?}", expected.keys());

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
    assert!(rows(&summaries[2]) >= rows(&summaries[1]));
    assert!(summaries[0].law.unwrap().kl[0].abs() < 1e-6, "the start is its own reference");

    // Stopped at many places, and twice.
    for (i, stop) in (1..events).step_by(events.div_ceil(16)).enumerate() {
        let out = home.path().join(format!("stopped-{i}"));
        assert!(play(home.path(), &out, stop).0.is_none(), "event {stop} of {events}");
        play(home.path(), &out, 5);
        let (played, _) = play(home.path(), &out, usize::MAX);
        assert_eq!(played.unwrap().len(), 3);
        let found = left(&out);
        for (name, lines) in &expected {
            assert!(found[name] == *lines, "{name} differs after a stop at event {stop}");
        }
    }

    // A line cut in the middle, as a full disk or a lost machine leaves it.
    let path = whole.join("round-2/candidates.jsonl");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    for later in ["verdicts.jsonl", "ratings.jsonl", "added.jsonl", "summary.json"] {
        fs::remove_file(whole.join("round-2").join(later)).unwrap();
    }
    play(home.path(), &whole, usize::MAX);
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
    assert!(error.contains("other settings, rows or base"), "{error}");
}

/// A server that writes the same texts for whoever asks.
struct Fixed;

impl Writer for Fixed {
    fn name(&self) -> String {
        "fixed".into()
    }

    fn write(
        &self,
        jobs: &[Job],
        candidates: usize,
        _: &Sampling,
        _: u64,
        take: &mut Take<'_>,
    ) -> nashguard::Result<()> {
        for (i, job) in jobs.iter().enumerate() {
            let text = |k| format!("I will hurt plant {} {k}", job.number);
            if take(i, (0..candidates).map(text).collect())?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[test]
fn a_server_writes_but_does_not_learn() {
    let home = tempfile::tempdir().unwrap();
    let mut config = config();
    let go = &mut |_: Event| ControlFlow::Continue(());
    let refused = run(&config, &material(), home.path(), Some(&Fixed), &home.path().join("a"), go);
    assert!(matches!(refused, Err(Error::Invalid { place, .. }) if place == "generator.dpo"));
    config.generator.dpo = None;
    config.rating = false;
    let out = home.path().join("b");
    let played = run(&config, &material(), home.path(), Some(&Fixed), &out, go).unwrap().unwrap();
    assert!(played.iter().all(|s| s.generator == "fixed" && s.law.is_none() && s.gap.is_none()));
    // The texts lie between both labels: some fool the classifier, and are learnt.
    let texts: BTreeSet<String> = fs::read_to_string(out.join("round-1/added.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].to_string())
        .collect();
    assert!(!texts.is_empty());
    let shares =
        |s: &Summary| s.misclassified.values().fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
    let ([before, _], [after, _]) = (shares(&played[1]), shares(&played[2]));
    assert!(after <= before, "{before} {after}");
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
    assert!(!home.path().join("game.json").exists());
}
