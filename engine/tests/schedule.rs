//! When jobs are due, across changes of clocks and clocks that go wrong.

use cdp_engine::schedule::{Schedule, Zone};
use jiff::Timestamp;
use proptest::prelude::*;

const SECOND: i64 = 1_000_000;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

fn shown(micros: i64) -> String {
    Timestamp::from_microsecond(micros).unwrap().to_string()
}

/// The first `count` times after a moment.
fn times(schedule: &str, after: &str, zone: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(schedule).unwrap();
    let zone = Zone::parse(zone).unwrap();
    let next = |micros: &i64| schedule.next_after(*micros, &zone, 0);
    std::iter::successors(next(&at(after)), next)
        .take(count)
        .map(shown)
        .collect()
}

fn error(schedule: &str) -> String {
    Schedule::parse(schedule).unwrap_err().to_string()
}

#[test]
fn cron_expressions() {
    let after = "2024-05-01T10:07:30.5Z";
    for (schedule, expected) in [
        ("*/15 * * * *", "2024-05-01T10:15:00Z"),
        ("*/10 * * * * *", "2024-05-01T10:07:40Z"),
        ("30 9-17/4 * * MON-FRI", "2024-05-01T13:30:00Z"),
        ("0 0 1 jan *", "2025-01-01T00:00:00Z"),
        ("0 12 * * 7", "2024-05-05T12:00:00Z"),
        ("0 0 L * *", "2024-05-31T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("@Hourly", "2024-05-01T11:00:00Z"),
        ("@midnight", "2024-05-02T00:00:00Z"),
        ("@weekly", "2024-05-05T00:00:00Z"),
        ("@yearly", "2025-01-01T00:00:00Z"),
        ("0 5 1,15 1 2", "2025-01-01T05:00:00Z"),
    ] {
        assert_eq!(times(schedule, after, "UTC", 1), [expected], "{schedule}");
    }
}

#[test]
fn the_time_asked_for_is_itself_never_next() {
    assert_eq!(
        times("0 * * * *", "2024-05-01T10:00:00Z", "UTC", 1),
        ["2024-05-01T11:00:00Z"]
    );
    assert_eq!(
        times("0 * * * *", "2024-05-01T09:59:59.999999Z", "UTC", 1),
        ["2024-05-01T10:00:00Z"]
    );
}

#[test]
fn cron_follows_the_wall_clock_of_its_zone() {
    // Lisbon skips 01:00 to 02:00 on 31 March and repeats it on 27 October.
    assert_eq!(
        times("30 1 * * *", "2024-03-30T12:00:00Z", "europe/lisbon", 2),
        ["2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"]
    );
    assert_eq!(
        times("30 1 * * *", "2024-10-26T12:00:00Z", "Europe/Lisbon", 2),
        ["2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"]
    );
    assert_eq!(
        times("*/30 * * * *", "2024-10-27T00:15:00Z", "Europe/Lisbon", 4),
        [
            "2024-10-27T00:30:00Z",
            "2024-10-27T01:00:00Z",
            "2024-10-27T01:30:00Z",
            "2024-10-27T02:00:00Z"
        ]
    );
}

#[test]
fn intervals() {
    for (schedule, seconds) in [
        ("every 10 minutes", 600),
        ("90 seconds", 90),
        ("1 hour 30 minutes", 5_400),
        ("1 day, 2 hours", 93_600),
        ("Every Hour", 3_600),
        ("every 2 weeks", 1_209_600),
        ("5m", 300),
        ("PT15M", 900),
        ("1 second", 1),
        ("1 hour 2 minutes 3 seconds", 3_723),
    ] {
        let schedule = Schedule::parse(schedule).unwrap();
        assert_eq!(
            schedule.next_after(0, &Zone::UTC, 0),
            Some(seconds * SECOND),
            "{schedule}"
        );
    }
}

#[test]
fn intervals_keep_to_their_anchor() {
    let schedule = Schedule::parse("10 minutes").unwrap();
    let next = |after: i64, anchor: i64| {
        schedule
            .next_after(after * SECOND, &Zone::UTC, anchor * SECOND)
            .map(|t| t / SECOND)
    };
    assert_eq!(next(0, 7), Some(7));
    assert_eq!(next(7, 7), Some(607));
    assert_eq!(next(1_000, 7), Some(1_207));
    // Before the anchor too: a clock that was set back does not stop the job.
    assert_eq!(next(-1_000, 7), Some(-593));
    assert_eq!(schedule.next_after(i64::MAX, &Zone::UTC, 0), None);
    assert!(
        schedule
            .next_after(i64::MIN, &Zone::UTC, i64::MAX)
            .is_some()
    );
}

#[test]
fn errors_name_the_field_and_what_is_right() {
    for (schedule, expected) in [
        ("", "the schedule is empty"),
        (
            "banana",
            "\"banana\" is no schedule (give a cron expression",
        ),
        ("5 minuts", "is no schedule"),
        (
            "60 * * * *",
            "the minute field \"60\" of \"60 * * * *\" is not valid (minute takes 0-59",
        ),
        ("0 24 * * *", "the hour field \"24\""),
        ("0 0 0 * *", "the day of month field \"0\""),
        ("0 0 * FOO *", "the month field \"FOO\""),
        ("0 0 * * 8", "the day of week field \"8\""),
        ("61 0 0 * * *", "the second field \"61\""),
        ("0/5 * * * *", "steps */5"),
        ("1,,2 * * * *", "the minute field \"1,,2\""),
        (", * * * *", "the minute field \",\""),
        ("*/0 * * * *", "the minute field \"*/0\""),
        ("5-1 * * * *", "the minute field \"5-1\""),
        ("* * * *", "has 4"),
        ("* * * * * * 2024", "has 7"),
        ("0 0 1 1", "is no schedule"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"),
        ("@reboot", "use one of: @hourly"),
        ("500 milliseconds", "shorter than a second"),
        ("0 seconds", "shorter than a second"),
        ("-5 minutes", "shorter than a second"),
        ("5 minutes ago", "shorter than a second"),
        ("1 month", "use a cron expression"),
        ("999999999 years", "is no schedule"),
    ] {
        let error = error(schedule);
        assert!(error.contains(expected), "{schedule}: {error}");
    }
    let error = Zone::parse("Europe/Atlantis").unwrap_err().to_string();
    assert!(error.contains("Europe/Atlantis") && error.contains("Europe/Lisbon"));
}

#[test]
fn schedules_describe_themselves() {
    let describe = |text: &str| Schedule::parse(text).unwrap().describe();
    assert_eq!(describe("*/15 * * * *"), "At every 15 minutes");
    assert_eq!(describe("every 90 minutes"), "Every 1 hour 30 minutes");
    assert_eq!(
        describe("1.5 seconds"),
        "Every 1 second 500000 microseconds"
    );
}

#[test]
fn missed_runs_are_made_up_for_once() {
    let schedule = Schedule::parse("*/5 * * * *").unwrap();
    let (last, now) = (at("2024-05-01T10:00:01Z"), at("2024-05-03T17:01:00Z"));
    let due = |last, now| {
        schedule
            .due_at(last, now, &Zone::UTC, 0)
            .map(shown)
            .unwrap()
    };
    assert_eq!(due(last, now), "2024-05-01T10:05:00Z");
    assert_eq!(due(now, now), "2024-05-03T17:05:00Z");
}

#[test]
fn a_clock_set_back_neither_repeats_nor_stalls() {
    let schedule = Schedule::parse("0 2 * * *").unwrap();
    let due = |last, now| {
        schedule
            .due_at(at(last), at(now), &Zone::UTC, 0)
            .map(shown)
            .unwrap()
    };
    // By ten seconds: that night's run is not repeated.
    assert_eq!(
        due("2024-05-01T02:00:05Z", "2024-05-01T01:59:55Z"),
        "2024-05-02T02:00:00Z"
    );
    // By three years: the next night is not waited for that long.
    assert_eq!(
        due("2027-05-01T02:00:05Z", "2024-05-01T01:59:55Z"),
        "2024-05-01T02:00:00Z"
    );
}

fn schedules() -> impl Strategy<Value = Schedule> {
    let texts = vec![
        "* * * * *",
        "*/7 * * * * *",
        "30 1 * * *",
        "30 2 * * *",
        "0 0,1,2,3 * * *",
        "15 1-3 * * SUN",
        "0 0 L * *",
        "@hourly",
        "7 minutes",
        "1 hour 1 second",
    ];
    prop::sample::select(texts).prop_map(|text| Schedule::parse(text).unwrap())
}

fn zones() -> impl Strategy<Value = Zone> {
    let names = vec![
        "UTC",
        "Europe/Lisbon",
        "America/New_York",
        "Australia/Lord_Howe",
    ];
    prop::sample::select(names).prop_map(|name| Zone::parse(name).unwrap())
}

/// Within days of a change of clocks in one of the zones.
fn moments() -> impl Strategy<Value = i64> {
    let changes = vec![
        "2024-03-31T01:00:00Z",
        "2024-10-27T01:00:00Z",
        "2024-03-10T07:00:00Z",
        "2024-11-03T06:00:00Z",
        "2024-04-06T15:00:00Z",
        "2024-10-05T15:30:00Z",
    ];
    (
        prop::sample::select(changes),
        -100_000..100_000_i64,
        0..SECOND,
    )
        .prop_map(|(change, seconds, micros)| at(change) + seconds * SECOND + micros)
}

proptest! {
    /// No occurrence lies between a moment and what comes next, from wherever it is looked for.
    #[test]
    fn next_is_after_and_nothing_is_between(
        schedule in schedules(),
        zone in zones(),
        after in moments(),
        part in 0.0..1.0_f64,
    ) {
        let next = schedule.next_after(after, &zone, 0).unwrap();
        prop_assert!(next > after);
        let between = after + ((next - after) as f64 * part) as i64;
        prop_assert_eq!(schedule.next_after(between.min(next - 1), &zone, 0), Some(next));
    }

    /// Wherever the clock goes, a job waits for two occurrences at most, and after a run it is not
    /// due again at once.
    #[test]
    fn the_clock_may_go_anywhere(
        schedule in schedules(),
        zone in zones(),
        last in moments(),
        now in moments(),
    ) {
        let due = schedule.due_at(last, now, &zone, 0).unwrap();
        let next = schedule.next_after(now, &zone, 0).unwrap();
        let second = schedule.next_after(next, &zone, 0).unwrap();
        prop_assert!(due <= second);
        prop_assert!(schedule.due_at(now, now, &zone, 0).unwrap() > now);
    }
}
