//! The layout of `istioctl bug-report`: what kubectl prints in a few large files, and logs and pages under their names.
//! What needs a program inside of a container (netstat, core dumps) is left out: it needs the right to run any.

mod lists;
mod tables;

use std::fmt::Write as _;

use serde_json::Value;

use super::super::store::{Gvr, text};
use super::objects::{Listed, for_each};
use super::recording::Recording;

/// A file below `cluster/`.
pub(super) enum File {
    /// What `kubectl get … --output yaml` prints of resources of these kinds.
    Lists {
        name: &'static str,
        resources: Vec<Listed>,
        place: Place,
    },
    /// The objects of every `CustomResourceDefinition`.
    Custom(Vec<Listed>),
    Secrets(Listed),
    Events(Listed),
    KubectlVersion(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Everywhere,
    ControlPlane,
}

/// Besides the category `all`.
const NAMESPACED: [&str; 5] = ["jobs", "ingresses", "endpointslices", "configmaps", "networkpolicies"];
const CLUSTER_WIDE: [&str; 5] = [
    "nodes",
    "namespaces",
    "customresourcedefinitions",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
];

/// What there is to write.
pub(super) fn files(recording: &Recording, mut resources: Vec<Listed>, version: &[u8]) -> Vec<File> {
    // The first version of a group is the preferred one, which kubectl takes.
    let mut seen = std::collections::BTreeSet::new();
    resources.retain(|listed| seen.insert((listed.gvr.group.clone(), listed.gvr.plural.clone())));
    let of = |wanted: &dyn Fn(&Listed) -> bool| resources.iter().filter(|listed| wanted(listed)).cloned().collect();
    let is = |listed: &Listed, plural: &str| listed.gvr.plural == plural && is_built_in(&listed.gvr);
    let named = |plurals: &[&str], listed: &Listed| plurals.iter().any(|plural| is(listed, plural));
    let lists = |name, resources, place| File::Lists { name, resources, place };
    let in_all = |listed: &Listed| listed.categories.iter().any(|category| category == "all");
    let mut files = vec![
        lists("k8s-resources", of(&|one| in_all(one) || named(&NAMESPACED, one)), Place::Everywhere),
        lists("k8s-cluster-resources", of(&|one| named(&CLUSTER_WIDE, one)), Place::Everywhere),
        lists("nodes", of(&|one| is(one, "nodes")), Place::Everywhere),
        File::Custom(of(&|one| !is_built_in(&one.gvr))),
        File::KubectlVersion(kubectl_version(recording, version)),
    ];
    if !recording.options.control_plane.is_empty() {
        files.push(lists("pods", of(&|one| is(one, "pods")), Place::ControlPlane));
    }
    files.extend(of(&|one| is(one, "secrets")).into_iter().map(File::Secrets));
    let core = |one: &Listed| one.gvr.group.is_empty() && is(one, "events");
    files.extend(of(&core).into_iter().map(File::Events));
    files
}

/// Groups of Kubernetes' own resources: those without a dot, and those below `k8s.io` that no definition makes.
fn is_built_in(gvr: &Gvr) -> bool {
    const OWN: [&str; 11] = [
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    ];
    !gvr.group.contains('.') || OWN.contains(&gvr.group.as_str())
}

fn kubectl_version(recording: &Recording, version: &[u8]) -> String {
    let version: Value = serde_json::from_slice(version).unwrap_or_default();
    let (client, server) = (&recording.options.generator, text(&version, &["gitVersion"]));
    format!("Client Version: {client}\nServer Version: {server}\n")
}

pub(super) async fn record(recording: &Recording, file: &File) {
    match file {
        File::Lists { name, resources, place } => lists::record(recording, name, resources, *place).await,
        File::Custom(resources) => {
            if let Some(defined) = defined(recording, resources).await {
                lists::record(recording, "crs", &defined, Place::Everywhere).await;
            }
        }
        File::Secrets(secrets) => tables::secrets(recording, secrets).await,
        File::Events(events) => tables::events(recording, events).await,
        File::KubectlVersion(version) => recording.add("cluster/kubectl-version", version.as_bytes()).await,
    }
}

/// Those of the resources that a `CustomResourceDefinition` makes, in the order of their names.
async fn defined(recording: &Recording, resources: &[Listed]) -> Option<Vec<Listed>> {
    let mut names = std::collections::BTreeSet::new();
    let paths = ["/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned()];
    let listed = for_each(recording, &paths, |definition| {
        let definition: Value = serde_json::from_str(definition.get()).unwrap_or_default();
        names.insert(text(&definition, &["metadata", "name"]).to_owned());
    });
    if let Err(why) = listed.await {
        recording.fail("cluster/crs", "cluster/crs", &format!("the definitions cannot be listed: {why}")).await;
        return None;
    }
    let find = |name: &String| {
        resources.iter().find(|listed| format!("{}.{}", listed.gvr.plural, listed.gvr.group) == *name).cloned()
    };
    Some(names.iter().filter_map(find).collect())
}

/// istioctl's own log has what went wrong. Its newest line tells readers when the archive was made.
pub(super) async fn say_how_it_went(recording: &Recording) {
    let (now, generator) = (recording.options.now, &recording.options.generator);
    let mut log = format!("{now}\tinfo\twritten by {generator} in the layout of istioctl bug-report\n");
    for skipped in recording.notes.skipped() {
        let why = skipped.why.replace('\n', " ");
        let _ = writeln!(log, "{now}\terror\t{}: {why}", skipped.what);
    }
    recording.add("bug-report.log", log.as_bytes()).await;
}
