//! Compares pairs of records.
//!
//! Most of the time of a comparison goes into fetching what is compared. So pairs are compared some at a
//! time, one comparison after the other: what the next pair needs is fetched while the last is compared.

use super::{Kind, MAX_COMPARISONS, Outcome, Outcomes};
use super::{address, date, email, name, number, text};
use crate::matching::prepare::{Field, Forms, NONE, Prepared, SEVERAL};

/// How many pairs are compared at a time.
const BATCH: usize = 128;

/// Outcomes of pairs of values seen lately.
pub(super) struct Remembered(Vec<u64>);

/// The most that is remembered of a field.
const MOST_REMEMBERED: usize = 1 << 13;

impl Remembered {
    /// For that many values.
    fn of(values: usize) -> Self {
        let len = (values * 4).next_power_of_two();
        Remembered(vec![0; len.clamp(16, MOST_REMEMBERED)])
    }

    /// The outcome for two values that are not the same.
    pub(super) fn get_or(&mut self, x: u32, y: u32, compare: impl FnOnce() -> Outcome) -> Outcome {
        let (low, high) = if x < y { (x, y) } else { (y, x) };
        if high >= 1 << 24 {
            return compare();
        }
        // Not 0, as the higher one is not.
        let key = u64::from(low) << 24 | u64::from(high);
        let slot = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let slot = slot as usize & (self.0.len() - 1);
        if self.0[slot] >> 16 == key {
            return Outcome(self.0[slot] as u16);
        }
        let outcome = compare();
        self.0[slot] = key << 16 | u64::from(outcome.0);
        outcome
    }
}

/// Compares pairs of records. Each thread has its own: it remembers what it has compared.
pub struct Comparer<'a> {
    prepared: &'a Prepared<'a>,
    /// By cell.
    remembered: Vec<Remembered>,
    /// The cells of either record of some pairs, cell by cell.
    cells: Vec<[u32; 2]>,
    outcomes: Vec<Outcomes>,
    names: name::Names,
    address: Option<usize>,
}

/// Some pairs and one comparison of them.
struct Batch<'b> {
    field: &'b Field<'b>,
    position: usize,
    pairs: &'b [(u32, u32)],
    cells: &'b [[u32; 2]],
    outcomes: &'b mut [Outcomes],
}

impl Batch<'_> {
    /// Compares each two values of either record.
    fn compare(self, mut compare: impl FnMut(u32, u32) -> Outcome) {
        for ((outcomes, &[x, y]), &(a, b)) in
            self.outcomes.iter_mut().zip(self.cells).zip(self.pairs)
        {
            outcomes[self.position] = if x < SEVERAL && y < SEVERAL {
                compare(x, y)
            } else if x == NONE || y == NONE {
                Outcome::MISSING
            } else {
                best(self.field, (a, b), &mut compare)
            };
        }
    }

    /// The same where the outcomes of other values than the same are remembered.
    fn compare_once(self, remembered: &mut Remembered, compare: impl Fn(u32, u32) -> Outcome) {
        self.compare(|x, y| {
            if x == y {
                compare(x, x)
            } else {
                remembered.get_or(x, y, || compare(x, y))
            }
        });
    }
}

/// The best outcome of any two values.
pub(super) fn best(
    field: &Field<'_>,
    (a, b): (u32, u32),
    mut compare: impl FnMut(u32, u32) -> Outcome,
) -> Outcome {
    let mut best = Outcome::MISSING;
    for &x in field.of(a) {
        for &y in field.of(b) {
            best = best.better(compare(x, y));
        }
    }
    best
}

impl<'a> Comparer<'a> {
    /// For these records.
    pub fn new(prepared: &'a Prepared<'a>) -> Self {
        let remembered = prepared
            .all_fields()
            .map(|field| {
                Remembered::of(match &field.forms {
                    Forms::Addresses(addresses) => addresses.streets.len(),
                    _ => field.buckets.len(),
                })
            })
            .collect();
        Comparer {
            prepared,
            remembered,
            cells: vec![[NONE; 2]; prepared.width * BATCH],
            outcomes: vec![[Outcome::MISSING; MAX_COMPARISONS]; BATCH],
            names: name::Names::of(prepared),
            address: at(prepared, Kind::Address),
        }
    }

