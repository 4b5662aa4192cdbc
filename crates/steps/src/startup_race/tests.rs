use super::{workload::*, *};
use mesh::{Extent, MeshBuilder, Settings, Workload};

const MESH: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/rev: asm-1-30}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod-asm-1-30, namespace: aks-istio-system, labels: {app: istiod, istio.io/rev: asm-1-30}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio-asm-1-30, namespace: aks-istio-system, labels: {istio.io/rev: asm-1-30}}
data: {mesh: 'rootNamespace: aks-istio-system'}
---
apiVersion: v1
kind: Pod
metadata:
  name: cart-1
  namespace: shop
  annotations: {sidecar.istio.io/status: '{"revision": "asm-1-30"}'}
  ownerReferences: [{kind: StatefulSet, name: cart, controller: true}]
spec:
  containers:
  - {name: istio-proxy, image: proxyv2}
  - {name: cart, image: cart}
status:
  containerStatuses:
  - {name: istio-proxy, restartCount: 0, state: {running: {startedAt: '2026-01-01T00:00:02Z'}}}
  - name: cart
    restartCount: 1
    state: {running: {startedAt: '2026-01-01T00:00:20Z'}}
    lastState: {terminated: {exitCode: 1, startedAt: '2026-01-01T00:00:01Z', finishedAt: '2026-01-01T00:00:04Z'}}
---
apiVersion: v1
kind: Pod
metadata:
  name: pay-1
  namespace: shop
  annotations:
    sidecar.istio.io/status: '{"revision": "asm-1-30"}'
    proxy.istio.io/config: '{"holdApplicationUntilProxyStarts": true}'
spec:
  containers:
  - name: istio-proxy
    image: proxyv2
    lifecycle: {postStart: {exec: {command: [pilot-agent, wait]}}}
  - {name: pay, image: pay}
---
apiVersion: v1
kind: Pod
metadata: {name: front-1, namespace: shop, annotations: {sidecar.istio.io/status: '{"revision": "asm-1-30"}'}}
spec:
  initContainers: [{name: istio-proxy, image: proxyv2, restartPolicy: Always}]
  containers: [{name: front, image: front}]
"#;

fn evidence(text: &str) -> Evidence {
    let settings = Settings {
        runtime_kinds: true,
        extent: Extent::Whole,
        istio_namespace: "aks-istio-system".to_owned(),
        ..Settings::new(jiff::Timestamp::UNIX_EPOCH)
    };
    let mut builder = MeshBuilder::new(settings);
    builder.add_files(&[("mesh.yaml", text)]);
    let mesh = builder.build();
    assert!(mesh.malformed().is_empty(), "{:?}", mesh.malformed());
    let line = "dial tcp 10.0.0.1:5432: connect: connection refused";
    Evidence { mesh, lines: vec![("shop/cart-1/cart".to_owned(), Some(line.to_owned()))], skipped: Vec::new() }
}

fn codes(judgement: &Judgement<StartupRaceData>) -> Vec<&str> {
    judgement.findings.iter().map(|finding| finding.code.as_ref()).collect()
}

#[test]
fn protection_is_told_from_the_pod() {
    let Evidence { mesh, .. } = evidence(MESH);
    let of = |name| {
        let pod = mesh.find(Kind::Pod, "shop", name).unwrap();
        (protection(pod), setting(&mesh, Workload::of_pod(pod)).hold)
    };
    assert_eq!(of("cart-1"), (Some(Protection::None), false));
    assert_eq!(of("pay-1"), (Some(Protection::Held), true));
    assert_eq!(of("front-1"), (Some(Protection::NativeSidecar), false));
}

#[test]
fn early_exit_beside_the_proxy_is_a_race() {
    let judgement = judge::judge(&StartupRaceInput::default(), evidence(MESH));
    assert!(codes(&judgement).contains(&"INJ0080"), "{:?}", judgement.findings);
    let finding = judgement.findings.iter().find(|finding| finding.code == "INJ0080").unwrap();
    assert!(finding.evidence[0].text.contains("connection refused"));
    assert!(finding.remedy.contains("istio-shared-configmap-asm-1-30"), "{}", finding.remedy);
    assert_eq!(judgement.data.workloads[0].name, "cart");
}

#[test]
fn what_ends_later_is_no_race() {
    let late = MESH.replace("finishedAt: '2026-01-01T00:00:04Z'", "finishedAt: '2026-01-01T00:05:04Z'");
    assert!(!codes(&judge::judge(&StartupRaceInput::default(), evidence(&late))).contains(&"INJ0080"));
    let after = MESH.replace("startedAt: '2026-01-01T00:00:01Z'", "startedAt: '2026-01-01T00:00:13Z'");
    let after = after.replace("finishedAt: '2026-01-01T00:00:04Z'", "finishedAt: '2026-01-01T00:00:14Z'");
    assert!(!codes(&judge::judge(&StartupRaceInput::default(), evidence(&after))).contains(&"INJ0080"));
}

#[test]
fn settings_that_came_later_need_a_restart() {
    let held =
        MESH.replace("rootNamespace: aks-istio-system", "defaultConfig: {holdApplicationUntilProxyStarts: true}");
    let judgement = judge::judge(&StartupRaceInput::default(), evidence(&held));
    let cart = judgement.data.workloads.iter().find(|workload| workload.name == "cart").unwrap();
    assert!(cart.needs_restart && cart.hold.set_by == "istio-asm-1-30");
    let finding = judgement.findings.iter().find(|finding| finding.code == "INJ0080").unwrap();
    assert!(finding.remedy.contains("kubectl rollout restart statefulset cart -n shop"), "{}", finding.remedy);
}

#[test]
fn namespaces_limit_the_answer() {
    let input = StartupRaceInput { namespace: vec!["bank".to_owned()], ..StartupRaceInput::default() };
    let judgement = judge::judge(&input, evidence(MESH));
    assert!(judgement.data.workloads.is_empty() && codes(&judgement).is_empty());
}
