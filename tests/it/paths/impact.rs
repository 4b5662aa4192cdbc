//! `mesh.impact`: what a change would do, told before it is applied.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::app::TestApp;

async fn impact(recording: &str, body: &Value) -> Value {
    let answer = TestApp::over(recording).post("/v1/mesh/impact", body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn file(content: &str) -> Value {
    json!({"files": [{"name": "change.yaml", "content": content}]})
}

const TLS_OFF: &str = r"
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payments, namespace: shop}
spec:
  host: payments.bank.svc.cluster.local
  trafficPolicy: {tls: {mode: DISABLE}}
";

#[tokio::test]
async fn what_would_break_comes_first_with_the_file_and_the_line() {
    let answer = impact("healthy", &file(TLS_OFF)).await;
    let data = &answer["data"];
    assert_eq!((&data["breaks"], &data["changed"][0]), (&true.into(), &"DestinationRule shop/payments".into()));
    let first = &data["differences"][0];
    assert_eq!((&first["effect"], &first["from"][0]), (&"breaks".into(), &"shop/cart".into()), "{data:#}");
    assert_eq!((&first["before"]["result"], &first["after"]["result"]), (&"delivered".into(), &"503".into()));
    assert_eq!(first["decided_by"]["field"], "spec.trafficPolicy.tls.mode");
    assert_eq!(first["file"], "change.yaml:2");
    let finding = &answer["findings"][0];
    assert_eq!((&finding["code"], &finding["severity"]), (&"PTH0101".into(), &"error".into()), "{finding}");
    assert_eq!(answer["run"]["verdict"], "error");
}

#[tokio::test]
async fn requests_that_are_really_made_are_counted() {
    let answer = impact("healthy", &file(TLS_OFF)).await;
    let differences = answer["data"]["differences"].as_array().unwrap();
    assert!(differences.iter().any(|it| it["seen"].as_u64() > Some(0)), "{differences:#?}");
}

#[tokio::test]
async fn a_deletion_may_mend() {
    let body = json!({"delete": ["VirtualService shop/checkout"], "without_logs": true});
    let answer = impact("broken", &body).await;
    let data = &answer["data"];
    assert_eq!(data["breaks"], false, "{data:#}");
    let mended = data["differences"].as_array().unwrap().iter().find(|it| it["effect"] == "mends").unwrap();
    assert!(mended["to"].as_str().unwrap().contains("checkout.shop"), "{mended}");
    assert_eq!(mended["after"]["result"], "delivered");
}

#[tokio::test]
async fn what_is_already_there_changes_nothing() {
    let broken = r"
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: other, namespace: tools}
spec: {host: nowhere.example.com}
";
    let answer = impact("broken", &file(broken)).await;
    assert_eq!(answer["data"]["differences"], json!([]), "{answer:#}");
    assert_eq!(answer["data"]["breaks"], false);
}

#[tokio::test]
async fn a_sidecar_that_hides_hosts_is_told_for_its_namespace() {
    let sidecar = r"
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec:
  egress: [{hosts: ['./*']}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
";
    let answer = impact("healthy", &file(sidecar)).await;
    let differences = answer["data"]["differences"].as_array().unwrap();
    let broken: Vec<_> = differences.iter().filter(|it| it["effect"] == "breaks").collect();
    assert!(broken.iter().any(|it| it["to"].as_str().unwrap().contains("payments.bank")), "{differences:#?}");
    let callers = broken.iter().flat_map(|it| it["from"].as_array().unwrap());
    assert!(
        callers.clone().count() > 0 && callers.into_iter().all(|from| from.as_str().unwrap().starts_with("shop/")),
        "{broken:#?}"
    );
}

#[tokio::test]
async fn inputs_are_checked() {
    let app = TestApp::over("broken");
    for (body, status) in [
        (json!({}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"delete": ["Nothing shop/x"]}), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({"delete": ["VirtualService shop/nothing"]}), StatusCode::NOT_FOUND),
    ] {
        let answer = app.post("/v1/mesh/impact", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
}
