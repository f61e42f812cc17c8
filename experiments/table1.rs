//! Claim: always saying "unsafe" beats four of the paper's five models in mean F1; beside it stand the
//! false-positive rate, AUPRC and AUROC, with bootstrap intervals. Expected: ours >= TF-IDF logistic
//! regression on the same rows (mean F1 at 0.5: en 70.1, fr 66.1, es 36.5, de 44.0).
//!
//! Paper: Table 1.

use crate::contenders::{
    Contender, EMBEDDED, NEEDS_DATA, Scored, Source, THRESHOLD, Texts, benchmarks, cell, joined,
    saved, seeds,
};
use crate::scoring::train;
use crate::{Context, Scale};
use nashguard::Result;
use nashguard::data::{
    Benchmark, BenchmarkRows, Label, Language, Reported, ReportedLatency, ReportedModel, Seeds,
    embedded, reported,
};
use nashguard::metrics::{
    Confusion, Resampled, auroc, average_precision, bootstrap, choose_threshold,
    percentile_interval,
};
use nashguard::neural::{Guardrail, GuardrailConfig};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Cell, Column, Report, Table};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::path::Path;

pub const ABOUT: &str =
    "the six benchmarks in four languages: the paper's models, always unsafe, our guardrails";

const LEVEL: f64 = 0.95;

pub fn run(context: &Context) -> Result<Report> {
    let rows = benchmarks(context)?;
    let training = training(context)?;
    let texts = Texts::new(&training[0].1.validation, &rows);
    let mut contenders = saved(context, &texts)?;
    contenders.insert(1, Contender::new(context, "always unsafe", Source::Always, &texts, "")?);
    for (at, (name, seeds)) in training.iter().enumerate() {
        let guardrail = guardrail(context, name, seeds)?;
        let note = format!(
            "hashed character 2- to 5-grams and word 1- to 2-grams, an embedding bag, 12 sigmoid \
             outputs; trained on {} rows.",
            seeds.train.len()
        );
        let source = Source::Trained(guardrail);
        contenders.insert(2 + at, Contender::new(context, name, source, &texts, &note)?);
    }

    let mut named = Vec::new();
    for (k, contender) in contenders.iter().enumerate() {
        let chosen = if k == ALWAYS { None } else { Some(Thresholds::of(contender)?) };
        named.push((contender, chosen, contender.milliseconds()?));
    }
    let reported = reported()?;
    let mut tables = Vec::new();
    for language in Language::ALL {
        let mut table = Table::new(
            format!("Table 1, {}", language.code()),
            "F1 of the unsafe class, in percent. Means: over the six benchmarks, and over the five \
             that hold safe rows too. Recall: mean over six; FPR, AUPRC, AUROC: mean over five. \
             95%: bootstrap interval of the column before. The paper's rows are as it prints them, \
             on all rows",
            columns(),
        );
        for model in &reported.models {
            table.push(paper_row(model, language, latency(&reported, model)))?;
        }
        for (contender, chosen, milliseconds) in &named {
            let rules: &[Rule] = if chosen.is_some() { &Rule::ALL } else { &[Rule::Paper] };
            for rule in rules {
                let (threshold, how) = match chosen {
                    Some(chosen) => chosen.by(*rule, language),
                    None => (THRESHOLD, ""),
                };
                let name = match chosen {
                    Some(_) => {
                        format!("ours, {}, threshold {threshold:.3} ({how})", contender.name)
                    }
                    None => contender.name.clone(),
                };
                let figures = LanguageFigures::of(context, contender, language, threshold)?;
                table.push(our_row(
                    name, contender, language, threshold, &figures, *milliseconds,
                )?)?;
            }
        }
        tables.push(table);
    }
    tables.push(thresholds_table(&named)?);
    for (contender, ..) in named.iter().filter(|(_, chosen, _)| chosen.is_some()) {
        tables.push(detail(context, contender)?);
    }
    tables.push(rows_table(&rows)?);
    Ok(Report {
        paper_reference: "Table 1".into(),
        claim: "Mean F1 over the six benchmarks alone proves nothing: always saying \"unsafe\" \
                averages 64 to 66, more than four of the paper's five models. Our guardrails, beside \
                these."
            .into(),
        notes: notes(context, &contenders, &rows),
        tables,
        ..Report::default()
    })
}

