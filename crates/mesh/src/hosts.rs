//! Which hosts the mesh knows: those of `ServiceEntries` and of Services, in the scopes that they are exported to.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;
use super::{domain, host};

/// The annotation that limits the namespaces which see a Service.
pub(super) const EXPORT_TO: &str = "networking.istio.io/exportTo";

/// Host names, each in its scope: `*` or a namespace.
#[derive(Debug, Default)]
pub struct HostMap {
    exact: HashMap<String, HashMap<String, Arc<Object>>>,
    /// Those that start with `*`, by what follows it: scope and object.
    wildcards: HashMap<String, Vec<(String, Arc<Object>)>>,
    /// How long these endings are.
    lengths: BTreeSet<usize>,
    /// The cluster's own domain.
    domain: String,
}

/// The Service or `ServiceEntry` behind a host.
#[derive(Debug, Clone, Copy)]
pub struct Known<'m> {
    pub object: &'m Object,
}

impl<'m> Known<'m> {
    /// Its port numbers, in order.
    pub fn ports(self) -> impl Iterator<Item = i64> + 'm {
        let spec = self.object.spec();
        let key = if self.object.kind() == Kind::Service { "port" } else { "number" };
        spec.get("ports").items().map(move |port| port.field(key).integer())
    }

    /// The labels by which a `ServiceEntry` selects its workloads; a Service's selector does not count here.
    pub fn workload_labels(self) -> View<'m> {
        if self.object.kind() == Kind::Service {
            return View::MISSING;
        }
        self.object.spec().path(&["workloadSelector", "labels"])
    }
}

impl HostMap {
    pub(super) fn new(mesh: &Mesh) -> Self {
        let mut map = Self { domain: mesh.domain().to_owned(), ..Self::default() };
        for entry in mesh.each_shared(Kind::ServiceEntry) {
            map.add_service_entry(entry);
        }
        for service in mesh.each_shared(Kind::Service) {
            let name = host::fqdn(service.namespace(), service.name());
            for scope in exported_scopes(service) {
                map.insert(scope, &name, service);
            }
        }
        map.sort_wildcards();
        map
    }

    fn add_service_entry(&mut self, entry: &Arc<Object>) {
        let namespace = entry.namespace();
        let mut exported_to: Vec<&str> = entry.spec().field("exportTo").texts().collect();
        for host in entry.spec().get("hosts").texts() {
            let host = host::fqdn(namespace, host);
            if exported_to.is_empty() {
                self.insert("*", &host, entry);
            }
            for index in 0..exported_to.len() {
                match exported_to[index] {
                    // From here on this entry is exported everywhere and nowhere else.
                    "*" => {
                        self.insert("*", &host, entry);
                        exported_to.clear();
                        break;
                    }
                    "." => self.insert(namespace, &host, entry),
                    scope => self.insert(scope, &host, entry),
                }
            }
        }
    }

    #[expect(clippy::iter_over_hash_type, reason = "each list is sorted by itself")]
    fn sort_wildcards(&mut self) {
        for objects in self.wildcards.values_mut() {
            objects.sort_by_cached_key(|(scope, object)| (scope.clone(), object.full_name()));
        }
    }

    fn insert(&mut self, scope: &str, host: &str, object: &Arc<Object>) {
        if let Some(ending) = host.strip_prefix('*') {
            self.lengths.insert(ending.len());
            self.wildcards.entry(ending.to_owned()).or_default().push((scope.to_owned(), object.clone()));
        }
        let hosts = match self.exact.get_mut(scope) {
            Some(hosts) => hosts,
            None => self.exact.entry(scope.to_owned()).or_default(),
        };
        hosts.insert(host.to_owned(), object.clone());
    }

    /// What a host means in a resource of this namespace with this `exportTo`. It is the *referring* resource's
    /// `exportTo` that chooses the scopes, as in `istioctl`.
    pub fn look_up<'h>(
        &'h self,
        namespace: &str,
        export_to: impl Iterator<Item = &'h str>,
        host: &str,
    ) -> Option<Known<'h>> {
        let host = &*domain::usual(&self.domain, host);
        let name = host::fqdn(namespace, host);
        let in_scope = |scope: &str| self.exact.get(scope)?.get(&name);
        let mut scopes = export_to.map(|entry| if entry == "." { namespace } else { entry }).peekable();
        let exact = in_scope("*")
            .or_else(|| if scopes.peek().is_none() { in_scope(namespace) } else { scopes.find_map(in_scope) });
        let object = exact.or_else(|| self.under_wildcard(namespace, host))?;
        Some(Known { object })
    }

    fn under_wildcard(&self, namespace: &str, host: &str) -> Option<&Arc<Object>> {
        let host = host.strip_prefix('*').unwrap_or(host);
        // The longest wildcard first.
        self.lengths.range(..=host.len()).rev().find_map(|length| {
            let objects = self.wildcards.get(host.get(host.len() - length..)?)?;
            objects.iter().find(|(scope, _)| scope == "*" || scope == namespace).map(|(_, object)| object)
        })
    }
}

/// The scopes that a Service's annotation names; `*` where it has none.
pub fn exported_scopes(service: &Object) -> Vec<&str> {
    match service.annotation(EXPORT_TO) {
        None | Some("") => vec!["*"],
        Some(list) => {
            let entries = list.split(',').map(str::trim);
            entries.map(|entry| if entry == "." { service.namespace() } else { entry }).collect()
        }
    }
}
