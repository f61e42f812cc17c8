//! How fast the models are here, measured for a few seconds each.

use super::super::config::RoundsConfig;
use super::super::stages::{Game, Task};
use super::{Estimate, Found, Lengths, tokens, words};
use crate::Result;
use crate::neural::decoder::{Config, Numbers, Tokenizer};
use crate::neural::finetune::{Trained, by_length};
use crate::neural::generator::{Generator, Job, Local, Sampling, Writer, rating};
use crate::neural::preference::{
    Dpo, Likelihood, Objective, Pair, Passage, Preferences, Trial as Tuning,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Instant;

/// How fast a generator was, in tokens a second, and what it came to after its vocabulary was cut.
#[derive(Default)]
pub(super) struct Speeds {
    pub(super) drawing: Option<f64>,
    pub(super) rating: Option<f64>,
    pub(super) weighing: Option<f64>,
    pub(super) tuning: Option<f64>,
    pub(super) teaching: Option<f64>,
    pub(super) trimmed: Option<Config>,
}

/// Units a second of work that is doubled until it takes long enough, or there is no more.
pub(super) fn speed(
    least: usize,
    most: usize,
    mut work: impl FnMut(usize) -> Result<usize>,
) -> Result<Option<f64>> {
    let mut n = least.min(most);
    // The first time touches memory that is new.
    work(n)?;
    loop {
        let started = Instant::now();
        let done = work(n)?;
        let seconds = started.elapsed().as_secs_f64();
        if seconds >= ENOUGH || n >= most {
            return Ok(Some(done as f64 / seconds.max(1e-9)));
        }
        n = (2 * n).min(most);
    }
}

/// Tokens of a step in the mean.
pub(super) fn a_step(lengths: &[usize], batch_tokens: usize, accumulate: usize) -> f64 {
    let batches = by_length(lengths, batch_tokens).len().max(1);
    (lengths.iter().sum::<usize>() * accumulate) as f64 / batches as f64
}

/// Tokens a second of steps of so many tokens, from those of their gradients and the seconds of the second of two
/// steps: the first one touches memory that is new.
pub(super) fn with_steps(
    rate: Option<f64>,
    tokens: f64,
    mut step: impl FnMut() -> Result<()>,
) -> Result<Option<f64>> {
    step()?;
    let started = Instant::now();
    step()?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(rate.map(|rate| tokens / (tokens / rate + seconds)))
}

fn jobs(game: &Game<'_>, some: &[&Task<'_>]) -> Vec<Job> {
    let job = |(i, task): (usize, &&Task<'_>)| Job { prompt: game.prompt(task), number: i as u32 };
    some.iter().enumerate().map(job).collect()
}

/// How fast texts are rated, questions and answers counted.
fn rated(
    game: &Game<'_>,
    writer: &dyn Writer,
    some: &[&Task<'_>],
    most: usize,
    tokenizer: Option<&Tokenizer>,
) -> Result<Option<f64>> {
    let ask = |task: &Task<'_>| rating(game.config.generator.style, &task.row.text, task.language);
    let job = |(i, task): (usize, &&Task<'_>)| Job { prompt: ask(task), number: i as u32 };
    let jobs: Vec<Job> = some.iter().enumerate().map(job).collect();
    speed(game.config.sampling.batch, most.min(jobs.len()), |n| {
        let said = drawn(writer, &jobs, n, 1, &game.rater(), tokenizer)?;
        let read = jobs[..n].iter().map(|job| tokens(&words(&job.prompt), tokenizer));
        Ok(said + read.sum::<Result<usize>>()?)
    })
}

/// Draws so many texts; their tokens, each with the one that ends it.
fn drawn(
    writer: &dyn Writer,
    jobs: &[Job],
    texts: usize,
    candidates: usize,
    sampling: &Sampling,
    tokenizer: Option<&Tokenizer>,
) -> Result<usize> {
    let candidates = candidates.min(texts);
    let jobs = &jobs[..texts.div_ceil(candidates).min(jobs.len())];
    let mut all = 0;
    writer.write(jobs, candidates, sampling, 1, &mut |_, drafts| {
        for draft in &drafts {
            all += 1 + tokens(&draft.text, tokenizer)?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(all)
}

/// Seconds that settle a speed.
const ENOUGH: f64 = 2.0;

impl Estimate {
    /// The speeds of a server.
    pub(super) fn asked(
        &mut self,
        game: &Game<'_>,
        writer: &dyn Writer,
        some: &[&Task<'_>],
        text: Lengths,
    ) -> Speeds {
        let mut speeds = Speeds::default();
        let mut ask = || -> Result<()> {
            let jobs = jobs(game, some);
            let RoundsConfig { sampling, candidates, .. } = game.config;
            // One text says whether it answers at all.
            let few = Sampling { max_tokens: 4, ..sampling.clone() };
            drawn(writer, &jobs, 1, 1, &few, None)?;
            let short = Sampling { max_tokens: text.mean.ceil() as usize, ..sampling.clone() };
            let batch = sampling.batch;
            let draw = |n| drawn(writer, &jobs, n, *candidates, &short, None);
            speeds.drawing = speed(batch, batch, draw)?;
            if game.config.rating {
                speeds.rating = rated(game, writer, some, batch, None)?;
            }
            Ok(())
        };
        let asked = ask();
        self.problems.extend(asked.err());
        speeds
    }

    /// The speeds of a model here.
    pub(super) fn measured(
        &mut self,
        game: &Game<'_>,
        found: &Found,
        some: &[&Task<'_>],
        text: Lengths,
    ) -> Speeds {
        let mut speeds = Speeds::default();
        if let Err(e) = self.measure(game, found, some, text, &mut speeds) {
            self.problems.push(e);
        }
        speeds
    }

    fn measure(
        &self,
        game: &Game<'_>,
        found: &Found,
        some: &[&Task<'_>],
        text: Lengths,
        speeds: &mut Speeds,
    ) -> Result<()> {
        let RoundsConfig { generator, sampling, candidates, .. } = game.config;
        let teaching = generator.teaching.as_ref();
        let learns = generator.dpo.is_some() || teaching.is_some();
        // Twice its size while it is read.
        let bytes = found
            .config
            .as_ref()
            .map_or(0, |c| c.bytes(game.numbers(!learns).unwrap_or(Numbers::Quantised)));
        if !self.fits(2 * bytes) {
            return Ok(());
        }
        let mut player = game.load(&game.base(), !learns)?;
        let to_draw = |player: &Generator| -> Result<Local> {
            Local::new(match learns {
                true => Generator::new(
                    player.decoder().held(game.numbers(true)?)?,
                    player.tokenizer().clone(),
                ),
                false => player.clone(),
            })
        };
        if game.config.rating {
            // By the base with its whole vocabulary.
            let tokenizer = Some(player.tokenizer());
            speeds.rating = rated(game, &to_draw(&player)?, some, some.len(), tokenizer)?;
        }
        if teaching.is_some_and(|t| t.trim_vocabulary) {
            let local = Local::new(player.clone())?;
            let used: Result<BTreeSet<u32>> =
                some.iter().try_fold(BTreeSet::new(), |mut used, task| {
                    used.extend(local.encode(&game.prompt(task))?);
                    Ok(used)
                });
            player = game.trimmed(&player, used?)?;
        }
        speeds.trimmed = Some(player.decoder().config().clone());
        let local = to_draw(&player)?;
        let tokenizer = Some(player.tokenizer());
        let (asked, batch) = (jobs(game, some), sampling.batch);
        let short = Sampling { max_tokens: text.mean.ceil() as usize, ..sampling.clone() };
        speeds.drawing =
            speed(batch, 16 * batch, |n| drawn(&local, &asked, n, *candidates, &short, tokenizer))?;
        drop(local);
        let local = Local::new(player)?;
        let written = some
            .iter()
            .take(256)
            .map(|task| {
                let prompt = game.prompt(task);
                let text = local.ended(&prompt, &task.row.text.replace('\n', " "))?;
                Ok((local.encode(&prompt)?, text))
            })
            .collect::<Result<Vec<(Vec<u32>, Vec<u32>)>>>()?;
        let most = written.len();
        let (c, dense) = (local.generator().decoder().config(), game.numbers(false)?);
        // Batches are small here: weights, gradients and moments are what must fit.
        let room = |trained: &Trained| self.fits(c.bytes(dense) + 16 * trained.numbers(c));
        if let Some(teaching) = teaching.filter(|t| room(&t.tune.trained)) {
            let passage = |(prompt, text): &(Vec<u32>, Vec<u32>)| Passage {
                prompt: prompt.clone(),
                text: text.clone(),
            };
            let objective = Likelihood(written.iter().map(passage).collect());
            let mut trial = Tuning::new(local.generator(), &teaching.tune, &objective)?;
            let rate = speed(4, most, |n| trial.gradients(n))?;
            let step =
                a_step(&objective.lengths(), teaching.tune.batch_tokens, teaching.tune.accumulate);
            speeds.teaching = with_steps(rate, step, || trial.step())?;
        }
        if let Some(dpo) = generator.dpo {
            let pair = |(prompt, text): &(Vec<u32>, Vec<u32>)| {
                let texts = [text.clone(), text.clone()];
                Pair { prompt: prompt.clone(), texts, preferred: 1.0 }
            };
            let pairs: Vec<Pair> = written.iter().map(pair).collect();
            // One reference, weighed once.
            let dpo = Dpo { tau: 0.0, beta: dpo.temperature(), ..dpo };
            let weigh = |n: usize| {
                Preferences::new(dpo, pairs[..n].to_vec(), local.generator(), local.generator())
            };
            let mut objective = weigh(1)?;
            speeds.weighing = speed(4, most, |n| {
                objective = weigh(n)?;
                Ok(objective.lengths().iter().sum())
            })?;
            let (lengths, tune) = (objective.lengths(), &generator.tune);
            if !room(&tune.trained) {
                return Ok(());
            }
            let mut trial = Tuning::new(local.generator(), tune, &objective)?;
            let rate = speed(2, lengths.len(), |n| trial.gradients(n))?;
            let step = a_step(&lengths, tune.batch_tokens, tune.accumulate);
            speeds.tuning = with_steps(rate, step, || trial.step())?;
        }
        Ok(())
    }
}
