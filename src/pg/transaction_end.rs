//! Something to do when a transaction ends. One callback a process, whatever a transaction asks
//! for; pgrx's own registers one a call.

use std::cell::Cell;
use std::sync::Once;

use pgrx::prelude::*;

/// Called at the end with whether it committed. It must raise nothing.
pub type Handler = fn(bool);

thread_local! {
    static HANDLERS: Cell<[Option<Handler>; 2]> = const { Cell::new([None; 2]) };
}

/// Has `handler` called once at the end of this transaction, however often this is called. A
/// prepared transaction counts as not committed: another process may commit it. There is room for
/// the two handlers that this library has.
pub fn call(handler: Handler) {
    static REGISTERED: Once = Once::new();
    // SAFETY: registers a function of this library for the life of this process.
    REGISTERED.call_once(|| unsafe {
        pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut());
    });
    let mut handlers = HANDLERS.get();
    let same = |known: &Handler| std::ptr::fn_addr_eq(*known, handler);
    if !handlers.iter().flatten().any(same) {
        match handlers.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(handler),
            None => unreachable!("more handlers than room"),
        }
        HANDLERS.set(handlers);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end(
    event: pg_sys::XactEvent::Type,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if [XACT_EVENT_COMMIT, XACT_EVENT_ABORT, XACT_EVENT_PREPARE].contains(&event) {
        for handler in HANDLERS.replace([None; 2]).into_iter().flatten() {
            handler(event == XACT_EVENT_COMMIT);
        }
    }
}
