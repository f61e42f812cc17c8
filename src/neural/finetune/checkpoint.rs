//! The state of a training run on disk, so that it can go on after whatever stopped it.

use super::adamw::AdamW;
use crate::report::{self, replace};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

const FILE: &str = "checkpoint.safetensors";
const KEY: &str = "nashguard.finetune";

/// Where a run stands. Batches and rates follow from the settings and the step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::neural) struct State {
    /// Settings and rows of the run, hashed.
    pub run: u64,
    /// Steps taken.
    pub step: usize,
    /// Seconds trained.
    pub seconds: f64,
    /// Tokens trained on.
    pub tokens: u64,
    /// The best F1 on validation rows of an epoch so far.
    pub best: Option<f64>,
}

/// Writes weights, moments and state, all or nothing.
pub(in crate::neural) fn save(folder: &Path, adamw: &AdamW, state: &State) -> Result<()> {
    let cpu = |(name, t): (String, Tensor)| Ok((name, t.to_device(&Device::Cpu)?));
    let tensors = adamw.state().into_iter().map(cpu).collect::<Result<BTreeMap<_, _>>>()?;
    let state = serde_json::json!(state).to_string();
    let about = Some(HashMap::from([(KEY.to_owned(), state)]));
    replace(&folder.join(FILE), |temporary| {
        safetensors::serialize_to_file(&tensors, about.clone(), temporary).map_err(io::Error::other)
    })
}

/// Sets weights and moments to those saved, if there are any, and returns the state.
pub(in crate::neural) fn load(folder: &Path, adamw: &mut AdamW, run: u64) -> Result<Option<State>> {
    let path = folder.join(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
    let bad = |problem: &str| {
        Error::invalid(path.display().to_string(), problem, "remove the file to train again")
    };
    let about = safetensors::SafeTensors::read_metadata(&bytes);
    let about = about.ok().and_then(|(_, about)| about.metadata().clone());
    let state = about.and_then(|about| serde_json::from_str::<State>(about.get(KEY)?).ok());
    let state = state.ok_or_else(|| bad("it is cut short or no checkpoint"))?;
    if state.run != run {
        return Err(bad("it belongs to a run of other settings, rows or base"));
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .map_err(|_| bad("it is cut short"))?;
    adamw.restore(&tensors.into_iter().collect(), state.step)?;
    Ok(Some(state))
}

/// Removes the checkpoint of an earlier run: a new one must not go on from it.
pub(in crate::neural) fn remove(folder: &Path) -> Result<Option<State>> {
    report::remove(&folder.join(FILE))?;
    Ok(None)
}
