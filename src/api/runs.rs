//! The history of runs. Who may read a run is who may do what it did in the cluster.

use std::str::FromStr as _;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    AppState, captures,
    error::{self, ApiError, ApiResult},
    extract::{Caller, NoParameters, PathOf, StepQuery, next_page},
    results::{Moving, is_done},
};
use crate::{
    auth,
    history::{Cursor, RunFilter, RunHeader, capture_of, cluster_of_capture},
    report::{State, Verdict},
    steps::Invalid,
};

/// Runs on a page, unless the caller says otherwise.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 500;
/// Pages of the history that are looked through for runs that the caller may see.
const MAX_SCANS: usize = 20;

/// Which runs to list. Of the values of one parameter, repeated or with commas between, any will do.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunsQuery {
    /// Id of a step.
    #[param(max_items = 50)]
    step: Vec<String>,
    #[param(max_items = 5)]
    state: Vec<State>,
    #[param(max_items = 5)]
    verdict: Vec<Verdict>,
    /// Runs that read this uploaded capture. Without it, those that read the cluster.
    #[param(value_type = Option<Uuid>)]
    capture: Option<String>,
    /// Runs that looked at this namespace.
    #[param(max_items = 100)]
    namespace: Vec<String>,
    /// The Kubernetes user who asked.
    #[param(max_length = 253)]
    requested_by: Option<String>,
    /// Runs with a finding of this code.
    #[param(max_items = 100)]
    code: Vec<String>,
    /// Started then or later (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<jiff::Timestamp>,
    /// Started before (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<jiff::Timestamp>,
    /// Runs on a page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[param(max_length = 200)]
    cursor: Option<String>,
}

/// `verdict=error,warning` is the same as `verdict=error&verdict=warning`; no value of these holds a comma.
fn split_lists(mut query: StepQuery) -> StepQuery {
    let is_list = |name: &str| ["step", "state", "verdict", "namespace", "code"].contains(&name);
    let pairs = std::mem::take(&mut query.pairs);
    for (name, value) in pairs {
        if is_list(&name) {
            query.pairs.extend(value.split(',').map(|one| (name.clone(), one.to_owned())));
        } else {
            query.pairs.push((name, value));
        }
    }
    query
}

/// A page of runs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunList {
    items: Vec<RunHeader>,
    /// Asks for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A run with its answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunDetails {
    #[serde(flatten)]
    header: RunHeader,
    #[schema(value_type = Object)]
    inputs: Value,
    /// Why the run failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What the step answered; null where the run failed. `data` is left out of very large answers.
    #[schema(value_type = Option<Object>)]
    answer: Value,
    #[serde(flatten)]
    moving: Moving,
}

/// List runs
///
/// What was looked at and found, the newest first. Runs that read what the caller may not read are left out. Those that
/// read an uploaded capture are listed with `capture`, for the caller who made them.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(RunsQuery),
    responses((status = 200, body = RunList), ApiError))]
pub(super) async fn list_runs(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    let asked = query.asked.clone();
    let query: RunsQuery = split_lists(query).read()?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(vec![Invalid::new("limit", "range", format!("must be from 1 to {MAX_PAGE}"))].into());
    }
    let mut after = match &query.cursor {
        Some(text) => Some(Cursor::from_str(text).map_err(|error| bad_cursor(&error))?),
        None => None,
    };
    let cluster = match &query.capture {
        Some(id) => cluster_of_capture(state.cluster.id(), captures::parsed(id)?),
        None => state.cluster.id().to_owned(),
    };
    let filter = RunFilter {
        step: query.step,
        state: query.state,
        verdict: query.verdict,
        namespace: query.namespace,
        requested_by: query.requested_by,
        code: query.code,
        since: query.since,
        until: query.until,
    };
    let mut items = Vec::new();
    let mut more = true;
    for _ in 0..MAX_SCANS {
        let page = state.history.runs(&cluster, &filter, after, limit).await?;
        let full = page.len() == limit as usize;
        for run in page {
            after = Some(Cursor::after(&run));
            if may_see(&state, &caller, &run).await? {
                items.push(run);
            }
            if items.len() == limit as usize {
                break;
            }
        }
        if items.len() == limit as usize {
            break;
        }
        if !full {
            more = false;
            break;
        }
    }
    let next_cursor = after.filter(|_| more).map(|cursor| cursor.to_string());
    let link = next_cursor.as_ref().map(|cursor| next_page("/v1/runs", &asked, cursor));
    let mut response = Json(RunList { items, next_cursor }).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Read a run
