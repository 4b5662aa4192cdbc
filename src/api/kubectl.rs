//! The steps of the kubectl checklist.

use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{ApiError, ApiResult},
    extract::{ActionParams, Caller, JsonBody, PathOf, StepParams, StepQuery},
    follow,
};
use crate::{
    report::Format,
    runs::Answer,
    steps::{
        self, BouncePodData, BouncePodInput, CrdsData, CrdsInput, CustomResourcesData, CustomResourcesInput,
        EnvoyPageData, EnvoyPageInput, Invalid, IstiodLogsData, IstiodLogsInput, IstiodPodsData, IstiodPodsInput,
        ResourceStatusData, ResourceStatusInput, RestartDeploymentData, RestartDeploymentInput, SidecarLogsData,
        SidecarLogsInput, Step as _,
    },
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(istiod_logs))
        .routes(routes!(bounce_pod))
        .routes(routes!(restart_deployment))
        .routes(routes!(resource_status))
        .routes(routes!(crds))
        .routes(routes!(custom_resources))
        .routes(routes!(custom_resource))
        .routes(routes!(istiod_pods))
        .routes(routes!(sidecar_logs))
        .routes(routes!(envoy_page))
        .routes(routes!(envoy_stats_prometheus))
}

/// Logs of istiod
///
/// Logs of every istiod, per pod and revision. Known lines are named with cause and remedy, unknown warnings and errors
/// are counted. `follow=true` streams the lines as server-sent events.
#[utoipa::path(get, path = "/v1/kubectl/istiod-logs", tag = "kubectl", params(IstiodLogsInput, StepParams),
    responses((status = 200, body = Answer<IstiodLogsData>), ApiError))]
async fn istiod_logs(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    if query.pairs.iter().any(|(name, value)| name == "follow" && (value == "true" || value == "on")) {
        if query.format != Format::Json {
            return Err(vec![Invalid::new("format", "conflict", "a followed log comes as events only")].into());
        }
        if query.capture.is_some() {
            let why = "a recorded log does not grow: leave `follow` out";
            return Err(vec![Invalid::new("follow", "conflict", why)].into());
        }
        let input: IstiodLogsInput = query.read()?;
        let invalid = steps::IstiodLogs::check(&input);
        if !invalid.is_empty() {
            return Err(invalid.into());
        }
        return follow::istiod_logs(&state, &caller, input).await;
    }
    state.answer_query(&steps::IstiodLogs, &caller, query).await
}

/// Status of resources
///
/// What `kubectl get` prints for any resource type by any name that kubectl accepts, with conditions, owners and events of
/// each object, and what is wrong with them.
#[utoipa::path(get, path = "/v1/kubectl/resource-status", tag = "kubectl", params(ResourceStatusInput, StepParams),
    responses((status = 200, body = Answer<ResourceStatusData>), ApiError))]
async fn resource_status(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::ResourceStatus, &caller, query).await
}

/// Custom resource types
///
/// The CRDs of Istio and of the Gateway API: versions, whether they are established, which are missing.
#[utoipa::path(get, path = "/v1/kubectl/crds", tag = "kubectl", params(CrdsInput, StepParams),
    responses((status = 200, body = Answer<CrdsData>), ApiError))]
async fn crds(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::Crds, &caller, query).await
}

/// Objects of a custom resource type
///
/// What `kubectl get <crd> --all-namespaces` prints, with what the objects' own status says is wrong.
#[utoipa::path(get, path = "/v1/kubectl/crds/{crd}/resources", tag = "kubectl",
    params(("crd" = String, Path, max_length = 253), CustomResourcesInput, StepParams),
    responses((status = 200, body = Answer<CustomResourcesData>), ApiError))]
async fn custom_resources(
    state: AppState,
    Caller(caller): Caller,
    PathOf(crd): PathOf<String>,
    query: StepQuery,
) -> ApiResult<Response> {
    state.answer_query(&steps::CustomResources, &caller, query.with("crd", crd)).await
}

