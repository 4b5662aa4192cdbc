//! Known error messages: the catalogue, and finding a pasted message in it.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    AppState,
    error::{self, ApiError, ApiResult},
    extract::{Caller, JsonBody, NoParameters, PathOf, StepQuery},
};
use crate::{
    errors::{ErrorLookup, ErrorSource, KnownError, LONGEST_LOG, LONGEST_MESSAGE},
    steps::{Inputs, Invalid},
};

const MAX_MESSAGES: usize = 100;

/// Which entries to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ErrorsQuery {
    /// Words that an entry must have, all of them.
    #[param(max_length = 200)]
    q: Option<String>,
    /// When the message appears, such as `create` or `upgrade`.
    #[param(max_length = 50)]
    phase: Option<String>,
    /// `guide`, `extended`, or the operator's own.
    #[param(inline)]
    source: Option<ErrorSource>,
}

/// Entries of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorList {
    items: Vec<KnownError>,
    /// Always null: the list is complete.
    next_cursor: Option<String>,
}

/// What to look up: one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupInput {
    /// One message, as it was copied: wrapped, quoted, coloured, cut off.
    #[schema(max_length = 16384)]
    message: Option<String>,
    /// Up to 100 messages.
    #[schema(max_items = 100)]
    messages: Option<Vec<String>>,
    /// A log of up to 1 MiB; each match says line and column.
    #[schema(max_length = 1_048_576)]
    log: Option<String>,
}

/// List known errors
///
/// The catalogue of error messages with reason and recommendation, or those that have all words of a search.
#[utoipa::path(get, path = "/v1/errors", tag = "errors", params(ErrorsQuery),
    responses((status = 200, body = ErrorList), ApiError))]
pub(super) async fn list_errors(state: AppState, _: Caller, query: StepQuery) -> ApiResult<Json<ErrorList>> {
    let query: ErrorsQuery = query.read()?;
    for (field, text, most) in [("q", &query.q, 200), ("phase", &query.phase, 50)] {
        if text.as_ref().is_some_and(|text| text.chars().count() > most) {
            return Err(vec![Invalid::new(field, "range", format!("must have at most {most} characters"))].into());
        }
    }
    let found = state.catalogue.search(query.q.as_deref().unwrap_or_default(), query.phase.as_deref(), query.source);
    Ok(Json(ErrorList { items: found.into_iter().cloned().collect(), next_cursor: None }))
}

/// Read a known error
///
/// One entry. Its id has two parts, such as `guide/14-too-many-revisions`; a slash may be written as `%2F`.
#[utoipa::path(get, path = "/v1/errors/{id}", tag = "errors", params(("id" = String, Path, max_length = 100)),
    responses((status = 200, body = KnownError), ApiError))]
pub(super) async fn find_error(
    state: AppState,
    _: Caller,
    _: NoParameters,
    PathOf(id): PathOf<String>,
) -> ApiResult<Json<KnownError>> {
    known(&state, &id)
}

/// Read a known error by both parts of its id
///
/// The same as with one part.
#[utoipa::path(get, path = "/v1/errors/{group}/{name}", tag = "errors",
    params(("group" = String, Path, max_length = 50), ("name" = String, Path, max_length = 100)),
    responses((status = 200, body = KnownError), ApiError))]
pub(super) async fn find_error_in_group(
    state: AppState,
    _: Caller,
    PathOf((group, name)): PathOf<(String, String)>,
) -> ApiResult<Json<KnownError>> {
    known(&state, &format!("{group}/{name}"))
}

fn known(state: &AppState, id: &str) -> ApiResult<Json<KnownError>> {
    let entry = state.catalogue.get(id).cloned();
    entry.map(Json).ok_or_else(|| ApiError::new(error::NOT_FOUND, "there is no known error of that id"))
}

/// Look up an error message
///
/// Finds what is known of one message, of up to 100, or of a pasted log. The best match comes first: exact, then by
/// template with its parameters, then similar. An unknown message is no error: no match, and the nearest suggestions.
#[utoipa::path(post, path = "/v1/errors/lookup", tag = "errors", request_body = LookupInput,
    responses((status = 200, body = ErrorLookup), ApiError))]
pub(super) async fn lookup_errors(
    state: AppState,
    _: Caller,
    _: NoParameters,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<ErrorLookup>> {
    let input: LookupInput = Inputs::Json(body).read()?;
    check(&input)?;
    // A long log takes a moment, which must not hold up other requests.
    let app = state.0.clone();
    let looked_up = tokio::task::spawn_blocking(move || {
        let catalogue = &app.catalogue;
        match input {
            LookupInput { message: Some(message), .. } => catalogue.find(&message),
            LookupInput { messages: Some(messages), .. } => catalogue.find_all(messages.iter().map(String::as_str)),
            LookupInput { log, .. } => {
                ErrorLookup { matches: catalogue.scan_log(&log.unwrap_or_default()), ..ErrorLookup::default() }
            }
        }
    });
    looked_up.await.map(Json).map_err(|_| ApiError::new(error::INTERNAL, error::INTERNAL.about))
}

fn check(input: &LookupInput) -> Result<(), ApiError> {
    let given = [input.message.is_some(), input.messages.is_some(), input.log.is_some()];
    if given.into_iter().filter(|given| *given).count() != 1 {
        return Err(vec![Invalid::new("message", "required", "give one of message, messages and log")].into());
    }
    let too_long = |field: &str, bytes: usize, most: usize| {
        (bytes > most).then(|| Invalid::new(field, "range", format!("is {bytes} bytes long; at most {most} are read")))
    };
    let mut invalid = Vec::new();
    if input.message.as_deref().is_some_and(|text| text.trim().is_empty()) {
        invalid.push(Invalid::new("message", "required", "is empty"));
    }
    invalid.extend(input.message.iter().filter_map(|text| too_long("message", text.len(), LONGEST_MESSAGE)));
    invalid.extend(input.log.iter().filter_map(|text| too_long("log", text.len(), LONGEST_LOG)));
    if let Some(messages) = &input.messages {
        if messages.is_empty() || messages.len() > MAX_MESSAGES {
            invalid.push(Invalid::new("messages", "range", format!("give from 1 to {MAX_MESSAGES} messages")));
        }
        for (index, message) in messages.iter().enumerate().take(MAX_MESSAGES) {
            invalid.extend(too_long(&format!("messages/{index}"), message.len(), LONGEST_MESSAGE));
        }
    }
    if invalid.is_empty() { Ok(()) } else { Err(invalid.into()) }
}
