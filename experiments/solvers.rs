//! Claim: every matrix game, however scaled, is solved exactly; the float answers carry a gap that holds;
//! Leduc poker is solved to the last digit. Other programs on such games: benches/peers.py, benches/games.rs.
//!
//! Expected: exact 100 x 100 in about 0.01 s, 500 x 500 in 0.4 s; float 0.5 ms and 60 ms; Kuhn -1/18.

use crate::Context;
use dashu_base::BitTest;
use nashguard::certificate::{self, Failure, Proven};
use nashguard::dynamics::Order;
use nashguard::exploit::{ClosedForm, Exploit};
use nashguard::extensive::cfr::{self, Rule, average};
use nashguard::extensive::{self, SequenceForm, Tree};
use nashguard::matrix::{MatrixGame, solve, solve_exact};
use nashguard::report::plot::{Axis, Figure, Line, LineChart, Panel};
use nashguard::report::{Cell, Column, Report, Series, Style, Table, format_number};
use nashguard::scalar::{Rational, Scalar, parse, to_f64};
use nashguard::simplex::Simplex;
use nashguard::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::time::Instant;

#[path = "../examples/poker/kuhn.rs"]
mod kuhn;
#[path = "../examples/poker/leduc.rs"]
mod leduc;

pub const ABOUT: &str =
    "exact and float solvers: time, gap and proof on matrix and extensive games";

/// Of the float solvers, relative to the payoffs' spread.
const TOL: f64 = 1e-12;
const FLOAT: &str = "nashguard float";
const EXACT: &str = "nashguard exact";
const UNIFORM: &str = "uniform";

pub fn run(context: &Context) -> Result<Report> {
    let mut report = Report {
        claim: "Matrix games of any scaling and extensive games are solved exactly; the float \
                solvers' gaps hold in exact arithmetic, or the answer is withheld."
            .into(),
        notes: vec![
            format!(
                "Times are of one thread: the median of up to {REPEATS} runs within a second, of \
                 one run where it takes longer. A float answer is withheld when its gap exceeds \
                 {TOL:e} of the payoffs' spread."
            ),
            "\"gap, proven\" is that of a certificate made from the strategies returned (doubles are \
             divided by their exact sum) and accepted by the checker, which works in integers; up \
             to 40 x 40 an exact answer's gap is also taken by best replies over fractions."
                .into(),
        ],
        ..Report::default()
    };
    let mut bars = Bars::new();
    uniform(context, &mut report, &mut bars)?;
    hostile(context, &mut report, &mut bars)?;
    poker(context, &mut report, &mut bars)?;
    report.tables.push(bars.table);
    Ok(report)
}

/// At most so many runs are timed.
const REPEATS: usize = 11;

/// Seconds that a run took.
#[derive(Clone, Copy)]
struct Time {
    median: f64,
    fastest: f64,
}

/// What a run gave, and how long it took.
fn timed<T>(run: impl Fn() -> T) -> (T, Time) {
    let start = Instant::now();
    let mut times = Vec::new();
    loop {
        let clock = Instant::now();
        let result = run();
        times.push(clock.elapsed().as_secs_f64());
        if times.len() == REPEATS || start.elapsed().as_secs_f64() > 1.0 {
            times.sort_by(f64::total_cmp);
            return (result, Time { median: times[times.len() / 2], fastest: times[0] });
        }
    }
}

/// The bars of the project's plan, each beside what this run measured.
struct Bars {
    table: Table,
}

impl Bars {
    fn new() -> Self {
        let columns = ["bar", "limit", "measured", "fastest run", "verdict"].map(Column::new);
        let caption = "What was asked for beside what this run measured";
        Self { table: Table::new("bars", caption, columns) }
    }

