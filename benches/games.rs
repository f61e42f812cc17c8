//! Matrix and extensive games: whole solves in f64 with a rigorous gap, exact solves, and the learning
//! dynamics, beside microlp and Clarabel on the same linear programs.
//!
//! `cargo bench --no-default-features --bench games` prints criterion's figures and writes
//! `bench-games.json` and `bench-games.md` into `$NASHGUARD_BENCH_DIR` (default `experiments/results`).
//! Peers in Python are run by `benches/peers.py`.

#[path = "../examples/poker/kuhn.rs"]
mod kuhn;
#[path = "../examples/poker/leduc.rs"]
mod leduc;
mod rivals;
mod timing;

use criterion::{BenchmarkId, Criterion};
use dashu_base::Gcd;
use dashu_int::{IBig, UBig};
use nashguard::dynamics::{Order, play};
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::extensive::cfr::{self, Rule};
use nashguard::extensive::{self, ExtensiveGame, Plan, Player, SequenceForm, Tree};
use nashguard::matrix::dynamics::{self, Weights, predictive_regret_matching_plus};
use nashguard::matrix::{MatrixGame, solve, solve_exact};
use nashguard::report::{Cell, Column, Report, Table, environment, format_number};
use nashguard::scalar::{Rational, Scalar, to_f64};
use nashguard::simplex::Simplex;
use nashguard::{Error, Result};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rivals::{Found, Program};
use std::time::{Duration, Instant};
use timing::{fastest, timed};

const SEED: u64 = 1;
/// What f64 is asked for, relative to the spread of the payoffs.
const TOL: f64 = 1e-12;
/// The most a peer may take for a pair of strategies.
const LIMIT: Duration = Duration::from_secs(20);
/// Work below this is repeated.
const SHORT: f64 = 2.0;

fn main() -> Result<()> {
    let started = Instant::now();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    criterion_figures(&mut criterion)?;
    criterion.final_summary();
    // `cargo test --benches` only checks that everything runs.
    if std::env::args().any(|a| a == "--bench") {
        let report = summary(started)?;
        timing::save(&report)?;
        println!("{}", nashguard::report::markdown(&report));
    }
    Ok(())
}

fn criterion_figures(c: &mut Criterion) -> Result<()> {
    let mut group = c.benchmark_group("uniform");
    for n in [100, 200, 500] {
        let case = Case::decimals(n, SEED)?;
        let id = |method| BenchmarkId::new(method, n);
        group.bench_function(id(FLOAT), |b| b.iter(|| solve(&case.float, TOL)));
        group.bench_function(id(EXACT), |b| b.iter(|| solve_exact(&case.exact)));
    }
    group.finish();
    let mut group = c.benchmark_group("Leduc");
    let tree = Tree::new(&leduc::Leduc)?;
    group.bench_function(FLOAT, |b| b.iter(|| extensive::solve(&tree, TOL)));
    let form = SequenceForm::new(&tree).to_f64()?;
    let mut rounds = cfr::run(&form, Rule::CFR_PLUS, Order::Alternating);
    group.bench_function("CFR+ iteration", |b| b.iter(|| rounds.next()));
    group.finish();
    Ok(())
}

fn summary(started: Instant) -> Result<Report> {
    let here = environment();
    let mut report = Report {
        name: "bench-games".into(),
        claim: "Matrix games of 500 x 500 are solved exactly in seconds and those of 1000 x 1000 in f64 \
                with a proven gap in less; no answer is wrong where general solvers call wrong ones \
                optimal; Leduc poker is solved to the last digit."
            .into(),
        scale: "full".into(),
        seed: SEED,
        commit: here.commit,
        device: here.device,
        command: "cargo bench --no-default-features --bench games".into(),
        notes: vec![
            format!(
                "One thread. Times are wall-clock, the fastest of several runs taken in turns (of one \
                 run above {SHORT} s), since other programs only ever slow a run down.{}",
                load().map_or(String::new(), |load| format!(
                    " The machine's load at the start was {load}."
                ))
            ),
            "Gaps are NashConv, relative to the largest payoff less the smallest, computed from the \
             strategies as returned in exact arithmetic, after negative probabilities are set to 0 and \
             each strategy is divided by its sum."
                .into(),
            format!(
                "microlp 0.7 gives no prices, so that a pair of strategies takes it two programs, and \
                 its time is of both; Clarabel 0.11 gets both from one. Both run at their default \
                 tolerances for at most {} s a game.",
                LIMIT.as_secs()
            ),
        ],
        ..Report::default()
    };
    report.tables.push(matrix_table()?);
    report.tables.push(dynamics_table()?);
    report.tables.push(extensive_table()?);
    report.minutes = started.elapsed().as_secs_f64() / 60.0;
    Ok(report)
}

