//! A vocabulary trimmed to the tokens that some texts use: most embeddings of a model for a hundred
//! languages are never looked at by a classifier for four.

use super::config::{EMBEDDING, OUTPUT};
use super::weights::Weight;
use super::{Decoder, Tokenizer};
use crate::{Error, Result};
use candle_core::Tensor;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The model and its tokenizer with the tokens that some texts use; the rest are forgotten, and the
/// others renumbered in their order.
///
/// Kept besides are the bytes and the named special tokens, and what pairs are joined through to make a
/// kept token. So every text is still read, by smaller pieces or bytes where a token of it is gone, and
/// those texts are read as before: none of the pairs joined in them is forgotten.
///
/// # Errors
/// [`Error::Invalid`] when the tokenizer does not join pairs (BPE), or does it with marks for the middle
/// or end of words.
pub fn trimmed(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    used: BTreeSet<u32>,
) -> Result<(Decoder, Tokenizer)> {
    let (tokenizer, kept) = tokenizer.keeping(used, decoder.config().vocabulary)?;
    let mut config = decoder.config().clone();
    config.vocabulary = kept.len();
    let mut weights = decoder.weights().clone();
    let kept = Tensor::new(kept, decoder.device())?;
    for name in [EMBEDDING, OUTPUT] {
        if let Some(weight) = weights.get_mut(name) {
            *weight = Weight::Dense(weight.rows(&kept)?);
        }
    }
    Ok((Decoder::new(config, weights)?, tokenizer))
}

impl Tokenizer {
    /// The tokenizer with these tokens and what it cannot do without, and the old ids of its tokens; none that a
    /// model of so many tokens has no embedding of, as Gemma's tokenizers have one.
    fn keeping(&self, mut kept: BTreeSet<u32>, vocabulary: usize) -> Result<(Self, Vec<u32>)> {
        let mut json: Value = serde_json::from_str(&self.to_json()?)
            .map_err(|e| bad(format!("it cannot be read as JSON ({e})")))?;
        let model: Model = serde_json::from_value(json["model"].clone())
            .map_err(|e| bad(format!("its tokens are not joined by pairs ({e})")))?;
        if [&model.continuing_subword_prefix, &model.end_of_word_suffix]
            .into_iter()
            .any(|mark| mark.as_ref().is_some_and(|mark| !mark.is_empty()))
        {
            return Err(bad("its tokens carry marks of their place in a word"));
        }
        let added: Vec<Added> = serde_json::from_value(json["added_tokens"].clone())
            .map_err(|e| bad(format!("its added tokens cannot be read ({e})")))?;

        // Named: special tokens, and what a space is replaced by.
        let steps = ["normalizer", "pre_tokenizer", "post_processor", "decoder"];
        let named = json!([
            steps.map(|step| &json[step]),
            self.about(),
            self.stop_names(),
            model.unk_token
        ]);
        let names: BTreeSet<&str> = strings(&named).into_iter().collect();
        let needed = |token: &str| names.contains(token) || model.is_byte(token);
        kept.extend(added.iter().filter(|t| names.contains(&*t.content)).map(|t| t.id));
        kept.extend(model.vocab.iter().filter(|(token, _)| needed(token)).map(|(_, id)| id));
        let joined = model.joined(&kept);
        kept.extend(joined);
        kept.retain(|&id| (id as usize) < vocabulary);

        let old: Vec<u32> = kept.into_iter().collect();
        let new: BTreeMap<u32, usize> =
            old.iter().enumerate().map(|(new, &id)| (id, new)).collect();
        let of_token = |token: &str| new.get(model.vocab.get(token)?);
        let vocab: Map<String, Value> = model
            .vocab
            .iter()
            .filter_map(|(token, id)| Some((token.clone(), json!(new.get(id)?))))
            .collect();
        let merges: Vec<&[String; 2]> = model
            .merges
            .iter()
            .filter(|[a, b]| [a, b, &format!("{a}{b}")].iter().all(|t| of_token(t).is_some()))
            .collect();
        json["model"]["vocab"] = vocab.into();
        json["model"]["merges"] = json!(merges);
        renumber(&mut json["post_processor"], &new);
        if let Some(all) = json["added_tokens"].as_array_mut() {
            all.retain_mut(|token| match number(&token["id"]).and_then(|id| new.get(&id)) {
                Some(id) => {
                    token["id"] = json!(id);
                    true
                }
                None => false,
            });
        }
        let mut about = self.about().clone();
        if let Some(Value::Object(all)) = about.get_mut(DECODER) {
            let entry = |(id, token): (String, Value)| {
                Some((new.get(&id.parse().ok()?)?.to_string(), token))
            };
            *all = std::mem::take(all).into_iter().filter_map(entry).collect();
        }
        let trimmed = Self::from_json(&json.to_string())?
            .with_about(about)
            .with_stops(self.stop_names().to_vec());

        // What is put around a text is renumbered too, wherever a processor keeps its number.
        let ends: Vec<u32> = trimmed.encode("")?.iter().map(|&id| old[id as usize]).collect();
        match ends == self.encode("")? {
            true => Ok((trimmed, old)),
            false => Err(bad("what it puts around texts is not understood")),
        }
    }
}

