//! `istioctl.proxy-config`: the configuration of one proxy's Envoy, part by part, as rows, as istioctl's table, and as the
//! dump itself; and what it shows to be wrong.

mod findings;
mod gather;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

pub use gather::Evidence;

use super::{About, Cost, Invalid, Judgement, Permission, Step, input::check, target};
use cluster::{self, Cluster, Error};
use envoy::{
    self,
    proto_json::Format as DumpFormat,
    proxy_config::{Filter, Kind, Layout, ProxyConfigRows},
};
use report::Skipped;

pub(super) use findings::CODES;

pub struct ProxyConfig;

/// What of the proxy's configuration is shown. istioctl's other names are understood too: `clusters`, `c`, `ep` …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyConfigKind {
    #[serde(alias = "a")]
    All,
    #[serde(alias = "b")]
    Bootstrap,
    #[serde(alias = "clusters", alias = "c")]
    Cluster,
    #[serde(alias = "ec")]
    Ecds,
    /// Endpoints as istiod sent them.
    Eds,
    /// Endpoints as Envoy has them now.
    #[serde(alias = "endpoints", alias = "ep")]
    Endpoint,
    #[serde(alias = "listeners", alias = "l")]
    Listener,
    /// Levels of Envoy's loggers.
    #[serde(alias = "o")]
    Log,
    #[serde(alias = "routes", alias = "r")]
    Route,
    #[serde(alias = "secrets", alias = "s")]
    Secret,
}

/// What `format=raw` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyOutput {
    #[default]
    Table,
    /// As istioctl's `--output json`.
    Json,
    /// As istioctl's `--output yaml`.
    Yaml,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProxyConfigInput {
    /// Namespace of the pod; may be left out where `pod` ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(ignore)]
    #[schema(max_length = 63)]
    pub namespace: Option<String>,
    /// A pod, or another object with pods, as istioctl takes it: `[<type>/]<name>[.<namespace>]`, such as `cart-1`,
    /// `deployment/cart`, `service/cart.shop`.
    #[param(ignore)]
    #[schema(max_length = 500)]
    pub pod: String,
    #[param(ignore)]
    pub kind: ProxyConfigKind,
    /// Only with this address: of `listener`, `endpoint`, `eds`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub address: Option<String>,
    /// Only with this port: of `cluster`, `listener`, `endpoint`, `eds`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Only whose name contains this: of `cluster`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub fqdn: Option<String>,
    /// Only whose name contains this, `inbound` or `outbound`: of `cluster`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub direction: Option<String>,
    /// Only whose name contains this: of `cluster`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub subset: Option<String>,
    /// Only of this type, `HTTP`, `TCP` or `HTTP+TCP`: of `listener`, `all`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub listener_type: Option<String>,
    /// Only of this cluster: of `endpoint`, `eds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub cluster: Option<String>,
    /// Only in this state, such as `HEALTHY`: of `endpoint`, `eds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub status: Option<String>,
    /// Only the route configuration of this name: of `route`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(max_length = 300)]
    pub name: Option<String>,
    /// Filter chains and routes in the tables (default `true`): of `listener`, `route`, `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbose: Option<bool>,
    /// A headline before each part of the table: of `all`.
    #[serde(default)]
    pub with_headers: bool,
    /// What `format=raw` prints: the table, or istioctl's own JSON or YAML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub output: Option<ProxyOutput>,
    /// The resources themselves too, as istioctl's `--output json`.
    #[serde(default)]
    pub dump: bool,
}

/// The configuration of a proxy.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProxyConfigData {
    pub namespace: String,
    pub pod: String,
    /// What was asked of Envoy.
    pub url: String,
    /// The lines of the table; absent where Envoy has nothing of this kind.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub rows: Option<ProxyConfigRows>,
    /// The resources themselves, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub dump: Option<Value>,
    /// Envoy's answer, for what is printed.
    #[serde(skip)]
    page: Bytes,
}

