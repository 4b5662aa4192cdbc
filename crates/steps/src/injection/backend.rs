//! Whether a webhook can answer: its Service, the endpoints behind it, and the certificate authority that it trusts.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;

use super::webhook::{ServiceOf, Webhook};
use crate::resource_status::object::{Object, text};
use report::Read;

/// `ConfigMap` with the root that istiod's certificates are checked against, in every namespace of the mesh.
pub(crate) const ROOT_CONFIG_MAP: &str = "istio-ca-root-cert";

/// What stands behind the webhooks.
#[derive(Debug)]
pub(crate) struct Backends {
    pub(crate) services: Read<BTreeSet<ServiceOf>>,
    /// Ready addresses by Service.
    pub(crate) ready: Read<BTreeMap<ServiceOf, usize>>,
    /// Root certificates by namespace of the control plane.
    pub(crate) roots: Read<BTreeMap<String, BTreeSet<Vec<u8>>>>,
}

/// What is wrong with a webhook's far end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    NoService(ServiceOf),
    NoReadyEndpoint(ServiceOf),
    NoCaBundle,
    ForeignCa(String),
}

impl Backends {
    pub(crate) fn of(
        services: &Read<Vec<Object>>,
        slices: &Read<Vec<Object>>,
        config_maps: &Read<Vec<Object>>,
    ) -> Self {
        let place = |object: &Object, name: &str| ServiceOf {
            namespace: object.namespace().unwrap_or_default().to_owned(),
            name: name.to_owned(),
        };
        let services = services.as_ref().map_err(Clone::clone);
        let services = services.map(|all| all.iter().map(|service| place(service, service.name())).collect());
        let ready = slices.as_ref().map_err(Clone::clone).map(|slices| {
            let mut ready: BTreeMap<ServiceOf, usize> = BTreeMap::new();
            for slice in slices {
                let Some(service) = slice.label("kubernetes.io/service-name") else { continue };
                let addresses = slice.list("/endpoints").iter().filter(|endpoint| {
                    // Absent means ready (<https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#ready>).
                    endpoint.pointer("/conditions/ready").and_then(serde_json::Value::as_bool) != Some(false)
                });
                *ready.entry(place(slice, service)).or_default() += addresses.count();
            }
            ready
        });
        let roots = config_maps.as_ref().map_err(Clone::clone).map(|maps| {
            let named = maps.iter().filter(|map| map.name() == ROOT_CONFIG_MAP);
            let root = |map: &Object| {
                let namespace = map.namespace().unwrap_or_default().to_owned();
                (namespace, certificates(text(&map.value, "/data/root-cert.pem")))
            };
            named.map(root).collect()
        });
        Self { services, ready, roots }
    }

    pub(crate) fn troubles(&self, webhook: &Webhook) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        if let Some(service) = &webhook.service {
            match (&self.services, &self.ready) {
                (Ok(services), _) if !services.contains(service) => troubles.push(Trouble::NoService(service.clone())),
                (_, Ok(ready)) if ready.get(service).copied().unwrap_or_default() == 0 => {
                    troubles.push(Trouble::NoReadyEndpoint(service.clone()));
                }
                _ => {}
            }
        }
        troubles.extend(self.ca_trouble(webhook));
        troubles
    }

    fn ca_trouble(&self, webhook: &Webhook) -> Option<Trouble> {
        // A webhook with a URL may have a certificate of a public authority.
        let service = webhook.service.as_ref()?;
        if webhook.ca_bundle.is_empty() {
            return Some(Trouble::NoCaBundle);
        }
        let roots = self.roots.as_ref().ok()?.get(&service.namespace).filter(|roots| !roots.is_empty())?;
        let bundle = base64::engine::general_purpose::STANDARD.decode(&webhook.ca_bundle).unwrap_or_default();
        let bundle = certificates(&String::from_utf8_lossy(&bundle));
        bundle.is_disjoint(roots).then(|| Trouble::ForeignCa(service.namespace.clone()))
    }
}

impl Trouble {
    /// The webhook gives no answer at all, as long as this is so.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::NoService(service) => format!("Service {}/{} does not exist", service.namespace, service.name),
            Self::NoReadyEndpoint(service) => {
                format!("Service {}/{} has no ready endpoint", service.namespace, service.name)
            }
            Self::NoCaBundle => "it has no CA bundle, so no certificate of istiod is trusted".to_owned(),
            Self::ForeignCa(namespace) => {
                format!("its CA bundle holds no certificate of {ROOT_CONFIG_MAP} in namespace {namespace}")
            }
        }
    }

    pub(crate) fn is_about_certificates(&self) -> bool {
        matches!(self, Self::NoCaBundle | Self::ForeignCa(_))
    }
}

/// The certificates of a PEM text, as DER: line ends and order do not matter.
pub(crate) fn certificates(pem: &str) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for block in pem.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let Some((body, _)) = block.split_once("-----END CERTIFICATE-----") else { continue };
        let body: String = body.split_whitespace().collect();
        if let Ok(der) = base64::engine::general_purpose::STANDARD.decode(body) {
            found.insert(der);
        }
    }
    found
}
