//! What a `Sidecar` lets proxies know
//! (<https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioEgressListener>).

use std::collections::BTreeSet;

use super::host;
use super::object::Object;

/// One entry of `egress.hosts`, `<namespace>/<host>`: `.` is the proxy's own namespace, `*` any, and `~` none.
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

/// The namespaces that entries of `egress.hosts` name; `None` where it may be any.
pub fn imported_namespaces<'e>(entries: impl IntoIterator<Item = &'e str>, home: &'e str) -> Option<BTreeSet<&'e str>> {
    let places = entries.into_iter().filter_map(|entry| entry.split_once('/')).map(|(place, _)| place);
    let places = places.filter(|place| *place != "~").map(|place| if place == "." { home } else { place });
    places.map(|place| Some(place).filter(|place| *place != "*")).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Kind, Tree};

    fn sidecar(egress: &serde_json::Value) -> Object {
        let document = json!({"metadata": {"name": "s"}, "spec": {"egress": egress}});
        Object::new(Kind::Sidecar, "default".into(), Tree::from_json(&document).unwrap(), None)
    }

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

    #[test]
    fn a_wildcard_is_known_where_all_of_it_is() {
        assert!(imports(["*/*.example.com"], "shop", "bank", "*.api.example.com"));
        assert!(!imports(["*/api.example.com"], "shop", "bank", "*.example.com"));
    }

    #[test]
    fn egress_of_all_listeners_counts_and_none_hides_nothing() {
        let known = |egress: serde_json::Value| {
            let sidecar = sidecar(&egress);
            let at = |namespace, host| imports(egress_hosts(&sidecar), "shop", namespace, host);
            [at("shop", "cart.shop"), at("bank", "pay.bank"), at("bank", "api.example.com")]
        };
        assert_eq!(known(json!([])), [true, true, true]);
        assert_eq!(
            known(json!([{"hosts": ["bank/*.example.com"]}, {"hosts": ["shop/orders.shop"]}])),
            [false, false, true]
        );
    }

    #[test]
    fn namespaces_are_known_unless_all_are_meant() {
        let named = |entries: &[&'static str]| imported_namespaces(entries.iter().copied(), "shop");
        assert_eq!(named(&["./*", "bank/a", "~/*"]), Some(BTreeSet::from(["shop", "bank"])));
        assert_eq!(named(&["./*", "*/a"]), None);
        assert_eq!(named(&[]), Some(BTreeSet::new()));
    }
}
