//! Nobody gets in without credentials, but where everybody may.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use meshtriage::api;
use serde_json::Value;

use crate::support::app::TestApp;

/// Operations that are open: health, and the explanation of problems.
const OPEN: [&str; 3] = ["livez", "readyz", "find_problem"];

/// Method, path with examples filled in, and id of every operation of the document.
pub(super) fn operations() -> Vec<(Method, String, String)> {
    let document = serde_json::to_value(api::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else { continue };
            let filled = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
            let id = operation["operationId"].as_str().unwrap().to_owned();
            operations.push((method, filled.collect::<Vec<_>>().join("/"), id));
        }
    }
    operations
}

#[tokio::test]
async fn operations_answer_401_without_credentials() {
    let app = TestApp::with_key("healthy");
    let mut open = Vec::new();
    for (method, path, id) in operations() {
        let answer = app.call(method.clone(), &path).await;
        if answer.status == StatusCode::UNAUTHORIZED {
            assert_eq!(answer.problem(), "unauthenticated", "{method} {path}");
        } else {
            open.push(id);
        }
    }
    open.sort();
    let mut expected = OPEN.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(open, expected);
}

#[tokio::test]
async fn key_opens_by_either_header() {
    let app = TestApp::with_key("healthy");
    for (name, value) in [("authorization", "Bearer let-me-in"), ("x-api-key", "let-me-in")] {
        let request = Request::get("/v1/whoami").header(name, value).body(Body::empty()).unwrap();
        let answer = app.send(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(answer.json()["user"], "tester");
    }
    let wrong = Request::get("/v1/whoami").header("authorization", "Bearer other").body(Body::empty()).unwrap();
    assert_eq!(app.send(wrong).await.problem(), "unauthenticated");
}

#[tokio::test]
async fn documentation_needs_no_internet() {
    let app = TestApp::with_key("healthy");
    for path in ["/docs", "/docs/"] {
        let page = app.get(path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.text.contains("src=\"http") && !page.text.contains("href=\"http"), "{}", page.text);
        assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "start.js"] {
        assert_eq!(app.get(&format!("/docs/{file}")).await.status, StatusCode::OK, "{file}");
    }
    assert!(app.get("/docs/start.js").await.text.contains("validatorUrl: null"));
    let document: Value = app.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}
