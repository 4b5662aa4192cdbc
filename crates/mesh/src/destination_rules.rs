//! Which `DestinationRule` holds for a host, and which Services a rule is for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::host_index::HostIndex;
use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;
use super::{domain, host};

/// The rules of a mesh by namespace and host.
///
/// Proxies take those of the first namespace that has any for the host: their own, that of the service, the root
/// namespace. Within a namespace the exact host goes before the longest wildcard, and rules for one host are merged.
/// See [cross-namespace sharing](https://istio.io/latest/docs/ops/best-practices/traffic-management/#cross-namespace-configuration-sharing).
#[derive(Debug)]
pub struct DestinationRules<'m> {
    mesh: &'m Mesh,
    domain: &'m str,
    exact: HashMap<(&'m str, String), Vec<&'m Object>>,
    /// By namespace: wildcard hosts and their rules, the longest first.
    wildcards: HashMap<&'m str, Vec<(String, Vec<&'m Object>)>>,
    services: Vec<(String, &'m Object)>,
    by_host: HostIndex<usize>,
}

impl<'m> DestinationRules<'m> {
    pub fn new(mesh: &'m Mesh) -> Self {
        let domain = mesh.domain();
        let mut exact: HashMap<(&str, String), Vec<&Object>> = HashMap::new();
        let mut wildcards: BTreeMap<&str, BTreeMap<String, Vec<&Object>>> = BTreeMap::new();
        let mut rules: Vec<&Object> = mesh.each(Kind::DestinationRule).collect();
        rules.sort_by_key(|rule| rule.age());
        for rule in rules {
            let host = host_of(domain, rule);
            if host.starts_with('*') {
                wildcards.entry(rule.namespace()).or_default().entry(host).or_default().push(rule);
            } else {
                exact.entry((rule.namespace(), host)).or_default().push(rule);
            }
        }
        let longest_first = |hosts: BTreeMap<String, Vec<&'m Object>>| {
            let mut hosts: Vec<_> = hosts.into_iter().collect();
            hosts.sort_by_key(|(host, _)| Reverse(host.len()));
            hosts
        };
        let wildcards = wildcards.into_iter().map(|(namespace, hosts)| (namespace, longest_first(hosts))).collect();
        let services: Vec<(String, &Object)> = mesh
            .each(Kind::Service)
            .map(|service| (host::fqdn(service.namespace(), service.name()), service))
            .collect();
        let by_host = HostIndex::new(services.iter().zip(0..).map(|((host, _), position)| (host.as_str(), position)));
        Self { mesh, domain, exact, wildcards, services, by_host }
    }

    /// The rules that proxies of a namespace follow towards a full host name, the oldest first: its traffic policy counts,
    /// and the subsets of all. `home` is the namespace of the service behind the host, where it is known.
    pub fn for_host(&self, client: &str, host: &str, home: Option<&str>) -> Vec<&'m Object> {
        let host = &*domain::usual(self.domain, host);
        let root = self.mesh.config_of(client).root_namespace.as_str();
        // In the root namespace itself only what is meant for it alone goes before the service's own rules.
        let own = self.in_namespace(client, host, |rule| {
            self.mesh.is_visible(rule, client) && (client != root || self.mesh.exported_to(rule) == [root])
        });
        if !own.is_empty() {
            return own;
        }
        for namespace in home.into_iter().chain([root]) {
            let found = self.in_namespace(namespace, host, |rule| self.mesh.is_visible(rule, client));
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// The Services that a rule is for, and for which clients in its own namespace follow it.
    pub fn services_of(&self, rule: &Object) -> Vec<&'m Object> {
        let mut positions: Vec<usize> = self.by_host.overlapping(&host_of(self.domain, rule)).collect();
        positions.sort_unstable();
        positions.dedup();
        let services = positions.into_iter().map(|position| &self.services[position]);
        let holds = |(host, service): &&(String, &'m Object)| {
            let rules = self.for_host(rule.namespace(), host, Some(service.namespace()));
            rules.iter().any(|other| other.namespace() == rule.namespace() && other.name() == rule.name())
        };
        services.filter(holds).map(|(_, service)| *service).collect()
    }

    fn in_namespace(&self, namespace: &str, host: &str, is_wanted: impl Fn(&Object) -> bool) -> Vec<&'m Object> {
        let wanted = |rules: &[&'m Object]| -> Vec<&'m Object> {
            rules.iter().copied().filter(|rule| is_wanted(rule)).collect()
        };
        let exact = self.exact.get(&(namespace, host.to_owned())).map_or(Vec::new(), |rules| wanted(rules));
        if !exact.is_empty() {
            return exact;
        }
        let wildcards = self.wildcards.get(namespace).into_iter().flatten();
        let matching = wildcards.filter(|(wildcard, _)| host::is_subset(host, wildcard));
        matching.map(|(_, rules)| wanted(rules)).find(|rules| !rules.is_empty()).unwrap_or_default()
    }
}

