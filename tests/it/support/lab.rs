//! Real API servers on loopback, which `tests/lab.sh` starts: one for each recording, and an empty one with controllers.
//!
//! What changes a cluster (callers with their roles, the service's own roles) goes to `Healthy` or `Empty`. `Broken` and
//! `Upstream` stay as they were recorded, for comparisons.

use std::{path::PathBuf, process::Command};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use meshtriage::{
    capture::{Capture, Limits},
    clock::Clock,
    cluster::{Cluster, Settings, Source},
};
use serde_json::{Value, json};

use super::needs::{Need, given, setting};

/// One of the servers. The numbers are those of `tests/lab.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lab {
    Healthy = 0,
    Broken = 1,
    Upstream = 2,
    /// No mesh, but one simulated node and controllers: Deployments roll out, deleted pods come back.
    Empty = 3,
}

impl Lab {
    /// The recording that it serves.
    pub(crate) fn recording(self) -> Option<&'static str> {
        match self {
            Self::Healthy => Some("healthy"),
            Self::Broken => Some("broken"),
            Self::Upstream => Some("upstream"),
            Self::Empty => None,
        }
    }

    fn folder(self) -> PathBuf {
        PathBuf::from(given(Need::Servers)).join((self as u8).to_string())
    }

    pub(crate) fn kubeconfig(self) -> PathBuf {
        self.folder().join("kubeconfig")
    }

    /// The key with which it signs the tokens of service accounts.
    pub(crate) fn signing_key(self) -> PathBuf {
        self.folder().join("pki/sa.key")
    }
}

/// How to reach a server as its administrator.
async fn config(lab: Lab) -> Config {
    // Another test may have done it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let path = lab.kubeconfig();
    let kubeconfig = Kubeconfig::read_from(&path).unwrap_or_else(|error| {
        panic!("{error}: {lab:?} does not run: run ./tests/run.sh, which starts the API servers ({})", path.display())
    });
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

/// A client that may do everything.
pub(crate) async fn client(lab: Lab) -> Client {
    Client::try_from(config(lab).await).unwrap()
}

/// A client that shows this token.
pub(crate) async fn client_with(lab: Lab, token: &str) -> Client {
    let mut config = config(lab).await;
    config.auth_info = kube::config::AuthInfo { token: Some(token.to_owned().into()), ..Default::default() };
    Client::try_from(config).unwrap()
}

/// The cluster as its administrator sees it. That of a recording has the recording's clock, so that ages are the same.
pub(crate) async fn cluster(lab: Lab) -> Cluster {
    cluster_through(lab, client(lab).await)
}

/// The cluster through another client.
pub(crate) fn cluster_through(lab: Lab, client: Client) -> Cluster {
    let clock = lab.recording().map_or(Clock::System, |name| {
        let capture = Capture::open(&super::recording_path(name), &Limits::default()).unwrap();
        capture.recorded_at().map_or(Clock::System, Clock::Fixed)
    });
    Cluster::new(client, format!("{lab:?}"), Source::Live, clock, Settings::default())
}

/// What kubectl prints.
pub(crate) fn kubectl(lab: Lab, arguments: &[&str]) -> String {
    kubectl_both(lab, arguments).0
}

/// What kubectl prints, and what it says besides.
pub(crate) fn kubectl_both(lab: Lab, arguments: &[&str]) -> (String, String) {
    let output = Command::new(setting("MESHTRIAGE_TEST_KUBECTL").expect("./tests/run.sh sets MESHTRIAGE_TEST_KUBECTL"))
        .arg("--kubeconfig")
        .arg(lab.kubeconfig())
        .args(arguments)
        .output()
        .expect("MESHTRIAGE_TEST_KUBECTL is a kubectl that can be run");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "kubectl {}: {err}", arguments.join(" "));
    (out.into_owned(), err.into_owned())
}

/// A token of a new `ServiceAccount` that has these rules of RBAC in one namespace, and no others.
pub(crate) async fn token(lab: Lab, name: &str, namespace: &str, rules: Value) -> String {
    account(lab, name, namespace, "Role", &format!("namespaces/{namespace}/"), rules).await
}

/// The same with the rules in all namespaces.
pub(crate) async fn cluster_token(lab: Lab, name: &str, namespace: &str, rules: Value) -> String {
    account(lab, name, namespace, "ClusterRole", "", rules).await
}

async fn account(lab: Lab, name: &str, namespace: &str, kind: &str, place: &str, rules: Value) -> String {
    let admin = client(lab).await;
    let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    post(&admin, &accounts, &json!({"metadata": {"name": name}})).await;
    let rbac = format!("/apis/rbac.authorization.k8s.io/v1/{place}");
    let plural = kind.to_ascii_lowercase();
    post(&admin, &format!("{rbac}{plural}s"), &json!({"metadata": {"name": name}, "rules": rules})).await;
    let binding = json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    });
    post(&admin, &format!("{rbac}{plural}bindings"), &binding).await;
    token_of(&admin, namespace, name, &[]).await
}

/// A token of a `ServiceAccount` that is there, for these audiences; for the API server's own, when there are none.
pub(crate) async fn token_of(admin: &Client, namespace: &str, name: &str, audiences: &[&str]) -> String {
    let accounts = Api::<ServiceAccount>::namespaced(admin.clone(), namespace);
    let spec = TokenRequestSpec {
        audiences: audiences.iter().map(|&audience| audience.to_owned()).collect(),
        expiration_seconds: Some(3600),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let answer = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
    answer.status.unwrap().token
}

/// Makes an object. One that an earlier run has left is as good.
async fn post(client: &Client, path: &str, object: &Value) {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(object).unwrap())
        .unwrap();
    match client.request::<Value>(request).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("{path}: {error}"),
    }
}
