//! Finds Services whose pods do not agree about mutual TLS.

use std::collections::{BTreeMap, BTreeSet};

use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, MutualTls, Object, View, Workload, container_port, one_of_each, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "sec/automtls-workload",
        reads: &[Kind::PeerAuthentication, Kind::Service, Kind::Pod],
        reports: &[&SEC0019],
        by_default: true,
        run,
    },
};

static SEC0019: Code = Code {
    id: "SEC0019",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/tls-configuration/#auto-mtls",
    page: include_str!("pages/SEC0019.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // Pods of one namespace differ only where a policy selects some of them.
    let selective = mesh.each(Kind::PeerAuthentication).filter(|policy| policy.spec().get("selector").is_map());
    let namespaces: BTreeSet<&str> = selective.map(Object::namespace).collect();
    for service in namespaces.into_iter().flat_map(|namespace| mesh.in_namespace(Kind::Service, namespace)) {
        let pods = mesh.pods_of_service(service).into_iter().filter(|pod| Workload::of_pod(pod).has_proxy());
        let pods = one_of_each(pods);
        if pods.len() < 2 {
            continue;
        }
        for (port, index) in service.spec().get("ports").items().zip(0..) {
            let modes = modes(mesh, &pods, port);
            if modes.len() > 1 {
                messages.report(pods_differ(service, port, &modes, Path::spec().key("ports").index(index)));
            }
        }
    }
}

/// Which workloads have which mode on a port.
fn modes<'m>(mesh: &Mesh, pods: &[&'m Object], port: View<'_>) -> BTreeMap<&'static str, Vec<&'m str>> {
    let mut modes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pod in pods {
        let mode = match mesh.mutual_tls(Workload::of_pod(pod), container_port(port, pod)).mode {
            MutualTls::Disable => "DISABLE",
            MutualTls::Permissive => "PERMISSIVE",
            MutualTls::Strict => "STRICT",
        };
        modes.entry(mode).or_default().push(owner(pod).name);
    }
    modes
}

fn pods_differ<'m>(service: &'m Object, port: View<'_>, modes: &BTreeMap<&str, Vec<&str>>, path: Path) -> Message<'m> {
    let parts: Vec<String> = modes.iter().map(|(mode, workloads)| format!("{mode} at {}", names(workloads))).collect();
    let text = format!(
        "Behind port {} mutual TLS is {}: a call succeeds or fails by the pod that it meets.",
        port.get("port").integer(),
        names(&parts)
    );
    let remedy = "Give all pods of the Service the same mode: select them by a label that they share, or set the mode for the \
                  namespace.";
    Message::new(&SEC0019, service, text).at(path).remedy(remedy)
}
