//! Finds HTTP proxies that no `ServiceEntry` describes.

use std::collections::BTreeMap;

use super::http_proxies::{HttpProxy, http_proxies};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, OutboundMode, Workload, protocol};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "egress/proxy-no-serviceentry",
        reads: &[
            Kind::Pod,
            Kind::Service,
            Kind::ServiceEntry,
            Kind::Sidecar,
            Kind::Namespace,
            Kind::ConfigMap,
            Kind::MeshConfig,
        ],
        reports: &[&EGR0003],
        by_default: true,
        run,
    },
};

static EGR0003: Code = Code {
    id: "EGR0003",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/http-proxy#istio-add-on-http-proxy-for-external-services",
    page: include_str!("pages/EGR0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut described: BTreeMap<HttpProxy<'_>, bool> = BTreeMap::new();
    let mut http: Option<BTreeMap<i64, Vec<&Object>>> = None;
    for ((namespace, proxy), pod) in http_proxies(mesh) {
        // One that is there but wrong is EGR0004.
        if *described.entry(proxy).or_insert_with(|| !proxy.entries(mesh).is_empty()) {
            continue;
        }
        let policy = mesh.outbound_policy(Workload::of_pod(pod));
        let taken = http.get_or_insert_with(|| http_ports(mesh)).get(&proxy.port).into_iter().flatten();
        let taken_by = taken.copied().find(|owner| mesh.is_visible(owner, namespace));
        // Else the proxy sees TCP to an address that it does not know, and lets it pass.
        let why = match (taken_by, policy.mode) {
            (Some(owner), _) => format!(
                "Port {} is HTTP in {}, so the sidecar takes the CONNECT requests for HTTP of the mesh and refuses them",
                proxy.port,
                owner.origin()
            ),
            (None, OutboundMode::RegistryOnly) => {
                let from = policy.from.map(|from| format!(" ({from})")).unwrap_or_default();
                format!("The outbound traffic policy is REGISTRY_ONLY{from}, so the sidecar blocks the connection")
            }
            (None, OutboundMode::AllowAny) => continue,
        };
        messages.report(proxy_is_not_described(pod, proxy, &why));
    }
}

/// The Services and entries that declare a port to be HTTP, for which proxies have one listener on all addresses.
fn http_ports(mesh: &Mesh) -> BTreeMap<i64, Vec<&Object>> {
    let mut found: BTreeMap<i64, Vec<&Object>> = BTreeMap::new();
    for service in mesh.each(Kind::Service) {
        for port in service.spec().get("ports").items() {
            if protocol::of_service_port(port).is_some_and(protocol::is_http) {
                found.entry(port.get("port").integer()).or_default().push(service);
            }
        }
    }
    for entry in mesh.each(Kind::ServiceEntry) {
        for port in entry.spec().get("ports").items() {
            if protocol::is_http(&port.get("protocol").text().to_ascii_uppercase()) {
                found.entry(port.get("number").integer()).or_default().push(entry);
            }
        }
    }
    found
}

fn proxy_is_not_described<'m>(pod: &'m Object, HttpProxy { host, port }: HttpProxy<'_>, why: &str) -> Message<'m> {
    let text = format!("Its containers use the HTTP proxy {host}:{port}, which no ServiceEntry describes. {why}.");
    let remedy = format!(
        "Add a ServiceEntry in namespace {}: hosts: [{}], addresses: [PROXY-IP/32], location: MESH_EXTERNAL, resolution: \
         NONE, ports: [{{number: {port}, name: tcp, protocol: TCP}}].",
        pod.namespace(),
        if host.parse::<std::net::IpAddr>().is_ok() { "proxy.example.com" } else { host },
    );
    Message::new(&EGR0003, pod, text).remedy(remedy)
}
