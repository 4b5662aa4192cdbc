//! Finds HTTP proxies that pods use and the mesh does not know as it must, and bypass lists that miss the cluster.

use std::collections::{BTreeMap, BTreeSet};

use crate::analyzers::{Analyzer, Message, Messages, Path};
use crate::detectors::{Certainty, Detector};
use crate::mesh::{HttpProxy, Kind, Mesh, Object, ProxyEntry, ProxyEnvironment, Workload};
use crate::report::{Code, Severity};

const DOCS: &str = "https://learn.microsoft.com/azure/aks/http-proxy#istio-add-on-http-proxy-for-external-services";
const READS: &[Kind] = &[Kind::Pod, Kind::ServiceEntry, Kind::Service, Kind::Namespace];

pub(super) const WITHOUT_ENTRY: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "egress/proxy-no-serviceentry",
        reads: READS,
        reports: &[&EGR0080],
        by_default: true,
        run: find_proxies_without_entry,
    },
};

pub(super) const WRONG_ENTRY: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "egress/proxy-serviceentry-wrong",
        reads: READS,
        reports: &[&EGR0081],
        by_default: true,
        run: find_wrong_entries,
    },
};

pub(super) const INCOMPLETE_BYPASS: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "egress/no-proxy-incomplete",
        reads: READS,
        reports: &[&EGR0082],
        by_default: true,
        run: find_incomplete_bypasses,
    },
};

static EGR0080: Code =
    Code { id: "EGR0080", severity: Severity::Error, docs: DOCS, page: include_str!("pages/EGR0080.md") };
static EGR0081: Code =
    Code { id: "EGR0081", severity: Severity::Error, docs: DOCS, page: include_str!("pages/EGR0081.md") };
static EGR0082: Code = Code {
    id: "EGR0082",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/http-proxy",
    page: include_str!("pages/EGR0082.md"),
};

/// Who uses a proxy: the first pod of each namespace stands for all of it.
fn users(mesh: &Mesh) -> BTreeMap<(HttpProxy, &str), &Object> {
    let mut users = BTreeMap::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| Workload::of_pod(pod).has_proxy()) {
        for (_, proxy) in ProxyEnvironment::of(pod).proxies {
            users.entry((proxy, pod.namespace())).or_insert(pod);
        }
    }
    users
}

fn find_proxies_without_entry<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for ((proxy, namespace), pod) in users(mesh) {
        if mesh.entries_for(&proxy, namespace).is_empty() && !mesh.is_service(&proxy, namespace) {
            messages.report(mesh_does_not_know(pod, &proxy));
        }
    }
}

fn find_wrong_entries<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut seen = BTreeSet::new();
    for (proxy, namespace) in users(mesh).into_keys() {
        let entries = mesh.entries_for(&proxy, namespace);
        if entries.iter().any(|entry| entry.problems.is_empty()) {
            continue;
        }
        for ProxyEntry { entry, problems } in entries {
            if seen.insert((proxy.clone(), entry.full_name())) {
                messages.report(entry_is_wrong(entry, &proxy, &problems));
            }
        }
    }
}

fn find_incomplete_bypasses<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut seen = BTreeSet::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| Workload::of_pod(pod).has_proxy()) {
        let environment = ProxyEnvironment::of(pod);
        if environment.proxies.is_empty() || !seen.insert((pod.namespace(), environment.bypass.clone())) {
            continue;
        }
        // How applications write the names of Services.
        let names = ["name.namespace.svc", "name.namespace.svc.cluster.local"];
        let missing: Vec<&str> = names.into_iter().filter(|name| !environment.bypasses(name)).collect();
        if !missing.is_empty() {
            messages.report(services_go_to_the_proxy(pod, &missing));
        }
    }
}

fn mesh_does_not_know<'m>(pod: &'m Object, proxy: &HttpProxy) -> Message<'m> {
    let text = format!(
        "Pods of namespace {} use the HTTP proxy {proxy}, and no ServiceEntry tells the mesh of it: a sidecar may take \
         CONNECT for an HTTP request of its own, and under REGISTRY_ONLY refuses it.",
        pod.namespace()
    );
    let remedy = format!("Create a ServiceEntry for it:\n{}", manifest(proxy, pod.namespace()));
    Message::new(&EGR0080, pod, text).at(Path::spec().key("containers")).remedy(remedy)
}

/// The ServiceEntry that a proxy needs.
pub(crate) fn manifest(proxy: &HttpProxy, namespace: &str) -> String {
    let address = match proxy.host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(address)) => format!("{address}/32"),
        Ok(std::net::IpAddr::V6(address)) => format!("{address}/128"),
        Err(_) => format!("<address of {}>/32", proxy.host),
    };
    // The host is not used for TCP, but there must be one.
    let host = if proxy.host.parse::<std::net::IpAddr>().is_ok() { "http-proxy.external" } else { &proxy.host };
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: http-proxy\n  namespace: {namespace}\n\
         spec:\n  hosts:\n  - {host}\n  addresses:\n  - {address}\n  ports:\n  - number: {}\n    name: tcp\n    \
         protocol: TCP\n  location: MESH_EXTERNAL\n  resolution: NONE\n",
        proxy.port
    )
}

fn entry_is_wrong<'m>(entry: &'m Object, proxy: &HttpProxy, problems: &[String]) -> Message<'m> {
    let text = format!("This entry does not serve the HTTP proxy {proxy} that pods use: {}.", problems.join("; "));
    let remedy =
        format!("Give it addresses with the proxy's own address, and port {} with the protocol TCP.", proxy.port);
    Message::new(&EGR0081, entry, text).at(Path::spec()).remedy(remedy)
}

fn services_go_to_the_proxy<'m>(pod: &'m Object, missing: &[&str]) -> Message<'m> {
    let text = format!(
        "Pods of namespace {} use an HTTP proxy, and their NO_PROXY does not hold {}: calls within the cluster go to the \
         proxy.",
        pod.namespace(),
        missing.join(" and ")
    );
    let remedy = "Add .svc and .cluster.local to NO_PROXY; where AKS sets it, to noProxy of the cluster's HTTP proxy \
        configuration (az aks update --http-proxy-config), and restart the pods.";
    Message::new(&EGR0082, pod, text).at(Path::spec().key("containers")).remedy(remedy)
}
