//! Which Istio resource a cluster or route was made from: istiod notes it in the metadata.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    #[serde(alias = "filterMetadata", deserialize_with = "json::or_default")]
    filter_metadata: BTreeMap<String, Box<RawValue>>,
}

impl Metadata {
    /// The namespace of the service that a cluster stands for, as istiod has it; empty if it stands for none.
    pub(super) fn service_namespace(&self) -> String {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Istio {
            services: Vec<Service>,
        }

        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Service {
            namespace: String,
        }

        let Some(istio) = self.filter_metadata.get("istio") else { return String::new() };
        let istio: Istio = serde_json::from_str(istio.get()).unwrap_or_default();
        istio.services.into_iter().next().map(|service| service.namespace).unwrap_or_default()
    }

    /// `<name>.<namespace>` of the resource, which stands as
    /// `/apis/networking.istio.io/v1/namespaces/<namespace>/<kind>/<name>`; empty if there is none.
    pub(super) fn managed_by(&self) -> String {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Istio {
            config: Option<String>,
        }

        let Some(istio) = self.filter_metadata.get("istio") else { return String::new() };
        let istio: Istio = serde_json::from_str(istio.get()).unwrap_or_default();
        let Some(path) = istio.config.filter(|path| !path.is_empty()) else { return String::new() };
        if !path.starts_with("/apis/networking.istio.io/") {
            return "<unknown>".to_owned();
        }
        match path.split('/').collect::<Vec<_>>()[..] {
            [_, _, _, _, _, namespace, _, name] => format!("{name}.{namespace}"),
            _ => String::new(),
        }
    }
}
