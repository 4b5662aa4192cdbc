//! `mesh.path` over the recordings, through the router.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::app::TestApp;

async fn path(recording: &str, from: &str, to: &str) -> Value {
    let query = serde_html_form(&[("from", from), ("to", to)]);
    let answer = TestApp::over(recording).get(&format!("/v1/mesh/path?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn serde_html_form(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn the_object_and_the_field_that_decide_are_named() {
    for (from, to, status, decided) in [
        (
            "shop/frontend",
            "http://checkout.shop:8080/",
            503,
            "VirtualService shop/checkout spec.http[0].route[0].destination",
        ),
        ("shop/cart", "http://payments.bank:9090/", 503, "DestinationRule shop/payments spec.trafficPolicy.tls.mode"),
        ("shop/frontend", "http://cart:8080/", 403, "AuthorizationPolicy shop/cart-only-mobile spec.rules"),
        ("bank/ledger", "http://cart.shop:8080/", 0, "Sidecar bank/default spec.egress"),
        ("legacy/orders", "http://inventory:8080/", 503, "Service legacy/inventory spec.ports targetPort"),
    ] {
        let answer = path("broken", from, to).await;
        let shown = &answer["data"]["paths"][0];
        let outcome = &shown["outcomes"][0];
        assert_eq!(outcome["status"].as_u64().unwrap_or_default(), status, "{from} {to}: {shown:#}");
        let by = &outcome["decided_by"];
        let words = format!("{} {}/{} {}", by["kind"], by["namespace"], by["name"], by["field"]).replace('"', "");
        assert_eq!(words, decided, "{from} {to}");
        let text = shown["text"].as_str().unwrap();
        assert!(text.lines().count() <= 12, "{text}");
        assert!(text.contains("Decided by"), "{text}");
        assert!(shown["mermaid"].as_str().unwrap().starts_with("sequenceDiagram\n"));
        assert_eq!((&shown["works"], &answer["run"]["verdict"]), (&false.into(), &"error".into()), "{from} {to}");
    }
}

#[tokio::test]
async fn what_works_is_said_to_work() {
    let answer = path("healthy", "shop/cart", "http://payments.bank:9090/").await;
    let shown = &answer["data"]["paths"][0];
    assert_eq!((&shown["works"], &shown["confidence"]), (&true.into(), &"certain".into()), "{shown:#}");
    assert_eq!(shown["outcomes"][0]["reaches"], "bank/payments");
    assert!(answer["findings"].as_array().unwrap().is_empty(), "{}", answer["findings"]);
}

#[tokio::test]
async fn logs_stand_beside_what_is_foretold() {
    let answer = path("broken", "shop/frontend", "http://checkout.shop.svc.cluster.local:8080/pay").await;
    let shown = &answer["data"]["paths"][0];
    let observed = shown["observed"].as_array().unwrap();
    assert!(observed.iter().any(|seen| seen["response_code"] == 503 && seen["response_flags"] == "NC"), "{shown:#}");
    assert!(shown["contradiction"].is_null(), "{shown:#}");
}

#[tokio::test]
async fn several_requests_at_once_with_claims() {
    let requests = [
        json!({"from": "shop/cart", "to": "http://frontend:8080/", "claims": {"iss": "https://login.invalid", "sub": "x"}}),
        json!({"from": "outside", "to": "https://shop.example.com/cart"}),
    ];
    let answer = TestApp::over("broken").post("/v1/mesh/path", &json!({"requests": requests})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    let paths = answer["data"]["paths"].as_array().unwrap();
    assert_eq!(paths[0]["outcomes"][0]["status"], 401);
    assert_eq!(paths[1]["outcomes"][0]["status"], 403);
    assert_eq!(paths[1]["confidence"], "likely", "nobody has looked where DNS outside leads");
}

#[tokio::test]
async fn inputs_are_checked() {
    let app = TestApp::over("broken");
    for wrong in [
        "",
        "from=shop/frontend",
        "from=shop&to=http://cart.shop",
        "from=shop/cart&to=ftp://x",
        "from=shop/cart&to=tcp://x",
    ] {
        let answer = app.get(&format!("/v1/mesh/path?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", answer.text);
    }
    let answer = app.get("/v1/mesh/path?from=shop/frontent&to=http://cart.shop:8080").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text);
    assert!(answer.text.contains("frontend"), "{}", answer.text);
}
