//! The two players' strategies as tables of log-probabilities.

use crate::simplex::{log_sum_exp, normalise};
use crate::{Error, Result, guard::GuardGame};
use ndarray::{Array2, Axis};

/// A generator: log p_i(z) in nats, one row a seed, one column a text; -inf off the support.
#[derive(Clone, Debug, PartialEq)]
pub struct Generator {
    log_p: Array2<f64>,
}

impl Generator {
    /// The reference itself, p = r.
    pub fn reference(game: &GuardGame) -> Self {
        Self { log_p: game.reference().mapv(f64::ln) }
    }

    /// Checked probabilities, `(seeds, texts)`, each row inside the reference's support.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong shape, a row that is no distribution, or mass where the
    /// reference has none.
    pub fn new(game: &GuardGame, mut p: Array2<f64>) -> Result<Self> {
        let expected = game.reference().dim();
        if p.dim() != expected {
            return Err(wrong_shape("generator", p.dim(), expected));
        }
        for (i, mut row) in p.outer_iter_mut().enumerate() {
            let place = format!("generator[{i}]");
            let mut owned = row.to_vec();
            normalise(&place, &mut owned)?;
            for (z, v) in owned.into_iter().enumerate() {
                if v > 0.0 && game.reference()[(i, z)] == 0.0 {
                    return Err(Error::invalid(
                        format!("{place}[{z}]"),
                        "the generator has mass where the reference has none",
                        "set it to 0 or give the reference some mass there",
                    ));
                }
                row[z] = v;
            }
        }
        Ok(Self { log_p: p.mapv(f64::ln) })
    }

    /// Normalises rows of log-weights, `(seeds, texts)`; -inf marks texts outside a row's support.
    pub(super) fn from_log_weights(mut log_w: Array2<f64>) -> Self {
        for mut row in log_w.outer_iter_mut() {
            // Twice: the first pass removes the size of the log-weights, the second what that
            // subtraction rounded.
            for _ in 0..2 {
                let z = row.as_slice().map_or_else(|| log_sum_exp(&row.to_vec()), log_sum_exp);
                row.mapv_inplace(|v| v - z);
            }
        }
        Self { log_p: log_w }
    }

    /// The table of log p_i(z).
    pub fn log_p(&self) -> &Array2<f64> {
        &self.log_p
    }

    /// The table of p_i(z).
    pub fn probabilities(&self) -> Array2<f64> {
        self.log_p.mapv(f64::exp)
    }
}

/// A classifier: log q(y|z) in nats, one row a text, one column a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    log_q: Array2<f64>,
}

impl Classifier {
    /// q(y|z) = 1/|Y| everywhere.
    pub fn uniform(game: &GuardGame) -> Self {
        let labels = game.labels();
        Self { log_q: Array2::from_elem((game.texts(), labels), -(labels as f64).ln()) }
    }

    /// Checked probabilities, `(texts, labels)`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a wrong shape, a row that is no distribution, or an entry below the
    /// game's floor gamma.
    pub fn new(game: &GuardGame, mut q: Array2<f64>) -> Result<Self> {
        let expected = (game.texts(), game.labels());
        if q.dim() != expected {
            return Err(wrong_shape("classifier", q.dim(), expected));
        }
        for (z, mut row) in q.outer_iter_mut().enumerate() {
            let mut owned = row.to_vec();
            normalise(&format!("classifier[{z}]"), &mut owned)?;
            for (y, v) in owned.into_iter().enumerate() {
                if v < game.floor() * (1.0 - 1e-9) {
                    return Err(Error::invalid(
                        format!("classifier[{z}][{y}]"),
                        format!("{v} is below the game's floor gamma = {}", game.floor()),
                        "clip it to the class or lower gamma",
                    ));
                }
                row[y] = v;
            }
        }
        Ok(Self { log_q: q.mapv(f64::ln) })
    }

    /// The posterior of log-masses `(labels, texts)`, clipped to the class {q >= floor}
    /// (Proposition 1). A text with no mass at all gets the uniform row.
    pub(super) fn from_log_mass(log_mass: &Array2<f64>, floor: f64) -> Self {
        let (labels, texts) = log_mass.dim();
        let mut log_q = Array2::zeros((texts, labels));
        for (mass, mut row) in log_mass.axis_iter(Axis(1)).zip(log_q.outer_iter_mut()) {
            row.assign(&mass);
            posterior(row.as_slice_mut().unwrap_or(&mut []), floor);
        }
        Self { log_q }
    }

    /// The table of log q(y|z).
    pub fn log_q(&self) -> &Array2<f64> {
        &self.log_q
    }

    /// The table of q(y|z).
    pub fn probabilities(&self) -> Array2<f64> {
        self.log_q.mapv(f64::exp)
    }
}

/// One text's row of Proposition 1, in place: log-masses in, log q(y|z) out.
pub(super) fn posterior(row: &mut [f64], floor: f64) {
    let total = log_sum_exp(row);
    if total == f64::NEG_INFINITY {
        row.fill(-(row.len() as f64).ln());
        return;
    }
    row.iter_mut().for_each(|v| *v -= total);
    clip_to_floor(row, floor);
}

/// argmin over {q >= floor, sum q = 1} of sum_y w_y (-log q_y), from log w with sum w = 1:
/// q_y = max(floor, w_y / nu) with nu making the sum 1 (Proposition 1). Raising one label to the
/// floor can only push others below it, so at most |Y| rounds are needed.
fn clip_to_floor(log_w: &mut [f64], floor: f64) {
    if floor == 0.0 {
        return;
    }
    let log_floor = floor.ln();
    let mut clipped = vec![false; log_w.len()];
    loop {
        let free: Vec<f64> =
            log_w.iter().zip(&clipped).filter(|(_, c)| !**c).map(|(w, _)| *w).collect();
        let room = 1.0 - floor * (log_w.len() - free.len()) as f64;
        let shift = room.ln() - log_sum_exp(&free);
        let mut again = false;
        for (w, c) in log_w.iter().zip(clipped.iter_mut()) {
            if !*c && w + shift < log_floor {
                *c = true;
                again = true;
            }
        }
        if !again {
            for (w, c) in log_w.iter_mut().zip(&clipped) {
                *w = if *c { log_floor } else { *w + shift };
            }
            return;
        }
    }
}

fn wrong_shape(place: &str, found: (usize, usize), expected: (usize, usize)) -> Error {
    Error::invalid(
        place,
        format!("the table is {} x {}", found.0, found.1),
        format!("this game needs {} x {}", expected.0, expected.1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_three_labels_fills_the_floor_and_keeps_ratios() {
        let mut w = [0.9_f64.ln(), 0.09_f64.ln(), 0.01_f64.ln()];
        clip_to_floor(&mut w, 0.1);
        let q: Vec<f64> = w.iter().map(|v| v.exp()).collect();
        assert!((q[0] - 0.8).abs() < 1e-15 && (q[1] - 0.1).abs() < 1e-15);
        assert!((q[2] - 0.1).abs() < 1e-15);
    }

    #[test]
    fn a_floor_of_one_over_labels_is_the_constant_classifier() {
        let mut w = [0.0, f64::NEG_INFINITY];
        clip_to_floor(&mut w, 0.5);
        assert!((w[0] - 0.5_f64.ln()).abs() < 1e-15 && (w[1] - 0.5_f64.ln()).abs() < 1e-15);
    }
}
