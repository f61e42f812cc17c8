//! The decoder against `transformers`, against itself by other routes, and against finite differences.
//! The models under tests/golden/ and their logits are made by tests/golden/decoder.py.
#![cfg(feature = "neural")]

use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use nashguard::neural::decoder::config::Scaling;
use nashguard::neural::decoder::{
    Batch, Cache, Config, Decoder, Family, Numbers, Tokenizer, Weight, Weights, trimmed,
};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const CPU: &Device = &Device::Cpu;
const F32: Numbers = Numbers::Dense(DType::F32);
const FAMILIES: [&str; 4] = ["llama", "llama3", "qwen2", "gemma3"];

#[derive(serde::Deserialize)]
struct Golden {
    sequences: Vec<Vec<u32>>,
    logits: Vec<Vec<Vec<f32>>>,
}

fn folder(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(family)
}

fn golden(family: &str) -> (Decoder, Golden) {
    let folder = folder(family);
    let golden = fs::read_to_string(folder.join("logits.json")).unwrap();
    (Decoder::load(&folder, F32, CPU).unwrap(), serde_json::from_str(&golden).unwrap())
}

/// Logits of every token of the batch.
fn logits(decoder: &Decoder, batch: &Batch) -> Tensor {
    let rows: Vec<usize> = (0..batch.ids().len()).collect();
    decoder.logits(&decoder.states(batch, &rows).unwrap()).unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let difference = (a.to_dtype(DType::F64).unwrap() - b.to_dtype(DType::F64).unwrap()).unwrap();
    difference.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn logits_are_those_of_transformers() {
    for family in FAMILIES {
        let (decoder, golden) = golden(family);
        let all: Vec<Vec<f32>> = golden.logits.into_iter().flatten().collect();
        let theirs = Tensor::new(all, CPU).unwrap();
        let ours = logits(&decoder, &Batch::new(&golden.sequences).unwrap());
        let distance = distance(&ours, &theirs);
        assert!(distance < 1e-5, "{family}: {distance}");
    }
}

/// bf16 is what a GPU computes in. The logits of transformers in bf16 are 1.0 to 2.3 % off for these models.
#[test]
fn sixteen_bits_agree_with_thirty_two_to_their_precision() {
    for family in FAMILIES {
        let (decoder, golden) = golden(family);
        let half = decoder.held(Numbers::Dense(DType::BF16)).unwrap();
        assert_eq!(half.dtype(), DType::BF16);
        let batch = Batch::new(&golden.sequences).unwrap();
        let (whole, rounded) = (logits(&decoder, &batch), logits(&half, &batch));
        let squares = |x: &Tensor| {
            let x = x.to_dtype(DType::F64).unwrap();
            x.sqr().unwrap().mean_all().unwrap().to_scalar::<f64>().unwrap()
        };
        let error = (&whole - rounded.to_dtype(DType::F32).unwrap()).unwrap();
        let share = (squares(&error) / squares(&whole)).sqrt();
        assert!(share > 0.0 && share < 0.03, "{family}: {share}");
    }
}

#[test]
fn sequences_do_not_see_each_other_and_a_cache_changes_nothing() {
    for family in FAMILIES {
        let (decoder, Golden { sequences, .. }) = golden(family);
        let batch = Batch::new(&sequences).unwrap();
        let together = logits(&decoder, &batch);

        let alone: Vec<Tensor> = sequences
            .iter()
            .map(|ids| logits(&decoder, &Batch::new(std::slice::from_ref(ids)).unwrap()))
            .collect();
        let alone = Tensor::cat(&alone, 0).unwrap();
        assert!(distance(&together, &alone) < 1e-5, "{family}");

        // The same, two thirds of each sequence first, then the rest token by token.
        let first: Vec<&[u32]> =
            sequences.iter().map(|ids| &ids[..ids.len().div_ceil(3)]).collect();
        let mut cache = Cache::default();
        let start = Batch::new(&first).unwrap();
        let mut last = decoder.extend(&start, &start.last(), &mut cache).unwrap();
        let mut read: Vec<usize> = first.iter().map(|ids| ids.len()).collect();
        let mut going: Vec<usize> = (0..sequences.len()).collect();
        let mut done = vec![None; sequences.len()];
        loop {
            // Sequences at their end leave the cache.
            let left: Vec<usize> = (0..going.len())
                .filter(|&slot| {
                    let i = going[slot];
                    let over = read[i] == sequences[i].len();
                    if over {
                        done[i] = Some(last.narrow(0, slot, 1).unwrap());
                    }
                    !over
                })
                .collect();
            cache.keep(&left).unwrap();
            going = left.iter().map(|&slot| going[slot]).collect();
            if going.is_empty() {
                break;
            }
            let next: Vec<[u32; 1]> = going.iter().map(|&i| [sequences[i][read[i]]]).collect();
            let next = Batch::new(&next).unwrap();
            last = decoder.extend(&next, &next.last(), &mut cache).unwrap();
            going.iter().for_each(|&i| read[i] += 1);
        }
        let done: Vec<Tensor> = done.into_iter().map(Option::unwrap).collect();
        let stepwise = decoder.logits(&Tensor::cat(&done, 0).unwrap()).unwrap();
        let ends: Vec<u32> = batch.last().iter().map(|&row| row as u32).collect();
        let ends = together.index_select(&Tensor::new(ends, CPU).unwrap(), 0).unwrap();
        assert!(distance(&ends, &stepwise) < 1e-5, "{family}");
    }
}

/// A loss that every weight influences.
fn loss(decoder: &Decoder, batch: &Batch) -> Tensor {
    let logits = logits(decoder, batch);
    let top = logits.max_keepdim(1).unwrap().detach();
    let shifted = logits.broadcast_sub(&top).unwrap();
    let sums = shifted.exp().unwrap().sum_keepdim(1).unwrap().log().unwrap();
    let targets: Vec<u32> = batch.ids().iter().map(|id| (id * 7 + 3) % 40).collect();
    let targets = Tensor::from_vec(targets, (batch.ids().len(), 1), CPU).unwrap();
    (sums - shifted.gather(&targets, 1).unwrap()).unwrap().mean_all().unwrap()
}

fn in_f64(decoder: &Decoder) -> Decoder {
    let wide =
        |weight: &Weight| Weight::Dense(weight.dense().unwrap().to_dtype(DType::F64).unwrap());
    let weights: Weights =
        decoder.weights().iter().map(|(name, weight)| (name.clone(), wide(weight))).collect();
    Decoder::new(decoder.config().clone(), weights).unwrap()
}

#[test]
fn every_weight_receives_the_gradient_of_finite_differences() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for family in FAMILIES {
        let (decoder, Golden { sequences, .. }) = golden(family);
        let mut decoder = in_f64(&decoder);
        let mut variables = decoder.variables(|_| true).unwrap();
        assert_eq!(variables.len(), decoder.config().shapes().len());
        let adapters = decoder.adapt(2, 3.0, |_| true, &mut rng).unwrap();
        for (name, var) in &adapters {
            // B starts at 0, where A has no influence.
            if name.ends_with("lora_B.weight") {
                let values = (0..var.elem_count()).map(|i| (i as f64 * 0.7).sin() * 0.2).collect();
                var.set(&Tensor::from_vec(values, var.dims(), CPU).unwrap()).unwrap();
            }
        }
        variables.extend(adapters);
        let batch = Batch::new(&sequences).unwrap();
        let gradients = loss(&decoder, &batch).backward().unwrap();
        let value = || loss(&decoder, &batch).to_scalar::<f64>().unwrap();
        for (name, var) in &variables {
            let gradient =
                gradients.get(var).unwrap_or_else(|| panic!("{family}: none for {name}"));
            let gradient = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let largest = gradient.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
            // A key's bias adds the same to all scores of a query up to the rotation.
            assert!(largest > 1e-8, "{family}: {name} has gradient 0");
            let start = var.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let at = |x: Vec<f64>| {
                var.set(&Tensor::from_vec(x, var.dims(), CPU).unwrap()).unwrap();
                value()
            };
            for i in (0..start.len()).step_by(1 + start.len() / 2) {
                let moved = |by: f64| {
                    let mut x = start.clone();
                    x[i] += by;
                    at(x)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                let error = (slope - gradient[i]).abs();
                assert!(error < 1e-6 * largest.max(1e-3), "{family}: {name}[{i}] {error:e}");
            }
            at(start);
        }
    }
}

#[test]
fn the_last_tokens_alone_have_the_same_states_and_gradients() {
    for family in FAMILIES {
        let (decoder, Golden { sequences, .. }) = golden(family);
        let mut decoder = in_f64(&decoder);
        let variables = decoder.variables(|_| true).unwrap();
        let batch = Batch::new(&sequences).unwrap();
        let x = decoder.embed(&batch).unwrap();
        let all = decoder.states(&batch, &batch.last()).unwrap();
        for first in 0..=decoder.config().layers {
            let below = decoder.layers(&x, &batch, 0..first).unwrap();
            let last = decoder.last(&below, &batch, first).unwrap();
            assert!(distance(&last, &all) < 1e-12, "{family}: from layer {first}");
        }
        let gradients = |states: Tensor| states.sqr().unwrap().sum_all().unwrap().backward();
        let short = gradients(decoder.last(&x, &batch, 0).unwrap()).unwrap();
        let long = gradients(all).unwrap();
        for (name, var) in &variables {
            match (short.get(var), long.get(var)) {
                (Some(a), Some(b)) => assert!(distance(a, b) < 1e-9, "{family}: {name}"),
                (a, b) => assert!(a.is_none() && b.is_none(), "{family}: {name}"),
            }
        }
    }
}

#[test]
fn frozen_weights_keep_no_graph_and_agree() {
    for family in FAMILIES {
        let (mut decoder, Golden { sequences, .. }) = golden(family);
        decoder.variables(|_| true).unwrap();
        let batch = Batch::new(&sequences).unwrap();
        let (trained, frozen) = (logits(&decoder, &batch), logits(&decoder.frozen(), &batch));
        assert!(trained.track_op() && !frozen.track_op());
        assert_eq!(distance(&trained, &frozen), 0.0, "{family}");
    }
}

#[test]
fn a_saved_model_is_the_same_model() {
    for family in FAMILIES {
        let (mut decoder, Golden { sequences, .. }) = golden(family);
        let batch = Batch::new(&sequences).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let untouched = logits(&decoder, &batch);
        let adapters = decoder.adapt(3, 6.0, |name| name.contains("mlp"), &mut rng).unwrap();
        assert_eq!(distance(&logits(&decoder, &batch), &untouched), 0.0, "B starts at 0");
        for var in adapters.values() {
            var.set(&(var.as_tensor() + 0.1).unwrap()).unwrap();
        }
        let adapted = logits(&decoder, &batch);
        assert!(distance(&adapted, &untouched) > 1e-3);

        let dir = tempfile::tempdir().unwrap();
        decoder.save(dir.path().join("new")).unwrap();
        let read = Decoder::load(dir.path().join("new"), F32, CPU).unwrap();
        assert_eq!(read.config(), decoder.config(), "{family}");
        assert!(distance(&logits(&read, &batch), &adapted) < 1e-5, "{family}");
    }
}

#[test]
fn half_precision_and_bytes_stay_near() {
    for family in FAMILIES {
        let (decoder, Golden { sequences, .. }) = golden(family);
        let batch = Batch::new(&sequences).unwrap();
        let exact = logits(&decoder, &batch);
        let size = exact.sqr().unwrap().mean_all().unwrap().sqrt().unwrap();
        let size = f64::from(size.to_scalar::<f32>().unwrap());
        let apart = |a: &Tensor, b: &Tensor| {
            let difference = (a.to_dtype(DType::F32).unwrap() - b).unwrap();
            let mean = difference.sqr().unwrap().mean_all().unwrap().sqrt().unwrap();
            f64::from(mean.to_scalar::<f32>().unwrap()) / size
        };
        let near = |numbers: Numbers| {
            let other = Decoder::load(folder(family), numbers, CPU).unwrap();
            apart(&logits(&other, &batch), &exact)
        };
        let (half, bytes) = (near(Numbers::Dense(DType::F16)), near(Numbers::Quantised));
        assert!(half < 0.005 && bytes < 0.05, "{family}: {half} {bytes}");

        // The product with bytes is near that with the numbers they stand for: only x is rounded.
        let bytes = Decoder::load(folder(family), Numbers::Quantised, CPU).unwrap();
        let dense = |weight: &Weight| Weight::Dense(weight.dense().unwrap());
        let weights = bytes.weights().iter().map(|(name, w)| (name.clone(), dense(w))).collect();
        let dense = Decoder::new(bytes.config().clone(), weights).unwrap();
        for batch in [&batch, &Batch::new(&sequences[2..3]).unwrap()] {
            let apart = apart(&logits(&bytes, batch), &logits(&dense, batch));
            assert!(apart < 0.05, "{family}: {apart}");
        }
    }
}

#[test]
fn a_copy_stays_and_a_frozen_decoder_follows() {
    let (mut decoder, Golden { sequences, .. }) = golden("llama");
    let variables = decoder.variables(|name| name.ends_with("o_proj.weight")).unwrap();
    assert_eq!(variables.len(), 3);
    let batch = Batch::new(&sequences).unwrap();
    let (copy, frozen) = (decoder.copied().unwrap(), decoder.frozen());
    let before = logits(&copy, &batch);
    for var in variables.values() {
        var.set(&(var.as_tensor() * 2.0).unwrap()).unwrap();
    }
    assert_eq!(distance(&logits(&copy, &batch), &before), 0.0);
    assert!(distance(&logits(&frozen, &batch), &before) > 1e-3);
    assert_eq!(distance(&logits(&frozen, &batch), &logits(&decoder, &batch)), 0.0);
}

/// The folder of a golden model, changed by `change`, and the message of loading it.
fn broken(change: impl Fn(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(folder("llama").join(file), dir.path().join(file)).unwrap();
    }
    change(dir.path());
    let message = Decoder::load(dir.path(), F32, CPU).unwrap_err().to_string();
    assert!(message.contains(&dir.path().display().to_string()), "no file named: {message}");
    assert!(message.contains("; ") && !message.contains('\n'), "no way out: {message}");
    message
}

#[test]
fn broken_models_are_refused_with_a_sentence() {
    let edit = |from: &'static str, to: &'static str| {
        move |dir: &Path| {
            let file = dir.join("config.json");
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains(from));
            fs::write(&file, text.replace(from, to)).unwrap();
        }
    };
    let weights = |dir: &Path| dir.join("model.safetensors");
    type Change = Box<dyn Fn(&Path)>;
    let kinds = |kinds: &'static str| {
        move |dir: &Path| {
            let with = format!("\"layer_types\": [{kinds}], \"model_type\"");
            let file = dir.join("config.json");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replace("\"model_type\"", &with)).unwrap();
        }
    };
    let cases: [(&str, Change); 17] = [
        (
            "config.json: the file is missing",
            Box::new(|dir| fs::remove_file(dir.join("config.json")).unwrap()),
        ),
        ("it is not JSON", Box::new(|dir| fs::write(dir.join("config.json"), "{\"model").unwrap())),
        ("unknown architecture \"mamba\"", Box::new(edit("\"llama\"", "\"mamba\""))),
        ("hidden_size", Box::new(edit("\"hidden_size\": 16", "\"hidden_size\": -3"))),
        ("hidden_size: 0 is no size", Box::new(edit("\"hidden_size\": 16", "\"hidden_size\": 0"))),
        ("has shape [40, 16], but", Box::new(edit("\"vocab_size\": 40", "\"vocab_size\": 41"))),
        (
            "num_key_value_heads: 3",
            Box::new(edit("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3")),
        ),
        ("activation \"relu\"", Box::new(edit("\"silu\"", "\"relu\""))),
        (
            "lack the weight model.layers.3",
            Box::new(edit("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4")),
        ),
        ("layer_types: it does not describe 3", Box::new(kinds("\"full_attention\""))),
        (
            "layer_types: it does not describe 3",
            Box::new(kinds(
                r#""full_attention", "full_attention", "full_attention", "full_attention""#,
            )),
        ),
        (
            "layer_types: kind \"chunked_attention\"",
            Box::new(kinds(r#""full_attention", "chunked_attention", "full_attention""#)),
        ),
        (
            "quantization_config: this option is not supported",
            Box::new(edit(
                "\"model_type\"",
                "\"quantization_config\": {\"quant_method\": \"fp8\"}, \"model_type\"",
            )),
        ),
        (
            "model.safetensors: weight model.norm.weight holds F8_E4M3 numbers",
            Box::new(move |dir| {
                let mut all = candle_core::safetensors::load(weights(dir), CPU).unwrap();
                let norm = all.get_mut("model.norm.weight").unwrap();
                *norm = norm.to_dtype(DType::F8E4M3).unwrap();
                candle_core::safetensors::save(&all, weights(dir)).unwrap();
                let config = Config::load(dir).unwrap();
                let message = config.check_files(dir).unwrap_err().to_string();
                assert!(message.contains("model.norm.weight holds F8_E4M3"), "{message}");
            }),
        ),
        ("neither model.safetensors", Box::new(move |dir| fs::remove_file(weights(dir)).unwrap())),
        (
            "cut short",
            Box::new(move |dir| {
                let bytes = fs::read(weights(dir)).unwrap();
                fs::write(weights(dir), &bytes[..bytes.len() / 2]).unwrap();
            }),
        ),
        (
            "not finite",
            Box::new(move |dir| {
                let mut bytes = fs::read(weights(dir)).unwrap();
                let end = bytes.len() - 4;
                bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
                fs::write(weights(dir), bytes).unwrap();
            }),
        ),
    ];
    for (wanted, change) in cases {
        let message = broken(change);
        assert!(message.contains(wanted), "{wanted}: {message}");
    }

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.gguf");
    assert!(Decoder::load(&file, F32, CPU).unwrap_err().to_string().contains("model.gguf"));
    fs::write(&file, b"GGUF\x03\0\0\0").unwrap();
    let message = Decoder::load(&file, F32, CPU).unwrap_err().to_string();
    assert!(message.contains("cut short or no GGUF"), "{message}");
    assert!(Tokenizer::load(&file).unwrap_err().to_string().contains("cut short"));
    fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
    assert!(Tokenizer::load(dir.path()).unwrap_err().to_string().contains("tokenizer.json"));

    let (decoder, _) = golden("llama");
    let batch = Batch::new(&[[40_u32]]).unwrap();
    assert!(
        decoder.states(&batch, &[0]).unwrap_err().to_string().contains("outside the vocabulary")
    );
    assert!(Batch::new(&[vec![1_u32], vec![]]).is_err() && Batch::new::<[u32; 1]>(&[]).is_err());
}

/// The windows and the vocabulary of [`gguf`].
const WINDOW: usize = 4;
const TOKENS: [&str; 10] = ["<s>", "a", "b", "ab", "Ġ", "Ġab", "1", "<", "s", ">"];

fn strings(all: &[&str]) -> Value {
    Value::Array(all.iter().map(|s| Value::String((*s).into())).collect())
}

/// A GGUF file of a model, as llama.cpp's converter writes it; `kind` is that of its matrices.
fn gguf(decoder: &Decoder, kind: GgmlDType, file: &Path) {
    let c = decoder.config();
    let architecture = match c.family {
        Family::Llama => "llama",
        Family::Qwen2 => "qwen2",
        Family::Gemma3 => "gemma3",
    };
    let key = |name: &str| format!("{architecture}.{name}");
    let mut metadata = vec![
        ("general.architecture".to_owned(), Value::String(architecture.into())),
        ("tokenizer.ggml.model".to_owned(), Value::String("gpt2".into())),
        ("tokenizer.ggml.pre".to_owned(), Value::String("smollm".into())),
        ("tokenizer.ggml.tokens".to_owned(), strings(&TOKENS)),
        ("tokenizer.ggml.merges".to_owned(), strings(&["a b", "Ġ ab"])),
        (
            "tokenizer.ggml.token_type".to_owned(),
            Value::Array([3, 1, 1, 1, 1, 1, 1, 1, 1, 1].map(Value::I32).into()),
        ),
        ("tokenizer.ggml.bos_token_id".to_owned(), Value::U32(0)),
        ("tokenizer.ggml.add_bos_token".to_owned(), Value::Bool(true)),
    ];
    for (name, size) in [
        ("block_count", c.layers),
        ("embedding_length", c.hidden),
        ("feed_forward_length", c.intermediate),
        ("attention.head_count", c.heads),
        ("attention.head_count_kv", c.kv_heads),
        ("attention.key_length", c.head_width),
        ("context_length", c.context),
        ("attention.sliding_window", WINDOW),
    ] {
        metadata.push((key(name), Value::U32(size as u32)));
    }
    if let Some(Scaling::Linear { factor }) = c.rope_scaling {
        metadata.push((key("rope.scaling.type"), Value::String("linear".into())));
        metadata.push((key("rope.scaling.factor"), Value::F32(factor as f32)));
    }
    metadata.push((key("rope.freq_base"), Value::F32(c.rope_base as f32)));
    metadata.push((key("attention.layer_norm_rms_epsilon"), Value::F32(c.norm_eps as f32)));

    let mut tensors = Vec::new();
    for (name, weight) in decoder.weights() {
        let mut tensor = weight.dense().unwrap();
        let heads = match name.split('.').nth(4) {
            Some("q_proj") => Some(c.heads),
            Some("k_proj") => Some(c.kv_heads),
            _ => None,
        };
        // The converter's own formula: within each head (2, width / 2) becomes (width / 2, 2).
        if let Some(heads) = heads.filter(|_| architecture == "llama") {
            let shape = tensor.dims().to_vec();
            let halves = tensor.reshape((heads, 2, c.head_width / 2, ())).unwrap();
            tensor = halves.transpose(1, 2).unwrap().contiguous().unwrap().reshape(shape).unwrap();
        }
        if architecture == "gemma3" && name.ends_with("norm.weight") {
            tensor = (tensor + 1.0).unwrap();
        }
        let mut stored = name.replace("model.layers.", "blk.");
        for (ours, theirs) in [
            ("model.embed_tokens", "token_embd"),
            ("model.norm", "output_norm"),
            ("lm_head", "output"),
            ("input_layernorm", "attn_norm"),
            ("self_attn.o_proj", "attn_output"),
            ("self_attn.", "attn_"),
            ("pre_feedforward_layernorm", "ffn_norm"),
            ("post_feedforward_layernorm", "post_ffw_norm"),
            (
                "post_attention_layernorm",
                if architecture == "gemma3" { "post_attention_norm" } else { "ffn_norm" },
            ),
            ("mlp.", "ffn_"),
            ("_proj", ""),
        ] {
            stored = stored.replace(ours, theirs);
        }
        let kind = if tensor.rank() > 1 { kind } else { GgmlDType::F32 };
        tensors.push((stored, QTensor::quantize(&tensor, kind).unwrap()));
    }
    if let Some(Scaling::Llama3 { factor, low, high, original }) = c.rope_scaling {
        // The converter's own formula, in waves' lengths.
        let divisor = |i: usize| {
            let length = TAU * c.rope_base.powf(2.0 * i as f64 / c.head_width as f64);
            let smooth = (original / length - low) / (high - low);
            match () {
                () if length < original / high => 1.0,
                () if length > original / low => factor as f32,
                () => (1.0 / ((1.0 - smooth) / factor + smooth)) as f32,
            }
        };
        let divisors: Vec<f32> = (0..c.head_width / 2).map(divisor).collect();
        let divisors = Tensor::new(divisors, CPU).unwrap();
        let stored = QTensor::quantize(&divisors, GgmlDType::F32).unwrap();
        tensors.push(("rope_freqs.weight".into(), stored));
    }
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(k, t)| (k.as_str(), t)).collect();
    write(&mut fs::File::create(file).unwrap(), &metadata, &tensors).unwrap();
}

