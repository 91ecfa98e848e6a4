//! `cdp.connected_components()`: stitching alone, of any pairs.

use cdp_engine::graph::components::{Bigints, Forest, Stitcher, Texts, TooLarge};
use pgrx::prelude::*;

use crate::pg::error::OrRaise;
use crate::pg::reader::{self, Column, Reader, Row};
use crate::pg::result_set::{Cell, ResultSet};
use crate::pg::{Error, Result, guc, thread};
use crate::worker::progress;

/// The connected components of a graph: its links are the rows of a query, two nodes each, integers or
/// texts. Each node once, with the smallest node of its component.
///
/// # Errors
/// 42804 where the query does not give two columns of integers or of texts, or `node_type` does not
/// hold them; 53400 past `cdp.graph_memory`; what the query raises.
#[pg_extern(
    volatile,
    parallel_unsafe,
    // Written out for its result: texts always serve, and who wants numbers says so. Without SET
    // search_path: the query is the caller's, and there is no other statement in it.
    sql = r#"
CREATE FUNCTION cdp."connected_components"("query" text)
RETURNS TABLE ("node" text, "component" text)
VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100000
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
CREATE FUNCTION cdp."connected_components"("query" text, "node_type" anyelement)
RETURNS TABLE ("node" anyelement, "component" anyelement)
VOLATILE PARALLEL UNSAFE COST 10000 ROWS 100000
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn connected_components(query: Option<&str>, result: ResultSet) {
    stitch(query, result).or_raise();
}

fn stitch(query: Option<&str>, mut result: ResultSet) -> Result<()> {
    let query = query.ok_or_else(|| Error::invalid("query is NULL").hint(EXAMPLE))?;
    let mut links = Links {
        result_type: result.types()[0],
        limit: guc::graph_memory(),
        read: 0,
        kind: None,
    };
    check_result_type(links.result_type)?;
    progress::start("connected components: reading links", 0);
    reader::each_of_user(query, &mut links)?;
    progress::start("connected components: writing nodes", 0);
    match links.kind {
        Some(Kind::Integers(links)) => put_integers(&links.finish()?, &mut result),
        Some(Kind::Texts(links)) => put_texts(&links.finish()?, &mut result),
        None => return Err(Error::internal("a query without columns")),
    }
    progress::finish();
    Ok(())
}

const EXAMPLE: &str =
    "For instance: SELECT * FROM cdp.connected_components('SELECT a, b FROM pairs');";

const TEXT: [pg_sys::Oid; 2] = [pg_sys::TEXTOID, pg_sys::VARCHAROID];

/// Bytes of an integer type.
fn width(type_oid: pg_sys::Oid) -> Option<usize> {
    match type_oid {
        pg_sys::INT2OID => Some(2),
        pg_sys::INT4OID => Some(4),
        pg_sys::INT8OID => Some(8),
        _ => None,
    }
}

fn mismatch(message: String) -> Error {
    Error::new(PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message)
}

fn check_result_type(of_result: pg_sys::Oid) -> Result<()> {
    if TEXT.contains(&of_result) || width(of_result).is_some() {
        return Ok(());
    }
    Err(
        mismatch(format!("nodes cannot be of type {}", name_of(of_result)))
            .hint("node_type is NULL::text, as by default, or NULL::bigint."),
    )
}

fn name_of(type_oid: pg_sys::Oid) -> String {
    reader::type_name(type_oid)
}

/// What reads the query.
struct Links {
    result_type: pg_sys::Oid,
    limit: usize,
    read: i64,
    /// Known once the columns are.
    kind: Option<Kind>,
}

enum Kind {
    Integers(Feed<Bigints>),
    Texts(Feed<Texts>),
}

