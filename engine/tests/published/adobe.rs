//! Adobe's identity graph linking rules: namespaces with a priority, some of them unique in a graph.
//!
//! Their rule for what breaks uniqueness: the newest link stays and the oldest goes, so that a device
//! belongs to whoever signed in last. Ours, by default: what was known first (or confirmed) stays, since
//! it is then no way to take an identifier from somebody by showing it; whoever wants theirs sets
//! `keep => 'last'` for a type, and what they decide is computed here by that option. And a cookie or a device does not make two people one, with us, where each has a login, an
//! e-mail or a customer number: they have no such rule, and say to send the customer number always.

use super::scenario::{Scenario, any, device, unique};

/// What both decide.
#[track_caller]
fn same(scenario: &Scenario, profiles: &[&str]) {
    scenario.gives(profiles);
    scenario.clone().last_wins().gives(profiles);
}

/// What we decide, and what they do.
#[track_caller]
fn differ(scenario: &Scenario, ours: &[&str], theirs: &[&str]) {
    scenario.gives(ours);
    scenario.clone().last_wins().gives(theirs);
}

// -------------------------------------------------------------------------------- a customer number only

fn customer_number() -> Scenario {
    Scenario::new(&[("crm", unique(1)), ("ecid", device(2))])
}

#[test]
fn one_person_on_one_device() {
    same(&customer_number().seen(&["crm:Tom ecid:111"]), &["Tom 111"]);
}

#[test]
fn a_shared_device() {
    differ(
        &customer_number().seen(&["crm:Tom ecid:111", "crm:Summer ecid:111"]),
        &["Tom 111", "Summer"],
        &["Tom", "Summer 111"],
    );
}

#[test]
fn a_shared_device_where_devices_keep_the_last_login() {
    let devices_keep_last = customer_number().keeping_last(&["ecid"]);
    let shared = devices_keep_last.seen(&["crm:Tom ecid:111", "crm:Summer ecid:111"]);
    shared.gives(&["Tom", "Summer 111"]);
    let back = shared.seen(&["crm:Tom ecid:111"]);
    back.gives(&["Tom 111", "Summer"]);
    // Only devices: an e-mail stays with whom it was first.
    with_email()
        .keeping_last(&["ecid"])
        .seen(&["crm:Summer ecid:111", "crm:Summer email:aabbcc"])
        .gives(&["Tom aabbcc", "Summer ddeeff 111 222"]);
}

#[test]
fn a_shared_device_goes_back_with_the_next_login() {
    // Both give the tablet to Kevin: we because he was first, they because he was last. Which events on
    // it were Nora's, neither tells so; for that a type is declared time-sliced.
    same(
        &customer_number().seen(&[
            "crm:Kevin ecid:tablet",
            "crm:Nora ecid:tablet",
            "ecid:tablet",
            "crm:Kevin ecid:tablet",
        ]),
        &["Kevin tablet", "Nora"],
    );
}

// ------------------------------------------------------------------------------------------- with e-mail

fn with_email() -> Scenario {
    Scenario::new(&[("crm", unique(1)), ("email", any(2)), ("ecid", device(3))]).seen(&[
        "crm:Tom email:aabbcc",
        "crm:Tom ecid:111",
        "crm:Summer email:ddeeff",
        "crm:Summer ecid:222",
    ])
}

#[test]
fn two_people() {
    same(&with_email(), &["Tom aabbcc 111", "Summer ddeeff 222"]);
}

#[test]
fn two_people_on_one_device() {
    differ(
        &with_email().seen(&["crm:Summer ecid:111"]),
        &["Tom aabbcc 111", "Summer ddeeff 222"],
        &["Tom aabbcc", "Summer ddeeff 111 222"],
    );
}

#[test]
fn two_people_with_one_email() {
    // Whoever enters somebody else's e-mail does not get it from us.
    differ(
        &with_email().seen(&["crm:Summer email:aabbcc"]),
        &["Tom aabbcc 111", "Summer ddeeff 222"],
        &["Tom 111", "Summer aabbcc ddeeff 222"],
    );
}

