//! Finds rules whose faults switch off their own retries and timeout.

use super::faults::{Fault, active_faults};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/fault-with-retry",
        reads: &[Kind::VirtualService],
        reports: &[&NET0010],
        by_default: true,
        run,
    },
};

static NET0010: Code = Code {
    id: "NET0010",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#virtual-service-with-fault-injection-and-retrytimeout-policies-not-working-as-expected",
    page: include_str!("pages/NET0010.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::VirtualService) {
        for fault in active_faults(service) {
            let idle: Vec<&str> = ["retries", "timeout"].into_iter().filter(|field| is_on(&fault, field)).collect();
            if !idle.is_empty() {
                messages.report(fault_is_not_retried(service, fault.index, &idle));
            }
        }
    }
}

/// `attempts: 0` and `timeout: 0s` switch retries and timeout off.
fn is_on(fault: &Fault<'_>, field: &str) -> bool {
    let value = fault.rule.get(field);
    let attempts = value.get("attempts");
    value.is_set() && value.written() != "0s" && !(attempts.is_set() && attempts.integer() == 0)
}

fn fault_is_not_retried<'m>(service: &'m Object, rule: usize, idle: &[&str]) -> Message<'m> {
    let idle = idle.join(" and ");
    let text = format!(
        "http rule {rule} has a fault beside {idle}. The fault is injected where retries and timeouts are counted, so it is \
         neither retried nor cut short."
    );
    let remedy = format!(
        "To test {idle} of VirtualService {}, inject the fault at another hop: in a rule for a service behind this one, or \
         with an EnvoyFilter at the server's sidecar.",
        service.full_name()
    );
    Message::new(&NET0010, service, text).at(Path::spec().key("http").index(rule).key("fault")).remedy(remedy)
}
