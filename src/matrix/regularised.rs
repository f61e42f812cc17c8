//! KL-regularised matrix games.
