//! The estimate of a game against what is really there: tensors, checkpoints, files of a game that was played.
#![cfg(feature = "neural")]

#[path = "common/bytes.rs"]
mod bytes;
#[path = "common/material.rs"]
mod material;
#[path = "common/scripted.rs"]
mod scripted;

use bytes::tokenizer;
use candle_core::{DType, Device};
use material::material;
use nashguard::Error;
use nashguard::data::Language;
use nashguard::neural::classifier::Reading;
use nashguard::neural::decoder::{Batch, Cache, Config, Decoder, Numbers};
use nashguard::neural::finetune::{FinetuneConfig, Lora, Trained};
use nashguard::neural::generator::{Draft, Job, Sampling, Style};
use nashguard::neural::preference::{Dpo, TuneConfig};
use nashguard::neural::rounds::{
    ClassifierConfig, Estimate, GeneratorConfig, RoundsConfig, Stage, estimate, run,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use scripted::Scripted;
use serde_json::json;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

fn shape(family: &str, tied: bool) -> Config {
    let about = json!({
        "model_type": family, "vocab_size": 256, "hidden_size": 40, "intermediate_size": 48,
        "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 10,
        "max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": tied,
    });
    Config::from_json(&about.to_string()).unwrap()
}

fn model(config: Config) -> Decoder {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    Decoder::random(config, DType::F32, &Device::Cpu, &mut rng).unwrap()
}

/// Both players' model, untrained.
fn models(folder: &Path) {
    model(shape("llama", true)).save(folder.join("tiny")).unwrap();
    tokenizer().save(folder.join("tiny")).unwrap();
}

fn config() -> RoundsConfig {
    let lora = Lora { rank: 3, alpha: 6.0, targets: vec!["q_proj".into(), "down_proj".into()] };
    RoundsConfig {
        rounds: 1,
        seeds_per_round: Some(5),
        languages: vec![Language::Es, Language::De, Language::En],
        candidates: 4,
        sampling: Sampling { max_tokens: 12, ..Sampling::default() },
        generator: GeneratorConfig {
            base: "tiny".into(),
            style: Style::Taught,
            dpo: Some(Dpo { tau: 0.5, beta: 0.5, alpha: 0.1 }),
            tune: TuneConfig {
                learning_rate: 1e-2,
                trained: Trained { lora: Some(lora), ..Trained::default() },
                ..TuneConfig::default()
            },
            ..GeneratorConfig::default()
        },
        classifier: ClassifierConfig {
            base: Some("tiny".into()),
            finetune: FinetuneConfig {
                reading: Reading { max_tokens: 512, ..Reading::default() },
                trained: Trained { layers: Some(2), ..Trained::default() },
                ..FinetuneConfig::default()
            },
            ..ClassifierConfig::default()
        },
        evaluation: 0,
        ..RoundsConfig::default()
    }
}

fn estimated(config: &RoundsConfig, home: &Path) -> Estimate {
    estimate(config, &material(), home, None, &home.join("out")).unwrap()
}

/// Bytes of what the estimate says of a part.
fn part(all: &[nashguard::neural::rounds::Need], what: &str, name: &str) -> usize {
    let need = all.iter().find(|need| need.what == what).unwrap();
    need.parts.iter().find(|(part, _)| *part == name).unwrap().1
}

/// Everything below a folder.
fn below(folder: &Path) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(below(&path)),
            false => all.push((path.display().to_string(), fs::metadata(&path).unwrap().len())),
        }
    }
    all.sort();
    all
}

#[test]
fn weights_take_the_bytes_that_are_counted() {
    for (family, tied) in
        [("llama", true), ("llama", false), ("qwen2", true), ("gemma3_text", true)]
    {
        let decoder = model(shape(family, tied));
        for numbers in [Numbers::Dense(DType::F32), Numbers::Dense(DType::BF16), Numbers::Quantised]
        {
            let held = decoder.held(numbers).unwrap();
            let bytes: usize = held.weights().values().map(|weight| weight.bytes()).sum();
            assert_eq!(decoder.config().bytes(numbers), bytes, "{family} {tied} {numbers:?}");
        }
    }
}

#[test]
fn keys_and_values_take_the_bytes_that_are_counted() {
    for family in ["llama", "qwen2", "gemma3_text"] {
        let decoder = model(shape(family, true));
        let mut cache = Cache::default();
        for (longest, ids) in [(7, vec![1; 7]), (8, vec![2]), (10, vec![3, 4])] {
            let batch = Batch::new(&vec![ids; 3]).unwrap();
            decoder.extend(&batch, &batch.last(), &mut cache).unwrap();
            assert_eq!(cache.bytes(), 3 * longest * decoder.config().cache_bytes(DType::F32));
        }
    }
}

