//! Failures as the API server words them: a `Status` object.
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::json;

use super::super::store::Gvr;

/// A failure, with the reason that programs look at.
#[derive(Debug)]
pub(super) struct Status {
    code: StatusCode,
    reason: &'static str,
    message: String,
}

impl Status {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self { code: StatusCode::BAD_REQUEST, reason: "BadRequest", message: message.into() }
    }

    pub(super) fn not_found(gvr: &Gvr, name: &str) -> Self {
        let what = if gvr.group.is_empty() { gvr.plural.clone() } else { format!("{}.{}", gvr.plural, gvr.group) };
        Self { code: StatusCode::NOT_FOUND, reason: "NotFound", message: format!("{what} {name:?} not found") }
    }

    pub(super) fn unknown_path() -> Self {
        let message = "the server could not find the requested resource".to_owned();
        Self { code: StatusCode::NOT_FOUND, reason: "NotFound", message }
    }

    /// Not a reason of Kubernetes: the cluster had it, the recording has not. It must not look like an empty list.
    pub(super) fn not_recorded(message: impl Into<String>) -> Self {
        Self { code: StatusCode::SERVICE_UNAVAILABLE, reason: "NotRecorded", message: message.into() }
    }

    pub(super) fn read_only(what: &str) -> Self {
        let message = format!("capture_is_read_only: a recorded cluster cannot be changed ({what})");
        Self { code: StatusCode::CONFLICT, reason: "Conflict", message }
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self { code: StatusCode::INTERNAL_SERVER_ERROR, reason: "InternalError", message: message.into() }
    }
}

/// The recording's files are gone or were changed.
impl From<std::io::Error> for Status {
    fn from(error: std::io::Error) -> Self {
        Self::internal(format!("cannot read the recording: {error}"))
    }
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        (self.code, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}
