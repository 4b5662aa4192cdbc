//! Destinations for which a proxy has no endpoint: whether requests fail for it, and whether Kubernetes has endpoints that
//! the proxy lacks. Every proxy is told of every service, so a service without pods is a note where nobody calls it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::target::{self, PROXY};
use cluster::{Cluster, Error, LogQuery, Resource, Scope};
use envoy::{
    cluster_name::ClusterName,
    cluster_trouble::{self, ClusterTroubleKind},
    clusters_page::Clusters,
};
use logs::{AccessLogLine, LineParser, SummaryBuilder};
use report::{Evidence, Finding, Severity, Skipped};

/// Services whose EndpointSlices are read; those with failed requests go first.
const SERVICES: usize = 5;
const LOG: LogQuery = LogQuery { tail: Some(1000), since_s: None, previous: false, limit_bytes: Some(4 * 1024 * 1024) };

/// What is known of them besides the proxy's own page.
#[derive(Debug, Default)]
pub(crate) struct NoEndpoint {
    /// Requests that failed for it, and all of those to the same destination, by cluster.
    failures: BTreeMap<String, (u64, u64)>,
    /// By namespace and name.
    slices: BTreeMap<(String, String), Slices>,
    rules: Vec<Value>,
}

/// What the EndpointSlices of a service hold.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Slices {
    ready: usize,
    not_ready: usize,
}

/// The clusters of the page without a host.
pub(crate) fn clusters(page: &[u8]) -> Vec<String> {
    let Ok(page) = Clusters::parse(page) else { return Vec::new() };
    let troubles = cluster_trouble::interpret(&page);
    let empty = troubles.into_iter().filter(|trouble| trouble.kind == ClusterTroubleKind::NoHosts);
    empty.map(|trouble| trouble.cluster).collect()
}

/// Reads the proxy's log and the EndpointSlices behind these clusters.
pub(crate) async fn gather(
    cluster: &Cluster,
    pod: &Pod,
    mut clusters: Vec<String>,
    skipped: &mut Vec<Skipped>,
) -> Result<NoEndpoint, Error> {
    let mut known = NoEndpoint::default();
    let mut unread = |mut reason: Skipped, what: &str| {
        reason.silences.push(what.to_owned());
        skipped.push(reason);
    };
    let log = cluster.log(target::namespace(pod), target::name(pod), PROXY, &LOG).await;
    match cluster::read(log)? {
        Ok(log) => known.failures = failures(log.lines()),
        Err(reason) => unread(reason, "whether requests fail for want of an endpoint (ENV0001)"),
    }
    clusters.sort_by_key(|name| !known.failures.contains_key(name));
    let mut services: Vec<(String, String)> = Vec::new();
    for place in clusters.iter().filter_map(|name| service(&ClusterName::parse(name))) {
        if !services.contains(&place) && services.len() < SERVICES {
            services.push(place);
        }
    }
    let slices = Resource::known("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true);
    for (namespace, name) in services {
        let selector = format!("kubernetes.io/service-name={name}");
        let scope = Scope::Namespaces(vec![namespace.clone()]);
        match cluster::read(cluster.list::<Value>(&slices, &scope, Some(&selector)).await)? {
            Ok(listed) if listed.skipped.is_empty() => {
                known.slices.insert((namespace, name), Slices::of(&listed.items));
            }
            Ok(listed) => listed.skipped.into_iter().for_each(|reason| unread(reason, "endpoints that a proxy lacks")),
            Err(reason) => unread(reason, "endpoints that a proxy lacks"),
        }
    }
    if known.slices.values().any(|slices| slices.ready > 0) {
        known.rules = rules(cluster, pod, &known, &mut unread).await?;
    }
    Ok(known)
}

/// The DestinationRules that may hold for the pod's requests to these services.
async fn rules(
    cluster: &Cluster,
    pod: &Pod,
    known: &NoEndpoint,
    unread: &mut impl FnMut(Skipped, &str),
) -> Result<Vec<Value>, Error> {
    let mut places: Vec<String> = known.slices.keys().map(|(namespace, _)| namespace.clone()).collect();
    places.push(target::namespace(pod).to_owned());
    places.sort();
    places.dedup();
    let Ok((resource, _)) = cluster.resource("destinationrules.networking.istio.io").await else {
        return Ok(Vec::new());
    };
    Ok(match cluster::read(cluster.list::<Value>(&resource, &Scope::Namespaces(places), None).await)? {
        Ok(listed) => listed.items,
        Err(reason) => {
            unread(reason, "the DestinationRule that leaves endpoints out");
            Vec::new()
        }
    })
}

/// Failed and all requests by cluster.
fn failures<'l>(lines: impl Iterator<Item = &'l str>) -> BTreeMap<String, (u64, u64)> {
    let (mut parser, mut summary) = (LineParser::default(), SummaryBuilder::default());
    for raw in lines {
        let line = parser.parse(raw);
        if let Some(access) = AccessLogLine::parse(&line.raw) {
            summary.push(&access);
        }
    }
    let mut found: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for group in summary.finish().failures {
        if let Some(cluster) = group.upstream_cluster.filter(|_| group.response_flags.iter().any(|flag| flag == "UH")) {
            let (failed, of) = found.entry(cluster.trim_end_matches(';').to_owned()).or_default();
            *failed += group.count;
            *of = (*of).max(group.of);
        }
    }
    found
}