/// Object of a custom resource type
///
/// One object, itself and with what its own status says is wrong: `data.objects[0].object` is what
/// `kubectl get --output json` prints, without secrets. Objects without a namespace: `…/resources?name=`.
#[utoipa::path(get, path = "/v1/kubectl/crds/{crd}/resources/{namespace}/{name}", tag = "kubectl",
    params(("crd" = String, Path, max_length = 253), ("namespace" = String, Path, max_length = 63),
        ("name" = String, Path, max_length = 253), ("output" = inline(Option<steps::KubectlOutput>), Query), StepParams),
    responses((status = 200, body = Answer<CustomResourcesData>), ApiError))]
async fn custom_resource(
    state: AppState,
    Caller(caller): Caller,
    PathOf((crd, namespace, name)): PathOf<(String, String, String)>,
    query: StepQuery,
) -> ApiResult<Response> {
    let query = query.with("crd", crd).with("namespace", namespace).with("name", name);
    state.answer_query(&steps::CustomResources, &caller, query).await
}

/// istiod's pods
///
/// The pods of the control plane in full, and what is wrong with them. `format=raw` is what kubectl prints.
#[utoipa::path(get, path = "/v1/kubectl/istiod-pods", tag = "kubectl", params(IstiodPodsInput, StepParams),
    responses((status = 200, body = Answer<IstiodPodsData>), ApiError))]
async fn istiod_pods(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::IstiodPods, &caller, query).await
}

/// Logs of two sidecars
///
/// The proxies' logs of a source and of a destination in one call: access-log lines parsed, failures counted by flag,
/// route and upstream, requests joined by x-request-id.
#[utoipa::path(get, path = "/v1/kubectl/sidecar-logs", tag = "kubectl", params(SidecarLogsInput, StepParams),
    responses((status = 200, body = Answer<SidecarLogsData>), ApiError))]
async fn sidecar_logs(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::SidecarLogs, &caller, query).await
}

/// Envoy admin page
///
/// A read-only page of Envoy's admin interface of one pod: `clusters` (interpreted), `config_dump`, `listeners`,
/// `stats`, `server_info`, `certs`, `memory`, `logging`, `ready`.
#[utoipa::path(get, path = "/v1/kubectl/envoy/{page}", tag = "kubectl",
    params(("page" = steps::AdminPage, Path), EnvoyPageInput, StepParams),
    responses((status = 200, body = Answer<EnvoyPageData>), ApiError))]
async fn envoy_page(
    state: AppState,
    Caller(caller): Caller,
    PathOf(page): PathOf<String>,
    query: StepQuery,
) -> ApiResult<Response> {
    state.answer_query(&steps::EnvoyPage, &caller, query.with("page", page)).await
}

/// Envoy's statistics for Prometheus
///
/// The page `stats/prometheus` of Envoy's admin interface of one pod.
#[utoipa::path(get, path = "/v1/kubectl/envoy/stats/prometheus", tag = "kubectl", params(EnvoyPageInput, StepParams),
    responses((status = 200, body = Answer<EnvoyPageData>), ApiError))]
async fn envoy_stats_prometheus(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::EnvoyPage, &caller, query.with("page", "stats/prometheus".to_owned())).await
}

/// Restart a pod
///
/// Deletes one pod of istiod or of a gateway and waits for the replacement. A dry run unless `dry_run` is `false`; off
/// unless actions are enabled. Refuses to take the last ready one unless forced.
#[utoipa::path(post, path = "/v1/kubectl/bounce-pod", tag = "kubectl", request_body = BouncePodInput,
    params(ActionParams), responses((status = 200, body = Answer<BouncePodData>), ApiError))]
async fn bounce_pod(
    state: AppState,
    Caller(caller): Caller,
    query: StepQuery,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    state.act(&steps::BouncePod, &caller, body, query).await
}

/// Restart a Deployment
///
/// Rolls the pods of istiod or of a gateway, as `kubectl rollout restart` does, and waits for the new ones. A dry run
/// unless `dry_run` is `false`; off unless actions are enabled.
#[utoipa::path(post, path = "/v1/kubectl/restart-deployment", tag = "kubectl", request_body = RestartDeploymentInput,
    params(ActionParams), responses((status = 200, body = Answer<RestartDeploymentData>), ApiError))]
async fn restart_deployment(
    state: AppState,
    Caller(caller): Caller,
    query: StepQuery,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    state.act(&steps::RestartDeployment, &caller, body, query).await
}
