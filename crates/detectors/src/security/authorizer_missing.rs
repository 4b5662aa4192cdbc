//! Finds `AuthorizationPolicy`s that leave the decision to an authorizer that is not there.

use crate::security::rules::{Action, action};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, host};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/authz-custom",
        reads: &[Kind::AuthorizationPolicy, Kind::Service, Kind::ServiceEntry, Kind::ConfigMap],
        reports: &[&SEC0012],
        by_default: true,
        run,
    },
};

static SEC0012: Code = Code {
    id: "SEC0012",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/security/authorization/authz-custom/#define-the-external-authorizer",
    page: include_str!("pages/SEC0012.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::AuthorizationPolicy).filter(|policy| action(policy) == Action::Custom) {
        let name = policy.spec().path(&["provider", "name"]).text();
        // Without a name the object itself is refused.
        if !name.is_empty()
            && let Some(why) = why_unusable(mesh, policy, name)
        {
            messages.report(authorizer_is_missing(mesh, policy, name, &why));
        }
    }
}

fn why_unusable(mesh: &Mesh, policy: &Object, name: &str) -> Option<String> {
    let provider = mesh.config_of(policy.namespace()).extension_provider(name).value;
    if !provider.is_set() {
        let config = mesh.config_of(policy.namespace());
        let known: Vec<&str> = config
            .layers
            .iter()
            .flat_map(|layer| layer.config().field("extensionProviders").items())
            .filter(|provider| service_of(*provider).is_some())
            .map(|provider| provider.get("name").text())
            .collect();
        let known = if known.is_empty() { "no authorizer".to_owned() } else { names(&known) };
        return Some(format!("the mesh configuration defines {known}"));
    }
    let Some(service) = service_of(provider) else {
        return Some("the provider of this name is no external authorizer".to_owned());
    };
    // The namespace before the slash only says which of several Services of one host is meant.
    let (namespace, host_name) = service.split_once('/').unwrap_or((policy.namespace(), service));
    let is_known = mesh.hosts().look_up(namespace, std::iter::once("*"), host_name).is_some()
        || mesh.service_of_host(namespace, host_name).is_some();
    (!is_known).then(|| format!("its service {} does not exist", host::fqdn(namespace, host_name)))
}

/// The service of an authorizer (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider>).
fn service_of(provider: View<'_>) -> Option<&str> {
    let kinds = ["envoyExtAuthzHttp", "envoyExtAuthzGrpc"];
    kinds.into_iter().find_map(|kind| provider.field(kind).get("service").text_if_any())
}

fn authorizer_is_missing<'m>(mesh: &Mesh, policy: &'m Object, name: &str, why: &str) -> Message<'m> {
    let text = format!(
        "The authorizer {name} cannot be asked: {why}. Every request that the policy matches is refused with 403."
    );
    let map = if mesh.is_aks() {
        let revision = mesh.revision_of(policy.namespace()).unwrap_or("<revision>");
        format!("ConfigMap istio-shared-configmap-{revision} in {}", mesh.istio_namespace())
    } else {
        "the mesh configuration".to_owned()
    };
    let remedy = format!(
        "Define it in {map}, under extensionProviders: [{{name: {name}, envoyExtAuthzGrpc: {{service: <host>, port: <port>}}}}], \
         or name one that is defined."
    );
    Message::new(&SEC0012, policy, text).at(Path::spec().key("provider").key("name")).remedy(remedy)
}
