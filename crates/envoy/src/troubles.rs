//! What a config dump says is wrong: updates that Envoy refused, resources it still waits for, clusters without
//! endpoints, routes into nothing, certificates out of their time. Facts only; how bad they are is for the caller to say.
//!
//! See <https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/>; the flags are those of
//! <https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags>.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::certificates::Certificate;
use super::cluster_name::ClusterName;
use super::cluster_trouble::is_internal;
use super::clusters::Cluster;
use super::config_dump::{ConfigDump, Entry, UpdateFailure, read};
use super::filter_chains::Filter;
use super::listeners::Listener;
use super::routes::{RouteAction, RouteConfiguration};
use super::secrets::{self, Held, SecretStatus};
use super::{Error, endpoints};

/// One thing that is wrong in a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum DumpTrouble {
    /// Envoy refused what istiod sent, and keeps what it had.
    Rejected {
        resource: XdsResource,
        name: String,
        /// Envoy's own words.
        details: String,
        version: String,
        last_attempt: String,
    },
    /// Envoy has it, but waits for something before it uses it: a listener for its routes or secrets, a cluster for its
    /// endpoints, a secret for its data.
    Warming { resource: XdsResource, name: String, since: String },
    /// A secret is in use by name, but istiod gave no data for it.
    SecretWithoutData { name: String, since: String },
    /// istiod sent no endpoint that may take requests.
    NoHealthyEndpoints { cluster: String, endpoints: usize },
    /// The DNS name of a service outside the mesh did not resolve, or not yet.
    NameNotResolved { cluster: String },
    /// A route names a cluster that the proxy does not have: requests get 503 with the flag NC.
    UnknownCluster { cluster: String, route_configuration: String, virtual_host: String, path: String },
    /// A listener passes connections on to a cluster that the proxy does not have.
    UnknownTcpCluster { cluster: String, listener: String },
    /// A certificate is not valid any more, or not yet.
    CertificateNotValid { secret: String, certificate: Certificate },
    /// A certificate should have been renewed by now.
    CertificateExpiresSoon { secret: String, certificate: Certificate },
}

/// A kind of resource that istiod sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum XdsResource {
    Cluster,
    Listener,
    Route,
    Endpoints,
    Secret,
    Extension,
}

/// What is wrong in the dump. Sections that it does not have (a mask leaves them out) are not judged.
pub fn find(dump: &ConfigDump<'_>, now: Timestamp) -> Result<Vec<DumpTrouble>, Error> {
    let mut troubles = Vec::new();
    find_rejected(dump, &mut troubles)?;
    find_warming(dump, &mut troubles)?;
    find_certificates(dump, now, &mut troubles)?;
    find_clusters_without_endpoints(dump, &mut troubles)?;
    find_unknown_clusters(dump, &mut troubles)?;
    Ok(troubles)
}

fn find_rejected(dump: &ConfigDump<'_>, troubles: &mut Vec<DumpTrouble>) -> Result<(), Error> {
    for (kind, entry) in entries(dump) {
        if let Some(failure) = &entry.error_state {
            troubles.push(rejected(kind, name_of(entry)?, failure));
        }
    }
    let mut refused = BTreeSet::new();
    for listener in dump.listeners.iter().flat_map(|section| &section.dynamic_listeners) {
        if let Some(failure) = &listener.error_state {
            // A listener that never was accepted has no name but in what was refused.
            let name = match failure.failed_configuration {
                Some(failed) if listener.name.is_empty() => read::<Listener<'_>>(failed, "a refused listener")?.name,
                _ => listener.name.clone(),
            };
            // Envoy lists a listener that it refused under its name and once more without.
            if refused.insert((name.clone(), &failure.details)) {
                troubles.push(rejected(XdsResource::Listener, name, &failure.failure()));
            }
        }
    }
    Ok(())
}

fn rejected(resource: XdsResource, name: String, failure: &UpdateFailure) -> DumpTrouble {
    DumpTrouble::Rejected {
        resource,
        name,
        details: failure.details.clone(),
        version: failure.version_info.clone(),
        last_attempt: failure.last_update_attempt.clone(),
    }
}

