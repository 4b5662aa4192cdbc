//! Access logs in a format of the mesh's own: flags, details, clusters, methods and codes are told by their values, which
//! nothing else looks like. What cannot be told apart so (two addresses, two durations) is left out.

use serde_json::Value;

use super::{AccessLogLine, UpstreamCluster, flags, path};
use crate::flags::{is_detail, is_flags};

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

impl AccessLogLine {
    /// Reads a line of a proxy whose format is unknown; `None` where it has no request, or nothing that only Envoy writes.
    pub(crate) fn by_values(line: &str) -> Option<Self> {
        let mut found = Self::default();
        if let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line) {
            for (name, value) in &object {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => continue,
                };
                found.take_named(&name.to_ascii_lowercase(), &text);
            }
        } else {
            found.take_words(line);
        }
        // A request and its code alone may be a line of any server.
        let envoys = found.upstream_cluster.is_some()
            || found.response_code_details.is_some()
            || !found.response_flags.is_empty();
        let request = found.method.is_some() || found.upstream_cluster.is_some();
        (envoys && request).then_some(found)
    }

    fn take_named(&mut self, name: &str, text: &str) {
        if self.take_value(text) {
            return;
        }
        if name.contains("code") || name.contains("status") {
            if let Some(code) = code(text) {
                if name.contains("grpc") {
                    self.grpc_status = Some(text.to_owned());
                } else {
                    self.response_code = code;
                }
            }
        } else if name.contains("authority") || name == "host" {
            self.authority = super::some(text);
        } else if name.contains("path") || name.contains("uri") {
            self.path = path(text);
        } else if name.contains("failure") {
            self.upstream_transport_failure_reason = super::some(text);
        } else if name.contains("duration") {
            self.duration_ms = text.parse().ok();
        }
    }

    fn take_words(&mut self, line: &str) {
        let mut after_request = false;
        for word in line.split([' ', '\t', '"', ',', ';', '[', ']']).filter_map(|word| word.rsplit('=').next()) {
            if word.starts_with('/') && self.method.is_some() && self.path.is_none() {
                self.path = path(word);
            } else if word.starts_with("HTTP/") {
                self.protocol = Some(word.to_owned());
                after_request = true;
            } else if after_request && self.response_code == 0 && word.len() == 3 && code(word).is_some() {
                self.response_code = code(word).unwrap_or_default();
            } else {
                self.take_value(word);
            }
        }
    }

    /// Takes a value that tells itself what it is.
    fn take_value(&mut self, word: &str) -> bool {
        if METHODS.contains(&word) && self.method.is_none() {
            self.method = Some(word.to_owned());
        } else if self.upstream_cluster.is_none() && is_cluster(word) {
            self.upstream_cluster = Some(UpstreamCluster::parse(word));
        } else if self.response_code_details.is_none() && is_detail(word) {
            self.response_code_details = Some(word.to_owned());
        } else if self.response_flags.is_empty() && is_flags(word) {
            self.response_flags = flags(word);
        } else {
            return false;
        }
        true
    }
}

fn is_cluster(word: &str) -> bool {
    let own = word.starts_with("outbound|") || word.starts_with("inbound|");
    own || matches!(word, "PassthroughCluster" | "BlackHoleCluster" | "InboundPassthroughCluster")
}

fn code(text: &str) -> Option<u16> {
    text.parse().ok().filter(|code| (100..600).contains(code) || *code == 0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_by_their_values() {
        let text = r#"[2026-03-01T10:00:00Z] 10.244.1.7 "GET /cart?id=1 HTTP/1.1" 503 UF upstream_reset_before_response_started{remote_connection_failure} outbound|8080||cart.shop.svc.cluster.local 12ms"#;
        let line = AccessLogLine::by_values(text).unwrap();
        assert_eq!((line.method.as_deref(), line.response_code), (Some("GET"), 503));
        assert_eq!(line.response_flags, ["UF"]);
        assert_eq!(line.upstream_cluster.unwrap().host.as_deref(), Some("cart.shop.svc.cluster.local"));
        assert!(line.response_code_details.unwrap().starts_with("upstream_reset_before"));
        let json = r#"{"m":"POST","uri":"/pay","status_code":"403","fl":"-","why":"rbac_access_denied_matched_policy[none]","up":"inbound|8080||"}"#;
        let line = AccessLogLine::by_values(json).unwrap();
        assert_eq!(
            (line.method.as_deref(), line.response_code, line.path.as_deref()),
            (Some("POST"), 403, Some("/pay"))
        );
        assert!(line.response_code_details.unwrap().starts_with("rbac_access_denied"));
    }

    #[test]
    fn lines_of_other_servers_are_none() {
        for line in [
            r#"10.0.0.1 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8.5.0""#,
            "GET ready",
            r#"{"msg":"started"}"#,
            "",
        ] {
            assert_eq!(AccessLogLine::by_values(line), None, "{line}");
        }
    }
}
