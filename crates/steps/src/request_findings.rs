//! What a step knows beyond the log of one proxy and adds to a finding about failed requests: whether all of them fail, and
//! who the client is.

use k8s_openapi::api::core::v1::Pod;

use super::target::{self, PROXY};
use logs::{FailureGroup, Side};
use report::{Evidence, Finding};

/// So many failures without one success are no coincidence. Our choice.
const ALL: u64 = 5;
/// Fewer than one in so many is a minority. Our choice.
const MINORITY: u64 = 5;
/// Annotations by which traffic goes past the sidecar
/// (<https://istio.io/latest/docs/reference/config/annotations/>).
pub(crate) const PAST_THE_SIDECAR: [&str; 5] = [
    "traffic.sidecar.istio.io/excludeOutboundIPRanges",
    "traffic.sidecar.istio.io/excludeOutboundPorts",
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
    "traffic.sidecar.istio.io/includeOutboundPorts",
    "traffic.sidecar.istio.io/excludeInterfaces",
];

/// Who sent requests that failed.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) has_proxy: bool,
    /// Annotations that let its traffic past the sidecar, each with its value.
    pub(crate) past: Vec<(String, String)>,
    /// The `Sidecar` that limits what its proxy knows, as `namespace/name`.
    pub(crate) sidecar: Option<String>,
}

impl Client {
    pub(crate) fn of_pod(pod: &Pod) -> Self {
        let annotations = pod.metadata.annotations.iter().flatten();
        let past = annotations.filter(|(key, _)| PAST_THE_SIDECAR.contains(&key.as_str()));
        Self {
            namespace: target::namespace(pod).to_owned(),
            pod: target::name(pod).to_owned(),
            has_proxy: target::container(pod, PROXY).is_some(),
            past: past.map(|(key, value)| (key.clone(), value.clone())).collect(),
            sidecar: None,
        }
    }
}

/// Connections that the destination ends: a race where a few of many end so, and a protocol that does not fit where all
/// do.
pub(crate) fn closed_connections(failure: &FailureGroup, mut finding: Finding) -> Finding {
    if failure.explanation.decided_by != "UC" {
        return finding;
    }
    let host = failure.sample.upstream_cluster.as_ref().and_then(|cluster| cluster.host.as_deref());
    let destination = host.unwrap_or(&failure.destination);
    let port = failure.sample.upstream_cluster.as_ref().and_then(|cluster| cluster.port);
    if failure.count == failure.of && failure.of >= ALL {
        let port = port.map(|port| format!(" {port}")).unwrap_or_default();
        finding.message.push_str("; every request ends so, which is no race of idle connections");
        finding.remedy = match (failure.side, service(destination)) {
            (Side::Outbound, Some((name, namespace))) => format!(
                "Compare what the application speaks on port{port} with what the port is declared as (its name or \
                 appProtocol: http, http2, grpc, https, tcp): kubectl get service {name} --namespace {namespace} --output \
                 yaml. Then the TLS mode of the DestinationRule for {destination} with the PeerAuthentication of {namespace}: \
                 kubectl get destinationrules,peerauthentications --all-namespaces"
            ),
            _ => format!(
                "Compare what {destination} speaks on port{port} with what the port is declared as in its Service or \
                 ServiceEntry (http, http2, grpc, https, tcp)."
            ),
        };
    } else if failure.count * MINORITY < failure.of && failure.sample.duration_ms.is_some_and(|time| time <= 5) {
        finding
            .message
            .push_str("; few of many, and at once: the destination closed an idle connection that was just used again");
        finding.remedy = format!(
            "Keep idle connections shorter here than at the destination: raise the keep-alive time of the application \
             behind {destination}, or set trafficPolicy.connectionPool.http.idleTimeout below it in the DestinationRule for \
             {destination}. A retry on reset-before-request hides it for requests that may be sent twice."
        );
    }
    finding
}

/// Plain text that met TLS: what to look at depends on whether the client has a sidecar.
pub(crate) fn plain_text_client(failure: &FailureGroup, client: &Client, mut finding: Finding) -> Finding {
    if failure.explanation.decided_by != "plain_text_to_tls" {
        return finding;
    }
    let place = format!("{}/{}", client.namespace, client.pod);
    if !client.has_proxy {
        finding.message.push_str(&format!("; the client is pod {place}, which has no sidecar"));
        finding.remedy = format!(
            "Give the client a sidecar: see why it has none with istioctl experimental check-inject {} --namespace {}, set \
             the label, and restart its workload.",
            client.pod, client.namespace
        );
        return finding;
    }
    finding.message.push_str(&format!("; the client is pod {place}, which has a sidecar"));
    for (key, value) in &client.past {
        finding = finding.evidence(Evidence::new(format!("pod {place}, annotation {key}"), value.clone()));
    }
    finding.remedy = with_sidecar(client, &failure.destination);
    finding
}

