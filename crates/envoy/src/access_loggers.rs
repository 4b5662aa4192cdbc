//! Where the listeners of a proxy write their access logs
//! (<https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/access_log>).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::config_dump::{ConfigDump, read, required};
use super::{Error, json};

/// The loggers at each end of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccessLoggers {
    /// Of listeners for what leaves, and of gateways.
    pub client: BTreeSet<AccessLogger>,
    /// Of listeners for what comes in.
    pub server: BTreeSet<AccessLogger>,
    /// Filter chains that take requests, and how many of them log none.
    pub chains: usize,
    pub silent_chains: usize,
}

/// One logger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct AccessLogger {
    /// Envoy's name of it, for example `envoy.access_loggers.file`.
    pub name: String,
    /// The file, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Listener<'a> {
    #[serde(alias = "trafficDirection", deserialize_with = "json::or_default")]
    traffic_direction: String,
    #[serde(borrow, alias = "filterChains", deserialize_with = "json::or_default")]
    filter_chains: Vec<Chain<'a>>,
    #[serde(borrow, alias = "defaultFilterChain")]
    default_filter_chain: Option<Chain<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chain<'a> {
    #[serde(borrow, deserialize_with = "json::or_default")]
    filters: Vec<Filter<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter<'a> {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
    #[serde(borrow, alias = "typedConfig")]
    typed_config: Option<&'a RawValue>,
}

/// What the HTTP connection manager and the TCP proxy have in common.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Terminal {
    #[serde(alias = "accessLog", deserialize_with = "json::or_default")]
    access_log: Vec<Logger>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Logger {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
    #[serde(alias = "typedConfig", deserialize_with = "json::or_default")]
    typed_config: LoggerConfig,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LoggerConfig {
    path: Option<String>,
}

/// Reads them from a dump that has the listeners.
pub fn access_loggers(dump: &ConfigDump<'_>) -> Result<AccessLoggers, Error> {
    let section = required(dump.listeners.as_ref(), "Listeners")?;
    let mut found = AccessLoggers::default();
    let active = section.dynamic_listeners.iter().filter_map(|listener| listener.active_state.as_ref());
    for resource in active.filter_map(|entry| entry.resource) {
        let listener: Listener<'_> = read(resource, "a listener")?;
        let loggers = if listener.traffic_direction == "INBOUND" { &mut found.server } else { &mut found.client };
        for chain in listener.filter_chains.iter().chain(&listener.default_filter_chain) {
            let Some(terminal) = chain.terminal()? else { continue };
            found.chains += 1;
            found.silent_chains += usize::from(terminal.access_log.is_empty());
            let here = terminal.access_log.into_iter();
            loggers.extend(here.map(|logger| AccessLogger { name: logger.name, path: logger.typed_config.path }));
        }
    }
    Ok(found)
}

impl Chain<'_> {
    /// The filter that takes the requests, which is the last one.
    fn terminal(&self) -> Result<Option<Terminal>, Error> {
        let takes_requests =
            |filter: &&Filter<'_>| filter.name.contains("http_connection_manager") || filter.name.contains("tcp_proxy");
        let Some(config) = self.filters.iter().rev().find(takes_requests).and_then(|filter| filter.typed_config) else {
            return Ok(None);
        };
        read(config, "a network filter").map(Some)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const DUMP: &str = r#"{"configs": [{
        "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
        "dynamic_listeners": [
            {"name": "out", "active_state": {"listener": {"name": "out", "traffic_direction": "OUTBOUND", "filter_chains": [
                {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {
                    "access_log": [{"name": "envoy.access_loggers.file", "typed_config": {"path": "/dev/stdout"}}]}}]},
                {"filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": {"stat_prefix": "x"}}]}]}}},
            {"name": "in", "active_state": {"listener": {"name": "in", "traffic_direction": "INBOUND",
                "default_filter_chain": {"filters": [
                    {"name": "istio.stats"},
                    {"name": "envoy.filters.network.tcp_proxy", "typed_config": {}}]}}}}]}]}"#;

    #[test]
    fn loggers_are_found_at_each_end() {
        let dump = ConfigDump::parse(DUMP.as_bytes()).unwrap();
        let found = access_loggers(&dump).unwrap();
        let file = AccessLogger { name: "envoy.access_loggers.file".into(), path: Some("/dev/stdout".into()) };
        assert_eq!(found.client, BTreeSet::from([file]));
        assert_eq!((found.server.len(), found.chains, found.silent_chains), (0, 3, 2));
    }

    #[test]
    fn a_dump_without_listeners_is_no_answer() {
        assert!(access_loggers(&ConfigDump::parse(b"{}").unwrap()).is_err());
    }
}
