//! Queries read at the speed of the executor: each row goes straight from the plan to a closure, with
//! no tuple table in between. For reads of many rows; [`super::sql`] is handier for few.

use std::ffi::CString;

use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::{FromDatum, PgTupleDesc};

use super::{Args, Error, Result, time};

/// A column of a result.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type; of a domain, the type below it.
    pub type_oid: pg_sys::Oid,
}

/// The name of a type, as in SQL.
pub fn type_name(type_oid: pg_sys::Oid) -> String {
    // SAFETY: a catalogue look-up, which gives a palloc'ed text, of unknown types too.
    unsafe { std::ffi::CStr::from_ptr(pg_sys::format_type_be(type_oid)) }
        .to_string_lossy()
        .into_owned()
}

/// One row, for as long as the closure runs that it is given to.
pub struct Row<'a> {
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
    types: &'a [pg_sys::Oid],
}

impl<'a> Row<'a> {
    /// The value of column `n`, from 1. NULL is `None`. Panics when the column is of another type.
    #[inline]
    pub fn get<T: Value<'a>>(&self, n: usize) -> Option<T> {
        let at = n - 1;
        assert!(
            T::TYPES.contains(&self.types[at]),
            "column {n} is of type {:?}, none of {:?}",
            self.types[at],
            T::TYPES
        );
        // SAFETY: the type was checked just now; the datum stays where it is while the row does.
        (!self.nulls[at]).then(|| unsafe { T::read(self.values[at]) })
    }

    /// The number of column `n`, from 1, of any type of integer.
    #[inline]
    pub fn integer(&self, n: usize) -> Option<i64> {
        match self.types[n - 1] {
            pg_sys::INT2OID => self.get::<i16>(n).map(i64::from),
            pg_sys::INT4OID => self.get::<i32>(n).map(i64::from),
            _ => self.get::<i64>(n),
        }
    }

    /// The value of column `n`, from 1, which is never NULL.
    #[inline]
    pub fn want<T: Value<'a>>(&self, n: usize) -> T {
        self.get(n).unwrap_or_else(|| panic!("column {n} is NULL"))
    }
}

/// What a column can be read as. Text and arrays are borrowed from the row.
pub trait Value<'a>: sealed::Sealed + Sized {
    /// The types of PostgreSQL that it is read from.
    const TYPES: &'static [pg_sys::Oid];
    /// The value.
    ///
    /// # Safety
    /// A datum of one of these types, not NULL, which outlives `'a`.
    unsafe fn read(datum: pg_sys::Datum) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

/// Values that are the datum itself.
macro_rules! by_value {
    ($($rust:ty, $oid:ident, $read:expr;)*) => {$(
        impl sealed::Sealed for $rust {}
        impl Value<'_> for $rust {
            const TYPES: &'static [pg_sys::Oid] = &[pg_sys::$oid];
            #[inline]
            unsafe fn read(datum: pg_sys::Datum) -> Self {
                let read: fn(pg_sys::Datum) -> $rust = $read;
                read(datum)
            }
        }
    )*};
}

by_value! {
    i64, INT8OID, |datum| datum.value() as i64;
    i32, INT4OID, |datum| datum.value() as i32;
    i16, INT2OID, |datum| datum.value() as i16;
    bool, BOOLOID, |datum| datum.value() as u8 != 0;
    Micros, TIMESTAMPTZOID, |datum| Micros((datum.value() as i64).saturating_add(time::POSTGRES_EPOCH));
}

/// A `timestamptz`, in microseconds since the Unix epoch; infinities are the ends of the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl sealed::Sealed for TimestampWithTimeZone {}
impl Value<'_> for TimestampWithTimeZone {
    const TYPES: &'static [pg_sys::Oid] = &[pg_sys::TIMESTAMPTZOID];
    unsafe fn read(datum: pg_sys::Datum) -> Self {
        // SAFETY: of that type and not NULL.
        unsafe { Self::from_datum(datum, false) }.unwrap_or_else(Self::positive_infinity)
    }
}

const TEXT: &[pg_sys::Oid] = &[pg_sys::TEXTOID, pg_sys::VARCHAROID];

impl sealed::Sealed for &str {}
impl<'a> Value<'a> for &'a str {
    const TYPES: &'static [pg_sys::Oid] = TEXT;
    #[inline]
    unsafe fn read(datum: pg_sys::Datum) -> Self {
        // SAFETY: as the caller says.
        let bytes = unsafe { <&[u8]>::read(datum) };
        std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("text that is not UTF-8: {error}"))
    }
}

