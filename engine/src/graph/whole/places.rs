//! Where things with an id stand in arrays.

use std::collections::HashMap;

/// Positions by id: a table where ids fill their range, as those of a sequence do, else a map.
#[derive(Default)]
pub(super) struct Places {
    first: i64,
    table: Vec<u32>,
    map: HashMap<i64, u32>,
}

const NONE: u32 = u32::MAX;

impl Places {
    pub(super) fn of(ids: &[i64]) -> Self {
        let mut places = Places::default();
        let (Some(&first), Some(&last)) = (ids.iter().min(), ids.iter().max()) else {
            return places;
        };
        let range = last.abs_diff(first);
        if range < 8 * ids.len() as u64 + 1024 {
            places.first = first;
            places.table = vec![NONE; range as usize + 1];
            for (n, id) in (0..).zip(ids) {
                places.table[id.abs_diff(first) as usize] = n;
            }
        } else {
            places.map = (0..).zip(ids).map(|(n, &id)| (id, n)).collect();
        }
        places
    }

    #[inline]
    pub(super) fn get(&self, id: i64) -> Option<u32> {
        if self.table.is_empty() {
            return self.map.get(&id).copied();
        }
        let place = usize::try_from(id.checked_sub(self.first)?).ok()?;
        self.table.get(place).copied().filter(|&n| n != NONE)
    }

    pub(super) fn bytes(&self) -> usize {
        self.table.capacity() * size_of::<u32>() + self.map.capacity() * 24
    }
}
