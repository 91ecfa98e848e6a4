//! The records to match, by column, each distinct value once.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

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
    /// Bytes of the texts.
    texts: usize,
}

/// Records by column.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The columns.
    pub columns: Vec<Column>,
    len: u32,
    /// Of each that has one, up to the last, its name.
    names: Vec<u32>,
}

/// The name of a record by its key and what that is of: it tells records apart that say the same.
pub fn name(of: &str, key: &[u8]) -> u32 {
    xxh3_64_with_seed(key, hash(of)) as u32
}

/// Finds a value by its text, without a second copy of it.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Half of the hash, and the position + 1; 0 is a free slot. A power of two of them.
    slots: Vec<u64>,
}

/// How a text is found again.
fn hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

impl Known {
    const HALF: u64 = 0xFFFF_FFFF;

    fn find_or_add(&mut self, text: &str, hash: u64, values: &mut Vec<Value>) -> u32 {
        if (values.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow(values);
        }
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                values.push(Value {
                    text: text.into(),
                    count: 0,
                });
                self.slots[at] = hash & !Self::HALF | values.len() as u64;
                return values.len() as u32 - 1;
            }
            let position = (slot & Self::HALF) as u32 - 1;
            if slot >> 32 == hash >> 32 && *values[position as usize].text == *text {
                return position;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self, values: &[Value]) {
        let len = (self.slots.len() * 2)
            .max((values.len() * 2).next_power_of_two())
            .max(64);
        self.slots = vec![0; len];
        for (position, value) in values.iter().enumerate() {
            let hash = hash(&value.text);
            let mut at = hash as usize & (len - 1);
            while self.slots[at] != 0 {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = hash & !Self::HALF | (position as u64 + 1);
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
            texts: 0,
        }
    }

    /// Adds what the next record holds.
    pub(super) fn push<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        self.push_hashed(texts.into_iter().map(|text| (text, hash(text))));
    }

    fn push_hashed<'a>(&mut self, texts: impl Iterator<Item = (&'a str, u64)>) {
        let start = self.held.len();
        for (text, hash) in texts {
            let position = self.known.find_or_add(text, hash, &mut self.values);
            if !self.held[start..].contains(&position) {
                let value = &mut self.values[position as usize];
                if value.count == 0 {
                    self.texts += allocated(text.len());
                }
                value.count += 1;
                self.held.push(position);
            }
        }
        self.ends.push(self.held.len() as u32);
    }

    /// Adds what further records hold, as it came. `forms` is room to work in.
    pub(super) fn take(&mut self, cells: &Cells, forms: &mut Forms) {
        forms.text.clear();
        forms.found.clear();
        let mut start = 0;
        for &end in &cells.ends {
            let before = forms.text.len();
            let raw = &cells.text[start as usize..end as usize];
            self.meaning.append(raw, &mut forms.text);
            let form = &forms.text[before..];
            forms.found.push((forms.text.len(), hash(form)));
            start = end;
        }
        let (mut place, mut start) = (0, 0);
        for &row in &cells.rows {
            let of_row = &forms.found[place..row as usize];
            place = row as usize;
            let texts = of_row.iter().filter_map(|&(end, hash)| {
                let text = &forms.text[start..end];
                start = end;
                (!text.is_empty()).then_some((text, hash))
            });
            self.push_hashed(texts);
        }
    }

    /// No more are added: what finds values goes.
    pub(super) fn close(&mut self) {
        self.known = Known::default();
        self.values.shrink_to_fit();
        self.held.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.texts
            + self.values.capacity() * size_of::<Value>()
            + (self.held.capacity() + self.ends.capacity()) * size_of::<u32>()
            + self.known.slots.capacity() * size_of::<u64>()
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

/// Bytes that a text takes: a piece of memory is of 16 bytes each, at least two, eight of which are not
/// for use.
fn allocated(len: usize) -> usize {
    (len + 8).next_multiple_of(16).max(32)
}

/// What some records hold in one column, as it came.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub text: String,
    /// Where each value ends in `text`.
    pub ends: Vec<u32>,
    /// Where each record ends in `ends`.
    pub rows: Vec<u32>,
}

/// The one forms of [`Cells`].
#[derive(Debug, Default)]
pub(super) struct Forms {
    text: String,
    /// Where each ends in `text`, and its hash.
    found: Vec<(usize, u64)>,
}

impl Records {
    /// Records of these columns, none yet.
    pub fn new(columns: Vec<Column>) -> Self {
        Self::of(columns, 0, Vec::new())
    }

    /// Of columns that hold so many records each.
    pub(super) fn of(columns: Vec<Column>, len: u32, names: Vec<u32>) -> Self {
        Records {
            columns,
            len,
            names,
        }
    }

    /// Names the last record. Where several say the same, what is made of each depends on their names; of those
    /// without, on their places.
    pub fn name_last(&mut self, name: u32) {
        let last = self.len.saturating_sub(1);
        self.names.resize(last as usize, 0);
        self.names.push(name);
    }

    /// The name of a record; 0 of one without.
    pub(super) fn name(&self, record: u32) -> u32 {
        let given = self.names.get(record as usize);
        given.copied().unwrap_or(0)
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

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let of_columns: usize = self.columns.iter().map(Column::bytes).sum();
        of_columns + self.names.capacity() * size_of::<u32>()
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
