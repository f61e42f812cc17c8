//! What writes texts: a model here, or a server.

use super::{Chat, Generator, Message, Sampling};
use crate::neural::decoder::Tokenizer;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// What a text is written after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, for a model with a chat template: its answer is the text.
    Chat(Vec<Message>),
    /// A text to go on from, for a base model: the text ends with the line.
    Line(String),
}

/// A prompt, and the number that settles its random stream, whatever else is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What to write after.
    pub prompt: Prompt,
    /// The stream.
    pub number: u32,
}

/// A text as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Draft {
    /// Without white space at its ends; may be empty.
    pub text: String,
    /// Whether the model ended it; else it was cut off at the longest length.
    pub whole: bool,
}

/// Given the index of a job and its texts as soon as all of them are there; breaks to end the work.
pub type Take<'a> = dyn FnMut(usize, Vec<Draft>) -> Result<ControlFlow<()>> + 'a;

/// A back end that writes: a model in this process or a server that holds one. It draws; whether it also says
/// how likely a text was is another matter ([`Law`](crate::guard::Law)).
pub trait Writer {
    /// What it calls its model; texts carry it.
    fn name(&self) -> String;

    /// Draws `candidates` texts of every job and hands them to `take`, each job exactly once, in whatever order
    /// they end.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a prompt that it cannot follow and settings out of range; those of `take`.
    fn write(
        &self,
        jobs: &[Job],
        candidates: usize,
        sampling: &Sampling,
        seed: u64,
        take: &mut Take<'_>,
    ) -> Result<()>;
}

/// A generator in this process, with the chat template of its model.
#[derive(Debug)]
pub struct Local {
    generator: Generator,
    /// The same, ending a text with its line.
    by_line: Generator,
    chat: Option<Chat>,
    /// The token that the chat template ends an answer with.
    turn_end: Option<u32>,
    /// To which special tokens in a text are plain text: a seed must not end its own turn.
    plain: Tokenizer,
}

impl Local {
    /// A writer over this model.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a chat template that is no Jinja, or a vocabulary without the end of a line.
    pub fn new(generator: Generator) -> Result<Self> {
        let chat = Chat::of(generator.tokenizer())?;
        let by_line = generator.clone().stopping_at(&["\n"])?;
        let plain = generator.tokenizer().clone().plain();
        let turn_end = match &chat {
            Some(chat) => turn_end(chat, &generator)?,
            None => None,
        };
        Ok(Self { generator, by_line, chat, turn_end, plain })
    }

    /// The model.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The model, ending texts as it does after such a prompt.
    pub fn after(&self, prompt: Option<&Prompt>) -> &Generator {
        match prompt {
            Some(Prompt::Line(_)) => &self.by_line,
            _ => &self.generator,
        }
    }

    /// Tokens of a prompt. Names of special tokens in it are plain text, but for those that the chat template sets.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a conversation when the model has no chat template.
    pub fn encode(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let tokenizer = self.generator.tokenizer();
        match prompt {
            Prompt::Line(text) => {
                let [first, _] = tokenizer.ends()?;
                Ok([first, self.plain.encode_piece(text)?].concat())
            }
            Prompt::Chat(messages) => {
                let chat = self.chat.as_ref().ok_or_else(|| {
                    let remedy = "prompt a base model by examples (style \"examples\")";
                    Error::invalid("prompt", "the model has no chat template", remedy)
                })?;
                let mut special = false;
                for Message { content, .. } in messages {
                    special |=
                        tokenizer.encode_piece(content)? != self.plain.encode_piece(content)?;
                }
                match special {
                    true => self.apart(chat, messages),
                    false => tokenizer.encode_piece(&chat.prompt(messages)?),
                }
            }
        }
    }

    /// Tokens of a conversation, what was said and what the template sets around it each by itself.
    fn apart(&self, chat: &Chat, messages: &[Message]) -> Result<Vec<u32>> {
        let mark = |i: usize| format!("{MARK}{i}{MARK}");
        let marked: Vec<Message> = messages
            .iter()
            .enumerate()
            .map(|(i, m)| Message { role: m.role, content: mark(i) })
            .collect();
        let (rendered, mut ids) = (chat.prompt(&marked)?, Vec::new());
        for (i, part) in rendered.split(MARK).enumerate() {
            let said = part.parse::<usize>().ok().filter(|_| i % 2 == 1);
            ids.extend(match said.and_then(|i| messages.get(i)) {
                Some(message) => self.plain.encode_piece(message.content.trim())?,
                None => self.generator.tokenizer().encode_piece(part)?,
            });
        }
        Ok(ids)
    }
}

impl Local {
    /// Tokens of a text after a prompt, with the one that ends it.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the model has no token that ends texts.
    pub fn ended(&self, prompt: &Prompt, text: &str) -> Result<Vec<u32>> {
        let tokenizer = self.generator.tokenizer();
        let end = match prompt {
            Prompt::Line(_) => tokenizer.encode_piece("\n")?.pop(),
            Prompt::Chat(_) => self.turn_end.or_else(|| tokenizer.stops().first().copied()),
        };
        let end = end.ok_or_else(|| {
            let remedy = "name eos_token in its tokenizer_config.json";
            Error::invalid("tokenizer", "it has no token that ends texts", remedy)
        })?;
        // Whoever goes on with a line writes a space first.
        let text = match prompt {
            Prompt::Line(line) if !line.ends_with(char::is_whitespace) => &format!(" {text}"),
            _ => text,
        };
        Ok([self.plain.encode_piece(text)?, vec![end]].concat())
    }
}

/// The first token that ends texts of those that the template sets after an answer, where it takes one.
fn turn_end(chat: &Chat, generator: &Generator) -> Result<Option<u32>> {
    let said = |role, content: &str| Message { role, content: content.into() };
    let Ok(rendered) = chat.prompt(&[said("user", "a"), said("assistant", &MARK.to_string())])
    else {
        return Ok(None);
    };
    let Some((_, after)) = rendered.split_once(MARK) else { return Ok(None) };
    let ids = generator.tokenizer().encode_piece(after)?;
    Ok(ids.into_iter().find(|id| generator.stops().contains(id)))
}

/// Around or in the place of what was said. Of the private use area: in no template, and in texts it only splits
/// them once more.
const MARK: char = '\u{10FFFD}';

impl Writer for Local {
    fn name(&self) -> String {
        "local".into()
    }

    fn write(
        &self,
        jobs: &[Job],
        candidates: usize,
        sampling: &Sampling,
        seed: u64,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let is_line = |job: &Job| matches!(job.prompt, Prompt::Line(_));
        for (line, generator) in [(false, &self.generator), (true, &self.by_line)] {
            let (mut indices, mut prompts) = (Vec::new(), Vec::new());
            for (i, job) in jobs.iter().enumerate().filter(|(_, job)| is_line(job) == line) {
                indices.push(i);
                prompts.push((job.number, self.encode(&job.prompt)?));
            }
            let mut broken = false;
            generator.complete(&prompts, candidates, sampling, seed, &mut |i, completions| {
                let text = |c: &super::Completion| {
                    let text = generator.tokenizer().decode(&c.ids)?.trim().to_owned();
                    Ok(Draft { text, whole: c.end.is_some() })
                };
                let texts = completions.iter().map(text).collect::<Result<_>>()?;
                let flow = take(indices[i], texts)?;
                broken = flow.is_break();
                Ok(flow)
            })?;
            if broken {
                break;
            }
        }
        Ok(())
    }
}
