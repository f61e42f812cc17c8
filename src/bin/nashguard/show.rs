//! What people read: progress and the strategies' supports, on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nashguard::Result;
use nashguard::certificate::readable;
use nashguard::extensive::{Plan, Treeplex};
use nashguard::scalar::{Rational, Scalar, to_f64};
use std::fmt::Write;
use std::time::Duration;

/// A line that appears on a terminal after a second.
pub fn progress(message: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.set_message(message.to_owned());
    let late = bar.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        if !late.is_finished() {
            late.set_draw_target(ProgressDrawTarget::stderr());
            late.enable_steady_tick(Duration::from_millis(200));
        }
    });
    bar
}

/// A bar for work of known length.
#[cfg(feature = "neural")]
pub fn bar(what: &str, len: usize) -> ProgressBar {
    styled(what, len as u64, "{prefix:14} {bar:30} {pos}/{len} {msg} {eta} left")
}

/// A bar for a download of so many bytes.
#[cfg(feature = "hub")]
pub fn bytes(what: &str, len: u64) -> ProgressBar {
    styled(what, len, "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left")
}

#[cfg(feature = "neural")]
fn styled(what: &str, len: u64, style: &str) -> ProgressBar {
    let bar = ProgressBar::new(len).with_prefix(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

/// A probability as the table shows it.
pub trait Shown: Scalar {
    fn shown(&self) -> String;
    /// Its size, to sort and sum by.
    fn size(&self) -> f64;
}

impl Shown for f64 {
    fn shown(&self) -> String {
        if *self < 1e-4 { format!("{self:.6e}") } else { format!("{self:.10}") }
    }
    fn size(&self) -> f64 {
        *self
    }
}

impl Shown for Rational {
    fn shown(&self) -> String {
        readable(self)
    }
    fn size(&self) -> f64 {
        to_f64(self)
    }
}

/// A name without characters that would move the cursor.
fn plain(name: &str) -> String {
    name.replace(char::is_control, " ")
}

/// Lines of a table at most.
const LONGEST: usize = 12;

/// The support of one player's strategy, heaviest first; what is left out is counted.
pub fn support<T: Shown>(player: &str, names: &[String], p: &[T]) -> String {
    let zero = T::zero();
    let mut used: Vec<usize> = (0..p.len()).filter(|k| p[*k] > zero).collect();
    // A stable sort: equal ones stay in order.
    used.sort_by(|a, b| p[*b].partial_cmp(&p[*a]).unwrap_or(std::cmp::Ordering::Equal));
    let name = |k: usize| match names.get(k) {
        Some(name) => plain(name).chars().take(40).collect(),
        None => k.to_string(),
    };
    let shown = if used.len() > LONGEST { &used[..LONGEST - 1] } else { &used };
    let width = shown.iter().map(|k| name(*k).chars().count()).max().unwrap_or(0).max(player.len());
    let mut table = format!("  {player:width$}  probability\n");
    for k in shown {
        let _ = writeln!(table, "  {:width$}  {}", name(*k), p[*k].shown());
    }
    let rest = &used[shown.len()..];
    if !rest.is_empty() {
        let mass: f64 = rest.iter().map(|k| p[*k].size()).sum();
        let _ = writeln!(table, "  and {} more, together {mass:.6}", rest.len());
    }
    table
}

/// What both players do at their information sets, those that their own plans reach; long lists are
/// cut.
pub fn behaviour<T: Shown>(
    players: &[String; 2],
    sides: [&Treeplex; 2],
    plans: [&Plan<T>; 2],
) -> Result<String> {
    let mut table = String::new();
    for (name, (side, plan)) in players.iter().zip(sides.into_iter().zip(plans)) {
        let _ = writeln!(table, "  {}", plain(name));
        let sets = side.information_sets().iter().zip(plan.behaviour(side)?);
        let reached: Vec<_> =
            sets.filter(|(set, _)| plan.as_slice()[set.parent] > T::zero()).collect();
        for (set, p) in reached.iter().take(LONGEST) {
            let moves = set.actions.iter().zip(p.as_slice()).filter(|(_, p)| **p > T::zero());
            let moves: Vec<String> =
                moves.map(|(a, p)| format!("{} {}", plain(a), p.shown())).collect();
            let _ = writeln!(table, "    {}: {}", plain(&set.name), moves.join(", "));
        }
        if reached.len() > LONGEST {
            let _ = writeln!(table, "    and {} more", reached.len() - LONGEST);
        }
    }
    Ok(table)
}
