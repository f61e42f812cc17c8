//! Parts of a batch side by side, each on one thread.
//!
//! Threads inside a matrix product wait for each other at every product; parts of a batch meet once,
//! at the end.

use crate::{Error, Result};
use candle_core::Device;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Leaves the sharing of work to this module. candle's own threads serve one caller at a time and wait in
/// loops, and where no variable says how many threads there are it reads the processor's description
/// again for every product: a training step takes more than twice as long. What is set already stays.
///
/// # Safety
/// Sets environment variables: call it before any other thread is started.
pub unsafe fn settle() {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    for (name, value) in [("RAYON_NUM_THREADS", cores), ("CANDLE_NUM_THREADS", 1)] {
        if std::env::var_os(name).is_none() {
            // SAFETY: the caller promises that no other thread reads the environment.
            unsafe { std::env::set_var(name, value.to_string()) };
        }
    }
}

/// Pools of one thread that wait for work. A thread keeps the memory that it freed to itself, so the same
/// ones work again: new ones every time would take it anew.
static IDLE: Mutex<Vec<ThreadPool>> = Mutex::new(Vec::new());

fn idle() -> MutexGuard<'static, Vec<ThreadPool>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `work` of every part, in order, each part on a thread of its own where all that `work` starts in
/// rayon stays. The first error, if any, is returned after all have ended.
///
/// # Errors
/// Those of `work`, or [`Error::Invalid`] when no thread can be started.
pub fn map<P: Send, T: Send>(
    parts: Vec<P>,
    work: impl Fn(P) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let alone = |part| {
        let found = idle().pop();
        let pool = match found {
            Some(pool) => pool,
            None => ThreadPoolBuilder::new().num_threads(1).build().map_err(|e| {
                Error::invalid("threads", e.to_string(), "use fewer parts or free some memory")
            })?,
        };
        let done = pool.install(|| work(part));
        idle().push(pool);
        done
    };
    let alone = &alone;
    thread::scope(|scope| {
        let threads: Vec<_> =
            parts.into_iter().map(|part| scope.spawn(move || alone(part))).collect();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        ended
            .into_iter()
            .map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// So many workers on the processor; one on a GPU, where what different threads ask for is done in no order.
pub fn workers(asked: usize, device: &Device) -> usize {
    if device.is_cpu() { asked } else { 1 }
}

/// Threads to share work on this device among: a core each, and [`workers`]' one on a GPU.
pub fn threads(device: &Device) -> usize {
    workers(thread::available_parallelism().map_or(1, usize::from), device)
}

/// `work` of every item, in order, the items shared among so many threads as [`map`] shares parts; one
/// thread means the caller's, which may share its products with others.
///
/// # Errors
/// As [`map`].
pub fn each<I: Sync, T: Send>(
    threads: usize,
    items: &[I],
    work: impl Fn(&I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    if threads < 2 || items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let shares = items.chunks(items.len().div_ceil(threads)).collect();
    let done = map(shares, |share: &[I]| share.iter().map(&work).collect::<Result<Vec<T>>>())?;
    Ok(done.into_iter().flatten().collect())
}