#[test]
fn an_email_that_is_unique_too() {
    // Two customers, each with one e-mail, on one laptop.
    let scenario = Scenario::new(&[
        ("crm", unique(1)),
        ("email", unique(2)),
        ("ecid", device(3)),
    ]);
    differ(
        &scenario.seen(&[
            "crm:Jane email:jane",
            "crm:John email:john",
            "crm:Jane email:jane ecid:laptop",
            "crm:John email:john ecid:laptop",
        ]),
        &["Jane jane laptop", "John john"],
        &["Jane jane", "John john laptop"],
    );
}

#[test]
fn a_bad_email() {
    let scenario = Scenario::new(&[
        ("crm", unique(1)),
        ("email", unique(2)),
        ("ecid", device(3)),
    ])
    .seen(&[
        "crm:Jane ecid:safari",
        "crm:John ecid:chrome",
        "crm:Jane email:test@test.com",
        "crm:John email:test@test.com",
    ]);
    differ(
        &scenario,
        &["Jane test@test.com safari", "John chrome"],
        &["Jane safari", "John test@test.com chrome"],
    );
    // Such an address is blocked by default: it is nobody's.
    same(
        &scenario.blocked(&["email:test@test.com"]),
        &["Jane safari", "John chrome"],
    );
}

// ----------------------------------------------------------------- with e-mail, telephone and ids of phones

fn with_devices() -> Scenario {
    Scenario::new(&[
        ("crm", unique(1)),
        ("email", any(2)),
        ("phone", any(3)),
        ("gaid", device(4)),
        ("idfa", device(5)),
        ("ecid", device(6)),
    ])
    .seen(DEVICES)
}

const DEVICES: &[&str] = &[
    "crm:Tom email:aabbcc phone:123-4567",
    "crm:Tom ecid:111",
    "crm:Tom ecid:222 idfa:A-A-A",
    "crm:Summer email:ddeeff phone:765-4321",
    "crm:Summer ecid:333",
    "crm:Summer ecid:444 gaid:B-B-B",
];
const TOM: &str = "Tom aabbcc 123-4567 A-A-A 111 222";
const SUMMER: &str = "Summer ddeeff 765-4321 B-B-B 333 444";

#[test]
fn people_with_several_devices() {
    same(&with_devices(), &[TOM, SUMMER]);
}

#[test]
fn a_shared_computer() {
    differ(
        &with_devices().seen(&["crm:Summer ecid:111"]),
        &[TOM, SUMMER],
        &[
            "Tom aabbcc 123-4567 A-A-A 222",
            "Summer ddeeff 765-4321 B-B-B 111 333 444",
        ],
    );
}

#[test]
fn a_shared_android_phone() {
    differ(
        &with_devices().seen(&["crm:Tom ecid:444 gaid:B-B-B"]),
        &[TOM, SUMMER],
        &[
            "Tom aabbcc 123-4567 B-B-B A-A-A 111 222 444",
            "Summer ddeeff 765-4321 333",
        ],
    );
}

#[test]
fn a_shared_apple_phone() {
    differ(
        &with_devices().seen(&["crm:Summer ecid:222 idfa:A-A-A"]),
        &[TOM, SUMMER],
        &[
            "Tom aabbcc 123-4567 111",
            "Summer ddeeff 765-4321 B-B-B A-A-A 222 333 444",
        ],
    );
}

#[test]
fn a_shared_apple_phone_with_a_new_cookie() {
    // The new cookie is Summer's with both, though the phone stays Tom's with us.
    differ(
        &with_devices().seen(&["crm:Summer ecid:555 idfa:A-A-A"]),
        &[TOM, "Summer ddeeff 765-4321 B-B-B 333 444 555"],
        &[
            "Tom aabbcc 123-4567 111 222",
            "Summer ddeeff 765-4321 B-B-B A-A-A 333 444 555",
        ],
    );
}

