//! The declared types of traits and the rules of survivorship, by name.

use std::error::Error;
use std::fmt;

/// A declaration, or a stored state, that is not valid, and what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraitError {
    /// What is wrong, naming the word at fault.
    pub message: String,
    /// What is right.
    pub hint: String,
}

impl fmt::Display for TraitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.hint)
    }
}

impl Error for TraitError {}

/// The SQL type of a declared trait's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TraitType {
    /// `text`
    Text,
    /// `bigint`
    Bigint,
    /// `numeric`
    Numeric,
    /// `double precision`
    Double,
    /// `boolean`
    Boolean,
    /// `date`
    Date,
    /// `timestamp with time zone`
    Timestamptz,
    /// `jsonb`
    Jsonb,
    /// `text[]`
    TextArray,
}

impl TraitType {
    /// Every type, in the order in which errors list them.
    pub const ALL: [TraitType; 9] = [
        TraitType::Text,
        TraitType::Bigint,
        TraitType::Numeric,
        TraitType::Double,
        TraitType::Boolean,
        TraitType::Date,
        TraitType::Timestamptz,
        TraitType::Jsonb,
        TraitType::TextArray,
    ];

    /// Reads a type by its SQL name or a usual alias, in any case. Narrower integers and floats are
    /// taken as their wide kin, since a column that is declared once should never overflow later.
    pub fn parse(name: &str) -> Result<TraitType, TraitError> {
        let words: Vec<String> = name.split_whitespace().map(str::to_lowercase).collect();
        match words.join(" ").as_str() {
            "text" | "varchar" | "character varying" | "string" => Ok(TraitType::Text),
            "bigint" | "int8" | "integer" | "int" | "int4" | "smallint" | "int2" => {
                Ok(TraitType::Bigint)
            }
            "numeric" | "decimal" => Ok(TraitType::Numeric),
            "double precision" | "double" | "float8" | "float" | "real" | "float4" => {
                Ok(TraitType::Double)
            }
            "boolean" | "bool" => Ok(TraitType::Boolean),
            "date" => Ok(TraitType::Date),
            "timestamptz" | "timestamp with time zone" => Ok(TraitType::Timestamptz),
            "jsonb" | "json" => Ok(TraitType::Jsonb),
            "text[]" | "varchar[]" | "character varying[]" | "string[]" => Ok(TraitType::TextArray),
            // Without a zone, what instant a text means would depend on the session that reads it.
            "timestamp" | "timestamp without time zone" => Err(TraitError {
                message: "a trait cannot be of type timestamp without time zone".to_string(),
                hint: "use timestamptz, or date".to_string(),
            }),
            _ => Err(TraitError {
                message: format!("unknown trait type {name:?}"),
                hint: format!("use one of: {}", listed(Self::ALL.map(Self::as_sql))),
            }),
        }
    }

    /// The name of the type in SQL.
    pub fn as_sql(self) -> &'static str {
        match self {
            TraitType::Text => "text",
            TraitType::Bigint => "bigint",
            TraitType::Numeric => "numeric",
            TraitType::Double => "double precision",
            TraitType::Boolean => "boolean",
            TraitType::Date => "date",
            TraitType::Timestamptz => "timestamptz",
            TraitType::Jsonb => "jsonb",
            TraitType::TextArray => "text[]",
        }
    }
}

impl fmt::Display for TraitType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_sql())
    }
}

/// The rule by which one value of a trait wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Survivorship {
    /// The value said last.
    MostRecent,
    /// The value said first.
    First,
    /// The value said most often, then most recently.
    MostFrequent,
    /// The value of the best ranked source, then the most recent.
    SourcePriority,
    /// The longest text or array, then the most recent.
    Longest,
    /// The smallest value by the declared type, then the most recent.
    Min,
    /// The greatest value by the declared type, then the most recent.
    Max,
    /// The sorted, distinct elements of all values.
    Union,
}

impl Survivorship {
    /// Every rule, in the order in which errors list them.
    pub const ALL: [Survivorship; 8] = [
        Survivorship::MostRecent,
        Survivorship::First,
        Survivorship::MostFrequent,
        Survivorship::SourcePriority,
        Survivorship::Longest,
        Survivorship::Min,
        Survivorship::Max,
        Survivorship::Union,
    ];

    /// Reads a rule by its name, in any case.
    pub fn parse(name: &str) -> Result<Survivorship, TraitError> {
        let wanted = name.trim().to_lowercase();
        Self::ALL
            .into_iter()
            .find(|rule| rule.as_str() == wanted)
            .ok_or_else(|| TraitError {
                message: format!("unknown survivorship {name:?}"),
                hint: format!("use one of: {}", listed(Self::ALL.map(Self::as_str))),
            })
    }

    /// The name of the rule.
    pub fn as_str(self) -> &'static str {
        match self {
            Survivorship::MostRecent => "most_recent",
            Survivorship::First => "first",
            Survivorship::MostFrequent => "most_frequent",
            Survivorship::SourcePriority => "source_priority",
            Survivorship::Longest => "longest",
            Survivorship::Min => "min",
            Survivorship::Max => "max",
            Survivorship::Union => "union",
        }
    }

    /// Whether the rule means anything for a type; to be asked when a trait is declared.
    pub fn check(self, ty: TraitType) -> Result<(), TraitError> {
        let hint = match (self, ty) {
            (Survivorship::Union, TraitType::TextArray) => return Ok(()),
            (Survivorship::Union, _) => "declare the trait as text[] to gather values",
            (Survivorship::Longest, TraitType::Text | TraitType::TextArray) => return Ok(()),
            (Survivorship::Longest, _) => "longest is for text and text[]",
            (Survivorship::Min | Survivorship::Max, TraitType::Jsonb | TraitType::TextArray) => {
                "min and max are for types with one natural order"
            }
            _ => return Ok(()),
        };
        Err(TraitError {
            message: format!("survivorship {self} does not suit the type {ty}"),
            hint: hint.to_string(),
        })
    }
}

impl fmt::Display for Survivorship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn listed<const N: usize>(names: [&str; N]) -> String {
    names.join(", ")
}
