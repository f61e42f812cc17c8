//! The first trained guardrail, on rows small enough to train in milliseconds.
#![cfg(feature = "neural")]

use candle_core::{Device, Tensor, Var};
use nashguard::Error;
use nashguard::data::{Category, Label, Language, Row, Seeds};
use nashguard::neural::features::{Bags, Features};
use nashguard::neural::guardrail::logits;
use nashguard::neural::loss::{Target, row_losses};
use nashguard::neural::{Guardrail, GuardrailConfig, HeadConfig};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::sync::Arc;

fn persisted() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

fn small() -> GuardrailConfig {
    GuardrailConfig {
        features: Features { buckets: 1 << 12, ..Features::default() },
        epochs: 8,
        batch: 4,
        ..GuardrailConfig::default()
    }
}

fn row(text: &str, label: Label, categories: &[Category]) -> Row {
    Row::new(text.into(), Language::En, label, categories.into()).unwrap()
}

const HARMS: [(&str, Category); 4] = [
    ("bomb", Category::IndiscriminateWeapons),
    ("murder", Category::ViolentCrimes),
    ("slur", Category::Hate),
    ("fraud", Category::NonViolentCrimes),
];

/// 24 rows: four harms, of known and of unknown category, among words that mean nothing.
fn toy() -> Seeds {
    let mut train = Vec::new();
    for frame in ["please explain the", "a day with some", "tell us about this"] {
        for (harm, category) in HARMS {
            let categories: &[Category] = if harm == "fraud" { &[] } else { &[category] };
            train.push(row(&format!("{frame} {harm}"), Label::Unsafe, categories));
        }
        for calm in ["garden", "recipe", "holiday", "weather"] {
            train.push(row(&format!("{frame} {calm}"), Label::Safe, &[]));
        }
    }
    Seeds { train, validation: vec![] }
}

fn trained(seed: u64) -> Guardrail {
    Guardrail::train(small(), &toy(), seed, &mut |_| ()).unwrap()
}

fn bits(guardrail: &Guardrail) -> Vec<u32> {
    let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    guardrail.weights().iter().flat_map(|(_, t)| values(t)).map(f32::to_bits).collect()
}

/// P(at least one category fires).
fn any(p: &[f32]) -> f64 {
    1.0 - p.iter().map(|&p| 1.0 - f64::from(p)).product::<f64>()
}

fn losses(z: &[[f64; 12]], targets: &[Target], negative_weight: f64) -> Vec<f64> {
    let z = Tensor::from_slice(z.as_flattened(), (z.len(), 12), &Device::Cpu).unwrap();
    row_losses(&z, targets, negative_weight).unwrap().to_vec1().unwrap()
}

fn targets() -> impl Strategy<Value = Target> {
    prop_oneof![Just(Target::Safe), Just(Target::Unknown), (1_u16..1 << 12).prop_map(Target::Known),]
}

