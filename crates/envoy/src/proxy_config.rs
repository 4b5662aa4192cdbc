//! `istioctl proxy-config`: from a page of Envoy's admin interface to what the command prints, and to rows.
//!
//! See <https://istio.io/latest/docs/reference/commands/istioctl/#istioctl-proxy-config>.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::bootstrap::{self, BootstrapSummary};
use super::clusters::{self, ClusterFilter, ClusterRow};
use super::config_dump::{self, ConfigDump};
use super::ecds::{self, EcdsRow};
use super::endpoints::{self, EdsRow, EndpointFilter, EndpointPage, EndpointRow};
use super::listeners::{self, ListenerFilter, ListenerRow};
use super::log_levels::{self, LogLevelRow};
use super::proto_json::{self, Format};
use super::routes::{self, RouteFilter, RouteRow};
use super::secrets::{self, SecretRow, SerialNumbers};
use super::{Error, json};

/// What of the proxy's configuration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    All,
    Bootstrap,
    Cluster,
    Ecds,
    /// Assignments as istiod sent them.
    Eds,
    /// Hosts as Envoy has them.
    Endpoint,
    Listener,
    Log,
    Route,
    Secret,
}

/// The filters of all kinds. Each kind looks at its own; empty means that it does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub address: String,
    pub port: Option<u16>,
    pub fqdn: String,
    pub direction: String,
    pub subset: String,
    pub listener_type: String,
    pub cluster: String,
    pub status: String,
    /// Name of a route configuration.
    pub name: String,
}

/// How the tables look.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Filter chains of listeners, and routes; otherwise a line for each listener and route configuration.
    pub verbose: bool,
    /// A headline before each part of `all`.
    pub with_headers: bool,
    pub serial_numbers: SerialNumbers,
}

/// The rows of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind", content = "rows")]
pub enum ProxyConfigRows {
    All(Box<ProxyConfigAllRows>),
    Bootstrap(BootstrapSummary),
    Cluster(Vec<ClusterRow>),
    Ecds(Vec<EcdsRow>),
    Eds(Vec<EdsRow>),
    Endpoint(Vec<EndpointRow>),
    Listener(Vec<ListenerRow>),
    Log(Vec<LogLevelRow>),
    Route(Vec<RouteRow>),
    Secret(Vec<SecretRow>),
}

/// The rows of all kinds in one dump.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProxyConfigAllRows {
    pub bootstrap: BootstrapSummary,
    pub clusters: Vec<ClusterRow>,
    pub listeners: Vec<ListenerRow>,
    pub routes: Vec<RouteRow>,
    pub secrets: Vec<SecretRow>,
    pub endpoints: Vec<EdsRow>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { verbose: true, with_headers: false, serial_numbers: SerialNumbers::Padded }
    }
}

impl Kind {
    /// The admin page that has it. A mask keeps Envoy from writing, and us from reading, the rest of a large dump.
    pub fn page(self) -> &'static str {
        match self {
            Self::All | Self::Ecds | Self::Eds => "config_dump?include_eds=true",
            Self::Bootstrap => "config_dump?mask=bootstrap",
            Self::Cluster => "config_dump?mask=dynamic_active_clusters,dynamic_warming_clusters,static_clusters",
            Self::Endpoint => "clusters?format=json",
            Self::Listener => "config_dump?mask=dynamic_listeners,static_listeners",
            Self::Log => "logging",
            Self::Route => "config_dump?mask=dynamic_route_configs,static_route_configs",
            Self::Secret => "config_dump?mask=dynamic_active_secrets,dynamic_warming_secrets",
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    /// The names and short names that istioctl knows.
    fn from_str(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "all" | "a" => Self::All,
            "bootstrap" | "b" => Self::Bootstrap,
            "cluster" | "clusters" | "c" => Self::Cluster,
            "ecds" | "ec" => Self::Ecds,
            "eds" => Self::Eds,
            "endpoint" | "endpoints" | "ep" => Self::Endpoint,
            "listener" | "listeners" | "l" => Self::Listener,
            "log" | "o" => Self::Log,
            "route" | "routes" | "r" => Self::Route,
            "secret" | "secrets" | "s" => Self::Secret,
            other => return Err(Error::UnknownKind(other.to_owned())),
        })
    }
}

