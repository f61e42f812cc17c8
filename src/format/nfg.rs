//! Gambit's .nfg, both variants: a list of payoffs, or outcomes and a list of their numbers; player
//! 1's strategy varies fastest in the lists.
//!
//! Two players. Payoffs that sum to the same constant in every cell are made zero-sum, as in .efg
//! files: half of the constant is taken from each player, which changes neither's choices, and a note
//! says so.

use super::{MatrixFile, number};
use crate::certificate::readable;
use crate::matrix::MatrixGame;
use crate::scalar::Rational;
use crate::{Error, Result};
use std::iter::Peekable;
use std::str::CharIndices;

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    /// "in quotes"
    Text(String),
    /// Anything else between blanks or commas.
    Word(String),
}

/// Tokens, with the line that each starts on.
struct Tokens<'a> {
    text: &'a str,
    characters: Peekable<CharIndices<'a>>,
    line: usize,
}

impl Iterator for Tokens<'_> {
    type Item = (usize, Token);

    fn next(&mut self) -> Option<Self::Item> {
        let blank = |c: char| c.is_whitespace() || c == ',';
        while let Some((_, c)) = self.characters.next_if(|(_, c)| blank(*c)) {
            self.line += usize::from(c == '\n');
        }
        let line = self.line;
        let (start, first) = self.characters.next()?;
        let token = match first {
            '{' => Token::Open,
            '}' => Token::Close,
            '"' => {
                let mut inside = String::new();
                while let Some((_, c)) = self.characters.next().filter(|(_, c)| *c != '"') {
                    self.line += usize::from(c == '\n');
                    match (c, self.characters.peek()) {
                        // A backslash keeps a quote, or itself, from ending the text.
                        ('\\', Some((_, next @ ('"' | '\\')))) => {
                            inside.push(*next);
                            self.characters.next();
                        }
                        _ => inside.push(c),
                    }
                }
                Token::Text(inside)
            }
            _ => {
                let inside = |c: char| !blank(c) && !"{}\"".contains(c);
                while self.characters.next_if(|(_, c)| inside(*c)).is_some() {}
                let end = self.characters.peek().map_or(self.text.len(), |(end, _)| *end);
                Token::Word(self.text[start..end].to_owned())
            }
        };
        Some((line, token))
    }
}

type Stream<'a> = Peekable<Tokens<'a>>;

fn refused(line: usize, problem: impl Into<String>) -> Error {
    Error::invalid(format!("line {line}"), problem, "see Gambit's .nfg format")
}

/// Takes the next token, which must be the one given.
fn expect(tokens: &mut Stream, wanted: Token, what: &str) -> Result<()> {
    match tokens.next() {
        Some((_, found)) if found == wanted => Ok(()),
        Some((line, _)) => Err(refused(line, format!("{what} expected"))),
        None => Err(Error::invalid(
            "NFG",
            format!("the text ends where {what} was expected"),
            "write the whole file again",
        )),
    }
}

/// { "quoted" "names" }
fn names(tokens: &mut Stream, what: &str) -> Result<Vec<String>> {
    expect(tokens, Token::Open, &format!("{{ before {what}"))?;
    let mut names = vec![];
    while let Some((_, Token::Text(name))) =
        tokens.next_if(|(_, token)| matches!(token, Token::Text(_)))
    {
        names.push(name);
    }
    expect(tokens, Token::Close, &format!("}} after {what}"))?;
    Ok(names)
}

/// Numbers up to whatever is none, with their lines.
fn numbers(tokens: &mut Stream) -> Result<Vec<(usize, Rational)>> {
    let mut numbers = vec![];
    while let Some((line, Token::Word(word))) =
        tokens.next_if(|(_, token)| matches!(token, Token::Word(_)))
    {
        numbers.push((line, number(|| format!("line {line}"), &word)?));
    }
    Ok(numbers)
}

/// A number that is an index or a count.
fn index((line, value): &(usize, Rational)) -> Result<usize> {
    let whole = value.is_int().then(|| usize::try_from(value.numerator()).ok()).flatten();
    whole.ok_or_else(|| refused(*line, format!("{} is not a count", readable(value))))
}

