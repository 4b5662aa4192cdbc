//! The steps of the istioctl checklist that look at proxies.

use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{ApiError, ApiResult},
    extract::{Caller, PathOf, StepParams, StepQuery},
};
use crate::{
    runs::Answer,
    steps::{self, ProxyConfigData, ProxyConfigInput, ProxyStatusData, ProxyStatusInput},
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(proxy_status))
        .routes(routes!(proxy_status_of_pod))
        .routes(routes!(proxy_config))
}

/// Status of the proxies
///
/// Whether every proxy has what istiod sent it, asked of every replica of every revision. A replica that does not answer
/// hides no other. `format=raw` is istioctl's table, with `output=json` or `output=yaml` its documents.
#[utoipa::path(get, path = "/v1/istioctl/proxy-status", tag = "istioctl", params(ProxyStatusInput, StepParams),
    responses((status = 200, body = Answer<ProxyStatusData>), ApiError))]
async fn proxy_status(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::ProxyStatusStep, &caller, query).await
}

/// Status of one proxy
///
/// The same for one pod, with the difference between what istiod would send and what its Envoy has. `pod` is istioctl's
/// target, `[<type>/]<name>[.<namespace>]`: a pod, or the first pod, in kubectl's order for logs, of a `Deployment`
/// (`deployment%2Fcart`), `ReplicaSet`, `StatefulSet`, `DaemonSet`, `Job`, `Service`, `ReplicationController` or a `Gateway` of the
/// Gateway API. A namespace after the last dot counts where nothing in `namespace` has the whole name.
#[utoipa::path(get, path = "/v1/istioctl/proxy-status/{namespace}/{pod}", tag = "istioctl",
    params(("namespace" = String, Path, max_length = 63), ("pod" = String, Path, max_length = 500),
        ("revision" = Option<String>, Query, max_length = 63), StepParams),
    responses((status = 200, body = Answer<ProxyStatusData>), ApiError))]
async fn proxy_status_of_pod(
    state: AppState,
    Caller(caller): Caller,
    PathOf((namespace, pod)): PathOf<(String, String)>,
    query: StepQuery,
) -> ApiResult<Response> {
    let query = query.with("namespace", namespace).with("pod", pod);
    state.answer_query(&steps::ProxyStatusStep, &caller, query).await
}

/// Configuration of a proxy
///
/// What the Envoy of one pod has of one kind, and what is wrong in it. `format=raw` is istioctl's table, with
/// `output=json` or `output=yaml` its dump; `dump=true` adds the dump to the data. `pod` is istioctl's target,
/// `[<type>/]<name>[.<namespace>]`: a pod, or the first pod, in kubectl's order for logs, of a `Deployment`
/// (`deployment%2Fcart`), `ReplicaSet`, `StatefulSet`, `DaemonSet`, `Job`, `Service`, `ReplicationController` or a `Gateway` of the
/// Gateway API. A namespace after the last dot counts where nothing in `namespace` has the whole name.
#[utoipa::path(get, path = "/v1/istioctl/proxy-config/{namespace}/{pod}/{kind}", tag = "istioctl",
    params(("namespace" = String, Path, max_length = 63), ("pod" = String, Path, max_length = 500),
        ("kind" = steps::ProxyConfigKind, Path), ProxyConfigInput, StepParams),
    responses((status = 200, body = Answer<ProxyConfigData>), ApiError))]
async fn proxy_config(
    state: AppState,
    Caller(caller): Caller,
    PathOf((namespace, pod, kind)): PathOf<(String, String, String)>,
    query: StepQuery,
) -> ApiResult<Response> {
    let query = query.with("namespace", namespace).with("pod", pod).with("kind", kind);
    state.answer_query(&steps::ProxyConfig, &caller, query).await
}
