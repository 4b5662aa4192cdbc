use std::collections::BTreeMap;

use super::super::proxy_sample::{self, ProxyPod};
use super::{
    CorednsInput,
    data::{DnsCapture, ProxyDns},
    gather::{Evidence, Replica},
    judge::judge,
    metrics::DnsMetrics,
    tables,
};
use envoy::footprint::DnsCluster;
use mesh::{Extent, MeshBuilder, Settings};
use report::{Finding, Severity, Skipped};

const MESH: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: coredns-1, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {nodeName: n1, containers: [{name: coredns, resources: {limits: {memory: 100Mi}}}]}
status: {phase: Running, containerStatuses: [{name: coredns, ready: true, restartCount: 2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: coredns-2, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {nodeName: n2, containers: [{name: coredns}]}
status: {phase: Running, containerStatuses: [{name: coredns, ready: true}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
spec: {containers: [{name: istio-proxy, image: p}, {name: app}]}
status: {phase: Running, containerStatuses: [{name: istio-proxy, state: {running: {}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: pay-1, namespace: bank, labels: {app: pay}}
spec: {containers: [{name: istio-proxy, image: p}, {name: app}]}
status: {phase: Running, containerStatuses: [{name: istio-proxy, state: {running: {}}}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api, namespace: shop}
spec: {hosts: [api.example.com, b.example.com], ports: [{number: 443}, {number: 80}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: own, namespace: shop}
spec:
  hosts: [own.example.com]
  exportTo: ['.']
  ports: [{number: 443}]
  resolution: DNS
  endpoints: [{address: a.example.net}, {address: 10.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: fixed, namespace: shop}
spec: {hosts: [fixed.example.com], ports: [{number: 443}], resolution: NONE}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: shop}
spec: {host: api.example.com, subsets: [{name: v1}]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: bank}
spec: {egress: [{hosts: ['./*', 'shop/b.example.com']}]}
";

fn page(requests: u32, servfail: u32, rejects: u32) -> String {
    let ok = requests - servfail;
    format!(
        "process_start_time_seconds 1000\nprocess_resident_memory_bytes 9e7\n\
         coredns_dns_requests_total{{type=\"A\"}} {requests}\n\
         coredns_dns_responses_total{{rcode=\"NOERROR\"}} {ok}\ncoredns_dns_responses_total{{rcode=\"SERVFAIL\"}} {servfail}\n\
         coredns_dns_request_duration_seconds_bucket{{le=\"0.001\"}} {ok}\n\
         coredns_dns_request_duration_seconds_bucket{{le=\"8\"}} {requests}\n\
         coredns_dns_request_duration_seconds_bucket{{le=\"+Inf\"}} {requests}\n\
         coredns_forward_max_concurrent_rejects_total {rejects}\n"
    )
}

fn replica(pod: &str, first: &str, second: Option<&str>) -> Replica {
    let read = |page: &str| Ok(DnsMetrics::read(page));
    Replica { pod: pod.to_owned(), first: read(first), second: second.map(|page| (read(page), 10.0)), log: None }
}

fn evidence(replicas: Vec<Replica>) -> Evidence {
    let time = jiff::Timestamp::UNIX_EPOCH;
    let settings = Settings { runtime_kinds: true, live: true, extent: Extent::Whole, ..Settings::new(time) };
    let mut builder = MeshBuilder::new(settings);
    builder.add_files(&[("mesh.yaml", MESH)]);
    let mesh = builder.build();
    let proxies: Vec<ProxyPod> = proxy_sample::proxies(&mesh, &[], None);
    let unresolved = "outbound|443||b.example.com".to_owned();
    let cluster = DnsCluster { name: unresolved.clone(), ..DnsCluster::default() };
    let capture = DnsCapture { requests: 9.0, upstream_requests: 8.0, upstream_failures: 2.0 };
    let answer = ProxyDns {
        namespace: "shop".to_owned(),
        pod: "cart-1".to_owned(),
        clusters: vec![cluster],
        unresolved: vec![unresolved],
        capture: Some(capture),
    };
    let asked = proxies.iter().find(|proxy| proxy.name == "cart-1").unwrap().clone();
    Evidence {
        mesh,
        usage: Err(Skipped::new("use", "no metrics API")),
        replicas,
        proxies,
        answers: vec![(asked, Ok(answer))],
        skipped: Vec::new(),
        now: jiff::Timestamp::from_second(2000).unwrap(),
    }
}

fn codes(findings: &[Finding]) -> BTreeMap<&str, Severity> {
    findings.iter().map(|finding| (finding.code.as_ref(), finding.severity)).collect()
}

#[test]
fn two_readings_tell_the_load_of_now() {
    let replicas = vec![
        replica("coredns-1", &page(1000, 0, 5), Some(&page(2000, 100, 5))),
        replica("coredns-2", &page(1000, 0, 0), Some(&page(1100, 0, 0))),
    ];
    let judged = judge(&CorednsInput::default(), evidence(replicas));
    let load = judged.data.load.as_ref().unwrap();
    assert_eq!((load.requests, load.requests_per_s, load.servfail_percent), (1100.0, 110.0, Some(9.09)));
    let codes = codes(&judged.findings);
    assert_eq!(codes["DNS0101"], Severity::Error);
    assert_eq!(codes["DNS0100"], Severity::Warning);
    // The queries were refused before the window.
    assert_eq!(codes["DNS0102"], Severity::Warning);
    assert!(judged.findings.iter().any(|one| one.code == "DNS0104" && one.message.contains("100 queries a second")));
    assert!(judged.findings.iter().any(|one| one.code == "DNS0105" && one.message.contains("86 %")), "{codes:?}");
    assert!(tables::text(&judged.data).contains("measured over 10 s"), "{}", tables::text(&judged.data));
}

#[test]
fn one_reading_tells_averages_since_the_start() {
    let judged = judge(&CorednsInput::default(), evidence(vec![replica("coredns-2", &page(2000, 40, 0), None)]));
    let load = judged.data.load.as_ref().unwrap();
    assert_eq!((load.seconds, load.requests_per_s), (1000.0, 2.0));
    assert_eq!(codes(&judged.findings)["DNS0101"], Severity::Warning);
    assert!(tables::text(&judged.data).contains("averages since the start"), "{}", tables::text(&judged.data));
}

#[test]
fn restart_between_readings_is_no_negative_load() {
    let (before, after) = (page(5000, 0, 0), page(10, 0, 0));
    let judged = judge(&CorednsInput::default(), evidence(vec![replica("coredns-2", &before, Some(&after))]));
    assert_eq!(judged.data.load.map(|load| load.requests), Some(10.0));
}

#[test]
fn unread_metrics_are_unknown() {
    let first = Err(Skipped::new("port 9153 of kube-system/coredns-1", "connection refused"));
    let replica = Replica { pod: "coredns-1".to_owned(), first, second: None, log: None };
    let judged = judge(&CorednsInput::default(), evidence(vec![replica]));
    assert!(judged.data.load.is_none());
    assert!(judged.skipped.iter().any(|part| part.what.contains("port 9153")));
    let none = judge(&CorednsInput::default(), evidence(Vec::new()));
    assert!(codes(&none.findings).contains_key("DNS0112"));
}

#[test]
fn look_ups_are_hosts_times_ports_and_subsets_in_proxies_that_know_them() {
    let input = CorednsInput { ttl_s: Some(1), mesh_percent: Some(20), ..CorednsInput::default() };
    let both = || {
        let replica = |pod: &str| replica(pod, &page(1000, 0, 0), Some(&page(1250, 0, 0)));
        vec![replica("coredns-1"), replica("coredns-2")]
    };
    let judged = judge(&input, evidence(both()));
    let entries: Vec<_> =
        judged.data.mesh.entries.iter().map(|one| (one.name.as_str(), one.look_ups, one.proxies)).collect();
    // Two ports for each host, and once more for the subset of the first; the address of the other needs no look-up.
    assert_eq!(entries, [("api", 6, 2), ("own", 1, 1)]);
    assert_eq!((judged.data.mesh.look_ups, judged.data.mesh.queries_per_s), (13, 13.0));
    let most = judged.findings.iter().find(|finding| finding.code == "DNS0107").unwrap();
    assert!(most.message.contains("50 a second, of which that would be 26 %"), "{}", most.message);
    // Of one replica alone nothing follows for all.
    let mut one = both();
    one[1].first = Err(Skipped::new("port 9153", "refused"));
    assert!(!codes(&judge(&input, evidence(one)).findings).contains_key("DNS0107"));
    let unresolved = judged.findings.iter().find(|finding| finding.code == "DNS0111").unwrap();
    assert!(unresolved.message.contains("in 1 of 1 proxy"), "{}", unresolved.message);
    assert!(judged.findings.iter().any(|one| one.code == "DNS0110" && one.message.starts_with("2 of 8")));
}
