//! Where in the mesh a fact is: its objects, and by the mesh's own questions the pods, hosts and revisions that these
//! stand for.

use std::collections::{BTreeMap, BTreeSet};

use logs::Side;
use mesh::{GATEWAY_NAME, Kind, Mesh, Object, Proxy, REVISION, Workload, host, owner};
use report::Subject;

use crate::{
    fact::Fact,
    hosts,
    names::{names, quoted, telling},
};

/// Pods by their place among the pods of the mesh.
pub(crate) type Pods = BTreeSet<u32>;

/// Where a fact is.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// `Kind namespace/name`.
    pub(crate) objects: BTreeSet<String>,
    /// `namespace/kind/name`.
    pub(crate) workloads: BTreeSet<String>,
    pub(crate) namespaces: BTreeSet<String>,
    /// The pods that it is about: the pod itself, those that an object selects, owns, runs, injects or leads to, and those
    /// that the text names.
    pub(crate) pods: Pods,
    /// Of a failed request, the pods at its other end.
    pub(crate) far: Pods,
    /// The hosts whose requests it concerns.
    pub(crate) hosts: BTreeSet<String>,
    /// The control planes that it is a part of.
    pub(crate) revisions: BTreeSet<String>,
    /// The revisions that its pods and namespaces belong to.
    pub(crate) served_by: BTreeSet<String>,
    /// Names that occur in it.
    pub(crate) mentions: BTreeSet<String>,
    /// Names by which others may mention it: of its objects, and of what it is said to refer to.
    pub(crate) known_as: BTreeSet<String>,
}

/// The mesh, prepared for the question where something is.
pub(crate) struct Scene<'m> {
    pub(crate) mesh: &'m Mesh,
    pub(crate) pods: Vec<&'m Object>,
    by_name: BTreeMap<(&'m str, &'m str), u32>,
    by_pod_name: BTreeMap<&'m str, u32>,
    by_address: BTreeMap<&'m str, u32>,
    by_owner: BTreeMap<(String, String, String), Vec<u32>>,
    by_namespace: BTreeMap<&'m str, Vec<u32>>,
    events: BTreeMap<String, Vec<&'m Object>>,
    tags: BTreeMap<&'m str, &'m str>,
}

impl<'m> Scene<'m> {
    pub(crate) fn new(mesh: &'m Mesh) -> Self {
        let pods: Vec<&Object> = mesh.each(Kind::Pod).collect();
        let mut scene = Self {
            mesh,
            pods: Vec::new(),
            by_name: BTreeMap::new(),
            by_pod_name: BTreeMap::new(),
            by_address: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            by_namespace: BTreeMap::new(),
            events: BTreeMap::new(),
            tags: mesh.tags(),
        };
        for event in mesh.each(Kind::Event) {
            let about = event.root().get("involvedObject");
            let (kind, namespace, name) =
                (about.get("kind").text(), about.get("namespace").text(), about.get("name").text());
            let key =
                if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") };
            scene.events.entry(key).or_default().push(event);
        }
        for (place, pod) in (0u32..).zip(&pods) {
            scene.by_name.insert((pod.namespace(), pod.name()), place);
            scene.by_pod_name.insert(pod.name(), place);
            if !pod.spec().get("hostNetwork").truth()
                && let Some(address) = pod.status().get("podIP").text_if_any()
            {
                scene.by_address.insert(address, place);
            }
            let owner = owner(pod);
            let key = (pod.namespace().to_owned(), owner.kind.to_owned(), owner.name.to_owned());
            scene.by_owner.entry(key).or_default().push(place);
            scene.by_namespace.entry(pod.namespace()).or_default().push(place);
        }
        scene.pods = pods;
        scene
    }

    /// Where a fact is.
    pub(crate) fn place(&self, fact: &Fact) -> Place {
        let mut place = Place::default();
        for subject in &fact.subjects {
            self.add_subject(subject, &mut place);
        }
        for text in fact.messages.iter().chain(fact.finding.evidence.iter().map(|piece| &piece.text)) {
            place.mentions.extend(names(text));
        }
        place.mentions.extend(names(&fact.finding.discriminator));
        for message in &fact.messages {
            place.known_as.extend(quoted(message));
            place.known_as.extend(telling(message));
        }
        match &fact.failure {
            Some(_) => self.add_failure(fact, &mut place),
            None => self.add_named(fact, &mut place),
        }
        self.add_revisions(&mut place);
        place
    }

