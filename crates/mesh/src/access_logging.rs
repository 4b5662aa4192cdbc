//! Whether the proxy of a workload logs requests, where, in which format, and who says so.
//!
//! `Telemetry` decides if any has something to say about access logs, from the root namespace over the workload's own to
//! its selector, each on top of the one before; else the mesh configuration
//! (<https://istio.io/latest/docs/reference/config/telemetry/#AccessLogging>).

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::config::MeshConfig;
use super::membership::Workload;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// The provider that every mesh has: the log of the proxy's container.
const BUILT_IN: &str = "envoy";
const STDOUT: &str = "/dev/stdout";

/// Which end of a request a proxy is: the client's (gateways too) or the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Client,
    Server,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct LogSink {
    /// Of `extensionProviders`; `envoy` is built in.
    pub provider: String,
    pub kind: LogSinkKind,
    /// File, or service and port.
    pub target: String,
    pub format: LogLineFormat,
    /// Only lines that pass a filter (CEL) are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogSinkKind {
    File,
    /// Envoy's own protocol (gRPC).
    Grpc,
    OpenTelemetry,
    /// The provider is not defined, so nothing is written.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLineFormat {
    /// Istio's default text, which tools read.
    Text,
    /// JSON with Istio's default fields.
    Json,
    /// A format of the mesh's own.
    CustomText,
    CustomJson,
}

/// What holds for one end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccessLogging {
    /// Nothing is logged where there is none.
    pub sinks: Vec<LogSink>,
    /// The object that had the last word: `Telemetry shop/logs`, a `ConfigMap`, or `default`.
    pub set_by: String,
}

impl Mesh {
    /// Whether the proxy of a workload logs what it does at this end. The providers in question are those that the nearest
    /// Telemetry names; a block without any is about those of the block before it.
    pub fn access_logging(&self, workload: Workload<'_>, end: End) -> AccessLogging {
        let config = self.config_of(workload.namespace);
        let has_say = |telemetry: &&Object| !telemetry.spec().field("accessLogging").is_empty();
        let telemetries: Vec<&Object> = self.telemetries(workload).into_iter().filter(has_say).collect();
        let defaults = config.default_providers("accessLogging");
        let mut chosen: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        if telemetries.is_empty() {
            if defaults.is_empty() {
                return of_mesh(config);
            }
            chosen.extend(defaults.iter().map(|provider| (*provider, None)));
        }
        let mut named =
            telemetries.iter().rev().map(|telemetry| blocks(telemetry).flat_map(providers).collect::<Vec<_>>());
        let nearest = named.find(|names| !names.is_empty());
        let in_question = nearest.unwrap_or_else(|| defaults.clone());
        let mut set_by = config.setting(&["defaultProviders", "accessLogging"]).from.unwrap_or("default").to_owned();
        let mut before = defaults;
        for (telemetry, block) in telemetries.iter().flat_map(|it| blocks(it).map(move |block| (*it, block))) {
            let own = providers(block);
            if !own.is_empty() {
                before = own;
            }
            if !covers(block, end) {
                continue;
            }
            set_by = telemetry.origin();
            for provider in before.iter().filter(|provider| in_question.contains(provider)) {
                if block.get("disabled").truth() {
                    chosen.remove(provider);
                } else {
                    let filter = block.path(&["filter", "expression"]).text();
                    chosen.insert(provider, Some(filter).filter(|it| !it.is_empty()));
                }
            }
        }
        let sinks = chosen.into_iter().map(|(provider, filter)| sink(config, provider, filter.map(str::to_owned)));
        AccessLogging { sinks: sinks.collect(), set_by }
    }

    /// Whether the proxy of a workload logs at one end of its requests at least.
    pub fn writes_access_log(&self, workload: Workload<'_>) -> bool {
        [End::Client, End::Server]
            .into_iter()
            .any(|end| self.access_logging(workload, end).sinks.iter().any(|sink| sink.kind != LogSinkKind::Unknown))
    }
}

fn blocks(telemetry: &Object) -> impl Iterator<Item = View<'_>> {
    telemetry.spec().field("accessLogging").items()
}

/// The names of a block's providers.
fn providers(block: View<'_>) -> Vec<&str> {
    block.get("providers").items().map(|provider| provider.get("name").text()).collect()
}

/// Whether a block is about this end; without a match it is about both.
fn covers(block: View<'_>, end: End) -> bool {
    !matches!((block.path(&["match", "mode"]).text(), end), ("CLIENT", End::Server) | ("SERVER", End::Client))
}

