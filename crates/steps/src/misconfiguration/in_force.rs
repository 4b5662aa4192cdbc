//! The setting in force behind a failed request: a timeout that was reached, a pool that was full, a fault that was
//! injected, a path that was rewritten before somebody refused it.

use std::collections::BTreeSet;

use crate::request_findings::{self, Client, PAST_THE_SIDECAR};
use diagnosis::hosts;
use logs::{FailureGroup, Side};
use mesh::{DestinationRules, Kind, Mesh, Object, View, Workload, host};
use report::{Evidence, Finding};

/// A field in force, with its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// `VirtualService shop/cart`
    object: String,
    /// `spec.http[0].timeout`
    field: String,
    value: String,
    /// How to see the object.
    show: String,
}

impl Setting {
    fn new(object: &Object, field: String, value: View<'_>) -> Self {
        let (kind, name, namespace) = (object.kind().name(), object.name(), object.namespace());
        let resource = kind.to_ascii_lowercase();
        Self {
            object: format!("{kind} {namespace}/{name}"),
            field,
            value: value.written().trim().to_owned(),
            show: format!("kubectl edit {resource} {name} --namespace {namespace}"),
        }
    }

    pub(super) fn evidence(&self) -> Evidence {
        Evidence::new(format!("{}, {}", self.object, self.field), self.value.clone())
    }
}

/// What a setting does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Timeout,
    TryTimeout,
    Overflow,
    Abort,
    Delay,
    Rewrite,
}

impl Effect {
    fn of(failure: &FailureGroup) -> Option<Self> {
        let has = |flag: &str| failure.response_flags.iter().any(|own| own == flag);
        let details = failure.response_code_details.as_deref().unwrap_or_default();
        if has("FI") {
            Some(Self::Abort)
        } else if has("DI") {
            Some(Self::Delay)
        } else if has("UT") {
            Some(if details.contains("per_try") { Self::TryTimeout } else { Self::Timeout })
        } else if has("UO") {
            Some(Self::Overflow)
        } else if failure.response_code == 404 || details.starts_with("rbac_access_denied") {
            Some(Self::Rewrite)
        } else {
            None
        }
    }
}

/// The settings in force behind such a failure, seen from a proxy in `namespace`.
pub(super) fn settings(mesh: &Mesh, namespace: &str, failure: &FailureGroup) -> Vec<Setting> {
    let Some(effect) = Effect::of(failure) else { return Vec::new() };
    if effect == Effect::Overflow {
        return pools(mesh, namespace, failure);
    }
    let wanted = hosts::full_name(mesh, namespace, &failure.destination);
    let mut found = Vec::new();
    for object in mesh.each(Kind::VirtualService).chain(mesh.each(Kind::HttpRoute)) {
        if is_for(mesh, object, &wanted) {
            found.extend(of_route(object, failure, effect));
        }
    }
    found
}

/// Whether an object routes requests for this host.
fn is_for(mesh: &Mesh, object: &Object, wanted: &str) -> bool {
    let field = if object.kind() == Kind::VirtualService { "hosts" } else { "hostnames" };
    let full = object.spec().get(field).texts().map(|name| hosts::full_name(mesh, object.namespace(), name));
    let own: BTreeSet<String> = full.collect();
    own.contains("*") || hosts::is_among(&own, wanted)
}

