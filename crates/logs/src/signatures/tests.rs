use std::collections::BTreeSet;

use super::*;

#[track_caller]
fn check(source: Source, line: &str, id: &str, alternatives: &[&str]) {
    let matched = match_line(source, line).unwrap_or_else(|| panic!("no signature for {line}"));
    let others: Vec<&str> = matched.alternatives.iter().map(|other| other.id.as_str()).collect();
    assert_eq!((matched.signature.id.as_str(), others.as_slice()), (id, alternatives), "{line}");
}

#[track_caller]
fn check_message(source: Source, line: &str, message: &str) {
    let matched = match_line(source, line).unwrap_or_else(|| panic!("no signature for {line}"));
    assert_eq!(matched.signature.message(&matched.captures), message);
}

#[test]
fn each_sample_is_won_by_its_own_signature() {
    for signature in &table().signatures {
        assert!(!signature.samples.is_empty(), "{}", signature.id);
        for source in &signature.sources {
            for sample in &signature.samples {
                let won = sample
                    .lines()
                    .filter_map(|line| match_line(*source, line))
                    .any(|matched| matched.signature.id == signature.id || beats(matched.signature, signature));
                assert!(won, "{} in {source:?}: {sample}", signature.id);
            }
        }
    }
}

/// Samples whose line says something more specific too. Each is listed on purpose.
fn beats(winner: &Signature, signature: &Signature) -> bool {
    matches!(
        (signature.id.as_str(), winner.id.as_str()),
        ("istiod-key-cert", "istiod-kubernetes-credential")
            | ("proxy-terminated", "proxy-oom-kill")
            | ("proxy-x509" | "proxy-xds-upstream", "proxy-dns")
            | ("ev-csi-mount", "csi-forbidden")
    )
}

#[test]
fn ids_and_codes_are_unique_and_references_exist() {
    let table = table();
    let mut seen = BTreeSet::new();
    for signature in &table.signatures {
        assert!(seen.insert(&signature.id) && seen.insert(&signature.code), "{}", signature.id);
        assert!(signature.code.starts_with("LOG0") && signature.docs.starts_with("https://"), "{}", signature.id);
        for other in signature.before.iter().chain(&signature.recovered_by).chain(&signature.planned_after) {
            assert!(table.find(other).is_some(), "{} names {other}", signature.id);
        }
        for other in &signature.recovered_by {
            assert!(table.find(other).unwrap().normal, "{other} says that {} is over", signature.id);
        }
        let names: BTreeSet<&str> = table.patterns[table.by_id[&signature.id]].capture_names().flatten().collect();
        for group in &signature.group_by {
            assert!(names.contains(group.as_str()), "{} has no group {group}", signature.id);
        }
        for part in signature.message.split('{').skip(1) {
            let name = part.split('}').next().unwrap();
            assert!(names.contains(name), "{} has no group {name}", signature.id);
        }
        assert!(signature.normal || !signature.remedy.is_empty(), "{} says what to do", signature.id);
    }
    let codes: Vec<&str> = codes().iter().map(|code| code.id).collect();
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    assert!(codes.len() > 150);
}

#[test]
fn nothing_beats_itself_in_a_circle() {
    let table = table();
    for signature in &table.signatures {
        let mut open: Vec<&String> = signature.before.iter().collect();
        let mut reached = BTreeSet::new();
        while let Some(id) = open.pop() {
            assert_ne!(id, &signature.id);
            if reached.insert(id) {
                open.extend(&table.find(id).unwrap().before);
            }
        }
    }
}

#[test]
fn literals_are_read_off_a_pattern() {
    for (pattern, literal) in [
        (r"ADS:(?P<type>[A-Z]+): ACK ERROR (\S+)", ": ACK ERROR "),
        (r"Push debounce stable\[\d+\]", "Push debounce stable["),
        (r"(?:a|bcd) efgh?", " efg"),
        (r"x{1,200}long", "long"),
        (r"[)\]abc]+tail", "tail"),
        (r"one|two", ""),
    ] {
        assert_eq!(longest_literal(pattern), literal, "{pattern}");
    }
}

#[test]
fn more_specific_line_goes_first() {
    let secret = "warn\tads\tfailed to fetch key and certificate for kubernetes://x: found secret, but didn't have expected keys (cert and key)";
    check(Source::Istiod, secret, "istiod-secret-keys", &["istiod-kubernetes-credential", "istiod-key-cert"]);
    let forbidden = "FailedMount MountVolume.SetUp failed for volume \"cacerts\" : failed to mount secrets store objects: StatusCode=403";
    check(Source::Event, forbidden, "csi-forbidden", &["ev-csi-mount"]);
    let killed = "error\tEpoch 0 exited with error: signal: killed (OOMKilled)";
    check(Source::Proxy, killed, "proxy-oom", &["proxy-terminated", "proxy-oom-kill"]);
}

#[test]
fn older_wordings_are_known() {
    let samples = [
        "warn\tads\tADS:LDS: ACK ERROR web-1.default-12 Internal:Error adding/updating listener(s) 0.0.0.0_8080",
        "warn\tdelta\tADS:CDS: ACK ERROR web-1.default-12 Internal:Error adding/updating cluster(s) outbound|80||a",
        "warn\tads\tADS:LDS: ACK ERROR 10.1.0.3:41234 sidecar~10.1.0.3~web-1.default~x-7 (web-1.default) error_detail:<code:13 message:\"bad\">",
    ];
    for sample in samples {
        assert!(match_line(Source::Istiod, sample).unwrap().signature.id.starts_with("istiod-nack"));
    }
    for stream in [
        "gRPC config stream closed: 14, upstream connect error",
        "gRPC config stream to xds-grpc closed: 14, upstream connect error",
        "gRPC config stream to xds-grpc closed since 40s ago: 14, connection error",
    ] {
        for api in ["StreamAggregatedResources", "DeltaAggregatedResources"] {
            check(Source::Proxy, &format!("warning\tenvoy config\t{api} {stream}"), "proxy-stream-closed", &[]);
        }
    }
}

