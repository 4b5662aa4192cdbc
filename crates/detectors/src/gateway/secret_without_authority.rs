//! Finds servers that ask clients for a certificate, but whose Secret does not say which authority to trust.
//!
//! That a Secret has no usable certificate and key at all is IST0161 of `istioctl analyze`.

use super::presented::named;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Server};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/secret-invalid",
        reads: &[Kind::Gateway, Kind::Pod, Kind::Secret],
        reports: &[&GWY0007],
        by_default: true,
        run,
    },
};

static GWY0007: Code = Code {
    id: "GWY0007",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/ingress/secure-ingress/#configure-a-mutual-tls-ingress-gateway",
    page: include_str!("pages/GWY0007.md"),
};

/// The keys under which Istio looks for the authority
/// (<https://istio.io/latest/docs/tasks/traffic-management/ingress/secure-ingress/#key-formats>).
const KEYS: [&str; 2] = ["ca.crt", "cacert"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for named in named(mesh) {
        let server = named.server;
        let asks_clients = matches!(server.tls_mode(), Some("MUTUAL" | "OPTIONAL_MUTUAL"));
        let is_elsewhere =
            ["caCertificates", "caCertCredentialName"].into_iter().any(|field| !server.tls().field(field).is_empty());
        if !asks_clients || is_elsewhere {
            continue;
        }
        for (namespace, name) in named.secrets() {
            let Some(secret) = mesh.find(Kind::Secret, namespace, name) else { continue };
            let beside = mesh.find(Kind::Secret, namespace, &format!("{name}-cacert"));
            if !has_authority(secret) && !beside.is_some_and(has_authority) {
                messages.report(no_authority(server, secret, named.path.clone()));
            }
        }
    }
}

fn has_authority(secret: &Object) -> bool {
    let data = secret.root().get("data");
    KEYS.into_iter().any(|key| !data.get(key).text().is_empty())
}

fn no_authority<'m>(server: Server<'m>, secret: &Object, path: Path) -> Message<'m> {
    let mode = server.tls_mode().unwrap_or_default();
    let (namespace, name) = (secret.namespace(), secret.name());
    let text = format!(
        "The server on port {} has TLS mode {mode}, but Secret {namespace}/{name} holds no authority of the clients \
         (key ca.crt), and there is no Secret {namespace}/{name}-cacert: Istio leaves the server without a \
         certificate.",
        server.port(),
    );
    let remedy = format!(
        "Add it: `kubectl create secret generic {name}-cacert -n {namespace} --from-file=ca.crt=<clients' CA>`; or set \
         the mode to SIMPLE, if clients need no certificate."
    );
    Message::new(&GWY0007, server.gateway, text).at(path).remedy(remedy)
}
