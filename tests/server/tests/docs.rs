//! The documentation: its examples run, and its reference names everything there is.
//!
//! In README.md and docs/*.md every block marked `sql` is run with psql, a file's blocks in one session on a database
//! of their own (with pg_cdp in it, but for the README, which creates it). A `text` block right after it is what it must print, to the letter but for white space at the ends of
//! lines. A block marked `sql skip` is not run. A comment that begins with `<!-- sql` is run and not shown; what one
//! that begins with `<!-- picture img/NAME.svg` prints is that file, to the byte. (With CDP_WRITE_PICTURES set, the
//! files are written.)

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cdp_server_tests::{TestDb, bare_db, fresh_db};

/// What stands between the outputs of two examples.
const MARK: &str = "--- end of the example at line ";

/// An SQL block of a page.
#[derive(Debug, PartialEq)]
struct Example {
    /// Where it begins.
    line: usize,
    sql: String,
    /// What it must print, if the page says so.
    output: Option<String>,
    /// The file that holds what it must print.
    picture: Option<String>,
}

#[test]
fn the_tour_prints_what_the_readme_says() {
    let page = root().join("README.md");
    let compared = run_examples(&page, bare_db).unwrap_or_else(|fault| panic!("{fault}"));
    assert!(
        compared > 5,
        "only {compared} outputs were compared: is the README read rightly?"
    );
}

#[test]
fn the_examples_of_the_guides_run() {
    let faults: Vec<String> = guides()
        .iter()
        .filter_map(|page| run_examples(page, fresh_db).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn the_reference_names_every_function_as_it_is() {
    let page = read(&root().join("docs/reference.md"));
    let (public, internal) = page
        .split_once("\n## Internal functions\n")
        .expect("a section of internal functions");
    let signatures = public.split_whitespace().collect::<Vec<_>>().join(" ");
    let db = fresh_db();
    let functions = db
        .connect()
        .query(include_str!("docs_signatures.sql"), &[])
        .expect("the catalog can be read");
    let unnamed: Vec<String> = functions
        .iter()
        .map(|row| (row.get::<_, String>(0), row.get::<_, String>(1)))
        .filter(|(name, signature)| {
            !signatures.contains(signature) && !internal.contains(&format!("`cdp.{name}()`"))
        })
        .map(|(_, signature)| signature)
        .collect();
    assert!(
        unnamed.is_empty(),
        "docs/reference.md does not have\n{}",
        unnamed.join("\n")
    );
}

#[test]
fn the_reference_names_every_relation() {
    let unnamed = unnamed(
        "SELECT 'cdp.' || quote_ident(c.relname) FROM pg_class c \
          WHERE c.relnamespace = 'cdp'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') \
            AND NOT c.relispartition ORDER BY 1",
        &["docs/reference.md"],
    );
    assert!(
        unnamed.is_empty(),
        "docs/reference.md does not name {unnamed:?}"
    );
}

#[test]
fn the_guides_name_every_setting() {
    let unnamed = unnamed(
        "SELECT name FROM pg_settings WHERE name LIKE 'cdp.%' ORDER BY 1",
        &["docs/reference.md", "docs/configuration.md"],
    );
    assert!(unnamed.is_empty(), "no guide names {unnamed:?}");
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let mut pages = guides();
    pages.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name)));
    let mut dead = Vec::new();
    for page in pages {
        for target in link_targets(&read(&page)) {
            let file = target.split('#').next().unwrap_or_default();
            let remote = target.contains("://") || target.starts_with("mailto:");
            if !remote && !file.is_empty() && !page.with_file_name(file).exists() {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn the_tests_that_the_architecture_names_exist() {
    let page = read(&root().join("ARCHITECTURE.md"));
    let named: Vec<(&str, &str)> = page
        .split('`')
        .filter_map(|span| span.split_once(".rs: "))
        .collect();
    assert!(named.len() > 10, "the page names tests: {named:?}");
    let mut folders = vec![
        root().join("tests"),
        root().join("engine"),
        root().join("src"),
    ];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of ours") {
            let path = entry.expect("a folder's entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let exists = |file: &str, test: &str| {
        let of_that_name = files
            .iter()
            .filter(|path| path.file_stem().is_some_and(|s| s == file));
        of_that_name
            .into_iter()
            .any(|path| read(path).contains(&format!("fn {test}(")))
    };
    let missing: Vec<_> = named
        .iter()
        .filter(|(file, test)| !exists(file, test))
        .collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names tests that are not there: {missing:?}"
    );
}

#[test]
fn examples_are_read_from_a_page() {
    let page = "\
# Title
<!-- sql
SELECT 0;
-->
<!-- picture img/one.svg
SELECT '<svg/>';
-->
```sql
SELECT 1;
```
text
```text
no output of anything
```
```sql
SELECT 2;
```

```text
 2
```
```sql skip
SELECT 3;
```
";
    let found = examples(page);
    let example = |line, sql: &str, output: Option<&str>| Example {
        line,
        sql: sql.to_owned(),
        output: output.map(str::to_owned),
        picture: None,
    };
    let mut drawn = example(5, "SELECT '<svg/>';\n", None);
    drawn.picture = Some("img/one.svg".to_owned());
    assert_eq!(
        found,
        [
            example(2, "SELECT 0;\n", None),
            drawn,
            example(8, "SELECT 1;\n", None),
            example(15, "SELECT 2;\n", Some(" 2\n")),
        ]
    );
}

// ------------------------------------------------------------------------------------------------ pages

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the project's folder")
}

fn read(page: &Path) -> String {
    std::fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()))
}

