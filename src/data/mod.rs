//! Seeds, benchmarks, languages and hazard categories.
