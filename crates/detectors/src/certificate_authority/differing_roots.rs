//! Finds revisions that take their root from different places.

use super::roots;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{ControlPlane, Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "ca/revisions-differ",
        reads: &[Kind::Deployment, Kind::SecretProviderClass],
        reports: &[&CRT0007],
        by_default: true,
        run,
    },
};

static CRT0007: Code = Code {
    id: "CRT0007",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-plugin-ca",
    page: include_str!("pages/CRT0007.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let classes: Vec<(ControlPlane<'_>, &Object)> = roots::classes(mesh).collect();
    for pair in classes.windows(2) {
        let [(older, before), (newer, after)] = pair else { continue };
        if let (Some(old), Some(new)) = (root_of(before), root_of(after))
            && old != new
        {
            messages.report(roots_differ(after, (older.revision, &old), (newer.revision, &new)));
        }
    }
}

/// The Key Vault and the object in it that hold the root. Objects are written as YAML in a text, a block each.
fn root_of(class: &Object) -> Option<String> {
    let parameters = class.spec().get("parameters");
    let vault = parameters.get("keyvaultName").text();
    let objects = parameters.get("objects").text();
    let block = objects.split("objectName:").skip(1).find(|block| block.contains("root-cert"))?;
    let name = block.split_whitespace().next()?.trim_matches('"');
    Some(format!("{vault}/{name}"))
}

fn roots_differ<'m>(class: &'m Object, (older, old): (&str, &str), (newer, new): (&str, &str)) -> Message<'m> {
    let text = format!(
        "Revision {newer} takes its root certificate from {new}, revision {older} from {old}: if these are not the \
         same root, workloads of the two revisions do not accept each other's certificates."
    );
    let remedy = "Give both the same objects of one Key Vault; to change the root, publish old and new together first.";
    Message::new(&CRT0007, class, text).at(Path::spec().key("parameters")).remedy(remedy)
}
