//! What Envoy was started with, of which only the versions are shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::config_dump::{ConfigDump, read, required};
use super::table::Table;
use super::{Error, json};

/// Versions of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct BootstrapSummary {
    /// `sidecar~<ip>~<pod>.<namespace>~<domain>`
    pub node_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub istio_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub istio_proxy_version: String,
    /// `<version>[-<label>]/<status>/<build type>/<TLS library>`
    pub envoy_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Bootstrap {
    #[serde(deserialize_with = "json::or_default")]
    node: Node,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Node {
    #[serde(deserialize_with = "json::or_default")]
    id: String,
    #[serde(deserialize_with = "json::or_default")]
    metadata: NodeMetadata,
    #[serde(alias = "userAgentBuildVersion", deserialize_with = "json::or_default")]
    user_agent_build_version: BuildVersion,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeMetadata {
    #[serde(rename = "ISTIO_VERSION", deserialize_with = "json::or_default")]
    istio_version: String,
    #[serde(rename = "ISTIO_PROXY_SHA", deserialize_with = "json::or_default")]
    istio_proxy_sha: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BuildVersion {
    #[serde(deserialize_with = "json::or_default")]
    version: Version,
    #[serde(deserialize_with = "json::or_default")]
    metadata: BuildMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    #[serde(alias = "majorNumber", deserialize_with = "json::number")]
    major_number: u64,
    #[serde(alias = "minorNumber", deserialize_with = "json::number")]
    minor_number: u64,
    #[serde(deserialize_with = "json::number")]
    patch: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BuildMetadata {
    #[serde(rename = "build.label")]
    label: Option<String>,
    #[serde(rename = "revision.status")]
    status: Option<String>,
    #[serde(rename = "build.type")]
    build_type: Option<String>,
    #[serde(rename = "ssl.version")]
    ssl: Option<String>,
}

/// The versions in the bootstrap.
pub fn summary(dump: &ConfigDump<'_>) -> Result<BootstrapSummary, Error> {
    let section = required(dump.bootstrap.as_ref(), "Bootstrap")?;
    let node = match section.bootstrap {
        Some(bootstrap) => read::<Bootstrap>(bootstrap, "the bootstrap")?.node,
        None => Node::default(),
    };
    let sha = node.metadata.istio_proxy_sha;
    Ok(BootstrapSummary {
        node_id: node.id,
        istio_version: node.metadata.istio_version,
        istio_proxy_version: sha.split_once(':').map_or(sha.as_str(), |(_, sha)| sha).to_owned(),
        envoy_version: node.user_agent_build_version.text(),
    })
}

impl BuildVersion {
    fn text(&self) -> String {
        let Version { major_number, minor_number, patch } = self.version;
        let mut text = format!("{major_number}.{minor_number}.{patch}");
        let BuildMetadata { label, status, build_type, ssl } = &self.metadata;
        if let Some(label) = label {
            text = format!("{text}-{label}");
        }
        for part in [status, build_type, ssl].into_iter().flatten() {
            text = format!("{text}/{part}");
        }
        text
    }
}

/// The output of `istioctl proxy-config bootstrap -o short`.
pub fn text(summary: &BootstrapSummary) -> String {
    let mut table = Table::new(1);
    if !summary.istio_version.is_empty() {
        table.push(vec!["Istio Version:".to_owned(), summary.istio_version.clone()]);
    }
    if !summary.istio_proxy_version.is_empty() {
        table.push(vec!["Istio Proxy Version:".to_owned(), summary.istio_proxy_version.clone()]);
    }
    table.push(vec!["Envoy Version:".to_owned(), summary.envoy_version.clone()]);
    table.text()
}
