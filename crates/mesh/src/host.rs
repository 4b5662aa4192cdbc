//! Host names as Istio compares them, and names of services in them.

/// The suffix of a service's full name. Istio's analyzers take it for granted, whatever the mesh's domain is.
const SUFFIX: &str = ".svc.cluster.local";

/// The full name of a host as seen from a namespace: short names are those of services there.
pub fn fqdn(namespace: &str, host: &str) -> String {
    if host.starts_with('*') || host.contains('.') { host.to_owned() } else { format!("{host}.{namespace}{SUFFIX}") }
}

/// The namespace and name of the service that a host means; a host that is no service's full name is its own name.
pub fn service_of<'h>(namespace: &'h str, host: &'h str) -> (&'h str, &'h str) {
    match host.strip_suffix(SUFFIX).and_then(|rest| rest.rsplit_once('.')) {
        Some((name, namespace)) if !name.is_empty() && !namespace.is_empty() => (namespace, name),
        _ => (namespace, host),
    }
}

/// Whether two hosts have a name in common.
pub fn overlap(a: &str, b: &str) -> bool {
    match (a.strip_prefix('*'), b.strip_prefix('*')) {
        (Some(a), Some(b)) => a.ends_with(b) || b.ends_with(a),
        (Some(a), None) => b.ends_with(a),
        (None, Some(b)) => a.ends_with(b),
        (None, None) => a == b,
    }
}

/// Whether every name of `a` is one of `b`.
pub fn is_subset(a: &str, b: &str) -> bool {
    match (a.strip_prefix('*'), b.strip_prefix('*')) {
        (Some(a), Some(b)) => a.ends_with(b),
        (Some(_), None) => false,
        (None, Some(b)) => a.ends_with(b),
        (None, None) => a == b,
    }
}

/// The namespace whose `VirtualService`s may bind to a host of a Gateway's server, `*` for all, and the host itself.
/// See [`Server.hosts`](https://istio.io/latest/docs/reference/config/networking/gateway/#Server).
pub fn of_server(host: &str) -> (&str, &str) {
    host.split_once('/').unwrap_or(("*", host))
}

/// The namespace and name that a reference such as `gateways: [ns/name]` means.
pub fn reference<'r>(namespace: &'r str, reference: &'r str) -> (&'r str, &'r str) {
    reference.split_once('/').unwrap_or((namespace, reference))
}

/// The scopes of an `exportTo`: `*` alone if it has `*` or is empty, else its entries with `.` as the own namespace.
pub fn scopes<'e>(namespace: &'e str, export_to: impl Iterator<Item = &'e str>) -> Vec<&'e str> {
    let mut scopes: Vec<&str> = export_to.map(|entry| if entry == "." { namespace } else { entry }).collect();
    if scopes.is_empty() || scopes.contains(&"*") {
        return vec!["*"];
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
