//! Finds `DestinationRule`s that start TLS without checking who answers.

use super::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "destinationrule.CaCertificateAnalyzer",
    reads: &[Kind::DestinationRule],
    reports: &[&IST0128, &IST0129],
    by_default: true,
    run,
};

static IST0128: Code = Code {
    id: "IST0128",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0128/",
    page: include_str!("pages/IST0128.md"),
};

static IST0129: Code = Code {
    id: "IST0129",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0129/",
    page: include_str!("pages/IST0129.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for rule in mesh.each(Kind::DestinationRule) {
        let policy = rule.spec().field("trafficPolicy");
        if trusts_anyone(rule, policy.get("tls")) {
            messages.report(server_is_not_verified(rule, policy.get("tls")));
        }
        for (settings, index) in policy.field("portLevelSettings").items().zip(0..) {
            if trusts_anyone(rule, settings.get("tls")) {
                messages.report(server_is_not_verified_at_port(rule, settings, index));
            }
        }
    }
}

fn trusts_anyone(rule: &Object, tls: View<'_>) -> bool {
    // A credential may bring its own CA, but only for the workloads that the rule selects.
    let has_credential =
        !tls.field("credentialName").text().is_empty() && rule.spec().field("workloadSelector").is_map();
    matches!(tls.get("mode").text(), "SIMPLE" | "MUTUAL")
        && tls.field("caCertificates").text().is_empty()
        && !has_credential
}

fn server_is_not_verified<'m>(rule: &'m Object, tls: View<'_>) -> Message<'m> {
    let path = Path::spec().key("trafficPolicy").key("tls").key("caCertificates");
    Message::new(&IST0128, rule, text(rule, tls)).at(path)
}

fn server_is_not_verified_at_port<'m>(rule: &'m Object, settings: View<'_>, index: usize) -> Message<'m> {
    let port = match settings.path(&["port", "number"]).integer() {
        0 => String::new(),
        number => format!("number:{number}"),
    };
    let path = Path::spec().key("trafficPolicy").key("portLevelSettings").index(index).key("tls").key("caCertificates");
    Message::new(&IST0129, rule, format!("{} at port {port}", text(rule, settings.get("tls")))).at(path)
}

fn text(rule: &Object, tls: View<'_>) -> String {
    let (name, namespace) = (rule.full_name(), rule.namespace());
    let (mode, host) = (tls.get("mode").text(), rule.spec().get("host").text());
    format!(
        "DestinationRule {name} in namespace {namespace} has TLS mode set to {mode} but no caCertificates are set to \
         validate server identity for host: {host}"
    )
}
