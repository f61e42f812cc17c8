//! Claim: networks follow the theory. The paper's update (tau = 0) cycles at beta = 0.01 and 0.5 and
//! converges at beta = 2; the proximal one (tau = 1) converges at every beta. Expected: the paper's
//! beta shows the 2-cycle, and the proximal update's exact gap falls below 5 % of its start.
//!
//! Paper: Algorithm 1 and Theorem 4.2 (best replies in turn, beta = 0.01), with two networks on a
//! candidate set small enough for the exact gap.

mod players;

use crate::Context;
use crate::contenders::seeds;
use crate::texts::similarities;
use nashguard::data::{Label, Language, Row};
use nashguard::dynamics::{Order, Round, Update, play};
use nashguard::guard::{
    Classifier, Generator, GuardGame, Seed, proximal, solve, spectrum, tabulate, tabulate_loss,
};
use nashguard::neural::generator::Generator as Network;
use nashguard::neural::parallel;
use nashguard::neural::preference::Dpo;
use nashguard::report::plot::{Axis, Figure, Line, LineChart};
use nashguard::report::{Cell, Column, Report, Series, Style, Table, format_number};
use nashguard::{BestReply, Error, Result};
use ndarray::Array2;
use players::{Effort, Sigmoids, Words};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub const ABOUT: &str =
    "do networks cycle and converge where the theory says? exact gaps on an enumerable game";

const TAUS: [f64; 3] = [0.0, 0.5, 1.0];
/// The paper's; below and above the threshold of tau = 0.
const BETAS: [f64; 3] = [0.01, 0.5, 2.0];
/// Seeds of each label.
const SEEDS: usize = 3;
const TEXTS: usize = 8;
/// Words of a seed or candidate.
const WORDS: std::ops::RangeInclusive<usize> = 3..=9;
/// Rows among which a seed finds its nearest candidates.
const POOL: usize = 2000;
/// The law that the generator is taught is proportional to exp(cos / TEMPERATURE).
const TEMPERATURE: f64 = 0.05;
/// Bounds the classifier, in tables and networks alike: without it the cycles grow for ever.
const FLOOR: f64 = 0.01;
/// The rounds at the end that decide a verdict.
const LAST: usize = 4;
/// Converged: the gap's mean over them, as a share of the start's, is below this.
const SMALL: f64 = 0.05;
/// Falls: that mean is below this share of the mean of as many rounds before.
const FALLS: f64 = 0.98;
/// Cycles: it does not fall, a round moves the generator by more than this (total variation) ...
const MOVES: f64 = 0.05;
/// ... and two rounds by less than this share of it.
const RETURNS: f64 = 0.25;

const TEACHING: (usize, f64) = (200, 1e-2);
const CLASSIFYING: f64 = 5e-2;
const WRITING: f64 = 1e-2;

