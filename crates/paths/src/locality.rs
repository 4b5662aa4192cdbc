//! Which endpoints are used by where they run
//! (<https://istio.io/latest/docs/reference/config/networking/destination-rule/#LocalityLoadBalancerSetting>).

use crate::cluster::Policy;
use crate::network::Network;
use crate::request::Caller;
use crate::services::{Endpoint, locality_of};
use crate::trail::By;

/// Leaves those endpoints to which `distribute` sends clients of this locality, with their shares. The object that does so is
/// handed back where it leaves none.
pub(crate) fn spread<'m>(
    network: &Network<'m>,
    caller: &Caller<'m>,
    policy: &Policy<'m>,
    endpoints: &mut Vec<(&Endpoint<'m>, f64)>,
) -> Option<By<'m>> {
    let (rule, setting, path) = policy.locality.as_ref()?;
    if setting.get("enabled").written() == "false" || endpoints.is_empty() {
        return None;
    }
    let own = locality_of(network.mesh, caller.object);
    let mut lists = setting.get("distribute").items().zip(0..);
    let (distribute, index) = lists.find(|(list, _)| covers(list.get("from").text(), &own))?;
    let weight_of = |locality: &str| -> f64 {
        let mut shares = distribute.get("to").entries().filter(|(to, _)| covers(to, locality));
        shares.next().map_or(0.0, |(_, share)| share.number())
    };
    let weights: Vec<f64> = endpoints.iter().map(|(endpoint, _)| weight_of(&endpoint.locality)).collect();
    let mut weights = weights.into_iter();
    endpoints.retain_mut(|(_, weight)| {
        *weight = weights.next().unwrap_or(0.0);
        *weight > 0.0
    });
    endpoints.is_empty().then(|| By::new(rule, format!("{path}.distribute[{index}].to")))
}

/// Whether a locality such as `region/zone/*` covers another one.
fn covers(wanted: &str, locality: &str) -> bool {
    let mut parts = locality.split('/');
    wanted.split('/').all(|part| {
        let own = parts.next().unwrap_or_default();
        part == "*" || part == own
    })
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn localities_cover_what_lies_below_them() {
        assert!(covers("*", "eu/1") && covers("eu/*", "eu/1") && covers("eu", "eu/1/a") && covers("eu/1/*", "eu/1"));
        assert!(!covers("eu/2", "eu/1") && !covers("us/*", "eu/1"));
    }
}
