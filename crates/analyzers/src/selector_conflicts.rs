//! What rules about selectors of Sidecars and Telemetries have in common: which pods each selects, and which pods are
//! selected twice.

use std::collections::BTreeMap;

use super::shared::{matches_template, reference_not_found};
use super::{Messages, Path, list, remedies};
use mesh::{Kind, Mesh, Object, View, labels};

/// The pods that objects select, each with its objects. An object that selects none is reported.
///
/// For `istioctl` a pod is its namespace and name, so that two clusters have one and the same.
pub(super) fn selected_pods<'m>(
    mesh: &'m Mesh,
    objects: &[&'m Object],
    selector: (&'static str, &'static str),
    messages: &mut Messages<'m>,
) -> impl Iterator<Item = (&'m Object, Vec<&'m Object>)> + use<'m> {
    // Objects with one selector have their pods in common, so the pods are looked up once.
    let mut groups: BTreeMap<(&str, String), Vec<&Object>> = BTreeMap::new();
    for object in objects {
        let text = labels::selector_text(pairs(object, selector));
        groups.entry((object.namespace(), text)).or_default().push(object);
    }
    let mut pods: BTreeMap<(&str, &str, &str), (&Object, Vec<usize>)> = BTreeMap::new();
    for (((namespace, text), objects), group) in groups.iter().zip(0..) {
        let pairs = pairs(objects[0], selector);
        let selected = mesh.labelled(Kind::Pod, pairs, Some(namespace));
        if selected.is_empty() && !matches_template(mesh, pairs, Some(namespace), |_| true) {
            for object in objects {
                let missing = reference_not_found(object, "selector", text);
                let first = labels::first_label(pairs).to_owned();
                let missing = missing.at(Path::spec().key(selector.0).key(selector.1).key(first));
                messages.report(missing.remedy_unless(mesh.is_compatible(), || remedies::selector(object, text)));
            }
        }
        for pod in selected {
            let cluster = if mesh.is_compatible() { "" } else { pod.cluster() };
            pods.entry((cluster, pod.namespace(), pod.name())).or_insert((pod, Vec::new())).1.push(group);
        }
    }
    let groups: Vec<Vec<&Object>> = groups.into_values().collect();
    pods.into_values().map(move |(pod, selecting)| {
        let objects = selecting.into_iter().flat_map(|group| groups[group].iter().copied());
        (pod, objects.collect())
    })
}

/// The labels of an object's selector, which is at the named field.
pub(super) fn pairs<'m>(object: &'m Object, selector: (&str, &str)) -> View<'m> {
    object.spec().field(selector.0).field(selector.1)
}

/// The plain names in order, as a message has them.
pub(super) fn names(objects: &[&Object]) -> String {
    let mut names: Vec<&str> = objects.iter().map(|object| object.name()).collect();
    names.sort_unstable();
    list(names)
}
