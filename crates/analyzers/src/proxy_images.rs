//! Finds namespaces with proxies of another version than their injector gives out now.

use std::collections::{BTreeMap, HashMap};

use super::injector_settings::{self, InjectorSettings};
use super::revisions::{READS, Revisions};
use super::{Analyzer, Message, Messages, list};
use mesh::{INJECTION, Kind, Mesh, OWN_SETTINGS, Object, REVISION, Tree, View, Workload, labels, yaml};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "injection.ImageAnalyzer",
    reads: &[Kind::Namespace, Kind::Pod, READS[0], READS[1], READS[2], Kind::MeshConfig, Kind::ProxyConfig],
    reports: &[&IST0158],
    by_default: true,
    run,
};

static IST0158: Code = Code {
    id: "IST0158",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/setup/upgrade/canary/#data-plane",
    page: include_str!("pages/IST0158.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let injectors = injector_settings::of_all(mesh);
    if injectors.is_empty() {
        return;
    }
    let expected = expected_images(mesh, &injectors);
    let variants = Variants::new(mesh);
    let mut outdated: BTreeMap<&str, (&Object, Vec<&str>)> = BTreeMap::new();
    for pod in mesh.each(Kind::Pod) {
        let Some((namespace, image)) = expected.get(pod.namespace()) else { continue };
        if !pod.annotation("sidecar.istio.io/proxyImage").unwrap_or_default().is_empty() {
            continue;
        }
        let proxies = Workload::of_pod(pod).containers().filter(|it| it.get("name").text() == "istio-proxy");
        for proxy in proxies {
            let found = proxy.get("image").text();
            let is_expected = found == image.as_str()
                || !mesh.is_compatible() && without_variant(found) == without_variant(image)
                || found == format!("{image}-{}", variants.of(pod));
            if !is_expected {
                outdated.entry(pod.namespace()).or_insert((namespace, Vec::new())).1.push(pod.name());
            }
        }
    }
    for (namespace, mut pods) in outdated.into_values() {
        pods.sort_unstable();
        messages.report(proxies_are_outdated(namespace, &pods));
    }
}

/// The image that each namespace's injector gives out. `istioctl` does not know tags.
fn expected_images<'m>(
    mesh: &'m Mesh,
    injectors: &BTreeMap<&str, InjectorSettings>,
) -> HashMap<&'m str, (&'m Object, String)> {
    let revisions = Revisions::new(mesh);
    let mut expected = HashMap::new();
    for namespace in mesh.each(Kind::Namespace) {
        let revision = if mesh.is_compatible() {
            let by_default = || (namespace.label(INJECTION) == Some("enabled")).then_some("default");
            namespace.label(REVISION).or_else(by_default)
        } else {
            revisions.of_namespace(namespace)
        };
        let Some(revision) = revision else { continue };
        let Some(injector) = injectors.get(injector_settings::map_name(revision).as_str()) else { continue };
        // What the installation did not tell cannot be compared.
        if mesh.is_compatible() || !injector.image.is_empty() {
            expected.entry(namespace.name()).or_insert((namespace, injector.image.clone()));
        }
    }
    expected
}

/// The image without the ending that names one of Istio's own variants: which of them it is makes no difference to its
/// version. See [image types](https://istio.io/latest/docs/ops/configuration/security/harden-docker-images/).
fn without_variant(image: &str) -> &str {
    ["-distroless", "-debug"].iter().find_map(|variant| image.strip_suffix(variant)).unwrap_or(image)
}

/// Which variant of the image pods ask for: the mesh, their namespace, their workload, or they themselves.
struct Variants<'m> {
    mesh: &'m Mesh,
    of_root: &'m str,
    of_namespaces: HashMap<&'m str, &'m str>,
    /// Those with a selector, sorted by their full name.
    of_workloads: Vec<(String, &'m Object)>,
}

impl<'m> Variants<'m> {
    fn new(mesh: &'m Mesh) -> Self {
        let mut variants = Self { mesh, of_root: "", of_namespaces: HashMap::new(), of_workloads: Vec::new() };
        for config in mesh.each(Kind::ProxyConfig) {
            if mesh.is_root_namespace(config.namespace()) {
                variants.of_root = image_type(config.spec());
            }
            if config.spec().get("selector").is_map() {
                variants.of_workloads.push((config.full_name(), config));
            } else {
                variants.of_namespaces.insert(config.namespace(), image_type(config.spec()));
            }
        }
        variants.of_workloads.sort_by(|(a, _), (b, _)| a.cmp(b));
        variants
    }

    fn of(&self, pod: &Object) -> String {
        let namespace = pod.namespace();
        // `istioctl` compares beginnings of names, so that `foobar/x` counts for `foo`.
        let prefix = if self.mesh.is_compatible() { namespace.to_owned() } else { format!("{namespace}/") };
        let from = self.of_workloads.partition_point(|(name, _)| name.as_str() < prefix.as_str());
        let of_workload = self.of_workloads[from..]
            .iter()
            .take_while(|(name, _)| name.starts_with(&prefix))
            .filter(|(_, config)| labels::matches(config.spec().path(&["selector", "matchLabels"]), pod.labels()))
            .map(|(_, config)| image_type(config.spec()).to_owned());
        let weaker = [
            self.mesh.config_of(namespace).image_type.clone(),
            self.of_root.to_owned(),
            self.of_namespaces.get(namespace).copied().unwrap_or_default().to_owned(),
        ];
        let strongest = own_variant(pod);
        let all = weaker.into_iter().chain(of_workload).chain([strongest]);
        let variant = all.filter(|variant| !variant.is_empty()).last().unwrap_or_default();
        if variant == "default" { String::new() } else { variant }
    }
}

fn image_type(config: View<'_>) -> &str {
    config.path(&["image", "imageType"]).text()
}

/// What the pod's own annotation says.
fn own_variant(pod: &Object) -> String {
    let text = pod.annotation(OWN_SETTINGS).unwrap_or_default();
    let tree = yaml::first_document(text).ok().flatten().unwrap_or_else(Tree::null);
    image_type(tree.root()).to_owned()
}

fn proxies_are_outdated<'m>(namespace: &'m Object, pods: &[&str]) -> Message<'m> {
    let pods = list(pods);
    let text = format!(
        "The Istio proxy images of the pods running in the namespace do not match the image defined in the injection \
         configuration (pod names: {pods}). This often happens after upgrading the Istio control-plane and can be \
         fixed by redeploying the pods."
    );
    Message::new(&IST0158, namespace, text)
}
