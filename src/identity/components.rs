//! `cdp.connected_components()`: stitching alone, of any pairs.

use cdp_engine::graph::components::{Bigints, Forest, Stitcher, Texts, TooLarge};
use pgrx::prelude::*;

use crate::pg::error::OrRaise;
use crate::pg::fill::{NewTable, Nodes};
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
    let result_type = result.types()[0];
    check_result_type(result_type)?;
    match joined(query, Some(result_type))? {
        Joined::Integers(forest) => {
            let as_text = TEXT.contains(&result_type);
            let (mut node_digits, mut name_digits) = (Digits::default(), Digits::default());
            each_integer(&forest, |node, name| {
                if as_text {
                    let node = Cell::Text(node_digits.of(node));
                    result.put(&[node, Cell::Text(name_digits.of(name))]);
                } else {
                    result.put(&[Cell::Integer(node), Cell::Integer(name)]);
                }
            });
        }
        Joined::Texts(forest) => each_text(&forest, |node, name| {
            result.put(&[Cell::Text(node), Cell::Text(name)]);
        }),
    }
    progress::finish();
    Ok(())
}

/// The connected components of a graph, into a new table: its columns are `node` and `component`, of
/// type `bigint` or `text`, as the columns of the query are integers or texts. It belongs to the caller,
/// as after CREATE TABLE. How many nodes there are.
///
/// # Errors
/// As [`connected_components`]; 42P07 where there is such a table; what CREATE TABLE raises.
#[pg_extern(volatile, parallel_unsafe)]
fn connected_components_into(query: Option<&str>, table_name: Option<&str>) -> i64 {
    stitch_into(query, table_name).or_raise()
}

fn stitch_into(query: Option<&str>, table_name: Option<&str>) -> Result<i64> {
    let name = table_name.ok_or_else(|| {
        Error::invalid("table_name is NULL")
            .hint("It is the name of a table that is not there yet: 'people', or 'schema.people'.")
    })?;
    let table = NewTable::named(name, c"cdp.connected_components_into()")?;
    const COLUMNS: [&str; 2] = ["node", "component"];
    let rows = match joined(query, None)? {
        Joined::Integers(forest) => {
            let mut filler = table.create(COLUMNS, Nodes::Integers)?;
            each_integer(&forest, |node, name| filler.put_integers([node, name]));
            filler.finish()
        }
        Joined::Texts(forest) => {
            let mut filler = table.create(COLUMNS, Nodes::Texts)?;
            each_text(&forest, |node, name| filler.put_texts([node, name]));
            filler.finish()
        }
    };
    progress::finish();
    Ok(rows)
}

/// All nodes of a query, joined.
enum Joined {
    Integers(Bigints),
    Texts(Texts),
}

/// Reads the links. `result_type` is what the nodes must fit, where that is known.
fn joined(query: Option<&str>, result_type: Option<pg_sys::Oid>) -> Result<Joined> {
    let query = query.ok_or_else(|| Error::invalid("query is NULL").hint(EXAMPLE))?;
    let mut links = Links {
        result_type,
        limit: guc::graph_memory(),
        read: 0,
        kind: None,
    };
    progress::start("connected components: reading links", 0);
    reader::each_of_user(query, &mut links)?;
    let joined = match links.kind {
        Some(Kind::Integers(links)) => Joined::Integers(links.finish()?),
        Some(Kind::Texts(links)) => Joined::Texts(links.finish()?),
        None => return Err(Error::internal("a query without columns")),
    };
    progress::start("connected components: writing nodes", 0);
    Ok(joined)
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
    /// What the nodes must fit, where that is known.
    result_type: Option<pg_sys::Oid>,
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
            if let Some(of_result) = self.result_type.filter(|of| !TEXT.contains(of)) {
                return Err(
                    mismatch("the nodes of the query are texts".to_owned()).hint(format!(
                        "Leave out node_type, which is of type {}.",
                        name_of(of_result)
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
        if let Some(of_result) = self.result_type
            && width(of_result).is_some_and(|of_result| of_result < one.max(other))
        {
            return Err(mismatch(format!(
                "the nodes of the query do not fit type {}",
                name_of(of_result)
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

fn each_integer(forest: &Bigints, mut put: impl FnMut(i64, i64)) {
    let (mut names, mut from, mut written) = (Vec::new(), Some(0), 0);
    while let Some(at) = from {
        pgrx::check_for_interrupts!();
        from = forest.names(at, &mut names);
        for &(node, name) in &names {
            put(node, name);
        }
        written += names.len();
        progress::step(written as i64);
    }
}

fn each_text(forest: &Texts, mut put: impl FnMut(&[u8], &[u8])) {
    for n in 0..forest.len() {
        if n % 4_096 == 0 {
            pgrx::check_for_interrupts!();
            progress::step(n as i64);
        }
        let (node, name) = forest.name_of(n);
        put(node, name);
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
