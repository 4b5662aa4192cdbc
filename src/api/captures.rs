//! Captures that callers upload, to look at them with any step that reads.

use axum::{
    Json,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, NoParameters, PathOf, StepQuery, next_page},
};
use crate::{
    auth::Access,
    steps::Invalid,
    uploads::{self, Offer, UploadedCapture},
};

const PAGE: usize = 50;
const MAX_PAGE: usize = 500;
const LONGEST_NAME: usize = 120;
/// The name of an upload, for clients that cannot send a query.
const NAME: &str = "meshtriage-capture-name";
/// What an upload may be. What it is in truth shows when it is opened.
const MEDIA_TYPES: &[&str] = &[
    "application/gzip",
    "application/x-gzip",
    "application/x-tar",
    "application/octet-stream",
    "application/yaml",
    "application/x-yaml",
    "text/yaml",
    "application/json",
];

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_captures)).routes(routes!(find_capture, delete_capture))
}

/// Apart, because an upload takes as long as its bytes need.
pub(super) fn upload_route() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(upload_capture))
}

/// What to call an upload.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UploadQuery {
    /// For people; the header `meshtriage-capture-name` does as well. Default: the id.
    #[param(max_length = 120)]
    name: Option<String>,
}

/// Which captures to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CapturesQuery {
    /// Captures on a page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(max_length = 200)]
    cursor: Option<String>,
}

/// A page of captures, the newest first.
#[derive(Debug, Serialize, ToSchema)]
struct CaptureList {
    items: Vec<UploadedCapture>,
    /// Asks for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Upload a capture
///
/// Takes a recorded cluster: our own archive, an archive of `istioctl bug-report`, or YAML. It is opened before it is
/// kept, so that what was taken can be used: `?capture={id}` makes any step that reads answer from it. It is deleted after
/// some days. Only the caller who uploaded it, and callers with all rights, may use it: there are no Kubernetes permissions
/// inside of a recording that could be asked for.
#[utoipa::path(post, path = "/v1/captures", tag = "captures",
    params(UploadQuery, ("meshtriage-capture-name" = Option<String>, Header, max_length = 120,
        description = "The name, for clients that cannot send a query")),
    request_body(content((Vec<u8> = "application/gzip"), (Vec<u8> = "application/x-tar"), (String = "application/yaml"))),
    responses((status = 201, body = UploadedCapture,
        headers(("location" = String, description = "Where the capture is described"))), ApiError))]
async fn upload_capture(
    state: AppState,
    Caller(caller): Caller,
    query: StepQuery,
    request: Request,
) -> ApiResult<Response> {
    let query: UploadQuery = query.read()?;
    let headers = request.headers();
    check_media_type(headers)?;
    let name = match query.name.map_or_else(|| named_by_header(headers), |name| Ok(Some(name)))? {
        Some(name) => Some(checked_name(&name)?),
        None => None,
    };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let offer = Offer { name, length };
    let body = request.into_body().into_data_stream();
    // The future is large, and would make that of the router so.
    let capture = Box::pin(state.uploads.receive(&caller, offer, body)).await?;
    let id = capture.id;
    tracing::info!(capture.id = %id, user = %caller.user, bytes = capture.bytes, "{} uploaded capture {id}", caller.user);
    let location = HeaderValue::from_str(&format!("/v1/captures/{id}")).expect("an id is plain");
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(capture)).into_response())
}

/// List captures
///
/// The uploaded captures that the caller may use, the newest first.
#[utoipa::path(get, path = "/v1/captures", tag = "captures", params(CapturesQuery),
    responses((status = 200, body = CaptureList), ApiError))]
async fn list_captures(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    let asked = query.asked.clone();
    let query: CapturesQuery = query.read()?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(vec![Invalid::new("limit", "range", format!("must be from 1 to {MAX_PAGE}"))].into());
    }
    let after = match &query.cursor {
        Some(text) => Some(Uuid::parse_str(text).map_err(|_| bad_cursor())?),
        None => None,
    };
    let mut items = state.uploads.list(&caller, after).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| last.id.to_string());
    let link = next_cursor.as_ref().map(|cursor| next_page("/v1/captures", &asked, cursor));
    let mut response = Json(CaptureList { items, next_cursor }).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Read about a capture
///
/// What it is, when it was recorded, what it lacks, and when it is deleted.
#[utoipa::path(get, path = "/v1/captures/{id}", tag = "captures", params(("id" = Uuid, Path)),
    responses((status = 200, body = UploadedCapture), ApiError))]
async fn find_capture(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<Json<UploadedCapture>> {
    Ok(Json(state.uploads.find(&caller, parsed(&id)?).await?))
}

/// Delete a capture
///
/// Its file goes; runs that read it stay in the history until they expire or are deleted. Only for whoever uploaded it, and
/// for callers who may `delete captures.meshtriage.io`.
#[utoipa::path(delete, path = "/v1/captures/{id}", tag = "captures", params(("id" = Uuid, Path)),
    responses((status = 204, description = "The capture is gone"), ApiError))]
async fn delete_capture(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<StatusCode> {
    let id = parsed(&id)?;
    match state.uploads.delete(&caller, id).await {
        Err(uploads::Error::NotFound)
            if state.authority.may(&caller, &Access::delete("captures")).await.unwrap_or(false) =>
        {
            state.uploads.delete_any(id).await?;
        }
        deleted => deleted?,
    }
    tracing::info!(capture.id = %id, user = %caller.user, "{} deleted capture {id}", caller.user);
    Ok(StatusCode::NO_CONTENT)
}

/// An id as it was given; what is none is no capture's.
pub(super) fn parsed(id: &str) -> ApiResult<Uuid> {
    Uuid::parse_str(id).map_err(|_| uploads::Error::NotFound.into())
}

fn check_media_type(headers: &HeaderMap) -> ApiResult<()> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if MEDIA_TYPES.contains(&media.as_str()) {
        return Ok(());
    }
    let detail = "send an archive as `application/gzip` or `application/x-tar`, and YAML as `application/yaml`";
    Err(ApiError::new(error::UNSUPPORTED_MEDIA_TYPE, detail))
}

fn named_by_header(headers: &HeaderMap) -> ApiResult<Option<String>> {
    let Some(value) = headers.get(NAME) else { return Ok(None) };
    match std::str::from_utf8(value.as_bytes()) {
        Ok(name) => Ok(Some(name.to_owned())),
        Err(_) => Err(vec![Invalid::new(NAME, "pattern", "is not UTF-8")].into()),
    }
}

/// A name stands in lists and log lines.
fn checked_name(name: &str) -> ApiResult<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let message = format!("must have from 1 to {LONGEST_NAME} characters, and no control characters");
        return Err(vec![Invalid::new("name", "pattern", message)].into());
    }
    Ok(name.to_owned())
}

fn bad_cursor() -> ApiError {
    vec![Invalid::new("cursor", "pattern", "is not a cursor that a list gave out")].into()
}
