//! Finds certificates for TLS to the outside that are not where the egress gateway looks for them.

use std::collections::BTreeSet;

use super::routes::Routes;
use crate::client_tls::{ClientTls, client_tls};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{DestinationRules, Kind, Mesh, Object, labels};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "egress/secret-namespace",
        reads: &[
            Kind::VirtualService,
            Kind::Gateway,
            Kind::ServiceEntry,
            Kind::Service,
            Kind::Pod,
            Kind::DestinationRule,
            Kind::Secret,
            Kind::MeshConfig,
        ],
        reports: &[&EGR0015],
        by_default: true,
        run,
    },
};

static EGR0015: Code = Code {
    id: "EGR0015",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/egress/egress-gateway-tls-origination/",
    page: include_str!("pages/EGR0015.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let (routes, rules) = (Routes::new(mesh), DestinationRules::new(mesh));
    let mut reported = BTreeSet::new();
    for out in routes.ways_on() {
        for pod in mesh.gateway_pods(out.gateway) {
            for rule in rules.for_host(pod.namespace(), &out.host, Some(out.service.namespace())) {
                let selector = rule.spec().path(&["workloadSelector", "matchLabels"]);
                if !labels::matches(selector, pod.labels()) {
                    continue;
                }
                for tls in client_tls(rule) {
                    let Some(name) = secret_of(&tls) else { continue };
                    let key = (rule.full_name(), tls.path.to_string(), pod.namespace());
                    if !has_secret(mesh, pod.namespace(), name) && reported.insert(key) {
                        messages.report(secret_is_not_there(mesh, rule, &tls, (name, pod.namespace(), out.gateway)));
                    }
                }
            }
        }
    }
}

/// The Secret that a block names, if it names one.
fn secret_of<'m>(tls: &ClientTls<'m>) -> Option<&'m str> {
    let credential = tls.settings.field("credentialName").text();
    let name = credential.strip_prefix("kubernetes://").unwrap_or(credential);
    (!name.is_empty() && !name.contains("://")).then_some(name)
}

/// The certificate of the authority may be in a Secret of its own.
fn has_secret(mesh: &Mesh, namespace: &str, name: &str) -> bool {
    [name.to_owned(), format!("{name}-cacert")].iter().any(|name| mesh.find(Kind::Secret, namespace, name).is_some())
}

fn secret_is_not_there<'m>(
    mesh: &Mesh,
    rule: &'m Object,
    tls: &ClientTls<'_>,
    (name, namespace, gateway): (&str, &str, &Object),
) -> Message<'m> {
    let elsewhere: Vec<&str> =
        mesh.each(Kind::Secret).filter(|secret| secret.name() == name).map(Object::namespace).collect();
    let elsewhere = match elsewhere[..] {
        [] => "there is none of that name".to_owned(),
        _ => format!("it is in namespace {}", elsewhere.join(", ")),
    };
    let text = format!(
        "credentialName {name} is looked for in namespace {namespace}, where the pods of Gateway {} run, and is not there \
         ({elsewhere}): the gateway has no certificate and its connections fail.",
        gateway.full_name()
    );
    let remedy = format!("Create the Secret {name} in namespace {namespace}.");
    Message::new(&EGR0015, rule, text).at(tls.path.clone().key("mode")).remedy(remedy)
}
