//! Finds autoscalers of the newer revision that will be overwritten.

use super::canary::Canary;
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/hpa-overridden",
        reads: &[Kind::Deployment, Kind::HorizontalPodAutoscaler],
        reports: &[&UPG0005],
        by_default: true,
        run,
    },
};

static UPG0005: Code = Code {
    id: "UPG0005",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-upgrade",
    page: include_str!("pages/UPG0005.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // Only the add-on copies the settings.
    let Some(canary) = Canary::of(mesh).filter(|_| mesh.is_aks()) else { return };
    let suffix = format!("-{}", canary.newer.revision);
    for newer in mesh.each(Kind::HorizontalPodAutoscaler) {
        let Some(base) = newer.name().strip_suffix(suffix.as_str()) else { continue };
        for older in &canary.older {
            let name = format!("{base}-{}", older.revision);
            let Some(stable) = mesh.find(Kind::HorizontalPodAutoscaler, newer.namespace(), &name) else { continue };
            let fields = differing(newer, stable);
            if !fields.is_empty() {
                messages.report(stable_one_wins(newer, stable, &fields));
            }
        }
    }
}

/// The settings in which two autoscalers differ. What they scale differs anyway.
fn differing(a: &Object, b: &Object) -> Vec<&'static str> {
    let fields = ["minReplicas", "maxReplicas", "metrics", "behavior"];
    fields.into_iter().filter(|field| a.spec().field(field).to_json() != b.spec().field(field).to_json()).collect()
}

fn stable_one_wins<'m>(newer: &'m Object, stable: &Object, fields: &[&str]) -> Message<'m> {
    let text = format!(
        "It differs from {} in {}: during an upgrade the add-on copies the settings of the stable revision over it.",
        stable.name(),
        names(fields)
    );
    let remedy = format!(
        "Change the stable one: kubectl patch hpa {} -n {} --type merge -p '{{\"spec\":{{\"minReplicas\":<n>}}}}'",
        stable.name(),
        stable.namespace()
    );
    Message::new(&UPG0005, newer, text).remedy(remedy)
}
