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
        self, AccessLogsData, AccessLogsInput, CorednsData, CorednsInput, HttpProxiesData, HttpProxiesInput,
        MisconfigurationData, MisconfigurationInput, ResourceUsageData, ResourceUsageInput, StartupRaceData,
        StartupRaceInput,
    },
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(resource_usage))
        .routes(routes!(misconfiguration))
        .routes(routes!(coredns))
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

/// Resource usage of proxies and istiod
///
/// Memory and CPU against requests and limits, how much configuration and how many statistics each proxy has, and which
/// clusters a namespace really calls: with the Sidecar and the discoverySelectors that would leave out the rest, and the
/// calls that they would cut off. One proxy of each workload is asked; nothing is applied.
#[utoipa::path(get, path = "/v1/misc/resource-usage", tag = "misc", params(ResourceUsageInput, StepParams),
    responses((status = 200, body = Answer<ResourceUsageData>), ApiError))]
async fn resource_usage(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::ResourceUsage, &caller, query).await
}

/// CoreDNS and what the mesh asks of it
///
/// Configuration, replicas, load, cache and errors of CoreDNS, by two readings of its metrics (`window_s`) and its logs;
/// and how many look-ups the ServiceEntries with DNS resolution make, times the proxies that know them.
#[utoipa::path(get, path = "/v1/misc/coredns", tag = "misc", params(CorednsInput, StepParams),
    responses((status = 200, body = Answer<CorednsData>), ApiError))]
async fn coredns(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::Coredns, &caller, query).await
}