/// `accessLogFile` and `enableEnvoyAccessLogService`, where no Telemetry says anything.
fn of_mesh(config: &MeshConfig) -> AccessLogging {
    let [file, service] = ["accessLogFile", "enableEnvoyAccessLogService"].map(|name| config.setting(&[name]));
    let sink = |kind, target: &str, format| LogSink {
        provider: BUILT_IN.to_owned(),
        kind,
        target: target.to_owned(),
        format,
        filter: None,
    };
    let (path, to_service) = (file.value.text(), service.value.truth());
    let mut sinks = Vec::new();
    if !path.is_empty() {
        sinks.push(sink(LogSinkKind::File, path, mesh_format(config)));
    }
    if to_service {
        let address = config.setting(&["defaultConfig", "envoyAccessLogService", "address"]).value.text();
        sinks.push(sink(LogSinkKind::Grpc, address, LogLineFormat::Text));
    }
    let set_by = if to_service && path.is_empty() { service.from } else { file.from };
    AccessLogging { sinks, set_by: set_by.unwrap_or("default").to_owned() }
}

/// `accessLogEncoding` and `accessLogFormat`, which also hold for the built-in provider.
fn mesh_format(config: &MeshConfig) -> LogLineFormat {
    let is_json = config.setting(&["accessLogEncoding"]).value.text() == "JSON";
    let is_own = !config.setting(&["accessLogFormat"]).value.text().is_empty();
    match (is_json, is_own) {
        (false, false) => LogLineFormat::Text,
        (true, false) => LogLineFormat::Json,
        (false, true) => LogLineFormat::CustomText,
        (true, true) => LogLineFormat::CustomJson,
    }
}

