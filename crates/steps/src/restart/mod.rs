//! Restarting a part of the mesh: `kubectl.bounce-pod` deletes a pod, `kubectl.restart-deployment` rolls a Deployment.
//! Only istiod and gateways can be restarted, and never the last ready istiod of a revision unless forced.

mod bounce_pod;
mod guard;
mod restart_deployment;

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

pub use bounce_pod::{BouncePod, BouncePodData, BouncePodInput};
pub use restart_deployment::{RestartDeployment, RestartDeploymentData, RestartDeploymentInput};

use super::{Invalid, input::check};
use report::{Code, Severity};

pub(super) static K8S0090: Code = Code {
    id: "K8S0090",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status",
    page: include_str!("../pages/K8S0090.md"),
};

/// Codes that these steps report.
pub(super) static CODES: &[&Code] = &[&K8S0090];

/// How often the cluster is asked whether the replacement is ready.
const POLL: Duration = Duration::from_millis(500);
/// Longest wait; a step as a whole has 55 s.
const MAX_WAIT_S: u32 = 45;

/// What was seen while waiting for the replacement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RestartProgress {
    /// Since the change.
    pub after_ms: i64,
    pub what: String,
}

/// Adds a line to the progress where something changed.
fn note(progress: &mut Vec<RestartProgress>, after_ms: i64, what: String) {
    if progress.last().is_none_or(|last| last.what != what) {
        progress.push(RestartProgress { after_ms, what });
    }
}

fn check_common(namespace: &str, reason: &str, wait_s: Option<u32>) -> Vec<Invalid> {
    let mut invalid = check::namespaces("namespace", &[namespace.to_owned()]);
    if reason.trim().is_empty() || reason.len() > 500 {
        invalid.push(Invalid::new("reason", "required", "say why, in up to 500 characters: it is kept with the run"));
    }
    invalid.extend(check::range("wait_s", wait_s, 0, MAX_WAIT_S));
    invalid
}

fn yes() -> bool {
    true
}
