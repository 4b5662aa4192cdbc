//! Every name of a resource type that kubectl accepts means the same to us.

use std::collections::{BTreeMap, BTreeSet};

use meshtriage::cluster::Resource;
use serde_json::Value;

use crate::support::{
    lab::{self, Lab},
    needs,
};

/// Group, version and plural.
type Type = (String, String, String);

fn of(resource: &Resource) -> Type {
    (resource.group.clone(), resource.version.clone(), resource.plural.clone())
}

/// What kubectl knows, each with every name it goes by.
fn known_to_kubectl(lab: Lab) -> Vec<(Type, bool, BTreeSet<String>)> {
    let list: Value = serde_json::from_str(&lab::kubectl(lab, &["api-resources", "--output", "json"])).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resources = list["resources"].as_array().unwrap();
    resources
        .iter()
        .map(|resource| {
            let (plural, kind, group) = (text(&resource["name"]), text(&resource["kind"]), text(&resource["group"]));
            let mut names =
                BTreeSet::from([plural.clone(), text(&resource["singularName"]), kind.to_lowercase(), kind]);
            names.extend(resource["shortNames"].as_array().into_iter().flatten().map(text));
            if !group.is_empty() {
                names.insert(format!("{plural}.{group}"));
                names.insert(format!("{plural}.{}.{group}", text(&resource["version"])));
            }
            names.retain(|name| !name.is_empty());
            let listable = resource["verbs"].as_array().unwrap().iter().any(|verb| verb == "list");
            ((group, text(&resource["version"]), plural), listable, names)
        })
        .collect()
}

/// Which of several types kubectl takes: it tells the address that it asks.
fn asked_by_kubectl(lab: Lab, name: &str) -> String {
    let arguments = ["get", name, "--all-namespaces", "--ignore-not-found", "--output", "name", "--v", "6"];
    let (_, log) = lab::kubectl_both(lab, &arguments);
    let mut asked = log.lines().filter_map(|line| {
        let path = line.split("https://127.0.0.1:").nth(1)?.split(['"', '?', ' ']).next()?;
        let path = &path[path.find('/')?..];
        (path.split('/').count() > 3 && !path.ends_with("/v1")).then(|| path.to_owned())
    });
    asked.next_back().unwrap_or_else(|| panic!("kubectl get {name} asked nothing:\n{log}"))
}

#[tokio::test]
async fn names_mean_what_they_mean_to_kubectl() {
    needs!(Servers);
    for lab in [Lab::Broken, Lab::Upstream] {
        let cluster = lab::cluster(lab).await;
        let discovery = cluster.discovery().await.unwrap();
        assert!(discovery.failed.is_empty(), "{:?}", discovery.failed);
        let known = known_to_kubectl(lab);
        let ours: BTreeSet<Type> = discovery.resources.iter().map(of).collect();
        assert_eq!(ours, known.iter().map(|(resource, ..)| resource.clone()).collect());

        let mut by_name: BTreeMap<&str, Vec<(&Type, bool)>> = BTreeMap::new();
        for (resource, listable, names) in &known {
            for name in names {
                by_name.entry(name).or_default().push((resource, *listable));
            }
        }
        assert!(by_name.len() > 200, "only {} names", by_name.len());
        let mut ambiguous = 0;
        for (name, candidates) in by_name {
            let (found, others) = cluster.resource(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(1 + others.len(), candidates.len(), "{lab:?} {name}: {found:?} {others:?}");
            if candidates.len() == 1 {
                assert_eq!(&of(&found), candidates[0].0, "{lab:?} {name}");
            } else if candidates.iter().all(|(_, listable)| *listable) {
                assert_eq!(found.path(None, None).unwrap(), asked_by_kubectl(lab, name), "{lab:?} {name}");
                ambiguous += 1;
            }
        }
        assert!(ambiguous >= 3, "only {ambiguous} ambiguous names");
    }
}

#[tokio::test]
async fn unknown_name_is_refused_with_similar_ones() {
    needs!(Servers);
    let cluster = lab::cluster(Lab::Broken).await;
    let error = cluster.resource("virtualservice.networking.istio").await.unwrap_err().to_string();
    assert!(error.contains("no resource type"), "{error}");
    let error = cluster.resource("virtualservcies").await.unwrap_err().to_string();
    assert!(error.contains("virtualservices.networking.istio.io"), "{error}");
}
