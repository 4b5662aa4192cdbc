//! The one place where HTTP statuses of errors are decided, and the one body they have (RFC 9457).

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response as ApiResponse, ResponseBuilder},
};

use crate::{
    auth, capture,
    cluster::{self, budget::NoRoom},
    history, runs,
    steps::Invalid,
    uploads,
};

pub(super) type ApiResult<T> = Result<T, ApiError>;

/// A problem, as `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `/problems/<code>`, where the kind of problem is explained.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    /// What is wrong here, and what to change.
    pub detail: String,
    /// Stable, for programs.
    pub code: &'static str,
    /// The path that was called.
    pub instance: String,
    /// The request's id; it stands in the service's log too.
    pub request_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The inputs that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Invalid>,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) code: &'static str,
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) retryable: bool,
    /// What it means, for `/problems/{code}`.
    pub(super) about: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $retryable:literal, $about:literal;)*) => {
        $(pub(super) const $name: Kind =
            Kind { code: $code, status: StatusCode::$status, title: $title, retryable: $retryable, about: $about };)*
        /// Every kind of problem, for the documentation.
        pub(super) const KINDS: &[Kind] = &[$($name),*];
    };
}

kinds! {
    INVALID_REQUEST = "invalid_request", BAD_REQUEST, "Invalid request", false,
        "The request cannot be read: its body, its encoding or its path is broken.";
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "Not authenticated", false,
        "Send `Authorization: Bearer` with a Kubernetes token or an API key.";
    FORBIDDEN = "forbidden", FORBIDDEN, "Forbidden", false,
        "The caller lacks the Kubernetes permission that the step stands for.";
    ACTIONS_DISABLED = "actions_disabled", FORBIDDEN, "Actions are disabled", false,
        "Steps that change the cluster are off unless the service was started with `--enable-actions`.";
    NOT_FOUND = "not_found", NOT_FOUND, "Not found", false,
        "There is no such path, object or run, or the caller may not see it.";
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed", false,
        "The path exists, but not with this method.";
    NOT_ACCEPTABLE = "not_acceptable", NOT_ACCEPTABLE, "Not acceptable", false,
        "The answer cannot be written in the format that was asked for.";
    CONFLICT = "conflict", CONFLICT, "Conflict", false,
        "The change was refused because of the cluster's present state.";
    CAPTURE_IS_READ_ONLY = "capture_is_read_only", CONFLICT, "A recording is read-only", false,
        "The service reads a recorded cluster, which cannot be changed.";
    NOT_RECORDED = "not_recorded", CONFLICT, "Not in this recording", false,
        "The service reads a recorded cluster, and what was asked for was not recorded.";
    CAPTURES_FULL = "captures_full", CONFLICT, "No room for a capture", false,
        "Captures are kept up to a number and a size, for each caller and in all. Delete some, or wait until they expire.";
    NOT_A_CAPTURE = "not_a_capture", UNPROCESSABLE_ENTITY, "Not a recording", false,
        "What was uploaded is neither our own archive, nor one of `istioctl bug-report`, nor YAML with Kubernetes objects.";
    CAPTURE_TRUNCATED = "capture_truncated", UNPROCESSABLE_ENTITY, "The archive was cut", false,
        "The uploaded archive ends too early. Make it again, and compare its size.";
    CAPTURE_DAMAGED = "capture_damaged", UNPROCESSABLE_ENTITY, "The archive is damaged", false,
        "The uploaded archive cannot be read. Make it again.";
    CAPTURE_UNSAFE = "capture_unsafe", UNPROCESSABLE_ENTITY, "The archive is not safe", false,
        "The uploaded archive has an entry that leads out of it, or that is no plain file. Pack plain files only.";
    CAPTURE_TOO_LARGE = "capture_too_large", UNPROCESSABLE_ENTITY, "The recording is too large", false,
        "What the uploaded archive unpacks to is larger than the service allows, or takes too long to open.";
    UPLOAD_TIMED_OUT = "upload_timed_out", REQUEST_TIMEOUT, "Upload timed out", true,
        "The body stopped coming, or took too long as a whole.";
    STORAGE_FULL = "storage_full", INSUFFICIENT_STORAGE, "Disk full", true,
        "The service's disk has no room left. Somebody must make room.";
    RUN_NOT_FINISHED = "run_not_finished", CONFLICT, "The run is not finished", true,
        "The run is still being carried out: wait for its end, or cancel it.";
    RUN_NOT_CANCELABLE = "run_not_cancelable", CONFLICT, "The run cannot be canceled", false,
        "The run is finished already.";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency key reused", false,
        "The `Idempotency-Key` belongs to a request that asked for something else.";
    GONE = "gone", GONE, "Gone", false,
        "The file was deleted to make room, or lies with another replica.";
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable", RANGE_NOT_SATISFIABLE, "Range not satisfiable", false,
        "The range begins after the end of the file.";
    RATE_LIMITED = "rate_limited", TOO_MANY_REQUESTS, "Too many requests", true,
        "Each caller may have one such run at a time, and a share of what may run and be read at once.";
    PAYLOAD_TOO_LARGE = "payload_too_large", PAYLOAD_TOO_LARGE, "Payload too large", false,
        "The body is larger than this path accepts.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type", false,
        "Send the body as the media type that the path asks for, mostly `application/json`.";
    VALIDATION_FAILED = "validation_failed", UNPROCESSABLE_ENTITY, "Validation failed", false,
        "One or more inputs are wrong; `errors` says which and why.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Internal error", false,
        "A mistake of the service. Its log has the details under the request's id.";
    CLUSTER_UNREACHABLE = "cluster_unreachable", BAD_GATEWAY, "Cluster unreachable", true,
        "The Kubernetes API server did not answer, or answered with an error of its own.";
    POD_UNREACHABLE = "pod_unreachable", BAD_GATEWAY, "Pod unreachable", true,
        "A pod's port did not answer as it should.";
    OVERLOADED = "overloaded", SERVICE_UNAVAILABLE, "Overloaded", true,
        "Too many steps are running at once, and none ended soon enough; try again in a moment.";
    HISTORY_UNAVAILABLE = "history_unavailable", SERVICE_UNAVAILABLE, "History unavailable", true,
        "The database with the history of runs cannot be reached. Steps answer all the same.";
    REVIEW_UNAVAILABLE = "review_unavailable", SERVICE_UNAVAILABLE, "The cluster could not be asked", true,
        "Who calls, or what they may do, could not be asked of the cluster; without an answer nobody is let in.";
    ANSWER_TOO_LONG = "answer_too_long", UNPROCESSABLE_ENTITY, "The answer is too long", false,
        "In the format that was asked for the answer would be too long: ask for JSON, or for less.";
    FOREIGN_ORIGIN = "foreign_origin", FORBIDDEN, "Foreign origin", false,
        "Without authentication, only this machine is answered: call `localhost`, and from no page of another site.";
    CLUSTER_TIMEOUT = "cluster_timeout", GATEWAY_TIMEOUT, "Cluster timed out", true,
        "The cluster took too long to answer.";
}

