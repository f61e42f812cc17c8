//! How long the shipped guardrail takes for one text.
//!
//! ```text
//! cargo bench --bench guardrail
//! ```
//!
//! Texts of the built-in corpus, joined and cut to 152 characters: the median length of the benchmarks'
//! texts. One thread, then all.

mod timing;

use nashguard::data::embedded;
use nashguard::neural::Guardrail;
use std::error::Error;

const LENGTH: usize = 152;
const TEXTS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    // SAFETY: no other thread has been started.
    unsafe { nashguard::neural::parallel::settle() };
    let corpus = embedded()?;
    let words = corpus.train.iter().map(|row| row.text.as_str()).collect::<Vec<_>>().join(" ");
    let letters: Vec<char> = words.chars().collect();
    // Spread over the corpus, so that all four languages take part.
    let step = (letters.len() - LENGTH) / TEXTS;
    let texts: Vec<String> =
        (0..TEXTS).map(|i| letters[i * step..][..LENGTH].iter().collect()).collect();
    let guardrail = Guardrail::shipped()?;
    let run = || -> f64 {
        let one = |text: &String| timing::seconds(|| guardrail.scores(&[text.as_str()]));
        timing::median(texts.iter().map(one).collect())
    };
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    for (name, pool) in [("one thread", Some(one_thread)), ("all threads", None)] {
        let fastest = timing::fastest((0..5).map(|_| match &pool {
            Some(pool) => pool.install(run),
            None => run(),
        }));
        println!("{name}: {:.3} ms a text of {LENGTH} characters", 1e3 * fastest);
    }
    Ok(())
}
