//! The permission that a request to the API server stands for, and the client that asks for it first.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{Authority, Caller, Rights};
use crate::cluster::chain;
use http::{Method, Request, Response, StatusCode};
use kube::{
    Client,
    client::Body,
    core::{Status, response::StatusSummary},
};

/// A permission of Kubernetes RBAC, as a request needs it and as the history keeps it
/// (<https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb>).
pub use crate::history::Access;

impl Access {
    /// `get pods/log in namespace shop`.
    pub fn words(&self) -> String {
        let mut text = format!("{} {}", self.verb, self.resource);
        if !self.subresource.is_empty() {
            text = format!("{text}/{}", self.subresource);
        }
        if !self.group.is_empty() {
            text = format!("{text}.{}", self.group);
        }
        match &self.namespace {
            Some(namespace) => format!("{text} in namespace {namespace}"),
            None => format!("{text} in all namespaces"),
        }
    }

    /// A permission on what the service itself keeps. The cluster has no such resource; its roles may grant it all the same.
    pub fn delete(resource: &str) -> Self {
        Self {
            verb: "delete".to_owned(),
            group: "meshtriage.io".to_owned(),
            resource: resource.to_owned(),
            subresource: String::new(),
            namespace: None,
            name: None,
        }
    }

    /// Everything that a request needs; `None` for what is no resource, such as `/metrics` of the API server, where nobody
    /// could be asked. A websocket arrives as a GET, but is what kubectl does with a POST: API servers
    /// ask for `get`, and from 1.35 on for `create` as well.
    fn needed(method: &Method, path: &str, query: &str) -> Option<Vec<Self>> {
        // What the API server would take for another path.
        if path.contains("..") || path.contains('%') || path.contains("//") {
            return None;
        }
        if is_discovery(method, path) {
            return Some(Vec::new());
        }
        let access = Self::of(method, path, query)?;
        let upgrade = matches!(access.subresource.as_str(), "portforward" | "exec" | "attach");
        if upgrade && access.verb == "get" {
            let create = Self { verb: "create".to_owned(), ..access.clone() };
            Some(vec![create, access])
        } else {
            Some(vec![access])
        }
    }

    /// What a request to the API server needs; `None` for discovery and versions, which every caller may read.
    fn of(method: &Method, path: &str, query: &str) -> Option<Self> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let group = match parts.next()? {
            "api" => String::new(),
            "apis" => parts.next()?.to_owned(),
            _ => return None,
        };
        let _version = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match rest.as_slice() {
            [] => return None,
            ["namespaces", namespace, resource, rest @ ..] if !matches!(*resource, "status" | "finalize") => {
                (Some((*namespace).to_owned()), [&[*resource], rest].concat())
            }
            all => (None, all.to_vec()),
        };
        let (resource, name, subresource) = match rest.as_slice() {
            [resource] => (*resource, None, String::new()),
            [resource, name] => (*resource, Some((*name).to_owned()), String::new()),
            [resource, name, subresource @ ..] => (*resource, Some((*name).to_owned()), subresource.join("/")),
            [] => return None,
        };
        let watch = query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"));
        let verb = match (method, &name) {
            (&Method::GET | &Method::HEAD, Some(_)) => "get",
            (&Method::GET | &Method::HEAD, None) if watch => "watch",
            (&Method::GET | &Method::HEAD, None) => "list",
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, Some(_)) => "delete",
            (&Method::DELETE, None) => "deletecollection",
            _ => "unknown",
        };
        Some(Self { verb: verb.to_owned(), group, resource: resource.to_owned(), subresource, namespace, name })
    }

    /// The same without the object's name: a permission on one pod's log is rarely granted by name, and a run is kept
    /// longer than its pods.
    fn for_trail(mut self) -> Self {
        self.name = None;
        self
    }
}

/// What every caller may read: versions, and which resources there are.
fn is_discovery(method: &Method, path: &str) -> bool {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    is_read && matches!(parts.as_slice(), ["version" | "api" | "apis"] | ["api", _] | ["apis", _] | ["apis", _, _])
}

/// Permissions asked for in one run; a caller who may not list a whole cluster has one for each namespace and resource.
const ASKED: usize = 2_000;

/// The permissions that a run has used, so that reading it later needs the same ones.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    used: Arc<Mutex<BTreeSet<Access>>>,
    asked: Arc<AtomicUsize>,
}

impl Trail {
    pub fn used(&self) -> Vec<Access> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn note(&self, access: Access) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(access.for_trail());
    }

    /// Whether one more may be asked for.
    fn ask(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) < ASKED
    }
}

