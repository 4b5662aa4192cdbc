//! What some tests need and not every machine has. Where its variable is not set, such a test says so and is counted as
//! not run; where it is set and the thing is not there, the test fails.
//!
//! libtest cannot skip a test that runs already. So the test notes what it lacks in a file, and `tests/not_run.rs`, which
//! Cargo runs after this binary, counts.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{Write as _, stderr},
    path::PathBuf,
    sync::Mutex,
    thread,
};

/// Something outside of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Istio's own test cases.
    Corpus,
    Postgres,
    /// The API servers of `tests/lab.sh`.
    Servers,
    Envoy,
}

impl Need {
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Corpus => "MESHTRIAGE_CORPUS",
            Self::Postgres => "MESHTRIAGE_TEST_POSTGRES",
            Self::Servers => "MESHTRIAGE_TEST_LABS",
            Self::Envoy => "MESHTRIAGE_TEST_ENVOY",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Corpus => "Istio's own cases",
            Self::Postgres => "PostgreSQL",
            Self::Servers => "API servers",
            Self::Envoy => "Envoy",
        }
    }
}

/// Ends a test that cannot run here.
macro_rules! needs {
    ($need:ident) => {
        if $crate::support::needs::lacks($crate::support::needs::Need::$need) {
            return;
        }
    };
}
pub(crate) use needs;

/// Whether the running test must do without. It is then counted as one that was not run, or not in whole.
pub(crate) fn lacks(need: Need) -> bool {
    let lacks = setting(need.variable()).is_none();
    if lacks {
        note(need);
    }
    lacks
}

/// A setting of the tests.
#[expect(clippy::disallowed_methods, reason = "tests have no config")]
pub(crate) fn setting(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Where the thing is, for a test that has asked whether it is there.
pub(crate) fn given(need: Need) -> String {
    let variable = need.variable();
    setting(variable).unwrap_or_else(|| panic!("{variable} is not set: ./tests/run.sh sets it"))
}

/// A path in the corpus.
pub(crate) fn corpus_path(path: &str) -> PathBuf {
    // Cargo runs tests in the package's folder, whatever the caller's was.
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(given(Need::Corpus));
    let path = corpus.join(path);
    assert!(path.exists(), "{} is missing, and MESHTRIAGE_CORPUS says that it is there", path.display());
    path
}

fn note(need: Need) {
    static SAID: Mutex<BTreeSet<Need>> = Mutex::new(BTreeSet::new());
    let (what, variable) = (need.what(), need.variable());
    if SAID.lock().unwrap().insert(need) {
        // Past libtest, which keeps the output of tests that pass.
        let _ = writeln!(stderr(), "not run: what needs {what} ({variable} is not set)");
    }
    // Of this run of Cargo, whose other test binaries have the same parent.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("not-run");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(std::os::unix::process::parent_id().to_string());
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let mut notes = OpenOptions::new().create(true).append(true).open(file).unwrap();
    notes.write_all(format!("{variable}\t{what}\t{test}\n").as_bytes()).unwrap();
}
