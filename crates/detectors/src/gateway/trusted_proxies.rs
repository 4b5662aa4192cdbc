//! Finds policies on gateways that read X-Forwarded-For where no proxy in front is trusted.

use super::address_rules::policies_with;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{GatewayService, Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Hint,
    rule: Analyzer {
        name: "gw/xff",
        reads: &[Kind::Service, Kind::Pod, Kind::AuthorizationPolicy, Kind::Namespace, Kind::ConfigMap],
        reports: &[&GWY0023],
        by_default: true,
        run,
    },
};

static GWY0023: Code = Code {
    id: "GWY0023",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/network-topologies/",
    page: include_str!("pages/GWY0023.md"),
};

const SETTING: &str = "numTrustedProxies";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.gateway_services() {
        if gateway.pods.iter().any(|pod| trusts_proxies(mesh, pod)) {
            continue;
        }
        for policy in policies_with(mesh, &gateway, &["remoteIpBlocks", "notRemoteIpBlocks"]) {
            messages.report(trusts_nobody(policy, &gateway));
        }
    }
}

/// By the settings that the proxy was started with, or those of the mesh.
fn trusts_proxies(mesh: &Mesh, pod: &Object) -> bool {
    let containers = pod.spec().get("containers").items();
    let mut variables = containers.flat_map(|container| container.get("env").items());
    let started_with = variables.any(|variable| {
        variable.get("name").text() == "PROXY_CONFIG" && variable.get("value").text().contains(SETTING)
    });
    let topology = mesh.config_of(pod.namespace()).setting(&["defaultConfig", "gatewayTopology"]).value;
    started_with || is_positive(topology.field(SETTING))
}

fn is_positive(number: View<'_>) -> bool {
    number.integer() > 0
}

fn trusts_nobody<'m>(policy: &'m Object, gateway: &GatewayService<'_>) -> Message<'m> {
    let text = format!(
        "Compares the client's address in X-Forwarded-For at Service {}, but gatewayTopology.{SETTING} is 0: of a \
         request through Front Door or an Application Gateway it sees that proxy.",
        gateway.service.full_name(),
    );
    let remedy = format!(
        "Set gatewayTopology.{SETTING} to the number of proxies in front, in defaultConfig of the mesh configuration \
         or in the annotation proxy.istio.io/config of the gateway's pods. Nothing is wrong where no proxy is in \
         front."
    );
    Message::new(&GWY0023, policy, text).remedy(remedy)
}
