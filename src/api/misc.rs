//! The steps for the guide's miscellaneous issues.

use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{ApiError, ApiResult},
    extract::{Caller, StepParams, StepQuery},
};
use crate::{
    runs::Answer,
    steps::{self, MisconfigurationData, MisconfigurationInput},
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(misconfiguration))
}

/// Find misconfiguration of traffic and security
///
/// Every rule of `istioctl analyze` and every detector, grouped by what users see (503, 404, 403, resets …), with the
/// failed requests of the access logs that each explains.
#[utoipa::path(get, path = "/v1/misc/misconfiguration", tag = "misc", params(MisconfigurationInput, StepParams),
    responses((status = 200, body = Answer<MisconfigurationData>), ApiError))]
async fn misconfiguration(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::Misconfiguration, &caller, query).await
}
