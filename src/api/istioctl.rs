//! The steps of the istioctl checklist.

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
    runs::Answer,
    steps::{self, AnalyzeData, AnalyzeInput, AnalyzedFile, Inputs},
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(analyze, analyze_files))
}

/// Analyze the configuration
///
/// Every rule of `istioctl analyze` over the cluster, for all revisions at once. `compatible=true` says exactly what
/// istioctl says.
#[utoipa::path(get, path = "/v1/istioctl/analyze", tag = "istioctl", params(AnalyzeInput, StepParams),
    responses((status = 200, body = Answer<AnalyzeData>), ApiError))]
async fn analyze(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::Analyze, &caller, query).await
}

/// Analyze proposed configuration
///
/// What would be wrong if this YAML were applied: over the cluster, or `alone`; with `only_new=true` only what it would add.
/// The body is YAML of up to 10 MiB (many documents; options as query parameters), or JSON with `files` and the options.
#[utoipa::path(post, path = "/v1/istioctl/analyze", tag = "istioctl", params(AnalyzeInput, StepParams),
    request_body(content((AnalyzeInput = "application/json"), (String = "application/yaml"))),
    responses((status = 200, body = Answer<AnalyzeData>), ApiError))]
async fn analyze_files(
    state: AppState,
    Caller(caller): Caller,
    mut query: StepQuery,
    request: Request,
) -> ApiResult<Response> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let bytes = Bytes::from_request(request, &state).await.map_err(|error| body_error(&error))?;
    let text = String::from_utf8(bytes.to_vec())
        .map_err(|error| ApiError::new(error::INVALID_REQUEST, format!("the body is not UTF-8: {error}")))?;
    let (wanted, capture) = (query.wanted(), query.capture.take());
    let input: AnalyzeInput = match media.as_str() {
        "application/json" => {
            query.no_inputs()?;
            let value = serde_json::from_str(&text)
                .map_err(|error| ApiError::new(error::INVALID_REQUEST, format!("the body is not JSON: {error}")))?;
            Inputs::Json(value).read()?
        }
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/plain" => {
            let mut input: AnalyzeInput = query.read()?;
            input.files = vec![AnalyzedFile { name: "request.yaml".to_owned(), content: text }];
            input
        }
        _ => {
            let detail = "send YAML as `application/yaml`, or `files` as `application/json`";
            return Err(ApiError::new(error::UNSUPPORTED_MEDIA_TYPE, detail));
        }
    };
    let prepared = steps::prepared::<steps::Analyze>(input)?;
    let place = state.place(&caller, capture.as_deref()).await?;
    state.answer_prepared(prepared.as_ref(), &place, wanted).await
}
