//! Finds validators of the newer revision that also judge what the older one uses.

use super::canary::Canary;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, REVISION, labels};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/newer-validates",
        reads: &[Kind::Deployment, Kind::ValidatingWebhookConfiguration],
        reports: &[&UPG0006],
        by_default: true,
        run,
    },
};

static UPG0006: Code = Code {
    id: "UPG0006",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-upgrade",
    page: include_str!("pages/UPG0006.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(canary) = Canary::of(mesh) else { return };
    for configuration in mesh.each(Kind::ValidatingWebhookConfiguration) {
        let new = canary.newer.revision;
        if configuration.label(REVISION) == Some(new) && judges_unlabelled(configuration) {
            messages.report(newer_judges_all(configuration, new, &canary.olds()));
        }
    }
}

/// Whether a webhook selects objects that are for no revision in particular, as most are.
fn judges_unlabelled(configuration: &Object) -> bool {
    let mut webhooks = configuration.root().get("webhooks").items();
    webhooks.any(|webhook| labels::selector_matches(webhook.field("objectSelector"), |_| None))
}

fn newer_judges_all<'m>(configuration: &'m Object, new: &str, olds: &str) -> Message<'m> {
    let text = format!(
        "Revision {new} validates every object without a label {REVISION}, also those for proxies of {olds}: it may refuse what \
         they take."
    );
    let remedy = format!(
        "Keep to what both revisions know until the upgrade is finished, or label an object {REVISION}=<revision>."
    );
    Message::new(&UPG0006, configuration, text).at(Path::metadata().key("labels").key(REVISION)).remedy(remedy)
}
