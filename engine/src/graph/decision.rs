//! What became of a link, and how that is stored.

/// What the greedy pass decided about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It joined two clusters, or its ends were in one cluster already.
    Accepted,
    /// It would have broken a rule. Its ends may still be in one cluster, through weaker links.
    Refused(Refusal),
}

/// The rule that a refused link would have broken; of several, the first in this order, and the
/// strongest type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// An asserted cannot-link keeps the two clusters apart.
    CannotLink,
    /// The profile would have held more identifiers of a type than it may.
    MaxPerProfile {
        /// That type.
        type_idx: u16,
    },
    /// The link's weaker type does not bridge, and both clusters hold a value of a stronger type.
    Bridge {
        /// That stronger type.
        type_idx: u16,
    },
    /// A matcher that is stronger than the link holds two of the clusters' records for two persons.
    NonMatch,
    /// The matcher that found the link holds it for a weak bridge between two dense groups. Decided
    /// before the pass, which never sees such a link.
    WeakBridge,
}

impl Decision {
    /// The decision as a small number that never changes its meaning. Together with
    /// [`type_idx`](Self::type_idx) it is the whole decision.
    pub fn as_code(self) -> i16 {
        match self {
            Decision::Accepted => 0,
            Decision::Refused(Refusal::CannotLink) => 1,
            Decision::Refused(Refusal::MaxPerProfile { .. }) => 2,
            Decision::Refused(Refusal::Bridge { .. }) => 3,
            Decision::Refused(Refusal::NonMatch) => 4,
            Decision::Refused(Refusal::WeakBridge) => 5,
        }
    }

    /// The type that the broken rule is about, where it is about one.
    pub fn type_idx(self) -> Option<u16> {
        match self {
            Decision::Accepted
            | Decision::Refused(Refusal::CannotLink | Refusal::NonMatch | Refusal::WeakBridge) => {
                None
            }
            Decision::Refused(
                Refusal::MaxPerProfile { type_idx } | Refusal::Bridge { type_idx },
            ) => Some(type_idx),
        }
    }

    /// The inverse of [`as_code`](Self::as_code) and [`type_idx`](Self::type_idx); `None` for a
    /// pair that they never give.
    pub fn from_code(code: i16, type_idx: Option<u16>) -> Option<Decision> {
        Some(match (code, type_idx) {
            (0, None) => Decision::Accepted,
            (1, None) => Decision::Refused(Refusal::CannotLink),
            (2, Some(type_idx)) => Decision::Refused(Refusal::MaxPerProfile { type_idx }),
            (3, Some(type_idx)) => Decision::Refused(Refusal::Bridge { type_idx }),
            (4, None) => Decision::Refused(Refusal::NonMatch),
            (5, None) => Decision::Refused(Refusal::WeakBridge),
            _ => return None,
        })
    }

    /// The decision's name for people: `accepted`, or the name of the broken rule.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Accepted => "accepted",
            Decision::Refused(Refusal::CannotLink) => "cannot_link",
            Decision::Refused(Refusal::MaxPerProfile { .. }) => "max_per_profile",
            Decision::Refused(Refusal::Bridge { .. }) => "bridge",
            Decision::Refused(Refusal::NonMatch) => "non_match",
            Decision::Refused(Refusal::WeakBridge) => "weak_bridge",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable_and_reversible() {
        let stored = [
            (Decision::Accepted, 0, "accepted"),
            (Decision::Refused(Refusal::CannotLink), 1, "cannot_link"),
            (
                Decision::Refused(Refusal::MaxPerProfile { type_idx: 7 }),
                2,
                "max_per_profile",
            ),
            (
                Decision::Refused(Refusal::Bridge { type_idx: 0 }),
                3,
                "bridge",
            ),
            (Decision::Refused(Refusal::NonMatch), 4, "non_match"),
            (Decision::Refused(Refusal::WeakBridge), 5, "weak_bridge"),
        ];
        for (decision, code, name) in stored {
            assert_eq!((decision.as_code(), decision.name()), (code, name));
            assert_eq!(
                Decision::from_code(code, decision.type_idx()),
                Some(decision)
            );
        }
    }

    #[test]
    fn unknown_codes_are_refused() {
        for (code, type_idx) in [
            (4, Some(1)),
            (5, Some(0)),
            (6, None),
            (-1, None),
            (0, Some(1)),
            (2, None),
        ] {
            assert_eq!(Decision::from_code(code, type_idx), None);
        }
    }
}
