//! Appending rows to tables of ours as COPY does: to the heap a thousand at a time, then to the
//! indexes. A third of what INSERT costs. A table that is more than its columns and indexes, because
//! somebody gave it a trigger, a rule, a policy or another access method, gets its rows by INSERT.

use std::collections::HashMap;
use std::ffi::c_void;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary as guarded;

use super::relation::{Relation, places};
use super::value::Values;

/// Rows and bytes that wait for the heap, at most.
const BUFFERED_ROWS: usize = 1_000;
const BUFFERED_BYTES: usize = 1 << 20;

/// Appends a row to `table` for each of `rows`; `put` gives its values in the order of `columns`. The
/// next statement of the transaction sees them.
pub fn append<T>(
    table: &str,
    columns: &[&str],
    rows: impl IntoIterator<Item = T>,
    mut put: impl FnMut(&mut Values, T),
) {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return;
    }
    let relation = Relation::open(table, pg_sys::RowExclusiveLock);
    match Appender::open(relation, columns) {
        Ok(mut appender) => {
            for row in rows {
                appender.row(|values| put(values, row), table, columns);
            }
            appender.close();
        }
        Err(relation) => {
            let places = places(&relation.columns(), columns)
                .unwrap_or_else(|| pgrx::error!("{table} lacks one of the columns {columns:?}"));
            relation.close();
            // In SQL the values are in the order of the columns, not of the table.
            let places: Vec<_> = (0..).zip(places).map(|(n, (_, ty))| (n, ty)).collect();
            for row in rows {
                insert(table, columns, &places, |values| put(values, row));
            }
        }
    }
    super::transaction::command_counter_increment();
}

/// One row by INSERT.
fn insert(
    table: &str,
    columns: &[&str],
    places: &[(usize, pg_sys::Oid)],
    put: impl FnOnce(&mut Values),
) {
    pgrx::check_for_interrupts!();
    let mut datums = vec![pg_sys::Datum::null(); columns.len()];
    let mut nulls = vec![true; columns.len()];
    put(&mut Values {
        datums: &mut datums,
        nulls: &mut nulls,
        columns: places,
        given: 0,
    });
    let names: Vec<String> = columns.iter().map(pgrx::spi::quote_identifier).collect();
    let parameters: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
    let args: Vec<DatumWithOid> = (0..columns.len())
        .map(|n| {
            // SAFETY: the datum is of that column's type, as `Values` made sure.
            unsafe { DatumWithOid::new((!nulls[n]).then_some(datums[n]), places[n].1) }
        })
        .collect();
    super::sql::run(
        &format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            names.join(", "),
            parameters.join(", ")
        ),
        &args,
    );
}

/// A table that rows are appended to, or a partition of it.
struct Target {
    info: *mut pg_sys::ResultRelInfo,
    relation: pg_sys::Relation,
    bulk: pg_sys::BulkInsertState,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    used: usize,
    has_indexes: bool,
}

struct Appender {
    relation: Relation,
    state: *mut pg_sys::EState,
    root: *mut pg_sys::ResultRelInfo,
    /// Where a row is put together before its partition is known.
    assembly: *mut pg_sys::TupleTableSlot,
    router: Option<Router>,
    targets: Vec<Target>,
    columns: Vec<(usize, pg_sys::Oid)>,
    /// Columns that may not be NULL.
    needed: Vec<usize>,
    width: usize,
    memory: pg_sys::MemoryContext,
    buffered: usize,
    bytes: usize,
    has_checks: bool,
}

/// The executor's own routing of rows to partitions.
struct Router {
    routing: *mut c_void,
    modify: *mut pg_sys::ModifyTableState,
    /// Places in the targets; none for a partition that is not plain.
    known: HashMap<*mut pg_sys::ResultRelInfo, Option<usize>>,
}

unsafe extern "C-unwind" {
    // From executor/execPartition.h, the same from PostgreSQL 14 to 18.
    fn ExecSetupPartitionTupleRouting(
        state: *mut pg_sys::EState,
        relation: pg_sys::Relation,
    ) -> *mut c_void;
    fn ExecFindPartition(
        modify: *mut pg_sys::ModifyTableState,
        root: *mut pg_sys::ResultRelInfo,
        routing: *mut c_void,
        slot: *mut pg_sys::TupleTableSlot,
        state: *mut pg_sys::EState,
    ) -> *mut pg_sys::ResultRelInfo;
    fn ExecCleanupTupleRouting(modify: *mut pg_sys::ModifyTableState, routing: *mut c_void);
}