impl ProxyConfigKind {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::All => Kind::All,
            Self::Bootstrap => Kind::Bootstrap,
            Self::Cluster => Kind::Cluster,
            Self::Ecds => Kind::Ecds,
            Self::Eds => Kind::Eds,
            Self::Endpoint => Kind::Endpoint,
            Self::Listener => Kind::Listener,
            Self::Log => Kind::Log,
            Self::Route => Kind::Route,
            Self::Secret => Kind::Secret,
        }
    }

    /// As istioctl calls it.
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Bootstrap => "bootstrap",
            Self::Cluster => "cluster",
            Self::Ecds => "ecds",
            Self::Eds => "eds",
            Self::Endpoint => "endpoint",
            Self::Listener => "listener",
            Self::Log => "log",
            Self::Route => "route",
            Self::Secret => "secret",
        }
    }
}

impl ProxyConfigInput {
    fn filter(&self) -> Filter {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Filter {
            address: text(&self.address),
            port: self.port,
            fqdn: text(&self.fqdn),
            direction: text(&self.direction),
            subset: text(&self.subset),
            listener_type: text(&self.listener_type),
            cluster: text(&self.cluster),
            status: text(&self.status),
            name: text(&self.name),
        }
    }

    /// The texts among the filters, with the kinds that look at them.
    fn texts(&self) -> [(&'static str, Option<&str>, &'static [ProxyConfigKind]); 8] {
        use ProxyConfigKind::{All, Cluster, Eds, Endpoint, Listener, Route};
        [
            ("address", self.address.as_deref(), &[Listener, Endpoint, Eds, All]),
            ("fqdn", self.fqdn.as_deref(), &[Cluster, All]),
            ("direction", self.direction.as_deref(), &[Cluster, All]),
            ("subset", self.subset.as_deref(), &[Cluster, All]),
            ("type", self.listener_type.as_deref(), &[Listener, All]),
            ("cluster", self.cluster.as_deref(), &[Endpoint, Eds]),
            ("status", self.status.as_deref(), &[Endpoint, Eds]),
            ("name", self.name.as_deref(), &[Route, All]),
        ]
    }
}

impl Step for ProxyConfig {
    const ABOUT: About = About {
        id: "istioctl.proxy-config",
        title: "Configuration of a proxy",
        description: "What the Envoy of one pod has of clusters, endpoints, listeners, routes, secrets and extensions, and \
            what is wrong in it: refused updates, resources that wait, routes into nothing, certificates out of their \
            time, another root certificate than istiod's.",
        guide: "istioctl/proxy-config",
        method: "GET",
        endpoint: "/v1/istioctl/proxy-config/{namespace}/{pod}/{kind}",
        mutating: false,
        permissions: &[
            Permission::core("get", "pods"),
            Permission::core("list", "pods"),
            Permission::core("create", "pods/portforward"),
            Permission::core("get", "configmaps"),
        ],
        cost: Cost::Medium,
        command: "istioctl proxy-config <kind> <pod>.<namespace>",
        docs: "https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/",
    };
    type Input = ProxyConfigInput;
    type Evidence = Evidence;
    type Data = ProxyConfigData;

    fn check(input: &ProxyConfigInput) -> Vec<Invalid> {
        use ProxyConfigKind::{All, Cluster, Eds, Endpoint, Listener, Log, Route};
        let mut invalid = check::namespaces("namespace", input.namespace.as_slice());
        invalid.extend(target::check("pod", &input.pod, input.namespace.as_deref()));
        let others: [(&str, bool, &[ProxyConfigKind]); 4] = [
            ("port", input.port.is_some(), &[Cluster, Listener, Endpoint, Eds, All]),
            ("verbose", input.verbose.is_some(), &[Listener, Route, All]),
            ("with_headers", input.with_headers, &[All]),
            ("output", input.kind == Log && input.output.unwrap_or_default() != ProxyOutput::Table, &[]),
        ];
        let texts = input.texts();
        for (field, text, _) in &texts {
            invalid.extend(check::text(field, *text, 300));
        }
        let given = texts.into_iter().map(|(field, text, kinds)| (field, text.is_some(), kinds));
        for (field, given, kinds) in given.chain(others) {
            if given && !kinds.contains(&input.kind) {
                let message = format!("does not go with {}", input.kind.name());
                invalid.push(Invalid::new(field, "conflict", message));
            }
        }
        invalid
    }