fn sink(config: &MeshConfig, provider: &str, filter: Option<String>) -> LogSink {
    let defined = config.extension_provider(provider).value;
    let of = |kind, target: String, format| LogSink { provider: provider.to_owned(), kind, target, format, filter };
    let service = |provider: View<'_>| format!("{}:{}", provider.get("service").text(), provider.get("port").written());
    let [file, otel] = ["envoyFileAccessLog", "envoyOtelAls"].map(|field| defined.field(field));
    if file.is_set() {
        let format = match file.field("logFormat") {
            format if format.get("labels").is_map() => LogLineFormat::CustomJson,
            format if !format.get("text").text().is_empty() => LogLineFormat::CustomText,
            _ => LogLineFormat::Text,
        };
        let path = file.get("path").text();
        return of(LogSinkKind::File, if path.is_empty() { STDOUT } else { path }.to_owned(), format);
    }
    if otel.is_set() {
        return of(LogSinkKind::OpenTelemetry, service(otel), LogLineFormat::Text);
    }
    for field in ["envoyHttpAls", "envoyTcpAls"] {
        let grpc = defined.field(field);
        if grpc.is_set() {
            return of(LogSinkKind::Grpc, service(grpc), LogLineFormat::Text);
        }
    }
    if provider.eq_ignore_ascii_case(BUILT_IN) {
        return of(LogSinkKind::File, STDOUT.to_owned(), mesh_format(config));
    }
    of(LogSinkKind::Unknown, String::new(), LogLineFormat::Text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{Kind, MeshBuilder, Settings};

    fn logging(config: &str, telemetries: &str, end: End) -> (Vec<String>, String) {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: cart, namespace: shop, labels: {{app: cart}}}}\n{telemetries}"
        );
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.mesh_config(config);
        builder.add_files(&[("mesh.yaml", text.as_str())]);
        let mesh = builder.build();
        assert!(mesh.malformed().is_empty(), "{:?}", mesh.malformed());
        let pod = mesh.find(Kind::Pod, "shop", "cart").unwrap();
        let logging = mesh.access_logging(Workload::of_pod(pod), end);
        (logging.sinks.into_iter().map(|sink| sink.target).collect(), logging.set_by)
    }

    fn telemetry(namespace: &str, spec: &str) -> String {
        format!(
            "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: logs, namespace: {namespace}}}\n\
             spec: {spec}\n"
        )
    }

    #[test]
    fn mesh_configuration_decides_where_no_telemetry_does() {
        assert_eq!(logging("", "", End::Client), (vec![], "default".to_owned()));
        let file = "accessLogFile: /dev/stdout";
        assert_eq!(logging(file, "", End::Server), (vec!["/dev/stdout".to_owned()], "file".to_owned()));
        // One that speaks of metrics has no say.
        let metrics = telemetry("shop", "{metrics: [{providers: [{name: prometheus}]}]}");
        assert_eq!(logging(file, &metrics, End::Server).1, "file");
    }

    #[test]
    fn nearer_telemetry_wins() {
        let root = telemetry("istio-system", "{accessLogging: [{providers: [{name: envoy}]}]}");
        assert_eq!(logging("", &root, End::Client).0, ["/dev/stdout"]);
        let off = root.clone() + &telemetry("shop", "{accessLogging: [{disabled: true}]}");
        assert_eq!(logging("", &off, End::Client), (vec![], "Telemetry shop/logs".to_owned()));
    }

    #[test]
    fn ends_are_told_apart() {
        let server = telemetry("shop", "{accessLogging: [{match: {mode: SERVER}, providers: [{name: envoy}]}]}");
        assert_eq!(logging("", &server, End::Server).0, ["/dev/stdout"]);
        assert_eq!(logging("", &server, End::Client).0, Vec::<String>::new());
    }

    #[test]
    fn providers_of_the_mesh_are_resolved() {
        let config = "extensionProviders: [{name: otel, envoyOtelAls: {service: collector.obs, port: 4317}}]";
        let spec = "{selector: {matchLabels: {app: cart}}, accessLogging: [{providers: [{name: otel}, {name: gone}]}]}";
        let found = logging(config, &telemetry("shop", spec), End::Client);
        assert_eq!(found.0, ["", "collector.obs:4317"]);
    }

    fn check(config: &str, telemetries: &str, expected: bool) {
        let ends = [End::Client, End::Server].map(|end| logging(config, telemetries, end).0);
        let writes = ends.iter().flatten().any(|target| !target.is_empty());
        assert_eq!(writes, expected, "{config} {telemetries}");
    }

    #[test]
    fn access_logs_by_mesh_config() {
        check("{}", "", false);
        check("accessLogFile: /dev/stdout", "", true);
        check("defaultProviders: {accessLogging: [envoy]}", "", true);
        check("defaultProviders: {accessLogging: [unknown]}", "", false);
    }

    #[test]
    fn access_logs_by_telemetries() {
        let on = "{accessLogging: [{providers: [{name: Envoy}]}]}";
        let off = "{accessLogging: [{disabled: true}]}";
        check("{}", &telemetry("istio-system", on), true);
        check("{}", &telemetry("other", on), false);
        check("{}", &(telemetry("istio-system", on) + &telemetry("shop", off)), false);
        check("accessLogFile: /dev/stdout", &telemetry("shop", off), false);
        let elsewhere = "{selector: {matchLabels: {app: bank}}, accessLogging: [{disabled: true}]}";
        check("{}", &(telemetry("istio-system", on) + &telemetry("shop", elsewhere)), true);
        // The selector of the root namespace is about pods there.
        check(
            "{}",
            &telemetry("istio-system", &on.replace("{acc", "{selector: {matchLabels: {app: cart}}, acc")),
            false,
        );
        let server_off = "{accessLogging: [{match: {mode: SERVER}, disabled: true}]}";
        check("{}", &(telemetry("istio-system", on) + &telemetry("shop", server_off)), true);
    }

    #[test]
    fn what_a_nearer_telemetry_does_not_name_is_out() {
        let config = "extensionProviders: [{name: otel, envoyOtelAls: {service: collector.obs, port: 4317}}]";
        let root = telemetry("istio-system", "{accessLogging: [{providers: [{name: envoy}]}]}");
        let near = telemetry("shop", "{accessLogging: [{providers: [{name: otel}]}]}");
        assert_eq!(logging(config, &(root + &near), End::Client).0, ["collector.obs:4317"]);
        let config = format!("{config}\ndefaultProviders: {{accessLogging: [otel]}}");
        let server = telemetry("shop", "{accessLogging: [{match: {mode: SERVER}, providers: [{name: envoy}]}]}");
        assert_eq!(logging(&config, &server, End::Server).0, ["/dev/stdout"]);
        assert_eq!(logging(&config, &server, End::Client).0, Vec::<String>::new());
    }

    #[test]
    fn access_log_service_of_the_mesh_is_a_sink() {
        let config =
            "enableEnvoyAccessLogService: true\ndefaultConfig: {envoyAccessLogService: {address: 'als.obs:9000'}}";
        assert_eq!(logging(config, "", End::Client).0, ["als.obs:9000"]);
    }
}
