//! Claim: on real text the equilibrium is found exactly, and names the texts on which an adversary
//! costs a guardrail most. Expected: gap <= 1e-12; mass moves to texts that one label's seeds own at
//! the reference, so that the other label's generator comes to share them.
//!
//! Paper: Section 4, the game itself, on rows of the real data in place of a language model.

use crate::{Context, say, texts::similarities};
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
/// As many for one language alone.
const HARDEST_OF_ONE: usize = 8;
/// The game of all languages together.
const ALL: &str = "all";
/// Of those, how many the figure has room for.
const DRAWN: usize = 12;

/// A row, and where it comes from.
#[derive(Clone)]
struct Text {
    row: Row,
    source: String,
    /// Whether the text is ours, to print into result files.
    ours: bool,
}

/// What the game is played on.
struct Material {
    seeds: Vec<Text>,
    candidates: Vec<Text>,
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
            Column::percent("overlap share"),
            Column::new("strategic").unit("nats").decimals(4),
            Column::new("kl_cost").unit("nats").decimals(4),
        ],
    );
    let mut shifts = Table::new(
        "classifier",
        "The equilibrium classifier beside the seed posterior (the best reply to the reference). \
         Exploitability: V(posterior) - V*, what a generator gains by knowing that the posterior is used",
        [
            Column::new("texts of"),
            Column::new("beta"),
            Column::new("mean |q* - posterior|, reference mass").decimals(4),
            Column::new("mean |q* - posterior|, equilibrium mass").decimals(4),
            Column::percent("texts that change side of 1/2"),
            Column::new("exploitability of the posterior").unit("nats").decimals(4),
        ],
    );
    let languages: Vec<Option<Language>> =
        std::iter::once(None).chain(Language::ALL.map(Some)).collect();
    let bar = context.progress("seed games", languages.len() * BETAS.len());
    let mut shown = Vec::new();
    for language in languages {
        let of = |texts: &[Text]| -> Vec<Text> {
            let keep = |t: &&Text| language.is_none_or(|l| t.row.language == l);
            texts.iter().filter(keep).cloned().collect()
        };
        let (seeds, candidates) = (of(&material.seeds), of(&material.candidates));
        let name = language.map_or(ALL, Language::code);
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
                (beta * game.divergence(&solution.p, &reference)?).into(),
            ])?;
            let shift = Shift::new(&game, &solution, &posterior);
            shifts.push([
                name.into(),
                beta.into(),
                shift.under_reference.into(),
                shift.under_equilibrium.into(),
                (100.0 * shift.flipped).into(),
                (game.value_against(&posterior)? - solution.value).into(),
            ])?;
            if beta == SHOWN {
                let candidates = candidates.clone();
                shown.push(Shown { name, candidates, game, solution, posterior });
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let mut tables = vec![values, shifts, mass_table(&shown)?];
    for game in &shown {
        tables.push(hardest_table(game)?);
    }
    let mut notes = vec![format!(
        "Reference: r_i(z) proportional to exp(cos / {TEMPERATURE}), cosine of TF-IDF vectors of \
         character 2- to 4-grams. Seeds have equal weights; the candidates' own labels are only \
         printed, the game does not use them."
    )];
    if material.candidates.iter().chain(&material.seeds).any(|t| t.ours) {
        notes.push(
            "Texts of the embedded corpus are printed; its held-out templates give seeds, the \
             others candidates."
                .into(),
        );
    }
    if material.candidates.iter().any(|t| !t.ours) {
        notes.push(
            "Texts of the real data are not copied: they are named by file, language and place \
             among the usable rows (from 0)."
                .into(),
        );
    }
    Ok(Report {
        paper_reference: "Section 4 (the game), on real rows".into(),
        claim: "The game on real text is solved exactly; the equilibrium names the texts to which \
                an adversary moves: mostly texts that one label's seeds own at the reference, until \
                the classifier can no longer trust them."
            .into(),
        notes,
        tables,
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
    let real = context.data.as_ref();
    let given = real.map(|d| d.seeds()).transpose()?.flatten();
    let ours = given.is_none();
    let named = |rows: Vec<Row>, file: &str| -> Vec<Text> {
        let name = |(k, row): (usize, Row)| {
            let source = format!("{file} {} row {k}", row.language.code());
            Text { row, source, ours }
        };
        rows.into_iter().enumerate().map(name).collect()
    };
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
                    rows.push(Text { row, source, ours: false });
                }
            }
            // Half and half, so that the many seed rows do not crowd the benchmarks out.
            candidates.extend(choose(rows, per_language.1 / 2));
            pool = choose(pool, per_language.1 / 2);
        }
        candidates.extend(choose(pool, per_language.1));
        let has = |texts: &[Text]| texts.iter().any(|t| t.row.language == language);
        if !(has(&seeds) && has(&candidates)) {
            return Err(Error::invalid(
                format!("seedgame, language {}", language.code()),
                "there are no validation seeds or no candidate texts",
                "give --data a folder with rows in all four languages, or leave it out",
            ));
        }
    }
    Ok(Material { seeds, candidates })
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

