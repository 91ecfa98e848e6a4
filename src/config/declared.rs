//! What every kind of declaration has in common.

use serde_json::{Map, Value};

use super::Reading;
use super::effects::Effects;
use super::fault::Outcome;
use super::node::Object;
use crate::pg::Result;

/// A kind of declaration: a row of configuration, a section of the document.
pub trait Declared: Sized + Clone + PartialEq {
    /// What one is called: `identifier type`.
    const KIND: &'static str;
    /// The section of the document.
    const SECTION: &'static str;
    /// The function that changes one.
    const ALTER: &'static str;
    /// The keys of one in the document.
    const KEYS: &'static [&'static str];
    /// The key that names one in the document.
    const NAME_KEY: &'static str = "name";

    /// The name of this one.
    fn name(&self) -> &str;

    /// All attributes but the name that are not at their default, as the document has them.
    fn attributes(&self) -> Map<String, Value>;

    /// Reads one from the document.
    fn read(name: String, object: &Object) -> Result<Self>;

    /// All that are declared, in the order of the document.
    fn all(reading: Reading) -> Vec<Self>;

    /// Checks this one by itself.
    fn check(&self) -> Outcome<()>;

    /// Declares this one, which is new and checked.
    fn create(&self, effects: &mut Effects) -> Outcome<()>;

    /// Makes `old` this one, which is checked and has the same name.
    fn alter(&self, old: &Self, effects: &mut Effects) -> Outcome<()>;

    /// Drops this one, or says what is in the way.
    fn drop(&self, effects: &mut Effects) -> Outcome<()>;
}

/// The declaration as the document has it.
pub fn to_json<D: Declared>(declared: &D) -> Value {
    let mut members = declared.attributes();
    members.insert(D::NAME_KEY.to_owned(), Value::from(declared.name()));
    Value::Object(members)
}

/// What distinguishes `new` from `old`, for people: `max_per_profile: 5 → 3`.
pub fn difference<D: Declared>(old: &D, new: &D) -> String {
    let (old, new) = (old.attributes(), new.attributes());
    let shown = |value: Option<&Value>| value.map_or("default".to_owned(), Value::to_string);
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let parts: Vec<String> = keys
        .into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| format!("{key}: {} → {}", shown(old.get(key)), shown(new.get(key))))
        .collect();
    parts.join("; ")
}

/// The attributes of a new one, for people.
pub fn summary<D: Declared>(declared: &D) -> String {
    let attributes = declared.attributes();
    let parts: Vec<String> = attributes
        .iter()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    parts.join("; ")
}
