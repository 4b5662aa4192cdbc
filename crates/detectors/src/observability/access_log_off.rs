//! Finds meshes in which no proxy writes an access log.

use super::access_logs::{READS, by_namespace, switch_on};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::Mesh;
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "obs/access-log-off", reads: READS, reports: &[&OBS0001], by_default: true, run },
};

static OBS0001: Code = Code {
    id: "OBS0001",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/observability/logs/access-log/",
    page: include_str!("pages/OBS0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let namespaces = by_namespace(mesh);
    if !namespaces.is_empty() && namespaces.values().all(|logging| logging.on == 0) {
        messages.report(nobody_logs(mesh));
    }
}

fn nobody_logs(mesh: &Mesh) -> Message<'_> {
    let text = "No proxy writes an access log: neither accessLogFile nor a provider is set, so that response flags of \
                failed requests are not to be had.";
    let message = match mesh.namespace(mesh.istio_namespace()) {
        Some(namespace) => Message::new(&OBS0001, namespace, text),
        None => Message::without_object(&OBS0001, text),
    };
    message.remedy(switch_on(mesh))
}
