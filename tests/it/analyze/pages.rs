//! The page of each code: complete, and true of its own examples.

use std::collections::BTreeMap;

use meshtriage::analyzers::{ANALYZERS, K8S0100, Options, analyze};
use meshtriage::mesh::{MeshBuilder, Settings};
use meshtriage::report::Code;

use super::cases::now;

fn codes() -> BTreeMap<&'static str, &'static Code> {
    ANALYZERS.iter().flat_map(|analyzer| analyzer.reports).map(|code| (code.id, *code)).collect()
}

pub(crate) fn example<'p>(page: &'p str, heading: &str) -> Option<&'p str> {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n\n```yaml\n"))?;
    Some(rest.split_once("```")?.0)
}

/// The codes that the analyzers of a code find in an example.
fn found(code: &Code, yaml: &str) -> Vec<&'static str> {
    let mut builder = MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(now()) });
    // A comment says which cluster the documents after it are of.
    for (index, part) in yaml.split("# Cluster ").enumerate() {
        match part.split_once('\n') {
            Some((cluster, part)) if index > 0 => {
                builder.add_files_of_cluster(cluster, &[("example.yaml".to_owned(), part.to_owned())]);
            }
            _ => builder.add_files(&[("example.yaml".to_owned(), part.to_owned())]),
        }
    }
    let mesh = builder.build();
    assert!(mesh.malformed().is_empty() && !mesh.is_empty(), "{}: {:?}", code.id, mesh.malformed());
    let reporters = ANALYZERS.iter().filter(|analyzer| analyzer.reports.iter().any(|it| it.id == code.id));
    let options =
        Options { analyzers: reporters.map(|analyzer| analyzer.name.to_owned()).collect(), ..Options::default() };
    let analysis = analyze(&mesh, &options).unwrap();
    analysis.messages.iter().map(|message| message.code.id).collect()
}

#[test]
fn examples_of_pages_are_true() {
    let mut failures = Vec::new();
    for (id, code) in codes() {
        let (Some(bad), Some(good)) = (example(code.page, "Bad"), example(code.page, "Good")) else {
            failures.push(format!("{id}: no Bad or no Good example"));
            continue;
        };
        if !found(code, bad).contains(&id) {
            failures.push(format!("{id}: not found in its Bad example"));
        }
        if found(code, good).contains(&id) {
            failures.push(format!("{id}: found in its Good example"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn documents_that_cannot_be_read_are_findings() {
    for (heading, expected) in [("Bad", vec!["K8S0100"]), ("Good", vec![])] {
        let mut builder = MeshBuilder::new(Settings::new(now()));
        let text = example(K8S0100.page, heading).unwrap();
        builder.add_files(&[("cart.yaml".to_owned(), text.to_owned())]);
        let mesh = builder.build();
        let findings = analyze(&mesh, &Options::default()).unwrap().findings();
        let codes: Vec<&str> =
            findings.iter().map(|finding| finding.code.as_ref()).filter(|code| *code == "K8S0100").collect();
        assert_eq!(codes, expected);
    }
}

#[test]
fn pages_have_their_parts() {
    for code in codes().values() {
        page_has_its_parts(code);
    }
}

pub(crate) fn page_has_its_parts(code: &Code) {
    let id = code.id;
    assert!(code.page.starts_with("# "), "{id}: no title");
    let parts: Vec<&str> = code.page.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(parts, ["## Bad", "## Good", "## What to do"], "{id}");
    assert!(code.docs.starts_with("https://"), "{id}: no documentation");
}

#[test]
fn names_and_codes_are_there_once() {
    let names: Vec<&str> = ANALYZERS.iter().map(|analyzer| analyzer.name).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
    for analyzer in ANALYZERS {
        for code in analyzer.reports {
            assert!(std::ptr::eq(codes()[code.id], *code), "{} is defined twice", code.id);
            assert!(!meshtriage::analyzers::RETIRED.contains(&code.id));
        }
    }
}
