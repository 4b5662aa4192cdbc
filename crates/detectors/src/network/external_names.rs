//! Finds Services of type `ExternalName` that lead nowhere, or whose own rules have no effect.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::virtual_services::is_for_mesh;
use mesh::{Kind, Mesh, Object, host};
use report::{Code, Severity};

/// Names of their ports are IST0150.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/external-name",
        reads: &[Kind::Service, Kind::VirtualService, Kind::DestinationRule],
        reports: &[&NET0015],
        by_default: true,
        run,
    },
};

static NET0015: Code = Code {
    id: "NET0015",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/news/releases/1.21.x/announcing-1.21/upgrade-notes/",
    page: include_str!("pages/NET0015.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let rules = rules_by_host(mesh);
    for service in mesh.each(Kind::Service).filter(|service| service.spec().get("type").text() == "ExternalName") {
        let own = host::fqdn(service.namespace(), service.name());
        let target = service.spec().field("externalName").text().trim_end_matches('.');
        if let Some(why) = leads_nowhere(mesh, &own, target) {
            messages.report(name_leads_nowhere(service, target, &why));
        } else if let Some(rules) = rules.get(&own) {
            messages.report(rules_have_no_effect(service, target, rules));
        }
    }
}

fn leads_nowhere(mesh: &Mesh, own: &str, target: &str) -> Option<String> {
    if target.parse::<Ipv4Addr>().is_ok() {
        return Some("DNS takes it for a name and not for an address".to_owned());
    }
    if target == own {
        return Some("that is the Service itself".to_owned());
    }
    let (namespace, name) = host::service_of("", target);
    let is_missing = !namespace.is_empty() && mesh.find(Kind::Service, namespace, name).is_none();
    is_missing.then(|| format!("there is no Service {namespace}/{name}"))
}

/// The rules for each host that sidecars would follow.
fn rules_by_host(mesh: &Mesh) -> BTreeMap<String, Vec<&Object>> {
    let mut rules: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
    for rule in mesh.each(Kind::DestinationRule) {
        rules.entry(host::fqdn(rule.namespace(), rule.spec().get("host").text())).or_default().push(rule);
    }
    for service in mesh.each(Kind::VirtualService).filter(|service| is_for_mesh(service)) {
        for name in service.spec().get("hosts").texts() {
            rules.entry(host::fqdn(service.namespace(), name)).or_default().push(service);
        }
    }
    rules
}

fn name_leads_nowhere<'m>(service: &'m Object, target: &str, why: &str) -> Message<'m> {
    let text = format!("The Service stands for {target}, but {why}: its name does not resolve.");
    let remedy = format!(
        "Set externalName of Service {} to a DNS name that exists, or describe the host with a ServiceEntry instead.",
        service.full_name()
    );
    Message::new(&NET0015, service, text).at(Path::spec().key("externalName")).remedy(remedy)
}

fn rules_have_no_effect<'m>(service: &'m Object, target: &str, rules: &[&Object]) -> Message<'m> {
    let names: Vec<String> = rules.iter().map(|rule| rule.origin()).collect();
    let names = names.join(", ");
    let text = format!(
        "The Service is only another name for {target}, so what is said for it has no effect: {names}. Proxies follow the \
         rules for {target}."
    );
    let remedy = format!("Change the host in {names} to {target}.");
    Message::new(&NET0015, service, text).at(Path::spec().key("externalName")).remedy(remedy)
}