/// Reason of a `Status` for what could not be asked.
pub const REVIEW_FAILED: &str = "ReviewFailed";

pub(super) fn guarded(authority: Authority, caller: Arc<Caller>, trail: Trail) -> Client {
    let namespace = authority.own.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (authority, caller, trail) = (authority.clone(), Arc::clone(&caller), trail.clone());
        async move {
            let uri = request.uri();
            let needed = Access::needed(request.method(), uri.path(), uri.query().unwrap_or_default());
            let Some(needed) = needed else {
                let why = format!("{:?} may not read {}: nobody can be asked for that", caller.user, uri.path());
                return Ok(refusal(StatusCode::FORBIDDEN, "Forbidden", why));
            };
            for access in needed {
                if caller.rights == Rights::Reviewed && !trail.ask() {
                    let why = format!("not asked: one run may ask for {ASKED} permissions; name fewer namespaces");
                    return Ok(refusal(StatusCode::FORBIDDEN, "Forbidden", why));
                }
                match authority.may(&caller, &access).await {
                    Ok(true) => trail.note(access),
                    Ok(false) => {
                        let why = format!("{:?} may not {}", caller.user, access.words());
                        return Ok(refusal(StatusCode::FORBIDDEN, "Forbidden", why));
                    }
                    // Who cannot be asked for is not let in.
                    Err(error) => {
                        let why = format!(
                            "whether {:?} may {} could not be asked: {}",
                            caller.user,
                            access.words(),
                            chain(&*error)
                        );
                        return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, REVIEW_FAILED, why));
                    }
                }
            }
            authority.own.send(request).await.map_err(tower::BoxError::from)
        }
    });
    Client::new(service, namespace)
}

/// What the API server itself would answer.
fn refusal(code: StatusCode, reason: &str, message: String) -> Response<Body> {
    let status = Status {
        status: Some(StatusSummary::Failure),
        code: code.as_u16(),
        message,
        reason: reason.to_owned(),
        ..Status::default()
    };
    let body = serde_json::to_vec(&status).expect("a Status is JSON");
    Response::builder()
        .status(code)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .expect("the parts are valid")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn words(method: &Method, path: &str) -> Option<String> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let needed: Vec<_> = Access::needed(method, path, query)?.iter().map(Access::words).collect();
        Some(needed.join(" and "))
    }

    #[test]
    fn requests_stand_for_the_permissions_that_the_api_server_asks_for() {
        let get = |path| words(&Method::GET, path).unwrap();
        assert_eq!(get("/api/v1/pods"), "list pods in all namespaces");
        assert_eq!(get("/api/v1/pods?watch=true"), "watch pods in all namespaces");
        assert_eq!(get("/api/v1/namespaces"), "list namespaces in all namespaces");
        assert_eq!(get("/api/v1/namespaces/shop"), "get namespaces in all namespaces");
        assert_eq!(get("/api/v1/namespaces/shop/pods/a/log?tailLines=5"), "get pods/log in namespace shop");
        assert_eq!(
            get("/api/v1/namespaces/shop/pods/a/portforward?ports=1"),
            "create pods/portforward in namespace shop and get pods/portforward in namespace shop"
        );
        assert_eq!(
            get("/apis/networking.istio.io/v1/virtualservices"),
            "list virtualservices.networking.istio.io in all namespaces"
        );
        assert_eq!(
            words(&Method::PATCH, "/apis/apps/v1/namespaces/shop/deployments/a").unwrap(),
            "patch deployments.apps in namespace shop"
        );
        assert_eq!(words(&Method::DELETE, "/api/v1/namespaces/shop/pods/a").unwrap(), "delete pods in namespace shop");
        assert_eq!(
            words(&Method::POST, "/api/v1/namespaces/shop/pods/a/eviction").unwrap(),
            "create pods/eviction in namespace shop"
        );
    }

    #[test]
    fn discovery_needs_no_permission() {
        for path in ["/version", "/api", "/apis", "/api/v1", "/apis/apps/v1"] {
            assert_eq!(words(&Method::GET, path).unwrap(), "", "{path}");
        }
    }

    #[test]
    fn what_is_no_resource_is_refused() {
        for path in ["/metrics", "/logs/", "/healthz", "/", "/openapi/v3", "/version/..%2fmetrics", "/api/../metrics"] {
            assert_eq!(words(&Method::GET, path), None, "{path}");
        }
        assert_eq!(words(&Method::POST, "/version"), None);
    }
}
