//! Rules on [`ClientTLSSettings`](https://istio.io/latest/docs/reference/config/networking/destination-rule/#ClientTLSSettings).

use super::super::fields::Fields;
use super::super::message::traffic_policy::CLIENT_TLS_MODE;
use super::super::problem::Outcome;
use super::super::value::Check;
use super::super::value::text::quoted;

const CONFIG_MAP: &str = "configmap://";

pub(in super::super) fn check(outcome: &mut Outcome, namespace: &str, tls: Option<Fields>) {
    let Some(tls) = tls else { return };
    let mode = tls.choice("mode", &CLIENT_TLS_MODE);
    let credential = tls.text("credentialName");
    if let Some(reference) = credential.strip_prefix(CONFIG_MAP)
        && let Err(error) = config_map(reference, namespace)
    {
        outcome.error(format!("invalid configmap:// credentialName: {error}"));
    }
    let (authorities, names) = (tls.has_text("caCertificates"), tls.count("subjectAltNames") > 0);
    if tls.flag("insecureSkipVerify") {
        if mode.is("SIMPLE") && (authorities || !credential.is_empty() || names) {
            outcome.error(
                "cannot specify CaCertificates or CredentialName or SubjectAltNames when InsecureSkipVerify is set \
                 true",
            );
        }
        if mode.is("MUTUAL") && (authorities || names) {
            outcome.error("cannot specify CaCertificates or SubjectAltNames when InsecureSkipVerify is set true");
        }
    }
    if mode.is_any(&["SIMPLE", "MUTUAL"]) && !credential.is_empty() {
        let files = ["clientCertificate", "caCertificates", "privateKey", "caCrl"];
        if files.iter().any(|file| tls.has_text(file)) {
            outcome.error("cannot specify client certificates or CA certificate or CA CRL If credentialName is set");
        }
        return;
    }
    if mode.is("MUTUAL") {
        if !tls.has_text("clientCertificate") {
            outcome.error("client certificate required for mutual tls");
        }
        if !tls.has_text("privateKey") {
            outcome.error("private key required for mutual tls");
        }
    }
}

/// A reference to a `ConfigMap`, `namespace/name`, which only the own namespace may hold.
fn config_map(reference: &str, namespace: &str) -> Check {
    let parts = reference.split_once('/').filter(|(of, name)| !of.is_empty() && !name.is_empty());
    let Some((of, _)) = parts else {
        let whole = quoted(&format!("{CONFIG_MAP}{reference}"));
        return Err(format!("invalid resource name {whole}. Expected namespace and name"));
    };
    if namespace.is_empty() || of != namespace {
        return Err(format!("namespace must match the configuration namespace {}", quoted(namespace)));
    }
    Ok(())
}
