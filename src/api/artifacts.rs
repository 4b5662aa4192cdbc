//! The files that a run has left. Who may see the run may have them.

use axum::{
    Json,
    body::Body,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, NoParameters, PathOf},
    range::{self, Part},
    runs::visible,
};
use crate::history::Artifact;

/// The files that a run has left.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ArtifactList {
    items: Vec<Artifact>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

/// List the files of a run
///
/// Name, size and checksum of each file that the run has left. Empty while it is under way.
#[utoipa::path(get, path = "/v1/runs/{id}/artifacts", tag = "runs", params(("id" = Uuid, Path)),
    responses((status = 200, body = ArtifactList), ApiError))]
pub(super) async fn list_artifacts(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<Json<ArtifactList>> {
    let run = visible(&state, &caller, &id).await?;
    let items = state.history.artifacts(run.header.id).await?;
    Ok(Json(ArtifactList { items, next_cursor: None }))
}

/// Download a file of a run
///
/// The file, or the part of it that `Range` names, so that a download can go on where it was cut off. `ETag` is its
/// checksum.
#[utoipa::path(get, path = "/v1/runs/{id}/artifacts/{name}", tag = "runs",
    params(("id" = Uuid, Path), ("name" = String, Path, max_length = 255)),
    responses((status = 200, body = Vec<u8>, content_type = "application/gzip"),
        (status = 206, body = Vec<u8>, content_type = "application/gzip"),
        (status = 304, description = "The caller has it already"), ApiError))]
pub(super) async fn download_artifact(
    state: AppState,
    Caller(caller): Caller,
    headers: HeaderMap,
    _: NoParameters,
    PathOf((id, name)): PathOf<(String, String)>,
) -> ApiResult<Response> {
    let run = visible(&state, &caller, &id).await?.header.id;
    let artifacts = state.history.artifacts(run).await?;
    let artifact = artifacts.into_iter().find(|artifact| artifact.name == name);
    let artifact = artifact.ok_or_else(|| ApiError::new(error::NOT_FOUND, "the run has no file of that name"))?;
    let tag = format!("\"{}\"", artifact.sha256);
    if range::has_tag(&headers, header::IF_NONE_MATCH, &tag) {
        return Ok(described(StatusCode::NOT_MODIFIED.into_response(), &artifact, &tag));
    }
    let (status, start, end) = match range::part(&headers, &tag, artifact.bytes) {
        Part::Whole => (StatusCode::OK, 0, artifact.bytes),
        Part::Of(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Part::None => {
            let detail = format!("the file has {} bytes", artifact.bytes);
            let mut response = ApiError::new(error::RANGE_NOT_SATISFIABLE, detail).into_response();
            let size = format!("bytes */{}", artifact.bytes);
            response.headers_mut().insert(header::CONTENT_RANGE, HeaderValue::from_str(&size).expect("a number"));
            return Ok(response);
        }
    };
    let content = state.artifacts.read(run, &artifact.name, start, end).await;
    let content = content.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ApiError::new(error::GONE, error::GONE.about),
        _ => ApiError::new(error::INTERNAL, format!("the file cannot be read: {error}")),
    })?;
    let mut response = described((status, Body::from_stream(content)).into_response(), &artifact, &tag);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{}", end - 1, artifact.bytes);
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&range).expect("numbers"));
    }
    Ok(response)
}

/// What is said of a file, whether it is sent or not.
fn described(mut response: Response, artifact: &Artifact, tag: &str) -> Response {
    let name = artifact.name.replace(['"', '\\'], "");
    let texts = [
        (header::ETAG, tag.to_owned()),
        (header::CONTENT_TYPE, artifact.content_type.clone()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // Whoever may have it once may keep it; it never changes.
        (header::CACHE_CONTROL, "private, max-age=3600, immutable".to_owned()),
    ];
    for (header, text) in texts {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(header, value);
        }
    }
    response
}
