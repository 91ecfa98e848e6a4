//! By what records are found: their blocking keys, as they are stored.
//!
//! A run stores all of them in pages (`cdp.match_key_pages`): some dozens of one rule a row, in order. What comes
//! and goes later is a row each (`cdp.match_key_changes`), until the next run.

use std::collections::HashSet;

use cdp_engine::matching::{Key, LiveKeys, Matcher as Trained, Share};

use super::rows::Nodes;
use super::store::{self, Matcher, compared};
use super::work;
use crate::args;
use crate::pg::append::append;
use crate::pg::look_up::LookUp;
use crate::pg::{Error, Result, sql, thread};
use crate::worker::progress;

/// The rule of keys that are identifiers.
pub const TIED: i16 = -1;

/// What records can have in common: the position of a rule and a key by it.
pub type Block = (i16, i64);

/// What works out the blocking keys of a matcher's records.
pub fn keys_of(matcher: &Matcher, model: &Trained) -> Result<LiveKeys> {
    let compared = compared(&matcher.sources);
    let names: Vec<&str> = compared.iter().map(|(name, _)| name.as_str()).collect();
    LiveKeys::new(&model.rules, &names).map_err(|error| Error::internal(error.to_string()))
}

/// Looks blocks up.
pub struct Blocks {
    matcher: i32,
    pages: LookUp,
    changes: LookUp,
}

impl Blocks {
    /// Those of a matcher. What the transaction wrote before is seen.
    pub fn open(matcher: &Matcher) -> Self {
        // Before the pages: where a run commits between the two, what it took in is seen twice rather than not.
        let changes = LookUp::open(
            "cdp.match_key_changes",
            &["key", "rule", "matcher_id"],
            &["node_id", "gone"],
        );
        Self {
            matcher: matcher.id,
            changes,
            pages: pages(),
        }
    }

    /// The records of a block; none when there are more than `most`.
    pub fn members(&mut self, (rule, key): Block, most: usize) -> Option<Vec<i64>> {
        let matcher = self.matcher;
        let mut members = Vec::new();
        let mut gone: HashSet<i64> = HashSet::new();
        self.changes.find(
            |values| {
                values.put(key).put(rule).put(matcher);
            },
            |found| {
                let node: i64 = found.want(1);
                if found.want(2) {
                    gone.insert(node);
                } else {
                    members.push(node);
                }
                members.len() <= most
            },
        );
        if members.len() > most {
            return None;
        }
        let since = members.clone();
        self.pages.find(
            |values| {
                values.put(matcher).put(rule).put(key);
            },
            |found| {
                let keys = found.numbers(3);
                let start = keys.partition_point(|&other| other < key);
                let end = keys.partition_point(|&other| other <= key);
                let nodes = &found.numbers(4)[start..end];
                let others = nodes.iter().filter(|node| !gone.contains(node));
                members.extend(others.filter(|node| !since.contains(node)));
                end == keys.len() && members.len() <= most
            },
        );
        (members.len() <= most).then_some(members)
    }

    /// Closes them.
    pub fn close(self) {
        self.pages.close();
        self.changes.close();
    }
}

/// Stored pages from a key on, in order.
fn pages() -> LookUp {
    LookUp::open_from(
        "cdp.match_key_pages",
        &["matcher_id", "rule", "last_key"],
        &["last_key", "last_node", "keys", "nodes"],
    )
}

/// Writes that records left blocks and joined others.
pub fn change(matcher: &Matcher, left: &[(Block, i64)], joined: &[(Block, i64)]) {
    type Row = (i64, i16, i64, bool);
    let row = |&((rule, key), node): &(Block, i64), gone| -> Row { (key, rule, node, gone) };
    let mut rows: Vec<Row> = left.iter().map(|one| row(one, true)).collect();
    rows.extend(joined.iter().map(|one| row(one, false)));
    if rows.is_empty() {
        return;
    }
    rows.sort_unstable();
    // What came since the run and goes, or went and comes back, is as the run left it.
    let undone: HashSet<(i64, i16, i64)> = sql::rows(
        "DELETE FROM cdp.match_key_changes k \
          USING unnest($2::bigint[], $3::smallint[], $4::bigint[]) g (key, rule, node_id) \
          WHERE k.key = g.key AND k.rule = g.rule AND k.matcher_id = $1 AND k.node_id = g.node_id \
            AND k.key BETWEEN $5 AND $6 \
         RETURNING k.key, k.rule, k.node_id",
        args![
            matcher.id,
            rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            rows.iter().map(|row| row.2).collect::<Vec<_>>(),
            rows[0].0,
            rows[rows.len() - 1].0
        ],
        |row| (row.want(1), row.want(2), row.want(3)),
    )
    .into_iter()
    .collect();
    rows.retain(|&(key, rule, node, _)| !undone.contains(&(key, rule, node)));
    append(
        "cdp.match_key_changes",
        &["key", "rule", "matcher_id", "node_id", "gone"],
        rows,
        |values, (key, rule, node, gone)| {
            let values = values.put(key).put(rule);
            values.put(matcher.id).put(node).put(gone);
        },
    );
}

