//! Reading a document so that every fault names its JSON path.

use serde_json::{Map, Value};

use super::names;
use crate::pg::{Error, Result};

/// A value of the document, and where it stands.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// Where: `$.traits[2].type`.
    pub path: String,
    value: &'a Value,
}

/// An object of the document whose keys are all known.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    /// Where.
    pub path: String,
    members: &'a Map<String, Value>,
}

impl<'a> Node<'a> {
    /// The whole document.
    pub fn root(value: &'a Value) -> Self {
        Self {
            path: "$".to_owned(),
            value,
        }
    }

    /// A fault of this value.
    pub fn fault(&self, message: impl std::fmt::Display) -> Error {
        Error::invalid(format!("{}: {message}", self.path))
    }

    fn expected(&self, what: &str) -> Error {
        let found = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Number(number) => format!("the number {number}"),
            Value::String(_) => "a string".to_owned(),
            Value::Array(_) => "an array".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        self.fault(format!("expected {what}, found {found}"))
    }

    /// An object with no other keys than `known`.
    pub fn object(&self, known: &[&str]) -> Result<Object<'a>> {
        let members = self.members()?;
        match members.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(Object {
                path: self.path.clone(),
                members,
            }),
            Some(key) => Err(self
                .fault(format!("unknown key \"{key}\""))
                .hint(names::hint(key, "keys", known))),
        }
    }

    /// The members of an object with any keys.
    pub fn entries(&self) -> Result<Vec<(&'a str, Node<'a>)>> {
        let members = self.members()?.iter();
        Ok(members
            .map(|(key, value)| (key.as_str(), self.below(key, value)))
            .collect())
    }

    fn members(&self) -> Result<&'a Map<String, Value>> {
        self.value
            .as_object()
            .ok_or_else(|| self.expected("an object"))
    }

    fn below(&self, key: &str, value: &'a Value) -> Self {
        let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let path = match plain && !key.is_empty() {
            true => format!("{}.{key}", self.path),
            false => format!("{}[{}]", self.path, Value::from(key)),
        };
        Self { path, value }
    }

    /// The elements of an array.
    pub fn elements(&self) -> Result<Vec<Self>> {
        let elements = self
            .value
            .as_array()
            .ok_or_else(|| self.expected("an array"))?;
        Ok(elements
            .iter()
            .enumerate()
            .map(|(n, value)| Self {
                path: format!("{}[{n}]", self.path),
                value,
            })
            .collect())
    }

    /// A string.
    pub fn text(&self) -> Result<String> {
        let text = self.value.as_str().map(str::to_owned);
        text.ok_or_else(|| self.expected("a string"))
    }

    /// A whole number of 32 bits.
    pub fn integer(&self) -> Result<i32> {
        self.value
            .as_i64()
            .or_else(|| {
                // jsonb keeps 10.0 as it was written.
                let float = self.value.as_f64().filter(|float| float.fract() == 0.0)?;
                (float.abs() < 1e15).then_some(float as i64)
            })
            .and_then(|number| i32::try_from(number).ok())
            .ok_or_else(|| self.expected("a whole number"))
    }

    /// true or false.
    pub fn boolean(&self) -> Result<bool> {
        self.value
            .as_bool()
            .ok_or_else(|| self.expected("true or false"))
    }

    /// An array of strings.
    pub fn texts(&self) -> Result<Vec<String>> {
        self.elements()?.iter().map(Self::text).collect()
    }

    /// The value as it is.
    pub fn value(&self) -> Value {
        self.value.clone()
    }
}

impl<'a> Object<'a> {
    /// A member; null is as good as absent.
    pub fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.members.get(key).filter(|value| !value.is_null())?;
        let node = Node {
            path: self.path.clone(),
            value,
        };
        Some(node.below(key, value))
    }

    /// A member that must be there.
    pub fn want(&self, key: &str) -> Result<Node<'a>> {
        self.get(key)
            .ok_or_else(|| Error::invalid(format!("{}: \"{key}\" is missing", self.path)))
    }

    /// A member through `read`, or nothing.
    pub fn maybe<T>(&self, key: &str, read: impl Fn(&Node<'a>) -> Result<T>) -> Result<Option<T>> {
        self.get(key).map(|node| read(&node)).transpose()
    }

    /// A member through `read`, or `default`.
    pub fn or<T>(&self, key: &str, default: T, read: impl Fn(&Node<'a>) -> Result<T>) -> Result<T> {
        Ok(self.maybe(key, read)?.unwrap_or(default))
    }
}