proptest! {
    #![proptest_config(persisted())]

    /// The whole model against central differences, in f64: bags to sums to logits to losses.
    #[test]
    fn gradients_equal_finite_differences(
        entries in prop::collection::vec(
            prop::collection::vec((0..5_u32, 0.1..1.0_f32), 0..6), 3),
        targets in prop::collection::vec(targets(), 3),
        values in prop::collection::vec(-3.0..3.0_f64, 6 * 12),
        negative_weight in 0.0..1.0_f64,
    ) {
        let mut bags = Bags::with_width(5);
        for entries in &entries {
            for &(id, weight) in entries {
                bags.push(id, weight);
            }
            bags.finish();
        }
        let bags = Arc::new(bags);
        let (table, bias) = values.split_at(5 * 12);
        let mean_loss = |table: &Tensor, bias: &Tensor| {
            let z = logits(&bags, table, bias).unwrap();
            row_losses(&z, &targets, negative_weight).unwrap().mean_all().unwrap()
        };
        let table = Var::from_slice(table, (5, 12), &Device::Cpu).unwrap();
        let bias = Var::from_slice(bias, 12, &Device::Cpu).unwrap();
        let gradients = mean_loss(&table, &bias).backward().unwrap();
        for var in [&table, &bias] {
            let gradient = gradients.get(var).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let start = var.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            for i in 0..start.len() {
                let at = |x: f64| {
                    let mut moved = start.clone();
                    moved[i] = x;
                    var.set(&Tensor::from_vec(moved, var.dims(), &Device::Cpu).unwrap()).unwrap();
                    mean_loss(&table, &bias).to_scalar::<f64>().unwrap()
                };
                let h = 1e-5;
                let slope = (at(start[i] + h) - at(start[i] - h)) / (2.0 * h);
                at(start[i]);
                prop_assert!(
                    (gradient[i] - slope).abs() < 1e-7 * (1.0 + slope.abs()),
                    "entry {i}: {} but the slope is {slope}", gradient[i]
                );
            }
        }
    }

    /// The formulas of the documentation, which overflow only outside this range.
    #[test]
    fn loss_equals_the_naive_formula(
        z in prop::array::uniform12(-8.0..8.0_f64),
        target in targets(),
        negative_weight in 0.0..1.0_f64,
    ) {
        let p = z.map(|z| 1.0 / (1.0 + (-z).exp()));
        let naive = match target {
            Target::Safe => p.iter().map(|p| -(1.0 - p).ln()).sum::<f64>(),
            Target::Known(bits) => (0..12)
                .map(|c| match bits >> c & 1 {
                    1 => -p[c].ln(),
                    _ => -negative_weight * (1.0 - p[c]).ln(),
                })
                .sum(),
            Target::Unknown => -(1.0 - p.iter().map(|p| 1.0 - p).product::<f64>()).ln(),
        };
        let loss = losses(&[z], &[target], negative_weight)[0];
        prop_assert!((loss - naive).abs() < 1e-9 * (1.0 + naive), "{loss} but naive {naive}");
    }

    #[test]
    fn loss_and_gradient_are_finite_at_extreme_logits(
        z in prop::array::uniform12(prop_oneof![Just(-1e3), Just(1e3), Just(0.0), -1e3..1e3_f64]),
        target in targets(),
    ) {
        let z32 = Var::from_tensor(&Tensor::new(&[z.map(|z| z as f32)], &Device::Cpu).unwrap()).unwrap();
        let loss = row_losses(&z32, &[target], 1.0).unwrap();
        prop_assert!(loss.to_vec1::<f32>().unwrap()[0].is_finite());
        let gradients = loss.sum_all().unwrap().backward().unwrap();
        let gradient = gradients.get(&z32).unwrap().to_vec2::<f32>().unwrap();
        prop_assert!(gradient[0].iter().all(|g| g.is_finite() && g.abs() <= 1.0));
    }

    /// Hashed vectors have length 1 and ascending distinct buckets, and case, accents and white
    /// space at the ends do not matter.
    #[test]
    fn vectors_are_normalised(text in "[a-zé ]{0,20}é[a-zé ]{0,20}") {
        let features = small().features;
        let variant = format!("  {}\n", text.to_uppercase().replace('É', "E"));
        let bags = features.bags(&[&text, &variant]).unwrap();
        let (ids, weights) = bags.row(0);
        prop_assert!((weights.iter().map(|w| w * w).sum::<f32>() - 1.0).abs() < 1e-4);
        prop_assert!(ids.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(bags.row(0), bags.row(1));
    }
}

/// All probabilities vanish: the loss is −ln(12 e^−1000) = 1000 − ln 12, though e^−1000 is 0 in f64;
/// and each output gets a twelfth of the pull.
#[test]
fn unknown_category_at_the_far_end() {
    let z = Var::from_tensor(&Tensor::new(&[[-1e3_f64; 12]], &Device::Cpu).unwrap()).unwrap();
    let loss = row_losses(&z, &[Target::Unknown], 1.0).unwrap();
    assert!((loss.to_vec1::<f64>().unwrap()[0] - (1e3 - 12_f64.ln())).abs() < 1e-9);
    let gradients = loss.sum_all().unwrap().backward().unwrap();
    for g in &gradients.get(&z).unwrap().to_vec2::<f64>().unwrap()[0] {
        assert!((g + 1.0 / 12.0).abs() < 1e-9);
    }
}

/// One output suffices for an unsafe row of unknown category: pressing the others down costs
/// nothing, as twelve negatives (or eleven) would.
#[test]
fn unknown_category_is_not_twelve_negatives() {
    let mut z = [-20.0; 12];
    z[3] = 20.0;
    let loss = losses(&[z], &[Target::Unknown], 1.0)[0];
    assert!((0.0..1e-8).contains(&loss), "{loss}");
    assert!(
        losses(&[[-3.0; 12]], &[Target::Unknown], 1.0)
            > losses(&[[-2.0; 12]], &[Target::Unknown], 1.0)
    );
    let unknown = row("x", Label::Unsafe, &[]);
    assert_eq!(Target::of(&unknown), Target::Unknown);
    let known = row("x", Label::Unsafe, &[Category::Hate, Category::ViolentCrimes]);
    assert_eq!(Target::of(&known), Target::Known(1 << Category::Hate.index() | 1));
}

#[test]
fn unknown_category_rows_raise_the_chance_that_one_fires() {
    let with = trained(1);
    let mut seeds = toy();
    seeds.train.retain(|row| row.label == Label::Safe || !row.categories.is_empty());
    let without = Guardrail::train(small(), &seeds, 1, &mut |_| ()).unwrap();
    let text = ["tell us about this fraud"];
    let after = any(&with.probabilities(&text).unwrap()[0]);
    let before = any(&without.probabilities(&text).unwrap()[0]);
    assert!(after > 0.9 && before < after, "{before} to {after}");
}

#[test]
fn every_variable_learns() {
    let config = small();
    let bags = Arc::new(config.features.bags(&["a bomb", "a garden"]).unwrap());
    let table =
        Var::zeros((config.features.buckets, 12), candle_core::DType::F32, &Device::Cpu).unwrap();
    let bias = Var::zeros(12, candle_core::DType::F32, &Device::Cpu).unwrap();
    let z = logits(&bags, &table, &bias).unwrap();
    let loss = row_losses(&z, &[Target::Known(1), Target::Safe], 1.0).unwrap().mean_all().unwrap();
    let gradients = loss.backward().unwrap();
    for (name, var) in [("table", &table), ("bias", &bias)] {
        let size = gradients.get(var).unwrap().abs().unwrap().sum_all().unwrap();
        assert!(size.to_scalar::<f32>().unwrap() > 0.0, "{name} has no gradient");
    }
    // And training moves what the gradient points at.
    for (name, weights) in trained(1).weights() {
        let values = weights.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(values.iter().any(|&x| x != 0.0 && x != -2.0), "{name} did not move");
    }
}

#[test]
fn learns_the_toy_set() {
    let seeds = toy();
    let mut steps = Vec::new();
    let guardrail = Guardrail::train(small(), &seeds, 1, &mut |step| steps.push(step)).unwrap();
    assert_eq!(steps.len(), 8 * 6);
    assert!(steps.iter().enumerate().all(|(i, s)| s.done == i + 1 && s.total == 48));
    assert!(steps[47].loss < 0.1 * steps[0].loss, "{:?} to {:?}", steps[0], steps[47]);
    for row in &seeds.train {
        let p = guardrail.probabilities(&[&row.text]).unwrap()[0];
        let score = guardrail.scores(&[&row.text]).unwrap()[0];
        assert_eq!(score, p.into_iter().fold(0.0, f32::max));
        assert_eq!(score > 0.5, row.label == Label::Unsafe, "{}: {score}", row.text);
        for category in &row.categories {
            assert_eq!(p[category.index()], score, "{} is not {category:?}", row.text);
        }
    }
}

#[test]
fn same_seed_same_bits() {
    let first = trained(7);
    assert_eq!(bits(&first), bits(&trained(7)));
    assert_ne!(bits(&first), bits(&trained(8)));
    let one_thread = rayon_pool(1).install(|| bits(&trained(7)));
    let three_threads = rayon_pool(3).install(|| bits(&trained(7)));
    assert_eq!(one_thread, bits(&first));
    assert_eq!(three_threads, bits(&first));
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn batch_of_eight_is_eight_batches_of_one() {
    let seeds = toy();
    let texts: Vec<&str> = seeds.train[..8].iter().map(|row| row.text.as_str()).collect();
    let guardrail = trained(1);
    let together = guardrail.probabilities(&texts).unwrap();
    for (text, p) in texts.iter().zip(together) {
        assert_eq!(guardrail.probabilities(&[text]).unwrap(), [p]);
    }
    assert_eq!(guardrail.probabilities(&[]).unwrap(), [[0.0; 12]; 0]);
}

/// It is added once, to every logit.
#[test]
fn a_shift_moves_every_logit() {
    let config = GuardrailConfig { shift: 0.5, ..small() };
    let moved = Guardrail::train(config, &toy(), 1, &mut |_| ()).unwrap();
    let logit = |p: f32| f64::from(p / (1.0 - p)).ln();
    let (before, after) = (trained(1), moved);
    let text = ["please explain the garden"];
    let pairs = before.probabilities(&text).unwrap()[0];
    for (p, q) in pairs.into_iter().zip(after.probabilities(&text).unwrap()[0]) {
        assert!((logit(q) - logit(p) - 0.5).abs() < 1e-3, "{p} became {q}");
    }
}

#[test]
fn saved_and_loaded_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardrail.safetensors");
    let guardrail = trained(1);
    guardrail.save(&path).unwrap();
    guardrail.save(&path).unwrap(); // replaces
    let loaded = Guardrail::load(&path).unwrap();
    assert_eq!(loaded.config(), guardrail.config());
    assert_eq!(bits(&loaded), bits(&guardrail));
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "a temporary file was left behind");
    // Another program's reader finds the same tensors.
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    assert_eq!(tensors["table"].dims(), [1 << 12, 12]);
}

