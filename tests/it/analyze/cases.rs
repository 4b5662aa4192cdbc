//! Istio's table of analyzer cases: files in, codes and objects out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use meshtriage::analyzers::{Options, analyze};
use meshtriage::mesh::{Mesh, MeshBuilder, Perspective, Settings};
use serde_json::Value;

use crate::support::{corpus_path, needs, say};

/// Certificates in the cases have long expired, or run for a century.
pub(crate) fn now() -> Timestamp {
    "2026-09-01T00:00:00Z".parse().unwrap()
}

pub(super) fn read_json(name: &str) -> Value {
    let path = corpus_path("analyze").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

fn read(folder: &Path, name: &str) -> (String, String) {
    (name.to_owned(), std::fs::read_to_string(folder.join(name)).unwrap())
}

fn mesh_of(case: &Value) -> Mesh {
    let folder = corpus_path("analyze");
    let mut builder = MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(now()) });
    if let Some(name) = case["meshConfigFile"].as_str() {
        builder.mesh_config(read(&folder, name).1);
    }
    if let Some(name) = case["meshNetworksFile"].as_str() {
        builder.mesh_networks(read(&folder, name).1);
    }
    let names = case["inputFiles"].as_array().into_iter().flatten();
    let files: Vec<_> = names.map(|name| read(&folder, name.as_str().unwrap())).collect();
    builder.add_files(&files);
    for (cluster, names) in case["clusters"].as_object().into_iter().flatten() {
        let files: Vec<_> =
            names.as_array().unwrap().iter().map(|name| read(&folder, name.as_str().unwrap())).collect();
        builder.add_files_of_cluster(cluster, &files);
    }
    builder.add_default_ingress();
    builder.build()
}

/// Code and origin of each message.
fn multiset(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<(String, String), usize> {
    pairs.fold(BTreeMap::new(), |mut counts, pair| {
        *counts.entry(pair).or_default() += 1;
        counts
    })
}

fn expected(case: &Value) -> BTreeMap<(String, String), usize> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    multiset(case["expected"].as_array().unwrap().iter().map(|it| (text(&it["code"]), text(&it["origin"]))))
}

fn found(mesh: &Mesh, analyzers: &[String]) -> Result<BTreeMap<(String, String), usize>, String> {
    let options = Options { analyzers: analyzers.to_vec(), ..Options::default() };
    let analysis = analyze(mesh, &options).map_err(|error| error.to_string())?;
    if let Some(skipped) = analysis.skipped.first() {
        return Err(format!("{skipped:?}"));
    }
    let pair = |message: &meshtriage::analyzers::Message<'_>| {
        (message.code.id.to_owned(), message.origin().unwrap_or_default())
    };
    Ok(multiset(analysis.messages.iter().map(pair)))
}

/// Runs a list of cases and says for each analyzer how many pass.
fn check_list(list: &str, perspective: &Perspective, known_differences: &[&str]) {
    let cases = read_json("cases.json");
    let cases = cases[list].as_array().unwrap();
    assert!(!cases.is_empty());
    let mut by_analyzer: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in cases {
        let analyzers: Vec<String> =
            case["analyzers"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        let (id, name) = (case["id"].as_str().unwrap(), case["name"].as_str().unwrap());
        let mesh = mesh_of(case).seen_from(perspective.clone());
        let found = found(&mesh, &analyzers);
        let expected = expected(case);
        let passes = found.as_ref() == Ok(&expected) || known_differences.contains(&id);
        let counts = by_analyzer.entry(analyzers.join(" ")).or_default();
        counts.0 += usize::from(passes);
        counts.1 += 1;
        if !passes {
            failures.push(format!("{id} {name}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    let mut report = String::new();
    for (analyzer, (passed, total)) in &by_analyzer {
        let _ = writeln!(report, "{passed}/{total} {analyzer}");
    }
    let (passed, total) = (cases.len() - failures.len(), cases.len());
    let _ = writeln!(report, "{list}: {passed} of {total}, compatible: {}", perspective.compatible);
    say(&report);
    assert!(failures.is_empty(), "{passed} of {total} {list} pass\n{}", failures.join("\n"));
}

#[test]
fn analyzer_cases_as_istioctl() {
    needs!(Corpus);
    check_list("analyzerCases", &Perspective { compatible: true, revision: None }, &[]);
}

#[test]
fn analyzer_cases_by_our_rules() {
    needs!(Corpus);
    check_list("analyzerCases", &Perspective::default(), &[]);
}

#[test]
fn multi_cluster_cases() {
    needs!(Corpus);
    check_list("multiClusterCases", &Perspective { compatible: true, revision: None }, &[]);
}
