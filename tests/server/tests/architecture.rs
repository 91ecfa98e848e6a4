//! What ARCHITECTURE.md says the code must not do, where a look at the sources or the catalog can tell.

use std::path::{Path, PathBuf};

use cdp_server_tests::{bare_db, fresh_db};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Rust files below a folder, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries {
            let path = entry.expect("a folder's entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file is UTF-8");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

/// The lines of these files that hold one of the words, outside comments.
fn lines_with(files: &[(PathBuf, String)], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn the_engine_knows_no_postgresql() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--prefix",
            "none",
            "-e",
            "normal,build",
            "-p",
            "cdp_engine",
        ])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    let postgres: Vec<&str> = tree
        .lines()
        .filter(|line| {
            ["pgrx", "postgres", "libpq"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .collect();
    assert!(postgres.is_empty(), "{postgres:?}");
    let spoken_to = lines_with(&sources("engine/src"), &["pgrx::", "pg_sys", "unsafe "]);
    assert!(spoken_to.is_empty(), "{}", spoken_to.join("\n"));
}

#[test]
fn unsafe_code_and_threads_stay_where_they_are() {
    let (pg, areas): (Vec<_>, Vec<_>) = sources("src")
        .into_iter()
        .partition(|(path, _)| path.starts_with(root().join("src/pg")));
    assert!(!pg.is_empty());
    let words = [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe extern",
        "std::thread",
        "thread::spawn",
    ];
    let found = lines_with(&areas, &words);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let threads = lines_with(&pg, &["std::thread", "thread::spawn"]);
    assert!(threads.is_empty(), "{}", threads.join("\n"));
}

#[test]
fn the_extension_holds_no_definer_function() {
    let db = bare_db();
    let mut client = db.connect();
    client.batch_execute("CREATE EXTENSION pg_cdp").unwrap();
    let query = "SELECT p.oid::regprocedure::text FROM pg_proc p \
                 WHERE p.pronamespace = 'cdp'::regnamespace AND p.prosecdef";
    let of_the_extension = client.query(query, &[]).unwrap();
    assert!(of_the_extension.is_empty());

    // Those that cdp.init() makes are the owner role's, and find their names in pg_catalog.
    client.batch_execute("SELECT cdp.init()").unwrap();
    let unsafe_ones = client
        .query(
            &format!(
                "{query} AND (p.proowner <> 'cdp_owner'::regrole \
                     OR NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{{}}')))"
            ),
            &[],
        )
        .unwrap();
    let names: Vec<String> = unsafe_ones.iter().map(|row| row.get(0)).collect();
    assert!(names.is_empty(), "{names:?}");
    assert!(!client.query(query, &[]).unwrap().is_empty());
}

#[test]
fn tables_do_not_belong_to_the_extension() {
    let db = fresh_db();
    let members = db
        .connect()
        .query(
            "SELECT c.oid::regclass::text FROM pg_class c \
               JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' \
              WHERE c.relnamespace = 'cdp'::regnamespace",
            &[],
        )
        .unwrap();
    let names: Vec<String> = members.iter().map(|row| row.get(0)).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn only_the_inbox_has_a_trigger() {
    let db = fresh_db();
    let triggers = db
        .connect()
        .query(
            "SELECT DISTINCT t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid \
              WHERE c.relnamespace = 'cdp'::regnamespace",
            &[],
        )
        .unwrap();
    let names: Vec<String> = triggers.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["inbox_written"]);
}