/// A Gemma of such sizes, of random weights, with the windows and scales that llama.cpp fixes for all of them.
fn as_llama_cpp_has_it(config: &Config) -> Decoder {
    let mut config = config.clone();
    config.layers = 7;
    config.windows = (1..=7).map(|layer| (layer % 6 != 0).then_some(WINDOW)).collect();
    config.score_scale = (config.head_width as f64).powf(-0.5);
    config.local_rope_base = Some(1e4);
    Decoder::random(config, DType::F32, CPU, &mut ChaCha8Rng::seed_from_u64(3)).unwrap()
}

/// A config as a GGUF file keeps it, in 32 bits.
fn rounded(config: &Config) -> Config {
    Config { norm_eps: f64::from(config.norm_eps as f32), ..config.clone() }
}

/// Bytes with a scale for each 32, as the file has them.
#[test]
fn quantised_gguf_files_hold_what_their_bytes_stand_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.gguf");
    let (small, Golden { sequences, .. }) = golden("llama");
    let mut config = small.config().clone();
    (config.hidden, config.intermediate, config.head_width) = (32, 64, 8);
    config.score_scale = 8_f64.powf(-0.5);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let decoder = Decoder::random(config, DType::F32, CPU, &mut rng).unwrap();
    gguf(&decoder, GgmlDType::Q8_0, &file);
    let dense = Decoder::load(&file, F32, CPU).unwrap();
    let bytes = Decoder::load(&file, Numbers::Quantised, CPU).unwrap();
    for (name, weight) in decoder.weights() {
        let exact = weight.dense().unwrap();
        let kind = if exact.rank() > 1 { GgmlDType::Q8_0 } else { GgmlDType::F32 };
        let kept = QTensor::quantize(&exact, kind).unwrap().dequantize(CPU).unwrap();
        let [read, held] = [&dense, &bytes].map(|model| model.weights()[name].dense().unwrap());
        assert_eq!(distance(&read, &kept), 0.0, "{name}");
        assert_eq!(distance(&read, &exact) > 0.0, exact.rank() > 1, "{name}");
        let largest = exact.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        let largest = f64::from(largest.to_scalar::<f32>().unwrap());
        assert!(distance(&held, &read) <= 0.01 * largest, "{name}");
    }
    assert!(matches!(bytes.weights()["lm_head.weight"], Weight::Quantised(_)));
    let batch = Batch::new(&sequences).unwrap();
    let exact = logits(&decoder, &batch);
    let size = f64::from(exact.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap());
    for model in [&dense, &bytes] {
        let distance = distance(&logits(model, &batch), &exact);
        assert!(distance > 0.0 && distance < 0.05 * size, "{distance} of {size}");
    }
}

