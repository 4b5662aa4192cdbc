//! Finds Istio's annotations that are misspelt, deprecated, on the wrong kind of object, or have a wrong value.

use super::annotation_table::{self, find, is_exempt, is_istios};
use super::annotation_values::problem_with;
use super::{Analyzer, Message, Messages, Path, quoted};
use mesh::{INJECT, Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "annotations.K8sAnalyzer",
    reads: &[Kind::Namespace, Kind::Service, Kind::Pod, Kind::Deployment],
    reports: &[&IST0107, &IST0108, &IST0125, &IST0135],
    by_default: true,
    run,
};

static IST0107: Code = Code {
    id: "IST0107",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0107/",
    page: include_str!("pages/IST0107.md"),
};

static IST0108: Code = Code {
    id: "IST0108",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0108/",
    page: include_str!("pages/IST0108.md"),
};

static IST0125: Code = Code {
    id: "IST0125",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0125/",
    page: include_str!("pages/IST0125.md"),
};

static IST0135: Code = Code {
    id: "IST0135",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0135/",
    page: include_str!("pages/IST0135.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for kind in ANALYZER.reads {
        for object in mesh.each(*kind) {
            for (name, value) in object.annotations().entries() {
                if is_istios(name) && !is_exempt(name) {
                    // `istioctl` looks for the line in the wrong place and never finds it.
                    let path =
                        (!mesh.is_compatible()).then(|| Path::metadata().key("annotations").key(name.to_owned()));
                    check(object, name, value.written(), |message| {
                        messages.report(Message { path: path.clone(), ..message });
                    });
                }
            }
        }
    }
}

fn check<'m>(object: &'m Object, name: &str, value: &str, mut report: impl FnMut(Message<'m>)) {
    let Some(annotation) = find(name) else { return report(is_unknown(object, name)) };
    // Whoever sets the label as well has already moved on.
    if annotation.is_deprecated && !(name == INJECT && object.label(INJECT).is_some()) {
        report(is_deprecated(object, name));
    }
    if annotation.kinds.contains(&"Any") {
        return;
    }
    if !annotation.kinds.contains(&object.kind().name()) {
        return report(is_misplaced(object, annotation));
    }
    if let Some(problem) = problem_with(annotation.value, value) {
        report(has_wrong_value(object, name, &problem));
    }
}

fn is_unknown<'m>(object: &'m Object, name: &str) -> Message<'m> {
    Message::new(&IST0108, object, format!("Unknown annotation: {name}"))
}

fn is_deprecated<'m>(object: &'m Object, name: &str) -> Message<'m> {
    let extra = if name == INJECT { format!(" in favor of the {} label", quoted(INJECT)) } else { String::new() };
    let name = quoted(name);
    let text = format!("Annotation {name} has been deprecated{extra} and may not work in future Istio versions.");
    Message::new(&IST0135, object, text)
}

fn is_misplaced<'m>(object: &'m Object, annotation: &annotation_table::Annotation) -> Message<'m> {
    let kinds = annotation.kinds.join(", ");
    Message::new(&IST0107, object, format!("Misplaced annotation: {} can only be applied to {kinds}", annotation.name))
}

fn has_wrong_value<'m>(object: &'m Object, name: &str, problem: &str) -> Message<'m> {
    Message::new(&IST0125, object, format!("Invalid annotation {name}: {problem}"))
}
