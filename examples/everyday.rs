//! Everyday requests and answers, as an instruction-tuned model writes them by itself: harmless rows for a guardrail.
//!
//! ```text
//! cargo run --release --example everyday -- MODEL COUNT [DATA] > everyday.jsonl
//! ```
//!
//! Given a conversation up to where the user speaks, such a model goes on with what users ask (Xu et al., 2024, arXiv
//! 2406.08464). Every second request comes a second time with the model's answer after it. Rows are in the form of the
//! seed data. MODEL is a GGUF file or a folder of a model with a chat template; texts near one of the English benchmarks
//! in DATA are left out.

use candle_core::{DType, Device};
use nashguard::data::filters::{FilterConfig, Filters, identify};
use nashguard::data::{Benchmark, DataDir, Language};
use nashguard::neural::decoder::{Decoder, Numbers, Tokenizer};
use nashguard::neural::generator::{Chat, Generator, Message, Sampling};
use std::collections::BTreeSet;
use std::error::Error;
use std::ops::ControlFlow;

/// Stands where the user speaks.
const HERE: &str = "NASHGUARD";
/// A shorter request is hardly one.
const SHORTEST: usize = 13;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, count, data) = match &arguments[..] {
        [model, count] => (model, count.parse()?, None),
        [model, count, data] => (model, count.parse()?, Some(DataDir::open(data)?)),
        _ => return Err("give MODEL, COUNT and perhaps DATA".into()),
    };
    let mut foreign = Vec::new();
    if let Some(data) = data {
        for benchmark in Benchmark::ALL {
            foreign.extend(data.benchmark(benchmark, Language::En)?.texts);
        }
    }
    let filters = Filters::new(FilterConfig::default(), foreign)?;

    let tokenizer = Tokenizer::load(model)?;
    let chat = Chat::of(&tokenizer)?.ok_or("the model has no chat template")?;
    let asked = |text: &str| chat.prompt(&[Message { role: "user", content: text.into() }]);
    let opening = asked(HERE)?;
    let opening = opening.split(HERE).next().unwrap_or_default();
    let decoder = Decoder::load(model, Numbers::Dense(DType::F32), &Device::Cpu)?;
    let generator = Generator::new(decoder, tokenizer);
    let encode = |text: &str| generator.tokenizer().encode_piece(text);

    let start = encode(opening)?;
    let starts: Vec<_> = (0..count).map(|number| (number, start.clone())).collect();
    let mut seen = BTreeSet::new();
    let requests: Vec<String> = write(&generator, &starts, 80, 0)?
        .into_iter()
        .filter(|(_, ended)| *ended)
        .map(|(text, _)| text)
        .filter(|text| text.len() >= SHORTEST && identify(text) == Some(Language::En))
        .filter(|text| seen.insert(text.to_lowercase()))
        .collect();
    let print = |id: String, text: &str| {
        let row = serde_json::json!({
            "id": id, "text": text, "lang": "en", "unsafe": false, "categories": [],
            "source": "nashguard/everyday", "license": "Apache-2.0",
        });
        if !filters.is_foreign(text) {
            println!("{row}");
        }
    };
    for (i, text) in requests.iter().enumerate() {
        print(format!("request-{i}"), text);
    }
    let every_second: Vec<&String> = requests.iter().step_by(2).collect();
    let mut prompts = Vec::new();
    for (number, text) in (0..).zip(&every_second) {
        prompts.push((number, encode(&asked(text)?)?));
    }
    let answers = write(&generator, &prompts, 90, 1)?;
    for (i, ((answer, _), request)) in answers.into_iter().zip(every_second).enumerate() {
        print(format!("answer-{i}"), &format!("{request} {answer}"));
    }
    Ok(())
}

/// A text after each prompt, and whether it ended by itself; progress on standard error.
fn write(
    generator: &Generator,
    prompts: &[(u32, Vec<u32>)],
    max_tokens: usize,
    seed: u64,
) -> nashguard::Result<Vec<(String, bool)>> {
    let sampling = Sampling { temperature: 1.0, top_p: 0.95, max_tokens, batch: 32 };
    let mut texts = vec![(String::new(), false); prompts.len()];
    let mut done = 0;
    generator.complete(prompts, 1, &sampling, seed, &mut |i, completions| {
        for c in completions {
            let text = generator.tokenizer().decode(&c.ids)?;
            texts[i] = (text.trim().to_owned(), c.end.is_some());
        }
        done += 1;
        if done % 100 == 0 {
            eprintln!("{done} of {}", prompts.len());
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(texts)
}