/// A solved game whose texts are shown: all languages together, or one.
struct Shown {
    name: &'static str,
    candidates: Vec<Text>,
    game: GuardGame,
    solution: Solution,
    posterior: Classifier,
}

fn label_name(label: Label) -> &'static str {
    match label {
        Label::Safe => "safe",
        Label::Unsafe => "unsafe",
    }
}

/// Where the generator's mass lies, by the candidates' language and label.
fn mass_table(shown: &[Shown]) -> Result<Table> {
    let mut table = Table::new(
        "mass",
        format!("beta = {SHOWN}: the generator's mass by what the candidates are"),
        [
            Column::new("texts of"),
            Column::new("language"),
            Column::new("label"),
            Column::new("candidates"),
            Column::new("reference mass").unit("%").decimals(2),
            Column::new("equilibrium mass").unit("%").decimals(2),
        ],
    );
    for Shown { name, candidates, game, solution, .. } in shown {
        let (before, after) = (mass(game, &Generator::reference(game)), mass(game, &solution.p));
        for language in Language::ALL {
            for label in [Label::Safe, Label::Unsafe] {
                let of: Vec<usize> = (0..game.texts())
                    .filter(|&z| {
                        let row = &candidates[z].row;
                        row.language == language && row.label == label
                    })
                    .collect();
                if of.is_empty() {
                    continue;
                }
                let share = |m: &[f64]| 100.0 * of.iter().map(|&z| m[z]).sum::<f64>();
                table.push([
                    (*name).into(),
                    language.code().into(),
                    label_name(label).into(),
                    of.len().into(),
                    share(&before).into(),
                    share(&after).into(),
                ])?;
            }
        }
    }
    Ok(table)
}

/// The texts that gain most mass.
fn hardest_table(shown: &Shown) -> Result<Table> {
    let Shown { name, candidates, game, solution, posterior } = shown;
    let (before, after) = (mass(game, &Generator::reference(game)), mass(game, &solution.p));
    let (q, prior) = (unsafe_probability(&solution.q), unsafe_probability(posterior));
    let mut order: Vec<usize> = (0..game.texts()).collect();
    order.sort_by(|&a, &b| (after[b] - before[b]).total_cmp(&(after[a] - before[a])));
    order.truncate(if *name == ALL { HARDEST } else { HARDEST_OF_ONE });
    let mut table = Table::new(
        format!("hardest texts, {name}"),
        format!("beta = {SHOWN}: the {} texts that gain most mass", order.len()),
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
    if order.iter().any(|&z| !candidates[z].ours) {
        say(&format!("The hardest texts, {name} (offensive content; shown here, not stored):"))?;
    }
    for z in order {
        let Text { row, source, ours } = &candidates[z];
        let label = label_name(row.label);
        if !ours {
            let line = row.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let start: String = line.chars().take(90).collect();
            say(&format!("  {source:28} {label:6} {start}"))?;
        }
        table.push([
            if *ours { row.text.as_str().into() } else { source.as_str().into() },
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
    let bars = |name: &str, title: &str, label: &[usize], values: [usize; 2]| {
        let rows = table(name).map(|t| t.rows.as_slice()).unwrap_or_default();
        // The per-language games stand below; the figure is of all languages together.
        let chosen = |row: &Vec<Cell>| name != "mass" || text(&row[0]) == ALL;
        let bar = |row: &Vec<Cell>| Bar {
            label: label.iter().map(|&k| text(&row[k])).collect::<Vec<_>>().join(", "),
            values: values.iter().map(|&k| row[k].as_f64()).collect(),
        };
        Panel::from(Bars {
            title: title.into(),
            value: Axis::linear("mass (%)"),
            series: vec!["reference".into(), "equilibrium".into()],
            bars: rows.iter().filter(|row| chosen(row)).take(DRAWN).map(bar).collect(),
        })
    };
    let panels = vec![
        bars("mass", "Where the generator's mass lies, all languages", &[1, 2], [4, 5]),
        bars("hardest texts, all", "The texts that gain most mass", &[0, 2], [3, 4]),
    ];
    let title = "The exact equilibrium on real text".to_owned();
    Figure { title, columns: 2, panels }.draw(figures.join("seedgame"))
}
