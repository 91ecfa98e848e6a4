//! Cancelling long work wherever it is: in each phase that it tells of, and all along.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::SqlState;

use crate::Server;
use crate::sql::{describe, fingerprint, one, run};

/// Much longer than a cancel may take, so that no test depends on what else the machine does. The figures
/// are told.
const LATE: Duration = Duration::from_secs(5);

/// How often a phase that was seen, but is not expected, may be missed.
const MISSES: u32 = 20;

/// How long an expected phase is tried for, after the last one that was met: some last a millisecond, and
/// may be over before anybody looks.
const PATIENCE: Duration = Duration::from_secs(180);

/// At so many moments, besides.
const MOMENTS: u32 = 3;

/// Where a statement was cancelled, and how long it went on.
#[derive(Debug)]
pub struct Cancelled {
    /// What it takes when nobody cancels it.
    pub took: Duration,
    /// By phase, how long the statement went on after a cancel there.
    pub phases: BTreeMap<String, Duration>,
    /// The same by the moment, in the order of time.
    pub moments: Vec<Duration>,
}

impl Cancelled {
    /// The longest that it went on.
    pub fn worst(&self) -> Duration {
        let all = self.phases.values().chain(&self.moments).copied();
        all.max().unwrap_or_default()
    }
}

/// One run of a statement, in a transaction that is rolled back.
struct Run {
    ended: Result<(), postgres::Error>,
    took: Duration,
    /// In the order in which they were seen.
    phases: Vec<String>,
    /// The phase in which it was cancelled, and how long it went on.
    cancelled: Option<(String, Duration)>,
}

struct Session<'a> {
    works: Client,
    watches: Client,
    pid: i32,
    sql: &'a str,
    /// Puts sequences back, which a rollback does not.
    put_back: String,
}

impl Session<'_> {
    /// Runs the statement, and cancels it as soon as `when` says so, given the phase and the time.
    fn run(&mut self, when: impl Fn(&str, Duration) -> bool) -> Run {
        run(&mut self.works, "BEGIN");
        let (works, watches, pid, sql) = (&mut self.works, &mut self.watches, self.pid, self.sql);
        let look = watches
            .prepare("SELECT phase FROM cdp.progress() WHERE pid = $1")
            .expect("progress");
        let began = Instant::now();
        let mut phases: Vec<String> = Vec::new();
        let mut cancelled = None;
        let (ended, at) = std::thread::scope(|scope| {
            let working = scope.spawn(|| {
                let ended = works.batch_execute(sql);
                (ended, Instant::now())
            });
            while !working.is_finished() {
                let told = watches.query_opt(&look, &[&pid]).expect("progress");
                let phase: String = told.map_or_else(String::new, |row| row.get(0));
                if !phase.is_empty() && !phases.contains(&phase) {
                    phases.push(phase.clone());
                }
                if cancelled.is_none() && when(&phase, began.elapsed()) {
                    let before = Instant::now();
                    one::<bool>(watches, &format!("SELECT pg_cancel_backend({pid})"));
                    cancelled = Some((phase, before));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            working.join().expect("no panic")
        });
        run(&mut self.works, "ROLLBACK");
        run(&mut self.works, &self.put_back);
        Run {
            cancelled: cancelled
                .filter(|_| ended.is_err())
                .map(|(phase, before)| (phase, at - before)),
            ended,
            took: at - began,
            phases,
        }
    }
}

/// Runs a statement again and again in one session, and cancels it in each phase that it tells of in
/// `cdp.progress()`, and at some moments besides. Each time it ends soon, and all tables of schema cdp are
/// as they were. Of the `expected` phases each must have been seen.
///
/// # Panics
/// Where that does not hold.
pub fn everywhere(server: &Server, db: &str, sql: &str, expected: &[&str]) -> Cancelled {
    let mut session = Session {
        works: server.connect(db),
        watches: server.connect(db),
        pid: 0,
        sql,
        put_back: String::new(),
    };
    session.pid = one(&mut session.works, "SELECT pg_backend_pid()");
    let mut other = server.connect(db);
    session.put_back = one(
        &mut other,
        "SELECT string_agg(format('SELECT setval(%L, %s, %L);', sequence, coalesce(last_value, 1), last_value IS NOT NULL), ' ') \
           FROM (SELECT schemaname || '.' || sequencename AS sequence, last_value \
                   FROM pg_sequences WHERE schemaname = 'cdp') s",
    );
    let before = fingerprint(&mut other);
    let whole = session.run(|_, _| false);
    if let Err(error) = &whole.ended {
        panic!("{sql}: {}", describe(error));
    }
    let mut check = |session: &mut Session, run: Run| -> Option<(String, Duration)> {
        let (phase, late) = run.cancelled?;
        if let Err(error) = &run.ended {
            let code = error.code();
            assert_eq!(code, Some(&SqlState::QUERY_CANCELED), "{}", describe(error));
        }
        assert!(
            late < LATE,
            "{sql}: cancelled in {phase:?} it took {late:?}"
        );
        assert_eq!(
            fingerprint(&mut other),
            before,
            "{sql}, cancelled in {phase:?}"
        );
        let told = "SELECT count(*) FROM cdp.progress() WHERE pid = ";
        let told: i64 = one(&mut other, &format!("{told}{}", session.pid));
        assert_eq!(told, 0, "{sql}, cancelled in {phase:?}, is still told of");
        Some((phase, late))
    };

    let mut found = Cancelled {
        took: whole.took,
        phases: BTreeMap::new(),
        moments: Vec::new(),
    };
    let mut seen = whole.phases;
    let mut misses = 0;
    let mut met = Instant::now();
    loop {
        let wanted = seen
            .iter()
            .map(String::as_str)
            .chain(expected.iter().copied());
        let wanted: Vec<String> = wanted
            .filter(|phase| !found.phases.contains_key(*phase))
            .map(str::to_owned)
            .collect();
        let awaited = wanted
            .iter()
            .any(|phase| expected.contains(&phase.as_str()));
        let enough = match awaited {
            true => misses >= MISSES && met.elapsed() > PATIENCE,
            false => misses >= MISSES,
        };
        if wanted.is_empty() || enough {
            break;
        }
        let run = session.run(|phase, _| wanted.iter().any(|wanted| wanted == phase));
        for phase in &run.phases {
            if !seen.contains(phase) {
                seen.push(phase.clone());
            }
        }
        match check(&mut session, run) {
            Some((phase, late)) => {
                found.phases.insert(phase, late);
                met = Instant::now();
            }
            None => misses += 1,
        }
    }
    for phase in expected {
        assert!(
            found.phases.contains_key(*phase),
            "{sql} was not cancelled in {phase:?}, only in {:?}",
            found.phases.keys()
        );
    }
    for moment in 1..=MOMENTS {
        let at = whole.took * moment / (MOMENTS + 1);
        let run = session.run(|_, elapsed| elapsed >= at);
        found
            .moments
            .extend(check(&mut session, run).map(|(_, late)| late));
    }
    println!(
        "{sql}: {:.1?}; cancelled at most {:.0?} late, {found:.0?}",
        found.took,
        found.worst()
    );
    found
}