impl Appender {
    /// Opens the table; gives it back if it is not plain.
    fn open(relation: Relation, columns: &[&str]) -> Result<Self, Relation> {
        let described = relation.columns();
        let width = described.len();
        let Some(columns) = places(&described, columns) else {
            return Err(relation);
        };
        // What is not given is NULL, where that is what INSERT would make of it.
        let complete = (0..width).all(|n| {
            let column = &described[n];
            columns.iter().any(|given| given.0 == n)
                || column.is_dropped
                || (column.is_nullable && !column.has_default)
        });
        let partitioned = relation.kind() == pg_sys::RELKIND_PARTITIONED_TABLE;
        let kept = partitioned || relation.kind() == pg_sys::RELKIND_RELATION;
        if !(kept && complete && relation.is_plain() && relation.allows(pg_sys::ACL_INSERT)) {
            return Err(relation);
        }
        let needed = (0..width)
            .filter(|&n| !described[n].is_nullable && !described[n].is_dropped)
            .collect();
        let has_checks = relation.has_checks();
        // SAFETY: what CopyFrom() does, in its order, for an open and locked relation. All of it is
        // freed by `close`; after an error, by the memory context and resource owner of the
        // transaction. There is no range table: only failing CHECK constraints of partitions look
        // into it, and a partition with such is not plain.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let memory = pg_sys::AllocSetContextCreateExtended(
                (*state).es_query_cxt,
                c"rows to append".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            let before = pg_sys::MemoryContextSwitchTo((*state).es_query_cxt);
            let root = result_relation(relation.0);
            let mut router = None;
            let mut targets = Vec::new();
            if partitioned {
                let modify = pgrx::PgBox::<pg_sys::ModifyTableState>::alloc_node(
                    pg_sys::NodeTag::T_ModifyTableState,
                )
                .into_pg();
                (*modify).ps.state = state;
                (*modify).operation = pg_sys::CmdType::CMD_INSERT;
                (*modify).mt_nrels = 1;
                (*modify).resultRelInfo = root;
                (*modify).rootResultRelInfo = root;
                router = Some(Router {
                    routing: guarded(|| ExecSetupPartitionTupleRouting(state, relation.0)),
                    modify,
                    known: HashMap::new(),
                });
            } else {
                pg_sys::ExecOpenIndices(root, false);
                targets.push(Target::new(root));
            }
            let assembly = pg_sys::MakeSingleTupleTableSlot(
                (*relation.0).rd_att,
                &raw const pg_sys::TTSOpsVirtual,
            );
            pg_sys::MemoryContextSwitchTo(before);
            Ok(Self {
                relation,
                state,
                root,
                assembly,
                router,
                targets,
                columns,
                needed,
                width,
                memory,
                buffered: 0,
                bytes: 0,
                has_checks,
            })
        }
    }

    fn row(&mut self, put: impl FnOnce(&mut Values), table: &str, columns: &[&str]) {
        // SAFETY: the slots are this relation's and its partitions', whose arrays hold a value for
        // each of `width` columns; the values live in `memory`, which is reset when they are flushed.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.memory);
            let slot = self.assembly;
            pg_sys::ExecClearTuple(slot);
            let datums = std::slice::from_raw_parts_mut((*slot).tts_values, self.width);
            let nulls = std::slice::from_raw_parts_mut((*slot).tts_isnull, self.width);
            nulls.fill(true);
            put(&mut Values {
                datums,
                nulls,
                columns: &self.columns,
                given: 0,
            });
            if let Some(&place) = self.needed.iter().find(|&&place| nulls[place]) {
                let name = &self.relation.columns()[place].name;
                pgrx::error!("a row for {table} has no value for {name}");
            }
            pg_sys::ExecStoreVirtualTuple(slot);
            match self.route(slot) {
                Some(target) => self.keep(slot, target),
                None => {
                    let places: Vec<_> = (0..).zip(&self.columns).map(|(n, c)| (n, c.1)).collect();
                    let from = &self.columns;
                    insert(table, columns, &places, |values| {
                        for (n, (place, _)) in from.iter().enumerate() {
                            values.datums[n] = datums[*place];
                            values.nulls[n] = nulls[*place];
                        }
                    });
                }
            }
            pg_sys::MemoryContextSwitchTo(before);
            if self.buffered >= BUFFERED_ROWS || self.bytes >= BUFFERED_BYTES {
                self.flush();
            }
        }
    }

    /// Which target a row belongs to; none if it is one for INSERT.
    unsafe fn route(&mut self, slot: *mut pg_sys::TupleTableSlot) -> Option<usize> {
        let Some(router) = &mut self.router else {
            return Some(0);
        };
        // SAFETY: as in CopyFrom(); the partition stays open as long as the routing.
        unsafe {
            let info = guarded(|| {
                ExecFindPartition(router.modify, self.root, router.routing, slot, self.state)
            });
            reset_row_memory(self.state);
            if let Some(&known) = router.known.get(&info) {
                return known;
            }
            let partition = Relation((*info).ri_RelationDesc);
            let plain = partition.kind() == pg_sys::RELKIND_RELATION
                && partition.is_plain()
                && !partition.has_checks()
                && partition.columns() == self.relation.columns();
            let place = plain.then_some(self.targets.len());
            if plain {
                let before = pg_sys::MemoryContextSwitchTo((*self.state).es_query_cxt);
                self.targets.push(Target::new(info));
                pg_sys::MemoryContextSwitchTo(before);
            }
            router.known.insert(info, place);
            place
        }
    }

    unsafe fn keep(&mut self, row: *mut pg_sys::TupleTableSlot, target: usize) {
        let target = &mut self.targets[target];
        // SAFETY: both slots have `width` columns of the same types.
        unsafe {
            if target.used == target.slots.len() {
                let before = pg_sys::MemoryContextSwitchTo((*self.state).es_query_cxt);
                target.slots.push(pg_sys::table_slot_create(
                    target.relation,
                    std::ptr::null_mut(),
                ));
                pg_sys::MemoryContextSwitchTo(before);
            }
            let slot = target.slots[target.used];
            pg_sys::ExecClearTuple(slot);
            std::ptr::copy_nonoverlapping((*row).tts_values, (*slot).tts_values, self.width);
            std::ptr::copy_nonoverlapping((*row).tts_isnull, (*slot).tts_isnull, self.width);
            pg_sys::ExecStoreVirtualTuple(slot);
            (*slot).tts_tableOid = (*target.relation).rd_id;
            if self.has_checks {
                pg_sys::ExecConstraints(target.info, slot, self.state);
                reset_row_memory(self.state);
            }
            target.used += 1;
            self.buffered += 1;
            // Memory is counted by blocks: enough to keep a batch of long rows from piling up.
            if self.buffered.is_multiple_of(16) {
                self.bytes = pg_sys::MemoryContextMemAllocated(self.memory, false);
            }
        }
    }

    fn flush(&mut self) {
        pgrx::check_for_interrupts!();
        // SAFETY: as CopyMultiInsertBufferFlush() does it.
        unsafe {
            let command = pg_sys::GetCurrentCommandId(true);
            let before = pg_sys::MemoryContextSwitchTo(self.memory);
            for target in &mut self.targets {
                if target.used == 0 {
                    continue;
                }
                let slots = &mut target.slots[..target.used];
                pg_sys::table_multi_insert(
                    target.relation,
                    slots.as_mut_ptr(),
                    slots.len() as i32,
                    command,
                    0,
                    target.bulk,
                );
                for &slot in slots.iter() {
                    if target.has_indexes {
                        insert_index_entries(target.info, slot, self.state);
                        reset_row_memory(self.state);
                    }
                    pg_sys::ExecClearTuple(slot);
                }
                target.used = 0;
            }
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextReset(self.memory);
        }
        self.buffered = 0;
        self.bytes = 0;
    }

    fn close(mut self) {
        self.flush();
        // SAFETY: everything was opened by `open` or `route`, and is not used after this.
        unsafe {
            for target in &self.targets {
                for &slot in &target.slots {
                    pg_sys::ExecDropSingleTupleTableSlot(slot);
                }
                pg_sys::FreeBulkInsertState(target.bulk);
            }
            pg_sys::ExecDropSingleTupleTableSlot(self.assembly);
            match &self.router {
                Some(router) => guarded(|| ExecCleanupTupleRouting(router.modify, router.routing)),
                None => pg_sys::ExecCloseIndices(self.root),
            }
            pg_sys::FreeExecutorState(self.state);
        }
        self.relation.close();
    }
}

