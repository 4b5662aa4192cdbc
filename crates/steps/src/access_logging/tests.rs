use super::*;
use mesh::{Extent, MeshBuilder, Settings};

const MESH: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: cart-1
  namespace: shop
  labels: {app: cart}
  annotations: {sidecar.istio.io/status: '{"revision": "default"}'}
  ownerReferences: [{kind: StatefulSet, name: cart, controller: true}]
spec:
  containers: [{name: istio-proxy, image: proxyv2}, {name: cart, image: cart}]
status:
  conditions: [{type: Ready, status: 'True'}]
---
apiVersion: v1
kind: Pod
metadata: {name: ingress-1, namespace: istio-system, labels: {istio: ingressgateway}}
spec:
  containers: [{name: istio-proxy, image: proxyv2}]
"#;

/// A dump of one listener at each end, with this logger or none.
fn dump(client: &str, server: &str) -> Bytes {
    let listener = |direction: &str, loggers: &str| {
        format!(
            r#"{{"active_state": {{"listener": {{"traffic_direction": "{direction}", "filter_chains": [{{"filters": [
                {{"name": "envoy.filters.network.tcp_proxy", "typed_config": {{"access_log": [{loggers}]}}}}]}}]}}}}}}"#
        )
    };
    let text = format!(
        r#"{{"configs": [{{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "dynamic_listeners": [{}, {}]}}]}}"#,
        listener("OUTBOUND", client),
        listener("INBOUND", server)
    );
    Bytes::from(text)
}

const FILE: &str = r#"{"name": "envoy.access_loggers.file", "typed_config": {"path": "/dev/stdout"}}"#;

fn evidence(config: &str, page: Option<Bytes>) -> Evidence {
    let settings =
        Settings { runtime_kinds: true, extent: Extent::Whole, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) };
    let mut builder = MeshBuilder::new(settings);
    builder.mesh_config(config);
    builder.add_files(&[("mesh.yaml", MESH)]);
    let mesh = builder.build();
    let workloads = mesh_pod::workloads(&mesh, &[], None);
    let mut evidence = Evidence { mesh, workloads, loggers: BTreeMap::new(), skipped: Vec::new() };
    if let Some(page) = page {
        evidence.add("shop/cart-1".to_owned(), Ok(page));
    }
    evidence
}

fn not_as_configured(judgement: &Judgement<AccessLogsData>) -> Option<&str> {
    let finding = judgement.findings.iter().find(|finding| finding.code == "OBS0080")?;
    Some(&finding.message)
}

#[test]
fn listeners_that_do_as_configured_are_no_finding() {
    let judgement = judge::judge(evidence("accessLogFile: /dev/stdout", Some(dump(FILE, FILE))));
    assert_eq!(not_as_configured(&judgement), None);
    let cart = judgement.data.workloads.iter().find(|workload| workload.name == "cart").unwrap();
    assert_eq!((cart.as_configured, cart.manifest.as_deref()), (Some(true), None));
    assert_eq!(judgement.data.counts.logging, 2);
    let gateway = judgement.data.workloads.iter().find(|workload| workload.gateway).unwrap();
    assert!(gateway.server.is_none() && gateway.as_configured.is_none());
}

#[test]
fn listeners_that_do_otherwise_are_a_finding() {
    let silent = judge::judge(evidence("accessLogFile: /dev/stdout", Some(dump(FILE, ""))));
    let message = not_as_configured(&silent).unwrap();
    assert!(message.contains("as the server of requests, but its listeners log nothing"), "{message}");
    let talkative = judge::judge(evidence("", Some(dump(FILE, FILE))));
    assert!(not_as_configured(&talkative).unwrap().contains("logs to nothing"));
}

#[test]
fn silent_workloads_get_a_manifest() {
    let judgement = judge::judge(evidence("", None));
    let cart = judgement.data.workloads.iter().find(|workload| workload.name == "cart").unwrap();
    let manifest = cart.manifest.as_deref().unwrap();
    assert!(manifest.contains("      app: \"cart\"\n") && manifest.contains("namespace: shop"), "{manifest}");
    assert_eq!((judgement.data.counts.silent, cart.as_configured), (2, None));
}

#[test]
fn a_page_that_is_no_dump_is_skipped() {
    let judgement = judge::judge(evidence("", Some(Bytes::from_static(b"<html>"))));
    assert_eq!(judgement.skipped.iter().filter(|it| it.what.contains("shop/cart")).count(), 1);
}
