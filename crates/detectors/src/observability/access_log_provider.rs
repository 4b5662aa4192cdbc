//! Finds Telemetries that send access logs to a provider which does not work.

use super::providers::{OBS0004, OBS0005, READS, check};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Messages};
use mesh::Mesh;

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "obs/access-log-error",
        reads: READS,
        reports: &[&OBS0004, &OBS0005],
        by_default: true,
        run,
    },
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    check(mesh, "accessLogging", messages);
}
