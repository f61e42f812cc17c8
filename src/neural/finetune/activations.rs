//! What the frozen layers make of every row, computed once and kept in a file.

use super::batches::by_length;
use super::layer_of;
use crate::neural::decoder::config::EMBEDDING;
use crate::neural::decoder::{Batch, Decoder};
use crate::neural::parallel;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::hash_map::DefaultHasher;
use std::fs::{File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Hidden states of every token of some sequences, after the first `depth` layers of a decoder. The
/// system's file cache keeps in memory what fits.
pub(super) struct Activations {
    file: Mutex<File>,
    path: PathBuf,
    /// First number of each sequence.
    starts: Vec<u64>,
    lengths: Vec<usize>,
    width: usize,
    dtype: DType,
}

/// Slots of attention a batch.
const BATCH_TOKENS: usize = 1024;

impl Activations {
    /// Reads them from `folder` if they were computed there before, for the same weights, sequences and
    /// number type; else computes and writes them. What an interrupted run has written is kept.
    /// `progress` is told tokens done and in all, and ends the work by returning false: `None`.
    pub(super) fn of(
        decoder: &Decoder,
        depth: usize,
        sequences: &[&[u32]],
        dtype: DType,
        folder: &Path,
        workers: usize,
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Self>> {
        let decoder = decoder.frozen();
        let width = decoder.config().hidden;
        let lengths: Vec<usize> = sequences.iter().map(|s| s.len()).collect();
        let batches = by_length(&lengths, BATCH_TOKENS);
        let mut starts = vec![0; sequences.len()];
        let mut end = 0_u64;
        for &i in batches.iter().flatten() {
            starts[i] = end;
            end += (lengths[i] * width) as u64;
        }
        let size = dtype.size_in_bytes() as u64;
        let key = key(&decoder, depth, sequences, dtype)?;
        let path = folder.join(format!("activations-{key:016x}.bin"));
        let io = |e| Error::io("write", &path, e);
        if !path.is_file() {
            std::fs::create_dir_all(folder).map_err(io)?;
            let part = path.with_extension("part");
            let mut options = OpenOptions::new();
            let mut file =
                options.create(true).append(true).truncate(false).open(&part).map_err(io)?;
            let written = file.metadata().map_err(io)?.len();
            // Whole batches only.
            let place = |batch: &Vec<usize>| batch.first().map_or(end, |&i| starts[i] * size);
            let mut done = batches.iter().take_while(|batch| place(batch) <= written).count();
            if written < end * size {
                done = done.saturating_sub(1);
            }
            file.set_len(batches.get(done).map_or(end * size, place)).map_err(io)?;
            let total = lengths.iter().sum();
            let mut tokens: usize = batches[..done].iter().flatten().map(|&i| lengths[i]).sum();
            for wave in batches[done..].chunks(workers) {
                if !progress(tokens, total) {
                    return Ok(None);
                }
                let blocks = parallel::each(workers, wave, |rows| {
                    let chosen: Vec<&[u32]> = rows.iter().map(|&i| sequences[i]).collect();
                    let batch = Batch::new(&chosen)?;
                    let x = decoder.layers(&decoder.embed(&batch)?, &batch, 0..depth)?;
                    bytes(&x, dtype)
                })?;
                for block in blocks {
                    file.write_all(&block).map_err(io)?;
                }
                tokens += wave.iter().flatten().map(|&i| lengths[i]).sum::<usize>();
            }
            progress(total, total);
            file.sync_all().map_err(io)?;
            std::fs::rename(&part, &path).map_err(io)?;
        }
        let file = File::open(&path).map_err(|e| Error::io("read", &path, e))?;
        let file = Mutex::new(file);
        Ok(Some(Self { file, path, starts, lengths, width, dtype }))
    }

    /// Those of these sequences, end to end: `(tokens, hidden)`, of the number type of the decoder.
    pub(super) fn read(&self, rows: &[usize], dtype: DType, device: &Device) -> Result<Tensor> {
        let size = self.dtype.size_in_bytes();
        let tokens: usize = rows.iter().map(|&i| self.lengths[i]).sum();
        let mut bytes = vec![0; tokens * self.width * size];
        let mut rest = bytes.as_mut_slice();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for &i in rows {
            let (part, after) = rest.split_at_mut(self.lengths[i] * self.width * size);
            let read = file
                .seek(SeekFrom::Start(self.starts[i] * size as u64))
                .and_then(|_| file.read_exact(part));
            read.map_err(|e| Error::io("read", &self.path, e))?;
            rest = after;
        }
        drop(file);
        let shape = [tokens, self.width];
        let x = Tensor::from_raw_buffer(&bytes, self.dtype, &shape, &Device::Cpu)?;
        Ok(x.to_dtype(dtype)?.to_device(device)?)
    }
}

fn bytes(x: &Tensor, dtype: DType) -> Result<Vec<u8>> {
    let x = x.to_device(&Device::Cpu)?.to_dtype(dtype)?;
    let largest = x.to_dtype(DType::F32)?.abs()?.max_all()?.to_scalar::<f32>()?;
    if !largest.is_finite() {
        let problem = "an activation is too large for 16 bits, or no number";
        return Err(Error::invalid("cache", problem, "choose f32 or bf16 for the cache"));
    }
    let mut bytes = Vec::with_capacity(x.elem_count() * dtype.size_in_bytes());
    x.write_bytes(&mut bytes)?;
    Ok(bytes)
}

/// Differs when anything that the activations depend on differs.
fn key(decoder: &Decoder, depth: usize, sequences: &[&[u32]], dtype: DType) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    (depth, dtype.as_str(), decoder.dtype().as_str()).hash(&mut hasher);
    decoder.config().to_json().hash(&mut hasher);
    let mut sink = HashWriter(hasher);
    for (name, weight) in decoder.weights() {
        if name == EMBEDDING || layer_of(name).is_some_and(|layer| layer < depth) {
            name.hash(&mut sink.0);
            weight.dense()?.to_device(&Device::Cpu)?.write_bytes(&mut sink)?;
        }
    }
    sequences.hash(&mut sink.0);
    Ok(sink.0.finish())
}

/// Hashes what is written to it.
struct HashWriter(DefaultHasher);

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
