//! Health, metrics, and who the caller is.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    AppState,
    error::{self, ApiError},
    extract::{Caller, NoParameters, StepQuery},
};
use crate::cluster::{self, Source};

/// Who the service takes the caller for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WhoAmI {
    user: String,
    groups: Vec<String>,
    /// `all` for a recording or without authentication, `reviewed` where the cluster is asked for each permission.
    permissions: &'static str,
}

/// Who am I
///
/// The Kubernetes user and groups whose permissions decide what the caller sees.
#[utoipa::path(get, path = "/v1/whoami", tag = "operations", responses((status = 200, body = WhoAmI), ApiError))]
pub(super) async fn whoami(Caller(caller): Caller, _: NoParameters) -> Json<WhoAmI> {
    let permissions = match caller.rights {
        crate::auth::Rights::All => "all",
        crate::auth::Rights::Reviewed => "reviewed",
    };
    Json(WhoAmI { user: caller.user.clone(), groups: caller.groups.clone(), permissions })
}

/// What is running.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ServiceVersion {
    version: &'static str,
    /// Id of the cluster: the uid of its namespace `kube-system`.
    cluster: String,
    /// `live`, or the recording's name.
    source: String,
    /// Now; for a recording, when it was made.
    #[schema(value_type = String, format = DateTime)]
    cluster_time: jiff::Timestamp,
}

/// Version
///
/// The service's version, and which cluster it reads.
#[utoipa::path(get, path = "/v1/version", tag = "operations", responses((status = 200, body = ServiceVersion), ApiError))]
pub(super) async fn version(state: AppState, _: Caller, _: NoParameters) -> Json<ServiceVersion> {
    let source = match state.cluster.source() {
        Source::Live => "live".to_owned(),
        Source::Recording { name, .. } => name.clone(),
    };
    Json(ServiceVersion {
        version: env!("CARGO_PKG_VERSION"),
        cluster: state.cluster.id().to_owned(),
        source,
        cluster_time: state.cluster.now(),
    })
}

/// Health of one part.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    status: &'static str,
    checks: Vec<HealthCheck>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthCheck {
    name: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Is the process alive
#[utoipa::path(get, path = "/livez", tag = "operations", security(()), responses((status = 200, body = Health)))]
pub(super) async fn livez() -> Json<Health> {
    Json(Health { status: "ok", checks: Vec::new() })
}

/// Can the service answer
///
/// 200 when cluster and history can be reached, else 503. A full disk makes `status` `degraded`: everything can be read, and
/// nothing new is kept. `?verbose` says more.
#[utoipa::path(get, path = "/readyz", tag = "operations", security(()),
    params(("verbose" = Option<String>, Query, description = "List every check, with what the operator should know")),
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn readyz(state: AppState, query: StepQuery) -> Response {
    let verbose = query.pairs.iter().any(|(name, _)| name == "verbose");
    let version = state.cluster.version().await.map(|_| ()).map_err(|error| cluster::chain(&error));
    let history = state.history.ready().await.map_err(|error| cluster::chain(&error));
    let database = state.disk.check_database().map_err(|error| error.to_string());
    // Without room everything can still be read.
    let room = state.disk.check_room().map_err(|error| error.to_string());
    let is_degraded = room.is_err();
    let mut checks = vec![check("cluster", version), check("history", history.and(database))];
    let ok = checks.iter().all(|check| check.ok);
    checks.push(check("disk", room));
    if verbose {
        let notes =
            state.notes.iter().map(|note| HealthCheck { name: "errors-dir", ok: false, why: Some(note.clone()) });
        checks.extend(notes);
    } else {
        checks.retain(|check| !check.ok);
    }
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let said = match (ok, is_degraded) {
        (false, _) => "unavailable",
        (true, true) => "degraded",
        (true, false) => "ok",
    };
    (status, Json(Health { status: said, checks })).into_response()
}

fn check(name: &'static str, result: Result<(), String>) -> HealthCheck {
    HealthCheck { name, ok: result.is_ok(), why: result.err() }
}

/// Metrics
///
/// The service's own numbers, as OpenMetrics. With `--operations-listen` they are open on a port of their own.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"), ApiError))]
pub(super) async fn metrics(state: AppState, _: Caller) -> Response {
    numbers(state).await
}

/// The same for whoever reaches the port of operations.
pub(super) async fn numbers(state: AppState) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], state.metrics.text()).into_response()
}

pub(super) async fn no_such_path() -> ApiError {
    ApiError::new(error::NOT_FOUND, "there is no such path; /docs lists them, /v1/steps the steps")
}
