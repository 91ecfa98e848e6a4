//! The partial state of traits: what one identifier set and one source said, folded so far that only
//! what can still win is kept.

use std::collections::BTreeMap;

use serde_json::Value;

use super::coerce::{Coerced, Misfit, coerce};
use super::json::{canonical_json, check_storable, check_text, write_string};
use super::survive::Entry;
use super::types::{Survivorship, TraitError, TraitType};

/// One value that a trait may take, with when and how often it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Canonical, so that equal values are equal bytes.
    json: Box<str>,
    first: i64,
    last: i64,
    count: u64,
    /// Of the message that said it last.
    tie: Box<str>,
}

impl Candidate {
    /// The value as one message or record says it. `tie` is the message's own key, which settles what
    /// equal times leave open. Fails for null, and for what jsonb cannot hold.
    pub fn new(value: &Value, time: i64, tie: &str) -> Result<Candidate, Misfit> {
        if value.is_null() {
            return Err(Misfit::new("is null, which is no value"));
        }
        check_storable(value)?;
        if check_text(tie).is_err() {
            return Err(Misfit::new("comes with a key that contains U+0000"));
        }
        Ok(Candidate {
            json: canonical_json(value).into(),
            first: time,
            last: time,
            count: 1,
            tie: tie.into(),
        })
    }

    /// The value as canonical JSON text.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The value.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.json).expect("canonical JSON of bounded depth can be read")
    }

    /// When it was said first.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// When it was said last.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// How often it was said, where the rule counts; else 1.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What "more recent" compares: the time, the tie, then the value, the last two as bytes.
    pub(super) fn recency(&self) -> (i64, &str, &str) {
        (self.last, &self.tie, &self.json)
    }

    /// What "earlier" compares, likewise.
    pub(super) fn precedence(&self) -> (i64, &str, &str) {
        (self.first, &self.tie, &self.json)
    }

    /// Adds what was said of the same value elsewhere.
    fn absorb(&mut self, other: Candidate) {
        self.first = self.first.min(other.first);
        self.count = self.count.saturating_add(other.count);
        if other.recency() > self.recency() {
            self.last = other.last;
            self.tie = other.tie;
        }
    }

    /// `[value, last, tie]`, and `first, count` after them where they say more.
    fn write_json(&self, out: &mut String) {
        out.push('[');
        out.push_str(&self.json);
        out.push_str(&format!(",{},", self.last));
        write_string(out, &self.tie);
        if self.first != self.last || self.count != 1 {
            out.push_str(&format!(",{},{}", self.first, self.count));
        }
        out.push(']');
    }

    fn from_json(json: &Value) -> Option<Candidate> {
        let (value, last, tie, first, count) = match json.as_array()?.as_slice() {
            [value, last, tie] => (value, last, tie, last, 1),
            [value, last, tie, first, count] => (value, last, tie, first, count.as_u64()?),
            _ => return None,
        };
        let mut candidate = Candidate::new(value, last.as_i64()?, tie.as_str()?).ok()?;
        candidate.first = first.as_i64()?;
        candidate.count = count;
        (candidate.first <= candidate.last && count > 0).then_some(candidate)
    }
}

/// What of a trait's candidates is kept, as its declaration says. A state is folded under one
/// declaration: when the type or the rule changes, states are made anew from the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The declared type, which says what fits, and what is smaller.
    pub ty: TraitType,
    /// The rule.
    pub survivorship: Survivorship,
}

impl Keep {
    /// For a trait that nobody declared: any value fits, and the latest wins.
    pub const UNDECLARED: Keep = Keep {
        ty: TraitType::Jsonb,
        survivorship: Survivorship::MostRecent,
    };

    fn is_counted(self) -> bool {
        matches!(
            self.survivorship,
            Survivorship::MostFrequent | Survivorship::Union
        )
    }

    fn coerced(self, candidate: &Candidate) -> Result<Coerced, Misfit> {
        coerce(&candidate.value(), self.ty)
    }
}

/// The candidates of one trait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Slot {
    /// What fits the type, sorted by value: all of it where the rule counts, else only the best.
    fit: Vec<Candidate>,
    /// The latest of what does not fit the type.
    misfit: Option<Candidate>,
}

impl Slot {
    fn take(&mut self, candidate: Candidate, keep: Keep) {
        match keep.coerced(&candidate) {
            Ok(coerced) => self.take_fit(candidate, coerced, keep),
            Err(_) => {
                let latest = &mut self.misfit;
                if latest
                    .as_ref()
                    .is_none_or(|kept| candidate.recency() > kept.recency())
                {
                    *latest = Some(candidate);
                }
            }
        }
    }

