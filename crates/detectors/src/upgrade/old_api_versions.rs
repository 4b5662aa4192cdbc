//! Finds objects that are applied in an API version that has a successor.

use std::collections::BTreeMap;

use crate::wording::{counted, names};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "upg/deprecated-api", reads: &KINDS, reports: &[&UPG0008], by_default: true, run },
};

static UPG0008: Code = Code {
    id: "UPG0008",
    severity: Severity::Info,
    docs: "https://istio.io/latest/blog/2024/v1-apis/",
    page: include_str!("pages/UPG0008.md"),
};

/// Those that have a version `v1`.
const KINDS: [Kind; 11] = [
    Kind::VirtualService,
    Kind::Gateway,
    Kind::ServiceEntry,
    Kind::WorkloadEntry,
    Kind::WorkloadGroup,
    Kind::DestinationRule,
    Kind::Sidecar,
    Kind::AuthorizationPolicy,
    Kind::RequestAuthentication,
    Kind::PeerAuthentication,
    Kind::Telemetry,
];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut outdated: BTreeMap<(&str, String), Vec<&Object>> = BTreeMap::new();
    for object in KINDS.into_iter().flat_map(|kind| mesh.each(kind)) {
        if let Some(version) = applied_version(object).filter(|version| !version.ends_with("/v1")) {
            outdated.entry((object.namespace(), version)).or_default().push(object);
        }
    }
    for ((namespace, version), objects) in outdated {
        messages.report(version_is_old(namespace, &version, &objects));
    }
}

/// The version in the manifest: what `kubectl apply` noted, or the file itself. The API server answers in any version.
fn applied_version(object: &Object) -> Option<String> {
    match object.applied() {
        Some(applied) => applied.get("apiVersion")?.as_str().map(str::to_owned),
        None => object.source().map(|_| object.root().get("apiVersion").text().to_owned()),
    }
}

fn version_is_old<'m>(namespace: &str, version: &str, objects: &[&'m Object]) -> Message<'m> {
    let listed: Vec<String> =
        objects.iter().map(|object| format!("{} {}", object.kind().name(), object.name())).collect();
    let text = format!(
        "{} of namespace {namespace} still have apiVersion {version} in their manifests: {}.",
        counted(objects.len(), "object", "objects"),
        names(&listed)
    );
    let group = version.split('/').next().unwrap_or_default();
    let remedy = format!("Write apiVersion: {group}/v1 in the manifests and apply them again.");
    Message::new(&UPG0008, objects[0], text).remedy(remedy)
}
