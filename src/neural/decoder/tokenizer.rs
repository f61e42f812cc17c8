//! Texts to token ids and back.

use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// A model's tokenizer: a tokenizer.json, or one rebuilt from GGUF metadata.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What stands in tokenizer_config.json and beside it: the names of special tokens, a chat template.
    about: Map<String, Value>,
    /// Names of the tokens that end a text beside `eos_token`.
    stops: Vec<String>,
}

impl Tokenizer {
    /// Reads the text of a tokenizer.json; padding and truncation in it are not obeyed.
    ///
    /// # Errors
    /// [`Error::Invalid`] for text that is no tokenizer.
    pub fn from_json(text: &str) -> Result<Self> {
        let mut inner: tokenizers::Tokenizer = text.parse().map_err(|e: tokenizers::Error| {
            let problem = format!("it is cut short or no tokenizer ({e})");
            Error::invalid("tokenizer", problem, "download the file again")
        })?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(failed)?;
        Ok(Self { inner, about: Map::new(), stops: Vec::new() })
    }

    /// The text of a tokenizer.json.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(false).map_err(failed)
    }

    /// What stands in tokenizer_config.json and beside it: names of special tokens, a chat template.
    pub fn about(&self) -> &Map<String, Value> {
        &self.about
    }

    /// The special token of a role such as `eos_token`, by its name; `None` where none is named.
    pub fn special(&self, role: &str) -> Option<&str> {
        let token = self.about.get(role)?;
        token.as_str().or_else(|| token.get("content")?.as_str())
    }

    pub(super) fn with_about(self, about: Map<String, Value>) -> Self {
        Self { about, ..self }
    }

    /// Tokens that end a text: `eos_token` first, where one is named, then those that the model's
    /// generation_config.json (or config.json, or GGUF metadata) names beside it, such as the end of a turn.
    pub fn stops(&self) -> Vec<u32> {
        let names = self.special("eos_token").into_iter().chain(self.stops.iter().map(|s| &**s));
        let mut ids: Vec<u32> = Vec::new();
        for id in names.filter_map(|name| self.id(name)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    pub(super) fn stop_names(&self) -> &[String] {
        &self.stops
    }

    pub(super) fn with_stops(self, stops: Vec<String>) -> Self {
        Self { stops, ..self }
    }

    /// Token ids of a text, with the tokens that the model wants at its ends.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that the tokenizer cannot take.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.inner.encode_fast(text, true).map_err(failed)?.get_ids().to_vec())
    }

    /// The same tokenizer, to which the names of special tokens in a text are plain text.
    pub fn plain(mut self) -> Self {
        self.inner.set_encode_special_tokens(true);
        self
    }

    /// Token ids of a piece of a text, without the tokens that the model wants at a text's ends.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_piece(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.inner.encode_fast(text, false).map_err(failed)?.get_ids().to_vec())
    }

    /// The tokens that the model wants at a text's start and at its end.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn ends(&self) -> Result<[Vec<u32>; 2]> {
        let (bare, whole) = (self.encode_piece("a")?, self.encode("a")?);
        let at = (0..whole.len()).find(|&i| whole[i..].starts_with(&bare)).unwrap_or(0);
        let after = (at + bare.len()).min(whole.len());
        Ok([whole[..at].to_vec(), whole[after..].to_vec()])
    }

    /// The text of token ids, without special tokens.
    ///
    /// # Errors
    /// [`Error::Invalid`] for ids that make no text.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(failed)
    }

    /// The same with special tokens by their names.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn decode_all(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, false).map_err(failed)
    }

    /// The id of a token by its name, for example `<eos>`.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The name of a token by its id.
    pub(super) fn name(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Number of tokens.
    pub fn size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}

fn failed(e: tokenizers::Error) -> Error {
    Error::invalid("tokenizer", e.to_string(), "use the model's own tokenizer.json")
}

/// What a GGUF file says of its tokenizer.
pub(super) struct Pieces {
    /// `gpt2`: byte-level pairs by rank; `llama`: SentencePiece pairs by the score of what they make.
    pub(super) model: String,
    /// How text is cut before pairs are joined.
    pub(super) split: Option<String>,
    pub(super) tokens: Vec<String>,
    /// 1 normal, 2 unknown, 3 control, 4 given by the user, 5 unused, 6 byte.
    pub(super) kinds: Vec<u32>,
    pub(super) merges: Vec<String>,
    pub(super) scores: Vec<f32>,
    pub(super) unknown: Option<u32>,
    /// Token at the start of every text.
    pub(super) first: Option<u32>,
    /// Token at its end.
    pub(super) last: Option<u32>,
    /// Whether every text starts with a space.
    pub(super) space_first: Option<bool>,
    /// Names of the tokens that end a text beside `eos_token`.
    pub(super) stops: Vec<String>,
    /// Contents of tokenizer_config.json.
    pub(super) about: Map<String, Value>,
}

