//! Finds `ServiceEntries` for TCP that have no address by which a proxy could tell their traffic.

use super::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, MeshConfig, Object, View};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "serviceentry.Analyzer",
    reads: &[Kind::ServiceEntry, Kind::MeshConfig],
    reports: &[&IST0134],
    by_default: true,
    run,
};

static IST0134: Code = Code {
    id: "IST0134",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0134/",
    page: include_str!("pages/IST0134.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for entry in mesh.each(Kind::ServiceEntry) {
        if has_address(mesh, entry) {
            continue;
        }
        for (port, index) in entry.spec().get("ports").items().zip(0..) {
            if is_opaque(port, mesh.is_compatible()) {
                messages.report(address_is_required(entry, index));
            }
        }
    }
}

/// Whether traffic for an entry has addresses of its own, given or allocated.
pub fn has_address(mesh: &Mesh, entry: &Object) -> bool {
    !entry.spec().get("addresses").is_empty()
        || !entry.status().get("addresses").is_empty()
        || allocates_addresses(mesh.config_of(entry.namespace()))
}

/// Whether proxies answer DNS queries with addresses of their own. That istiod allocates addresses by itself shows in
/// the status of a `ServiceEntry`.
/// See [DNS proxying](https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/).
fn allocates_addresses(config: &MeshConfig) -> bool {
    let is_on = |key: &str| config.proxy_metadata.get(key).is_some_and(|value| value == "true");
    is_on("ISTIO_META_DNS_CAPTURE") && (is_on("ISTIO_META_DNS_AUTO_ALLOCATE") || is_on("PILOT_ENABLE_IP_AUTOALLOCATE"))
}

/// Whether a port's traffic names no host that a proxy could read. `istioctl` does not think of protocols over TCP.
pub fn is_opaque(port: View<'_>, compatible: bool) -> bool {
    match port.get("protocol").text().to_ascii_uppercase().as_str() {
        "" | "TCP" => true,
        "MONGO" | "MYSQL" | "REDIS" => !compatible,
        _ => false,
    }
}

fn address_is_required(entry: &Object, index: usize) -> Message<'_> {
    let path = Path::spec().key("ports").index(index).key("name");
    Message::new(&IST0134, entry, "ServiceEntry addresses are required for this protocol.").at(path)
}
