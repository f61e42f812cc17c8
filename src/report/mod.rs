//! Results as plain data, and everything rendered from them.