/// Place of "always unsafe" among the contenders.
const ALWAYS: usize = 1;

/// How a threshold is found.
#[derive(Clone, Copy)]
enum Rule {
    Paper,
    HeldOut,
    HeldOutOfLanguage,
}

impl Rule {
    const ALL: [Self; 3] = [Self::Paper, Self::HeldOut, Self::HeldOutOfLanguage];
}

/// Thresholds chosen on held-out seeds, never on benchmark rows.
struct Thresholds {
    all: f32,
    /// Of the languages that have held-out seeds of both labels.
    of_language: Vec<(Language, f32)>,
}

impl Thresholds {
    fn of(contender: &Contender) -> Result<Self> {
        let (scores, truth) = joined(&contender.held_out);
        let mut of_language = Vec::new();
        for Scored { set, scores } in &contender.held_out {
            if set.truth.contains(&true) && set.truth.contains(&false) {
                of_language.push((set.language, choose_threshold(scores, &set.truth)?));
            }
        }
        Ok(Self { all: choose_threshold(&scores, &truth)?, of_language })
    }

    fn own(&self, language: Language) -> Option<f32> {
        self.of_language.iter().find(|(l, _)| *l == language).map(|(_, threshold)| *threshold)
    }

    /// The threshold, and how it was found.
    fn by(&self, rule: Rule, language: Language) -> (f32, &'static str) {
        match (rule, self.own(language)) {
            (Rule::Paper, _) => (THRESHOLD, PAPERS),
            (Rule::HeldOut, _) => (self.all, "chosen on held-out seeds"),
            (_, Some(own)) => (own, "chosen on held-out seeds of the language"),
            (_, None) => (
                self.all,
                "chosen on held-out seeds of all languages: this one has none of both labels",
            ),
        }
    }
}

const PAPERS: &str = "the paper's";

/// What to train n-grams on, and how to call it: the real seeds, alone and with our embedded corpus
/// (which has the prompt-style rows that public seeds lack outside English); without them, the corpus.
fn training(context: &Context) -> Result<Vec<(&'static str, Seeds)>> {
    let (seeds, name) = seeds(context)?;
    if name == EMBEDDED {
        return Ok(vec![(name, seeds)]);
    }
    let mut both = seeds.clone();
    both.train.extend(embedded()?.train);
    Ok(vec![(name, seeds), ("real seeds + embedded corpus", both)])
}

fn guardrail(context: &Context, name: &str, seeds: &Seeds) -> Result<Guardrail> {
    let mut config = GuardrailConfig::default();
    if context.scale == Scale::Smoke {
        config.epochs = 1;
    }
    train(context, name, config, seeds, context.seed)
}

