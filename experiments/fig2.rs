//! Claim: on one processor latency follows the products that a model computes, and padding every input
//! costs the smallest model more than the choice of model.
//!
//! Paper: Figure 2 (mean F1 and latency).

use crate::contenders::{Set, median, seeds, sets};
use crate::scoring::{cell, mean, means, score, scores, sets_note};
use crate::{Context, Scale};
use candle_core::{DType, Device, Tensor};
use nashguard::data::{Language, Reported, ReportedModel, reported};
use nashguard::neural::decoder::{Batch, Config, Decoder};
use nashguard::neural::{Encoder, Guardrail, device, device_name};
use nashguard::report::plot::{Axis, Figure, Line, LineChart, Note, Panel};
use nashguard::report::{Column, Report, Series, Style, Table};
use nashguard::{Error, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const ABOUT: &str =
    "mean F1 and latency: the architectures of Table 1 with random weights, and our default";

/// To how many tokens the released script pads every input.
const PADDED: usize = 2048;
/// Layers that are timed; the rest is extrapolated.
const DEPTH: usize = 3;
/// Token ids of the timed decoder; the cost of looking one up does not depend on how many there are.
const IDS: usize = 1024;
/// Rounds of measurement: so many, or fewer when this time is over.
const ROUNDS: usize = 5;
const ENOUGH: Duration = Duration::from_secs(60);
/// Texts that our default is timed on.
const TEXTS: usize = 500;
const LARGEST: &str = "Llama-3-8B";

/// An entry of architectures.toml.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture {
    name: String,
    /// Where its sizes are published.
    source: String,
    /// Name and size of the models in Table 1 built on it.
    models: Vec<[String; 2]>,
    /// Reads 12 outputs off the last token instead of scores of the vocabulary.
    #[serde(default)]
    classifier: bool,
    /// Fields of its config.json.
    config: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Architectures {
    architecture: Vec<Architecture>,
}

fn architectures() -> Result<Vec<(Architecture, Config)>> {
    let text = include_str!("architectures.toml");
    let invalid = |e: toml::de::Error| {
        Error::invalid("architectures.toml", e.message(), "this is a defect, please report it")
    };
    let read: Architectures = toml::from_str(text).map_err(invalid)?;
    let with_config = |a: Architecture| {
        let config = Config::from_json(&a.config.to_string()).map_err(|e| e.within(&a.name))?;
        Ok((a, config))
    };
    read.architecture.into_iter().map(with_config).collect()
}

/// Seconds of an input of some tokens.
struct Latency {
    tokens: usize,
    layer: f64,
    /// Embedding, masks, angles and last norm; then the output.
    rest: f64,
    output: f64,
    /// By how much the middle depth differs from the line through the others, as a share of itself.
    bend: f64,
    rounds: usize,
    /// Of all layers, where the whole model was timed.
    whole: Option<f64>,
}

impl Latency {
    fn total(&self, layers: usize) -> f64 {
        self.rest + self.output + self.layer * layers as f64
    }
}

pub fn run(context: &Context) -> Result<Report> {
    let held_out = match context.data {
        Some(_) => Vec::new(),
        None => seeds(context)?.0.validation,
    };
    let sets = sets(context, &held_out)?;
    let shipped = Guardrail::shipped()?;
    let texts: Vec<&str> = sets.iter().flat_map(|s| s.texts.iter().map(String::as_str)).collect();
    let short = shipped.encoder().map_or(32, |encoder| median_tokens(&encoder, &texts));
    let mut lengths = vec![short, context.scale.pick(2 * short, PADDED, PADDED)];
    lengths.dedup();

    let mut all = architectures()?;
    if context.scale == Scale::Smoke {
        all.truncate(1);
    }
    let (device, dtype) = device()?;
    let mut measured: Vec<(Architecture, Config, Vec<Latency>)> = Vec::new();
    for (architecture, config) in all {
        let bar = context.progress(&format!("timing: {}", architecture.name), lengths.len());
        let mut latencies = Vec::new();
        let output = match architecture.classifier {
            true => 0.0,
            false => output_time(&config, dtype, &device)?,
        };
        let decoder = random(shrunk(&config), context.seed, dtype, &device)?;
        for &tokens in &lengths {
            latencies.push(Latency { output, ..latency(&decoder, tokens)? });
            bar.inc(1);
        }
        drop(decoder);
        // The smallest is small enough to be timed whole: a check of the others.
        if measured.is_empty() && context.scale != Scale::Smoke {
            let whole = random(config.clone(), context.seed, dtype, &device)?;
            for latency in &mut latencies {
                let time = || states_time(&whole, latency.tokens, config.layers);
                time()?;
                latency.whole = Some(median_of(time)?.0);
            }
        }
        bar.finish_and_clear();
        measured.push((architecture, config, latencies));
    }

    let step = texts.len().div_ceil(context.scale.pick(20, TEXTS, TEXTS)).max(1);
    let timed: Vec<&str> = texts.iter().copied().step_by(step).collect();
    let ours = Ours {
        milliseconds: shipped_time(&shipped, &timed)?,
        f1: Language::ALL.map(|_| None),
        always: Language::ALL.map(|_| None),
    };
    let ours = match context.data {
        Some(_) => {
            let own = scores(&shipped, &sets)?;
            let ones = |s: &Arc<Set>| score(&vec![1.0; s.truth.len()], &s.truth);
            let always = sets.iter().map(ones).collect::<Result<Vec<_>>>()?;
            Ours {
                f1: Language::ALL.map(|l| Some(means(&sets, &own, l).f1)),
                always: Language::ALL.map(|l| Some(means(&sets, &always, l).f1)),
                ..ours
            }
        }
        None => ours,
    };
    let reported = reported()?;
    let mut notes = notes(context, &measured, short, texts.len(), timed.len());
    notes.push(format!(
        "The architectures computed on {} in {}.{}",
        device_name(&device),
        dtype.as_str(),
        if device.is_cpu() { " What padding costs on a GPU is not measured here." } else { "" }
    ));
    if context.data.is_some() {
        notes.push(sets_note(&sets));
    }
    let (models, series) = models(&measured, &ours, &reported)?;
    Ok(Report {
        paper_reference: "Figure 2 (mean F1 and latency)".into(),
        claim:
            "On one device latency follows the products that a model computes: padding to 2,048 \
                tokens costs the smallest model more than the choice of model."
                .into(),
        notes,
        tables: vec![models, parts(&measured)?],
        series,
        ..Report::default()
    })
}

/// What is shown of our default and of the constant answer.
struct Ours {
    milliseconds: Option<f64>,
    f1: [Option<f64>; Language::ALL.len()],
    always: [Option<f64>; Language::ALL.len()],
}

/// Median length of the texts in word pieces.
fn median_tokens(encoder: &Encoder, texts: &[&str]) -> usize {
    let lengths = texts.iter().map(|text| encoder.length(text) as f64).collect();
    median(lengths).map_or(1, |n| n as usize)
}

/// The same decoder with few layers and token ids.
fn shrunk(config: &Config) -> Config {
    let layers = DEPTH.min(config.layers);
    let windows = config.windows[..layers].to_vec();
    Config { layers, windows, vocabulary: IDS, tied: true, ..config.clone() }
}

fn random(config: Config, seed: u64, dtype: DType, device: &Device) -> Result<Decoder> {
    Decoder::random(config, dtype, device, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// Seconds to the last token's state through the first layers, batch 1.
fn states_time(decoder: &Decoder, tokens: usize, layers: usize) -> Result<f64> {
    let ids: Vec<u32> = (0..tokens).map(|t| (t * 7919 % IDS) as u32).collect();
    let batch = Batch::new(&[ids])?;
    let start = Instant::now();
    let x = decoder.layers(&decoder.embed(&batch)?, &batch, 0..layers)?;
    decoder.finish(&x, &batch.last())?;
    decoder.device().synchronize()?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds to score the whole vocabulary after one token.
fn output_time(config: &Config, dtype: DType, device: &Device) -> Result<f64> {
    let weight = Tensor::ones((config.vocabulary, config.hidden), dtype, device)?;
    let state = Tensor::ones((1, config.hidden), dtype, device)?;
    let time = || {
        let start = Instant::now();
        state.matmul(&weight.t()?)?;
        device.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    };
    time()?;
    Ok(median_of(time)?.0)
}

/// The median of several measurements, and how many there were.
fn median_of(mut time: impl FnMut() -> Result<f64>) -> Result<(f64, usize)> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || (times.len() < ROUNDS && start.elapsed() < ENOUGH) {
        times.push(time()?);
    }
    let rounds = times.len();
    Ok((median(times).unwrap_or(f64::NAN), rounds))
}

/// Times every depth in turn, so that what else the machine does touches all alike.
fn latency(decoder: &Decoder, tokens: usize) -> Result<Latency> {
    let depth = decoder.config().layers;
    states_time(decoder, tokens.min(64), depth)?;
    let mut times = vec![Vec::new(); depth];
    let start = Instant::now();
    let mut rounds = 0;
    while rounds == 0 || (rounds < ROUNDS && start.elapsed() < ENOUGH) {
        for (k, times) in times.iter_mut().enumerate() {
            times.push(states_time(decoder, tokens, k + 1)?);
        }
        rounds += 1;
    }
    let t: Vec<f64> = times.into_iter().filter_map(median).collect();
    let layer = (t[depth - 1] - t[0]) / (depth - 1) as f64;
    let middle = depth / 2;
    let bend = (t[0] + layer * middle as f64) / t[middle] - 1.0;
    Ok(Latency { tokens, layer, rest: t[0] - layer, output: 0.0, bend, rounds, whole: None })
}

/// Median milliseconds of one text at a time.
fn shipped_time(guardrail: &Guardrail, texts: &[&str]) -> Result<Option<f64>> {
    let mut times = Vec::with_capacity(texts.len());
    for text in texts {
        let start = Instant::now();
        guardrail.scores(&[*text])?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(times))
}

/// Multiplications and additions of the layers' products, in units of 10⁹, attention to all tokens
/// included.
fn operations(config: &Config, tokens: usize) -> f64 {
    let (d, n) = (config.hidden as f64, tokens as f64);
    let heads = (config.heads * config.head_width) as f64;
    let kv = (config.kv_heads * config.head_width) as f64;
    let maps = d * (2.0 * heads + 2.0 * kv + 3.0 * config.intermediate as f64);
    config.layers as f64 * (2.0 * n * maps + 4.0 * n * n * heads) / 1e9
}

/// The columns of the second table: how each total came about.
fn parts(measured: &[(Architecture, Config, Vec<Latency>)]) -> Result<Table> {
    let ms = |name: &str| Column::new(name).unit("ms").decimals(1);
    let mut table = Table::new(
        "parts",
        "How each latency came about: total = rest + output + layers x layer. Bend: the middle depth \
         against the line through the others. Whole: the complete model, where it was timed",
        [
            Column::new("architecture"),
            Column::new("parameters").unit("millions").decimals(0),
            Column::new("tokens"),
            Column::new("rounds"),
            Column::new("layers"),
            ms("layer"),
            ms("rest"),
            ms("output"),
            ms("total"),
            Column::percent("bend"),
            ms("whole"),
            Column::new("operations").unit("GFLOP").decimals(0),
            Column::new("speed").unit("GFLOP/s").decimals(0),
        ],
    );
    for (architecture, config, latencies) in measured {
        for l in latencies {
            let (total, operations) = (l.total(config.layers), operations(config, l.tokens));
            table.push([
                architecture.name.as_str().into(),
                (config.parameters() as f64 / 1e6).into(),
                l.tokens.into(),
                l.rounds.into(),
                config.layers.into(),
                (1e3 * l.layer).into(),
                (1e3 * l.rest).into(),
                (1e3 * l.output).into(),
                (1e3 * total).into(),
                (100.0 * l.bend).into(),
                cell(l.whole.map(|t| 1e3 * t)),
                operations.into(),
                (operations / total).into(),
            ])?;
        }
    }
    Ok(table)
}

/// The paper's figures of a model beside the latency of its architecture here.
fn models(
    measured: &[(Architecture, Config, Vec<Latency>)],
    ours: &Ours,
    reported: &Reported,
) -> Result<(Table, Vec<Series>)> {
    let ms = |name: &str, decimals| Column::new(name).unit("ms").decimals(decimals);
    let times = |name: &str| Column::new(name).unit("times").decimals(1);
    let mut table = Table::new(
        "mean F1 and latency",
        "F1: mean over six benchmarks, the paper's models as it reports them. Latency here: batch 1 on \
         this machine, the architecture with random weights, ours on its CPU. Faster: the 8B architecture's latency in the \
         same column by this one. The paper's: its text and its repository, on a GPU",
        [
            Column::new("model"),
            Column::percent("F1, en"),
            Column::percent("F1, four languages"),
            ms("padded", 1),
            times("faster, padded"),
            ms("true length", 2),
            times("faster, true length"),
            ms("paper's text", 2),
            times("faster, text"),
            ms("paper's repository", 1),
            times("faster, repository"),
        ],
    );
    let of = |name: &str| measured.iter().find(|(a, _, _)| a.name == name);
    let milliseconds = |(_, config, latencies): &(Architecture, Config, Vec<Latency>),
                        last: bool| {
        let latency = if last { latencies.last() } else { latencies.first() };
        latency.map(|l| 1e3 * l.total(config.layers))
    };
    let largest = |last| of(LARGEST).and_then(|m| milliseconds(m, last));
    let printed = |name: &str, size: &str| {
        let latency = reported.latency.iter().find(|l| l.name == name && l.size == size);
        latency.map_or((None, None), |l| (l.paper, l.repository))
    };
    let ratio = |large: Option<f64>, own: Option<f64>| large.zip(own).map(|(l, o)| l / o);
    let (text_largest, repository_largest) = printed("LlamaGuard3", "8B");
    let mut series = Vec::new();
    let mut mark = |panel: &str, name: &str, x: Option<f64>, y: Option<f64>| {
        if let Some((x, y)) = x.zip(y) {
            let point = Series::new(panel, name, "latency (ms)", F1_AXIS, [[x, y]]);
            series.push(Series { style: Style::Markers, ..point });
        }
    };
    for ReportedModel { name, size, average, .. } in &reported.models {
        let architecture =
            measured.iter().find(|(a, _, _)| a.models.iter().any(|[n, s]| (n, s) == (name, size)));
        let (padded, short) = match architecture {
            Some(m) => (milliseconds(m, true), milliseconds(m, false)),
            None => (None, None),
        };
        let (text, repository) = printed(name, size);
        let all = mean(average.values().copied());
        let label = format!("{name} {size}");
        table.push([
            format!("{label} (paper)").into(),
            cell(average.get(&Language::En).copied()),
            cell(all),
            cell(padded),
            cell(ratio(largest(true), padded)),
            cell(short),
            cell(ratio(largest(false), short)),
            cell(text),
            cell(ratio(text_largest, text)),
            cell(repository),
            cell(ratio(repository_largest, repository)),
        ])?;
        mark(PANELS[0], &label, padded, all);
        mark(PANELS[1], &label, short, all);
        mark(PANELS[2], &label, repository, all);
    }
    let all = |f1: &[Option<f64>]| {
        let all: Option<Vec<f64>> = f1.iter().copied().collect();
        all.and_then(|all| mean(all.into_iter()))
    };
    let own = ours.milliseconds;
    table.push([
        "ours, shipped default".into(),
        cell(ours.f1[0]),
        cell(all(&ours.f1)),
        "never pads".into(),
        "-".into(),
        cell(own),
        cell(ratio(largest(false), own)),
        "-".into(),
        "-".into(),
        "-".into(),
        "-".into(),
    ])?;
    let mut always = vec!["always unsafe".into(), cell(ours.always[0]), cell(all(&ours.always))];
    always.extend(["-"; 8].map(Into::into));
    table.push(always)?;
    mark(PANELS[1], "ours", own, all(&ours.f1));
    if let Some(f1) = all(&ours.always) {
        for panel in PANELS {
            let x = || series.iter().filter(|s| s.panel == panel).map(|s| s.points[0][0]);
            let ends = [x().fold(f64::INFINITY, f64::min), x().fold(0.0, f64::max)];
            let points = ends.map(|x| [x, f1]);
            let line = Series::new(panel, "always unsafe", "latency (ms)", F1_AXIS, points);
            series.push(Series { style: Style::Dashed, ..line });
        }
    }
    Ok((table, series))
}

const F1_AXIS: &str = "mean F1 (%), four languages";
const PANELS: [&str; 3] =
    ["here, padded to 2048 tokens", "here, at the true length", "the paper's repository (GPU)"];

fn notes(
    context: &Context,
    measured: &[(Architecture, Config, Vec<Latency>)],
    short: usize,
    texts: usize,
    timed: usize,
) -> Vec<String> {
    let sources = measured.iter().map(|(a, _, _)| format!("{}: {}", a.name, a.source));
    let whose = if context.data.is_some() {
        "the benchmark texts'"
    } else {
        "the embedded held-out texts'"
    };
    let padded = measured.iter().flat_map(|(_, _, l)| l).map(|l| l.tokens).max().unwrap_or(PADDED);
    vec![
        format!(
            "Batch 1, random weights. Padded: {padded} tokens, all computed, as the released script \
             does with {PADDED}. True length: {short} tokens, {whose} median ({texts} texts, counted in \
             the word pieces of our encoder; other tokenizers differ somewhat)."
        ),
        format!(
            "Times of 1 to {DEPTH} layers of each architecture's shape give one layer and the rest; the \
             whole is extrapolated to all layers. Medians of up to {ROUNDS} rounds within {} s.",
            ENOUGH.as_secs()
        ),
        "One pass over the input. Guards that write their answer (all but DuoGuard's) also compute the \
         scores of the vocabulary once here; they would need a pass more for every further token, and their \
         prompt holds a policy of several hundred tokens, which is not counted."
            .into(),
        "Gemma 2 is timed as Gemma 3 of its sizes: norms of queries and keys more, soft caps less.".into(),
        format!(
            "Ours: the shipped default, one text at a time, {timed} texts of the same sets, everything \
             from the text to the score; the others from token ids, without their tokenizer."
        ),
        format!("Sizes: {}.", sources.collect::<Vec<_>>().join("; ")),
    ]
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let panel = |name: &str| {
        let of: Vec<&Series> = report.panel(name).collect();
        let models = of.iter().filter(|s| s.style == Style::Markers);
        let note = |s: &&Series| Note { at: s.points[0], text: s.name.clone() };
        let lines = of.iter().map(|s| match s.style {
            // Named beside its point.
            Style::Markers => Line { label: String::new(), ..Line::from(*s) },
            _ => Line::from(*s),
        });
        (!of.is_empty()).then(|| {
            Panel::from(LineChart {
                title: name.into(),
                x: Axis::log("latency (ms)"),
                y: Axis::linear(F1_AXIS),
                lines: lines.collect(),
                notes: models.clone().map(note).collect(),
            })
        })
    };
    let panels = PANELS.iter().filter_map(|name| panel(name)).collect();
    Figure { columns: 2, panels, ..Figure::default() }.draw(figures.join("fig2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameters in millions, as the models' cards and the sums of their shapes give them.
    #[test]
    fn architectures_have_their_published_sizes() {
        let all = architectures().unwrap();
        let millions = |name: &str| {
            let found = all.iter().find(|(a, _)| a.name == name);
            found.map(|(_, config)| config.parameters() / 100_000)
        };
        assert_eq!(millions("Qwen2.5-0.5B"), Some(4940));
        assert_eq!(millions("Llama-3.2-1B"), Some(12358));
        assert_eq!(millions("Gemma-2-2B"), Some(26143));
        assert_eq!(millions(LARGEST), Some(80302));
        let reported = reported().unwrap();
        for model in &reported.models {
            let known = all.iter().filter(|(a, _)| {
                a.models.iter().any(|[name, size]| (name, size) == (&model.name, &model.size))
            });
            assert_eq!(known.count(), 1, "{}", model.name);
        }
    }

    #[test]
    fn a_total_counts_every_layer_once() {
        let (rest, output, layer) = (0.5, 0.25, 2.0);
        let l = Latency { tokens: 8, layer, rest, output, bend: 0.0, rounds: 1, whole: None };
        assert_eq!(l.total(3), 6.75);
    }
}
