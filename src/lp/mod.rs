//! Linear programs max c'x, A x <= b, x >= 0 with b >= 0: found in f64, settled in exact integers.

pub mod dense;
pub mod exact;
pub mod field;
pub mod lifting;
pub mod lu;
pub mod revised;
