//! `nashguard play`: the two-player game with networks, from a configuration file.

use crate::interrupt;
use crate::show::bar;
use clap::Args;
use indicatif::ProgressBar;
use nashguard::data::{Benchmark, Category, DataDir, Language, Origin, Row, Seeds, embedded};
use nashguard::neural::generator::Writer;
#[cfg(feature = "server")]
use nashguard::neural::generator::{Server, ServerConfig};
use nashguard::neural::rounds::{
    Estimate, Event, Material, Model, Need, Plan, RoundsConfig, Stage, Summary, estimate, gib,
    run as play,
};
use nashguard::{Error, Result};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Options {
    /// What is played: a TOML file such as experiments/play-small.toml.
    #[arg(long, value_name = "FILE.toml")]
    pub config: PathBuf,
    /// Real data: seeds, and benchmarks to score on after each round; the embedded corpus without.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The folder of pre-trained models.
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub models: PathBuf,
    /// Where everything is kept; the same command goes on with what is there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Settles the randomness in the configuration's place.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Plays nothing and writes nothing: checks data, models, memory and disk, measures for some seconds how fast this
    /// machine is, and prints what the game would take.
    #[arg(long)]
    pub dry_run: bool,
    /// An OpenAI-compatible server that writes instead of a model here, for example http://127.0.0.1:8000; it does not
    /// learn.
    #[cfg(feature = "server")]
    #[arg(long, value_name = "URL")]
    pub generator_url: Option<String>,
    /// The model to ask for, of a server that holds several.
    #[cfg(feature = "server")]
    #[arg(long, value_name = "NAME", requires = "generator_url")]
    pub generator_model: Option<String>,
    /// The environment variable that holds that server's access key.
    #[cfg(feature = "server")]
    #[arg(long, value_name = "NAME", requires = "generator_url")]
    pub generator_key: Option<String>,
    /// Requests to that server at a time; what keeps a large one busy.
    #[cfg(feature = "server")]
    #[arg(long, value_name = "N", default_value_t = ServerConfig::default().requests)]
    pub generator_requests: usize,
    /// Seconds that an answer of it may take.
    #[cfg(feature = "server")]
    #[arg(long, value_name = "SECONDS", default_value_t = ServerConfig::default().patience)]
    pub generator_patience: f64,
}

pub fn run(options: &Options) -> Result<()> {
    let (name, text) = crate::read(&options.config)?;
    let mut config: RoundsConfig = crate::train::parse(&name, &text)?;
    config.seed = options.seed.unwrap_or(config.seed);
    config.check().map_err(|e| e.within(&name))?;
    let material = material(&config, options)?;
    tell!(
        "{} rows to classify by, {} to rewrite",
        material.seeds.train.len(),
        material.prompts.len()
    );
    if options.dry_run {
        return dry_run(&config, &material, options);
    }
    interrupt::advise("go on with the same command");
    let mut progress: Option<(Stage, ProgressBar)> = None;
    let server = server(options).transpose()?;
    if server.is_some() && config.evaluation > 0 {
        tell!("payoff and gap are not estimated: a server gives no log-probabilities");
    }
    let (models, out) = (&options.models, &options.out);
    let played = play(&config, &material, models, server.as_deref(), out, &mut |event| {
        match event {
            Event::Progress(stage, done, all) => {
                if progress.as_ref().is_none_or(|(known, _)| *known != stage) {
                    if let Some((_, bar)) = progress.take() {
                        bar.finish_and_clear();
                    }
                    progress = Some((stage, bar(name_of(stage), all)));
                }
                if let Some((_, bar)) = &progress {
                    bar.set_length(all as u64);
                    bar.set_position(done as u64);
                }
            }
            Event::Round(summary) => {
                if let Some((_, bar)) = progress.take() {
                    bar.finish_and_clear();
                }
                tell!("{}", line(&summary));
            }
        }
        ControlFlow::Continue(())
    })?;
    if played.is_some() {
        crate::print(&format!("{}\n", options.out.display()))?;
    }
    Ok(())
}

