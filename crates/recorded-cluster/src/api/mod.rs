//! The read-only Kubernetes API of a recording: one handler that finds out what is asked and answers as a server
//! would. Whatever would change the cluster is refused.

mod columns;
mod discovery;
mod logs;
mod objects;
mod path;
mod port_forward;
mod selector;
mod status;
mod table;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, header};
use serde_json::Value;

pub(super) use self::logs::{has_previous, own_time};
use self::path::{Query, Target};
use self::status::Status;
use super::store::Store;

/// The API server of a recording.
pub(super) fn router(store: Arc<Store>) -> Router {
    Router::new().fallback(answer).with_state(store)
}

async fn answer(State(store): State<Arc<Store>>, request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Status::read_only(request.method().as_str()).into_response();
    }
    let target = Target::parse(request.uri().path());
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let result = match target {
        Target::PortForward { namespace, pod } => port_forward::forward(store, namespace, pod, &query, request).await,
        Target::Log { namespace, pod } => logs::log(store, namespace, pod, query).await,
        Target::Interactive => Err(Status::read_only("exec and attach")),
        Target::Collection { gvr, namespace } => {
            objects::collection(&store, &gvr, namespace.as_deref(), &query, accept(&request))
        }
        Target::Object { gvr, namespace, name } => {
            objects::object(&store, &gvr, namespace.as_deref(), &name, &query, accept(&request))
        }
        Target::Version => discovery::version(&store),
        Target::Discovery(path) => discovery::document(&store, &path),
        Target::Health => Ok("ok".into_response()),
        Target::Unknown => Err(Status::unknown_path()),
    };
    result.unwrap_or_else(IntoResponse::into_response)
}

fn accept(request: &Request) -> &str {
    request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A JSON answer.
fn json(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
