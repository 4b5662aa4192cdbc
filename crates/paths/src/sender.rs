//! A proxy that sends a request on: the sidecar of a client, or a gateway. What it makes of how the far side ends.

use std::sync::Arc;

use crate::answer::{Answerer, Ending};
use crate::request::Caller;
use crate::scope::Scope;
use crate::trail::End;
use mesh::Object;

/// As what a proxy sends traffic on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// It reads requests, so it answers for a server that does not.
    Http,
    /// It hands on bytes: what happens to the connection happens to the client's.
    Tcp,
}

/// A proxy that sends.
#[derive(Debug, Clone)]
pub(crate) struct Sender<'m> {
    pub caller: Caller<'m>,
    pub scope: Arc<Scope<'m>>,
    pub layer: Layer,
    pub is_gateway: bool,
    /// The pod that is dialled by its own address, which a headless Service's cluster keeps to.
    pub dialled: Option<&'m Object>,
}

impl<'m> Sender<'m> {
    pub(crate) fn answerer(&self) -> Answerer {
        if self.is_gateway { Answerer::Gateway } else { Answerer::ClientProxy }
    }

    /// A connection that ends here without an answer, or the status that stands for that.
    pub(crate) fn ends(&self, status: u16) -> End<'m> {
        let ending = if self.layer == Layer::Http { Ending::Status(status) } else { Ending::Reset };
        End::new(ending, self.answerer())
    }

    /// What the client of this proxy sees of an end on the far side.
    pub(crate) fn relay(&self, end: End<'m>) -> End<'m> {
        Relay { layer: self.layer, answerer: self.answerer() }.hand_back(end)
    }
}

/// How a proxy hands an end back to its client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relay {
    layer: Layer,
    answerer: Answerer,
}

impl Relay {
    /// A proxy that reads HTTP turns what happens to
    /// connections into statuses (<https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage>).
    pub(crate) fn hand_back(self, mut end: End<'_>) -> End<'_> {
        if let Some(pending) = &mut end.pending {
            pending.relays.push(self);
            return end;
        }
        let (flag, detail) = match (end.ending, self.layer) {
            (Ending::Delivered | Ending::Status(_) | Ending::NoName, _) => return end,
            (Ending::Refused, Layer::Http) => {
                ("UF", "remote_connection_failure|delayed_connect_error:_Connection_refused")
            }
            (Ending::TimedOut, Layer::Http) => ("UF", "connection_timeout"),
            (Ending::TlsFailed, Layer::Http) => ("UF", "remote_connection_failure|TLS_error"),
            (Ending::Reset, Layer::Http) => ("UC", "connection_termination"),
            (Ending::Refused | Ending::TimedOut, Layer::Tcp) => {
                end.ending = Ending::Reset;
                end.by = self.answerer;
                return end.flag("UF,URX");
            }
            (Ending::Reset | Ending::TlsFailed, Layer::Tcp) => {
                end.ending = Ending::Reset;
                return end;
            }
        };
        end.ending = Ending::Status(503);
        end.by = self.answerer;
        end.flag(flag).detail(format!("upstream_reset_before_response_started{{{detail}}}"))
    }
}
