//! What istioctl writes into its archive besides what it reads: the analysis, and the versions it has found.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    cluster::Cluster,
    report::Format,
    steps::{self, Inputs, Outcome},
};

/// Files by their path. One whose step fails is left out.
pub(super) async fn files(cluster: &Cluster) -> Vec<(String, String)> {
    let mut files = vec![("cluster/cluster-context".to_owned(), format!("cluster {}\n", cluster.id()))];
    if let Some(text) = outcome(cluster, "istioctl.analyze").await.and_then(|outcome| outcome.printed) {
        files.push(("analyze/allNamespaces/allNamespaces".to_owned(), text));
    }
    if let Some(outcome) = outcome(cluster, "istioctl.version").await {
        files.push(("versions".to_owned(), versions(&outcome.data.value())));
    }
    files
}

async fn outcome(cluster: &Cluster, step: &str) -> Option<Outcome> {
    let prepared = steps::find(step)?.prepare(Inputs::Pairs(Vec::new())).ok()?;
    match prepared.execute(cluster, Format::Text).await {
        Ok(outcome) => Some(outcome),
        Err(error) => {
            tracing::debug!("{step} for a bug report: {}", crate::cluster::chain(&error));
            None
        }
    }
}

/// In istioctl's words, which are those of Go.
fn versions(data: &Value) -> String {
    let items = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (istiods, proxies) = (items(data, "control_plane"), items(data, "proxies"));
    let mut out = "The following Istio control plane revisions/versions were found in the cluster:\n".to_owned();
    for revision in items(data, "revisions") {
        let revision = text(&revision, "revision");
        let of_revision = istiods.iter().filter(|istiod| text(istiod, "revision") == revision);
        let servers: Vec<_> = of_revision.filter_map(|istiod| Some(server(&revision, istiod.get("build")?))).collect();
        if !servers.is_empty() {
            let _ = write!(out, "Revision {revision}:\n&version.MeshInfo{{{}}}\n\n", servers.join(", "));
        }
    }
    out.push_str("The following proxy revisions/versions were found in the cluster:\n");
    for revision in items(data, "revisions") {
        let revision = text(&revision, "revision");
        let of_revision = proxies.iter().filter(|proxy| text(proxy, "revision") == revision);
        let versions: std::collections::BTreeSet<_> = of_revision.map(|proxy| text(proxy, "version")).collect();
        if !versions.is_empty() {
            let versions: Vec<_> = versions.into_iter().collect();
            let _ = writeln!(out, "Revision {revision}: Versions {{{}}}", versions.join(", "));
        }
    }
    out
}

fn server(revision: &str, build: &Value) -> String {
    let text = |name: &str| build.get(name).and_then(Value::as_str).unwrap_or_default();
    format!(
        "version.ServerInfo{{Component:\"istiod\", Revision:{revision:?}, Info:version.BuildInfo{{Version:{:?}, \
         GitRevision:{:?}, GolangVersion:{:?}, BuildStatus:{:?}, GitTag:{:?}}}}}",
        text("version"),
        text("revision"),
        text("golang_version"),
        text("status"),
        text("tag")
    )
}
