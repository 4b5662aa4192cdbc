use super::super::proxy_sample::{self, Answer};
use super::{
    ResourceUsageInput, facts::LogFacts, facts::ProxyFacts, gather::Evidence, judge::judge, statistics, tables,
};
use crate::Judgement;
use envoy::{
    footprint::Footprint,
    server_info::{Memory, ServerInfo},
    traffic::{Traffic, UsedCluster},
};
use mesh::{Extent, Mesh, MeshBuilder, Settings};
use report::{Finding, Skipped};

const MESH: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Namespace
metadata: {name: bank, labels: {istio-injection: enabled}}
---
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: batch}
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: bank}
---
apiVersion: v1
kind: Service
metadata: {name: ledger, namespace: bank}
---
apiVersion: v1
kind: Service
metadata: {name: nightly, namespace: batch}
---
apiVersion: v1
kind: Pod
metadata:
  name: cart-5c4-x
  namespace: shop
  labels: {app: cart, pod-template-hash: 5c4}
  ownerReferences: [{kind: ReplicaSet, name: cart-5c4, controller: true}]
spec:
  containers:
  - {name: app}
  - {name: istio-proxy, image: p, resources: {requests: {cpu: 100m}, limits: {cpu: '2', memory: 100Mi}}}
status:
  phase: Running
  containerStatuses:
  - name: istio-proxy
    state: {running: {}}
    lastState: {terminated: {reason: OOMKilled, exitCode: 137}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pay, namespace: bank}
spec:
  hosts: [pay]
  http: [{route: [{destination: {host: pay}}, {destination: {host: ledger}}]}]
";

const SIDECAR: &str = r"
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec:
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  egress: [{hosts: ['./*']}]
";

fn mesh(text: &str) -> Mesh {
    let time = jiff::Timestamp::UNIX_EPOCH;
    let settings = Settings { runtime_kinds: true, live: true, extent: Extent::Whole, ..Settings::new(time) };
    let mut builder = MeshBuilder::new(settings);
    builder.add_files(&[("mesh.yaml", text)]);
    let mesh = builder.build();
    assert!(mesh.malformed().is_empty(), "{:?}", mesh.malformed());
    mesh
}

/// A dump with clusters of these services, `host/namespace`, and how many of each.
fn footprint(services: &[(&str, &str, usize)]) -> Footprint {
    let clusters = services.iter().flat_map(|(host, namespace, count)| {
        (0..*count).map(move |index| {
            let istio = serde_json::json!({"services": [{"namespace": namespace}]});
            serde_json::json!({"cluster": {"name": format!("outbound|{index}||{host}"), "type": "EDS",
                "metadata": {"filter_metadata": {"istio": istio}}}})
        })
    });
    let section = serde_json::json!({"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
        "dynamic_active_clusters": clusters.collect::<Vec<_>>()});
    Footprint::read(serde_json::json!({"configs": [section]}).to_string().as_bytes()).unwrap()
}

const CART: &str = "cart.shop.svc.cluster.local";
const PAY: &str = "pay.bank.svc.cluster.local";
const LEDGER: &str = "ledger.bank.svc.cluster.local";
const NIGHTLY: &str = "nightly.batch.svc.cluster.local";

fn facts() -> ProxyFacts {
    let used = UsedCluster { host: PAY.to_owned(), port: 9090, requests: 58, connections: 2 };
    ProxyFacts {
        info: Ok(ServerInfo { state: "LIVE".to_owned(), uptime_s: 131, concurrency: 16 }),
        memory: Ok(Memory { total_physical_bytes: 90 << 20, ..Memory::default() }),
        footprint: Ok(footprint(&[(CART, "shop", 2), (PAY, "bank", 3), (LEDGER, "bank", 1), (NIGHTLY, "batch", 200)])),
        traffic: Ok(Traffic { used: vec![used], endpoints: 7, without_hosts: Vec::new() }),
        statistics: Ok(statistics::read("istio_requests_total{path=\"/a\"} 1\n")),
        log: None,
    }
}

fn judged(text: &str, facts: ProxyFacts, input: &ResourceUsageInput) -> Judgement<super::ResourceUsageData> {
    let mesh = mesh(text);
    let proxies = proxy_sample::proxies(&mesh, &[], None);
    let answers: Vec<Answer<ProxyFacts>> = vec![(proxies[0].clone(), Ok(facts))];
    let usage = Err(Skipped::new("use", "no metrics API"));
    judge(input, Evidence { mesh, usage, proxies, answers, istiods: Vec::new(), skipped: Vec::new() })
}

#[track_caller]
fn one<'f>(findings: &'f [Finding], code: &str) -> &'f Finding {
    let found: Vec<_> = findings.iter().filter(|finding| finding.code == code).collect();
    assert_eq!(found.len(), 1, "{code}: {findings:#?}");
    found[0]
}

#[test]
fn memory_and_workers_are_compared_with_the_limits() {
    let judged = judged(MESH, facts(), &ResourceUsageInput::default());
    let memory = one(&judged.findings, "RES0100");
    assert!(memory.message.starts_with("proxy uses 90 MiB of memory, 90 % of its limit of 100 MiB"), "{memory:?}");
    assert_eq!(memory.subject.owner.as_ref().map(|owner| owner.name.as_str()), Some("cart"));
    assert!(one(&judged.findings, "RES0108").message.contains("16 worker threads with a CPU limit of 2000m"));
    assert!(one(&judged.findings, "K8S0004").message.contains("its limit of 100 MiB"));
    assert!(judged.skipped.iter().any(|part| part.what == "use"), "the CPU is unknown");
}

