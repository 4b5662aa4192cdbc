//! Finds control planes that may be made to fetch JWT keys from anywhere.

use super::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "authn.BlockedCIDRsAnalyzer",
    reads: &[Kind::RequestAuthentication, Kind::Deployment],
    reports: &[&IST0175],
    by_default: true,
    run,
};

static IST0175: Code = Code {
    id: "IST0175",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/commands/pilot-discovery/#envvars",
    page: include_str!("pages/IST0175.md"),
};

const VARIABLE: &str = "BLOCKED_CIDRS_IN_JWKS_URIS";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let names: Vec<String> = mesh.each(Kind::RequestAuthentication).map(Object::full_name).collect();
    if names.is_empty() {
        return;
    }
    for deployment in mesh.each(Kind::Deployment) {
        if deployment.label("app") == Some("istiod") && !is_restricted(deployment) {
            messages.report(fetches_are_unrestricted(deployment, &names));
        }
    }
}

fn is_restricted(istiod: &Object) -> bool {
    let containers = istiod.spec().path(&["template", "spec", "containers"]).items();
    let mut variables = containers.flat_map(|container| container.get("env").items());
    variables.any(|variable| variable.get("name").text() == VARIABLE && !variable.get("value").text().is_empty())
}

fn fetches_are_unrestricted<'m>(istiod: &'m Object, names: &[String]) -> Message<'m> {
    let count = names.len();
    let shown = names[..count.min(5)].join(", ");
    let more = if count > 5 { format!(", and {} more", count - 5) } else { String::new() };
    let text = format!(
        "{VARIABLE} is not configured but {count} RequestAuthentication resource(s) exist ({shown}{more}). Consider \
         configuring it to restrict JWKS URI fetches to trusted networks."
    );
    Message::new(&IST0175, istiod, text)
}
