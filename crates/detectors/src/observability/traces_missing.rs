//! Finds Telemetries whose traces go nowhere: to a provider that does not work, or none of them is sampled.

use super::providers::{OBS0004, OBS0005, READS, check};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "obs/no-traces",
        reads: READS,
        reports: &[&OBS0004, &OBS0005, &OBS0006],
        by_default: true,
        run,
    },
};

static OBS0006: Code = Code {
    id: "OBS0006",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/telemetry/#Tracing",
    page: include_str!("pages/OBS0006.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    check(mesh, "tracing", messages);
    for telemetry in mesh.each(Kind::Telemetry) {
        for (block, index) in telemetry.spec().get("tracing").items().zip(0..) {
            let sampling = block.field("randomSamplingPercentage");
            let is_off = block.field("disableSpanReporting").truth();
            if sampling.is_set() && sampling.number() == 0.0 && !is_off {
                messages.report(nothing_is_sampled(telemetry, index));
            }
        }
    }
}

fn nothing_is_sampled(telemetry: &Object, index: usize) -> Message<'_> {
    let text = "randomSamplingPercentage is 0: no request is traced, unless a client asks for it.";
    let path = Path::spec().key("tracing").index(index).key("randomSamplingPercentage");
    let remedy = "Set a percentage above 0; 1 is common. To switch tracing off, say disableSpanReporting: true.";
    Message::new(&OBS0006, telemetry, text).at(path).remedy(remedy)
}
