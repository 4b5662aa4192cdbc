//! Finds clusters that do not follow changes of the plug-in authority in the Key Vault.

use super::roots;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "ca/rotation-off",
        reads: &[Kind::Deployment, Kind::DaemonSet, Kind::SecretProviderClass],
        reports: &[&CRT0006],
        by_default: true,
        run,
    },
};

static CRT0006: Code = Code {
    id: "CRT0006",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-plugin-ca",
    page: include_str!("pages/CRT0006.md"),
};

const DRIVER: &str = "aks-secrets-store-csi-driver";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if roots::classes(mesh).next().is_none() {
        return;
    }
    let driver = mesh.find(Kind::DaemonSet, "kube-system", DRIVER);
    if let Some(driver) = driver.filter(|driver| !rotates(driver)) {
        messages.report(changes_do_not_arrive(driver));
    }
}

fn rotates(driver: &Object) -> bool {
    let containers = driver.spec().path(&["template", "spec", "containers"]).items();
    let mut arguments = containers.flat_map(|container| container.get("args").texts());
    arguments.any(|argument| argument == "--enable-secret-rotation=true")
}

fn changes_do_not_arrive(driver: &Object) -> Message<'_> {
    let text = "The Secrets Store CSI driver does not rotate secrets (--enable-secret-rotation=true is not set): a new \
                certificate authority in the Key Vault does not come to istiod, and the old one runs out.";
    let remedy = "az aks addon update --resource-group <group> --name <cluster> --addon \
                  azure-keyvault-secrets-provider --enable-secret-rotation --rotation-poll-interval 2m";
    Message::new(&CRT0006, driver, text).remedy(remedy)
}
