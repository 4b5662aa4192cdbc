//! Whose log is worth reading: that of a container which fails.

use super::super::{family::LogKey, object::Object};
use super::container::containers;

/// The containers of a pod whose log may explain what is wrong.
pub(crate) fn wants_log(pod: &Object) -> Vec<LogKey> {
    let key = |name: &str| (pod.namespace().unwrap_or_default().to_owned(), pod.name().to_owned(), name.to_owned());
    containers(pod).iter().filter(|container| container.fails()).map(|container| key(container.name)).collect()
}