#[test]
fn broken_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardrail.safetensors");
    let problem = |path: &std::path::Path| Guardrail::load(path).unwrap_err();
    assert!(matches!(problem(&path), Error::Io { action: "read", .. }));

    trained(1).save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let header = String::from_utf8_lossy(&whole[8..400]).into_owned();
    let config = |from: &str, to: &str| {
        assert!(header.contains(from), "{header}");
        let at = 8 + header.find(from).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let mut not_finite = whole.clone();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    for (bytes, what) in [
        (vec![], "cut short"),
        (whole[..whole.len() / 2].to_vec(), "cut short"),
        (b"not a safetensors file".to_vec(), "cut short or of another format"),
        (config("nashguard.guardrail", "nashguard.somewhere"), "no readable settings"),
        (config(r#"\"buckets\":4096"#, r#"\"buckets\":4095"#), "shape"),
        (config(r#"\"epochs\":8"#, r#"\"epochs\":0"#), "epochs"),
        (not_finite, "not finite"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = problem(&path).to_string();
        assert!(message.contains("guardrail.safetensors") && message.contains(what), "{message}");
    }
    // Missing folders are made; a file cannot serve as one.
    let nowhere = path.join("x");
    assert!(matches!(trained(1).save(nowhere), Err(Error::Io { action: "write", .. })));
}

#[test]
fn invalid_input_is_an_error() {
    let guardrail = trained(1);
    for text in ["", " \n\t", "\u{0}"] {
        let message = guardrail.scores(&["fine", text]).unwrap_err().to_string();
        assert!(message.contains("texts[1]: it is empty"), "{message}");
    }
    // Not blank, but too short for any n-gram: the others' scores are not lost for it.
    let long = Features { char_min: 4, ..Features::default() };
    assert!(long.bags(&["?"]).unwrap().row(0).0.is_empty());
    let none = Seeds { train: vec![], validation: vec![] };
    assert!(Guardrail::train(small(), &none, 1, &mut |_| ()).is_err());
    for config in [
        GuardrailConfig { epochs: 0, ..small() },
        GuardrailConfig { batch: 0, ..small() },
        GuardrailConfig { learning_rate: f32::NAN, ..small() },
        GuardrailConfig { negative_weight: -1.0, ..small() },
        GuardrailConfig { unsafe_odds: Some(0.0), ..small() },
        GuardrailConfig { language_balance: 1.5, ..small() },
        GuardrailConfig { blend: 1.5, ..small() },
        GuardrailConfig { shift: f32::NAN, ..small() },
        GuardrailConfig { head: Some(HeadConfig::default()), ..small() },
        GuardrailConfig { features: Features { buckets: 0, ..Features::default() }, ..small() },
        GuardrailConfig { features: Features { char_min: 6, ..Features::default() }, ..small() },
    ] {
        let result = Guardrail::train(config, &toy(), 1, &mut |_| ());
        assert!(matches!(result, Err(Error::Invalid { .. })), "{config:?}");
    }
    // Too small a table is refused, not read past its end.
    let bags = Arc::new(Features::default().bags(&["text"]).unwrap());
    let table = Tensor::zeros((3, 12), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(bags.sums(&table).is_err());
}
