//! Neural players (candle).
