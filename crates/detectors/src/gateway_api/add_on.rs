//! What the AKS add-on supports of the Gateway API: `add_on.yaml`, as of a day.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddOn {
    /// The day on which the lists were read.
    pub(super) as_of: String,
    pub(super) gateways_from: String,
    pub(super) tls_routes_from: String,
    /// The first minor version of Kubernetes that brings definitions of `TLSRoute` which istiod takes.
    pub(super) tls_routes_kubernetes: u32,
    /// By the version of Kubernetes, the oldest first.
    pub(super) bundles: Vec<Bundle>,
    fields: BTreeMap<String, Vec<String>>,
}

/// The release of the definitions that the managed installation brings from a version of Kubernetes on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundle {
    /// The minor version.
    pub(super) kubernetes: u32,
    pub(super) release: String,
}

pub(super) static ADD_ON: LazyLock<AddOn> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("add_on.yaml")).expect("a test reads the file"));

/// Whether a field of a setting may be set, as far as it can be told from its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    Yes,
    /// Some fields below it are.
    InPart,
    No,
}

impl AddOn {
    /// Whether there are settings under this key of a `ConfigMap`.
    pub(super) fn has_setting(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// Whether a field may be set; names are joined by dots, lists have no index.
    pub(super) fn allows(&self, setting: &str, path: &str) -> Allowed {
        let is_within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let fields = self.fields.get(setting).map_or(&[][..], Vec::as_slice);
        if fields.iter().any(|field| is_within(path, field)) {
            Allowed::Yes
        } else if fields.iter().any(|field| is_within(field, path)) {
            Allowed::InPart
        } else {
            Allowed::No
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_allowed_with_all_below_them() {
        assert_eq!(ADD_ON.allows("service", "spec.type"), Allowed::Yes);
        assert_eq!(ADD_ON.allows("service", "metadata.annotations.a/b"), Allowed::Yes);
        assert_eq!(ADD_ON.allows("service", "spec"), Allowed::InPart);
        assert_eq!(ADD_ON.allows("service", "spec.typed"), Allowed::No);
        assert_eq!(ADD_ON.allows("deployment", "spec.type"), Allowed::No);
        assert!(ADD_ON.bundles.is_sorted_by_key(|bundle| bundle.kubernetes));
    }
}
