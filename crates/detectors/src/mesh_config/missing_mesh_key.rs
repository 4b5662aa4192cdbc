//! Finds shared `ConfigMaps` whose settings do not stand directly below the key `mesh`.

use super::maps::{self, UserMap, WRAPPERS};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/no-mesh-key",
        reads: &[Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&CFG0008],
        by_default: true,
        run,
    },
};

static CFG0008: Code = Code {
    id: "CFG0008",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig",
    page: include_str!("pages/CFG0008.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for map in maps::of_users(mesh) {
        let data = map.map.root().get("data");
        if data.get("mesh").text_if_any().is_none() {
            let keys: Vec<&str> = data.entries().map(|(key, _)| key).collect();
            messages.report(key_is_missing(&map, &keys));
            continue;
        }
        let config = map.config(mesh);
        for wrapper in WRAPPERS.into_iter().filter(|wrapper| config.get(wrapper).is_map()) {
            messages.report(settings_are_wrapped(&map, wrapper));
        }
    }
}

fn key_is_missing<'m>(map: &UserMap<'m>, keys: &[&str]) -> Message<'m> {
    let has = if keys.is_empty() { "no data".to_owned() } else { format!("the keys {}", keys.join(", ")) };
    let text = format!(
        "ConfigMap {} has {has}, but not the key mesh, which is all that istiod of revision {} reads.",
        map.map.name(),
        map.revision
    );
    let remedy = format!(
        "Put the settings below data.mesh: kubectl edit configmap {} -n {}",
        map.map.name(),
        map.map.namespace()
    );
    Message::new(&CFG0008, map.map, text).remedy(remedy)
}

fn settings_are_wrapped<'m>(map: &UserMap<'m>, wrapper: &str) -> Message<'m> {
    let text =
        format!("The settings stand below {wrapper}: inside of the key mesh, where istiod looks for fields only.");
    let remedy = format!("Remove the line {wrapper}: and unindent what is below it, in ConfigMap {}.", map.map.name());
    Message::new(&CFG0008, map.map, text).at(Path::data("mesh")).remedy(remedy)
}
