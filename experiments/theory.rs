//! Claim: the paper's iteration converges from every start when beta > 1 and is unstable below
//! 1 - mu_min; tau >= 1 converges for every beta > 0. Expected: predicted = measured rate to 2%.
//!
//! Paper: Theorem 4.2 and Algorithm 1 (tau = 0).

use crate::{Context, Scale};
use nashguard::dynamics::Order;
use nashguard::guard::{
    Anchor, Generator, GuardGame, Seed, Solution, paper, proximal, random_game, solve, spectrum,
};
use nashguard::report::plot::{Axis, Figure, Line, LineChart, Panel};
use nashguard::report::{Cell, Column, Report, Series, Style, Table};
use nashguard::{BestReply, Game, Result};
use ndarray::Array2;
use rayon::prelude::*;
use std::path::Path;

pub const ABOUT: &str =
    "predicted and measured convergence rates; the paper's condition beside the true threshold";

const BETAS: [f64; 9] = [0.01, 0.1, 0.5, 0.9, 1.0, 1.1, 2.0, 5.0, 10.0];
/// The paper's own weight first.
const PLAYS: [(f64, Order); 4] = [
    (0.0, Order::Alternating),
    (0.0, Order::Simultaneous),
    (0.5, Order::Alternating),
    (1.0, Order::Alternating),
];
/// D(p*, p_t) counts as reached below this.
const REACHED: f64 = 1e-10;
/// D grown this many times counts as gone for good.
const DIVERGED: f64 = 1e6;
const SOLVED: f64 = 1e-13;
/// The floor at which the paper's constants are evaluated.
const GAMMA: f64 = 0.05;
/// The game of the short table and the figure.
const LARGE: &str = "8 seeds x 200 texts";
/// "Never" means: not within this many rounds, and predicted unstable.
const ROUNDS: usize = 5_000;

/// The games, smallest first; every one is stated so that it can be built again.
fn games(seed: u64, scale: Scale) -> Result<Vec<(&'static str, GuardGame)>> {
    let two = |label| Seed { label, weight: 0.5, reference: vec![0.5, 0.5] };
    let real = Array2::from_shape_fn((2, 20), |(y, z)| if z % 2 == y { 0.05 } else { 0.0 });
    let mut games = vec![
        ("two texts", GuardGame::new(2, vec![two(0), two(1)], 1.0)?),
        ("two texts, floor 0.05", GuardGame::new(2, vec![two(0), two(1)], 1.0)?.with_floor(GAMMA)?),
        ("4 seeds x 20 texts", random_game(2, 4, 20, 1.0, 1.0, seed.wrapping_add(1))?),
        ("3 labels, 6 seeds x 30 texts", random_game(3, 6, 30, 1.0, 0.5, seed.wrapping_add(2))?),
        (
            "4 seeds x 20 texts, anchor 1",
            random_game(2, 4, 20, 1.0, 1.0, seed.wrapping_add(1))?
                .with_anchor(Anchor { weight: 1.0, real })?,
        ),
        ("40 seeds x 5 texts", random_game(2, 40, 5, 1.0, 1.0, seed.wrapping_add(5))?),
        (LARGE, random_game(2, 8, 200, 1.0, 0.5, seed.wrapping_add(3))?),
    ];
    if scale == Scale::Smoke {
        games.truncate(2);
    }
    if scale == Scale::Full {
        games.push((
            "20 seeds x 500 texts",
            random_game(2, 20, 500, 1.0, 0.2, seed.wrapping_add(4))?,
        ));
    }
    Ok(games)
}

/// One row of the rates table.
struct Rate {
    game: &'static str,
    beta: f64,
    tau: f64,
    order: Order,
    predicted: f64,
    measured: f64,
    /// Rounds after which a theorem promises D <= 1e-10.
    bound: Option<usize>,
    /// Rounds it took.
    reached: Option<usize>,
    /// Whether it left for good instead.
    escaped: bool,
    theorem: &'static str,
}