    fn add_subject(&self, subject: &Subject, place: &mut Place) {
        let namespace = subject.namespace.as_deref().unwrap_or_default();
        place.objects.insert(report::formats::place(&Subject { container: None, ..subject.clone() }));
        place.known_as.insert(subject.name.clone());
        if !namespace.is_empty() {
            place.namespaces.insert(namespace.to_owned());
            place.known_as.insert(format!("{namespace}/{}", subject.name));
        }
        if subject.kind == "Namespace" {
            place.namespaces.insert(subject.name.clone());
        }
        if subject.kind == "Revision" {
            place.revisions.insert(subject.name.clone());
        }
        if let Some(owner) = &subject.owner {
            place.workloads.insert(format!("{namespace}/{}/{}", owner.kind, owner.name));
            let siblings = self.by_owner.get(&(namespace.to_owned(), owner.kind.clone(), owner.name.clone()));
            // A pod that is gone is known by its workload.
            if !self.by_name.contains_key(&(namespace, subject.name.as_str())) {
                place.pods.extend(siblings.into_iter().flatten());
            }
        }
        if is_workload(&subject.kind) {
            self.add_workload(namespace, &subject.kind, &subject.name, place);
        }
        for object in self.objects(subject) {
            place.hosts.extend(hosts::concerned(self.mesh, object));
            self.add_pods_of(object, place);
            place.revisions.extend(self.control_plane_of(object).map(str::to_owned));
        }
    }

