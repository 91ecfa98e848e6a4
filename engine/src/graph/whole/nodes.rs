//! All identifiers, without an allocation each.

use super::super::Identifiers;
use super::places::Places;

/// All identifiers of a graph, by position.
#[derive(Default)]
pub struct Nodes {
    ids: Vec<i64>,
    types: Vec<u16>,
    blocked: Vec<bool>,
    /// Where the value starts in `text`, and in the low 16 bits how long it is.
    values: Vec<u64>,
    text: String,
    places: Places,
}

impl Nodes {
    /// Adds one. `blocked`: its value identifies nobody.
    ///
    /// # Panics
    /// When the value is longer than 65,535 bytes.
    pub fn push(&mut self, id: i64, type_idx: u16, value: &str, blocked: bool) {
        let length = u16::try_from(value.len()).expect("an identifier is at most 1,024 bytes");
        self.ids.push(id);
        self.types.push(type_idx);
        self.blocked.push(blocked);
        self.values
            .push((self.text.len() as u64) << 16 | u64::from(length));
        self.text.push_str(value);
    }

    /// After the last: so that positions can be found by id.
    pub fn close(&mut self) {
        self.places = Places::of(&self.ids);
    }

    /// Where an identifier is.
    #[inline]
    pub fn position(&self, id: i64) -> Option<u32> {
        self.places.get(id)
    }

    /// Whether its value identifies nobody.
    #[inline]
    pub fn is_blocked(&self, node: u32) -> bool {
        self.blocked[node as usize]
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.ids.capacity() * size_of::<i64>()
            + self.types.capacity() * size_of::<u16>()
            + self.blocked.capacity()
            + self.values.capacity() * size_of::<u64>()
            + self.text.capacity()
            + self.places.bytes()
    }
}

impl Identifiers for Nodes {
    fn len(&self) -> usize {
        self.ids.len()
    }

    #[inline]
    fn id(&self, node: u32) -> i64 {
        self.ids[node as usize]
    }

    #[inline]
    fn type_idx(&self, node: u32) -> u16 {
        self.types[node as usize]
    }

    #[inline]
    fn value(&self, node: u32) -> &str {
        let value = self.values[node as usize];
        let start = (value >> 16) as usize;
        &self.text[start..start + (value & 0xffff) as usize]
    }
}
