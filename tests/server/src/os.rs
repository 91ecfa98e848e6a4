//! What the harness wants from the operating system: the servers' user, processes, folders.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, Signal, kill_process};

/// The longest path of a Unix socket, in bytes.
const SOCKET_LIMIT: usize = 107;

/// The user that servers run as: `None` is whoever runs the tests.
#[derive(Clone, Copy, Debug)]
struct OsUser {
    uid: u32,
    gid: u32,
}

fn other_user() -> Option<OsUser> {
    let root = fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
    if !root {
        return None;
    }
    let name = std::env::var("CDP_OS_USER").unwrap_or_else(|_| "postgres".into());
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
    let user = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name.as_str())).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(OsUser { uid, gid })
    });
    Some(
        user.unwrap_or_else(|| {
            panic!("PostgreSQL does not run as root, and there is no user {name}")
        }),
    )
}

/// The environment that `scripts/test` sets.
pub(crate) fn setting(name: &str) -> PathBuf {
    let value = std::env::var_os(name).filter(|v| !v.is_empty());
    let Some(value) = value else {
        panic!("{name} is not set: run these tests with `scripts/test server [FILTER]`");
    };
    PathBuf::from(value)
}

/// Where the test servers' folders are.
pub(crate) fn test_dir() -> PathBuf {
    setting("CDP_TEST_DIR")
}

/// One of PostgreSQL's programs, to be run as the servers' user, outside this process' group (so that Ctrl-C
/// reaches the tests, and the servers are stopped in order).
pub(crate) fn pg_command(program: &str) -> Command {
    let mut command = Command::new(setting("CDP_PG_BIN").join(program));
    for name in [
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGDATABASE",
        "PGOPTIONS",
        "PGDATA",
        "PGSERVICE",
        "PGTZ",
    ] {
        command.env_remove(name);
    }
    as_server_user(&mut command);
    command
}

fn as_server_user(command: &mut Command) {
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .process_group(0);
    if let Some(user) = other_user() {
        command.uid(user.uid).gid(user.gid);
    }
}

/// Runs a command to its end; panics with what it said if it failed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    );
    said(&output.stdout)
}

/// A new folder of the servers' user, below [`test_dir`].
pub(crate) fn new_folder(prefix: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!(
        "{prefix}{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let folder = test_dir().join(name);
    make_folder(&folder);
    folder
}

fn make_folder(folder: &Path) {
    // what an earlier process with our id left
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => panic!("{}: {e}", folder.display()),
        _ => fs::create_dir_all(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())),
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .expect("a new folder's mode can be set");
    if let Some(user) = other_user() {
        chown(folder, Some(user.uid), Some(user.gid)).expect("root can give a folder away");
    }
}

/// The folder for a server's socket: the server's own, or one below /tmp where that path is too long.
pub(crate) fn socket_folder(folder: &Path) -> PathBuf {
    let fits = folder.join(".s.PGSQL.5432").as_os_str().len() <= SOCKET_LIMIT;
    if fits {
        return folder.to_owned();
    }
    let name = folder
        .file_name()
        .expect("a server's folder has a name")
        .to_string_lossy();
    let short = PathBuf::from(format!("/tmp/cdp-{name}"));
    make_folder(&short);
    short
}

/// Copies a folder with its permissions, as the servers' user.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.arg("-a").arg("--reflink=auto").arg(from).arg(to);
    as_server_user(&mut command);
    run(&mut command);
}

/// Starts the process that ends a server and removes its folders when its standard input ends: when the
/// returned child is dropped, or this process ends in whatever way.
pub(crate) fn watchdog(data: &Path, folders: &[&Path]) -> std::process::Child {
    let script = r#"
        data=$1; bin=$2; shift 2
        cat >/dev/null
        "$bin/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1
        rm -rf "$@"
    "#;
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(script)
        .arg("watchdog")
        .arg(data)
        .arg(setting("CDP_PG_BIN"))
        .args(folders);
    as_server_user(&mut command);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("sh can be started")
}

/// `kill -9` of a process of a server: a backend, a worker, the postmaster.
pub fn kill9(pid: i32) {
    send(pid, Signal::KILL);
}

pub(crate) fn send(pid: i32, signal: Signal) {
    let target = Pid::from_raw(pid)
        .filter(|_| pid > 1)
        .expect("a process id");
    kill_process(target, signal)
        .unwrap_or_else(|e| panic!("process {pid} cannot be sent {signal:?}: {e}"));
}
