//! A run in one word, for callers that only understand status codes, and as a report for people.

use axum::{
    Json,
    http::Uri,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, PathOf, StepParams, StepQuery},
    results::{self, is_done},
    runs::visible,
};
use crate::{
    history::Run,
    report::{Completeness, Counts, Finding, Format, Severity, State, Verdict},
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(gate)).routes(routes!(run_report))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct GateQuery {
    /// The least severity that fails. Default: `error`.
    fail_on: Option<Severity>,
    /// `true` lets a run pass that found nothing but could not see all. Otherwise it fails: what could not be read is not
    /// known to be well.
    allow_partial: bool,
    /// Seconds to wait for the end of the run, at most 50.
    wait: Option<u32>,
}

/// A run that passes.
#[derive(Debug, Serialize, ToSchema)]
struct GatePassed {
    passed: bool,
    run: Uuid,
    verdict: Verdict,
    completeness: Completeness,
    counts: Counts,
    /// Findings that were left out because somebody decided to live with them.
    suppressed: usize,
    summary: String,
}

/// Pass or fail
///
/// 200 when the run found nothing of this severity or worse, else 424, for CI and for runbooks that only read the status
/// code. A run that failed, or that could not see all, does not pass. 409 while it is under way.
#[utoipa::path(get, path = "/v1/runs/{id}/gate", tag = "runs", params(("id" = Uuid, Path), GateQuery),
    responses((status = 200, body = GatePassed), ApiError))]
async fn gate(
    state: AppState,
    Caller(caller): Caller,
    mut query: StepQuery,
    PathOf(id): PathOf<String>,
) -> ApiResult<Response> {
    let wait = results::wait(&mut query)?;
    let query: GateQuery = query.read()?;
    let mut run = visible(&state, &caller, &id).await?;
    if let Some(wait) = wait.filter(|wait| !is_done(&run.header) && !wait.time.is_zero()) {
        results::wait_for_end(&state, run.header.id, wait.time).await;
        run = visible(&state, &caller, &id).await?;
    }
    if !is_done(&run.header) {
        return Err(ApiError::new(error::RUN_NOT_FINISHED, error::RUN_NOT_FINISHED.about).retry_after(3));
    }
    let failed = |why: String| Err(ApiError::new(error::GATE_FAILED, why));
    let header = run.header.clone();
    if header.state != State::Succeeded {
        return failed(format!("the run {}: {}", results::word_of(header.state), header.summary));
    }
    let (findings, suppressed) = unsuppressed(&state, run).await?;
    let fail_on = query.fail_on.unwrap_or(Severity::Error);
    let counts = Counts::of(&findings);
    if let Some(worst) = findings.iter().find(|finding| finding.severity >= fail_on) {
        let many = findings.iter().filter(|finding| finding.severity >= fail_on).count();
        return failed(format!("{many} findings, first [{}] {}", worst.code, worst.message));
    }
    let completeness = header.completeness.unwrap_or(Completeness::Partial);
    if completeness == Completeness::Partial && !query.allow_partial {
        return failed(format!("not everything could be seen (allow_partial lets it pass): {}", header.summary));
    }
    let verdict = Verdict::of(counts, completeness);
    let passed =
        GatePassed { passed: true, run: header.id, verdict, completeness, counts, suppressed, summary: header.summary };
    Ok((StatusCode::OK, Json(passed)).into_response())
}

/// What the run found, without what somebody has decided to live with, and how much that was.
async fn unsuppressed(state: &AppState, run: Run) -> ApiResult<(Vec<Finding>, usize)> {
    let cluster = run.header.cluster.clone();
    let mut findings = results::answered(run)?.answer.findings;
    let all = findings.len();
    let suppressions = state.history.suppressions_in_force(&cluster, state.clock.now()).await?;
    findings.retain(|finding| !suppressions.iter().any(|suppression| suppression.fits_finding(finding)));
    let suppressed = all - findings.len();
    Ok((findings, suppressed))
}

/// Report of a run
///
/// The result for people: Markdown, or the format that is asked for.
#[utoipa::path(get, path = "/v1/runs/{id}/report", tag = "runs", params(("id" = Uuid, Path), StepParams),
    responses((status = 200, body = String, content_type = "text/markdown"), ApiError))]
async fn run_report(
    state: AppState,
    Caller(caller): Caller,
    uri: Uri,
    query: StepQuery,
    PathOf(id): PathOf<String>,
) -> ApiResult<Response> {
    let chosen = uri.query().unwrap_or_default().split('&').any(|pair| pair.starts_with("format="));
    let mut wanted = query.only_format()?;
    // Clients that send `Accept: */*` or JSON by habit want the report all the same.
    if !chosen && wanted.format == Format::Json {
        wanted.format = Format::Markdown;
    }
    let run = visible(&state, &caller, &id).await?;
    if !is_done(&run.header) {
        return Err(ApiError::new(error::RUN_NOT_FINISHED, error::RUN_NOT_FINISHED.about).retry_after(3));
    }
    results::ended(&state, run, wanted)
}
