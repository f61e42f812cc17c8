//! Play: two updates, an order, and the iterator of rounds they make.

use crate::Result;
use std::sync::Arc;

/// One player's turn, x -> T(x, y).
///
/// `self` holds the algorithm's state (averages, moments, random numbers), never the strategy. Any
/// closure `FnMut(&Me, &Opponent) -> Result<Me>` is an update.
///
/// ```
/// use nashguard::dynamics::Update;
///
/// let mut halve_the_distance = |me: &f64, opponent: &f64| Ok((me + opponent) / 2.0);
/// assert_eq!(halve_the_distance.step(&0.0, &1.0)?, 0.5);
/// # Ok::<(), nashguard::Error>(())
/// ```
pub trait Update<Me, Opponent> {
    /// The player's next strategy, given its own and its opponent's current ones.
    ///
    /// # Errors
    /// Whatever the algorithm cannot do; the run ends with it.
    fn step(&mut self, me: &Me, opponent: &Opponent) -> Result<Me>;
}

impl<Me, Opponent, F: FnMut(&Me, &Opponent) -> Result<Me>> Update<Me, Opponent> for F {
    fn step(&mut self, me: &Me, opponent: &Opponent) -> Result<Me> {
        self(me, opponent)
    }
}

/// Which of Max's strategies Min answers. Nothing else differs between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Min sees x_{t+1}.
    Alternating,
    /// Min sees x_t.
    Simultaneous,
}

/// The strategies after round t; round 0 is the start.
#[derive(Debug)]
pub struct Round<X, Y> {
    /// Rounds played so far.
    pub t: usize,
    /// Max's strategy x_t.
    pub x: Arc<X>,
    /// Min's strategy y_t.
    pub y: Arc<Y>,
}

impl<X, Y> Clone for Round<X, Y> {
    fn clone(&self) -> Self {
        Self { t: self.t, x: Arc::clone(&self.x), y: Arc::clone(&self.y) }
    }
}

/// The endless run from (x, y): x_{t+1} = max(x_t, y_t), then y_{t+1} = min(y_t, x_{t+1} or x_t by
/// `order`).
///
/// Observing, thinning and stopping are iterator adapters. Round 0 is (x, y); after an error the
/// iterator yields it and ends.
///
/// ```
/// use nashguard::dynamics::{Order, play};
///
/// // On J(x, y) = x y, steps of size 1/2 that see the opponent's newest move keep x^2 + y^2 + x y / 2.
/// let rounds = play(
///     1.0,
///     0.0,
///     Order::Alternating,
///     |x: &f64, y: &f64| Ok(x + 0.5 * y),
///     |y: &f64, x: &f64| Ok(y - 0.5 * x),
/// );
/// for round in rounds.take(100) {
///     let (x, y) = { let r = round?; (*r.x, *r.y) };
///     assert!((x * x + y * y + 0.5 * x * y - 1.0).abs() < 1e-12);
/// }
/// # Ok::<(), nashguard::Error>(())
/// ```
pub fn play<X, Y>(
    x: X,
    y: Y,
    order: Order,
    mut max: impl Update<X, Y>,
    mut min: impl Update<Y, X>,
) -> impl Iterator<Item = Result<Round<X, Y>>> {
    let mut next = Some(Round { t: 0, x: Arc::new(x), y: Arc::new(y) });
    let mut advance = move |now: &Round<X, Y>| -> Result<Round<X, Y>> {
        let x = Arc::new(max.step(&now.x, &now.y)?);
        let seen = match order {
            Order::Alternating => &x,
            Order::Simultaneous => &now.x,
        };
        let y = Arc::new(min.step(&now.y, seen)?);
        Ok(Round { t: now.t + 1, x, y })
    };
    let mut current: Option<Round<X, Y>> = None;
    std::iter::from_fn(move || {
        let round = match current.take() {
            None => Ok(next.take()?),
            Some(now) => advance(&now),
        };
        if let Ok(round) = &round {
            current = Some(round.clone());
        }
        Some(round)
    })
}
