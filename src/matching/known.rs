//! What is stored of all records, to match those that come: what each says and shows.

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
