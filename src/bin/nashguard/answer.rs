//! A game file in; out comes all there is to print and write about its solution.

use crate::learn;
use crate::show::{self, Shown, progress, support};
use clap::Args;
use nashguard::certificate::{self, Certificate, Exact, Prior, readable};
use nashguard::error::check_tolerance;
use nashguard::extensive::efg::EfgFile;
use nashguard::extensive::{self, Player, SequenceForm, Tree};
use nashguard::format::{ExactSolutionFile, GameFile, MatrixFile, SolutionFile};
use nashguard::game::Value as _;
use nashguard::guard::{self, GuardGame};
use nashguard::matrix::regularised::{self, RegularisedGame, Regulariser};
use nashguard::matrix::{self, MatrixGame, Solution};
use nashguard::scalar::{Rational, Scalar as _};
use nashguard::{Error, Result};
use serde::Serialize;

/// How to solve a game.
#[derive(Args)]
pub struct How {
    /// Solves over the rationals: the answer is exact, every number a fraction.
    #[arg(long)]
    pub exact: bool,
    /// The solver: `simplex` or `predictive-rm+` for matrix games, `sequence-form` or
    /// `predictive-cfr+` for extensive games, `proximal` for games with a KL term.
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,
    /// The largest gap accepted: relative to the payoffs' spread for matrix and extensive games, in
    /// payoff units for kl-matrix games, in nats for guard games.
    #[arg(long, default_value_t = 1e-12, allow_negative_numbers = true)]
    pub tol: f64,
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
pub struct Answer<'a> {
    pub notes: Vec<String>,
    pub summary: String,
    pub table: String,
    pub solution: String,
    /// Makes the certificate, for who wants it.
    pub certificate: Box<dyn FnOnce() -> Result<Certificate> + 'a>,
}

impl How {
    /// Solves a game.
    pub fn answer<'a>(&self, game: &'a GameFile) -> Result<Answer<'a>> {
        check_tolerance("--tol", self.tol)?;
        match game {
            GameFile::Guard { game, tau } => self.guard(game, *tau),
            GameFile::KlMatrix(game) => self.kl_matrix(game),
            GameFile::Extensive(file) => self.extensive(file),
            GameFile::Matrix(file) if self.exact => {
                let s = self.solved(EXACT, &file.game)?;
                let paid = paid(&file.constant, &s.value, Exact);
                let written = json_with(&ExactSolutionFile::from(&s), paid)?;
                let value = readable(&s.value);
                Ok(matrix_answer(file, s, &value, "0", written))
            }
            GameFile::Matrix(file) => {
                let s = self.solved(MATRIX, &file.game)?;
                let (value, gap) = (format!("{:e}", s.value), format!("{:.1e}", s.gap));
                let paid = paid(&file.constant, &s.value.to_exact()?, |paid| paid.mean());
                let written = json_with(&SolutionFile::from(&s), paid)?;
                Ok(matrix_answer(file, s, &value, &gap, written))
            }
        }
    }

    fn guard<'a>(&self, game: &'a GuardGame, tau: Option<f64>) -> Result<Answer<'a>> {
        self.irrational("a guard game")?;
        let bar = progress("");
        let watch = |n: usize, gap: f64| bar.set_message(format!("iteration {n}, gap {gap:.1e}"));
        let s = guard::solve_with(game, tau, self.tol, watch)?;
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
        let certificate =
            Box::new(move || certificate::Guard::of(game, &s.p, &s.q).map(Certificate::Guard));
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

    fn kl_matrix<'a>(&self, game: &'a RegularisedGame) -> Result<Answer<'a>> {
        self.irrational("a game with KL terms")?;
        let bar = progress("solving");
        let s = regularised::solve(game, self.tol)?;
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
        let prior = |r: &Regulariser| Prior::of(&r.reference, &r.temperature);
        let certificate = Box::new(move || {
            let (payoff, priors) =
                (game.game().to_exact(), [prior(game.row())?, prior(game.column())?]);
            certificate::Regularised::of(&payoff, priors, &s.row, &s.column)
                .map(Certificate::KlMatrix)
        });
        Ok(Answer { notes: vec![], summary, table, solution, certificate })
    }

    fn extensive<'a>(&self, file: &'a EfgFile) -> Result<Answer<'a>> {
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
            let paid = paid(&file.constant, &s.value, Exact);
            solution = json_with(&written, paid)?;
            plans = [s.max, s.min];
        } else {
            let s = chosen(EXTENSIVE, method)?(tree, self.tol)?;
            (value, gap) = (format!("{:e}", s.value), format!("{:.1e}", s.gap));
            table = show::behaviour(&file.players, sides, [&s.max, &s.min])?;
            let paid = paid(&file.constant, &s.value.to_exact()?, |paid| paid.mean());
            solution = json_with(&SolutionFile::extensive(tree, &s)?, paid)?;
            plans = [s.max.to_exact(sides[0])?, s.min.to_exact(sides[1])?];
        }
        let certificate = Box::new(move || {
            let form = SequenceForm::new(tree);
            certificate::Extensive::of(&form, &plans[0], &plans[1]).map(Certificate::Extensive)
        });
        bar.finish_and_clear();
        let summary = format!(
            "extensive game, {} nodes, {m} x {n} sequences: value {value}, gap {gap}",
            tree.nodes().len()
        );
        Ok(Answer { notes: file.notes.clone(), summary, table, solution, certificate })
    }
}

/// The answer to a matrix game, with value and gap as they are to read.
fn matrix_answer<'a, T: Shown + 'a>(
    file: &'a MatrixFile,
    s: Solution<T>,
    value: &str,
    gap: &str,
    solution: String,
) -> Answer<'a> {
    let (m, n) = file.game.payoffs().dim();
    let (x, y) = (s.row.as_slice(), s.column.as_slice());
    let used = |p: &[T]| p.iter().filter(|v| **v > T::zero()).count();
    let summary = format!(
        "matrix game, {m} x {n}: value {value}, gap {gap}, {} rows and {} columns in use",
        used(x),
        used(y)
    );
    let table = support("row", &file.rows, x) + &support("column", &file.columns, y);
    let notes = file.note.iter().cloned().collect();
    let certificate = Box::new(move || {
        certificate::Matrix::of(&file.game, &s.row, &s.column).map(Certificate::Matrix)
    });
    Answer { notes, summary, table, solution, certificate }
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

/// What each player gets in the game as it is written, where its payoffs do not sum to 0.
fn paid<T>(
    constant: &Rational,
    value: &Rational,
    number: impl Fn(Rational) -> T,
) -> Option<[T; 2]> {
    let half = constant / Rational::from(2);
    (!constant.is_zero()).then(|| [&half + value, &half - value].map(number))
}

fn json(solution: &impl Serialize) -> Result<String> {
    json_with(solution, None::<[f64; 2]>)
}

/// The solution, with what each player is paid.
fn json_with<T: Serialize>(solution: &impl Serialize, paid: Option<[T; 2]>) -> Result<String> {
    #[derive(Serialize)]
    struct Written<'a, S, T> {
        #[serde(flatten)]
        solution: &'a S,
        #[serde(skip_serializing_if = "Option::is_none")]
        paid: Option<[T; 2]>,
    }
    let mut json = serde_json::to_string(&Written { solution, paid }).map_err(|e| {
        Error::invalid("solution", e.to_string(), "report the game: a solution is always finite")
    })?;
    json.push('\n');
    Ok(json)
}
