//! Settings.

use std::ffi::CString;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;

/// `cdp.batch_size`: messages a batch, at most.
pub static BATCH_SIZE: GucSetting<i32> = GucSetting::<i32>::new(20_000);
/// `cdp.bulk_batch_size`: rows of mapped tables a batch, at most, while very many wait.
pub static BULK_BATCH_SIZE: GucSetting<i32> = GucSetting::<i32>::new(500_000);
/// `cdp.inbox_limit`: size in MB past which ingest is refused.
pub static INBOX_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(16_384);
/// `cdp.poll_interval`: milliseconds between looks at the inbox when nothing wakes the worker.
pub static POLL_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(1_000);
/// `cdp.discovery_interval`: milliseconds between the launcher's looks for databases.
pub static DISCOVERY_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(60_000);
/// `cdp.workers`: whether background workers run.
pub static WORKERS: GucSetting<bool> = GucSetting::<bool>::new(true);
/// `cdp.default_source`: the source of messages that name none.
pub static DEFAULT_SOURCE: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"default"));
/// `cdp.graph_memory`: MB that a computation over a whole graph may take.
pub static GRAPH_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(1_024);

/// Declares the settings. Called once, when the library is loaded.
pub fn register() {
    let flags = GucFlags::default();
    GucRegistry::define_int_guc(
        c"cdp.batch_size",
        c"Messages a batch, at most.",
        c"A batch is one transaction; larger ones are faster, smaller ones show results sooner.",
        &BATCH_SIZE,
        1,
        1_000_000,
        GucContext::Suset,
        flags,
    );
    GucRegistry::define_int_guc(
        c"cdp.bulk_batch_size",
        c"Rows of mapped tables a batch, at most, while very many wait.",
        c"They are read in parts of cdp.batch_size, and the identity graph is derived as a whole. 0: never.",
        &BULK_BATCH_SIZE,
        0,
        10_000_000,
        GucContext::Suset,
        flags,
    );
    GucRegistry::define_int_guc(
        c"cdp.inbox_limit",
        c"Size of the inbox past which ingest is refused.",
        c"Capture from mapped tables is never refused.",
        &INBOX_LIMIT,
        1,
        i32::MAX,
        GucContext::Suset,
        GucFlags::UNIT_MB,
    );
    GucRegistry::define_int_guc(
        c"cdp.poll_interval",
        c"Time between looks at the inbox when nothing wakes the worker.",
        c"Two-phase commits and jobs that fall due are found by polling.",
        &POLL_INTERVAL,
        10,
        3_600_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"cdp.discovery_interval",
        c"Time between the launcher's looks for databases with pg_cdp.",
        c"A new installation wakes it at commit; this finds what was restored or renamed.",
        &DISCOVERY_INTERVAL,
        100,
        86_400_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_bool_guc(
        c"cdp.workers",
        c"Whether background workers run.",
        c"Off: everything waits for cdp.process() and cdp.run_due_jobs().",
        &WORKERS,
        GucContext::Sighup,
        flags,
    );
    GucRegistry::define_string_guc(
        c"cdp.default_source",
        c"The source of messages that name none.",
        c"It is for the whole server; what names its source does not need it.",
        &DEFAULT_SOURCE,
        GucContext::Sighup,
        flags,
    );
    GucRegistry::define_int_guc(
        c"cdp.graph_memory",
        c"Memory that a computation over a whole identity graph may take.",
        c"cdp.connected_components(), cdp.rebuild() and batches stop with an error before they take more.",
        &GRAPH_MEMORY,
        1,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MB,
    );
    // SAFETY: a NUL-terminated constant; called while the library is loaded.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"cdp".as_ptr()) };
}

/// `cdp.graph_memory` in bytes.
pub fn graph_memory() -> usize {
    usize::try_from(GRAPH_MEMORY.get()).unwrap_or_default() << 20
}
