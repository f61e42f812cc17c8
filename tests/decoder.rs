//! The decoder against `transformers`, against itself by other routes, and against finite differences.
//! The models under tests/golden/ and their logits are made by tests/golden/decoder.py.
#![cfg(feature = "neural")]

use candle_core::{DType, Device, Tensor};
use nashguard::neural::decoder::{Batch, Cache, Decoder, Numbers, Weight, Weights};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::fs;
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
