//! A request as callers describe it, and the client that sends it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Invalid;
use cluster::Error;
use mesh::{Kind, Mesh};
use paths::{Caller, Client, Protocol, Request, Token};

/// One request.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AskedRequest {
    /// Who sends it: `namespace/workload`, `namespace/pod`, or `outside`.
    #[schema(max_length = 512)]
    pub from: String,
    /// Where to: `http://cart.shop:8080/cart/7`, `https://…`, `tcp://host:port`, `tls://host:port`.
    #[schema(max_length = 4096)]
    pub to: String,
    /// The method of HTTP (default GET).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 32)]
    pub method: Option<String>,
    /// Headers as `name: value`; `Host` too.
    #[schema(max_items = 100)]
    pub header: Vec<String>,
    /// The server name of TLS, where it is not the host; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 253)]
    pub sni: Option<String>,
    /// `address:port` that is dialled in place of what the host resolves to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub connect: Option<String>,
    /// The claims of the request's JWT, as JSON. A real token is never needed: one with these claims, signed by their issuer,
    /// is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub claims: Option<Value>,
}

fn url_of(to: &str) -> Result<url::Url, String> {
    let with_scheme = if to.contains("://") { to.to_owned() } else { format!("http://{to}") };
    url::Url::parse(&with_scheme).map_err(|error| format!("is no URL: {error}"))
}

impl AskedRequest {
    pub(super) fn check(&self, at: &str) -> Vec<Invalid> {
        let mut invalid = Vec::new();
        let mut wrong = |field: &str, code, why: String| invalid.push(Invalid::new(&format!("{at}{field}"), code, why));
        if self.from.is_empty() {
            wrong("from", "required", "name the client: `namespace/workload`, or `outside`".to_owned());
        } else if self.from != "outside" && self.from.split('/').filter(|part| !part.is_empty()).count() != 2 {
            wrong("from", "pattern", "must be `namespace/workload`, `namespace/pod` or `outside`".to_owned());
        }
        if self.to.is_empty() {
            wrong("to", "required", "name the target: `http://cart.shop:8080/cart/7`".to_owned());
        } else if self.to.len() > 4096 {
            wrong("to", "range", "must have at most 4096 bytes".to_owned());
        } else if let Err(why) = self.request() {
            wrong("to", "pattern", why);
        }
        if self.header.len() > 100 || self.header.iter().any(|header| header.len() > 8192) {
            wrong("header", "range", "at most 100 headers of 8192 bytes".to_owned());
        }
        if self.header.iter().any(|header| !header.contains(':')) {
            wrong("header", "pattern", "must be `name: value`".to_owned());
        }
        if self.connect.as_ref().is_some_and(|text| text.parse::<SocketAddr>().is_err()) {
            wrong("connect", "pattern", "must be `address:port`".to_owned());
        }
        if self.claims.is_some() && self.claims_map().is_none() {
            wrong("claims", "type", "must be a JSON object".to_owned());
        }
        invalid
    }

    fn claims_map(&self) -> Option<Map<String, Value>> {
        match self.claims.as_ref()? {
            Value::Object(claims) => Some(claims.clone()),
            Value::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }

    /// The request that is meant.
    pub(super) fn request(&self) -> Result<Request, String> {
        let url = url_of(&self.to)?;
        let (protocol, usual) = match url.scheme() {
            "http" | "grpc" | "ws" => (Protocol::Http, Some(80)),
            "https" | "wss" => (Protocol::Https, Some(443)),
            "tcp" => (Protocol::Tcp, None),
            "tls" => (Protocol::Tls, Some(443)),
            other => return Err(format!("has the scheme {other:?}: use http, https, grpc, tcp or tls")),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no host")?;
        let port = url.port().or(usual).ok_or("names no port")?;
        let mut request = Request::http(host.trim_matches(['[', ']']), port);
        request.protocol = protocol;
        if !url.path().is_empty() {
            request.path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        }
        if let Some(method) = &self.method {
            request.method = method.to_ascii_uppercase();
        }
        for header in &self.header {
            let (name, value) = header.split_once(':').unwrap_or((header, ""));
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            if name.eq_ignore_ascii_case("host") {
                request.authority = Some(value);
            } else {
                request.headers.push((name, value));
            }
        }
        if protocol.is_tls() {
            request.server_name.clone_from(&self.sni);
        }
        let dialled: Option<SocketAddr> = self.connect.as_ref().and_then(|text| text.parse().ok());
        request.dialled = dialled.map(|address| (address.ip(), address.port()));
        request.token =
            self.claims_map().map(|claims| Token { claims, is_well_formed: true, is_signed_by_issuer: true });
        Ok(request)
    }

    /// The client that is meant.
    pub(super) fn client<'m>(&self, mesh: &'m Mesh) -> Result<Client<'m>, Error> {
        if self.from == "outside" {
            return Ok(Client::Outside { address: None::<IpAddr> });
        }
        find_caller(mesh, &self.from).map(Client::Inside)
    }
}

/// The workload or pod of this name, as `namespace/name`.
pub(super) fn find_caller<'m>(mesh: &'m Mesh, from: &str) -> Result<Caller<'m>, Error> {
    let (namespace, name) = from.split_once('/').unwrap_or(("", from));
    Caller::find(mesh, namespace, name).ok_or_else(|| {
        let known: BTreeSet<&str> =
            mesh.in_namespace(Kind::Pod, namespace).map(|pod| mesh.workload_of(pod).name()).collect();
        Error::no_such("from", format!("workload {from:?}"), name, known)
    })
}
