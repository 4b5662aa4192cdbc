//! Finds settings for a class of Gateways that have no effect, as they are in the wrong place, or there are several.

use super::definitions::{definitions, is_managed};
use super::settings::{CLASS, class_defaults};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{CLASS_DEFAULTS, Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/class-defaults",
        reads: &[Kind::ConfigMap, Kind::CustomResourceDefinition, Kind::KubernetesGateway, Kind::GatewayClass],
        reports: &[&GWA0009],
        by_default: true,
        run,
    },
};

static GWA0009: Code = Code {
    id: "GWA0009",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-gateway-api#configmap-customizations",
    page: include_str!("pages/GWA0009.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let home = mesh.istio_namespace();
    let (at_home, elsewhere): (Vec<&Object>, Vec<&Object>) =
        class_defaults(mesh).partition(|map| map.namespace() == home);
    for map in elsewhere {
        messages.report(is_elsewhere(map, home));
    }
    if let [first, others @ ..] = at_home.as_slice() {
        for map in others {
            messages.report(is_not_the_only_one(map, first));
        }
        return;
    }
    // AKS makes the map with its managed installation.
    let mut gateways = mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway));
    if mesh.is_aks()
        && definitions(mesh).any(is_managed)
        && let Some(gateway) = gateways.next()
    {
        messages.report(is_missing(gateway, home));
    }
}

fn is_elsewhere<'m>(map: &'m Object, home: &str) -> Message<'m> {
    let text =
        format!("Has settings for the class {CLASS}, but Istio reads those in namespace {home} only: no effect.");
    let remedy =
        format!("Put the settings into the ConfigMap of namespace {home} with the label {CLASS_DEFAULTS}={CLASS}.");
    Message::new(&GWA0009, map, text).at(Path::metadata().key("namespace")).remedy(remedy)
}

fn is_not_the_only_one<'m>(map: &'m Object, first: &Object) -> Message<'m> {
    let text = format!("Has settings for the class {CLASS}, and so has {}: only one of them is used.", first.origin());
    Message::new(&GWA0009, map, text).remedy("Merge them into one ConfigMap, and delete the other.")
}

fn is_missing<'m>(gateway: &'m Object, home: &str) -> Message<'m> {
    let text = format!(
        "There is no ConfigMap with the label {CLASS_DEFAULTS}={CLASS} in namespace {home}, which AKS makes: Gateways \
         get none of the add-on's settings, such as those of the health probe."
    );
    let remedy = "Let AKS make it again: `az aks update --resource-group <rg> --name <cluster> --enable-gateway-api`.";
    Message::new(&GWA0009, gateway, text).remedy(remedy)
}
