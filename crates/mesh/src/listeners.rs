//! Listeners of Gateways of the Gateway API
//! (<https://gateway-api.sigs.k8s.io/reference/spec/#listener>).

use super::object::Object;
use super::view::View;

/// One listener.
#[derive(Debug, Clone, Copy)]
pub struct KubernetesListener<'m> {
    pub gateway: &'m Object,
    /// Its place among the Gateway's listeners.
    pub index: usize,
    pub view: View<'m>,
}

impl<'m> KubernetesListener<'m> {
    pub fn all(gateway: &'m Object) -> impl Iterator<Item = Self> {
        gateway.spec().get("listeners").items().zip(0..).map(move |(view, index)| Self { gateway, index, view })
    }

    pub fn name(self) -> &'m str {
        self.view.get("name").text()
    }

    /// The host that it is for; `*` where it is for any.
    pub fn host(self) -> &'m str {
        self.view.get("hostname").text_if_any().filter(|host| !host.is_empty()).unwrap_or("*")
    }

    /// Whether TLS ends here, which it does unless the listener passes it through.
    pub fn ends_tls(self) -> bool {
        let tls = self.view.get("tls");
        tls.is_map() && tls.get("mode").text() != "Passthrough"
    }

    /// The Secrets with its certificates: namespace and name.
    pub fn secrets(self) -> impl Iterator<Item = (&'m str, &'m str)> {
        let own = self.gateway.namespace();
        let references = self.view.get("tls").get("certificateRefs").items();
        let secrets = references.filter(|reference| {
            matches!(reference.get("kind").text(), "" | "Secret") && reference.get("group").text().is_empty()
        });
        secrets.map(move |reference| {
            let namespace = reference.get("namespace").text_if_any().filter(|namespace| !namespace.is_empty());
            (namespace.unwrap_or(own), reference.get("name").text())
        })
    }

    /// What a controller says about it; missing where it says nothing.
    pub fn status(self) -> View<'m> {
        let name = self.name();
        let mut listeners = self.gateway.status().get("listeners").items();
        listeners.find(|listener| listener.get("name").text() == name).unwrap_or(View::MISSING)
    }
}