/// The bytes of text, whatever the encoding of the database.
impl sealed::Sealed for &[u8] {}
impl<'a> Value<'a> for &'a [u8] {
    const TYPES: &'static [pg_sys::Oid] = TEXT;
    #[inline]
    unsafe fn read(datum: pg_sys::Datum) -> Self {
        // SAFETY: a varlena, as the caller says; what is compressed or stored apart is copied into
        // the row's own memory context.
        unsafe {
            let mut text = datum.cast_mut_ptr::<pg_sys::varlena>();
            if pgrx::varlena::varatt_is_1b_e(text) || pgrx::varlena::varatt_is_4b_c(text) {
                text = pg_sys::pg_detoast_datum_packed(text);
            }
            pgrx::varlena::varlena_to_byte_slice(text)
        }
    }
}

impl sealed::Sealed for &[i64] {}
impl<'a> Value<'a> for &'a [i64] {
    const TYPES: &'static [pg_sys::Oid] = &[pg_sys::INT8ARRAYOID];
    unsafe fn read(datum: pg_sys::Datum) -> Self {
        // SAFETY: an array of bigint; detoasted it is aligned as its header says. Without NULLs the
        // elements stand one after the other behind the header and two numbers a dimension.
        unsafe {
            let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
            let dimensions = (*array).ndim as usize;
            if dimensions == 0 {
                return &[];
            }
            assert!((*array).dataoffset == 0, "an array with NULLs");
            let sizes = array.add(1).cast::<i32>();
            let length = (0..dimensions)
                .map(|n| *sizes.add(n) as usize)
                .product::<usize>();
            let header = size_of::<pg_sys::ArrayType>() + 2 * dimensions * size_of::<i32>();
            let header = header.next_multiple_of(pg_sys::MAXIMUM_ALIGNOF as usize);
            std::slice::from_raw_parts(array.cast::<u8>().add(header).cast::<i64>(), length)
        }
    }
}

/// Who reads a query of unknown columns.
pub trait Reader {
    /// What columns there are; called once, before the first row.
    fn columns(&mut self, columns: &[Column]) -> Result<()>;
    /// One row. An error ends the query.
    fn row(&mut self, row: &Row) -> Result<()>;
}

/// Runs a query of ours; each row through `row`. How many there were. It sees what the transaction
/// wrote before. It ends early when `row` fails.
pub fn each(sql: &str, args: &Args, row: impl FnMut(&Row) -> Result<()>) -> Result<u64> {
    struct Known<F>(F);
    impl<F: FnMut(&Row) -> Result<()>> Reader for Known<F> {
        fn columns(&mut self, _: &[Column]) -> Result<()> {
            Ok(())
        }
        fn row(&mut self, row: &Row) -> Result<()> {
            (self.0)(row)
        }
    }
    run(sql, args, false, &mut Known(row))
}

/// Runs a user's query in the caller's snapshot, as whoever acts now. It may only read. How many rows
/// there were.
pub fn each_of_user(sql: &str, reader: &mut impl Reader) -> Result<u64> {
    run(sql, &[], true, reader)
}

/// What PostgreSQL calls with each row. The head comes first: PostgreSQL knows no more of it.
#[repr(C)]
struct Receiver<'a> {
    head: pg_sys::DestReceiver,
    reader: &'a mut dyn Reader,
    /// Of the columns; empty until the first start.
    types: Vec<pg_sys::Oid>,
    started: bool,
    rows: u64,
    error: Option<Error>,
    /// For what a row's values need besides, emptied with each row.
    context: pg_sys::MemoryContext,
}

fn run(sql: &str, args: &Args, read_only: bool, reader: &mut dyn Reader) -> Result<u64> {
    let sql = CString::new(sql).map_err(|_| Error::invalid("the query holds a zero byte"))?;
    // SAFETY: an SPI connection of its own, closed in order; an error in between leaves it, and the
    // memory context, to the abort of the (sub)transaction. The receiver stands still on the stack
    // until SPI has returned.
    unsafe {
        pg_sys::SPI_connect();
        let mut receiver = Receiver {
            head: pg_sys::DestReceiver {
                receiveSlot: Some(receive),
                rStartup: Some(start),
                rShutdown: Some(nothing),
                rDestroy: Some(nothing),
                mydest: pg_sys::CommandDest::DestTuplestore,
            },
            reader,
            types: Vec::new(),
            started: false,
            rows: 0,
            error: None,
            context: pg_sys::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"pg_cdp row".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            ),
        };
        let options = pg_sys::SPIExecuteOptions {
            params: params(args),
            read_only,
            must_return_tuples: true,
            dest: (&raw mut receiver).cast(),
            ..Default::default()
        };
        let code = pg_sys::SPI_execute_extended(sql.as_ptr(), &options);
        let Receiver { error, rows, .. } = receiver;
        pg_sys::SPI_finish();
        match (error, code) {
            (Some(error), _) => Err(error),
            (None, pg_sys::SPI_ERROR_TRANSACTION | pg_sys::SPI_ERROR_COPY) => Err(not_a_query()),
            (None, code) if code < 0 => Err(Error::internal(format!("SPI gave {code}"))),
            (None, _) => Ok(rows),
        }
    }
}

