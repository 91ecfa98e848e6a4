//! Schedules as the document has them. What runs them, and the functions that declare one, are in
//! the area of jobs.

use cdp_engine::schedule::{Schedule as Times, ScheduleError, Zone};
use serde_json::{Map, Value};

use super::declared::Declared;
use super::effects::Effects;
use super::fault::{Fault, Outcome};
use super::node::{Node, Object};
use super::{Reading, names};
use crate::args;
use crate::jobs::store::{self, Job};
use crate::pg::{Error, Result, sql};
use crate::worker::wake_worker;

const DEFAULT_ZONE: &str = "UTC";

/// A scheduled job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    name: String,
    schedule: String,
    command: String,
    time_zone: String,
    enabled: bool,
}

impl Declared for Schedule {
    const KIND: &'static str = "schedule";
    const SECTION: &'static str = "schedules";
    const ALTER: &'static str = "cdp.schedule()";
    const KEYS: &'static [&'static str] = &["name", "schedule", "command", "time_zone", "enabled"];

    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("schedule".to_owned(), Value::from(self.schedule.as_str()));
        out.insert("command".to_owned(), Value::from(self.command.as_str()));
        if self.time_zone != DEFAULT_ZONE {
            out.insert("time_zone".to_owned(), Value::from(self.time_zone.as_str()));
        }
        if !self.enabled {
            out.insert("enabled".to_owned(), Value::from(false));
        }
        out
    }

    fn read(name: String, object: &Object) -> Result<Self> {
        Ok(Self {
            name,
            schedule: object.want("schedule")?.text()?,
            command: object.want("command")?.text()?,
            time_zone: object.or("time_zone", DEFAULT_ZONE.to_owned(), Node::text)?,
            enabled: object.or("enabled", true, Node::boolean)?,
        })
    }

    fn all(reading: Reading) -> Vec<Self> {
        let sql = "SELECT name, schedule, command, time_zone, enabled \
                   FROM cdp.jobs ORDER BY name COLLATE \"C\"";
        reading.rows(sql, args![], |row| Self {
            name: row.want(1),
            schedule: row.want(2),
            command: row.want(3),
            time_zone: row.want(4),
            enabled: row.want(5),
        })
    }

    fn check(&self) -> Outcome<()> {
        let fault = |attribute: &str, error: ScheduleError| {
            let hint = names::sentence(&error.hint);
            Fault::of(attribute, Error::invalid(error.message).hint(hint))
        };
        names::check(Self::KIND, &self.name).map_err(|error| Fault::of("name", error))?;
        Times::parse(&self.schedule).map_err(|error| fault("schedule", error))?;
        Zone::parse(&self.time_zone).map_err(|error| fault("time_zone", error))?;
        match self.command.trim().is_empty() {
            true => Err(Fault::of("command", Error::invalid("the command is empty"))),
            false => Ok(()),
        }
    }

    /// The job runs with the rights of whoever applies the document.
    fn create(&self, effects: &mut Effects) -> Outcome<()> {
        self.put(effects)
    }

    /// The job keeps its owner, for whom the caller must be able to act: otherwise a member of the
    /// owner role could have SQL run with the rights of a superuser.
    fn alter(&self, _old: &Self, effects: &mut Effects) -> Outcome<()> {
        self.put(effects)
    }

    fn drop(&self, effects: &mut Effects) -> Outcome<()> {
        if let Some(job) = Job::by_name(&self.name) {
            store::require_rights(effects.caller, &job)?;
        }
        sql::run(
            "DELETE FROM cdp.jobs WHERE name = $1",
            args![self.name.as_str()],
        );
        wake_worker();
        Ok(())
    }
}

impl Schedule {
    fn put(&self, effects: &Effects) -> Outcome<()> {
        let (name, zone) = (self.name.as_str(), self.time_zone.as_str());
        store::put(effects.caller, name, &self.schedule, &self.command, zone)?;
        sql::run(
            "UPDATE cdp.jobs SET enabled = $2 WHERE name = $1 AND enabled <> $2",
            args![name, self.enabled],
        );
        wake_worker();
        Ok(())
    }
}
