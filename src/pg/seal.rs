//! Seals: proof that text went through our code on this server. Whoever can write to a table of
//! ours can write a row that claims another role as its owner; it cannot write the seal.

use hmac::{Hmac, KeyInit, Mac};
use pgrx::prelude::*;
use sha2::Sha256;

/// The seal of these parts, in this database of this server. Any change of a part gives another.
pub fn of(purpose: &str, parts: &[&str]) -> String {
    const NONCE_LENGTH: usize = 32;
    // SAFETY: 32 random bytes that initdb made, in the copy of the control file in shared memory.
    // PostgreSQL keeps them secret: it makes up salts for roles that do not exist from them.
    let nonce = unsafe {
        std::slice::from_raw_parts(
            pg_sys::GetMockAuthenticationNonce().cast::<u8>(),
            NONCE_LENGTH,
        )
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(nonce) else {
        unreachable!("HMAC takes keys of any length")
    };
    let database = super::transaction::database_oid().to_string();
    for part in ["pg_cdp", purpose, &database].iter().chain(parts) {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part.as_bytes());
    }
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
