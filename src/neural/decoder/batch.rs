//! Token sequences of different lengths in one computation.
//!
//! Everything but attention looks at one token at a time, so the tokens of all sequences lie end to
//! end and nothing is computed for padding. Attention alone needs a grid of sequences by slots; there
//! the shorter sequences are padded at their left, and a mask hides the padding.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// Token sequences laid end to end: the token at `t` of a sequence is a row of the computation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    ids: Vec<u32>,
    lengths: Vec<usize>,
}

impl Batch {
    /// The sequences in their order, none of them empty.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no sequence or an empty one.
    pub fn new<S: AsRef<[u32]>>(sequences: &[S]) -> Result<Self> {
        let lengths: Vec<usize> = sequences.iter().map(|s| s.as_ref().len()).collect();
        if lengths.is_empty() || lengths.contains(&0) {
            let problem = "it has no sequence, or one without tokens";
            return Err(Error::invalid("batch", problem, "give every sequence a token"));
        }
        let ids = sequences.iter().flat_map(|s| s.as_ref()).copied().collect();
        Ok(Self { ids, lengths })
    }

    /// All tokens, a row each.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Each sequence's number of tokens.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// At most this many batches of neighbouring sequences, in order, with about the same number of
    /// tokens each.
    pub fn split(&self, parts: usize) -> Vec<Self> {
        let (mut batches, mut start, mut row, mut done) = (Vec::new(), 0, 0, 0);
        for end in 1..=self.lengths.len() {
            done += self.lengths[end - 1];
            let due = done * parts >= (batches.len() + 1) * self.ids.len();
            if due || end == self.lengths.len() {
                let (ids, lengths) = (self.ids[row..done].into(), self.lengths[start..end].into());
                batches.push(Self { ids, lengths });
                (start, row) = (end, done);
            }
        }
        batches
    }

    /// Row of each sequence's last token.
    pub fn last(&self) -> Vec<usize> {
        let mut end = 0;
        let mut ends = |length: &usize| {
            end += length;
            end - 1
        };
        self.lengths.iter().map(&mut ends).collect()
    }
}

/// Position of the token that a slot of attention holds; `None` for padding.
pub(super) type Slot = Option<usize>;

/// Where each token stands, in its sequence and in the grid of attention.
pub(super) struct Grid {
    /// Position of each row's token in its sequence, what is in the cache included.
    pub(super) positions: Vec<usize>,
    /// Sequences.
    pub(super) rows: usize,
    /// Slots of new tokens a sequence.
    pub(super) columns: usize,
    /// Row of the token in each slot, and the slot of each row; `None` without padding.
    moves: Option<(Tensor, Tensor)>,
    /// What each slot of new tokens holds, by sequence.
    new: Vec<Vec<Slot>>,
    /// What each slot of keys holds, by sequence: those of the cache, then the new.
    pub(super) slots: Vec<Vec<Slot>>,
}

impl Grid {
    /// Of `batch`, after the slots in a cache, if any.
    pub(super) fn new(batch: &Batch, past: &[Vec<Slot>], device: &Device) -> Result<Self> {
        let rows = batch.lengths.len();
        let columns = batch.lengths.iter().copied().max().unwrap_or(0);
        let mut positions = Vec::with_capacity(batch.ids.len());
        let (mut to_grid, mut to_rows) = (vec![0; rows * columns], Vec::new());
        let (mut new, mut slots) = (Vec::new(), Vec::new());
        for (i, &length) in batch.lengths.iter().enumerate() {
            let old = past.get(i).map_or(&[][..], Vec::as_slice);
            let seen = old.iter().flatten().count();
            let padding = columns - length;
            for t in 0..length {
                let slot = i * columns + padding + t;
                to_grid[slot] = positions.len() as u32;
                to_rows.push(slot as u32);
                positions.push(seen + t);
            }
            let fresh: Vec<Slot> =
                (0..columns).map(|c| c.checked_sub(padding).map(|t| seen + t)).collect();
            slots.push([old, &fresh].concat());
            new.push(fresh);
        }
        let moves = match positions.len() == rows * columns {
            true => None,
            false => {
                let n = to_rows.len();
                let grid = Tensor::from_vec(to_grid, rows * columns, device)?;
                Some((grid, Tensor::from_vec(to_rows, n, device)?))
            }
        };
        Ok(Self { positions, rows, columns, moves, new, slots })
    }

    /// `(tokens, heads, width)` to `(sequences, heads, slots, width)`.
    pub(super) fn spread(&self, x: &Tensor) -> Result<Tensor> {
        let (_, heads, width) = x.dims3()?;
        let x = match &self.moves {
            Some((to_grid, _)) => x.index_select(to_grid, 0)?,
            None => x.clone(),
        };
        Ok(x.reshape((self.rows, self.columns, heads, width))?.transpose(1, 2)?.contiguous()?)
    }

    /// `(sequences, heads, slots, width)` to `(tokens, heads * width)`.
    pub(super) fn gather(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, heads, columns, width) = x.dims4()?;
        let x = x.transpose(1, 2)?.reshape((rows * columns, heads * width))?;
        Ok(match &self.moves {
            Some((_, to_rows)) => x.index_select(to_rows, 0)?,
            None => x,
        })
    }

    /// 0 where a token may look and −∞ where not, to be added to scores: `(sequences, 1, new slots,
    /// slots)`, or `(1, ..)` where all sequences are alike; `None` if every token may look everywhere.
    pub(super) fn mask(
        &self,
        window: Option<usize>,
        dtype: DType,
        device: &Device,
    ) -> Result<Option<Tensor>> {
        let alike = self.slots.windows(2).all(|pair| pair[0] == pair[1]);
        let kinds = if alike { 1 } else { self.rows };
        let width = self.slots[0].len();
        let mut mask = vec![0_f32; kinds * self.columns * width];
        let mut cells = mask.iter_mut();
        for (new, slots) in self.new.iter().zip(&self.slots).take(kinds) {
            for (c, query) in new.iter().enumerate() {
                for (s, key) in slots.iter().enumerate() {
                    let sees = match (query, key) {
                        (Some(q), Some(k)) => k <= q && window.is_none_or(|w| q - k < w),
                        // Padding sees itself: a row of nothing but −∞ has no softmax.
                        (None, _) => s + self.columns == width + c,
                        (Some(_), None) => false,
                    };
                    if let Some(cell) = cells.next().filter(|_| !sees) {
                        *cell = f32::NEG_INFINITY;
                    }
                }
            }
        }
        if mask.iter().all(|&x| x == 0.0) {
            return Ok(None);
        }
        let mask = Tensor::from_vec(mask, (kinds, 1, self.columns, width), device)?;
        Ok(Some(mask.to_dtype(dtype)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_whole_in_order_and_balanced() {
        let sequences: Vec<Vec<u32>> = (0..9).map(|i| vec![i; 1 + i as usize * 3 % 5]).collect();
        let batch = Batch::new(&sequences).unwrap();
        for parts in 1..12 {
            let split = batch.split(parts);
            assert!(split.len() <= parts && !split.is_empty());
            assert_eq!(split.iter().flat_map(|b| b.ids.clone()).collect::<Vec<_>>(), batch.ids);
            let lengths: Vec<usize> = split.iter().flat_map(|b| b.lengths.clone()).collect();
            assert_eq!(lengths, batch.lengths);
            let fair = batch.ids.len() / parts;
            assert!(split.iter().all(|b| b.ids.len() <= fair + 5), "{parts}: {split:?}");
        }
    }
}
