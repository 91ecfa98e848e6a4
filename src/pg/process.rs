//! Background processes: registering, starting and ending them, and what they report.

use std::ffi::{CStr, CString};
use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::prelude::*;

/// A database of this server.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its object id.
    pub oid: u32,
    /// Its name.
    pub name: String,
}

/// A process that the postmaster was asked to start.
pub struct Spawned(*mut pg_sys::BackgroundWorkerHandle);

impl Spawned {
    /// Whether it is to start, or runs.
    pub fn alive(&self) -> bool {
        let mut pid = 0;
        // SAFETY: the handle came from RegisterDynamicBackgroundWorker and is freed by drop alone.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(self.0, &mut pid) };
        use pg_sys::BgwHandleStatus::{BGWH_NOT_YET_STARTED, BGWH_STARTED};
        status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // SAFETY: allocated for us by RegisterDynamicBackgroundWorker, in a context that lives as
        // long as this process, and used nowhere else.
        unsafe { pg_sys::pfree(self.0.cast()) }
    }
}

/// Registers a process that runs from the end of recovery on, and again `restart_after` its end.
/// Only from `_PG_init`, while preloading.
pub fn register(name: &str, function: &str, restart_after: Duration) {
    BackgroundWorkerBuilder::new(name)
        .set_type(name)
        .set_library("pg_cdp")
        .set_function(function)
        .enable_spi_access()
        .set_restart_time(Some(restart_after))
        .load();
}

/// Asks the postmaster to start a process once; it wakes us when that starts and ends. `None` where
/// `max_worker_processes` are in use. Outside any transaction, so that the handle outlives it.
pub fn spawn(kind: &str, name: &str, function: &str, argument: u32) -> Option<Spawned> {
    let builder = BackgroundWorkerBuilder::new(name)
        .set_type(kind)
        .set_library("pg_cdp")
        .set_function(function)
        .enable_spi_access()
        .set_restart_time(None)
        .set_argument(Some(pg_sys::Datum::from(argument as usize)))
        // SAFETY: reads a global of this process.
        .set_notify_pid(unsafe { pg_sys::MyProcPid });
    let mut worker: pg_sys::BackgroundWorker = (&builder).into();
    let mut handle = std::ptr::null_mut();
    // SAFETY: both live for the call; the handle is set when it returns true. It is allocated in
    // the top context, since no transaction is open here.
    unsafe {
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle)
    }
    .then(|| Spawned(handle))
}

/// Takes signals as a session does: the end at once, a changed configuration at the next look. To
/// be called first by every main function.
pub fn take_signals() {
    unsafe extern "C-unwind" {
        fn die(signal: i32);
    }
    // SAFETY: PostgreSQL's own handler, of the type that pqsignal takes. pgrx's own would only set
    // a flag, and a worker in the middle of a statement would then never end. It is installed
    // before signals are unblocked.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(pg_sys::SIGTERM as i32, Some(die));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(pg_sys::SIGTERM as i32, Some(die));
    }
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
}

/// Connects to a database as the bootstrap superuser; to none, for the shared catalogues only.
pub fn connect(database: Option<u32>) {
    // SAFETY: once, by the main function of a process that was registered with a connection.
    unsafe {
        match database {
            Some(oid) => pg_sys::BackgroundWorkerInitializeConnectionByOid(
                pg_sys::Oid::from(oid),
                pg_sys::InvalidOid,
                0,
            ),
            None => {
                pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0)
            }
        }
    }
}

/// Sets a setting for this process, over what the database or the files say.
pub fn pin(name: &CStr, value: &CStr) {
    // SAFETY: NUL-terminated; called by a main function, outside any transaction.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        );
    }
}

/// Calls `body` when this process ends, with its exit code. After an abort of what is open.
pub fn at_exit(body: fn(i32)) {
    #[pg_guard]
    unsafe extern "C-unwind" fn call(code: i32, body: pg_sys::Datum) {
        // SAFETY: the argument is the function pointer that `at_exit` registered, and no other.
        let body = unsafe { std::mem::transmute::<usize, fn(i32)>(body.value()) };
        body(code);
    }
    // SAFETY: registers a function for the end of this process; its argument is a function pointer,
    // which is as wide as a Datum and never dangles.
    unsafe { pg_sys::on_shmem_exit(Some(call), pg_sys::Datum::from(body as usize)) }
}

/// Reads the configuration again if a SIGHUP came. Outside any transaction.
pub fn reload_configuration() -> bool {
    let asked = BackgroundWorker::sighup_received();
    if asked {
        // SAFETY: as every main loop of PostgreSQL does on SIGHUP, outside any transaction.
        unsafe {
            (&raw mut pg_sys::ConfigReloadPending).write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
    asked
}

/// Shows in `pg_stat_activity` what this process does.
pub fn report(activity: &str) {
    report_state(pg_sys::BackendState::STATE_RUNNING, activity);
}

/// Shows in `pg_stat_activity` that this process waits, and hands in the statistics it gathered, by
/// which autovacuum goes. Outside any transaction.
pub fn report_idle(activity: &str) {
    report_state(pg_sys::BackendState::STATE_IDLE, activity);
    // SAFETY: outside any transaction, as it demands.
    unsafe { pg_sys::pgstat_report_stat(true) };
}

fn report_state(state: pg_sys::BackendState::Type, activity: &str) {
    let Ok(activity) = CString::new(activity) else {
        return;
    };
    // SAFETY: copies the NUL-terminated text into this process's entry.
    unsafe { pg_sys::pgstat_report_activity(state, activity.as_ptr()) }
}

/// This process's id.
pub fn own_pid() -> i32 {
    // SAFETY: reads a global of this process.
    unsafe { pg_sys::MyProcPid }
}

/// Whether a process of that id is connected to this server.
pub fn exists(pid: i32) -> bool {
    // SAFETY: looks it up in the array of processes, under its lock.
    pid != 0 && unsafe { !pg_sys::BackendPidGetProc(pid).is_null() }
}

/// Whether this process is a background worker.
pub fn in_background() -> bool {
    // SAFETY: reads a global of this process.
    unsafe { pg_sys::IsBackgroundWorker }
}

/// The databases that can be connected to and are no templates. Needs no connection to any.
pub fn databases() -> Vec<Database> {
    let mut found = Vec::new();
    // SAFETY: as the autovacuum launcher does it: in a transaction of its own, a scan of a shared
    // catalogue by the current snapshot; each tuple is read before the next is fetched, and scan
    // and relation are closed in order.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::GetTransactionSnapshot();
        let relation = pg_sys::table_open(
            pg_sys::DatabaseRelationId,
            pg_sys::AccessShareLock as pg_sys::LOCKMODE,
        );
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let row = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            // A limit of -2 marks what an interrupted DROP DATABASE left.
            if row.datallowconn && !row.datistemplate && row.datconnlimit != -2 {
                let name = CStr::from_ptr(row.datname.data.as_ptr());
                found.push(Database {
                    oid: row.oid.to_u32(),
                    name: name.to_string_lossy().into_owned(),
                });
            }
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        pg_sys::CommitTransactionCommand();
    }
    found
}

/// The name of a database; in a transaction.
pub fn database_name(oid: u32) -> Option<String> {
    // SAFETY: a catalogue look-up, which gives a palloc'ed copy or null.
    unsafe {
        let name = pg_sys::get_database_name(pg_sys::Oid::from(oid));
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}
