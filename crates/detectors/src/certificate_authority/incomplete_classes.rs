//! Finds classes of the plug-in authority that lack something.

use super::roots;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "ca/spc-incomplete",
        reads: &[Kind::Deployment, Kind::SecretProviderClass],
        reports: &[&CRT0002],
        by_default: true,
        run,
    },
};

static CRT0002: Code = Code {
    id: "CRT0002",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-plugin-ca",
    page: include_str!("pages/CRT0002.md"),
};

/// Root, signing certificate, its key, and the chain between them.
const OBJECTS: usize = 4;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (_, class) in roots::classes(mesh) {
        let parameters = class.spec().get("parameters");
        let mut lacking: Vec<String> = ["keyvaultName", "tenantId"]
            .into_iter()
            .filter(|name| parameters.get(name).written().is_empty())
            .map(str::to_owned)
            .collect();
        let objects = parameters.get("objects").text().matches("objectName:").count();
        if objects < OBJECTS {
            lacking
                .push(format!("{} of {OBJECTS} objects (root-cert, ca-cert, ca-key, cert-chain)", OBJECTS - objects));
        }
        if !lacking.is_empty() {
            messages.report(class_is_incomplete(class, &lacking));
        }
    }
}

fn class_is_incomplete<'m>(class: &'m Object, lacking: &[String]) -> Message<'m> {
    let text = format!("It lacks {}: the certificate authority cannot be loaded.", lacking.join(", "));
    let remedy = "Enable the plug-in authority with all its parameters: az aks mesh enable --resource-group <group> \
                  --name <cluster> --key-vault-id <id> --root-cert-object-name <name> --ca-cert-object-name <name> \
                  --ca-key-object-name <name> --cert-chain-object-name <name>";
    Message::new(&CRT0002, class, text).at(Path::spec().key("parameters")).remedy(remedy)
}
