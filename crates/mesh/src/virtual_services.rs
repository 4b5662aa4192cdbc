//! Where the rules of a `VirtualService` apply: in sidecars, at gateways.

use super::host;
use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// The word that stands for all sidecars among `gateways`
/// (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService>).
pub const SIDECARS: &str = "mesh";

/// Whether sidecars follow a `VirtualService`, as they do where it names no gateway.
pub fn is_for_mesh(service: &Object) -> bool {
    let gateways = service.spec().get("gateways");
    gateways.is_empty() || gateways.texts().any(|gateway| gateway == SIDECARS)
}

/// Whether a rule of a `VirtualService` applies at a gateway, or in sidecars where the name is [`SIDECARS`]: one of its
/// matches names it, or names none, or there are no matches.
pub fn rule_applies_at(service: &Object, rule: View<'_>, is_wanted: impl Fn(&str) -> bool) -> bool {
    let matches = rule.get("match");
    let at = |gateways: View<'_>| gateways.texts().any(&is_wanted);
    let everywhere = || match service.spec().get("gateways") {
        gateways if gateways.is_empty() => is_wanted(SIDECARS),
        gateways => at(gateways),
    };
    if matches.is_empty() {
        return everywhere();
    }
    matches.items().any(|it| {
        let gateways = it.get("gateways");
        if gateways.is_empty() { everywhere() } else { at(gateways) }
    })
}

impl Mesh {
    /// The Gateways of Istio that a `VirtualService` is bound to, as far as they exist.
    pub fn gateways_of<'m>(&'m self, service: &'m Object) -> impl Iterator<Item = &'m Object> {
        let names = service.spec().get("gateways").texts().filter(|gateway| *gateway != SIDECARS);
        names.filter_map(|reference| {
            let (namespace, name) = host::reference(service.namespace(), reference);
            self.find(Kind::Gateway, namespace, name)
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    /// Whether the first rule applies in sidecars, and at the gateways `a` and `b`.
    fn check(spec: &str, expected: [bool; 3]) {
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: cart, namespace: shop}}\nspec: \
             {spec}\n"
        );
        let mut builder = MeshBuilder::new(Settings::new(jiff::Timestamp::UNIX_EPOCH));
        builder.add_files(&[("mesh.yaml".to_owned(), text)]);
        let mesh = builder.build();
        let service = mesh.each(Kind::VirtualService).next().unwrap();
        let rule = service.spec().get("http").items().next().unwrap();
        let applies = [SIDECARS, "a", "b"].map(|place| rule_applies_at(service, rule, |name| name == place));
        assert_eq!(applies, expected, "{spec}");
    }

    #[test]
    fn rules_apply_where_their_matches_or_the_whole_say() {
        check("{http: [{timeout: 1s}]}", [true, false, false]);
        check("{gateways: [a], http: [{timeout: 1s}]}", [false, true, false]);
        check("{gateways: [a, mesh], http: [{match: [{gateways: [b]}, {port: 80}]}]}", [true, true, true]);
        check("{gateways: [a, mesh], http: [{match: [{gateways: [mesh]}]}]}", [true, false, false]);
    }
}