#[test]
fn workers_that_are_asked_for_are_the_settings_business() {
    let text = MESH.replace(
        "  labels: {app: cart",
        "  annotations: {proxy.istio.io/config: 'concurrency: 16'}\n  labels: {app: cart",
    );
    let judged = judged(&text, facts(), &ResourceUsageInput::default());
    assert!(judged.findings.iter().all(|finding| finding.code != "RES0108"));
    assert_eq!(judged.data.proxies[0].workers.configured, Some(16));
}

#[test]
fn sidecar_lists_what_is_called_and_what_its_routes_need() {
    let judged = judged(MESH, facts(), &ResourceUsageInput::default());
    let scope = &judged.data.namespaces[0];
    assert_eq!((scope.namespace.as_str(), scope.outbound_clusters, scope.called.len()), ("shop", 206, 1));
    let proposal = scope.proposal.as_ref().unwrap();
    let hosts: Vec<_> = proposal.manifest.lines().filter_map(|line| line.trim().strip_prefix("- \"")).collect();
    // The VirtualService of the host that is called sends a part of the calls to another one.
    assert_eq!(hosts, ["./*\"", "istio-system/*\"", &format!("bank/{LEDGER}\""), &format!("bank/{PAY}\"")]);
    assert_eq!((proposal.clusters_left, proposal.cuts_off.len()), (6, 0));
    let finding = one(&judged.findings, "RES0104");
    assert!(finding.message.contains("206 outbound clusters") && finding.message.contains("leave 6"), "{finding:?}");
    let wide = judged.data.mesh_wide.as_ref().unwrap();
    assert_eq!((wide.root_namespace.as_str(), wide.namespaces[0].clusters_left), ("istio-system", 2));
    let cut: Vec<_> =
        wide.namespaces[0].cuts_off.iter().map(|called| (called.host.as_str(), called.requests)).collect();
    assert_eq!(cut, [(PAY, 58)]);
    assert!(tables::text(&judged.data).contains("would cut off:\n  shop: pay.bank"), "{}", tables::text(&judged.data));
}

#[test]
fn nothing_is_proposed_where_no_call_was_seen() {
    let silent = ProxyFacts { traffic: Ok(Traffic::default()), ..facts() };
    let judged = judged(MESH, silent, &ResourceUsageInput::default());
    let scope = &judged.data.namespaces[0];
    assert!(scope.proposal.is_none() && scope.no_proposal_because.as_ref().unwrap().contains("no call"));
    assert!(judged.data.discovery_selectors.manifest.is_none());
}

#[test]
fn namespaces_that_nobody_calls_need_not_be_watched() {
    let all = judged(MESH, facts(), &ResourceUsageInput::default()).data.discovery_selectors;
    let names: Vec<_> = all.not_needed.iter().map(|one| (one.namespace.as_str(), one.services)).collect();
    assert_eq!((names, all.clusters), (vec![("batch", 1)], 200));
    assert!(all.manifest.unwrap().ends_with("    values:\n    - bank\n    - istio-system\n    - shop\n"));
    let part = ResourceUsageInput { namespace: vec!["shop".to_owned()], ..ResourceUsageInput::default() };
    assert!(judged(MESH, facts(), &part).data.discovery_selectors.manifest.is_none());
}

#[test]
fn service_that_a_sidecar_hides_is_named() {
    let log = LogFacts {
        unknown: [("pay.bank".to_owned(), 3), ("www.example.com".to_owned(), 9)].into(),
        ..LogFacts::default()
    };
    let with_log = || ProxyFacts { log: Some(Ok(log.clone())), ..facts() };
    let judged_with = judged(&format!("{MESH}{SIDECAR}"), with_log(), &ResourceUsageInput::default());
    let finding = one(&judged_with.findings, "RES0105");
    assert!(finding.message.contains("pay.bank.svc.cluster.local was called 3 times"), "{finding:?}");
    assert!(finding.remedy.contains("\"bank/pay.bank.svc.cluster.local\""), "{finding:?}");
    let without = judged(MESH, with_log(), &ResourceUsageInput::default());
    assert!(without.findings.iter().all(|finding| finding.code != "RES0105"));
}

#[test]
fn thresholds_are_inputs() {
    let input = ResourceUsageInput {
        clusters: Some(100),
        stats: Some(0),
        label_values: Some(0),
        memory_percent: Some(95),
        ..ResourceUsageInput::default()
    };
    let judged = judged(MESH, facts(), &input);
    assert!(one(&judged.findings, "RES0103").message.contains("206 clusters"));
    assert!(one(&judged.findings, "RES0106").message.contains("keeps 1 statistics"));
    assert!(one(&judged.findings, "RES0107").message.contains("label path has 1 values"));
    assert!(judged.findings.iter().all(|finding| finding.code != "RES0100"));
}

#[test]
fn pages_that_were_not_read_are_unknown() {
    let unread = || Skipped::new("/config_dump of shop/cart", "no answer within 20 s");
    let facts = ProxyFacts { footprint: Err(unread()), ..facts() };
    let judged = judged(MESH, facts, &ResourceUsageInput::default());
    assert!(judged.skipped.contains(&unread()));
    assert!(judged.data.proxies[0].size.is_none() && judged.data.namespaces[0].proposal.is_none());
}

#[test]
fn nothing_is_proposed_while_some_calls_are_unknown() {
    let unread = || Skipped::new("/clusters of shop/cart", "no answer within 20 s");
    let judged = judged(MESH, ProxyFacts { traffic: Err(unread()), ..facts() }, &ResourceUsageInput::default());
    let reasons =
        [&judged.data.namespaces[0].no_proposal_because, &judged.data.discovery_selectors.no_proposal_because];
    for reason in reasons {
        assert_eq!(reason.as_deref(), Some("the calls of 1 workload were not seen (cart)"));
    }
}
