//! The decoder's speed, and its numbers for benches/decoder.py, which puts PyTorch beside.
//!
//! ```text
//! cargo bench --bench decoder -- speed MODEL [quantised]
//! cargo bench --bench decoder -- memory MODEL [trimmed]    # of a real training, all layers
//! cargo bench --bench decoder -- tokens MODEL < texts.jsonl     # one JSON string a line
//! cargo bench --bench decoder -- logits MODEL [quantised] < ids.jsonl
//! cargo bench --bench decoder -- surprise MODEL [quantised] < texts.jsonl
//! cargo bench --bench decoder -- save MODEL FOLDER [quantised]    # what the bytes stand for
//! cargo bench --bench decoder -- report < measurements.json
//! ```

mod timing;

use candle_core::{DType, Device};
use nashguard::data::{Label, Language, Row, Seeds};
use nashguard::neural::classifier::Reading;
use nashguard::neural::decoder::{Batch, Cache, Decoder, Numbers, Tokenizer, Weight};
use nashguard::neural::finetune::{AdamW, FinetuneConfig, added, finetune};
use nashguard::neural::generator::{Generator, Sampling};
use nashguard::neural::parallel;
use nashguard::report::{Cell, Column, Report, Table, environment, markdown};
use serde_json::{Value, json};
use std::error::Error;
use std::io::BufRead;
use std::ops::ControlFlow;
use std::time::Instant;

/// Tokens of a text for `memory` and `surprise`.
const LENGTH: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    // SAFETY: no other thread has been started.
    unsafe { parallel::settle() };
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let load = |model: &str, rest: &[&str]| {
        let numbers = match rest {
            ["quantised"] => Numbers::Quantised,
            _ => Numbers::Dense(DType::F32),
        };
        Decoder::load(model, numbers, &Device::Cpu)
    };
    let lines = || std::io::stdin().lock().lines();
    match arguments[..] {
        ["speed", model, ref rest @ ..] => {
            speed(load(model, rest)?, Tokenizer::load(model).ok())?;
        }
        ["memory", model, ref rest @ ..] => memory(model, rest == ["trimmed"])?,
        ["report"] => report(&serde_json::from_reader(std::io::stdin().lock())?)?,
        ["surprise", model, ref rest @ ..] => {
            let (decoder, tokenizer) = (load(model, rest)?, Tokenizer::load(model)?);
            let (mut sum, mut count) = (0.0, 0);
            for line in lines() {
                let text: String = serde_json::from_str(&line?)?;
                let mut ids = tokenizer.encode(&text)?;
                ids.truncate(4 * LENGTH);
                let batch = Batch::new(std::slice::from_ref(&ids))?;
                let rows: Vec<usize> = (0..ids.len()).collect();
                let logits = decoder.logits(&decoder.states(&batch, &rows)?)?.to_vec2::<f32>()?;
                for (logits, &next) in logits.iter().zip(&ids[1..]) {
                    let total: f64 = logits.iter().map(|&z| f64::from(z).exp()).sum();
                    sum += total.ln() - f64::from(logits[next as usize]);
                    count += 1;
                }
            }
            println!("{}", json!({ "nats": sum / f64::from(count), "tokens": count }));
        }
        ["tokens", model] => {
            let tokenizer = Tokenizer::load(model)?;
            for line in lines() {
                let text: String = serde_json::from_str(&line?)?;
                println!("{}", serde_json::json!(tokenizer.encode(&text)?));
            }
        }
        ["logits", model, ref rest @ ..] => {
            let decoder = load(model, rest)?;
            let sequences: Vec<Vec<u32>> = lines()
                .map(|line| Ok(serde_json::from_str(&line?)?))
                .collect::<Result<_, Box<dyn Error>>>()?;
            let batch = Batch::new(&sequences)?;
            let logits = decoder.logits(&decoder.states(&batch, &batch.last())?)?;
            println!("{}", serde_json::json!(logits.to_vec2::<f32>()?));
        }
        ["save", model, folder, ref rest @ ..] => {
            load(model, rest)?.save(folder)?;
            // A test's model has none.
            if let Ok(tokenizer) = Tokenizer::load(model) {
                tokenizer.save(folder)?;
            }
        }
        _ => println!("nothing to do: see the first lines of benches/decoder.rs"),
    }
    Ok(())
}

fn ids(rows: usize, length: usize) -> Vec<Vec<u32>> {
    let id = |i: usize, t: usize| (i * 1009 + t * 31) as u32 % 4000 + 100;
    (0..rows).map(|i| (0..length).map(|t| id(i, t)).collect()).collect()
}