impl Filter {
    fn clusters(&self) -> ClusterFilter {
        let [fqdn, direction, subset] = [&self.fqdn, &self.direction, &self.subset].map(String::clone);
        ClusterFilter { fqdn, direction, subset, port: self.port }
    }

    fn endpoints(&self) -> EndpointFilter {
        let [address, cluster, status] = [&self.address, &self.cluster, &self.status].map(String::clone);
        EndpointFilter { address, port: self.port, cluster, status }
    }

    fn listeners(&self) -> ListenerFilter {
        let [address, listener_type] = [&self.address, &self.listener_type].map(String::clone);
        ListenerFilter { address, port: self.port, listener_type }
    }

    fn routes(&self) -> RouteFilter {
        RouteFilter { name: self.name.clone() }
    }
}

/// The rows of a page.
pub fn rows(kind: Kind, page: &[u8], filter: &Filter, now: Timestamp) -> Result<ProxyConfigRows, Error> {
    Ok(match kind {
        Kind::Log => ProxyConfigRows::Log(log_levels::rows(&String::from_utf8_lossy(page))),
        Kind::Endpoint => ProxyConfigRows::Endpoint(EndpointPage::parse(page)?.rows(&filter.endpoints())),
        _ => return rows_of(kind, &ConfigDump::parse(page)?, filter, now),
    })
}

/// The rows of a dump that is read already. It has no log levels, and endpoints only as istiod sent them.
pub fn rows_of(kind: Kind, dump: &ConfigDump<'_>, filter: &Filter, now: Timestamp) -> Result<ProxyConfigRows, Error> {
    Ok(match kind {
        Kind::All => ProxyConfigRows::All(Box::new(ProxyConfigAllRows {
            bootstrap: bootstrap::summary(dump)?,
            clusters: clusters::rows(dump, &filter.clusters())?,
            listeners: listeners::rows(dump, &filter.listeners())?,
            routes: routes::rows(dump, &filter.routes())?,
            secrets: secrets::rows(dump, now)?,
            endpoints: endpoints::eds_rows(dump, &filter.endpoints())?,
        })),
        Kind::Bootstrap => ProxyConfigRows::Bootstrap(bootstrap::summary(dump)?),
        Kind::Cluster => ProxyConfigRows::Cluster(clusters::rows(dump, &filter.clusters())?),
        Kind::Ecds => ProxyConfigRows::Ecds(ecds::rows(dump)?),
        Kind::Eds | Kind::Endpoint => ProxyConfigRows::Eds(endpoints::eds_rows(dump, &filter.endpoints())?),
        Kind::Listener => ProxyConfigRows::Listener(listeners::rows(dump, &filter.listeners())?),
        Kind::Log => ProxyConfigRows::Log(Vec::new()),
        Kind::Route => ProxyConfigRows::Route(routes::rows(dump, &filter.routes())?),
        Kind::Secret => ProxyConfigRows::Secret(secrets::rows(dump, now)?),
    })
}

impl ProxyConfigRows {
    /// What istioctl prints with `-o short`.
    pub fn text(&self, layout: Layout) -> String {
        match self {
            Self::All(all) => all.text(layout),
            Self::Bootstrap(summary) => bootstrap::text(summary),
            Self::Cluster(rows) => clusters::text(rows),
            Self::Ecds(rows) => ecds::text(rows),
            Self::Eds(rows) => endpoints::eds_text(rows),
            Self::Endpoint(rows) => endpoints::text(rows),
            Self::Listener(rows) if layout.verbose => listeners::text(rows),
            Self::Listener(rows) => listeners::text_without_chains(rows),
            Self::Log(rows) => log_levels::text(rows),
            Self::Route(rows) if layout.verbose => routes::text(rows),
            Self::Route(rows) => routes::text_without_routes(rows),
            Self::Secret(rows) => secrets::text(rows, layout.serial_numbers),
        }
    }
}

