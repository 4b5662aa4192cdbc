//! Our own cases: a YAML file for each analyzer, with what should be found in it at its end. A new case adds no code.
//!
//! The end is a document of comments, so that it changes no line. `# analyzers: NAME …` says what is run, `# expect: LINE` what it prints, by our rules and
//! `istioctl`'s; `# ours: LINE` and `# istioctl: LINE` what only one of them prints; `# revision: NAME` and `# live` how
//! the mesh is seen.

use std::path::PathBuf;

use meshtriage::analyzers::{Options, analyze, text_line};
use meshtriage::mesh::{Kind, LOCAL_CLUSTER, MeshBuilder, Perspective, Settings};
use serde_json::Value;

use super::cases::now;
use crate::support::say;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/analyzers")
}

/// The values of a key at the end.
fn end<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let (_, end) = text.rsplit_once("\n---\n").unwrap();
    let lines = end.lines();
    lines.filter_map(|line| line.strip_prefix("# ")?.strip_prefix(key)?.strip_prefix(':')).map(str::trim).collect()
}

fn found(name: &str, text: &str, compatible: bool) -> Vec<String> {
    let is_live = text.lines().any(|line| line == "# live");
    let mut builder = MeshBuilder::new(Settings { runtime_kinds: true, live: is_live, ..Settings::new(now()) });
    if is_live {
        for object in serde_saphyr::from_multiple::<Value>(text).unwrap() {
            let kind = Kind::of_document(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
            builder.add(kind.unwrap(), LOCAL_CLUSTER, &object);
        }
    } else {
        builder.add_files(&[(name.to_owned(), text.to_owned())]);
    }
    let revision = end(text, "revision").first().map(|revision| (*revision).to_owned());
    let mesh = builder.build().seen_from(Perspective { compatible, revision });
    assert!(mesh.malformed().is_empty() && !mesh.is_empty(), "{name}: {:?}", mesh.malformed());
    let analyzers: Vec<String> =
        end(text, "analyzers").iter().flat_map(|names| names.split_whitespace()).map(str::to_owned).collect();
    assert!(!analyzers.is_empty(), "{name} does not say which analyzers");
    let analysis = analyze(&mesh, &Options { analyzers, ..Options::default() }).unwrap();
    assert!(analysis.skipped.is_empty(), "{name}: {:?}", analysis.skipped);
    analysis.messages.iter().map(|message| text_line(message, false, false).trim_end().to_owned()).collect()
}

#[test]
fn own_cases() {
    let mut failures = Vec::new();
    let mut names: Vec<String> =
        folder().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(!names.is_empty());
    for name in &names {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        for (compatible, own) in [(false, "ours"), (true, "istioctl")] {
            let mut expected = end(&text, "expect");
            expected.extend(end(&text, own));
            expected.sort_unstable();
            let mut found = found(name, &text, compatible);
            found.sort_unstable();
            if found != expected {
                failures
                    .push(format!("{name} by the rules of {own}, found:\n# expect: {}", found.join("\n# expect: ")));
            }
        }
    }
    say(&format!("own cases: {} files", names.len()));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
