//! What tests share: where the shared data lies.

pub(crate) mod app;
pub(crate) mod archives;
pub(crate) mod checklist;
pub(crate) mod fake;
pub(crate) mod lab;

use std::path::PathBuf;

/// Prints a line of a test's table: shown with `--nocapture`, and when the test fails.
#[expect(clippy::print_stdout, reason = "the table is for whoever runs the tests")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// A path below the `shared` folder that lies beside the project. A test that needs it fails when it is missing.
pub(crate) fn shared(path: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    assert!(path.exists(), "{} is missing: tests need the shared folder beside the project", path.display());
    path
}