pub fn run(context: &Context) -> Result<Report> {
    let count = context.scale.pick(1, 3, 5);
    let rounds = context.scale.pick(4, 14, 24);
    // Of the tables alone, which take no time.
    let far = context.scale.pick(100, 3000, 3000);
    // Gradient steps a move.
    let steps = context.scale.pick((15, 60), (100, 1000), (200, 1000));
    let writing = Effort { steps: steps.0, rate: WRITING };
    let classifying = Effort { steps: steps.1, rate: CLASSIFYING };
    let teaching = Effort { steps: TEACHING.0 / context.scale.pick(4, 1, 1), rate: TEACHING.1 };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);

    let (rows, source) = seeds(context)?;
    let numbers: Vec<u64> = (0..count).map(|k| context.seed.wrapping_add(k)).collect();
    let starts = parallel::each(threads, &numbers, |&seed| {
        Start::new(&rows.validation, &rows.train, seed, teaching, classifying)
    })?;
    let settings = BETAS.iter().flat_map(|&beta| TAUS.map(|tau| (tau, beta)));
    let settings: Vec<(f64, f64)> = settings.collect();
    let tasks: Vec<(usize, (f64, f64))> =
        (0..starts.len()).flat_map(|k| settings.iter().map(move |&s| (k, s))).collect();
    let bar = context.progress("games between networks", tasks.len());
    let runs = parallel::each(threads, &tasks, |&(k, setting)| {
        let run = Run::new(&starts[k], setting, [rounds, far], writing, classifying)?;
        bar.inc(1);
        Ok(run)
    })?;
    bar.finish_and_clear();
    let of = |setting: (f64, f64)| -> Vec<&Run> {
        runs.iter().filter(|run| run.setting == setting).collect()
    };
    let by_setting: Vec<_> = settings.iter().map(|&s| (s, of(s))).collect();

    let (first, second) = (writing.steps, classifying.steps);
    Ok(Report {
        paper_reference: "Algorithm 1, Theorem 4.2".into(),
        claim: "Two networks follow the theory: the paper's update (tau = 0) cycles for beta < 1 \
                and converges at beta = 2, the proximal one (tau = 1) converges at every beta."
            .into(),
        notes: vec![
            format!(
                "Each game: {SEEDS} safe and {SEEDS} unsafe English seeds and {TEXTS} candidate texts of {} to {} \
                 words ({source}: seeds from the validation rows, candidates the training rows nearest to \
                 them), every candidate open to every seed. {count} games, each with texts and networks of \
                 its own seed; entries are mean (least..largest) over them.",
                WORDS.start(),
                WORDS.end()
            ),
            format!(
                "Generator: a Llama-like decoder of 2 layers and width 32 over the texts' words, first taught \
                 to write the candidates in proportion to exp(cos / {TEMPERATURE}); the taught network is the \
                 reference r, and `tabulate` of it the tables' reference. Its move: DPO without the likelihood \
                 term, from the current weights at tau > 0 and from r's at tau = 0, where the exact reply \
                 depends on r alone, {first} AdamW steps on all pairs (a, a + 1), (a, a + 3) of \
                 every seed, with Bradley-Terry labels from the classifier's loss."
            ),
            format!(
                "Classifier: n-grams under 12 sigmoids, q(safe) = Π (1 - p_c), clipped to {FLOOR}..{}; its move: \
                 {second} AdamW steps on the cross-entropy E_p[-ln q] from its current weights. The tables' game \
                 has the same floor: without it the cycles of beta < 1 grow for ever.",
                1.0 - FLOOR
            ),
            format!(
                "Start: p = r, and the classifier's reply to it. All learning rates and steps are the same in \
                 every setting. Verdict: converges when the mean gap of the last {LAST} rounds is below {}% of \
                 the start's; falls when it is below {}% of that of the {LAST} rounds before; else cycles when a round \
                 moves the generator by more than {MOVES} and two rounds by less than {RETURNS} of that; else neither. \
                 Left long after: in round {far}, played with the tables alone; of a \
                 cycle that is one of its two states. Predicted: by 2 tau + beta > 1 - mu_min \
                 (Theorem B) at the exact equilibrium.",
                100.0 * SMALL,
                100.0 * FALLS
            ),
        ],
        tables: vec![
            verdicts(&by_setting)?,
            accuracy(&by_setting)?,
            games(&starts)?,
            by_round(&by_setting)?,
        ],
        series: series(&by_setting),
        ..Report::default()
    })
}

/// Where all settings of one game start.
struct Start {
    words: Words,
    base: Network,
    classifier: Sigmoids,
    /// With the taught network as reference.
    game: GuardGame,
    /// The texts that the reply to the reference is surest are unsafe, and safe.
    chosen: [usize; 2],
    /// Total variation between the taught network and the law it was taught.
    missed: f64,
}

impl Start {
    fn new(
        held_out: &[Row],
        train: &[Row],
        seed: u64,
        teaching: Effort,
        classifying: Effort,
    ) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut chosen = |rows: &[Row], label: Option<Label>, count: usize| -> Vec<String> {
            let fits = |row: &&Row| {
                row.language == Language::En
                    && label.is_none_or(|l| row.label == l)
                    && WORDS.contains(&row.text.split_whitespace().count())
            };
            let mut texts: Vec<String> =
                rows.iter().filter(fits).map(|row| row.text.clone()).collect();
            texts.shuffle(&mut rng);
            texts.truncate(count);
            texts
        };
        let seeds = [Label::Safe, Label::Unsafe].map(|l| chosen(held_out, Some(l), SEEDS));
        let labels: Vec<usize> = (0..2).flat_map(|y| vec![y; seeds[y].len()]).collect();
        let seeds = seeds.concat();
        let mut pool = chosen(train, None, POOL);
        pool.retain(|text| !seeds.contains(text));
        pool.sort();
        pool.dedup();
        if seeds.len() < 2 * SEEDS || pool.len() < TEXTS {
            let problem = "there are too few short English rows";
            let remedy = "give --data a folder with more, or leave it out";
            return Err(Error::invalid("bridge", problem, remedy));
        }
        let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
        let pool: Vec<&str> = pool.iter().map(String::as_str).collect();
        let alike = similarities(&seeds, &pool);
        let near = nearest(&alike);
        let texts: Vec<&str> = near.iter().map(|&z| pool[z]).collect();
        let law: Vec<Vec<f64>> = alike.iter().map(|row| softmax(&near, row)).collect();

