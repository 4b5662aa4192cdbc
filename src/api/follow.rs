//! Logs of istiod as they are written, as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt as _, stream::select_all};
use http::HeaderValue;
use serde::Serialize;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
};
use crate::{
    auth::{self, Trail},
    cluster,
    redact::Lines,
    report::Format,
    runs::{Place, execute},
    steps::{self, IstiodLogsInput},
};

/// Pods that one stream follows; kubectl's limit is five.
const MAX_PODS: usize = 10;
/// After this the stream ends, and the client comes back if it still wants more.
const LONGEST: Duration = Duration::from_hours(1);
/// Permissions may be taken back.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// A longer line is cut.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// One line of one istiod.
#[derive(Serialize)]
struct FollowedLine<'a> {
    namespace: &'a str,
    pod: &'a str,
    at: Option<&'a str>,
    line: &'a str,
}

pub(super) async fn istiod_logs(
    state: &AppState,
    caller: &Arc<auth::Caller>,
    input: IstiodLogsInput,
) -> ApiResult<Response> {
    let permit = state.followers.take(&caller.user, 1, false).await?;
    // What is there already is read as ever, so that the history knows who has seen it.
    let prepared = steps::prepared::<steps::IstiodLogs>(input.clone())?;
    let place = Place::own(&state.0, caller);
    let run = Box::pin(execute(&state.0, &place, prepared.as_ref(), Format::Json)).await?.answer.run.id;
    let trail = Trail::default();
    let client = state.authority.client_for(Arc::clone(caller), trail.clone());
    let cluster = state.cluster.through(client);
    let istiods = cluster.control_plane_of(&input.istio_namespace, input.revision.as_deref()).await?.istiods;
    let mut streams = Vec::new();
    for istiod in istiods.into_iter().take(MAX_PODS) {
        let namespace = istiod.pod.metadata.namespace.clone().unwrap_or_default();
        let pod = istiod.pod.metadata.name.clone().unwrap_or_default();
        let log = cluster.follow_log(&namespace, &pod, input.container(), &input.log_query()).await?;
        let contains = input.contains.clone().map(|text| text.to_lowercase());
        let mut secrets = Lines::default();
        streams.push(Box::pin(lines(log).map(move |line| match line {
            Ok(line) => {
                let (at, text) = crate::logs::line::split_timestamp(&line);
                // Each line is looked at: what it begins may go on in one that is wanted.
                let (line, _) = secrets.redact(text);
                let wanted = contains.as_ref().is_none_or(|wanted| line.to_lowercase().contains(wanted));
                wanted.then(|| {
                    let data = FollowedLine { namespace: &namespace, pod: &pod, at, line: &line };
                    Event::default().event("line").json_data(data).unwrap_or_default()
                })
            }
            Err(error) => {
                let why = format!("{namespace}/{pod}: {}", cluster::chain(&error));
                Some(Event::default().event("error").data(why.replace(['\r', '\n'], " ")))
            }
        })));
    }
    if streams.is_empty() {
        return Err(ApiError::new(error::NOT_FOUND, "there is no istiod to follow"));
    }
    let events = select_all(streams)
        .filter_map(|event| std::future::ready(event.map(Ok::<_, Infallible>)))
        .take_until(tokio::time::timeout(LONGEST, until_forbidden(state.clone(), Arc::clone(caller), trail)))
        // The place is free again when the stream is dropped.
        .inspect(move |_| _ = &permit);
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    let run = HeaderValue::from_str(&run.to_string()).expect("an id is plain");
    response.headers_mut().insert("meshtriage-run", run);
    Ok(response)
}

/// Ends when the caller may no longer do what the stream does, or when that cannot be asked.
async fn until_forbidden(state: AppState, caller: Arc<auth::Caller>, trail: Trail) {
    loop {
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
        for access in trail.used() {
            if !state.authority.may(&caller, &access).await.unwrap_or(false) {
                tracing::info!(user = %caller.user, "{} may not {} any more: the stream ends", caller.user, access.words());
                return;
            }
        }
    }
}

/// Cuts a stream of bytes into lines.
fn lines(
    bytes: impl Stream<Item = Result<bytes::Bytes, cluster::Error>> + Send + 'static,
) -> impl Stream<Item = Result<String, cluster::Error>> + Send {
    let mut rest: Vec<u8> = Vec::new();
    bytes.flat_map(move |chunk| {
        let mut lines = Vec::new();
        match chunk {
            Ok(chunk) => {
                for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                    if rest.len() < MAX_LINE_BYTES {
                        rest.extend_from_slice(&part[..part.len().min(MAX_LINE_BYTES)]);
                    }
                    if part.ends_with(b"\n") {
                        let line = std::mem::take(&mut rest);
                        lines.push(Ok(String::from_utf8_lossy(&line).trim_end().to_owned()));
                    }
                }
            }
            Err(error) => lines.push(Err(error)),
        }
        futures::stream::iter(lines)
    })
}
