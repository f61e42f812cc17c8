//! Claim: on real text the exact equilibrium names the texts that a guardrail cannot tell apart.
//! Expected: gap <= 1e-12; the generator moves its mass to texts near both labels' seeds.
//!
//! Paper: Section 4, the game itself, on rows of the real data in place of a language model.

use crate::{Context, texts::similarities};
use nashguard::data::{Benchmark, Label, Language, Row, embedded};
use nashguard::guard::{Classifier, Generator, GuardGame, Seed, Solution, solve};
use nashguard::report::plot::{Axis, Bar, Bars, Figure, Panel};
use nashguard::report::{Column, Report, Table};
use nashguard::{BestReply, Error, Game, Result};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::time::Instant;

pub const ABOUT: &str =
    "the game on real text, solved exactly: which texts the equilibrium generator moves to";

/// The reference is r_i(z) proportional to exp(cos(i, z) / TEMPERATURE): a text one tenth more alike
/// is e^5 times likelier. Warmer, and every row of real text spreads over all candidates.
const TEMPERATURE: f64 = 0.02;
/// The paper's beta, one where adapting is cheap, one where it is dear.
const BETAS: [f64; 3] = [0.01, 0.1, 1.0];
/// The one whose texts are shown.
const SHOWN: f64 = 0.1;
const TOLERANCE: f64 = 1e-12;
const HARDEST: usize = 24;
/// Of those, how many the figure has room for.
const DRAWN: usize = 12;

/// A row, and where it comes from.
#[derive(Clone)]
struct Text {
    row: Row,
    source: String,
}

/// What the game is played on.
struct Material {
    seeds: Vec<Text>,
    candidates: Vec<Text>,
    /// Whether the texts are ours to print into result files.
    ours: bool,
}

