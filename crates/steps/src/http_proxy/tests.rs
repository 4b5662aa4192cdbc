use super::*;
use mesh::{Extent, MeshBuilder, Settings};

const MESH: &str = r"
apiVersion: v1
kind: Pod
metadata:
  name: cart-7c9-1
  namespace: shop
  labels: {pod-template-hash: 7c9}
  ownerReferences: [{kind: ReplicaSet, name: cart-7c9, controller: true}]
spec:
  containers:
  - {name: istio-proxy, image: proxyv2}
  - name: cart
    env:
    - {name: HTTPS_PROXY, value: 'http://robot:hunter2@10.1.2.3:3128'}
    - {name: NO_PROXY, value: '.svc,.cluster.local'}
---
apiVersion: v1
kind: Pod
metadata: {name: quiet, namespace: shop, annotations: {kubernetes.azure.com/no-http-proxy-vars: 'true'}}
spec: {containers: [{name: quiet}]}
";

fn judge(text: &str, input: &HttpProxiesInput) -> Judgement<HttpProxiesData> {
    let settings =
        Settings { runtime_kinds: true, extent: Extent::Whole, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) };
    let mut builder = MeshBuilder::new(settings);
    builder.add_files(&[("mesh.yaml", text)]);
    HttpProxies::judge(input, builder.build())
}

#[test]
fn proxies_are_shown_without_passwords_and_with_what_they_need() {
    let judgement = judge(MESH, &HttpProxiesInput::default());
    let [proxy] = judgement.data.proxies.as_slice() else { panic!("{:?}", judgement.data) };
    assert_eq!((proxy.host.as_str(), proxy.port, proxy.in_mesh), ("10.1.2.3", 3128, 1));
    assert_eq!(proxy.workloads, ["Deployment cart"]);
    assert!(proxy.manifest.as_deref().unwrap().contains("- 10.1.2.3/32"));
    assert_eq!(judgement.data.without_variables, ["shop/quiet"]);
    // Without REGISTRY_ONLY a proxy that no ServiceEntry names is reached all the same.
    assert!(judgement.findings.iter().all(|finding| finding.code != "EGR0003"), "{:?}", judgement.findings);
    assert!(!serde_json::to_string(&judgement.data).unwrap().contains("hunter2"));
}

#[test]
fn an_entry_that_serves_is_enough() {
    let entry = "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: proxy, namespace: shop}\n\
        spec: {hosts: [proxy.corp], addresses: [10.1.2.0/24], ports: [{number: 3128, name: tcp, protocol: TCP}]}\n";
    let judgement = judge(&format!("{MESH}{entry}"), &HttpProxiesInput::default());
    let proxy = &judgement.data.proxies[0];
    assert_eq!((proxy.entries.len(), proxy.manifest.is_none()), (1, true));
    assert!(
        judgement.findings.iter().all(|finding| finding.code != "EGR0003" && finding.code != "EGR0004"),
        "{:?}",
        judgement.findings
    );
}

#[test]
fn a_proxy_may_be_asked_about_before_it_is_used() {
    let input = HttpProxiesInput {
        namespace: vec!["bank".to_owned()],
        proxy: Some("proxy.corp:8080".to_owned()),
        ..HttpProxiesInput::default()
    };
    assert!(HttpProxies::check(&input).is_empty());
    let judgement = judge(MESH, &input);
    assert_eq!(judgement.data.proxies[0].namespace, "bank");
    assert!(judgement.data.proxies[0].manifest.is_some());
    let wrong = HttpProxiesInput { proxy: Some("http://".to_owned()), ..HttpProxiesInput::default() };
    assert_eq!(HttpProxies::check(&wrong).len(), 2);
}
