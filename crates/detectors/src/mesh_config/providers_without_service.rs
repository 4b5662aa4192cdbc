//! Finds extension providers that point to a service which does not exist.

use super::maps;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Known, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/provider-service-missing",
        reads: &[
            Kind::Service,
            Kind::ServiceEntry,
            Kind::ConfigMap,
            Kind::Deployment,
            Kind::MutatingWebhookConfiguration,
        ],
        reports: &[&CFG0014],
        by_default: true,
        run,
    },
};

static CFG0014: Code = Code {
    id: "CFG0014",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider",
    page: include_str!("pages/CFG0014.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (control_plane, config) in maps::configs(mesh) {
        for name in config.extension_providers.keys() {
            let provider = config.extension_provider(name);
            let map = provider.from.and_then(|from| mesh.find(Kind::ConfigMap, mesh.istio_namespace(), from));
            let services = provider.value.entries().filter(|(_, settings)| !settings.get("service").text().is_empty());
            for (kind, settings) in services {
                let (service, port) = (settings.get("service").text(), settings.get("port").integer_if_any());
                if let (Some(map), Some(why)) = (map, trouble(mesh, service, port)) {
                    let what = format!("{name} ({kind})");
                    messages.report(provider_is_unreachable(map, control_plane.revision, &what, service, &why));
                }
            }
        }
    }
}

/// What is wrong with a service, written `[namespace/]host`: the host is a full name.
fn trouble(mesh: &Mesh, service: &str, port: Option<i64>) -> Option<String> {
    let (namespace, host) = service.split_once('/').unwrap_or(("", service));
    if !host.contains('.') {
        return Some("is no full host name, as <name>.<namespace>.svc.cluster.local".to_owned());
    }
    let known = match mesh.service_of_host(namespace, host) {
        Some(service) => Some(Known { object: service }),
        None => mesh.hosts().look_up(namespace, std::iter::empty(), host).or_else(|| entry_of(mesh, host)),
    };
    let Some(known) = known else { return Some("does not exist".to_owned()) };
    let port = port?;
    let mut ports = known.ports();
    if ports.any(|known| known == port) {
        return None;
    }
    let ports: Vec<String> = known.ports().map(|port| port.to_string()).collect();
    Some(format!("has no port {port}; it has {}", ports.join(", ")))
}

/// The `ServiceEntry` of a host, in whatever namespace it is: istiod itself looks the host up.
fn entry_of<'m>(mesh: &'m Mesh, host: &str) -> Option<Known<'m>> {
    let mut entries = mesh.each(Kind::ServiceEntry);
    let object = entries.find(|entry| entry.spec().get("hosts").texts().any(|known| known == host))?;
    Some(Known { object })
}

fn provider_is_unreachable<'m>(map: &'m Object, revision: &str, what: &str, service: &str, why: &str) -> Message<'m> {
    let text = format!("Extension provider {what} of revision {revision} sends to {service}, which {why}.");
    let remedy = format!(
        "Correct service and port in ConfigMap {}; for a host outside of the cluster add a ServiceEntry.",
        map.full_name()
    );
    Message::new(&CFG0014, map, text).at(Path::data("mesh")).remedy(remedy)
}