    fn take_fit(&mut self, candidate: Candidate, coerced: Coerced, keep: Keep) {
        if keep.is_counted() {
            match self
                .fit
                .binary_search_by(|kept| kept.json.cmp(&candidate.json))
            {
                Ok(at) => self.fit[at].absorb(candidate),
                Err(at) => self.fit.insert(at, candidate),
            }
            return;
        }
        let is_better = self.fit.first().is_none_or(|kept| {
            // Of one source, so that the source decides nothing here.
            let new = Entry {
                source_id: 0,
                candidate: &candidate,
                coerced,
            };
            keep.coerced(kept).is_ok_and(|coerced| {
                let old = Entry {
                    source_id: 0,
                    candidate: kept,
                    coerced,
                };
                new.compare(&old, keep.survivorship).is_gt()
            })
        });
        if is_better {
            self.fit = vec![candidate];
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.fit.iter().chain(&self.misfit)
    }
}

/// The candidates that one identifier set and one source give, by trait.
///
/// [`add`](Self::add) and [`merge`](Self::merge) give the same state in any order and grouping. Where
/// the rule counts (`most_frequent`), a message that is added twice counts twice: duplicates are
/// removed before. A state is bounded by one value and one misfit a trait, except where the rule
/// needs every distinct value (`most_frequent`, `union`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    slots: BTreeMap<String, Slot>,
}

impl Candidates {
    /// Adds what one message says of one trait. Null is no candidate and is passed over; what jsonb
    /// cannot hold (U+0000, deep nesting) is refused, and the state stays as it was.
    pub fn add(
        &mut self,
        trait_name: &str,
        value: &Value,
        time: i64,
        tie: &str,
        keep: Keep,
    ) -> Result<(), Misfit> {
        if value.is_null() {
            return Ok(());
        }
        if check_text(trait_name).is_err() {
            return Err(Misfit::new("belongs to a name that contains U+0000"));
        }
        let candidate = Candidate::new(value, time, tie)?;
        self.slot(trait_name).take(candidate, keep);
        Ok(())
    }

    /// Adds all of another state of the same set and source. `keep` gives the declaration of each
    /// trait, the one under which both states were made.
    pub fn merge(&mut self, other: &Candidates, keep: impl Fn(&str) -> Keep) {
        for (name, theirs) in &other.slots {
            let keep = keep(name);
            let ours = self.slot(name);
            for candidate in theirs.iter() {
                ours.take(candidate.clone(), keep);
            }
        }
    }

    /// The candidates of a trait, whether they fit its type or not.
    pub fn of(&self, trait_name: &str) -> impl Iterator<Item = &Candidate> {
        self.slots.get(trait_name).into_iter().flat_map(Slot::iter)
    }

    /// The traits that have a candidate, sorted.
    pub fn trait_names(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }

    /// Whether no trait has a candidate.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The state as JSON text: for each trait `[fitting, misfit]`, `fitting` an array of candidates
    /// and `misfit` one candidate or absent; a candidate is `[value, last, tie]` or
    /// `[value, last, tie, first, count]`.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (i, (name, slot)) in self.slots.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_string(&mut out, name);
            out.push_str(":[[");
            for (j, candidate) in slot.fit.iter().enumerate() {
                if j > 0 {
                    out.push(',');
                }
                candidate.write_json(&mut out);
            }
            out.push(']');
            if let Some(misfit) = &slot.misfit {
                out.push(',');
                misfit.write_json(&mut out);
            }
            out.push(']');
        }
        out.push('}');
        out
    }

    /// Reads what [`to_json`](Self::to_json) wrote, in whatever form jsonb gives it back.
    pub fn from_json(text: &str) -> Result<Candidates, TraitError> {
        let invalid = |what: String| TraitError {
            message: format!("invalid state of trait candidates: {what}"),
            hint: "it is written by the engine only; rebuild it from the messages".to_string(),
        };
        let state: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let slots = state
            .into_iter()
            .map(|(name, json)| match slot_from_json(&json) {
                Some(slot) => Ok((name, slot)),
                None => Err(invalid(format!("trait {name:?}"))),
            })
            .collect::<Result<_, _>>()?;
        Ok(Candidates { slots })
    }

    fn slot(&mut self, trait_name: &str) -> &mut Slot {
        // Looked up before it is inserted, so that a known name is not copied.
        if !self.slots.contains_key(trait_name) {
            self.slots.insert(trait_name.to_string(), Slot::default());
        }
        self.slots.get_mut(trait_name).expect("inserted above")
    }
}