fn guides() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("docs")).expect("docs/ can be read");
    let mut pages: Vec<PathBuf> = folder
        .map(|entry| entry.expect("docs/ can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages
}

fn examples(page: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    // The example whose output may stand next.
    let mut answerable = false;
    let mut lines = page.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        let picture = line.trim_end().strip_prefix("<!-- picture ");
        let (hidden, end) = match line.trim_end() {
            "<!-- sql" => (true, "-->"),
            _ if picture.is_some() => (true, "-->"),
            fence if fence.starts_with("```") => (false, "```"),
            "" => continue,
            _ => {
                answerable = false;
                continue;
            }
        };
        let mut body = String::new();
        for (_, line) in lines
            .by_ref()
            .take_while(|(_, line)| line.trim_end() != end)
        {
            body.push_str(line);
            body.push('\n');
        }
        let kind = if hidden {
            "sql"
        } else {
            line.trim_end().trim_start_matches('`')
        };
        match kind {
            "sql" => found.push(Example {
                line: n + 1,
                sql: body,
                output: None,
                picture: picture.map(str::to_owned),
            }),
            "text" if answerable => {
                let last = found.last_mut().expect("an example is answerable");
                last.output = Some(body);
            }
            _ => {}
        }
        answerable = kind == "sql" && !hidden;
    }
    found
}

fn link_targets(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for rest in line.split("](").skip(1) {
            found.extend(rest.split(')').next().map(str::to_owned));
        }
    }
    found
}

// -------------------------------------------------------------------------------------------- the server

/// Which of the names that a query gives do not stand in any of these pages, followed by something else
/// than a letter.
fn unnamed(query: &str, pages: &[&str]) -> Vec<String> {
    let text: String = pages.iter().map(|page| read(&root().join(page))).collect();
    let db = fresh_db();
    let rows = db
        .connect()
        .query(query, &[])
        .expect("the catalog can be read");
    assert!(!rows.is_empty(), "nothing to look for");
    let names = rows.iter().map(|row| row.get::<_, String>(0));
    names.filter(|name| !is_named(&text, name)).collect()
}

fn is_named(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let next = text[at + name.len()..].chars().next();
        name.ends_with('(') || !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Runs the examples of a page; how many outputs were compared, or what went wrong.
fn run_examples(page: &Path, new_database: fn() -> TestDb) -> Result<usize, String> {
    let examples = examples(&read(page));
    let name = page.strip_prefix(root()).unwrap_or(page).display();
    if examples.is_empty() {
        return Ok(0);
    }
    let db = new_database();
    let mut script = String::new();
    for example in &examples {
        if example.picture.is_some() {
            script.push_str("\\pset format unaligned\n\\pset tuples_only on\n");
        }
        let _ = writeln!(script, "{}\n\\echo '{MARK}{}'", example.sql, example.line);
        if example.picture.is_some() {
            script.push_str("\\pset format aligned\n\\pset tuples_only off\n");
        }
    }
    let (stdout, stderr) = psql(&db, &script);
    let mut rest = stdout.as_str();
    let mut compared = 0;
    for example in &examples {
        let mark = format!("{MARK}{}\n", example.line);
        let Some((printed, after)) = rest.split_once(&mark) else {
            return Err(format!(
                "{name}, the example at line {} fails:\n{stderr}\n{rest}",
                example.line
            ));
        };
        rest = after;
        if let Some(picture) = &example.picture {
            compared += 1;
            compare_picture(&page.with_file_name(picture), printed)?;
        }
        let Some(expected) = &example.output else {
            continue;
        };
        compared += 1;
        if lines(expected) != lines(printed) {
            return Err(format!(
                "{name}, the example at line {} prints\n{printed}\nand the page says\n{expected}",
                example.line
            ));
        }
    }
    Ok(compared)
}

fn compare_picture(file: &Path, drawn: &str) -> Result<(), String> {
    if std::env::var_os("CDP_WRITE_PICTURES").is_some() {
        return std::fs::write(file, drawn).map_err(|error| format!("{}: {error}", file.display()));
    }
    // A profile has the number that came next: which that was depends on what the worker took in first.
    if std::fs::read_to_string(file).is_ok_and(|known| unnumbered(&known) == unnumbered(drawn)) {
        return Ok(());
    }
    let file = file.display();
    Err(format!(
        "{file} is not what the extension draws now; run this test with CDP_WRITE_PICTURES=1, and look"
    ))
}

fn unnumbered(picture: &str) -> String {
    let mut parts = picture.split("rofile ");
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.fold(first.to_owned(), |so_far, part| so_far + "rofile" + part)
}

fn lines(text: &str) -> Vec<&str> {
    text.trim_matches('\n').lines().map(str::trim_end).collect()
}

/// Runs a script to its first error; what it printed, and what went wrong.
fn psql(db: &TestDb, script: &str) -> (String, String) {
    let mut command = db.server().client_command("psql", &db.name);
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql can be run");
    let mut stdin = child.stdin.take().expect("a pipe");
    let script = script.to_owned();
    // psql stops reading at an error: that the rest cannot be written is none.
    let writer = std::thread::spawn(move || drop(stdin.write_all(script.as_bytes())));
    let mut errors = child.stderr.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut said = String::new();
        let _ = errors.read_to_string(&mut said);
        said
    });
    let mut printed = String::new();
    let mut output = child.stdout.take().expect("a pipe");
    output
        .read_to_string(&mut printed)
        .expect("psql prints UTF-8");
    let _ = child.wait();
    let _ = writer.join();
    (printed, reader.join().unwrap_or_default())
}
