//! Rules on [`ServerTLSSettings`](https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings).

use std::collections::BTreeSet;

use super::fields::Fields;
use super::message::networking::{SERVER_TLS_MODE, TLS_PROTOCOL};
use super::problem::Outcome;
use super::value::text::list;

const CIPHER_SUITES: [&str; 15] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

pub(super) fn check(outcome: &mut Outcome, tls: Option<Fields>) {
    let Some(tls) = tls else { return };
    let oldest = tls.choice("minProtocolVersion", &TLS_PROTOCOL);
    if oldest.is_any(&["TLSV1_0", "TLSV1_1"]) && tls.count("cipherSuites") == 0 {
        outcome.warning(
            "TLS version below TLSV1_2 require setting compatible ciphers as by default they no longer include \
             compatible ciphers.",
        );
    }
    cipher_suites(outcome, tls);

    let mode = tls.choice("mode", &SERVER_TLS_MODE);
    let certificates: Vec<_> = tls.list("tlsCertificates").collect();
    let credentials = tls.count("credentialNames") > 0;
    let set = |field: &str| match field {
        "tlsCertificates" => !certificates.is_empty(),
        "credentialNames" => credentials,
        _ => tls.has_text(field),
    };
    if mode.is("ISTIO_MUTUAL") {
        for (field, what) in [
            ("serverCertificate", "server certificate"),
            ("privateKey", "private key"),
            ("caCertificates", "CA bundle"),
            ("tlsCertificates", "tlsCertificates"),
            ("credentialName", "credentialName"),
            ("credentialNames", "credentialNames"),
        ] {
            if set(field) {
                outcome.error(format!("ISTIO_MUTUAL TLS cannot have associated {what}"));
            }
        }
        return;
    }
    let own = [
        "caCrl",
        "serverCertificate",
        "privateKey",
        "caCertificates",
        "tlsCertificates",
        "credentialName",
        "credentialNames",
    ];
    if mode.is_any(&["PASSTHROUGH", "AUTO_PASSTHROUGH"]) && own.into_iter().any(set) {
        outcome.warning(format!("{mode} mode does not use certificates, they will be ignored"));
    }
    let sources =
        [set("serverCertificate") && set("privateKey"), set("credentialName"), credentials, !certificates.is_empty()];
    if sources.into_iter().filter(|source| *source).count() > 1 {
        outcome.error(
            "only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should \
             be specified",
        );
    }
    let terminates = mode.is_any(&["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"]);
    if terminates && (set("credentialName") || credentials) {
        return;
    }
    if terminates {
        let protocol = if mode.is("SIMPLE") { "SIMPLE TLS" } else { "MUTUAL TLS" };
        if !mode.is("SIMPLE") && !set("caCertificates") {
            outcome.error(format!("{protocol} requires a client CA bundle"));
        }
        if certificates.len() > 2 {
            outcome.warning(format!("{protocol} can support up to 2 server certificates"));
        }
        if certificates.is_empty() {
            pair(outcome, protocol, tls);
        }
        for certificate in certificates {
            pair(outcome, protocol, certificate.unwrap_or(Fields::NONE));
        }
    }
    if tls.has_text("caCrl") {
        if tls.has_text("credentialName") {
            outcome.error("CRL is not supported with credentialName. CRL has to be specified in the credential");
        }
        if mode.is("SIMPLE") {
            outcome.error("CRL is not supported with SIMPLE TLS");
        }
    }
}

fn pair(outcome: &mut Outcome, protocol: &str, certificate: Fields) {
    if !certificate.has_text("serverCertificate") {
        outcome.error(format!("{protocol} requires a server certificate"));
    }
    if !certificate.has_text("privateKey") {
        outcome.error(format!("{protocol} requires a private key"));
    }
}

fn cipher_suites(outcome: &mut Outcome, tls: Fields) {
    let (mut seen, mut invalid, mut duplicate) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for suite in tls.texts("cipherSuites") {
        // What begins with a sign is an expression of BoringSSL, which nobody checks.
        let expression = !suite.starts_with(|first: char| first.is_alphanumeric());
        if !(expression || suite == "ALL" || CIPHER_SUITES.contains(&suite)) {
            invalid.insert(suite);
        } else if !seen.insert(suite) {
            duplicate.insert(suite);
        }
    }
    if !invalid.is_empty() {
        outcome.warning(format!("ignoring invalid cipher suites: {}", list(invalid)));
    }
    if !duplicate.is_empty() {
        outcome.warning(format!("ignoring duplicate cipher suites: {}", list(duplicate)));
    }
}