fn slot_from_json(json: &Value) -> Option<Slot> {
    let (fit, misfit) = match json.as_array()?.as_slice() {
        [fit] => (fit, None),
        [fit, misfit] => (fit, Some(Candidate::from_json(misfit)?)),
        _ => return None,
    };
    let mut fit: Vec<Candidate> = fit
        .as_array()?
        .iter()
        .map(Candidate::from_json)
        .collect::<Option<_>>()?;
    fit.sort_by(|a, b| a.json.cmp(&b.json));
    Some(Slot { fit, misfit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const COUNTED: Keep = Keep {
        ty: TraitType::Text,
        survivorship: Survivorship::MostFrequent,
    };
    const SMALLEST: Keep = Keep {
        ty: TraitType::Bigint,
        survivorship: Survivorship::Min,
    };

    #[test]
    fn a_state_is_compact_and_bounded() {
        let mut state = Candidates::default();
        for i in 0..100 {
            state
                .add("plan", &json!(i), i, "m", Keep::UNDECLARED)
                .unwrap();
            state
                .add("age", &json!(i.to_string()), i, "m", SMALLEST)
                .unwrap();
            state.add("age", &json!("old"), i, "m", SMALLEST).unwrap();
            state
                .add(
                    "city",
                    &json!(["Lyon", "Porto"][i as usize % 2]),
                    i,
                    "m",
                    COUNTED,
                )
                .unwrap();
        }
        assert_eq!(
            state.to_json(),
            r#"{"age":[[["0",0,"m"]],["old",99,"m"]],"city":[[["Lyon",98,"m",0,50],["Porto",99,"m",1,50]]],"plan":[[[99,99,"m"]]]}"#
        );
    }

    #[test]
    fn null_is_no_candidate_and_clears_nothing() {
        let mut state = Candidates::default();
        state
            .add("a", &json!(null), 2, "m", Keep::UNDECLARED)
            .unwrap();
        assert!(state.is_empty());
        state.add("a", &json!(1), 1, "m", Keep::UNDECLARED).unwrap();
        state
            .add("a", &json!(null), 2, "m", Keep::UNDECLARED)
            .unwrap();
        assert_eq!(
            state.of("a").map(Candidate::json).collect::<Vec<_>>(),
            ["1"]
        );
    }

    #[test]
    fn what_jsonb_cannot_hold_is_refused() {
        let mut state = Candidates::default();
        for (name, value, tie) in [("a\0", "x", "m"), ("a", "x\0", "m"), ("a", "x", "m\0")] {
            assert!(
                state
                    .add(name, &json!(value), 1, tie, Keep::UNDECLARED)
                    .is_err()
            );
        }
        assert!(state.is_empty());
    }

    #[test]
    fn the_deepest_value_comes_back() {
        let deepest = (0..120).fold(json!(1), |inner, _| json!([inner]));
        let mut state = Candidates::default();
        state.add("a", &deepest, 1, "m", Keep::UNDECLARED).unwrap();
        assert_eq!(Candidates::from_json(&state.to_json()), Ok(state));
    }

    #[test]
    fn a_state_comes_back_as_jsonb_writes_it() {
        let mut state = Candidates::default();
        state
            .add(
                "ö\"",
                &json!({"long": 1e16, "b": 1e-7}),
                5,
                "m\\",
                Keep::UNDECLARED,
            )
            .unwrap();
        let as_jsonb = r#"{"ö\"": [[[{"b": 0.0000001, "long": 10000000000000000}, 5, "m\\"]]]}"#;
        assert_eq!(Candidates::from_json(as_jsonb), Ok(state));
    }

    #[test]
    fn a_corrupt_state_is_an_error() {
        for text in [
            "",
            "[]",
            "null",
            r#"{"a":1}"#,
            r#"{"a":[]}"#,
            r#"{"a":[[["x",1]]]}"#,
            r#"{"a":[[["x","1","m"]]]}"#,
            r#"{"a":[[[null,1,"m"]]]}"#,
            r#"{"a":[[["x",1,"m",2,1]]]}"#,
            r#"{"a":[[["x",1,"m",1,0]]]}"#,
            r#"{"a":[[["x",1,"m",1,-1]]]}"#,
            r#"{"a":[[],1]}"#,
        ] {
            assert!(Candidates::from_json(text).is_err(), "{text}");
        }
    }
}
