//! Finds HTTP proxies that no `ServiceEntry` describes.

use std::collections::BTreeMap;

use super::http_proxies::{HttpProxy, http_proxies};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "egress/proxy-no-serviceentry",
        reads: &[Kind::Pod, Kind::Service, Kind::ServiceEntry],
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
    for ((_, proxy), pod) in http_proxies(mesh) {
        // One that is there but wrong is EGR0004.
        if !*described.entry(proxy).or_insert_with(|| !proxy.entries(mesh).is_empty()) {
            messages.report(proxy_is_not_described(pod, proxy));
        }
    }
}

fn proxy_is_not_described<'m>(pod: &'m Object, HttpProxy { host, port }: HttpProxy<'_>) -> Message<'m> {
    let text = format!(
        "Its containers use the HTTP proxy {host}:{port}, which no ServiceEntry describes. The sidecar may take the CONNECT \
         requests for plain HTTP of its own and refuse them."
    );
    let remedy = format!(
        "Add a ServiceEntry in namespace {}: hosts: [{}], addresses: [PROXY-IP/32], location: MESH_EXTERNAL, resolution: \
         NONE, ports: [{{number: {port}, name: tcp, protocol: TCP}}].",
        pod.namespace(),
        if host.parse::<std::net::IpAddr>().is_ok() { "proxy.example.com" } else { host },
    );
    Message::new(&EGR0003, pod, text).remedy(remedy)
}
