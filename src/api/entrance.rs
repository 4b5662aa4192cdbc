//! What somebody finds who knows nothing but the address: where the description, the documentation and the parts are
//! ([RFC 9727](https://www.rfc-editor.org/rfc/rfc9727), [RFC 8631](https://www.rfc-editor.org/rfc/rfc8631)).

use axum::{
    Json, Router, middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, header};
use serde_json::json;

use super::{AppState, methods};

const LINKS: &str = "</openapi.json>; rel=\"service-desc\"; type=\"application/json\", \
                     </docs>; rel=\"service-doc\"; type=\"text/html\", </readyz>; rel=\"status\"";

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(entrance))
        .route("/v1", get(entrance))
        .route("/.well-known/api-catalog", get(catalogue))
        .route_layer(middleware::from_fn(methods::tagged))
}

async fn entrance() -> Response {
    let body = json!({
        "name": "meshtriage",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Istio troubleshooting as an HTTP API",
        "links": {
            "service_desc": "/openapi.json",
            "service_doc": "/docs",
            "status": "/readyz",
            "steps": "/v1/steps",
            "runs": "/v1/runs",
            "errors": "/v1/errors",
            "codes": "/v1/codes",
            "captures": "/v1/captures",
            "whoami": "/v1/whoami",
        },
    });
    ([(header::LINK, HeaderValue::from_static(LINKS))], Json(body)).into_response()
}

async fn catalogue() -> Response {
    let body = json!({ "linkset": [{
        "anchor": "/v1",
        "service-desc": [{ "href": "/openapi.json", "type": "application/json" }],
        "service-doc": [{ "href": "/docs", "type": "text/html" }],
        "status": [{ "href": "/readyz", "type": "application/json" }],
    }] });
    let kind =
        HeaderValue::from_static("application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\"");
    ([(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}
