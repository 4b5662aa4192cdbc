//! Finds references to hosts and delegates that `exportTo` hides from those who follow them.

use std::collections::HashMap;

use super::followers::{followers, namespaces_with_proxies};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path, destinations};
use mesh::{Kind, Mesh, Object, host};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/exportto-hidden",
        reads: &[
            Kind::VirtualService,
            Kind::Sidecar,
            Kind::Gateway,
            Kind::Service,
            Kind::ServiceEntry,
            Kind::Pod,
            Kind::Namespace,
            Kind::MeshConfig,
        ],
        reports: &[&NET0021],
        by_default: true,
        run,
    },
};

static NET0021: Code = Code {
    id: "NET0021",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/best-practices/traffic-management/#cross-namespace-configuration-sharing",
    page: include_str!("pages/NET0021.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let owners = owners(mesh);
    let with_proxies = namespaces_with_proxies(mesh);
    for service in mesh.each(Kind::VirtualService) {
        let followers = followers(mesh, service, &with_proxies);
        for destination in destinations::of(mesh, service) {
            let host = host::fqdn(service.namespace(), destination.view.get("host").text());
            for follower in &followers {
                if let Some(owner) = hidden(mesh, &owners, &host, follower) {
                    messages.report(host_is_hidden(service, &host, owner, follower).at(destination.path.clone()));
                }
            }
        }
        check_delegates(mesh, service, messages);
    }
    for sidecar in mesh.each(Kind::Sidecar) {
        for (hosts, i) in sidecar.spec().get("egress").items().zip(0..) {
            for (entry, j) in hosts.get("hosts").texts().zip(0..) {
                let Some((_, host)) = entry.split_once('/') else { continue };
                if let Some(owner) = hidden(mesh, &owners, host, sidecar.namespace()) {
                    let path = Path::spec().key("egress").index(i).key("hosts").index(j);
                    messages.report(host_is_hidden(sidecar, host, owner, sidecar.namespace()).at(path));
                }
            }
        }
    }
}

/// The Services and `ServiceEntries` behind exact hosts that not everybody sees, with those that everybody sees beside
/// them.
fn owners(mesh: &Mesh) -> HashMap<String, Vec<&Object>> {
    let mut owners: HashMap<String, Vec<&Object>> = HashMap::new();
    for service in mesh.each(Kind::Service) {
        owners.entry(host::fqdn(service.namespace(), service.name())).or_default().push(service);
    }
    for entry in mesh.each(Kind::ServiceEntry) {
        for name in entry.spec().get("hosts").texts() {
            owners.entry(name.to_owned()).or_default().push(entry);
        }
    }
    owners
}

/// What is behind a host, if there is something and a namespace sees none of it.
fn hidden<'m>(
    mesh: &Mesh,
    owners: &HashMap<String, Vec<&'m Object>>,
    host: &str,
    namespace: &str,
) -> Option<&'m Object> {
    let owners = owners.get(host)?;
    let is_hidden = owners.iter().all(|owner| !mesh.is_visible(owner, namespace));
    // A wildcard that is seen may stand in for it.
    let has_wildcard = || mesh.hosts().look_up(namespace, std::iter::empty(), host).is_some();
    owners.first().copied().filter(|_| is_hidden && !has_wildcard())
}

/// A delegate must be exported to the namespace of the `VirtualService` that hands over to it
/// (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#Delegate>).
fn check_delegates<'m>(mesh: &'m Mesh, service: &'m Object, messages: &mut Messages<'m>) {
    for (rule, index) in service.spec().get("http").items().zip(0..) {
        let delegate = rule.get("delegate");
        let namespace = delegate.get("namespace").text_if_any().unwrap_or(service.namespace());
        let Some(delegate) = mesh.find(Kind::VirtualService, namespace, delegate.get("name").text()) else { continue };
        if !mesh.is_visible(delegate, service.namespace()) {
            let path = Path::spec().key("http").index(index).key("delegate");
            messages.report(host_is_hidden(service, &delegate.full_name(), delegate, service.namespace()).at(path));
        }
    }
}

fn host_is_hidden<'m>(object: &'m Object, what: &str, owner: &Object, follower: &str) -> Message<'m> {
    let text = format!(
        "{what} is there ({}), but not exported to namespace {follower}, whose proxies are sent to it: for them it does not \
         exist (404 NR, 503 NC).",
        owner.origin()
    );
    let field =
        if owner.kind() == Kind::Service { "the annotation networking.istio.io/exportTo" } else { "spec.exportTo" };
    let remedy = format!("Add {follower} (or *) to {field} of {}.", owner.origin());
    Message::new(&NET0021, object, text).remedy(remedy)
}
