use std::collections::BTreeSet;

use super::super::access_log::UpstreamCluster;
use super::*;

fn line(code: u16, flags: &str, details: &str, cluster: &str) -> AccessLogLine {
    AccessLogLine {
        response_code: code,
        response_flags: flags.split(',').filter(|flag| !flag.is_empty()).map(str::to_owned).collect(),
        response_code_details: (!details.is_empty()).then(|| details.to_owned()),
        upstream_cluster: (!cluster.is_empty()).then(|| UpstreamCluster::parse(cluster)),
        ..AccessLogLine::default()
    }
}

const OUT: &str = "outbound|80||a.b.svc.cluster.local";
const IN: &str = "inbound|80||";

#[track_caller]
fn check(line: &AccessLogLine, decided_by: &str, reason: Option<&str>) {
    let explanation = explain(line).unwrap_or_else(|| panic!("no explanation of {line:?}"));
    assert_eq!((explanation.decided_by.as_str(), explanation.reason_id.as_deref()), (decided_by, reason));
}

#[test]
fn each_flag_of_envoy_is_known_and_codes_are_unique() {
    let tables = tables();
    let mut seen = BTreeSet::new();
    for entry in tables.flags.iter().chain(&tables.details).chain(&tables.cases) {
        assert!(seen.insert(entry.id.as_str()) && seen.insert(entry.code.as_str()), "{}", entry.id);
    }
    for flag in
        "UH UF UO NR URX NC DT DC LH UT LR UR UC DI FI RL UAEX RLSE IH SI DPE UPE UMSDR RFCF NFCF OM DF DO DR UDO"
            .split(' ')
    {
        assert!(seen.contains(flag) && flag_name(flag).is_some(), "{flag}");
        assert!(explain(&line(503, flag, "", OUT)).is_some(), "{flag}");
    }
    let reasons: BTreeSet<&str> = tables.reasons.iter().map(|reason| reason.id.as_str()).collect();
    assert_eq!(reasons.len(), tables.reasons.len());
}

#[test]
fn old_and_new_spellings_of_details_say_the_same() {
    for details in [
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}",
        "upstream_reset_before_response_started{connection_failure,delayed_connect_error:_111}",
        "upstream_reset_before_response_started{remote_connection_failure,delayed_connect_error:_111}",
    ] {
        check(&line(503, "UF", details, OUT), "UF", Some("REFUSED"));
    }
    for (details, reason) in [
        ("upstream_reset_before_response_started{connection_failure,delayed_connect_error:_110}", "TIMED_OUT"),
        (
            "upstream_reset_before_response_started{connection_failure,TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end}",
            "WRONG_VERSION_NUMBER",
        ),
        (
            "upstream_reset_before_response_started{remote_connection_failure|TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end}",
            "CERTIFICATE_VERIFY_FAILED",
        ),
    ] {
        check(&line(503, "UF", details, OUT), "UF", Some(reason));
    }
    let mut reason_alone = line(503, "UF", "", OUT);
    reason_alone.upstream_transport_failure_reason = Some("TLS error: Secret is not supplied by SDS".into());
    check(&reason_alone, "UF", Some("SECRET_NOT_SUPPLIED"));
    assert_eq!(explain(&reason_alone).unwrap().candidates[0], "sec/no-cert");
}

#[test]
fn details_that_the_catalogue_lacked_are_known() {
    check(
        &line(200, "UR", "upstream_reset_after_response_started{remote_reset}", OUT),
        "upstream_reset_after_response_started",
        Some("REMOTE_RESET"),
    );
    check(&line(503, "UO", "upstream_reset_before_response_started{overflow}", OUT), "UO", Some("OVERFLOW"));
    check(&line(503, "UR", "upstream_reset_before_response_started{remote_reset}", OUT), "UR", Some("REMOTE_RESET"));
    check(&line(429, "RL", "local_rate_limited", OUT), "local_rate_limited", None);
    check(&line(500, "RLSE", "rate_limiter_error", OUT), "rate_limiter_error", None);
    check(&line(0, "DR", "http2.remote_reset", OUT), "http2.remote_reset", None);
    check(&line(503, "DF", "dns_resolution_failure{cares_failure}", OUT), "dns_resolution_failure", None);
    check(&line(503, "OM", "overload", OUT), "overload", None);
}