        let words = Words::new(&seeds, labels.clone(), &texts)?;
        let base = words.taught(&law, seed, teaching)?;
        let with = |rows: &[Vec<f64>]| {
            let weight = 1.0 / rows.len() as f64;
            let seed = |(reference, &label): (&Vec<f64>, &usize)| Seed {
                label,
                weight,
                reference: reference.clone(),
            };
            GuardGame::new(2, rows.iter().zip(&labels).map(seed).collect(), 1.0)?.with_floor(FLOOR)
        };
        let taught = with(&law)?;
        let r = tabulate(&taught, &words.written(&base))?;
        let missed = distance(taught.reference(), &r.probabilities());
        let rows: Vec<Vec<f64>> = r.probabilities().outer_iter().map(|row| row.to_vec()).collect();
        let game = with(&rows)?;
        let classifier =
            Sigmoids::random(&texts, FLOOR, seed)?.reply(&words.written(&base), classifying)?;
        let q = game.min_reply(&Generator::reference(&game))?;
        let surest = |sign: f64| {
            let side = |z: &usize| sign * (q.log_q()[(*z, 1)] - q.log_q()[(*z, 0)]);
            (0..TEXTS).max_by(|a, b| side(a).total_cmp(&side(b))).unwrap_or(0)
        };
        let chosen = [surest(1.0), surest(-1.0)];
        Ok(Self { words, base, classifier, game, chosen, missed })
    }
}

/// Each seed's nearest text that no other has taken, in turn.
fn nearest(alike: &[Vec<f64>]) -> Vec<usize> {
    let mut taken: Vec<usize> = Vec::new();
    for row in alike.iter().cycle().take(TEXTS) {
        let free = (0..row.len()).filter(|z| !taken.contains(z));
        taken.extend(free.max_by(|&a, &b| row[a].total_cmp(&row[b])));
    }
    taken
}

