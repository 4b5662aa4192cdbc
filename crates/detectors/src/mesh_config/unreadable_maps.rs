//! Finds mesh configurations that are not the YAML they are meant to be.

use super::maps::{self, UserMap};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, yaml};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/bad-yaml",
        reads: &[Kind::ConfigMap, Kind::Deployment],
        reports: &[&CFG0007],
        by_default: true,
        run,
    },
};

static CFG0007: Code = Code {
    id: "CFG0007",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig#common-errors-and-troubleshooting-tips",
    page: include_str!("pages/CFG0007.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for map in maps::of_users(mesh) {
        let value = map.map.root().get("data").get("mesh");
        // That the key is not there at all is told elsewhere.
        if value.text_if_any().is_none() {
            continue;
        }
        match yaml::first_document(map.text()) {
            Err(why) => messages.report(is_no_yaml(&map, &why)),
            Ok(None) => messages.report(says_nothing(&map)),
            Ok(Some(tree)) => {
                let root = tree.root();
                let repeated = root.repeated_keys().chain(root.field("defaultConfig").repeated_keys());
                for key in repeated {
                    messages.report(key_is_repeated(&map, key));
                }
            }
        }
    }
}

fn is_no_yaml<'m>(map: &UserMap<'m>, why: &str) -> Message<'m> {
    let text = format!(
        "The mesh configuration of revision {} cannot be read: {why}. istiod keeps the last one that it could read, \
         and nothing of this one has an effect.",
        map.revision
    );
    let hint = if map.text().contains('\t') { ". Indent with spaces: YAML knows no tabs." } else { "" };
    let remedy = format!("Correct it: kubectl edit configmap {} -n {}{hint}", map.map.name(), map.map.namespace());
    Message::new(&CFG0007, map.map, text).at(Path::data("mesh")).remedy(remedy)
}

fn says_nothing<'m>(map: &UserMap<'m>) -> Message<'m> {
    let text = format!("The mesh configuration of revision {} is empty: it sets nothing.", map.revision);
    let remedy = "Write the settings below the key mesh, or delete the ConfigMap.";
    let message = Message::new(&CFG0007, map.map, text).at(Path::data("mesh")).remedy(remedy);
    Message { severity: Severity::Info, ..message }
}

fn key_is_repeated<'m>(map: &UserMap<'m>, key: &str) -> Message<'m> {
    let text = format!("{key} is written more than once, and only the last counts.");
    let remedy = format!("Leave one {key} in ConfigMap {}.", map.map.name());
    let message = Message::new(&CFG0007, map.map, text).at(Path::data("mesh")).remedy(remedy);
    Message { severity: Severity::Warning, ..message }
}
