//! The two-player game with networks, round by round: Algorithm 1 of the paper, and its repair.
//!
//! - `config`: what is played. - `guard`: the classifier, small or large.
//! - `players`: both as their opponent may see them, [`Law`](crate::guard::Law) and [`Loss`](crate::guard::Loss).
//! - `lines`, `records`: files of a stage that grow line by line, and what they hold. - `texts`: what is drawn, and what
//!   is made of it. - `stages`: what both learn from it.
//! - `estimate`: what a game would need and take. - `summary`: what a round came to.
//! - `run`: the rounds, through [`play`](crate::dynamics::play).
//!
//! Everything a stage makes is on disk before the next begins, in `round-1/`, `round-2/`, ..:
//!
//! | file | what |
//! | --- | --- |
//! | `candidates.jsonl` | texts drawn, a line a seed and language |
//! | `ratings.jsonl`, `scores.jsonl` | what the untrained base and the classifier said of each |
//! | `verdicts.jsonl` | a line a text: why it was dropped, its rating, score and preference level |
//! | `added.jsonl` | the misclassified texts, with labels, as seed rows |
//! | `classifier/`, `generator/` | the next strategies |
//! | `summary.json` | counts, payoff, gap, benchmark scores |

mod config;
mod estimate;
mod guard;
mod lines;
mod players;
mod records;
mod run;
mod stages;
mod summary;
mod texts;

pub use config::{ClassifierConfig, GeneratorConfig, RoundsConfig, Teaching};
pub use estimate::{Cost, Estimate, Machine, Model, Need, Plan, estimate, gib};
pub use guard::Guard;
pub use players::{Scribe, Written};
pub use records::{GAME, SUMMARY, Verdict, added_rows, round_folder, verdicts};
pub use run::{Event, Material, Stage, run};
pub use summary::{BenchmarkScore, GapSummary, LawSummary, Summary, summary};
