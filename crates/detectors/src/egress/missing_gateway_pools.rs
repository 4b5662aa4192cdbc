//! Finds static egress gateways without the nodes that they need.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "egress/no-gateway-pool",
        reads: &[Kind::StaticGatewayConfiguration, Kind::Node],
        reports: &[&EGR0008],
        by_default: true,
        run,
    },
};

static EGR0008: Code = Code {
    id: "EGR0008",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/configure-static-egress-gateway",
    page: include_str!("pages/EGR0008.md"),
};

/// Labels of AKS on nodes.
const MODE: &str = "kubernetes.azure.com/mode";
const POOL: &str = "kubernetes.azure.com/agentpool";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let gateways = mesh.each(Kind::Node).filter(|node| node.label(MODE) == Some("gateway"));
    let pools: BTreeSet<&str> = gateways.filter_map(|node| node.label(POOL)).collect();
    for configuration in mesh.each(Kind::StaticGatewayConfiguration) {
        let wanted = configuration.spec().field("gatewayNodepoolName").text();
        // Without a pool it names a scale set, which no object of the cluster tells about.
        if !wanted.is_empty() && !pools.contains(wanted) {
            let is_other_mode = mesh.each(Kind::Node).any(|node| node.label(POOL) == Some(wanted));
            messages.report(pool_is_missing(configuration, wanted, &pools, is_other_mode));
        }
    }
}

fn pool_is_missing<'m>(
    configuration: &'m Object,
    wanted: &str,
    pools: &BTreeSet<&str>,
    is_other_mode: bool,
) -> Message<'m> {
    let pools: Vec<&str> = pools.iter().copied().collect();
    let there = if pools.is_empty() { "none".to_owned() } else { pools.join(", ") };
    let what = if is_other_mode { "is a node pool of another mode" } else { "has no node" };
    let text = format!("gatewayNodepoolName {wanted} {what} (pools of mode Gateway: {there}): it gets no addresses.");
    let remedy = format!(
        "Set gatewayNodepoolName of StaticGatewayConfiguration {} to a pool of mode Gateway, or add one: `az aks nodepool \
         add --name {wanted} --mode Gateway …`.",
        configuration.full_name()
    );
    Message::new(&EGR0008, configuration, text).at(Path::spec().key("gatewayNodepoolName")).remedy(remedy)
}
