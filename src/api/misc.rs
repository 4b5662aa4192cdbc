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
    steps::{
        self, AccessLogsData, AccessLogsInput, HttpProxiesData, HttpProxiesInput, MisconfigurationData,
        MisconfigurationInput, StartupRaceData, StartupRaceInput,
    },
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(misconfiguration))
        .routes(routes!(startup_race))
        .routes(routes!(http_proxy))
        .routes(routes!(access_logging))
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

/// Find applications that start before their proxy
///
/// What keeps each workload from starting before its sidecar (native sidecars, or holdApplicationUntilProxyStarts by mesh
/// and annotation), which pods ended at once because of it, and what to set.
#[utoipa::path(get, path = "/v1/misc/startup-race", tag = "misc", params(StartupRaceInput, StepParams),
    responses((status = 200, body = Answer<StartupRaceData>), ApiError))]
async fn startup_race(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::StartupRace, &caller, query).await
}

/// Find HTTP proxies for outbound traffic, and whether the mesh knows them
///
/// The HTTP proxies that pods are told of by their environment, the ServiceEntry that the mesh needs for each, what is
/// wrong with it, and which names go past the proxy.
#[utoipa::path(get, path = "/v1/misc/http-proxy", tag = "misc", params(HttpProxiesInput, StepParams),
    responses((status = 200, body = Answer<HttpProxiesData>), ApiError))]
async fn http_proxy(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::HttpProxies, &caller, query).await
}

/// Find which proxies log their requests
///
/// For each workload and gateway whether its proxy logs requests, where, in which format and by which setting (mesh
/// configuration, Telemetry), checked against its listeners, and what would switch it on.
#[utoipa::path(get, path = "/v1/misc/access-logging", tag = "misc", params(AccessLogsInput, StepParams),
    responses((status = 200, body = Answer<AccessLogsData>), ApiError))]
async fn access_logging(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::AccessLogs, &caller, query).await
}