/// The same for what an application's log says of resets.
pub(crate) fn with_sidecar(client: &Client, destination: &str) -> String {
    let place = format!("{}/{}", client.namespace, client.pod);
    let first = match (client.past.as_slice(), &client.sidecar) {
        ([], None) => format!(
            "its traffic to {destination} leaves unencrypted. A Host header of another host goes through \
             PassthroughCluster in plain text: istioctl proxy-config route {}.{} and its access log show where the \
             request went",
            client.pod, client.namespace
        ),
        ([], Some(sidecar)) => format!(
            "Sidecar {sidecar} limits what it knows: {destination} has to be among its egress.hosts, else the request goes \
             out in plain text. kubectl get sidecar {} --namespace {} --output yaml",
            sidecar.rsplit('/').next().unwrap_or_default(),
            sidecar.split('/').next().unwrap_or_default()
        ),
        (past, _) => {
            let keys: Vec<&str> = past.iter().map(|(key, _)| key.as_str()).collect();
            format!(
                "its annotation {} lets traffic past the sidecar: take the destination out of it and restart",
                keys.join(", ")
            )
        }
    };
    format!(
        "Pod {place} has a sidecar, so another one does not help: {first}. Else a DestinationRule switches TLS off for it: \
         kubectl get destinationrules --all-namespaces --output yaml"
    )
}

/// Name and namespace of the Service behind a host of the cluster.
fn service(host: &str) -> Option<(&str, &str)> {
    let (name, rest) = host.split_once('.')?;
    let (namespace, domain) = rest.split_once('.')?;
    domain.starts_with("svc").then_some((name, namespace))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use logs::{AccessLogLine, summary};
    use report::Subject;

    use super::*;

    fn groups(lines: &[&str]) -> Vec<(FailureGroup, Finding)> {
        let lines: Vec<_> = lines.iter().map(|line| AccessLogLine::parse(line).unwrap()).collect();
        let summary = summary::summarize(&lines);
        let findings = summary::findings(&summary, &Subject::namespaced("Pod", "shop", "web-1"));
        summary.failures.into_iter().zip(findings).collect()
    }

    const GOOD: &str = r#"[2026-03-01T10:00:00.000Z] "GET / HTTP/1.1" 200 - via_upstream - "-" 0 1 3 2 "-" "curl" "1" "cart:80" "10.0.0.2:80" outbound|80||cart.shop.svc.cluster.local 10.0.0.1:1 10.1.0.1:80 10.0.0.1:2 - default"#;
    const CLOSED: &str = r#"[2026-03-01T10:00:00.000Z] "GET / HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 2 - "-" "curl" "1" "cart:80" "10.0.0.2:80" outbound|80||cart.shop.svc.cluster.local 10.0.0.1:1 10.1.0.1:80 10.0.0.1:2 - default"#;
    const PLAIN: &str = r#"[2026-03-01T10:00:00.000Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - 10.0.0.2:8080 10.0.0.1:2 - -"#;

    #[test]
    fn closed_connections_are_a_race_or_another_protocol() {
        let text = |lines: &[&str]| {
            let (group, finding) = groups(lines).into_iter().next().unwrap();
            let finding = closed_connections(&group, finding);
            format!("{} {}", finding.message, finding.remedy)
        };
        let all = text(&[CLOSED; 6]);
        assert!(
            all.contains("every request ends so") && all.contains("kubectl get service cart --namespace shop"),
            "{all}"
        );
        let mut few = vec![GOOD; 30];
        few.push(CLOSED);
        let few = text(&few);
        assert!(few.contains("idle connection") && few.contains("idleTimeout"), "{few}");
        // Half of them may be either.
        let half = text(&[CLOSED, CLOSED, GOOD, GOOD]);
        assert!(!half.contains("every request") && !half.contains("idleTimeout"), "{half}");
    }

    #[test]
    fn a_client_with_a_sidecar_is_not_given_another() {
        let (group, finding) = groups(&[PLAIN]).into_iter().next().unwrap();
        assert_eq!(group.explanation.decided_by, "plain_text_to_tls");
        let client = |has_proxy, past: &[(&str, &str)], sidecar: Option<&str>| Client {
            namespace: "bank".to_owned(),
            pod: "till-1".to_owned(),
            has_proxy,
            past: past.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            sidecar: sidecar.map(str::to_owned),
        };
        let remedy = |client: &Client| plain_text_client(&group, client, finding.clone()).remedy;
        assert!(remedy(&client(false, &[], None)).contains("check-inject till-1 --namespace bank"));
        let past = remedy(&client(true, &[(PAST_THE_SIDECAR[1], "8080")], Some("bank/default")));
        assert!(past.contains(PAST_THE_SIDECAR[1]) && !past.contains("Give"), "{past}");
        assert!(
            remedy(&client(true, &[], Some("bank/default"))).contains("kubectl get sidecar default --namespace bank")
        );
        assert!(remedy(&client(true, &[], None)).contains("PassthroughCluster"));
    }
}
