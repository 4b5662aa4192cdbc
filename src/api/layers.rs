//! What happens around every request: its id, its log line, its numbers, and the body of a problem.

use std::{any::Any, time::Instant};

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use uuid::Uuid;

use super::{
    AppState,
    error::{self, ApiError},
};
use crate::redact::redact_text;

pub(super) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROBLEM: &str = "application/problem+json";

/// What may be shown of an answer in a browser: nothing that it names, and not within a page of somebody else.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// Without authentication, only this machine is answered: a page of another site could send its visitor's browser here,
/// under a name that it has made to stand for a loopback address.
pub(super) async fn only_this_machine(state: AppState, request: Request, next: Next) -> Response {
    if !state.identify.is_open() {
        return next.run(request).await;
    }
    let headers = request.headers();
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let is_ours = |origin: &str| {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(is_this_machine)
    };
    let is_named = headers.get(header::ORIGIN).is_some_and(|origin| state.cors_origins.contains(origin));
    if host.is_none_or(is_this_machine) && (is_named || origin.is_none_or(is_ours)) {
        return next.run(request).await;
    }
    ApiError::new(error::FOREIGN_ORIGIN, error::FOREIGN_ORIGIN.about).into_response()
}

/// Whether a name with or without a port is one of this machine.
fn is_this_machine(host: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]")
}

/// The outermost layer.
pub(super) async fn around(state: AppState, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", |path| path.as_str()).to_owned();
    let plain_json = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "errors=json"));
    let id = request_id(&request);
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID.clone(), value);
    }

    let mut response = with_problem(next.run(request).await, &path, &id, plain_json);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID.clone(), value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    // The documentation has a policy of its own.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));

    let status = response.status();
    let elapsed = started.elapsed();
    state.metrics.request(&method, &route, status, elapsed.as_secs_f64());
    if !matches!(path.as_str(), "/livez" | "/readyz" | "/metrics") {
        let ms = elapsed.as_millis();
        tracing::info!(request.id = %id, %status, ms, "{method} {route} answered {status} in {ms} ms");
    }
    response
}

/// The caller's own id where it is one, else a new one.
fn request_id(request: &Request) -> String {
    let own = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let traced = request.headers().get("traceparent").and_then(|value| value.to_str().ok()).and_then(trace);
    own.filter(plain).or(traced).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// The trace that the request is part of (<https://www.w3.org/TR/trace-context/>): its log line is found by it.
fn trace(parent: &str) -> Option<&str> {
    let (_, rest) = parent.split_once('-')?;
    let id = rest.split('-').next()?;
    let good = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) && id.bytes().any(|b| b != b'0');
    good.then_some(id)
}

/// Gives an error its body. What axum itself refuses has none of ours yet.
fn with_problem(response: Response, path: &str, id: &str, plain_json: bool) -> Response {
    let status = response.status();
    let ours = response.extensions().get::<ApiError>().cloned();
    let error = match ours {
        Some(error) => ApiError { detail: redact_text(&error.detail).into_owned(), ..error },
        None if (status.is_client_error() || status.is_server_error()) && !has_body(&response) => bare(status),
        None => return response,
    };
    let body = serde_json::to_vec(&error.problem(path, id)).expect("a problem is JSON");
    let mut answer = (error.kind.status, Body::from(body)).into_response();
    let content_type = if plain_json { "application/json" } else { PROBLEM };
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if error.kind == error::UNAUTHENTICATED {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(size) = response.headers().get(header::CONTENT_RANGE) {
        answer.headers_mut().insert(header::CONTENT_RANGE, size.clone());
    }
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    answer
}

fn has_body(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|value| {
        let known = [PROBLEM, "application/json"];
        value.to_str().is_ok_and(|value| known.iter().any(|known| value.starts_with(known)))
    })
}

fn bare(status: StatusCode) -> ApiError {
    let kind = match status {
        StatusCode::NOT_FOUND => error::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => error::METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE => error::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => error::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => error::CLUSTER_TIMEOUT,
        StatusCode::SERVICE_UNAVAILABLE => error::OVERLOADED,
        other if other.is_client_error() => error::INVALID_REQUEST,
        _ => error::INTERNAL,
    };
    ApiError::new(kind, kind.about)
}

/// Turns a panic into a problem; the log says where.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!("a handler panicked: {what}");
    ApiError::new(error::INTERNAL, error::INTERNAL.about).into_response()
}
