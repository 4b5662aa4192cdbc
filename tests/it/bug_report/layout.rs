//! What we write in the layout of `istioctl bug-report`, beside what istioctl wrote of the same clusters.

use std::collections::{BTreeMap, BTreeSet};

use meshtriage::{
    capture::{Capture, Limits},
    report::Progress,
    runs::bug_report,
    steps::{BugReportInput, ReportLayout},
};

use super::files;
use crate::support::{
    app::recording,
    checklist::{Call, call},
    recording_path, say,
};

/// Files of istioctl's that are not ours, and why.
fn left_out(file: &str) -> Option<&'static str> {
    match file.rsplit('/').next()? {
        "netstat" => Some("it is run inside of the container, which needs the right to run any program there"),
        _ => None,
    }
}

/// What simulates the nodes, which the recordings leave out.
const SIMULATOR: &str = "kwok.x-k8s.io";

/// istioctl 1.30, whose layout ours is, has slices in place of endpoints, and events as a table.
fn is_asked_for_no_more(object: &str) -> bool {
    object.starts_with("Endpoints ") || object.starts_with("Event ")
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
            let theirs = files(&recording_path(&format!("{name}/bug-report/istioctl-{version}.tar.gz")));
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
            expected.retain(|object| !apart.contains(object) && !is_asked_for_no_more(object));
        }
        expected.retain(|object| !object.ends_with(SIMULATOR));
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
    assert_eq!(head(ours, "cluster/events"), head(theirs, "cluster/events"), "{name}");
    // The recordings hold no table of Secrets, so that the columns between name and age are not known.
    let names = |files: &BTreeMap<String, Vec<u8>>| {
        let text = String::from_utf8_lossy(&files["cluster/secrets"]).into_owned();
        text.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join("/")).collect::<BTreeSet<_>>()
    };
    let lacking: Vec<_> = names(theirs).difference(&names(ours)).cloned().collect();
    assert!(lacking.is_empty(), "{name}: {lacking:?}");
    let lines = |files: &BTreeMap<String, Vec<u8>>| {
        let text = String::from_utf8_lossy(&files["analyze/allNamespaces/allNamespaces"]).into_owned();
        text.lines().filter(|line| line.starts_with("Error")).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let lacking: Vec<_> = lines(theirs).difference(&lines(ours)).cloned().collect();
    assert!(lacking.is_empty(), "{name}: {lacking:?}");
}

/// Kind, namespace and name of each object of a list, as kubectl indents it.
fn objects(content: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(content);
    assert!(text.starts_with("apiVersion: v1\nitems:") && text.contains("\nkind: List\n"), "it is no list");
    let (mut objects, mut section) = (Vec::<[String; 4]>::new(), String::new());
    for line in text.lines() {
        if line.starts_with("- ") {
            objects.push([const { String::new() }; 4]);
        }
        let line = line.strip_prefix("- ").map_or_else(|| line.to_owned(), |rest| format!("  {rest}"));
        let Some(object) = objects.last_mut() else { continue };
        if line.starts_with("  ") && !line.starts_with("   ") && !line.starts_with("  -") {
            line.trim().clone_into(&mut section);
            if let Some(kind) = section.strip_prefix("kind: ") {
                kind.clone_into(&mut object[0]);
            } else if let Some(version) = section.strip_prefix("apiVersion: ") {
                version.clone_into(&mut object[3]);
            }
        }
        for (index, field) in [(1, "    namespace: "), (2, "    name: ")] {
            if let Some(value) = line.strip_prefix(field).filter(|_| section == "metadata:") {
                value.clone_into(&mut object[index]);
            }
        }
    }
    objects.retain(|[.., version]| !version.starts_with(SIMULATOR));
    objects.into_iter().map(|[kind, namespace, name, _]| format!("{kind} {namespace}/{name}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_reader_answers_from_what_we_write_in_it() {
    let (folder, _) = ours("broken").await;
    let capture = Capture::open(&folder.path().join("bug-report.tar.gz"), &Limits::default()).unwrap();
    assert_eq!(capture.kind(), meshtriage::capture::Kind::BugReport);
    let cluster = capture.cluster("written".to_owned(), "written".to_owned(), meshtriage::cluster::Settings::default());
    let live = recording("broken");
    for step in ["istioctl.analyze", "kubectl.istiod-logs", "kubectl.istiod-pods", "istioctl.proxy-status"] {
        let of = |outcome: crate::support::Outcome| {
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