fn softmax(texts: &[usize], alike: &[f64]) -> Vec<f64> {
    let weights: Vec<f64> = texts.iter().map(|&z| (alike[z] / TEMPERATURE).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

/// Total variation, mean over the seeds.
fn distance(p: &Array2<f64>, other: &Array2<f64>) -> f64 {
    (p - other).mapv(f64::abs).sum() / (2 * p.nrows()) as f64
}

/// What is seen of a round.
struct Seen {
    p: Array2<f64>,
    gap: f64,
    divergence: f64,
    /// Of the chosen texts.
    logits: [f64; 2],
    /// Total variation between p and the exact step from the round before.
    missed: f64,
    /// What the classifier loses against its best reply to p, in nats.
    regret: f64,
}

/// One setting of one game, played by networks and by tables.
struct Run {
    setting: (f64, f64),
    networks: Vec<Seen>,
    tables: Vec<Seen>,
    /// The gap of the tables long after, as a share of the start's.
    far: f64,
    /// The predicted local rate a round.
    rate: f64,
    stable: bool,
    /// Seconds a round of the networks.
    seconds: f64,
}

impl Run {
    fn new(
        start: &Start,
        setting: (f64, f64),
        [rounds, far]: [usize; 2],
        writing: Effort,
        classifying: Effort,
    ) -> Result<Self> {
        let (tau, beta) = setting;
        let game = start.game.clone().with_beta(beta)?;
        let star = solve(&game, 1e-12)?.p;
        let predicted = spectrum(&game, &star)?;
        let seen = |played: &[Round<Generator, Classifier>]| {
            seen(&game, &star, tau, &start.chosen, played)
        };

        let Start { words, base, classifier, .. } = start;
        let dpo = Dpo { tau, beta, alpha: 0.0 };
        let max = |p: &Network, q: &Sigmoids| words.reply(dpo, p, base, q, writing);
        let min = |q: &Sigmoids, p: &Network| q.reply(&words.written(p), classifying);
        let begun = Instant::now();
        let played = play(base.clone(), classifier.clone(), Order::Alternating, max, min);
        let tabulated = played.take(rounds + 1).map(|round| {
            let Round { t, x, y } = round?;
            let x = Arc::new(tabulate(&game, &words.written(&x))?);
            Ok(Round { t, x, y: Arc::new(tabulate_loss(&game, &*y)?) })
        });
        let networks = seen(&tabulated.collect::<Result<Vec<_>>>()?)?;
        let seconds = begun.elapsed().as_secs_f64() / rounds as f64;

        let from = Generator::reference(&game);
        let mut exact = proximal::run(&game, tau, Order::Alternating, from)?;
        let tables = seen(&exact.by_ref().take(rounds + 1).collect::<Result<Vec<_>>>()?)?;
        let last = exact.take(far - rounds).last().transpose()?;
        let far = last.map(|round| proximal::observe(&game, &star, &round)).transpose()?;
        let far = far.map_or(f64::NAN, |last| last.gap / tables[0].gap);
        let (rate, stable) = (predicted.rate(tau), predicted.is_stable(tau));
        Ok(Self { setting, networks, tables, far, rate, stable, seconds })
    }
}

fn seen(
    game: &GuardGame,
    star: &Generator,
    tau: f64,
    chosen: &[usize; 2],
    played: &[Round<Generator, Classifier>],
) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for (t, round) in played.iter().enumerate() {
        let observed = proximal::observe(game, star, round)?;
        let p = round.x.probabilities();
        let missed = match t.checked_sub(1).map(|before| &played[before]) {
            Some(before) => {
                let exact = proximal::generator(game, tau).step(&before.x, &before.y)?;
                distance(&p, &exact.probabilities())
            }
            None => 0.0,
        };
        all.push(Seen {
            p,
            gap: observed.gap,
            divergence: observed.divergence,
            logits: chosen.map(|z| observed.logits[z]),
            missed,
            regret: game.classifier_regret(&round.x, &round.y)?,
        });
    }
    Ok(all)
}

/// What a trajectory comes to.
struct Outcome {
    /// The gap at the start, and as shares of it that of the end: mean of the last rounds, and least.
    gap: f64,
    left: f64,
    least: f64,
    /// Mean over the last rounds of the generator's move in one round, and in two.
    one: f64,
    two: f64,
    /// Share of rounds in which a chosen text's logit changes its sign.
    flips: f64,
    verdict: &'static str,
}

const CONVERGES: &str = "converges";
const CYCLES: &str = "cycles";
const STILL_FALLS: &str = "falls";

impl Outcome {
    fn of(seen: &[Seen]) -> Self {
        let gap = seen[0].gap;
        let (before, late) = seen.split_at(seen.len().saturating_sub(LAST));
        let left = mean(late.iter().map(|s| s.gap)) / gap;
        let earlier = &before[before.len().saturating_sub(LAST)..];
        let earlier = mean(earlier.iter().map(|s| s.gap)) / gap;
        let least = seen.iter().map(|s| s.gap / gap).fold(f64::INFINITY, f64::min);
        let end = &seen[seen.len().saturating_sub(LAST + 2)..];
        let moved = |k: usize| mean(end.windows(k + 1).map(|w| distance(&w[0].p, &w[k].p)));
        let (one, two) = (moved(1), moved(2));
        let changes = seen.windows(2).flat_map(|w| {
            [0, 1].map(|z| f64::from(u8::from(w[0].logits[z] * w[1].logits[z] < 0.0)))
        });
        let verdict = match () {
            () if left < SMALL => CONVERGES,
            () if left < FALLS * earlier => STILL_FALLS,
            () if one > MOVES && two < RETURNS * one => CYCLES,
            () => "neither",
        };
        Self { gap, left, least, one, two, flips: mean(changes), verdict }
    }
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(s, n), v| (s + v, n + 1));
    sum / f64::from(count)
}