/// Prints what the game would take; an error when something stands in its way.
fn dry_run(config: &RoundsConfig, material: &Material, options: &Options) -> Result<()> {
    let server = server(options);
    let writer = match &server {
        Some(Ok(server)) => Some(Ok(&**server)),
        _ => server.and_then(Result::err).map(Err),
    };
    let found = estimate(config, material, &options.models, writer, &options.out)?;
    crate::print(&page(&found, &options.out))?;
    found.problems.into_iter().next().map_or(Ok(()), Err)
}

/// An estimate for people.
fn page(found: &Estimate, out: &Path) -> String {
    let Plan { rounds, rows, prompts, tasks, texts, benchmarks } = found.plan;
    let mut page = format!(
        "data\n  {} rows to classify by, {} to choose by, {prompts} to rewrite, {benchmarks} benchmark texts\n  \
         a round: {tasks} tasks (seeds x languages), {texts} texts; {rounds} rounds\n",
        rows[0], rows[1]
    );
    let mut put = |line: String| page += &(line + "\n");
    put("models".into());
    for Model { role, path, parameters, whole } in &found.models {
        let size = parameters.map_or("sizes unknown without its config.json".into(), |p| {
            format!("{:.0} million weights", p as f64 / 1e6)
        });
        let state = if *whole { "whole" } else { "not all there" };
        put(format!("  {role}: {}: {state}, {size}", path.display()));
    }
    let free = |bytes: Option<u64>| bytes.map_or("unknown".into(), |b| gib(b as usize));
    let fits = |bytes: usize, free: Option<u64>| match free {
        None => "",
        Some(free) if bytes as u64 <= free => ": fits",
        Some(_) => ": DOES NOT FIT",
    };
    let parts = |need: &Need| {
        let part = |(name, bytes): &(&str, usize)| format!("{name} {}", gib(*bytes));
        need.parts.iter().map(part).collect::<Vec<_>>().join(", ")
    };
    put(format!("memory at a stage's peak, by formula ({} free)", free(found.machine.memory)));
    for need in &found.memory {
        let all = need.total();
        let verdict = fits(all, found.machine.memory);
        put(format!("  {}: {}{verdict} ({})", need.what, gib(all), parts(need)));
    }
    let all = found.disk.iter().map(Need::total).sum();
    let verdict = fits(all, found.machine.disk);
    put(format!(
        "disk after all rounds, {}: {}{verdict} ({} free)",
        out.display(),
        gib(all),
        free(found.machine.disk)
    ));
    for need in &found.disk {
        put(format!("  {}: {} ({})", need.what, gib(need.total()), parts(need)));
    }
    put(format!(
        "time, at speeds measured here in some seconds each\n  {:24} {:>10} {:6} {:>10} {:>10} {:>5} {:>9}",
        "", "amount", "", "a second", "hours", "times", "in all"
    ));
    let number = |x: f64| if x < 100.0 { format!("{x:.3}") } else { format!("{x:.0}") };
    let (mut sum, mut unknown) = (0.0, 0);
    for cost in &found.costs {
        let name = format!("{}: {}", name_of(cost.stage), cost.what);
        let (rate, hours, whole) = match (cost.rate, cost.hours()) {
            (Some(rate), Some(hours)) => {
                let whole = hours * cost.times as f64;
                sum += whole;
                (number(rate), number(hours), number(whole))
            }
            _ => {
                unknown += 1;
                ("not measured".into(), "-".into(), "-".into())
            }
        };
        put(format!(
            "  {name:24} {:>10.2e} {:6} {rate:>12} {hours:>8} {:>5} {whole:>9}  {}",
            cost.amount, cost.unit, cost.times, cost.assumption
        ));
    }
    let rest = match unknown {
        0 => String::new(),
        n => format!(", and {n} lines that could not be measured"),
    };
    put(format!("  in all {} hours{rest}", number(sum)));
    page
}

