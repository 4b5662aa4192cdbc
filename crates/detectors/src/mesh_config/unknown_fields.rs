//! Finds settings that the mesh configuration does not have.

use super::fields::{self, Unknown};
use super::maps::{self, UserMap, WRAPPERS};
use crate::wording::nearest;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh};
use report::{Code, Severity};

const ALLOWED: &str = "https://learn.microsoft.com/azure/aks/istio-meshconfig";

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/unknown-field",
        reads: &[Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&CFG0009],
        by_default: true,
        run,
    },
};

static CFG0009: Code = Code {
    id: "CFG0009",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/",
    page: include_str!("pages/CFG0009.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for map in maps::of_users(mesh) {
        for unknown in fields::unknown(map.config(mesh)).iter().filter(|unknown| !is_told_elsewhere(unknown)) {
            messages.report(field_is_unknown(mesh, &map, unknown));
        }
    }
}

/// A field of another level has a rule of its own, and so has a wrapper.
fn is_told_elsewhere(unknown: &Unknown<'_>) -> bool {
    fields::is_misplaced(unknown) || unknown.place.is_empty() && WRAPPERS.contains(&unknown.name)
}

fn field_is_unknown<'m>(mesh: &Mesh, map: &UserMap<'m>, unknown: &Unknown<'_>) -> Message<'m> {
    let name = unknown.name;
    let place = if unknown.place.is_empty() { "at the top".to_owned() } else { format!("below {}", unknown.place) };
    let nearest = nearest(name, unknown.known);
    let meant = nearest.map(|field| format!(" The nearest field is {field}.")).unwrap_or_default();
    let text = format!(
        "{name} ({place}) is no field of the mesh configuration, so it has no effect on revision {}.{meant}",
        map.revision
    );
    let map_name = map.map.full_name();
    let remedy = match nearest {
        Some(field) => format!("Write {field} in ConfigMap {map_name}: names are in camelCase, and case counts."),
        None if mesh.is_aks() => format!("Remove it from ConfigMap {map_name}; the fields are listed at {ALLOWED}."),
        None => format!("Remove it from ConfigMap {map_name}."),
    };
    Message::new(&CFG0009, map.map, text).at(Path::data("mesh")).remedy(remedy)
}