/// The setting of the first rule that takes the request.
fn of_route(object: &Object, failure: &FailureGroup, effect: Effect) -> Vec<Setting> {
    let is_virtual_service = object.kind() == Kind::VirtualService;
    let list = if is_virtual_service { "http" } else { "rules" };
    let name = failure.route_name.as_deref().filter(|name| *name != "default");
    let rules: Vec<(usize, View<'_>)> = object.spec().get(list).items().enumerate().collect();
    let named = rules.iter().find(|(_, rule)| name.is_some_and(|name| rule.get("name").text() == name));
    let path = failure.sample.path.as_deref().unwrap_or("/");
    let Some((index, rule)) = named.or_else(|| rules.iter().find(|(_, rule)| takes(*rule, path))) else {
        return Vec::new();
    };
    let fields: &[&[&str]] = match (effect, is_virtual_service) {
        (Effect::Timeout, true) => &[&["timeout"]],
        (Effect::Timeout, false) => &[&["timeouts", "request"], &["timeouts", "backendRequest"]],
        (Effect::TryTimeout, true) => &[&["retries", "perTryTimeout"]],
        (Effect::TryTimeout, false) => &[&["timeouts", "backendRequest"]],
        (Effect::Abort, true) => &[&["fault", "abort", "httpStatus"], &["fault", "abort", "grpcStatus"]],
        (Effect::Delay, true) => &[&["fault", "delay", "fixedDelay"]],
        (Effect::Rewrite, true) => &[&["rewrite", "uri"], &["rewrite", "uriRegexRewrite"], &["rewrite", "authority"]],
        (Effect::Abort | Effect::Delay | Effect::Overflow | Effect::Rewrite, _) => &[],
    };
    let set = fields.iter().filter(|field| rule.path(field).is_set());
    set.map(|field| Setting::new(object, format!("spec.{list}[{index}].{}", field.join(".")), rule.path(field)))
        .collect()
}

/// Whether a rule takes requests for a path, as far as its paths tell.
fn takes(rule: View<'_>, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let matches = if rule.get("match").is_set() { rule.get("match") } else { rule.get("matches") };
    if matches.is_empty() {
        return true;
    }
    matches.items().any(|one| {
        let uri = one.get("uri");
        let of_route = one.get("path");
        let value = of_route.get("value").text();
        match (uri.is_set(), of_route.is_set()) {
            (true, _) if uri.get("exact").is_set() => uri.get("exact").text() == path,
            (true, _) if uri.get("prefix").is_set() => path.starts_with(uri.get("prefix").text()),
            (false, true) if of_route.get("type").text() == "Exact" => value == path,
            (false, true) => path.starts_with(value),
            // A regular expression, or other parts of the request: it may take it.
            _ => true,
        }
    })
}

/// The limits of the connection pool towards a destination.
fn pools(mesh: &Mesh, namespace: &str, failure: &FailureGroup) -> Vec<Setting> {
    let cluster = failure.sample.upstream_cluster.as_ref();
    let wanted = cluster.and_then(|cluster| cluster.host.clone());
    let wanted = wanted.unwrap_or_else(|| hosts::full_name(mesh, namespace, &failure.destination));
    let home = host::service_of(namespace, &wanted).0.to_owned();
    let subset = cluster.and_then(|cluster| cluster.subset.as_deref());
    let port = cluster.and_then(|cluster| cluster.port);
    let mut found = Vec::new();
    for rule in DestinationRules::new(mesh).for_host(namespace, &wanted, Some(&home)) {
        let whole = rule.spec().get("trafficPolicy");
        let mut policies = vec![("spec.trafficPolicy".to_owned(), whole)];
        for (index, one) in rule.spec().get("subsets").items().enumerate() {
            if subset.is_some_and(|name| one.get("name").text() == name) {
                policies.push((format!("spec.subsets[{index}].trafficPolicy"), one.get("trafficPolicy")));
            }
        }
        for (index, one) in whole.get("portLevelSettings").items().enumerate() {
            if port.is_some_and(|port| one.path(&["port", "number"]).integer() == i64::from(port)) {
                policies.push((format!("spec.trafficPolicy.portLevelSettings[{index}]"), one));
            }
        }
        for (start, policy) in policies {
            for (group, field) in [
                ("tcp", "maxConnections"),
                ("http", "http1MaxPendingRequests"),
                ("http", "http2MaxRequests"),
                ("http", "maxRetries"),
            ] {
                let value = policy.path(&["connectionPool", group, field]);
                if value.is_set() {
                    found.push(Setting::new(rule, format!("{start}.connectionPool.{group}.{field}"), value));
                }
            }
        }
    }
    found
}

/// What nothing else explains, with the settings in force and the client.
pub(super) fn amended(mesh: &Mesh, settings: &[Setting], failure: &FailureGroup, finding: Finding) -> Finding {
    let mut finding = request_findings::closed_connections(failure, finding);
    if failure.side == Side::Inbound
        && let Some(client) = client(mesh, failure)
    {
        finding = request_findings::plain_text_client(failure, &client, finding);
    }
    let (Some(effect), Some(first)) = (Effect::of(failure), settings.first()) else { return finding };
    let Setting { object, field, value, show } = first;
    let words = match effect {
        Effect::Timeout | Effect::TryTimeout => format!("{object} sets {field}: {value}"),
        Effect::Overflow => format!("{object} limits {field} to {value}"),
        Effect::Abort | Effect::Delay => format!("{object} injects it: {field}"),
        Effect::Rewrite => format!("{object} rewrites the request first: {field}: {value}"),
    };
    finding.message.push_str("; ");
    finding.message.push_str(&words);
    finding.remedy = match effect {
        Effect::Timeout | Effect::TryTimeout => {
            format!("Give the destination more time than {field} ({value}), or make it answer sooner: {show}")
        }
        Effect::Overflow => {
            format!("Raise {field} ({value}) above the requests at once that are meant, or add replicas: {show}")
        }
        Effect::Abort | Effect::Delay => format!("Take {field} out where it is no test any more: {show}"),
        Effect::Rewrite => format!(
            "Policies and the application see the request after {field} ({value}), while the access log shows the path \
             before: compare what they expect with the rewritten one: {show}"
        ),
    };
    settings.iter().fold(finding, |finding, setting| finding.evidence(setting.evidence()))
}

/// The pod that a connection came from, by its address.
fn client(mesh: &Mesh, failure: &FailureGroup) -> Option<Client> {
    let remote = failure.sample.downstream_remote_address.as_deref()?;
    let address = remote.rsplit_once(':').map_or(remote, |(address, _)| address).trim_matches(['[', ']']);
    let pod = mesh
        .each(Kind::Pod)
        .find(|pod| pod.status().field("podIP").text() == address && !pod.spec().get("hostNetwork").truth())?;
    let annotations =
        PAST_THE_SIDECAR.iter().filter_map(|key| Some(((*key).to_owned(), pod.annotation(key)?.to_owned())));
    let workload = Workload::of_pod(pod);
    Some(Client {
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        has_proxy: workload.has_proxy(),
        past: annotations.collect(),
        sidecar: mesh.sidecar_scope(workload).map(Object::full_name),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use logs::{AccessLogLine, summary};
    use mesh::{Extent, MeshBuilder, Settings};

    use super::*;

    const MESH: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http:
  - match: [{uri: {prefix: /slow}}]
    timeout: 1s
    rewrite: {uri: /}
    route: [{destination: {host: cart}}]
  - match: [{uri: {exact: /broken}}]
    fault: {abort: {httpStatus: 500, percentage: {value: 100}}}
    route: [{destination: {host: cart}}]
  - route: [{destination: {host: cart}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec:
  host: cart
  trafficPolicy: {connectionPool: {http: {http1MaxPendingRequests: 1}}}
";

    fn found(code: u16, flags: &str, details: &str, path: &str) -> Vec<(String, String)> {
        let settings =
            Settings { runtime_kinds: true, extent: Extent::Whole, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) };
        let mut builder = MeshBuilder::new(settings);
        builder.add_files(&[("mesh.yaml", MESH)]);
        let mesh = builder.build();
        let line = format!(
            r#"[2026-03-01T10:00:00.000Z] "GET {path} HTTP/1.1" {code} {flags} {details} - "-" 0 95 2 - "-" "curl" "1" "cart.shop:80" "10.0.0.2:80" outbound|80||cart.shop.svc.cluster.local 10.0.0.1:1 10.1.0.1:80 10.0.0.1:2 - -"#
        );
        let lines = [AccessLogLine::parse(&line).unwrap()];
        let failures = summary::summarize(&lines).failures;
        let settings = settings_of(&mesh, failures.first().unwrap());
        settings.into_iter().map(|one| (one.field, one.value)).collect()
    }

    fn settings_of(mesh: &Mesh, failure: &FailureGroup) -> Vec<Setting> {
        settings(mesh, "shop", failure)
    }

    #[track_caller]
    fn check(request: (u16, &str, &str, &str), expected: &[(&str, &str)]) {
        let (code, flags, details, path) = request;
        let expected: Vec<_> =
            expected.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
        assert_eq!(found(code, flags, details, path), expected);
    }

    #[test]
    fn the_setting_behind_a_failure_is_named() {
        check((504, "UT", "response_timeout", "/slow/x"), &[("spec.http[0].timeout", "1s")]);
        let pool = "spec.trafficPolicy.connectionPool.http.http1MaxPendingRequests";
        check((503, "UO", "overflow", "/"), &[(pool, "1")]);
        check((500, "FI", "fault_filter_abort", "/broken"), &[("spec.http[1].fault.abort.httpStatus", "500")]);
        check((403, "-", "rbac_access_denied_matched_policy[none]", "/slow/x"), &[("spec.http[0].rewrite.uri", "/")]);
    }

    #[test]
    fn rules_for_other_requests_are_not_named() {
        check((504, "UT", "response_timeout", "/quick"), &[]);
        check((503, "UH", "no_healthy_upstream", "/slow/x"), &[]);
        check((504, "UT", "upstream_per_try_timeout", "/slow/x"), &[]);
    }
}