const DIGIT_GROUPS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SINGLE_DIGITS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Pieces {
    /// The tokenizer, by way of the tokenizer.json that describes it.
    pub(super) fn tokenizer(self) -> Result<Tokenizer> {
        if self.kinds.len() != self.tokens.len() {
            return Err(bad("its tokens and their kinds differ in number"));
        }
        let mut json = match self.model.as_str() {
            "gpt2" => self.byte_level()?,
            "llama" => self.sentence_piece()?,
            other => return Err(bad(format!("tokenizer \"{other}\" is not supported"))),
        };
        json["added_tokens"] = (0..self.tokens.len())
            .filter(|&id| matches!(self.kinds[id], 2..=4))
            .map(|id| {
                json!({
                    "id": id, "content": self.tokens[id], "special": self.kinds[id] != 4,
                    "normalized": false, "single_word": false, "lstrip": false, "rstrip": false,
                })
            })
            .collect();
        json["post_processor"] = self.ends()?;
        Ok(Tokenizer::from_json(&json.to_string())?.with_about(self.about).with_stops(self.stops))
    }

    /// The first token that another tokenizer has not, or has under another name. Special tokens may
    /// differ, for GGUF files rename some, and padding may be absent.
    pub(super) fn first_other(&self, tokenizer: &Tokenizer) -> Option<usize> {
        let normal = |id: &usize| self.kinds.get(*id) == Some(&1);
        let differs = |id: &usize| {
            // candle reads GGUF's texts without zeros at the end.
            let other = tokenizer.name(*id as u32);
            other.is_none_or(|name| name.trim_end_matches('\0') != self.tokens[*id])
        };
        let count = self.tokens.len();
        let more = tokenizer.inner.get_vocab_size(false) > count;
        (0..count).filter(normal).find(differs).or(more.then_some(count))
    }

    fn name(&self, id: u32) -> Result<&str> {
        let name = self.tokens.get(id as usize).map(String::as_str);
        name.ok_or_else(|| bad(format!("token {id} is outside its vocabulary")))
    }

    fn vocabulary(&self) -> Map<String, Value> {
        self.tokens.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect()
    }

    /// GPT-2's: bytes as visible characters, joined pair by pair in the order of the merges.
    fn byte_level(&self) -> Result<Value> {
        let bytes = |regex| {
            json!({
                "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                "use_regex": regex,
            })
        };
        let split = |regex| {
            json!({
                "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated",
                "invert": false,
            })
        };
        let (normal, cut, whole) = match self.split.as_deref() {
            None | Some("gpt-2" | "gpt2") => (None, vec![bytes(true)], false),
            Some("smollm") => {
                let digits = json!({ "type": "Digits", "individual_digits": true });
                (None, vec![digits, bytes(true)], false)
            }
            Some("qwen2") => {
                let normal = json!({ "type": "NFC" });
                (Some(normal), vec![split(SINGLE_DIGITS), bytes(false)], false)
            }
            Some("llama-bpe" | "llama3") => (None, vec![split(DIGIT_GROUPS), bytes(false)], true),
            Some(other) => return Err(bad(format!("text splitting \"{other}\" is not supported"))),
        };
        Ok(json!({
            "normalizer": normal,
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": cut },
            "decoder": bytes(true),
            "model": {
                "type": "BPE", "vocab": self.vocabulary(), "merges": self.merges,
                "ignore_merges": whole,
            },
        }))
    }

    /// SentencePiece's pairs: the pair whose union has the highest score is joined first. Bytes
    /// stand in for characters without a token.
    fn sentence_piece(&self) -> Result<Value> {
        if self.scores.len() != self.tokens.len() {
            return Err(bad("its tokens and their scores differ in number"));
        }
        let normal = |id: usize| self.kinds[id] == 1;
        let ids: std::collections::HashMap<&str, usize> = (0..self.tokens.len())
            .filter(|&id| normal(id))
            .map(|id| (&*self.tokens[id], id))
            .collect();
        let mut order: Vec<usize> = (0..self.tokens.len()).filter(|&id| normal(id)).collect();
        order.sort_by(|&a, &b| self.scores[b].total_cmp(&self.scores[a]));
        let mut merges = Vec::new();
        for id in order {
            let token = &self.tokens[id];
            let cuts = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
            let mut pairs: Vec<(usize, usize)> =
                cuts.filter_map(|(a, b)| Some((*ids.get(a)?, *ids.get(b)?))).collect();
            pairs.sort_unstable();
            merges.extend(pairs.iter().map(|&(a, b)| json!([self.tokens[a], self.tokens[b]])));
        }
        let space = json!({
            "type": "Replace", "pattern": { "String": " " }, "content": "▁",
        });
        let first = json!({ "type": "Prepend", "prepend": "▁" });
        let normalizers = match self.space_first {
            Some(false) => vec![space],
            _ => vec![first, space],
        };
        let unknown = self.unknown.map(|id| self.name(id)).transpose()?;
        Ok(json!({
            "normalizer": { "type": "Sequence", "normalizers": normalizers },
            "pre_tokenizer": null,
            "decoder": { "type": "Sequence", "decoders": [
                { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
                { "type": "ByteFallback" },
                { "type": "Fuse" },
            ] },
            "model": {
                "type": "BPE", "vocab": self.vocabulary(), "merges": merges,
                "unk_token": unknown, "fuse_unk": true, "byte_fallback": true,
            },
        }))
    }

    /// What puts the first and last token around a text.
    fn ends(&self) -> Result<Value> {
        if self.first.or(self.last).is_none() {
            return Ok(Value::Null);
        }
        let token = |id: Option<u32>| {
            let name = id.map(|id| self.name(id)).transpose()?;
            Ok::<_, Error>(name.map(|name| json!({ "SpecialToken": { "id": name, "type_id": 0 } })))
        };
        let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
        let around: Vec<Value> =
            [token(self.first)?, Some(text), token(self.last)?].into_iter().flatten().collect();
        let mut known = Map::new();
        for id in [self.first, self.last].into_iter().flatten() {
            let name = self.name(id)?;
            known.insert(name.into(), json!({ "id": name, "ids": [id], "tokens": [name] }));
        }
        Ok(json!({
            "type": "TemplateProcessing", "single": around, "pair": around,
            "special_tokens": known,
        }))
    }
}

fn bad(problem: impl Into<String>) -> Error {
    Error::invalid("tokenizer", problem, "put the model's tokenizer.json beside the file")
}