pub fn run(context: &Context) -> Result<Report> {
    let betas: &[f64] = if context.scale == Scale::Smoke { &[0.1, 2.0] } else { &BETAS };
    let games = games(context.seed, context.scale)?;
    let cases: Vec<_> = games
        .iter()
        .flat_map(|(name, game)| betas.iter().map(move |b| (*name, game, *b)))
        .collect();
    let bar = context.progress("rates", cases.len());
    let blocks = context.scale.pick(50, 150, 600);
    let rates: Vec<Vec<Rate>> = cases
        .par_iter()
        .map(|(name, game, beta)| {
            let rates =
                measure(name, &GuardGame::clone(game).with_beta(*beta)?, blocks, context.seed);
            bar.inc(1);
            rates
        })
        .collect::<Result<_>>()?;
    bar.finish_and_clear();
    let rates: Vec<Rate> = rates.into_iter().flatten().collect();

    let off = |r: &Rate| (r.measured / r.predicted - 1.0).abs();
    let worst = rates.iter().map(off).fold(0.0, f64::max);
    let large = games.iter().find(|(name, _)| *name == LARGE).or(games.last());
    let Some((name, large)) = large else { return Ok(Report::default()) };
    Ok(Report {
        paper_reference: "Theorem 4.2, Algorithm 1".into(),
        claim: "The paper's iteration (tau = 0) converges for every beta > 1 (Theorem C) and is \
                unstable below 1 - mu_min (Theorem B); tau >= 1 converges for every beta > 0 \
                (Theorem A). The paper's own condition asks for beta beyond 8 |Z|."
            .into(),
        notes: vec![
            format!(
                "Measured and predicted rates differ by at most {:.2} % over all {} rows.",
                100.0 * worst,
                rates.len()
            ),
            "Rates are per round, of the distance (the square root of D). predicted_rate: Theorem B \
             at the equilibrium; measured_rate: power method on the dynamics themselves."
                .into(),
            format!(
                "bound: rounds after which Theorem A (tau >= 1) or C (tau = 0, beta > 1) promises \
                 D(p*, p_t) <= {REACHED:e} from the start p_0 = r (two texts: r tilted, since r is its equilibrium); no theorem covers tau = 1/2. never: not \
                 within {ROUNDS} rounds and locally unstable; > {ROUNDS}: not within those, and \
                 locally stable or on the boundary."
            ),
            "covered by: the name of the theorem in proofs/Main.v, proved in Coq for every such game: \
             from every start, near the equilibrium, or for the linearised iteration, as it says. What \
             is left is proved in theory/convergence.md only, tau = 0 at 1 - mu_min < beta <= 1 and the \
             clipped class among it."
                .into(),
        ],
        tables: vec![
            rates_table(&rates)?,
            rounds_table(name, large, betas, &rates)?,
            paper_table(&games, betas)?,
        ],
        series: decline(large, name, &rates)?,
        ..Report::default()
    })
}

fn measure(name: &'static str, game: &GuardGame, blocks: usize, seed: u64) -> Result<Vec<Rate>> {
    let Solution { p: star, .. } = solve(game, SOLVED)?;
    let spectrum = spectrum(game, &star)?;
    PLAYS
        .iter()
        .map(|&(tau, order)| {
            let per_step = spectrum.rate(tau);
            let predicted = match order {
                Order::Alternating => per_step,
                // Two interleaved alternating runs (Proposition 5): one step every other round.
                Order::Simultaneous => per_step.sqrt(),
            };
            let measured = proximal::measured_rate(game, &star, tau, order, blocks, seed)?;
            let start = start(game, &star)?;
            let d0 = game.divergence(&star, &start)?;
            let steps = bound(game, &star, &start, tau)?;
            let rounds = |steps: usize| match order {
                Order::Alternating => steps,
                Order::Simultaneous => 2 * steps,
            };
            let (mut reached, mut escaped) = (None, false);
            for round in proximal::run(game, tau, order, start)?.take(ROUNDS + 1) {
                let round = round?;
                let d = game.divergence(&star, &round.x)?;
                if d <= REACHED {
                    reached = Some(round.t);
                }
                // Without a floor the unstable iteration runs off to infinity, and out of f64.
                escaped = d > DIVERGED * (1.0 + d0);
                if reached.is_some() || escaped {
                    break;
                }
            }
            let beta = game.beta();
            let bound = steps.map(rounds);
            let theorem = theorem(game, tau, order, bound.is_some());
            Ok(Rate {
                game: name,
                beta,
                tau,
                order,
                predicted,
                measured,
                bound,
                reached,
                escaped,
                theorem,
            })
        })
        .collect()
}

/// The reference; where that is the equilibrium itself (two texts), the first seed leans to text 0.
fn start(game: &GuardGame, star: &Generator) -> Result<Generator> {
    let reference = Generator::reference(game);
    if game.divergence(star, &reference)? > REACHED {
        return Ok(reference);
    }
    let mut p = game.reference().clone();
    p.row_mut(0).mapv_inplace(|r| 0.8 * r);
    p[(0, 0)] += 0.2;
    Generator::new(game, p)
}