pub fn run(context: &Context) -> Result<Report> {
    let material = material(context)?;
    let mut values = Table::new(
        "values",
        "Exact solutions. value = overlap + strategic; overlap H_r(Y|Z) is what no classifier can \
         avoid against a generator that stays at the reference; kl_cost = beta D(p*, r) is what \
         the generator pays to move",
        [
            Column::new("texts of"),
            Column::new("beta"),
            Column::new("seeds"),
            Column::new("candidates"),
            Column::new("value").unit("nats").decimals(4),
            Column::new("gap").unit("nats"),
            Column::new("iterations"),
            Column::new("time").unit("ms").decimals(1),
            Column::new("overlap").unit("nats").decimals(4),
            Column::new("overlap share").unit("%").decimals(1),
            Column::new("strategic").unit("nats").decimals(4),
            Column::new("kl_cost").unit("nats").decimals(4),
        ],
    );
    let mut shifts = Table::new(
        "classifier",
        "The equilibrium classifier beside the seed posterior (the best reply to the reference). \
         Loss of the posterior: what it suffers against the equilibrium generator's best reply to it",
        [
            Column::new("texts of"),
            Column::new("beta"),
            Column::new("mean |q* - posterior|, reference mass").decimals(4),
            Column::new("mean |q* - posterior|, equilibrium mass").decimals(4),
            Column::new("texts that change side of 1/2").unit("%").decimals(1),
            Column::new("exploitability of the posterior").unit("nats").decimals(4),
        ],
    );
    let languages: Vec<Option<Language>> =
        std::iter::once(None).chain(Language::ALL.map(Some)).collect();
    let bar = context.progress("seed games", languages.len() * BETAS.len());
    let mut shown = None;
    for language in languages {
        let of = |texts: &[Text]| -> Vec<Text> {
            let keep = |t: &&Text| language.is_none_or(|l| t.row.language == l);
            texts.iter().filter(keep).cloned().collect()
        };
        let (seeds, candidates) = (of(&material.seeds), of(&material.candidates));
        let name = language.map_or("all", Language::code);
        let game = game(&seeds, &candidates)?;
        for beta in BETAS {
            let game = game.clone().with_beta(beta)?;
            let start = Instant::now();
            let solution = solve(&game, TOLERANCE)?;
            let time = start.elapsed().as_secs_f64() * 1e3;
            let reference = Generator::reference(&game);
            let posterior = game.min_reply(&reference)?;
            let overlap = game.payoff(&reference, &posterior)?;
            values.push([
                name.into(),
                beta.into(),
                seeds.len().into(),
                candidates.len().into(),
                solution.value.into(),
                solution.gap.into(),
                solution.iterations.into(),
                time.into(),
                overlap.into(),
                (100.0 * overlap / solution.value).into(),
                (solution.value - overlap).into(),
                (beta * game.divergence(&solution.p, &reference)).into(),
            ])?;
            let shift = Shift::new(&game, &solution, &posterior);
            shifts.push([
                name.into(),
                beta.into(),
                shift.under_reference.into(),
                shift.under_equilibrium.into(),
                (100.0 * shift.flipped).into(),
                (game.value_against(&posterior) - solution.value).into(),
            ])?;
            if language.is_none() && beta == SHOWN {
                shown = Some((game, solution, posterior));
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let Some((game, solution, posterior)) = shown else { return Ok(Report::default()) };
    let mut notes = vec![format!(
        "Reference: r_i(z) proportional to exp(cos / {TEMPERATURE}), cosine of TF-IDF vectors of \
         character 2- to 4-grams. Seeds have equal weights; the candidates' own labels are only \
         printed, the game does not use them."
    )];
    notes.push(if material.ours {
        "Embedded corpus: seeds are rows of held-out templates, candidates rows of the others."
            .into()
    } else {
        "Real data: texts are named by file, language and row (from 0), not copied.".into()
    });
    Ok(Report {
        paper_reference: "Section 4 (the game), on real rows".into(),
        claim: "The game on real text is solved exactly; the equilibrium generator moves to texts \
                that resemble seeds of both labels."
            .into(),
        notes,
        tables: vec![
            values,
            shifts,
            mass_table(&material, &game, &solution)?,
            hardest_table(&material, &game, &solution, &posterior)?,
        ],
        ..Report::default()
    })
}

/// Seeds and candidates: rows of the real data when it is there, of the embedded corpus otherwise.
fn material(context: &Context) -> Result<Material> {
    let per_language = context.scale.pick((20, 100), (100, 800), (250, 2500));
    let mut rng = ChaCha8Rng::seed_from_u64(context.seed);
    let mut choose = |mut texts: Vec<Text>, count: usize| {
        texts.shuffle(&mut rng);
        texts.truncate(count);
        texts
    };
    let named = |rows: Vec<Row>, file: &str| -> Vec<Text> {
        let name = |(k, row): (usize, Row)| {
            let source = format!("{file} {} row {k}", row.language.code());
            Text { row, source }
        };
        rows.into_iter().enumerate().map(name).collect()
    };
    let real = context.data.as_ref();
    let given = real.map(|d| d.seeds()).transpose()?.flatten();
    let ours = given.is_none();
    let rows = match given {
        Some(seeds) => seeds,
        None => embedded()?,
    };
    let held_out = named(rows.validation, "seed validation");
    let train = named(rows.train, "seed train");
    let (mut seeds, mut candidates) = (Vec::new(), Vec::new());
    for language in Language::ALL {
        let of = |texts: &[Text], label: Option<Label>| -> Vec<Text> {
            let keep =
                |t: &&Text| t.row.language == language && label.is_none_or(|l| t.row.label == l);
            texts.iter().filter(keep).cloned().collect()
        };
        for label in [Label::Safe, Label::Unsafe] {
            seeds.extend(choose(of(&held_out, Some(label)), per_language.0 / 2));
        }
        let mut pool = of(&train, None);
        if let Some(data) = real {
            let mut rows = Vec::new();
            for benchmark in Benchmark::ALL {
                let read = data.benchmark(benchmark, language)?;
                for (k, (text, label)) in read.texts.into_iter().zip(read.labels).enumerate() {
                    let row = Row::new(text, language, label, Vec::new())?;
                    let source = format!("{} {} row {k}", benchmark.name(), language.code());
                    rows.push(Text { row, source });
                }
            }
            // Half and half, so that the many seed rows do not crowd the benchmarks out.
            candidates.extend(choose(rows, per_language.1 / 2));
            pool = choose(pool, per_language.1 / 2);
        }
        candidates.extend(choose(pool, per_language.1));
    }
    if seeds.is_empty() || candidates.is_empty() {
        return Err(Error::invalid(
            "seedgame",
            "there are no seeds or no candidate texts",
            "give --data a folder with rows, or leave it out",
        ));
    }
    Ok(Material { seeds, candidates, ours: ours && real.is_none() })
}

fn game(seeds: &[Text], candidates: &[Text]) -> Result<GuardGame> {
    fn texts(of: &[Text]) -> Vec<&str> {
        of.iter().map(|t| t.row.text.as_str()).collect()
    }
    let rows = similarities(&texts(seeds), &texts(candidates));
    let weight = 1.0 / seeds.len() as f64;
    let seeds = seeds.iter().zip(rows).map(|(seed, row)| {
        let mut reference: Vec<f64> = row.iter().map(|c| (c / TEMPERATURE).exp()).collect();
        let sum: f64 = reference.iter().sum();
        reference.iter_mut().for_each(|r| *r /= sum);
        Seed { label: seed.row.label as usize, weight, reference }
    });
    GuardGame::new(2, seeds.collect(), SHOWN)
}

/// P(z) = sum rho_i p_i(z).
fn mass(game: &GuardGame, p: &Generator) -> Vec<f64> {
    let p = p.probabilities();
    (0..game.texts())
        .map(|z| p.column(z).iter().zip(game.weight()).map(|(p, w)| p * w).sum())
        .collect()
}

fn unsafe_probability(q: &Classifier) -> Vec<f64> {
    q.log_q().column(1).iter().map(|l| l.exp()).collect()
}

/// How far the equilibrium classifier is from the posterior.
struct Shift {
    under_reference: f64,
    under_equilibrium: f64,
    flipped: f64,
}

impl Shift {
    fn new(game: &GuardGame, solution: &Solution, posterior: &Classifier) -> Self {
        let (q, before) = (unsafe_probability(&solution.q), unsafe_probability(posterior));
        let mean = |mass: Vec<f64>| -> f64 {
            mass.iter().zip(q.iter().zip(&before)).map(|(m, (q, b))| m * (q - b).abs()).sum()
        };
        let flips = q.iter().zip(&before).filter(|(q, b)| (**q > 0.5) != (**b > 0.5)).count();
        Self {
            under_reference: mean(mass(game, &Generator::reference(game))),
            under_equilibrium: mean(mass(game, &solution.p)),
            flipped: flips as f64 / q.len() as f64,
        }
    }
}

/// Where the generator's mass lies, by the candidates' language and label.
fn mass_table(material: &Material, game: &GuardGame, solution: &Solution) -> Result<Table> {
    let mut table = Table::new(
        "mass",
        format!("All languages, beta = {SHOWN}: the generator's mass by what the candidates are"),
        [
            Column::new("language"),
            Column::new("label"),
            Column::new("candidates"),
            Column::new("reference mass").unit("%").decimals(2),
            Column::new("equilibrium mass").unit("%").decimals(2),
        ],
    );
    let (before, after) = (mass(game, &Generator::reference(game)), mass(game, &solution.p));
    for language in Language::ALL {
        for (label, name) in [(Label::Safe, "safe"), (Label::Unsafe, "unsafe")] {
            let of: Vec<usize> = (0..game.texts())
                .filter(|&z| {
                    let row = &material.candidates[z].row;
                    row.language == language && row.label == label
                })
                .collect();
            let share = |m: &[f64]| 100.0 * of.iter().map(|&z| m[z]).sum::<f64>();
            table.push([
                language.code().into(),
                name.into(),
                of.len().into(),
                share(&before).into(),
                share(&after).into(),
            ])?;
        }
    }
    Ok(table)
}

/// The texts that gain most mass.
fn hardest_table(
    material: &Material,
    game: &GuardGame,
    solution: &Solution,
    posterior: &Classifier,
) -> Result<Table> {
    let (before, after) = (mass(game, &Generator::reference(game)), mass(game, &solution.p));
    let (q, prior) = (unsafe_probability(&solution.q), unsafe_probability(posterior));
    let mut order: Vec<usize> = (0..game.texts()).collect();
    order.sort_by(|&a, &b| (after[b] - before[b]).total_cmp(&(after[a] - before[a])));
    let mut table = Table::new(
        "hardest texts",
        format!("All languages, beta = {SHOWN}: the {HARDEST} texts that gain most mass"),
        [
            Column::new("text"),
            Column::new("language"),
            Column::new("label"),
            Column::new("reference mass").unit("%").decimals(3),
            Column::new("equilibrium mass").unit("%").decimals(3),
            Column::new("seed posterior of unsafe").decimals(3),
            Column::new("equilibrium q(unsafe)").decimals(3),
        ],
    );
    if !material.ours {
        println!("The hardest texts, as they are (offensive content; shown here, not stored):");
    }
    for &z in order.iter().take(HARDEST) {
        let Text { row, source } = &material.candidates[z];
        let label = if row.label == Label::Safe { "safe" } else { "unsafe" };
        if !material.ours {
            let line = row.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let start: String = line.chars().take(90).collect();
            println!("  {source:28} {label:6} {start}");
        }
        table.push([
            if material.ours { row.text.as_str().into() } else { source.as_str().into() },
            row.language.code().into(),
            label.into(),
            (100.0 * before[z]).into(),
            (100.0 * after[z]).into(),
            prior[z].into(),
            q[z].into(),
        ])?;
    }
    Ok(table)
}

pub fn draw(report: &Report, figures: &Path) -> Result<()> {
    use nashguard::report::Cell;
    let table = |name: &str| report.tables.iter().find(|t| t.name == name);
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(v) => v.to_string(),
        Cell::Integer(v) => v.to_string(),
    };
    let number = |cell: &Cell| match cell {
        Cell::Number(v) => Some(*v),
        Cell::Integer(v) => Some(*v as f64),
        Cell::Text(_) => None,
    };
    let bars = |name: &str, title: &str, label: &[usize], values: [usize; 2]| {
        let rows = table(name).map(|t| t.rows.as_slice()).unwrap_or_default();
        let bar = |row: &Vec<Cell>| Bar {
            label: label.iter().map(|&k| text(&row[k])).collect::<Vec<_>>().join(", "),
            values: values.iter().map(|&k| number(&row[k])).collect(),
        };
        Panel::from(Bars {
            title: title.into(),
            value: Axis::linear("mass (%)"),
            series: vec!["reference".into(), "equilibrium".into()],
            bars: rows.iter().take(DRAWN).map(bar).collect(),
        })
    };
    let panels = vec![
        bars("mass", "Where the generator's mass lies", &[0, 1], [3, 4]),
        bars("hardest texts", "The texts that gain most mass", &[0, 2], [3, 4]),
    ];
    let title = "The exact equilibrium on real text".to_owned();
    Figure { title, columns: 2, panels }.draw(figures.join("seedgame"))
}
