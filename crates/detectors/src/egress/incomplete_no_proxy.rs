//! Finds workloads that send calls within the cluster to an HTTP proxy.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::http_proxies::{contains, variable};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Workload, own_containers};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "egress/no-proxy-incomplete",
        reads: &[Kind::Pod, Kind::Service],
        reports: &[&EGR0005],
        by_default: true,
        run,
    },
};

static EGR0005: Code = Code {
    id: "EGR0005",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/http-proxy",
    page: include_str!("pages/EGR0005.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let cluster_ip = mesh.find(Kind::Service, "default", "kubernetes");
    let cluster_ip = cluster_ip.and_then(|service| service.spec().field("clusterIP").text().parse().ok());
    let mut reported = BTreeSet::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| Workload::of_pod(pod).has_proxy()) {
        let pod_ip = pod.status().field("podIP").text().parse().ok();
        for container in own_containers(pod) {
            if variable(container, "HTTP_PROXY").is_empty() && variable(container, "HTTPS_PROXY").is_empty() {
                continue;
            }
            let exceptions = variable(container, "NO_PROXY");
            let missing = missing(exceptions, cluster_ip, pod_ip);
            if !missing.is_empty() && reported.insert((pod.namespace(), exceptions)) {
                messages.report(exceptions_are_missing(pod, container.get("name").text(), &missing));
            }
        }
    }
}

/// What of the cluster a list of exceptions does not cover.
fn missing(exceptions: &str, cluster_ip: Option<IpAddr>, pod_ip: Option<IpAddr>) -> Vec<String> {
    let entries: Vec<&str> = exceptions.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    if entries.contains(&"*") {
        return Vec::new();
    }
    let covers_name = |name: &str| entries.iter().any(|entry| name.ends_with(entry.trim_start_matches(['*', '.'])));
    let mut missing = Vec::new();
    for (suffix, example) in [(".svc", "cart.shop.svc"), (".cluster.local", "cart.shop.svc.cluster.local")] {
        if !covers_name(example) {
            missing.push(suffix.to_owned());
        }
    }
    for (what, address) in [("the addresses of Services", cluster_ip), ("the addresses of pods", pod_ip)] {
        if let Some(address) = address
            && !entries.iter().any(|entry| contains(entry, address))
        {
            missing.push(format!("{what} (such as {address})"));
        }
    }
    missing
}

fn exceptions_are_missing<'m>(pod: &'m Object, container: &str, missing: &[String]) -> Message<'m> {
    let missing = missing.join(", ");
    let text = format!(
        "Container {container} uses an HTTP proxy, and NO_PROXY does not except {missing}: calls within the cluster go to \
         the proxy and not to the mesh."
    );
    let remedy = format!(
        "Add {missing} to NO_PROXY of the workloads of namespace {}; where AKS sets the variables, to noProxy of the \
         cluster's HTTP proxy configuration (`az aks update --http-proxy-config FILE`).",
        pod.namespace()
    );
    Message::new(&EGR0005, pod, text).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn exceptions_cover_names_and_ranges() {
        let check = |exceptions: &str| missing(exceptions, "10.0.0.1".parse().ok(), "10.244.1.2".parse().ok()).len();
        assert_eq!(check(".svc,.cluster.local, 10.0.0.0/16,10.244.0.0/16"), 0);
        assert_eq!(check("svc,cluster.local,10.0.0.0/8"), 0);
        assert_eq!(check("*"), 0);
        assert_eq!(check("localhost,127.0.0.1"), 4);
        assert_eq!(missing(".local", None, None), [".svc"]);
    }
}
