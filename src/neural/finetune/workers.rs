//! Several batches at a time, each on one thread.
//!
//! On few cores a batch a thread is faster than a batch on all threads: candle shares one product among
//! threads at a loss. What comes out does not depend on the number of threads.

use crate::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads that each work on a batch of their own.
pub(super) struct Workers(Vec<ThreadPool>);

impl Workers {
    /// So many; one means the caller's own thread, which may share products with others.
    pub(super) fn new(count: usize) -> Result<Self> {
        let count = if count > 1 { count } else { 0 };
        // Whatever shares its work with a pool shares it with this thread alone.
        let pools: Result<Vec<ThreadPool>, _> =
            (0..count).map(|_| ThreadPoolBuilder::new().num_threads(1).build()).collect();
        let remedy = "choose fewer workers";
        Ok(Self(pools.map_err(|e| Error::invalid("workers", e.to_string(), remedy))?))
    }

    pub(super) fn count(&self) -> usize {
        self.0.len().max(1)
    }

    /// `job` of every item, in the order of the items.
    pub(super) fn map<T: Sync, R: Send>(
        &self,
        items: &[T],
        job: impl Fn(&T) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        if self.0.is_empty() || items.len() < 2 {
            return items.iter().map(job).collect();
        }
        let mut results: Vec<Option<Result<R>>> = items.iter().map(|_| None).collect();
        let share = items.len().div_ceil(self.0.len());
        let job = &job;
        std::thread::scope(|scope| {
            for ((pool, items), results) in
                self.0.iter().zip(items.chunks(share)).zip(results.chunks_mut(share))
            {
                scope.spawn(move || {
                    pool.install(|| {
                        for (item, result) in items.iter().zip(results) {
                            *result = Some(job(item));
                        }
                    })
                });
            }
        });
        results.into_iter().flatten().collect()
    }
}
