//! The large guardrail: a pre-trained decoder and one linear map from the state of a text's last token
//! to 12 sigmoid outputs.

use super::decoder::{Batch, Decoder, Numbers, Tokenizer};
use super::finetune::by_length;
use super::loss::{OUTPUTS, START_BIAS};
use super::ops;
use super::parallel;
use crate::data::Category;
use crate::report::{self, replace, write_atomically};
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor, Var};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Names of the head's weights, `(12, hidden)` and `(12)`.
pub const HEAD: [&str; 2] = ["head.weight", "head.bias"];
/// Slots of attention a batch when scoring; batches share the processor's cores.
const BATCH_TOKENS: usize = 1024;

const HEAD_FILE: &str = "head.safetensors";
pub(crate) const ABOUT_FILE: &str = "guardrail.json";
const AGAIN: &str = "train and save the classifier again";

/// How a text becomes tokens: the model's first token if it wants one, those of `before`, of the text, of
/// `after`, and the model's last token. The three are encoded apart, so that no token reaches from one into
/// another. Names of special tokens, such as `<|im_end|>`, stand for these tokens in `before` and `after`; in
/// a text they are plain text, or a text could end its turn and speak for the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reading {
    /// Tokens read of a text, those around it included; the text's end is cut off beyond.
    pub max_tokens: usize,
    /// Put before every text, for example the opening of a chat's turn.
    pub before: String,
    /// Put after it. What stands last is where the classifier reads.
    pub after: String,
}

impl Default for Reading {
    fn default() -> Self {
        Self { max_tokens: 2048, before: String::new(), after: String::new() }
    }
}

/// What a saved classifier says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Meaning of the outputs, in their order.
    pub labels: Vec<Category>,
    /// The threshold of the best F1 on validation rows, where one was chosen.
    pub chosen_threshold: Option<f32>,
    /// How it reads.
    pub reading: Reading,
    /// How it was trained: settings, rows, scores on validation rows.
    pub training: serde_json::Value,
}

impl About {
    /// Reads guardrail.json in a folder that [`Classifier::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Invalid`] naming it when it is damaged.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref().join(ABOUT_FILE);
        let bytes = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
        let bad = |problem| Error::invalid(path.display().to_string(), problem, AGAIN);
        let about: Self = serde_json::from_slice(&bytes)
            .map_err(|e| bad(format!("it describes no classifier ({e})")))?;
        match about.labels == Category::ALL {
            true => Ok(about),
            false => Err(bad("its labels are not the 12 categories in order".into())),
        }
    }

    /// Writes guardrail.json in a classifier's folder.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let text = format!("{:#}\n", serde_json::json!(self));
        write_atomically(folder.as_ref().join(ABOUT_FILE), text.as_bytes())
    }

    /// Removes guardrail.json: what else is in the folder is no classifier then.
    fn remove(folder: &Path) -> Result<()> {
        report::remove(&folder.join(ABOUT_FILE))
    }
}

/// A decoder that classifies texts.
#[derive(Clone, Debug)]
pub struct Classifier {
    decoder: Decoder,
    /// To which special tokens in a text are plain text.
    tokenizer: Tokenizer,
    /// Tokens around every text.
    around: [Vec<u32>; 2],
    /// `(12, hidden)`, f32 whatever the decoder computes in.
    weight: Tensor,
    /// `(12)`
    bias: Tensor,
    about: About,
}

impl Classifier {
    /// A classifier yet to be trained: the head is uniform in ±0.02 √3, its bias −2.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `reading` leaves no room for a text.
    pub fn new(
        decoder: Decoder,
        tokenizer: Tokenizer,
        reading: Reading,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        let (width, device) = (decoder.config().hidden, decoder.device().clone());
        let draw = |_| 0.02 * 3_f32.sqrt() * (2.0 * rng.random::<f32>() - 1.0);
        let weight: Vec<f32> = (0..OUTPUTS * width).map(draw).collect();
        let weight = Tensor::from_vec(weight, (OUTPUTS, width), &device)?;
        let bias = Tensor::full(START_BIAS, OUTPUTS, &device)?;
        let about = About {
            labels: Category::ALL.to_vec(),
            chosen_threshold: None,
            reading,
            training: serde_json::Value::Null,
        };
        Self::of(decoder, tokenizer, [weight, bias], about)
    }

