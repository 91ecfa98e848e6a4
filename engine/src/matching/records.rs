//! The records to match, by column, each distinct value once.

use xxhash_rust::xxh3::xxh3_64;

use super::Meaning;

/// A distinct value of a column.
#[derive(Clone, Debug)]
pub struct Value {
    /// In its one form.
    pub text: Box<str>,
    /// How many records hold it.
    pub count: u32,
}

/// A column: for each record none, one or several values.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it says.
    pub meaning: Meaning,
    /// The distinct values.
    pub values: Vec<Value>,
    /// Positions in `values`, record after record.
    held: Vec<u32>,
    /// Where the values of each record end in `held`.
    ends: Vec<u32>,
    known: Known,
}

/// Records by column.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The columns.
    pub columns: Vec<Column>,
    len: u32,
}

/// Finds a value by its text, without a second copy of it.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Position + 1, or 0 for a free slot; a power of two of them.
    slots: Vec<u32>,
}

impl Known {
    fn find_or_add(&mut self, text: &str, values: &mut Vec<Value>) -> u32 {
        if (values.len() + 1) * 8 > self.slots.len() * 7 {
            self.grow(values);
        }
        let mask = self.slots.len() - 1;
        let mut slot = xxh3_64(text.as_bytes()) as usize & mask;
        loop {
            match self.slots[slot] {
                0 => {
                    values.push(Value {
                        text: text.into(),
                        count: 0,
                    });
                    self.slots[slot] = values.len() as u32;
                    return values.len() as u32 - 1;
                }
                found if *values[found as usize - 1].text == *text => return found - 1,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn grow(&mut self, values: &[Value]) {
        let len = (self.slots.len() * 2).max(64);
        self.slots = vec![0; len];
        for (position, value) in values.iter().enumerate() {
            let mut slot = xxh3_64(value.text.as_bytes()) as usize & (len - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (len - 1);
            }
            self.slots[slot] = position as u32 + 1;
        }
    }
}

impl Column {
    /// An empty column.
    pub fn new(name: impl Into<String>, meaning: Meaning) -> Self {
        Column {
            name: name.into(),
            meaning,
            values: Vec::new(),
            held: Vec::new(),
            ends: Vec::new(),
            known: Known::default(),
        }
    }

    /// Adds what the next record holds.
    pub(super) fn push<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        let start = self.held.len();
        for text in texts {
            let position = self.known.find_or_add(text, &mut self.values);
            if !self.held[start..].contains(&position) {
                self.values[position as usize].count += 1;
                self.held.push(position);
            }
        }
        self.ends.push(self.held.len() as u32);
    }

    /// The positions in [`values`](Self::values) of what a record holds.
    pub fn of(&self, record: u32) -> &[u32] {
        let record = record as usize;
        let start = if record == 0 {
            0
        } else {
            self.ends[record - 1]
        };
        &self.held[start as usize..self.ends[record] as usize]
    }
}

impl Records {
    /// Records of these columns, none yet.
    pub fn new(columns: Vec<Column>) -> Self {
        Records { columns, len: 0 }
    }

    /// Adds a record: for each column its values, already in their one form.
    pub fn push(&mut self, record: &[Vec<&str>]) {
        for (column, texts) in self.columns.iter_mut().zip(record) {
            column.push(texts.iter().copied());
        }
        self.len += 1;
    }

    /// Adds a record: for each column its values as they came.
    pub fn push_raw(&mut self, record: &[Vec<&str>]) {
        for (column, texts) in self.columns.iter_mut().zip(record) {
            let texts: Vec<String> = texts
                .iter()
                .filter_map(|text| column.meaning.normalise(text))
                .collect();
            column.push(texts.iter().map(String::as_str));
        }
        self.len += 1;
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
