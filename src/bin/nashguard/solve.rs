//! `nashguard solve`: a game in; strategies, value and certificate out.

use crate::learn;
use crate::show::{self, Shown, progress, support};
use clap::Args;
use nashguard::certificate::{self, Certificate, Prior, readable};
use nashguard::error::check_tolerance;
use nashguard::extensive::efg::EfgFile;
use nashguard::extensive::{self, Player, SequenceForm, Tree};
use nashguard::format::{ExactSolutionFile, GameFile, MatrixFile, SolutionFile, read_game};
use nashguard::guard::{self, GuardGame};
use nashguard::matrix::regularised::{self, RegularisedGame, Regulariser};
use nashguard::matrix::{self, MatrixGame, Solution};
use nashguard::scalar::Rational;
use nashguard::{Error, Result};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Options {
    /// The game's file (JSON, CSV or Gambit's .nfg or .efg); `-` reads standard input.
    game: PathBuf,
    /// Solves over the rationals: the answer is exact, every number a fraction.
    #[arg(long)]
    exact: bool,
    /// The solver: `simplex` or `predictive-rm+` for matrix games, `sequence-form` or
    /// `predictive-cfr+` for extensive games, `proximal` for games with a KL term.
    #[arg(long, value_name = "NAME")]
    method: Option<String>,
    /// Writes a certificate here, for `nashguard verify`.
    #[arg(long, value_name = "CERT.json")]
    certificate: Option<PathBuf>,
    /// Writes the solution here instead of to standard output (`-`).
    #[arg(long, value_name = "SOLUTION.json")]
    out: Option<PathBuf>,
    /// The largest gap accepted: relative to the payoffs' spread for matrix and extensive games, nats
    /// for guard games, payoff units for games with KL terms.
    #[arg(long, default_value_t = 1e-12, allow_negative_numbers = true)]
    tol: f64,
}

type ExtensiveMethod<T> = fn(&Tree, f64) -> Result<extensive::Solution<T>>;
type MatrixMethod<T> = fn(&MatrixGame<Rational>, f64) -> Result<Solution<T>>;

/// The ways to solve a matrix game to a tolerance. The first is the default.
const MATRIX: &[(&str, MatrixMethod<f64>)] =
    &[("simplex", in_range), ("predictive-rm+", learn::predictive_rm)];
/// The ways to solve a matrix game exactly.
const EXACT: &[(&str, MatrixMethod<Rational>)] =
    &[("simplex", |game, _| matrix::solve_exact(game))];
/// The ways to solve an extensive game to a tolerance.
const EXTENSIVE: &[(&str, ExtensiveMethod<f64>)] =
    &[("sequence-form", extensive::solve), ("predictive-cfr+", learn::predictive_cfr)];
/// The ways to solve an extensive game exactly.
const EXTENSIVE_EXACT: &[(&str, ExtensiveMethod<Rational>)] =
    &[("sequence-form", |tree, _| extensive::solve_exact(tree))];
/// The ways to solve a game with a KL term.
const KL: &[(&str, ())] = &[("proximal", ())];

/// Strategies in f64 for payoffs in its range.
fn in_range(game: &MatrixGame<Rational>, tol: f64) -> Result<Solution> {
    game.to_f64()?;
    matrix::solve(game, tol)
}

/// What there is to print and write.
struct Answer {
    notes: Vec<String>,
    summary: String,
    table: String,
    solution: String,
    certificate: Option<Certificate>,
}

pub fn run(options: &Options) -> Result<()> {
    options.check()?;
    let (name, text) = crate::read(&options.game)?;
    let answer = match read_game(&text).map_err(|e| e.within(&name))? {
        GameFile::Guard { game, tau } => options.guard(&game, tau)?,
        GameFile::KlMatrix(game) => options.kl_matrix(&game)?,
        GameFile::Extensive(file) => options.extensive(&file)?,
        GameFile::Matrix(file) if options.exact => {
            let s = options.solved(EXACT, &file.game)?;
            options.matrix(
                &file,
                &s,
                &readable(&s.value),
                "0",
                json(&ExactSolutionFile::from(&s))?,
            )?
        }
        GameFile::Matrix(file) => {
            let s = options.solved(MATRIX, &file.game)?;
            let (value, gap) = (format!("{:e}", s.value), format!("{:.1e}", s.gap));
            options.matrix(&file, &s, &value, &gap, json(&SolutionFile::from(&s))?)?
        }
    };
    if let (Some(path), Some(certificate)) = (&options.certificate, &answer.certificate) {
        crate::interrupt::write(path, &(certificate.to_json()? + "\n"))?;
    }
    match options.out.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => crate::interrupt::write(path, &answer.solution)?,
        None => std::io::stdout()
            .write_all(answer.solution.as_bytes())
            .map_err(|e| Error::io("write", "standard output", e))?,
    }
    eprintln!("{}", answer.summary);
    for note in &answer.notes {
        eprintln!("note: {note}");
    }
    eprint!("{}", answer.table);
    Ok(())
}