#[test]
fn planned_end_of_a_stream_is_no_problem() {
    for code in ["0, ", "13, ", "13", "0"] {
        let line =
            format!("warning\tenvoy config\tDeltaAggregatedResources gRPC config stream to xds-grpc closed: {code}");
        let matched = match_line(Source::Proxy, &line).unwrap();
        assert!(matched.signature.normal, "{line}");
    }
    let line = "warning\tenvoy config\tDeltaAggregatedResources gRPC config stream to xds-grpc closed: 130, odd";
    assert!(!match_line(Source::Proxy, line).unwrap().signature.normal);
}

#[test]
fn name_is_looked_at_before_dns_is_blamed() {
    let gone = "warn\txdsproxy\tfailed to connect to upstream istiod-asm-1-27.aks-istio-system.svc:15012: dial tcp: lookup istiod-asm-1-27.aks-istio-system.svc on 10.0.0.10:53: no such host";
    check(Source::Proxy, gone, "proxy-dns-istiod", &["proxy-xds-upstream", "proxy-dns"]);
    check_message(Source::Proxy, gone, "the Service istiod-asm-1-27.aks-istio-system.svc does not exist");
    let slow = gone.replace("no such host", "i/o timeout");
    check(Source::Proxy, &slow, "proxy-dns", &["proxy-xds-upstream"]);
    let other = "warn\tlookup kv.example.com on 10.0.0.10:53: no such host";
    check(Source::Proxy, other, "proxy-dns", &[]);
}

#[test]
fn probe_at_an_ipv6_address_is_known() {
    let line = "Startup probe failed: Get \"http://[fd00:10:244::5]:15021/healthz/ready\": dial tcp [fd00:10:244::5]:15021: connect: connection refused";
    check_message(Source::Event, line, "nothing listens at port 15021: the Startup probe is refused");
}

#[test]
fn lines_that_the_catalogue_lacked_are_known() {
    for (source, line, id) in [
        (
            Source::Istiod,
            "warn\tmodel\tFailed to GET from \"https://a/jwks\": x509: unknown. Retry in 2s",
            "istiod-jwks-get",
        ),
        (
            Source::Istiod,
            "error\tmodel\tFailed to fetch jwt public key from issuer \"https://a\"",
            "istiod-jwks-issuer",
        ),
        (Source::Istiod, "error\tmodel\tJWKS fetch failed for issuer https://a", "istiod-jwks-failed"),
        (Source::Istiod, "error\tserverca\tAuthentication failed for 10.0.0.1:1: no", "istiod-ca-auth"),
        (
            Source::Istiod,
            "warn\tads\tinvalid certificates: a/b \"kubernetes://b\": certificate is expired or not yet valid",
            "istiod-cert-validity",
        ),
        (
            Source::Istiod,
            "warn\tads\tfailed to fetch key and certificate for kubernetes://b: secret a/b not found",
            "istiod-kubernetes-credential",
        ),
        (Source::Proxy, "warn\tca\tca request failed, starting attempt 3 in 1s", "proxy-ca-request"),
        (
            Source::Proxy,
            "warn\txdsproxy\tupstream terminated with unexpected error rpc error: desc = authentication failure",
            "proxy-upstream-auth",
        ),
        (Source::Proxy, "cannot bind '0.0.0.0:443': Permission denied", "proxy-bind"),
        (Source::Proxy, "cannot bind 0.0.0.0:15090: Address already in use", "proxy-bind"),
        (Source::Proxy, "critical\tenvoy main\tunable to open file '/dev/stdout': Permission denied", "proxy-stdout"),
        (
            Source::Event,
            "FailedMount Unable to attach: unmounted volumes=[data istiod-ca-cert], unattached",
            "ev-unmounted-root",
        ),
        (
            Source::Event,
            "Unhealthy Readiness probe failed: Get \"http://a:1/\": context deadline exceeded (Client.Timeout)",
            "ev-probe-timeout",
        ),
    ] {
        assert_eq!(match_line(source, line).map(|matched| matched.signature.id.as_str()), Some(id), "{line}");
    }
}

#[test]
fn lines_of_another_source_or_of_no_interest_match_nothing() {
    assert!(match_line(Source::Coredns, "Envoy proxy is NOT ready: x").is_none());
    assert!(match_line(Source::Istiod, "info\tads\tXDS: Pushing Services:12").is_none());
    assert!(match_line(Source::Proxy, "").is_none());
}

#[test]
fn event_is_matched_by_reason_and_message() {
    let hit =
        match_event("FailedCreate", "Error creating: pods \"a\" is forbidden: exceeded quota: team, requested: cpu=1")
            .unwrap();
    assert_eq!((hit.id.as_str(), hit.message.as_str(), hit.count), ("ev-quota", "the quota team is used up", 1));
    assert!(match_event("Scheduled", "Successfully assigned a/b to c").is_none());
    assert!(match_event("", &"x\n".repeat(100_000)).is_none());
}

#[test]
fn problems_that_lines_point_to_exist() {
    let named = table().signatures.iter().map(|signature| signature.problem.as_str()).filter(|id| !id.is_empty());
    let unknown: Vec<_> = named.filter(|id| problems::find(id).is_none()).collect();
    assert!(unknown.is_empty(), "not in the catalogue: {unknown:?}");
}