/// Cut anywhere, or with a byte of its header changed, a file gives an error or a model.
#[test]
fn damaged_gguf_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.gguf");
    let mut config = golden("llama").0.config().clone();
    (config.layers, config.vocabulary, config.hidden, config.intermediate) = (1, 10, 8, 8);
    config.windows.truncate(1);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let decoder = Decoder::random(config.clone(), DType::F32, CPU, &mut rng).unwrap();
    gguf(&decoder, GgmlDType::F32, &file);
    let whole = fs::read(&file).unwrap();
    let load = || {
        let _ = Tokenizer::load(&file);
        let checked = Config::load(&file).and_then(|config| config.check_files(&file));
        (checked, Decoder::load(&file, F32, CPU))
    };
    assert!(matches!(load(), (Ok(()), Ok(_))));
    // In place: ten times as fast as a file anew each time.
    let mut open = fs::OpenOptions::new().write(true).open(&file).unwrap();
    // Each weight is followed by zeros up to a multiple of 32.
    for end in (0..whole.len() - 32).rev() {
        open.set_len(end as u64).unwrap();
        assert!(matches!(load(), (Err(_), Err(_))), "{end}");
    }
    let mut put = |at: usize, bytes: &[u8]| {
        open.seek(SeekFrom::Start(at as u64)).unwrap();
        open.write_all(bytes).unwrap();
    };
    put(0, &whole);
    let place =
        |part: &str| whole.windows(part.len()).position(|bytes| bytes == part.as_bytes()).unwrap();
    let mut models = 0;
    for at in 0..place("token_embd.weight") + 64 {
        for flip in [0x01, 0x80, 0xFF] {
            put(at, &[whole[at] ^ flip]);
            models += usize::from(load().1.is_ok());
        }
        put(at, &whole[at..=at]);
    }
    assert!(models > 0, "a name that nothing reads may change");

    // Behind the name of a vector: the number of its sizes, its size, its kind, and where it is.
    put(place("output_norm.weight") + "output_norm.weight".len() + 4 + 8 + 4, &[0xFF; 8]);
    let (checked, loaded) = load();
    for message in [checked.unwrap_err().to_string(), loaded.unwrap_err().to_string()] {
        assert!(message.contains("output_norm.weight is") && message.contains("cut short"));
    }

    // The number that candle divides by, behind a list and under the kinds that it may have.
    let alignment = |value: Value| {
        let list = strings(&["a", "bc"]);
        let about = [("list", &list), ("general.alignment", &value)];
        write(&mut fs::File::create(&file).unwrap(), &about, &[]).unwrap();
        Config::load(&file).unwrap_err().to_string()
    };
    for zero in [Value::U8(0), Value::U16(0), Value::U32(0), Value::I32(0)] {
        let message = alignment(zero);
        assert!(message.contains("model.gguf: its metadata general.alignment is 0;"), "{message}");
    }
    assert!(alignment(Value::U32(64)).contains("lacks general.architecture"));
}

