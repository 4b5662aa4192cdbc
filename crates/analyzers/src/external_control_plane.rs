//! Finds webhooks of an external control plane with an address that does not work.

use std::net::IpAddr;

use super::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "externalcontrolplane.ExternalControlPlaneAnalyzer",
    reads: &[Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration],
    reports: &[&IST0163, &IST0164],
    by_default: true,
    run,
};

static IST0163: Code = Code {
    id: "IST0163",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/setup/install/external-controlplane/",
    page: include_str!("pages/IST0163.md"),
};

static IST0164: Code = Code {
    id: "IST0164",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/setup/install/external-controlplane/",
    page: include_str!("pages/IST0164.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for configuration in mesh.each(Kind::ValidatingWebhookConfiguration) {
        let name = configuration.name();
        if name == "istiod-default-validator" || name.starts_with("istio-validator") {
            check(configuration, messages);
        }
    }
    for configuration in mesh.each(Kind::MutatingWebhookConfiguration) {
        if configuration.name().starts_with("istio-sidecar-injector") {
            check(configuration, messages);
        }
    }
}

fn check<'m>(configuration: &'m Object, messages: &mut Messages<'m>) {
    for webhook in configuration.root().get("webhooks").items() {
        let client = webhook.get("clientConfig");
        match client.get("url").text_if_any() {
            Some(url) => match host_of(url) {
                None => messages.report(address_does_not_work(
                    configuration,
                    webhook,
                    url,
                    "was provided in an invalid format",
                )),
                Some(host) if host.parse::<IpAddr>().is_ok() => {
                    messages.report(address_is_no_name(configuration, webhook, url));
                }
                Some(_) => {}
            },
            None if !client.get("service").is_set() => {
                messages.report(address_does_not_work(configuration, webhook, "", "is blank"));
            }
            None => {}
        }
    }
}

/// The host of a URL without port and brackets, empty if it has none; `None` for what Go does not take for a URL.
fn host_of(url: &str) -> Option<&str> {
    if url.chars().any(|c| c.is_ascii_control()) {
        return None;
    }
    let url = url.split('#').next().unwrap_or_default();
    let rest = match url.find([':', '/', '?']) {
        Some(at) if url.as_bytes()[at] == b':' => {
            let scheme = &url[..at];
            let mut characters = scheme.chars();
            let is_scheme = characters.next().is_some_and(|first| first.is_ascii_alphabetic())
                && characters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            // "127.0.0.1:80" and ":80" are neither a URL nor a path.
            if !is_scheme {
                return None;
            }
            &url[at + 1..]
        }
        _ => url,
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return has_valid_escapes(rest).then_some("");
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let is_host = !host.contains([' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}']);
    (is_port && is_host && has_valid_escapes(path) && has_valid_escapes(host)).then_some(host)
}

fn has_valid_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

fn address_does_not_work<'m>(configuration: &'m Object, webhook: View<'_>, url: &str, why: &str) -> Message<'m> {
    let webhook = webhook.get("name").text();
    let text = format!(
        "The hostname ({url}) that was provided for the webhook ({webhook}) to reach the ingress gateway on the \
         external control plane cluster {why}. Traffic may not flow properly."
    );
    Message::new(&IST0163, configuration, text)
}

fn address_is_no_name<'m>(configuration: &'m Object, webhook: View<'_>, url: &str) -> Message<'m> {
    let webhook = webhook.get("name").text();
    let text = format!(
        "The address ({url}) that was provided for the webhook ({webhook}) to reach the ingress gateway on the \
         external control plane cluster is an IP address. This is not recommended for a production environment."
    );
    Message::new(&IST0164, configuration, text)
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn hosts_of_urls() {
        for (url, expected) in [
            ("https://istiod.example.com:15017/inject", Some("istiod.example.com")),
            ("https://10.0.0.1/inject", Some("10.0.0.1")),
            ("https://[fd00::1]:443/", Some("fd00::1")),
            ("", Some("")),
            ("istiod.example.com/inject", Some("")),
            ("10.0.0.1:443", None),
            ("https://a b/", None),
            ("https://a/%zz", None),
            ("https://a:port/", None),
        ] {
            assert_eq!(host_of(url), expected, "{url}");
        }
    }
}
