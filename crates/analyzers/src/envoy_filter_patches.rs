//! Finds `EnvoyFilter`s whose patches depend on the order of others, or that Istio ignores.

use std::collections::BTreeSet;

use super::{Analyzer, Message, Messages, Path, quoted};
use mesh::{Kind, Mesh, Object, Shape, View};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "envoyfilter.EnvoyPatchAnalyzer",
    reads: &[Kind::EnvoyFilter],
    reports: &[&IST0151, &IST0152, &IST0153, &IST0154, &IST0155],
    by_default: true,
    run,
};

static IST0151: Code = Code {
    id: "IST0151",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0151/",
    page: include_str!("pages/IST0151.md"),
};

static IST0152: Code = Code {
    id: "IST0152",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0152/",
    page: include_str!("pages/IST0152.md"),
};

static IST0153: Code = Code {
    id: "IST0153",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0153/",
    page: include_str!("pages/IST0153.md"),
};

static IST0154: Code = Code {
    id: "IST0154",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0154/",
    page: include_str!("pages/IST0154.md"),
};

static IST0155: Code = Code {
    id: "IST0155",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0155/",
    page: include_str!("pages/IST0155.md"),
};

const RELATIVE: &str = "This EnvoyFilter does not have a priority and has a relative patch operation set which can \
    cause the EnvoyFilter not to be applied. Using the INSERT_FIRST of ADD option or setting the priority may help in \
    ensuring the EnvoyFilter is applied correctly.";
const REPLACE: &str = "The REPLACE operation is only valid for HTTP_FILTER and NETWORK_FILTER.";
const ADD: &str = "The ADD operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.";
const REMOVE: &str = "The REMOVE operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.";
/// The misspelling is Istio's.
const RELATIVE_TO_VERSION: &str = "This EnvoyFilter does not have a priority and has a relative patch operation \
    (NSTERT_BEFORE/AFTER, REPLACE, MERGE, DELETE) and proxyVersion set which can cause the EnvoyFilter not to be \
    applied during an upgrade. Using the INSERT_FIRST or ADD option or setting the priority may help in ensuring the \
    EnvoyFilter is applied correctly.";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // What patches for certain proxy versions insert; relative to it, another patch depends on the version.
    let mut for_versions: BTreeSet<String> = BTreeSet::new();
    for filter in mesh.each(Kind::EnvoyFilter) {
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for (entry, index) in filter.spec().field("configPatches").items().zip(0..) {
            let patch = entry.get("patch");
            if !patch.is_map() {
                break;
            }
            let name = name_of(entry);
            let fault = fault_of(filter, entry, |name| for_versions.contains(name), &name);
            // istioctl says the same of each patch; once for a filter is enough.
            if let Some((code, text)) = fault
                && (told.insert(code.id) || mesh.is_compatible())
            {
                messages.report(patch_is_wrong(filter, index, code, text));
            }
            if !entry.path(&["match", "proxy", "proxyVersion"]).text().is_empty() {
                for_versions.insert(name);
            }
        }
    }
}

fn fault_of(
    filter: &Object,
    entry: View<'_>,
    is_for_version: impl Fn(&str) -> bool,
    name: &str,
) -> Option<(&'static Code, &'static str)> {
    let apply_to = entry.field("applyTo").text();
    let is_route = matches!(apply_to, "ROUTE_CONFIGURATION" | "HTTP_ROUTE");
    let is_replaceable = matches!(apply_to, "NETWORK_FILTER" | "HTTP_FILTER" | "VIRTUAL_HOST");
    match entry.path(&["patch", "operation"]).text() {
        "ADD" => is_route.then_some((&IST0153, ADD)),
        "REMOVE" if is_route => Some((&IST0154, REMOVE)),
        "REPLACE" if !is_replaceable => Some((&IST0152, REPLACE)),
        "REMOVE" | "REPLACE" | "INSERT_BEFORE" | "INSERT_AFTER" => {
            let has_priority = filter.spec().get("priority").integer() != 0;
            let fault: (&'static Code, &str) =
                if is_for_version(name) { (&IST0155, RELATIVE_TO_VERSION) } else { (&IST0151, RELATIVE) };
            (!has_priority).then_some(fault)
        }
        _ => None,
    }
}

/// What a patch is called: by its value, in the text form of a protobuf value, or by the filter that it looks for.
fn name_of(entry: View<'_>) -> String {
    let value = entry.path(&["patch", "value"]);
    if !value.is_map() || value.is_empty() {
        return String::new();
    }
    let name = value.get("name");
    match name.shape() {
        Some(Shape::Text) => format!("string_value:{}", quoted(name.text())),
        Some(shape) => format!("{shape:?}:{}", name.written()),
        None => entry.path(&["match", "listener", "filterChain", "filter"]).get("name").text().to_owned(),
    }
}

fn patch_is_wrong<'m>(filter: &'m Object, index: usize, code: &'static Code, text: &str) -> Message<'m> {
    Message::new(code, filter, text).at(Path::spec().key("configPatches").index(index).key("patch").key("value"))
}
