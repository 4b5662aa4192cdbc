//! The admin page `/config_dump`: everything that istiod sent, section by section. A dump may be 100 MB, so the body is
//! read once and each resource stays a slice of it until somebody asks for it.
//!
//! See <https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--config_dump> and
//! <https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/config_dump.proto>.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Error, json};

const TYPE_PREFIX: &str = "type.googleapis.com/envoy.admin.";

/// The sections of a dump. A section that the page does not have is `None`.
#[derive(Debug, Default)]
pub struct ConfigDump<'a> {
    pub(super) bootstrap: Option<Section<'a>>,
    pub(super) clusters: Option<Section<'a>>,
    pub(super) listeners: Option<Section<'a>>,
    pub(super) routes: Option<Section<'a>>,
    pub(super) secrets: Option<Section<'a>>,
    pub(super) endpoints: Option<Section<'a>>,
    pub(super) ecds: Vec<Section<'a>>,
}

/// One entry of `configs`. The sections share no field but the version and the time, so one struct reads them all,
/// in whatever order the fields come.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Section<'a> {
    #[serde(rename = "@type", deserialize_with = "json::or_default")]
    type_url: String,
    #[serde(alias = "versionInfo", deserialize_with = "json::or_default")]
    pub(super) version_info: String,
    #[serde(alias = "lastUpdated", deserialize_with = "json::or_default")]
    pub(super) last_updated: String,
    #[serde(borrow)]
    pub(super) bootstrap: Option<&'a RawValue>,
    #[serde(borrow, alias = "staticClusters", deserialize_with = "json::or_default")]
    pub(super) static_clusters: Vec<Entry<'a>>,
    #[serde(borrow, alias = "dynamicActiveClusters", deserialize_with = "json::or_default")]
    pub(super) dynamic_active_clusters: Vec<Entry<'a>>,
    #[serde(borrow, alias = "dynamicWarmingClusters", deserialize_with = "json::or_default")]
    pub(super) dynamic_warming_clusters: Vec<Entry<'a>>,
    #[serde(borrow, alias = "staticListeners", deserialize_with = "json::or_default")]
    pub(super) static_listeners: Vec<Entry<'a>>,
    #[serde(borrow, alias = "dynamicListeners", deserialize_with = "json::or_default")]
    pub(super) dynamic_listeners: Vec<DynamicListener<'a>>,
    #[serde(borrow, alias = "staticRouteConfigs", deserialize_with = "json::or_default")]
    pub(super) static_route_configs: Vec<Entry<'a>>,
    #[serde(borrow, alias = "dynamicRouteConfigs", deserialize_with = "json::or_default")]
    pub(super) dynamic_route_configs: Vec<Entry<'a>>,
    #[serde(borrow, alias = "staticSecrets", deserialize_with = "json::or_default")]
    pub(super) static_secrets: Vec<Entry<'a>>,
    #[serde(borrow, alias = "dynamicActiveSecrets", deserialize_with = "json::or_default")]
    pub(super) dynamic_active_secrets: Vec<Entry<'a>>,
    #[serde(borrow, alias = "dynamicWarmingSecrets", deserialize_with = "json::or_default")]
    pub(super) dynamic_warming_secrets: Vec<Entry<'a>>,
    #[serde(borrow, alias = "staticEndpointConfigs", deserialize_with = "json::or_default")]
    pub(super) static_endpoint_configs: Vec<Entry<'a>>,
    #[serde(borrow, alias = "dynamicEndpointConfigs", deserialize_with = "json::or_default")]
    pub(super) dynamic_endpoint_configs: Vec<Entry<'a>>,
    #[serde(borrow, alias = "ecdsFilters", deserialize_with = "json::or_default")]
    pub(super) ecds_filters: Vec<Entry<'a>>,
}

/// One resource of a section, with what Envoy says about it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry<'a> {
    /// Secrets have their name here.
    #[serde(deserialize_with = "json::or_default")]
    pub(super) name: String,
    #[serde(alias = "versionInfo", deserialize_with = "json::or_default")]
    pub(super) version_info: String,
    #[serde(alias = "lastUpdated", deserialize_with = "json::or_default")]
    pub(super) last_updated: String,
    /// The resource itself. Its key is named after its kind.
    #[serde(
        borrow,
        alias = "cluster",
        alias = "listener",
        alias = "route_config",
        alias = "routeConfig",
        alias = "secret",
        alias = "endpoint_config",
        alias = "endpointConfig",
        alias = "ecds_filter",
        alias = "ecdsFilter"
    )]
    pub(super) resource: Option<&'a RawValue>,
    #[serde(alias = "errorState")]
    pub(super) error_state: Option<UpdateFailure>,
}

