//! The configuration as one JSON document.

use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::Reading;
use super::declared::{Declared, to_json};
use super::fault::Fault;
use super::identifier_types::IdentifierType;
use super::mappings::Mapping;
use super::matchers::Matcher;
use super::node::{Node, Object};
use super::schedules::Schedule;
use super::segments::Segment;
use super::sources::Source;
use super::traits::Trait;
use crate::install;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, role};

/// The version of the document's form.
const VERSION: i32 = 1;

const KEYS: [&str; 8] = [
    "version",
    Source::SECTION,
    IdentifierType::SECTION,
    Trait::SECTION,
    Mapping::SECTION,
    Matcher::SECTION,
    Segment::SECTION,
    Schedule::SECTION,
];

/// Everything that is declared, as one document for version control; see `cdp.apply()`. Attributes at
/// their defaults are left out. `jsonb_pretty(cdp.config())` is easier to read.
///
/// # Errors
/// 55000 before `cdp.init()`.
#[pg_extern(stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn config() -> JsonB {
    let document = role::as_owner(|| {
        install::require_tables()?;
        Ok(current(Reading::Snapshot))
    });
    JsonB(document.or_raise())
}

/// Everything that is declared.
pub fn current(reading: Reading) -> Value {
    fn section<D: Declared>(document: &mut Map<String, Value>, reading: Reading) {
        let all = D::all(reading).iter().map(to_json).collect();
        document.insert(D::SECTION.to_owned(), Value::Array(all));
    }
    let mut document = Map::new();
    document.insert("version".to_owned(), Value::from(VERSION));
    section::<Source>(&mut document, reading);
    section::<IdentifierType>(&mut document, reading);
    section::<Trait>(&mut document, reading);
    section::<Mapping>(&mut document, reading);
    section::<Matcher>(&mut document, reading);
    section::<Segment>(&mut document, reading);
    section::<Schedule>(&mut document, reading);
    Value::Object(document)
}

/// A declaration in a document, and where it stands.
#[derive(Debug, Clone)]
pub struct Item<D> {
    /// Where: `$.traits[2]`.
    pub path: String,
    /// What is declared.
    pub spec: D,
}

/// A document that is good by itself. A section that it does not have is left alone.
#[derive(Debug)]
pub struct Document {
    pub sources: Option<Vec<Item<Source>>>,
    pub identifier_types: Option<Vec<Item<IdentifierType>>>,
    pub traits: Option<Vec<Item<Trait>>>,
    pub mappings: Option<Vec<Item<Mapping>>>,
    pub matchers: Option<Vec<Item<Matcher>>>,
    pub segments: Option<Vec<Item<Segment>>>,
    pub schedules: Option<Vec<Item<Schedule>>>,
}

impl Document {
    /// Reads a document.
    pub fn read(value: &Value) -> Result<Self> {
        let root = Node::root(value).object(&KEYS)?;
        if let Some(node) = root.get("version") {
            let version = node.integer()?;
            if version != VERSION {
                return Err(node
                    .fault(format!("unknown version {version}"))
                    .hint(format!("This version of pg_cdp reads version {VERSION}.")));
            }
        }
        Ok(Self {
            sources: section(&root)?,
            identifier_types: section(&root)?,
            traits: section(&root)?,
            mappings: section(&root)?,
            matchers: section(&root)?,
            segments: section(&root)?,
            schedules: section(&root)?,
        })
    }

    /// The error of a fault, with its path where the document has one.
    pub fn error(&self, fault: Fault) -> Error {
        fn path<D: Declared>(items: &Option<Vec<Item<D>>>, name: &str) -> Option<String> {
            let items = items.as_ref()?;
            let item = items.iter().find(|item| item.spec.name() == name)?;
            Some(item.path.clone())
        }
        let Some((section, name)) = &fault.place else {
            return fault.error;
        };
        let path = match *section {
            IdentifierType::SECTION => path(&self.identifier_types, name),
            Trait::SECTION => path(&self.traits, name),
            Segment::SECTION => path(&self.segments, name),
            _ => None,
        };
        match path {
            Some(path) => fault.in_document(&path),
            // What the document leaves alone no longer fits the rest of it.
            None => fault.in_document("$"),
        }
    }
}

fn section<D: Declared>(root: &Object) -> Result<Option<Vec<Item<D>>>> {
    let Some(node) = root.get(D::SECTION) else {
        return Ok(None);
    };
    let mut items: Vec<Item<D>> = Vec::new();
    for element in node.elements()? {
        let object = element.object(D::KEYS)?;
        let name_node = object.want(D::NAME_KEY)?;
        let name = name_node.text()?;
        if items.iter().any(|earlier| earlier.spec.name() == name) {
            return Err(name_node.fault(format!("{} \"{name}\" is declared twice", D::KIND)));
        }
        let spec = D::read(name, &object)?;
        spec.check()
            .map_err(|fault| fault.in_document(&element.path))?;
        items.push(Item {
            path: element.path,
            spec,
        });
    }
    Ok(Some(items))
}
