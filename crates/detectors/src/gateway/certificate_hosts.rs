//! Finds gateways whose certificate is for other hosts than theirs.

use super::presented::{Presented, READS, presented};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Certificate, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "gw/cert-hostname", reads: READS, reports: &[&GWY0009], by_default: true, run },
};

static GWY0009: Code = Code {
    id: "GWY0009",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-secure-gateway",
    page: include_str!("pages/GWY0009.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for presented in presented(mesh) {
        let own = presented.secrets.iter().filter_map(|secret| Certificate::all_in(secret).into_iter().next());
        let own: Vec<Certificate> = own.collect();
        let is_covered = |host: &str| own.iter().any(|certificate| certificate.covers(host));
        // A server for any host is asked for what nobody can know here.
        let hosts = presented.hosts.iter().filter(|host| **host != "*" && !is_covered(host));
        let hosts: Vec<&str> = hosts.copied().collect();
        if !hosts.is_empty() && !own.is_empty() {
            messages.report(are_for_others(&presented, &own, &hosts));
        }
    }
}

fn are_for_others<'m>(presented: &Presented<'m>, own: &[Certificate], hosts: &[&str]) -> Message<'m> {
    let names: Vec<&str> = own.iter().flat_map(|certificate| &certificate.names).map(String::as_str).collect();
    let names = if names.is_empty() {
        "no host (it has no subject alternative names, and clients do not look at the common name)".to_owned()
    } else {
        names.join(", ")
    };
    let secrets: Vec<String> = presented.secrets.iter().map(|secret| secret.full_name()).collect();
    let (secrets, hosts) = (secrets.join(", "), hosts.join(", "));
    let text =
        format!("Serves {hosts} with the certificate of Secret {secrets}, which is for {names}: clients refuse it.");
    let remedy = format!("Put a certificate with the subject alternative name {hosts} into Secret {secrets}.");
    Message::new(&GWY0009, presented.gateway, text).at(presented.path.clone()).remedy(remedy)
}
