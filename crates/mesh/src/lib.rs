//! The mesh: an immutable, indexed picture of a cluster's objects at one moment. No I/O.
//!
//! [`MeshBuilder`] takes objects from anywhere: items of live lists, recorded ones, YAML and JSON files. [`Mesh`]
//! answers questions about them; [`Mesh::seen_from`] gives the same mesh as a revision, or `istioctl`, would see it.
//! A document is kept as a [`Tree`] and read through a [`View`], for which every field exists: what is absent, null
//! or of another type reads as empty. So no object, however malformed, can stop a rule.

mod access_logging;
mod ambient;
mod bindings;
mod builder;
mod called_hosts;
mod certificates;
mod config;
mod control_planes;
mod destination_rules;
mod documents;
mod domain;
mod gateways;
pub mod host;
mod host_index;
mod hosts;
mod identities;
mod inbound;
mod json;
mod kind;
pub mod labels;
mod listeners;
mod membership;
pub mod network_policies;
mod object;
mod outbound;
mod owners;
mod perspective;
mod policies;
pub mod protocol;
mod proxies;
pub mod quantity;
mod servers;
mod services;
pub mod sidecars;
mod snapshot;
mod telemetry;
mod tree;
pub mod versions;
mod view;
pub mod virtual_services;
mod visibility;
mod workloads;
pub mod yaml;

pub use access_logging::{AccessLogging, End, LogLineFormat, LogSink, LogSinkKind};
pub use ambient::{HBONE_PORT, USE_WAYPOINT, Waypoint};
pub use bindings::Bindings;
pub use builder::{Extent, MeshBuilder, Settings, is_ignored_namespace};
pub use called_hosts::{CalledHost, called_hosts, own_containers};
pub use certificates::{Certificate, decoded, secret_of};
pub use config::{Layer, MeshConfig, Setting};
pub use control_planes::{ControlPlane, add_on_version};
pub use destination_rules::DestinationRules;
pub use documents::Malformed;
pub use gateways::{CLASS_DEFAULTS, GATEWAY_NAME, GATEWAY_SETTINGS, GatewayService, INGRESS_NAMESPACE, is_gateway_pod};
pub use host_index::HostIndex;
pub use hosts::{HostMap, Known, exported_scopes};
pub use identities::{Account, Identities, Principal, account_of};
pub use inbound::InboundPort;
pub use kind::{Kind, KindSet};
pub use listeners::KubernetesListener;
pub use membership::{DATAPLANE_MODE, INJECT, INJECTION, REVISION, Workload, is_ambient_pod, is_control_plane};
pub use object::{LOCAL_CLUSTER, Object, Source};
pub use outbound::{OutboundMode, OutboundPolicy, ServiceEntries};
pub use owners::{Owner, one_of_each, owner, restart};
pub use perspective::{Perspective, TAG};
pub use policies::{MutualTls, MutualTlsDecision, Policies};
pub use proxies::{OWN_SETTINGS, Proxy, application_containers, is_gateway};
pub use servers::{Handling, Server, ServerGroup};
pub use services::{container_port, is_finished, is_ready};
pub use snapshot::Mesh;
pub use tree::{MAX_DEPTH, Shape, Tree, TreeBuilder, Unfit};
pub use view::{Entries, Items, View};
