//! The argument `[<type>/]<name>[.<namespace>]` that istioctl's commands take for a pod
//! (<https://istio.io/latest/docs/reference/commands/istioctl/#istioctl-proxy-config>).

use std::fmt;

use super::super::{Invalid, input::check as checks};

/// A pod, or another object with pods, as somebody names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodTarget {
    /// Such as `deployment` or `gateway.gateway.networking.k8s.io`; a pod where it is absent.
    pub kind: Option<String>,
    pub name: String,
    pub namespace: String,
}

impl PodTarget {
    /// istioctl's reading: what follows the last dot is the namespace. Dots of the type do not count.
    pub fn parse(argument: &str, default_namespace: &str) -> Self {
        let mut target = Self::whole(argument, default_namespace);
        if let Some((name, namespace)) = target.name.rsplit_once('.')
            && (target.kind.is_some() || !name.is_empty())
        {
            (target.name, target.namespace) = (name.to_owned(), namespace.to_owned());
        }
        target
    }

    /// The type as a message names it.
    pub(super) fn kind_word(&self) -> &str {
        self.kind.as_deref().unwrap_or("pod")
    }

    /// The argument as a name without a namespace.
    fn whole(argument: &str, namespace: &str) -> Self {
        let (kind, name) = match argument.rsplit_once('/') {
            Some((kind, name)) if !kind.is_empty() => (Some(kind.to_owned()), name),
            _ => (None, argument),
        };
        Self { kind, name: name.to_owned(), namespace: namespace.to_owned() }
    }

    /// What the argument may mean, in the order to try. Names may have dots too, so in a namespace that was given the
    /// whole name comes first; istioctl's reading is next.
    pub(super) fn readings(argument: &str, namespace: Option<&str>) -> Vec<Self> {
        let mut readings: Vec<_> = namespace.map(|namespace| Self::whole(argument, namespace)).into_iter().collect();
        let split = Self::parse(argument, "");
        if checks::is_label(&split.namespace) && !readings.contains(&split) {
            readings.push(split);
        }
        readings
    }
}

/// `deployment/cart`, without the namespace.
impl fmt::Display for PodTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{kind}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A target that needs no other namespace than the one given, if any.
pub(crate) fn check(field: &str, argument: &str, namespace: Option<&str>) -> Vec<Invalid> {
    let Some(target) = PodTarget::readings(argument, namespace).into_iter().next() else {
        let message = "is required, unless the pod is named with it, as in cart-1.shop or deployment/cart.shop";
        return vec![Invalid::new("namespace", "required", message)];
    };
    let mut invalid = checks::name(field, target.kind.as_deref());
    invalid.extend(checks::name(field, Some(&target.name)));
    invalid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_readings(argument: &str, namespace: Option<&str>, expected: &[&str]) {
        let readings = PodTarget::readings(argument, namespace);
        let readings: Vec<_> = readings.iter().map(|target| format!("{target} in {}", target.namespace)).collect();
        assert_eq!(readings, expected);
    }

    #[test]
    fn whole_name_comes_first_where_the_namespace_is_known() {
        check_readings("cart-1", Some("shop"), &["cart-1 in shop"]);
        check_readings("cart-1.shop", None, &["cart-1 in shop"]);
        check_readings("job-1.2.3-x", Some("shop"), &["job-1.2.3-x in shop", "job-1.2 in 3-x"]);
        check_readings("deployment/cart.pay", Some("shop"), &["deployment/cart.pay in shop", "deployment/cart in pay"]);
        check_readings("rollouts.argoproj.io/cart", Some("shop"), &["rollouts.argoproj.io/cart in shop"]);
        check_readings("rollouts.argoproj.io/cart", None, &[]);
        check_readings("cart-1.", Some("shop"), &["cart-1. in shop"]);
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        let codes = |argument: &str, namespace| -> Vec<_> {
            check("pod", argument, namespace).into_iter().map(|invalid| (invalid.pointer, invalid.code)).collect()
        };
        for good in ["cart-1", "deployment/cart", "gateway.gateway.networking.k8s.io/web", "cart.pay"] {
            assert!(codes(good, Some("shop")).is_empty(), "{good}");
        }
        for wrong in ["", "/", "/cart", "deployment/", "a/b/c", "../cart", "cart?x", "deployment/cart%2F.."] {
            let found = codes(wrong, Some("shop"));
            assert!(found.iter().any(|one| *one == ("/pod".to_owned(), "pattern")), "{wrong}: {found:?}");
        }
        assert_eq!(codes("cart", None), [("/namespace".to_owned(), "required")]);
        assert_eq!(codes("cart.Shop", None), [("/namespace".to_owned(), "required")]);
        assert!(codes("deployment/cart.shop", None).is_empty());
    }
}
