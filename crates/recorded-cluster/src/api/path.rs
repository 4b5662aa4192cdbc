//! What a request asks for: the paths of the Kubernetes API, and their query.
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>

use super::super::store::Gvr;

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Version,
    Health,
    /// A discovery document, by its path without the slash in front.
    Discovery(String),
    Collection {
        gvr: Gvr,
        namespace: Option<String>,
    },
    Object {
        gvr: Gvr,
        namespace: Option<String>,
        name: String,
    },
    Log {
        namespace: String,
        pod: String,
    },
    PortForward {
        namespace: String,
        pod: String,
    },
    /// exec and attach.
    Interactive,
    Unknown,
}

impl Target {
    pub(crate) fn parse(path: &str) -> Self {
        let decoded: Vec<String> = path.trim_matches('/').split('/').map(percent_decoded).collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match parts[..] {
            ["version"] => Self::Version,
            ["healthz" | "livez" | "readyz", ..] => Self::Health,
            ["api" | "apis"] | ["api" | "apis", _] | ["apis", _, _] => Self::Discovery(parts.join("/")),
            ["api", version, ref rest @ ..] => Self::resource("", version, rest),
            ["apis", group, version, ref rest @ ..] => Self::resource(group, version, rest),
            _ => Self::Unknown,
        }
    }

    fn resource(group: &str, version: &str, parts: &[&str]) -> Self {
        let gvr = |plural: &str| Gvr::new(group, version, plural);
        match *parts {
            // A Namespace is an object of the cluster, whose own subresources look like a namespace's collections.
            ["namespaces", name, "status" | "finalize"] if group.is_empty() => {
                Self::Object { gvr: gvr("namespaces"), namespace: None, name: name.into() }
            }
            ["namespaces", name] if group.is_empty() => {
                Self::Object { gvr: gvr("namespaces"), namespace: None, name: name.into() }
            }
            ["namespaces", namespace, "pods", pod, "log"] if group.is_empty() => {
                Self::Log { namespace: namespace.into(), pod: pod.into() }
            }
            ["namespaces", namespace, "pods", pod, "portforward"] if group.is_empty() => {
                Self::PortForward { namespace: namespace.into(), pod: pod.into() }
            }
            ["namespaces", _, "pods", _, "exec" | "attach"] if group.is_empty() => Self::Interactive,
            ["namespaces", namespace, plural] => {
                Self::Collection { gvr: gvr(plural), namespace: Some(namespace.into()) }
            }
            ["namespaces", namespace, plural, name] | ["namespaces", namespace, plural, name, "status"] => {
                Self::Object { gvr: gvr(plural), namespace: Some(namespace.into()), name: name.into() }
            }
            [plural] => Self::Collection { gvr: gvr(plural), namespace: None },
            [plural, name] | [plural, name, "status"] => {
                Self::Object { gvr: gvr(plural), namespace: None, name: name.into() }
            }
            _ => Self::Unknown,
        }
    }
}

/// A name in a path, such as a CRD's or a role's with a colon, may be escaped.
fn percent_decoded(part: &str) -> String {
    if !part.contains('%') {
        return part.to_owned();
    }
    // A form would read `+` as a blank, a path does not.
    let part = format!("p={}", part.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(part.as_bytes()).next().map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter that is given and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut given = self.0.iter().filter(|(key, _)| key == name);
        given.find_map(|(_, value)| Some(value.as_str()).filter(|value| !value.is_empty()))
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value, "true" | "1" | "True" | "TRUE" | "t"))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, super::Status> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.parse();
        number.map(Some).map_err(|_| super::Status::bad_request(format!("invalid value for {name}: {value:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_they_name() {
        let pods = Gvr::new("", "v1", "pods");
        let check = |path: &str, expected: Target| assert_eq!(Target::parse(path), expected, "{path}");
        check("/version", Target::Version);
        check("/api/v1", Target::Discovery("api/v1".into()));
        check("/api/v1/pods", Target::Collection { gvr: pods.clone(), namespace: None });
        check("/api/v1/namespaces/shop/pods", Target::Collection { gvr: pods.clone(), namespace: Some("shop".into()) });
        check(
            "/api/v1/namespaces/shop/pods/cart",
            Target::Object { gvr: pods, namespace: Some("shop".into()), name: "cart".into() },
        );
        let namespaces = Gvr::new("", "v1", "namespaces");
        check("/api/v1/namespaces", Target::Collection { gvr: namespaces.clone(), namespace: None });
        check("/api/v1/namespaces/shop", Target::Object { gvr: namespaces, namespace: None, name: "shop".into() });
        check("/api/v1/namespaces/a/pods/b/log", Target::Log { namespace: "a".into(), pod: "b".into() });
        let roles = Gvr::new("rbac.authorization.k8s.io", "v1", "clusterroles");
        check(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            Target::Object { gvr: roles, namespace: None, name: "system:node".into() },
        );
        check("/apis/apps/v1/deployments/a/b/c/d/e", Target::Unknown);
        check("/", Target::Unknown);
    }
}
