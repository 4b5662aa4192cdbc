//! Finds Gateways whose certificate is not there, or is not valid now.

use std::collections::{BTreeSet, HashMap};

use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::shared::{IST0101, matches_template, reference_not_found, selector_path};
use super::{Analyzer, Message, Messages, Path, remedies};
use mesh::{Kind, Mesh, Object, decoded, host, labels, secret_of};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "gateway.SecretAnalyzer",
    reads: &[Kind::Gateway, Kind::Pod, Kind::Secret, Kind::Deployment],
    reports: &[&IST0101, &IST0161],
    by_default: true,
    run,
};

static IST0161: Code = Code {
    id: "IST0161",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/ingress/secure-ingress/",
    page: include_str!("pages/IST0161.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut namespaces_of: HashMap<String, Vec<&str>> = HashMap::new();
    for gateway in mesh.each(Kind::Gateway) {
        let selector = gateway.spec().get("selector");
        let text = labels::selector_text(selector);
        let namespaces = namespaces_of.entry(text.clone()).or_insert_with(|| {
            let namespaces: BTreeSet<&str> =
                mesh.labelled(Kind::Pod, selector, None).into_iter().map(Object::namespace).collect();
            namespaces.into_iter().collect()
        });
        if namespaces.is_empty() {
            if !matches_template(mesh, selector, None, |_| true) {
                let missing = reference_not_found(gateway, "selector", &text).at(selector_path(selector));
                let remedy = || remedies::gateway_selector(mesh, selector);
                messages.report(missing.remedy_unless(mesh.is_compatible(), remedy));
            }
            continue;
        }
        // `istioctl` looks into the namespace of one pod.
        let looked_into = if mesh.is_compatible() { &namespaces[..1] } else { &namespaces[..] };
        for namespace in looked_into {
            check_servers(mesh, gateway, namespace, messages);
        }
    }
}

fn check_servers<'m>(mesh: &'m Mesh, gateway: &'m Object, namespace: &str, messages: &mut Messages<'m>) {
    for (server, index) in gateway.spec().get("servers").items().zip(0..) {
        let credential = server.get("tls").field("credentialName").text();
        if credential.is_empty() {
            continue;
        }
        // `istioctl` does not know that a credential may begin with a scheme.
        let secret = if mesh.is_compatible() {
            Some(host::reference(namespace, credential))
        } else {
            secret_of(credential, namespace)
        };
        let Some((secret_namespace, name)) = secret else { continue };
        let path = Path::spec().key("servers").index(index).key("tls").key("credentialName");
        match mesh.find(Kind::Secret, secret_namespace, name) {
            None => {
                let missing = reference_not_found(gateway, "credentialName", credential).at(path);
                let remedy = || remedies::credential(mesh, gateway, secret_namespace, name);
                messages.report(missing.remedy_unless(mesh.is_compatible(), remedy));
            }
            Some(secret) if !is_valid(mesh, secret) => {
                messages.report(credential_is_invalid(gateway, namespace).at(path));
            }
            Some(_) => {}
        }
    }
}

fn is_valid(mesh: &Mesh, secret: &Object) -> bool {
    let data = secret.root().get("data");
    let of = |key: &str| data.get(key).text();
    let certificate = [("cert", "key"), ("tls.crt", "tls.key")]
        .into_iter()
        .find(|(certificate, key)| !of(certificate).is_empty() && !of(key).is_empty());
    certificate.is_some_and(|(certificate, _)| is_valid_now(of(certificate), mesh.taken_at().as_second()))
}

/// Whether the first PEM block holds certificates, all valid at this time. Chains are not followed further.
fn is_valid_now(encoded: &str, now: i64) -> bool {
    let Some(text) = decoded(encoded) else { return false };
    let Ok((block, _)) = Pem::read(std::io::Cursor::new(text)) else { return false };
    let mut rest = block.contents.as_slice();
    while !rest.is_empty() {
        let Ok((remaining, certificate)) = X509Certificate::from_der(rest) else { return false };
        let validity = certificate.validity();
        if now < validity.not_before.timestamp() || now > validity.not_after.timestamp() {
            return false;
        }
        rest = remaining;
    }
    !block.contents.is_empty()
}

fn credential_is_invalid<'m>(gateway: &'m Object, namespace: &str) -> Message<'m> {
    let name = gateway.name();
    let text = format!(
        "The credential referenced by the Gateway {name} in namespace {namespace} is invalid, which can cause the \
         traffic not to work as expected."
    );
    Message::new(&IST0161, gateway, text)
}