#[test]
fn gguf_files_hold_the_same_models() {
    let dir = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        let file = dir.path().join(family);
        let (mut decoder, Golden { sequences, .. }) = golden(family);
        if family == "gemma3" {
            decoder = as_llama_cpp_has_it(decoder.config());
        }
        gguf(&decoder, GgmlDType::F32, &file);
        let read = Decoder::load(&file, F32, CPU).unwrap();
        assert_eq!(read.config(), &rounded(decoder.config()), "{family}");
        for (name, weight) in decoder.weights() {
            let distance =
                distance(&weight.dense().unwrap(), &read.weights()[name].dense().unwrap());
            assert!(distance < 1e-6, "{family}: {name}");
        }
        let batch = Batch::new(&sequences).unwrap();
        let distance = distance(&logits(&read, &batch), &logits(&decoder, &batch));
        assert!(distance < 1e-5, "{family}: {distance}");
    }
    let tokenizer = Tokenizer::load(dir.path().join("llama")).unwrap();
    let ids = tokenizer.encode("ab ab11<s>").unwrap();
    assert_eq!(ids, [0, 3, 5, 6, 6, 0]);
    assert_eq!(tokenizer.ends().unwrap(), [vec![0], vec![]]);
    assert_eq!(tokenizer.encode_piece("ab<s>").unwrap(), [3, 0]);
    assert_eq!(tokenizer.clone().plain().encode("ab<s>").unwrap(), [0, 3, 7, 8, 9]);
    assert_eq!(tokenizer.decode(&ids).unwrap(), "ab ab11");
    tokenizer.save(dir.path().join("saved")).unwrap();
    let again = Tokenizer::load(dir.path().join("saved")).unwrap();
    assert_eq!(again.encode("ab ab11<s>").unwrap(), ids);
    assert_eq!(again.about(), tokenizer.about());

    let bytes = fs::read(dir.path().join("llama")).unwrap();
    let half = dir.path().join("half.gguf");
    fs::write(&half, &bytes[..bytes.len() - 100]).unwrap();
    let message = Decoder::load(&half, F32, CPU).unwrap_err().to_string();
    assert!(
        message.contains("half.gguf: the weight") && message.contains("cut short"),
        "{message}"
    );
}