/// Reads a two-player game.
pub(super) fn read(text: &str) -> Result<MatrixFile> {
    let mut tokens =
        Tokens { text, characters: text.char_indices().peekable(), line: 1 }.peekable();
    expect(&mut tokens, Token::Word("NFG".into()), "NFG")?;
    expect(&mut tokens, Token::Word("1".into()), "version 1")?;
    match tokens.next() {
        Some((_, Token::Word(word))) if word == "R" || word == "D" => {}
        other => {
            return Err(refused(other.map_or(1, |(line, _)| line), "R or D expected"));
        }
    }
    comment(&mut tokens);
    let players = names(&mut tokens, "the players")?;
    if players.len() != 2 {
        return Err(Error::invalid(
            "players",
            format!("the game has {}", players.len()),
            "give a game of two players",
        ));
    }
    let ([rows, columns], (m, n)) = strategies(&mut tokens)?;
    comment(&mut tokens);
    let cells = m.checked_mul(n).filter(|cells| *cells > 0).ok_or_else(|| {
        Error::invalid("strategies", format!("{m} x {n} make no game"), "give each player some")
    })?;
    let outcomes = match tokens.peek() {
        Some((_, Token::Open)) => Some(outcomes(&mut tokens)?),
        _ => None,
    };
    let list = numbers(&mut tokens)?;
    if let Some((line, _)) = tokens.next() {
        return Err(refused(line, "the list of payoffs holds something that is no number"));
    }
    let wanted = cells.checked_mul(if outcomes.is_some() { 1 } else { 2 });
    if Some(list.len()) != wanted {
        return Err(Error::invalid(
            "payoffs",
            format!("there are {} numbers for {m} x {n} cells", list.len()),
            "list two payoffs, or one outcome, for each cell",
        ));
    }
    let cell = |k: usize| -> Result<(Rational, Rational)> {
        let Some(outcomes) = &outcomes else {
            return Ok((list[2 * k].1.clone(), list[2 * k + 1].1.clone()));
        };
        let outcome = index(&list[k])?;
        // Outcome 0 pays nothing.
        let Some(k_th) = outcome.checked_sub(1) else { return Ok(Default::default()) };
        outcomes.get(k_th).cloned().ok_or_else(|| {
            refused(
                list[k].0,
                format!("outcome {outcome} does not exist: there are {}", outcomes.len()),
            )
        })
    };
    let (first, second) = cell(0)?;
    let constant = first + second;
    let half = &constant / Rational::from(2);
    let mut payoff = vec![Vec::with_capacity(n); m];
    for k in 0..cells {
        let (row, column) = cell(k)?;
        let sum = &row + column;
        if sum != constant {
            let named = |names: &[String], k: usize| match names.get(k) {
                Some(name) => format!("{name:?}"),
                None => (k + 1).to_string(),
            };
            let place = format!("row {}, column {}", named(&rows, k % m), named(&columns, k / m));
            return Err(Error::invalid(
                place,
                format!(
                    "the payoffs sum to {}, those of the first cell to {}",
                    readable(&sum),
                    readable(&constant)
                ),
                "give a zero-sum or constant-sum game",
            ));
        }
        payoff[k % m].push(row - &half);
    }
    let note = (!constant.is_zero()).then(|| {
        format!(
            "the payoffs sum to {} in every cell: half of it is taken from each player",
            readable(&constant)
        )
    });
    Ok(MatrixFile { game: MatrixGame::new(payoff)?, rows, columns, note })
}

/// Skips a quoted text: the title, or a comment.
fn comment(tokens: &mut Stream) {
    tokens.next_if(|(_, token)| matches!(token, Token::Text(_)));
}

type Strategies = ([Vec<String>; 2], (usize, usize));

/// { 3 2 } or { { "a" "b" "c" } { "x" "y" } }
fn strategies(tokens: &mut Stream) -> Result<Strategies> {
    expect(tokens, Token::Open, "{ before the strategies")?;
    if matches!(tokens.peek(), Some((_, Token::Open))) {
        let (rows, columns) =
            (names(tokens, "a player's strategies")?, names(tokens, "a player's strategies")?);
        expect(tokens, Token::Close, "} after the strategies of two players")?;
        let shape = (rows.len(), columns.len());
        return Ok(([rows, columns], shape));
    }
    let line = tokens.peek().map_or(1, |(line, _)| *line);
    let counts = numbers(tokens)?.iter().map(index).collect::<Result<Vec<_>>>()?;
    expect(tokens, Token::Close, "} after the strategies")?;
    match counts[..] {
        [m, n] => Ok(([vec![], vec![]], (m, n))),
        _ => Err(refused(line, "one number of strategies for each of two players expected")),
    }
}

/// { { "name" 1, -1 } { "name" 0, 0 } }
fn outcomes(tokens: &mut Stream) -> Result<Vec<(Rational, Rational)>> {
    expect(tokens, Token::Open, "{ before the outcomes")?;
    let mut outcomes = vec![];
    while let Some((line, _)) = tokens.next_if(|(_, token)| *token == Token::Open) {
        comment(tokens);
        let payoffs: Vec<Rational> = numbers(tokens)?.into_iter().map(|(_, v)| v).collect();
        expect(tokens, Token::Close, "} after an outcome's payoffs")?;
        let [row, column] = <[Rational; 2]>::try_from(payoffs).map_err(|found| {
            refused(line, format!("the outcome has {} payoffs, not 2", found.len()))
        })?;
        outcomes.push((row, column));
    }
    expect(tokens, Token::Close, "} after the outcomes")?;
    Ok(outcomes)
}
