//! Finds `DestinationRule`s whose credential is in no Secret that the proxies could get.

use std::collections::BTreeSet;

use crate::client_tls::{ClientTls, client_tls};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, is_gateway, secret_of};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/dr-mutual-secret",
        reads: &[Kind::DestinationRule, Kind::Secret, Kind::Pod],
        reports: &[&SEC0018],
        by_default: true,
        run,
    },
};

static SEC0018: Code = Code {
    id: "SEC0018",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/networking/destination-rule/#ClientTLSSettings",
    page: include_str!("pages/SEC0018.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let gateways = mesh.proxied_workloads().into_iter().filter(|pod| is_gateway(pod));
    let gateways: BTreeSet<&str> = gateways.map(Object::namespace).collect();
    for rule in mesh.each(Kind::DestinationRule) {
        // A sidecar heeds a credential only if the rule selects its pod, and it then comes from the rule's namespace.
        let selects = rule.spec().field("workloadSelector").is_map();
        let places: Vec<&str> = if selects { vec![rule.namespace()] } else { gateways.iter().copied().collect() };
        for block in client_tls(rule) {
            let credential = block.settings.field("credentialName").text();
            if credential.is_empty() || !matches!(block.mode, "SIMPLE" | "MUTUAL") {
                continue;
            }
            if places.is_empty() {
                messages.report(no_proxy_heeds_it(rule, credential, &block));
                continue;
            }
            let states: Vec<State> = places.iter().map(|place| state(mesh, credential, place, block.mode)).collect();
            if states.iter().all(|state| *state == State::Missing) {
                messages.report(secret_is_missing(rule, credential, &block, &places));
            } else if states.iter().all(|state| *state != State::Usable) {
                messages.report(secret_has_no_key(rule, credential, &block));
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    /// It has no certificate with a key.
    WithoutKey,
    Usable,
}

/// A CA may have a Secret of its own, named with the ending `-cacert`
/// (<https://istio.io/latest/docs/tasks/traffic-management/ingress/secure-ingress/#key-formats>).
fn state(mesh: &Mesh, credential: &str, place: &str, mode: &str) -> State {
    // What is no Secret is not looked for.
    let Some((namespace, name)) = secret_of(credential, place) else { return State::Usable };
    let Some(secret) = mesh.find(Kind::Secret, namespace, name) else {
        let ca = format!("{name}-cacert");
        let is_enough = mode == "SIMPLE" && mesh.find(Kind::Secret, namespace, &ca).is_some();
        return if is_enough { State::Usable } else { State::Missing };
    };
    let has = |key: &str| !secret.root().get("data").get(key).is_empty();
    let has_pair = has("tls.crt") && has("tls.key") || has("cert") && has("key");
    if mode == "SIMPLE" || has_pair { State::Usable } else { State::WithoutKey }
}

fn secret_is_missing<'m>(rule: &'m Object, credential: &str, block: &ClientTls<'_>, places: &[&str]) -> Message<'m> {
    let host = rule.spec().get("host").text();
    let text = format!(
        "There is no Secret {credential} in {}, where the proxies that use the rule get it from: calls to {host} fail with 503 (UF).",
        names(places)
    );
    let remedy = format!(
        "kubectl create secret generic {credential} -n {} --from-file=tls.crt=<certificate> --from-file=tls.key=<key> \
         --from-file=ca.crt=<CA of the server>",
        places[0]
    );
    Message::new(&SEC0018, rule, text).at(block.path.clone().key("credentialName")).remedy(remedy)
}

fn secret_has_no_key<'m>(rule: &'m Object, credential: &str, block: &ClientTls<'_>) -> Message<'m> {
    let host = rule.spec().get("host").text();
    let text = format!(
        "Secret {credential} has no certificate with its key (tls.crt and tls.key), which mode {} needs: calls to {host} fail \
         with 503 (UF).",
        block.mode
    );
    let remedy = "Add tls.crt and tls.key to the Secret, or use mode SIMPLE if the server asks for no certificate.";
    Message::new(&SEC0018, rule, text).at(block.path.clone().key("credentialName")).remedy(remedy)
}

fn no_proxy_heeds_it<'m>(rule: &'m Object, credential: &str, block: &ClientTls<'_>) -> Message<'m> {
    let text = format!(
        "credentialName {credential} is used by nobody: sidecars heed it only in a rule with a workloadSelector, and there is no \
         gateway. TLS starts without this certificate."
    );
    let remedy = "Add spec.workloadSelector with the labels of the clients, and put the Secret into the rule's namespace. Or \
                  mount the files and name them as clientCertificate, privateKey and caCertificates.";
    Message::new(&SEC0018, rule, text).at(block.path.clone().key("credentialName")).remedy(remedy)
}
