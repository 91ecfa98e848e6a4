//! What is stored of all records, to match those that come: what each says and shows.

use cdp_engine::matching::Records;

use super::rows::Nodes;
use super::store::Matcher;
use crate::args;
use crate::pg::append::append;
use crate::pg::{Result, reader, sql};
use crate::worker::progress;

/// Writes what each record says and shows, where it is not stored so.
pub fn write(matcher: &Matcher, nodes: &Nodes) -> Result<()> {
    progress::start("matching: writing records", i64::from(nodes.records.len()));
    let mut shown: Vec<(u32, i64)> = nodes.shows.iter().map(|&(shown, n)| (n, shown)).collect();
    shown.sort_unstable();
    let shown = |record: u32| -> Vec<i64> {
        let start = shown.partition_point(|&(of, _)| of < record);
        let own = shown[start..].iter().take_while(|&&(of, _)| of == record);
        own.map(|&(_, identifier)| identifier).collect()
    };
    let node = |record: u32| nodes.nodes[record as usize];
    let mut order: Vec<u32> = (0..nodes.records.len()).collect();
    order.sort_unstable_by_key(|&record| node(record));
    let mut known = vec![false; order.len()];
    let mut gone: Vec<i64> = Vec::new();
    // They are stored in this order, mostly.
    let mut next = 0;
    let mut said = String::new();
    reader::each(
        "SELECT node_id, said, shown FROM cdp.match_records WHERE matcher_id = $1",
        args![matcher.id],
        |row| {
            let stored: i64 = row.want(1);
            let is_next = order
                .get(next)
                .is_some_and(|&record| node(record) == stored);
            let at = match is_next {
                true => Some(next),
                false => order
                    .binary_search_by_key(&stored, |&record| node(record))
                    .ok(),
            };
            if let Some(at) = at {
                next = at + 1;
                say(&nodes.records, order[at], &mut said);
                known[at] =
                    row.want::<&str>(2) == said && row.want::<&[i64]>(3) == shown(order[at]);
            }
            if !at.is_some_and(|at| known[at]) {
                gone.push(stored);
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
            say(&nodes.records, record, &mut said);
            values.put(&*said).put(shown(record).as_slice());
        },
    );
    Ok(())
}

/// What a record says, as it is stored: JSON, for each column a list of its values.
fn say(records: &Records, record: u32, said: &mut String) {
    said.clear();
    said.push('[');
    for (n, column) in records.columns.iter().enumerate() {
        said.push_str(if n == 0 { "[" } else { ",[" });
        for (n, &value) in column.of(record).iter().enumerate() {
            if n > 0 {
                said.push(',');
            }
            let text = &*column.values[value as usize].text;
            if text
                .bytes()
                .any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
            {
                said.push_str(&serde_json::to_string(text).unwrap_or_default());
            } else {
                said.push('"');
                said.push_str(text);
                said.push('"');
            }
        }
        said.push(']');
    }
    said.push(']');
}
