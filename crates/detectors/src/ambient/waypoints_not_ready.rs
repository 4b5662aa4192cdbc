//! Finds waypoints that are named and not there, or there and not ready: what should pass through them does not pass.

use std::collections::BTreeMap;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{GATEWAY_NAME, Kind, Mesh, Object, USE_WAYPOINT, Waypoint, is_finished, is_ready};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/waypoint-not-ready",
        reads: &[Kind::Service, Kind::Namespace, Kind::KubernetesGateway, Kind::Pod],
        reports: &[&AMB0002],
        by_default: true,
        run,
    },
};

static AMB0002: Code = Code {
    id: "AMB0002",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ambient/usage/troubleshoot-waypoint/",
    page: include_str!("pages/AMB0002.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // One message for each waypoint, at the namespace or the first Service that names it.
    let mut named: BTreeMap<(&str, &str), &'m Object> = BTreeMap::new();
    for service in mesh.each(Kind::Service) {
        let Some(waypoint) = mesh.waypoint_of(service) else { continue };
        let by = mesh.namespace(service.namespace()).filter(|_| waypoint.named_by_namespace).unwrap_or(service);
        let Waypoint { namespace, name, .. } = waypoint;
        named.entry((namespace, name)).or_insert(by);
    }
    for ((namespace, name), by) in named {
        if let Some(why) = why(mesh, namespace, name) {
            messages.report(nothing_passes(by, namespace, name, &why));
        }
    }
}

/// Why requests do not get through it, if they do not.
fn why(mesh: &Mesh, namespace: &str, name: &str) -> Option<String> {
    let Some(gateway) = mesh.find(Kind::KubernetesGateway, namespace, name) else {
        return Some("is not there".to_owned());
    };
    let mut conditions = gateway.status().get("conditions").items();
    let refused = conditions
        .find(|it| matches!(it.get("type").text(), "Accepted" | "Programmed") && it.get("status").text() == "False");
    if let Some(condition) = refused {
        let [kind, reason, message] = ["type", "reason", "message"].map(|key| condition.get(key).text());
        return Some(format!("is not ready: {kind} is False ({reason}: {message})"));
    }
    let pods = mesh.in_namespace(Kind::Pod, namespace).filter(|pod| pod.label(GATEWAY_NAME) == Some(name));
    let pods: Vec<&Object> = pods.filter(|pod| !is_finished(pod)).collect();
    match pods.iter().filter(|pod| is_ready(pod)).count() {
        0 if pods.is_empty() => Some("has no pods".to_owned()),
        0 => Some(format!("has no ready pod (0 of {})", pods.len())),
        _ => None,
    }
}

fn nothing_passes<'m>(by: &'m Object, namespace: &str, name: &str, why: &str) -> Message<'m> {
    let text = format!(
        "The label {USE_WAYPOINT} names waypoint {namespace}/{name}, which {why}: connections to what it stands before fail."
    );
    let remedy = if why == "is not there" {
        format!("istioctl waypoint apply --name {name} -n {namespace} --wait")
    } else {
        format!(
            "kubectl describe pods -n {namespace} -l {GATEWAY_NAME}={name}; kubectl describe \
             gateways.gateway.networking.k8s.io {name} -n {namespace}"
        )
    };
    Message::new(&AMB0002, by, text).at(Path::metadata().key("labels").key(USE_WAYPOINT)).remedy(remedy)
}
