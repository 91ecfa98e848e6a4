//! What is stored of all records, to match those that come: what each says, and by what it is found.

use std::sync::Arc;

use cdp_engine::matching::matcher::Failure;
use cdp_engine::matching::{Key, LiveKeys, Matcher as Trained, Share};

use super::rows::Nodes;
use super::store::{self, Matcher, compared};
use super::work;
use crate::args;
use crate::pg::append::append;
use crate::pg::{Error, Result, reader, sql};
use crate::worker::progress;

/// The rule of keys that are identifiers.
pub const TIED: i16 = -1;

/// What works out the blocking keys of a matcher's records.
pub fn keys_of(matcher: &Matcher, model: &Trained) -> Result<LiveKeys> {
    let compared = compared(&matcher.sources);
    let names: Vec<&str> = compared.iter().map(|(name, _)| name.as_str()).collect();
    LiveKeys::new(&model.rules, &names).map_err(|error| Error::internal(error.to_string()))
}

/// Writes what is not stored so.
pub fn write(matcher: &Matcher, nodes: Nodes) -> Result<()> {
    write_records(matcher, &nodes)?;
    write_keys(matcher, nodes)
}

/// What each record says and shows.
fn write_records(matcher: &Matcher, nodes: &Nodes) -> Result<()> {
    progress::start("matching: writing records", i64::from(nodes.records.len()));
    let mut shown: Vec<(u32, i64)> = nodes.shows.iter().map(|&(shown, n)| (n, shown)).collect();
    shown.sort_unstable();
    let shown = |record: u32| -> Vec<i64> {
        let start = shown.partition_point(|&(of, _)| of < record);
        let own = shown[start..].iter().take_while(|&&(of, _)| of == record);
        own.map(|&(_, identifier)| identifier).collect()
    };
    let said = |record: u32| {
        let columns = nodes.records.columns.iter();
        let said: Vec<Vec<&str>> = columns
            .map(|column| {
                let texts = column.of(record).iter();
                texts.map(|&v| &*column.values[v as usize].text).collect()
            })
            .collect();
        serde_json::to_string(&said).unwrap_or_default()
    };
    let node = |record: u32| nodes.nodes[record as usize];
    let mut order: Vec<u32> = (0..nodes.records.len()).collect();
    order.sort_unstable_by_key(|&record| node(record));
    let mut known = vec![false; order.len()];
    let mut gone: Vec<i64> = Vec::new();
    reader::each(
        "SELECT node_id, said, shown FROM cdp.match_records WHERE matcher_id = $1",
        args![matcher.id],
        |row| {
            let stored: i64 = row.want(1);
            match order.binary_search_by_key(&stored, |&record| node(record)) {
                Ok(at)
                    if row.want::<&str>(2) == said(order[at])
                        && row.want::<&[i64]>(3) == shown(order[at]) =>
                {
                    known[at] = true;
                }
                _ => gone.push(stored),
            }
            Ok(())
        },
    )?;
    if !gone.is_empty() {
        sql::run(
            "DELETE FROM cdp.match_records WHERE matcher_id = $1 AND node_id = ANY ($2)",
            args![matcher.id, gone],
        );
    }
    let new = order.into_iter().zip(known).filter(|&(_, known)| !known);
    append(
        "cdp.match_records",
        &["node_id", "matcher_id", "said", "shown"],
        (0i64..).zip(new),
        |values, (done, (record, _))| {
            if done % (1 << 14) == 0 {
                progress::step(done);
            }
            let values = values.put(node(record)).put(matcher.id);
            values
                .put(said(record).as_str())
                .put(shown(record).as_slice());
        },
    );
    Ok(())
}

/// By what each record is found: as many keys at once as there is memory for, in the order of the index.
fn write_keys(matcher: &Matcher, nodes: Nodes) -> Result<()> {
    let tied = |&(shown, n): &(i64, u32)| Key {
        key: shown,
        rule: TIED,
        name: nodes.nodes[n as usize],
    };
    let tied: Vec<Key> = nodes.shows.iter().map(tied).collect();
    let model = store::model(matcher)?;
    let keys = keys_of(matcher, &model.trained)?;
    let held = nodes.beside() + nodes.records.bytes() + size_of_val(&tied[..]);
    let limits = work::limits(None, held);
    let shares = keys.shares(&nodes.records, limits.memory);
    let given = Arc::new((nodes, keys, tied));
    for number in 0..shares {
        let share = Share { number, of: shares };
        let given = Arc::clone(&given);
        let keys = work::run("matching", move |cancel, tell| {
            tell("keys", f64::from(number) / f64::from(shares));
            let (nodes, keys, tied) = &*given;
            let records = (&nodes.records, &nodes.nodes[..]);
            keys.of_all(records, tied, share, limits.threads, cancel)
                .ok_or(Failure::Cancelled)
        })?;
        write_share(matcher, share, &keys)?;
    }
    Ok(())
}

fn write_share(matcher: &Matcher, share: Share, keys: &[Vec<Key>]) -> Result<()> {
    /// Keys that are deleted at once.
    const AT_ONCE: usize = 100_000;
    let total = keys.iter().map(Vec::len).sum();
    progress::start("matching: writing keys", total as i64);
    let mut known = vec![false; total];
    let mut gone: Vec<Key> = Vec::new();
    let mut at = keys.iter().flatten().zip(&mut known).peekable();
    let (least, greatest) = share.range();
    reader::each(
        "SELECT key, rule, node_id FROM cdp.match_keys \
          WHERE matcher_id = $1 AND key BETWEEN $2 AND $3 ORDER BY key, rule, matcher_id, node_id",
        args![matcher.id, least, greatest],
        |row| {
            let stored = Key {
                key: row.want(1),
                rule: row.want(2),
                name: row.want(3),
            };
            while at.next_if(|(key, _)| **key < stored).is_some() {}
            match at.next_if(|(key, _)| **key == stored) {
                Some((_, known)) => *known = true,
                None => gone.push(stored),
            }
            Ok(())
        },
    )?;
    for gone in gone.chunks(AT_ONCE) {
        sql::run(
            "DELETE FROM cdp.match_keys k \
              USING unnest($2::bigint[], $3::smallint[], $4::bigint[]) g (key, rule, node_id) \
              WHERE k.key = g.key AND k.rule = g.rule AND k.matcher_id = $1 AND k.node_id = g.node_id",
            args![
                matcher.id,
                gone.iter().map(|gone| gone.key).collect::<Vec<_>>(),
                gone.iter().map(|gone| gone.rule).collect::<Vec<_>>(),
                gone.iter().map(|gone| gone.name).collect::<Vec<_>>()
            ],
        );
    }
    let new = keys
        .iter()
        .flatten()
        .zip(known)
        .filter(|&(_, known)| !known);
    append(
        "cdp.match_keys",
        &["key", "rule", "matcher_id", "node_id"],
        (0i64..).zip(new),
        |values, (done, (key, _))| {
            if done % (1 << 16) == 0 {
                progress::step(done);
            }
            let values = values.put(key.key).put(key.rule);
            values.put(matcher.id).put(key.name);
        },
    );
    Ok(())
}
