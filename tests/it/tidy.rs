//! The sources keep to the directions of ARCHITECTURE.md: each module names only those that it may.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Module, and those of ours that it must not name.
const BARRIERS: &[(&str, &[&str])] = &[
    (
        "report",
        &["api", "runs", "steps", "cluster", "capture", "auth", "history", "errors", "envoy", "analyzers", "detectors"],
    ),
    (
        "mesh",
        &["api", "runs", "steps", "cluster", "capture", "auth", "history", "errors", "envoy", "analyzers", "detectors"],
    ),
    (
        "envoy",
        &["api", "runs", "steps", "cluster", "capture", "auth", "history", "errors", "mesh", "analyzers", "report"],
    ),
    ("errors", &["api", "runs", "steps", "cluster", "capture", "auth", "history", "envoy", "analyzers"]),
    ("logs", &["api", "runs", "steps", "cluster", "capture", "auth", "history", "envoy", "analyzers"]),
    ("analyzers", &["api", "runs", "steps", "cluster", "capture", "auth", "history", "errors", "envoy", "detectors"]),
    ("history", &["api", "runs", "steps", "cluster", "capture", "auth", "errors", "envoy", "analyzers", "mesh"]),
    ("cluster", &["api", "runs", "steps", "capture", "auth", "history", "errors", "analyzers"]),
    ("auth", &["api", "runs", "steps", "capture", "errors", "envoy", "analyzers", "mesh"]),
    ("detectors", &["api", "runs", "steps", "cluster", "capture", "auth", "history", "errors", "envoy"]),
    ("steps", &["api", "runs", "capture", "auth", "history"]),
    ("uploads", &["api", "runs", "steps", "history", "errors", "envoy", "analyzers", "mesh"]),
    ("selection", &["api", "runs", "steps", "cluster", "capture", "auth", "history", "errors", "envoy", "analyzers"]),
    ("artifacts", &["api", "runs", "steps", "cluster", "capture", "auth", "history", "errors", "envoy", "analyzers"]),
    ("capture", &["api", "runs", "steps", "auth", "history", "errors", "analyzers"]),
];

/// Crate, and the modules that may name it.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["api", "capture", "main.rs"]),
    ("sqlx", &["history"]),
    ("tokio::fs", &["artifacts", "capture", "start.rs", "uploads"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 50);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    found.into_iter().map(read).collect()
}

/// A source's code, without comments.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_name_only_those_that_they_may() {
    let mut wrong = Vec::new();
    for (name, text) in all() {
        let code = code(&text);
        for (module, barred) in BARRIERS {
            if !name.starts_with(&format!("{module}/")) {
                continue;
            }
            for other in *barred {
                // `crate::x::…`, or `x::…` inside of a `use crate::{…}`.
                let inside = code.split("use crate::{").skip(1).any(|rest| {
                    let block = rest.split("};").next().unwrap_or_default();
                    block.lines().any(|line| line.trim_start().starts_with(&format!("{other}::")))
                });
                if code.contains(&format!("crate::{other}::")) || inside {
                    wrong.push(format!("{name} names {other}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut wrong = Vec::new();
    for (name, text) in all() {
        let code = code(&text);
        for (crate_name, modules) in CRATES {
            let allowed = modules.iter().any(|module| name == *module || name.starts_with(&format!("{module}/")));
            if !allowed && code.contains(&format!("{crate_name}::")) {
                wrong.push(format!("{name} names {crate_name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_says_what_it_is_for() {
    for (name, text) in all() {
        assert!(text.starts_with("//! ") || name.ends_with("tests.rs"), "{name} does not say what it is for");
    }
}
