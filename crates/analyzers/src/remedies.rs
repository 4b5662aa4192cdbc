//! What to do about a reference that leads nowhere: what was probably meant, by what is there.
//!
//! `istioctl` gives no advice, so its own perspective gets none.

use std::collections::BTreeSet;

use mesh::{Kind, Mesh, Object, View, Workload, host, labels};

/// Names less alike than this are no misspelling of each other.
const ALIKE: f64 = 0.85;

/// A route to a host that does not exist.
pub(super) fn host(mesh: &Mesh, from: &Object, host: &str) -> String {
    let full = host::fqdn(from.namespace(), host);
    if let Some((name, namespace)) = host.split_once('.')
        && mesh.find(Kind::Service, namespace, name).is_some()
    {
        return format!(
            "Write the full name, {name}.{namespace}.svc.cluster.local: Istio completes only names without a dot."
        );
    }
    let (namespace, name) = host::service_of(from.namespace(), &full);
    let names = mesh.in_namespace(Kind::Service, namespace).map(Object::name);
    match nearest(names, name) {
        Some(meant) => format!(
            "Send to {meant}.{namespace}.svc.cluster.local if Service {namespace}/{meant} is meant; else create {host}."
        ),
        None => format!(
            "There is no Service {namespace}/{name} and no ServiceEntry with the host {host}: create it, or correct the host \
             (kubectl get services -n {namespace})."
        ),
    }
}

/// A route to a subset that no `DestinationRule` defines. `known` are those of the host.
pub(super) fn subset(host: &str, subset: &str, known: &BTreeSet<&str>) -> String {
    if known.is_empty() {
        return format!(
            "No DestinationRule defines subsets of {host}: create one with subset {subset} and the labels of its pods, or \
             route without a subset."
        );
    }
    let known = known.iter().copied().collect::<Vec<_>>().join(", ");
    format!(
        "The subsets of {host} are {known}: route to one of them, or add {subset}, with the labels of its pods, to its \
         DestinationRule."
    )
}

/// A namespace that a policy names and that does not exist.
pub(super) fn namespace<'n>(policy: &Object, pattern: &str, known: impl Iterator<Item = &'n str>) -> String {
    let edit = format!("kubectl edit {} {} -n {}", policy.kind().plural(), policy.name(), policy.namespace());
    match nearest(known, pattern) {
        Some(meant) => format!("If namespace {meant} is meant, write that: {edit}"),
        None => format!(
            "Callers of namespace {pattern} cannot match while there is none. Correct the name (kubectl get namespaces) or take \
             it out: {edit}"
        ),
    }
}

/// A Gateway that a `VirtualService` is bound to and that does not exist.
pub(super) fn gateway(mesh: &Mesh, service: &Object, namespace: &str, name: &str) -> String {
    let all = || mesh.each(Kind::Gateway).chain(mesh.each(Kind::KubernetesGateway));
    let elsewhere = all().find(|gateway| gateway.name() == name);
    let nearest = || nearest(all().filter(|it| it.namespace() == namespace).map(Object::name), name);
    let service = service.full_name();
    match (elsewhere, nearest()) {
        (Some(other), _) => format!(
            "Gateway {name} is in namespace {}: in VirtualService {service}, write {} among gateways.",
            other.namespace(),
            other.full_name()
        ),
        (None, Some(meant)) => {
            format!("In VirtualService {service}, write {namespace}/{meant} among gateways if that is meant.")
        }
        (None, None) => {
            let known: Vec<String> = all().take(5).map(Object::full_name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!(
                "Bind VirtualService {service} to a Gateway that exists (there are: {known}), or create Gateway {namespace}/{name}."
            )
        }
    }
}

/// A selector that no pod has the labels of.
pub(super) fn selector(object: &Object, text: &str) -> String {
    format!(
        "No pod of namespace {0} has the labels {text}: compare with kubectl get pods -n {0} --show-labels, then kubectl edit {1} \
         {2} -n {0}",
        object.namespace(),
        object.kind().plural(),
        object.name()
    )
}

/// A Gateway whose selector no pod has.
pub(super) fn gateway_selector(mesh: &Mesh, selector: View<'_>) -> String {
    let mut there: BTreeSet<(&str, &str)> = BTreeSet::new();
    for pod in mesh.each(Kind::Pod) {
        let label = pod.label("istio").unwrap_or_default();
        // A gateway is a proxy without an application.
        let is_gateway = Workload::of_pod(pod).has_proxy() && pod.spec().get("containers").items().count() == 1;
        if is_gateway && !label.is_empty() {
            there.insert((label, pod.namespace()));
        }
    }
    let wanted = labels::selector_text(selector);
    if there.is_empty() {
        return format!("No pod has the labels {wanted}, and there is no ingress gateway: install one first.");
    }
    let there: Vec<_> = there.iter().map(|(label, namespace)| format!("istio: {label} (in {namespace})")).collect();
    format!("No pod has the labels {wanted}. Set spec.selector to that of a gateway there is: {}.", there.join(", "))
}

/// A credential that is not where the gateway looks for it.
pub(super) fn credential(mesh: &Mesh, gateway: &Object, namespace: &str, name: &str) -> String {
    let elsewhere = gateway.namespace() != namespace && mesh.find(Kind::Secret, gateway.namespace(), name).is_some();
    let hint = if elsewhere {
        format!(
            "There is a Secret {}/{name}, but the gateway runs in {namespace} and looks there. ",
            gateway.namespace()
        )
    } else {
        String::new()
    };
    format!(
        "{hint}Create the Secret where the gateway runs: kubectl create secret tls {name} -n {namespace} --cert=<file> \
         --key=<file>"
    )
}

/// The most alike of these names.
fn nearest<'n>(names: impl Iterator<Item = &'n str>, name: &str) -> Option<&'n str> {
    let alike = names.map(|known| (strsim::jaro_winkler(known, name), known)).filter(|(alike, _)| *alike >= ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn misspelt_names_are_recognized() {
        let names = || ["checkout", "catalog", "cart"].into_iter();
        assert_eq!(nearest(names(), "chekout"), Some("checkout"));
        assert_eq!(nearest(names(), "catalogue"), Some("catalog"));
        assert_eq!(nearest(names(), "payments"), None);
    }
}
