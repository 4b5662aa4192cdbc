//! The bug report, which is made in the background.

use axum::{http::HeaderMap, response::Response};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{ActionParams, Caller, JsonBody, StepQuery},
    results::{self, RunStatus},
};
use crate::{
    capture::hexadecimal,
    history::RequestKey,
    runs::{self, Place, bug_report},
    steps::{self, BugReport, BugReportInput, Inputs, Prepared},
};

const LONGEST_KEY: usize = 255;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(make_bug_report))
}

/// Make a bug report
///
/// Collects objects, logs and the pages of istiod and of every proxy into an archive without secrets, as the caller may
/// see them, and carries out every step over it. Answers 202 at once: `Location` is where the result will be,
/// `Operation-Location` the run with its progress, and the archive is among the run's artifacts. `dry_run` only says what
/// would be collected. A caller has one at a time.
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
    headers: HeaderMap,
    mut query: StepQuery,
    JsonBody(mut body): JsonBody,
) -> ApiResult<Response> {
    let wait = results::wait(&mut query, &headers)?;
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
    let key = request_key(&headers, prepared.as_ref())?;
    state.disk.check_room().map_err(|error| ApiError::new(error::STORAGE_FULL, error.to_string()))?;
    let work = move |work| bug_report::work(work, input);
    // Large, as it holds what it begins.
    let started = match Box::pin(runs::start(&state.0, &caller, prepared, key.as_ref(), work)).await {
        // A caller who asks again while one is made gets that one.
        Err(runs::Error::Busy(Some(run))) => runs::Started { run, replayed: true },
        started => started?,
    };
    if !wait.is_zero() {
        results::wait_for_end(&state, started.run, wait).await;
    }
    let run = state.history.run(state.cluster.id(), started.run).await?.ok_or_else(ApiError::no_such_run)?;
    let mut response = if !wait.is_zero() && results::is_done(&run.header) {
        results::ended(&state, run, format)?
    } else {
        results::status(&state, run.header, StatusCode::ACCEPTED).await?
    };
    if started.replayed {
        let name = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The caller's key for this request, and what it stands for.
fn request_key(headers: &HeaderMap, prepared: &dyn Prepared) -> ApiResult<Option<RequestKey>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().map(|key| key.trim().trim_matches('"').to_owned());
    let Some(key) = key.ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len())) else {
        let detail = format!("Idempotency-Key must have from 1 to {LONGEST_KEY} characters of ASCII");
        return Err(ApiError::new(error::INVALID_REQUEST, detail));
    };
    let mut hash = Sha256::new();
    hash.update(prepared.about().id);
    hash.update([0]);
    hash.update(prepared.inputs().to_string());
    let fingerprint = hexadecimal(&hash.finalize()[..16]);
    Ok(Some(RequestKey { key, fingerprint }))
}
