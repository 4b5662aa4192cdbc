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
    cluster,
    history::{Run, RunHeader, capture_of},
    report::{Completeness, Data, Format, Progress, State},
    runs::{self, Answer, Answered, RunLinks, RunSummary, Wanted, render, several::StepOfRun},
    steps::{self, Invalid},
};

/// Longest that a request waits for a run.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(50);
/// At a run that another process carries out.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
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
    /// What came of the steps so far, where the run has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepOfRun>,
    links: StatusLinks,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusLinks {
    #[serde(rename = "self")]
    itself: String,
    /// Answers 202 until the run has ended.
    result: String,
    /// As it happens, as server-sent events.
    events: String,
    report: String,
    /// 200 or 424.
    gate: String,
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
            None if !done => state.history.progress(run.id).await?,
            None => None,
        };
        let itself = format!("/v1/runs/{}", run.id);
        let links = StatusLinks {
            events: format!("{itself}/events"),
            report: format!("{itself}/report"),
            gate: format!("{itself}/gate"),
            result: format!("{itself}/result"),
            artifacts: format!("{itself}/artifacts"),
            cancel: (!done).then(|| format!("{itself}/cancel")),
            itself,
        };
        let parts = if done { Vec::new() } else { state.history.parts_in_short(run.id).await? };
        let steps = parts.iter().filter_map(|part| serde_json::from_str(&part.about).ok()).collect();
        Ok(Self { done, progress, steps, links })
    }
}

pub(super) fn is_done(run: &RunHeader) -> bool {
    !matches!(run.state, State::Queued | State::Running)
}

/// A run that has not ended: where to look, and how far it is.
pub(super) async fn status(
    state: &AppState,
    header: RunHeader,
    code: StatusCode,
    format: Format,
) -> ApiResult<Response> {
    let mut moving = Moving::of(state, &header).await?;
    if format != Format::Json {
        // Clients that follow it may say nothing of the form any more.
        moving.links.result = format!("{}?format={}", moving.links.result, format.name());
    }
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

/// How long a caller waits for the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) time: Duration,
    /// The seconds of `Prefer: wait=N`, where the wait comes from there.
    pub(super) preferred: Option<u64>,
}

impl Wait {
    /// Says that the preference was heard.
    pub(super) fn note(self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.preferred {
            let applied = HeaderValue::from_str(&format!("wait={seconds}")).expect("a number");
            headers.insert(HeaderName::from_static("preference-applied"), applied);
        }
    }
}

/// `wait=N` in the query, or `Prefer: wait=N`; nothing where the caller says nothing of it.
pub(super) fn wait(query: &mut StepQuery) -> ApiResult<Option<Wait>> {
    let time = |seconds: u64| Duration::from_secs(seconds).min(LONGEST_WAIT);
    let at = query.pairs.iter().position(|(name, _)| name == "wait");
    if let Some(at) = at {
        let text = query.pairs.remove(at).1;
        let wrong = || ApiError::from(vec![Invalid::new("wait", "type", "must be a whole number of seconds")]);
        return Ok(Some(Wait { time: time(text.parse().map_err(|_| wrong())?), preferred: None }));
    }
    Ok(query.prefer_wait.map(|seconds| Wait { time: time(seconds), preferred: Some(time(seconds).as_secs()) }))
}

/// Waits for the end of a run, whichever process carries it out.
pub(super) async fn wait_for_end(state: &AppState, run: Uuid, wait: Duration) {
    let ended = async {
        loop {
            if let Some(running) = state.background.find(run) {
                running.done().await;
            }
            if !matches!(state.history.state(run).await, Ok(Some(State::Queued | State::Running))) {
                return;
            }
            state.background.news_or(LOOK_AGAIN).await;
        }
    };
    let _ = tokio::time::timeout(wait, ended).await;
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
    mut query: StepQuery,
    PathOf(id): PathOf<String>,
) -> ApiResult<Response> {
    let wait = wait(&mut query)?;
    let format = query.only_format()?;
    let mut run = visible(&state, &caller, &id).await?;
    if let Some(wait) = wait.filter(|wait| !is_done(&run.header) && !wait.time.is_zero()) {
        wait_for_end(&state, run.header.id, wait.time).await;
        run = visible(&state, &caller, &id).await?;
    }
    let mut response = if is_done(&run.header) {
        ended(&state, run, format)?
    } else {
        status(&state, run.header, StatusCode::ACCEPTED, format.format).await?
    };
    if let Some(wait) = wait {
        wait.note(response.headers_mut());
    }
    Ok(response)
}

/// A run that has ended, in the form asked for.
pub(super) fn ended(state: &AppState, run: Run, wanted: Wanted) -> ApiResult<Response> {
    let answered = answered(run)?;
    let step = &answered.answer.run.step;
    let title = runs::title(step).to_owned();
    let base = state.public_url.as_deref();
    let mut response = cluster::aside(|| render(&answered, &title, base, wanted))?.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(wanted.format.content_type()));
    Ok(response)
}

/// The answer as it was recorded; of a run that has none, why.
pub(super) fn answered(run: Run) -> ApiResult<Answered> {
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
/// Ends a run that is under way or waits. What the steps of a run of several have given is kept. Answers 202 when the run is
/// carried out by another replica, which ends it some seconds later. What changes the cluster is not left in the middle.
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
    if steps::find(&run.header.step).is_some_and(|step| step.about().mutating) {
        let detail = "the run changes the cluster, and is not left in the middle";
        return Err(ApiError::new(error::RUN_NOT_CANCELABLE, detail));
    }
    tracing::info!(run.id = %id, user = %caller.user, "{} cancels run {id}", caller.user);
    runs::cancel(&state.0, id, END).await?;
    let run = state.history.run(state.cluster.id(), id).await?.ok_or_else(ApiError::no_such_run)?;
    let code = if is_done(&run.header) { StatusCode::OK } else { StatusCode::ACCEPTED };
    status(&state, run.header, code, Format::Json).await
}

/// The word for a state in a sentence.
pub(super) fn word_of(state: State) -> &'static str {
    match state {
        State::Queued => "waits",
        State::Running => "is under way",
        State::Succeeded => "succeeded",
        State::Failed => "failed",
        State::Canceled => "was canceled",
    }
}