    fn of(
        decoder: Decoder,
        tokenizer: Tokenizer,
        [weight, bias]: [Tensor; 2],
        about: About,
    ) -> Result<Self> {
        let Reading { max_tokens, before, after } = &about.reading;
        let [first, last] = tokenizer.ends()?;
        let (before, after) = (tokenizer.encode_piece(before)?, tokenizer.encode_piece(after)?);
        let around = [[first, before].concat(), [after, last].concat()];
        let least = around.concat().len() + 1;
        let most = decoder.config().context;
        if !(least..=most).contains(max_tokens) {
            let problem = format!("{max_tokens} tokens cannot be read");
            let remedy = format!("choose {least} to {most}, the model's context");
            return Err(Error::invalid("max_tokens", problem, remedy));
        }
        Ok(Self { decoder, tokenizer: tokenizer.plain(), around, weight, bias, about })
    }

    /// Its decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Its tokenizer, as [`Tokenizer::plain`] makes it.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What it says of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The same, to be changed: threshold, provenance; how texts are read stays as it was.
    pub fn about_mut(&mut self) -> &mut About {
        &mut self.about
    }

    /// The decoder, to turn weights into variables or add adapters.
    pub fn decoder_mut(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Turns the head's weights into variables and returns them.
    ///
    /// # Errors
    /// [`Error::Tensor`] when candle fails.
    pub fn head_variables(&mut self) -> Result<BTreeMap<String, Var>> {
        let vars = [&mut self.weight, &mut self.bias].map(|tensor| {
            let var = Var::from_tensor(&tensor.detach().copy()?)?;
            *tensor = var.as_tensor().clone();
            Ok::<_, Error>(var)
        });
        HEAD.into_iter().zip(vars).map(|(name, var)| Ok((name.to_owned(), var?))).collect()
    }

    /// The same classifier without variables, for scoring; it follows when a variable is set.
    pub fn frozen(&self) -> Self {
        let (weight, bias) = (self.weight.detach(), self.bias.detach());
        Self { decoder: self.decoder.frozen(), weight, bias, ..self.clone() }
    }

    /// Tokens of a text (see [`Reading`]), and whether its end was cut off.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text without a token.
    pub fn encode(&self, text: &str) -> Result<(Vec<u32>, bool)> {
        let [before, after] = &self.around;
        let mut ids = self.tokenizer.encode_piece(text)?;
        let around = before.len() + after.len();
        let room = self.about.reading.max_tokens.saturating_sub(around);
        let cut = ids.len() > room;
        ids.truncate(room);
        let all = [before, &ids[..], after].concat();
        match all.is_empty() {
            true => Err(Error::invalid("text", "it is empty", "give a text")),
            false => Ok((all, cut)),
        }
    }

    /// How many tokens of a text are read, those around it included, where its end is cut off; `None` where it is not.
    ///
    /// # Errors
    /// As [`Classifier::encode`].
    pub fn cut(&self, text: &str) -> Result<Option<usize>> {
        let (ids, cut) = self.encode(text)?;
        Ok(cut.then_some(ids.len()))
    }

    /// Logits of the outputs from states of last tokens: `(rows, hidden)` to `(rows, 12)`, f32 on the
    /// CPU, differentiable.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the shape does not fit.
    pub fn logits(&self, states: &Tensor) -> Result<Tensor> {
        let z = ops::linear(&states.to_dtype(DType::F32)?, &self.weight)?;
        Ok(z.broadcast_add(&self.bias)?.to_device(&Device::Cpu)?)
    }

    /// Probabilities of the 12 categories, a row a text, in the order of [`Category::ALL`].
    ///
    /// # Errors
    /// As [`Classifier::encode`].
    pub fn probabilities(&self, texts: &[&str]) -> Result<Vec<[f32; OUTPUTS]>> {
        self.shared(texts, parallel::threads(self.decoder.device()), &|_| ())
    }

    /// Probabilities of texts in batches of like length, the batches shared among so many threads;
    /// `done` is told how many texts each had.
    pub(super) fn shared(
        &self,
        texts: &[&str],
        threads: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<[f32; OUTPUTS]>> {
        let sequences =
            texts.iter().map(|text| Ok(self.encode(text)?.0)).collect::<Result<Vec<Vec<u32>>>>()?;
        let this = self.frozen();
        let lengths: Vec<usize> = sequences.iter().map(Vec::len).collect();
        let batches = by_length(&lengths, BATCH_TOKENS);
        // Dealt out in turn: every thread gets short and long ones.
        let threads = threads.max(1);
        let dealt: Vec<&Vec<usize>> =
            (0..threads).flat_map(|t| batches.iter().skip(t).step_by(threads)).collect();
        let scored = parallel::each(threads, &dealt, |rows| {
            let chosen: Vec<&[u32]> = rows.iter().map(|&i| sequences[i].as_slice()).collect();
            let batch = Batch::new(&chosen)?;
            let states = this.decoder.last(&this.decoder.embed(&batch)?, &batch, 0)?;
            let p = probabilities(&this.logits(&states)?)?;
            done(rows.len());
            Ok(p)
        })?;
        let mut all = vec![[0.0; OUTPUTS]; texts.len()];
        for (rows, p) in dealt.into_iter().zip(scored) {
            rows.iter().zip(p).for_each(|(&i, p)| all[i] = p);
        }
        Ok(all)
    }

    /// Score of each text: the largest of its 12 probabilities.
    ///
    /// # Errors
    /// As [`Classifier::encode`].
    pub fn scores(&self, texts: &[&str]) -> Result<Vec<f32>> {
        Ok(self.probabilities(texts)?.into_iter().map(score).collect())
    }

    /// The same for many texts: batches of them go to so many threads, each on one core, which on a
    /// CPU is faster than all cores on one batch; `done` is told how many texts each batch had.
    ///
    /// # Errors
    /// As [`Classifier::scores`], or [`Error::Invalid`] when no thread can be started.
    pub fn scores_by(
        &self,
        texts: &[&str],
        threads: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<f32>> {
        Ok(self.shared(texts, threads, done)?.into_iter().map(score).collect())
    }

    /// Writes a folder: the decoder with its tokenizer, which `transformers` opens too (see
    /// [`Decoder::save`]), head.safetensors and guardrail.json. Each file appears complete or not at
    /// all, guardrail.json last: a folder without it is no classifier.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        // Otherwise an interruption leaves an older one's beside newer weights.
        About::remove(folder)?;
        self.decoder.save(folder)?;
        self.tokenizer.save(folder)?;
        let cpu = |tensor: &Tensor| tensor.detach().to_device(&Device::Cpu);
        let head = BTreeMap::from([(HEAD[0], cpu(&self.weight)?), (HEAD[1], cpu(&self.bias)?)]);
        replace(&folder.join(HEAD_FILE), |temporary| {
            safetensors::serialize_to_file(&head, None, temporary).map_err(io::Error::other)
        })?;
        self.about.save(folder)
    }

    /// Reads what [`Classifier::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read, [`Error::Invalid`] naming one that is damaged.
    pub fn load(folder: impl AsRef<Path>, numbers: Numbers, device: &Device) -> Result<Self> {
        let folder = folder.as_ref();
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|e| Error::io("read", path, e))
        };
        let bad = |name: &str, problem: String| {
            Error::invalid(folder.join(name).display().to_string(), problem, AGAIN)
        };
        let about = About::load(folder)?;
        let decoder = Decoder::load(folder, numbers, device)?;
        let tokenizer = Tokenizer::load(folder)?;
        let head = candle_core::safetensors::load_buffer(&read(HEAD_FILE)?, device)
            .map_err(|e| bad(HEAD_FILE, format!("it is cut short or no safetensors file ({e})")))?;
        let hidden = decoder.config().hidden;
        let tensor = |name: &str, shape: &[usize]| match head.get(name) {
            Some(t) if t.dims() == shape && t.dtype() == DType::F32 => Ok(t.clone()),
            _ => Err(bad(HEAD_FILE, format!("{name} is not {shape:?} numbers of 32 bits"))),
        };
        let (weight, bias) = (tensor(HEAD[0], &[OUTPUTS, hidden])?, tensor(HEAD[1], &[OUTPUTS])?);
        Self::of(decoder, tokenizer, [weight, bias], about)
    }
}

/// Rows of 12 logits as probabilities; an error where one is no finite number, which would otherwise read as "safe".
pub(super) fn probabilities(logits: &Tensor) -> Result<Vec<[f32; OUTPUTS]>> {
    let z = logits.flatten_all()?.to_vec1::<f32>()?;
    if z.iter().any(|z| !z.is_finite()) {
        let problem = "it answers with a logit that is no finite number";
        return Err(Error::invalid(
            "the guardrail",
            problem,
            "its weights are damaged: get them again",
        ));
    }
    let sigmoid = |row: &[f32; OUTPUTS]| row.map(|z| 1.0 / (1.0 + (-z).exp()));
    Ok(z.as_chunks::<OUTPUTS>().0.iter().map(sigmoid).collect())
}

/// The largest of the probabilities.
pub(super) fn score(p: [f32; OUTPUTS]) -> f32 {
    p.into_iter().fold(0.0, f32::max)
}
