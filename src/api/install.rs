//! The steps about the installation: revisions, versions, expected objects, injection.

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
        self, CheckInjectData, CheckInjectInput, TagsData, TagsInput, VerifyInstallData, VerifyInstallInput,
        VersionData, VersionInput,
    },
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(tags))
        .routes(routes!(mesh_version))
        .routes(routes!(verify_install))
        .routes(routes!(check_inject))
}

/// Tags and revisions
///
/// The revisions and tags that namespaces can name, which namespaces name them, and which lead nowhere.
#[utoipa::path(get, path = "/v1/istioctl/tags", tag = "istioctl", params(TagsInput, StepParams),
    responses((status = 200, body = Answer<TagsData>), ApiError))]
async fn tags(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::Tags, &caller, query).await
}

/// Versions of control plane and data plane
///
/// The version of every replica of istiod, the proxies by version, and where they are too far apart.
#[utoipa::path(get, path = "/v1/istioctl/version", tag = "istioctl", params(VersionInput, StepParams),
    responses((status = 200, body = Answer<VersionData>), ApiError))]
async fn mesh_version(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::Version, &caller, query).await
}

/// Verify the installation
///
/// For each revision the objects that it needs: present, missing, unhealthy or drifted, and what follows from it.
#[utoipa::path(get, path = "/v1/istioctl/verify-install", tag = "istioctl", params(VerifyInstallInput, StepParams),
    responses((status = 200, body = Answer<VerifyInstallData>), ApiError))]
async fn verify_install(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::VerifyInstall, &caller, query).await
}

/// Check sidecar injection
///
/// Which webhook would inject a pod, and why or why not; whether the webhook answers; what the injector refuses. With
/// `namespace` alone, every pod of the namespace, and what a restart would change.
#[utoipa::path(get, path = "/v1/istioctl/check-inject", tag = "istioctl", params(CheckInjectInput, StepParams),
    responses((status = 200, body = Answer<CheckInjectData>), ApiError))]
async fn check_inject(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::CheckInject, &caller, query).await
}
