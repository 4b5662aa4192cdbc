//! The clusters of a dump: where requests can be sent.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::cluster_name::ClusterName;
use super::config_dump::{ConfigDump, Entry, read, required};
use super::managed_by::Metadata;
use super::table::Table;
use super::{Error, json};

/// Which clusters are wanted. Text is looked for in the whole name, as istioctl does: `inbound` finds `inbound-vip` too.
#[derive(Debug, Clone, Default)]
pub struct ClusterFilter {
    pub fqdn: String,
    pub direction: String,
    pub subset: String,
    pub port: Option<u16>,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClusterRow {
    pub name: String,
    #[serde(flatten)]
    pub parts: ClusterName,
    /// How its hosts are found: `EDS`, `STATIC`, `STRICT_DNS`, `LOGICAL_DNS` or `ORIGINAL_DST`.
    #[serde(rename = "type")]
    pub discovery_type: String,
    /// The `DestinationRule` it was made from, `<name>.<namespace>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination_rule: String,
    pub last_updated: String,
}

/// The parts of a cluster that we read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    #[serde(deserialize_with = "json::or_default")]
    pub(super) name: String,
    #[serde(rename = "type", deserialize_with = "json::or_default")]
    pub(super) discovery_type: String,
    #[serde(deserialize_with = "json::or_default")]
    metadata: Metadata,
}

impl ClusterFilter {
    pub fn matches(&self, name: &str) -> bool {
        name.contains(&self.fqdn)
            && name.contains(&self.direction)
            && name.contains(&self.subset)
            && self.port.is_none_or(|port| name.contains(&format!("|{port}|")))
    }
}

/// The clusters in use that match, ordered by host, subset, port and direction.
pub fn rows(dump: &ConfigDump<'_>, filter: &ClusterFilter) -> Result<Vec<ClusterRow>, Error> {
    Ok(matching(dump, filter)?.into_iter().map(|(row, _)| row).collect())
}

pub(super) fn matching<'a>(
    dump: &ConfigDump<'a>,
    filter: &ClusterFilter,
) -> Result<Vec<(ClusterRow, &'a RawValue)>, Error> {
    let mut found = Vec::new();
    let mut any = false;
    for (entry, resource) in in_use(dump)? {
        any = true;
        let cluster: Cluster = read(resource, "a cluster")?;
        if filter.matches(&cluster.name) {
            found.push((row(entry, cluster), resource));
        }
    }
    if !any {
        return Err(Error::Nothing("no clusters found"));
    }
    found.sort_by(|(a, _), (b, _)| a.parts.cmp(&b.parts));
    Ok(found)
}

/// Clusters that take requests. Those that are warming do not yet.
pub(super) fn in_use<'d, 'a>(
    dump: &'d ConfigDump<'a>,
) -> Result<impl Iterator<Item = (&'d Entry<'a>, &'a RawValue)>, Error> {
    let section = required(dump.clusters.as_ref(), "Clusters")?;
    let entries = section.dynamic_active_clusters.iter().chain(&section.static_clusters);
    Ok(entries.filter_map(|entry| Some((entry, entry.resource?))))
}

fn row(entry: &Entry<'_>, cluster: Cluster) -> ClusterRow {
    // STATIC is the default, so a cluster of a custom type shows as such too.
    let discovery_type = if cluster.discovery_type.is_empty() { "STATIC".to_owned() } else { cluster.discovery_type };
    ClusterRow {
        parts: ClusterName::parse(&cluster.name),
        discovery_type,
        destination_rule: cluster.metadata.managed_by(),
        last_updated: entry.last_updated.clone(),
        name: cluster.name,
    }
}

/// The table of `istioctl proxy-config cluster`.
pub fn text(rows: &[ClusterRow]) -> String {
    let mut table = Table::with_header(5, &["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"]);
    for row in rows {
        table.push(cells(row, ""));
    }
    table.text()
}

/// The clusters in the output of `istioctl proxy-config all`.
pub(super) fn text_in_all(rows: &[ClusterRow]) -> String {
    let header = ["NAME", "SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"];
    let mut table = Table::with_header(5, &header);
    for row in rows {
        let mut line = vec![format!("cluster/{}", row.name)];
        line.extend(cells(row, "cluster/"));
        table.push(line);
    }
    table.text()
}

fn cells(row: &ClusterRow, prefix: &str) -> Vec<String> {
    let parts = &row.parts;
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let mut cells = if ClusterName::is_service(&row.name) {
        vec![parts.fqdn.clone(), parts.port.to_string(), or_dash(&parts.subset), parts.direction.clone()]
    } else {
        vec![format!("{prefix}{}", row.name), "-".to_owned(), "-".to_owned(), "-".to_owned()]
    };
    cells.extend([row.discovery_type.clone(), row.destination_rule.clone()]);
    cells
}
