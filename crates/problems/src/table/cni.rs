//! Problems of the CNI node agent.

use crate::{
    Certainty::Certain,
    Effort::Easy,
    Gravity::{Critical, Error, Info, Warning},
    Problem, problem,
};

pub(super) const PROBLEMS: &[Problem] = &[
    problem(
        "cni/ds-not-ready",
        "CNI DaemonSet is not ready on every Linux node",
        Critical,
        Some(Certain),
        Easy,
        "New pods hang: FailedCreatePodSandBox, or istio-validation fails.",
    ),
    problem(
        "cni/still-istio-init",
        "Pods still use istio-init although CNI is on",
        Warning,
        Some(Certain),
        Easy,
        "Privileged init remains.",
    ),
    problem(
        "cni/validation-without-cni",
        "Pods use istio-validation and CNI is gone",
        Critical,
        Some(Certain),
        Easy,
        "istio-validation fails: connection refused.",
    ),
    problem(
        "cni/validation-failed",
        "Traffic redirection check failed",
        Error,
        Some(Certain),
        Easy,
        r#"istio-validation exit 126; "Error connecting to 127.0.0.6:15002", "validation timeout"."#,
    ),
    problem(
        "cni/repair",
        "CNI repair deletes or labels pods",
        Warning,
        Some(Certain),
        Easy,
        "Pods restart right after scheduling.",
    ),
    problem(
        "cni/sandbox-failed",
        "Sandbox creation fails in the istio-cni plugin",
        Error,
        Some(Certain),
        Easy,
        "Event FailedCreatePodSandBox naming istio-cni.",
    ),
    problem("cni/mixed", "Both redirection modes in use", Info, Some(Certain), Easy, "During switch."),
    problem("cni/revision", "CNI wanted on a revision below asm-1-25", Error, Some(Certain), Easy, "Not available."),
    problem(
        "cni/ambient-redirection",
        "A pod of the ambient mesh is not redirected",
        Warning,
        Some(Certain),
        Easy,
        "The pod's calls are refused where mutual TLS is demanded, and no policy protects it.",
    ),
];
