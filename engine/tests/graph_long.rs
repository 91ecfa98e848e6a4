//! Very many identifiers in a row: one profile, or a chain that one change turns from end to end. For a
//! million: CDP_LONG=1000000 cargo test --release --test graph_long

use cdp_engine::graph::{
    Apart, Changes, Decision, Evidence, Link, Node, Spread, Store, StoredLink, StoredNode,
    TypeRule, Update, resolve, update,
};

fn length() -> i64 {
    match std::env::var("CDP_LONG") {
        Ok(given) => given.parse().expect("a number"),
        Err(_) => 30_000,
    }
}

/// Identifiers 1, 2, 3, … of which each is linked with the next.
struct Row {
    types: fn(i64) -> u16,
    /// By node, from 1 on; and of the link from each node to the next.
    profiles: Vec<Option<i64>>,
    decisions: Vec<Option<Decision>>,
    /// The link that is gone.
    gone: Option<i64>,
    /// By profile.
    members: std::collections::HashMap<i64, Vec<i64>>,
    passes: usize,
    told: Vec<Spread>,
    /// How often may be told how far it is, before it is stopped.
    patience: usize,
}

impl Row {
    /// As a full pass decides it.
    fn of(length: i64, types: fn(i64) -> u16, rules: &[TypeRule]) -> Self {
        let nodes: Vec<Node> = (1..=length).map(|id| node(id, types)).collect();
        let links: Vec<Link> = (1..length)
            .map(|id| Link {
                a: id as u32 - 1,
                b: id as u32,
                evidence: Evidence::Observed,
                confirmed: true,
                first_seen: id,
            })
            .collect();
        let found = resolve(&nodes, &links, &[], rules);
        let profiles = (0..length as u32).map(|n| Some(found.profile_id(&nodes, n)));
        let mut row = Self {
            types,
            profiles: std::iter::once(None).chain(profiles).collect(),
            decisions: std::iter::once(None)
                .chain(found.decisions.into_iter().map(Some))
                .collect(),
            gone: None,
            members: Default::default(),
            passes: 0,
            told: Vec::new(),
            patience: usize::MAX,
        };
        for (id, profile) in (0..).zip(&row.profiles) {
            if let Some(profile) = profile {
                row.members.entry(*profile).or_default().push(id);
            }
        }
        row
    }

    /// One more at the end.
    fn grow(&mut self) -> i64 {
        self.decisions.push(None);
        self.profiles.push(None);
        self.length()
    }

    fn length(&self) -> i64 {
        self.profiles.len() as i64 - 1
    }

    /// The link from this node to the next.
    fn link(&self, id: i64) -> Option<StoredLink> {
        (id >= 1 && id < self.length() && self.gone != Some(id)).then(|| StoredLink {
            a_id: id,
            b_id: id + 1,
            evidence: Evidence::Observed,
            confirmed: true,
            first_seen: id,
            decision: self.decisions[id as usize],
        })
    }

    fn update(&mut self, changes: &Changes, rules: &[TypeRule]) -> Result<Update, Stopped> {
        (self.passes, self.told) = (0, Vec::new());
        update(self, changes, rules)
    }
}

fn node(id: i64, types: fn(i64) -> u16) -> Node {
    Node {
        id,
        type_idx: types(id),
        value: id.to_string().into(),
    }
}

#[derive(Debug, PartialEq)]
struct Stopped;

impl Store for Row {
    type Error = Stopped;

    fn clusters_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredNode>, Stopped> {
        let mut found = Vec::new();
        let mut read = std::collections::HashSet::new();
        for &id in node_ids {
            let profile_id = self.profiles[id as usize];
            let stored = |id: i64| StoredNode {
                node: node(id, self.types),
                profile_id,
            };
            match profile_id {
                None => found.push(stored(id)),
                Some(profile) if read.insert(profile) => {
                    found.extend(self.members[&profile].iter().map(|&id| stored(id)));
                }
                Some(_) => {}
            }
        }
        Ok(found)
    }

    fn links_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredLink>, Stopped> {
        let mut of: Vec<i64> = node_ids.iter().flat_map(|&id| [id - 1, id]).collect();
        of.sort_unstable();
        of.dedup();
        Ok(of.into_iter().filter_map(|id| self.link(id)).collect())
    }

    fn accepted_within(&mut self, clusters: &[Vec<i64>]) -> Result<Vec<StoredLink>, Stopped> {
        let within = clusters.iter().flatten().filter_map(|&id| self.link(id));
        Ok(within
            .filter(|link| link.decision == Some(Decision::Accepted))
            .collect())
    }

    fn links_between(&mut self, pairs: &[(i64, i64)]) -> Result<Vec<StoredLink>, Stopped> {
        let links = pairs.iter().filter_map(|&(a, b)| self.link(a.min(b)));
        Ok(links.collect())
    }

    fn apart_of(&mut self, _: &[i64]) -> Result<Vec<Apart<i64>>, Stopped> {
        Ok(Vec::new())
    }

    fn spreads(&mut self, spread: Spread) -> Result<(), Stopped> {
        self.told.push(spread);
        match self.told.len() > self.patience {
            true => Err(Stopped),
            false => Ok(()),
        }
    }

    fn run<T: Send + 'static>(
        &mut self,
        _: usize,
        pass: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.passes += 1;
        Ok(pass())
    }
}

fn rule(max_per_profile: Option<u32>) -> TypeRule {
    TypeRule {
        priority: 1,
        max_per_profile,
        ..TypeRule::default()
    }
}

#[test]
fn a_path_is_one_profile_and_one_more_is_one_more() {
    let rules = [rule(None)];
    let length = length();
    let mut row = Row::of(length, |_| 0, &rules);
    assert_eq!(row.members[&1].len() as i64, length);
    let new = row.grow();
    let gained = Changes {
        gained: vec![(new - 1, new)],
        ..Changes::default()
    };
    let found = row.update(&gained, &rules).expect("nobody stops it");
    assert_eq!(
        (found.moved.len(), found.moved[0].to, found.decided.len()),
        (1, 1, 1)
    );
    assert_eq!(row.passes, 1);
}

#[test]
fn a_chain_turns_in_few_passes_and_tells_how_far_it_is() {
    // user_ids 1, 3, … and e-mails 2, 4, …, each at most once in a profile.
    let rules = [
        rule(Some(1)),
        TypeRule {
            priority: 2,
            ..rule(Some(1))
        },
    ];
    let length = length();
    let mut row = Row::of(length, |id| u16::from(id % 2 == 0), &rules);
    assert_eq!(row.members.len() as i64, length / 2);
    row.gone = Some(1);
    let disturbed = Changes {
        disturbed: vec![1, 2],
        ..Changes::default()
    };
    let found = row.update(&disturbed, &rules).expect("nobody stops it");
    // Every second one goes over to the next; the last stays alone.
    assert_eq!(found.moved.len() as i64, length / 2);
    assert_eq!(found.decided.len() as i64, length - 2);
    assert!(row.passes < 40, "{} passes", row.passes);
    assert!(row.told.len() > 50);
    assert!(row.told.iter().all(|told| told.read <= told.reached));
    assert!(row.told.is_sorted());
    let reached = row.told.last().map_or(0, |told| told.reached as i64);
    assert!(reached > length - 2_000, "{reached}");

    // Stopped on the way, it gives nothing; and once more, everything.
    row.patience = row.told.len() / 2;
    assert_eq!(row.update(&disturbed, &rules), Err(Stopped));
    row.patience = usize::MAX;
    assert_eq!(row.update(&disturbed, &rules), Ok(found));
}
