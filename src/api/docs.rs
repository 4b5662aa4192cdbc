//! The documentation page and the document behind it, served from the binary: clusters have no internet. Nothing on the
//! page asks another host, and a policy makes the browser see to it.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    extract::Path,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use utoipa_swagger_ui::Config;

use super::{AppState, document, methods};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/// The document does not change while the program runs.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| serde_json::to_vec(&document::openapi()).expect("the document is JSON").into());

/// Addresses are relative, so that the page works behind a gateway's prefix too.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>meshtriage API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<main id="swagger-ui"></main>
<noscript>This page needs JavaScript. The document itself is at <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"#;

/// The document has the order of the checklist, which the page keeps.
const START: &str = r##"window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
"##;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/docs", get(page))
        .route("/docs/", get(page_below))
        .route("/docs/{file}", get(file))
        .route("/openapi.json", get(openapi))
        .route_layer(middleware::from_fn(methods::tagged))
}

async fn page() -> Response {
    page_of(PAGE.to_owned())
}

/// The same for who asks with a slash at the end: its addresses begin one level up.
async fn page_below() -> Response {
    page_of(PAGE.replace("<head>", "<head>\n<base href=\"../\">"))
}

fn page_of(text: String) -> Response {
    let mut response = of("text/html; charset=utf-8", text);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    response
}

async fn openapi() -> Response {
    of("application/json", DOCUMENT.clone())
}

/// A file of the page.
async fn file(Path(name): Path<String>) -> Response {
    if name == "start.js" {
        return of("text/javascript; charset=utf-8", START);
    }
    match utoipa_swagger_ui::serve(&name, Arc::new(Config::default())) {
        Ok(Some(file)) => {
            let kind = HeaderValue::from_str(&file.content_type);
            let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
            ([(header::CONTENT_TYPE, kind)], file.bytes.into_owned()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn of(kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body.into()).into_response()
}
