//! The hash of what a message says, however it was written down.

use std::borrow::Cow;

use super::json::{NodeId, Shape, Tree};
use super::number;

/// How numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// By what they are: `1e2` is `100`.
    ByValue,
    /// By how they are written, as they did once.
    AsWritten,
}

enum Step {
    /// A member of an object.
    Member(NodeId, NodeId),
    /// An element of an array.
    Element(NodeId),
    /// The end of either.
    Close(u8),
}

/// Hashes the outermost object in a canonical form: no white space, keys sorted, of a key given twice
/// the last value, strings with the fewest escapes, numbers by their value. Its members whose key `skip`
/// accepts do not count.
///
/// Nobody reads the form, so it spares what it does not need to tell contents apart: there are no
/// commas between members.
pub(super) fn content_hash(tree: &Tree<'_>, numbers: Numbers, skip: impl Fn(&str) -> bool) -> i64 {
    let mut out: Vec<u8> = Vec::with_capacity(tree.text(Tree::ROOT).len());
    let mut members: Vec<Member<'_>> = Vec::with_capacity(16);
    // A list of things still to write instead of recursion: the input decides how deep it is.
    let mut steps: Vec<Step> = Vec::with_capacity(32);
    members.extend(tree.members(Tree::ROOT).map(|member| named(tree, member)));
    members.retain(|(name, ..)| !skip(name));
    push_members(&mut members, &mut steps);
    while let Some(step) = steps.pop() {
        let id = match step {
            Step::Close(bracket) => {
                out.push(bracket);
                continue;
            }
            Step::Member(key, value) => {
                write_scalar(tree, key, numbers, &mut out);
                out.push(b':');
                value
            }
            Step::Element(element) => {
                out.push(b',');
                element
            }
        };
        match tree.shape(id) {
            Shape::Object => {
                out.push(b'{');
                steps.push(Step::Close(b'}'));
                members.extend(tree.members(id).map(|member| named(tree, member)));
                push_members(&mut members, &mut steps);
            }
            Shape::Array => {
                out.push(b'[');
                steps.push(Step::Close(b']'));
                let first = steps.len();
                steps.extend(tree.elements(id).map(Step::Element));
                steps[first..].reverse();
            }
            _ => write_scalar(tree, id, numbers, &mut out),
        }
    }
    xxhash_rust::xxh3::xxh3_64(&out).cast_signed()
}

/// What a key says, the key, and its value.
type Member<'a> = (Cow<'a, str>, NodeId, NodeId);

fn named<'a>(tree: &Tree<'a>, (key, value): (NodeId, NodeId)) -> Member<'a> {
    (tree.string(key), key, value)
}

/// Moves members to the steps, sorted, so that the first is on top; of equal keys only the last.
fn push_members(members: &mut Vec<Member<'_>>, steps: &mut Vec<Step>) {
    // The later of equal keys first, for `dedup` keeps the first.
    members.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    members.dedup_by(|a, b| a.0 == b.0);
    steps.extend(
        members
            .drain(..)
            .rev()
            .map(|(_, key, value)| Step::Member(key, value)),
    );
}

fn write_scalar(tree: &Tree<'_>, id: NodeId, numbers: Numbers, out: &mut Vec<u8>) {
    if numbers == Numbers::ByValue && tree.shape(id) == Shape::Number {
        number::write_value(tree.text(id).as_bytes(), out);
        return;
    }
    match tree.escaped_string(id) {
        Some(text) => {
            let quoted = serde_json::Value::String(text).to_string();
            out.extend_from_slice(quoted.as_bytes());
        }
        None => out.extend_from_slice(tree.text(id).as_bytes()),
    }
}