fn columns() -> Vec<Column> {
    std::iter::once(Column::new("model"))
        .chain(Benchmark::ALL.map(|b| Column::percent(b.name())))
        .chain([
            Column::percent("mean of 6"),
            Column::new("95%"),
            Column::percent("mean of 5"),
            Column::percent("recall"),
            Column::percent("FPR"),
            Column::new("95%"),
            Column::percent("XSTest FPR"),
            Column::percent("AUPRC"),
            Column::percent("AUROC"),
            Column::new("95%"),
            Column::new("time per input").unit("ms").decimals(3),
            Column::percent("held-out seeds F1"),
        ])
        .collect()
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values = values.collect::<Option<Vec<f64>>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn paper_row(model: &ReportedModel, language: Language, latency: Option<f64>) -> Vec<Cell> {
    let f1 = |b: Benchmark| model.f1[&language][&b];
    let five = Benchmark::ALL.into_iter().filter(|b| b.has_both_classes()).map(|b| Some(f1(b)));
    let mut row = vec![format!("{} {} (paper)", model.name, model.size).into()];
    row.extend(Benchmark::ALL.map(|b| Cell::from(f1(b))));
    row.extend([model.average[&language].into(), "-".into(), cell(mean(five), "")]);
    row.extend(["-"; 7].map(Cell::from));
    row.push(cell(latency, "-"));
    row.push("-".into());
    row
}

/// Milliseconds per input as the paper's text gives them, else as its repository does.
fn latency(reported: &Reported, model: &ReportedModel) -> Option<f64> {
    let same = |l: &&ReportedLatency| l.name == model.name && l.size == model.size;
    reported.latency.iter().find(same).and_then(|l| l.paper.or(l.repository))
}

/// One benchmark's figures, in percent.
struct Figures {
    confusion: Confusion,
    auprc: Option<f64>,
    auroc: Option<f64>,
    /// The same in samples of its rows.
    samples: Vec<Resampled>,
}

impl Figures {
    fn of(context: &Context, scored: &Scored, threshold: f32) -> Result<Self> {
        let Scored { set, scores } = scored;
        // Every contender meets the same samples, and every benchmark its own.
        let mut rng = ChaCha8Rng::seed_from_u64(context.seed);
        let benchmark = set.benchmark.map_or(0, |b| 1 + b as u64);
        rng.set_stream(benchmark * Language::ALL.len() as u64 + set.language as u64);
        let resamples = context.scale.pick(100, 1000, 10_000);
        Ok(Self {
            confusion: Confusion::at(threshold, scores, &set.truth)?,
            auprc: average_precision(scores, &set.truth)?.map(|v| 100.0 * v),
            auroc: auroc(scores, &set.truth)?.map(|v| 100.0 * v),
            samples: bootstrap(threshold, scores, &set.truth, resamples, &mut rng)?,
        })
    }
}

/// One contender's figures on the benchmarks of a language.
struct LanguageFigures(Vec<(Benchmark, Figures)>);

impl LanguageFigures {
    fn of(
        context: &Context,
        contender: &Contender,
        language: Language,
        threshold: f32,
    ) -> Result<Self> {
        let mut figures = Vec::new();
        for scored in contender.benchmarks.iter().filter(|s| s.set.language == language) {
            if let Some(benchmark) = scored.set.benchmark {
                figures.push((benchmark, Figures::of(context, scored, threshold)?));
            }
        }
        Ok(Self(figures))
    }

    fn one(&self, benchmark: Benchmark) -> Option<&Figures> {
        self.0.iter().find(|(b, _)| *b == benchmark).map(|(_, figures)| figures)
    }

    /// Mean over the six benchmarks, or the five that hold both labels.
    fn mean(&self, five: bool, value: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        mean(self.0.iter().filter(|(b, _)| !five || b.has_both_classes()).map(|(_, f)| value(f)))
    }

    /// The bootstrap interval of such a mean of fractions, in percent.
    fn interval(&self, five: bool, value: impl Fn(&Resampled) -> Option<f64>) -> Cell {
        let samples = self.0.first().map_or(0, |(_, f)| f.samples.len());
        let means = (0..samples).map(|k| self.mean(five, |f| value(&f.samples[k])));
        interval(means, NEEDS_DATA)
    }
}

/// The 95% interval of fractions, in percent.
fn interval(values: impl Iterator<Item = Option<f64>>, missing: &str) -> Cell {
    match percentile_interval(values, LEVEL) {
        Some([low, high]) => format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high).into(),
        None => missing.into(),
    }
}

