//! Finds `VirtualService`s that inject faults.

use super::faults::{Fault, active_faults};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/fault-active",
        reads: &[Kind::VirtualService],
        reports: &[&NET0009],
        by_default: true,
        run,
    },
};

static NET0009: Code = Code {
    id: "NET0009",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/fault-injection/",
    page: include_str!("pages/NET0009.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::VirtualService) {
        for fault in active_faults(service) {
            messages.report(fault_is_injected(service, &fault));
        }
    }
}

fn fault_is_injected<'m>(service: &'m Object, fault: &Fault<'_>) -> Message<'m> {
    let hosts: Vec<&str> = service.spec().get("hosts").texts().collect();
    let text =
        format!("http rule {} for {} injects faults: {}.", fault.index, hosts.join(", "), fault.effects.join(", "));
    let remedy = format!(
        "If the test is over, remove it: `kubectl edit virtualservice {} -n {}`, block spec.http[{}].fault.",
        service.name(),
        service.namespace(),
        fault.index
    );
    let path = Path::spec().key("http").index(fault.index).key("fault");
    Message::new(&NET0009, service, text).at(path).remedy(remedy)
}