/// The dynamic resources of all kinds but listeners, whose entries have a form of their own.
fn entries<'d, 'a>(dump: &'d ConfigDump<'a>) -> Vec<(XdsResource, &'d Entry<'a>)> {
    let mut entries = Vec::new();
    let mut add = |kind, list: &'d Vec<Entry<'a>>| entries.extend(list.iter().map(|entry| (kind, entry)));
    if let Some(section) = &dump.clusters {
        add(XdsResource::Cluster, &section.dynamic_active_clusters);
        add(XdsResource::Cluster, &section.dynamic_warming_clusters);
    }
    if let Some(section) = &dump.routes {
        add(XdsResource::Route, &section.dynamic_route_configs);
    }
    if let Some(section) = &dump.endpoints {
        add(XdsResource::Endpoints, &section.dynamic_endpoint_configs);
    }
    if let Some(section) = &dump.secrets {
        add(XdsResource::Secret, &section.dynamic_active_secrets);
        add(XdsResource::Secret, &section.dynamic_warming_secrets);
    }
    for section in &dump.ecds {
        add(XdsResource::Extension, &section.ecds_filters);
    }
    entries
}

fn find_warming(dump: &ConfigDump<'_>, troubles: &mut Vec<DumpTrouble>) -> Result<(), Error> {
    for entry in dump.clusters.iter().flat_map(|section| &section.dynamic_warming_clusters) {
        troubles.push(DumpTrouble::Warming {
            resource: XdsResource::Cluster,
            name: name_of(entry)?,
            since: entry.last_updated.clone(),
        });
    }
    for listener in dump.listeners.iter().flat_map(|section| &section.dynamic_listeners) {
        if let Some(state) = &listener.warming_state {
            troubles.push(DumpTrouble::Warming {
                resource: XdsResource::Listener,
                name: listener.name.clone(),
                since: state.last_updated.clone(),
            });
        }
    }
    Ok(())
}

fn find_certificates(dump: &ConfigDump<'_>, now: Timestamp, troubles: &mut Vec<DumpTrouble>) -> Result<(), Error> {
    if dump.secrets.is_none() {
        return Ok(());
    }
    for row in secrets::rows(dump, now)? {
        let (name, since) = (row.name, row.last_updated);
        match (row.status, row.certificate) {
            (SecretStatus::Warming, _) => {
                troubles.push(DumpTrouble::Warming { resource: XdsResource::Secret, name, since });
            }
            (SecretStatus::Uninitialized, _) | (SecretStatus::Active, None) => {
                troubles.push(DumpTrouble::SecretWithoutData { name, since });
            }
            (SecretStatus::Active, Some(_)) => {}
        }
    }
    for Held { secret, are_roots, certificates } in secrets::held(dump)? {
        // An old root beside one that is valid does no harm. The bundle of an operating system always holds some.
        let is_good = |one: &Certificate| one.is_valid_at(now) && !expires_soon(one, now);
        if are_roots && certificates.iter().any(is_good) {
            continue;
        }
        for certificate in certificates {
            if !certificate.is_valid_at(now) {
                troubles.push(DumpTrouble::CertificateNotValid { secret: secret.clone(), certificate });
            } else if expires_soon(&certificate, now) {
                troubles.push(DumpTrouble::CertificateExpiresSoon { secret: secret.clone(), certificate });
            }
        }
    }
    Ok(())
}

/// Whether somebody should have renewed it (<https://istio.io/latest/docs/concepts/security/#pki>).
///
/// Istio's agent renews a workload's certificate when half of its time is over, and other issuers when a third is left.
/// Where less than a tenth (at most 30 days) is left, nobody did.
fn expires_soon(certificate: &Certificate, now: Timestamp) -> bool {
    let lifetime = certificate.not_after.duration_since(certificate.not_before);
    let left = certificate.not_after.duration_since(now);
    left < (lifetime / 10).min(SignedDuration::from_hours(30 * 24))
}

fn find_clusters_without_endpoints(dump: &ConfigDump<'_>, troubles: &mut Vec<DumpTrouble>) -> Result<(), Error> {
    let (Some(clusters), Some(_)) = (&dump.clusters, &dump.endpoints) else { return Ok(()) };
    let mut discovery = BTreeMap::new();
    for entry in &clusters.dynamic_active_clusters {
        if let Some(resource) = entry.resource {
            let cluster: Cluster = read(resource, "a cluster")?;
            if !is_internal(&cluster.name) {
                discovery.insert(cluster.name, cluster.discovery_type);
            }
        }
    }
    // The section lists also what hosts Envoy found by itself.
    for (assignment, _) in endpoints::assignments(dump)? {
        let (0, endpoints) = assignment.healthy_of() else { continue };
        let cluster = assignment.cluster_name;
        match discovery.get(&cluster).map(String::as_str) {
            Some("EDS") => troubles.push(DumpTrouble::NoHealthyEndpoints { cluster, endpoints }),
            Some("STRICT_DNS" | "LOGICAL_DNS") if endpoints == 0 => {
                troubles.push(DumpTrouble::NameNotResolved { cluster });
            }
            // Others have their hosts in the configuration, or from the connections that came in.
            _ => {}
        }
    }
    Ok(())
}