/// A listener that istiod sent may be there up to three times: in use, being prepared, and on its way out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DynamicListener<'a> {
    #[serde(deserialize_with = "json::or_default")]
    pub(super) name: String,
    #[serde(borrow, alias = "activeState")]
    pub(super) active_state: Option<Entry<'a>>,
    #[serde(borrow, alias = "warmingState")]
    pub(super) warming_state: Option<Entry<'a>>,
    #[serde(borrow, alias = "drainingState")]
    pub(super) draining_state: Option<Entry<'a>>,
    #[serde(borrow, alias = "errorState")]
    pub(super) error_state: Option<ListenerFailure<'a>>,
}

/// Why Envoy refused an update.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct UpdateFailure {
    #[serde(alias = "lastUpdateAttempt", deserialize_with = "json::or_default")]
    pub(super) last_update_attempt: String,
    #[serde(deserialize_with = "json::or_default")]
    pub(super) details: String,
    #[serde(alias = "versionInfo", deserialize_with = "json::or_default")]
    pub(super) version_info: String,
}

/// Why Envoy refused a listener. A listener that never was accepted has its name only within.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListenerFailure<'a> {
    #[serde(alias = "lastUpdateAttempt", deserialize_with = "json::or_default")]
    pub(super) last_update_attempt: String,
    #[serde(deserialize_with = "json::or_default")]
    pub(super) details: String,
    #[serde(alias = "versionInfo", deserialize_with = "json::or_default")]
    pub(super) version_info: String,
    #[serde(borrow, alias = "failedConfiguration")]
    pub(super) failed_configuration: Option<&'a RawValue>,
}

impl ListenerFailure<'_> {
    pub(super) fn failure(&self) -> UpdateFailure {
        let [last_update_attempt, details, version_info] =
            [&self.last_update_attempt, &self.details, &self.version_info].map(String::clone);
        UpdateFailure { last_update_attempt, details, version_info }
    }
}

impl<'a> ConfigDump<'a> {
    /// When clusters or listeners changed last.
    pub fn last_update(&self) -> Option<jiff::Timestamp> {
        let clusters = self.clusters.iter().flat_map(|section| &section.dynamic_active_clusters);
        let clusters = clusters.map(|entry| entry.last_updated.as_str());
        let listeners = self.listeners.iter().flat_map(|section| &section.dynamic_listeners);
        let listeners = listeners.filter_map(|one| Some(one.active_state.as_ref()?.last_updated.as_str()));
        clusters.chain(listeners).filter_map(|time| time.parse().ok()).max()
    }

    /// Reads the page. Where a section occurs twice the last one counts, except that filters (ECDS) are joined.
    pub fn parse(page: &'a [u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Page<'a> {
            #[serde(borrow, default, deserialize_with = "json::or_default")]
            configs: Vec<Section<'a>>,
        }

        let page: Page<'a> = json::page(page, "the config dump")?;
        let mut dump = Self::default();
        for section in page.configs {
            match kind_of(&section.type_url) {
                Some("BootstrapConfigDump") => dump.bootstrap = Some(section),
                Some("ClustersConfigDump") => dump.clusters = Some(section),
                Some("ListenersConfigDump") => dump.listeners = Some(section),
                Some("RoutesConfigDump") => dump.routes = Some(section),
                Some("SecretsConfigDump") => dump.secrets = Some(section),
                Some("EndpointsConfigDump") => dump.endpoints = Some(section),
                Some("EcdsConfigDump") => dump.ecds.push(section),
                _ => {}
            }
        }
        Ok(dump)
    }

    /// The same with the clusters of another dump, where this one was asked for without them.
    #[must_use]
    pub fn with_clusters_of(mut self, other: Self) -> Self {
        self.clusters = self.clusters.or(other.clusters);
        self
    }
}

/// What a dump has, section by section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DumpSummary {
    pub sections: Vec<DumpSection>,
}

/// How much there is of one kind of resource, and of which version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DumpSection {
    /// `clusters`, `listeners`, `routes`, `endpoints`, `secrets` or `extensions`.
    pub name: &'static str,
    /// The version that istiod gave to its last push; secrets and routes have one each.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Resources of the bootstrap, or from inside of others.
    pub fixed: usize,
    /// Resources from istiod that are in use.
    pub active: usize,
    /// Resources from istiod that wait for something.
    pub warming: usize,
    /// Resources whose last update Envoy refused.
    pub refused: usize,
    /// The latest change of any of them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_updated: String,
}