/// Namespace and name of the Service behind a cluster.
fn service(cluster: &ClusterName) -> Option<(String, String)> {
    let (name, rest) = cluster.fqdn.split_once('.')?;
    let (namespace, domain) = rest.split_once('.')?;
    (cluster.direction == "outbound" && domain.starts_with("svc")).then(|| (namespace.to_owned(), name.to_owned()))
}

impl Slices {
    fn of(slices: &[Value]) -> Self {
        let mut counts = Self::default();
        for endpoint in slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten()) {
            // An endpoint without the condition counts as ready.
            if endpoint["conditions"]["ready"].as_bool().unwrap_or(true) {
                counts.ready += 1;
            } else {
                counts.not_ready += 1;
            }
        }
        counts
    }
}

impl NoEndpoint {
    /// A finding about a cluster without hosts, with what is known besides.
    pub(crate) fn amended(&self, cluster: &str, mut finding: Finding) -> Finding {
        let name = ClusterName::parse(cluster);
        if let Some((failed, of)) = self.failures.get(cluster) {
            finding.severity = Severity::Error;
            finding.message.push_str(&format!("; {failed} of {of} requests in its access log failed so"));
            finding = finding
                .evidence(Evidence::new("access log of the proxy", format!("503 UH by {cluster}, {failed} times")));
        }
        let Some((namespace, service)) = service(&name) else { return finding };
        let key = (namespace, service);
        let Some(slices) = self.slices.get(&key) else { return finding };
        let (namespace, service) = key;
        let show = format!(
            "kubectl get endpointslices --namespace {namespace} --selector kubernetes.io/service-name={service}"
        );
        let Slices { ready, not_ready } = *slices;
        finding = finding.evidence(Evidence::new(
            format!("EndpointSlices of {namespace}/{service}"),
            format!("{ready} ready, {not_ready} not ready"),
        ));
        finding.remedy = match (ready, not_ready) {
            (0, 0) => format!(
                "No pod is behind Service {service}: its selector matches none, or there are no replicas. kubectl get \
                 service {service} --namespace {namespace} --output jsonpath='{{.spec.selector}}' and kubectl get pods \
                 --namespace {namespace} --show-labels"
            ),
            (0, _) => format!(
                "The pods behind Service {service} are not ready: {show} names them, kubectl describe pod says why."
            ),
            _ => self.lacking(&name, &namespace, &service, &show),
        };
        if ready > 0 {
            finding
                .message
                .push_str(&format!("; Kubernetes has {ready} ready endpoints for it, which this proxy leaves out"));
        }
        finding
    }

    /// Kubernetes has endpoints, and the proxy has not.
    fn lacking(&self, name: &ClusterName, namespace: &str, service: &str, show: &str) -> String {
        let rules: Vec<&Value> = self.rules.iter().filter(|rule| is_for(rule, namespace, service)).collect();
        let place = |rule: &Value| {
            let text = |field: &str| rule["metadata"][field].as_str().unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        };
        if !name.subset.is_empty() {
            let of_subset = |rule: &&&Value| {
                let subsets = rule["spec"]["subsets"].as_array();
                subsets.is_some_and(|all| all.iter().any(|one| one["name"] == name.subset.as_str()))
            };
            if let Some(rule) = rules.iter().find(of_subset) {
                let (place, rule) = place(rule);
                return format!(
                    "None of the pods has the labels of subset {:?} in DestinationRule {place}/{rule}: kubectl get \
                     destinationrule {rule} --namespace {place} --output yaml, and kubectl get pods --namespace {namespace} \
                     --show-labels",
                    name.subset
                );
            }
        }
        let locality = |rule: &&&Value| {
            let setting = &rule["spec"]["trafficPolicy"]["loadBalancer"]["localityLbSetting"];
            ["distribute", "failover", "failoverPriority"].iter().any(|field| !setting[*field].is_null())
        };
        if let Some(rule) = rules.iter().find(locality) {
            let (place, rule) = place(rule);
            return format!(
                "DestinationRule {place}/{rule} sends requests to some localities only, and the ready pods are in others: \
                 kubectl get destinationrule {rule} --namespace {place} --output \
                 jsonpath='{{.spec.trafficPolicy.loadBalancer.localityLbSetting}}', against the zones in {show} --output yaml"
            );
        }
        format!(
            "istiod gives this proxy none of them. See whether it refused an update (istioctl proxy-status), whether the \
             Service's annotation networking.istio.io/exportTo leaves this namespace out, and whether the mesh \
             configuration sets localityLbSetting: {show}"
        )
    }
}