fn not_a_query() -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
        "one query is wanted, and nothing else",
    )
    .hint("Give one SELECT, VALUES or TABLE command.")
}

/// The arguments as PostgreSQL takes them; null where there are none.
///
/// # Safety
/// The current memory context and what the arguments point to outlive the query.
unsafe fn params(args: &[DatumWithOid]) -> pg_sys::ParamListInfo {
    if args.is_empty() {
        return std::ptr::null_mut();
    }
    // SAFETY: makeParamList makes room for exactly that many.
    unsafe {
        let list = pg_sys::makeParamList(args.len() as i32);
        let params = (*list).params.as_mut_ptr();
        for (n, arg) in args.iter().enumerate() {
            let datum = arg.datum();
            params.add(n).write(pg_sys::ParamExternData {
                isnull: datum.is_none(),
                value: datum.map_or(pg_sys::Datum::null(), |datum| datum.sans_lifetime()),
                pflags: pg_sys::PARAM_FLAG_CONST as u16,
                ptype: arg.oid(),
            });
        }
        list
    }
}

/// Before the first row: what columns there are.
#[pg_guard]
unsafe extern "C-unwind" fn start(
    receiver: *mut pg_sys::DestReceiver,
    _operation: i32,
    descriptor: pg_sys::TupleDesc,
) {
    // SAFETY: the head of the receiver that `run` made, and the description that PostgreSQL gives.
    let (receiver, attributes) = unsafe {
        let attributes: Vec<Column> = PgTupleDesc::from_pg_unchecked(descriptor)
            .iter()
            .map(|attribute| Column {
                name: attribute.name().to_owned(),
                type_oid: pg_sys::getBaseType(attribute.atttypid),
            })
            .collect();
        (&mut *receiver.cast::<Receiver>(), attributes)
    };
    if receiver.started {
        // Of several commands, and with rules, each has its own rows.
        not_a_query().raise();
    }
    receiver.started = true;
    receiver.types = attributes.iter().map(|column| column.type_oid).collect();
    if let Err(error) = receiver.reader.columns(&attributes) {
        error.raise();
    }
}

/// One row; false ends the query.
#[pg_guard]
unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // Without pgrx's guard, which costs more than the rest of a row.
    unsafe extern "C-unwind" {
        fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, attnum: i32);
    }
    // SAFETY: the head of the receiver that `run` made; a slot with as many columns as at the start.
    // Taking a tuple apart raises nothing for columns that its description has, and a slot without a
    // tuple comes with all its values.
    unsafe {
        let receiver = &mut *receiver.cast::<Receiver>();
        let columns = receiver.types.len();
        if ((*slot).tts_nvalid as usize) < columns {
            slot_getsomeattrs_int(slot, columns as i32);
        }
        let row = Row {
            values: slice((*slot).tts_values, columns),
            nulls: slice((*slot).tts_isnull, columns),
            types: &receiver.types,
        };
        let outer = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = receiver.context;
        let result = receiver.reader.row(&row);
        pg_sys::CurrentMemoryContext = outer;
        if !(*receiver.context).isReset {
            pg_sys::MemoryContextReset(receiver.context);
        }
        receiver.rows += 1;
        match result {
            Ok(()) => true,
            Err(error) => {
                receiver.error = Some(error);
                false
            }
        }
    }
}

/// A row without columns has no arrays.
unsafe fn slice<'a, T>(start: *const T, length: usize) -> &'a [T] {
    if length == 0 {
        &[]
    } else {
        // SAFETY: the caller's array of that length.
        unsafe { std::slice::from_raw_parts(start, length) }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn nothing(_receiver: *mut pg_sys::DestReceiver) {}

const _: () = assert!(std::mem::offset_of!(Receiver, head) == 0);
const _: () = assert!(size_of::<pg_sys::Datum>() == 8, "bigint is passed by value");
