//! Declared identifier types: normalisers, validity, blocked values.

mod blocked;
mod normalise;
mod paths;
mod phone;

use std::collections::HashSet;
use std::fmt;

use regex::{Regex, RegexSet};

pub use normalise::{Invalid, MAX_BYTES};
pub(crate) use paths::PathNode;

/// How the values of a type are brought to one form. Every normaliser gives its own result back
/// unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Normaliser {
    /// Unicode NFC, trimmed of white space and invisible characters. Case counts.
    Text,
    /// As `Text`, without regard to case (full Unicode case folding).
    Casefold,
    /// An e-mail address: `mailto:`, a display name and a last dot are taken off, case is folded.
    /// What follows a plus sign is kept (`a+b@x` is not `a@x`), as are dots: only some providers
    /// ignore them. A host without a dot is allowed, an international one is not rewritten.
    Email,
    /// A telephone number, in E.164. An extension is kept (`+12015550123;ext=12`): behind one
    /// switchboard there are many people. A number must be one by its form; whether it is in use is
    /// not asked, for that changes.
    Phone {
        /// The country (two letters) of numbers without a country code. Without it such a number is
        /// invalid.
        default_region: Option<String>,
    },
    /// The decimal digits only, of any script, as ASCII.
    Digits,
    /// The value as it is.
    None,
}

/// Brings one value to the form that a normaliser gives, as [`IdentifierTypes::normalise`] does for a
/// whole declaration but without its pattern.
pub fn normalise(normaliser: &Normaliser, raw: &str) -> Result<String, Invalid> {
    let compiled = normalise::Compiled::new(normaliser)
        .map_err(|message| Invalid::new("phone_region", message))?;
    compiled.apply(raw)
}

/// A declared identifier type.
#[derive(Clone, Debug)]
pub struct TypeSpec {
    /// The name: `email`, `user_id`.
    pub name: String,
    /// Where messages show it: dotted paths such as `userId` or `context.traits.email`.
    pub paths: Vec<String>,
    /// How values are brought to one form.
    pub normaliser: Normaliser,
    /// A regular expression that a normalised value must match. It is not anchored by itself.
    pub pattern: Option<String>,
    /// Values that join nobody, however they are written.
    pub blocked_values: Vec<String>,
    /// Regular expressions of normalised, case-folded values that join nobody.
    pub blocked_patterns: Vec<String>,
    /// Whether the built-in list of values that join nobody applies too.
    pub use_builtin_blocked: bool,
}

/// What is wrong with a declared type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// The type.
    pub type_name: String,
    /// The field of [`TypeSpec`].
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            type_name,
            field,
            message,
        } = self;
        write!(f, "identifier type \"{type_name}\", {field}: {message}")
    }
}

impl std::error::Error for SpecError {}

/// The declared identifier types, ready for use. A type is known by its index in the list that it was
/// declared with.
#[derive(Debug)]
pub struct IdentifierTypes {
    types: Vec<IdentifierType>,
    paths: PathNode,
}

#[derive(Debug)]
struct IdentifierType {
    name: String,
    normaliser: normalise::Compiled,
    pattern: Option<Regex>,
    blocked_values: HashSet<String>,
    blocked_patterns: RegexSet,
    use_builtin_blocked: bool,
}

impl IdentifierTypes {
    /// Compiles declared types.
    pub fn new(specs: Vec<TypeSpec>) -> Result<Self, SpecError> {
        let mut paths = PathNode::default();
        let mut types: Vec<IdentifierType> = Vec::with_capacity(specs.len());
        for (index, spec) in specs.into_iter().enumerate() {
            let error = |field, message: String| SpecError {
                type_name: spec.name.clone(),
                field,
                message,
            };
            if spec.name.trim().is_empty() {
                return Err(error("name", "a type needs a name".to_owned()));
            }
            if types.iter().any(|earlier| earlier.name == spec.name) {
                return Err(error("name", "declared twice".to_owned()));
            }
            for path in &spec.paths {
                paths
                    .add(path, index)
                    .map_err(|message| error("paths", message))?;
            }
            types.push(IdentifierType::compile(&spec, error)?);
        }
        Ok(Self { types, paths })
    }

    /// The number of types.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether no type is declared.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The index of a type.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        // A handful of types: comparing beats hashing.
        self.types.iter().position(|known| known.name == name)
    }

    /// The name of a type.
    pub fn name(&self, type_index: usize) -> &str {
        &self.types[type_index].name
    }

    /// Brings a value to the one form of its type.
    pub fn normalise(&self, type_index: usize, raw: &str) -> Result<String, Invalid> {
        let known = &self.types[type_index];
        let value = known.normaliser.apply(raw)?;
        match &known.pattern {
            Some(pattern) if !pattern.is_match(&value) => {
                let detail = format!("does not match {pattern}");
                Err(Invalid::new("pattern", detail))
            }
            _ => Ok(value),
        }
    }

    /// Whether a normalised value joins nobody: it stands for no one (`null`, `0`, `test@…`) or for
    /// many. Such an identifier is kept, but is no evidence.
    pub fn is_blocked(&self, type_index: usize, normalised: &str) -> bool {
        let known = &self.types[type_index];
        let folded = normalise::fold(normalised);
        known.blocked_values.contains(folded.as_ref())
            || known.blocked_patterns.is_match(&folded)
            || (known.use_builtin_blocked && blocked::is_builtin(&folded))
    }

    /// Where identifiers stand in a message.
    pub(crate) fn paths(&self) -> &PathNode {
        &self.paths
    }
}

impl IdentifierType {
    fn compile(
        spec: &TypeSpec,
        error: impl Fn(&'static str, String) -> SpecError,
    ) -> Result<Self, SpecError> {
        let normaliser = normalise::Compiled::new(&spec.normaliser)
            .map_err(|message| error("normaliser", message))?;
        let pattern = spec.pattern.as_deref().map(Regex::new).transpose();
        let mut blocked_values = HashSet::new();
        for value in &spec.blocked_values {
            // As written too: "000" is blocked by whoever writes it, though it is no e-mail address.
            blocked_values.insert(normalise::fold(value.trim()).into_owned());
            if let Ok(value) = normaliser.apply(value) {
                blocked_values.insert(normalise::fold(&value).into_owned());
            }
        }
        Ok(Self {
            name: spec.name.clone(),
            pattern: pattern.map_err(|e| error("pattern", e.to_string()))?,
            blocked_values,
            blocked_patterns: RegexSet::new(&spec.blocked_patterns)
                .map_err(|e| error("blocked_patterns", e.to_string()))?,
            use_builtin_blocked: spec.use_builtin_blocked,
            normaliser,
        })
    }
}

#[cfg(test)]
mod tests;
