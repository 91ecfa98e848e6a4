//! Messages go in, profiles come out.

use std::collections::{BTreeMap, BTreeSet};

use cdp_engine::graph::{Evidence, Link, Node, SetNode, Shown, TypeRule, resolve, star};

/// Rules and messages.
#[derive(Clone)]
pub struct Scenario {
    types: Vec<(String, TypeRule)>,
    messages: Vec<Vec<String>>,
    blocked: Vec<String>,
    shared: Vec<String>,
}

/// An identifier type with its priority.
pub fn of_type(priority: i32, max_per_profile: Option<u32>, bridges: bool) -> TypeRule {
    TypeRule {
        priority,
        max_per_profile,
        bridges,
        ..TypeRule::default()
    }
}

/// What a profile holds at most one of.
pub fn unique(priority: i32) -> TypeRule {
    of_type(priority, Some(1), true)
}

/// What a profile holds any number of.
pub fn any(priority: i32) -> TypeRule {
    of_type(priority, None, true)
}

/// What belongs to a person, and makes no two persons one.
pub fn device(priority: i32) -> TypeRule {
    of_type(priority, None, false)
}

impl Scenario {
    /// Types by name, the strongest first.
    pub fn new(types: &[(&str, TypeRule)]) -> Self {
        Self {
            types: types
                .iter()
                .map(|(name, rule)| ((*name).to_owned(), rule.clone()))
                .collect(),
            messages: Vec::new(),
            blocked: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// Messages, each later than the one before; each shows identifiers, written `type:value`.
    pub fn seen(mut self, messages: &[&str]) -> Self {
        let identifiers = |message: &&str| message.split_whitespace().map(str::to_owned).collect();
        self.messages.extend(messages.iter().map(identifiers));
        self
    }

    /// Values that stand for nobody.
    pub fn blocked(mut self, identifiers: &[&str]) -> Self {
        self.blocked = identifiers.iter().map(|i| (*i).to_owned()).collect();
        self
    }

    /// Identifiers that were seen with too many others.
    pub fn shared(mut self, identifiers: &[&str]) -> Self {
        self.shared = identifiers.iter().map(|i| (*i).to_owned()).collect();
        self
    }

    /// Every type keeps the last link (`keep => 'last'`) and bridges: how those decide who keep the last
    /// login, and know of no devices.
    pub fn last_wins(mut self) -> Self {
        for (_, rule) in &mut self.types {
            rule.keep_last = true;
            rule.bridges = true;
        }
        self
    }

    /// Types that keep the last link (`keep => 'last'`), and decide by their other rules as before.
    pub fn keeping_last(mut self, types: &[&str]) -> Self {
        for (name, rule) in &mut self.types {
            rule.keep_last |= types.contains(&name.as_str());
        }
        self
    }

    fn type_of(&self, identifier: &str) -> u16 {
        let name = identifier.split(':').next().unwrap_or_default();
        let position = self.types.iter().position(|(known, _)| known == name);
        position.unwrap_or_else(|| panic!("no type {name}")) as u16
    }

    /// The profiles, each as its values in order. An identifier that stands for nobody is in none.
    pub fn profiles(&self) -> BTreeSet<String> {
        let rules: Vec<TypeRule> = self.types.iter().map(|(_, rule)| rule.clone()).collect();
        let named: BTreeSet<&String> = self.messages.iter().flatten().collect();
        let named: Vec<&String> = named.into_iter().collect();
        let nodes: Vec<Node> = (0..)
            .zip(&named)
            .map(|(id, identifier)| Node {
                id,
                type_idx: self.type_of(identifier),
                value: identifier.as_str().into(),
            })
            .collect();
        let mut pairs: BTreeMap<(i64, i64), Shown> = BTreeMap::new();
        let mut held: BTreeSet<i64> = BTreeSet::new();
        for (time, message) in (0..).zip(&self.messages) {
            let set: Vec<SetNode> = nodes
                .iter()
                .filter(|node| message.iter().any(|i| **i == *node.value))
                .map(|node| SetNode {
                    node_id: node.id,
                    type_idx: node.type_idx,
                    value: &node.value,
                    blocked: self.blocked.iter().any(|i| **i == *node.value),
                    shared: self.shared.iter().any(|i| **i == *node.value),
                })
                .collect();
            let star = star(&set, &rules);
            held.extend(star.centre);
            for (centre, leaf) in star
                .leaves
                .into_iter()
                .filter_map(|l| Some((star.centre?, l)))
            {
                held.insert(leaf);
                // One source, on one day: nothing is confirmed.
                let shown = Shown {
                    linked_at: time,
                    first_seen: time,
                    last_seen: time,
                    source: 1,
                    confirmed: false,
                };
                pairs
                    .entry((centre, leaf))
                    .and_modify(|known| known.join(&shown))
                    .or_insert(shown);
            }
        }
        let links: Vec<Link> = pairs
            .into_iter()
            .map(|((a, b), shown)| {
                // Types are in order of their priority.
                let types = [a, b].map(|id| nodes[id as usize].type_idx);
                let weaker = usize::from(types[0].max(types[1]));
                Link {
                    a: a as u32,
                    b: b as u32,
                    evidence: Evidence::Observed,
                    confirmed: shown.is_confirmed(),
                    // As the extension dates it.
                    first_seen: match rules[weaker].keep_last {
                        true => shown.last_seen,
                        false => shown.linked_at,
                    },
                }
            })
            .collect();
        let found = resolve(&nodes, &links, &[], &rules);
        let mut members: BTreeMap<i64, Vec<&Node>> = BTreeMap::new();
        for (n, node) in (0u32..)
            .zip(&nodes)
            .filter(|(_, node)| held.contains(&node.id))
        {
            members
                .entry(found.profile_id(&nodes, n))
                .or_default()
                .push(node);
        }
        let written = members.into_values().map(|mut profile| {
            profile.sort_by_key(|node| (node.type_idx, node.value.clone()));
            let values = profile
                .iter()
                .filter_map(|node| node.value.split(':').nth(1));
            values.collect::<Vec<_>>().join(" ")
        });
        written.collect()
    }

    /// Checks the profiles, each written as its values, the strongest type first, then as bytes.
    #[track_caller]
    pub fn gives(&self, profiles: &[&str]) {
        let expected: BTreeSet<String> = profiles.iter().map(|p| (*p).to_owned()).collect();
        assert_eq!(self.profiles(), expected);
    }
}
