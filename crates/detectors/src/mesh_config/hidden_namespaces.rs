//! Finds namespaces of the mesh that `discoverySelectors` hide from istiod.

use super::maps;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{ControlPlane, Kind, Mesh, MeshConfig, Object, Proxy};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/discovery-selectors-hide",
        reads: &[
            Kind::Namespace,
            Kind::Pod,
            Kind::VirtualService,
            Kind::DestinationRule,
            Kind::Gateway,
            Kind::ServiceEntry,
            Kind::Sidecar,
            Kind::AuthorizationPolicy,
            Kind::PeerAuthentication,
            Kind::RequestAuthentication,
            Kind::Telemetry,
            Kind::Service,
            Kind::ConfigMap,
            Kind::Deployment,
            Kind::MutatingWebhookConfiguration,
        ],
        reports: &[&CFG0015],
        by_default: true,
        run,
    },
};

static CFG0015: Code = Code {
    id: "CFG0015",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/#discoveryselectors",
    page: include_str!("pages/CFG0015.md"),
};

/// Objects that istiod would read in a namespace.
const CONFIGURATION: [Kind; 9] = [
    Kind::VirtualService,
    Kind::DestinationRule,
    Kind::Gateway,
    Kind::ServiceEntry,
    Kind::Sidecar,
    Kind::AuthorizationPolicy,
    Kind::PeerAuthentication,
    Kind::RequestAuthentication,
    Kind::Telemetry,
];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (control_plane, config) in maps::configs(mesh) {
        for namespace in mesh.each(Kind::Namespace).filter(|namespace| !config.discovers(namespace)) {
            let reasons = reasons(mesh, control_plane.revision, namespace);
            if !reasons.is_empty() {
                messages.report(namespace_is_hidden(mesh, namespace, &control_plane, config, &reasons));
            }
        }
    }
}

/// Why a namespace is part of a revision's mesh.
fn reasons(mesh: &Mesh, revision: &str, namespace: &Object) -> Vec<String> {
    let name = namespace.name();
    let mut reasons = Vec::new();
    if name == mesh.istio_namespace() {
        reasons.push("it is that of the control plane".to_owned());
    }
    if mesh.revision_of(name) == Some(revision) {
        reasons.push("it is labelled for injection".to_owned());
    }
    let proxies = mesh.in_namespace(Kind::Pod, name).filter_map(Proxy::of);
    let count = proxies.filter(|proxy| proxy.revision() == Some(revision)).count();
    if count > 0 {
        reasons.push(format!("{count} of its pods have proxies of {revision}"));
    }
    // Of objects it is not known which revision is meant to read them, unless another one has the namespace.
    let is_anothers = mesh.revision_of(name).is_some_and(|own| own != revision);
    let kinds = CONFIGURATION.into_iter().filter(|kind| mesh.in_namespace(*kind, name).next().is_some());
    let kinds: Vec<&str> = kinds.map(Kind::name).collect();
    if !kinds.is_empty() && !is_anothers {
        reasons.push(format!("it holds {}", kinds.join(", ")));
    }
    reasons
}

fn namespace_is_hidden<'m>(
    mesh: &Mesh,
    namespace: &'m Object,
    control_plane: &ControlPlane<'_>,
    config: &MeshConfig,
    reasons: &[String],
) -> Message<'m> {
    let name = namespace.name();
    let text = format!(
        "discoverySelectors of revision {} hide namespace {name}, although {}. istiod knows none of its Services and \
         objects, and puts no root certificate there.",
        control_plane.revision,
        reasons.join("; "),
    );
    let selectors = config.setting(&["discoverySelectors"]);
    let pair = selectors.value.items().find_map(|selector| selector.get("matchLabels").entries().next());
    let map = selectors.from.unwrap_or_default();
    let widen = format!("widen discoverySelectors in ConfigMap {map} ({})", mesh.istio_namespace());
    let remedy = match pair {
        Some((key, value)) => format!("kubectl label namespace {name} {key}={}; or {widen}.", value.written()),
        None => format!("Label the namespace so that it is selected, or {widen}."),
    };
    Message::new(&CFG0015, namespace, text).remedy(remedy)
}
