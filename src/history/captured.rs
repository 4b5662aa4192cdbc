//! Runs that read an uploaded capture. In the history it is a cluster of its own, so that what was found in it is never
//! taken for the state of the cluster that the service is for; its name tells to which service's cluster it belongs.

use serde::Serializer;
use uuid::Uuid;

const PREFIX: &str = "capture:";

/// Whether a row belongs to the cluster `$1` or to a capture that was uploaded to its service. The name of that cluster
/// begins at place 46, after the prefix, an id of 36 and a colon.
macro_rules! of_service {
    () => {
        "(cluster = $1 or (cluster like 'capture:%' and substr(cluster, 46) = $1))"
    };
}
pub(super) use of_service;

/// The name under which runs over a capture are recorded, where `cluster` is that of the service.
pub fn cluster_of_capture(cluster: &str, capture: Uuid) -> String {
    format!("{PREFIX}{capture}:{cluster}")
}

/// The capture that a cluster's name stands for.
pub fn capture_of(cluster: &str) -> Option<Uuid> {
    let (capture, _) = cluster.strip_prefix(PREFIX)?.split_once(':')?;
    Uuid::parse_str(capture).ok()
}

pub(super) fn is_none(cluster: &str) -> bool {
    capture_of(cluster).is_none()
}

pub(super) fn serialize<S: Serializer>(cluster: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&capture_of(cluster).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_is_told_from_a_cluster() {
        let capture = Uuid::from_u128(7);
        let name = cluster_of_capture("recording:a:b", capture);
        assert_eq!(capture_of(&name), Some(capture));
        // SQL counts from one.
        assert_eq!(&name[45..], "recording:a:b");
        for cluster in ["blue", "capture:blue", "recording:capture:x", "", "capture:"] {
            assert_eq!(capture_of(cluster), None, "{cluster}");
        }
    }
}