    /// The objects of that kind and name. Istio's Gateway and that of Kubernetes go by one name.
    pub(crate) fn objects(&self, subject: &Subject) -> impl Iterator<Item = &'m Object> {
        let namespace = subject.namespace.as_deref().unwrap_or_default();
        let kinds = Kind::readable().filter(|kind| kind.name() == subject.kind);
        kinds.filter_map(move |kind| self.mesh.find(kind, namespace, &subject.name))
    }

    /// Warnings about an object. The mesh holds no other events.
    pub(crate) fn events_about(&self, subject: &Subject) -> &[&'m Object] {
        let key = report::formats::place(&Subject { container: None, ..subject.clone() });
        self.events.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    fn add_workload(&self, namespace: &str, kind: &str, name: &str, place: &mut Place) {
        let mut name = name.to_owned();
        let mut kind = kind.to_owned();
        // A ReplicaSet's pods count for its Deployment.
        if kind == "ReplicaSet"
            && let Some((stem, _)) = name.rsplit_once('-')
            && self.mesh.find(Kind::Deployment, namespace, stem).is_some()
        {
            (kind, name) = ("Deployment".to_owned(), stem.to_owned());
        }
        place.workloads.insert(format!("{namespace}/{kind}/{name}"));
        if let Some(pods) = self.by_owner.get(&(namespace.to_owned(), kind, name)) {
            place.pods.extend(pods);
        }
    }

    fn add_pods_of(&self, object: &'m Object, place: &mut Place) {
        let namespace = object.namespace();
        match object.kind() {
            Kind::Pod => self.add_pod(object, place),
            Kind::Service => self.add_pods(self.mesh.pods_of_service(object), place),
            Kind::Namespace => place.pods.extend(self.by_namespace.get(object.name()).into_iter().flatten()),
            Kind::AuthorizationPolicy
            | Kind::PeerAuthentication
            | Kind::RequestAuthentication
            | Kind::Sidecar
            | Kind::EnvoyFilter
            | Kind::Telemetry
            | Kind::WasmPlugin
            | Kind::ProxyConfig => self.add_pods(self.mesh.pods_under(object), place),
            Kind::Gateway => self.add_pods(self.mesh.gateway_pods(object), place),
            Kind::KubernetesGateway => {
                let own = |pod: &&&Object| pod.label(GATEWAY_NAME) == Some(object.name());
                let pods = self.pods.iter().filter(|pod| pod.namespace() == namespace).filter(own);
                let pods: Vec<_> = pods.copied().collect();
                self.add_pods(pods, place);
            }
            Kind::HorizontalPodAutoscaler => {
                let target = object.spec().get("scaleTargetRef");
                self.add_workload(namespace, target.get("kind").text(), target.get("name").text(), place);
            }
            Kind::PodDisruptionBudget | Kind::NetworkPolicy => {
                let field = if object.kind() == Kind::NetworkPolicy { "podSelector" } else { "selector" };
                let selector = object.spec().path(&[field, "matchLabels"]);
                self.add_pods(self.mesh.labelled(Kind::Pod, selector, Some(namespace)), place);
            }
            Kind::MutatingWebhookConfiguration => {
                if let Some(revision) = object.label(REVISION) {
                    for namespace in self.mesh.each(Kind::Namespace) {
                        if self.revision_of_namespace(namespace) == Some(revision) {
                            place.namespaces.insert(namespace.name().to_owned());
                            let pods = self.by_namespace.get(namespace.name());
                            place.pods.extend(pods.into_iter().flatten());
                        }
                    }
                }
            }
            Kind::Node => {
                let on = |pod: &&&Object| pod.spec().get("nodeName").text() == object.name();
                let pods: Vec<_> = self.pods.iter().filter(on).copied().collect();
                self.add_pods(pods, place);
            }
            _ => {}
        }
    }

    fn add_pods(&self, pods: impl IntoIterator<Item = &'m Object>, place: &mut Place) {
        let places = pods.into_iter().filter_map(|pod| self.by_name.get(&(pod.namespace(), pod.name())));
        place.pods.extend(places);
    }

    fn add_pod(&self, pod: &Object, place: &mut Place) {
        place.pods.extend(self.by_name.get(&(pod.namespace(), pod.name())));
        let owner = owner(pod);
        place.workloads.insert(format!("{}/{}/{}", pod.namespace(), owner.kind, owner.name));
    }

    /// A line in a log of istiod is about the proxy that it names, not about istiod's pod.
    fn add_named(&self, fact: &Fact, place: &mut Place) {
        let text_is_about_others = fact.code().starts_with("LOG") || fact.subjects.iter().all(|it| it.kind != "Pod");
        if text_is_about_others {
            let named = place.mentions.iter().filter_map(|name| self.by_pod_name.get(name.as_str())).copied();
            let named: Vec<u32> = named.collect();
            place.pods.extend(named);
        }
        // Who fetches keys names their place; the policy that demands them is known by it.
        for policy in self.mesh.each(Kind::RequestAuthentication) {
            let rules = policy.spec().get("jwtRules").items();
            let places = rules.flat_map(|rule| [rule.field("jwksUri").text(), rule.get("issuer").text()]);
            let hosts = places.filter_map(host_of_url);
            if hosts.into_iter().any(|host| place.mentions.contains(host)) {
                place.mentions.insert(policy.full_name());
                place.known_as.insert(policy.full_name());
            }
        }
    }

    fn add_failure(&self, fact: &Fact, place: &mut Place) {
        let Some(failure) = &fact.failure else { return };
        let namespace = fact.finding.subject.namespace.as_deref().unwrap_or_default();
        let cluster = failure.sample.upstream_cluster.as_ref().and_then(|cluster| cluster.host.as_deref());
        place.hosts.clear();
        place.hosts.extend(cluster.filter(|host| !host.is_empty()).map(str::to_owned));
        match failure.side {
            Side::Outbound => {
                place.hosts.insert(hosts::full_name(self.mesh, namespace, &failure.destination));
            }
            Side::Inbound => {
                for pod in place.pods.iter().map(|at| self.pods[*at as usize]) {
                    let services = self.mesh.services_selecting(pod.namespace(), pod.labels());
                    place.hosts.extend(services.iter().map(|it| host::fqdn(it.namespace(), it.name())));
                }
                let remote = failure.sample.downstream_remote_address.as_deref().and_then(|it| it.rsplit_once(':'));
                place.far.extend(remote.and_then(|(address, _)| self.by_address.get(address)));
                return;
            }
        }
        for host in &place.hosts {
            if let Some(service) = self.mesh.service_of_host(namespace, host) {
                let pods = self.mesh.pods_of_service(service);
                place.far.extend(pods.iter().filter_map(|pod| self.by_name.get(&(pod.namespace(), pod.name()))));
            }
        }
    }

    fn add_revisions(&self, place: &mut Place) {
        for pod in place.pods.iter().map(|at| self.pods[*at as usize]) {
            if let Some(revision) = Proxy::of(pod).and_then(|proxy| proxy.revision()) {
                place.served_by.insert(revision.to_owned());
            }
        }
        for namespace in place.namespaces.iter().filter_map(|name| self.mesh.namespace(name)) {
            place.served_by.extend(self.revision_of_namespace(namespace).map(str::to_owned));
        }
    }

    /// The control plane that an object is a part of.
    fn control_plane_of(&self, object: &'m Object) -> Option<&'m str> {
        let own = object.namespace() == self.mesh.istio_namespace() || object.namespace().is_empty();
        if !own || matches!(object.kind(), Kind::Namespace | Kind::CustomResourceDefinition) {
            return None;
        }
        if object.kind() == Kind::Pod && Workload::of_pod(object).has_proxy() {
            return None;
        }
        let labelled = object.label(REVISION).map(|revision| self.tags.get(revision).copied().unwrap_or(revision));
        labelled.or_else(|| {
            let of_name = |revision: &&&str| object.name().ends_with(&format!("-{revision}"));
            let revisions: Vec<&str> = self.mesh.revisions().into_iter().collect();
            let by_name = revisions.iter().filter(of_name).max_by_key(|it| it.len()).copied();
            by_name.or_else(|| object.name().starts_with("istio").then(|| revisions.first().copied()).flatten())
        })
    }

    /// The revision that a namespace asks for.
    fn revision_of_namespace(&self, namespace: &'m Object) -> Option<&'m str> {
        let named = namespace.label(REVISION);
        let named = named.or_else(|| (namespace.label("istio-injection") == Some("enabled")).then_some("default"))?;
        Some(self.tags.get(named).copied().unwrap_or(named))
    }
}

pub(crate) fn is_workload(kind: &str) -> bool {
    matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job")
}

fn host_of_url(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', ':']).next().filter(|host| !host.is_empty())
}
