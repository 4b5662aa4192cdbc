//! The steps that foretell requests.

use std::sync::Arc;

use axum::{
    extract::{FromRequest as _, Request},
    response::Response,
};
use bytes::Bytes;
use http::header;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, StepParams, StepQuery, body_error},
};
use crate::{
    auth,
    runs::Answer,
    steps::{
        self, AnalyzedFile, Inputs, MeshCallersData, MeshCallersInput, MeshImpactData, MeshImpactInput, MeshPathData,
        MeshPathInput,
    },
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(mesh_path, mesh_paths))
        .routes(routes!(mesh_callers))
        .routes(routes!(mesh_impact))
}

/// Say what happens to a request, and why
///
/// The hops from the client to the application, how it ends and who answers, and the object and field that decides it.
#[utoipa::path(get, path = "/v1/mesh/path", tag = "mesh", params(MeshPathInput, StepParams),
    responses((status = 200, body = Answer<MeshPathData>), ApiError))]
async fn mesh_path(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::MeshPath, &caller, query).await
}

/// Say what happens to several requests
///
/// The same for a request with claims of a token, or for up to 100 `requests` at once.
#[utoipa::path(post, path = "/v1/mesh/path", tag = "mesh", params(StepParams), request_body = MeshPathInput,
    responses((status = 200, body = Answer<MeshPathData>), ApiError))]
async fn mesh_paths(
    state: AppState,
    Caller(caller): Caller,
    query: StepQuery,
    request: Request,
) -> ApiResult<Response> {
    posted::<steps::MeshPath>(state, caller, query, request).await
}

/// Say who can reach a service
///
/// Every workload, gateway and pod outside of the mesh against one service, one caller against everything, or the whole matrix.
#[utoipa::path(get, path = "/v1/mesh/callers", tag = "mesh", params(MeshCallersInput, StepParams),
    responses((status = 200, body = Answer<MeshCallersData>), ApiError))]
async fn mesh_callers(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::MeshCallers, &caller, query).await
}

/// Say which requests a change would end differently
///
/// Proposed YAML, and objects that would be deleted. The body is YAML of up to 10 MiB, or JSON with `files`, `delete` and
/// the options.
#[utoipa::path(post, path = "/v1/mesh/impact", tag = "mesh", params(StepParams),
    request_body(content((MeshImpactInput = "application/json"), (String = "application/yaml"))),
    responses((status = 200, body = Answer<MeshImpactData>), ApiError))]
async fn mesh_impact(
    state: AppState,
    Caller(caller): Caller,
    mut query: StepQuery,
    request: Request,
) -> ApiResult<Response> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|media| media.contains("yaml")) {
        return posted::<steps::MeshImpact>(state, caller, query, request).await;
    }
    let bytes = Bytes::from_request(request, &state).await.map_err(|error| body_error(&error))?;
    let content = String::from_utf8(bytes.to_vec())
        .map_err(|error| ApiError::new(error::INVALID_REQUEST, format!("the body is not UTF-8: {error}")))?;
    let (wanted, capture) = (query.wanted(), query.capture.take());
    let mut input: MeshImpactInput = query.read()?;
    input.files = vec![AnalyzedFile { name: "request.yaml".to_owned(), content }];
    let prepared = steps::prepared::<steps::MeshImpact>(input)?;
    let place = state.place(&caller, capture.as_deref()).await?;
    state.answer_prepared(prepared.as_ref(), &place, wanted).await
}

/// Carries out a step whose inputs come as a JSON body.
async fn posted<S: steps::Step>(
    state: AppState,
    caller: Arc<auth::Caller>,
    mut query: StepQuery,
    request: Request,
) -> ApiResult<Response> {
    let bytes = Bytes::from_request(request, &state).await.map_err(|error| body_error(&error))?;
    let (wanted, capture) = (query.wanted(), query.capture.take());
    query.no_inputs()?;
    let value = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::new(error::INVALID_REQUEST, format!("the body is not JSON: {error}")))?;
    let prepared = steps::prepared::<S>(Inputs::Json(value).read()?)?;
    let place = state.place(&caller, capture.as_deref()).await?;
    state.answer_prepared(prepared.as_ref(), &place, wanted).await
}
