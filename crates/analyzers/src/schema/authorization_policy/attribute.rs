//! The keys of [conditions](https://istio.io/latest/docs/reference/config/security/conditions/) and their values.

use super::super::value::Check;
use super::super::value::text::error_list;
use super::values::{addresses, not_empty, ports, service_accounts, wildcards};

/// The values of a condition. Several faults become one text of several lines.
pub(super) fn check(key: &str, values: &[&str]) -> Check {
    not_empty(key, values)?;
    match key {
        _ if key.starts_with("request.headers")
            || key.starts_with("request.auth.claims")
            || key.starts_with("experimental.envoy.filters.") =>
        {
            subscripted(key)
        }
        "source.ip" | "remote.ip" | "destination.ip" => all(&addresses(values)),
        "source.serviceAccount" => service_accounts(key, values),
        "source.trustDomain" => wildcards(key, values),
        "destination.port" => all(&ports(values)),
        "source.namespace"
        | "source.principal"
        | "request.auth.principal"
        | "request.auth.audiences"
        | "request.auth.presenter"
        | "connection.sni" => Ok(()),
        "destination.namespace" => Err(format!("attribute {key} is replaced by the metadata.namespace")),
        _ if key.starts_with("destination.labels") => {
            Err(format!("attribute {key} is replaced by the workload selector"))
        }
        "destination.name" | "destination.user" => {
            Err(format!("deprecated attribute {key}: only supported in v1alpha1"))
        }
        _ => Err(format!("unknown attribute: {key}")),
    }
}

fn all(errors: &[String]) -> Check {
    if errors.is_empty() { Ok(()) } else { Err(error_list(errors)) }
}

/// `request.headers[x-user]`.
fn subscripted(key: &str) -> Check {
    let inner = key.strip_suffix(']').and_then(|key| key.split_once('['));
    match inner {
        Some((name, inner)) if !name.is_empty() && !inner.is_empty() => Ok(()),
        _ => Err(format!("bad key ({key}): should have format a[b]")),
    }
}
