//! Runs in the background: how far they are, what they gave, and ending them.

use std::time::Duration;

use axum::{
    Json,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{ActionParams, Caller, NoParameters, PathOf, StepQuery},
    runs::visible,
};
use crate::{
    history::{Run, RunHeader, capture_of},
    report::{Completeness, Data, Progress, State},
    runs::{Answer, Answered, RunLinks, RunSummary, Wanted, render},
    steps::{self, Invalid},
};

/// Longest that a request waits for a run.
const LONGEST_WAIT_S: u64 = 50;
/// Seconds after which it is worth to ask again.
const POLL_S: u64 = 3;
/// How long a cancelled run may take to end before that is answered without it.
const END: Duration = Duration::from_secs(3);

/// A run in the background.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunStatus {
    #[serde(flatten)]
    header: RunHeader,
    #[serde(flatten)]
    moving: Moving,
}

/// What changes while a run is under way.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Moving {
    /// Whether the run has ended, well or not.
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    links: StatusLinks,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusLinks {
    #[serde(rename = "self")]
    itself: String,
    /// Answers 202 until the run has ended.
    result: String,
    artifacts: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<String>,
}

impl Moving {
    pub(super) async fn of(state: &AppState, run: &RunHeader) -> ApiResult<Self> {
        let done = is_done(run);
        let progress = match state.background.find(run.id).filter(|_| !done) {
            Some(running) => Some(running.progress()),
            // Carried out by another replica.
            None if !done => state.history.progress(state.cluster.id(), run.id).await?,
            None => None,
        };
        let itself = format!("/v1/runs/{}", run.id);
        let links = StatusLinks {
            result: format!("{itself}/result"),
            artifacts: format!("{itself}/artifacts"),
            cancel: (!done).then(|| format!("{itself}/cancel")),
            itself,
        };
        Ok(Self { done, progress, links })
    }
}

pub(super) fn is_done(run: &RunHeader) -> bool {
    !matches!(run.state, State::Queued | State::Running)
}

/// A run that has not ended: where to look, and how far it is.
pub(super) async fn status(state: &AppState, header: RunHeader, code: StatusCode) -> ApiResult<Response> {
    let moving = Moving::of(state, &header).await?;
    let links = [("location", &moving.links.result), ("operation-location", &moving.links.itself)];
    let links = links.map(|(name, link)| {
        let link = HeaderValue::from_str(link).expect("an id and plain words");
        (HeaderName::from_static(name), link)
    });
    let done = moving.done;
    let mut response = (code, Json(RunStatus { header, moving })).into_response();
    response.headers_mut().extend(links);
    if !done {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(POLL_S));
    }
    Ok(response)
}

/// How long the caller waits for the end: `wait=N` in the query, or `Prefer: wait=N`
/// ([RFC 7240](https://www.rfc-editor.org/rfc/rfc7240#section-4.3)).
pub(super) fn wait(query: &mut StepQuery, headers: &HeaderMap) -> ApiResult<Duration> {
    let at = query.pairs.iter().position(|(name, _)| name == "wait");
    let given = at.map(|at| query.pairs.remove(at).1);
    let wrong = || ApiError::from(vec![Invalid::new("wait", "type", "must be a whole number of seconds")]);
    if let Some(text) = given {
        return text.parse().map(wait_of).map_err(|_| wrong());
    }
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = preferences.flat_map(|value| value.split([',', ';']));
    let preferred = preferences.find_map(|one| one.trim().strip_prefix("wait=")?.trim_matches('"').parse().ok());
    Ok(wait_of(preferred.unwrap_or_default()))
}

fn wait_of(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(LONGEST_WAIT_S))
}

/// Waits for the end of a run of this process. Of another one's, the caller has to ask again.
pub(super) async fn wait_for_end(state: &AppState, run: Uuid, wait: Duration) {
    if let Some(running) = state.background.find(run) {
        let _ = tokio::time::timeout(wait, running.done()).await;
    }
}

