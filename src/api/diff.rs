//! What has changed between two runs.

use std::sync::Arc;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, NoParameters, PathOf},
    results::{answered, is_done},
    runs::{may_see, visible},
};
use crate::{
    auth,
    history::{Run, RunFilter},
    report::{Data, State},
    runs::{Answer, Coverage, RunDiff, compare},
};

/// Runs that are looked through for the one before.
const MOST_LOOKED_AT: u32 = 200;

/// What has changed from the earlier run to the later one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunComparison {
    earlier: Uuid,
    later: Uuid,
    #[schema(value_type = String, format = DateTime)]
    earlier_at: jiff::Timestamp,
    #[schema(value_type = String, format = DateTime)]
    later_at: jiff::Timestamp,
    /// `3 new, 1 resolved, 12 persisting, 2 not comparable`.
    summary: String,
    #[serde(flatten)]
    diff: RunDiff,
}

/// Compare two runs
///
/// What this run found that the other has not, and the other way round, by fingerprint. `previous` is the last run before it
/// that asked for the same. What one of them has not looked for, or could not see, is not comparable.
#[utoipa::path(get, path = "/v1/runs/{id}/diff/{other}", tag = "runs",
    params(("id" = Uuid, Path), ("other" = String, Path, max_length = 36, description = "Id of a run, or `previous`")),
    responses((status = 200, body = RunComparison), ApiError))]
pub(super) async fn diff_runs(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf((id, other)): PathOf<(String, String)>,
) -> ApiResult<Json<RunComparison>> {
    let run = visible(&state, &caller, &id).await?;
    let other = if other == "previous" {
        previous(&state, &caller, &run).await?
    } else {
        visible(&state, &caller, &other).await?
    };
    for run in [&run, &other] {
        if !is_done(&run.header) {
            return Err(ApiError::new(error::RUN_NOT_FINISHED, error::RUN_NOT_FINISHED.about).retry_after(3));
        }
        if run.answer.is_none() {
            let detail = format!("run {} gave no answer: {}", run.header.id, run.header.summary);
            return Err(ApiError::new(error::CONFLICT, detail));
        }
    }
    // Whatever the order in which they are named.
    let swapped = (other.header.started_at, other.header.id) > (run.header.started_at, run.header.id);
    let (earlier, later) = if swapped { (run, other) } else { (other, run) };
    let (earlier_at, later_at) = (earlier.header.started_at, later.header.started_at);
    let (earlier, earlier_id) = looked(&state, earlier).await?;
    let (later, later_id) = looked(&state, later).await?;
    let diff = compare((&earlier.0, &earlier.1), (&later.0, &later.1));
    let summary = format!(
        "{} new, {} resolved, {} persisting, {} not comparable",
        diff.new.len(),
        diff.resolved.len(),
        diff.persisting.len(),
        diff.not_comparable.len()
    );
    Ok(Json(RunComparison { earlier: earlier_id, later: later_id, earlier_at, later_at, summary, diff }))
}

/// A run's answer, and what it has looked at.
async fn looked(state: &AppState, run: Run) -> ApiResult<((Answer<Data>, Coverage), Uuid)> {
    let id = run.header.id;
    let parts = state.history.parts(id).await?;
    let inputs = run.header.inputs.clone();
    let answer = answered(run)?.answer;
    let coverage = Coverage::of(&answer, &inputs, &parts);
    Ok(((answer, coverage), id))
}

/// The last run before this one that asked for the same and gave an answer.
async fn previous(state: &AppState, caller: &Arc<auth::Caller>, run: &Run) -> ApiResult<Run> {
    let filter = RunFilter {
        step: vec![run.header.step.clone()],
        state: vec![State::Succeeded],
        until: Some(run.header.started_at),
        ..RunFilter::default()
    };
    for before in state.history.runs(&run.header.cluster, &filter, None, MOST_LOOKED_AT).await? {
        if before.inputs == run.header.inputs && may_see(state, caller, &before).await? {
            let found = state.history.run(state.cluster.id(), before.id).await?;
            return found.ok_or_else(ApiError::no_such_run);
        }
    }
    Err(ApiError::new(error::NOT_FOUND, "there is no run before it that asked for the same"))
}