/// The stretch of Llama 3.2, which the golden model's is a small copy of.
#[test]
fn the_stretch_of_llama_3_2_is_recognised_in_gguf_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("llama.gguf");
    let (small, Golden { sequences, .. }) = golden("llama3");
    for (factor, original) in [(32.0, 8192.0), (8.0, 8192.0), (16.0, 4096.0)] {
        let mut config = small.config().clone();
        (config.head_width, config.rope_base) = (64, 500_000.0);
        config.score_scale = 0.125;
        config.rope_scaling = Some(Scaling::Llama3 { factor, low: 1.0, high: 4.0, original });
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let decoder = Decoder::random(config, DType::F32, CPU, &mut rng).unwrap();
        gguf(&decoder, GgmlDType::F32, &file);
        let read = Decoder::load(&file, F32, CPU).unwrap();
        assert_eq!(read.config().rope_scaling, decoder.config().rope_scaling);
        let batch = Batch::new(&sequences).unwrap();
        let distance = distance(&logits(&read, &batch), &logits(&decoder, &batch));
        assert!(distance < 1e-5, "{distance}");
    }
    // Divisors of another ramp are not taken for Llama's.
    let (decoder, _) = golden("llama3");
    let mut config = decoder.config().clone();
    (config.head_width, config.rope_base) = (64, 500_000.0);
    let ramp = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 9.0, original: 8192.0 };
    config.rope_scaling = Some(ramp);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let decoder = Decoder::random(config, DType::F32, CPU, &mut rng).unwrap();
    gguf(&decoder, GgmlDType::F32, &file);
    let message = Decoder::load(&file, F32, CPU).unwrap_err().to_string();
    assert!(message.contains("its rope_freqs are not those of Llama 3"), "{message}");
}

