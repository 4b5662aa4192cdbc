//! What `DestinationRule`s say about TLS towards a host, and for which of its ports and pods.

use analyzers::Path;
use mesh::{Mesh, Object, View, labels};

/// A `tls` block of a rule
/// (<https://istio.io/latest/docs/reference/config/networking/destination-rule/#ClientTLSSettings>).
pub(super) struct ClientTls<'m> {
    pub(super) mode: &'m str,
    /// The whole block.
    pub(super) settings: View<'m>,
    /// The subset that it is for; the whole host where there is none.
    pub(super) subset: View<'m>,
    /// The port of the service that it is for.
    pub(super) port: Option<i64>,
    /// Ports with settings of their own, which take nothing from those above them.
    elsewhere: Vec<i64>,
    /// The way to the block.
    pub(super) path: Path,
}

impl ClientTls<'_> {
    /// Whether it holds for a port of the service.
    pub(super) fn covers(&self, port: i64) -> bool {
        self.port.map_or_else(|| !self.elsewhere.contains(&port), |own| own == port)
    }

    /// The words for its port in a message.
    pub(super) fn on_port(&self) -> String {
        self.port.map(|port| format!(" on port {port}")).unwrap_or_default()
    }

    /// The pods of a Service that it is for.
    pub(super) fn pods<'m>(&self, mesh: &'m Mesh, service: &'m Object) -> Vec<&'m Object> {
        let mut pods = mesh.pods_of_service(service);
        pods.retain(|pod| labels::matches(self.subset.get("labels"), pod.labels()));
        pods
    }

    /// The ports of a Service that it is for.
    pub(super) fn ports<'m>(&self, service: &'m Object) -> impl Iterator<Item = View<'m>> {
        service.spec().get("ports").items().filter(|port| self.covers(port.get("port").integer()))
    }
}

/// The blocks of a rule: at the top, for ports, and for subsets.
pub(super) fn client_tls(rule: &Object) -> Vec<ClientTls<'_>> {
    let mut found = Vec::new();
    add(&mut found, rule.spec().field("trafficPolicy"), View::MISSING, Path::spec());
    for (subset, index) in rule.spec().get("subsets").items().zip(0..) {
        add(&mut found, subset.field("trafficPolicy"), subset, Path::spec().key("subsets").index(index));
    }
    found
}

fn add<'m>(found: &mut Vec<ClientTls<'m>>, policy: View<'m>, subset: View<'m>, path: Path) {
    let path = path.key("trafficPolicy");
    let number = |settings: View<'_>| settings.path(&["port", "number"]).integer_if_any();
    let levels = || policy.field("portLevelSettings").items();
    let blocks = levels().zip(0..).map(|(settings, index)| {
        (settings.get("tls"), number(settings), path.clone().key("portLevelSettings").index(index))
    });
    for (settings, port, path) in std::iter::once((policy.get("tls"), None, path.clone())).chain(blocks) {
        let mode = settings.get("mode").text();
        if !mode.is_empty() {
            let elsewhere = if port.is_none() { levels().filter_map(number).collect() } else { Vec::new() };
            found.push(ClientTls { mode, settings, subset, port, elsewhere, path: path.key("tls") });
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use mesh::{Kind, MeshBuilder, Settings};

    #[test]
    fn ports_with_their_own_settings_take_nothing_from_above() {
        let mut builder = MeshBuilder::new(Settings::new(jiff::Timestamp::UNIX_EPOCH));
        let text = r"
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec:
  host: cart
  trafficPolicy:
    tls: {mode: SIMPLE}
    portLevelSettings:
    - port: {number: 80}
      loadBalancer: {simple: RANDOM}
    - port: {number: 81}
      tls: {mode: DISABLE}
  subsets:
  - name: v1
    trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}
";
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        let blocks = client_tls(mesh.each(Kind::DestinationRule).next().unwrap());
        let covered = |block: &ClientTls<'_>| [80, 81, 82].map(|port| block.covers(port));
        let found: Vec<_> = blocks.iter().map(|block| (block.mode, covered(block), block.path.to_string())).collect();
        let place = |rest: &str| format!("{{.spec.{rest}.tls}}");
        assert_eq!(
            found,
            [
                ("SIMPLE", [false, false, true], place("trafficPolicy")),
                ("DISABLE", [false, true, false], place("trafficPolicy.portLevelSettings[1]")),
                ("ISTIO_MUTUAL", [true, true, true], place("subsets[0].trafficPolicy")),
            ]
        );
    }
}
