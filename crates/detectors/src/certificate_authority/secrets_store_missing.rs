//! Finds clusters whose plug-in authority has nothing to bring it from the Key Vault.

use super::roots;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "ca/csi-missing",
        reads: &[Kind::Deployment, Kind::DaemonSet, Kind::SecretProviderClass],
        reports: &[&CRT0001],
        by_default: true,
        run,
    },
};

static CRT0001: Code = Code {
    id: "CRT0001",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-plugin-ca#set-up-azure-key-vault",
    page: include_str!("pages/CRT0001.md"),
};

const DRIVERS: [&str; 2] = ["aks-secrets-store-csi-driver", "aks-secrets-store-provider-azure"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some((_, class)) = roots::classes(mesh).next() else { return };
    for name in DRIVERS {
        match mesh.find(Kind::DaemonSet, "kube-system", name) {
            None => messages.report(driver_is_missing(class, name)),
            Some(driver) => {
                let count = |field: &str| driver.status().get(field).integer();
                let (wanted, ready) = (count("desiredNumberScheduled"), count("numberReady"));
                if ready < wanted {
                    messages.report(driver_is_not_ready(driver, ready, wanted));
                }
            }
        }
    }
}

fn driver_is_missing<'m>(class: &'m Object, name: &str) -> Message<'m> {
    let text = format!(
        "{} brings the mesh's certificate authority from a Key Vault, but DaemonSet kube-system/{name} is missing: a \
         new istiod does not start, as its volume cannot be mounted.",
        class.origin()
    );
    let remedy =
        "az aks enable-addons --addons azure-keyvault-secrets-provider --resource-group <group> --name <cluster>";
    Message::new(&CRT0001, class, text).remedy(remedy)
}

fn driver_is_not_ready(driver: &Object, ready: i64, wanted: i64) -> Message<'_> {
    let text = format!(
        "{ready} of {wanted} pods are ready. On the other nodes a new istiod does not start, as the volume with its \
         certificate authority cannot be mounted."
    );
    let remedy = format!("kubectl describe daemonset {} -n {}, and see its pods.", driver.name(), driver.namespace());
    Message { severity: Severity::Warning, ..Message::new(&CRT0001, driver, text).remedy(remedy) }
}