/// The least seconds of some runs, by the clock and of all processors.
fn best(
    times: usize,
    mut run: impl FnMut() -> nashguard::Result<()>,
) -> nashguard::Result<[f64; 2]> {
    let mut best = [f64::INFINITY; 2];
    for _ in 0..times {
        let (start, used) = (Instant::now(), processor_seconds());
        run()?;
        let spent = [start.elapsed().as_secs_f64(), processor_seconds() - used];
        best = std::array::from_fn(|i| best[i].min(spent[i]));
    }
    Ok(best)
}

/// Prints one line of JSON: bytes, and pairs of seconds, by the clock and of all processors.
fn speed(mut decoder: Decoder, tokenizer: Option<Tokenizer>) -> Result<(), Box<dyn Error>> {
    let mut report = serde_json::Map::new();
    let bytes: usize = decoder.weights().values().map(Weight::bytes).sum();
    report.insert("weights_bytes".into(), bytes.into());
    let threads = std::thread::available_parallelism()?.get();
    let states = |part: Batch| {
        decoder.states(&part, &part.last())?.flatten_all()?.to_vec1::<f32>()?;
        Ok(())
    };
    let batch = Batch::new(&ids(8, 64))?;
    let seconds = best(3, || parallel::map(batch.split(threads), states).map(|_| ()))?;
    report.insert("forward_8x64".into(), json!(seconds));
    let one = Batch::new(&ids(1, 64))?;
    report.insert("forward_1x64".into(), json!(best(6, || states(one.clone()))?));
    let prompt = Batch::new(&ids(1, 16))?;
    let seconds = best(3, || {
        let mut cache = Cache::default();
        decoder.extend(&prompt, &prompt.last(), &mut cache)?;
        for t in 0..32_u32 {
            let next = Batch::new(&[[100 + t]])?;
            let states = decoder.extend(&next, &next.last(), &mut cache)?;
            decoder.logits(&states)?.flatten_all()?.to_vec1::<f32>()?;
        }
        Ok(())
    })?;
    report.insert("token_with_cache".into(), json!(seconds.map(|s| s / 32.0)));
    if let Some(tokenizer) = tokenizer {
        let generator = Generator::new(decoder.clone(), tokenizer);
        let prompts: Vec<(u32, Vec<u32>)> = (0..).zip(ids(8, 16)).collect();
        let sampling = Sampling { temperature: 1.0, top_p: 1.0, max_tokens: 32, batch: 8 };
        let mut tokens = 0;
        let seconds = best(3, || {
            tokens = 0;
            generator.complete(&prompts, 1, &sampling, 1, &mut |_, all| {
                tokens +=
                    all.iter().map(|c| c.ids.len() + usize::from(c.end.is_some())).sum::<usize>();
                Ok(ControlFlow::Continue(()))
            })
        })?;
        report.insert("sampled_token_of_8".into(), json!(seconds.map(|s| s / tokens as f64)));
    }
    if decoder.weights().values().all(|weight| matches!(weight, Weight::Dense(_))) {
        let variables = decoder.variables(|_| true)?;
        let mut adamw = AdamW::new(variables, 0.01)?;
        // As training does it: parts side by side, their gradients added, one step.
        let seconds = best(3, || {
            let parts = parallel::map(batch.split(threads), |part| {
                let loss = decoder.states(&part, &part.last())?.sqr()?.mean_all()?;
                adamw.gradients(&loss)
            })?;
            adamw.step(&added(parts)?, 1.0, 1e-30)?;
            Ok(())
        })?;
        report.insert("step_8x64".into(), json!(seconds));
    }
    report.insert("peak_bytes".into(), peak_bytes().into());
    println!("{}", Value::Object(report));
    Ok(())
}

/// Trains all layers for two steps of two batches of 1,024 tokens, two at a time, with a checkpoint, a
/// validation and a saved model, and prints the most memory that took.
fn memory(model: &str, trim_vocabulary: bool) -> Result<(), Box<dyn Error>> {
    let decoder = Decoder::load(model, Numbers::Dense(DType::F32), &Device::Cpu)?;
    let loaded = peak_bytes();
    let row = |i: usize| Row {
        text: (0..LENGTH).map(|t| format!("word {} ", (i * 17 + t * 5) % 97)).collect(),
        language: Language::En,
        label: if i.is_multiple_of(2) { Label::Safe } else { Label::Unsafe },
        categories: Vec::new(),
    };
    let seeds = Seeds {
        train: (0..4 * 1024 / LENGTH).map(row).collect(),
        validation: (0..4).map(row).collect(),
    };
    let config = FinetuneConfig {
        reading: Reading { max_tokens: LENGTH, ..Reading::default() },
        trim_vocabulary,
        epochs: 1,
        workers: 2,
        checkpoint_steps: 1,
        ..FinetuneConfig::default()
    };
    let folder = tempfile::tempdir()?;
    let watch = &mut |_| ControlFlow::Continue(());
    let tokenizer = Tokenizer::load(model)?;
    let start = Instant::now();
    finetune(decoder, tokenizer, &config, &seeds, folder.path(), false, watch)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", json!({ "peak_bytes": peak_bytes(), "loaded": loaded, "seconds": seconds }));
    Ok(())
}