#[test]
fn registry_only_is_no_unhealthy_upstream() {
    check(&line(0, "UH", "", "BlackHoleCluster"), "registry_only", None);
    let mut direct = line(502, "", "direct_response", "");
    direct.route_name = Some("block_all".into());
    check(&direct, "registry_only", None);
    assert!(explain(&direct).unwrap().candidates.contains(&"egress/registry-only".to_owned()));
}

#[test]
fn who_answered_depends_on_the_side() {
    check(&line(503, "", "via_upstream", OUT), "destination_answered", None);
    check(&line(503, "", "via_upstream", IN), "application_error", None);
    check(&line(500, "", "via_upstream", OUT), "application_error", None);
    let mut denied = line(403, "", "via_upstream", OUT);
    assert_eq!(explain(&denied), None, "the application's own answer");
    denied.bytes_sent = RBAC_BODY_BYTES;
    check(&denied, "destination_refused", None);
    let refused = "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_111}";
    let server = explain(&line(503, "URX,UF", refused, IN)).unwrap();
    assert_eq!(server.meaning, "the sidecar cannot connect to its own application");
    let client = explain(&line(503, "URX,UF", refused, OUT)).unwrap();
    assert_eq!((client.decided_by.as_str(), client.side), ("UF", Side::Outbound));
}

#[test]
fn policies_and_tokens_are_told_by_their_details() {
    check(
        &line(403, "", "rbac_access_denied_matched_policy[ns[shop]-policy[p]-rule[0]]", IN),
        "rbac_access_denied_matched_policy",
        None,
    );
    let missing = line(401, "", "jwt_authn_access_denied{Jwt_is_missing}", IN);
    check(&missing, "jwt_authn_access_denied", Some("JWT_MISSING"));
    let expired = line(401, "", "jwt_authn_access_denied{Jwt_is_expired}", IN);
    check(&expired, "jwt_authn_access_denied", Some("JWT_EXPIRED"));
    let mut refused = line(0, "", "", IN);
    refused.connection_termination_details = Some("rbac_access_denied_matched_policy[none]".into());
    check(&refused, "rbac_access_denied_matched_policy", None);
    check(&line(403, "UAEX", "ext_authz_denied", IN), "ext_authz_denied", None);
    check(&line(404, "NR", "route_not_found", ""), "route_not_found", None);
    check(&line(503, "NC", "cluster_not_found", ""), "NC", None);
}

#[test]
fn plain_text_and_wrong_server_name_are_told_apart() {
    let mut connection = line(0, "NR", "filter_chain_not_found", "");
    check(&connection, "plain_text_to_tls", None);
    connection.requested_server_name = Some("a.example.com".into());
    check(&connection, "server_name_unknown", None);
}

#[test]
fn grpc_failure_hides_behind_200() {
    let mut call = line(200, "", "via_upstream", OUT);
    assert_eq!(explain(&call), None);
    call.grpc_status = Some("14".into());
    check(&call, "grpc_status", None);
    call.grpc_status = Some("0".into());
    assert_eq!(explain(&call), None);
}

#[test]
fn successes_and_answers_of_applications_are_no_failures() {
    for (code, details) in [(200, "via_upstream"), (404, "via_upstream"), (301, "direct_response"), (0, ""), (101, "")]
    {
        assert_eq!(explain(&line(code, "", details, OUT)), None, "{code} {details}");
    }
    assert_eq!(explain(&line(0, "DC", "downstream_remote_disconnect", OUT)).unwrap().severity, Severity::Info);
}

#[test]
fn lines_before_1_9_are_judged_without_details() {
    let mut old = line(500, "", "", OUT);
    old.upstream_host = Some("10.0.0.1:80".into());
    check(&old, "application_error", None);
    check(&line(404, "NR", "", ""), "NR", None);
    check(&line(599, "XX", "unheard_of", OUT), "other_failure", None);
}
