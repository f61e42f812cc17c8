//! The decoder's speed, and its numbers for benches/decoder.py to compare.
//!
//! ```text
//! cargo bench --bench decoder -- speed MODEL [quantised]
//! cargo bench --bench decoder -- tokens MODEL < texts.jsonl     # one JSON string a line
//! cargo bench --bench decoder -- logits MODEL [quantised] < ids.jsonl
//! cargo bench --bench decoder -- save MODEL FOLDER
//! ```

use candle_core::{DType, Device};
use nashguard::neural::decoder::{Batch, Cache, Decoder, Numbers, Tokenizer};
use nashguard::neural::parallel;
use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
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
        ["speed", model, ref rest @ ..] => speed(load(model, rest)?)?,
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
        ["save", model, folder] => {
            load(model, &[])?.save(folder)?;
            // A test's model has none.
            if let Ok(tokenizer) = Tokenizer::load(model) {
                tokenizer.save(folder)?;
            }
        }
        _ => println!("nothing to do: see the first lines of benches/decoder.rs"),
    }
    Ok(())
}

/// Prints one line of JSON: bytes, and pairs of seconds, by the clock and of all processors.
fn speed(mut decoder: Decoder) -> Result<(), Box<dyn Error>> {
    let bytes: usize = decoder.weights().values().map(|weight| weight.bytes()).sum();
    let ids = |rows: usize, length: usize| -> Vec<Vec<u32>> {
        (0..rows)
            .map(|i| (0..length).map(|t| (i * 1009 + t * 31) as u32 % 4000 + 100).collect())
            .collect()
    };
    let best = |times: usize, run: &mut dyn FnMut() -> Result<(), Box<dyn Error>>| {
        let mut best = [f64::INFINITY; 2];
        for _ in 0..times {
            let (start, used) = (Instant::now(), processor_seconds());
            run()?;
            let spent = [start.elapsed().as_secs_f64(), processor_seconds() - used];
            best = std::array::from_fn(|i| best[i].min(spent[i]));
        }
        Ok::<_, Box<dyn Error>>(best)
    };
    let mut report = serde_json::Map::new();
    report.insert("weights_bytes".into(), bytes.into());
    let threads = std::thread::available_parallelism()?.get();
    for (name, rows, length) in [("forward_8x64", 8, 64), ("forward_1x40", 1, 40)] {
        let batch = Batch::new(&ids(rows, length))?;
        let seconds = best(5, &mut || {
            decoder.states(&batch, &batch.last())?.flatten_all()?.to_vec1::<f32>()?;
            Ok(())
        })?;
        report.insert(name.into(), serde_json::json!(seconds));
        if rows > 1 {
            let seconds = best(5, &mut || {
                parallel::map(batch.split(threads), |part| {
                    let states = decoder.states(&part, &part.last())?;
                    Ok(states.flatten_all()?.to_vec1::<f32>()?)
                })?;
                Ok(())
            })?;
            report.insert(format!("{name}_parts"), serde_json::json!(seconds));
        }
    }
    let prompt = Batch::new(&ids(1, 16))?;
    let seconds = best(2, &mut || {
        let mut cache = Cache::default();
        decoder.extend(&prompt, &prompt.last(), &mut cache)?;
        for t in 0..32_u32 {
            let next = Batch::new(&[[100 + t]])?;
            let states = decoder.extend(&next, &next.last(), &mut cache)?;
            decoder.logits(&states)?.flatten_all()?.to_vec1::<f32>()?;
        }
        Ok(())
    })?;
    report.insert("token_with_cache".into(), serde_json::json!(seconds.map(|s| s / 32.0)));
    if decoder
        .weights()
        .values()
        .all(|weight| matches!(weight, nashguard::neural::decoder::Weight::Dense(_)))
    {
        let variables = decoder.variables(|_| true)?;
        let batch = Batch::new(&ids(8, 64))?;
        let seconds = best(3, &mut || {
            let loss = decoder.states(&batch, &batch.last())?.sqr()?.mean_all()?;
            let gradients = loss.backward()?;
            assert!(variables.values().all(|var| gradients.get(var).is_some()));
            Ok(())
        })?;
        report.insert("forward_backward_8x64".into(), serde_json::json!(seconds));
        let seconds = best(3, &mut || {
            let parts = parallel::map(batch.split(threads), |part| {
                let loss = decoder.states(&part, &part.last())?.sqr()?.mean_all()?;
                Ok(loss.backward()?)
            })?;
            let mut parts = parts.into_iter();
            let mut sum = parts.next().ok_or("no part")?;
            for part in parts {
                sum.extend(part)?;
            }
            assert!(variables.values().all(|var| sum.get(var).is_some()));
            Ok(())
        })?;
        report.insert("forward_backward_8x64_parts".into(), serde_json::json!(seconds));
    }
    println!("{}", serde_json::Value::Object(report));
    Ok(())
}

/// User and system time of this process so far (Linux; elsewhere 0).
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before may hold spaces; ticks are a hundredth of a second.
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}
