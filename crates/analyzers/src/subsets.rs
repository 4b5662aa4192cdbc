//! Finds `DestinationRule`s for hosts that nobody knows, and subsets that no pod is in.

use std::collections::{BTreeMap, HashMap};

use super::{Analyzer, Message, Messages};
use mesh::{HostIndex, Kind, Mesh, Object, View, host};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "destinationrule.SubsetSelectPodAnalyzer",
    reads: &[Kind::DestinationRule, Kind::Pod, Kind::Service, Kind::ServiceEntry, Kind::Node],
    reports: &[&IST0173, &IST0174],
    by_default: true,
    run,
};

static IST0173: Code = Code {
    id: "IST0173",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/networking/destination-rule/#Subset",
    page: include_str!("pages/IST0173.md"),
};

static IST0174: Code = Code {
    id: "IST0174",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/destination-rule/#DestinationRule",
    page: include_str!("pages/IST0174.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let pods = Pods::new(mesh);
    let mut hosts: Option<HostIndex<()>> = None;
    for rule in mesh.each(Kind::DestinationRule) {
        let host = rule.spec().get("host").text();
        let export_to = rule.spec().field("exportTo").texts();
        let Some(known) = mesh.hosts().look_up(rule.namespace(), export_to, host) else {
            // `istioctl` does not see that `*.shop.svc.cluster.local` stands for the Services of `shop`.
            let is_for_some = !mesh.is_compatible()
                && host.starts_with('*')
                && hosts.get_or_insert_with(|| all_hosts(mesh)).overlapping(host).next().is_some();
            if !is_for_some {
                messages.report(host_is_unknown(rule, host));
            }
            continue;
        };
        // `istioctl` takes the pods of other Services, and of other namespaces, for those of this one.
        let service = Some(known.object).filter(|it| it.kind() == Kind::Service && !mesh.is_compatible());
        let own = service.map_or(View::MISSING, |service| service.spec().get("selector"));
        let namespace = service.filter(|_| !own.is_empty()).map(Object::namespace);
        let mut subsets: BTreeMap<&str, View<'_>> = BTreeMap::new();
        for subset in rule.spec().get("subsets").items() {
            subsets.insert(subset.get("name").text(), subset.get("labels"));
        }
        for (name, labels) in subsets {
            let mut selector: BTreeMap<&str, &str> = known
                .workload_labels()
                .entries()
                .chain(own.entries())
                .map(|(key, value)| (key, value.written()))
                .collect();
            selector.extend(labels.entries().map(|(key, value)| (key, value.written())));
            if !pods.any_matches(&selector, namespace) {
                messages.report(subset_is_empty(rule, name));
            }
        }
    }
}

/// The labels that a pod has from its node.
/// See [locality](https://istio.io/latest/docs/tasks/traffic-management/locality-load-balancing/).
const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const SUBZONE: &str = "topology.istio.io/subzone";
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Pods by every label, those of their nodes included.
struct Pods<'m> {
    all: Vec<PodLabels<'m>>,
    by_label: HashMap<(&'m str, &'m str), Vec<usize>>,
}

struct PodLabels<'m> {
    namespace: &'m str,
    own: View<'m>,
    of_node: Vec<(&'static str, &'m str)>,
}

impl<'m> PodLabels<'m> {
    fn get(&self, key: &str) -> Option<&'m str> {
        let of_node = self.of_node.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        of_node.or_else(|| self.own.get(key).text_if_any())
    }
}

impl<'m> Pods<'m> {
    fn new(mesh: &'m Mesh) -> Self {
        let nodes: HashMap<&str, Vec<(&'static str, &str)>> =
            mesh.each(Kind::Node).map(|node| (node.name(), locality(node))).collect();
        let mut pods = Self { all: Vec::new(), by_label: HashMap::new() };
        for pod in mesh.each(Kind::Pod) {
            let node = pod.spec().get("nodeName").text();
            let mut of_node = nodes.get(node).cloned().unwrap_or_default();
            if !node.is_empty() {
                of_node.push((HOSTNAME, node));
            }
            let labels = PodLabels { namespace: pod.namespace(), own: pod.labels(), of_node };
            let index = pods.all.len();
            for (key, value) in labels.own.entries() {
                pods.by_label.entry((key, value.written())).or_default().push(index);
            }
            for (key, value) in &labels.of_node {
                pods.by_label.entry((key, value)).or_default().push(index);
            }
            pods.all.push(labels);
        }
        pods
    }

    fn any_matches(&self, selector: &BTreeMap<&str, &str>, namespace: Option<&str>) -> bool {
        let is_within = |pod: &PodLabels<'_>| namespace.is_none_or(|namespace| pod.namespace == namespace);
        let postings = selector.iter().map(|(key, value)| self.by_label.get(&(*key, *value)).map_or(&[][..], |it| it));
        match postings.min_by_key(|candidates| candidates.len()) {
            None => self.all.iter().any(is_within),
            Some(candidates) => candidates
                .iter()
                .map(|index| &self.all[*index])
                .any(|pod| is_within(pod) && selector.iter().all(|(key, value)| pod.get(key) == Some(value))),
        }
    }
}

/// Every host that the mesh knows.
fn all_hosts(mesh: &Mesh) -> HostIndex<()> {
    let services = mesh.each(Kind::Service).map(|service| host::fqdn(service.namespace(), service.name()));
    let entries = mesh.each(Kind::ServiceEntry).flat_map(|entry| entry.spec().get("hosts").texts());
    let hosts: Vec<String> = services.chain(entries.map(str::to_owned)).collect();
    HostIndex::new(hosts.iter().map(|host| (host.as_str(), ())))
}

/// A zone counts only within a region, a subzone only within a zone.
fn locality(node: &Object) -> Vec<(&'static str, &str)> {
    let mut parts = Vec::new();
    for key in [REGION, ZONE, SUBZONE] {
        match node.label(key) {
            Some(value) if !value.is_empty() => parts.push((key, value)),
            // Without a region there may still be a zone.
            _ if key == REGION => {}
            _ => break,
        }
    }
    parts
}

fn host_is_unknown<'m>(rule: &'m Object, host: &str) -> Message<'m> {
    let text = format!("The host {host} defined in the DestinationRule does not match any services in the mesh.");
    Message::new(&IST0174, rule, text)
}

fn subset_is_empty<'m>(rule: &'m Object, subset: &str) -> Message<'m> {
    let text = format!(
        "The Subset {subset} defined in the DestinationRule does not select any pods. Which may lead to 503 UH \
         (NoHealthyUpstream)."
    );
    Message::new(&IST0173, rule, text)
}
