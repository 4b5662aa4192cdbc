//! Finds Gateways that listen on a port which the Service in front of their pods does not have.

use std::collections::{BTreeSet, HashMap};

use super::shared::{IST0101, matches_template, reference_not_found, selector_path};
use super::{Analyzer, Message, Messages, remedies};
use mesh::{Kind, Mesh, Object, View, labels};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "gateway.IngressGatewayPortAnalyzer",
    reads: &[Kind::Gateway, Kind::Pod, Kind::Service, Kind::Deployment],
    reports: &[&IST0101, &IST0162],
    by_default: true,
    run,
};

static IST0162: Code = Code {
    id: "IST0162",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0162/",
    page: include_str!("pages/IST0162.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // Many Gateways share one selector.
    let mut ports_behind: HashMap<String, Option<BTreeSet<i64>>> = HashMap::new();
    for gateway in mesh.each(Kind::Gateway) {
        let selector = gateway.spec().get("selector");
        let text = labels::selector_text(selector);
        let ports = ports_behind.entry(text.clone()).or_insert_with(|| exposed_ports(mesh, selector));
        let Some(ports) = ports else {
            if !matches_template(mesh, selector, None, |_| true) {
                let missing = reference_not_found(gateway, "selector", &text);
                let remedy = || remedies::gateway_selector(mesh, selector);
                messages.report(missing.at(selector_path(selector)).remedy_unless(mesh.is_compatible(), remedy));
            }
            continue;
        };
        if ports.is_empty() && !mesh.is_compatible() {
            // Of no port at all the cause is one: no Service leads to the pods.
            messages.report(no_service_leads_here(mesh, gateway, selector));
            continue;
        }
        for server in gateway.spec().get("servers").items() {
            let port = server.get("port");
            let number = port.get("number").integer();
            if port.is_map() && !ports.contains(&number) {
                messages.report(port_is_not_exposed(gateway, selector, number));
            }
        }
    }
}

/// The ports by which Services lead to the pods of a selector; `None` if there are no such pods.
fn exposed_ports(mesh: &Mesh, selector: View<'_>) -> Option<BTreeSet<i64>> {
    let pods = mesh.labelled(Kind::Pod, selector, None);
    if pods.is_empty() {
        return None;
    }
    let mut ports = BTreeSet::new();
    let mut seen_namespaces = BTreeSet::new();
    for pod in pods {
        for service in mesh.services_selecting(pod.namespace(), pod.labels()) {
            add_ports(service, &mut ports);
        }
        // `istioctl` takes a Service without selector for one that selects every pod.
        if mesh.is_compatible() && seen_namespaces.insert(pod.namespace()) {
            mesh.services_without_selector(pod.namespace()).for_each(|service| add_ports(service, &mut ports));
        }
    }
    Some(ports)
}

fn add_ports(service: &Object, ports: &mut BTreeSet<i64>) {
    for port in service.spec().get("ports").items() {
        if port.get("protocol").text() == "TCP" {
            ports.insert(port.get("port").integer());
            // A named port is not resolved.
            ports.extend(port.get("targetPort").integer_if_any().filter(|target| *target != 0));
        }
    }
}

/// `istioctl` reports each port. Where a Service beside the pods selects none of them, its selector is what is wrong.
fn no_service_leads_here<'m>(mesh: &Mesh, gateway: &'m Object, selector: View<'_>) -> Message<'m> {
    let labels = labels::selector_text(selector);
    let pods = mesh.labelled(Kind::Pod, selector, None);
    let idle = pods.first().and_then(|pod| {
        let mut services = mesh.in_namespace(Kind::Service, pod.namespace());
        let service = services.find(|service| {
            let own = service.spec().get("selector");
            !own.is_empty() && mesh.labelled(Kind::Pod, own, Some(service.namespace())).is_empty()
        })?;
        Some((service, *pod))
    });
    let (text, remedy) = match idle {
        Some((service, pod)) => {
            let keys = service.spec().get("selector").entries().map(|(key, _)| key);
            let own: Vec<String> = keys.filter_map(|key| Some(format!("{key}: {}", pod.label(key)?))).collect();
            let right = if own.is_empty() { labels.replace('=', ": ") } else { own.join(", ") };
            (
                format!(
                    "No Service leads to the proxies of this Gateway ({labels}): Service {} beside them selects no pod ({}).",
                    service.full_name(),
                    labels::selector_text(service.spec().get("selector"))
                ),
                format!(
                    "Set spec.selector of Service {} to the labels of the pods, {right}: kubectl edit service {} -n {}",
                    service.full_name(),
                    service.name(),
                    service.namespace()
                ),
            )
        }
        None => (
            format!(
                "No Service leads to the proxies of this Gateway ({labels}): nothing outside of the cluster reaches them."
            ),
            format!(
                "Create a Service with the selector {labels} in the namespace of the pods (kubectl get pods -A -l {labels})."
            ),
        ),
    };
    Message::new(&IST0162, gateway, text).at(selector_path(selector)).remedy(remedy)
}

fn port_is_not_exposed<'m>(gateway: &'m Object, selector: View<'_>, port: i64) -> Message<'m> {
    let text = labels::selector_text(selector);
    let text = format!(
        "The gateway is listening on a target port (port {port}) that is not defined in the Service associated with \
         its workload instances (Pod selector {text}). If you need to access the gateway port through the gateway \
         Service, it will not be available."
    );
    Message::new(&IST0162, gateway, text).at(selector_path(selector))
}
