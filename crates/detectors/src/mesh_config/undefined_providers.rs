//! Finds policies that name an extension provider which the mesh configuration does not define.

use super::maps;
use crate::wording::nearest;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, MeshConfig, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/provider-undefined",
        reads: &[
            Kind::Telemetry,
            Kind::AuthorizationPolicy,
            Kind::Namespace,
            Kind::ConfigMap,
            Kind::Deployment,
            Kind::MutatingWebhookConfiguration,
        ],
        reports: &[&CFG0013],
        by_default: true,
        run,
    },
};

static CFG0013: Code = Code {
    id: "CFG0013",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider",
    page: include_str!("pages/CFG0013.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for telemetry in mesh.each(Kind::Telemetry) {
        for field in ["tracing", "metrics", "accessLogging"] {
            for (block, index) in telemetry.spec().field(field).items().zip(0..) {
                for (provider, at) in block.get("providers").items().zip(0..) {
                    let path = Path::spec().key(field).index(index).key("providers").index(at).key("name");
                    check(mesh, telemetry, provider.get("name").text(), path, messages);
                }
            }
        }
    }
    for policy in mesh.each(Kind::AuthorizationPolicy) {
        if policy.spec().get("action").text() == "CUSTOM" {
            let name = policy.spec().path(&["provider", "name"]).text();
            check(mesh, policy, name, Path::spec().key("provider").key("name"), messages);
        }
    }
}

fn check<'m>(mesh: &'m Mesh, policy: &'m Object, name: &str, path: Path, messages: &mut Messages<'m>) {
    let configs = configs_for(mesh, policy);
    let lacking: Vec<&str> = configs
        .iter()
        .filter(|(_, config)| !config.extension_providers.contains_key(name))
        .map(|(revision, _)| *revision)
        .collect();
    if let Some((_, config)) = configs.first().filter(|_| !name.is_empty() && !lacking.is_empty()) {
        let known: Vec<&str> = config.extension_providers.keys().map(String::as_str).collect();
        messages.report(provider_is_not_defined(mesh, policy, (name, &known), &lacking, path));
    }
}

/// The configurations that a policy is read with: in the root namespace that of every revision.
fn configs_for<'m>(mesh: &'m Mesh, policy: &Object) -> Vec<(&'m str, &'m MeshConfig)> {
    let of_revisions = maps::configs(mesh).into_iter().map(|(control_plane, config)| (control_plane.revision, config));
    let of_namespace = mesh.revision_of(policy.namespace()).filter(|_| !mesh.is_root_namespace(policy.namespace()));
    of_revisions.filter(|(revision, _)| of_namespace.is_none_or(|own| own == *revision)).collect()
}

fn provider_is_not_defined<'m>(
    mesh: &Mesh,
    policy: &'m Object,
    (name, known): (&str, &[&str]),
    lacking: &[&str],
    path: Path,
) -> Message<'m> {
    let follows = if policy.kind() == Kind::AuthorizationPolicy {
        "every request that the policy selects is denied"
    } else {
        "istiod leaves it out, and proxies log and trace as before or as the mesh's default says"
    };
    let text = format!(
        "The extension provider {name} is not defined in the mesh configuration of {}: {follows}. Defined: {}.",
        lacking.join(" and "),
        known.join(", ")
    );
    let place = if mesh.is_aks() {
        let names: Vec<String> = lacking.iter().map(|revision| format!("{}-{revision}", maps::SHARED)).collect();
        format!("ConfigMap {} in {}", names.join(" and "), mesh.istio_namespace())
    } else {
        "meshConfig of the installation".to_owned()
    };
    let remedy = match nearest(name, known) {
        Some(other) => {
            format!("Name the provider that there is ({other}), or define {name} below extensionProviders in {place}.")
        }
        None => format!("Define {name} below extensionProviders in {place}, or name another provider."),
    };
    Message::new(&CFG0013, policy, text).at(path).remedy(remedy)
}