/// Runs in the background take minutes.
const BUSY_RETRY_S: u64 = 30;

/// An error on its way out. The middleware adds path and request id, and writes the body.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) kind: Kind,
    pub(super) detail: String,
    pub(super) errors: Vec<Invalid>,
    /// Seconds after which it is worth to try again.
    pub(super) retry_after: Option<u64>,
}

impl ApiError {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let retry_after = (kind == OVERLOADED).then_some(1);
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after }
    }

    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(super) fn no_such_run() -> Self {
        Self::new(NOT_FOUND, "there is no run of that id, or you may not see it")
    }

    pub(super) fn problem(&self, instance: &str, request_id: &str) -> Problem {
        Problem {
            kind: format!("/problems/{}", self.kind.code),
            title: self.kind.title,
            status: self.kind.status.as_u16(),
            detail: self.detail.clone(),
            code: self.kind.code,
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            retryable: self.kind.retryable,
            errors: self.errors.clone(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.kind.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Vec<Invalid>> for ApiError {
    fn from(errors: Vec<Invalid>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer.trim_start_matches('/'), one.message),
            many => format!("{} inputs are wrong", many.len()),
        };
        Self { kind: VALIDATION_FAILED, detail, errors, retry_after: None }
    }
}

impl From<cluster::Error> for ApiError {
    fn from(error: cluster::Error) -> Self {
        use cluster::{Error, pod_http::PodHttpError};
        let kind = match &error {
            // The API server is well, and says that it was asked for something wrong: mostly a label selector.
            Error::Api { status: 400, .. } | Error::InvalidName { .. } => VALIDATION_FAILED,
            Error::Api { reason, .. } if reason == auth::REVIEW_FAILED => REVIEW_UNAVAILABLE,
            Error::Unreachable { .. } | Error::Malformed { .. } | Error::Api { .. } | Error::TooLarge { .. } => {
                CLUSTER_UNREACHABLE
            }
            Error::TimedOut { .. } | Error::Pod(PodHttpError::TimedOut { .. } | PodHttpError::Silent { .. }) => {
                CLUSTER_TIMEOUT
            }
            // Too many ask the same pod or node.
            Error::Pod(PodHttpError::NotAsked { .. }) => OVERLOADED,
            Error::Pod(_) => POD_UNREACHABLE,
            Error::NotFound { .. } => NOT_FOUND,
            Error::Forbidden { .. } => FORBIDDEN,
            Error::NotRecorded { .. } => NOT_RECORDED,
            Error::NoRoom(refused) => return (*refused).into(),
            Error::Refused { .. } => CONFLICT,
            Error::ReadOnly => CAPTURE_IS_READ_ONLY,
            Error::Input { field, why } => return vec![Invalid::new(field, "unknown_value", why)].into(),
            Error::NoSuch { field, .. } => {
                let text = error.to_string();
                let mut problem = Self::new(NOT_FOUND, text.clone());
                problem.errors = vec![Invalid::new(field, "not_found", text)];
                return problem;
            }
        };
        Self::new(kind, cluster::chain(&error))
    }
}

impl From<runs::TooLong> for ApiError {
    fn from(error: runs::TooLong) -> Self {
        Self::new(ANSWER_TOO_LONG, error.to_string())
    }
}

impl From<NoRoom> for ApiError {
    fn from(error: NoRoom) -> Self {
        match error {
            NoRoom::Full => Self::new(OVERLOADED, error.to_string()),
            NoRoom::Share => Self::new(RATE_LIMITED, error.to_string()).retry_after(1),
        }
    }
}

impl From<runs::Error> for ApiError {
    fn from(error: runs::Error) -> Self {
        match error {
            runs::Error::Cluster(error) => error.into(),
            runs::Error::ActionsDisabled => Self::new(ACTIONS_DISABLED, ACTIONS_DISABLED.about),
            runs::Error::NoRoom(error) => error.into(),
            error @ runs::Error::TimedOut(_) => Self::new(CLUSTER_TIMEOUT, error.to_string()),
            runs::Error::Invalid(invalid) => invalid.into_vec().into(),
            runs::Error::Busy(run) => {
                let which = run.map(|run| format!(": /v1/runs/{run}")).unwrap_or_default();
                let detail = format!("you have such a run already{which}; wait for its end, or cancel it");
                Self::new(RATE_LIMITED, detail).retry_after(BUSY_RETRY_S)
            }
            error @ runs::Error::Full => Self::new(OVERLOADED, error.to_string()).retry_after(BUSY_RETRY_S),
            runs::Error::KeyReused => Self::new(IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY_REUSED.about),
            runs::Error::History(error) => error.into(),
            error @ runs::Error::Capture(_) => Self::new(INTERNAL, cluster::chain(&error)),
        }
    }
}

impl From<auth::Denied> for ApiError {
    fn from(error: auth::Denied) -> Self {
        match error {
            auth::Denied::Missing | auth::Denied::Unknown => Self::new(UNAUTHENTICATED, error.to_string()),
            auth::Denied::TooMany => Self::new(RATE_LIMITED, error.to_string()).retry_after(1),
            auth::Denied::CannotAsk(_) => Self::new(REVIEW_UNAVAILABLE, cluster::chain(&error)).retry_after(1),
        }
    }
}

impl From<history::Error> for ApiError {
    fn from(error: history::Error) -> Self {
        Self::new(HISTORY_UNAVAILABLE, cluster::chain(&error))
    }
}

impl From<uploads::Error> for ApiError {
    fn from(error: uploads::Error) -> Self {
        use capture::Error as Refused;
        use uploads::Error;
        let kind = match &error {
            Error::NotFound => NOT_FOUND,
            Error::Full { .. } => CAPTURES_FULL,
            Error::Busy => OVERLOADED,
            Error::TooLarge { .. } => PAYLOAD_TOO_LARGE,
            Error::Stalled(_) | Error::TooLong(_) => UPLOAD_TIMED_OUT,
            Error::Broken(_) | Error::WrongLength { .. } => INVALID_REQUEST,
            Error::Refused(refused) => match **refused {
                Refused::NotACapture { .. } => NOT_A_CAPTURE,
                Refused::Truncated { .. } => CAPTURE_TRUNCATED,
                Refused::Damaged { .. } => CAPTURE_DAMAGED,
                Refused::UnsafePath { .. } => CAPTURE_UNSAFE,
                Refused::TooLarge { .. } | Refused::TooSlow { .. } => CAPTURE_TOO_LARGE,
                Refused::NotFound { .. } | Refused::Io { .. } | Refused::Cluster { .. } => INTERNAL,
            },
            Error::Failed => INTERNAL,
            Error::Io { source, .. } => {
                // The path is for whoever runs the service.
                tracing::error!("captures: {}", cluster::chain(&error));
                let full = [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded];
                let kind = if full.contains(&source.kind()) { STORAGE_FULL } else { INTERNAL };
                return Self::new(kind, kind.about);
            }
        };
        Self::new(kind, error.to_string())
    }
}

/// Of a question what a caller may do.
impl From<std::sync::Arc<kube::Error>> for ApiError {
    fn from(error: std::sync::Arc<kube::Error>) -> Self {
        Self::new(REVIEW_UNAVAILABLE, cluster::chain(&*error)).retry_after(1)
    }
}

impl IntoResponses for ApiError {
    /// Every operation may answer these.
    fn responses() -> BTreeMap<String, RefOr<ApiResponse>> {
        let mut by_status: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for kind in KINDS {
            by_status.entry(kind.status.as_str().to_owned()).or_default().push(kind.code);
        }
        by_status
            .into_iter()
            .map(|(status, codes)| {
                let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
                let response = ResponseBuilder::new()
                    .description(codes.join(", "))
                    .content("application/problem+json", content)
                    .build();
                (status, RefOr::T(response))
            })
            .collect()
    }
}

/// One kind of problem, explained.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProblemKind {
    code: &'static str,
    status: u16,
    title: &'static str,
    retryable: bool,
    about: &'static str,
}

/// Kind of problem
///
/// Explains a `type` that a problem carries.
#[utoipa::path(get, path = "/problems/{code}", tag = "operations", params(("code" = String, Path, max_length = 64)),
    responses((status = 200, body = ProblemKind), ApiError), security(()))]
pub(super) async fn find_problem(
    super::extract::PathOf(code): super::extract::PathOf<String>,
) -> ApiResult<Json<ProblemKind>> {
    let kind = KINDS.iter().find(|kind| kind.code == code);
    let kind = kind.ok_or_else(|| ApiError::new(NOT_FOUND, "there is no problem of that code"))?;
    Ok(Json(ProblemKind {
        code: kind.code,
        status: kind.status.as_u16(),
        title: kind.title,
        retryable: kind.retryable,
        about: kind.about,
    }))
}

/// The codes of all kinds.
pub(super) fn codes() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.code).collect()
}

/// The schema that every operation's errors refer to.
pub(super) fn problem_schema() -> RefOr<utoipa::openapi::Schema> {
    Problem::schema()
}
