//! Whether what the inputs name is there at all: a namespace or a revision that was misspelt would answer like one in which
//! all is well. The inputs of every step are looked at here, by their names.

use serde_json::Value;

use cluster::{Cluster, Error, Resource, Scope};

/// Refuses a namespace or a revision that does not exist, with those that may have been meant. What the caller may not read
/// cannot be told to be missing, and is left to the step.
pub(super) async fn exists(cluster: &Cluster, inputs: &Value) -> Result<(), Error> {
    for field in ["namespace", "istio_namespace"] {
        for name in names(inputs.get(field)) {
            namespace(cluster, field, name).await?;
        }
    }
    for name in names(inputs.get("revision")) {
        if let Err(error @ (Error::NoSuch { .. } | Error::Unreachable { .. })) =
            cluster.control_plane_of(&[], Some(name)).await
        {
            return Err(error);
        }
    }
    Ok(())
}

/// A text, or the texts of a list.
fn names(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

async fn has_pods(cluster: &Cluster, namespace: &str) -> bool {
    let scope = Scope::Namespaces(vec![namespace.to_owned()]);
    let listed = cluster.list::<Value>(&Resource::pods(), &scope, None).await;
    listed.is_ok_and(|listed| !listed.items.is_empty())
}

/// Refuses a namespace that is not there.
pub(super) async fn namespace(cluster: &Cluster, field: &'static str, name: &str) -> Result<(), Error> {
    let namespaces = Resource::namespaces();
    match cluster.get::<Value>(&namespaces, None, name).await {
        Err(Error::NotFound { .. }) => {}
        Err(error) if error.is_fatal() => return Err(error),
        _ => return Ok(()),
    }
    let listed = cluster.list::<Value>(&namespaces, &Scope::All, None).await;
    let listed = listed.map(|listed| listed.items).unwrap_or_default();
    // A server without any namespace is none that could tell; a recording of a part may hold objects without theirs.
    if listed.is_empty() || (cluster.is_recording() && has_pods(cluster, name).await) {
        return Ok(());
    }
    let known = listed.iter().filter_map(|one| one.pointer("/metadata/name").and_then(Value::as_str));
    Err(Error::no_such(field, format!("namespace {name:?}"), name, known))
}
