//! Finds Gateways and TLSRoutes that the add-on's revision is too old to serve.

use super::add_on::ADD_ON;
use super::bundle_mismatch::minor_version;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, add_on_version};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/revision-too-old",
        reads: &[Kind::KubernetesGateway, Kind::GatewayClass, Kind::TlsRoute, Kind::Deployment, Kind::Node],
        reports: &[&GWA0004],
        by_default: true,
        run,
    },
};

static GWA0004: Code = Code {
    id: "GWA0004",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-gateway-api",
    page: include_str!("pages/GWA0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    let Some(newest) = mesh.newest_revision().filter(|revision| add_on_version(revision).is_some()) else {
        return;
    };
    let is_older_than = |first: &str| add_on_version(newest) < add_on_version(first);
    if is_older_than(&ADD_ON.gateways_from) {
        for gateway in mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway)) {
            messages.report(is_too_old(gateway, newest, &ADD_ON.gateways_from));
        }
    }
    if is_older_than(&ADD_ON.tls_routes_from) {
        for route in mesh.each(Kind::TlsRoute).filter(|route| hangs_on_istio(mesh, route)) {
            messages.report(is_too_old(route, newest, &ADD_ON.tls_routes_from));
        }
        return;
    }
    let cluster = mesh.each(Kind::Node).filter_map(minor_version).max();
    if let Some(minor) = cluster.filter(|minor| *minor < ADD_ON.tls_routes_kubernetes) {
        for route in mesh.each(Kind::TlsRoute).filter(|route| hangs_on_istio(mesh, route)) {
            messages.report(definitions_are_too_old(route, minor));
        }
    }
}

fn definitions_are_too_old(route: &Object, minor: u32) -> Message<'_> {
    let first = ADD_ON.tls_routes_kubernetes;
    let text = format!(
        "The definitions of the Gateway API come with the version of Kubernetes, and those of 1.{minor} are older than what \
         istiod takes for a TLSRoute (list of {}): nobody acts on this one.",
        ADD_ON.as_of
    );
    let remedy = format!(
        "Upgrade the cluster: az aks upgrade --resource-group <rg> --name <cluster> --kubernetes-version 1.{first}. Until then an \
         Istio Gateway with tls.mode PASSTHROUGH and a VirtualService with tls does the same."
    );
    Message::new(&GWA0004, route, text).remedy(remedy)
}

fn hangs_on_istio(mesh: &Mesh, route: &Object) -> bool {
    route.spec().get("parentRefs").items().any(|parent| {
        let namespace = parent.get("namespace").text_if_any().unwrap_or(route.namespace());
        let gateway = mesh.find(Kind::KubernetesGateway, namespace, parent.get("name").text());
        gateway.is_some_and(|gateway| mesh.is_istio_gateway(gateway))
    })
}

fn is_too_old<'m>(object: &'m Object, newest: &str, first: &str) -> Message<'m> {
    let text = format!(
        "The newest revision here is {newest}, and the add-on serves objects of kind {} from {first} on (list of {}): \
         nobody acts on this one.",
        object.kind(),
        ADD_ON.as_of,
    );
    let remedy = format!(
        "Upgrade the mesh to {first} or later: `az aks mesh upgrade start --resource-group <rg> --name <cluster> \
         --revision {first}`."
    );
    Message::new(&GWA0004, object, text).remedy(remedy)
}
