//! Finds policies on gateways that compare the addresses of clients where nodes have replaced them.

use super::address_rules::policies_with;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{GatewayService, Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/client-ip",
        reads: &[Kind::Service, Kind::Pod, Kind::AuthorizationPolicy, Kind::Namespace],
        reports: &[&GWY0017],
        by_default: true,
        run,
    },
};

static GWY0017: Code = Code {
    id: "GWY0017",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/security/authorization/authz-ingress/#source-ip-address-of-the-original-client",
    page: include_str!("pages/GWY0017.md"),
};

const FIELDS: [&str; 4] = ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.gateway_services().iter().filter(|gateway| gateway.is_load_balancer()) {
        if gateway.service.spec().get("externalTrafficPolicy").text() == "Local" {
            continue;
        }
        for policy in policies_with(mesh, gateway, &FIELDS) {
            messages.report(sees_nodes(policy, gateway));
        }
    }
}

fn sees_nodes<'m>(policy: &'m Object, gateway: &GatewayService<'_>) -> Message<'m> {
    let (namespace, name) = (gateway.service.namespace(), gateway.service.name());
    let text = format!(
        "Compares addresses of clients at Service {namespace}/{name}, whose externalTrafficPolicy is Cluster: what \
         arrives has the address of a node, unless a proxy in front names the client in X-Forwarded-For.",
    );
    let remedy = format!(
        "Keep the addresses: `kubectl patch service {name} -n {namespace} --type merge --patch \
         '{{\"spec\":{{\"externalTrafficPolicy\":\"Local\"}}}}'`. Behind a proxy, use remoteIpBlocks and set \
         gatewayTopology.numTrustedProxies."
    );
    Message::new(&GWY0017, policy, text).remedy(remedy)
}
