//! What will happen to a request in a mesh, and why: predicted from the objects hop by hop, with the object and the field that
//! decides it.
//!
//! [`Network`] prepares a mesh once; [`Network::answer`] then follows one request from the client to the application. The rules
//! are those of Kubernetes' DNS and Services, Istio's configuration and Envoy's routing; each stands in the file of its hop. What
//! no object says, as whether a proxy has refused its configuration, comes as [`Facts`]. What cannot be told is told as such.

mod answer;
mod authorization;
mod cluster;
mod conditions;
mod connections;
mod examples;
mod facts;
mod gates;
mod gateway;
mod http_routes;
mod impact;
mod locality;
mod matching;
mod matrix;
mod names;
mod network;
mod request;
mod routing;
mod scope;
mod sender;
mod server;
mod services;
mod tokens;
mod trail;
mod virtual_hosts;
mod walk;

pub use answer::{Answer, Answerer, Confidence, Decided, Ending, Hop, Outcome};
pub use facts::Facts;
pub use impact::{ChangedObject, Difference, changes, impact};
pub use matrix::{Cell, Matrix, Target};
pub use network::Network;
pub use request::{Caller, Client, Protocol, Request, Token};
