//! Physical standbys.

use std::time::Duration;

use crate::os;
use crate::server::{Server, ServerOptions};

impl Server {
    /// A hot standby of this server (`pg_basebackup -R`), started and streaming.
    pub fn backup_to_standby(&self) -> Self {
        let mut standby = Self::prepare();
        let mut command = os::pg_command("pg_basebackup");
        command
            .arg("-h")
            .arg(self.socket())
            .args(["-p", "5432", "-U", "postgres"]);
        command.arg("-D").arg(standby.folder.join("data"));
        os::run(command.args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]));
        // The same settings but for the socket: a standby needs what the primary has.
        let preload: String = one(self, "SHOW shared_preload_libraries");
        standby.configure(ServerOptions {
            preload: preload.contains("pg_cdp"),
            settings: &[("hot_standby", "on")],
        });
        standby.start_again();
        standby
    }

    /// Waits until `standby` has replayed everything that this server has written so far.
    pub fn wait_for_standby(&self, standby: &Self) {
        let sent: String = one(self, "SELECT pg_current_wal_insert_lsn()::text");
        let replayed = format!("SELECT coalesce(pg_last_wal_replay_lsn() >= '{sent}', false)");
        standby.wait_for(
            &format!("replay up to {sent}"),
            Duration::from_secs(60),
            || one::<bool>(standby, &replayed).then_some(()),
        );
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        let promoted: bool = one(self, "SELECT pg_promote(true, 60)");
        assert!(
            promoted,
            "the standby was not promoted\n{}",
            self.log_tail()
        );
    }
}

fn one<T: for<'a> postgres::types::FromSql<'a>>(server: &Server, sql: &str) -> T {
    server
        .connect("postgres")
        .query_one(sql, &[])
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
        .get(0)
}