fn find_unknown_clusters(dump: &ConfigDump<'_>, troubles: &mut Vec<DumpTrouble>) -> Result<(), Error> {
    let Some(section) = &dump.clusters else { return Ok(()) };
    let lists = [&section.static_clusters, &section.dynamic_active_clusters, &section.dynamic_warming_clusters];
    let names = lists.into_iter().flatten().map(name_of).collect::<Result<_, _>>()?;
    let known = KnownClusters::new(names);
    if let Some(routes) = &dump.routes {
        for entry in routes.dynamic_route_configs.iter().chain(&routes.static_route_configs) {
            if let Some(resource) = entry.resource {
                find_unknown_in(&read(resource, "a route configuration")?, &known, troubles);
            }
        }
    }
    let active = dump.listeners.iter().flat_map(|section| &section.dynamic_listeners);
    for entry in active.filter_map(|listener| listener.active_state.as_ref()) {
        let Some(resource) = entry.resource else { continue };
        let listener: Listener<'_> = read(resource, "a listener")?;
        let clusters: BTreeSet<String> =
            listener.chains().flat_map(|chain| &chain.filters).filter_map(Filter::tcp_cluster).collect();
        for cluster in clusters.into_iter().filter(|cluster| !known.names.contains(cluster)) {
            troubles.push(DumpTrouble::UnknownTcpCluster { cluster, listener: listener.name.clone() });
        }
    }
    Ok(())
}

fn find_unknown_in(configuration: &RouteConfiguration, known: &KnownClusters, troubles: &mut Vec<DumpTrouble>) {
    // Outbound routes of a sidecar are named after the port; those of a gateway are for its own hosts.
    let is_outbound = configuration.name.parse::<u16>().is_ok();
    for host in &configuration.virtual_hosts {
        if is_outbound && known.has_other_ports_only(&host.name) {
            continue;
        }
        for route in &host.routes {
            for cluster in route.action.iter().flat_map(RouteAction::clusters) {
                if !known.names.contains(cluster) {
                    troubles.push(DumpTrouble::UnknownCluster {
                        cluster: cluster.to_owned(),
                        route_configuration: configuration.name.clone(),
                        virtual_host: host.name.clone(),
                        path: route.matches.text(),
                    });
                }
            }
        }
    }
}

/// The clusters that a proxy has, and the ports of each service among them.
struct KnownClusters {
    names: BTreeSet<String>,
    ports: BTreeMap<String, BTreeSet<u64>>,
}

impl KnownClusters {
    fn new(names: BTreeSet<String>) -> Self {
        let mut ports: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for name in &names {
            let service = ClusterName::parse(name);
            ports.entry(service.fqdn).or_default().insert(service.port);
        }
        Self { names, ports }
    }

    /// From one `VirtualService` istiod makes a virtual host (`<host>:<port>`) on every HTTP port of the mesh, also where
    /// the service itself has no such port. Nobody calls those, so it does not matter where they lead.
    fn has_other_ports_only(&self, virtual_host: &str) -> bool {
        let Some((host, port)) = virtual_host.rsplit_once(':') else { return false };
        let (Ok(port), Some(ports)) = (port.parse(), self.ports.get(host)) else { return false };
        !ports.contains(&port)
    }
}

