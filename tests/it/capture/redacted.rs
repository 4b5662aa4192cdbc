//! Redaction over real logs, objects and pages: it takes secrets and nothing else.

use std::borrow::Cow;
use std::path::Path;

use meshtriage::redact::{redact_text, redact_value};
use serde_json::Value;

use crate::support::recording_path;

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn below(folders: &[&str]) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for name in ["healthy", "broken", "upstream"] {
        for folder in folders {
            files(&recording_path(&format!("{name}/{folder}")), &mut paths);
        }
    }
    let read = |path: std::path::PathBuf| {
        let content = std::fs::read(&path).unwrap();
        (path.display().to_string(), String::from_utf8_lossy(&content).into_owned())
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn logs_and_pages_without_secrets_stay_as_they_are() {
    let mut lines = 0;
    for (path, text) in below(&["logs", "envoy", "istiod", "ports", "kubectl"]) {
        for line in text.lines() {
            lines += 1;
            if let Cow::Owned(redacted) = redact_text(line) {
                panic!("{path}\n{line:.600}\n{redacted:.600}");
            }
        }
        assert!(matches!(redact_text(&text), Cow::Borrowed(_)), "{path} as a whole");
    }
    assert!(lines > 100_000, "{lines}");
}

#[test]
fn objects_without_secrets_stay_as_they_are() {
    let mut objects = 0;
    for (path, text) in below(&["cluster/resources"]) {
        let original: Value = serde_json::from_str(&text).unwrap();
        let mut redacted = original.clone();
        assert_eq!(redact_value(&mut redacted), 0, "{path}");
        assert_eq!(redacted, original, "{path}");
        objects += original["items"].as_array().unwrap().len();
    }
    assert!(objects > 1000, "{objects}");
}

#[test]
fn a_large_text_is_searched_in_linear_time() {
    // Words that begin a pattern and do not end it, again and again: what is quadratic would take minutes.
    for word in ["Bearer ", "-----BEGIN PRIVATE KEY-----", "eyJ", "://a", "password", "cookie: a", "LS0tLS1CRUdJTi"] {
        let text = word.repeat(400_000 / word.len());
        let started = std::time::Instant::now();
        redact_text(&text);
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "{word}: {:?}", started.elapsed());
    }
}