/// Where tokenizer_config.json repeats the added tokens by id.
const DECODER: &str = "added_tokens_decoder";

#[derive(serde::Deserialize)]
struct Added {
    id: u32,
    content: String,
}

#[derive(serde::Deserialize)]
struct Model {
    vocab: BTreeMap<String, u32>,
    merges: Vec<[String; 2]>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    byte_fallback: bool,
}

impl Model {
    /// What stands for a byte: a name like `<0x41>`, or a character of a byte-level vocabulary.
    fn is_byte(&self, token: &str) -> bool {
        match self.byte_fallback {
            true => token.len() == 6 && token.starts_with("<0x") && token.ends_with('>'),
            false => token.chars().nth(1).is_none(),
        }
    }

    /// The tokens that pairs are joined through, from characters on, to make these.
    fn joined(&self, tokens: &BTreeSet<u32>) -> BTreeSet<u32> {
        let ranks: HashMap<(&str, &str), usize> =
            self.merges.iter().enumerate().map(|(rank, [a, b])| ((&**a, &**b), rank)).collect();
        let mut all = BTreeSet::new();
        for (token, _) in self.vocab.iter().filter(|(_, id)| tokens.contains(id)) {
            // Ends of the parts within the token.
            let mut ends: Vec<usize> =
                token.char_indices().map(|(at, c)| at + c.len_utf8()).collect();
            let part = |ends: &[usize], i: usize| {
                let start = if i == 0 { 0 } else { ends[i - 1] };
                &token[start..ends[i]]
            };
            all.extend((0..ends.len()).filter_map(|i| self.vocab.get(part(&ends, i))));
            let next = |ends: &[usize]| {
                (0..ends.len().saturating_sub(1))
                    .filter_map(|i| Some((ranks.get(&(part(ends, i), part(ends, i + 1)))?, i)))
                    .min()
            };
            while let Some((_, i)) = next(&ends) {
                ends.remove(i);
                all.extend(self.vocab.get(part(&ends, i)));
            }
        }
        all
    }
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// Every text in a value that may name a token.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().flat_map(strings).collect(),
        Value::Object(all) => {
            let skipped = [DECODER, "type", "chat_template"];
            let all = all.iter().filter(|(key, _)| !skipped.contains(&key.as_str()));
            all.flat_map(|(_, value)| strings(value)).collect()
        }
        _ => Vec::new(),
    }
}

/// Replaces the numbers in every list named `ids`.
fn renumber(value: &mut Value, new: &BTreeMap<u32, usize>) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|value| renumber(value, new)),
        Value::Object(all) => {
            for (key, value) in all {
                match value {
                    Value::Array(ids) if key == "ids" => {
                        for id in ids {
                            *id = json!(number(id).and_then(|id| new.get(&id)));
                        }
                    }
                    _ => renumber(value, new),
                }
            }
        }
        _ => {}
    }
}

fn bad(problem: impl Into<String>) -> Error {
    Error::invalid("trim_vocabulary", problem, "leave it out for this model")
}
