//! Finds principals of other trust domains, and revisions whose trust domains differ.

use super::maps;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{ControlPlane, Kind, Mesh, MeshConfig, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "meshcfg/trust-domain",
        reads: &[
            Kind::AuthorizationPolicy,
            Kind::Namespace,
            Kind::ConfigMap,
            Kind::Deployment,
            Kind::MutatingWebhookConfiguration,
        ],
        reports: &[&CFG0018],
        by_default: true,
        run,
    },
};

static CFG0018: Code = Code {
    id: "CFG0018",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/tasks/security/authorization/authz-td-migration/",
    page: include_str!("pages/CFG0018.md"),
};

/// Istio's default. In principals it stands for whatever the trust domain is.
const DEFAULT: &str = "cluster.local";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let configs = maps::configs(mesh);
    for pair in configs.windows(2) {
        let [(_, older), (newer_plane, newer)] = pair else { continue };
        let (before, after) = (trust_domain(older), trust_domain(newer));
        if before != after && !aliases(newer).any(|alias| alias == before) {
            messages.report(trust_domain_changes(newer_plane, before, after));
        }
    }
    for policy in mesh.each(Kind::AuthorizationPolicy) {
        let config = mesh.config_of(policy.namespace());
        for (principal, path) in principals(policy) {
            let Some(domain) = foreign_domain(principal, config) else { continue };
            messages.report(principal_is_foreign(policy, principal, domain, trust_domain(config), path));
        }
    }
}

fn trust_domain(config: &MeshConfig) -> &str {
    Some(config.setting(&["trustDomain"]).value.text()).filter(|domain| !domain.is_empty()).unwrap_or(DEFAULT)
}

/// Aliases of all layers are united.
fn aliases(config: &MeshConfig) -> impl Iterator<Item = &str> {
    config.layers.iter().flat_map(|layer| layer.config().field("trustDomainAliases").texts())
}

fn principals(policy: &Object) -> Vec<(&str, Path)> {
    let mut found = Vec::new();
    for (rule, index) in policy.spec().get("rules").items().zip(0..) {
        for (from, at) in rule.get("from").items().zip(0..) {
            for field in ["principals", "notPrincipals"] {
                let path = Path::spec().key("rules").index(index).key("from").index(at).key("source").key(field);
                let names = from.get("source").field(field).items().zip(0..);
                found.extend(names.map(|(name, place)| (name.text(), path.clone().index(place))));
            }
        }
    }
    found
}

/// The trust domain of a principal, if it is neither that of the mesh nor one of its aliases.
fn foreign_domain<'p>(principal: &'p str, config: &MeshConfig) -> Option<&'p str> {
    let (domain, rest) = principal.split_once('/')?;
    let is_known = domain == DEFAULT || domain == trust_domain(config) || aliases(config).any(|alias| alias == domain);
    (rest.starts_with("ns/") && !domain.contains('*') && !is_known).then_some(domain)
}

fn trust_domain_changes<'m>(control_plane: &ControlPlane<'m>, before: &str, after: &str) -> Message<'m> {
    let text = format!(
        "Revision {} has the trust domain {after}, the one before it {before}, which is no alias: proxies of the two \
         do not accept each other's identities in policies.",
        control_plane.revision
    );
    let remedy =
        format!("Add {before} to trustDomainAliases of revision {} until all pods have moved.", control_plane.revision);
    Message::new(&CFG0018, control_plane.deployment, text).remedy(remedy)
}

fn principal_is_foreign<'m>(policy: &'m Object, principal: &str, domain: &str, own: &str, path: Path) -> Message<'m> {
    let text = format!(
        "The principal {principal} is of the trust domain {domain}; that of the mesh is {own}, without such an alias. \
         No workload of this mesh has that identity."
    );
    let remedy = format!(
        "If it is an account of this cluster: write {DEFAULT}{} in {}, which stands for the mesh's trust domain, or \
         add {domain} to trustDomainAliases.",
        principal.strip_prefix(domain).unwrap_or_default(),
        policy.origin()
    );
    Message::new(&CFG0018, policy, text).at(path).remedy(remedy)
}