impl ConfigDump<'_> {
    /// Counts and versions. Reads no resource.
    pub fn summary(&self) -> DumpSummary {
        let mut sections = Vec::new();
        if let Some(section) = &self.clusters {
            let (fixed, active) = (&section.static_clusters, &section.dynamic_active_clusters);
            sections.push(summary_of("clusters", section, fixed, active, &section.dynamic_warming_clusters));
        }
        if let Some(section) = &self.listeners {
            sections.push(listener_summary(section));
        }
        if let Some(section) = &self.routes {
            let (fixed, active) = (&section.static_route_configs, &section.dynamic_route_configs);
            sections.push(summary_of("routes", section, fixed, active, &[]));
        }
        if let Some(section) = &self.endpoints {
            let (fixed, active) = (&section.static_endpoint_configs, &section.dynamic_endpoint_configs);
            sections.push(summary_of("endpoints", section, fixed, active, &[]));
        }
        if let Some(section) = &self.secrets {
            let (fixed, active) = (&section.static_secrets, &section.dynamic_active_secrets);
            sections.push(summary_of("secrets", section, fixed, active, &section.dynamic_warming_secrets));
        }
        for section in &self.ecds {
            sections.push(summary_of("extensions", section, &[], &section.ecds_filters, &[]));
        }
        DumpSummary { sections }
    }
}

fn summary_of(
    name: &'static str,
    section: &Section<'_>,
    fixed: &[Entry<'_>],
    active: &[Entry<'_>],
    warming: &[Entry<'_>],
) -> DumpSection {
    let all = || fixed.iter().chain(active).chain(warming);
    DumpSection {
        name,
        version: section.version_info.clone(),
        fixed: fixed.len(),
        active: active.len(),
        warming: warming.len(),
        refused: all().filter(|entry| entry.error_state.is_some()).count(),
        // Times of one form, in UTC, so that the latest is the greatest text.
        last_updated: all().map(|entry| entry.last_updated.as_str()).max().unwrap_or_default().to_owned(),
    }
}

fn listener_summary(section: &Section<'_>) -> DumpSection {
    let listeners = &section.dynamic_listeners;
    let active = || listeners.iter().filter_map(|listener| listener.active_state.as_ref());
    let latest = section.static_listeners.iter().chain(active()).map(|entry| entry.last_updated.as_str()).max();
    DumpSection {
        name: "listeners",
        version: section.version_info.clone(),
        fixed: section.static_listeners.len(),
        active: active().count(),
        warming: listeners.iter().filter(|listener| listener.warming_state.is_some()).count(),
        // Each has its name; Envoy lists what it refused once more without.
        refused: listeners
            .iter()
            .filter(|listener| listener.error_state.is_some() && !listener.name.is_empty())
            .count(),
        last_updated: latest.unwrap_or_default().to_owned(),
    }
}

/// The section, or istioctl's word for its absence.
pub(super) fn required<'d, 'a>(section: Option<&'d Section<'a>>, kind: &str) -> Result<&'d Section<'a>, Error> {
    section.ok_or_else(|| no_section(kind))
}

/// The resource as a typed struct.
pub(super) fn read<'a, T: Deserialize<'a>>(resource: &'a RawValue, what: &'static str) -> Result<T, Error> {
    serde_json::from_str(resource.get()).map_err(Error::json(what))
}

/// The sections of one kind as they are written, in order; at least one.
pub(super) fn sections<'a>(page: &'a [u8], kind: &str) -> Result<Vec<&'a RawValue>, Error> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow, default, deserialize_with = "json::or_default")]
        configs: Vec<&'a RawValue>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Typed {
        #[serde(rename = "@type", deserialize_with = "json::or_default")]
        type_url: String,
    }

    let page: Page<'a> = json::page(page, "the config dump")?;
    let mut found = Vec::new();
    for section in page.configs {
        let Typed { type_url } = read(section, "a section of the config dump")?;
        if kind_of(&type_url).and_then(|name| name.strip_suffix("ConfigDump")) == Some(kind) {
            found.push(section);
        }
    }
    if found.is_empty() {
        return Err(no_section(kind));
    }
    Ok(found)
}

/// `ClustersConfigDump` of `type.googleapis.com/envoy.admin.v3.ClustersConfigDump`; older Envoys wrote `v2alpha`.
fn kind_of(type_url: &str) -> Option<&str> {
    type_url.strip_prefix(TYPE_PREFIX)?.split_once('.').map(|(_version, kind)| kind)
}

pub(super) fn no_section(kind: &str) -> Error {
    Error::NoSection(format!("{TYPE_PREFIX}v3.{kind}ConfigDump"))
}
