//! Which `VirtualService`s are bound to which Gateway
//! (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService>).

use std::collections::HashMap;

use super::host;
use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;

/// The `VirtualService`s that name each Gateway, in order.
#[derive(Debug)]
pub struct Bindings<'m>(HashMap<(&'m str, &'m str), Vec<&'m Object>>);

impl<'m> Bindings<'m> {
    pub fn of(&self, gateway: &'m Object) -> &[&'m Object] {
        self.0.get(&(gateway.namespace(), gateway.name())).map_or(&[], Vec::as_slice)
    }
}

impl Mesh {
    /// Who is bound to which Gateway; `mesh` stands for sidecars and is left out.
    pub fn bindings(&self) -> Bindings<'_> {
        let mut bound: HashMap<(&str, &str), Vec<&Object>> = HashMap::new();
        for service in self.each(Kind::VirtualService) {
            for gateway in service.spec().get("gateways").texts().filter(|gateway| *gateway != "mesh") {
                bound.entry(host::reference(service.namespace(), gateway)).or_default().push(service);
            }
        }
        Bindings(bound)
    }
}
