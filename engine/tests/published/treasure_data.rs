//! Treasure Data's ID unification: records are stitched by keys, but never two with different values of
//! the `do_not_merge_key`. With us: a type that is unique. Each record is a node of its own.

use super::scenario::{Scenario, any, unique};

/// Their table: member_id, email, and the row itself.
const ROWS: &[&str] = &[
    "member_id:1 email:a@ex.com row:Taka",
    "member_id:2 email:a@ex.com row:Tatsuo",
    "member_id:3 email:b@ex.com row:Naruse",
    "member_id:3 email:b@ex.com row:Yuichiro",
    "email:c@ex.com row:Minero",
    "email:c@ex.com row:Kaz",
];

#[test]
fn records_of_different_members_are_never_one_person() {
    Scenario::new(&[("member_id", unique(1)), ("email", any(2)), ("row", any(3))])
        .seen(ROWS)
        .gives(&[
            "1 a@ex.com Taka",
            "2 Tatsuo",
            "3 b@ex.com Naruse Yuichiro",
            "c@ex.com Kaz Minero",
        ]);
}

#[test]
fn without_the_key_they_are() {
    Scenario::new(&[("member_id", any(1)), ("email", any(2)), ("row", any(3))])
        .seen(ROWS)
        .gives(&[
            "1 2 a@ex.com Taka Tatsuo",
            "3 b@ex.com Naruse Yuichiro",
            "c@ex.com Kaz Minero",
        ]);
}

#[test]
fn a_record_without_the_key_goes_to_one_member_only() {
    // Through the e-mail, which is the first member's: the row joins no two of them.
    Scenario::new(&[("member_id", unique(1)), ("email", any(2)), ("row", any(3))])
        .seen(ROWS)
        .seen(&["email:a@ex.com row:Nobody"])
        .gives(&[
            "1 a@ex.com Nobody Taka",
            "2 Tatsuo",
            "3 b@ex.com Naruse Yuichiro",
            "c@ex.com Kaz Minero",
        ]);
}
