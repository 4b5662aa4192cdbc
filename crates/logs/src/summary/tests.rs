use super::super::access_log::UpstreamCluster;
use super::*;

fn line(code: u16, flags: &[&str], details: &str, second: u32) -> AccessLogLine {
    AccessLogLine {
        start_time: Some(format!("2026-03-01T10:00:{second:02}.000Z")),
        response_code: code,
        response_flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        response_code_details: Some(details.to_owned()),
        authority: Some("pay.shop:80".to_owned()),
        upstream_cluster: Some(UpstreamCluster::parse("outbound|80||pay.shop.svc.cluster.local")),
        ..AccessLogLine::default()
    }
}

fn pod() -> Subject {
    Subject::namespaced("Pod", "shop", "cart-1")
}

#[test]
fn failures_are_grouped_with_their_share() {
    let mut lines: Vec<AccessLogLine> = (0..6).map(|second| line(200, &[], "via_upstream", second)).collect();
    lines.extend((10..14).map(|second| line(503, &["UH"], "no_healthy_upstream", second)));
    let summary = summarize(&lines);
    assert_eq!((summary.lines, summary.outbound, summary.by_code["200"]), (10, 10, 6));
    let [group] = summary.failures.as_slice() else { panic!("{:?}", summary.failures) };
    assert_eq!((group.count, group.of), (4, 10));
    assert_eq!(group.first_at.as_deref(), Some("2026-03-01T10:00:10.000Z"));
    assert_eq!(group.last_at.as_deref(), Some("2026-03-01T10:00:13.000Z"));
    let [finding] = findings(&summary, &pod()).try_into().unwrap();
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(
        finding.message,
        "503 UH (NoHealthyUpstream) towards pay.shop:80 by outbound|80||pay.shop.svc.cluster.local, 4 of 10 requests: the cluster has no usable endpoint"
    );
    assert_eq!(finding.evidence[0].count, Some(4));
}

#[test]
fn rare_failure_is_a_warning_and_a_client_that_left_is_information() {
    let mut lines: Vec<AccessLogLine> = (0..59).map(|second| line(200, &[], "via_upstream", second)).collect();
    lines.push(line(503, &["UC"], "upstream_reset_before_response_started{connection_termination}", 59));
    lines.push(line(0, &["DC"], "downstream_remote_disconnect", 59));
    let mut severities: Vec<Severity> =
        findings(&summarize(&lines), &pod()).into_iter().map(|finding| finding.severity).collect();
    severities.sort();
    assert_eq!(severities, [Severity::Info, Severity::Warning]);
}

#[test]
fn refusal_that_nobody_gets_past_is_an_error() {
    let refused = |second| line(403, &[], "rbac_access_denied_matched_policy[none]", second);
    let all: Vec<AccessLogLine> = (0..5).map(refused).collect();
    let [finding] = findings(&summarize(&all), &pod()).try_into().unwrap();
    assert_eq!(finding.severity, Severity::Error);
    assert!(finding.message.ends_with("refuses the request; no ALLOW policy matched"), "{}", finding.message);
    let mut some = all;
    some.push(line(200, &[], "via_upstream", 9));
    assert_eq!(findings(&summarize(&some), &pod())[0].severity, Severity::Warning);
}

#[test]
fn empty_access_log_is_told_where_there_is_a_log() {
    let digest = |lines: &[&str]| super::super::digest::digest(super::super::Source::Proxy, lines.iter().copied());
    assert_eq!(access_log_empty(&digest(&[]), &pod()), None);
    let finding = access_log_empty(&digest(&["2026-03-01T10:00:00Z\tinfo\tready"]), &pod()).unwrap();
    assert_eq!(finding.severity, Severity::Info);
    let own_format = access_log_empty(&digest(&["[2026-03-01] GET /a 200", r#"{"status":200}"#]), &pod()).unwrap();
    assert!(own_format.message.ends_with("2 lines were not read"), "{}", own_format.message);
}

#[test]
fn groups_are_bounded() {
    let lines: Vec<AccessLogLine> = (0..2000)
        .map(|n| AccessLogLine { authority: Some(format!("host-{n}")), ..line(503, &["UH"], "no_healthy_upstream", 1) })
        .collect();
    let summary = summarize(&lines);
    assert_eq!((summary.failures.len(), summary.failures_not_grouped), (GROUPS, 1500));
    assert_eq!(summary.lines, 2000);
}

#[test]
fn restarted_pod_is_the_same_problem() {
    let at = |address: &str| {
        let connection = AccessLogLine {
            response_flags: vec!["NR".to_owned()],
            response_code_details: Some("filter_chain_not_found".to_owned()),
            downstream_local_address: Some(address.to_owned()),
            ..AccessLogLine::default()
        };
        findings(&summarize([&connection]), &pod())[0].discriminator.clone()
    };
    assert_eq!(at("10.0.0.1:80"), at("10.0.0.2:80"));
    assert_ne!(at("10.0.0.1:80"), at("10.0.0.1:81"));
}
