//! Words that several remedies and messages share.

use crate::mesh::{Kind, Object};

/// The command that makes a workload's pods anew. A pod whose workload is not known is made anew by its owner.
pub(super) fn restart(workload: &Object) -> String {
    let (namespace, name) = (workload.namespace(), workload.name());
    match workload.kind() {
        Kind::Deployment => format!("kubectl rollout restart deployment {name} -n {namespace}"),
        Kind::StatefulSet => format!("kubectl rollout restart statefulset {name} -n {namespace}"),
        Kind::DaemonSet => format!("kubectl rollout restart daemonset {name} -n {namespace}"),
        _ => format!("kubectl delete pod {name} -n {namespace}"),
    }
}

/// A few names, and how many more there are.
pub(super) fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    const MOST: usize = 5;
    let shown: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    match names.len().checked_sub(MOST).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

/// The name that was most likely meant, if one is near enough.
pub(super) fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    const NEAR: f64 = 0.85;
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= NEAR).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_has_a_nearest_name() {
        let known = ["holdApplicationUntilProxyStarts", "statsdUdpAddress", "tracing"];
        assert_eq!(nearest("holdApplicationUntilProxyStart", &known), Some(known[0]));
        assert_eq!(nearest("statsUdpAddress", &known), Some(known[1]));
        assert_eq!(nearest("mixerCheckServer", &known), None);
    }

    #[test]
    fn many_names_are_counted() {
        assert_eq!(some_of(&["a", "b"]), "a, b");
        assert_eq!(some_of(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
    }
}
