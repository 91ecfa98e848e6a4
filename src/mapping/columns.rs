//! Following the names of columns. A mapping names them; a column's number says which one was meant
//! after somebody renamed it. Numbers mean nothing after a restore, so they are kept with what they
//! belong to, and the last known names beside them.

use std::collections::BTreeMap;

use cdp_engine::mapping::Mapping;
use serde_json::{Value, json};

use super::relation::{Relation, identity};

/// What is to be kept for a mapping.
pub fn state(mapping: &Mapping, relation: &Relation) -> Value {
    let mut numbers = BTreeMap::new();
    let mut names = BTreeMap::new();
    for name in mapping.columns() {
        let present = mapping.renamed.iter().find(|(former, _)| former == name);
        let present = present.map_or(name, |(_, present)| present);
        if let Some(column) = relation.column(present) {
            numbers.insert(name, column.number);
        }
        names.insert(name, present);
    }
    json!({"of": identity(relation.oid), "numbers": numbers, "names": names})
}

/// Fills in the present names of the mapping's columns.
pub fn resolve(mapping: &mut Mapping, relation: &Relation, state: &Value) {
    let numbers_hold = state.get("of").and_then(Value::as_str) == Some(&identity(relation.oid));
    let of = |field: &str, name: &str| state.get(field)?.get(name).cloned();
    let mut renamed = Vec::new();
    for name in mapping.columns() {
        let by_number = || {
            let number = of("numbers", name).filter(|_| numbers_hold)?.as_i64()?;
            let column = relation
                .columns
                .iter()
                .find(|c| i64::from(c.number) == number)?;
            Some(column.name.clone())
        };
        let by_name = || of("names", name)?.as_str().map(str::to_owned);
        if let Some(present) = by_number()
            .or_else(by_name)
            .filter(|present| present != name)
        {
            renamed.push((name.to_owned(), present));
        }
    }
    mapping.renamed = renamed;
}