///
/// A run with its whole answer; one in the background with its progress.
#[utoipa::path(get, path = "/v1/runs/{id}", tag = "runs", params(("id" = Uuid, Path)),
    responses((status = 200, body = RunDetails), ApiError))]
pub(super) async fn find_run(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<Json<RunDetails>> {
    let run = visible(&state, &caller, &id).await?;
    let answer = run.answer.as_deref().map_or(Ok(Value::Null), serde_json::from_str);
    let answer = answer.map_err(|_| ApiError::new(error::INTERNAL, "the run's record cannot be read"))?;
    let moving = Moving::of(&state, &run.header).await?;
    Ok(Json(RunDetails {
        moving,
        inputs: run.header.inputs.clone(),
        error: run.header.error.clone(),
        header: run.header,
        answer,
    }))
}

/// Delete a run
///
/// Takes a run out of the history, with the files that it has left. One that is under way must be canceled first. Only for
/// whoever asked for it, and for callers who may `delete runs.meshtriage.io`.
#[utoipa::path(delete, path = "/v1/runs/{id}", tag = "runs", params(("id" = Uuid, Path)),
    responses((status = 204, description = "The run is gone"), ApiError))]
pub(super) async fn delete_run(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<StatusCode> {
    let run = visible(&state, &caller, &id).await?;
    let is_own = caller.rights == auth::Rights::All || caller.user == run.header.requested_by;
    if !is_own && !state.authority.may(&caller, &auth::Access::delete("runs")).await.unwrap_or(false) {
        let detail = "a run is deleted by whoever asked for it, or with the permission to delete runs.meshtriage.io";
        return Err(ApiError::new(error::FORBIDDEN, detail));
    }
    if !is_done(&run.header) {
        return Err(ApiError::new(error::RUN_NOT_FINISHED, error::RUN_NOT_FINISHED.about));
    }
    state.history.delete(&run.header.cluster, run.header.id).await?;
    if let Err(error) = state.artifacts.remove(run.header.id) {
        // The next look through the files will find that they belong to no run.
        tracing::warn!(run.id = %run.header.id, "files of run {} were not removed: {error}", run.header.id);
    }
    tracing::info!(run.id = %run.header.id, user = %caller.user, "{} deleted run {}", caller.user, run.header.id);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn visible(
    state: &AppState,
    caller: &std::sync::Arc<auth::Caller>,
    id: &str,
) -> ApiResult<crate::history::Run> {
    let id = Uuid::parse_str(id).map_err(|_| ApiError::no_such_run())?;
    let run = state.history.run(state.cluster.id(), id).await?.ok_or_else(ApiError::no_such_run)?;
    if may_see(state, caller, &run.header).await? { Ok(run) } else { Err(ApiError::no_such_run()) }
}

/// Whether the caller may do all that the run did. One that read nothing, such as one that was refused at once, belongs to
/// whoever asked for it, and so does one that read a capture, where there are no permissions.
async fn may_see(state: &AppState, caller: &std::sync::Arc<auth::Caller>, run: &RunHeader) -> ApiResult<bool> {
    if run.access.is_empty() || capture_of(&run.cluster).is_some() {
        return Ok(caller.rights == auth::Rights::All || caller.user == run.requested_by);
    }
    for access in &run.access {
        if !state.authority.may(caller, access).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn bad_cursor(error: &crate::history::Error) -> ApiError {
    vec![Invalid::new("cursor", "pattern", error.to_string())].into()
}
