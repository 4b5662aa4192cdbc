//! What we write in the layout of `istioctl bug-report`, beside what istioctl wrote of the same clusters.

use std::collections::{BTreeMap, BTreeSet};

use meshtriage::{
    capture::{Capture, Limits},
    report::Progress,
    runs::bug_report,
    steps::{BugReportInput, ReportLayout},
};
use serde_json::Value;

use super::files;
use crate::support::{
    app::recording,
    checklist::{Call, call},
    say, shared,
};

/// Files of istioctl's that are not ours, and why.
fn left_out(file: &str) -> Option<&'static str> {
    match file.rsplit('/').next()? {
        "netstat" => Some("it is run inside of the container, which needs the right to run any program there"),
        _ => None,
    }
}

async fn ours(name: &str) -> (tempfile::TempDir, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bug-report.tar.gz");
    let input = BugReportInput { layout: ReportLayout::Istioctl, tail: Some(100_000), ..BugReportInput::default() };
    let progress = tokio::sync::watch::Sender::<Progress>::default();
    bug_report::make(&recording(name), &input, &path, &progress).await.unwrap();
    let files = files(&path);
    (folder, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_istioctl_is_there_or_has_a_reason() {
    for name in ["healthy", "broken", "upstream"] {
        let (_folder, ours) = ours(name).await;
        for version in ["1.29.6", "1.30.3"] {
            let theirs = files(&shared(&format!("captures/{name}/bug-report/istioctl-{version}.tar.gz")));
            let (mut missing, mut same, mut reasons) = (Vec::new(), 0, BTreeSet::new());
            for file in theirs.keys() {
                match left_out(file) {
                    _ if ours.contains_key(file) => same += 1,
                    Some(reason) => drop(reasons.insert(reason)),
                    None => missing.push(file),
                }
            }
            say(&format!("{name}: {same} of {} files of istioctl {version}; left out: {reasons:?}", theirs.len()));
            assert!(missing.is_empty(), "{name} {version}: {missing:#?}");
            same_content(&format!("{name} {version}"), &ours, &theirs);
        }
    }
}

/// Where both are of the same data: objects by kind and name, versions, and what the analysis says.
fn same_content(name: &str, ours: &BTreeMap<String, Vec<u8>>, theirs: &BTreeMap<String, Vec<u8>>) {
    let cluster_wide = "cluster/k8s-cluster-resources";
    for file in ["cluster/k8s-resources", "cluster/crs", "cluster/nodes", "cluster/pods"] {
        let mut expected = objects(&theirs[file]);
        // Up to 1.29 they were in one file.
        if file == "cluster/k8s-resources" && !theirs.contains_key(cluster_wide) {
            let apart = objects(&ours[cluster_wide]);
            expected.retain(|object| !apart.contains(object));
        }
        let found = objects(&ours[file]);
        let lacking: Vec<_> = expected.difference(&found).collect();
        assert!(lacking.is_empty(), "{name} {file} lacks {lacking:#?}");
    }
    let head = |files: &BTreeMap<String, Vec<u8>>, file: &str| {
        String::from_utf8_lossy(&files[file])
            .lines()
            .next()
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for table in ["cluster/secrets", "cluster/events"] {
        assert_eq!(head(ours, table), head(theirs, table), "{name} {table}");
    }
    let lines = |files: &BTreeMap<String, Vec<u8>>| {
        let text = String::from_utf8_lossy(&files["analyze/allNamespaces/allNamespaces"]).into_owned();
        text.lines().filter(|line| line.starts_with("Error")).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let lacking: Vec<_> = lines(theirs).difference(&lines(ours)).cloned().collect();
    say(&format!("{name}: errors of istioctl's analysis that ours has not: {}", lacking.len()));
}

/// Kind, namespace and name of each object of a YAML list.
fn objects(content: &[u8]) -> BTreeSet<String> {
    let list: Value = serde_saphyr::from_slice(content).unwrap();
    assert_eq!((list["kind"].as_str(), list["apiVersion"].as_str()), (Some("List"), Some("v1")));
    let name = |object: &Value| {
        let metadata = &object["metadata"];
        format!("{} {}/{}", object["kind"], metadata["namespace"], metadata["name"])
    };
    list["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_reader_answers_from_what_we_write_in_it() {
    let (folder, _) = ours("broken").await;
    let capture = Capture::open(&folder.path().join("bug-report.tar.gz"), &Limits::default()).unwrap();
    assert_eq!(capture.kind(), meshtriage::capture::Kind::BugReport);
    let cluster = capture.cluster("written".to_owned(), "written".to_owned(), meshtriage::cluster::Settings::default());
    let live = recording("broken");
    for step in ["istioctl.analyze", "kubectl.istiod-logs", "kubectl.istiod-pods", "istioctl.proxy-status"] {
        let of = |outcome: meshtriage::steps::Outcome| {
            outcome.findings.into_iter().map(|finding| finding.code.into_owned()).collect::<BTreeSet<_>>()
        };
        let call_of = Call::new(step, &[]);
        let found = of(call(&cluster, &call_of, meshtriage::report::Format::Json).await);
        let expected = of(call(&live, &call_of, meshtriage::report::Format::Json).await);
        // Secrets are not in such an archive, nor what needs them.
        let lacking: Vec<_> = expected.difference(&found).collect();
        assert!(lacking.len() <= 2, "{step} lacks {lacking:?}");
        assert!(!found.is_empty(), "{step} finds nothing");
    }
}
