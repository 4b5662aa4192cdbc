//! What looks like a secret and is none. Whoever looks for a fault needs it.

use meshtriage::redact::{redact_json, redact_text, redact_value};
use serde_json::{Value, json};

const TEXTS: [&str; 40] = [
    "secret=istio-ca-secret watched",
    "FLAG: --tokenAudiences=\"istio-ca\"",
    "TOKEN_PATH=/var/run/secrets/tokens/istio-token",
    "PASSWORD_FILE=/etc/shop/password",
    "VAULT_TOKEN=$(VAULT_TOKEN)",
    "DB_PASSWORD=${DB_PASSWORD}",
    "password=",
    "password: null",
    "token: expired",
    "error: invalid token: unexpected end of input",
    "info authorization policy shop/cart applied",
    "error bearer authentication failed",
    "basic auth is off",
    "cookie: none",
    "spiffe://cluster.local/ns/shop/sa/cart",
    "https://kubernetes.default.svc:443/api/v1/secrets",
    "mail to someone@example.com",
    "secretName: shop-tls",
    "credentialName: shop-tls",
    "imagePullSecrets:\n- name: regcred",
    "automountServiceAccountToken: true",
    "kind: Secret\nname: shop-tls",
    "kind: ConfigMap\ndata:\n  mesh: |\n    enableTracing: true\n",
    "serviceAccountToken:\n  audience: istio-ca\n  expirationSeconds: 43200",
    "secretKeyRef:\n  key: password\n  name: db",
    "max_tokens: 100",
    "tokens_per_fill=5",
    "token_bucket: {max_tokens: 5}",
    "-----BEGIN CERTIFICATE-----\nMIIDazCCAlOgAwIBAgIUQjX0\n-----END CERTIFICATE-----",
    "outbound|8080|v1|password-service.shop.svc.cluster.local",
    "ssl.verify_cert_hash=a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5",
    "GET /tokens/list?page=2 HTTP/1.1",
    "GET /cart?key=user HTTP/1.1",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "JWT_POLICY=third-party-jwt",
    "allow_credentials: true",
    "access-control-allow-credentials: true",
    "regex: ^(.*?;)?(user=jason)(;.*)?$",
    "resourceVersion: \"1234567890\"",
    "the password of the database was changed",
];

fn documents() -> Vec<Value> {
    vec![
        json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"a": "aHVudGVyMg=="}}),
        json!({"secretName": "shop-tls", "defaultMode": 420}),
        json!({"volumes": [{"name": "t", "secret": {"secretName": "shop-tls"}}]}),
        json!({"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]}),
        json!({"env": [{"name": "TOKEN_PATH", "value": "/var/run/secrets/tokens"}]}),
        json!({"env": [{"name": "DB_PASSWORD", "value": "$(FROM_ELSEWHERE)"}]}),
        json!({"env": [{"name": "KEY", "value": "value"}]}),
        json!({"sources": [{"serviceAccountToken": {"audience": "istio-ca", "path": "istio-token"}}]}),
        json!({"imagePullSecrets": [{"name": "regcred"}]}),
        json!({"tls": {"credentialName": "shop-tls", "mode": "SIMPLE"}}),
        json!({"consistentHash": {"httpCookie": {"name": "user", "ttl": "0s"}}}),
        json!({"hash_policy": [{"cookie": {"name": "user", "path": "/"}}]}),
        json!({"headers": {"cookie": {"regex": "^(.*?;)?(user=jason)(;.*)?$"}}}),
        json!({"private_key": {"filename": "/etc/certs/key.pem"}, "certificate_chain": {"inline_bytes": "Y2VydA=="}}),
        json!({"private_key": {"inline_bytes": "W3JlZGFjdGVkXQ=="}}),
        json!({"token_bucket": {"max_tokens": 100, "tokens_per_fill": 100, "fill_interval": "1s"}}),
        json!({"header": {"key": "x-forwarded-proto", "value": "https"}, "append": true}),
        json!({"header": {"key": "x-token", "value": "%REQ(x-token)%"}}),
        json!({"jwks": "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"xAE7eB6qugXyCAG3yhh7pkDkT65pHymX\",\"kid\":\"D\"}]}"}),
        json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": "shop-tls"},
            "data": {"tls.crt": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="}}),
    ]
}

#[test]
fn texts_stay() {
    let mut changed = Vec::new();
    for text in TEXTS {
        let prefixed = format!("2026-11-25T10:00:00.000000Z\tinfo\t{text}");
        let in_json = json!({"msg": text}).to_string();
        for form in [text, &prefixed] {
            let redacted = redact_text(form);
            if redacted != form {
                changed.push(format!("{form:?} -> {redacted:?}"));
            }
        }
        if let Some(redacted) = redact_json(&in_json) {
            changed.push(format!("{in_json} -> {redacted}"));
        }
    }
    assert!(changed.is_empty(), "{} changed:\n{}", changed.len(), changed.join("\n"));
}

#[test]
fn documents_stay() {
    let mut changed = Vec::new();
    for document in documents() {
        let mut redacted = document.clone();
        if redact_value(&mut redacted) > 0 || redacted != document {
            changed.push(format!("{document} -> {redacted}"));
        }
        let yaml = serde_saphyr::to_string(&document).unwrap();
        if redact_text(&yaml) != yaml {
            changed.push(format!("{yaml} -> {}", redact_text(&yaml)));
        }
    }
    assert_eq!(documents().len() + TEXTS.len(), 60);
    assert!(changed.is_empty(), "{} changed:\n{}", changed.len(), changed.join("\n"));
}
