//! The same answers from the folder of a recording and from the archive that `capture` writes of it; and istioctl's own
//! archives open, with what they lack named.

use meshtriage::{
    capture::{self, WriteOptions},
    cluster::Cluster,
    report::Format,
    steps::{self, Inputs},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    app::{open, recording},
    checklist::{Call, call, calls},
    forget, recording_path, say,
};

/// An answer without what differs from one making to the next.
async fn answer(cluster: &Cluster, one: &Call) -> Value {
    let outcome = call(cluster, one, Format::Text).await;
    let mut value = json!({
        "data": outcome.data,
        "findings": outcome.findings,
        "commands": outcome.commands,
        "summary": outcome.summary,
        "printed": outcome.printed,
    });
    // The first are not recorded by everybody, and a list's version is that of its making.
    forget(&mut value, &["managedFields", "resourceVersion"]);
    value
}

async fn archived(name: &str, folder: &TempDir) -> Cluster {
    let cluster = recording(name);
    let path = folder.path().join(format!("{name}.tar.gz"));
    let mut options = WriteOptions::new(cluster.now());
    options.logs_outside_mesh = true;
    capture::write(cluster.client(), &path, &options).await.unwrap();
    open(&path)
}

async fn compare(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (recording(name), archived(name, &folder).await);
    let mut different = Vec::new();
    let calls = calls(&ours).await;
    for one in &calls {
        if answer(&ours, one).await != answer(&theirs, one).await {
            different.push(one.words());
        }
    }
    say(&format!(
        "{name}: {} of {} calls answer the same from folder and archive",
        calls.len() - different.len(),
        calls.len()
    ));
    assert!(different.is_empty(), "{different:#?}");
}

#[tokio::test]
async fn healthy_answers_the_same_from_our_archive() {
    compare("healthy").await;
}

#[tokio::test]
async fn broken_answers_the_same_from_our_archive() {
    compare("broken").await;
}

#[tokio::test]
async fn upstream_answers_the_same_from_our_archive() {
    compare("upstream").await;
}

/// Steps that read objects and logs answer from istioctl's archive; where it lacks something, they say so.
#[tokio::test]
async fn istioctls_archives_answer_what_they_hold() {
    for name in ["healthy", "broken", "upstream"] {
        for entry in std::fs::read_dir(recording_path(&format!("{name}/bug-report"))).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "gz") {
                continue;
            }
            let cluster = open(&path);
            let (mut answered, mut skipped, mut refused) = (0, 0, Vec::new());
            for one in calls(&cluster).await {
                let step = steps::find(one.step).unwrap();
                let prepared = step.prepare(Inputs::Pairs(one.inputs.clone())).unwrap();
                match prepared.execute(&cluster, Format::Json).await {
                    Ok(outcome) if outcome.skipped.is_empty() => answered += 1,
                    Ok(outcome) => {
                        assert!(outcome.skipped.iter().all(|part| !part.why.is_empty()));
                        skipped += 1;
                    }
                    Err(error) => refused.push(format!("{}: {error}", one.words())),
                }
            }
            say(&format!("{}: {answered} answered, {skipped} in part, {} refused", path.display(), refused.len()));
            assert!(answered > 0);
            // A page or list that istioctl does not collect is said to be so, never taken for empty.
            for text in &refused {
                assert!(text.contains("not recorded"), "{text}");
            }
        }
    }
}
