//! The records to match, by column, each distinct value once.

use std::collections::HashMap;

/// What a column says of a person; it gives the normalisation, the comparison and the keys to block by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Meaning {
    /// A given name, or several.
    FirstName,
    /// A middle name or its initial.
    MiddleName,
    /// A family name.
    LastName,
    /// All names in one.
    FullName,
    /// A date of birth, in whatever order of parts.
    BirthDate,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// Street, with or without the number.
    Street,
    /// The number of the house, or a box.
    HouseNumber,
    /// A flat.
    Unit,
    /// A postal code.
    Postcode,
    /// A city or suburb.
    City,
    /// A state or province.
    Region,
    /// A country.
    Country,
    /// Male, female or else.
    Gender,
    /// A number that the state gives: social security, tax.
    NationalId,
    /// Latitude and longitude in degrees, `52.52,13.405`.
    Location,
    /// One of few values: an occupation, a birth place, a race.
    Category,
    /// Words.
    Text,
}

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
    known: HashMap<Box<str>, u32>,
}

/// Records by column.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The columns.
    pub columns: Vec<Column>,
    len: u32,
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
            known: HashMap::new(),
        }
    }

    /// Adds what the next record holds.
    fn push<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        let start = self.held.len();
        for text in texts {
            let position = match self.known.get(text) {
                Some(&position) => position,
                None => {
                    let position = self.values.len() as u32;
                    self.values.push(Value {
                        text: text.into(),
                        count: 0,
                    });
                    self.known.insert(text.into(), position);
                    position
                }
            };
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

    /// Adds a record: for each column its values, normalised.
    pub fn push(&mut self, record: &[Vec<&str>]) {
        for (column, texts) in self.columns.iter_mut().zip(record) {
            column.push(texts.iter().copied());
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
