//! What HTTP has besides the operations: HEAD, OPTIONS, tags of what seldom changes, and callers in browsers.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequestParts as _, MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use sha2::{Digest as _, Sha256};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{
    AppState,
    extract::{Caller, StepQuery},
    range::has_tag,
};
use crate::{capture::hexadecimal, steps::STEPS};

/// Paths whose GET carries out a step.
const OF_STEPS: [&str; 3] = ["/v1/kubectl/", "/v1/istioctl/", "/v1/misc/"];
/// Larger than any catalogue.
const MOST_BYTES: usize = 64 << 20;

/// HEAD of a step says how it would be answered, and does not carry it out.
pub(super) async fn head(state: AppState, request: Request, next: Next) -> Response {
    if *request.method() != Method::HEAD || !reads(request.extensions().get::<MatchedPath>()) {
        return next.run(request).await;
    }
    answer_to_head(&state, request).await
}

/// OPTIONS says which methods there are.
pub(super) async fn options(request: Request, next: Next) -> Response {
    let asked = *request.method() == Method::OPTIONS;
    let response = next.run(request).await;
    match response.headers().get(header::ALLOW).filter(|_| asked) {
        Some(allow) if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
            let allow = format!("{},OPTIONS", allow.to_str().unwrap_or_default());
            let allow = HeaderValue::from_str(&allow).unwrap_or(HeaderValue::from_static("OPTIONS"));
            (StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response()
        }
        _ => response,
    }
}

/// Whether GET of the path carries out a step.
fn reads(path: Option<&MatchedPath>) -> bool {
    let Some(path) = path.map(MatchedPath::as_str) else { return false };
    let posted = STEPS.iter().any(|step| step.about().endpoint == path && step.about().method == "POST");
    !posted && OF_STEPS.iter().any(|of| path.starts_with(of))
}

async fn answer_to_head(state: &AppState, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if let Err(error) = Caller::from_request_parts(&mut parts, state).await {
        return error.into_response();
    }
    match StepQuery::from_request_parts(&mut parts, state).await {
        Ok(query) => {
            let kind = HeaderValue::from_static(query.format.content_type());
            ([(header::CONTENT_TYPE, kind)], Body::empty()).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// Gives an answer that seldom changes a tag, and answers 304 to a caller who has it already.
pub(super) async fn tagged(request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MOST_BYTES).await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let tag = format!("\"{}\"", hexadecimal(&Sha256::digest(&bytes)[..12]));
    let value = HeaderValue::from_str(&tag).expect("hexadecimal digits");
    parts.headers.insert(header::ETAG, value);
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if has_tag(&headers, header::IF_NONE_MATCH, &tag) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Lets pages of these origins call; none unless the operator names them.
pub(super) fn cross_origin(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let name = http::HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::DELETE, Method::HEAD])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            header::IF_NONE_MATCH,
            header::RANGE,
            name("idempotency-key"),
            name("prefer"),
            name("traceparent"),
            name("x-api-key"),
            name("x-request-id"),
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::LOCATION,
            header::RETRY_AFTER,
            name("meshtriage-run"),
            name("meshtriage-verdict"),
            name("operation-location"),
            name("x-request-id"),
        ])
        .max_age(std::time::Duration::from_mins(10));
    Some(layer)
}
