//! The order of causes: who suffers, how far it reaches, how grave and how certain it is, and what began last.

use std::cmp::Reverse;

use detectors::Certainty;
use mesh::is_gateway_pod;
use report::Severity;

use crate::{
    answer::{Onset, Suffering},
    fact::Fact,
    place::{Place, Scene},
};

/// By which causes are sorted; the greatest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Weight {
    suffering: u32,
    reach: Reach,
    severity: Severity,
    certainty: Reverse<u8>,
    /// What began last before users noticed is more likely the cause.
    onset: Option<String>,
    failed: u64,
    code: Reverse<String>,
    place: Reverse<String>,
}

/// How far it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// What only may go wrong reaches nobody yet.
    Risk,
    Workload,
    Namespace,
    Gateway,
    ControlPlane,
}

/// A pod that is not ready weighs as much as that many failed requests.
const POD: u64 = 8;

pub(crate) fn weight(
    scene: &Scene<'_>,
    fact: &Fact,
    place: &Place,
    suffering: &Suffering,
    certainty: Certainty,
    onset: Option<&Onset>,
) -> Weight {
    let felt = suffering.failed_requests + POD * suffering.pods_not_ready;
    Weight {
        // A few requests more or less say nothing: only the order of magnitude counts.
        suffering: (felt + 1).ilog2() / 2,
        reach: reach(scene, fact, place),
        severity: fact.finding.severity,
        certainty: Reverse(match certainty {
            Certainty::Certain => 0,
            Certainty::Likely => 1,
            Certainty::Hint => 2,
        }),
        onset: onset.map(|onset| onset.at.clone()),
        failed: suffering.failed_requests,
        code: Reverse(fact.code().to_owned()),
        place: Reverse(report::formats::place(&fact.finding.subject)),
    }
}

fn reach(scene: &Scene<'_>, fact: &Fact, place: &Place) -> Reach {
    if fact.finding.severity < Severity::Error {
        return Reach::Risk;
    }
    let kind = fact.finding.subject.kind.as_str();
    let has_gateway = || place.pods.iter().any(|at| is_gateway_pod(scene.pods[*at as usize]));
    if !place.revisions.is_empty() {
        Reach::ControlPlane
    } else if kind.ends_with("Gateway") || (!place.pods.is_empty() && has_gateway()) {
        Reach::Gateway
    } else if kind == "Namespace" {
        Reach::Namespace
    } else {
        Reach::Workload
    }
}
