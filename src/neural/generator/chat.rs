//! A model's chat template: messages to the text that the model reads.

use crate::neural::decoder::Tokenizer;
use crate::{Error, Result};
use minijinja::{Environment, context};
use serde::Serialize;

/// A part of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What was said.
    pub content: String,
}

/// The template of a model that holds conversations, in Jinja, as tokenizer_config.json,
/// chat_template.jinja or GGUF metadata give it.
#[derive(Debug)]
pub struct Chat {
    environment: Environment<'static>,
    first: String,
    last: String,
}

const NAME: &str = "chat";

impl Chat {
    /// The model's, or `None` for a model without (a base model: prompt it by examples).
    ///
    /// # Errors
    /// [`Error::Invalid`] for a template that is no Jinja.
    pub fn of(tokenizer: &Tokenizer) -> Result<Option<Self>> {
        let about = tokenizer.about();
        let template = about.get("chat_template").and_then(|template| {
            // Several, by name: the default one.
            let named = |list: &Vec<serde_json::Value>| {
                let default = list.iter().find(|t| t.get("name").is_some_and(|n| n == "default"));
                default.and_then(|t| t.get("template")?.as_str().map(str::to_owned))
            };
            template.as_str().map(str::to_owned).or_else(|| template.as_array().and_then(named))
        });
        let Some(template) = template else { return Ok(None) };
        let token = |role: &str| tokenizer.special(role).unwrap_or_default().to_owned();
        let mut environment = Environment::new();
        // As transformers reads them.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |text: String| {
            Err::<(), _>(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, text))
        });
        environment.add_template_owned(NAME, template).map_err(failed)?;
        let (first, last) = (token("bos_token"), token("eos_token"));
        Ok(Some(Self { environment, first, last }))
    }

    /// The text of a conversation, up to where the assistant's answer begins. The token at the start of
    /// a text may be part of it: encode it without another.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the template refuses the messages.
    pub fn prompt(&self, messages: &[Message]) -> Result<String> {
        let template = self.environment.get_template(NAME).map_err(failed)?;
        template
            .render(context! {
                messages => messages, add_generation_prompt => true,
                bos_token => self.first, eos_token => self.last,
            })
            .map_err(failed)
    }
}

fn failed(e: minijinja::Error) -> Error {
    let problem = format!("it cannot be followed ({e})");
    Error::invalid(
        "chat_template",
        problem,
        "use the model's own tokenizer_config.json or chat_template.jinja",
    )
}