/// A text of either label after every prompt, so that some fool whatever the classifier is.
fn both() -> Scripted<impl Fn(&Job, usize) -> Draft> {
    let text = |_: &Job, k| Draft { text: format!("some text {k}"), whole: true };
    Scripted { name: "both", text }
}

#[test]
fn a_dry_run_counts_what_a_game_does_and_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    models(home.path());
    let before = below(home.path());
    let mut config = config();
    let found = estimated(&config, home.path());
    assert_eq!(below(home.path()), before);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    assert!(found.models.iter().all(|m| m.whole && m.parameters.is_some()));
    assert!(found.costs.iter().all(|cost| cost.rate.is_some_and(|r| r > 0.0)), "{:?}", found.costs);

    // With a server, so that the untrained model need not write anything sensible.
    config.generator.dpo = None;
    let (out, material) = (home.path().join("out"), material());
    let asked = estimate(&config, &material, home.path(), Some(Ok(&both())), &out).unwrap();
    assert!(!out.exists() && asked.problems.is_empty());
    let go = &mut |_| ControlFlow::Continue(());
    let played = run(&config, &material, home.path(), Some(&both()), &out, go).unwrap().unwrap();
    let lines = |name: &str| fs::read_to_string(out.join(name)).unwrap().lines().count();
    for plan in [found.plan, asked.plan] {
        assert_eq!(plan.tasks, lines("round-1/candidates.jsonl"));
        assert_eq!(plan.texts, lines("round-1/verdicts.jsonl"));
        assert_eq!(plan.texts, played[1].drawn);
        assert_eq!(plan.rows, [20, 4]);
    }
    // Tokens of the classifier's training, as its own journal counts them.
    let journal = fs::read_to_string(out.join("round-0/classifier/metrics.jsonl")).unwrap();
    let mut tokens = journal.lines().filter_map(|line| {
        serde_json::from_str::<serde_json::Value>(line).unwrap().get("tokens")?.as_f64()
    });
    let cost = asked.costs.iter().find(|cost| cost.stage == Stage::Classifier).unwrap();
    assert!((cost.amount - tokens.next_back().unwrap()).abs() < 1e-6);

    // A checkpoint holds three f32 a trained weight, the head's 12 outputs, and a header.
    let size = |name: &str| fs::metadata(out.join("round-0/classifier").join(name)).unwrap().len();
    let head = 12 * (12 * 40 + 12);
    let checkpoint = part(&asked.disk, "classifiers", "checkpoint") / 2 + head;
    let header = size("checkpoint.safetensors") as usize - checkpoint;
    assert!((1..16_000).contains(&header), "{header}");
    let weights = part(&asked.disk, "classifiers", "weights") / 2;
    let header = size("model/model.safetensors") as usize - weights;
    assert!((1..8_000).contains(&header), "{header}");
}

#[test]
fn trained_numbers_are_those_of_the_checkpoint() {
    use nashguard::neural::generator::Generator;
    use nashguard::neural::preference::{Likelihood, Passage, tune};
    let home = tempfile::tempdir().unwrap();
    for (tied, trained) in [
        (true, Trained { embeddings: true, ..Trained::default() }),
        (false, Trained { embeddings: true, ..Trained::default() }),
        (false, Trained { layers: Some(1), ..Trained::default() }),
        (true, config().generator.tune.trained),
    ] {
        let decoder = model(shape("llama", tied));
        decoder.save(home.path().join("tiny")).unwrap();
        tokenizer().save(home.path().join("tiny")).unwrap();
        let mut config = config();
        config.generator.tune.trained = trained;
        let found = estimated(&config, home.path());
        let work = home.path().join("work");
        let passages = Likelihood(vec![Passage { prompt: vec![1, 2], text: vec![3, 4] }]);
        let generator = Generator::new(decoder, tokenizer());
        let go = &mut |_: &_| ControlFlow::Continue(());
        tune(&generator, &config.generator.tune, &passages, &work, go).unwrap();
        let size = fs::metadata(work.join("checkpoint.safetensors")).unwrap().len() as usize;
        let header = size - part(&found.disk, "generators", "checkpoint");
        assert!((1..16_000).contains(&header), "{tied} {header}");
        fs::remove_dir_all(home.path()).unwrap();
        fs::create_dir(home.path()).unwrap();
    }
}