impl Reader for Links {
    fn columns(&mut self, columns: &[Column]) -> Result<()> {
        let [a, b] = columns else {
            return Err(mismatch(format!(
                "the query gives {} columns, not two",
                columns.len()
            ))
            .detail("Each of its rows is a link: the two nodes that it joins.")
            .hint(EXAMPLE));
        };
        let types = [a.type_oid, b.type_oid];
        if types.iter().all(|of| TEXT.contains(of)) {
            if !TEXT.contains(&self.result_type) {
                return Err(
                    mismatch("the nodes of the query are texts".to_owned()).hint(format!(
                        "Leave out node_type, which is of type {}.",
                        name_of(self.result_type)
                    )),
                );
            }
            self.kind = Some(Kind::Texts(Feed::start(Texts::new(self.limit))?));
            return Ok(());
        }
        let [Some(one), Some(other)] = types.map(width) else {
            return Err(mismatch(format!(
                "the query gives columns of types {} and {}, not two of integers or of texts",
                name_of(a.type_oid),
                name_of(b.type_oid)
            ))
            .hint(format!(
                "Cast both: SELECT {0}::text, {1}::text, or {0}::bigint, {1}::bigint.",
                a.name, b.name
            )));
        };
        if width(self.result_type).is_some_and(|of_result| of_result < one.max(other)) {
            return Err(mismatch(format!(
                "the nodes of the query do not fit type {}",
                name_of(self.result_type)
            ))
            .hint("Give NULL::bigint as node_type."));
        }
        self.kind = Some(Kind::Integers(Feed::start(Bigints::new(self.limit))?));
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<()> {
        self.read += 1;
        match &mut self.kind {
            Some(Kind::Integers(feed)) => {
                let (a, b) = (row.integer(1), row.integer(2));
                if let (Some(a), Some(b)) = (a.or(b), b.or(a)) {
                    feed.links.push((a, b));
                    if feed.links.len() == BATCH {
                        feed.send()?;
                        progress::step(self.read);
                    }
                }
            }
            Some(Kind::Texts(feed)) => {
                let (a, b) = (row.get::<&[u8]>(1), row.get::<&[u8]>(2));
                if let (Some(a), Some(b)) = (a.or(b), b.or(a)) {
                    feed.links.push(a, b);
                    if feed.links.len() == BATCH || feed.links.bytes() > BATCH_BYTES {
                        feed.send()?;
                        progress::step(self.read);
                    }
                }
            }
            None => return Err(Error::internal("a row before its columns")),
        }
        Ok(())
    }
}

/// Links sent at once.
const BATCH: usize = 16_384;
/// Bytes of texts sent at once, less the last link.
const BATCH_BYTES: usize = 4 << 20;

/// Links on their way to the thread that joins them.
struct Feed<F: Forest> {
    stitcher: Stitcher<F>,
    links: F::Links,
}

impl<F: Forest> Feed<F> {
    fn start(forest: F) -> Result<Self> {
        let stitcher = thread::without_signals(|| Stitcher::start(forest));
        let stitcher = stitcher.map_err(thread::no_thread)?;
        Ok(Feed {
            stitcher,
            links: F::Links::default(),
        })
    }

    fn send(&mut self) -> Result<()> {
        let links = std::mem::take(&mut self.links);
        self.links = self.stitcher.send(links).map_err(too_large)?;
        Ok(())
    }

    fn finish(mut self) -> Result<F> {
        self.send()?;
        self.stitcher
            .finish(|| {
                pgrx::check_for_interrupts!();
            })
            .map_err(too_large)
    }
}

fn too_large(found: TooLarge) -> Error {
    let megabytes = found.needed.div_ceil(1 << 20);
    Error::new(
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        "the graph takes more memory than cdp.graph_memory allows",
    )
    .detail(format!(
        "After {} nodes {megabytes} MB are needed; {} MB are allowed.",
        found.nodes,
        guc::graph_memory() >> 20
    ))
    .hint("Raise it, if the machine has the memory: SET cdp.graph_memory = '4GB'; a node takes at most 55 bytes, one of text 59 and twice its length.")
}

fn put_integers(forest: &Bigints, result: &mut ResultSet) {
    let as_text = TEXT.contains(&result.types()[0]);
    let (mut names, mut from, mut written) = (Vec::new(), Some(0), 0);
    let (mut node_digits, mut name_digits) = (Digits::default(), Digits::default());
    while let Some(at) = from {
        pgrx::check_for_interrupts!();
        from = forest.names(at, &mut names);
        for &(node, name) in &names {
            if as_text {
                let node = Cell::Text(node_digits.of(node));
                result.put(&[node, Cell::Text(name_digits.of(name))]);
            } else {
                result.put(&[Cell::Integer(node), Cell::Integer(name)]);
            }
        }
        written += names.len();
        progress::step(written as i64);
    }
}

fn put_texts(forest: &Texts, result: &mut ResultSet) {
    for n in 0..forest.len() {
        if n % 4_096 == 0 {
            pgrx::check_for_interrupts!();
            progress::step(n as i64);
        }
        let (node, name) = forest.name_of(n);
        result.put(&[Cell::Text(node), Cell::Text(name)]);
    }
}

/// A number in decimal digits.
#[derive(Default)]
struct Digits([u8; 20]);

impl Digits {
    fn of(&mut self, number: i64) -> &[u8] {
        let (mut rest, mut at) = (number.unsigned_abs(), self.0.len());
        loop {
            at -= 1;
            self.0[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            at -= 1;
            self.0[at] = b'-';
        }
        &self.0[at..]
    }
}