    async fn gather(cluster: &Cluster, input: &ProxyConfigInput) -> Result<Evidence, Error> {
        gather::gather(cluster, input).await
    }

    fn judge(input: &ProxyConfigInput, evidence: Evidence) -> Judgement<ProxyConfigData> {
        let kind = input.kind.kind();
        let (namespace, pod) = (target::namespace(&evidence.pod).to_owned(), target::name(&evidence.pod).to_owned());
        let what = format!("{} of {namespace}/{pod}", input.kind.name());
        let mut skipped = Vec::new();
        let filter = input.filter();
        let rows = envoy::proxy_config::rows(kind, &evidence.page, &filter, evidence.now);
        let rows = rows.map_err(|error| not_read(&what, &error, &mut skipped)).ok();
        let dump = input.dump && kind != Kind::Log;
        let dump = dump.then(|| envoy::proxy_config::dump(kind, &evidence.page, &filter, DumpFormat::Json));
        let dump = dump.and_then(|dump| {
            let dump = dump.map_err(|error| not_read("the dump", &error, &mut skipped)).ok()?;
            serde_json::from_str(&dump).ok()
        });
        let findings = findings::all(input.kind, &evidence, &mut skipped);
        let summary = match &rows {
            Some(rows) => format!("{what}: {}", rows_counted(rows)),
            None => what,
        };
        let commands = vec![format!("istioctl proxy-config {} {pod}.{namespace}{}", input.kind.name(), flags(input))];
        let url = format!("/{}", kind.page());
        let data = ProxyConfigData { namespace, pod, url, rows, dump, page: evidence.page };
        Judgement { data, findings, skipped, commands, summary }
    }

    fn raw(input: &ProxyConfigInput, data: &ProxyConfigData) -> Option<String> {
        let dump = |format| envoy::proxy_config::dump(input.kind.kind(), &data.page, &input.filter(), format).ok();
        match input.output.unwrap_or_default() {
            ProxyOutput::Table => {
                let layout = Layout {
                    verbose: input.verbose.unwrap_or(true),
                    with_headers: input.with_headers,
                    ..Layout::default()
                };
                let text = data.rows.as_ref()?.text(layout);
                // The levels may be those of several pods, so istioctl says whose.
                let is_log = input.kind == ProxyConfigKind::Log;
                Some(if is_log { format!("{}.{}:\n{text}\n", data.pod, data.namespace) } else { text })
            }
            ProxyOutput::Json => dump(DumpFormat::Json),
            ProxyOutput::Yaml => dump(DumpFormat::Yaml),
        }
    }
}

fn not_read(what: &str, error: &envoy::Error, skipped: &mut Vec<Skipped>) {
    skipped.push(Skipped::new(what, cluster::chain(error)));
}

fn rows_counted(rows: &ProxyConfigRows) -> String {
    let count = match rows {
        ProxyConfigRows::All(all) => {
            return format!(
                "{} clusters, {} listeners, {} routes, {} secrets",
                all.clusters.len(),
                all.listeners.len(),
                all.routes.len(),
                all.secrets.len()
            );
        }
        ProxyConfigRows::Bootstrap(_) => 1,
        ProxyConfigRows::Cluster(rows) => rows.len(),
        ProxyConfigRows::Ecds(rows) => rows.len(),
        ProxyConfigRows::Eds(rows) => rows.len(),
        ProxyConfigRows::Endpoint(rows) => rows.len(),
        ProxyConfigRows::Listener(rows) => rows.len(),
        ProxyConfigRows::Log(rows) => rows.len(),
        ProxyConfigRows::Route(rows) => rows.len(),
        ProxyConfigRows::Secret(rows) => rows.len(),
    };
    count.to_string()
}

fn flags(input: &ProxyConfigInput) -> String {
    let mut flags = String::new();
    for (name, text, _) in input.texts() {
        if let Some(text) = text {
            flags = format!("{flags} --{name} {text}");
        }
    }
    if let Some(port) = input.port {
        flags = format!("{flags} --port {port}");
    }
    flags
}
