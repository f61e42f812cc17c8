//! Keys and values of tokens already read, so that more can be read after them.

use super::batch::Slot;
use crate::{Error, Result};
use candle_core::Tensor;

/// Slots added when a buffer is full, so that a token more does not copy all that came before.
const ROOM: usize = 64;

/// What the layers keep of the tokens they have read.
///
/// Empty at first. Holds the sequences of the first batch it is given, in their order; a shorter one
/// has empty slots at its left. A clone shares the memory until [`Cache::keep`] parts them: only a cache that
/// nobody extends is cloned.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    layers: Vec<Memory>,
    pub(super) slots: Vec<Vec<Slot>>,
}

/// Of one layer: `(sequences, heads, capacity, width)` each, of which `used` slots are written.
#[derive(Clone, Debug)]
struct Memory {
    keys: Tensor,
    values: Tensor,
    used: usize,
}

impl Cache {
    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of the keys and values that are written.
    pub fn bytes(&self) -> usize {
        let of = |x: &Tensor, used: usize| {
            let slots = x.dim(2).unwrap_or(1).max(1);
            x.elem_count() / slots * used * x.dtype().size_in_bytes()
        };
        self.layers.iter().map(|m| of(&m.keys, m.used) + of(&m.values, m.used)).sum()
    }

    /// Goes on with these sequences only, in this order; one may be named several times.
    ///
    /// # Errors
    /// [`Error::Tensor`] when there is no such sequence.
    pub fn keep(&mut self, sequences: &[usize]) -> Result<()> {
        let slots: Vec<_> = sequences.iter().filter_map(|&i| self.slots.get(i)).cloned().collect();
        if slots.is_empty() {
            *self = Self::default();
            return Ok(());
        }
        // Slots that none of the kept ones fills; a few are not worth a second copy.
        let blank = |row: &Vec<Slot>| row.iter().take_while(|slot| slot.is_none()).count();
        let blank = slots.iter().map(blank).min().unwrap_or(0);
        let skip = if blank < ROOM { 0 } else { blank };
        let picks: Vec<u32> = sequences.iter().map(|&i| i as u32).collect();
        for memory in &mut self.layers {
            let picks = Tensor::new(picks.as_slice(), memory.keys.device())?;
            let some = |x: &Tensor| match skip {
                0 => x.index_select(&picks, 0),
                _ => x.narrow(2, skip, memory.used - skip)?.contiguous()?.index_select(&picks, 0),
            };
            (memory.keys, memory.values) = (some(&memory.keys)?, some(&memory.values)?);
            memory.used -= skip;
        }
        self.slots = slots.into_iter().map(|row| row[skip..].to_vec()).collect();
        Ok(())
    }

    /// Adds the sequences of another cache of the same decoder behind its own.
    ///
    /// # Errors
    /// [`Error::Tensor`] for a cache of another decoder.
    pub fn join(&mut self, other: Self) -> Result<()> {
        if self.is_empty() || other.is_empty() {
            if self.is_empty() {
                *self = other;
            }
            return Ok(());
        }
        if self.layers.len() != other.layers.len() {
            let remedy = "join caches of one decoder";
            return Err(Error::invalid("cache", "the caches differ in their layers", remedy));
        }
        let width = |cache: &Self| cache.slots.first().map_or(0, Vec::len);
        let all = width(self).max(width(&other));
        // Latest slots under each other, as in a batch.
        let wide = |x: &Tensor, used: usize| {
            x.narrow(2, 0, used)?.pad_with_zeros(2, all - used, 0)?.contiguous()
        };
        for (mine, theirs) in self.layers.iter_mut().zip(&other.layers) {
            let both = |a: &Tensor, b: &Tensor| {
                Tensor::cat(&[wide(a, mine.used)?, wide(b, theirs.used)?], 0)
            };
            let joined = (both(&mine.keys, &theirs.keys)?, both(&mine.values, &theirs.values)?);
            (mine.keys, mine.values) = joined;
            mine.used = all;
        }
        let rows = self.slots.drain(..).chain(other.slots);
        self.slots = rows.map(|row| [vec![None; all - row.len()], row].concat()).collect();
        Ok(())
    }

    /// Adds keys and values `(sequences, heads, new slots, width)` of a layer, and returns all of them.
    pub(super) fn extend(
        &mut self,
        layer: usize,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let new = k.dim(2)?;
        if layer == self.layers.len() {
            self.layers.push(Memory { keys: k.clone(), values: v.clone(), used: new });
            return Ok((k.clone(), v.clone()));
        }
        let memory = self.layers.get_mut(layer).ok_or_else(|| {
            Error::invalid("cache", format!("layer {layer} comes too early"), "report this")
        })?;
        let used = memory.used + new;
        if used > memory.keys.dim(2)? {
            let roomy = |x: &Tensor| x.narrow(2, 0, memory.used)?.pad_with_zeros(2, 0, new + ROOM);
            (memory.keys, memory.values) = (roomy(&memory.keys)?, roomy(&memory.values)?);
        }
        memory.keys.slice_set(&k.contiguous()?, 2, memory.used)?;
        memory.values.slice_set(&v.contiguous()?, 2, memory.used)?;
        memory.used = used;
        Ok((memory.keys.narrow(2, 0, used)?, memory.values.narrow(2, 0, used)?))
    }
}
