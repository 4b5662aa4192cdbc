//! Codes and messages that several analyzers report.

use super::message::{Message, Path, quoted};
use mesh::{Mesh, Object, View, Workload, labels};
use report::{Code, Severity};

pub(super) static IST0002: Code = Code {
    id: "IST0002",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0002/",
    page: include_str!("pages/IST0002.md"),
};

pub(super) static IST0101: Code = Code {
    id: "IST0101",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0101/",
    page: include_str!("pages/IST0101.md"),
};

/// Codes that Istio once had and that will not come back with another meaning.
pub const RETIRED: [&str; 11] = [
    "IST0104", "IST0105", "IST0113", "IST0114", "IST0115", "IST0117", "IST0119", "IST0120", "IST0121", "IST0122",
    "IST0124",
];

/// Something that an object refers to does not exist.
pub(super) fn reference_not_found<'m>(object: &'m Object, what: &str, value: &str) -> Message<'m> {
    Message::new(&IST0101, object, format!("Referenced {what} not found: {}", quoted(value)))
}

/// Something still works but will not for long, or already does nothing.
pub(super) fn deprecated<'m>(object: &'m Object, detail: &str) -> Message<'m> {
    Message::new(&IST0002, object, format!("Deprecated: {detail}"))
}

/// The port that a Service's port leads to, as it is written; 0 if it is not.
pub(super) fn target_port_text(port: View<'_>) -> &str {
    let text = port.get("targetPort").written();
    if text.is_empty() { "0" } else { text }
}

/// Whether a selector matches the pods that a Deployment would make, whether or not it has any at the moment: one that
/// is scaled to zero, or whose pods wait for something, is no mistake in whatever selects it. `istioctl` looks at pods
/// alone, and so does this if its answer is wanted.
pub(super) fn matches_template(
    mesh: &Mesh,
    selector: View<'_>,
    namespace: Option<&str>,
    test: impl Fn(Workload<'_>) -> bool,
) -> bool {
    !mesh.is_compatible() && mesh.has_template(selector, namespace, test)
}

/// The place of a Gateway's selector: its alphabetically first label.
pub(super) fn selector_path(selector: View<'_>) -> Path {
    Path::spec().key("selector").key(labels::first_label(selector).to_owned())
}
