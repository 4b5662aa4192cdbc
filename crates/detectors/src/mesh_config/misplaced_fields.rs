//! Finds settings of proxies among those of the mesh, and the reverse.

use super::fields::{self, Unknown};
use super::maps::{self, UserMap};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/wrong-level",
        reads: &[Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&CFG0012],
        by_default: true,
        run,
    },
};

static CFG0012: Code = Code {
    id: "CFG0012",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig",
    page: include_str!("pages/CFG0012.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for map in maps::of_users(mesh) {
        for unknown in fields::unknown(map.config(mesh)).iter().filter(|unknown| fields::is_misplaced(unknown)) {
            messages.report(field_is_misplaced(&map, unknown));
        }
    }
}

fn field_is_misplaced<'m>(map: &UserMap<'m>, unknown: &Unknown<'_>) -> Message<'m> {
    let name = unknown.name;
    let (stands, belongs) = if unknown.place.is_empty() {
        ("stands at the top, but is a setting of proxies", "Move it below defaultConfig")
    } else {
        ("stands below defaultConfig, but is a setting of the mesh", "Move it to the top, out of defaultConfig")
    };
    let text = format!("{name} {stands}: it has no effect on revision {}.", map.revision);
    let remedy = format!("{belongs}, in ConfigMap {}.", map.map.full_name());
    Message::new(&CFG0012, map.map, text).at(Path::data("mesh")).remedy(remedy)
}
