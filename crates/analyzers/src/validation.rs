//! Finds objects that break the rules of their own kind, which istiod's admission webhook enforces.
//!
//! The rules themselves are in [`schema`](super::schema); here they are applied to the objects of a mesh.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schema::{Context, Problem, ProblemKind, validate};
use super::{Analyzer, Message, Messages, Path, Rule};
use mesh::{Kind, Mesh, Object, host};
use report::{Code, Severity};

// One analyzer for each kind; the last two of `istioctl` have no rules.
pub(super) const AUTHORIZATION_POLICY: Analyzer =
    analyzer("schema.ValidationAnalyzer.AuthorizationPolicy", &[Kind::AuthorizationPolicy], |mesh, messages| {
        check(mesh, Kind::AuthorizationPolicy, messages);
    });
pub(super) const DESTINATION_RULE: Analyzer =
    analyzer("schema.ValidationAnalyzer.DestinationRule", &[Kind::DestinationRule], |mesh, messages| {
        check(mesh, Kind::DestinationRule, messages);
    });
pub(super) const ENVOY_FILTER: Analyzer =
    analyzer("schema.ValidationAnalyzer.EnvoyFilter", &[Kind::EnvoyFilter], |mesh, messages| {
        check(mesh, Kind::EnvoyFilter, messages);
    });
pub(super) const GATEWAY: Analyzer =
    analyzer("schema.ValidationAnalyzer.Gateway", &[Kind::Gateway, Kind::VirtualService], check_gateways);
pub(super) const PEER_AUTHENTICATION: Analyzer =
    analyzer("schema.ValidationAnalyzer.PeerAuthentication", &[Kind::PeerAuthentication], |mesh, messages| {
        check(mesh, Kind::PeerAuthentication, messages);
    });
pub(super) const PROXY_CONFIG: Analyzer =
    analyzer("schema.ValidationAnalyzer.ProxyConfig", &[Kind::ProxyConfig], |mesh, messages| {
        check(mesh, Kind::ProxyConfig, messages);
    });
pub(super) const REQUEST_AUTHENTICATION: Analyzer =
    analyzer("schema.ValidationAnalyzer.RequestAuthentication", &[Kind::RequestAuthentication], |mesh, messages| {
        check(mesh, Kind::RequestAuthentication, messages);
    });
pub(super) const SERVICE_ENTRY: Analyzer =
    analyzer("schema.ValidationAnalyzer.ServiceEntry", &[Kind::ServiceEntry], |mesh, messages| {
        check(mesh, Kind::ServiceEntry, messages);
    });
pub(super) const SIDECAR: Analyzer =
    analyzer("schema.ValidationAnalyzer.Sidecar", &[Kind::Sidecar], |mesh, messages| {
        check(mesh, Kind::Sidecar, messages);
    });
pub(super) const TELEMETRY: Analyzer =
    analyzer("schema.ValidationAnalyzer.Telemetry", &[Kind::Telemetry], |mesh, messages| {
        check(mesh, Kind::Telemetry, messages);
    });
pub(super) const TRAFFIC_EXTENSION: Analyzer =
    analyzer("schema.ValidationAnalyzer.TrafficExtension", &[Kind::TrafficExtension], |mesh, messages| {
        check(mesh, Kind::TrafficExtension, messages);
    });
pub(super) const VIRTUAL_SERVICE: Analyzer =
    analyzer("schema.ValidationAnalyzer.VirtualService", &[Kind::VirtualService], |mesh, messages| {
        check(mesh, Kind::VirtualService, messages);
    });
pub(super) const WASM_PLUGIN: Analyzer =
    analyzer("schema.ValidationAnalyzer.WasmPlugin", &[Kind::WasmPlugin], |mesh, messages| {
        check(mesh, Kind::WasmPlugin, messages);
    });
pub(super) const WORKLOAD_ENTRY: Analyzer =
    analyzer("schema.ValidationAnalyzer.WorkloadEntry", &[Kind::WorkloadEntry], |mesh, messages| {
        check(mesh, Kind::WorkloadEntry, messages);
    });
pub(super) const WORKLOAD_GROUP: Analyzer =
    analyzer("schema.ValidationAnalyzer.WorkloadGroup", &[Kind::WorkloadGroup], |mesh, messages| {
        check(mesh, Kind::WorkloadGroup, messages);
    });
pub(super) const MESH_NETWORKS: Analyzer =
    analyzer("schema.ValidationAnalyzer.MeshNetworks", &[Kind::MeshNetworks], |_, _| {});
pub(super) const MESH_CONFIG: Analyzer =
    analyzer("schema.ValidationAnalyzer.MeshConfig", &[Kind::MeshConfig], |_, _| {});

const fn analyzer(name: &'static str, reads: &'static [Kind], run: Rule) -> Analyzer {
    Analyzer { name, reads, reports: REPORTS, by_default: true, run }
}

const REPORTS: &[&Code] = &[&IST0106, &IST0130, &IST0131, &IST0133];

static IST0106: Code = Code {
    id: "IST0106",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0106/",
    page: include_str!("pages/IST0106.md"),
};

static IST0130: Code = Code {
    id: "IST0130",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0130/",
    page: include_str!("pages/IST0130.md"),
};

static IST0131: Code = Code {
    id: "IST0131",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0131/",
    page: include_str!("pages/IST0131.md"),
};

static IST0133: Code = Code {
    id: "IST0133",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0133/",
    page: include_str!("pages/IST0133.md"),
};

