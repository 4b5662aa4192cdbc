//! Plain YAML as a recording.

use meshtriage::capture::{Capture, Error, Kind, Limits};

use super::{get, json, names, open};

const OBJECTS: &str = "
# A comment, then documents of any kind.
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: cart
spec:
  hosts: [cart]
--- # the next one is broken
apiVersion: v1
kind: [
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
---
not: an object
---
apiVersion: v1
kind: List
items:
- apiVersion: example.com/v1
  kind: Policy
  metadata: {name: one, namespace: shop}
";

#[tokio::test]
async fn a_folder_of_yaml_is_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("more")).unwrap();
    std::fs::write(folder.path().join("objects.yaml"), OBJECTS).unwrap();
    let pods = r#"{"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "a", "namespace": "shop", "creationTimestamp": "2026-01-02T03:04:05Z"}}]}"#;
    std::fs::write(folder.path().join("more/pods.json"), pods).unwrap();
    std::fs::write(folder.path().join("README.md"), "apiVersion: this is text").unwrap();
    let capture = open(folder.path());
    assert_eq!(capture.kind(), Kind::Yaml);
    assert_eq!(capture.recorded_at().unwrap().to_string(), "2026-01-02T03:04:05Z");
    let client = capture.client();
    assert_eq!(names(&json(&client, "/api/v1/namespaces/shop/services").await), ["cart"]);
    assert_eq!(names(&json(&client, "/api/v1/namespaces/shop/pods").await), ["a"]);
    for version in ["v1", "v1beta1", "v1alpha3"] {
        let path = format!("/apis/networking.istio.io/{version}/namespaces/default/virtualservices/cart");
        assert_eq!(json(&client, &path).await["apiVersion"], format!("networking.istio.io/{version}"));
    }
    assert_eq!(names(&json(&client, "/apis/example.com/v1/policies").await), ["one"]);
    assert!(names(&json(&client, "/apis/networking.istio.io/v1/gateways").await).is_empty());
    assert_eq!(get(&client, "/api/v1/nodes", "*/*").await.0, 503);
    let discovery = kube::Discovery::new(client).run().await.unwrap();
    assert!(discovery.has_group("networking.istio.io") && discovery.has_group("example.com"));
    let skipped =
        capture.skipped().iter().map(|skipped| format!("{}: {}", skipped.what, skipped.why)).collect::<Vec<_>>();
    for expected in [
        "objects.yaml:14: no valid YAML",
        "objects.yaml:17: an object of this kind",
        "objects.yaml:21: no Kubernetes object",
    ] {
        assert!(skipped.iter().any(|found| found.starts_with(expected)), "{expected}: {skipped:#?}");
    }
}

#[test]
fn a_single_file_opens_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("objects.txt");
    std::fs::write(&file, OBJECTS).unwrap();
    assert_eq!(open(&file).kind(), Kind::Yaml);
}

#[test]
fn deep_and_swelling_documents_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let mut swelling = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        swelling.extend([format!("a{level}: &a{level} ["), [before.as_str(); 9].join(", "), "]\n".to_owned()]);
    }
    let deep = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let block = (0..2000).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n");
    let json = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for (name, content) in
        [("swelling.yaml", swelling), ("deep.yaml", deep), ("block.yaml", block), ("deep.json", json)]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        let error = Capture::open(&file, &Limits::default()).err().unwrap();
        assert!(matches!(error, Error::NotACapture { .. }), "{name}: {error}");
    }
}
