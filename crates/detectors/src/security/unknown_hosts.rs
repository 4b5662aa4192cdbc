//! Finds rules of `AuthorizationPolicy`s for hosts that nothing here answers to.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::security::rules::{Place, rules};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path, quoted};
use mesh::{Kind, Mesh, Object, host};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "sec/authz-unknown-host",
        reads: &[
            Kind::AuthorizationPolicy,
            Kind::Service,
            Kind::ServiceEntry,
            Kind::VirtualService,
            Kind::Gateway,
            Kind::KubernetesGateway,
            Kind::HttpRoute,
            Kind::GrpcRoute,
        ],
        reports: &[&SEC0021],
        by_default: true,
        run,
    },
};

static SEC0021: Code = Code {
    id: "SEC0021",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/best-practices/security/#writing-host-match-policies",
    page: include_str!("pages/SEC0021.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut known: Option<Hosts> = None;
    for policy in mesh.each(Kind::AuthorizationPolicy) {
        for part in rules(policy).flat_map(|rule| rule.parts) {
            if part.place != Place::To || part.field != "hosts" || part.negated {
                continue;
            }
            let known = known.get_or_insert_with(|| Hosts::new(mesh));
            for (value, index) in part.values.iter().zip(0..) {
                if !known.has(value) {
                    messages.report(host_is_unknown(policy, value, part.path.clone().index(index)));
                }
            }
        }
    }
}

/// The names that requests can have in their `Host` header.
struct Hosts {
    names: HashSet<String>,
    /// Those with a `*` in front.
    wildcards: Vec<String>,
}

impl Hosts {
    fn new(mesh: &Mesh) -> Self {
        let mut hosts = Self { names: HashSet::new(), wildcards: Vec::new() };
        for service in mesh.each(Kind::Service) {
            let (name, namespace) = (service.name(), service.namespace());
            hosts.add(name);
            hosts.add(&format!("{name}.{namespace}"));
            hosts.add(&format!("{name}.{namespace}.svc"));
            hosts.add(&host::fqdn(namespace, name));
        }
        for (kind, field) in [
            (Kind::ServiceEntry, "hosts"),
            (Kind::VirtualService, "hosts"),
            (Kind::HttpRoute, "hostnames"),
            (Kind::GrpcRoute, "hostnames"),
        ] {
            mesh.each(kind).flat_map(|object| object.spec().get(field).texts()).for_each(|name| hosts.add(name));
        }
        for gateway in mesh.each(Kind::Gateway) {
            let servers = gateway.spec().get("servers").items().flat_map(|server| server.get("hosts").texts());
            servers.for_each(|name| hosts.add(host::of_server(name).1));
        }
        for gateway in mesh.each(Kind::KubernetesGateway) {
            for listener in gateway.spec().get("listeners").items() {
                hosts.add(listener.get("hostname").text_if_any().unwrap_or("*"));
            }
        }
        hosts
    }

    fn add(&mut self, name: &str) {
        match name.strip_prefix('*') {
            Some(ending) => self.wildcards.push(ending.to_lowercase()),
            None => _ = self.names.insert(name.to_lowercase()),
        }
    }

    /// Whether a value of `hosts`, with a `*` at either end, can match. Where a gateway takes every host, any name but
    /// that of a service can.
    fn has(&self, value: &str) -> bool {
        let value = value.to_lowercase();
        let name = value.rsplit_once(':').map_or(value.as_str(), |(name, _)| name);
        if name == "*" || name.parse::<IpAddr>().is_ok() || name.starts_with('[') {
            return true;
        }
        let is_open = |ending: &String| !ending.is_empty() || !name.ends_with(".svc.cluster.local");
        let mut wildcards = self.wildcards.iter().filter(|ending| is_open(ending));
        match (name.strip_prefix('*'), name.strip_suffix('*')) {
            (Some(ending), _) => {
                self.names.iter().any(|known| known.ends_with(ending))
                    || wildcards.any(|known| known.ends_with(ending) || ending.ends_with(known))
            }
            (None, Some(beginning)) => {
                self.names.iter().any(|known| known.starts_with(beginning)) || wildcards.next().is_some()
            }
            (None, None) => self.names.contains(name) || wildcards.any(|known| name.ends_with(known.as_str())),
        }
    }
}

fn host_is_unknown<'m>(policy: &'m Object, value: &str, path: Path) -> Message<'m> {
    let text = format!(
        "No Service, ServiceEntry, VirtualService, Gateway or route has the host {}: the rule never matches by it.",
        quoted(value)
    );
    let name = value.split(':').next().unwrap_or_default();
    let remedy = format!(
        "Write the host as clients put it into the request, in both forms where they name a port: hosts: [\"{name}\", \"{name}:*\"]."
    );
    Message::new(&SEC0021, policy, text).at(path).remedy(remedy)
}
