//! What is asked: who sends which request.

use std::net::IpAddr;

use serde_json::{Map, Value};

use mesh::{Kind, Mesh, Object, Proxy, Workload, account_of, is_finished, is_ready};

/// What the application speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP in plain text, gRPC included.
    Http,
    /// HTTP within the application's own TLS.
    Https,
    /// Bytes.
    Tcp,
    /// Bytes within the application's own TLS.
    Tls,
}

impl Protocol {
    /// Whether the application speaks TLS itself, so that a proxy reads nothing but the server name.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}

/// A token as the asker describes it; a real one is never needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub claims: Map<String, Value>,
    /// Whether it is a well-formed token at all.
    pub is_well_formed: bool,
    /// Whether the issuer that it names has signed it, with a key that it publishes.
    pub is_signed_by_issuer: bool,
}

/// A request as the application makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The name or address that is dialled.
    pub host: String,
    pub port: u16,
    pub protocol: Protocol,
    pub method: String,
    /// With its query.
    pub path: String,
    /// Without `Host`; the last of a name counts.
    pub headers: Vec<(String, String)>,
    /// The header `Host`, where it is not the host that is dialled.
    pub authority: Option<String>,
    /// The server name that TLS asks for; the dialled host where it is none.
    pub server_name: Option<String>,
    /// The address and port that are dialled in place of what the name resolves to.
    pub dialled: Option<(IpAddr, u16)>,
    /// Whether TLS brings a client's certificate.
    pub has_certificate: bool,
    pub token: Option<Token>,
}

impl Request {
    /// `GET /` over plain HTTP.
    pub fn http(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            protocol: Protocol::Http,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            authority: None,
            server_name: None,
            dialled: None,
            has_certificate: false,
            token: None,
        }
    }

    /// What `Host` says, with its port.
    pub fn authority(&self) -> String {
        let usual = if self.protocol == Protocol::Https { 443 } else { 80 };
        match &self.authority {
            Some(authority) => authority.clone(),
            None if self.port == usual => self.host.clone(),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// The path without its query.
    pub fn path_only(&self) -> &str {
        self.path.split(['?', '#']).next().unwrap_or_default()
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.path.split_once('?')?;
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().rev();
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The name that TLS asks for, without which a gateway cannot choose a certificate.
    pub fn server_name(&self) -> Option<&str> {
        match &self.server_name {
            Some(name) => Some(name.as_str()).filter(|name| !name.is_empty()),
            None => Some(self.host.as_str()).filter(|host| host.parse::<IpAddr>().is_err()),
        }
    }
}

/// A workload that sends requests.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'m> {
    /// A pod, or the Deployment whose pods it stands for.
    pub object: &'m Object,
    pub workload: Workload<'m>,
    pub account: &'m str,
    /// Whether a sidecar, or the proxy of a gateway, stands beside it.
    pub has_proxy: bool,
}

/// Who sends a request.
#[derive(Debug, Clone, Copy)]
pub enum Client<'m> {
    Inside(Caller<'m>),
    /// Somebody outside the cluster.
    Outside {
        address: Option<IpAddr>,
    },
}

impl<'m> Caller<'m> {
    pub fn of_pod(pod: &'m Object) -> Self {
        let workload = Workload::of_pod(pod);
        Self { object: pod, workload, account: account_of(pod), has_proxy: Proxy::of(pod).is_some() }
    }

    /// The pods of a Deployment before there are any.
    pub fn of_deployment(mesh: &Mesh, deployment: &'m Object) -> Self {
        let workload = Workload::of_deployment(deployment);
        let account = workload.spec.field("serviceAccountName").text();
        let account = if account.is_empty() { "default" } else { account };
        let on_host = workload.spec.field("hostNetwork").truth();
        Self { object: deployment, workload, account, has_proxy: mesh.is_in_mesh(workload) && !on_host }
    }

    /// The workload or pod of this name, if there is one. Of several pods the first that is ready speaks for all.
    pub fn find(mesh: &'m Mesh, namespace: &str, name: &str) -> Option<Self> {
        if let Some(pod) = mesh.find(Kind::Pod, namespace, name) {
            return Some(Self::of_pod(pod));
        }
        let pods_of = |workload: &'m Object| {
            let mut pods: Vec<&Object> = mesh.in_namespace(Kind::Pod, namespace).collect();
            pods.retain(|pod| !is_finished(pod) && std::ptr::eq(mesh.workload_of(pod), workload));
            pods
        };
        for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job] {
            let Some(workload) = mesh.find(kind, namespace, name) else { continue };
            let pods = pods_of(workload);
            if let Some(pod) = pods.iter().find(|pod| is_ready(pod)).or(pods.first()) {
                return Some(Self::of_pod(pod));
            }
            if kind == Kind::Deployment {
                return Some(Self::of_deployment(mesh, workload));
            }
        }
        None
    }

    pub fn namespace(&self) -> &'m str {
        self.workload.namespace
    }

    /// `namespace/name` of its workload.
    pub fn name(&self, mesh: &Mesh) -> String {
        if self.object.kind() == Kind::Pod {
            mesh.workload_of(self.object).full_name()
        } else {
            self.object.full_name()
        }
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.object.status().get("podIP").text().parse().ok()
    }
}
