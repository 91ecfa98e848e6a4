//! Segment's rules: a limit and a priority for each type of identifier. Where an event would break a
//! limit, the identifier of the lowest priority is taken out of the event, until none is broken.

use super::scenario::{Scenario, any, of_type, unique};

fn suggested() -> Scenario {
    Scenario::new(&[
        ("user_id", unique(1)),
        ("email", of_type(2, Some(5), true)),
        ("anonymous_id", of_type(3, Some(5), true)),
    ])
}

#[test]
fn a_second_user_id_with_a_known_email_is_another_person() {
    suggested()
        .seen(&["user_id:abc123 email:jane", "user_id:abc456 email:jane"])
        .gives(&["abc123 jane", "abc456"]);
}

#[test]
fn a_cookie_that_was_kept_after_a_logout_joins_no_two_people() {
    suggested()
        .seen(&[
            "anonymous_id:a1",
            "user_id:u1 anonymous_id:a1",
            "user_id:u2 anonymous_id:a1",
        ])
        .gives(&["u1 a1", "u2"]);
}

#[test]
fn the_email_of_a_whole_team_joins_nobody() {
    suggested()
        .seen(&[
            "user_id:u1 email:team@company.com",
            "user_id:u2 email:team@company.com",
            "user_id:u3 email:team@company.com email:c",
        ])
        .gives(&["u1 team@company.com", "u2", "u3 c"]);
}

#[test]
fn values_that_stand_for_nobody_join_nobody() {
    suggested()
        .blocked(&["user_id:0000", "anonymous_id:null"])
        .seen(&[
            "user_id:0000 anonymous_id:a1",
            "user_id:0000 anonymous_id:a2",
            "user_id:u1 anonymous_id:null",
            "user_id:u2 anonymous_id:null",
        ])
        .gives(&["a1", "a2", "u1", "u2"]);
}

#[test]
fn a_sixth_email_is_not_of_the_same_person() {
    suggested()
        .seen(&[
            "user_id:u1 email:1",
            "user_id:u1 email:2",
            "user_id:u1 email:3",
            "user_id:u1 email:4",
            "user_id:u1 email:5",
            "user_id:u1 email:6",
        ])
        .gives(&["u1 1 2 3 4 5", "6"]);
}

#[test]
fn two_user_ids_of_a_shop_and_one_email() {
    Scenario::new(&[
        ("email", unique(1)),
        ("user_id", of_type(2, Some(2), true)),
        ("anonymous_id", any(3)),
    ])
    .seen(&[
        "email:jane user_id:shopify-7",
        "email:jane user_id:3f2a",
        "email:jane user_id:another",
        "user_id:3f2a anonymous_id:a1",
    ])
    .gives(&["jane 3f2a shopify-7 a1", "another"]);
}

#[test]
fn four_events_that_make_two_profiles_one() {
    // With their exact rows: tests/server/tests/segment_views.rs.
    let events = [
        "anonymous_id:5285bc35",
        "anonymous_id:5285bc35 email:jane.kim",
        "anonymous_id:b50e18a5",
        "anonymous_id:b50e18a5 email:jane.kim",
    ];
    suggested()
        .seen(&events[..3])
        .gives(&["jane.kim 5285bc35", "b50e18a5"]);
    suggested()
        .seen(&events)
        .gives(&["jane.kim 5285bc35 b50e18a5"]);
}
