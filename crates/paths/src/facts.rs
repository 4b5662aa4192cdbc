//! What is known beyond the objects: from Envoy's own dumps, and about names outside of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Facts that no object holds. Without them the answer is what the configuration means; with them, what is.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Listeners that the proxy of a pod has refused and has no earlier version of: namespace, pod, listener.
    pub refused_listeners: BTreeSet<(String, String, String)>,
    /// Endpoints that outlier detection has put aside in the proxy of a pod: namespace, pod, cluster, `address:port`.
    pub ejected: BTreeSet<(String, String, String, String)>,
    /// Secrets that the proxy of a gateway still waits for: namespace and pod of the proxy, namespace and name of the Secret.
    pub awaited_secrets: BTreeSet<(String, String, String, String)>,
    /// The certificates that the proxy of a pod trusts, each in its own words: namespace and pod. Two proxies that trust nothing in
    /// common cannot speak mutual TLS.
    pub roots: BTreeMap<(String, String), BTreeSet<String>>,
    /// When `VirtualService`s were created, by namespace and name, where their documents do not say, as those of a change.
    pub created: BTreeMap<(String, String), String>,
    /// What names outside of the cluster resolve to. None where nobody has looked: they are then taken to resolve.
    pub outside_names: Option<BTreeMap<String, Vec<IpAddr>>>,
}

impl Facts {
    pub(crate) fn has_refused(&self, namespace: &str, pod: &str, listener: &str) -> bool {
        let wanted = (namespace.to_owned(), pod.to_owned(), listener.to_owned());
        !self.refused_listeners.is_empty() && self.refused_listeners.contains(&wanted)
    }

    pub(crate) fn is_ejected(&self, namespace: &str, pod: &str, cluster: &str, endpoint: &str) -> bool {
        !self.ejected.is_empty() && {
            let wanted = (namespace.to_owned(), pod.to_owned(), cluster.to_owned(), endpoint.to_owned());
            self.ejected.contains(&wanted)
        }
    }

    /// Whether two proxies are known to trust nothing in common.
    pub(crate) fn are_strangers(&self, a: (&str, &str), b: (&str, &str)) -> bool {
        let roots = |(namespace, pod): (&str, &str)| self.roots.get(&(namespace.to_owned(), pod.to_owned()));
        !self.roots.is_empty()
            && matches!((roots(a), roots(b)), (Some(a), Some(b)) if !a.is_empty() && !b.is_empty() && a.is_disjoint(b))
    }

    pub(crate) fn awaits(&self, namespace: &str, pod: &str, secret: (&str, &str)) -> bool {
        !self.awaited_secrets.is_empty() && {
            let (place, name) = (secret.0.to_owned(), secret.1.to_owned());
            self.awaited_secrets.contains(&(namespace.to_owned(), pod.to_owned(), place, name))
        }
    }

    /// The addresses of a name outside: none where nobody has looked, an empty list where it does not resolve.
    pub(crate) fn addresses_of(&self, name: &str) -> Option<&[IpAddr]> {
        let names = self.outside_names.as_ref()?;
        Some(names.get(name.trim_end_matches('.')).map_or(&[], Vec::as_slice))
    }
}
