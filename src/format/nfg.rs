//! Gambit's .nfg, both variants: a list of payoffs, or outcomes and a list of their numbers; player
//! 1's strategy varies fastest in the lists.
//!
//! The format: <https://gambitproject.readthedocs.io/en/latest/formats.nfg.html>. Two players.
//! Payoffs that sum to the same constant in every cell are made zero-sum, as in .efg files: half of
//! the constant is taken from each player, which changes neither's choices, and a note says so.

use super::MatrixFile;
use crate::certificate::readable;
use crate::extensive::efg::tokens::{Place, Token, Tokens};
use crate::matrix::MatrixGame;
use crate::scalar::Rational;
use crate::{Error, Result};

/// What the row and the column player get.
type Payoffs = [Rational; 2];

/// Reads a two-player game.
pub(super) fn read(text: &str) -> Result<MatrixFile> {
    let mut tokens = Tokens::new(text)?;
    tokens.expect(&Token::Word("NFG"), "NFG")?;
    tokens.expect(&Token::Word("1"), "the version, 1,")?;
    if tokens.next == Token::Word("D") {
        tokens.advance()?;
    } else {
        tokens.expect(&Token::Word("R"), "R")?;
    }
    tokens.optional_text()?;
    let players = names(&mut tokens)?.len();
    if players != 2 {
        let problem = format!("the game has {players}");
        return Err(Error::invalid("players", problem, "give a game of two players"));
    }
    let (rows, columns, m, n) = strategies(&mut tokens)?;
    tokens.optional_text()?;
    if m.min(n) == 0 {
        let problem = format!("{m} x {n} make no game");
        return Err(Error::invalid("strategies", problem, "give each player some"));
    }
    let outcomes = if tokens.next == Token::Open { Some(outcomes(&mut tokens)?) } else { None };
    // Grown as the numbers come: the shape alone may ask for any amount of memory.
    let mut payoff: Vec<Vec<Rational>> = vec![];
    let mut constant = None;
    for j in 0..n {
        for i in 0..m {
            let place = tokens.place;
            let cell = match &outcomes {
                Some(outcomes) => outcome(&mut tokens, outcomes)?,
                None => payoffs(&mut tokens)?,
            };
            let [row, column] = cell;
            let sum = &row + column;
            let first = constant.get_or_insert_with(|| sum.clone());
            if sum != *first {
                let cell = format!("row {}, column {}", named(&rows, i), named(&columns, j));
                let (sum, first) = (readable(&sum), readable(first));
                let problem = format!(
                    "the payoffs of {cell} sum to {sum}, those of the first cell to {first}"
                );
                return Err(place.error(problem, "give a zero-sum or constant-sum game"));
            }
            if j == 0 {
                payoff.push(vec![]);
            }
            payoff[i].push(row);
        }
    }
    tokens.expect(&Token::End, "nothing more")?;
    let constant = constant.unwrap_or_default();
    let half = &constant / Rational::from(2);
    payoff.iter_mut().flatten().for_each(|v| *v -= &half);
    let note = (!constant.is_zero()).then(|| {
        let (constant, half) = (readable(&constant), readable(&half));
        format!(
            "the payoffs add up to {constant} in every cell; {half} was taken from each player's to make the game zero-sum"
        )
    });
    Ok(MatrixFile { game: MatrixGame::new(payoff)?, rows, columns, constant, note })
}

/// A strategy's name, else its number from 1, as Gambit counts.
fn named(names: &[String], k: usize) -> String {
    names.get(k).map_or_else(|| (k + 1).to_string(), |name| format!("{name:?}"))
}

/// { "quoted" "names" }
fn names(tokens: &mut Tokens) -> Result<Vec<String>> {
    tokens.expect(&Token::Open, "a list of names")?;
    let mut names = vec![];
    while let Some(name) = tokens.optional_text()? {
        names.push(name);
    }
    tokens.expect(&Token::Close, "a name or \"}\"")?;
    Ok(names)
}

/// { 3 2 } or { { "a" "b" "c" } { "x" "y" } }: both players' names, if any, and their numbers.
fn strategies(tokens: &mut Tokens) -> Result<(Vec<String>, Vec<String>, usize, usize)> {
    tokens.expect(&Token::Open, "the strategies")?;
    let strategies = if tokens.next == Token::Open {
        let (rows, columns) = (names(tokens)?, names(tokens)?);
        let (m, n) = (rows.len(), columns.len());
        (rows, columns, m, n)
    } else {
        let expected = "a number of strategies";
        (vec![], vec![], tokens.count(expected)?, tokens.count(expected)?)
    };
    tokens.expect(&Token::Close, "\"}\" after two players' strategies")?;
    Ok(strategies)
}

/// Two numbers, with or without a comma between and behind them.
fn payoffs(tokens: &mut Tokens) -> Result<Payoffs> {
    let mut next = || -> Result<Rational> {
        let (_, value) = tokens.number("a payoff")?;
        if tokens.next == Token::Comma {
            tokens.advance()?;
        }
        Ok(value)
    };
    Ok([next()?, next()?])
}

/// { { "name" 1, -1 } { "name" 0, 0 } }
fn outcomes(tokens: &mut Tokens) -> Result<Vec<Payoffs>> {
    tokens.expect(&Token::Open, "the outcomes")?;
    let mut outcomes = vec![];
    while tokens.next == Token::Open {
        tokens.advance()?;
        tokens.optional_text()?;
        outcomes.push(payoffs(tokens)?);
        tokens.expect(&Token::Close, "\"}\" after two payoffs")?;
    }
    tokens.expect(&Token::Close, "an outcome or \"}\"")?;
    Ok(outcomes)
}

/// A cell's outcome by its number; 0 pays nothing.
fn outcome(tokens: &mut Tokens, outcomes: &[Payoffs]) -> Result<Payoffs> {
    let place: Place = tokens.place;
    let number = tokens.count("an outcome's number")?;
    let Some(k) = number.checked_sub(1) else { return Ok(Default::default()) };
    outcomes.get(k).cloned().ok_or_else(|| {
        let problem = format!("outcome {number} does not exist");
        place.error(problem, format!("name one of the {}, or 0", outcomes.len()))
    })
}
