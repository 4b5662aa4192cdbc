//! Watching a run: what happens to it as server-sent events, and what its steps gave so far.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::StreamExt as _;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, NoParameters, PathOf, StepParams, StepQuery},
    runs::visible,
};
use crate::{
    report::State,
    runs::{Answer, Answered, News, watch_run},
    steps,
};

/// After this the stream ends, and the client comes back with `Last-Event-ID` if it still wants more.
const LONGEST: Duration = Duration::from_hours(1);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client that was cut off waits before it comes back.
const RETRY: Duration = Duration::from_secs(3);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(run_events)).routes(routes!(run_step))
}

/// Watch a run
///
/// What happens to the run, as server-sent events: `queued`, `started`, `step` (as each step ends), `progress`, and `ended`,
/// which is the last. Events have ids: a client that comes back with `Last-Event-ID` misses none. A comment every 15 s keeps
/// the connection alive.
#[utoipa::path(get, path = "/v1/runs/{id}/events", tag = "runs",
    params(("id" = Uuid, Path), ("Last-Event-ID" = Option<String>, Header, max_length = 20,
        description = "The id of the last event that was received.")),
    responses((status = 200, body = String, content_type = "text/event-stream"), ApiError))]
pub(super) async fn run_events(
    state: AppState,
    Caller(caller): Caller,
    headers: HeaderMap,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<Response> {
    let run = visible(&state, &caller, &id).await?.header.id;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse::<u64>().ok());
    let permit = Arc::clone(&state.background.watchers)
        .try_acquire_owned()
        .map_err(|_| ApiError::new(error::OVERLOADED, "too many runs are being watched"))?;
    let first = Event::default().retry(RETRY).comment("watching");
    let events = watch_run(&state.0, run, last.map_or(0, |last| last + 1)).map(event);
    let events = futures::stream::iter([first])
        .chain(events)
        .map(Ok::<_, Infallible>)
        .take_until(tokio::time::sleep(LONGEST))
        // The place is free again when the stream is dropped.
        .inspect(move |_| _ = &permit);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

fn event(news: News) -> Event {
    match news {
        News::Event(event) => Event::default().id(event.seq.to_string()).event(event.kind).data(event.data),
        // Without an id, as it is not worth to be sent again.
        News::Progress(progress) => Event::default().event("progress").json_data(progress).unwrap_or_default(),
        News::Ended(seq, run) => {
            let data = json!({
                "id": run.id, "state": run.state, "verdict": run.verdict, "completeness": run.completeness,
                "counts": run.counts, "summary": run.summary, "done": true,
            });
            Event::default().id(seq.to_string()).event("ended").json_data(data).unwrap_or_default()
        }
    }
}

/// Answer of one step of a run
///
/// The whole answer of a step of a run of several, from the moment at which it is there.
#[utoipa::path(get, path = "/v1/runs/{id}/steps/{place}", tag = "runs",
    params(("id" = Uuid, Path), ("place" = u32, Path, description = "Its place in the run, from 0"), StepParams),
    responses((status = 200, body = Answer<Value>), ApiError))]
pub(super) async fn run_step(
    state: AppState,
    Caller(caller): Caller,
    query: StepQuery,
    PathOf((id, place)): PathOf<(String, u32)>,
) -> ApiResult<Response> {
    let wanted = query.only_format()?;
    let run = visible(&state, &caller, &id).await?.header.id;
    let part = state.history.part(run, place).await?;
    let none = || ApiError::new(error::NOT_FOUND, "the run has no such step, or it has not ended yet");
    let part = part.ok_or_else(none)?;
    for access in &part.access {
        if !state.authority.may(&caller, access).await? {
            return Err(none());
        }
    }
    let Some(text) = part.answer else {
        let about: Value = serde_json::from_str(&part.about).unwrap_or_default();
        let why = about["summary"].as_str().unwrap_or("it failed").to_owned();
        return Err(ApiError::new(error::NOT_FOUND, format!("the step gave no answer: {why}")));
    };
    let answer: Answer<crate::report::Data> =
        serde_json::from_str(&text).map_err(|_| ApiError::new(error::INTERNAL, "the step's record cannot be read"))?;
    debug_assert_eq!(answer.run.state, State::Succeeded);
    let title = steps::find(&part.step).map_or("", |step| step.about().title);
    state.rendered(Answered { answer, printed: None }, title, wanted, None)
}