#[test]
fn shards_hold_the_same_model() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for family in FAMILIES {
        let (whole, Golden { sequences, .. }) = golden(family);
        let mut shards = [std::collections::BTreeMap::new(), std::collections::BTreeMap::new()];
        let mut map = serde_json::Map::new();
        for (i, (name, weight)) in whole.weights().iter().enumerate() {
            shards[i % 2].insert(name.clone(), weight.dense().unwrap());
            map.insert(name.clone(), format!("model-{}.safetensors", i % 2).into());
        }
        for (i, shard) in shards.iter().enumerate() {
            safetensors::serialize_to_file(shard, None, &at(&format!("model-{i}.safetensors")))
                .unwrap();
        }
        let index = serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": map });
        fs::write(at("model.safetensors.index.json"), index.to_string()).unwrap();
        fs::copy(folder(family).join("config.json"), at("config.json")).unwrap();
        let read = Decoder::load(dir.path(), F32, CPU).unwrap();
        let batch = Batch::new(&sequences).unwrap();
        assert_eq!(distance(&logits(&read, &batch), &logits(&whole, &batch)), 0.0, "{family}");
    }
    let message = || Decoder::load(dir.path(), F32, CPU).unwrap_err().to_string();
    fs::remove_file(at("model-1.safetensors")).unwrap();
    assert!(message().contains("model-1.safetensors"), "{}", message());
    let elsewhere = r#"{"weight_map":{"model.norm.weight":"../model-0.safetensors"}}"#;
    fs::write(at("model.safetensors.index.json"), elsewhere).unwrap();
    assert!(message().contains("a file outside the folder"), "{}", message());
    fs::write(at("model.safetensors.index.json"), "{").unwrap();
    assert!(message().contains("it is no index"), "{}", message());
}

