//! Finds `DestinationRule`s that expect another identity than the servers have.

use std::collections::BTreeSet;

use crate::client_tls::{ClientTls, client_tls};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Workload, account_of, is_gateway};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "sec/san-mismatch",
        reads: &[Kind::DestinationRule, Kind::Service, Kind::Pod, Kind::ConfigMap],
        reports: &[&SEC0023],
        by_default: true,
        run,
    },
};

static SEC0023: Code = Code {
    id: "SEC0023",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/networking/destination-rule/#ClientTLSSettings",
    page: include_str!("pages/SEC0023.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let domains = mesh.trust_domains();
    for rule in mesh.each(Kind::DestinationRule) {
        let blocks = client_tls(rule).into_iter().filter(|block| block.mode == "ISTIO_MUTUAL");
        for block in blocks {
            let expected: Vec<&str> = block.settings.field("subjectAltNames").texts().collect();
            let Some(service) = mesh.service_of_host(rule.namespace(), rule.spec().get("host").text()) else {
                continue;
            };
            if expected.is_empty() {
                continue;
            }
            let others = others(&block.pods(mesh, service), service.namespace(), &expected, &domains);
            if !others.is_empty() {
                messages.report(server_is_not_expected(rule, service, &block, &expected, &others));
            }
        }
    }
}

/// The accounts of pods behind a Service whose certificate has none of the expected names. A certificate of the mesh has
/// one name: `spiffe://<trust domain>/ns/<namespace>/sa/<account>`.
fn others(pods: &[&Object], namespace: &str, expected: &[&str], domains: &BTreeSet<&str>) -> Vec<String> {
    let with_sidecar = pods.iter().filter(|pod| Workload::of_pod(pod).has_proxy() && !is_gateway(pod));
    let accounts: BTreeSet<&str> = with_sidecar.map(|pod| account_of(pod)).collect();
    let is_expected = |account: &str| {
        let end = format!("/ns/{namespace}/sa/{account}");
        expected.iter().any(|name| {
            let domain = name.strip_prefix("spiffe://").and_then(|name| name.strip_suffix(end.as_str()));
            domain.is_some_and(|domain| domains.contains(domain))
        })
    };
    accounts.into_iter().filter(|account| !is_expected(account)).map(str::to_owned).collect()
}

fn server_is_not_expected<'m>(
    rule: &'m Object,
    service: &Object,
    block: &ClientTls<'_>,
    expected: &[&str],
    others: &[String],
) -> Message<'m> {
    let text = format!(
        "It expects the name {} of {}, but pods there run as service account {}: calls to them fail with 503, certificate verify \
         failed.",
        names(expected),
        service.full_name(),
        names(others)
    );
    let remedy = format!(
        "Remove subjectAltNames: the mesh then expects the accounts that the pods have. Or write \
         spiffe://cluster.local/ns/{}/sa/{} with the trust domain of this mesh.",
        service.namespace(),
        others[0]
    );
    Message::new(&SEC0023, rule, text).at(block.path.clone().key("subjectAltNames")).remedy(remedy)
}
