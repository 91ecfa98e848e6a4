//! Records that come one by one: threads of their own bring values to their one form and find those that
//! are known, while the caller goes on to read.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use super::records::{Cells, Column, Forms, Records};
use crate::background::Task;

/// Records that threads work on in one go.
const ROWS: u32 = 4_096;
/// Bytes of values that end such a batch before.
const BYTES: usize = 1 << 20;
/// Batches that wait for a thread.
const WAITING: usize = 4;

/// Takes records in.
pub struct Intake {
    /// By column.
    batch: Vec<Cells>,
    rows: u32,
    bytes: usize,
    len: u32,
    names: Vec<u32>,
    threads: Vec<Thread>,
}

/// A thread with some of the columns.
struct Thread {
    batches: SyncSender<Arc<Vec<Cells>>>,
    task: Task<Vec<Column>>,
    /// What its columns hold.
    bytes: Arc<AtomicUsize>,
}

impl Intake {
    /// Of records with these columns, none yet. `threads` work beside the caller's.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(records: Records, threads: usize) -> io::Result<Self> {
        let columns = records.columns;
        let threads = threads.clamp(1, columns.len().max(1));
        let batch = empty(columns.len());
        let mut shares: Vec<Vec<(usize, Column)>> = (0..threads).map(|_| Vec::new()).collect();
        for (place, column) in columns.into_iter().enumerate() {
            shares[place % threads].push((place, column));
        }
        Ok(Intake {
            batch,
            rows: 0,
            bytes: 0,
            len: 0,
            names: Vec::new(),
            threads: shares
                .into_iter()
                .map(Thread::start)
                .collect::<io::Result<_>>()?,
        })
    }

    /// Adds a value, as it came, of the next record.
    #[inline]
    pub fn value(&mut self, column: usize, text: &str) {
        let cells = &mut self.batch[column];
        cells.text.push_str(text);
        cells.ends.push(cells.text.len() as u32);
        self.bytes += text.len();
    }

    /// Names the next record, as [`Records::name_last`] does: each or none.
    #[inline]
    pub fn name(&mut self, name: u32) {
        self.names.push(name);
    }

    /// The next record is whole.
    pub fn end(&mut self) {
        for cells in &mut self.batch {
            cells.rows.push(cells.ends.len() as u32);
        }
        self.rows += 1;
        if self.rows >= ROWS || self.bytes >= BYTES {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let next = empty(self.batch.len());
        let batch = Arc::new(std::mem::replace(&mut self.batch, next));
        for thread in &self.threads {
            // One that is not there any more has panicked, which `finish` passes on.
            let _ = thread.batches.send(Arc::clone(&batch));
        }
        self.len += self.rows;
        self.rows = 0;
        self.bytes = 0;
    }

    /// How many records came.
    pub fn len(&self) -> u32 {
        self.len + self.rows
    }

    /// Whether none came.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the records hold, as far as threads have come.
    pub fn bytes(&self) -> usize {
        let of_threads = self.threads.iter();
        let held: usize = of_threads
            .map(|thread| thread.bytes.load(Ordering::Relaxed))
            .sum();
        held + self.names.capacity() * size_of::<u32>()
    }

    /// All records that came, in their order; calls `meanwhile` as [`Task::finish`] does.
    pub fn finish(mut self, mut meanwhile: impl FnMut()) -> Records {
        self.hand_over();
        let len = self.len;
        let tasks: Vec<Task<Vec<Column>>> = self.threads.into_iter().map(|t| t.task).collect();
        let mut shares: Vec<_> = tasks
            .into_iter()
            .map(|task| task.finish(&mut meanwhile).into_iter())
            .collect();
        let threads = shares.len();
        let columns = (0..self.batch.len())
            .filter_map(|place| shares[place % threads].next())
            .collect();
        Records::of(columns, len, self.names)
    }
}

fn empty(columns: usize) -> Vec<Cells> {
    (0..columns).map(|_| Cells::default()).collect()
}

impl Thread {
    fn start(share: Vec<(usize, Column)>) -> io::Result<Self> {
        let (batches, from) = sync_channel::<Arc<Vec<Cells>>>(WAITING);
        let bytes = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&bytes);
        let task = Task::start(move |cancel| {
            let mut share = share;
            let mut forms = Forms::default();
            while let Ok(batch) = from.recv() {
                if cancel.is_set() {
                    break;
                }
                for (place, column) in &mut share {
                    column.take(&batch[*place], &mut forms);
                }
                let now = share.iter().map(|(_, column)| column.bytes()).sum();
                told.store(now, Ordering::Relaxed);
            }
            let close = |(_, mut column): (usize, Column)| {
                column.close();
                column
            };
            share.into_iter().map(close).collect()
        })?;
        Ok(Thread {
            batches,
            task,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::Meaning;

    fn none() -> Records {
        let column = |meaning: Meaning| Column::new(meaning.name(), meaning);
        Records::new(
            [Meaning::FirstName, Meaning::BirthDate, Meaning::Phone]
                .map(column)
                .to_vec(),
        )
    }

    fn said(records: &Records) -> Vec<Vec<Vec<(&str, u32)>>> {
        (0..records.len())
            .map(|record| {
                let of = |column| held(column, record);
                records.columns.iter().map(of).collect()
            })
            .collect()
    }

    fn held(column: &Column, record: u32) -> Vec<(&str, u32)> {
        column
            .of(record)
            .iter()
            .map(|&value| &column.values[value as usize])
            .map(|value| (&*value.text, value.count))
            .collect()
    }

    #[test]
    fn takes_in_what_pushing_gives() {
        let rows: Vec<[Vec<String>; 3]> = (0..10_000u32)
            .map(|n| {
                [
                    match n % 5 {
                        0 => vec![],
                        1 => vec!["ANN".to_owned(), "Ann".to_owned(), format!("Bob {n}")],
                        _ => vec![format!("É{}", n % 700)],
                    },
                    vec![format!("{}/{}/19{}", n % 12 + 1, n % 28 + 1, n % 90 + 10)],
                    vec!["n/a".to_owned(), format!("+49 {}", n * 7919)],
                ]
            })
            .collect();
        let mut pushed = none();
        for row in &rows {
            let row = row.each_ref();
            pushed.push_raw(&row.map(|values| values.iter().map(String::as_str).collect()));
        }
        for threads in [1, 2, 7] {
            let mut intake = Intake::start(none(), threads).expect("threads");
            for row in &rows {
                for (place, values) in row.iter().enumerate() {
                    values.iter().for_each(|value| intake.value(place, value));
                }
                intake.end();
            }
            assert_eq!(intake.len(), 10_000);
            let taken = intake.finish(|| ());
            assert_eq!(taken.len(), pushed.len());
            assert_eq!(said(&taken), said(&pushed));
        }
    }

    #[test]
    fn tells_what_it_holds() {
        let mut intake = Intake::start(none(), 2).expect("threads");
        for n in 0..50_000 {
            intake.value(0, &format!("name {n} that nobody else has"));
            intake.end();
        }
        let records = intake.finish(|| ());
        let texts = 50_000 * "name 12345 that nobody else has".len();
        assert!((texts..4 * texts).contains(&records.bytes()));
    }

    #[test]
    fn none_are_none() {
        let records = Intake::start(none(), 2).expect("threads").finish(|| ());
        assert!(records.is_empty() && records.columns.len() == 3);
    }
}
