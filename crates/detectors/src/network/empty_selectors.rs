//! Finds objects that are for certain workloads, none of which there is.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, labels};
use report::{Code, Severity};

/// AuthorizationPolicies are IST0127; Gateways, Sidecars and Telemetries IST0101.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/selector-empty",
        reads: &[
            Kind::PeerAuthentication,
            Kind::RequestAuthentication,
            Kind::AuthorizationPolicy,
            Kind::EnvoyFilter,
            Kind::WasmPlugin,
            Kind::Telemetry,
            Kind::DestinationRule,
            Kind::ServiceEntry,
            Kind::WorkloadEntry,
            Kind::Service,
            Kind::KubernetesGateway,
            Kind::GatewayClass,
            Kind::Pod,
            Kind::Deployment,
            Kind::Namespace,
        ],
        reports: &[&NET0018],
        by_default: true,
        run,
    },
};

static NET0018: Code = Code {
    id: "NET0018",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/type/workload-selector/",
    page: include_str!("pages/NET0018.md"),
};

/// Where a kind has its selector, and whether one in the root namespace reaches all others.
const SELECTORS: [(Kind, [&str; 2], bool); 6] = [
    (Kind::PeerAuthentication, ["selector", "matchLabels"], false),
    (Kind::RequestAuthentication, ["selector", "matchLabels"], true),
    (Kind::WasmPlugin, ["selector", "matchLabels"], true),
    (Kind::EnvoyFilter, ["workloadSelector", "labels"], true),
    (Kind::DestinationRule, ["workloadSelector", "matchLabels"], false),
    (Kind::ServiceEntry, ["workloadSelector", "labels"], false),
];

/// Kinds that may be attached to an object by name.
const ATTACHED: [Kind; 5] =
    [Kind::AuthorizationPolicy, Kind::RequestAuthentication, Kind::Telemetry, Kind::WasmPlugin, Kind::EnvoyFilter];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (kind, [field, labels], reaches_all) in SELECTORS {
        for object in mesh.each(kind) {
            let selector = object.spec().field(field).field(labels);
            let everywhere = reaches_all && mesh.is_root_namespace(object.namespace());
            let namespace = (!everywhere).then(|| object.namespace());
            if !selector.is_empty() && !selects_any(mesh, selector, namespace, kind == Kind::ServiceEntry) {
                messages.report(nothing_is_selected(object, selector, namespace).at(Path::spec().key(field)));
            }
        }
    }
    for object in ATTACHED.into_iter().flat_map(|kind| mesh.each(kind)) {
        let single = object.spec().field("targetRef");
        let several = object.spec().field("targetRefs").items().zip(0..);
        let places = several.map(|(target, index)| (target, Path::spec().key("targetRefs").index(index)));
        for (target, path) in std::iter::once((single, Path::spec().key("targetRef"))).chain(places) {
            if target.is_map() && is_missing(mesh, object.namespace(), target) {
                messages.report(target_is_missing(object, target).at(path));
            }
        }
    }
}

/// A workload that is scaled to zero is no mistake in whatever selects it.
fn selects_any(mesh: &Mesh, selector: View<'_>, namespace: Option<&str>, entries_too: bool) -> bool {
    mesh.has_labelled(Kind::Pod, selector, namespace, |_| true)
        || mesh.has_template(selector, namespace, |_| true)
        || entries_too
            && namespace.is_some_and(|namespace| {
                let mut entries = mesh.in_namespace(Kind::WorkloadEntry, namespace);
                entries.any(|entry| labels::matches(selector, entry.spec().get("labels")))
            })
}

fn is_missing(mesh: &Mesh, namespace: &str, target: View<'_>) -> bool {
    let name = target.get("name").text();
    let kind = match (target.get("group").text(), target.get("kind").text()) {
        ("gateway.networking.k8s.io", "Gateway") => Kind::KubernetesGateway,
        ("gateway.networking.k8s.io", "GatewayClass") => return mesh.find(Kind::GatewayClass, "", name).is_none(),
        ("" | "core", "Service") => Kind::Service,
        ("networking.istio.io", "ServiceEntry") => Kind::ServiceEntry,
        _ => return false,
    };
    mesh.find(kind, namespace, name).is_none()
}

fn nothing_is_selected<'m>(object: &'m Object, selector: View<'_>, namespace: Option<&str>) -> Message<'m> {
    let selector = labels::selector_text(selector);
    let place = namespace.map_or_else(String::new, |namespace| format!(" of namespace {namespace}"));
    let text = format!("No pod{place} has the labels {selector}: the {} has no effect.", object.kind().name());
    let all = namespace.map_or_else(|| "-A".to_owned(), |namespace| format!("-n {namespace}"));
    let remedy =
        format!("Compare with `kubectl get pods {all} --show-labels` and correct the labels in {}.", object.origin());
    Message::new(&NET0018, object, text).remedy(remedy)
}

fn target_is_missing<'m>(object: &'m Object, target: View<'_>) -> Message<'m> {
    let [kind, name] = ["kind", "name"].map(|key| target.get(key).text());
    let text = format!("It is attached to {kind} {name}, which does not exist in its namespace: it has no effect.");
    let remedy =
        format!("Correct the target in {}, or create {kind} {name} in {}.", object.origin(), object.namespace());
    Message::new(&NET0018, object, text).remedy(remedy)
}
