//! The permission that a request to the API server stands for, and the client that asks for it first.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Authority, Caller};
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

    /// Everything that a request needs. A websocket arrives as a GET, but is what kubectl does with a POST: API servers
    /// ask for `get`, and from 1.35 on for `create` as well.
    fn needed(method: &Method, path: &str, query: &str) -> Vec<Self> {
        let Some(access) = Self::of(method, path, query) else { return Vec::new() };
        let upgrade = matches!(access.subresource.as_str(), "portforward" | "exec" | "attach");
        if upgrade && access.verb == "get" {
            let create = Self { verb: "create".to_owned(), ..access.clone() };
            vec![create, access]
        } else {
            vec![access]
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

/// The permissions that a run has used, so that reading it later needs the same ones.
#[derive(Debug, Clone, Default)]
pub struct Trail(Arc<Mutex<BTreeSet<Access>>>);

impl Trail {
    pub fn used(&self) -> Vec<Access> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn note(&self, access: Access) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(access.for_trail());
    }
}

pub(super) fn guarded(authority: Authority, caller: Arc<Caller>, trail: Trail) -> Client {
    let namespace = authority.own.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (authority, caller, trail) = (authority.clone(), Arc::clone(&caller), trail.clone());
        async move {
            let uri = request.uri();
            for access in Access::needed(request.method(), uri.path(), uri.query().unwrap_or_default()) {
                if !authority.may(&caller, &access).await? {
                    return Ok(forbidden(&caller, &access));
                }
                trail.note(access);
            }
            authority.own.send(request).await
        }
    });
    Client::new(service, namespace)
}

/// What the API server itself would answer.
fn forbidden(caller: &Caller, access: &Access) -> Response<Body> {
    let status = Status {
        status: Some(StatusSummary::Failure),
        code: StatusCode::FORBIDDEN.as_u16(),
        message: format!("{:?} may not {}", caller.user, access.words()),
        reason: "Forbidden".to_owned(),
        ..Status::default()
    };
    let body = serde_json::to_vec(&status).expect("a Status is JSON");
    Response::builder()
        .status(StatusCode::FORBIDDEN)
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
        let needed: Vec<_> = Access::needed(method, path, query).iter().map(Access::words).collect();
        (!needed.is_empty()).then(|| needed.join(" and "))
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
            assert_eq!(words(&Method::GET, path), None, "{path}");
        }
    }
}
