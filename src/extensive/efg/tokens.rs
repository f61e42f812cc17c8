//! The words of an .efg file, each with its place.

use crate::scalar::{Rational, parse};
use crate::{Error, Result};

/// Where a token starts, both from 1.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub line: usize,
    column: usize,
}

impl Place {
    /// An error here.
    pub fn error(self, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::invalid(format!("line {}, column {}", self.line, self.column), problem, remedy)
    }
}

/// A word or a mark.
#[derive(Clone, Debug, PartialEq)]
pub enum Token<'a> {
    Open,
    Close,
    Comma,
    Text(String),
    /// A number or a keyword.
    Word(&'a str),
    End,
}

impl Token<'_> {
    fn describe(&self) -> String {
        match self {
            Self::Open => "\"{\"".into(),
            Self::Close => "\"}\"".into(),
            Self::Comma => "a comma".into(),
            Self::Text(text) => format!("the text {text:?}"),
            Self::Word(word) => format!("{word:?}"),
            Self::End => "the end of the file".into(),
        }
    }
}

/// The text as tokens, the next one always read ahead.
pub struct Tokens<'a> {
    text: &'a str,
    at: Place,
    pub next: Token<'a>,
    /// Where `next` starts.
    pub place: Place,
}

impl<'a> Tokens<'a> {
    pub fn new(text: &'a str) -> Result<Self> {
        let start = Place { line: 1, column: 1 };
        let text = text.trim_start_matches('\u{feff}');
        let mut tokens = Self { text, at: start, next: Token::End, place: start };
        tokens.advance()?;
        Ok(tokens)
    }

    /// Drops `bytes` of text, which end between characters.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (gone, rest) = self.text.split_at(bytes);
        for c in gone.chars() {
            if c == '\n' {
                self.at = Place { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
        self.text = rest;
        gone
    }

    /// The next token, and on to the one after it.
    pub fn advance(&mut self) -> Result<Token<'a>> {
        self.skip(self.text.len() - self.text.trim_start().len());
        self.place = self.at;
        let next = match self.text.chars().next() {
            None => Token::End,
            Some('"') => Token::Text(self.quoted()?),
            Some(mark @ ('{' | '}' | ',')) => {
                self.skip(1);
                match mark {
                    '{' => Token::Open,
                    '}' => Token::Close,
                    _ => Token::Comma,
                }
            }
            Some(_) => {
                let ends = |c: char| c.is_whitespace() || "{},\"".contains(c);
                Token::Word(self.skip(self.text.find(ends).unwrap_or(self.text.len())))
            }
        };
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// A text in quotes, where `\"` is a quote and `\\` a backslash.
    fn quoted(&mut self) -> Result<String> {
        let mut content = String::new();
        let mut characters = self.text.char_indices().skip(1).peekable();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.skip(at + 1);
                    return Ok(content);
                }
                '\\' => match characters.next_if(|(_, c)| matches!(c, '"' | '\\')) {
                    Some((_, escaped)) => content.push(escaped),
                    None => content.push(c),
                },
                _ => content.push(c),
            }
        }
        Err(self.place.error("the text that starts here has no end", "close it with a quote"))
    }

    pub fn wrong<T>(&self, expected: &str) -> Result<T> {
        let found = self.next.describe();
        Err(self.place.error(
            format!("{found} stands where {expected} belongs"),
            "mend the file there, or save it again from Gambit",
        ))
    }

    pub fn expect(&mut self, token: &Token, expected: &str) -> Result<()> {
        if self.next == *token {
            self.advance()?;
            return Ok(());
        }
        self.wrong(expected)
    }

    pub fn text(&mut self, expected: &str) -> Result<String> {
        if matches!(self.next, Token::Text(_))
            && let Token::Text(text) = self.advance()?
        {
            return Ok(text);
        }
        self.wrong(expected)
    }

    pub fn optional_text(&mut self) -> Result<Option<String>> {
        if matches!(self.next, Token::Text(_)) { self.text("a text").map(Some) } else { Ok(None) }
    }

    /// A number as written, and what it is.
    pub fn number(&mut self, expected: &str) -> Result<(&'a str, Rational)> {
        if let Token::Word(word) = self.next
            && let Some(value) = parse(word)
        {
            self.advance()?;
            return Ok((word, value));
        }
        self.wrong(expected)
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, expected: &str) -> Result<usize> {
        if let Token::Word(word) = self.next
            && let Ok(value) = word.parse()
        {
            self.advance()?;
            return Ok(value);
        }
        self.wrong(expected)
    }
}
