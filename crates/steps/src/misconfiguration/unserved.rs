//! Why a destination has no endpoint: a Service that selects no pod, pods that are not ready, a subset whose labels no pod
//! has.

use logs::FailureGroup;
use mesh::{DestinationRules, Mesh, Object, is_ready};
use report::Finding;

use diagnosis::hosts;

/// What failed for want of an endpoint (503 UH), with the reason that the objects give.
pub(super) fn amended(mesh: &Mesh, namespace: &str, failure: &FailureGroup, mut finding: Finding) -> Finding {
    if !failure.response_flags.iter().any(|flag| flag == "UH") {
        return finding;
    }
    let cluster = failure.sample.upstream_cluster.as_ref();
    let wanted = cluster.and_then(|cluster| cluster.host.clone());
    let wanted = wanted.unwrap_or_else(|| hosts::full_name(mesh, namespace, &failure.destination));
    let Some(service) = mesh.service_of_host(namespace, &wanted) else { return finding };
    let subset = cluster.and_then(|cluster| cluster.subset.as_deref());
    if let Some((words, remedy)) = why(mesh, namespace, &wanted, service, subset) {
        finding.message.push_str("; ");
        finding.message.push_str(&words);
        finding.remedy = remedy;
    }
    finding
}

fn why(mesh: &Mesh, client: &str, wanted: &str, service: &Object, subset: Option<&str>) -> Option<(String, String)> {
    let (place, name) = (service.namespace(), service.name());
    let pods = mesh.pods_of_service(service);
    let show = format!("kubectl get pods --namespace {place} --show-labels");
    // Whose endpoints these are is not for the selector to say.
    if service.spec().get("selector").is_empty() || service.spec().get("type").text() == "ExternalName" {
        return None;
    }
    if pods.is_empty() {
        let words = format!("Service {place}/{name} selects no pod");
        let remedy = format!(
            "Compare kubectl get service {name} --namespace {place} --output jsonpath='{{.spec.selector}}' with {show}; with \
             no replicas: kubectl get deployments --namespace {place}"
        );
        return Some((words, remedy));
    }
    if !pods.iter().any(|pod| is_ready(pod)) {
        let words = format!("none of the {} pods behind Service {place}/{name} is ready", pods.len());
        let first = pods.first().map_or(name, |pod| pod.name());
        return Some((words, format!("See why: kubectl describe pod {first} --namespace {place}")));
    }
    let subset = subset?;
    let rules = DestinationRules::new(mesh).for_host(client, wanted, Some(place));
    let (rule, labels) = rules.iter().find_map(|rule| {
        let mut subsets = rule.spec().get("subsets").items();
        Some((*rule, subsets.find(|one| one.get("name").text() == subset)?.get("labels")))
    })?;
    let has = |pod: &&&Object| labels.entries().all(|(key, value)| pod.label(key) == Some(value.text()));
    let of_subset: Vec<_> = pods.iter().filter(has).collect();
    let rule = rule.full_name();
    if of_subset.is_empty() {
        let words =
            format!("no pod of Service {place}/{name} has the labels of subset {subset:?} in DestinationRule {rule}");
        return Some((
            words,
            format!("Correct the labels of subset {subset:?} in DestinationRule {rule}, or of the pods: {show}"),
        ));
    }
    (!of_subset.iter().any(|pod| is_ready(pod))).then(|| {
        let words =
            format!("none of the {} pods of subset {subset:?} of Service {place}/{name} is ready", of_subset.len());
        (words, format!("See why: kubectl describe pod {} --namespace {place}", of_subset[0].name()))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use logs::{AccessLogLine, summary};
    use mesh::{Extent, MeshBuilder, Settings};
    use report::Subject;

    use super::*;

    fn message(pods: &str, cluster: &str) -> String {
        let text = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: cart, namespace: shop}}\nspec: {{selector: {{app: cart}}, ports: \
             [{{name: http, port: 80}}]}}\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: \
             cart, namespace: shop}}\nspec: {{host: cart, subsets: [{{name: v2, labels: {{version: v2}}}}]}}\n---\n{pods}"
        );
        let settings =
            Settings { runtime_kinds: true, extent: Extent::Whole, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) };
        let mut builder = MeshBuilder::new(settings);
        builder.add_files(&[("mesh.yaml", text.as_str())]);
        let line = format!(
            r#"[2026-03-01T10:00:00.000Z] "GET / HTTP/1.1" 503 UH no_healthy_upstream - "-" 0 19 0 - "-" "curl" "1" "cart:80" "-" {cluster} - 10.1.0.1:80 10.0.0.1:2 - default"#
        );
        let lines = [AccessLogLine::parse(&line).unwrap()];
        let failure = summary::summarize(&lines).failures.remove(0);
        let finding =
            summary::findings(&summary::summarize(&lines), &Subject::namespaced("Pod", "shop", "web-1")).remove(0);
        amended(&builder.build(), "shop", &failure, finding).message
    }

    fn pod(labels: &str, ready: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: cart-1, namespace: shop, labels: {{{labels}}}}}\nstatus: {{phase: \
             Running, conditions: [{{type: Ready, status: '{ready}'}}]}}\n"
        )
    }

    const ALL: &str = "outbound|80||cart.shop.svc.cluster.local";
    const V2: &str = "outbound|80|v2|cart.shop.svc.cluster.local";

    #[test]
    fn the_reason_is_told() {
        let check = |pods: &str, cluster: &str, words: &str| {
            let message = message(pods, cluster);
            assert!(message.contains(words), "{message}");
        };
        check("", ALL, "Service shop/cart selects no pod");
        check(&pod("app: cart", "False"), ALL, "none of the 1 pods behind Service shop/cart is ready");
        check(
            &pod("app: cart, version: v1", "True"),
            V2,
            "has the labels of subset \"v2\" in DestinationRule shop/cart",
        );
        check(&pod("app: cart", "True"), ALL, "the cluster has no usable endpoint");
    }

    #[test]
    fn ready_pods_leave_the_reason_open() {
        assert!(message(&pod("app: cart", "True"), ALL).ends_with("the cluster has no usable endpoint"));
        assert!(message(&pod("app: cart, version: v2", "True"), V2).ends_with("the cluster has no usable endpoint"));
    }
}