/// Mean (least..largest).
fn spread(values: impl IntoIterator<Item = f64>) -> Cell {
    let values: Vec<f64> = values.into_iter().collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let [least, most, middle] = [least, most, mean(values)].map(|v| match v.abs() >= 0.001 {
        true => format!("{v:.3}"),
        false => format_number(v, None),
    });
    format!("{middle} ({least}..{most})").into()
}

/// How many say what, most first.
fn tally(words: impl IntoIterator<Item = &'static str>) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for word in words {
        match counts.iter_mut().find(|(w, _)| *w == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.iter().map(|(word, n)| format!("{word} {n}")).collect::<Vec<_>>().join(", ")
}

type Settled<'a> = [((f64, f64), Vec<&'a Run>)];

fn verdicts(settings: &Settled<'_>) -> Result<Table> {
    let mut table = Table::new(
        "verdicts",
        "Predicted beside found. Gaps left: the mean of the last rounds, and the least of any round, in % of \
         the start's. Moves: total variation of the generator between rounds, one and two apart, at the end",
        [
            Column::new("tau"),
            Column::new("beta"),
            Column::new("predicted rate"),
            Column::new("predicted"),
            Column::new("players"),
            Column::new("found"),
            Column::new("gap at start").unit("nats"),
            Column::new("gap left").unit("%"),
            Column::new("least gap").unit("%"),
            Column::new("gap left long after").unit("%"),
            Column::new("one round's move"),
            Column::new("two rounds' move"),
            Column::new("sign changes of chosen logits").unit("%"),
        ],
    );
    for ((tau, beta), runs) in settings {
        let predicted = tally(runs.iter().map(|r| if r.stable { CONVERGES } else { CYCLES }));
        for (players, side) in SIDES {
            let found: Vec<Outcome> = runs.iter().map(|r| Outcome::of(side(r))).collect();
            let column = |f: &dyn Fn(&Outcome) -> f64| spread(found.iter().map(f));
            table.push([
                (*tau).into(),
                (*beta).into(),
                spread(runs.iter().map(|r| r.rate)),
                predicted.clone().into(),
                players.into(),
                tally(found.iter().map(|o| o.verdict)).into(),
                column(&|o| o.gap),
                column(&|o| 100.0 * o.left),
                column(&|o| 100.0 * o.least),
                match players {
                    TABLES => spread(runs.iter().map(|r| 100.0 * r.far)),
                    _ => "-".into(),
                },
                column(&|o| o.one),
                column(&|o| o.two),
                column(&|o| 100.0 * o.flips),
            ])?;
        }
    }
    Ok(table)
}

type Side = fn(&Run) -> &[Seen];

const TABLES: &str = "tables";
const SIDES: [(&str, Side); 2] = [("networks", |run| &run.networks), (TABLES, |run| &run.tables)];

fn accuracy(settings: &Settled<'_>) -> Result<Table> {
    let mut table = Table::new(
        "accuracy",
        "How far the networks' moves are from the exact ones. Generator: total variation from the exact step \
         taken from the networks' own tables of the round before; classifier: loss beyond its best reply's. \
         Means over rounds, and the largest of any",
        [
            Column::new("tau"),
            Column::new("beta"),
            Column::new("generator's miss"),
            Column::new("largest").decimals(3),
            Column::new("classifier's regret").unit("nats"),
            Column::new("largest regret").unit("nats"),
            Column::new("seconds a round").decimals(2),
        ],
    );
    for ((tau, beta), runs) in settings {
        let moves = |f: fn(&Seen) -> f64| {
            let of = move |r: &&Run| mean(r.networks[1..].iter().map(f));
            let all = runs.iter().flat_map(|r| r.networks[1..].iter().map(f));
            (spread(runs.iter().map(of)), all.fold(0.0, f64::max))
        };
        let (missed, most) = moves(|s| s.missed);
        let (regret, largest) = moves(|s| s.regret);
        let seconds = mean(runs.iter().map(|r| r.seconds));
        table.push([
            (*tau).into(),
            (*beta).into(),
            missed,
            most.into(),
            regret,
            largest.into(),
            seconds.into(),
        ])?;
    }
    Ok(table)
}

