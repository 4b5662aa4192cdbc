//! Finds tags that an upgrade has not moved.

use super::canary::Canary;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, REVISION, TAG};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/tag-old",
        reads: &[Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&UPG0003],
        by_default: true,
        run,
    },
};

static UPG0003: Code = Code {
    id: "UPG0003",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/setup/upgrade/canary/#stable-revision-labels",
    page: include_str!("pages/UPG0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(canary) = Canary::of(mesh) else { return };
    for webhook in mesh.each(Kind::MutatingWebhookConfiguration) {
        if let (Some(tag), Some(revision)) = (webhook.label(TAG), webhook.label(REVISION))
            && canary.is_old(revision)
        {
            messages.report(tag_is_left_behind(mesh, webhook, tag, revision, canary.newer.revision));
        }
    }
}

fn tag_is_left_behind<'m>(mesh: &Mesh, webhook: &'m Object, tag: &str, revision: &str, new: &str) -> Message<'m> {
    let text = format!("Tag {tag} still points at revision {revision}: namespaces that name it stay there.");
    let remedy = format!(
        "When {new} is to take over: istioctl tag set {tag} --revision {new} --istioNamespace {} --overwrite. Then restart the \
         workloads of these namespaces: kubectl get namespaces -l {REVISION}={tag}",
        mesh.istio_namespace()
    );
    Message::new(&UPG0003, webhook, text).at(Path::metadata().key("labels").key(REVISION)).remedy(remedy)
}
