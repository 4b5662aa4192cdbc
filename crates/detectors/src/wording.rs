//! Words that several remedies and messages share.

use mesh::{Kind, Object};

/// How many of many things are named.
const MOST: usize = 5;

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

/// The commands for some of many workloads.
pub(super) fn restart_all(workloads: &[&Object]) -> String {
    let commands: Vec<String> = workloads.iter().take(MOST).map(|workload| restart(workload)).collect();
    let more = if workloads.len() > MOST { "; and so on" } else { "" };
    format!("{}{more}", commands.join("; "))
}

/// Where what concerns a workload's pods is written.
pub(super) fn template_of(workload: &Object) -> String {
    match workload.kind() {
        Kind::Pod => workload.origin(),
        _ => format!("the pod template of {}", workload.origin()),
    }
}

/// A few names, and how many more there are.
pub(super) fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    match names.len().checked_sub(MOST).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

/// Names in one message; the rest is counted.
const MOST_NAMES: usize = 5;

/// Names in a sentence: `a`, `a and b`, `a, b, c, d, e and 3 more`.
pub(super) fn names<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names[..] {
        [] => String::new(),
        [one] => one.to_owned(),
        _ if names.len() > MOST_NAMES => {
            format!("{} and {} more", names[..MOST_NAMES].join(", "), names.len() - MOST_NAMES)
        }
        [ref others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// A number with its noun: `1 proxy`, `3 proxies`.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {several}") }
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

    #[test]
    fn long_lists_end_in_a_count() {
        assert_eq!(names(&["a"]), "a");
        assert_eq!(names(&["a", "b", "c"]), "a, b and c");
        assert_eq!(names(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e and 2 more");
        assert_eq!(counted(1, "proxy", "proxies"), "1 proxy");
        assert_eq!(counted(2, "proxy", "proxies"), "2 proxies");
    }
}
