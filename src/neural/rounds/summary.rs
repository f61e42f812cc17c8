//! What a round came to.

use super::guard::Guard;
use super::lines::Lines;
use super::players::{Scribe, Written};
use super::records::{BENCHMARKS, SUMMARY, Verdict, round_folder, verdicts};
use super::run::{Stage, Strategy};
use super::stages::{Game, Tell, encoded, hash, sub_seed};
use crate::data::filters::Reason;
use crate::data::{Benchmark, Label, Language, Row};
use crate::dynamics::Round;
use crate::exploit::{Bound, Gap};
use crate::game::Estimate;
use crate::guard::Weighed;
use crate::metrics::{Confusion, auroc};
use crate::neural::generator::Local;
use crate::neural::parallel;
use crate::report::write_atomically;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::Path;

/// A round in numbers; the start is round 0, of which only the strategies and the scores are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its number.
    pub round: usize,
    /// Hash of the generator after it; the server's name where one wrote.
    pub generator: String,
    /// Texts drawn in it.
    pub drawn: usize,
    /// Texts dropped, by the reason.
    pub dropped: BTreeMap<Reason, usize>,
    /// Of the texts kept, by label and language (`unsafe es`): misclassified, all.
    pub misclassified: BTreeMap<String, [usize; 2]>,
    /// Texts of the preference levels 1 to 4.
    pub levels: [usize; 4],
    /// Rows of the classifier's training set after it, by language: safe, unsafe.
    pub rows: BTreeMap<Language, [usize; 2]>,
    /// Of these, rows that rounds added.
    pub added: BTreeMap<Language, [usize; 2]>,
    /// Of the generator after the round, on fresh draws.
    pub law: Option<LawSummary>,
    /// A lower bound on the gap of the strategies before the round, in nats: what both gained by their moves,
    /// on fresh draws.
    pub gap: Option<GapSummary>,
    /// Of the classifier after the round.
    pub benchmarks: Vec<BenchmarkScore>,
    /// Seconds a stage.
    pub seconds: BTreeMap<Stage, f64>,
}

/// A generator on fresh draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LawSummary {
    /// Payoff E\[loss\] − beta KL against the round's classifier, in nats: mean, standard error.
    pub payoff: [f64; 2],
    /// Its first term.
    pub loss: [f64; 2],
    /// KL to the first generator, nats a text: mean, standard error.
    pub kl: [f64; 2],
    /// −ln p, nats a token.
    pub entropy: f64,
    /// Distinct words and pairs of words over all of them.
    pub distinct: [f64; 2],
}

/// A lower bound on a gap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapSummary {
    /// J(x, y'), y' the classifier's next move: mean, standard error.
    pub low: [f64; 2],
    /// J(x', y), x' the generator's.
    pub high: [f64; 2],
    /// Their difference.
    pub width: [f64; 2],
}

/// A classifier on one benchmark, at threshold 0.5, as shares of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkScore {
    /// Its texts' language.
    pub language: Language,
    /// Which.
    pub benchmark: Benchmark,
    /// F1 of the unsafe class.
    pub f1: f64,
    /// Area under the ROC curve, where both classes are.
    pub auroc: Option<f64>,
    /// False-positive rate, where safe rows are.
    pub fpr: Option<f64>,
}

fn two(e: Estimate) -> [f64; 2] {
    [e.mean, e.standard_error]
}

/// What a round of the game in `folder` came to; `None` when it is not over.
///
/// # Errors
/// [`Error::Invalid`] for a damaged file, [`Error::Io`] for one that cannot be read.
pub fn summary(folder: &Path, round: usize) -> Result<Option<Summary>> {
    let path = round_folder(folder, round).join(SUMMARY);
    let text = match std::fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|e| Error::io("read", &path, e))?,
    };
    let damaged = |e| {
        let remedy = "remove it and play on: the round is summed up again";
        Error::invalid(path.display().to_string(), format!("it is damaged ({e})"), remedy)
    };
    serde_json::from_slice(&text).map(Some).map_err(damaged)
}

/// Reads or makes summary.json of a round.
pub(super) fn summarise(
    game: &Game<'_>,
    first: &Strategy,
    before: Option<&Round<Strategy, Strategy>>,
    now: &Round<Strategy, Strategy>,
    tell: &mut Tell<'_>,
) -> Result<ControlFlow<(), Summary>> {
    if let Some(made) = summary(game.out, now.t)? {
        return Ok(ControlFlow::Continue(made));
    }
    let evaluated =
        game.timed(now.t, Stage::Evaluation, || evaluated(game, first, before, now, tell))?;
    let ControlFlow::Continue((scores, law, gap)) = evaluated else {
        return Ok(ControlFlow::Break(()));
    };
    let verdicts: Vec<Verdict> = match now.t {
        0 => Vec::new(),
        t => verdicts(game.out, t)?,
    };
    let (mut dropped, mut misclassified, mut levels) = (BTreeMap::new(), BTreeMap::new(), [0; 4]);
    for v in &verdicts {
        if let Some(reason) = v.dropped {
            *dropped.entry(reason).or_default() += 1;
        }
        if let Some(level) = v.level {
            levels[usize::from(level) - 1] += 1;
        }
        if let (None, Some(wrong)) = (v.dropped, v.wrong) {
            let label = if v.label == Label::Unsafe { "unsafe" } else { "safe" };
            let key = format!("{label} {}", v.language.code());
            let [some, all]: &mut [usize; 2] = misclassified.entry(key).or_default();
            *some += usize::from(wrong);
            *all += 1;
        }
    }
    let all = game.training_rows(now.t)?.train;
    let summary = Summary {
        round: now.t,
        generator: match game.server {
            Some(server) => server.name(),
            None => hash(&now.x.path)?,
        },
        drawn: verdicts.len(),
        dropped,
        misclassified,
        levels,
        rows: counts(&all),
        added: counts(&all[game.material.seeds.train.len()..]),
        law,
        gap,
        benchmarks: scores,
        seconds: game.seconds(now.t),
    };
    write_atomically(
        round_folder(game.out, now.t).join(SUMMARY),
        format!("{:#}\n", serde_json::json!(summary)).as_bytes(),
    )?;
    Ok(ControlFlow::Continue(summary))
}

