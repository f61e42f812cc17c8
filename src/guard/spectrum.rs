//! Predicted local rates (Theorem B; `theorem_B_linearisation` to `theorem_B_attraction` in
//! proofs/Main.v).

use super::{Classifier, Generator, GuardGame};
use crate::simplex::log_sum_exp;
use crate::{BestReply, Error, Result};
use nalgebra::{DMatrix, SymmetricEigen};

/// The eigenvalues nu of N = L' K L at an equilibrium, from which every local rate follows.
///
/// Near p* the log-weights' error is multiplied by (tau - nu)/(tau + beta) per round in each
/// eigendirection, and by tau/(tau + beta) in the directions the classifier does not see.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Eigenvalues of N, ascending, in [0, 1]; (|Y| - 1) |Z| of them.
    pub nu: Vec<f64>,
    beta: f64,
}

impl Spectrum {
    /// mu_min = 1 - nu_max, the least eigenvalue of M = I - N.
    pub fn mu_min(&self) -> f64 {
        1.0 - self.nu.last().copied().unwrap_or(0.0)
    }

    /// The local linear rate per round at proximal weight `tau`: the distance to p* is multiplied
    /// by this. Below 1 exactly when the equilibrium is locally stable.
    pub fn rate(&self, tau: f64) -> f64 {
        let seen = self.nu.iter().map(|nu| (tau - nu).abs()).fold(0.0, f64::max);
        seen.max(tau) / (tau + self.beta)
    }

    /// 2 tau + beta > 1 - mu_min.
    pub fn is_stable(&self, tau: f64) -> bool {
        2.0 * tau + self.beta > 1.0 - self.mu_min()
    }

    /// The least beta at which `tau` is locally stable, were the equilibrium the same there:
    /// 1 - mu_min - 2 tau, at least 0.
    pub fn threshold(&self, tau: f64) -> f64 {
        (1.0 - self.mu_min() - 2.0 * tau).max(0.0)
    }
}

/// Theorem B's spectrum at the equilibrium generator `star`.
///
/// With W(y,z) = P(y,z) + lambda R(y,z), K = blockdiag_y (diag P_y - sum_{i in y} rho_i p_i p_i')
/// and, for every text, L_z = diag(W_y)^(-1/2) U_z where U_z is an orthonormal basis of the
/// complement of sqrt(W_y / W): N = L' K L, symmetric. Labels on the classifier's floor do not react.
///
/// # Errors
/// When `star` is not a generator of `game`, or the eigenvalue iteration does not converge.
pub fn spectrum(game: &GuardGame, star: &Generator) -> Result<Spectrum> {
    let q = game.min_reply(star)?;
    let log_w = game.log_mass(star);
    let log_p = game.log_generated(star);
    let (labels, texts) = log_w.dim();
    let width = labels - 1;
    let size = texts * width;
    if size == 0 {
        return Ok(Spectrum { nu: vec![0.0], beta: game.beta() });
    }
    // N + I is what is diagonalised: the QR iteration deflates relative to the diagonal, and a large
    // kernel of N would leave it dividing 0 by 0.
    let mut n = DMatrix::<f64>::identity(size, size);
    // W_y^(-1/2) is applied in log space, so that texts of vanishing mass neither overflow nor drop
    // out.
    let bases: Vec<DMatrix<f64>> =
        (0..texts).map(|z| reacting_basis(game, &q, &log_w.column(z).to_vec(), z)).collect();
    for z in 0..texts {
        for k in 0..width {
            for l in 0..width {
                n[(z * width + k, z * width + l)] += (0..labels)
                    .filter(|&y| log_w[(y, z)] > f64::NEG_INFINITY)
                    .map(|y| {
                        let share = (log_p[(y, z)] - log_w[(y, z)]).exp();
                        bases[z][(y, k)] * bases[z][(y, l)] * share
                    })
                    .sum::<f64>();
            }
        }
    }
    for (i, row) in star.log_p().outer_iter().enumerate() {
        let y = game.label()[i];
        let log_root_rho = 0.5 * game.weight()[i].ln();
        let mut x = nalgebra::DVector::<f64>::zeros(size);
        for z in (0..texts).filter(|&z| row[z] > f64::NEG_INFINITY) {
            let scaled = (log_root_rho + row[z] - 0.5 * log_w[(y, z)]).exp();
            for k in 0..width {
                x[z * width + k] = bases[z][(y, k)] * scaled;
            }
        }
        n.ger(-1.0, &x, &x, 1.0);
    }
    let eigen = SymmetricEigen::try_new(n, f64::EPSILON, 0).ok_or_else(|| {
        Error::invalid(
            "spectrum",
            "the eigenvalue iteration did not converge",
            "report the game: a symmetric matrix always has a spectrum",
        )
    })?;
    let mut nu: Vec<f64> = eigen.eigenvalues.iter().map(|v| (v - 1.0).clamp(0.0, 1.0)).collect();
    nu.sort_by(f64::total_cmp);
    Ok(Spectrum { nu, beta: game.beta() })
}

/// U_z, `(labels, labels - 1)`: an orthonormal basis of the complement of sqrt(W_y / W) among the
/// labels whose q(y|z) is above the floor; labels on the floor have zero rows, unused columns are 0.
fn reacting_basis(game: &GuardGame, q: &Classifier, log_w: &[f64], z: usize) -> DMatrix<f64> {
    let mut basis = DMatrix::zeros(log_w.len(), log_w.len() - 1);
    let floor = if game.floor() > 0.0 { game.floor().ln() + 1e-12 } else { f64::NEG_INFINITY };
    let free: Vec<usize> = (0..log_w.len())
        .filter(|&y| log_w[y] > f64::NEG_INFINITY && q.log_q()[(z, y)] > floor)
        .collect();
    if free.len() < 2 {
        return basis;
    }
    let total = log_sum_exp(&free.iter().map(|&y| log_w[y]).collect::<Vec<_>>());
    let v: Vec<f64> = free.iter().map(|&y| (0.5 * (log_w[y] - total)).exp()).collect();
    let small = complement(&v);
    for (a, &y) in free.iter().enumerate() {
        for k in 0..free.len() - 1 {
            basis[(y, k)] = small[(a, k)];
        }
    }
    basis
}

/// Orthonormal columns completing the non-negative unit vector `v`: all but the first column of the
/// Householder reflection that maps v to the first axis.
fn complement(v: &[f64]) -> DMatrix<f64> {
    let mut w = v.to_vec();
    w[0] += 1.0;
    let norm: f64 = w.iter().map(|x| x * x).sum();
    DMatrix::from_fn(v.len(), v.len() - 1, |r, c| {
        let identity = if r == c + 1 { 1.0 } else { 0.0 };
        identity - 2.0 * w[r] * w[c + 1] / norm
    })
}
