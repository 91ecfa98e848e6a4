//! Rust values as datums of one SQL type each, for tables that are written and searched without SQL.

use std::ffi::CString;

use pgrx::pg_sys;

use super::time;

/// A value for a column of one type.
pub trait Value {
    /// The column's type.
    const TYPE: pg_sys::Oid;

    /// The value, in the current memory context; none for NULL.
    fn datum(&self) -> Option<pg_sys::Datum>;
}

/// A time: microseconds since the Unix epoch, as `timestamptz`.
#[derive(Clone, Copy)]
pub struct Time(pub i64);

/// The text of a JSON value, as `jsonb`.
pub struct Json<'a>(pub &'a str);

/// 128 bits, as `uuid`.
#[derive(Clone, Copy)]
pub struct Bits(pub u128);

macro_rules! by_value {
    ($($rust:ty => $oid:ident),*) => { $(
        impl Value for $rust {
            const TYPE: pg_sys::Oid = pg_sys::$oid;
            fn datum(&self) -> Option<pg_sys::Datum> {
                Some(pg_sys::Datum::from(*self))
            }
        }
    )* };
}
by_value!(i16 => INT2OID, i32 => INT4OID, i64 => INT8OID, bool => BOOLOID);

impl Value for f32 {
    const TYPE: pg_sys::Oid = pg_sys::FLOAT4OID;
    fn datum(&self) -> Option<pg_sys::Datum> {
        pgrx::IntoDatum::into_datum(*self)
    }
}

impl Value for Time {
    const TYPE: pg_sys::Oid = pg_sys::TIMESTAMPTZOID;
    fn datum(&self) -> Option<pg_sys::Datum> {
        Some(pg_sys::Datum::from(i64::from(time::to_pg(self.0))))
    }
}

impl Value for &str {
    const TYPE: pg_sys::Oid = pg_sys::TEXTOID;
    fn datum(&self) -> Option<pg_sys::Datum> {
        // SAFETY: copies that many bytes into a new text; a Rust string is valid in the database's
        // encoding, which is UTF-8 (cdp.init() asks for it).
        let text =
            unsafe { pg_sys::cstring_to_text_with_len(self.as_ptr().cast(), self.len() as i32) };
        Some(pg_sys::Datum::from(text))
    }
}

impl Value for Json<'_> {
    const TYPE: pg_sys::Oid = pg_sys::JSONBOID;
    fn datum(&self) -> Option<pg_sys::Datum> {
        // JSON text holds no zero byte.
        let text = CString::new(self.0).unwrap_or_default();
        // SAFETY: jsonb's own input function; the text lives until it returns.
        unsafe {
            pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())])
        }
    }
}

impl Value for Bits {
    const TYPE: pg_sys::Oid = pg_sys::UUIDOID;
    fn datum(&self) -> Option<pg_sys::Datum> {
        pgrx::IntoDatum::into_datum(pgrx::datum::Uuid::from_bytes(self.0.to_be_bytes()))
    }
}

impl Value for &[i64] {
    const TYPE: pg_sys::Oid = pg_sys::INT8ARRAYOID;
    fn datum(&self) -> Option<pg_sys::Datum> {
        // SAFETY: an i64 is a Datum's size and int8's representation; construct_array copies.
        unsafe {
            let array = pg_sys::construct_array(
                self.as_ptr().cast_mut().cast(),
                self.len() as i32,
                pg_sys::INT8OID,
                8,
                true,
                pg_sys::TYPALIGN_DOUBLE as std::ffi::c_char,
            );
            Some(pg_sys::Datum::from(array))
        }
    }
}

impl<V: Value> Value for Option<V> {
    const TYPE: pg_sys::Oid = V::TYPE;
    fn datum(&self) -> Option<pg_sys::Datum> {
        self.as_ref().and_then(Value::datum)
    }
}

/// Adds a text as PostgreSQL holds it: behind its length, which counts itself. Where it begins.
pub(super) fn push_text(words: &mut Vec<u32>, text: &[u8]) -> usize {
    const HEADER: usize = size_of::<u32>();
    let at = words.len();
    words.resize(at + (HEADER + text.len()).div_ceil(HEADER), 0);
    // SAFETY: as many bytes as were made room for, at an aligned place.
    unsafe {
        let start = words.as_mut_ptr().add(at).cast::<u8>();
        pgrx::varlena::set_varsize_4b(start.cast(), (HEADER + text.len()) as i32);
        std::ptr::copy_nonoverlapping(text.as_ptr(), start.add(HEADER), text.len());
    }
    at
}

/// A `jsonb` value, read as its text.
pub struct JsonbText(pub String);

impl pgrx::FromDatum for JsonbText {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: jsonb's own output function, of a jsonb datum; its text is copied.
        unsafe {
            let text = pgrx::direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(datum)])?;
            let text = std::ffi::CStr::from_ptr(text.cast_mut_ptr());
            Some(Self(text.to_string_lossy().into_owned()))
        }
    }
}

impl pgrx::IntoDatum for JsonbText {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Json(&self.0).datum()
    }
    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

/// The values of a row or a key, given one after another in the order of the columns asked for.
pub struct Values<'a> {
    pub(super) datums: &'a mut [pg_sys::Datum],
    pub(super) nulls: &'a mut [bool],
    /// Place and type of each column.
    pub(super) columns: &'a [(usize, pg_sys::Oid)],
    pub(super) given: usize,
}

impl Values<'_> {
    /// Gives the next column its value.
    pub fn put<V: Value>(&mut self, value: V) -> &mut Self {
        let (place, of_type) = self.columns[self.given];
        assert_eq!(of_type, V::TYPE, "the type of column {}", self.given + 1);
        let datum = value.datum();
        self.nulls[place] = datum.is_none();
        self.datums[place] = datum.unwrap_or(pg_sys::Datum::null());
        self.given += 1;
        self
    }
}
