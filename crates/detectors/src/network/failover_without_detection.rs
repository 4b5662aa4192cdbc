//! Finds settings for failover between localities that nothing sets off.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/locality",
        reads: &[Kind::DestinationRule, Kind::MeshConfig],
        reports: &[&NET0020],
        by_default: true,
        run,
    },
};

static NET0020: Code = Code {
    id: "NET0020",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/locality-load-balancing/failover/",
    page: include_str!("pages/NET0020.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for rule in mesh.each(Kind::DestinationRule) {
        let top = rule.spec().field("trafficPolicy");
        check(rule, top, View::MISSING, &Path::spec(), messages);
        for (subset, index) in rule.spec().get("subsets").items().zip(0..) {
            let path = Path::spec().key("subsets").index(index);
            check(rule, subset.field("trafficPolicy"), top, &path, messages);
        }
    }
    for config in mesh.configs().values().take(1) {
        let setting = config.setting(&["localityLbSetting"]);
        let detects = |rule: &Object| !rule.spec().path(&["trafficPolicy", "outlierDetection"]).is_empty();
        if let Some(from) = setting.from.filter(|_| fails_over(setting.value))
            && !mesh.each(Kind::DestinationRule).any(detects)
        {
            messages.report(mesh_cannot_fail_over(from));
        }
    }
}

/// A subset has from the top what it does not set itself; a port has nothing from above.
fn check<'m>(rule: &'m Object, policy: View<'m>, above: View<'m>, path: &Path, messages: &mut Messages<'m>) {
    let path = path.clone().key("trafficPolicy");
    let locality = |policy: View<'m>| policy.path(&["loadBalancer", "localityLbSetting"]);
    let detects = |policy: View<'_>| policy.field("outlierDetection").is_set();
    if fails_over(locality(policy)) && !detects(policy) && !detects(above) {
        messages.report(nothing_sets_it_off(rule).at(path.clone().key("loadBalancer")));
    }
    for (settings, index) in policy.field("portLevelSettings").items().zip(0..) {
        if fails_over(locality(settings)) && !detects(settings) {
            let path = path.clone().key("portLevelSettings").index(index);
            messages.report(nothing_sets_it_off(rule).at(path.key("loadBalancer")));
        }
    }
}

/// A fixed distribution has no failover to set off.
fn fails_over(setting: View<'_>) -> bool {
    let is_off = setting.get("enabled").written() == "false";
    let has = |field: &str| !setting.field(field).is_empty();
    !is_off && !has("distribute") && (has("failover") || has("failoverPriority"))
}

fn nothing_sets_it_off(rule: &Object) -> Message<'_> {
    let host = rule.spec().get("host").text();
    let text = format!(
        "Failover to another locality is set for {host}, but no outlierDetection: proxies never find that endpoints fail, \
         and do not fail over."
    );
    let remedy = format!(
        "Add outlierDetection to the same trafficPolicy of DestinationRule {}, for example consecutive5xxErrors: 5, \
         interval: 10s, baseEjectionTime: 30s.",
        rule.full_name()
    );
    Message::new(&NET0020, rule, text).remedy(remedy)
}

fn mesh_cannot_fail_over<'m>(from: &str) -> Message<'m> {
    let text = format!(
        "Failover to another locality is set for the mesh ({from}), but no DestinationRule has outlierDetection: proxies \
         never find that endpoints fail, and do not fail over."
    );
    let remedy = "Add a DestinationRule with outlierDetection for each host that is to fail over.";
    Message::without_object(&NET0020, text).remedy(remedy)
}
