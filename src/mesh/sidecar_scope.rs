//! What a `Sidecar` lets the proxies in its scope know
//! (<https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioEgressListener>).

use std::collections::BTreeSet;

use super::host::overlap;
use super::object::Object;

/// Whether a `Sidecar` imports a host of a namespace into proxies of namespace `home`. Each entry is `namespace/host`, with
/// `.` for the proxy's own namespace, `*` for all and `~` for none. Without `egress` everything is imported.
pub fn imports(sidecar: &Object, home: &str, namespace: &str, host: &str) -> bool {
    let mut listeners = sidecar.spec().get("egress").items().peekable();
    if listeners.peek().is_none() {
        return true;
    }
    listeners.flat_map(|listener| listener.get("hosts").texts()).any(|entry| {
        let (scope, pattern) = entry.split_once('/').unwrap_or(("*", entry));
        let is_in_scope = match scope {
            "*" => true,
            "." => home == namespace,
            scope => scope == namespace,
        };
        is_in_scope && overlap(pattern, host)
    })
}

/// The namespaces that a `Sidecar` imports anything from; none where it may be any.
pub fn imported_namespaces<'m>(sidecar: &'m Object, home: &'m str) -> Option<BTreeSet<&'m str>> {
    let mut listeners = sidecar.spec().get("egress").items().peekable();
    listeners.peek()?;
    let scopes = listeners.flat_map(|listener| listener.get("hosts").texts());
    let scopes = scopes.map(|entry| entry.split_once('/').map_or("*", |(scope, _)| scope));
    scopes.map(|scope| if scope == "." { Some(home) } else { Some(scope).filter(|scope| *scope != "*") }).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mesh::{Kind, Tree};

    fn sidecar(egress: &serde_json::Value) -> Object {
        let document = json!({"metadata": {"name": "s"}, "spec": {"egress": egress}});
        Object::new(Kind::Sidecar, "default".into(), Tree::from_json(&document).unwrap(), None)
    }

    fn check(hosts: &serde_json::Value, expected: [bool; 3]) {
        let sidecar = sidecar(hosts);
        let at = |namespace, host| imports(&sidecar, "shop", namespace, host);
        assert_eq!(
            [at("shop", "cart.shop"), at("bank", "pay.bank"), at("bank", "api.example.com")],
            expected,
            "{hosts}"
        );
    }

    #[test]
    fn entries_name_namespace_and_host() {
        check(&json!([]), [true, true, true]);
        check(&json!([{"hosts": ["./*"]}]), [true, false, false]);
        check(&json!([{"hosts": ["bank/*.example.com"]}, {"hosts": ["shop/orders.shop"]}]), [false, false, true]);
        check(&json!([{"hosts": ["*/*"]}]), [true, true, true]);
        check(&json!([{"hosts": ["~/*"]}]), [false, false, false]);
    }

    #[test]
    fn namespaces_are_known_unless_all_are_meant() {
        let named = sidecar(&json!([{"hosts": ["./*", "bank/a"]}]));
        assert_eq!(imported_namespaces(&named, "shop"), Some(BTreeSet::from(["shop", "bank"])));
        for all in [json!([]), json!([{"hosts": ["./*", "*/a"]}])] {
            assert_eq!(imported_namespaces(&sidecar(&all), "shop"), None);
        }
    }
}