#[test]
fn what_is_missing_is_named() {
    let home = tempfile::tempdir().unwrap();
    let first = |config: &RoundsConfig| {
        let found = estimated(config, home.path());
        (found.problems.first().map(ToString::to_string).unwrap_or_default(), found)
    };
    // No model at all, of sizes that nobody knows.
    let (said, found) = first(&config());
    assert!(
        said.contains("tiny: there is no such model")
            && said.contains("nashguard fetch OWNER/NAME"),
        "{said}"
    );
    assert!(found.memory.is_empty() && found.costs.iter().all(|cost| cost.rate.is_none()));
    assert!(found.costs.iter().all(|cost| cost.amount > 0.0), "{:?}", found.costs);

    // Of published sizes.
    let mut known = config();
    known.classifier.base = Some("Qwen2.5-0.5B".into());
    let found = estimated(&known, home.path());
    assert_eq!(found.models[1].parameters.map(|p| p / 100_000), Some(4940));
    assert!(found.problems[1].to_string().contains("nashguard fetch Qwen/Qwen2.5-0.5B"));
    assert!(found.memory.iter().any(|need| need.what == "classifier is trained"));

    // config.json alone gives the sizes.
    models(home.path());
    let file = |name: &str| home.path().join("tiny").join(name);
    let weights = fs::read(file("model.safetensors")).unwrap();
    fs::remove_file(file("model.safetensors")).unwrap();
    let (said, found) = first(&config());
    assert!(said.contains("model.safetensors") && said.contains("tiny"), "{said}");
    assert!(found.models.iter().all(|m| !m.whole && m.parameters.is_some()));
    assert_eq!(found.memory.len(), 3);

    // Cut short, of another shape, without a tokenizer.
    fs::write(file("model.safetensors"), &weights[..weights.len() - 1]).unwrap();
    assert!(first(&config()).0.contains("cut short"));
    fs::write(file("model.safetensors"), &weights[..5]).unwrap();
    assert!(first(&config()).0.contains("cut short"));
    fs::write(file("model.safetensors"), &weights).unwrap();
    let about = fs::read_to_string(file("config.json")).unwrap();
    fs::write(
        file("config.json"),
        about.replace("\"intermediate_size\": 48", "\"intermediate_size\": 49"),
    )
    .unwrap();
    assert!(first(&config()).0.contains("has shape [40, 48], but config.json asks for [40, 49]"));
    fs::write(
        file("config.json"),
        about.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4"),
    )
    .unwrap();
    assert!(first(&config()).0.contains("lack the weight model.layers.3"));
    fs::write(file("config.json"), about).unwrap();
    fs::remove_file(file("tokenizer.json")).unwrap();
    assert!(first(&config()).0.contains("tokenizer.json"));
    tokenizer().save(home.path().join("tiny")).unwrap();
    assert_eq!(first(&config()).0, "");

    // A server that does not answer, and no model at all.
    let mut asked = config();
    asked.generator.dpo = None;
    let refused = Error::invalid("http://127.0.0.1:9", "no answer", "start it");
    let out = home.path().join("out");
    let found = estimate(&asked, &material(), home.path(), Some(Err(refused)), &out).unwrap();
    assert!(found.problems[0].to_string().starts_with("http://127.0.0.1:9"));
    asked.generator.base = "".into();
    assert!(first(&asked).0.contains("generator.base"));
    // What no model could play.
    asked.rounds = 0;
    assert!(estimate(&asked, &material(), home.path(), None, &out).is_err());
}

#[test]
fn what_does_not_fit_is_said() {
    let home = tempfile::tempdir().unwrap();
    models(home.path());
    let mut config = config();
    // A petabyte of activations: nothing is measured then.
    config.classifier.finetune.batch_tokens = 1 << 40;
    let found = estimated(&config, home.path());
    if found.machine.memory.is_some() {
        let said = found.problems[0].to_string();
        assert!(said.contains("memory") && said.contains("classifier is trained"), "{said}");
        let cost = found.costs.iter().find(|cost| cost.stage == Stage::Classifier).unwrap();
        assert!(cost.rate.is_none());
    }
}

#[test]
fn the_configurations_here_are_games() {
    let mut names = Vec::new();
    for entry in fs::read_dir("experiments").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".toml") && (name.starts_with("play") || name == "paper-scale.toml") {
            let text = fs::read_to_string(&path).unwrap();
            let config: RoundsConfig =
                toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            config.check().unwrap();
            names.push(name);
        }
    }
    assert!(names.contains(&"paper-scale.toml".into()) && names.len() >= 2, "{names:?}");
}