impl Target {
    /// The caller has opened the indexes.
    unsafe fn new(info: *mut pg_sys::ResultRelInfo) -> Self {
        // SAFETY: an initialised result relation.
        unsafe {
            Self {
                info,
                relation: (*info).ri_RelationDesc,
                bulk: pg_sys::GetBulkInsertState(),
                slots: Vec::new(),
                used: 0,
                has_indexes: (*info).ri_NumIndices > 0,
            }
        }
    }
}

unsafe fn result_relation(relation: pg_sys::Relation) -> *mut pg_sys::ResultRelInfo {
    // SAFETY: a new node for an open relation.
    unsafe {
        let info =
            pgrx::PgBox::<pg_sys::ResultRelInfo>::alloc_node(pg_sys::NodeTag::T_ResultRelInfo)
                .into_pg();
        pg_sys::InitResultRelInfo(info, relation, 0, std::ptr::null_mut(), 0);
        info
    }
}

/// What the macro ResetPerTupleExprContext does.
unsafe fn reset_row_memory(state: *mut pg_sys::EState) {
    // SAFETY: a live executor state.
    unsafe {
        let context = (*state).es_per_tuple_exprcontext;
        if !context.is_null() {
            pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
        }
    }
}

unsafe fn insert_index_entries(
    info: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    state: *mut pg_sys::EState,
) {
    // SAFETY: a tuple just stored, and the open indexes of its table. A unique index raises here.
    unsafe {
        #[cfg(feature = "pg15")]
        pg_sys::ExecInsertIndexTuples(
            info,
            slot,
            state,
            false,
            false,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        );
        #[cfg(not(feature = "pg15"))]
        pg_sys::ExecInsertIndexTuples(
            info,
            slot,
            state,
            false,
            false,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            false,
        );
    }
}