/// The load average of the last minute; where the system does not tell, nothing.
fn load() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// A bar's two cells: what was asked, and whether the figure keeps it.
fn bar(asked: impl Into<String>, met: bool) -> [Cell; 2] {
    [asked.into().into(), if met { "yes" } else { "no" }.into()]
}

fn duration(seconds: f64) -> String {
    if seconds < 1.0 { format!("{} ms", 1e3 * seconds) } else { format!("{seconds} s") }
}

fn no_bar() -> [Cell; 2] {
    ["".into(), "".into()]
}

// ---------------------------------------------------------------------------------------------
// Matrix games

const UNIFORM: &str = "uniform, 4 decimals";

/// A game in both kinds of number.
struct Case {
    family: &'static str,
    float: MatrixGame,
    exact: MatrixGame<Rational>,
}

impl Case {
    /// A game of doubles.
    fn new(family: &'static str, n: usize, entry: impl Fn(usize, usize) -> f64) -> Result<Self> {
        let rows = (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect();
        let float = MatrixGame::new(rows)?;
        Ok(Self { family, exact: float.to_exact(), float })
    }

    /// Payoffs uniform on [-1, 1], rounded to 4 decimals.
    fn decimals(n: usize, seed: u64) -> Result<Self> {
        let whole = uniform(n, seed).mapv(|v| (1e4 * v).round() as i64);
        let float = Self::new(UNIFORM, n, |i, j| whole[(i, j)] as f64 / 1e4)?.float;
        let decimal = |v: &i64| Rational::from(*v) / Rational::from(10_000);
        let rows = whole.outer_iter().map(|row| row.iter().map(decimal).collect()).collect();
        Ok(Self { family: UNIFORM, float, exact: MatrixGame::new(rows)? })
    }

    /// Games on which solvers in floating point are known to fail.
    fn hostile() -> Result<Vec<Self>> {
        const N: usize = 20;
        let u = uniform(N, SEED);
        let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        let diagonal = |i, j| if i == j { 10.0_f64.powi(-(i as i32)) } else { 0.0 };
        Ok(vec![
            Self::new("1 + 1e-9 U", N, |i, j| 1.0 + 1e-9 * u[(i, j)])?,
            Self::new("1e-9 U", N, |i, j| 1e-9 * u[(i, j)])?,
            Self::new("diag(1, 1e-1, .., 1e-7)", 8, diagonal)?,
            Self::new("alternating Hilbert", N, |i, j| sign(i + j) / (i + j + 1) as f64)?,
        ])
    }

    fn size(&self) -> usize {
        self.float.payoffs().nrows()
    }

    /// The gap of a pair over the payoffs' spread. In whole numbers, so that no fraction is reduced.
    fn relative_gap(&self, [x, y]: &[Vec<Rational>; 2]) -> f64 {
        let (a, _) = whole(self.exact.payoffs().iter());
        let (x, x_total) = whole(x.iter());
        let (y, y_total) = whole(y.iter());
        let mut earned = vec![IBig::ZERO; y.len()];
        let mut against = Vec::with_capacity(x.len());
        for (row, p) in a.chunks_exact(y.len()).zip(&x) {
            let mut sum = IBig::ZERO;
            for ((a, q), earned) in row.iter().zip(&y).zip(&mut earned) {
                if !q.is_zero() {
                    sum += a * q;
                }
                if !p.is_zero() {
                    *earned += a * p;
                }
            }
            against.push(sum);
        }
        let extreme = |found: Option<&IBig>| found.cloned().unwrap_or_default();
        let (low, high) = (extreme(earned.iter().min()), extreme(against.iter().max()));
        let spread = extreme(a.iter().max()) - extreme(a.iter().min());
        let gap = high * &x_total - low * &y_total;
        to_f64(&(Rational::from(gap) / Rational::from(spread * x_total * y_total)))
    }
}

/// The numbers times their common denominator, and the sum.
fn whole<'a>(numbers: impl Iterator<Item = &'a Rational> + Clone) -> (Vec<IBig>, IBig) {
    let mut common = UBig::ONE;
    for v in numbers.clone() {
        if !(&common % v.denominator()).is_zero() {
            common = &common / (&common).gcd(v.denominator()) * v.denominator();
        }
    }
    let scaled = |v: &Rational| v.numerator() * IBig::from(&common / v.denominator());
    let whole: Vec<IBig> = numbers.map(scaled).collect();
    let sum = whole.iter().fold(IBig::ZERO, |sum, v| sum + v);
    (whole, sum)
}