/// The name of a resource, whatever kind it has.
fn name_of(entry: &Entry<'_>) -> Result<String, Error> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Named {
        #[serde(alias = "cluster_name", alias = "clusterName")]
        name: Option<String>,
    }

    match entry.resource {
        Some(resource) if entry.name.is_empty() => {
            Ok(read::<Named>(resource, "the name of a resource")?.name.unwrap_or_default())
        }
        _ => Ok(entry.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn section(kind: &str, mut fields: Value) -> Value {
        fields["@type"] = format!("type.googleapis.com/envoy.admin.v3.{kind}ConfigDump").into();
        fields
    }

    #[track_caller]
    fn check(sections: &[Value], expected: &[DumpTrouble]) {
        let page = json!({ "configs": sections }).to_string();
        let dump = ConfigDump::parse(page.as_bytes()).expect("dump");
        assert_eq!(find(&dump, Timestamp::UNIX_EPOCH).expect("troubles"), expected);
    }

    fn routes() -> Value {
        let routes = json!([
            {"match": {"prefix": "/a"}, "route": {"cluster": "a"}},
            {"match": {"prefix": "/b"}, "route": {"weighted_clusters": {"clusters": [{"name": "a"}, {"name": "b"}]}}},
            {"match": {"prefix": "/c"}, "route": {"cluster_header": "x-cluster"}},
            {"match": {"prefix": "/d"}, "redirect": {"path_redirect": "/"}},
        ]);
        let hosts = json!([{"name": "shop", "domains": ["*"], "routes": routes}]);
        section(
            "Routes",
            json!({"dynamic_route_configs": [{"route_config": {"name": "http.80", "virtual_hosts": hosts}}]}),
        )
    }

    #[test]
    fn route_to_a_cluster_that_is_not_there() {
        let clusters = json!({"dynamic_active_clusters": [{"cluster": {"name": "a"}}]});
        let trouble = DumpTrouble::UnknownCluster {
            cluster: "b".to_owned(),
            route_configuration: "http.80".to_owned(),
            virtual_host: "shop".to_owned(),
            path: "/b*".to_owned(),
        };
        check(&[section("Clusters", clusters), routes()], &[trouble]);
    }

    #[test]
    fn routes_alone_are_not_judged() {
        check(&[routes()], &[]);
    }

    #[test]
    fn refused_and_warming_resources() {
        let clusters = json!({
            "dynamicActiveClusters": [{"cluster": {"name": "a"}, "errorState": {"details": "bad", "versionInfo": "2"}}],
            "dynamicWarmingClusters": [{"cluster": {"name": "b"}, "lastUpdated": "2026-01-01T00:00:00Z"}],
        });
        let refused = DumpTrouble::Rejected {
            resource: XdsResource::Cluster,
            name: "a".to_owned(),
            details: "bad".to_owned(),
            version: "2".to_owned(),
            last_attempt: String::new(),
        };
        let warming = DumpTrouble::Warming {
            resource: XdsResource::Cluster,
            name: "b".to_owned(),
            since: "2026-01-01T00:00:00Z".to_owned(),
        };
        check(&[section("Clusters", clusters)], &[refused, warming]);
    }

    #[test]
    fn secret_in_use_without_data() {
        let secrets = json!({"dynamic_active_secrets": [
            {"name": "a", "version_info": "uninitialized"}, {"name": "b", "secret": {"name": "b"}},
        ]});
        let without = |name: &str| DumpTrouble::SecretWithoutData { name: name.to_owned(), since: String::new() };
        check(&[section("Secrets", secrets)], &[without("a"), without("b")]);
    }

    #[test]
    fn eds_cluster_whose_endpoints_are_unhealthy() {
        let clusters = json!({"dynamic_active_clusters": [{"cluster": {"name": "a", "type": "EDS"}}, {"cluster": {"name": "o", "type": "ORIGINAL_DST"}}]});
        let endpoints = json!({"dynamic_endpoint_configs": [
            {"endpoint_config": {"cluster_name": "a", "endpoints": [{"lb_endpoints": [{"health_status": "UNHEALTHY"}]}]}},
            {"endpoint_config": {"cluster_name": "o"}},
        ]});
        let trouble = DumpTrouble::NoHealthyEndpoints { cluster: "a".to_owned(), endpoints: 1 };
        check(&[section("Clusters", clusters), section("Endpoints", endpoints)], &[trouble]);
    }

    #[test]
    fn hostile_dumps_are_errors() {
        let deep = format!("{{\"configs\":[{{\"x\":{}", "[".repeat(200_000));
        for page in ["", "[]", "{\"configs\": 1}", "{\"configs\":[{\"@type\": 5}]}", "{\"configs\":[", &deep] {
            assert!(ConfigDump::parse(page.as_bytes()).is_err(), "{page:.40}");
        }
        let nested = "{\"configs\":[{\"@type\":\"type.googleapis.com/envoy.admin.v3.ClustersConfigDump\",\
            \"dynamic_active_clusters\":[{\"cluster\":{\"name\":[]}}]}]}";
        let dump = ConfigDump::parse(nested.as_bytes()).expect("the resource is read later");
        assert!(find(&dump, Timestamp::UNIX_EPOCH).is_err());
        let empty = "{\"configs\":null}";
        assert_eq!(
            find(&ConfigDump::parse(empty.as_bytes()).expect("empty"), Timestamp::UNIX_EPOCH).expect("none"),
            []
        );
    }
}