    /// What each comparison says of two records; the same whichever comes first.
    pub fn compare(&mut self, a: u32, b: u32) -> Outcomes {
        self.compare_some(&[(a, b)]);
        self.outcomes[0]
    }

    /// The same of many pairs, each given with its position.
    pub fn compare_all(&mut self, pairs: &[(u32, u32)], mut each: impl FnMut(usize, &Outcomes)) {
        for (batch, pairs) in pairs.chunks(BATCH).enumerate() {
            self.compare_some(pairs);
            for (place, outcomes) in self.outcomes[..pairs.len()].iter().enumerate() {
                each(batch * BATCH + place, outcomes);
            }
        }
    }

    /// Fills in the outcomes of no more than [`BATCH`] pairs.
    fn compare_some(&mut self, pairs: &[(u32, u32)]) {
        let Comparer {
            prepared,
            remembered,
            cells,
            outcomes,
            names,
            address,
        } = self;
        let (prepared, names) = (*prepared, *names);
        for (place, &(a, b)) in pairs.iter().enumerate() {
            let both = prepared.cells(a).iter().zip(prepared.cells(b));
            for ((&x, &y), of_cell) in both.zip(cells.chunks_exact_mut(BATCH)) {
                of_cell[place] = [x, y];
            }
        }
        for (position, comparison) in prepared.comparisons.iter().enumerate() {
            let field = &prepared.fields[position];
            let cell = field.cell;
            let remembered = &mut remembered[cell..];
            let known = &mut remembered[0];
            let cells = &cells[cell * BATCH..];
            let batch = Batch {
                field,
                position,
                pairs,
                cells,
                outcomes: &mut outcomes[..pairs.len()],
            };
            match comparison.kind {
                Kind::Given => batch.compare_once(known, |x, y| name::given(field, x, y)),
                Kind::Family => batch.compare_once(known, |x, y| name::family(field, x, y)),
                Kind::FullName => batch.compare_once(known, |x, y| name::full(field, x, y)),
                Kind::Middle => batch.compare_once(known, |x, y| name::middle(field, x, y)),
                Kind::Birth => batch.compare(|x, y| date::birth(field, x, y)),
                Kind::Email => {
                    batch.compare(|x, y| email::email(field, x, y));
                    for (outcomes, &(a, b)) in outcomes.iter_mut().zip(pairs) {
                        // The names say it already.
                        if email::alike_by_name(field, a, b, outcomes[position])
                            && names.agree(outcomes)
                        {
                            outcomes[position] = Outcome::MISSING;
                        }
                    }
                }
                Kind::Phone => batch.compare(|x, y| number::phone(field, x, y)),
                Kind::NationalId => batch.compare(|x, y| number::national_id(field, x, y)),
                Kind::Address => batch.compare(|x, y| address::address(field, known, x, y)),
                Kind::Place => {
                    for (place, &(a, b)) in pairs.iter().enumerate() {
                        let outcomes = &mut outcomes[place];
                        // Who lives in one house lives in one town.
                        let agree = address.is_some_and(|at| matches!(outcomes[at].level(), 1 | 2));
                        outcomes[position] = if agree {
                            Outcome::MISSING
                        } else {
                            let of_part = |part: usize| cells[part * BATCH + place];
                            address::place(field, remembered, of_part, a, b)
                        };
                    }
                }
                Kind::Gender => {
                    batch.compare(|x, y| text::gender(field, x, y));
                    for outcomes in outcomes.iter_mut().take(pairs.len()) {
                        // The first name says it already.
                        if outcomes[position].level() == 1 && names.given_agree(outcomes) {
                            outcomes[position] = Outcome::MISSING;
                        }
                    }
                }
                Kind::Location => batch.compare(|x, y| number::location(field, x, y)),
                Kind::Category => batch.compare_once(known, |x, y| text::category(field, x, y)),
                Kind::Text => batch.compare_once(known, |x, y| text::words(field, x, y)),
            }
        }
        for (outcomes, &(a, b)) in outcomes.iter_mut().zip(pairs) {
            names.across(prepared, a, b, outcomes);
        }
    }
}

/// The position of a kind of comparison.
pub(super) fn at(prepared: &Prepared<'_>, kind: Kind) -> Option<usize> {
    prepared
        .comparisons
        .iter()
        .position(|comparison| comparison.kind == kind)
}
