//! Where a `VirtualService` sends traffic, and where in it that is written.

use super::Path;
use mesh::{Mesh, Object, View};

/// One destination.
pub struct Destination<'m> {
    /// A missing one reads as if it were empty.
    pub view: View<'m>,
    pub is_mirror: bool,
    /// The way to its host.
    pub path: Path,
}

/// The destinations of routes and mirrors.
pub fn of<'m>(mesh: &Mesh, service: &'m Object) -> Vec<Destination<'m>> {
    let mut destinations = Vec::new();
    for protocol in ["tcp", "tls", "http"] {
        for (rule, i) in service.spec().get(protocol).items().zip(0..) {
            for (route, j) in rule.get("route").items().zip(0..) {
                let path = Path::spec().key(protocol).index(i).key("route").index(j).key("destination").key("host");
                destinations.push(Destination { view: route.get("destination"), is_mirror: false, path });
            }
        }
    }
    for (rule, i) in service.spec().get("http").items().zip(0..) {
        let here = Path::spec().key("http").index(i);
        if rule.get("mirror").is_map() {
            let path = here.clone().key("mirror").key("host");
            destinations.push(Destination { view: rule.get("mirror"), is_mirror: true, path });
        }
        for (mirror, j) in rule.get("mirrors").items().zip(0..) {
            let item = here.clone().key("mirrors").index(j);
            // `istioctl` forgets a step of the way, and so finds no line.
            let path = if mesh.is_compatible() { item.key("host") } else { item.key("destination").key("host") };
            destinations.push(Destination { view: mirror.get("destination"), is_mirror: true, path });
        }
    }
    destinations
}
