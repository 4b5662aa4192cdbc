//! Who there is in the mesh: service accounts, and the principals by which policies name them.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::Kind;
use super::membership::{Workload, is_ambient_pod};
use super::object::Object;
use super::services::is_finished;
use super::snapshot::Mesh;

/// The trust domain of a mesh that sets none. In a policy it means whatever trust domain the mesh has
/// (<https://istio.io/latest/docs/tasks/security/authorization/authz-td-migration/>).
const DEFAULT_TRUST_DOMAIN: &str = "cluster.local";

/// A service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Whether pods run as it.
    pub in_use: bool,
    /// Whether one of them has a proxy, or is in the ambient mesh, and so can prove who it is.
    pub in_mesh: bool,
}

/// Every service account that there is, by namespace and name, and the trust domains of the mesh.
#[derive(Debug, Default)]
pub struct Identities<'m> {
    accounts: BTreeMap<(&'m str, &'m str), Account>,
    /// All accounts of a namespace as if they were one.
    namespaces: BTreeMap<&'m str, Account>,
    trust_domains: BTreeSet<&'m str>,
}

/// What a policy's principal means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Not a principal at all; why.
    Malformed(&'static str),
    /// Of a trust domain that this mesh knows nothing of.
    Foreign,
    /// The accounts that it stands for, none where there is no such account.
    Accounts(Vec<Account>),
}

impl Mesh {
    /// The accounts that exist, and those that pods name.
    pub fn identities(&self) -> Identities<'_> {
        let mut identities = Identities { trust_domains: self.trust_domains(), ..Identities::default() };
        let unused = Account { in_use: false, in_mesh: false };
        for account in self.each(Kind::ServiceAccount) {
            identities.accounts.insert((account.namespace(), account.name()), unused);
        }
        for pod in self.each(Kind::Pod).filter(|pod| !is_finished(pod)) {
            let in_mesh = Workload::of_pod(pod).has_proxy() || is_ambient_pod(pod);
            for account in [
                identities.accounts.entry((pod.namespace(), account_of(pod))).or_insert(unused),
                identities.namespaces.entry(pod.namespace()).or_insert(unused),
            ] {
                account.in_use = true;
                account.in_mesh |= in_mesh;
            }
        }
        identities
    }

    /// The trust domain of the mesh and its aliases, of all revisions
    /// (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-trust_domain>).
    pub fn trust_domains(&self) -> BTreeSet<&str> {
        let mut domains = BTreeSet::from([DEFAULT_TRUST_DOMAIN]);
        for config in std::iter::once(self.config()).chain(self.configs().values()) {
            domains.extend(config.setting(&["trustDomain"]).value.text_if_any());
            domains.extend(config.layers.iter().flat_map(|layer| layer.config().field("trustDomainAliases").texts()));
        }
        domains
    }
}

/// The service account of a pod.
pub fn account_of(pod: &Object) -> &str {
    let account = pod.spec().field("serviceAccountName").text();
    if account.is_empty() { "default" } else { account }
}

impl Identities<'_> {
    pub fn get(&self, namespace: &str, name: &str) -> Option<Account> {
        self.accounts.get(&(namespace, name)).copied()
    }

    /// Whether pods run in a namespace, and whether any of them is in the mesh.
    pub fn namespace(&self, name: &str) -> Option<Account> {
        self.namespaces.get(name).copied()
    }

    /// What a principal in a policy stands for: `<trust domain>/ns/<namespace>/sa/<account>`, with `*` at one of its ends
    /// (<https://istio.io/latest/docs/reference/config/security/authorization-policy/#Source>).
    pub fn principal(&self, pattern: &str) -> Principal {
        if pattern.starts_with("spiffe://") {
            return Principal::Malformed("principals are written without `spiffe://`");
        }
        let (head, tail) = (pattern.strip_prefix('*'), pattern.strip_suffix('*'));
        if head.or(tail).unwrap_or(pattern).contains('*') && pattern != "*" {
            return Principal::Malformed("`*` works only as the first or the last character");
        }
        match (head, tail) {
            (None, None) => self.exactly(pattern),
            (Some(ending), _) => self.where_name(|name| name.ends_with(ending)),
            (None, Some(beginning)) => match beginning.split_once('/') {
                Some((domain, _)) if !self.trust_domains.contains(domain) => Principal::Foreign,
                _ => self.where_name(|name| name.starts_with(beginning)),
            },
        }
    }

    fn exactly(&self, principal: &str) -> Principal {
        let parts: Vec<&str> = principal.split('/').collect();
        let [domain, "ns", namespace, "sa", account] = parts[..] else {
            return Principal::Malformed("the form is `<trust domain>/ns/<namespace>/sa/<service account>`");
        };
        if !self.trust_domains.contains(domain) {
            return Principal::Foreign;
        }
        Principal::Accounts(self.get(namespace, account).into_iter().collect())
    }

    fn where_name(&self, matches: impl Fn(&str) -> bool) -> Principal {
        let named = |(namespace, account): &(&str, &str)| {
            self.trust_domains.iter().any(|domain| matches(&format!("{domain}/ns/{namespace}/sa/{account}")))
        };
        Principal::Accounts(self.accounts.iter().filter(|(key, _)| named(key)).map(|(_, account)| *account).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Extent, MeshBuilder, Settings};

    const ACCOUNTS: &str = r"
apiVersion: v1
kind: ServiceAccount
metadata: {name: cart, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: pay, namespace: bank}
spec: {serviceAccountName: pay, containers: [{name: istio-proxy, image: proxyv2}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: 'trustDomain: example.com'}
";

    #[test]
    fn principals_stand_for_accounts() {
        let mut builder = MeshBuilder::new(Settings {
            runtime_kinds: true,
            extent: Extent::Whole,
            ..Settings::new(jiff::Timestamp::UNIX_EPOCH)
        });
        builder.add_files(&[("accounts.yaml", ACCOUNTS)]);
        let mesh = builder.build();
        let identities = mesh.identities();
        let check = |pattern: &str, expected: &[bool]| {
            let Principal::Accounts(found) = identities.principal(pattern) else {
                panic!("{pattern}: {:?}", identities.principal(pattern));
            };
            assert_eq!(found.iter().map(|account| account.in_mesh).collect::<Vec<_>>(), expected, "{pattern}");
        };
        check("example.com/ns/bank/sa/pay", &[true]);
        check("cluster.local/ns/shop/sa/cart", &[false]);
        check("example.com/ns/shop/sa/pay", &[]);
        check("*", &[true, false]);
        check("*/sa/cart", &[false]);
        check("example.com/ns/bank/*", &[true]);
        assert_eq!(identities.principal("partner.net/ns/a/sa/b"), Principal::Foreign);
        assert_eq!(identities.principal("partner.net/*"), Principal::Foreign);
        for malformed in ["spiffe://example.com/ns/bank/sa/pay", "example.com/ns/*/sa/pay", "pay", "bank/pay"] {
            assert!(matches!(identities.principal(malformed), Principal::Malformed(_)), "{malformed}");
        }
        assert!(
            identities.namespace("bank").is_some_and(|found| found.in_mesh) && identities.namespace("shop").is_none()
        );
    }
}
