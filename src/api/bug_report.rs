//! The bug report, which is made in the background.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{ActionParams, Caller, JsonBody, StepQuery},
    new_runs,
    results::{self, RunStatus},
};
use crate::{
    runs::{self, Asked, Place, Plan},
    steps::{self, BugReport, BugReportInput, Inputs},
};

/// Longer than any that the inputs can ask for.
const TIMEOUT_S: u32 = 2 * 3600;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(make_bug_report))
}

/// Make a bug report
///
/// Collects objects, logs and the pages of istiod and of every proxy into an archive without secrets, as the caller may
/// see them, and carries out every step over it. Answers 202 at once: `Location` is where the result will be,
/// `Operation-Location` the run with its progress, and the archive is among the run's artifacts. `dry_run` only says what
/// would be collected. A caller who asks again for what they have under way gets that run.
#[utoipa::path(post, path = "/v1/istioctl/bug-report", tag = "istioctl", request_body = BugReportInput,
    params(
        ("layout" = Option<steps::ReportLayout>, Query, description = "The same as in the body."),
        ("wait" = Option<u32>, Query, description = "Seconds to wait for the end, at most 50."),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255,
            description = "The same request with the same key begins no second run."),
        ActionParams),
    responses((status = 200, body = runs::Answer<steps::BugReportData>), (status = 202, body = RunStatus), ApiError))]
async fn make_bug_report(
    state: AppState,
    Caller(caller): Caller,
    mut query: StepQuery,
    JsonBody(mut body): JsonBody,
) -> ApiResult<Response> {
    let wait = results::wait(&mut query)?;
    let key = query.idempotency_key.take();
    if let Some(at) = query.pairs.iter().position(|(name, _)| name == "layout")
        && let Some(fields) = body.as_object_mut()
    {
        fields.insert("layout".to_owned(), Value::String(query.pairs.remove(at).1));
    }
    let format = query.only_format()?;
    let input: BugReportInput = Inputs::Json(body).read()?;
    let prepared = steps::prepared::<BugReport>(input.clone())?;
    // The file that the inputs may hold can ask for a dry run, too.
    let wanted = input.wanted(state.cluster.now())?;
    if wanted.dry_run {
        return state.answer_prepared(prepared.as_ref(), &Place::own(&state.0, &caller), format).await;
    }
    state.disk.check_room().map_err(|error| ApiError::new(error::STORAGE_FULL, error.to_string()))?;
    let ready = Plan::one(prepared.as_ref(), None, TIMEOUT_S).ready()?;
    let request = key.map(|key| new_runs::request_key(&key, &ready, &caller)).transpose()?;
    let wanted = Asked { ready, labels: BTreeMap::new(), reason: None, request };
    let started = runs::enqueue(&state.0, &Place::own(&state.0, &caller), wanted).await?;
    new_runs::begun(&state, started, wait, format).await
}
