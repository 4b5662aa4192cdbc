//! Finds settings that the add-on does not allow.

use super::fields;
use super::maps::{self, UserMap};
use crate::reference::ADD_ON;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/blocked-field",
        reads: &[Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&CFG0010],
        by_default: true,
        run,
    },
};

static CFG0010: Code = Code {
    id: "CFG0010",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig#allowed-supported-and-blocked-meshconfig-values",
    page: include_str!("pages/CFG0010.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    for map in maps::of_users(mesh) {
        let config = map.config(mesh);
        for (field, _) in config.entries() {
            if fields::has(fields::MESH, field) && !ADD_ON.mesh_config.has(&fields::camel(field)) {
                messages.report(field_is_blocked(&map, field));
            }
        }
        for (field, _) in config.field("defaultConfig").entries() {
            if fields::has(fields::PROXY, field) && !ADD_ON.proxy_config.has(&fields::camel(field)) {
                messages.report(field_is_blocked(&map, &format!("defaultConfig.{field}")));
            }
        }
    }
}

fn field_is_blocked<'m>(map: &UserMap<'m>, field: &str) -> Message<'m> {
    let text = format!(
        "{field} is not among the fields that the add-on allows (by its page of {}). It is not supported, and the API \
         of AKS refuses the ConfigMap when it is applied again.",
        ADD_ON.date
    );
    let remedy = format!("Remove {field} from ConfigMap {}, and look for an allowed setting.", map.map.full_name());
    Message::new(&CFG0010, map.map, text).at(Path::data("mesh")).remedy(remedy)
}
