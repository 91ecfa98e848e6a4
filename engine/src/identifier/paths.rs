//! Where identifiers stand in a message: every declared path, merged into one tree, so that a message
//! is searched once however many types there are.

/// A step of a path, and the steps that may follow it.
#[derive(Debug, Default)]
pub(crate) struct PathNode {
    /// The key of the object member that this step takes.
    pub(crate) key: String,
    /// The types (by index) that take a value found here.
    pub(crate) types: Vec<usize>,
    pub(crate) next: Vec<PathNode>,
}

impl PathNode {
    /// Adds a dotted path. The error says what is wrong with the path.
    pub(super) fn add(&mut self, path: &str, type_index: usize) -> Result<(), String> {
        let mut node = self;
        for key in path.split('.') {
            if key.trim().is_empty() {
                return Err(format!("\"{path}\" has an empty part"));
            }
            let at = match node.next.iter().position(|next| next.key == key) {
                Some(at) => at,
                None => {
                    node.next.push(PathNode {
                        key: key.to_owned(),
                        ..PathNode::default()
                    });
                    node.next.len() - 1
                }
            };
            node = &mut node.next[at];
        }
        if !node.types.contains(&type_index) {
            node.types.push(type_index);
        }
        Ok(())
    }
}
