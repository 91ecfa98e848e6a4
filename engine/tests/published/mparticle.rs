//! mParticle's IDSync: a strategy says what becomes of the profile in use when somebody logs in or out.
//!
//! There a session asks which profile it is in, and the answer depends on what was asked before; a logout
//! makes a new profile, or goes back to an old one. We know of no sessions: who somebody is follows from
//! what was seen together, in whatever order it arrives. So a device has one person at a time at most, and
//! whose its events were, while several people used it, is asked of a time-sliced type.

use super::scenario::{Scenario, any, device, of_type, unique};

/// A first launch, a login, a logout, a message by another way, and a login again.
const FLOW: &[&str] = &[
    "idfv:9876",
    "customer_id:ABC123 email:ed.hyde idfv:9876",
    "idfv:9876",
    "email:h.jekyll",
    "customer_id:ABC123 email:ed.hyde idfv:9876",
];

fn logins() -> Scenario {
    Scenario::new(&[
        ("customer_id", unique(1)),
        ("email", of_type(2, Some(5), true)),
        ("idfv", device(3)),
        ("roku_id", device(4)),
    ])
}

#[test]
fn profile_conversion_keeps_what_was_done_before_the_login() {
    // Theirs has a second profile besides, for what the device showed between logout and login.
    logins()
        .seen(FLOW)
        .gives(&["ABC123 ed.hyde 9876", "h.jekyll"]);
}

#[test]
fn profile_link_gives_it_to_the_next_who_logs_in() {
    // The device was used before anybody logged in; the next to do so has that. A second person who logs
    // in on it later has what they did themselves. Theirs gives each what came just before their login.
    logins()
        .seen(FLOW)
        .seen(&["customer_id:XYZ email:poole idfv:9876"])
        .gives(&["ABC123 ed.hyde 9876", "h.jekyll", "XYZ poole"]);
}

#[test]
fn profile_isolation_keeps_it_apart() {
    // A type of which no profile takes any: only by hand is it joined to something. (SQL has no such
    // limit; there such a value is not declared as an identifier, and stays in the messages.)
    Scenario::new(&[
        ("customer_id", unique(1)),
        ("email", of_type(2, Some(5), true)),
        ("idfv", of_type(3, Some(0), false)),
    ])
    .seen(FLOW)
    .seen(&["customer_id:XYZ email:poole idfv:9876"])
    .gives(&["ABC123 ed.hyde", "9876", "h.jekyll", "XYZ poole"]);
}

#[test]
fn a_login_is_one_person_on_whatever_device() {
    logins()
        .seen(FLOW)
        .seen(&["customer_id:ABC123 roku_id:R1", "email:ed.hyde idfv:5555"])
        .gives(&["ABC123 ed.hyde 5555 9876 R1", "h.jekyll"]);
}

#[test]
fn two_logins_of_one_person_stay_two() {
    // Their warning: somebody known by e-mail who logs in with another id is a second profile. With us
    // until something shows both.
    let two = logins().seen(&["email:ed.hyde idfv:1", "customer_id:ABC123 idfv:2"]);
    two.gives(&["ABC123 2", "ed.hyde 1"]);
    two.seen(&["customer_id:ABC123 email:ed.hyde"])
        .gives(&["ABC123 ed.hyde 1 2"]);
}

/// Best match: no logins, nothing unique.
fn best_match(idfv: cdp_engine::graph::TypeRule) -> Scenario {
    Scenario::new(&[("email", any(1)), ("idfv", idfv), ("android_id", device(3))]).seen(&[
        "idfv:9876",
        "email:ed.hyde idfv:9876",
        "email:poole idfv:9876",
    ])
}

#[test]
fn best_match_takes_all_on_one_device_for_one() {
    // With theirs a second person's e-mail joins the profile of the first, since the device matches. With
    // us a device does so only where it is declared to bridge.
    best_match(any(2)).gives(&["ed.hyde poole 9876"]);
    best_match(device(2)).gives(&["ed.hyde 9876", "poole"]);
}
