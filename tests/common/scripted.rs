//! A server of texts that are known beforehand.

use nashguard::neural::generator::{Draft, Job, Sampling, Take, Writer};

/// Writes what `text` says after a job, given the index among its candidates.
pub struct Scripted<F> {
    pub name: &'static str,
    pub text: F,
}

impl<F: Fn(&Job, usize) -> Draft> Writer for Scripted<F> {
    fn name(&self) -> String {
        self.name.into()
    }

    fn write(
        &self,
        jobs: &[Job],
        candidates: usize,
        _: &Sampling,
        _: u64,
        take: &mut Take<'_>,
    ) -> nashguard::Result<()> {
        for (i, job) in jobs.iter().enumerate() {
            if take(i, (0..candidates).map(|k| (self.text)(job, k)).collect())?.is_break() {
                break;
            }
        }
        Ok(())
    }
}