/// What writes in place of a model here, if anything should.
#[cfg(feature = "server")]
fn server(options: &Options) -> Option<Result<Box<dyn Writer>>> {
    let url = options.generator_url.clone()?;
    let key = options.generator_key.clone();
    let model = options.generator_model.clone();
    let (requests, patience) = (options.generator_requests, options.generator_patience);
    let mut config =
        ServerConfig { url, model, key, requests, patience, ..ServerConfig::default() };
    if options.dry_run {
        config.attempts = 1;
    }
    Some(Server::new(config).map(|server| Box::new(server) as Box<dyn Writer>))
}

#[cfg(not(feature = "server"))]
fn server(_: &Options) -> Option<Result<Box<dyn Writer>>> {
    None
}

fn name_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Teaching => "teaching",
        Stage::Sampling => "sampling",
        Stage::Rating => "rating",
        Stage::Scoring => "scoring",
        Stage::Classifier => "classifier",
        Stage::Generator => "generator",
        Stage::Evaluation => "evaluation",
    }
}

/// A round in a line.
fn line(s: &Summary) -> String {
    let mut line = format!("round {}:", s.round);
    if s.drawn > 0 {
        let dropped: usize = s.dropped.values().sum();
        let [wrong, kept] =
            s.misclassified.values().fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
        line += &format!(" {} texts, {dropped} dropped, {wrong} of {kept} misclassified;", s.drawn);
    }
    if let Some(law) = &s.law {
        let [mean, error] = law.payoff;
        line += &format!(" payoff {mean:.3} ± {error:.3} nats, KL {:.2};", law.kl[0]);
    }
    if let Some(gap) = &s.gap {
        line += &format!(" gap before ≥ {:.3} ± {:.3};", gap.width[0], gap.width[1]);
    }
    let means: Vec<String> = Language::ALL.iter().filter_map(|&l| mean_f1(s, l)).collect();
    if !means.is_empty() {
        line += &format!(" mean F1 {}", means.join(", "));
    }
    line
}

fn mean_f1(s: &Summary, language: Language) -> Option<String> {
    let of: Vec<f64> =
        s.benchmarks.iter().filter(|b| b.language == language).map(|b| b.f1).collect();
    let mean = 100.0 * of.iter().sum::<f64>() / of.len() as f64;
    (!of.is_empty()).then(|| format!("{} {mean:.1}", language.code()))
}

/// The rows of the game: chosen among those of the data folder, or the embedded corpus.
fn material(config: &RoundsConfig, options: &Options) -> Result<Material> {
    let dir = options.data.as_ref().map(DataDir::open).transpose()?;
    let [train, validation] = match &dir {
        Some(dir) => dir.seed_origins()?.ok_or_else(|| {
            let remedy = "give a folder with seed/train.jsonl.gz, or leave --data out";
            Error::invalid("--data", "it holds no seed rows", remedy)
        })?,
        None => {
            let Seeds { train, validation } = embedded()?;
            let named = |rows: Vec<Row>| -> Vec<(Row, Origin)> {
                let name = |(i, row)| {
                    let id = format!("embedded-{i}");
                    (row, Origin { id, source: "nashguard#embedded".into(), ..Origin::default() })
                };
                rows.into_iter().enumerate().map(name).collect()
            };
            [named(train), named(validation)]
        }
    };
    let mut benchmarks = Vec::new();
    if let Some(dir) = &dir {
        for language in Language::ALL {
            for benchmark in Benchmark::ALL {
                benchmarks.push(dir.benchmark(benchmark, language)?);
            }
        }
    }
    let seeds = config.selection.choose(train.clone(), validation, config.seed).seeds;
    let prompts = config.prompts.choose(train.clone(), Vec::new(), config.seed);
    let mut prompts: Vec<_> = prompts.seeds.train.into_iter().zip(prompts.origins).collect();
    // Nothing is written about the exploitation of children, whatever a classifier might learn from it.
    prompts.retain(|(row, _)| !row.categories.contains(&Category::ChildExploitation));
    Ok(Material { seeds, prompts, all: train, benchmarks })
}