#[test]
fn two_people_with_one_telephone() {
    differ(
        &with_devices().seen(&["crm:Summer phone:123-4567"]),
        &[TOM, SUMMER],
        &[
            "Tom aabbcc A-A-A 111 222",
            "Summer ddeeff 123-4567 765-4321 B-B-B 333 444",
        ],
    );
}

#[test]
fn a_telephone_that_is_unique_too() {
    // With them Summer loses the number that she had, to have that of Tom.
    let scenario = Scenario::new(&[
        ("crm", unique(1)),
        ("email", any(2)),
        ("phone", unique(3)),
        ("gaid", device(4)),
        ("idfa", device(5)),
        ("ecid", device(6)),
    ]);
    differ(
        &scenario.seen(DEVICES).seen(&["crm:Summer phone:123-4567"]),
        &[TOM, SUMMER],
        &[
            "Tom aabbcc A-A-A 111 222",
            "Summer ddeeff 123-4567 B-B-B 333 444",
            "765-4321",
        ],
    );
}

#[test]
fn two_people_with_one_email_and_many_devices() {
    differ(
        &with_devices().seen(&["crm:Summer email:aabbcc"]),
        &[TOM, SUMMER],
        &[
            "Tom 123-4567 A-A-A 111 222",
            "Summer aabbcc ddeeff 765-4321 B-B-B 333 444",
        ],
    );
}

#[test]
fn a_device_id_that_every_phone_sends() {
    let scenario = with_devices().seen(&[
        "crm:Tom idfa:user_null",
        "crm:Summer idfa:user_null",
        "crm:Ann idfa:user_null ecid:666",
        "idfa:user_null ecid:777",
    ]);
    // By uniqueness alone it goes to one of them, and takes a stranger's cookie along.
    let theirs: &[&str] = &[TOM, SUMMER, "Ann user_null 666 777"];
    differ(
        &scenario,
        &[
            "Tom aabbcc 123-4567 A-A-A user_null 111 222 777",
            SUMMER,
            "Ann 666",
        ],
        theirs,
    );
    // Shared by too many, as it is soon found to be, it joins nothing. It holds what it shows alone.
    same(
        &scenario.shared(&["idfa:user_null"]),
        &[TOM, SUMMER, "Ann 666", "777"],
    );
}

// ------------------------------------------------------------------------------ one person, several logins

fn with_logins() -> Scenario {
    Scenario::new(&[("crm", unique(1)), ("login", any(2)), ("ecid", device(3))])
}

const LOGINS: &[&str] = &[
    "crm:Tom login:A",
    "crm:Tom login:B",
    "login:A ecid:111",
    "crm:Summer login:C",
    "crm:Summer login:D",
    "login:C ecid:222",
];

#[test]
fn people_with_several_logins() {
    same(
        &with_logins().seen(LOGINS),
        &["Tom A B 111", "Summer C D 222"],
    );
}

#[test]
fn logins_on_a_shared_device() {
    differ(
        &with_logins().seen(LOGINS).seen(&["login:C ecid:111"]),
        &["Tom A B 111", "Summer C D 222"],
        &["Tom A B", "Summer C D 111 222"],
    );
}

#[test]
fn a_login_that_is_said_of_two_people() {
    differ(
        &with_logins().seen(LOGINS).seen(&["crm:Tom login:D"]),
        &["Tom A B 111", "Summer C D 222"],
        &["Tom A B D 111", "Summer C 222"],
    );
}

#[test]
fn a_dangling_login() {
    // Nobody said whose login C is. They take the two for one person, since nothing unique speaks against
    // it. With us a cookie does not join two that each have a login.
    differ(
        &with_logins().seen(&[
            "crm:Tom login:A",
            "crm:Tom login:B",
            "login:A ecid:111",
            "login:C ecid:111",
        ]),
        &["Tom A B 111", "C"],
        &["Tom A B C 111"],
    );
}

// ---------------------------------------------------------------- several logins, and e-mail and telephone

