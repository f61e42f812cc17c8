//! The one number of GGUF metadata by which candle divides unseen.

use std::io::{Error, Read, Result, Seek};

pub(super) const ALIGNMENT: &str = "general.alignment";
/// Bytes of the longest key that the format allows.
const LONGEST_KEY: u64 = u16::MAX as u64;

/// Whether the metadata of a file ask for an alignment of 0. An error where they end early, or hold lists of
/// lists, which no model of ours has.
pub(super) fn unaligned(file: &mut (impl Read + Seek)) -> Result<bool> {
    let mut start = [0; 8];
    file.read_exact(&mut start)?;
    let mut metadata = Metadata { file, lengths: if start[4] == 1 { 4 } else { 8 } };
    let _tensors = metadata.length()?;
    for _ in 0..metadata.length()? {
        let length = metadata.length()?;
        if length > LONGEST_KEY {
            return Err(Error::other(format!("a key of {length} bytes")));
        }
        let mut key = vec![0; length as usize];
        metadata.file.read_exact(&mut key)?;
        // As candle reads it.
        while key.pop_if(|last| *last == 0).is_some() {}
        let kind = metadata.number(4)?;
        if metadata.value(kind)? == Some(0) && key == ALIGNMENT.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Metadata<'a, R> {
    file: &'a mut R,
    /// Bytes of a length.
    lengths: usize,
}

impl<R: Read + Seek> Metadata<'_, R> {
    fn number(&mut self, bytes: usize) -> Result<u64> {
        let mut number = [0; 8];
        self.file.read_exact(&mut number[..bytes])?;
        Ok(u64::from_le_bytes(number))
    }

    fn length(&mut self) -> Result<u64> {
        self.number(self.lengths)
    }

    /// Reads a value of this kind; what is no number is passed over.
    fn value(&mut self, kind: u64) -> Result<Option<u64>> {
        const LIST: u64 = 9;
        match kind {
            0 | 1 | 7 => self.number(1).map(Some),
            2 | 3 => self.number(2).map(Some),
            4..=6 => self.number(4).map(Some),
            10..=12 => self.number(8).map(Some),
            8 => {
                let length = i64::try_from(self.length()?).map_err(Error::other)?;
                self.file.seek_relative(length).map(|()| None)
            }
            LIST => {
                let kind = self.number(4)?;
                if kind == LIST {
                    return Err(Error::other("a list of lists"));
                }
                for _ in 0..self.length()? {
                    self.value(kind)?;
                }
                Ok(None)
            }
            _ => Err(Error::other(format!("values of kind {kind}"))),
        }
    }
}