impl ProxyConfigAllRows {
    fn text(&self, layout: Layout) -> String {
        let routes = if layout.verbose {
            routes::text_with(&self.routes, "route/")
        } else {
            routes::text_without_routes(&self.routes)
        };
        let parts = [
            ("BOOTSTRAP", bootstrap::text(&self.bootstrap)),
            ("CLUSTER", clusters::text_in_all(&self.clusters)),
            ("LISTENER", listeners::text_in_all(&self.listeners, layout.verbose)),
            ("ROUTE", routes),
            ("SECRET", secrets::text_with(&self.secrets, layout.serial_numbers, "secret/")),
            ("ENDPOINTS", endpoints::eds_text_with(&self.endpoints, "endpoint/")),
        ];
        let parts = parts.map(
            |(name, text)| {
                if layout.with_headers { format!("------ {name} INFO ------\n\n{text}") } else { text }
            },
        );
        parts.join("\n")
    }
}

/// What istioctl prints with `-o json` or `-o yaml`: the resources themselves.
pub fn dump(kind: Kind, page: &[u8], filter: &Filter, format: Format) -> Result<String, Error> {
    let resources: Vec<&RawValue> = match kind {
        Kind::Log => return Err(Error::NoDump),
        Kind::All => return whole_page(page, format),
        Kind::Bootstrap => return section(page, "Bootstrap", format),
        Kind::Secret => return section(page, "Secrets", format),
        Kind::Ecds => return extensions(page, format),
        Kind::Eds => return assignments(page, filter, format),
        Kind::Endpoint => EndpointPage::parse(page)?.matching(&filter.endpoints()),
        Kind::Cluster => only_raw(clusters::matching(&ConfigDump::parse(page)?, &filter.clusters())?),
        Kind::Listener => only_raw(listeners::matching(&ConfigDump::parse(page)?, &filter.listeners())?),
        Kind::Route => only_raw(routes::matching(&ConfigDump::parse(page)?, &filter.routes())?),
    };
    proto_json::list(&resources, format)
}

fn only_raw<T>(found: Vec<(T, &RawValue)>) -> Vec<&RawValue> {
    found.into_iter().map(|(_, raw)| raw).collect()
}

/// The page itself; its JSON is Envoy's, untouched.
fn whole_page(page: &[u8], format: Format) -> Result<String, Error> {
    match format {
        Format::Json => {
            ConfigDump::parse(page)?;
            Ok(String::from_utf8_lossy(page).into_owned())
        }
        Format::Yaml => {
            let page: Value = json::page(page, "the config dump")?;
            Ok(proto_json::written(&page, format))
        }
    }
}

/// One section. Of the bootstrap only itself, as the mask with which istioctl asks leaves the time out.
fn section(page: &[u8], kind: &str, format: Format) -> Result<String, Error> {
    let sections = config_dump::sections(page, kind)?;
    let last = sections.last().expect("a kind that is not there is an error");
    let mut section = proto_json::resource(last)?;
    if let Some(fields) = section.as_object_mut().filter(|fields| fields.contains_key("bootstrap")) {
        fields.retain(|name, _| name == "bootstrap");
    }
    Ok(proto_json::written(&section, format))
}

/// The filters of all their sections.
fn extensions(page: &[u8], format: Format) -> Result<String, Error> {
    let mut joined = serde_json::Map::new();
    for section in config_dump::sections(page, "Ecds")? {
        let Value::Object(fields) = proto_json::resource(section)? else { continue };
        for (name, value) in fields {
            match (joined.get_mut(&name), value) {
                (Some(Value::Array(filters)), Value::Array(more)) => filters.extend(more),
                (_, value) => {
                    joined.insert(name, value);
                }
            }
        }
    }
    Ok(proto_json::written(&Value::Object(joined), format))
}

/// The assignments without the endpoints that do not match.
fn assignments(page: &[u8], filter: &Filter, format: Format) -> Result<String, Error> {
    let mut values = Vec::new();
    for found in endpoints::matching(&ConfigDump::parse(page)?, &filter.endpoints())? {
        let mut assignment = proto_json::resource(found.raw)?;
        let groups = assignment.get_mut("endpoints").and_then(Value::as_array_mut);
        for (group, keep) in groups.into_iter().flatten().zip(&found.matches) {
            if let Some(endpoints) = group.get_mut("lbEndpoints").and_then(Value::as_array_mut) {
                let mut keep = keep.iter();
                endpoints.retain(|_| keep.next().copied().unwrap_or(false));
            }
        }
        values.push(assignment);
    }
    Ok(proto_json::written(&Value::Array(values), format))
}