    /// A time in seconds, at most `limit`.
    fn time(&mut self, bar: &str, limit: f64, time: Time) -> Result<()> {
        let verdict = match (time.median <= limit, time.fastest <= limit) {
            (true, _) => "met",
            (_, true) => "missed: only the fastest run is within it, the machine's load decides",
            _ => "missed: every run took longer",
        };
        self.push(bar, &format!("{} s", show(limit)), time.median.into(), time.fastest, verdict)
    }

    /// A number, at least or at most `limit`.
    fn number(&mut self, bar: &str, sign: &str, limit: f64, measured: f64) -> Result<()> {
        let met = if sign == ">=" { measured >= limit } else { measured <= limit };
        let verdict = if met { "met" } else { "missed" };
        self.push(bar, &format!("{sign} {}", show(limit)), measured.into(), f64::NAN, verdict)
    }

    /// All of so many.
    fn all(&mut self, bar: &str, good: usize, of: usize) -> Result<()> {
        let verdict = if good == of { "met" } else { "missed" };
        self.push(bar, "all", format!("{good} of {of}").into(), f64::NAN, verdict)
    }

    fn push(
        &mut self,
        bar: &str,
        limit: &str,
        is: Cell,
        fastest: f64,
        verdict: &str,
    ) -> Result<()> {
        let fastest = if fastest.is_nan() { "".into() } else { fastest.into() };
        self.table.push([bar.into(), limit.into(), is, fastest, verdict.into()])
    }
}

fn show(value: f64) -> String {
    format_number(value, None)
}

/// The columns of a table of matrix games.
fn columns() -> [Column; 9] {
    [
        Column::new("payoffs"),
        Column::new("size"),
        Column::new("method"),
        Column::new("time").unit("s"),
        Column::new("gap"),
        Column::new("gap / spread"),
        Column::new("gap, proven"),
        Column::new("answer"),
        Column::new("bits of the value's denominator"),
    ]
}

/// A matrix game to solve; exact arithmetic checks what is found.
struct Case<'a> {
    family: &'a str,
    game: MatrixGame<Rational>,
}

/// What a method made of a case.
struct Outcome {
    row: [Cell; 9],
    time: Time,
    /// Gap over spread as claimed; `None` when withheld.
    relative: Option<f64>,
    /// Whether the claim holds in exact arithmetic.
    holds: bool,
}

impl Case<'_> {
    fn size(&self) -> String {
        let (m, n) = self.game.payoffs().dim();
        format!("{m} x {n}")
    }

    fn spread(&self) -> Rational {
        let all = || self.game.payoffs().iter();
        all().max().cloned().unwrap_or_default() - all().min().cloned().unwrap_or_default()
    }

    fn exact(&self) -> Result<Outcome> {
        let (found, time) = timed(|| solve_exact(&self.game));
        let found = found?;
        let proven = self.proven(&found.row, &found.column)?;
        let mut holds = (&proven.value, &proven.gap) == (&found.value, &Rational::ZERO);
        // By best replies over fractions as well, where that is quick.
        const FEW: usize = 40;
        if found.row.as_slice().len().max(found.column.as_slice().len()) <= FEW {
            let gap = ClosedForm.gap(&self.game, &found.row, &found.column)?;
            holds &= (&gap.low, &gap.high) == (&found.value, &found.value);
        }
        Ok(Outcome {
            row: [
                self.family.into(),
                self.size().into(),
                EXACT.into(),
                time.median.into(),
                exact_cell(&found.gap),
                exact_cell(&found.gap),
                exact_cell(&proven.gap),
                (if holds { "exact" } else { "WRONG" }).into(),
                found.value.denominator().bit_len().into(),
            ],
            time,
            relative: Some(0.0),
            holds,
        })
    }

    /// `game` is this one, over the numbers that the float solver is given.
    fn float<T: Scalar>(&self, game: &MatrixGame<T>) -> Result<Outcome> {
        let (found, time) = timed(|| solve(game, TOL));
        let none = || Cell::from("");
        let (gap, relative, proven, answer, holds) = match found {
            Ok(found) => {
                let gap = found.gap.to_exact()?;
                let proven = self.proven(&found.row, &found.column)?.gap;
                let holds = proven <= gap;
                let relative = if gap.is_zero() { 0.0 } else { to_f64(&(gap / self.spread())) };
                let answer = if holds { "gap holds" } else { "WRONG" };
                (found.gap.into(), Some(relative), exact_cell(&proven), answer, holds)
            }
            Err(Error::NotSolved { .. }) => (none(), None, none(), "withheld", true),
            Err(other) => return Err(other),
        };
        let row = [
            self.family.into(),
            self.size().into(),
            FLOAT.into(),
            time.median.into(),
            gap,
            relative.map_or(none(), Cell::from),
            proven,
            answer.into(),
            none(),
        ];
        Ok(Outcome { row, time, relative, holds })
    }

    /// What x guarantees and the gap, as the certificate checker proves them: from the payoffs, in
    /// integers, with none of the solver's code.
    fn proven<T: Scalar>(&self, x: &Simplex<T>, y: &Simplex<T>) -> Result<Proven> {
        let wrong = |f: Failure| {
            let place = format!("{} {}", self.family, self.size());
            Error::invalid(place, f.0, "report this defect")
        };
        certificate::Matrix::of(&self.game, x, y)?.check().map_err(wrong)
    }
}

