//! What handlers take from a request, with errors that say what to change.

use std::sync::Arc;

use axum::{
    extract::{
        FromRef, FromRequest, FromRequestParts, Path, Request,
        path::ErrorKind,
        rejection::{BytesRejection, PathRejection},
    },
    http::request::Parts,
};
use bytes::Bytes;
use http::header;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    accept,
    error::{self, ApiError},
    serve::Peer,
};
use crate::{
    app::App,
    auth,
    report::{Format, Severity, View},
    runs::Wanted,
    steps::{Inputs, Invalid},
};

/// The parts that handlers share.
#[derive(Clone, FromRef)]
pub struct AppState(pub(super) Arc<App>);

impl<S: Send + Sync> FromRequestParts<S> for AppState
where
    AppState: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(AppState::from_ref(state))
    }
}

impl std::ops::Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

/// Who calls. A handler that takes it answers 401 to nobody.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) Arc<auth::Caller>);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let app = AppState::from_ref(state);
        let credential = credential(parts);
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        Ok(Self(app.identify.caller(credential, peer).await?))
    }
}

/// `Authorization: Bearer …`, or `X-Api-Key` for bots that can only send a header of their own.
fn credential(parts: &Parts) -> Option<&str> {
    let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| parts.headers.get("x-api-key").and_then(|value| value.to_str().ok()))
}

/// How much of an answer is wanted.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "documents what `View` reads")]
enum ViewName {
    Full,
    Summary,
}

/// Orders of findings.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what `View` reads")]
enum SortName {
    #[schema(rename = "-severity")]
    WorstFirst,
    #[schema(rename = "severity")]
    MildestFirst,
    #[schema(rename = "code")]
    Code,
    #[schema(rename = "-code")]
    CodeReversed,
    #[schema(rename = "namespace")]
    Namespace,
    #[schema(rename = "-namespace")]
    NamespaceReversed,
    #[schema(rename = "kind")]
    Kind,
    #[schema(rename = "-kind")]
    KindReversed,
}

/// Parameters of every step.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `StepQuery` reads")]
pub(super) struct StepParams {
    /// Form of the answer. Without it, `Accept` decides.
    format: Option<Format>,
    /// Only findings of this severity, or worse. The verdict and the counts are those of all.
    #[param(inline)]
    min_severity: Option<Severity>,
    /// Only so many findings.
    #[param(minimum = 1, maximum = 10000)]
    top: Option<u32>,
    /// `summary` leaves out the step's data and the evidence of findings.
    #[param(inline)]
    view: Option<ViewName>,
    /// Order of the findings: by `severity`, `code`, `namespace` or `kind`, with `-` the other way round.
    #[param(inline)]
    sort: Option<SortName>,
    /// Id of an uploaded capture (`POST /v1/captures`) to answer from, instead of from the cluster.
    #[param(value_type = Option<uuid::Uuid>)]
    capture: Option<String>,
    /// `json` sends problems as `application/json`, for clients that read nothing else.
    errors: Option<String>,
}

/// The same without `capture`: what changes the cluster, and what has ended, reads none.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters that `StepQuery` reads")]
pub(super) struct ActionParams {
    /// Form of the answer. Without it, `Accept` decides.
    format: Option<Format>,
    /// Only findings of this severity, or worse. The verdict and the counts are those of all.
    #[param(inline)]
    min_severity: Option<Severity>,
    /// Only so many findings.
    #[param(minimum = 1, maximum = 10000)]
    top: Option<u32>,
    /// `summary` leaves out the step's data and the evidence of findings.
    #[param(inline)]
    view: Option<ViewName>,
    /// Order of the findings: by `severity`, `code`, `namespace` or `kind`, with `-` the other way round.
    #[param(inline)]
    sort: Option<SortName>,
    /// `json` sends problems as `application/json`, for clients that read nothing else.
    errors: Option<String>,
}

/// The query of a step: its inputs, where it reads, and the form of the answer.
#[derive(Debug)]
pub(super) struct StepQuery {
    pub(super) pairs: Vec<(String, String)>,
    /// Id of an uploaded capture, as it was given.
    pub(super) capture: Option<String>,
    pub(super) format: Format,
    /// How much of the answer is wanted.
    pub(super) view: View,
    /// All of the query, as it came.
    pub(super) asked: String,
}

/// `Link: rel="next"` ([RFC 8288](https://www.rfc-editor.org/rfc/rfc8288)): the same question, from the cursor on.
pub(super) fn next_page(path: &str, asked: &str, cursor: &str) -> String {
    let others = url::form_urlencoded::parse(asked.as_bytes()).filter(|(name, _)| name != "cursor");
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(others).append_pair("cursor", cursor);
    format!("<{path}?{}>; rel=\"next\"", query.finish())
}

impl StepQuery {
    pub(super) fn wanted(&self) -> Wanted {
        Wanted { view: self.view, ..self.format.into() }
    }

    /// The inputs, with one that stands in the path.
    pub(super) fn with(mut self, name: &str, value: String) -> Self {
        self.pairs.push((name.to_owned(), value));
        self
    }

    pub(super) fn inputs(self) -> Inputs {
        Inputs::Pairs(self.pairs)
    }

