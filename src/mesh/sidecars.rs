//! What a `Sidecar` lets proxies know.

use super::host;
use super::object::Object;

/// One entry of `egress.hosts`, `<namespace>/<host>`
/// (<https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioEgressListener>).
fn names(entry: &str, home: &str, namespace: &str, host: &str) -> bool {
    let Some((place, name)) = entry.split_once('/') else { return false };
    let here = match place {
        "*" => true,
        "." => namespace == home,
        "~" => false,
        place => namespace == place,
    };
    here && host::is_subset(host, name)
}

/// Whether proxies for which a `Sidecar` of the namespace `home` holds know a host of a service in `namespace`. These are
/// entries of its `egress.hosts`.
pub fn imports<'e>(entries: impl IntoIterator<Item = &'e str>, home: &str, namespace: &str, host: &str) -> bool {
    entries.into_iter().any(|entry| names(entry, home, namespace, host))
}

/// The entries of `egress.hosts` of a `Sidecar`; one without `egress` hides nothing.
pub fn egress_hosts(sidecar: &Object) -> Vec<&str> {
    let egress = sidecar.spec().get("egress");
    if egress.is_empty() {
        return vec!["*/*"];
    }
    egress.items().flat_map(|listener| listener.get("hosts").texts()).collect()
}

#[cfg(test)]
mod tests {
    use super::imports;

    #[test]
    fn entries_name_a_namespace_and_a_host() {
        let check = |entry: &str, namespace: &str, host: &str| imports([entry], "shop", namespace, host);
        assert!(check("./*", "shop", "cart.shop.svc.cluster.local"));
        assert!(!check("./*", "bank", "pay.bank.svc.cluster.local"));
        assert!(check("*/pay.bank.svc.cluster.local", "bank", "pay.bank.svc.cluster.local"));
        assert!(check("bank/*.example.com", "bank", "api.example.com"));
        assert!(!check("bank/*.example.com", "shop", "api.example.com"));
        assert!(!check("~/*", "shop", "cart.shop.svc.cluster.local"));
        assert!(!check("nonsense", "shop", "nonsense"));
    }
}