/// Zero as a whole number, so that it reads "0" and nothing else does.
fn exact_cell(v: &Rational) -> Cell {
    if v.is_zero() { 0.into() } else { to_f64(v).into() }
}

/// Uniform on [-1, 1] with 4 decimals, as ten-thousandths.
fn decimals(m: usize, n: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut entry = || ((2.0 * rng.random::<f64>() - 1.0) * 1e4).round() as i64;
    (0..m).map(|_| (0..n).map(|_| entry()).collect()).collect()
}

fn uniform(context: &Context, report: &mut Report, bars: &mut Bars) -> Result<()> {
    let sizes: &[usize] = context.scale.pick(
        &[10, 20],
        &[20, 50, 100, 200, 500, 1000],
        &[20, 50, 100, 200, 500, 1000, 2000],
    );
    let mut table = Table::new(
        "uniform games",
        "Payoffs uniform in [-1, 1] with 4 decimals: exact solvers get the decimals, float solvers \
         the nearest doubles",
        columns(),
    );
    let (mut floats, mut exacts) = (Vec::new(), Vec::new());
    let mut worst = 0.0_f64;
    let bar = context.progress(UNIFORM, sizes.len());
    for &n in sizes {
        let whole = decimals(n, n, context.seed.wrapping_add(n as u64));
        let of = |f: &dyn Fn(i64) -> Rational| {
            MatrixGame::new(whole.iter().map(|r| r.iter().map(|v| f(*v)).collect()).collect())
        };
        let rows = whole.iter().map(|r| r.iter().map(|v| *v as f64 / 1e4).collect()).collect();
        let doubles = MatrixGame::new(rows)?;
        let of_doubles = Case { family: UNIFORM, game: doubles.to_exact() };
        let float = of_doubles.float(&doubles)?;
        worst = worst.max(float.relative.unwrap_or(f64::INFINITY));
        floats.push([n as f64, float.time.median]);
        table.push(float.row)?;
        let limit = match n {
            100 => Some(1.5e-3),
            200 => Some(15e-3),
            500 => Some(1.0),
            1000 => Some(7.0),
            _ => None,
        };
        if let Some(limit) = limit {
            bars.time(&format!("float {n} x {n}, with its gap"), limit, float.time)?;
        }
        let decimal = |v: i64| Rational::from(v) / Rational::from(10_000);
        let exact = Case { family: UNIFORM, game: of(&decimal)? }.exact()?;
        exacts.push([n as f64, exact.time.median]);
        table.push(exact.row)?;
        let limit = match n {
            100 => Some(1.0),
            200 => Some(10.0),
            500 => Some(180.0),
            _ => None,
        };
        if let Some(limit) = limit {
            bars.time(&format!("exact {n} x {n}"), limit, exact.time)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    bars.number("float, uniform: largest gap / spread", "<=", TOL, worst)?;
    for (panel, label, points) in [("exact", EXACT, exacts), ("float", FLOAT, floats)] {
        report.series.push(Series::new(panel, label, "n", "seconds", points));
    }
    report.tables.push(table);
    Ok(())
}

/// Games of a size on which float solvers fail, or degenerate ones.
fn families(n: usize, seed: u64) -> Result<Vec<Case<'static>>> {
    let number = |text: &str| {
        parse(text).ok_or_else(|| Error::invalid("number", text, "write a decimal number"))
    };
    let uniform = decimals(n, n, seed);
    let u = |i: usize, j: usize| Rational::from(uniform[i][j]) / Rational::from(10_000);
    let tiny = number("1e-9")?;
    let tenth = number("1e-1")?;
    let scales = [number("1e300")?, Rational::ONE, number("1e-300")?];
    let alternating = |i: usize, j: usize| {
        let sign = if (i + j).is_multiple_of(2) { 1 } else { -1 };
        Rational::from(sign) / Rational::from(i + j + 1)
    };
    let square = |f: &dyn Fn(usize, usize) -> Rational| rectangle(n, n, f);
    // Few distinct payoffs; every line twice, one row below and one column above all others.
    let small = |i: usize, j: usize| Rational::from(uniform[i][j] / 3334);
    let half = n.div_ceil(2);
    let doubled = |i: usize, j: usize| match (i, j) {
        (i, _) if i == 2 * half => Rational::from(-3),
        (_, j) if j == 2 * half => Rational::from(3),
        (i, j) => small(i % half, j % half),
    };
    let cases = [
        ("1 + 1e-9 U", square(&|i, j| Rational::ONE + u(i, j) * &tiny)?),
        ("1e-9 U", square(&|i, j| u(i, j) * &tiny)?),
        (
            "diag(1, 1e-1, 1e-2, ..)",
            square(&|i, j| if i == j { tenth.pow(i as isize) } else { Rational::ZERO })?,
        ),
        ("alternating Hilbert", square(&alternating)?),
        ("1e300, 1, 1e-300 mixed", square(&|i, j| u(i, j) * &scales[(7 * i + j * j) % 3])?),
        ("1e300, 1, 1e-300 by rows", square(&|i, j| u(i, j) * &scales[i % 3])?),
        ("1e300, 1, 1e-300 by columns", square(&|i, j| u(i, j) * &scales[j % 3])?),
        ("-1, 0 and 1", square(&small)?),
        ("duplicated and dominated", rectangle(2 * half + 1, 2 * half + 1, &doubled)?),
        ("all zero", square(&|_, _| Rational::ZERO)?),
        ("single row", rectangle(1, n, &|i, j| u(i, j))?),
        ("single column", rectangle(n, 1, &|i, j| u(i, j))?),
    ];
    Ok(cases.into_iter().map(|(family, game)| Case { family, game }).collect())
}

fn rectangle(
    m: usize,
    n: usize,
    f: &dyn Fn(usize, usize) -> Rational,
) -> Result<MatrixGame<Rational>> {
    MatrixGame::new((0..m).map(|i| (0..n).map(|j| f(i, j)).collect()).collect())
}

fn hostile(context: &Context, report: &mut Report, bars: &mut Bars) -> Result<()> {
    let sizes: &[usize] =
        context.scale.pick(&[8], &[8, 20, 40], &[1, 2, 3, 5, 8, 10, 15, 20, 30, 40]);
    let mut table = Table::new(
        "hostile games",
        "Games on which float solvers fail, and degenerate ones; U is uniform in [-1, 1] with 4 decimals; \
         payoffs are given exactly",
        columns(),
    );
    let (mut games, mut exact, mut solved, mut honest) = (0, 0, 0, 0);
    let largest = sizes.iter().max().copied().unwrap_or(0);
    let bar = context.progress("hostile games", sizes.len());
    let mut rows = Vec::new();
    for &n in sizes {
        for case in families(n, context.seed.wrapping_add(1000 + n as u64))? {
            let float = case.float(&case.game)?;
            let precise = case.exact()?;
            games += 1;
            exact += usize::from(precise.holds);
            solved += usize::from(float.relative.is_some());
            honest += usize::from(float.holds);
            rows.push((case.family, n, float.row));
            rows.push((case.family, n, precise.row));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    // By family, in the order they come, then by size.
    let order: Vec<&str> = rows.iter().map(|r| r.0).collect();
    rows.sort_by_key(|(family, n, _)| (order.iter().position(|f| f == family), *n));
    rows.into_iter().try_for_each(|(_, _, row)| table.push(row))?;
    report.tables.push(table);
    bars.all(
        &format!("hostile games, n up to {largest}: solved exactly, gap exactly 0"),
        exact,
        games,
    )?;
    bars.all("hostile games in floats: no claim that exact arithmetic refutes", honest, games)?;
    report.notes.push(format!(
        "Of {games} hostile games the float solver answers {solved} and withholds {}. Its gaps are \
         relative to the spread: where scales are mixed, 1e-15 of 1e300 says nothing about the \
         payoffs around 1, and only the exact answer does.",
        games - solved
    ));
    Ok(())
}

const SEQUENCE_FORM: &str = "sequence form, float";

fn poker(context: &Context, report: &mut Report, bars: &mut Bars) -> Result<()> {
    let mut table = Table::new(
        "extensive games",
        "Sequence-form programs and the averages of counterfactual regret minimisation (alternating; \
         seconds include averaging, not the gap's measurement)",
        [
            Column::new("game"),
            Column::new("method"),
            Column::new("time").unit("s"),
            Column::new("iterations"),
            Column::new("iterations / s"),
            Column::new("gap"),
            Column::new("value"),
            Column::new("answer"),
            Column::new("bits of the value's denominator"),
        ],
    );
    let none = || Cell::from("");
    for (name, tree) in [("Kuhn", Tree::new(&kuhn::Kuhn)?), ("Leduc", Tree::new(&leduc::Leduc)?)] {
        let (found, float_time) = timed(|| extensive::solve(&tree, TOL));
        let answered = found.is_ok();
        if let (Ok(found), "Leduc") = (&found, name) {
            let at = [[float_time.median, found.gap]];
            let mut series = Series::new("leduc", SEQUENCE_FORM, "seconds", "gap", at);
            series.style = Style::Markers;
            report.series.push(series);
        }
        let (gap, value, answer) = match found {
            Ok(found) => (found.gap.into(), format!("{:.13}", found.value), "gap computed exactly"),
            Err(Error::NotSolved { .. }) => (none(), String::new(), "withheld"),
            Err(other) => return Err(other),
        };
        table.push([
            name.into(),
            SEQUENCE_FORM.into(),
            float_time.median.into(),
            none(),
            none(),
            gap,
            value.into(),
            answer.into(),
            none(),
        ])?;
        let (found, exact_time) = timed(|| extensive::solve_exact(&tree));
        let found = found?;
        let form = SequenceForm::new(&tree);
        let gap = ClosedForm.gap(&form, &found.max, &found.min)?;
        let certificate = certificate::Extensive::of(&form, &found.max, &found.min)?;
        let proven = certificate.check().is_ok_and(|p| p.value == found.value && p.gap.is_zero());
        let exact = proven && gap.width.is_zero() && gap.low == found.value;
        let bits = found.value.denominator().bit_len();
        let shown = match bits {
            ..=32 => found.value.to_string(),
            _ => {
                report.notes.push(format!("The value of {name} is exactly {}.", found.value));
                format!("{:.16}", to_f64(&found.value))
            }
        };
        table.push([
            name.into(),
            "sequence form, exact".into(),
            exact_time.median.into(),
            none(),
            none(),
            exact_cell(&gap.width),
            shown.into(),
            (if exact { "exact" } else { "WRONG" }).into(),
            bits.into(),
        ])?;
        if name == "Kuhn" {
            let known = Rational::from(-1) / Rational::from(18);
            bars.all("Kuhn is exactly -1/18", usize::from(exact && found.value == known), 1)?;
        } else {
            bars.all("Leduc, sequence form, float: answered", usize::from(answered), 1)?;
            bars.time("Leduc, sequence form, float", 0.3, float_time)?;
            bars.time("Leduc, sequence form, exact", 60.0, exact_time)?;
            bars.all("Leduc exact: gap exactly 0", usize::from(exact), 1)?;
        }
        regrets(context, name, &form.to_f64()?, &mut table, report, bars)?;
    }
    report.tables.push(table);
    Ok(())
}

fn regrets(
    context: &Context,
    game: &str,
    form: &SequenceForm,
    table: &mut Table,
    report: &mut Report,
    bars: &mut Bars,
) -> Result<()> {
    let iterations = context.scale.pick(50, 10_000, 100_000);
    for (name, rule) in [
        ("CFR+", Rule::CFR_PLUS),
        ("predictive CFR+", Rule::PREDICTIVE_CFR_PLUS),
        ("DCFR", Rule::DCFR),
    ] {
        let rounds = average(cfr::run(form, rule, Order::Alternating), rule.gamma);
        let (mut spent, mut clock) = (0.0, Instant::now());
        let (mut points, mut check, mut value) = (Vec::new(), 1, f64::NAN);
        for round in rounds.take(iterations + 1) {
            let round = round?;
            if round.t >= check || round.t == iterations {
                spent += clock.elapsed().as_secs_f64();
                check = round.t + 1 + round.t / 10;
                let gap = ClosedForm.gap(form, &round.x, &round.y)?;
                points.push([spent, gap.width]);
                value = 0.5 * (gap.low + gap.high);
                clock = Instant::now();
            }
        }
        let speed = iterations as f64 / spent;
        let gap = points.last().map_or(f64::NAN, |p| p[1]);
        table.push([
            game.into(),
            name.into(),
            spent.into(),
            iterations.into(),
            speed.into(),
            gap.into(),
            format!("{value:.7}").into(),
            "float".into(),
            "".into(),
        ])?;
        if game == "Leduc" {
            report.series.push(Series::new("leduc", name, "seconds", "gap", points));
            if rule == Rule::CFR_PLUS {
                bars.number("Leduc, CFR+: iterations a second", ">=", 2000.0, speed)?;
            }
        }
    }
    Ok(())
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let chart = |panel: &str, title: &str, x: &str, y: &str| -> Panel {
        LineChart {
            title: title.into(),
            x: Axis::log(x),
            y: Axis::log(y),
            lines: report.panel(panel).map(Line::from).collect(),
            ..LineChart::default()
        }
        .into()
    };
    let (size, time) = ("n, for n x n payoffs", "seconds");
    let panels = vec![
        chart("exact", "exact: the value as a fraction", size, time),
        chart("float", "float: ours with a rigorous gap", size, time),
    ];
    let title = "Time to solve a random matrix game".into();
    Figure { title, columns: 2, panels }.draw(figures.join("solvers"))?;
    let title = "Leduc poker: gap of the averages, and of the linear program, against time";
    let panels = vec![chart("leduc", title, time, "gap")];
    Figure { columns: 1, panels, ..Figure::default() }.draw(figures.join("solvers-leduc"))
}