/// Uniform on [-1, 1].
fn uniform(n: usize, seed: u64) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((n, n), || rng.random_range(-1.0..=1.0))
}

/// What a method says of its answer, and the pair if there is one.
struct Answer {
    says: String,
    pair: Option<Pair>,
}

enum Pair {
    Float([Vec<f64>; 2]),
    Exact([Simplex<Rational>; 2]),
}

impl Answer {
    fn none(why: impl ToString) -> Self {
        Self { says: why.to_string(), pair: None }
    }
}

impl Pair {
    fn to_exact(&self) -> [Vec<Rational>; 2] {
        let exact = |v: &f64| v.max(0.0).to_exact().unwrap_or_default();
        match self {
            Self::Float(pair) => pair.each_ref().map(|v| v.iter().map(exact).collect()),
            Self::Exact(pair) => pair.each_ref().map(|v| v.as_slice().to_vec()),
        }
    }
}

const FLOAT: &str = "nashguard, f64";
const EXACT: &str = "nashguard, exact";

type Method = (&'static str, fn(&Case) -> Answer);

/// The first two are ours.
const METHODS: [Method; 4] = [
    (FLOAT, |case| match solve(&case.float, TOL) {
        Ok(found) => Answer {
            says: format!("gap at most {:.0e}", found.gap / case.float.range()),
            pair: Some(Pair::Float([
                found.row.as_slice().to_vec(),
                found.column.as_slice().to_vec(),
            ])),
        },
        Err(Error::NotSolved { gap, .. }) => Answer::none(format!("withheld: gap {gap:.0e}")),
        Err(other) => Answer::none(other),
    }),
    (EXACT, |case| match solve_exact(&case.exact) {
        Ok(found) => Answer {
            says: format!("gap {}", found.gap),
            pair: Some(Pair::Exact([found.row, found.column])),
        },
        Err(other) => Answer::none(other),
    }),
    ("microlp", |case| {
        let other = case.float.swapped();
        let plan = |game| Program::matrix(game).microlp(LIMIT / 2);
        match plan(&case.float).and_then(|x| Ok((x, plan(&other)?))) {
            Ok((x, y)) => Answer { says: x.status, pair: Some(Pair::Float([x.plan, y.plan])) },
            Err(why) => Answer::none(why),
        }
    }),
    ("Clarabel", |case| match Program::matrix(&case.float).clarabel(LIMIT) {
        Ok(Found { status, plan, prices }) => {
            Answer { says: status, pair: Some(Pair::Float([plan, prices])) }
        }
        Err(why) => Answer::none(why),
    }),
];

/// (method, size, seconds) asked of uniform games; in f64 with a relative gap of at most [`TOL`].
const BARS: [(&str, usize, f64); 7] = [
    (FLOAT, 100, 1.5e-3),
    (FLOAT, 200, 15e-3),
    (FLOAT, 500, 1.0),
    (FLOAT, 1000, 7.0),
    (EXACT, 100, 1.0),
    (EXACT, 200, 10.0),
    (EXACT, 500, 180.0),
];

fn matrix_bar(case: &Case, method: &str, seconds: f64, gap: Option<f64>) -> [Cell; 2] {
    let (most, words) = if method == FLOAT { (TOL, "gap 1e-12") } else { (0.0, "gap 0") };
    let close = gap.is_some_and(|gap| gap <= most);
    let asked = BARS.iter().find(|bar| (bar.0, bar.1) == (method, case.size()));
    match asked.filter(|_| case.family == UNIFORM) {
        Some((.., limit)) => {
            bar(format!("{}, {words}", duration(*limit)), seconds <= *limit && close)
        }
        None if case.family != UNIFORM && method == EXACT => bar(words, close),
        None => no_bar(),
    }
}

fn matrix_table() -> Result<Table> {
    let mut table = Table::new(
        "matrix games",
        "Whole solves of square games, U uniform on [-1, 1]. The gap is given in spreads of the payoffs \
         and in values of the game: an answer wrong by 1 value says nothing of it.",
        [
            Column::new("payoffs"),
            Column::new("size"),
            Column::new("method"),
            Column::new("says"),
            Column::new("time").unit("ms").decimals(2),
            Column::new("true gap / spread"),
            Column::new("true gap / value"),
            Column::new("times ours, f64"),
            Column::new("times ours, exact"),
            Column::new("bar"),
            Column::new("met"),
        ],
    );
    for n in [100, 200, 500, 1000] {
        compare(&mut table, &Case::decimals(n, SEED)?)?;
    }
    Case::hostile()?.iter().try_for_each(|case| compare(&mut table, case))?;
    Ok(table)
}

/// One row a method, all run in turns.
fn compare(table: &mut Table, case: &Case) -> Result<()> {
    let mut runs = Vec::new();
    for (_, method) in METHODS {
        runs.push(timed(|| method(case)));
    }
    for _ in 0..6 {
        for ((seconds, _), (_, method)) in runs.iter_mut().zip(METHODS) {
            if *seconds < SHORT {
                *seconds = seconds.min(timing::seconds(|| method(case)));
            }
        }
    }
    let value = to_f64(&solve_exact(&case.exact)?.value).abs();
    let spread = case.float.range();
    for ((seconds, answer), (name, _)) in runs.iter().zip(METHODS) {
        let gap = answer.pair.as_ref().map(|pair| case.relative_gap(&pair.to_exact()));
        let ratio = |ours: &(f64, Answer)| match (&answer.pair, &ours.1.pair) {
            (Some(_), Some(_)) => (seconds / ours.0).into(),
            (None, Some(_)) if *seconds > ours.0 => {
                format!("> {}", format_number(seconds / ours.0, None)).into()
            }
            _ => "".into(),
        };
        let [asked, met] = matrix_bar(case, name, *seconds, gap);
        table.push([
            case.family.into(),
            case.size().into(),
            name.into(),
            answer.says.as_str().into(),
            (1e3 * seconds).into(),
            gap.map_or("no answer".into(), Cell::from),
            gap.map_or("".into(), |gap| (gap * spread / value).into()),
            ratio(&runs[0]),
            ratio(&runs[1]),
            asked,
            met,
        ])?;
    }
    Ok(())
}

// ---------------------------------------------------------------------------------------------
// Dynamics

fn dynamics_table() -> Result<Table> {
    const SIZE: usize = 100;
    const GOAL: f64 = 1e-6;
    const MOST: f64 = 0.5;
    let mut table = Table::new(
        "dynamics",
        "Predictive RM+, alternating, quadratic averages, on uniform 100 x 100 games until the gap (in \
         payoff units) is at most 1e-6. It is taken every 5 % of the rounds, within the time.",
        [
            Column::new("game's seed"),
            Column::new("rounds"),
            Column::new("gap"),
            Column::new("time").unit("ms").decimals(2),
            Column::new("bar"),
            Column::new("met"),
        ],
    );
    for seed in 1..=5 {
        let game = Case::decimals(SIZE, seed)?.float;
        let run = || -> Result<(usize, f64)> {
            let rounds = play(
                Simplex::uniform(SIZE)?,
                Simplex::uniform(SIZE)?,
                Order::Alternating,
                predictive_regret_matching_plus(dynamics::Player::row(&game)),
                predictive_regret_matching_plus(dynamics::Player::column(&game)),
            );
            let (mut check, mut last) = (1, (0, f64::INFINITY));
            for round in dynamics::average(rounds, Weights::Quadratic).take(1_000_000) {
                let round = round?;
                if round.t >= check {
                    check = round.t + 1 + round.t / 20;
                    last = (round.t, ClosedForm.gap(&game, &round.x, &round.y)?.width);
                    if last.1 <= GOAL {
                        break;
                    }
                }
            }
            Ok(last)
        };
        let (mut seconds, found) = timed(run);
        let (rounds, gap) = found?;
        seconds = fastest((0..4).map(|_| timing::seconds(run)).chain([seconds]));
        let [asked, met] =
            bar(format!("{}, gap {GOAL:e}", duration(MOST)), seconds <= MOST && gap <= GOAL);
        table.push([
            (seed as usize).into(),
            rounds.into(),
            gap.into(),
            (1e3 * seconds).into(),
            asked,
            met,
        ])?;
    }
    Ok(table)
}

// ---------------------------------------------------------------------------------------------
// Extensive games

fn extensive_table() -> Result<Table> {
    let mut table = Table::new(
        "extensive games",
        "Times are from the finished tree on; CFR's are of 2,000 alternating iterations with averaging. \
         The value is the least Max's strategy can get; the gap, in payoff units, is the two averages' \
         for CFR.",
        [
            Column::new("game"),
            Column::new("method"),
            Column::new("says"),
            Column::new("time").unit("ms").decimals(2),
            Column::new("iterations per second").decimals(0),
            Column::new("value").decimals(12),
            Column::new("true gap"),
            Column::new("times ours, f64").decimals(1),
            Column::new("bar"),
            Column::new("met"),
        ],
    );
    poker(&mut table, "Kuhn", &kuhn::Kuhn)?;
    poker(&mut table, "Leduc", &leduc::Leduc)?;
    Ok(table)
}

type Plans = [Plan<Rational>; 2];

/// One method's run on one game.
struct Run {
    method: &'static str,
    says: String,
    seconds: f64,
    /// Of a dynamic.
    iterations: Option<usize>,
    plans: Option<Plans>,
}

impl Run {
    fn speed(&self) -> Option<f64> {
        self.iterations.map(|iterations| iterations as f64 / self.seconds)
    }
}

fn poker(table: &mut Table, name: &str, rules: &impl ExtensiveGame) -> Result<()> {
    let tree = Tree::new(rules)?;
    let form = SequenceForm::new(&tree);
    let mut runs = vec![ours(&tree)?, ours_exactly(&tree)?];
    runs.extend(peers(&form.to_f64()?)?);
    runs.extend(cfr_rules(&form.to_f64()?)?);
    let float = runs[0].seconds;
    for run in runs {
        let gap = run.plans.as_ref().map(|[x, y]| ClosedForm.gap(&form, x, y)).transpose()?;
        let gap = gap.map(|gap| [gap.low, gap.width]);
        let [asked, met] = poker_bar(name, &run, gap.as_ref());
        let [value, gap] =
            gap.map_or(["".into(), "no answer".into()], |gap| gap.map(|v| to_f64(&v).into()));
        table.push([
            name.into(),
            run.method.into(),
            run.says.as_str().into(),
            (1e3 * run.seconds).into(),
            run.speed().map_or("".into(), Cell::from),
            value,
            gap,
            run.iterations.map_or((run.seconds / float).into(), |_| "".into()),
            asked,
            met,
        ])?;
    }
    Ok(())
}

fn poker_bar(game: &str, run: &Run, found: Option<&[Rational; 2]>) -> [Cell; 2] {
    let exact = found.is_some_and(|[_, gap]| gap.is_zero());
    match (game, run.method) {
        ("Kuhn", EXACT) => {
            let value = -Rational::ONE / Rational::from(18);
            bar("value -1/18, gap 0", exact && found.is_some_and(|found| found[0] == value))
        }
        ("Leduc", FLOAT) => bar("300 ms", found.is_some() && run.seconds <= 0.3),
        ("Leduc", EXACT) => bar("60 s, gap 0", exact && run.seconds <= 60.0),
        ("Leduc", "CFR+") => {
            bar("2000 per second", run.speed().is_some_and(|speed| speed >= 2000.0))
        }
        _ => no_bar(),
    }
}

fn ours(tree: &Tree) -> Result<Run> {
    let (seconds, found) = repeated(|| extensive::solve(tree, TOL));
    let found = found?;
    let plans =
        [found.max.to_exact(tree.side(Player::Max))?, found.min.to_exact(tree.side(Player::Min))?];
    let says = format!("gap at most {:.0e}", found.gap);
    Ok(Run { method: FLOAT, says, seconds, iterations: None, plans: Some(plans) })
}

fn ours_exactly(tree: &Tree) -> Result<Run> {
    let (seconds, found) = repeated(|| extensive::solve_exact(tree));
    let found = found?;
    let says = format!("gap {}", found.gap);
    let plans = Some([found.max, found.min]);
    Ok(Run { method: EXACT, says, seconds, iterations: None, plans })
}

type Solver = fn(&SequenceForm) -> Result<(String, [Vec<f64>; 2]), String>;

const PEERS: [(&str, Solver); 2] = [
    ("microlp", |form| {
        let plan = |player| Program::sequence_form(form, player).microlp(LIMIT / 2);
        let (x, y) = (plan(Player::Max)?, plan(Player::Min)?);
        Ok((x.status, [x.plan, y.plan]))
    }),
    ("Clarabel", |form| {
        let found = Program::sequence_form(form, Player::Max).clarabel(LIMIT)?;
        Ok((found.status, [found.plan, found.prices]))
    }),
];

fn peers(form: &SequenceForm) -> Result<Vec<Run>> {
    let run = |(method, solve): (&'static str, Solver)| {
        let (seconds, found) = repeated(|| solve(form));
        let (says, plans) = match found {
            Ok((says, [x, y])) => {
                (says, Some([plan(form, Player::Max, &x)?, plan(form, Player::Min, &y)?]))
            }
            Err(why) => (why, None),
        };
        Ok(Run { method, says, seconds, iterations: None, plans })
    };
    PEERS.into_iter().map(run).collect()
}

fn cfr_rules(form: &SequenceForm) -> Result<Vec<Run>> {
    const ITERATIONS: usize = 2000;
    let rules = [
        ("CFR+", Rule::CFR_PLUS),
        ("predictive CFR+", Rule::PREDICTIVE_CFR_PLUS),
        ("DCFR", Rule::DCFR),
    ];
    let run = |(method, rule): (&'static str, Rule)| {
        let rounds = || cfr::average(cfr::run(form, rule, Order::Alternating), rule.gamma);
        let (seconds, last) = repeated(|| rounds().nth(ITERATIONS).transpose());
        let exact = |plan: &Plan, player| plan.to_exact(form.side(player));
        let plans = match last? {
            Some(last) => Some([exact(&last.x, Player::Max)?, exact(&last.y, Player::Min)?]),
            None => None,
        };
        let (says, iterations) = (String::new(), Some(ITERATIONS));
        Ok(Run { method, says, seconds, iterations, plans })
    };
    rules.into_iter().map(run).collect()
}

/// The plan with the proportions of a peer's numbers, negative ones set to 0.
fn plan(form: &SequenceForm, player: Player, numbers: &[f64]) -> Result<Plan<Rational>> {
    let side = form.side(player);
    let distribution = |set: &extensive::InformationSet| {
        let exact = |v: &f64| v.max(0.0).to_exact();
        let p = numbers[set.sequences()].iter().map(exact).collect::<Result<Vec<_>>>()?;
        let sum = p.iter().fold(Rational::ZERO, |sum, v| sum + v);
        if sum.is_zero() {
            return Simplex::uniform(p.len());
        }
        Simplex::new(p.into_iter().map(|v| v / &sum).collect())
    };
    let behaviour = side.information_sets().iter().map(distribution).collect::<Result<Vec<_>>>()?;
    Plan::from_behaviour(side, &behaviour)
}

/// The fastest of up to seven runs, and what the last gave.
fn repeated<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let (mut best, mut result) = timed(&mut work);
    for _ in 0..6 {
        if best < SHORT {
            let (seconds, again) = timed(&mut work);
            (best, result) = (best.min(seconds), again);
        }
    }
    (best, result)
}