/// A GGUF file of a tokenizer alone, of SentencePiece's kind.
fn pieces(file: &Path) {
    let tokens = ["<unk>", "<bos>", "<eos>", "▁", "<", "e", "o", "s", ">", "os", "b"];
    let kinds = [2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1];
    let metadata = [
        ("general.architecture", Value::String("gemma3".into())),
        ("tokenizer.ggml.model", Value::String("llama".into())),
        ("tokenizer.ggml.tokens", strings(&tokens)),
        ("tokenizer.ggml.scores", Value::Array((0..11).map(|i| Value::F32(-(i as f32))).collect())),
        ("tokenizer.ggml.token_type", Value::Array(kinds.map(Value::I32).into())),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ("tokenizer.ggml.eot_token_id", Value::U32(10)),
        ("tokenizer.ggml.unknown_token_id", Value::U32(0)),
        ("tokenizer.ggml.add_eos_token", Value::Bool(true)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(false)),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(k, v)| (*k, v)).collect();
    write(&mut fs::File::create(file).unwrap(), &metadata, &[]).unwrap();
}

#[test]
fn a_tokenizer_beside_a_gguf_file_is_read_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let file = at("pieces.gguf");
    pieces(&file);
    let mut json: serde_json::Value =
        serde_json::from_str(&Tokenizer::load(&file).unwrap().to_json().unwrap()).unwrap();
    json["post_processor"] = serde_json::Value::Null;
    fs::write(at("tokenizer.json"), json.to_string()).unwrap();
    let beside = Tokenizer::load(&file).unwrap();
    assert!(beside.ends().unwrap().concat().is_empty());
    // What the files beside it do not say, the metadata do.
    assert_eq!((beside.special("eos_token"), beside.stops()), (Some("<eos>"), vec![2, 10]));
    fs::write(at("tokenizer_config.json"), r#"{"eos_token": "b"}"#).unwrap();
    fs::write(at("generation_config.json"), r#"{"eos_token_id": [9]}"#).unwrap();
    let beside = Tokenizer::load(&file).unwrap();
    assert_eq!((beside.special("bos_token"), beside.stops()), (Some("<bos>"), vec![10, 9]));

    // Of another model in the folder.
    let refused = |file: &Path, part: &str| {
        let message = Tokenizer::load(file).unwrap_err().to_string();
        let place = at("tokenizer.json").display().to_string();
        assert!(message.contains(&place) && message.contains("; keep"), "{message}");
        assert!(message.contains(part) && message.contains(&file.display().to_string()));
    };
    gguf(&golden("llama").0, GgmlDType::F32, &at("other.gguf"));
    refused(&at("other.gguf"), "its 11 tokens are not the 10 of ");
    fs::write(at("tokenizer.json"), json.to_string().replace("\"b\"", "\"c\"")).unwrap();
    refused(&file, "(token 10 differs)");
    fs::remove_file(at("tokenizer.json")).unwrap();
    assert_eq!(Tokenizer::load(&file).unwrap().ends().unwrap(), [vec![1], vec![2]]);
}

/// SentencePiece's pairs, rebuilt from GGUF metadata: the name of a special token is plain text where that is
/// asked for, even though the vocabulary holds it.
#[test]
fn special_tokens_can_be_plain_text() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pieces.gguf");
    pieces(&file);
    let tokenizer = Tokenizer::load(&file).unwrap();
    assert_eq!(tokenizer.stops(), [2, 10]);
    let text = "b <eos><bos>";
    assert_eq!(tokenizer.encode(text).unwrap(), [1, 10, 3, 2, 1, 2]);
    assert_eq!(tokenizer.ends().unwrap(), [vec![1], vec![2]]);
    let plain = tokenizer.plain();
    let spelt = [10, 3, 4, 5, 9, 8, 4, 10, 9, 8];
    assert_eq!(plain.encode_piece(text).unwrap(), spelt);
    assert_eq!(plain.encode(text).unwrap(), [&[1], &spelt[..], &[2]].concat());
}

fn used<S: AsRef<str>>(tokenizer: &Tokenizer, texts: &[S]) -> BTreeSet<u32> {
    texts.iter().flat_map(|text| tokenizer.encode(text.as_ref()).unwrap()).collect()
}

