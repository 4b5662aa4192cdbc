//! How two facts hang together in the mesh. Each tie is one of the mesh's own questions, asked of where the facts are.

use report::Severity;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{hosts, place::Place};

/// What ties an effect to its cause. The order is that of nearness: the last is the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// Nothing but the mesh.
    Mesh,
    /// The same namespace.
    Namespace,
    /// A control plane, and the proxies and namespaces that it configures, injects and serves certificates to.
    Serves,
    /// Parts of the same control plane.
    ControlPlane,
    /// Requests for a host that the cause decides over.
    RoutesTo,
    /// The cause is at the pods that failed requests were meant for.
    EndpointOf,
    /// The cause selects, owns, runs, injects or leads to the same pods.
    Selects,
    /// One of them names the other, or both name the same thing.
    NamedBy,
    /// The same object, or pods of the same workload.
    SameObject,
}

impl Tie {
    pub(crate) fn holds(self, cause: &Place, effect: &Place) -> bool {
        match self {
            Tie::Mesh => true,
            Tie::Namespace => !cause.namespaces.is_disjoint(&effect.namespaces),
            Tie::Serves => !cause.revisions.is_disjoint(&effect.served_by),
            Tie::ControlPlane => !cause.revisions.is_disjoint(&effect.revisions),
            Tie::RoutesTo => {
                let concerned = |host: &String| {
                    hosts::is_among(&cause.hosts, host)
                        || cause.hosts.iter().any(|known| host.starts_with('*') && mesh::host::is_subset(known, host))
                };
                effect.hosts.iter().any(concerned)
            }
            Tie::EndpointOf => !cause.pods.is_disjoint(&effect.far),
            Tie::Selects => !cause.pods.is_disjoint(&effect.pods),
            Tie::NamedBy => {
                !cause.known_as.is_disjoint(&effect.mentions) || !effect.known_as.is_disjoint(&cause.mentions)
            }
            Tie::SameObject => {
                !cause.objects.is_disjoint(&effect.objects) || !cause.workloads.is_disjoint(&effect.workloads)
            }
        }
    }

    /// In words, as said of the effect.
    pub fn words(self) -> &'static str {
        match self {
            Tie::Mesh => "in the same mesh",
            Tie::Namespace => "in the same namespace",
            Tie::Serves => "served by that control plane",
            Tie::ControlPlane => "part of the same control plane",
            Tie::RoutesTo => "requests that it decides over",
            Tie::EndpointOf => "requests meant for its pods",
            Tie::Selects => "at pods that it stands for",
            Tie::NamedBy => "about the same thing",
            Tie::SameObject => "at the same object",
        }
    }
}

/// One way in which an effect may hang on a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Strength {
    pub(crate) tie: Tie,
    /// A row of the table knows better than what is only about the same object.
    pub(crate) is_known: bool,
    pub(crate) severity: Severity,
    /// Narrower is nearer.
    pub(crate) narrow: std::cmp::Reverse<usize>,
    /// Earlier rows are nearer.
    pub(crate) row: std::cmp::Reverse<usize>,
}
