use super::super::access_log::UpstreamCluster;
use super::*;

fn client(id: &str, code: u16, flags: &[&str], details: &str) -> AccessLogLine {
    AccessLogLine {
        start_time: Some("2026-03-01T10:00:30.500Z".into()),
        request_id: Some(id.to_owned()),
        response_code: code,
        response_flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        response_code_details: Some(details.to_owned()),
        upstream_cluster: Some(UpstreamCluster::parse("outbound|80||pay.shop.svc.cluster.local")),
        upstream_host: Some("10.0.0.2:80".into()),
        upstream_local_address: Some("10.0.0.1:4000".into()),
        authority: Some("pay.shop".into()),
        ..AccessLogLine::default()
    }
}

fn server(id: &str, code: u16, flags: &[&str], details: &str) -> AccessLogLine {
    AccessLogLine {
        upstream_cluster: Some(UpstreamCluster::parse("inbound|80||")),
        upstream_host: Some("10.0.0.2:80".into()),
        downstream_local_address: Some("10.0.0.2:80".into()),
        downstream_remote_address: Some("10.0.0.1:4000".into()),
        ..client(id, code, flags, details)
    }
}

#[track_caller]
fn check(client: AccessLogLine, servers: &[AccessLogLine], conclusion: PairConclusion, text: &str) {
    let destination = DestinationLog {
        pod: "pay-1",
        address: Some("10.0.0.2"),
        lines: servers,
        first_at: Some("2026-03-01T10:00:00.000000001Z"),
        last_at: Some("2026-03-01T10:01:00.000000001Z"),
    };
    let summary = pair(&[client], &[destination]);
    let [pair] = summary.pairs.as_slice() else { panic!("{summary:?}") };
    assert_eq!((pair.conclusion, pair.text.as_str()), (conclusion, text));
    assert_eq!(summary.failed[&conclusion], 1);
}

const RESET: &str = "upstream_reset_before_response_started{connection_termination}";

#[test]
fn missing_line_of_the_server_means_the_request_did_not_arrive() {
    check(
        client("a", 503, &["UF"], "upstream_reset_before_response_started{remote_connection_failure}"),
        &[server("b", 200, &[], "via_upstream")],
        PairConclusion::NotArrived,
        "client saw 503 UF, pay-1 has no line: the request did not arrive",
    );
}

#[test]
fn what_only_both_ends_show_is_a_finding() {
    let destination = DestinationLog {
        pod: "pay-1",
        address: Some("10.0.0.2"),
        lines: &[],
        first_at: Some("2026-03-01T10:00:00.000Z"),
        last_at: Some("2026-03-01T10:01:00.000Z"),
    };
    let lines = ["a", "b"].map(|id| client(id, 503, &["UF"], "x"));
    let subject = Subject::namespaced("Pod", "shop", "cart-1");
    let [finding] = findings(&pair(&lines, &[destination]), &subject).try_into().unwrap();
    assert_eq!(finding.message, "requests that the client sent do not arrive, 2 of 2 requests");
    assert_eq!(finding.discriminator, "pay.shop");
    assert!(finding.evidence[0].text.ends_with("pay-1 has no line: the request did not arrive"));
    assert_eq!(findings(&pair(&[client("a", 200, &[], "via_upstream")], &[destination]), &subject), []);
}

#[test]
fn log_of_another_time_or_pod_proves_nothing() {
    let unknown = "client saw 503 UF; the logs at hand do not show whether it arrived";
    let mut early = client("a", 503, &["UF"], "x");
    early.start_time = Some("2026-03-01T09:00:00.000Z".into());
    check(early, &[], PairConclusion::Unknown, unknown);
    let mut elsewhere = client("a", 503, &["UF"], "x");
    elsewhere.upstream_host = Some("10.0.0.3:80".into());
    check(elsewhere, &[], PairConclusion::Unknown, unknown);
}

#[test]
fn line_of_the_server_says_who_failed() {
    let lost = client("a", 503, &["UC"], RESET);
    check(
        lost.clone(),
        &[server("a", 200, &[], "via_upstream")],
        PairConclusion::AnswerLost,
        "client saw 503 UC, server 200: the answer did not reach the client",
    );
    let answered = client("a", 503, &[], "via_upstream");
    check(
        answered.clone(),
        &[server("a", 503, &[], "via_upstream")],
        PairConclusion::ApplicationAnswered,
        "client saw 503, server 503: the application answered so",
    );
    check(
        answered,
        &[server(
            "a",
            503,
            &["UF"],
            "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}",
        )],
        PairConclusion::ServerProxyFailed,
        "client saw 503, server 503 UF: the sidecar cannot connect to its own application; the connection was refused: nothing listens at that port",
    );
}

#[test]
fn answer_of_the_own_proxy_needs_no_line_of_the_server() {
    check(
        client("a", 503, &["UO"], "overflow"),
        &[],
        PairConclusion::AnsweredLocally,
        "client saw 503 UO, answered by its own proxy: a circuit breaker is open: the connection pool is full",
    );
}

#[test]
fn refused_connection_of_the_same_client_explains_a_reset() {
    let refused = AccessLogLine {
        request_id: None,
        response_code: 0,
        upstream_cluster: None,
        upstream_host: None,
        ..server("", 0, &["NR"], "filter_chain_not_found")
    };
    let destination = [refused];
    let destination =
        DestinationLog { pod: "pay-1", address: None, lines: &destination, first_at: None, last_at: None };
    let summary = pair(&[client("a", 503, &["UC"], RESET)], &[destination]);
    assert_eq!(summary.pairs[0].conclusion, PairConclusion::ConnectionRefused);
    assert!(summary.pairs[0].text.contains("without TLS"), "{}", summary.pairs[0].text);
}

#[test]
fn id_that_travels_on_is_not_taken_for_the_same_hop() {
    let mut other_hop = server("a", 200, &[], "via_upstream");
    other_hop.downstream_local_address = Some("10.0.0.9:80".into());
    check(
        client("a", 503, &["UF"], "x"),
        &[other_hop],
        PairConclusion::NotArrived,
        "client saw 503 UF, pay-1 has no line: the request did not arrive",
    );
}

#[test]
fn successes_are_counted_and_not_told() {
    let lines = [server("a", 200, &[], "via_upstream")];
    let destination = DestinationLog { pod: "pay-1", address: None, lines: &lines, first_at: None, last_at: None };
    let summary = pair(&[client("a", 200, &[], "via_upstream"), client("b", 200, &[], "via_upstream")], &[destination]);
    assert_eq!((summary.requests, summary.paired, summary.pairs.len()), (2, 1, 0));
}