/// Steps that a theorem needs from `start`, if one applies.
fn bound(game: &GuardGame, star: &Generator, start: &Generator, tau: f64) -> Result<Option<usize>> {
    let beta = game.beta();
    let steps = |excess: f64, rate: f64| (excess.ln() / -rate.ln()).max(0.0).ceil() as usize;
    if tau >= 1.0 {
        // D_t <= (tau/(tau + beta))^t D_0.
        let d0 = game.divergence(star, start)?;
        return Ok(Some(steps(d0 / REACHED, tau / (tau + beta))));
    }
    if tau == 0.0 && beta > 1.0 {
        // beta D_{t+1} <= V(q_t) - V* <= (V(q_0) - V*) / beta^t.
        let q0 = game.min_reply(start)?;
        let excess = game.value_against(&q0)? - game.payoff(star, &game.min_reply(star)?)?;
        return Ok(Some(1 + steps(excess / (beta * REACHED), 1.0 / beta)));
    }
    Ok(None)
}

fn order_name(order: Order) -> &'static str {
    match order {
        Order::Alternating => "alternating",
        Order::Simultaneous => "simultaneous",
    }
}

impl Rate {
    fn rounds(&self) -> Cell {
        match self.reached {
            Some(t) => t.into(),
            None if self.predicted > 1.0 => "never".into(),
            None => format!("> {ROUNDS}").into(),
        }
    }

    /// What was seen, under the theorem that covers it; a contradiction would say so.
    fn verdict(&self) -> String {
        let theorem = match self {
            Rate { bound: Some(_), tau, .. } if *tau >= 1.0 => "Theorem A",
            Rate { bound: Some(_), .. } => "Theorem C",
            _ => "Theorem B",
        };
        // At the boundary itself neither theorem decides, and rounding does.
        let boundary = (self.predicted - 1.0).abs() < 1e-6;
        match (self.reached, self.bound) {
            (Some(t), Some(bound)) if t <= bound => format!("converges ({theorem})"),
            (_, Some(_)) => format!("CONTRADICTS {theorem}"),
            (Some(_), None) if self.predicted < 1.0 => {
                "converges (locally stable by Theorem B)".into()
            }
            (None, None) if boundary => "neither grows nor shrinks (boundary of Theorem B)".into(),
            (None, None) if self.escaped => "runs off to infinity (unstable by Theorem B)".into(),
            (None, None) if self.predicted > 1.0 => {
                "does not converge (unstable by Theorem B)".into()
            }
            (Some(_), None) => "converges although locally unstable".into(),
            (None, None) => "slow (locally stable by Theorem B)".into(),
        }
    }
}

/// The theorem that covers a way to play, by its name in proofs/Main.v where it is proved in Coq.
fn theorem(game: &GuardGame, tau: f64, order: Order, bounded: bool) -> &'static str {
    let beta = game.beta();
    let free = game.floor() == 0.0 && order == Order::Alternating;
    let open = (0..game.labels()).all(|y| game.label().contains(&y))
        && game.reference().iter().all(|r| *r > 0.0);
    let many =
        open && game.anchor().is_none() && (game.labels() - 1) * game.texts() >= game.seeds();
    match order {
        _ if bounded && tau >= 1.0 => "corollary_A_1",
        Order::Alternating if bounded => "theorem_C",
        Order::Simultaneous if bounded => "proposition_5",
        _ if free && 2.0 * tau + beta > 1.0 => "theorem_B_attraction (near p*)",
        _ if free && many => "theorem_B_threshold (linearised)",
        _ => "Theorem B, on paper only",
    }
}

fn rates_table(rates: &[Rate]) -> Result<Table> {
    let mut table = Table::new(
        "rates",
        "Every game, beta and way to play",
        [
            Column::new("game"),
            Column::new("beta"),
            Column::new("tau"),
            Column::new("order"),
            Column::new("predicted_rate").decimals(4),
            Column::new("measured_rate").decimals(4),
            Column::new("bound").unit("rounds"),
            Column::new("iterations_to_1e-10").unit("rounds"),
            Column::new("verdict"),
            Column::new("covered by (proofs/Main.v)"),
        ],
    );
    for r in rates {
        table.push([
            r.game.into(),
            r.beta.into(),
            r.tau.into(),
            order_name(r.order).into(),
            r.predicted.into(),
            r.measured.into(),
            r.bound.map_or("none".into(), Cell::from),
            r.rounds(),
            r.verdict().into(),
            r.theorem.into(),
        ])?;
    }
    Ok(table)
}

