//! Finds fields that were applied and that the API server dropped, because the kind does not have them.

use crate::{Certainty, Detector};
use analyzers::schema::{UnknownField, unknown_fields};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "val/unknown-field", reads: &KINDS, reports: &[&VAL0002], by_default: true, run },
};

static VAL0002: Code = Code {
    id: "VAL0002",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/common-problems/validation/",
    page: include_str!("pages/VAL0002.md"),
};

const KINDS: [Kind; 15] = [
    Kind::VirtualService,
    Kind::Gateway,
    Kind::ServiceEntry,
    Kind::WorkloadEntry,
    Kind::WorkloadGroup,
    Kind::DestinationRule,
    Kind::Sidecar,
    Kind::EnvoyFilter,
    Kind::ProxyConfig,
    Kind::AuthorizationPolicy,
    Kind::RequestAuthentication,
    Kind::PeerAuthentication,
    Kind::Telemetry,
    Kind::WasmPlugin,
    Kind::TrafficExtension,
];

/// How alike two names must be for one to be taken for a slip of the other.
const ALIKE: f64 = 0.8;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for object in KINDS.into_iter().flat_map(|kind| mesh.each(kind)) {
        let Some(applied) = object.applied() else { continue };
        let Some(spec) = applied.get("spec") else { continue };
        for field in unknown_fields(object.kind().group(), object.kind().name(), spec) {
            // A field that our tables do not know, and the API server does, is still there.
            if !at(object.spec(), &field.way).is_set() {
                messages.report(field_was_dropped(object, &field));
            }
        }
    }
}

fn at<'m>(spec: View<'m>, way: &[String]) -> View<'m> {
    way.iter().fold(spec, |view, step| match step.parse() {
        Ok(index) if view.is_list() => view.items().nth(index).unwrap_or(View::MISSING),
        _ => view.get(step),
    })
}

/// `spec.http[0].retires`
fn written(way: &[String]) -> String {
    way.iter().fold("spec".to_owned(), |text, step| match step.parse::<usize>() {
        Ok(index) => format!("{text}[{index}]"),
        Err(_) => format!("{text}.{step}"),
    })
}

fn field_was_dropped<'m>(object: &'m Object, field: &UnknownField) -> Message<'m> {
    let name = field.way.last().map(String::as_str).unwrap_or_default();
    let nearest = field.known.iter().map(|known| (strsim::jaro_winkler(name, known), *known));
    let nearest = nearest.filter(|(alike, _)| *alike >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let text = format!(
        "{} was applied and is not in the object: {} has no such field there, so it has no effect.",
        written(&field.way),
        object.kind().name()
    );
    let remedy = match nearest {
        Some((_, known)) => {
            format!("Write {known} instead of {name} in the manifest, and apply it with --validate=strict.")
        }
        None => format!(
            "Look up where {name} belongs: kubectl explain {}.{}.spec --recursive. Then apply the manifest with --validate=strict.",
            object.kind().plural(),
            object.kind().group()
        ),
    };
    Message::new(&VAL0002, object, text).remedy(remedy)
}
