//! Subtransactions, whole transactions of a worker, and what a transaction may be asked.

use std::panic::AssertUnwindSafe;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use super::{Error, Result};

/// Runs `body` in a subtransaction: its error leaves the rest of the transaction as it was. What it allocates
/// from PostgreSQL is freed at its end, so that it must give back nothing that lies there.
pub fn in_subtransaction<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: as PL/pgSQL's exception block does it: the memory context and resource owner of the
    // caller are put back by us after either end, and the subtransaction is always ended. What `body`
    // gives back is Rust's own: nothing of it lies in the context that is deleted.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        let room = pg_sys::AllocSetContextCreateExtended(
            context,
            c"pg_cdp subtransaction".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(room);
        let result = catch(body);
        if result.is_ok() {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::MemoryContextDelete(room);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}

/// Runs `body` in a subtransaction that is undone, whatever comes of it. Locks that it took are given
/// back; what it drew from sequences is not.
pub fn undone<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut done = None;
    let end: Result<()> = in_subtransaction(|| {
        done = Some(body()?);
        Err(Error::internal("undone"))
    });
    match (done, end) {
        (None, Err(error)) => Err(error),
        (Some(done), _) => Ok(done),
        (None, Ok(())) => Err(Error::internal("a subtransaction that did nothing")),
    }
}

/// Runs `body` as one transaction of a background worker, committed when it returns Ok.
pub fn in_transaction<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    transaction(None, body)
}

/// Like [`in_transaction`], as that role from first to last: what the commit itself sets off, such
/// as deferred triggers, has no other rights either. SET ROLE and RESET ROLE do not work inside.
pub fn in_transaction_as<T>(role: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    transaction(Some(role), body)
}

fn transaction<T>(role: Option<&str>, body: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: only called from a worker's main loop, outside any transaction; every path ends the
    // transaction that it starts. The user is the worker's own again after it: an abort puts it
    // back, a commit leaves it to us.
    unsafe {
        let mut user = pg_sys::InvalidOid;
        let mut context = 0;
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        let result = catch(|| {
            if let Some(role) = role {
                act_as(role)?;
            }
            body()
        });
        if result.is_ok() {
            if pg_sys::ActiveSnapshotSet() {
                pg_sys::PopActiveSnapshot();
            }
            if let Err(error) = catch(|| {
                pg_sys::CommitTransactionCommand();
                Ok(())
            }) {
                pg_sys::AbortCurrentTransaction();
                return Err(error);
            }
            pg_sys::SetUserIdAndSecContext(user, context);
        } else {
            pg_sys::AbortCurrentTransaction();
        }
        result
    }
}

fn act_as(role: &str) -> Result<()> {
    let role = super::role::by_name(role)
        .ok_or_else(|| Error::unknown(format!("role {role} does not exist")))?;
    // SAFETY: inside the transaction that `transaction` began, which puts the user back.
    unsafe {
        pg_sys::SetUserIdAndSecContext(role, pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
    }
    Ok(())
}

/// Runs `body`, and gives what it raises as an error. The caller must end the (sub)transaction.
fn catch<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    let caught = |caught: CaughtError| Err(Error::from_caught(&caught));
    PgTryBuilder::new(AssertUnwindSafe(body))
        .catch_others(caught)
        .catch_rust_panic(caught)
        .execute()
}

/// Fails unless the transaction takes a new snapshot with each statement. A snapshot taken before
/// the wait for a lock sees rows that another session has already drained.
pub fn require_read_committed(what: &str) -> Result<()> {
    // SAFETY: reads a global of this backend.
    let level = unsafe { pg_sys::XactIsoLevel } as u32;
    if level > pg_sys::XACT_READ_COMMITTED {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_INVALID_TRANSACTION_STATE,
            format!("{what} needs isolation level READ COMMITTED"),
        )
        .hint("Run it outside the transaction, or BEGIN ISOLATION LEVEL READ COMMITTED."));
    }
    Ok(())
}

/// Fails within BEGIN and COMMIT.
pub fn require_none_open(what: &str) -> Result<()> {
    // SAFETY: reads the state of this backend's transaction.
    if unsafe { pg_sys::IsTransactionBlock() } {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            format!("{what} commits as it goes, and cannot run within a transaction block"),
        )
        .hint("Call it outside of BEGIN and COMMIT."));
    }
    Ok(())
}

/// Whether this server is a standby.
pub fn on_standby() -> bool {
    // SAFETY: reads shared memory by PostgreSQL's own function.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Fails on a standby, which only reads.
pub fn require_primary(what: &str) -> Result<()> {
    if on_standby() {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            format!("{what} cannot run on a standby"),
        )
        .hint("Run it on the primary."));
    }
    Ok(())
}

/// The identifier that initdb gave this server's cluster.
pub fn system_identifier() -> i64 {
    // SAFETY: reads the control file's copy in shared memory.
    unsafe { pg_sys::GetSystemIdentifier() as i64 }
}

/// The object id of this database.
pub fn database_oid() -> i64 {
    // SAFETY: reads a global of this backend, set when it connected.
    i64::from(unsafe { pg_sys::MyDatabaseId }.to_u32())
}

/// Makes what this transaction wrote so far visible to its next statement.
pub fn command_counter_increment() {
    // SAFETY: called inside a transaction, between statements.
    unsafe { pg_sys::CommandCounterIncrement() }
}
