//! Filters that istiod sends apart from the listeners that use them (ECDS): Wasm extensions, for example.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::config_dump::{ConfigDump, Entry, no_section, read};
use super::table::Table;
use super::{Error, json};

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EcdsRow {
    pub name: String,
    /// Protobuf type of its configuration, for example `envoy.extensions.filters.http.wasm.v3.Wasm`.
    #[serde(rename = "type")]
    pub type_url: String,
    pub last_updated: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedExtension {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
    #[serde(alias = "typedConfig", deserialize_with = "json::or_default")]
    typed_config: TypedConfig,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedConfig {
    #[serde(rename = "@type", deserialize_with = "json::or_default")]
    type_url: String,
}

fn entries<'d, 'a>(dump: &'d ConfigDump<'a>) -> Result<Vec<&'d Entry<'a>>, Error> {
    if dump.ecds.is_empty() {
        return Err(no_section("Ecds"));
    }
    Ok(dump.ecds.iter().flat_map(|section| &section.ecds_filters).collect())
}

/// The filters, ordered by type and name.
pub fn rows(dump: &ConfigDump<'_>) -> Result<Vec<EcdsRow>, Error> {
    let mut rows = Vec::new();
    for entry in entries(dump)? {
        let Some(resource) = entry.resource else { continue };
        let filter: TypedExtension = read(resource, "an extension")?;
        let type_url = filter.typed_config.type_url;
        rows.push(EcdsRow {
            name: filter.name,
            type_url: type_url.strip_prefix("type.googleapis.com/").map_or(type_url.clone(), str::to_owned),
            last_updated: entry.last_updated.clone(),
        });
    }
    rows.sort_by(|a, b| (&a.type_url, &a.name).cmp(&(&b.type_url, &b.name)));
    Ok(rows)
}

/// The table of `istioctl proxy-config ecds`.
pub fn text(rows: &[EcdsRow]) -> String {
    let mut table = Table::with_header(5, &["ECDS NAME", "TYPE"]);
    for row in rows {
        table.push(vec![row.name.clone(), row.type_url.clone()]);
    }
    table.text()
}