/// The short version: one game, one row a beta.
fn rounds_table(name: &str, game: &GuardGame, betas: &[f64], rates: &[Rate]) -> Result<Table> {
    let mut table = Table::new(
        "rounds",
        format!(
            "{name}: rounds until D(p*, p_t) <= {REACHED:e}, alternating, from p_0 = r; the paper's \
             c at gamma = {GAMMA} must be below 1"
        ),
        [
            Column::new("beta"),
            Column::new("tau = 0 (paper)"),
            Column::new("bound of C"),
            Column::new("tau = 1/2"),
            Column::new("tau = 1"),
            Column::new("bound of A"),
            Column::new("paper's c(beta)"),
        ],
    );
    for &beta in betas {
        let at = |tau: f64| {
            rates.iter().find(|r| {
                r.game == name && r.beta == beta && r.tau == tau && r.order == Order::Alternating
            })
        };
        let rounds = |tau| at(tau).map_or("".into(), Rate::rounds);
        let bound = |tau| at(tau).and_then(|r| r.bound).map_or("none".into(), Cell::from);
        let c = paper::constants(&game.clone().with_beta(beta)?.with_floor(GAMMA)?)?;
        table.push([
            beta.into(),
            rounds(0.0),
            bound(0.0),
            rounds(0.5),
            rounds(1.0),
            bound(1.0),
            power_of_ten(c.ln_c),
        ])?;
    }
    Ok(table)
}

/// exp(ln_c) as a number, or as a power of ten beyond f64.
fn power_of_ten(ln_c: f64) -> Cell {
    let c = ln_c.exp();
    if c.is_finite() { c.into() } else { format!("1e{:.0}", ln_c / std::f64::consts::LN_10).into() }
}

fn paper_table(games: &[(&'static str, GuardGame)], betas: &[f64]) -> Result<Table> {
    let mut table = Table::new(
        "paper condition",
        format!(
            "The paper's sufficient condition c(beta) < 1 at gamma = {GAMMA} beside what is true. \
             Two labels, no anchor, as in the paper"
        ),
        [
            Column::new("game"),
            Column::new("texts"),
            Column::new("beta"),
            Column::new("alpha"),
            Column::new("c(beta)"),
            Column::new("least beta the paper admits"),
            Column::new("8 |Z|"),
            Column::new("enough for every start (Theorem C): beta >"),
            Column::new("local threshold 1 - mu_min (Theorem B)").decimals(4),
        ],
    );
    for (name, game) in
        games.iter().filter(|(_, g)| g.anchor().is_none() && g.floor() == 0.0 && g.labels() == 2)
    {
        for &beta in betas {
            let game = game.clone().with_beta(beta)?;
            let clipped = game.clone().with_floor(GAMMA)?;
            let constants = paper::constants(&clipped)?;
            let star = solve(&game, SOLVED)?.p;
            table.push([
                (*name).into(),
                game.texts().into(),
                beta.into(),
                constants.alpha.into(),
                power_of_ten(constants.ln_c),
                paper::least_admissible_beta(&clipped)?.into(),
                (8 * game.texts()).into(),
                1.0.into(),
                spectrum(&game, &star)?.threshold(0.0).into(),
            ])?;
        }
    }
    Ok(table)
}

/// Series for the figure: rates over beta, measured and predicted.
fn decline(game: &GuardGame, name: &str, rates: &[Rate]) -> Result<Vec<Series>> {
    let mut series = Vec::new();
    let betas = (0..=60).map(|k| 10.0_f64.powf(-2.0 + f64::from(k) * 0.05));
    let predicted: Vec<_> = betas
        .map(|beta| {
            let game = game.clone().with_beta(beta)?;
            Ok((beta, spectrum(&game, &solve(&game, SOLVED)?.p)?))
        })
        .collect::<Result<_>>()?;
    for (tau, label) in [(0.0, "tau = 0 (paper)"), (0.5, "tau = 1/2"), (1.0, "tau = 1")] {
        let line = predicted.iter().map(|(beta, s)| [*beta, s.rate(tau)]);
        let points = rates
            .iter()
            .filter(|r| r.game == name && r.tau == tau && r.order == Order::Alternating)
            .map(|r| [r.beta, r.measured]);
        for (points, style, suffix) in [
            (line.collect::<Vec<_>>(), Style::Dashed, "predicted"),
            (points.collect(), Style::Markers, "measured"),
        ] {
            let name = format!("{label}, {suffix}");
            let mut s = Series::new("rates", name, "beta", "rate per round", points);
            (s.group, s.style) = (label.into(), style);
            series.push(s);
        }
    }
    Ok(series)
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    let lines: Vec<Line> = report.panel("rates").map(Line::from).collect();
    let one = Line::new("neither grows nor shrinks", Style::Solid, [[0.01, 1.0], [10.0, 1.0]]);
    let chart = LineChart {
        title: "Local rate per round: above 1 the iteration diverges".into(),
        x: Axis::log("beta (nats per nat)"),
        y: Axis::log("rate"),
        lines: lines.into_iter().chain([one]).collect(),
        ..LineChart::default()
    };
    Figure { columns: 1, panels: vec![Panel::from(chart)], ..Figure::default() }
        .draw(figures.join("theory-rates"))
}