/// Gemma's kind of tokenizer over a few characters: bytes, and pairs joined by rank. `pairs` choose
/// among the tokens there are so far.
fn joining(pairs: &[(usize, usize)]) -> Tokenizer {
    let mut tokens: Vec<String> = ["<pad>", "<eos>", "<bos>", "<unk>"].map(String::from).into();
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    let first = tokens.len();
    tokens.extend("▁abcdé".chars().map(String::from));
    let mut merges = Vec::new();
    for (a, b) in pairs {
        let part = |i: &usize| tokens[first + i % (tokens.len() - first)].clone();
        let (a, b) = (part(a), part(b));
        let token = format!("{a}{b}");
        if token.len() < 40 && !merges.contains(&[a.clone(), b.clone()]) {
            merges.push([a, b]);
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
    }
    let special = |id: usize, content: &str, special: bool| {
        serde_json::json!({
            "id": id, "content": content, "special": special, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false,
        })
    };
    let mut added: Vec<_> = (0..4).map(|id| special(id, &tokens[id], true)).collect();
    for content in ["\n\n", "<table>"] {
        added.push(special(tokens.len(), content, false));
        tokens.push(content.into());
    }
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        "pre_tokenizer": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                { "SpecialToken": { "id": "<bos>", "type_id": 0 } },
                { "Sequence": { "id": "A", "type_id": 0 } },
            ],
            "pair": [
                { "Sequence": { "id": "A", "type_id": 0 } },
                { "Sequence": { "id": "B", "type_id": 0 } },
            ],
            "special_tokens": { "<bos>": { "id": "<bos>", "ids": [2], "tokens": ["<bos>"] } },
        },
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
            { "type": "ByteFallback" },
            { "type": "Fuse" },
        ] },
        "model": {
            "type": "BPE", "vocab": vocabulary, "merges": merges, "unk_token": "<unk>",
            "fuse_unk": true, "byte_fallback": true,
        },
    });
    Tokenizer::from_json(&json.to_string()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_trimmed_model_reads_its_texts_as_before_and_any_text_at_all(
        pairs in prop::collection::vec((0_usize..1000, 0_usize..1000), 0..120),
        texts in prop::collection::vec("([abcdé ]|\n\n|ü){1,20}", 1..6),
        others in prop::collection::vec("([abcdé xß]|\n\n|<table>|<eos>|中){1,20}", 6),
    ) {
        let tokenizer = joining(&pairs);
        let mut config = golden("gemma3").0.config().clone();
        config.vocabulary = tokenizer.size();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let decoder = Decoder::random(config, DType::F32, CPU, &mut rng).unwrap();
        let (less, trimmed) = trimmed(&decoder, &tokenizer, used(&tokenizer, &texts)).unwrap();
        prop_assert_eq!(less.config().vocabulary, trimmed.size());
        prop_assert!(trimmed.size() < tokenizer.size(), "<table> is never used");

        let dir = tempfile::tempdir().unwrap();
        less.save(dir.path()).unwrap();
        trimmed.save(dir.path()).unwrap();
        let less = Decoder::load(dir.path(), F32, CPU).unwrap();
        let trimmed = Tokenizer::load(dir.path()).unwrap();

        for text in &texts {
            let (old, new) = (tokenizer.encode(text).unwrap(), trimmed.encode(text).unwrap());
            let states = |decoder: &Decoder, ids: Vec<u32>| {
                let batch = Batch::new(&[ids]).unwrap();
                let rows: Vec<usize> = (0..batch.ids().len()).collect();
                decoder.states(&batch, &rows).unwrap()
            };
            prop_assert_eq!(old.len(), new.len());
            prop_assert_eq!(distance(&states(&decoder, old), &states(&less, new)), 0.0);
        }
        for text in texts.iter().chain(&others) {
            let ids = trimmed.encode(text).unwrap();
            prop_assert!(ids.iter().all(|&id| (id as usize) < trimmed.size()));
            prop_assert!(!ids.contains(&trimmed.id("<unk>").unwrap()));
            prop_assert_eq!(ids[0], trimmed.id("<bos>").unwrap());
            // Special tokens are left out of what is read back.
            let plain = text.replace("<eos>", "");
            prop_assert_eq!(trimmed.decode(&ids).unwrap().replace("<eos>", ""), plain);
        }
    }
}

#[test]
fn byte_level_models_are_trimmed_and_others_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("llama");
    let (decoder, _) = golden("llama");
    gguf(&decoder, GgmlDType::F32, &file);
    let tokenizer = Tokenizer::load(&file).unwrap();
    let (less, short) = trimmed(&decoder, &tokenizer, used(&tokenizer, &["ab"])).unwrap();
    // All but Ġab stay: single characters stand for bytes.
    assert_eq!((less.config().vocabulary, short.size()), (9, 9));
    assert_eq!(short.encode("ab").unwrap(), [0, 3]);
    assert_eq!(short.encode("ab ab1").unwrap(), [0, 3, 4, 3, 5]);
    // A token that ends texts stays, by whatever file it is known, and keeps its name.
    let folder = dir.path().join("folder");
    tokenizer.save(&folder).unwrap();
    let end = tokenizer.encode_piece("1").unwrap()[0];
    let named = serde_json::json!({ "eos_token_id": [end] }).to_string();
    fs::write(folder.join("generation_config.json"), named).unwrap();
    let tokenizer = Tokenizer::load(&folder).unwrap();
    let (_, short) = trimmed(&decoder, &tokenizer, used(&tokenizer, &["ab"])).unwrap();
    short.save(&folder).unwrap();
    let again = Tokenizer::load(&folder).unwrap();
    for short in [short, again] {
        assert_eq!(short.decode(&short.stops()).unwrap(), "1");
    }

    // A named token that the model has no embedding of, as Gemma 3 has, goes.
    let tokenizer = Tokenizer::load(&folder).unwrap();
    let config = Config { vocabulary: tokenizer.size(), ..decoder.config().clone() };
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let decoder = Decoder::random(config, DType::F32, CPU, &mut rng).unwrap();
    let path = folder.join("tokenizer.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let beyond = serde_json::json!({
        "id": tokenizer.size(), "content": "<image>", "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true,
    });
    json["added_tokens"].as_array_mut().unwrap().push(beyond);
    fs::write(&path, json.to_string()).unwrap();
    let config = serde_json::json!({ "image_token": "<image>" }).to_string();
    fs::write(folder.join("tokenizer_config.json"), config).unwrap();
    let tokenizer = Tokenizer::load(&folder).unwrap();
    let (less, short) = trimmed(&decoder, &tokenizer, used(&tokenizer, &["ab"])).unwrap();
    let size = decoder.config().vocabulary;
    assert_eq!((tokenizer.size(), tokenizer.id("<image>")), (size + 1, Some(size as u32)));
    assert_eq!((less.config().vocabulary, short.size(), short.id("<image>")), (size, size, None));

    let words = r#"{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;
    let words = Tokenizer::from_json(words).unwrap();
    let error = trimmed(&decoder, &words, used(&words, &["a"])).unwrap_err().to_string();
    assert!(error.contains("trim_vocabulary") && error.contains("leave it out"), "{error}");
}
