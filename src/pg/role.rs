//! Acting as another role. Never by SET ROLE, which the code that runs could RESET.

use std::ffi::CString;

use pgrx::pg_sys;

use super::{Error, Result};

/// The role that owns the tables, and as which everything of ours runs. NOLOGIN; members configure.
pub const OWNER: &str = "cdp_owner";
/// May append to the inbox, nothing else.
pub const INGEST: &str = "cdp_ingest";
/// May read profiles, segments and their members.
pub const READER: &str = "cdp_reader";

/// Puts the user id, the security context and the settings back, also when unwinding.
struct Restore {
    user: pg_sys::Oid,
    context: i32,
    guc_level: i32,
}

impl Drop for Restore {
    fn drop(&mut self) {
        // SAFETY: the values came from the matching getters in `switch`; levels nest like the
        // guards do. After an error the (sub)transaction's abort does the same once more.
        unsafe {
            pg_sys::AtEOXact_GUC(false, self.guc_level);
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}

fn switch(role: pg_sys::Oid, flags: u32, search_path: &str) -> Restore {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    // SAFETY: the pair of getter and setter that PostgreSQL itself uses for definer functions; the
    // guard puts the former values back.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let restore = Restore {
            user,
            context,
            guc_level: pg_sys::NewGUCNestLevel(),
        };
        pg_sys::SetUserIdAndSecContext(role, context | flags as i32);
        set_local(c"search_path", search_path);
        restore
    }
}

/// Sets a setting that any user may set, until the [`as_owner`] or [`as_user`] that it is called in
/// returns.
pub fn set(name: &str, value: &str) {
    if let Ok(name) = CString::new(name) {
        set_local(&name, value);
    }
}

fn set_local(name: &std::ffi::CStr, value: &str) {
    let Ok(value) = CString::new(value) else {
        return;
    };
    // SAFETY: name and value are NUL-terminated and outlive the call; GUC_ACTION_SAVE reverts at
    // the nest level that `switch` opened.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// The role of that name.
pub fn by_name(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a catalogue look-up by a NUL-terminated name.
    let oid = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// The role that is acting now.
pub fn current() -> pg_sys::Oid {
    // SAFETY: reads a global of this backend.
    unsafe { pg_sys::GetUserId() }
}

/// The name of a role; `None` where it does not exist.
pub fn name_of(role: pg_sys::Oid) -> Option<String> {
    // SAFETY: a catalogue look-up, which gives a palloc'ed copy or null.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        (!name.is_null()).then(|| {
            std::ffi::CStr::from_ptr(name)
                .to_string_lossy()
                .into_owned()
        })
    }
}

/// Whether the caller is a superuser.
pub fn is_superuser() -> bool {
    // SAFETY: reads the catalogue.
    unsafe { pg_sys::superuser() }
}

/// Whether the acting role has the rights of `role`.
pub fn has_rights_of(role: pg_sys::Oid) -> bool {
    may_act_for(current(), role)
}

/// Whether `member` has the rights of `role`.
pub fn may_act_for(member: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: a catalogue look-up.
    unsafe { pg_sys::has_privs_of_role(member, role) }
}

/// Runs `body` as `cdp_owner`, which the caller must be or be a member of, with a pinned search_path.
pub fn as_owner<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    let owner = by_name(OWNER).ok_or_else(|| {
        Error::state("pg_cdp is not initialised in this database").hint("Run SELECT cdp.init();")
    })?;
    if !has_rights_of(owner) {
        return Err(Error::privilege("permission denied for pg_cdp")
            .detail(format!("This needs membership in role {OWNER}."))
            .hint(format!("A superuser can run: GRANT {OWNER} TO your_role;")));
    }
    let _restore = switch(
        owner,
        pg_sys::SECURITY_LOCAL_USERID_CHANGE,
        "pg_catalog, pg_temp",
    );
    body()
}

/// Runs SQL of a user's as that user, in a security-restricted operation: neither SET ROLE nor
/// RESET ROLE nor SET SESSION AUTHORIZATION works inside, and no state is left behind.
/// The caller must itself have made sure that it may act for `role`.
pub fn as_user<T>(
    role: pg_sys::Oid,
    search_path: &str,
    body: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let flags = pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
    let _restore = switch(role, flags, search_path);
    body()
}
