//! Finds `VirtualService`s at gateways whose hosts have no dot, so that no browser ever sends them.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::virtual_services::is_for_mesh;
use mesh::{Kind, Mesh, Object, Server};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/short-host",
        reads: &[Kind::VirtualService, Kind::Gateway],
        reports: &[&NET0029],
        by_default: true,
        run,
    },
};

static NET0029: Code = Code {
    id: "NET0029",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService-hosts",
    page: include_str!("pages/NET0029.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::VirtualService).filter(|service| !is_for_mesh(service)) {
        for (name, index) in service.spec().get("hosts").texts().zip(0..) {
            if !name.is_empty() && !name.contains(['.', '*', ':']) {
                let path = Path::spec().key("hosts").index(index);
                messages.report(nobody_sends_this(mesh, service, name).at(path));
            }
        }
    }
}

fn nobody_sends_this<'m>(mesh: &Mesh, service: &'m Object, name: &str) -> Message<'m> {
    let (namespace, domain) = (service.namespace(), mesh.domain());
    let text = format!(
        "Host {name} has no dot, so Istio completes it to {name}.{namespace}.svc.{domain}, at gateways too: requests from \
         outside for {name} or for a public name never match and get 404."
    );
    let servers = mesh.gateways_of(service).flat_map(Server::all).flat_map(Server::hosts);
    let meant = servers.map(|(_, host)| host).find(|host| host.contains('.') && !host.starts_with('*'));
    let meant = meant.map_or_else(
        || "the full name that clients call, as shop.example.com, or * for every host".to_owned(),
        |host| format!("{host}, which its Gateway serves"),
    );
    let remedy = format!("In VirtualService {}, write {meant}, instead of {name}.", service.full_name());
    Message::new(&NET0029, service, text).remedy(remedy)
}
