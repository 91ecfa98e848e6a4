//! The demonstration runs to its end and shows what it says.

use std::fs;
use std::path::{Path, PathBuf};

use cdp_server_tests::bare_db;

/// A copy of demo/ that the servers' operating system user can read.
fn copy_of_demo() -> PathBuf {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
    let test_dir = std::env::var_os("CDP_TEST_DIR").expect("CDP_TEST_DIR is set");
    let copy = Path::new(&test_dir).join(format!("demo{}", std::process::id()));
    for folder in ["", "data"] {
        fs::create_dir_all(copy.join(folder)).expect("a folder for the copy");
        for entry in fs::read_dir(demo.join(folder)).expect("demo/ can be read") {
            let path = entry.expect("demo/ can be read").path();
            // Not what it wrote for somebody else.
            let is_written = path
                .extension()
                .is_some_and(|kind| kind == "svg" || kind == "html");
            if path.is_file() && !is_written {
                let name = path.file_name().expect("a file has a name");
                fs::copy(&path, copy.join(folder).join(name)).expect("a file can be copied");
            }
        }
    }
    // The demonstration writes pictures there.
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&copy, all).expect("the copy can be opened to all");
    copy
}

/// The cells of the first row of a psql table that begins with this cell.
fn row(printed: &str, first: &str) -> Vec<String> {
    let cells = |line: &str| {
        line.split('|')
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    };
    printed
        .lines()
        .map(cells)
        .find(|cells| cells[0] == first)
        .unwrap_or_else(|| panic!("no row {first} in\n{printed}"))
}

#[test]
fn the_demonstration_shows_what_it_says() {
    let db = bare_db();
    let folder = copy_of_demo();
    let output = db
        .server()
        .client_command("psql", &db.name)
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "demo.sql"])
        .current_dir(&folder)
        .output()
        .expect("psql can be run");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{printed}\n{said}");
    assert_eq!(said, "");
    let file = |name: &str| fs::read_to_string(folder.join(name)).expect("it was written");
    assert!(file("match.svg").starts_with("<svg"), "a picture");
    assert!(file("report.html").starts_with("<!DOCTYPE html>"), "a page");
    fs::remove_dir_all(folder).expect("the copy can be removed");

    // As many profiles as the numbers tell: customers, valid SSNs, and records without one.
    assert_eq!(row(&printed, "20596")[1], "12152");
    // Nobody came back before; then somebody did, and has become loyal by it.
    assert_eq!(row(&printed, "loyal")[1], "116");
    assert_eq!(row(&printed, "came_back")[1], "0");
    assert_eq!(row(&printed, "before")[2..], ["9", "1998-06-22", "none"]);
    let after = row(&printed, "after");
    assert_eq!(
        (after[2].as_str(), after[4].as_str()),
        ("10", "came_back, loyal")
    );
    assert!(
        after[5]
            .parse::<u64>()
            .is_ok_and(|milliseconds| milliseconds < 30_000),
        "{after:?}"
    );
    // No census can be joined by numbers.
    assert_eq!(row(&printed, "census_2020")[1..], ["2632", "2632"]);
    assert_eq!(row(&printed, "census_2030")[1..], ["2799", "2799"]);
    // By name, most are found, and hardly anybody else.
    let lines: Vec<&str> = printed.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("precision"))
        .expect("how well they were matched");
    let share = |cell: usize| -> f64 {
        let text = lines[at + 2].split('|').nth(cell).expect("a cell").trim();
        text.parse().expect("a number")
    };
    assert!(share(3) >= 0.98 && share(4) >= 0.98, "{}", lines[at + 2]);
}