impl Options {
    fn check(&self) -> Result<()> {
        check_tolerance("--tol", self.tol)?;
        let certificate = self.certificate.as_deref();
        if certificate
            .is_some_and(|path| path == Path::new("-") || Some(path) == self.out.as_deref())
        {
            let problem = "the certificate cannot share a place with the solution";
            return Err(Error::invalid("--certificate", problem, "name a file of its own"));
        }
        Ok(())
    }

    fn guard(&self, game: &GuardGame, tau: Option<f64>) -> Result<Answer> {
        self.irrational("a guard game")?;
        let bar = progress("");
        let watch = |n: usize, gap: f64| bar.set_message(format!("iteration {n}, gap {gap:.1e}"));
        let s = guard::solve_with(game, tau, self.tol, watch)?;
        let certificate = self.certificate.as_ref().map(|_| {
            bar.set_message("writing the certificate");
            certificate::Guard::of(game, &s.p, &s.q).map(Certificate::Guard)
        });
        let certificate = certificate.transpose()?;
        bar.finish_and_clear();
        let summary = format!(
            "guard game, {} seeds x {} texts, {} labels, beta {:e}: value {:.12} nats, gap {:.1e}, {} iterations",
            game.seeds(),
            game.texts(),
            game.labels(),
            game.beta(),
            s.value,
            s.gap,
            s.iterations
        );
        // A few seeds are enough to see what the generator does.
        const SEEDS: usize = 3;
        let p = s.p.probabilities();
        let seed = |(i, p): (usize, ndarray::ArrayView1<f64>)| {
            support(&format!("seed {i}, text"), &[], &p.to_vec())
        };
        let mut table: String = p.outer_iter().enumerate().take(SEEDS).map(seed).collect();
        if game.seeds() > SEEDS {
            table += &format!("  and {} more seeds\n", game.seeds() - SEEDS);
        }
        let solution = json(&SolutionFile::from(&s))?;
        Ok(Answer { notes: vec![], summary, table, solution, certificate })
    }

    /// What is refused of games with a KL term.
    fn irrational(&self, game: &str) -> Result<()> {
        if self.exact {
            return Err(Error::invalid(
                "--exact",
                format!("the equilibrium of {game} is irrational"),
                "ask for --certificate CERT.json, which proves a bound on the gap",
            ));
        }
        chosen(KL, self.method.as_deref())
    }

    /// Runs the method asked for on a matrix game.
    fn solved<T>(
        &self,
        methods: &[(&str, MatrixMethod<T>)],
        game: &MatrixGame<Rational>,
    ) -> Result<Solution<T>> {
        let method = chosen(methods, self.method.as_deref())?;
        let (m, n) = game.payoffs().dim();
        let bar = progress(&format!("solving, {m} x {n}"));
        let solution = method(game, self.tol);
        bar.finish_and_clear();
        solution
    }

