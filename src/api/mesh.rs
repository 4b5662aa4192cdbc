//! The steps that foretell requests.

use std::sync::Arc;

use axum::{
    extract::{FromRequest as _, Request},
    response::Response,
};
use bytes::Bytes;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, StepParams, StepQuery, body_error},
};
use crate::{
    auth,
    runs::Answer,
    steps::{self, Inputs, MeshPathData, MeshPathInput},
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(mesh_path, mesh_paths))
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

/// Carries out a step whose inputs come as a JSON body.
async fn posted<S: steps::Step>(
    state: AppState,
    caller: Arc<auth::Caller>,
    mut query: StepQuery,
    request: Request,
) -> ApiResult<Response> {
    let bytes = Bytes::from_request(request, &state).await.map_err(|error| body_error(&error))?;
    let (format, capture) = (query.format, query.capture.take());
    query.no_inputs()?;
    let value = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::new(error::INVALID_REQUEST, format!("the body is not JSON: {error}")))?;
    let prepared = steps::prepared::<S>(Inputs::Json(value).read()?)?;
    let place = state.place(&caller, capture.as_deref()).await?;
    state.answer_prepared(prepared.as_ref(), &place, format).await
}
