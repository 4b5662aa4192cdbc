//! Finds listeners that a controller refuses, or whose certificate is not there or not theirs to use.

use super::grants::{Wanted, grant, is_granted};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, KubernetesListener, Mesh, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/listener-invalid",
        reads: &[Kind::KubernetesGateway, Kind::GatewayClass, Kind::Secret, Kind::ReferenceGrant],
        reports: &[&GWA0006],
        by_default: true,
        run,
    },
};

static GWA0006: Code = Code {
    id: "GWA0006",
    severity: Severity::Error,
    docs: "https://gateway-api.sigs.k8s.io/reference/spec/#listenerstatus",
    page: include_str!("pages/GWA0006.md"),
};

/// Conditions of a listener that is in order.
const IN_ORDER: [(&str, &str); 3] = [("Conflicted", "False"), ("Accepted", "True"), ("ResolvedRefs", "True")];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let gateways = mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway));
    for listener in gateways.flat_map(KubernetesListener::all) {
        if let Some(condition) = broken_condition(listener) {
            messages.report(is_refused(listener, condition));
            continue;
        }
        let secrets = listener.secrets().filter(|_| listener.ends_tls());
        for (namespace, name) in secrets {
            if mesh.find(Kind::Secret, namespace, name).is_none() {
                messages.report(secret_is_missing(listener, namespace, name));
            } else if !is_granted(mesh, listener.gateway, Wanted { kind: "Secret", namespace, name }) {
                messages.report(secret_is_not_granted(listener, namespace, name));
            }
        }
    }
}

fn broken_condition(listener: KubernetesListener<'_>) -> Option<View<'_>> {
    IN_ORDER.into_iter().find_map(|(name, good)| {
        let mut conditions = listener.status().get("conditions").items();
        let condition = conditions.find(|condition| condition.get("type").text() == name)?;
        let status = condition.get("status").text();
        (status != good && status != "Unknown").then_some(condition)
    })
}

fn path_of(listener: KubernetesListener<'_>) -> Path {
    Path::spec().key("listeners").index(listener.index)
}

fn is_refused<'m>(listener: KubernetesListener<'m>, condition: View<'_>) -> Message<'m> {
    let [name, status, reason, message] = ["type", "status", "reason", "message"].map(|key| condition.get(key).text());
    let text = format!(
        "Listener {} is refused: {name} is {status} ({reason}: {message}). It has no traffic.",
        listener.name()
    );
    let remedy = match reason {
        "InvalidCertificateRef" => "Create the Secret (type kubernetes.io/tls) that certificateRefs names.",
        "RefNotPermitted" => "Create a ReferenceGrant in the namespace of the Secret.",
        "InvalidRouteKinds" => "Name kinds of routes in allowedRoutes that fit the protocol of the listener.",
        "HostnameConflict" | "ProtocolConflict" => "Give each listener on a port its own hostname, and one protocol.",
        _ => "Correct the listener as the message says.",
    };
    Message::new(&GWA0006, listener.gateway, text).at(path_of(listener)).remedy(remedy)
}

fn secret_is_missing<'m>(listener: KubernetesListener<'m>, namespace: &str, secret: &str) -> Message<'m> {
    let text = format!(
        "Listener {} presents Secret {namespace}/{secret}, which does not exist: it has no traffic.",
        listener.name()
    );
    let remedy =
        format!("Create it: `kubectl create secret tls {secret} -n {namespace} --cert=tls.crt --key=tls.key`.");
    let path = path_of(listener).key("tls").key("certificateRefs");
    Message::new(&GWA0006, listener.gateway, text).at(path).remedy(remedy)
}

fn secret_is_not_granted<'m>(listener: KubernetesListener<'m>, namespace: &str, secret: &str) -> Message<'m> {
    let own = listener.gateway.namespace();
    let text = format!(
        "Listener {} presents Secret {namespace}/{secret}, and no ReferenceGrant lets Gateways of namespace {own} use \
         it.",
        listener.name(),
    );
    let remedy = grant(listener.gateway, Wanted { kind: "Secret", namespace, name: secret });
    let path = path_of(listener).key("tls").key("certificateRefs");
    Message::new(&GWA0006, listener.gateway, text).at(path).remedy(remedy)
}
