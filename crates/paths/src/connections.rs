//! Rules of a `VirtualService` for what is not HTTP: by port, and by the server name of TLS
//! (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#TLSRoute>).

use crate::matching::{Place, source_takes};
use crate::network::Network;
use crate::request::Request;
use crate::routing::Rule;
use mesh::{Object, View, host};

impl<'m> Network<'m> {
    /// The first rule of a `VirtualService` for TLS, then for TCP, that takes a connection.
    pub(crate) fn connection_rule(
        &self,
        service: &'m Object,
        place: &Place<'_>,
        request: &Request,
    ) -> Option<Rule<'m>> {
        let name = request.server_name().filter(|_| request.protocol.is_tls());
        let takes = |wanted: View<'m>| {
            let gateways = wanted.get("gateways");
            let names = wanted.field("sniHosts");
            let port = wanted.get("port").integer();
            (gateways.is_empty() || gateways.texts().any(|gateway| place.is_named(gateway, service.namespace())))
                && (port == 0 || port == i64::from(place.port))
                && (names.is_empty()
                    || names.texts().any(|wanted| name.is_some_and(|name| host::is_subset(name, wanted))))
                && source_takes(wanted, place)
        };
        for field in ["tls", "tcp"] {
            if field == "tls" && name.is_none() {
                continue;
            }
            for (view, index) in service.spec().get(field).items().zip(0..) {
                let matches = view.get("match");
                if matches.is_empty() || matches.items().any(takes) {
                    return Some(Rule {
                        object: service,
                        view,
                        path: format!("spec.{field}[{index}]"),
                        matched: View::MISSING,
                    });
                }
            }
        }
        None
    }
}
