//! The first half of a round: texts are drawn, filtered, rated and scored.

use super::guard::Guard;
use super::lines::{self, Lines};
use super::records::{
    CANDIDATES, Candidates, RATINGS, Rated, SCORES, Scored, VERDICTS, Verdict, verdicts,
};
use super::run::{Stage, Strategy};
use super::stages::{Game, Task, Tell, hash, sub_seed};
use crate::data::filters::{Filters, Reason, check_rating};
use crate::data::{Label, Row};
use crate::neural::generator::{Draft, Job, Sampling, Writer as _, parse_rating, rating, shown};
use crate::report::remove;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

/// Texts scored between two marks on disk.
const SCORED: usize = 1024;

impl Game<'_> {
    /// Draws texts for every task, or reads those drawn before.
    fn candidates(
        &self,
        x: &Strategy,
        tasks: &[Task<'_>],
        folder: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), Vec<Candidates>>> {
        let mut lines: Lines<Candidates> = Lines::open(folder.join(CANDIDATES))?;
        let missing: Vec<u32> =
            (0..tasks.len() as u32).filter(|n| !lines.done.contains_key(n)).collect();
        if !missing.is_empty() {
            // What was said of other texts: a server does not write the same ones again.
            for said in [RATINGS, SCORES] {
                remove(&folder.join(said))?;
            }
            let jobs: Vec<Job> = missing
                .iter()
                .map(|&number| Job { prompt: self.prompt(&tasks[number as usize]), number })
                .collect();
            let model = match self.server {
                Some(server) => server.name(),
                None => hash(&x.path)?,
            };
            let seed = sub_seed(self.config.seed, x.round + 1, 3);
            let mut flow = tell(Stage::Sampling, lines.done.len(), tasks.len());
            if flow.is_continue() {
                let mut take = |i: usize, texts: Vec<Draft>| {
                    let Task { origin, language, .. } = tasks[missing[i] as usize];
                    let model = model.clone();
                    lines.push(
                        missing[i],
                        Candidates { seed: origin.id.clone(), language, model, texts },
                    )?;
                    flow = tell(Stage::Sampling, lines.done.len(), tasks.len());
                    Ok(flow)
                };
                let (count, sampling) = (self.config.candidates, &self.config.sampling);
                match self.server {
                    Some(server) => server.write(&jobs, count, sampling, seed, &mut take)?,
                    None => self.writer(x)?.write(&jobs, count, sampling, seed, &mut take)?,
                }
            }
            if flow.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(lines.done.into_values().collect()))
    }

    /// How the rater answers.
    pub fn rater(&self) -> Sampling {
        Sampling { temperature: 0.0, max_tokens: 4, ..self.config.sampling.clone() }
    }

    /// Asks the untrained base how harmful some texts are, or reads what it said.
    fn ratings(
        &self,
        verdicts: &[Verdict],
        folder: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), BTreeMap<u32, Option<u8>>>> {
        let mut lines: Lines<Rated> = Lines::open(folder.join(RATINGS))?;
        let asked = verdicts.iter().filter(|v| v.dropped.is_none());
        let all = asked.clone().count();
        let style = self.config.generator.style;
        let jobs: Vec<Job> = asked
            .filter(|v| !lines.done.contains_key(&self.number(v)))
            .map(|v| Job { prompt: rating(style, &v.text, v.language), number: self.number(v) })
            .collect();
        if !jobs.is_empty() {
            let mut flow = tell(Stage::Rating, lines.done.len(), all);
            if flow.is_continue() {
                let mut take = |i: usize, texts: Vec<Draft>| {
                    let said = texts.into_iter().map(|draft| draft.text).collect();
                    lines.push(jobs[i].number, Rated { said })?;
                    flow = tell(Stage::Rating, lines.done.len(), all);
                    Ok(flow)
                };
                let sampling = self.rater();
                match self.server {
                    Some(server) => server.write(&jobs, 1, &sampling, 0, &mut take)?,
                    None => {
                        let base = Strategy { round: 0, path: self.base() };
                        self.writer(&base)?.write(&jobs, 1, &sampling, 0, &mut take)?;
                    }
                }
            }
            if flow.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let parsed = lines.done.iter().map(|(&n, rated)| (n, parse_rating(&rated.said)));
        Ok(ControlFlow::Continue(parsed.collect()))
    }

    /// The verdicts on the texts of x against y; made once, for both players.
    pub fn verdicts(
        &self,
        x: &Strategy,
        y: &Strategy,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), Vec<Verdict>>> {
        let round = x.round + 1;
        let folder = self.folder(round);
        let path = folder.join(VERDICTS);
        let tasks = self.tasks(round);
        if path.exists() {
            let known = verdicts(self.out, round)?;
            return match known.iter().find(|v| v.job as usize >= tasks.len()) {
                None => Ok(ControlFlow::Continue(known)),
                Some(v) => {
                    let problem = format!("it has a job {} of {}", v.job, tasks.len());
                    let remedy = "remove the file to do this stage again";
                    Err(Error::invalid(path.display().to_string(), problem, remedy))
                }
            };
        }
        let drawn =
            self.timed(round, Stage::Sampling, || self.candidates(x, &tasks, &folder, tell))?;
        let ControlFlow::Continue(drawn) = drawn else { return Ok(ControlFlow::Break(())) };
        let forbidden: Vec<&str> = self.material.benchmark_texts().collect();
        let mut filters = Filters::new(self.config.filters.clone(), forbidden)?;
        for earlier in 1..round {
            let kept = verdicts(self.out, earlier)?;
            for v in kept.iter().filter(|v| v.dropped.is_none()) {
                filters.keep(&v.text);
            }
        }
        let mut verdicts = Vec::new();
        for (job, (task, of_task)) in tasks.iter().zip(&drawn).enumerate() {
            // What was asked for is a text like the part of the seed that the prompt holds.
            let seen = Row { text: shown(&task.row.text), ..task.row.clone() };
            for (candidate, Draft { text, whole }) in of_task.texts.iter().enumerate() {
                let dropped = match whole {
                    true => filters.reason(&seen, text, task.language),
                    false => Some(Reason::Cut),
                };
                verdicts.push(Verdict {
                    seed: of_task.seed.clone(),
                    model: of_task.model.clone(),
                    job: job as u32,
                    candidate: candidate as u32,
                    language: task.language,
                    label: task.row.label,
                    categories: task.row.categories.clone(),
                    text: text.clone(),
                    dropped,
                    rating: None,
                    score: None,
                    wrong: None,
                    level: None,
                });
            }
        }
        if self.config.rating {
            let ratings =
                self.timed(round, Stage::Rating, || self.ratings(&verdicts, &folder, tell))?;
            let ControlFlow::Continue(ratings) = ratings else {
                return Ok(ControlFlow::Break(()));
            };
            for v in verdicts.iter_mut().filter(|v| v.dropped.is_none()) {
                v.rating = ratings.get(&self.number(v)).copied().flatten();
                v.dropped = check_rating(v.label, v.rating);
            }
        }
        // Only what is kept for good drops its later duplicates.
        for v in verdicts.iter_mut().filter(|v| v.dropped.is_none()) {
            v.dropped = filters.keep(&v.text);
        }
        let scores =
            self.timed(round, Stage::Scoring, || self.scores(&verdicts, y, &folder, tell))?;
        let ControlFlow::Continue(scores) = scores else { return Ok(ControlFlow::Break(())) };
        for v in &mut verdicts {
            v.score = scores.get(&self.number(v)).copied();
            v.wrong = v.score.map(|score| (score > 0.5) != (v.label == Label::Unsafe));
            v.level = v.known_level().map(|level| level as u8 + 1);
        }
        lines::write(&path, &verdicts)?;
        Ok(ControlFlow::Continue(verdicts))
    }

    /// The number of a text among all of its round.
    fn number(&self, v: &Verdict) -> u32 {
        v.job * self.config.candidates as u32 + v.candidate
    }

    /// What y makes of the texts that were not dropped for another reason than rating, by number, or what it made
    /// of them before.
    fn scores(
        &self,
        verdicts: &[Verdict],
        y: &Strategy,
        folder: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<ControlFlow<(), BTreeMap<u32, f32>>> {
        let mut lines: Lines<Scored> = Lines::open(folder.join(SCORES))?;
        let open: Vec<&Verdict> =
            verdicts.iter().filter(|v| matches!(v.dropped, None | Some(Reason::Rating))).collect();
        let guard = Guard::load(&y.path)?;
        // A batch is scored as a whole, so that its numbers do not depend on where it was stopped.
        for (i, batch) in open.chunks(SCORED).enumerate() {
            if batch.iter().all(|v| lines.done.contains_key(&self.number(v))) {
                continue;
            }
            if tell(Stage::Scoring, i * SCORED, open.len()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let texts: Vec<&str> = batch.iter().map(|v| v.text.as_str()).collect();
            for (v, score) in batch.iter().zip(guard.scores(&texts)?) {
                if !lines.done.contains_key(&self.number(v)) {
                    lines.push(self.number(v), Scored { score })?;
                }
            }
        }
        Ok(ControlFlow::Continue(lines.done.iter().map(|(&n, scored)| (n, scored.score)).collect()))
    }
}