fn our_row(
    name: String,
    contender: &Contender,
    language: Language,
    threshold: f32,
    figures: &LanguageFigures,
    milliseconds: Option<f64>,
) -> Result<Vec<Cell>> {
    let f1 = |f: &Figures| Some(100.0 * f.confusion.f1());
    let fpr = |f: &Figures| f.confusion.false_positive_rate().map(|v| 100.0 * v);
    let need = |value: Option<f64>| cell(value, NEEDS_DATA);
    let mut row: Vec<Cell> = vec![name.into()];
    row.extend(Benchmark::ALL.map(|b| need(figures.one(b).and_then(f1))));
    row.extend([
        need(figures.mean(false, f1)),
        figures.interval(false, |s| Some(s.confusion.f1())),
        need(figures.mean(true, f1)),
        need(figures.mean(false, |f| Some(100.0 * f.confusion.recall()))),
        need(figures.mean(true, fpr)),
        figures.interval(true, |s| s.confusion.false_positive_rate()),
        need(figures.one(Benchmark::XsTest).and_then(fpr)),
        need(figures.mean(true, |f| f.auprc)),
        need(figures.mean(true, |f| f.auroc)),
        figures.interval(true, |s| s.auroc),
        cell(milliseconds, "-"),
    ]);
    let held_out = contender.held_out.iter().find(|s| s.set.language == language);
    let f1 = held_out.map(|s| Confusion::at(threshold, &s.scores, &s.set.truth)).transpose()?;
    row.push(cell(f1.map(|c| 100.0 * c.f1()), "-"));
    Ok(row)
}

/// The thresholds chosen, and on how many rows.
fn thresholds_table(named: &[(&Contender, Option<Thresholds>, Option<f64>)]) -> Result<Table> {
    let threshold = |language: Language| Column::new(language.code()).decimals(3);
    let mut columns = vec![Column::new("model"), Column::new("all").decimals(3)];
    columns.extend(Language::ALL.map(threshold));
    columns.extend([Column::new("safe rows"), Column::new("unsafe rows")]);
    let mut table = Table::new(
        "thresholds",
        "Thresholds of the best F1 on held-out seeds: of all languages, and of each that has rows of \
         both labels. Rows: in en, fr, es, de",
        columns,
    );
    for (contender, chosen, _) in named {
        let Some(chosen) = chosen else { continue };
        let mut row = vec![contender.name.as_str().into(), f64::from(chosen.all).into()];
        let own = |l| cell(chosen.own(l).map(f64::from), "rows of one label");
        row.extend(Language::ALL.map(own));
        for label in [false, true] {
            let count = |language: Language| {
                let sets = contender.held_out.iter().filter(|s| s.set.language == language);
                sets.flat_map(|s| &s.set.truth).filter(|&&truth| truth == label).count().to_string()
            };
            row.push(Language::ALL.map(count).join(", ").into());
        }
        table.push(row)?;
    }
    Ok(table)
}

/// Every figure of one contender, a row a benchmark and language.
fn detail(context: &Context, contender: &Contender) -> Result<Table> {
    let mut table = Table::new(
        format!("details, {}", contender.name),
        format!(
            "ours, {}, threshold {THRESHOLD:.3} ({PAPERS}): every benchmark and language",
            contender.name
        ),
        [
            Column::new("benchmark"),
            Column::new("language"),
            Column::percent("F1"),
            Column::new("95%"),
            Column::percent("precision"),
            Column::percent("recall"),
            Column::percent("FPR"),
            Column::percent("AUPRC"),
            Column::percent("AUROC"),
        ],
    );
    for scored in &contender.benchmarks {
        let f = Figures::of(context, scored, THRESHOLD)?;
        table.push([
            scored.set.name().into(),
            scored.set.language.code().into(),
            (100.0 * f.confusion.f1()).into(),
            interval(f.samples.iter().map(|s| Some(s.confusion.f1())), "undefined"),
            (100.0 * f.confusion.precision()).into(),
            (100.0 * f.confusion.recall()).into(),
            cell(f.confusion.false_positive_rate().map(|v| 100.0 * v), "undefined"),
            cell(f.auprc, "undefined"),
            cell(f.auroc, "undefined"),
        ])?;
    }
    Ok(table)
}

/// A place without the folders before its file: those are the reader's own.
fn short(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place)
}

/// What was read.
fn rows_table(rows: &[BenchmarkRows]) -> Result<Table> {
    let mut table = Table::new(
        "rows",
        "Rows read, of those the complete released file has; rows skipped, and why",
        ["benchmark", "language", "rows", "released", "unsafe", "skipped", "why"].map(Column::new),
    );
    for r in rows {
        let mut reasons: Vec<String> =
            r.skipped.iter().map(|s| format!("{}: {}", short(&s.place), s.reason)).collect();
        if reasons.len() > 3 {
            reasons.truncate(3);
            reasons.push("...".into());
        }
        table.push([
            r.benchmark.name().into(),
            r.language.code().into(),
            r.texts.len().into(),
            r.benchmark.released_rows(r.language).into(),
            r.labels.iter().filter(|l| **l == Label::Unsafe).count().into(),
            r.skipped.len().into(),
            reasons.join("; ").into(),
        ])?;
    }
    Ok(table)
}

