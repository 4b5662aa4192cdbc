//! Finds Gateways, and Services with routes of the mesh, that belong to no revision, to one which is gone, or to one which
//! goes with the upgrade that is under way.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, REVISION, add_on_version};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/revision-pin",
        reads: &[
            Kind::KubernetesGateway,
            Kind::GatewayClass,
            Kind::Deployment,
            Kind::Namespace,
            Kind::Service,
            Kind::HttpRoute,
            Kind::GrpcRoute,
            Kind::TlsRoute,
            Kind::TcpRoute,
        ],
        reports: &[&GWA0012],
        by_default: true,
        run,
    },
};

static GWA0012: Code = Code {
    id: "GWA0012",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-gateway-api",
    page: include_str!("pages/GWA0012.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let revisions: BTreeSet<&str> = mesh.istiods().map(|found| found.revision).collect();
    let tags = mesh.tags();
    let newest = mesh.newest_revision().filter(|_| mesh.is_aks() && revisions.len() > 1);
    // Nothing is known of a control plane that runs elsewhere.
    if revisions.is_empty() {
        return;
    }
    let resolved = |name: &'m str| tags.get(name).copied().unwrap_or(name);
    for service in services_with_routes(mesh) {
        let named = named(mesh, service);
        if !revisions.contains(resolved(named.1)) {
            messages.report(nobody_acts(mesh, service, named, &revisions));
        }
    }
    for gateway in mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway)) {
        let Some(label) = gateway.label(REVISION).filter(|label| !label.is_empty()) else {
            let named = named(mesh, gateway);
            if !revisions.contains(resolved(named.1)) && !is_programmed(gateway) {
                messages.report(nobody_acts(mesh, gateway, named, &revisions));
            }
            continue;
        };
        let revision = resolved(label);
        if !revisions.contains(revision) {
            messages.report(revision_is_gone(mesh, gateway, label, &revisions));
        } else if let Some(newest) = newest
            && add_on_version(revision) < add_on_version(newest)
        {
            messages.report(revision_goes(gateway, label, newest));
        }
    }
}

/// Who says which revision an object without a usable label of its own belongs to: its namespace, else it is `default`, which
/// a control plane without a name is, or a tag of that name
/// (<https://istio.io/latest/docs/setup/upgrade/canary/#stable-revision-labels>).
fn named<'m>(mesh: &'m Mesh, object: &'m Object) -> (Option<&'m Object>, &'m str) {
    let own = object.label(REVISION).filter(|label| !label.is_empty());
    if let Some(own) = own {
        return (Some(object), own);
    }
    let namespace = mesh.namespace(object.namespace());
    match namespace.and_then(|namespace| namespace.label(REVISION)).filter(|label| !label.is_empty()) {
        Some(label) => (namespace, label),
        None => (None, "default"),
    }
}

/// Whether a control plane has acted on it: it had a label then, or is watched from elsewhere.
fn is_programmed(gateway: &Object) -> bool {
    let mut conditions = gateway.status().get("conditions").items();
    conditions.any(|it| matches!(it.get("type").text(), "Accepted" | "Programmed") && it.get("status").text() == "True")
}

/// The Services that routes of the Gateway API hang on, for traffic within the mesh
/// (<https://gateway-api.sigs.k8s.io/mesh/>). Those whose route a controller has accepted are acted on.
fn services_with_routes(mesh: &Mesh) -> Vec<&Object> {
    let kinds = [Kind::HttpRoute, Kind::GrpcRoute, Kind::TlsRoute, Kind::TcpRoute];
    let mut found: Vec<&Object> = Vec::new();
    for route in kinds.into_iter().flat_map(|kind| mesh.each(kind)) {
        if route.status().get("parents").items().next().is_some() {
            continue;
        }
        for parent in route.spec().field("parentRefs").items().filter(|parent| parent.get("kind").text() == "Service") {
            let namespace = parent.get("namespace").text_if_any().unwrap_or(route.namespace());
            found.extend(mesh.find(Kind::Service, namespace, parent.get("name").text()));
        }
    }
    found.sort_by_key(|service| (service.namespace(), service.name()));
    found.dedup_by_key(|service| (service.namespace(), service.name()));
    found
}

fn relabel(object: &Object, revision: &str) -> String {
    let resource = if object.kind() == Kind::Service { "service" } else { "gateways.gateway.networking.k8s.io" };
    format!("kubectl label {resource} {} -n {} {REVISION}={revision} --overwrite", object.name(), object.namespace())
}

fn nobody_acts<'m>(
    mesh: &Mesh,
    object: &'m Object,
    (by, name): (Option<&Object>, &str),
    revisions: &BTreeSet<&str>,
) -> Message<'m> {
    let known: Vec<&str> = revisions.iter().copied().collect();
    let (known, what) = (known.join(", "), if object.kind() == Kind::Service { "its routes" } else { "it" });
    let text = match by {
        Some(by) => format!(
            "By the label {REVISION}={name} of {}, this belongs to revision {name}, which does not run here ({known}): no \
             control plane acts on {what}, and conditions stay Unknown.",
            by.origin()
        ),
        None => format!(
            "Neither it nor its namespace has the label {REVISION}, so it belongs to revision or tag default, which is not \
             here ({known}): no control plane acts on {what}, and conditions stay Unknown."
        ),
    };
    let revision = mesh.newest_revision().or_else(|| revisions.iter().next_back().copied()).unwrap_or("default");
    let remedy = format!("Name a revision that runs: {}", relabel(object, revision));
    Message::new(&GWA0012, object, text).at(Path::metadata().key("labels")).remedy(remedy)
}

fn revision_is_gone<'m>(mesh: &Mesh, gateway: &'m Object, label: &str, revisions: &BTreeSet<&str>) -> Message<'m> {
    let known: Vec<&str> = revisions.iter().copied().collect();
    let text = format!(
        "The label {REVISION}={label} names no revision that runs here ({}): no control plane acts on the Gateway.",
        known.join(", "),
    );
    let remedy = format!("Name one that runs: `{}`.", relabel(gateway, mesh.newest_revision().unwrap_or("<revision>")));
    let path = Path::metadata().key("labels").key(REVISION);
    Message::new(&GWA0012, gateway, text).at(path).remedy(remedy)
}

fn revision_goes<'m>(gateway: &'m Object, label: &str, newest: &str) -> Message<'m> {
    let text = format!(
        "The label {REVISION}={label} binds the Gateway to the older of two revisions: when the upgrade is completed, \
         no control plane acts on it any more."
    );
    let remedy = format!("Before completing the upgrade: `{}`.", relabel(gateway, newest));
    let path = Path::metadata().key("labels").key(REVISION);
    let mut message = Message::new(&GWA0012, gateway, text).at(path).remedy(remedy);
    message.severity = Severity::Warning;
    message
}
