//! Extension providers that Telemetries name: whether they are defined, and whether somebody is behind them.

use super::configs::{of_telemetry, place};
use analyzers::{Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, host};
use report::{Code, Severity};

/// What [`check`] asks the mesh for.
pub(super) const READS: &[Kind] =
    &[Kind::Telemetry, Kind::ConfigMap, Kind::Namespace, Kind::Service, Kind::ServiceEntry];

pub(super) static OBS0004: Code = Code {
    id: "OBS0004",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/telemetry/#ProviderRef",
    page: include_str!("pages/OBS0004.md"),
};

pub(super) static OBS0005: Code = Code {
    id: "OBS0005",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider",
    page: include_str!("pages/OBS0005.md"),
};

/// Reports the providers that Telemetries name under `tracing` or `accessLogging` and that do not work.
pub(super) fn check<'m>(mesh: &'m Mesh, signal: &'static str, messages: &mut Messages<'m>) {
    for telemetry in mesh.each(Kind::Telemetry) {
        for (block, i) in telemetry.spec().field(signal).items().zip(0..) {
            for (provider, j) in block.get("providers").items().zip(0..) {
                let path = Path::spec().key(signal).index(i).key("providers").index(j).key("name");
                let name = provider.get("name").text();
                if let Some(message) = check_provider(mesh, telemetry, name) {
                    messages.report(message.at(path));
                }
            }
        }
    }
}

fn check_provider<'m>(mesh: &'m Mesh, telemetry: &'m Object, name: &str) -> Option<Message<'m>> {
    let configs = of_telemetry(mesh, telemetry);
    if configs.iter().any(|config| !config.has_provider(name)) {
        return Some(is_not_defined(mesh, telemetry, name));
    }
    let missing = configs.into_iter().find_map(|config| {
        let service = service_of(config.extension_provider(name).value)?;
        (!is_known(mesh, service)).then_some(service)
    })?;
    Some(service_is_missing(telemetry, name, missing))
}

/// The host that a provider sends to, whatever its type; `namespace/` may stand before it.
fn service_of(provider: View<'_>) -> Option<&str> {
    let service = provider.entries().find_map(|(_, settings)| settings.get("service").text_if_any())?;
    Some(service.split_once('/').map_or(service, |(_, host)| host))
}

fn is_known(mesh: &Mesh, name: &str) -> bool {
    let (namespace, _) = host::service_of("", name);
    mesh.service_of_host(namespace, name).is_some()
        || mesh.hosts().look_up(mesh.istio_namespace(), std::iter::empty(), name).is_some()
}

fn is_not_defined<'m>(mesh: &Mesh, telemetry: &'m Object, name: &str) -> Message<'m> {
    let known: Vec<&str> =
        mesh.config_of(telemetry.namespace()).extension_providers.keys().map(String::as_str).collect();
    let text = format!(
        "Provider {name} is not defined in the mesh configuration (known: {}): nothing goes to it. istiod leaves it out, \
         and proxies send what the mesh's default says, or what they had before.",
        known.join(", ")
    );
    let remedy = format!(
        "Define it {}: `extensionProviders: [{{name: {name}, …}}]`; or name a provider that is defined.",
        place(mesh)
    );
    Message::new(&OBS0004, telemetry, text).remedy(remedy)
}

fn service_is_missing<'m>(telemetry: &'m Object, name: &str, service: &str) -> Message<'m> {
    let text =
        format!("Provider {name} sends to {service}, which is no Service and no host of a ServiceEntry: all is lost.");
    let remedy = format!("Install the collector, or correct the service of provider {name} in the mesh configuration.");
    Message::new(&OBS0005, telemetry, text).remedy(remedy)
}