/// Result of a run
///
/// What the run answered, once it has ended; 202 with its progress until then (`wait=N` waits up to N seconds for the end,
/// at most 50). A run that failed or was canceled answers so too, in `run.state`.
#[utoipa::path(get, path = "/v1/runs/{id}/result", tag = "runs",
    params(("id" = Uuid, Path), ("wait" = Option<u32>, Query), ActionParams),
    responses((status = 200, body = Answer<Value>), (status = 202, body = RunStatus), ApiError))]
pub(super) async fn run_result(
    state: AppState,
    Caller(caller): Caller,
    headers: HeaderMap,
    mut query: StepQuery,
    PathOf(id): PathOf<String>,
) -> ApiResult<Response> {
    let wait = wait(&mut query, &headers)?;
    let format = query.only_format()?;
    let mut run = visible(&state, &caller, &id).await?;
    if !is_done(&run.header) && !wait.is_zero() {
        wait_for_end(&state, run.header.id, wait).await;
        run = visible(&state, &caller, &id).await?;
    }
    if !is_done(&run.header) {
        return status(&state, run.header, StatusCode::ACCEPTED).await;
    }
    ended(&state, run, format)
}

/// A run that has ended, in the form asked for.
pub(super) fn ended(state: &AppState, run: Run, wanted: Wanted) -> ApiResult<Response> {
    let answered = answered(run)?;
    let step = &answered.answer.run.step;
    let title = steps::find(step).map_or(step.as_str(), |step| step.about().title).to_owned();
    let base = state.public_url.as_deref();
    let mut response = cluster::aside(|| render(&answered, &title, base, wanted))?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(wanted.format.content_type()));
    Ok(response)
}

/// The answer as it was recorded; of a run that has none, why.
fn answered(run: Run) -> ApiResult<Answered> {
    let Run { header, answer } = run;
    if let Some(text) = answer {
        let answer = serde_json::from_str(&text);
        let answer = answer.map_err(|_| ApiError::new(error::INTERNAL, "the run's record cannot be read"))?;
        return Ok(Answered { answer, printed: None });
    }
    let why = header.error.clone().unwrap_or_default();
    let answer = Answer {
        run: RunSummary {
            id: header.id,
            step: header.step,
            state: header.state,
            verdict: header.verdict,
            completeness: header.completeness.unwrap_or(Completeness::Partial),
            started_at: header.started_at,
            duration_ms: header.duration_ms.unwrap_or_default(),
            requested_by: header.requested_by,
            capture: capture_of(&header.cluster),
            recorded: true,
            not_recorded_because: None,
            links: RunLinks { itself: format!("/v1/runs/{}", header.id) },
        },
        summary: if header.summary.is_empty() { why } else { header.summary },
        counts: header.counts,
        findings: Vec::new(),
        not_shown: 0,
        skipped: Vec::new(),
        commands: Vec::new(),
        data: Data::of(&()),
    };
    Ok(Answered { answer, printed: None })
}

/// Cancel a run
///
/// Ends a run that is under way. What it has collected is thrown away. Answers 202 when the run is carried out by another
/// replica, which ends it some seconds later.
#[utoipa::path(post, path = "/v1/runs/{id}/cancel", tag = "runs", params(("id" = Uuid, Path)),
    responses((status = 200, body = RunStatus), (status = 202, body = RunStatus), ApiError))]
pub(super) async fn cancel_run(
    state: AppState,
    Caller(caller): Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<Response> {
    let run = visible(&state, &caller, &id).await?;
    let id = run.header.id;
    if is_done(&run.header) {
        let detail = "the run has ended already: there is nothing to cancel";
        return Err(ApiError::new(error::RUN_NOT_CANCELABLE, detail));
    }
    tracing::info!(run.id = %id, user = %caller.user, "{} cancels run {id}", caller.user);
    match state.background.find(id) {
        Some(running) => {
            running.cancel();
            let _ = tokio::time::timeout(END, running.done()).await;
        }
        None => {
            state.history.ask_to_cancel(state.cluster.id(), id).await?;
        }
    }
    let run = state.history.run(state.cluster.id(), id).await?.ok_or_else(ApiError::no_such_run)?;
    let code = if is_done(&run.header) { StatusCode::OK } else { StatusCode::ACCEPTED };
    status(&state, run.header, code).await
}
