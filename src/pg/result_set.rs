//! The rows of a set-returning function, written at once where PostgreSQL takes them from.

use pgrx::PgTupleDesc;
use pgrx::callconv::{Arg, ArgAbi};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;

use super::value::push_text;

/// The result of the function that is being called; an argument of the Rust function that its SQL
/// declaration does not have. What does not fit `work_mem` goes to disk.
pub struct ResultSet {
    rows: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
    types: Vec<pg_sys::Oid>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
    /// Texts of the row at hand; of numbers, since a text begins at a multiple of four bytes.
    texts: Vec<u32>,
}

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Of a column of type `bigint`, `integer` or `smallint`, which it must fit.
    Integer(i64),
    /// Of a column of type `text` or `varchar`, in the encoding of the database.
    Text(&'a [u8]),
}

impl ResultSet {
    /// The types of the columns; polymorphic ones as they are in this call.
    pub fn types(&self) -> &[pg_sys::Oid] {
        &self.types
    }

    /// Adds a row. Panics when it is not of the columns' number and types.
    pub fn put(&mut self, cells: &[Cell]) {
        assert_eq!(cells.len(), self.types.len(), "columns of a row");
        self.texts.clear();
        for (n, cell) in cells.iter().enumerate() {
            let fits = match (*cell, self.types[n]) {
                (Cell::Integer(_), pg_sys::INT8OID) => true,
                (Cell::Integer(number), pg_sys::INT4OID) => i32::try_from(number).is_ok(),
                (Cell::Integer(number), pg_sys::INT2OID) => i16::try_from(number).is_ok(),
                (Cell::Text(_), pg_sys::TEXTOID | pg_sys::VARCHAROID) => true,
                _ => false,
            };
            assert!(
                fits,
                "column {n} is of type {:?}, not {cell:?}",
                self.types[n]
            );
            self.values[n] = match *cell {
                Cell::Integer(number) => pg_sys::Datum::from(number),
                // Where in `texts`, until they all are there and stand still.
                Cell::Text(text) => pg_sys::Datum::from(push_text(&mut self.texts, text)),
            };
        }
        for (value, cell) in self.values.iter_mut().zip(cells) {
            if let Cell::Text(_) = cell {
                *value = pg_sys::Datum::from(&raw const self.texts[value.value()]);
            }
        }
        // SAFETY: the store and the description of this call's result, and as many values of its
        // types, which are copied.
        unsafe {
            pg_sys::tuplestore_putvalues(
                self.rows,
                self.descriptor,
                self.values.as_mut_ptr(),
                self.nulls.as_mut_ptr(),
            );
        }
    }
}

// SAFETY: made from the call's own information, and used only while the call lasts.
unsafe impl<'fcx> ArgAbi<'fcx> for ResultSet {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: PostgreSQL's own way to make the store and its description; an error is raised
        // where the caller takes no set.
        unsafe {
            let fcinfo = <pg_sys::FunctionCallInfo as ArgAbi>::unbox_arg_unchecked(arg);
            pg_sys::InitMaterializedSRF(fcinfo, 0);
            let info = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            let descriptor = (*info).setDesc;
            let types: Vec<_> = PgTupleDesc::from_pg_unchecked(descriptor)
                .iter()
                .map(|attribute| attribute.atttypid)
                .collect();
            ResultSet {
                rows: (*info).setResult,
                descriptor,
                values: vec![pg_sys::Datum::null(); types.len()],
                nulls: vec![false; types.len()],
                types,
                texts: Vec::new(),
            }
        }
    }

    fn is_virtual_arg() -> bool {
        true
    }
}

// SAFETY: it has no place in the SQL declaration.
unsafe impl SqlTranslatable for ResultSet {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(ResultSet);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::Skip);
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::Skip));
}