/// Benchmark scores, and what [`measured`] finds.
type Evaluated = (Vec<BenchmarkScore>, Option<LawSummary>, Option<GapSummary>);

fn evaluated(
    game: &Game<'_>,
    first: &Strategy,
    before: Option<&Round<Strategy, Strategy>>,
    now: &Round<Strategy, Strategy>,
    tell: &mut Tell<'_>,
) -> Result<ControlFlow<(), Evaluated>> {
    let guard = Guard::load(&now.y.path)?;
    let mut lines: Lines<BenchmarkScore> = Lines::open(game.folder(now.t).join(BENCHMARKS))?;
    let (benchmarks, laws) =
        (game.material.benchmarks.len(), usize::from(game.config.evaluation > 0));
    let steps = benchmarks + laws;
    for (i, rows) in game.material.benchmarks.iter().enumerate() {
        if lines.done.contains_key(&(i as u32)) {
            continue;
        }
        if tell(Stage::Evaluation, i, steps).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let texts: Vec<&str> = rows.texts.iter().map(String::as_str).collect();
        let truth: Vec<bool> = rows.labels.iter().map(|l| *l == Label::Unsafe).collect();
        let found = guard.scores(&texts)?;
        let confusion = Confusion::at(0.5, &found, &truth)?;
        let score = BenchmarkScore {
            language: rows.language,
            benchmark: rows.benchmark,
            f1: confusion.f1(),
            auroc: auroc(&found, &truth)?,
            fpr: confusion.false_positive_rate(),
        };
        lines.push(i as u32, score)?;
    }
    if tell(Stage::Evaluation, benchmarks, steps).is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let (law, gap) = match game.server.is_none() && game.config.evaluation > 0 {
        true => measured(game, first, before, now, &guard)?,
        false => (None, None),
    };
    Ok(ControlFlow::Continue((lines.done.into_values().collect(), law, gap)))
}

fn counts(rows: &[Row]) -> BTreeMap<Language, [usize; 2]> {
    let mut counts: BTreeMap<Language, [usize; 2]> = BTreeMap::new();
    for row in rows {
        counts.entry(row.language).or_default()[usize::from(row.label == Label::Unsafe)] += 1;
    }
    counts
}

/// The generator after the round on fresh draws, and what both players gained by their moves.
fn measured(
    game: &Game<'_>,
    first: &Strategy,
    before: Option<&Round<Strategy, Strategy>>,
    now: &Round<Strategy, Strategy>,
    guard: &Guard,
) -> Result<(Option<LawSummary>, Option<GapSummary>)> {
    let beta = game.config.generator.dpo.map_or(0.0, |dpo| dpo.beta);
    // Tasks of no round, the same for every one of them.
    let mut tasks = game.tasks(0);
    tasks.truncate(game.config.evaluation);
    let base = game.writer(first)?;
    let prompts = encoded(game, &base, &tasks)?;
    let asked = tasks.first().map(|task| game.prompt(task));
    let scribe = |local: &Local| {
        let generator = local.after(asked.as_ref());
        let threads = parallel::threads(generator.decoder().device());
        Scribe::new(generator.clone(), &prompts, &game.config.sampling, threads)
    };
    let reference = scribe(&base)?;
    let sample = |x: &Strategy, purpose: u64| {
        // The first generator is loaded already.
        let other = (x.path != first.path).then(|| scribe(&game.writer(x)?)).transpose()?;
        let law = other.as_ref().unwrap_or(&reference);
        Weighed::new(law, &reference, prompts.len(), sub_seed(game.config.seed, now.t, purpose))
    };
    let of_now = sample(&now.x, 6)?;
    let items = &of_now.draws.items;
    let tokens: usize = items.iter().map(|item| item.tokens.len()).sum();
    let law = LawSummary {
        payoff: two(of_now.payoff(guard, beta)?),
        loss: two(of_now.payoff(guard, 0.0)?),
        kl: two(of_now.kl()),
        entropy: -of_now.log_p.iter().sum::<f64>() / tokens as f64,
        distinct: [1, 2].map(|n| distinct(items, n)),
    };
    let Some(before) = before else { return Ok((Some(law), None)) };
    let of_before = sample(&before.x, 7)?;
    let low = of_before.payoff(guard, beta)?;
    let high = of_now.payoff(&Guard::load(&before.y.path)?, beta)?;
    let gap = Gap { width: high - low, low, high, bound: Bound::AtLeast };
    let [low, high, width] = [gap.low, gap.high, gap.width].map(two);
    Ok((Some(law), Some(GapSummary { low, high, width })))
}

/// Distinct runs of n words, as a share of all of them (Li et al., 2016).
fn distinct(items: &[Written], n: usize) -> f64 {
    let (mut seen, mut all) = (HashSet::new(), 0_usize);
    for item in items {
        let words: Vec<&str> = item.text.split_whitespace().collect();
        for run in words.windows(n) {
            all += 1;
            seen.insert(run.join(" "));
        }
    }
    seen.len() as f64 / all.max(1) as f64
}
