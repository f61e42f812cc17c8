//! The vocabulary: a two-player zero-sum game, and what its payoff may be worth.

use crate::Result;
use std::ops::{Add, Sub};

/// A payoff as a game reports it: an exact number, or an estimate with its standard error.
pub trait Value: Clone + Add<Output = Self> + Sub<Output = Self> {
    /// The number itself, or the estimate's mean.
    fn mean(&self) -> f64;
    /// One standard error of the mean; 0 for closed forms.
    fn standard_error(&self) -> f64;
}

impl Value for f64 {
    fn mean(&self) -> f64 {
        *self
    }
    fn standard_error(&self) -> f64 {
        0.0
    }
}

/// A sample mean with its standard error, both in the payoff's unit.
///
/// Sums and differences treat the operands as independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Sample mean.
    pub mean: f64,
    /// Standard error of the mean; 0 when the whole support was summed.
    pub standard_error: f64,
}

impl Add for Estimate {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            mean: self.mean + other.mean,
            standard_error: self.standard_error.hypot(other.standard_error),
        }
    }
}

impl Sub for Estimate {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            mean: self.mean - other.mean,
            standard_error: self.standard_error.hypot(other.standard_error),
        }
    }
}

impl Value for Estimate {
    fn mean(&self) -> f64 {
        self.mean
    }
    fn standard_error(&self) -> f64 {
        self.standard_error
    }
}

/// A two-player zero-sum game: Max raises J(x, y), Min lowers it.
///
/// A strategy is an immutable value; whatever an algorithm remembers lives in its
/// [`Update`](crate::dynamics::Update), never in the strategy.
///
/// ```
/// use nashguard::{Game, Result};
///
/// /// Max picks x, Min picks y, in [-1, 1]; J(x, y) = x y has its saddle at (0, 0).
/// struct Product;
/// impl Game for Product {
///     type Max = f64;
///     type Min = f64;
///     type Value = f64;
///     fn payoff(&self, x: &f64, y: &f64) -> Result<f64> {
///         Ok(x * y)
///     }
/// }
/// assert_eq!(Product.payoff(&0.5, &-1.0)?, -0.5);
/// # Ok::<(), nashguard::Error>(())
/// ```
pub trait Game {
    /// x: what Max commits to.
    type Max;
    /// y: what Min commits to.
    type Min;
    /// What a payoff is worth.
    type Value: Value;

    /// J(x, y), what Min pays Max.
    ///
    /// # Errors
    /// When a strategy does not belong to this game (wrong shape, wrong support).
    fn payoff(&self, x: &Self::Max, y: &Self::Min) -> Result<Self::Value>;
}

/// Inner problems in closed form. Implemented only where that is true, so only such games print
/// an *exact* gap.
///
/// ```
/// use nashguard::{BestReply, Game, matrix::MatrixGame, simplex::Simplex};
///
/// let pennies = MatrixGame::new(vec![vec![1.0, -1.0], vec![-1.0, 1.0]])?;
/// let biased = Simplex::new(vec![0.75, 0.25])?;
/// let reply = pennies.min_reply(&biased)?;
/// assert_eq!(pennies.payoff(&biased, &reply)?, -0.5);
/// # Ok::<(), nashguard::Error>(())
/// ```
pub trait BestReply: Game {
    /// A maximiser of J(., y).
    ///
    /// # Errors
    /// When `y` does not belong to this game, or no maximum is attained.
    fn max_reply(&self, y: &Self::Min) -> Result<Self::Max>;

    /// A minimiser of J(x, .).
    ///
    /// # Errors
    /// When `x` does not belong to this game.
    fn min_reply(&self, x: &Self::Max) -> Result<Self::Min>;
}