fn with_all() -> Scenario {
    Scenario::new(&[
        ("crm", unique(1)),
        ("email", any(2)),
        ("phone", any(3)),
        ("login", any(4)),
        ("ecid", device(5)),
    ])
    .seen(&[
        "crm:Tom email:aabbcc phone:123-4567",
        "crm:Tom login:A",
        "crm:Tom login:B",
        "login:A ecid:111",
        "crm:Summer email:ddeeff phone:765-4321",
        "crm:Summer login:C",
        "crm:Summer login:D",
        "login:C ecid:222",
    ])
}

const TOM_ALL: &str = "Tom aabbcc 123-4567 A B 111";
const SUMMER_ALL: &str = "Summer ddeeff 765-4321 C D 222";

#[test]
fn people_with_all_of_these() {
    same(&with_all(), &[TOM_ALL, SUMMER_ALL]);
}

#[test]
fn all_of_these_on_a_shared_device() {
    differ(
        &with_all().seen(&["login:C ecid:111"]),
        &[TOM_ALL, SUMMER_ALL],
        &[
            "Tom aabbcc 123-4567 A B",
            "Summer ddeeff 765-4321 C D 111 222",
        ],
    );
}

#[test]
fn the_owner_of_a_shared_device_comes_back() {
    same(
        &with_all().seen(&["crm:Summer login:C ecid:111", "login:A ecid:111"]),
        &[TOM_ALL, SUMMER_ALL],
    );
}

#[test]
fn a_login_of_two_people_takes_its_devices_along() {
    differ(
        &with_all().seen(&["crm:Tom login:C"]),
        &[TOM_ALL, SUMMER_ALL],
        &[
            "Tom aabbcc 123-4567 A B C 111 222",
            "Summer ddeeff 765-4321 D",
        ],
    );
}

#[test]
fn an_email_of_two_people_with_logins() {
    differ(
        &with_all().seen(&["crm:Summer email:aabbcc"]),
        &[TOM_ALL, SUMMER_ALL],
        &[
            "Tom 123-4567 A B 111",
            "Summer aabbcc ddeeff 765-4321 C D 222",
        ],
    );
}

#[test]
fn a_telephone_of_two_people_with_logins() {
    differ(
        &with_all().seen(&["crm:Tom phone:111-1111", "crm:Summer phone:111-1111"]),
        &["Tom aabbcc 111-1111 123-4567 A B 111", SUMMER_ALL],
        &[TOM_ALL, "Summer ddeeff 111-1111 765-4321 C D 222"],
    );
}

// ---------------------------------------------------------------------------------- customers and guests

fn shop() -> Scenario {
    Scenario::new(&[
        ("crm", unique(1)),
        ("email", unique(2)),
        ("ecid", device(3)),
    ])
}

#[test]
fn two_customers_on_one_device() {
    differ(
        &shop().seen(&[
            "crm:Tom email:tom",
            "crm:Summer email:summer",
            "crm:Tom ecid:111",
            "crm:Summer ecid:111",
        ]),
        &["Tom tom 111", "Summer summer"],
        &["Tom tom", "Summer summer 111"],
    );
}

#[test]
fn a_customer_and_a_guest_on_one_device() {
    differ(
        &shop().seen(&[
            "crm:Tom email:tom",
            "crm:Tom ecid:111",
            "email:summer ecid:111",
        ]),
        &["Tom tom 111", "summer"],
        &["Tom tom", "summer 111"],
    );
}

#[test]
fn a_customer_without_email_and_a_guest_on_one_device() {
    // Nothing says that they are two: neither has what the other has.
    same(
        &shop().seen(&["crm:Tom ecid:111", "email:summer ecid:111"]),
        &["Tom summer 111"],
    );
}

#[test]
fn two_guests_on_one_device() {
    differ(
        &shop().seen(&["email:tom ecid:111", "email:summer ecid:111"]),
        &["tom 111", "summer"],
        &["tom", "summer 111"],
    );
}

#[test]
fn a_guest_who_registers() {
    same(
        &shop().seen(&[
            "email:tom ecid:111",
            "email:tom crm:Tom",
            "crm:Tom ecid:111",
        ]),
        &["Tom tom 111"],
    );
}
