//! The alerts of TLS, and how each library spells them: one alert is one fault, whoever prints it.

/// An alert of [RFC 8446][rfc].
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc8446#section-6
struct Alert {
    /// Its name in the standard, which Java prints.
    name: &'static str,
    number: u8,
    /// What Go prints behind `tls: `.
    go: &'static str,
}

const ALERTS: [Alert; 9] = [
    Alert { name: "handshake_failure", number: 40, go: "handshake failure" },
    Alert { name: "bad_certificate", number: 42, go: "bad certificate" },
    Alert { name: "certificate_expired", number: 45, go: "expired certificate" },
    Alert { name: "certificate_unknown", number: 46, go: "unknown certificate" },
    Alert { name: "unknown_ca", number: 48, go: "unknown certificate authority" },
    Alert { name: "protocol_version", number: 70, go: "protocol version not supported" },
    Alert { name: "unrecognized_name", number: 112, go: "unrecognized name" },
    Alert { name: "certificate_required", number: 116, go: "certificate required" },
    Alert { name: "no_application_protocol", number: 120, go: "no application protocol" },
];

/// Every wording of an alert; nothing for a name that is none.
pub(super) fn wordings(name: &str) -> Vec<String> {
    let Some(Alert { name, number, go }) = ALERTS.iter().find(|alert| alert.name == name) else { return Vec::new() };
    let words = name.replace('_', " ");
    vec![
        // OpenSSL, with `tlsv1`, `sslv3`, `tlsv13` or `ssl/tls` before it.
        format!("alert {words}"),
        format!("SSL alert number {number}"),
        // BoringSSL and Node, with the same before it.
        format!("_ALERT_{}", name.to_ascii_uppercase()),
        // Java.
        format!("Received fatal alert: {name}"),
        // rustls.
        format!("received fatal alert: {}", name.replace('_', "")),
        // Go.
        format!("remote error: tls: {go}"),
        // GnuTLS.
        format!("received alert [{number}]"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_library_has_its_wording() {
        let all = wordings("unknown_ca").join("\n");
        for part in
            ["alert unknown ca", "_ALERT_UNKNOWN_CA", "alert: unknown_ca", "alert: unknownca", "authority", "48"]
        {
            assert!(all.contains(part), "{part} in {all}");
        }
        assert!(wordings("no_such_alert").is_empty());
    }
}
