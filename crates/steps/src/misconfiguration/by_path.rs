//! Explains a failed request by its path: what is foretold of it, and which object and field decides that.

use std::net::SocketAddr;

use logs::{FailureGroup, Side};
use mesh::{Kind, Mesh, is_gateway};
use paths::{Answerer, Caller, Client, Confidence, Decided, Ending, Facts, Network, Outcome, Protocol, Request};
use serde::Serialize;
use utoipa::ToSchema;

use crate::requests;

/// What the path of failed requests says of them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FailedPath {
    /// Whether the path explains why they failed so.
    pub explains: bool,
    /// How the path ends; where it explains nothing, why not.
    pub says: String,
    /// The object and field that decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decided>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A mesh, asked about failed requests.
pub(super) struct ByPath<'m> {
    mesh: &'m Mesh,
    network: Network<'m>,
}

impl<'m> ByPath<'m> {
    pub(super) fn new(mesh: &'m Mesh) -> Self {
        Self { mesh, network: Network::new(mesh, Facts::default()) }
    }

    /// What the path of requests says that the proxy of a pod has logged.
    pub(super) fn of(&self, namespace: &str, pod: &str, failure: &FailureGroup) -> FailedPath {
        let Some((client, request)) = self.asked(namespace, pod, failure) else {
            return unexplained("the log does not say who sent them, or where to".to_owned());
        };
        let answer = self.network.answer(&client, &request);
        let flag = |wanted: &str| failure.response_flags.iter().any(|flag| flag == wanted);
        if let Some(outcome) = answer.outcomes.iter().find(|outcome| fits(outcome, failure)) {
            if outcome.confidence == Confidence::Unknown {
                return unexplained(outcome.why.clone().unwrap_or_default());
            }
            return FailedPath {
                explains: true,
                says: requests::sentence(outcome),
                decided_by: outcome.decided_by.clone(),
                remedy: outcome.remedy.clone(),
            };
        }
        let Some(delivered) = answer.outcomes.iter().find(|outcome| outcome.ending == Ending::Delivered) else {
            let foretold: Vec<String> = answer.outcomes.iter().map(requests::sentence).collect();
            return unexplained(format!("the configuration means something else: {}", foretold.join("; ")));
        };
        let reaches = delivered.reaches.as_deref().unwrap_or("the host outside");
        let route = || {
            let mut hops = delivered.hops.iter().filter_map(|hop| hop.by.clone());
            hops.rfind(|by| by.kind == "VirtualService")
        };
        if flag("UT") {
            let decided_by = route().map(|by| Decided { field: timeout_of(&by.field), ..by });
            let says = format!("{reaches} takes longer than the time-out of the route");
            return FailedPath { explains: true, says, decided_by, remedy: None };
        }
        if flag("UO") {
            let says =
                format!("more requests to {reaches} at once than the connection pool of its DestinationRule takes");
            return FailedPath { explains: true, says, decided_by: None, remedy: None };
        }
        if flag("UPE") {
            let says = format!("{reaches} speaks another protocol than its port's name promises");
            return FailedPath { explains: true, says, decided_by: None, remedy: None };
        }
        unexplained(format!("the configuration delivers them to {reaches}"))
    }

    fn asked(&self, namespace: &str, pod: &str, failure: &FailureGroup) -> Option<(Client<'m>, Request)> {
        let sample = &failure.sample;
        let pod = self.mesh.find(Kind::Pod, namespace, pod)?;
        let address = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<SocketAddr>().ok());
        let (local, remote) = (address(&sample.downstream_local_address), address(&sample.downstream_remote_address));
        let mut request = if let Some(request) = requests::request_of(sample) {
            request
        } else {
            let local = local?;
            let mut request = Request::http(&local.ip().to_string(), local.port());
            request.protocol = if sample.requested_server_name.is_some() { Protocol::Tls } else { Protocol::Tcp };
            request.server_name = Some(sample.requested_server_name.clone().unwrap_or_default());
            request
        };
        if failure.side == Side::Inbound {
            return if let Some(caller) = self.network.caller_at(remote?.ip()) {
                Some((Client::Inside(caller), request))
            } else {
                request.dialled = local.map(|local| (local.ip(), local.port()));
                Some((Client::Outside { address: remote.map(|remote| remote.ip()) }, request))
            };
        }
        request.dialled = local.map(|local| (local.ip(), local.port()));
        if let Some(local) = local {
            request.port = local.port();
        }
        if is_gateway(pod) {
            if sample.requested_server_name.is_some() && request.protocol == Protocol::Http {
                request.protocol = Protocol::Https;
                request.server_name.clone_from(&sample.requested_server_name);
            }
            return Some((Client::Outside { address: remote.map(|remote| remote.ip()) }, request));
        }
        Some((Client::Inside(Caller::of_pod(pod)), request))
    }
}

fn unexplained(says: String) -> FailedPath {
    FailedPath { explains: false, says, decided_by: None, remedy: None }
}

/// Whether requests that end so are logged like these.
fn fits(outcome: &Outcome, failure: &FailureGroup) -> bool {
    let is_by_far_side = failure.response_flags.is_empty();
    match outcome.ending {
        Ending::Delivered => {
            is_by_far_side && failure.response_code != 0 && outcome.answered_by == Answerer::Application
        }
        Ending::Status(status) => status == failure.response_code,
        Ending::Refused | Ending::Reset | Ending::TimedOut | Ending::TlsFailed => failure.response_code == 0,
        Ending::NoName => false,
    }
}

/// From `spec.http[1].route[0].destination` to the time-out of the same rule.
fn timeout_of(field: &str) -> String {
    let rule = field.split(".route").next().unwrap_or(field);
    format!("{rule}.timeout")
}