    /// The format of a step that changes the cluster: no capture can be named. Its inputs stand in the body.
    pub(super) fn of_action(self) -> Result<Wanted, ApiError> {
        if self.capture.is_some() {
            return Err(ApiError::new(
                error::CAPTURE_IS_READ_ONLY,
                "a capture cannot be changed: leave `capture` out, and the step is carried out in the cluster",
            ));
        }
        self.no_inputs()?;
        Ok(self.wanted())
    }

    /// The form of the answer, where the query says nothing else.
    pub(super) fn only_format(self) -> Result<Wanted, ApiError> {
        if self.capture.is_some() {
            return Err(vec![Invalid::new("capture", "unknown_field", "is no parameter here")].into());
        }
        self.no_inputs()?;
        Ok(self.wanted())
    }

    /// Refuses inputs in the query, where they stand in the body.
    pub(super) fn no_inputs(&self) -> Result<(), ApiError> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(vec![Invalid::new(name, "unknown_field", "is no query parameter here; inputs go into the body")]
                    .into())
            }
        }
    }

    /// Reads the query as a structure. A capture is one of its fields, unless it was taken before.
    pub(super) fn read<T: DeserializeOwned>(mut self) -> Result<T, ApiError> {
        if let Some(capture) = self.capture.take() {
            self.pairs.push(("capture".to_owned(), capture));
        }
        Ok(self.inputs().read()?)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for StepQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        check_encoding(query)?;
        let mut pairs = Vec::new();
        let (mut capture, mut format, mut view) = (None, None, View::default());
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "format" => {
                    let named = Format::named(&value).ok_or_else(|| {
                        let known = Format::ALL.map(Format::name).join(", ");
                        vec![Invalid::new("format", "unknown_value", format!("must be one of {known}"))]
                    })?;
                    format = Some(named);
                }
                "errors" => {}
                "capture" => {
                    if capture.replace(value.into_owned()).is_some() {
                        return Err(vec![Invalid::new("capture", "type", "may be given only once")].into());
                    }
                }
                _ => match view.take(&name, &value) {
                    Some(Err(message)) => return Err(vec![Invalid::new(&name, "unknown_value", message)].into()),
                    Some(Ok(())) => {}
                    None => pairs.push((name.into_owned(), value.into_owned())),
                },
            }
        }
        let format = match format {
            Some(format) => format,
            None => accept::format(&parts.headers)?,
        };
        Ok(Self { pairs, capture, format, view, asked: query.to_owned() })
    }
}

/// A request without parameters. One that is misspelt, or meant for another path, would be ignored in silence.
pub(super) struct NoParameters;

impl<S: Send + Sync> FromRequestParts<S> for NoParameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        check_encoding(query)?;
        let mut names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
        match names.find(|name| name != "errors") {
            None => Ok(Self),
            Some(name) => Err(vec![Invalid::new(&name, "unknown_field", "there is no such parameter here")].into()),
        }
    }
}

/// A query that is not UTF-8 under its percent signs would be read with replacement characters: refuse it.
fn check_encoding(query: &str) -> Result<(), ApiError> {
    let bytes: Vec<u8> = percent_decoded(query);
    if std::str::from_utf8(&bytes).is_err() {
        return Err(ApiError::new(error::INVALID_REQUEST, "the query is not UTF-8"));
    }
    Ok(())
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let raw = text.as_bytes();
    let mut bytes = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let digits = (raw[at] == b'%').then(|| Some((hex(*raw.get(at + 1)?)?, hex(*raw.get(at + 2)?)?))).flatten();
        if let Some((high, low)) = digits {
            bytes.push(u8::try_from(high * 16 + low).expect("two digits make a byte"));
            at += 3;
        } else {
            bytes.push(raw[at]);
            at += 1;
        }
    }
    bytes
}

/// A part of the path.
pub(super) struct PathOf<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|rejection| path_error(&rejection))
    }
}

fn path_error(rejection: &PathRejection) -> ApiError {
    if let PathRejection::FailedToDeserializePathParams(failed) = rejection
        && matches!(failed.kind(), ErrorKind::InvalidUtf8InPathParam { .. })
    {
        return ApiError::new(error::INVALID_REQUEST, "the path is not UTF-8");
    }
    ApiError::new(error::NOT_FOUND, rejection.body_text())
}

/// A JSON body, as it came.
pub(super) struct JsonBody(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
        if !(media == "application/json" || media.ends_with("+json")) {
            return Err(ApiError::new(error::UNSUPPORTED_MEDIA_TYPE, error::UNSUPPORTED_MEDIA_TYPE.about));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| body_error(&error))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| ApiError::new(error::INVALID_REQUEST, format!("the body is not UTF-8: {error}")))?;
        let value = serde_json::from_str(text)
            .map_err(|error| ApiError::new(error::INVALID_REQUEST, format!("the body is not JSON: {error}")))?;
        Ok(Self(value))
    }
}

pub(super) fn body_error(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::new(error::PAYLOAD_TOO_LARGE, format!("the body is larger than {} bytes", super::MAX_BODY_BYTES))
    } else {
        ApiError::new(error::INVALID_REQUEST, rejection.body_text())
    }
}
