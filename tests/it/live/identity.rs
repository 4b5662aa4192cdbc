//! Callers are those for whom the API server takes them (`TokenReview`).

use std::{io::Write as _, process::Command};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use meshtriage::auth::{Denied, Identify, Keys, Rights};
use serde_json::{Value, json};

use crate::support::{
    lab::{self, Lab},
    needs,
};

async fn identify(audiences: &[&str]) -> Identify {
    let audiences = audiences.iter().map(|&audience| audience.to_owned()).collect();
    Identify::kubernetes(lab::client(Lab::Healthy).await, audiences, Keys::default())
}

/// The same token with other claims, signed with the server's own key.
fn resigned(token: &str, change: impl Fn(&mut Value)) -> String {
    let mut parts = token.split('.');
    let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    change(&mut claims);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(signed.as_bytes()).unwrap();
    let key = Lab::Healthy.signing_key();
    let output = Command::new("openssl").args(["dgst", "-sha256", "-sign"]).arg(key).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(output.stdout))
}

#[tokio::test]
async fn token_of_a_service_account_is_its_user() {
    needs!(Servers);
    let token = lab::token(Lab::Healthy, "identity", "shop", json!([])).await;
    let caller = identify(&[]).await.caller(Some(&token), None).await.unwrap();
    assert_eq!(caller.user, "system:serviceaccount:shop:identity");
    assert_eq!(caller.rights, Rights::Reviewed);
    assert!(caller.uid.as_deref().is_some_and(|uid| uid.len() == 36), "{caller:?}");
    for group in ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"] {
        assert!(caller.groups.iter().any(|own| own == group), "{group} is missing in {caller:?}");
    }
}

#[tokio::test]
async fn what_is_no_token_of_the_cluster_is_refused() {
    needs!(Servers);
    let identify = identify(&[]).await;
    let token = lab::token(Lab::Healthy, "refused", "shop", json!([])).await;
    let forged = format!("{}x", &token[..token.len() - 8]);
    for bad in ["nonsense", "a.b.c", forged.as_str()] {
        assert!(matches!(identify.caller(Some(bad), None).await, Err(Denied::Unknown)), "{bad}");
    }
    assert!(matches!(identify.caller(None, None).await, Err(Denied::Missing)));
}

#[tokio::test]
async fn expired_token_is_refused() {
    needs!(Servers);
    let identify = identify(&[]).await;
    let token = lab::token(Lab::Healthy, "expired", "shop", json!([])).await;
    // That the signature is right shows in a token whose claims are changed, but not their meaning.
    let other = resigned(&token, |claims| claims["jti"] = json!("2f2b6bd4-6c1f-4b0e-9f1e-0d1c5c1f2a3b"));
    assert_eq!(identify.caller(Some(&other), None).await.unwrap().user, "system:serviceaccount:shop:expired");
    let past = resigned(&token, |claims| {
        let issued = claims["iat"].as_i64().unwrap();
        for (name, age_s) in [("iat", 7200), ("nbf", 7200), ("exp", 3600)] {
            claims[name] = json!(issued - age_s);
        }
    });
    assert!(matches!(identify.caller(Some(&past), None).await, Err(Denied::Unknown)));
}

#[tokio::test]
async fn token_of_a_deleted_account_is_refused() {
    needs!(Servers);
    let token = lab::token(Lab::Healthy, "deleted", "shop", json!([])).await;
    lab::kubectl(Lab::Healthy, &["delete", "serviceaccount", "deleted", "--namespace", "shop"]);
    assert!(matches!(identify(&[]).await.caller(Some(&token), None).await, Err(Denied::Unknown)));
}

#[tokio::test]
async fn token_for_somebody_else_is_refused() {
    needs!(Servers);
    lab::token(Lab::Healthy, "audience", "shop", json!([])).await;
    let admin = lab::client(Lab::Healthy).await;
    let ours = lab::token_of(&admin, "shop", "audience", &["meshtriage"]).await;
    let other = lab::token_of(&admin, "shop", "audience", &["vault"]).await;
    let own = lab::token_of(&admin, "shop", "audience", &[]).await;
    let identify_ours = identify(&["meshtriage"]).await;
    assert_eq!(identify_ours.caller(Some(&ours), None).await.unwrap().user, "system:serviceaccount:shop:audience");
    assert!(matches!(identify_ours.caller(Some(&other), None).await, Err(Denied::Unknown)));
    assert!(matches!(identify_ours.caller(Some(&own), None).await, Err(Denied::Unknown)));
    assert!(matches!(identify(&[]).await.caller(Some(&ours), None).await, Err(Denied::Unknown)));
}