fn notes(context: &Context, contenders: &[Contender], rows: &[BenchmarkRows]) -> Vec<String> {
    let ours = contenders.iter().enumerate().filter(|(k, _)| *k != ALWAYS);
    let mut notes: Vec<String> = ours.map(|(_, contender)| contender.note.clone()).collect();
    notes.push(
        "Thresholds other than the paper's are chosen on held-out seed rows (table \"thresholds\"). No \
         benchmark row was trained, tuned or selected on; that the shipped default has a shift of its logits at \
         all was thought of after a look at them, its size was chosen on held-out sources."
            .into(),
    );
    let read: usize = rows.iter().map(|r| r.texts.len() + r.skipped.len()).sum();
    let released: usize = rows.iter().map(|r| r.benchmark.released_rows(r.language)).sum();
    if rows.is_empty() {
        notes.push(
            "No benchmark was given: their cells read \"needs --data\"; the last column scores the \
             embedded held-out texts."
                .into(),
        );
    } else if context.scale == Scale::Smoke {
        notes.push("At smoke scale a part of every benchmark is scored.".into());
    } else if read < released {
        notes.push(format!(
            "The benchmark files hold {read} of the {released} released rows (the even half where \
             a file is halved): these are results on part of the rows, the paper's on all."
        ));
    }
    notes.push(format!(
        "95%: percentiles of {} samples of rows, drawn with replacement within each benchmark, the same \
         samples for all models. BeaverTails repeats prompts with other answers, so that its rows, and \
         the intervals, claim a little more than they know. What training and its seed add is not in \
         them.",
        context.scale.pick(100, 1000, 10_000)
    ));
    notes.push(
        "Time per input: ours batch 1 on this CPU, from text to score, median; the paper's as its \
         text gives it (16.47, 57.83 and 58.88 ms) or else its repository, batch 1 on an H100-class GPU, every input padded to 2048 tokens."
            .into(),
    );
    notes.push("XSafety holds unsafe rows only: its F1 measures recall alone.".into());
    notes.push(
        "XSTest FPR: the share of requests called unsafe that only sound so (over-refusal).".into(),
    );
    notes
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let tables: Vec<&Table> =
        report.tables.iter().filter(|t| t.name.starts_with("Table 1")).collect();
    let chart = |title: &str, column: &str| -> Option<Panel> {
        let at = tables.first()?.columns.iter().position(|c| c.name == column)?;
        let bars = (0..tables.first()?.rows.len()).filter_map(|k| {
            let label = match &tables.first()?.rows[k][0] {
                // What thresholds do is read in the table.
                Cell::Text(name) if !name.contains("chosen on") => name.clone(),
                _ => return None,
            };
            let values: Vec<_> = tables.iter().map(|t| t.rows[k][at].as_f64()).collect();
            values.iter().any(Option::is_some).then_some(Bar { label, values })
        });
        let bars: Vec<Bar> = bars.collect();
        (!bars.is_empty()).then(|| {
            Panel::from(Bars {
                title: title.into(),
                value: Axis::linear("percent").between(0.0, 100.0),
                series: Language::ALL.map(|l| l.code().into()).to_vec(),
                bars,
            })
        })
    };
    let panels = [
        chart("Mean F1 over the six benchmarks", "mean of 6"),
        chart("Mean F1 over the five with both classes", "mean of 5"),
        chart("False-positive rate", "FPR"),
        chart("False-positive rate on XSTest", "XSTest FPR"),
        chart("AUROC", "AUROC"),
    ];
    Figure { columns: 2, panels: panels.into_iter().flatten().collect(), ..Figure::default() }
        .draw(figures.join("table1"))
}
