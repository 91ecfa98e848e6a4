//! Finding the identifiers that a message shows.

use super::envelope::{Envelope, Field, field_of};
use super::json::{NodeId, Shape, Tree};
use super::{Found, Kind, Rejection, Undeclared};
use crate::identifier::{IdentifierTypes, PathNode};

/// Finds every identifier, each once: by the declared paths, in `context.externalIds`, and in the
/// `identifiers` object; and what that object has of types that are not declared.
pub(super) fn find(
    tree: &Tree<'_>,
    fields: &Envelope<'_, '_>,
    kind: Kind,
    types: &IdentifierTypes,
) -> Result<(Vec<Found>, Vec<Undeclared>), Rejection> {
    let mut finder = Finder {
        tree,
        types,
        found: Vec::with_capacity(8),
        undeclared: Vec::new(),
    };
    for path in &types.paths().next {
        let value = match field_of(&path.key) {
            Some((field, _)) if speaks_of_person(field, kind) => fields.get(field),
            Some(_) => None,
            None => tree.get(Tree::ROOT, &path.key),
        };
        if let Some(value) = value {
            finder.walk(value, path);
        }
    }
    if let Some(ids) = fields
        .get(Field::Context)
        .and_then(|context| tree.get(context, "externalIds"))
    {
        finder.external_ids(ids);
    }
    if let Some(identifiers) = fields.get(Field::Identifiers) {
        finder
            .identifiers(identifiers)
            .map_err(|wanted| fields.wrong_type(Field::Identifiers, wanted))?;
    }
    let mut found = finder.found;
    found.sort_unstable();
    found.dedup();
    Ok((found, finder.undeclared))
}

/// The traits of a group are not those of a person, and only `alias` has a previous id.
fn speaks_of_person(field: Field, kind: Kind) -> bool {
    match field {
        Field::Traits => kind == Kind::Identify,
        Field::PreviousId => kind == Kind::Alias,
        _ => true,
    }
}

struct Finder<'t, 'a> {
    tree: &'t Tree<'a>,
    types: &'t IdentifierTypes,
    found: Vec<Found>,
    undeclared: Vec<Undeclared>,
}

impl Finder<'_, '_> {
    /// Follows paths below a value. Arrays give each of their elements; an array in an array is not
    /// looked into, so the depth is that of the paths.
    fn walk(&mut self, value: NodeId, path: &PathNode) {
        if self.tree.shape(value) == Shape::Array {
            let tree = self.tree;
            for element in tree.elements(value) {
                if tree.shape(element) != Shape::Array {
                    self.walk(element, path);
                }
            }
            return;
        }
        for &type_index in &path.types {
            self.add(type_index, value);
        }
        for next in &path.next {
            if let Some(value) = self.tree.get(value, &next.key) {
                self.walk(value, next);
            }
        }
    }

    fn add(&mut self, type_index: usize, value: NodeId) {
        if let Some(text) = self.tree.scalar(value) {
            self.found.push(Found {
                type_index,
                value: text.into_owned(),
            });
        }
    }

    /// `[{"id": "1", "type": "loyalty_id"}]`. What the spec says of accounts is passed over, and so is
    /// what has another form: `context` is the sender's, and is stored whole.
    fn external_ids(&mut self, ids: NodeId) {
        let tree = self.tree;
        for entry in tree.elements(ids) {
            let text = |key| tree.get(entry, key).and_then(|value| tree.scalar(value));
            if text("collection").is_some_and(|collection| collection != "users") {
                continue;
            }
            let type_index = text("type").and_then(|name| self.types.index_of(&name));
            if let (Some(type_index), Some(id)) = (type_index, tree.get(entry, "id")) {
                self.add(type_index, id);
            }
        }
    }

    /// `{"loyalty_id": "1", "email": ["a@x", "b@x"]}`. Types that are not declared are noted: a
    /// type may be declared later, and the field is stored whole. The error says what was wanted.
    fn identifiers(&mut self, object: NodeId) -> Result<(), &'static str> {
        let tree = self.tree;
        if tree.is_empty_array(object) {
            return Ok(());
        }
        if tree.shape(object) != Shape::Object {
            return Err("an object");
        }
        for (key, value) in tree.members(object) {
            let type_index = self.types.index_of(&tree.string(key));
            let mut take = |value| match tree.shape(value) {
                Shape::String | Shape::Number | Shape::Null => {
                    match (type_index, tree.scalar(value)) {
                        (Some(type_index), _) => self.add(type_index, value),
                        (None, Some(text)) => {
                            let name = tree.string(key).into_owned();
                            self.undeclared.push((name, text.into_owned()));
                        }
                        (None, None) => {}
                    }
                    Ok(())
                }
                _ => Err("an object of strings, numbers or arrays of these"),
            };
            match tree.shape(value) {
                Shape::Array => tree.elements(value).try_for_each(take)?,
                _ => take(value)?,
            }
        }
        Ok(())
    }
}