fn games(starts: &[Start]) -> Result<Table> {
    let mut table = Table::new(
        "games",
        "The games. Taught: total variation between the reference network and the law of similarities. \
         D(p*, r) is the distance from the start to the equilibrium",
        ["game", "taught"].map(Column::new).into_iter().chain(BETAS.into_iter().flat_map(|beta| {
            ["value", "D(p*, r)", "mu_min"]
                .map(|what| Column::new(format!("{what}, beta {beta}")).decimals(4))
        })),
    );
    for (k, start) in starts.iter().enumerate() {
        let mut row: Vec<Cell> = vec![k.into(), start.missed.into()];
        for beta in BETAS {
            let game = start.game.clone().with_beta(beta)?;
            let solution = solve(&game, 1e-12)?;
            let far = game.divergence(&solution.p, &Generator::reference(&game))?;
            let mu = spectrum(&game, &solution.p)?.mu_min();
            row.extend([solution.value, far, mu].map(Cell::from));
        }
        table.push(row)?;
    }
    Ok(table)
}

fn by_round(settings: &Settled<'_>) -> Result<Table> {
    let both = |what: &str| SIDES.map(|(players, _)| format!("{what}, {players}"));
    let names = ["gap left (%)", "D(p*, p) (nats)", "logit of the text surest unsafe at the start"];
    let mut table = Table::new(
        "rounds",
        "Round by round",
        ["tau", "beta", "round"]
            .map(Column::new)
            .into_iter()
            .chain(names.into_iter().flat_map(both).map(Column::new)),
    );
    for ((tau, beta), runs) in settings {
        let rounds = runs.first().map_or(0, |r| r.networks.len());
        for t in 0..rounds {
            let watched: [fn(&[Seen], usize) -> f64; 3] =
                [|s, t| 100.0 * s[t].gap / s[0].gap, |s, t| s[t].divergence, |s, t| s[t].logits[0]];
            let mut row: Vec<Cell> = vec![(*tau).into(), (*beta).into(), t.into()];
            for watched in watched {
                row.extend(SIDES.map(|(_, side)| spread(runs.iter().map(|r| watched(side(r), t)))));
            }
            table.push(row)?;
        }
    }
    Ok(table)
}

const GAP: &str = "exact gap, share of the start's";
const LOGIT: &str = "logit q(unsafe) of one text";

/// Gaps: mean over the games, networks solid and tables dashed, and every game of the networks as
/// markers. Logits: the first game.
fn series(settings: &Settled<'_>) -> Vec<Series> {
    let mut all = Vec::new();
    for ((tau, beta), runs) in settings {
        let group = format!("tau = {tau}");
        let mut add = |what: &str, name: &str, style, points: Vec<[f64; 2]>| {
            let panel = format!("{what}, beta = {beta}");
            let mut series = Series::new(panel, name, "round", what, points);
            (series.group, series.style) = (group.clone(), style);
            all.push(series);
        };
        let line = |f: &dyn Fn(usize) -> f64| -> Vec<[f64; 2]> {
            let rounds = runs.first().map_or(0, |r| r.networks.len());
            (0..rounds).map(|t| [t as f64, f(t)]).collect()
        };
        let left = |seen: &[Seen], t: usize| seen[t].gap / seen[0].gap;
        for ((players, side), style) in SIDES.into_iter().zip([Style::Solid, Style::Dashed]) {
            let name = format!("tau = {tau}, {players}");
            let middle = |t| mean(runs.iter().map(|r| left(side(r), t)));
            add(GAP, &name, style, line(&middle));
            if let Some(run) = runs.first() {
                add(LOGIT, &name, style, line(&|t| side(run)[t].logits[0]));
            }
        }
        for run in runs {
            add(GAP, "", Style::Markers, line(&|t| left(&run.networks, t)));
        }
    }
    all
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let mut panels = Vec::new();
    for (what, axis) in [(GAP, Axis::log(GAP).between(1e-4, 10.0)), (LOGIT, Axis::linear(LOGIT))] {
        for beta in BETAS {
            let chart = LineChart {
                title: format!("beta = {beta}"),
                x: Axis::linear("round"),
                y: axis.clone(),
                lines: report.panel(&format!("{what}, beta = {beta}")).map(Line::from).collect(),
                ..LineChart::default()
            };
            panels.push(chart.into());
        }
    }
    let title = "Networks (solid, markers: each game) beside exact tables (dashed): the paper's update \
                 (tau = 0) cycles below beta = 1, the proximal one does not";
    Figure { title: title.into(), columns: BETAS.len(), panels }.draw(figures.join("bridge"))
}
