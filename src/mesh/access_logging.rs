//! Whether the proxy of a workload logs requests, where, in which format, and who says so.
//!
//! `Telemetry` decides if any has something to say about access logs, from the root namespace over the workload's own to
//! its selector, each on top of the one before; else the mesh configuration
//! (<https://istio.io/latest/docs/reference/config/telemetry/#AccessLogging>).

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::config::MeshConfig;
use super::kind::Kind;
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
    /// Whether the proxy of a workload logs what it does at this end.
    pub fn access_logging(&self, workload: Workload<'_>, end: End) -> AccessLogging {
        let config = self.config_of(workload.namespace);
        let policies = self.policies(Kind::Telemetry, workload);
        let levels = [&policies.of_root, &policies.of_namespace, &policies.selecting];
        // Of several at one level the oldest counts.
        let telemetries: Vec<&Object> = levels.into_iter().filter_map(|level| level.first().copied()).collect();
        let has_say = |telemetry: &&&Object| !telemetry.spec().field("accessLogging").is_empty();
        let defaults = config.setting(&["defaultProviders", "accessLogging"]);
        if !telemetries.iter().any(|it| has_say(&it)) && defaults.value.is_empty() {
            return of_mesh(config);
        }
        let mut set_by = defaults.from.unwrap_or("default").to_owned();
        let mut parents: Vec<String> = defaults.value.texts().map(str::to_owned).collect();
        let mut chosen: BTreeMap<String, Option<String>> = parents.iter().map(|name| (name.clone(), None)).collect();
        for telemetry in telemetries.iter().filter(has_say) {
            for block in telemetry.spec().field("accessLogging").items() {
                let named: Vec<String> =
                    block.get("providers").items().map(|it| it.get("name").text().to_owned()).collect();
                if !named.is_empty() {
                    parents = named;
                }
                if !covers(block, end) {
                    continue;
                }
                set_by = telemetry.origin();
                for provider in &parents {
                    if block.get("disabled").truth() {
                        chosen.remove(provider);
                    } else {
                        let filter = block.path(&["filter", "expression"]).text();
                        chosen.insert(provider.clone(), Some(filter.to_owned()).filter(|it| !it.is_empty()));
                    }
                }
            }
        }
        let sinks = chosen.into_iter().map(|(provider, filter)| sink(config, &provider, filter)).collect();
        AccessLogging { sinks, set_by }
    }
}

/// Whether a block is about this end; without a match it is about both.
fn covers(block: View<'_>, end: End) -> bool {
    !matches!((block.path(&["match", "mode"]).text(), end), ("CLIENT", End::Server) | ("SERVER", End::Client))
}

/// `accessLogFile`, where no Telemetry says anything.
fn of_mesh(config: &MeshConfig) -> AccessLogging {
    let file = config.setting(&["accessLogFile"]);
    let set_by = file.from.unwrap_or("default").to_owned();
    let path = file.value.text();
    if path.is_empty() {
        return AccessLogging { sinks: Vec::new(), set_by };
    }
    let sink = LogSink {
        provider: BUILT_IN.to_owned(),
        kind: LogSinkKind::File,
        target: path.to_owned(),
        format: mesh_format(config),
        filter: None,
    };
    AccessLogging { sinks: vec![sink], set_by }
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
    if provider == BUILT_IN {
        return of(LogSinkKind::File, STDOUT.to_owned(), mesh_format(config));
    }
    of(LogSinkKind::Unknown, String::new(), LogLineFormat::Text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::mesh::{MeshBuilder, Settings};

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
}