/// Writes the tables from what benches/decoder.py measured.
fn report(measured: &Value) -> Result<(), Box<dyn Error>> {
    let here = environment();
    let seconds = |who: &str, what: &str| measured[who][what][0].as_f64();
    let cell = |x: Option<f64>| x.map_or(Cell::Text(String::new()), Cell::from);
    let ratio = |a: Option<f64>, b: Option<f64>| cell(a.zip(b).map(|(a, b)| a / b));
    let time = |name: &str| Column::new(name).unit("s").decimals(4);
    let times = |name: &str| Column::new(name).decimals(2);
    let caption = "Seconds by the clock, the least of all rounds. Speeds are relative: PyTorch's \
                   seconds over ours, and those of f32 over those of bytes.";
    let columns = [
        Column::new("work"),
        time("PyTorch f32"),
        time("f32"),
        times("f32 to PyTorch"),
        time("bytes"),
        times("bytes to f32"),
    ];
    let mut speed = Table::new("speed", caption, columns);
    for (what, name) in [
        ("forward_8x64", "forward, 8 x 64 tokens"),
        ("step_8x64", "training step, 8 x 64 tokens"),
        ("forward_1x64", "forward, 1 x 64 tokens"),
        ("token_with_cache", "one token after another"),
        ("sampled_token_of_8", "a token drawn, 8 texts at a time"),
    ] {
        let [torch, dense, bytes] = ["torch", "f32", "quantised"].map(|who| seconds(who, what));
        speed.push([
            name.to_owned().into(),
            cell(torch),
            cell(dense),
            ratio(torch, dense),
            cell(bytes),
            ratio(dense, bytes),
        ])?;
    }
    let caption = "Weights in memory; the most that a process took, in training where it trains.";
    let size = |name: &str| Column::new(name).unit("MB").decimals(0);
    let columns = [Column::new("what"), size("weights"), size("peak")];
    let mut memory = Table::new("memory", caption, columns);
    let megabytes = |x: &Value| cell(x.as_f64().map(|x| x / 1e6));
    for (who, name) in [
        ("torch", "PyTorch f32"),
        ("f32", "f32"),
        ("quantised", "bytes"),
        ("large", "fine-tuning of the second model"),
        ("large_trimmed", "the same, vocabulary trimmed"),
    ] {
        let found = &measured[who];
        if !found.is_null() {
            let sizes = ["weights_bytes", "peak_bytes"].map(|key| megabytes(&found[key]));
            let [weights, peak] = sizes;
            memory.push([name.to_owned().into(), weights, peak])?;
        }
    }
    let caption = "How far the logits of three texts are from PyTorch's, at most, the largest being \
                   as given; mean surprise of real text.";
    let number = |name: &str| Column::new(name).decimals(4);
    let columns = [
        Column::new("weights"),
        Column::new("largest error").decimals(5),
        number("largest logit"),
        number("surprise").unit("nats a token"),
    ];
    let mut accuracy = Table::new("accuracy", caption, columns);
    for (who, name) in [("f32", "f32"), ("quantised", "bytes")] {
        let found = |key: &str| cell(measured["accuracy"][who][key].as_f64());
        accuracy.push([name.to_owned().into(), found("error"), found("largest"), found("nats")])?;
    }
    let text = |key: &str| measured[key].as_str().unwrap_or_default().to_owned();
    let report = Report {
        name: "bench-decoder".into(),
        claim: "On a processor, forward passes are at least as fast as PyTorch's, training steps at \
                least 0.8 times as fast, and weights in bytes take less than half the memory and are \
                faster than f32 at batch 1."
            .into(),
        scale: "full".into(),
        commit: here.commit,
        device: here.device,
        minutes: measured["minutes"].as_f64().unwrap_or_default(),
        command: text("command"),
        notes: vec![
            format!("{}; the same weights, f32, in both. Rounds alternate. Batches of ours are split \
                     between two threads; the training step adds their gradients and makes AdamW's \
                     step. PyTorch uses as many threads and its fused AdamW.", text("about")),
        ],
        tables: vec![speed, memory, accuracy],
        ..Report::default()
    };
    timing::save(&report)?;
    println!("{}", markdown(&report));
    Ok(())
}

/// User and system time of this process so far (Linux; elsewhere 0).
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before may hold spaces; ticks are a hundredth of a second.
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory this process has had so far (Linux; elsewhere 0).
fn peak_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0) * 1024
}
