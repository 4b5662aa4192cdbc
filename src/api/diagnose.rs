//! Diagnosis: the causes, what changed, and what a symptom may come from.

use axum::{Json, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    AppState,
    error::{ApiError, ApiResult},
    extract::{Caller, JsonBody, StepParams, StepQuery},
};
use crate::{
    runs::Answer,
    steps::{
        self, AnyStep as _, ChangesData, ChangesInput, Diagnose, DiagnoseData, DiagnoseInput, Inputs, Invalid, Problems,
    },
};

/// Of a symptom that is looked up.
const LONGEST: usize = 2000;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(diagnose)).routes(routes!(changes)).routes(routes!(list_problems))
}

/// Find the causes
///
/// Carries out the steps that the scope needs and answers with the causes, the gravest first, each once: what it explains,
/// who suffers since when, what was changed, what to do, and how to see that it worked. An empty body asks for everything.
#[utoipa::path(post, path = "/v1/diagnose", tag = "mesh", request_body = DiagnoseInput, params(StepParams),
    responses((status = 200, body = Answer<DiagnoseData>), ApiError))]
async fn diagnose(
    state: AppState,
    Caller(caller): Caller,
    mut query: StepQuery,
    JsonBody(body): JsonBody,
) -> ApiResult<Response> {
    query.no_inputs()?;
    let prepared = Diagnose.prepare(Inputs::Json(body))?;
    let wanted = query.wanted();
    let place = state.place(&caller, query.capture.take().as_deref()).await?;
    state.answer_prepared(prepared.as_ref(), &place, wanted).await
}

/// List what changed
///
/// Objects that were created, changed or deleted, by which manager and in which fields, rollouts and restarts, newest
/// first. What controllers write all the time is left out.
#[utoipa::path(get, path = "/v1/changes", tag = "mesh", params(ChangesInput, StepParams),
    responses((status = 200, body = Answer<ChangesData>), ApiError))]
async fn changes(state: AppState, Caller(caller): Caller, query: StepQuery) -> ApiResult<Response> {
    state.answer_query(&steps::Changes, &caller, query).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ProblemsQuery {
    /// A status such as `503`, a response flag such as `UH`, or an error message.
    #[param(max_length = 2000)]
    symptom: String,
}

/// List what a symptom may come from
///
/// Answers from the catalogue of problems, without a cluster: the candidates, and the steps that tell them apart.
#[utoipa::path(get, path = "/v1/problems", tag = "mesh", params(ProblemsQuery),
    responses((status = 200, body = Problems), ApiError))]
async fn list_problems(_: Caller, query: StepQuery) -> ApiResult<Json<Problems>> {
    let ProblemsQuery { symptom } = query.read()?;
    if symptom.trim().is_empty() || symptom.len() > LONGEST {
        let message = format!("must have from 1 to {LONGEST} bytes");
        return Err(vec![Invalid::new("symptom", "range", message)].into());
    }
    Ok(Json(steps::problems(&symptom)))
}
