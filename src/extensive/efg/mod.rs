//! Gambit's .efg files: read exactly, written exactly.
//!
//! The format: <https://gambitproject.readthedocs.io/en/latest/formats.efg.html>. Every number is
//! read as the rational it spells, "0.1" as 1/10.

pub(crate) mod tokens;

use super::game::Player;
use super::tree::{MAX_NODES, Move, Tree};
use crate::scalar::Rational;
use crate::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use tokens::{Token, Tokens};

/// A game as a file names it.
#[derive(Clone, Debug, PartialEq)]
pub struct EfgFile {
    /// The game's title.
    pub title: String,
    /// The players' names, Max's first.
    pub players: [String; 2],
    /// The game.
    pub tree: Tree,
    /// What the payoffs of an end add up to in the file; half of it was taken from each player's.
    pub constant: Rational,
    /// What was changed to make the file a zero-sum game in exact numbers, one sentence each.
    pub notes: Vec<String>,
}

/// Rounded decimal chance probabilities may miss a sum of 1 by one part in this many.
const ROUNDING: u32 = 10_000;

/// Reads a two-player game with perfect recall from .efg text.
///
/// Payoffs must add up to the same constant at every end. When it is not 0, half of it is taken from
/// each player and a note says so. Chance probabilities that miss 1 only because they are rounded
/// decimals are divided by their sum, and a note says so. Information sets without a name of their own
/// are named by their numbers.
///
/// ```
/// use nashguard::extensive::efg;
///
/// let file = efg::read(
///     r#"EFG 2 R "Hidden coin" { "Guesser" "Nature's friend" }
///        c "" 1 "" { "heads" 1/3 "tails" 2/3 } 0
///        p "" 1 1 "" { "h" "t" } 0
///        t "" 1 "" { 1, -1 }
///        t "" 2 "" { -1, 1 }
///        p "" 1 1 0
///        t "" 2
///        t "" 1"#,
/// )?;
/// assert_eq!(file.tree.nodes().len(), 7);
/// assert_eq!(efg::read(&efg::write("", ["", ""], &file.tree))?.tree, file.tree);
/// # Ok::<(), nashguard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Invalid`] naming line and column for text that is not a game, naming the line for a game
/// that is not two-player, constant-sum and of perfect recall, or that has more than [`MAX_NODES`]
/// nodes.
pub fn read(text: &str) -> Result<EfgFile> {
    Reader::new(text)?.file()
}

/// Writes a game as .efg: exact rationals, every outcome at its terminal node, one node a line.
/// [`read`] gives back the same tree when a player's information sets have different names.
pub fn write(title: &str, players: [&str; 2], tree: &Tree) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text =
        format!("EFG 2 R {} {{ {} {} }}\n", quote(title), quote(players[0]), quote(players[1]));
    let (mut chances, mut ends) = (0, 0);
    for node in tree.nodes() {
        // Writing to a string cannot fail.
        let _ = match &node.turn {
            Move::Terminal(payoff) => {
                ends += 1;
                writeln!(text, "t \"\" {ends} \"\" {{ {payoff}, {} }}", -payoff.clone())
            }
            Move::Chance(outcomes) => {
                chances += 1;
                let falls: Vec<String> =
                    outcomes.iter().map(|(name, p)| format!("{} {p}", quote(name))).collect();
                writeln!(text, "c \"\" {chances} \"\" {{ {} }} 0", falls.join(" "))
            }
            Move::Decision { player, information_set } => {
                let set = &tree.side(*player).information_sets()[*information_set];
                let actions: Vec<String> = set.actions.iter().map(|name| quote(name)).collect();
                let (who, number, name) =
                    (*player as usize + 1, information_set + 1, quote(&set.name));
                writeln!(text, "p \"\" {who} {number} {name} {{ {} }} 0", actions.join(" "))
            }
        };
    }
    text
}

/// A node some of whose children are still to come.
struct Open {
    node: usize,
    children: usize,
    read: usize,
    /// What the outcomes up to this node pay the two players.
    paid: [Rational; 2],
}

