//! Finds weights that do not add up to 100, or that have nothing to share.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "net/weights", reads: &[Kind::VirtualService], reports: &[&NET0008], by_default: true, run },
};

static NET0008: Code = Code {
    id: "NET0008",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRouteDestination",
    page: include_str!("pages/NET0008.md"),
};

const WHOLE: i64 = 100;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::VirtualService) {
        for protocol in ["http", "tls", "tcp"] {
            for (rule, index) in service.spec().get(protocol).items().zip(0..) {
                let weights: Vec<View<'_>> = rule.get("route").items().map(|route| route.get("weight")).collect();
                let sum = weights.iter().fold(0_i64, |sum, weight| sum.saturating_add(weight.integer()));
                let path = Path::spec().key(protocol).index(index).key("route");
                match weights[..] {
                    [only] if only.is_set() && !matches!(only.integer(), 0 | WHOLE) => {
                        messages.report(weight_shares_nothing(service, only.integer()).at(path));
                    }
                    // Without any weight there is nothing to add up: IST0106.
                    [_, _, ..] if sum != WHOLE && sum > 0 => {
                        messages.report(weights_do_not_add_up(service, &weights, sum).at(path));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn weight_shares_nothing(service: &Object, weight: i64) -> Message<'_> {
    let text = format!("A single destination has the weight {weight}: it gets all requests, not {weight} % of them.");
    let remedy = format!(
        "Remove the weight in VirtualService {}, or add the destination that the other requests were meant for.",
        service.full_name()
    );
    Message::new(&NET0008, service, text).remedy(remedy)
}

fn weights_do_not_add_up<'m>(service: &'m Object, weights: &[View<'_>], sum: i64) -> Message<'m> {
    let list: Vec<String> = weights.iter().map(|weight| weight.integer().to_string()).collect();
    let shares: Vec<String> = weights.iter().map(|weight| share(weight.integer(), sum)).collect();
    let text = format!(
        "The weights {} add up to {sum}, not to 100. Istio shares by proportion: {} of the requests.",
        list.join(", "),
        shares.join(", ")
    );
    let remedy = format!("Write weights that add up to 100 in VirtualService {}.", service.full_name());
    Message::new(&NET0008, service, text).remedy(remedy)
}

/// Rounded to whole percents.
fn share(weight: i64, sum: i64) -> String {
    let percent = (i128::from(weight) * 100 + i128::from(sum) / 2) / i128::from(sum);
    format!("{percent} %")
}
