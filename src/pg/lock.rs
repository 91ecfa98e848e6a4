//! Locks on a row's key, held by a session across transactions. No SQL of a user's can take or
//! release them, as it can advisory locks.

use pgrx::prelude::*;

/// What is locked: a number in the name of a relation of this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The relation.
    pub relation: u32,
    /// The number.
    pub number: u32,
}

const MODE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

impl Key {
    fn tag(self) -> pg_sys::LOCKTAG {
        pg_sys::LOCKTAG {
            // SAFETY: reads a global of this backend.
            locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
            locktag_field2: self.relation,
            locktag_field3: self.number,
            // A sub-object that no column has, so that DDL on the relation takes no such lock.
            locktag_field4: u16::MAX,
            locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
            locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
        }
    }

    fn try_take(self, for_session: bool) -> bool {
        use pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL;
        // SAFETY: a complete tag; does not wait.
        let result = unsafe { pg_sys::LockAcquire(&self.tag(), MODE, for_session, true) };
        result != LOCKACQUIRE_NOT_AVAIL
    }

    /// Takes it to the end of the transaction, when no other session has it any more.
    pub fn take_for_transaction(self) {
        // SAFETY: a complete tag; a cancel while it waits is raised, as for any lock.
        unsafe { pg_sys::LockAcquire(&self.tag(), MODE, false, false) };
    }

    /// Takes it for this session, until [`Key::release`], an error outside any subtransaction, or
    /// the end of the session; false if another session has it. It is not taken twice.
    pub fn try_take_for_session(self) -> bool {
        !self.held() && self.try_take(true)
    }

    /// Takes it to the end of the transaction; false if another session has it.
    pub fn try_take_for_transaction(self) -> bool {
        self.try_take(false)
    }

    /// Whether this session has it.
    pub fn held(self) -> bool {
        // SAFETY: looks into this process's own table of locks.
        unsafe { pg_sys::LockHeldByMe(&self.tag(), MODE) }
    }

    /// Gives up what [`Key::try_take_for_session`] took.
    pub fn release(self) {
        // SAFETY: a complete tag; what is not held gives a warning only.
        unsafe { pg_sys::LockRelease(&self.tag(), MODE, true) };
    }
}