/// Whether a rule is for the host of a Service.
fn is_for(rule: &Value, namespace: &str, service: &str) -> bool {
    let own = rule["metadata"]["namespace"].as_str().unwrap_or_default();
    let host = rule["spec"]["host"].as_str().unwrap_or_default();
    match host.strip_prefix('*') {
        Some(rest) => format!("{service}.{namespace}.svc.cluster.local").ends_with(rest),
        None if !host.contains('.') => host == service && own == namespace,
        None => host == format!("{service}.{namespace}") || host.starts_with(&format!("{service}.{namespace}.svc")),
    }
}

#[cfg(test)]
mod tests {
    use report::{Code, Subject};
    use serde_json::json;

    use super::*;

    static ENV0001: Code = Code { id: "ENV0001", severity: Severity::Warning, docs: "", page: "" };
    const CART: &str = "outbound|80||cart.shop.svc.cluster.local";
    const FAILED: &str = r#"[2026-03-01T10:00:00.000Z] "GET / HTTP/1.1" 503 UH no_healthy_upstream - "-" 0 19 0 - "-" "curl" "1" "cart:80" "-" outbound|80||cart.shop.svc.cluster.local - 10.1.0.1:80 10.0.0.1:2 - default"#;

    fn known(lines: &[&str], endpoints: &Value, rules: Vec<Value>) -> NoEndpoint {
        let slices = Slices::of(&[json!({ "endpoints": endpoints })]);
        NoEndpoint {
            failures: failures(lines.iter().copied()),
            slices: BTreeMap::from([(("shop".to_owned(), "cart".to_owned()), slices)]),
            rules,
        }
    }

    fn finding(known: &NoEndpoint, cluster: &str) -> Finding {
        let subject = Subject::namespaced("Pod", "shop", "web-1");
        known.amended(cluster, Finding::new(&ENV0001, subject, "no endpoint"))
    }

    #[track_caller]
    fn check(known: &NoEndpoint, cluster: &str, severity: Severity, words: &str) {
        let finding = finding(known, cluster);
        assert_eq!(finding.severity, severity);
        let text = format!("{} {}", finding.message, finding.remedy);
        assert!(text.contains(words), "{text}");
    }

    #[test]
    fn failing_requests_make_it_an_error() {
        let none = json!([]);
        check(&known(&[FAILED; 3], &none, Vec::new()), CART, Severity::Error, "3 of 3 requests");
        check(&known(&[], &none, Vec::new()), CART, Severity::Warning, "No pod is behind Service cart");
        check(&known(&[FAILED], &none, Vec::new()), "outbound|80||till.shop.svc.cluster.local", Severity::Warning, "");
    }

    #[test]
    fn endpoints_that_are_not_ready_are_told_from_none() {
        let waiting = json!([{"addresses": ["10.0.0.2"], "conditions": {"ready": false}}]);
        check(&known(&[], &waiting, Vec::new()), CART, Severity::Warning, "are not ready");
    }

    #[test]
    fn endpoints_that_the_proxy_lacks_have_another_cause() {
        let ready = json!([{"addresses": ["10.0.0.2"], "conditions": {"ready": true}}]);
        let rule = |host: &str, spec: &Value| {
            let mut spec = spec.clone();
            spec["host"] = host.into();
            json!({"metadata": {"name": "cart", "namespace": "shop"}, "spec": spec})
        };
        let zones = json!({"trafficPolicy": {"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "*"}]}}}});
        let with = |rules| known(&[FAILED], &ready, rules);
        check(
            &with(vec![rule("cart", &zones)]),
            CART,
            Severity::Error,
            "DestinationRule shop/cart sends requests to some",
        );
        check(&with(vec![rule("till", &zones)]), CART, Severity::Error, "exportTo");
        let subset = json!({"subsets": [{"name": "v2", "labels": {"version": "v2"}}]});
        let of_subset = "outbound|80|v2|cart.shop.svc.cluster.local";
        let known = with(vec![rule("cart.shop.svc.cluster.local", &subset)]);
        check(&known, of_subset, Severity::Warning, "labels of subset \"v2\"");
    }
}
