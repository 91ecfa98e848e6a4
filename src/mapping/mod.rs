//! Mapped tables (stub until merged).
use crate::pg::Result;
use cdp_engine::record::CapturedRow;
/// A mapping as the pipeline needs it.
pub struct LoadedMapping {
    /// Source.
    pub source_id: i32,
}
/// What a row says.
pub struct Interpreted {
    /// Key.
    pub key: String,
    /// Identifiers.
    pub identifiers: Vec<(String, String)>,
    /// Traits.
    pub traits: Vec<(String, serde_json::Value)>,
    /// Creation.
    pub created_at: Option<i64>,
    /// Update or event time.
    pub time: Option<i64>,
    /// Event name.
    pub event: Option<String>,
    /// Row.
    pub row: serde_json::Value,
    /// Properties.
    pub properties: serde_json::Value,
}
impl LoadedMapping {
    /// Events or records.
    pub fn is_events(&self) -> bool {
        false
    }
    /// Whole table.
    pub fn is_whole(&self, _relation: &str) -> bool {
        true
    }
    /// Former key.
    pub fn former_key(&self, _row: &CapturedRow) -> Option<String> {
        None
    }
    /// Interprets.
    pub fn interpret(&self, _row: &CapturedRow) -> std::result::Result<Interpreted, String> {
        Err(String::new())
    }
}
/// Loads.
pub fn load() -> Result<Vec<LoadedMapping>> {
    Ok(Vec::new())
}
