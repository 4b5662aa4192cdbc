//! Finds static egress gateways that have no addresses yet.

use std::collections::BTreeMap;

use super::static_gateways::users;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "egress/sgc-no-prefix",
        reads: &[Kind::StaticGatewayConfiguration, Kind::Deployment],
        reports: &[&EGR0007],
        by_default: true,
        run,
    },
};

static EGR0007: Code = Code {
    id: "EGR0007",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-egress-gateway",
    page: include_str!("pages/EGR0007.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut waiting: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (user, name) in users(mesh) {
        waiting.entry((user.namespace(), name)).or_default().push(user.origin());
    }
    for configuration in mesh.each(Kind::StaticGatewayConfiguration) {
        if configuration.status().field("egressIpPrefix").text().is_empty() {
            let waiting = waiting.get(&(configuration.namespace(), configuration.name()));
            messages.report(addresses_are_missing(mesh, configuration, waiting.map_or(&[], Vec::as_slice)));
        }
    }
}

/// How long it may take.
const PROVISIONED_WITHIN_S: i64 = 300;

fn addresses_are_missing<'m>(mesh: &Mesh, configuration: &'m Object, waiting: &[String]) -> Message<'m> {
    let created = configuration.metadata().get("creationTimestamp").text().parse::<jiff::Timestamp>();
    let age = created.map_or(i64::MAX, |created| mesh.taken_at().as_second().saturating_sub(created.as_second()));
    let (place, name) = (configuration.namespace(), configuration.name());
    let waiting = if waiting.is_empty() { "nobody so far".to_owned() } else { waiting.join(", ") };
    let text = format!(
        "It has no egressIpPrefix: pods that use it stay in ContainerCreating ({waiting}). Giving addresses takes up to five \
         minutes."
    );
    let remedy = format!(
        "See its events: `kubectl describe staticgatewayconfiguration {name} -n {place}`. Then look at the node pool \
         {} and at the cluster identity's right to create a public IP prefix.",
        configuration.spec().field("gatewayNodepoolName").text()
    );
    let mut message = Message::new(&EGR0007, configuration, text).at(Path::name()).remedy(remedy);
    if age < PROVISIONED_WITHIN_S {
        message.severity = Severity::Info;
    }
    message
}
