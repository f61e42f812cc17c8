//! Which candidate is preferred to which (the paper's Section 3 and Algorithm 1).

/// What is known of a candidate text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 1: the classifier is wrong, and the text's rating matches its label.
    Fools,
    /// 2: the classifier is right, and the rating matches.
    Plain,
    /// 3: the classifier is wrong, but the rating does not match: perhaps the label is.
    Doubtful,
    /// 4: the classifier is right, and the rating does not match.
    Unused,
}

impl Level {
    /// The level of a candidate by the classifier's verdict and the rating's.
    pub fn of(misclassified: bool, rating_matches: bool) -> Self {
        match (misclassified, rating_matches) {
            (true, true) => Self::Fools,
            (false, true) => Self::Plain,
            (true, false) => Self::Doubtful,
            (false, false) => Self::Unused,
        }
    }
}

/// Pairs (preferred, other) of indices into one seed's candidates: each of level 1 with one of level 2, in order
/// and around again where there are fewer; with level 3 where there is none of level 2; none without level 1.
pub fn pairs(levels: &[Level]) -> Vec<(usize, usize)> {
    let of = |level| {
        levels
            .iter()
            .enumerate()
            .filter(move |(_, l)| **l == level)
            .map(|(i, _)| i)
            .collect::<Vec<_>>()
    };
    let mut others = of(Level::Plain);
    if others.is_empty() {
        others = of(Level::Doubtful);
    }
    of(Level::Fools).into_iter().zip(others.iter().copied().cycle()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Doubtful, Fools, Plain, Unused};
    use proptest::prelude::*;

    #[test]
    fn the_papers_four_levels() {
        assert_eq!(pairs(&[Fools, Plain, Doubtful, Unused]), [(0, 1)]);
        assert_eq!(pairs(&[Doubtful, Fools, Unused]), [(1, 0)]);
        assert_eq!(pairs(&[Fools, Unused, Fools]), []);
        assert_eq!(pairs(&[Plain, Doubtful]), []);
        assert_eq!(pairs(&[Fools, Plain, Fools, Plain, Fools]), [(0, 1), (2, 3), (4, 1)]);
    }

    proptest! {
        #[test]
        fn what_fools_is_preferred_once_each(
            verdicts in prop::collection::vec((any::<bool>(), any::<bool>()), 0..20),
        ) {
            let levels: Vec<Level> = verdicts.iter().map(|&(m, r)| Level::of(m, r)).collect();
            let pairs = pairs(&levels);
            let fools = levels.iter().filter(|l| **l == Fools).count();
            let others = levels.iter().any(|l| matches!(l, Plain | Doubtful));
            prop_assert_eq!(pairs.len(), if others { fools } else { 0 });
            let plain = levels.contains(&Plain);
            for (a, b) in pairs {
                prop_assert_eq!(levels[a], Fools);
                prop_assert_eq!(levels[b], if plain { Plain } else { Doubtful });
            }
        }
    }
}
