//! Finds gateways that keep the client's address by taking traffic on their own nodes only.

use std::collections::BTreeMap;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{GatewayService, Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/local-traffic-policy",
        reads: &[Kind::Service, Kind::Pod],
        reports: &[&GWY0016],
        by_default: true,
        run,
    },
};

static GWY0016: Code = Code {
    id: "GWY0016",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-ingress#external-traffic-policy",
    page: include_str!("pages/GWY0016.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.gateway_services() {
        if gateway.service.spec().get("externalTrafficPolicy").text() != "Local" || gateway.pods.is_empty() {
            continue;
        }
        let mut pods_on: BTreeMap<&str, usize> = BTreeMap::new();
        for pod in &gateway.pods {
            let node = pod.spec().get("nodeName").text();
            if !node.is_empty() {
                *pods_on.entry(node).or_default() += 1;
            }
        }
        let (least, most) = (pods_on.values().min(), pods_on.values().max());
        if pods_on.len() < 2 || least != most {
            messages.report(takes_traffic_on_its_nodes(&gateway, pods_on.len()));
        }
    }
}

fn takes_traffic_on_its_nodes<'m>(gateway: &GatewayService<'m>, nodes: usize) -> Message<'m> {
    let service = gateway.service;
    let spread = match nodes {
        0 => "its pods are on no node yet",
        1 => "all its pods are on one node, so that the gateway is gone when that node is",
        _ => "each node gets the same share, and the nodes have unlike numbers of its pods",
    };
    let text = format!(
        "externalTrafficPolicy is Local: the load balancer sends to nodes with a pod of the gateway only; {spread}."
    );
    let remedy = format!(
        "Run more replicas, spread over the nodes (minReplicas of the autoscaler); or set the policy of Service {} \
         back to Cluster, if the clients' addresses are not needed.",
        service.full_name()
    );
    Message::new(&GWY0016, service, text).at(Path::spec().key("externalTrafficPolicy")).remedy(remedy)
}
