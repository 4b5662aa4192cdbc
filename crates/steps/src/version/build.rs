//! Build stamps, and what `istioctl version` prints of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::tags::IstioctlOutput;
use report::yaml;

/// The stamp of a build of Istio.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BuildInfo {
    pub version: String,
    pub revision: String,
    pub golang_version: String,
    pub status: String,
    pub tag: String,
}

/// One replica of the control plane, in istioctl's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IstiodBuild {
    #[serde(rename = "Component")]
    pub component: String,
    #[serde(rename = "Revision")]
    pub revision: String,
    #[serde(rename = "Info")]
    pub info: BuildInfo,
}

/// One proxy, in istioctl's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyBuild {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "IstioVersion")]
    pub istio_version: String,
    #[serde(rename = "Type")]
    pub kind: String,
}

/// Everything that `istioctl version` prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MeshVersions {
    pub client_version: BuildInfo,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mesh_version: Vec<IstiodBuild>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_plane_version: Option<Vec<ProxyBuild>>,
}

impl BuildInfo {
    /// Reads the answer of `/version`, which is `<version>-<commit>-<status>`, or JSON from builds of others.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Ok(value) = serde_json::from_str::<Value>(text)
            && let Some(stated) = value.get("clientVersion").filter(|stated| stated.get("version").is_some())
        {
            return serde_json::from_value(stated.clone()).unwrap_or_default();
        }
        let parts: Vec<&str> = text.split('-').collect();
        let (version, revision, status) = match parts.as_slice() {
            [version @ .., commit, "dirty", status] if !version.is_empty() => {
                (version.join("-"), format!("{commit}-dirty"), (*status).to_owned())
            }
            [version @ .., revision, status] if !version.is_empty() => {
                (version.join("-"), (*revision).to_owned(), (*status).to_owned())
            }
            _ => return Self { version: text.to_owned(), ..Self::default() },
        };
        Self { tag: version.clone(), version, revision, status, golang_version: String::new() }
    }

    /// Of this service.
    pub(super) fn own() -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let unknown = || "unknown".to_owned();
        Self { tag: version.clone(), version, revision: unknown(), golang_version: unknown(), status: unknown() }
    }

    fn long(&self) -> String {
        format!(
            "version.BuildInfo{{Version:\"{}\", GitRevision:\"{}\", GolangVersion:\"{}\", BuildStatus:\"{}\", \
             GitTag:\"{}\"}}",
            self.version, self.revision, self.golang_version, self.status, self.tag
        )
    }
}

impl MeshVersions {
    /// As istioctl prints it: `short` is its default.
    pub fn print(&self, short: bool, output: Option<IstioctlOutput>) -> String {
        match output {
            Some(IstioctlOutput::Json) => serde_json::to_string_pretty(self).expect("versions are JSON") + "\n",
            Some(IstioctlOutput::Yaml) => yaml::to_string(&serde_json::to_value(self).expect("versions are JSON")),
            None => self.text(short),
        }
    }

    fn text(&self, short: bool) -> String {
        let show = |info: &BuildInfo| if short { info.version.clone() } else { info.long() };
        let mut text = format!("client version: {}\n", show(&self.client_version));
        match self.mesh_version.as_slice() {
            [first, rest @ ..] if short && rest.iter().all(|other| other.info.version == first.info.version) => {
                text = format!("{text}control plane version: {}\n", first.info.version);
            }
            all => {
                for istiod in all {
                    text = format!("{text}{} version: {}\n", istiod.component, show(&istiod.info));
                }
            }
        }
        if let Some(proxies) = &self.data_plane_version {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for proxy in proxies {
                *counts.entry(&proxy.istio_version).or_default() += 1;
            }
            let counts: Vec<_> = counts.iter().map(|(version, count)| format!("{version} ({count} proxies)")).collect();
            let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
            text = format!("{text}data plane version: {counts}\n");
        }
        text
    }
}
