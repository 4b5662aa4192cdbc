//! The catalogue of steps.

use axum::Json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::{self, ApiError, ApiResult},
    extract::{Caller, NoParameters, PathOf},
};
use crate::steps::{self, About, AnyStep};

/// A step, with its inputs described.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StepDescription {
    #[serde(flatten)]
    about: About,
    /// JSON Schema of the inputs.
    #[schema(value_type = Object)]
    inputs: Value,
}

/// Every step.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StepList {
    items: Vec<StepDescription>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

fn described(step: &dyn AnyStep) -> StepDescription {
    StepDescription { about: step.about(), inputs: step.input_schema() }
}

/// List the steps
///
/// Every step of the checklist that exists, with its inputs, the permissions that it needs and what it costs.
#[utoipa::path(get, path = "/v1/steps", tag = "steps", responses((status = 200, body = StepList), ApiError))]
pub(super) async fn list_steps(_: Caller, _: NoParameters) -> Json<StepList> {
    Json(StepList { items: steps::STEPS.iter().map(|step| described(*step)).collect(), next_cursor: None })
}

/// Describe a step
///
/// The same as in the list, for one step.
#[utoipa::path(get, path = "/v1/steps/{id}", tag = "steps", params(("id" = String, Path, max_length = 64)),
    responses((status = 200, body = StepDescription), ApiError))]
pub(super) async fn find_step(
    _: Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<Json<StepDescription>> {
    let step = steps::find(&id).ok_or_else(|| ApiError::new(error::NOT_FOUND, "there is no step of that id"))?;
    Ok(Json(described(step)))
}
