//! Rules that might do, by what columns mean.

use super::super::{Meaning, Records};
use super::{Part, Rule, Term};

/// What a term tells of; two terms of one subject make no rule together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    First,
    Last,
    Name,
    Born,
    Email,
    Phone,
    Street,
    House,
    Unit,
    Postcode,
    City,
    Region,
    Number,
    Place,
    Gender,
    Other(usize),
}

struct Candidate {
    subject: Subject,
    term: Term,
    /// Whether it may stand alone.
    alone: bool,
}

/// Every rule of one term or of two that may be worth its pairs, the term that tells more first.
pub(super) fn candidates(records: &Records) -> Vec<Rule> {
    let terms = terms(records);
    let mut rules = Vec::new();
    for (position, one) in terms.iter().enumerate() {
        if one.alone {
            rules.push(Rule::new(vec![one.term.clone()]));
        }
        for other in &terms[position + 1..] {
            if may_join(one.subject, other.subject) {
                rules.push(Rule::new(vec![one.term.clone(), other.term.clone()]));
            }
        }
    }
    // Common names want a third term.
    for triple in triples(&terms) {
        rules.push(triple);
    }
    rules
}

fn may_join(one: Subject, other: Subject) -> bool {
    let is_name = |subject| matches!(subject, Subject::First | Subject::Last);
    one != other
        && !(one == Subject::Name && is_name(other))
        && !(other == Subject::Name && is_name(one))
}

fn triples(terms: &[Candidate]) -> Vec<Rule> {
    let of = |subject: Subject, parts: &[Part]| -> Vec<&Term> {
        terms
            .iter()
            .filter(|part| part.subject == subject && parts.contains(&part.term.part))
            .map(|part| &part.term)
            .collect()
    };
    let firsts = of(Subject::First, &[Part::Prefix(1), Part::Phonetic]);
    let lasts = of(Subject::Last, &[Part::Phonetic, Part::Prefix(3)]);
    let mut thirds = of(Subject::Born, &[Part::Year, Part::MonthDay]);
    for subject in [
        Subject::City,
        Subject::Postcode,
        Subject::Region,
        Subject::House,
    ] {
        thirds.extend(of(subject, &[Part::Value]));
    }
    let mut rules = Vec::new();
    for first in &firsts {
        for last in &lasts {
            for third in &thirds {
                rules.push(Rule::new(vec![
                    (*last).clone(),
                    (*first).clone(),
                    (*third).clone(),
                ]));
            }
        }
    }
    let streets = of(Subject::Street, &[Part::Letters]);
    let mut houses = of(Subject::House, &[Part::Value]);
    houses.extend(of(Subject::Street, &[Part::Number]));
    for street in &streets {
        for house in &houses {
            let mut with = of(Subject::First, &[Part::Prefix(1)]);
            with.extend(of(Subject::Born, &[Part::Year]));
            with.extend(of(Subject::Name, &[Part::Word]));
            for third in with {
                rules.push(Rule::new(vec![
                    (*street).clone(),
                    (*house).clone(),
                    third.clone(),
                ]));
            }
            rules.push(Rule::new(vec![(*street).clone(), (*house).clone()]));
        }
    }
    rules
}

/// The terms, those that tell more first.
fn terms(records: &Records) -> Vec<Candidate> {
    let named = |meaning: Meaning| -> Vec<String> {
        records
            .columns
            .iter()
            .filter(|column| column.meaning == meaning && !column.values.is_empty())
            .map(|column| column.name.clone())
            .collect()
    };
    let mut terms = Vec::new();
    let mut add = |subject: Subject, columns: &[String], parts: &[(Part, bool)]| {
        if !columns.is_empty() {
            terms.extend(parts.iter().map(|&(part, alone)| Candidate {
                subject,
                term: Term {
                    columns: columns.to_vec(),
                    part,
                },
                alone,
            }));
        }
    };
    let (first, last) = (named(Meaning::FirstName), named(Meaning::LastName));
    add(
        Subject::Number,
        &named(Meaning::NationalId),
        &[
            (Part::Value, true),
            (Part::Prefix(5), true),
            (Part::Suffix(5), true),
        ],
    );
    add(
        Subject::Email,
        &named(Meaning::Email),
        &[(Part::Value, true), (Part::LocalPart, true)],
    );
    add(
        Subject::Phone,
        &named(Meaning::Phone),
        &[(Part::Suffix(7), true), (Part::Suffix(4), false)],
    );
    add(
        Subject::Born,
        &named(Meaning::BirthDate),
        &[
            (Part::Value, true),
            (Part::MonthDay, false),
            (Part::YearMonth, false),
            (Part::YearDay, false),
            (Part::Year, false),
        ],
    );
    add(
        Subject::Name,
        &named(Meaning::FullName),
        &[
            (Part::Sorted, true),
            (Part::Word, true),
            (Part::Phonetic, true),
        ],
    );
    add(
        Subject::Last,
        &last,
        &[
            (Part::Value, true),
            (Part::Phonetic, true),
            (Part::Prefix(3), false),
        ],
    );
    if !first.is_empty() && !last.is_empty() {
        let both: Vec<String> = first.iter().chain(&last).cloned().collect();
        add(Subject::Name, &both, &[(Part::Word, false)]);
    }
    add(
        Subject::First,
        &first,
        &[
            (Part::Value, true),
            (Part::Phonetic, false),
            (Part::Prefix(3), false),
            (Part::Prefix(1), false),
        ],
    );
    add(
        Subject::Place,
        &named(Meaning::Location),
        &[(Part::Cell(3), true), (Part::Cell(2), true)],
    );
    let house = named(Meaning::HouseNumber);
    let street = named(Meaning::Street);
    add(Subject::Street, &street, &[(Part::Letters, true)]);
    add(
        Subject::Postcode,
        &named(Meaning::Postcode),
        &[(Part::Value, true), (Part::Prefix(3), false)],
    );
    if house.is_empty() {
        add(Subject::Street, &street, &[(Part::Number, false)]);
    }
    add(Subject::House, &house, &[(Part::Value, false)]);
    add(
        Subject::City,
        &named(Meaning::City),
        &[(Part::Value, true), (Part::Phonetic, false)],
    );
    add(
        Subject::Unit,
        &named(Meaning::Unit),
        &[(Part::Value, false)],
    );
    for (position, column) in records.columns.iter().enumerate() {
        let name = std::slice::from_ref(&column.name);
        match column.meaning {
            Meaning::Category => add(Subject::Other(position), name, &[(Part::Value, false)]),
            Meaning::Text => add(Subject::Other(position), name, &[(Part::Word, true)]),
            _ => {}
        }
    }
    add(
        Subject::Region,
        &named(Meaning::Region),
        &[(Part::Value, false)],
    );
    add(
        Subject::Gender,
        &named(Meaning::Gender),
        &[(Part::Value, false)],
    );
    terms
}