    fn kl_matrix(&self, game: &RegularisedGame) -> Result<Answer> {
        self.irrational("a game with KL terms")?;
        let bar = progress("solving");
        let s = regularised::solve(game, self.tol)?;
        let prior = |r: &Regulariser| Prior::of(&r.reference, &r.temperature);
        let certified = |_| -> Result<Certificate> {
            let (payoff, priors) =
                (game.game().to_exact(), [prior(game.row())?, prior(game.column())?]);
            let certificate = certificate::Regularised::of(&payoff, priors, &s.row, &s.column)?;
            Ok(Certificate::KlMatrix(certificate))
        };
        let certificate = self.certificate.as_ref().map(certified).transpose()?;
        bar.finish_and_clear();
        let (m, n) = game.game().payoffs().dim();
        let summary = format!(
            "matrix game with KL terms, {m} x {n}, temperatures {:e} and {:e}: value {:.12}, gap {:.1e}",
            game.row().temperature,
            game.column().temperature,
            s.value,
            s.gap
        );
        let table =
            support("row", &[], s.row.as_slice()) + &support("column", &[], s.column.as_slice());
        let solution = json(&SolutionFile::kl_matrix(&s))?;
        Ok(Answer { notes: vec![], summary, table, solution, certificate })
    }

    fn extensive(&self, file: &EfgFile) -> Result<Answer> {
        let tree = &file.tree;
        let sides = [tree.side(Player::Max), tree.side(Player::Min)];
        let [m, n] = sides.map(|side| side.sequences());
        let bar = progress(&format!("solving, {m} x {n} sequences"));
        let method = self.method.as_deref();
        let (value, gap, table, solution, plans);
        if self.exact {
            let s = chosen(EXTENSIVE_EXACT, method)?(tree, self.tol)?;
            (value, gap) = (readable(&s.value), readable(&s.gap));
            let written = ExactSolutionFile::extensive(tree, &s)?;
            table = show::behaviour(&file.players, sides, [&s.max, &s.min])?;
            solution = json(&written)?;
            plans = [s.max, s.min];
        } else {
            let s = chosen(EXTENSIVE, method)?(tree, self.tol)?;
            (value, gap) = (format!("{:e}", s.value), format!("{:.1e}", s.gap));
            table = show::behaviour(&file.players, sides, [&s.max, &s.min])?;
            solution = json(&SolutionFile::extensive(tree, &s)?)?;
            plans = [s.max.to_exact(sides[0])?, s.min.to_exact(sides[1])?];
        }
        let certified = |_| {
            let form = SequenceForm::new(tree);
            certificate::Extensive::of(&form, &plans[0], &plans[1]).map(Certificate::Extensive)
        };
        let certificate = self.certificate.as_ref().map(certified).transpose()?;
        bar.finish_and_clear();
        let summary = format!(
            "extensive game, {} nodes, {m} x {n} sequences: value {value}, gap {gap}",
            tree.nodes().len()
        );
        Ok(Answer { notes: file.notes.clone(), summary, table, solution, certificate })
    }

    fn matrix<T: Shown>(
        &self,
        file: &MatrixFile,
        s: &Solution<T>,
        value: &str,
        gap: &str,
        solution: String,
    ) -> Result<Answer> {
        let (m, n) = file.game.payoffs().dim();
        let (x, y) = (s.row.as_slice(), s.column.as_slice());
        let used = |p: &[T]| p.iter().filter(|v| **v > T::zero()).count();
        let summary = format!(
            "matrix game, {m} x {n}: value {value}, gap {gap}, {} rows and {} columns in use",
            used(x),
            used(y)
        );
        let table = support("row", &file.rows, x) + &support("column", &file.columns, y);
        let certificate = self.certificate.as_ref().map(|_| {
            certificate::Matrix::of(&file.game, &s.row, &s.column).map(Certificate::Matrix)
        });
        let certificate = certificate.transpose()?;
        let notes = file.note.iter().cloned().collect();
        Ok(Answer { notes, summary, table, solution, certificate })
    }
}

fn chosen<M: Copy>(methods: &[(&str, M)], name: Option<&str>) -> Result<M> {
    let found = methods.iter().find(|(known, _)| name.is_none_or(|name| name == *known));
    found.map(|(_, method)| *method).ok_or_else(|| {
        let known: Vec<&str> = methods.iter().map(|(known, _)| *known).collect();
        Error::invalid(
            "--method",
            format!("{:?} does not solve this game", name.unwrap_or_default()),
            format!("choose one of: {}", known.join(", ")),
        )
    })
}

fn json(solution: &impl Serialize) -> Result<String> {
    let mut json = serde_json::to_string(solution).map_err(|e| {
        Error::invalid("solution", e.to_string(), "report the game: a solution is always finite")
    })?;
    json.push('\n');
    Ok(json)
}