/// Writes the keys of all records, where they are not stored so; nothing is changed after that.
pub fn write(matcher: &Matcher, nodes: Nodes) -> Result<()> {
    let model = store::model(matcher)?;
    let keys = keys_of(matcher, &model.trained)?;
    let rules = keys.rules();
    progress::start("matching: writing keys", i64::from(rules));
    let tied = |&(shown, n): &(i64, u32)| Key {
        key: shown,
        name: nodes.nodes[n as usize],
    };
    let mut tied: Vec<Key> = nodes.shows.iter().map(tied).collect();
    tied.sort_unstable();
    write_share(matcher, TIED, Share { number: 0, of: 1 }, &[tied])?;

    let limits = work::limits(None, nodes.beside() + nodes.records.bytes());
    // One share is written while the next is worked out.
    let memory = limits.memory / 2;
    let mut shares = thread::stream(move |cancel, shares| {
        let records = (&nodes.records, &nodes.nodes[..]);
        keys.of_all(
            records,
            memory,
            limits.threads,
            cancel,
            |rule, share, keys| shares.give((rule, share, keys)),
        );
    })?;
    while let Some((rule, share, keys)) = thread::next(&mut shares) {
        write_share(matcher, rule as i16, share, &keys)?;
        progress::step(i64::from(rule) + i64::from(share.number + 1 == share.of));
    }
    sql::run(
        "DELETE FROM cdp.match_key_pages WHERE matcher_id = $1 AND NOT rule BETWEEN $2 AND $3",
        args![matcher.id, TIED, rules as i16 - 1],
    );
    sql::run(
        "DELETE FROM cdp.match_key_changes WHERE matcher_id = $1",
        args![matcher.id],
    );
    Ok(())
}

/// Keys that are stored in one row, and the nodes that have them.
#[derive(Default)]
struct Page {
    keys: Vec<i64>,
    nodes: Vec<i64>,
}

impl Page {
    /// How many it holds at most: less than PostgreSQL would store apart.
    const MOST: usize = 112;
    const LEAST: usize = 64;

    /// Its greatest key, with the node.
    fn last(&self) -> Option<(i64, i64)> {
        Some((*self.keys.last()?, *self.nodes.last()?))
    }

    /// Whether it ends here: often where it ended before some keys came and went.
    fn ends(&self) -> bool {
        let chance = |(key, node): (i64, i64)| {
            let mixed = (key ^ node.rotate_left(32)) as u64;
            mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60 == 0
        };
        self.keys.len() >= Self::MOST
            || self.keys.len() >= Self::LEAST && self.last().is_some_and(chance)
    }
}

/// The pages of keys, in order.
fn paged(keys: &[Vec<Key>]) -> impl Iterator<Item = Page> {
    let mut keys = keys.iter().flatten();
    std::iter::from_fn(move || {
        let mut page = Page::default();
        for key in keys.by_ref() {
            page.keys.push(key.key);
            page.nodes.push(key.name);
            if page.ends() {
                break;
            }
        }
        page.last().is_some().then_some(page)
    })
}

fn write_share(matcher: &Matcher, rule: i16, share: Share, keys: &[Vec<Key>]) -> Result<()> {
    /// Pages that are deleted at once.
    const AT_ONCE: usize = 10_000;
    let (least, greatest) = share.range();
    let mut gone: Vec<(i64, i64)> = Vec::new();
    // Of the pages, from the first on, whether they are stored so.
    let mut known: Vec<bool> = Vec::new();
    let mut fresh = paged(keys).peekable();
    let mut stored = pages();
    stored.find(
        |values| {
            values.put(matcher.id).put(rule).put(least);
        },
        |found| {
            let last: (i64, i64) = (found.want(1), found.want(2));
            if last.0 > greatest {
                return false;
            }
            while fresh.next_if(|page| page.last() < Some(last)).is_some() {
                known.push(false);
            }
            let is =
                |page: &Page| page.keys == *found.numbers(3) && page.nodes == *found.numbers(4);
            match fresh.next_if(is) {
                Some(_) => known.push(true),
                None => gone.push(last),
            }
            true
        },
    );
    stored.close();
    for gone in gone.chunks(AT_ONCE) {
        sql::run(
            "DELETE FROM cdp.match_key_pages p USING unnest($3::bigint[], $4::bigint[]) g (key, node_id) \
              WHERE p.matcher_id = $1 AND p.rule = $2 AND p.last_key = g.key AND p.last_node = g.node_id",
            args![
                matcher.id,
                rule,
                gone.iter().map(|last| last.0).collect::<Vec<_>>(),
                gone.iter().map(|last| last.1).collect::<Vec<_>>()
            ],
        );
    }
    let known = known.into_iter().chain(std::iter::repeat(false));
    let new = paged(keys).zip(known).filter(|(_, known)| !known);
    append(
        "cdp.match_key_pages",
        &[
            "matcher_id",
            "rule",
            "last_key",
            "last_node",
            "keys",
            "nodes",
        ],
        new,
        |values, (page, _)| {
            let (key, node) = page.last().unwrap_or_default();
            let values = values.put(matcher.id).put(rule).put(key).put(node);
            values.put(&page.keys[..]).put(&page.nodes[..]);
        },
    );
    Ok(())
}
