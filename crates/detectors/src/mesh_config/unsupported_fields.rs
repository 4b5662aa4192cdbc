//! Finds settings that the add-on allows without supporting them.

use super::fields;
use super::maps::{self, UserMap};
use crate::reference::{ADD_ON, AllowList};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/allowed-only",
        reads: &[Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&CFG0011],
        by_default: true,
        run,
    },
};

static CFG0011: Code = Code {
    id: "CFG0011",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig#allowed-supported-and-blocked-meshconfig-values",
    page: include_str!("pages/CFG0011.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    for map in maps::of_users(mesh) {
        let config = map.config(mesh);
        let is_only_allowed = |list: &AllowList, field: &str| {
            let field = fields::camel(field);
            list.has(&field) && !list.is_supported(&field)
        };
        let at_the_top = config.entries().map(|(field, _)| field);
        let at_the_top = at_the_top.filter(|field| is_only_allowed(&ADD_ON.mesh_config, field)).map(str::to_owned);
        let of_proxies = config.field("defaultConfig").entries().map(|(field, _)| field);
        let of_proxies = of_proxies.filter(|field| is_only_allowed(&ADD_ON.proxy_config, field));
        let found: Vec<String> = at_the_top.chain(of_proxies.map(|field| format!("defaultConfig.{field}"))).collect();
        if !found.is_empty() {
            messages.report(fields_are_unsupported(&map, &found));
        }
    }
}

fn fields_are_unsupported<'m>(map: &UserMap<'m>, found: &[String]) -> Message<'m> {
    let text = format!(
        "Allowed by the add-on, but outside of Microsoft's support (by its page of {}): {}.",
        ADD_ON.date,
        found.join(", ")
    );
    let remedy = "Nothing has to be done. Expect help with these settings from Istio's community only.";
    Message::new(&CFG0011, map.map, text).at(Path::data("mesh")).remedy(remedy)
}