/// What has been read so far.
struct Reader<'a> {
    tokens: Tokens<'a>,
    tree: Tree,
    /// The path to the node being read.
    open: Vec<Open>,
    /// Moves listed whose nodes are still to come.
    promised: usize,
    /// The tree's number of each information set, by player and the file's number.
    sets: HashMap<(Player, usize), usize>,
    names: HashSet<(Player, String)>,
    events: HashMap<usize, Vec<(String, Rational)>>,
    outcomes: HashMap<usize, [Rational; 2]>,
    /// What the players' payoffs add up to, and the line of the first end.
    constant: Option<(Rational, usize)>,
    /// Where rounded chance probabilities were rescaled, and what they summed to.
    rescaled: Vec<(usize, Rational)>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Result<Self> {
        Ok(Self {
            tokens: Tokens::new(text)?,
            tree: Tree::default(),
            open: Vec::new(),
            promised: 0,
            sets: HashMap::new(),
            names: HashSet::new(),
            events: HashMap::new(),
            outcomes: HashMap::new(),
            constant: None,
            rescaled: Vec::new(),
        })
    }

    fn file(mut self) -> Result<EfgFile> {
        let (title, players) = self.prologue()?;
        loop {
            self.node()?;
            while self.open.pop_if(|open| open.read == open.children).is_some() {}
            if self.open.is_empty() {
                break;
            }
        }
        self.tokens.expect(&Token::End, "the end of the file, for the game is complete,")?;
        let notes = self.notes();
        let constant = self.constant.map_or(Rational::ZERO, |(sum, _)| sum);
        Ok(EfgFile { title, players, tree: self.tree, constant, notes })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((line, sum)) = self.rescaled.first() {
            let more = match self.rescaled.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            notes.push(format!(
                "line {line}{more}: the chance probabilities sum to {sum}, not to 1; each was divided by the sum"
            ));
        }
        if let Some((sum, _)) = self.constant.as_ref().filter(|(sum, _)| !sum.is_zero()) {
            let half = sum / Rational::from(2);
            notes.push(format!(
                "the payoffs add up to {sum} at every end; {half} was taken from each player's to make the game zero-sum"
            ));
        }
        notes
    }

    fn prologue(&mut self) -> Result<(String, [String; 2])> {
        let tokens = &mut self.tokens;
        tokens.expect(&Token::Word("EFG"), "EFG, the first word of an extensive game,")?;
        tokens.expect(&Token::Word("2"), "2, the version of the format,")?;
        if tokens.next == Token::Word("D") {
            tokens.advance()?;
        } else {
            tokens.expect(&Token::Word("R"), "R")?;
        }
        let title = tokens.text("the game's title")?;
        let place = tokens.place;
        tokens.expect(&Token::Open, "the list of players")?;
        let mut players = Vec::new();
        while tokens.next != Token::Close {
            players.push(tokens.text("a player's name or \"}\"")?);
        }
        tokens.advance()?;
        tokens.optional_text()?;
        let count = players.len();
        let players = <[String; 2]>::try_from(players).map_err(|_| {
            place.error(
                format!("the game has {count} players"),
                "only two-player zero-sum games are solved here",
            )
        })?;
        Ok((title, players))
    }

    /// One node, and its place in the tree.
    fn node(&mut self) -> Result<()> {
        let place = self.tokens.place;
        let kind = self.tokens.next.clone();
        if !matches!(kind, Token::Word("c" | "p" | "t")) {
            return self.tokens.wrong("a node (c, p or t)");
        }
        // Every move of a node promises one node more.
        if self.tree.nodes().len() + self.promised >= MAX_NODES {
            return Err(
                place.error(format!("the game has more than {MAX_NODES} nodes"), "make it smaller")
            );
        }
        self.tokens.advance()?;
        self.tokens.optional_text()?;
        let from = self.open.last().map(|open| (open.node, open.read));
        let within = |error: Error| error.within(&format!("line {}", place.line));
        let (turn, children) = match kind {
            Token::Word("c") => {
                let outcomes = self.event()?;
                let children = outcomes.len();
                (Some(Move::Chance(outcomes)), children)
            }
            Token::Word("p") => {
                let (player, information_set) = self.decision(from)?;
                let set = &self.tree.side(player).information_sets()[information_set];
                let children = set.actions.len();
                (Some(Move::Decision { player, information_set }), children)
            }
            _ => (None, 0),
        };
        let mut paid = self.open.last().map_or_else(Default::default, |open| open.paid.clone());
        for (paid, more) in paid.iter_mut().zip(self.outcome()?) {
            *paid += more;
        }
        let turn = match turn {
            Some(turn) => turn,
            None => Move::Terminal(self.payoff(&paid, place.line)?),
        };
        let node = self.tree.push(from, turn).map_err(within)?;
        if let Some(parent) = self.open.last_mut() {
            parent.read += 1;
            self.promised -= 1;
        }
        self.promised += children;
        self.open.push(Open { node, children, read: 0, paid });
        Ok(())
    }

    /// A chance node's event: its outcomes by name and probability.
    fn event(&mut self) -> Result<Vec<(String, Rational)>> {
        let place = self.tokens.place;
        let number = self.tokens.count("the event's number")?;
        self.tokens.optional_text()?;
        if self.tokens.next != Token::Open {
            return self.events.get(&number).cloned().ok_or_else(|| {
                place.error(
                    format!("event {number} has no outcomes yet"),
                    "list them where the event stands first",
                )
            });
        }
        self.tokens.advance()?;
        let mut outcomes = Vec::new();
        let mut rounded = false;
        while !self.list_ends()? {
            let name = self.tokens.text("a chance outcome's name or \"}\"")?;
            let (written, probability) = self.tokens.number("its probability")?;
            rounded |= written.contains(['.', 'e', 'E']);
            outcomes.push((name, probability));
        }
        let sum = outcomes.iter().fold(Rational::ZERO, |sum, (_, p)| sum + p);
        let miss = if sum > Rational::ONE { &sum - Rational::ONE } else { Rational::ONE - &sum };
        let near = miss * Rational::from(ROUNDING) <= Rational::ONE;
        if !sum.is_one() && rounded && near {
            outcomes.iter_mut().for_each(|(_, p)| *p = &*p / &sum);
            self.rescaled.push((place.line, sum));
        }
        let known = self.events.entry(number).or_insert_with(|| outcomes.clone());
        if *known != outcomes {
            return Err(place.error(
                format!("event {number} had other outcomes before"),
                "repeat them, or give this event another number",
            ));
        }
        Ok(outcomes)
    }

    /// A player's information set, met after the move `from`.
    fn decision(&mut self, from: Option<(usize, usize)>) -> Result<(Player, usize)> {
        let place = self.tokens.place;
        let player = match self.tokens.count("the player's number")? {
            1 => Player::Max,
            2 => Player::Min,
            other => {
                return Err(place.error(format!("there is no player {other}"), "write 1 or 2"));
            }
        };
        let place = self.tokens.place;
        let number = self.tokens.count("the information set's number")?;
        let name = self.tokens.optional_text()?;
        let known = self.sets.get(&(player, number)).copied();
        let within = |error: Error| error.within(&format!("line {}", place.line));
        if self.tokens.next != Token::Open {
            let set = known.ok_or_else(|| {
                place.error(
                    format!(
                        "information set {number} of player {} has no actions yet",
                        player as usize + 1
                    ),
                    "list them where the set stands first",
                )
            })?;
            return Ok((player, set));
        }
        self.tokens.advance()?;
        let mut actions = Vec::new();
        while !self.list_ends()? {
            actions.push(self.tokens.text("an action's name or \"}\"")?);
        }
        if let Some(set) = known {
            self.tree.check_actions(player, set, &actions).map_err(within)?;
            return Ok((player, set));
        }
        let mut name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| number.to_string());
        while !self.names.insert((player, name.clone())) {
            name = format!("{name} #{number}");
        }
        let set = self.tree.add_set(player, name, actions, from).map_err(within)?;
        self.sets.insert((player, number), set);
        Ok((player, set))
    }

    /// What a node's outcome pays the two players.
    fn outcome(&mut self) -> Result<[Rational; 2]> {
        let place = self.tokens.place;
        let number = self.tokens.count("the outcome's number, or 0 for none,")?;
        self.tokens.optional_text()?;
        if self.tokens.next != Token::Open {
            if number == 0 {
                return Ok(Default::default());
            }
            return self.outcomes.get(&number).cloned().ok_or_else(|| {
                place.error(
                    format!("outcome {number} has no payoffs yet"),
                    "give them where the outcome stands first",
                )
            });
        }
        self.tokens.advance()?;
        let mut payoffs = Vec::new();
        while !self.list_ends()? {
            payoffs.push(self.tokens.number("a payoff or \"}\"")?.1);
        }
        let count = payoffs.len();
        let payoffs = <[Rational; 2]>::try_from(payoffs).map_err(|_| {
            place.error(
                format!("outcome {number} has {count} payoffs"),
                "give one to each of the two players",
            )
        })?;
        if number == 0 {
            return Err(
                place.error("outcome 0 has payoffs", "it stands for none; use another number")
            );
        }
        if *self.outcomes.entry(number).or_insert_with(|| payoffs.clone()) != payoffs {
            return Err(place.error(
                format!("outcome {number} had other payoffs before"),
                "repeat them, or give this outcome another number",
            ));
        }
        Ok(payoffs)
    }

    /// Passes over a comma, and over the brace that ends a list.
    fn list_ends(&mut self) -> Result<bool> {
        if self.tokens.next == Token::Comma {
            self.tokens.advance()?;
        }
        let ends = self.tokens.next == Token::Close;
        if ends {
            self.tokens.advance()?;
        }
        Ok(ends)
    }

    /// What an end pays Max once the players' payoffs are made to add up to 0.
    fn payoff(&mut self, paid: &[Rational; 2], line: usize) -> Result<Rational> {
        let sum = &paid[0] + &paid[1];
        let (constant, first) = self.constant.get_or_insert_with(|| (sum.clone(), line));
        if *constant != sum {
            return Err(Error::invalid(
                format!("line {line}"),
                format!("the payoffs add up to {sum}, those of line {first} to {constant}"),
                "only zero-sum and constant-sum games are solved here",
            ));
        }
        Ok(&paid[0] - sum / Rational::from(2))
    }
}