/// The full name of the host that a rule is for.
fn host_of(domain: &str, rule: &Object) -> String {
    host::fqdn(rule.namespace(), &domain::usual(domain, rule.spec().get("host").text()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::{MeshBuilder, Settings};

    const CART: &str = "cart.shop.svc.cluster.local";

    fn mesh(rules: &[(&str, &str, &str)]) -> Mesh {
        let mut text = "apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\n".to_owned();
        for (name, host, rest) in rules {
            let (namespace, name) = host::reference("", name);
            let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule";
            let _ = write!(
                text,
                "---\n{rule}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{host: '{host}'{rest}}}\n"
            );
        }
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("mesh.yaml".to_owned(), text)]);
        let mesh = builder.build();
        assert!(mesh.malformed().is_empty(), "{:?}", mesh.malformed());
        mesh
    }

    fn check(rules: &[(&str, &str, &str)], client: &str, expected: &[&str]) {
        let mesh = mesh(rules);
        let rules = DestinationRules::new(&mesh);
        let found = rules.for_host(client, CART, Some("shop"));
        assert_eq!(found.into_iter().map(Object::full_name).collect::<Vec<_>>(), expected, "{client}");
    }

    #[test]
    fn clients_come_before_services_and_the_root() {
        let rules = [("bank/own", CART, ""), ("shop/home", "cart", ""), ("istio-system/all", "*.local", "")];
        check(&rules, "bank", &["bank/own"]);
        check(&rules, "shop", &["shop/home"]);
        check(&rules, "tools", &["shop/home"]);
        check(&rules, "istio-system", &["shop/home"]);
        check(&rules[2..], "tools", &["istio-system/all"]);
    }

    #[test]
    fn exact_hosts_come_before_longer_wildcards() {
        let rules =
            [("shop/all", "*.local", ""), ("shop/near", "*.shop.svc.cluster.local", ""), ("shop/exact", "cart", "")];
        check(&rules, "tools", &["shop/exact"]);
        check(&rules[..2], "tools", &["shop/near"]);
    }

    #[test]
    fn hidden_rules_do_not_count() {
        let rules = [("shop/hidden", "cart", ", exportTo: ['.']"), ("shop/wide", "*.local", "")];
        check(&rules, "shop", &["shop/hidden"]);
        check(&rules, "tools", &["shop/wide"]);
        check(
            &[("istio-system/own", CART, ", exportTo: ['.']"), ("shop/home", "cart", "")],
            "istio-system",
            &["istio-system/own"],
        );
    }

    #[test]
    fn wildcards_are_for_services_without_a_rule_of_their_own() {
        let mesh = mesh(&[("shop/all", "*.local", ""), ("shop/exact", "cart", "")]);
        let rules = DestinationRules::new(&mesh);
        let names: Vec<_> =
            mesh.each(Kind::DestinationRule).map(|rule| (rule.name(), rules.services_of(rule).len())).collect();
        assert_eq!(names, [("all", 0), ("exact", 1)]);
    }
}