fn check<'m>(mesh: &'m Mesh, kind: Kind, messages: &mut Messages<'m>) {
    for object in mesh.each(kind) {
        check_object(mesh, object, &object.spec().to_json(), messages);
    }
}

fn check_object<'m>(mesh: &Mesh, object: &'m Object, spec: &Value, messages: &mut Messages<'m>) {
    // `istioctl` passes neither labels nor annotations to the rules, the admission webhook both. A short scope in a
    // document without namespace means nothing to `istioctl`.
    let compatible = mesh.is_compatible();
    let context = Context { default_namespace: if compatible { "" } else { "default" }, with_metadata: !compatible };
    let kind = object.kind();
    let outcome = validate(kind.group(), kind.name(), &as_the_rules_see_it(object, spec, compatible), &context);
    for problem in outcome.errors.iter().chain(&outcome.warnings) {
        // For `istioctl`, what cannot be decoded is no object at all, and its file could not be parsed.
        if compatible && problem.kind == ProblemKind::Decode && object.source().is_some() {
            messages.is_malformed(object, &problem.text);
            continue;
        }
        // Which TCP ports a policy's HTTP fields meet is SEC0008's to say; most policies have none in reach.
        let is_told_elsewhere = problem.text.contains("will deny all traffic to TCP ports");
        if let Some(code) = code_of(problem.kind).filter(|_| compatible || !is_told_elsewhere) {
            let message = rule_is_broken(object, code, problem);
            let is_doubtful = problem.kind == ProblemKind::Warning;
            messages.report(if is_doubtful && !compatible { with_remedy(object, message) } else { message });
        }
    }
    for what in outcome.skipped {
        messages.skip(object, what);
    }
}

fn as_the_rules_see_it(object: &Object, spec: &Value, compatible: bool) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".into(), object.name().into());
    if !object.namespace().is_empty() {
        metadata.insert("namespace".into(), object.namespace().into());
    }
    if !compatible {
        metadata.insert("labels".into(), object.labels().to_json());
        metadata.insert("annotations".into(), object.annotations().to_json());
    }
    json!({ "metadata": metadata, "spec": spec })
}

/// In `istioctl`, the rule that looks for a `VirtualService`'s hosts in its Gateways rewrites the Gateway's hosts, and
/// the Gateway is checked as it stands after that.
fn check_gateways<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let referenced: BTreeSet<(&str, &str)> =
        if mesh.is_compatible() { referenced_gateways(mesh) } else { BTreeSet::new() };
    for gateway in mesh.each(Kind::Gateway) {
        let mut spec = gateway.spec().to_json();
        if referenced.contains(&(gateway.namespace(), gateway.name())) {
            rewrite_hosts(gateway.namespace(), &mut spec);
        }
        check_object(mesh, gateway, &spec, messages);
    }
}

fn referenced_gateways(mesh: &Mesh) -> BTreeSet<(&str, &str)> {
    let of = |service: &Object| -> Vec<(String, String)> {
        let names = service.spec().get("gateways").texts().filter(|name| *name != "mesh");
        let references = names.map(|name| host::reference(service.namespace(), name));
        references.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect()
    };
    let names: BTreeSet<(String, String)> = mesh.each(Kind::VirtualService).flat_map(of).collect();
    let gateways = names.iter().filter_map(|(namespace, name)| mesh.find(Kind::Gateway, namespace, name));
    gateways.map(|gateway| (gateway.namespace(), gateway.name())).collect()
}

fn rewrite_hosts(namespace: &str, spec: &mut Value) {
    for server in spec.get_mut("servers").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(hosts) = server.get_mut("hosts").and_then(Value::as_array_mut) else { continue };
        if hosts.iter().any(|host| host == "*/*") {
            *hosts = vec!["*".into()];
            continue;
        }
        for host in hosts {
            let rewritten = host.as_str().and_then(|host| {
                let own = host.strip_prefix("./").map(|name| format!("{namespace}/{name}"));
                own.or_else(|| host.strip_prefix("*/").map(str::to_owned))
            });
            if let Some(rewritten) = rewritten {
                *host = rewritten.into();
            }
        }
    }
}

fn code_of(kind: ProblemKind) -> Option<&'static Code> {
    match kind {
        ProblemKind::Decode | ProblemKind::Error => Some(&IST0106),
        ProblemKind::Warning => Some(&IST0133),
        ProblemKind::UnreachableRule => Some(&IST0130),
        ProblemKind::IneffectiveMatch => Some(&IST0131),
        ProblemKind::Crd => None,
    }
}

/// What to do about something allowed and doubtful, by what the object is.
fn with_remedy<'m>(object: &Object, message: Message<'m>) -> Message<'m> {
    let name = object.full_name();
    let remedy = match object.kind() {
        Kind::EnvoyFilter => format!(
            "See whether a Telemetry, WasmPlugin, VirtualService or DestinationRule can do what EnvoyFilter {name} does; where \
             none can, try it with the next version before each upgrade."
        ),
        kind => format!(
            "In {} {name}, correct what the message names, or take it out where it is not meant: kubectl edit {} {} -n {}",
            kind.name(),
            kind.plural(),
            object.name(),
            object.namespace()
        ),
    };
    message.remedy(remedy)
}

fn rule_is_broken<'m>(object: &'m Object, code: &'static Code, problem: &Problem) -> Message<'m> {
    let message = Message::new(code, object, problem.message());
    match problem.path.as_deref().and_then(Path::parse) {
        Some(path) => message.at(path),
        None => message,
    }
}
