//! The pods whose logs and pages are recorded: istiod, gateways, workloads with a sidecar, ztunnel, Istio's CNI plug-in
//! and the cluster's DNS.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::store::{Gvr, text};
use super::Layout;
use super::objects::{for_each, paths_of};
use super::pages::Group;
use super::recording::Recording;
use selection::{Candidate, Owners, Workload, istioctl};

pub(super) struct MeshPod {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Those whose logs are recorded.
    pub(super) containers: Vec<Container>,
    /// Those of its ports that have pages.
    pub(super) groups: &'static [Group],
    pub(super) role: Role,
}

#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) restarts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Istiod,
    Envoy,
    Ztunnel,
    Cni,
    Dns,
    /// No part of the mesh: logs only, and only when they are asked for.
    Outside,
}

impl Role {
    /// The container that the pages belong to.
    fn speaker(self) -> Option<&'static str> {
        match self {
            Self::Istiod => Some("discovery"),
            Self::Envoy | Self::Ztunnel => Some("istio-proxy"),
            Self::Cni | Self::Dns | Self::Outside => None,
        }
    }
}

/// The pods that are meant. Without pods there are no logs and pages, and the list itself says why.
pub(super) async fn find(recording: &Recording) -> Vec<MeshPod> {
    let owners = owners(recording).await;
    let (mut found, mut outside) = (Vec::new(), 0);
    let paths = paths_of(recording, &Gvr::new("", "v1", "pods"));
    let listed = for_each(recording, &paths, |pod| {
        let Ok(pod) = serde_json::from_str::<Value>(pod.get()) else { return };
        let Some(pod) = taken(recording, &pod, &owners) else { return };
        if pod.role == Role::Outside && !recording.options.logs_outside_mesh {
            outside += 1;
        } else {
            found.push(pod);
        }
    });
    if let Err(why) = listed.await {
        recording.skip("logs and pages of pods", format!("the pods cannot be listed: {why}"));
    }
    if outside > 0 {
        recording.skip(format!("logs of {outside} pods outside of the mesh"), "they were not asked for");
    }
    found
}

/// Which Deployments own the ReplicaSets, where it matters.
async fn owners(recording: &Recording) -> Owners {
    #[derive(Deserialize)]
    struct Bare {
        metadata: Value,
    }
    let mut owners = Owners::default();
    let options = &recording.options;
    let specs = options.selection.include.iter().chain(&options.selection.exclude);
    if options.layout == Layout::Own && specs.into_iter().all(|spec| spec.workloads.is_empty()) {
        return owners;
    }
    let paths = paths_of(recording, &Gvr::new("apps", "v1", "replicasets"));
    let listed = for_each(recording, &paths, |item: Box<RawValue>| {
        if let Ok(Bare { metadata }) = serde_json::from_str(item.get()) {
            owners.learn(&serde_json::json!({ "metadata": metadata }));
        }
    });
    if let Err(why) = listed.await {
        recording.skip("owners of ReplicaSets", format!("{why}; their names tell instead"));
    }
    owners
}

/// What of a pod is taken; `None` for nothing.
fn taken(recording: &Recording, pod: &Value, owners: &Owners) -> Option<MeshPod> {
    let options = &recording.options;
    let owner = owners.workload(pod);
    let candidate = candidate(pod, owner.as_ref());
    let all = containers(pod);
    let role = role(pod, &all);
    let names: Vec<&str> = all.iter().map(|container| container.name.as_str()).collect();
    let kept: Vec<&str> = match options.layout {
        Layout::Istioctl if role == Role::Cni => names.clone(),
        Layout::Istioctl => istioctl::taken(&options.selection, &candidate, owner.as_ref(), &names),
        // Nothing of a mesh can be understood without its control plane.
        Layout::Own if role == Role::Istiod => {
            let excluded = |name: &str| options.selection.exclude.iter().any(|spec| spec.matches(&candidate, name));
            names.iter().copied().filter(|name| !excluded(name)).collect()
        }
        Layout::Own => names.iter().copied().filter(|name| options.selection.takes(&candidate, name)).collect(),
    };
    if kept.is_empty() || (options.layout == Layout::Istioctl && matches!(role, Role::Dns | Role::Outside)) {
        return None;
    }
    let speaks = role.speaker().is_none_or(|speaker| kept.contains(&speaker));
    // istioctl takes no logs of applications.
    let has_log = |name: &str| options.layout == Layout::Own || role.speaker().is_none_or(|speaker| speaker == name);
    let running = text(pod, &["status", "phase"]) == "Running";
    let containers = all.iter().filter(|container| kept.contains(&container.name.as_str()) && has_log(&container.name));
    Some(MeshPod {
        containers: containers.cloned().collect(),
        groups: if running && speaks { Group::all(role, options.layout) } else { &[] },
        role,
        namespace: candidate.namespace,
        name: candidate.pod,
    })
}

fn candidate(pod: &Value, owner: Option<&Workload>) -> Candidate {
    let map = |name: &str| {
        let pairs = pod.get("metadata").and_then(|metadata| metadata.get(name)?.as_object());
        let pairs = pairs.into_iter().flatten();
        pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    };
    Candidate {
        namespace: text(pod, &["metadata", "namespace"]).to_owned(),
        workload: owner.map(|owner| owner.name.clone()),
        pod: text(pod, &["metadata", "name"]).to_owned(),
        labels: map("labels"),
        annotations: map("annotations"),
    }
}

fn containers(pod: &Value) -> Vec<Container> {
    let items = |part: &str, list: &str| pod.get(part).and_then(|part| part.get(list)?.as_array());
    let mut containers = Vec::new();
    for (list, statuses) in [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")] {
        for container in items("spec", list).into_iter().flatten() {
            let name = text(container, &["name"]);
            let mut statuses = items("status", statuses).into_iter().flatten();
            let status = statuses.find(|status| text(status, &["name"]) == name);
            let restarts = status.and_then(|status| status.get("restartCount")).and_then(Value::as_u64);
            containers.push(Container { name: name.to_owned(), restarts: restarts.unwrap_or_default() });
        }
    }
    containers
}

fn role(pod: &Value, containers: &[Container]) -> Role {
    let has = |name: &str| containers.iter().any(|container| container.name == name);
    let label = |name: &str| text(pod, &["metadata", "labels", name]);
    if has("discovery") && label("app") == "istiod" {
        Role::Istiod
    } else if has("istio-proxy") {
        if label("app") == "ztunnel" { Role::Ztunnel } else { Role::Envoy }
    } else if label("k8s-app") == "istio-cni-node" {
        Role::Cni
    } else if label("k8s-app") == "kube-dns" {
        Role::Dns
    } else {
        Role::Outside
    }
}
