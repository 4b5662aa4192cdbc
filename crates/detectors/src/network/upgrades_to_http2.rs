//! Finds HTTP/2 that is made of HTTP/1.1 towards servers of WebSockets, which need HTTP/1.1.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{DestinationRules, Kind, Mesh, Object, View, protocol};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "net/h2-upgrade",
        reads: &[Kind::DestinationRule, Kind::Service, Kind::ConfigMap, Kind::MeshConfig, Kind::Namespace],
        reports: &[&NET0032],
        by_default: true,
        run,
    },
};

static NET0032: Code = Code {
    id: "NET0032",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/destination-rule/#ConnectionPoolSettings-HTTPSettings-H2UpgradePolicy",
    page: include_str!("pages/NET0032.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let rules = DestinationRules::new(mesh);
    for rule in mesh.each(Kind::DestinationRule) {
        let policies = policies(rule);
        if !policies.iter().any(|(_, policy)| upgrades(*policy)) {
            continue;
        }
        for service in rules.services_of(rule) {
            if let Some(port) = web_socket_ports(service).find(|port| is_upgraded(&policies, *port)) {
                messages.report(web_sockets_break(rule, service, port));
            }
        }
    }
    for service in mesh.each(Kind::Service) {
        let mut ports = web_socket_ports(service).peekable();
        let Some(port) = ports.peek().copied() else { continue };
        let setting = mesh.config_of(service.namespace()).setting(&["h2UpgradePolicy"]);
        if setting.value.text() == "UPGRADE" {
            messages.report(all_web_sockets_break(service, port, setting.from.unwrap_or("the mesh configuration")));
        }
    }
}

/// The policies of a rule, each with the port that it is for. Subsets count as the whole.
fn policies(rule: &Object) -> Vec<(Option<i64>, View<'_>)> {
    let subsets = rule.spec().get("subsets").items();
    let holders = std::iter::once(rule.spec()).chain(subsets).map(|holder| holder.field("trafficPolicy"));
    let mut found = Vec::new();
    for policy in holders {
        found.push((None, policy));
        let levels = policy.field("portLevelSettings").items();
        found.extend(levels.map(|level| (level.path(&["port", "number"]).integer_if_any(), level)));
    }
    found
}

fn upgrades(policy: View<'_>) -> bool {
    policy.path(&["connectionPool", "http", "h2UpgradePolicy"]).text() == "UPGRADE"
}

/// A port with settings of its own takes nothing from those of the whole.
fn is_upgraded(policies: &[(Option<i64>, View<'_>)], port: View<'_>) -> bool {
    let number = port.get("port").integer();
    let own: Vec<_> = policies.iter().filter(|(of, _)| *of == Some(number)).collect();
    if own.is_empty() {
        return policies.iter().any(|(of, policy)| of.is_none() && upgrades(*policy));
    }
    own.iter().any(|(_, policy)| upgrades(*policy))
}

/// The ports that say that they are for WebSockets.
fn web_socket_ports(service: &Object) -> impl Iterator<Item = View<'_>> {
    service.spec().get("ports").items().filter(|port| {
        let parts = || port.get("name").text().split('-').map(str::to_ascii_lowercase);
        let is_named = parts().any(|part| matches!(part.as_str(), "ws" | "wss" | "websocket" | "websockets"));
        let is_http = protocol::of_service_port(*port).is_none_or(protocol::is_http);
        is_http && (is_named || matches!(port.field("appProtocol").text(), "kubernetes.io/ws" | "kubernetes.io/wss"))
    })
}

fn web_sockets_break<'m>(rule: &'m Object, service: &Object, port: View<'_>) -> Message<'m> {
    let (number, name) = (port.get("port").integer(), service.full_name());
    let text = format!(
        "h2UpgradePolicy is UPGRADE, and port {number} ({}) of Service {name} is for WebSockets: proxies send HTTP/2 to a server \
         that upgrades from HTTP/1.1, and connections fail (426, upgrade_failed, UPE).",
        port.get("name").text()
    );
    let remedy = format!(
        "In DestinationRule {}, exempt the port: trafficPolicy.portLevelSettings: [{{port: {{number: {number}}}, connectionPool: \
         {{http: {{h2UpgradePolicy: DO_NOT_UPGRADE}}}}}}]",
        rule.full_name()
    );
    Message::new(&NET0032, rule, text).at(Path::spec().key("trafficPolicy")).remedy(remedy)
}

fn all_web_sockets_break<'m>(service: &'m Object, port: View<'_>, from: &str) -> Message<'m> {
    let number = port.get("port").integer();
    let text = format!(
        "h2UpgradePolicy is UPGRADE in {from}, and port {number} ({}) is for WebSockets: proxies send HTTP/2 to a server that \
         upgrades from HTTP/1.1, and connections fail (426, upgrade_failed, UPE).",
        port.get("name").text()
    );
    let remedy = format!(
        "Exempt the Service: a DestinationRule in namespace {} with host {} and \
         trafficPolicy.connectionPool.http.h2UpgradePolicy: DO_NOT_UPGRADE.",
        service.namespace(),
        service.name()
    );
    Message::new(&NET0032, service, text).at(Path::spec().key("ports")).remedy(remedy)
}
