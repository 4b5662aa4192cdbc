//! Pages of other sites: they reach nothing here, and show nothing of it.

use axum::body::Body;
use http::{Request, StatusCode};

use crate::support::app::{Answered, TestApp};

async fn from(app: &TestApp, headers: &[(&str, &str)]) -> Answered {
    let mut request = Request::get("/v1/version");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn without_authentication_only_this_machine_is_answered() {
    let app = TestApp::over("healthy");
    for host in ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080"] {
        assert_eq!(from(&app, &[("host", host)]).await.status, StatusCode::OK, "{host}");
    }
    for host in
        ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""]
    {
        assert_eq!(from(&app, &[("host", host)]).await.problem(), "foreign_origin", "{host}");
    }
    for (origin, expected) in [
        ("http://localhost:3000", StatusCode::OK),
        ("http://127.0.0.1:8080", StatusCode::OK),
        ("https://evil.example", StatusCode::FORBIDDEN),
        ("http://localhost.evil.example", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
    ] {
        let answer = from(&app, &[("host", "localhost:8080"), ("origin", origin)]).await;
        assert_eq!(answer.status, expected, "{origin}");
    }
}

#[tokio::test]
async fn with_authentication_every_name_of_the_service_is_answered() {
    let app = TestApp::with_key("healthy");
    let headers = [("host", "meshtriage.example"), ("x-api-key", "let-me-in"), ("origin", "https://portal.example")];
    assert_eq!(from(&app, &headers).await.status, StatusCode::OK);
}

#[tokio::test]
async fn documentation_calls_nobody_and_is_framed_by_nobody() {
    let app = TestApp::over("healthy");
    let page = app.get("/docs/").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self'"), "{policy}");
    assert_eq!(page.headers["x-frame-options"], "DENY");
    assert!(!page.text.contains("<script>"), "the policy would keep it from running");
    let start = app.get("/docs/start.js").await;
    assert!(start.text.contains("validatorUrl: null"), "{}", start.text);
    let answer = app.get("/v1/version").await;
    assert!(answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
}

#[tokio::test]
async fn metrics_are_for_callers_or_on_a_port_of_their_own() {
    let app = TestApp::with_key("healthy");
    assert_eq!(app.get("/metrics").await.problem(), "unauthenticated");
    let request = Request::get("/metrics").header("x-api-key", "let-me-in").body(Body::empty()).unwrap();
    assert!(app.send(request).await.text.contains("meshtriage_http_requests"));

    let parts = crate::support::app::app(crate::support::app::recording("healthy"), meshtriage::auth::Identify::Nobody);
    let operations = TestApp { router: meshtriage::api::operations_router(std::sync::Arc::new(parts)) };
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(operations.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(operations.get("/v1/version").await.status, StatusCode::NOT_FOUND);
}
