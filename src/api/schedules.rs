//! Schedules: runs at set times.

use std::collections::BTreeMap;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, JsonBody, NoParameters, PathOf},
    new_runs::NewRun,
};
use crate::{
    auth::{self, Rights},
    history::Schedule,
    runs::{RunsAs, Scheduled, Timing},
    steps::{Inputs, Invalid},
};

const LONGEST_NAME: usize = 100;
const LONGEST_CRON: usize = 100;
const MOST_JITTER_S: u32 = 3600;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_schedules, add_schedule)).routes(routes!(delete_schedule))
}

/// What to carry out when.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSchedule {
    /// For people; its runs have it as the label `schedule`.
    #[schema(max_length = 100)]
    name: String,
    timing: Timing,
    /// As for `POST /v1/runs`.
    run: NewRun,
}

#[derive(Debug, Serialize, ToSchema)]
struct ListedSchedule {
    id: Uuid,
    name: String,
    timing: Timing,
    /// What its runs count as in lists.
    #[schema(value_type = Object)]
    steps: Value,
    labels: BTreeMap<String, String>,
    /// As whom its runs read the cluster.
    runs_as: String,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: jiff::Timestamp,
    #[schema(value_type = String, format = DateTime)]
    next_at: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<Uuid>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ScheduleList {
    items: Vec<ListedSchedule>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

fn listed(schedule: Schedule) -> Option<ListedSchedule> {
    let scheduled: Scheduled = serde_json::from_str(&schedule.wanted).ok()?;
    let mut steps = serde_json::to_value(&scheduled.plan.steps).ok()?;
    crate::redact::redact_value(&mut steps);
    Some(ListedSchedule {
        id: schedule.id,
        name: schedule.name,
        timing: scheduled.timing,
        steps,
        labels: scheduled.labels,
        runs_as: scheduled.runs_as.user().to_owned(),
        created_by: schedule.created_by,
        created_at: schedule.created_at,
        next_at: schedule.next_at,
        last_run: schedule.last_run,
    })
}

fn is_own(caller: &auth::Caller, schedule: &Schedule) -> bool {
    caller.rights == Rights::All || caller.user == schedule.created_by
}

/// List schedules
///
/// The caller's schedules, the newest first.
#[utoipa::path(get, path = "/v1/schedules", tag = "schedules", responses((status = 200, body = ScheduleList), ApiError))]
async fn list_schedules(state: AppState, Caller(caller): Caller, _: NoParameters) -> ApiResult<Json<ScheduleList>> {
    let mut items = state.history.schedules(state.cluster.id()).await?;
    items.retain(|schedule| is_own(&caller, schedule));
    Ok(Json(ScheduleList { items: items.into_iter().filter_map(listed).collect(), next_cursor: None }))
}

/// Add a schedule
///
/// Carries out steps or a checklist at set times. Runs read the cluster as the user that the service is configured with
/// (`--schedules-as`), whose permissions count then, and are seen by those who may see what they used. A time that was missed
/// is made up for once. Nothing that changes the cluster can be scheduled.
#[utoipa::path(post, path = "/v1/schedules", tag = "schedules", request_body = NewSchedule,
    responses((status = 201, body = ListedSchedule), ApiError))]
async fn add_schedule(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    let new: NewSchedule = Inputs::Json(body).read()?;
    let (now, id) = (state.clock.now(), Uuid::now_v7());
    let mut invalid = Vec::new();
    if new.name.is_empty() || new.name.len() > LONGEST_NAME || new.name.chars().any(char::is_control) {
        invalid.push(Invalid::new("name", "range", format!("must be plain text of 1 to {LONGEST_NAME} bytes")));
    }
    if new.timing.jitter_s > MOST_JITTER_S {
        invalid.push(Invalid::new("timing/jitter_s", "range", format!("may be up to {MOST_JITTER_S}")));
    }
    let next_at = if new.timing.cron.len() > LONGEST_CRON {
        Err(format!("may have up to {LONGEST_CRON} bytes"))
    } else {
        new.timing.next(now, id.as_bytes()[15])
    };
    let next_at = next_at.map_err(|why| invalid.push(Invalid::new("timing/cron", "pattern", why))).ok();
    let under = |wrong: Invalid| Invalid { pointer: format!("/run{}", wrong.pointer), ..wrong };
    invalid.extend(new.run.check().into_iter().map(under));
    let Some(next_at) = next_at.filter(|_| invalid.is_empty()) else { return Err(invalid.into()) };
    let labels = new.run.labels.clone();
    let ready = new.run.plan()?.ready().map_err(|wrong| wrong.into_iter().map(under).collect::<Vec<_>>())?;
    if ready.is_mutating() || ready.plan.capture.is_some() {
        let message = "only what reads the cluster can be scheduled";
        return Err(vec![Invalid::new("run/steps", "conflict", message)].into());
    }
    let runs_as = match (&state.schedules_as, caller.rights) {
        (Some(user), Rights::Reviewed) => user.clone(),
        (None, Rights::Reviewed) => {
            return Err(ApiError::new(error::SCHEDULES_DISABLED, error::SCHEDULES_DISABLED.about));
        }
        (_, Rights::All) => RunsAs::of(&caller),
    };
    let scheduled = Scheduled { timing: new.timing, plan: ready.plan, labels, runs_as };
    let schedule = Schedule {
        id,
        cluster: state.cluster.id().to_owned(),
        name: new.name,
        wanted: serde_json::to_string(&scheduled).expect("a schedule is JSON"),
        created_by: caller.user.clone(),
        created_at: now,
        next_at,
        last_run: None,
    };
    if !state.history.add_schedule(&schedule).await? {
        return Err(ApiError::new(error::CONFLICT, "there are as many schedules as may be: delete some first"));
    }
    tracing::info!(user = %caller.user, schedule = %id, "{} added schedule {:?}", caller.user, schedule.name);
    Ok((StatusCode::CREATED, Json(listed(schedule))).into_response())
}

/// Delete a schedule
///
/// Its runs stay.
#[utoipa::path(delete, path = "/v1/schedules/{id}", tag = "schedules", params(("id" = Uuid, Path)),
    responses((status = 204, description = "The schedule is gone"), ApiError))]
async fn delete_schedule(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<StatusCode> {
    let none = || ApiError::new(error::NOT_FOUND, "there is no schedule of that id, or it is not yours");
    let id = Uuid::parse_str(&id).map_err(|_| none())?;
    let known = state.history.schedules(state.cluster.id()).await?;
    known.iter().find(|known| known.id == id && is_own(&caller, known)).ok_or_else(none)?;
    state.history.delete_schedule(state.cluster.id(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
