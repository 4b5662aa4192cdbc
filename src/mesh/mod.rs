//! The mesh: an immutable, indexed picture of a cluster's objects at one moment. No I/O.
//!
//! [`MeshBuilder`] takes objects from anywhere: items of live lists, recorded ones, YAML and JSON files. [`Mesh`]
//! answers questions about them; [`Mesh::seen_from`] gives the same mesh as a revision, or `istioctl`, would see it.
//! A document is kept as a [`Tree`] and read through a [`View`], for which every field exists: what is absent, null
//! or of another type reads as empty. So no object, however malformed, can stop a rule.

mod access_logging;
mod builder;
mod called_hosts;
mod config;
mod control_planes;
mod destination_rules;
mod documents;
pub mod host;
mod host_index;
mod hosts;
mod json;
mod kind;
pub mod labels;
mod membership;
pub mod network_policies;
mod object;
mod outbound;
mod perspective;
mod policies;
pub mod protocol;
mod proxies;
pub mod quantity;
mod services;
pub mod sidecars;
mod snapshot;
mod tree;
pub mod versions;
mod view;
pub mod virtual_services;
mod visibility;
mod workloads;
pub mod yaml;

pub use access_logging::{AccessLogging, End, LogLineFormat, LogSink, LogSinkKind};
pub use builder::{Extent, MeshBuilder, Settings, is_ignored_namespace};
pub use called_hosts::{CalledHost, called_hosts, own_containers};
pub use config::{Layer, MeshConfig, Setting};
pub use control_planes::ControlPlane;
pub use destination_rules::DestinationRules;
pub use documents::Malformed;
pub use host_index::HostIndex;
pub use hosts::{HostMap, Known, exported_scopes};
pub use kind::{Kind, KindSet};
pub use membership::{DATAPLANE_MODE, INJECT, INJECTION, REVISION, Workload, is_ambient_pod, is_control_plane};
pub use object::{LOCAL_CLUSTER, Object, Source};
pub use outbound::{OutboundMode, OutboundPolicy, ServiceEntries, is_within};
pub use perspective::Perspective;
pub use policies::{MutualTls, MutualTlsDecision, Policies};
pub use proxies::{Proxy, application_containers};
pub use services::{container_port, is_finished, is_ready};
pub use snapshot::Mesh;
pub use tree::{MAX_DEPTH, Shape, Tree, TreeBuilder, Unfit};
pub use view::{Entries, Items, View};
