//! The traits and segments that the rules of these tests refer to.

use cdp_engine::segment::{Catalog, ValueType};

pub struct Shop;

const TRAITS: [(&str, ValueType); 19] = [
    ("Lifetime Value", ValueType::Numeric),
    ("age", ValueType::BigInt),
    ("birthday", ValueType::Date),
    ("city", ValueType::Text),
    ("country", ValueType::Text),
    ("email", ValueType::Text),
    ("last", ValueType::Text),
    ("lifetime_value", ValueType::Numeric),
    ("name", ValueType::Text),
    ("plan", ValueType::Text),
    ("preferences", ValueType::Jsonb),
    ("renewal", ValueType::Timestamptz),
    ("renewal_day", ValueType::Date),
    ("score", ValueType::Double),
    ("signed_up", ValueType::Timestamptz),
    ("subscribed", ValueType::Boolean),
    ("tags", ValueType::TextArray),
    ("title", ValueType::Text),
    ("zip", ValueType::Text),
];

const SEGMENTS: [(&str, i64); 2] = [("big_spenders", 7), ("staff", 8)];

impl Catalog for Shop {
    fn trait_type(&self, name: &str) -> Option<ValueType> {
        let found = TRAITS.iter().find(|(known, _)| *known == name);
        found.map(|(_, value_type)| *value_type)
    }

    fn trait_names(&self) -> Vec<String> {
        TRAITS.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn column(&self, name: &str) -> String {
        format!("p.\"{name}\"")
    }

    fn segment_id(&self, name: &str) -> Option<i64> {
        let found = SEGMENTS.iter().find(|(known, _)| *known == name);
        found.map(|(_, id)| *id)
    }

    fn segment_names(&self) -> Vec<String> {
        SEGMENTS
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect()
    }
}
