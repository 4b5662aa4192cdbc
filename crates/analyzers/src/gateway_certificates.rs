//! Finds Gateways that share a certificate, which HTTP/2 clients take for one server.

use std::collections::{BTreeMap, BTreeSet};

use super::{Analyzer, Message, Messages, Path, list};
use mesh::{Kind, Mesh, Object, View, labels};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "gateway.CertificateAnalyzer",
    reads: &[Kind::Gateway],
    reports: &[&IST0138],
    by_default: true,
    run,
};

static IST0138: Code = Code {
    id: "IST0138",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#404-errors-occur-when-multiple-gateways-configured-with-same-tls-certificate",
    page: include_str!("pages/IST0138.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let gateways: Vec<&Object> = mesh.each(Kind::Gateway).collect();
    let mut by_certificate: BTreeMap<[&str; 3], BTreeSet<usize>> = BTreeMap::new();
    for (index, gateway) in gateways.iter().enumerate() {
        for server in gateway.spec().get("servers").items() {
            if let Some(certificate) = certificate_of(server.get("tls")) {
                by_certificate.entry(certificate).or_default().insert(index);
            }
        }
    }
    let mut pairs: BTreeSet<(usize, usize)> = BTreeSet::new();
    for sharers in by_certificate.into_values() {
        for a in &sharers {
            let is_contained = |b: &&usize| {
                *b != a && labels::matches(gateways[*a].spec().get("selector"), gateways[**b].spec().get("selector"))
            };
            pairs.extend(sharers.iter().filter(is_contained).map(|b| (*a, *b)));
        }
    }
    for (a, b) in pairs {
        messages.report(certificate_is_shared(gateways[a], gateways[b]));
    }
}

/// What tells a server's certificate from others: the credential's name, or the files.
fn certificate_of(tls: View<'_>) -> Option<[&str; 3]> {
    let credential = tls.field("credentialName").text();
    let (certificate, key) = (tls.field("serverCertificate").text(), tls.field("privateKey").text());
    match (credential, certificate, key) {
        ("", "", _) | ("", _, "") => None,
        ("", certificate, key) => Some(["", certificate, key]),
        (credential, _, _) => Some([credential, "", ""]),
    }
}

fn certificate_is_shared<'m>(gateway: &'m Object, other: &Object) -> Message<'m> {
    let gateways = list([gateway.full_name(), other.full_name()]);
    let text = format!(
        "Duplicate certificate in multiple gateways {gateways} may cause 404s if clients re-use HTTP2 connections."
    );
    Message::new(&IST0138, gateway, text).at(Path::name())
}
