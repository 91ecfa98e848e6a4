//! The hash of what a message says, however it was written down.

use std::cmp::Ordering;

use super::json::{NodeId, Shape, Tree};

enum Step {
    Put(u8),
    Write(NodeId),
}

/// Hashes an object in canonical form: no white space, keys sorted, of a key given twice the last
/// value, strings with the fewest escapes, numbers as written, a comma after each element (only the
/// hash is kept, so nobody parses this form). Members of the outermost object whose
/// key `skip` accepts do not count.
pub(super) fn content_hash(tree: &Tree<'_>, skip: impl Fn(&str) -> bool) -> i64 {
    let mut out: Vec<u8> = Vec::with_capacity(tree.text(Tree::ROOT).len());
    let mut members: Vec<(NodeId, NodeId)> = Vec::new();
    // A list of things still to write instead of recursion: the input decides how deep it is.
    let mut steps = vec![Step::Write(Tree::ROOT)];
    while let Some(step) = steps.pop() {
        let id = match step {
            Step::Put(byte) => {
                out.push(byte);
                continue;
            }
            Step::Write(id) => id,
        };
        match tree.shape(id) {
            Shape::Object => {
                members.clear();
                members.extend(tree.members(id));
                if id == Tree::ROOT {
                    members.retain(|&(key, _)| !skip(&tree.string(key)));
                }
                sort_members(tree, &mut members);
                out.push(b'{');
                steps.push(Step::Put(b'}'));
                for &(key, value) in members.iter().rev() {
                    steps.push(Step::Put(b','));
                    steps.push(Step::Write(value));
                    steps.push(Step::Put(b':'));
                    steps.push(Step::Write(key));
                }
            }
            Shape::Array => {
                out.push(b'[');
                let first = steps.len();
                for element in tree.elements(id) {
                    steps.push(Step::Write(element));
                    steps.push(Step::Put(b','));
                }
                steps.push(Step::Put(b']'));
                steps[first..].reverse();
            }
            _ => write_scalar(tree, id, &mut out),
        }
    }
    xxhash_rust::xxh3::xxh3_64(&out).cast_signed()
}

/// Sorts members by key, and keeps the last of those with one key.
fn sort_members(tree: &Tree<'_>, members: &mut Vec<(NodeId, NodeId)>) {
    // Equal keys: the later first, for `dedup` keeps the first.
    let order = |a: NodeId, b: NodeId| -> Ordering { tree.string(a).cmp(&tree.string(b)) };
    members.sort_unstable_by(|a, b| order(a.0, b.0).then(b.0.cmp(&a.0)));
    members.dedup_by(|a, b| order(a.0, b.0).is_eq());
}

fn write_scalar(tree: &Tree<'_>, id: NodeId, out: &mut Vec<u8>) {
    match (tree.shape(id), tree.string(id)) {
        (Shape::String, std::borrow::Cow::Owned(text)) => {
            let quoted = serde_json::Value::String(text).to_string();
            out.extend_from_slice(quoted.as_bytes());
        }
        _ => out.extend_from_slice(tree.text(id).as_bytes()),
    }
}
