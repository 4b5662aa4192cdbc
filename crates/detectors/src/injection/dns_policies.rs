//! Finds pods whose DNS settings keep their proxy from resolving istiod's name.

use crate::wording::template_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Proxy};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/dns-policy",
        reads: &[Kind::Pod, Kind::Service, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job],
        reports: &[&INJ0108],
        by_default: true,
        run,
    },
};

static INJ0108: Code = Code {
    id: "INJ0108",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy",
    page: include_str!("pages/INJ0108.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let servers = cluster_dns(mesh);
    for (workload, pods) in mesh.workloads() {
        let mut proxied = pods.into_iter().filter(|pod| Proxy::of(pod).is_some());
        if let Some((pod, what)) = proxied.find_map(|pod| Some((pod, foreign_dns(pod, &servers)?))) {
            messages.report(istiod_cannot_be_resolved(workload, pod, &what));
        }
    }
}

/// The addresses of the cluster's DNS.
fn cluster_dns(mesh: &Mesh) -> Vec<&str> {
    let services = mesh.in_namespace(Kind::Service, "kube-system");
    let dns = services.filter(|service| service.label("k8s-app") == Some("kube-dns"));
    dns.flat_map(|service| {
        let spec = service.spec();
        std::iter::once(spec.get("clusterIP").text()).chain(spec.get("clusterIPs").texts())
    })
    .collect()
}

fn foreign_dns(pod: &Object, servers: &[&str]) -> Option<String> {
    match pod.spec().get("dnsPolicy").text() {
        "Default" => Some("dnsPolicy Default, the node's own name servers".to_owned()),
        // Without the Service of the cluster's DNS nothing can be compared.
        "None" if !servers.is_empty() => {
            let own: Vec<&str> = pod.spec().path(&["dnsConfig", "nameservers"]).texts().collect();
            // Caches on the nodes have link-local addresses
            // (https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/).
            let knows = own.iter().any(|server| servers.contains(server) || server.starts_with("169.254."));
            (!knows).then(|| format!("dnsPolicy None with the name servers {}", own.join(", ")))
        }
        _ => None,
    }
}

fn istiod_cannot_be_resolved<'m>(workload: &'m Object, pod: &Object, what: &str) -> Message<'m> {
    let text = format!(
        "Pod {} has {what}: names of Services, that of istiod among them, do not resolve there, so that its proxy gets \
         no configuration and no certificate.",
        pod.name()
    );
    let remedy = format!(
        "Set dnsPolicy: ClusterFirst in {}; further name servers can stand in dnsConfig beside \
         it.",
        template_of(workload)
    );
    Message::new(&INJ0108, workload, text).remedy(remedy)
}
